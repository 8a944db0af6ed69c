from __future__ import annotations

from pathlib import Path

import pytest

from models.experiment import Experiment, Study, prepare, run_experiment
from models.ranker import Params
from models.registry import RegisteredModel, register
from models.tracking import log_experiment, tracked
from tests.models.small_force import CANDIDATES, FORCE, TESTS, planted, small_records

QUICK = Params(rounds=40, least_rows=10, l2_share=0.02, learning_rate=0.1, threads=1)


@pytest.fixture(scope="session")
def study() -> Study:
    return prepare(FORCE, small_records(), test_as_ofs=TESTS, train_candidates=CANDIDATES)


@pytest.fixture(scope="session")
def experiment() -> Experiment:
    return run_experiment(
        FORCE,
        small_records(),
        test_as_ofs=TESTS,
        train_candidates=CANDIDATES,
        params=QUICK,
        planted=planted(TESTS),
        draws=200,
    )


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow store of its own; making one takes seconds, so there is one for all tests."""
    return tmp_path_factory.mktemp("work") / "mlruns"


@pytest.fixture(scope="session")
def registered(store: Path, experiment: Experiment) -> RegisteredModel:
    with tracked(store, FORCE.name, name="first") as run:
        log_experiment(run, experiment, account={"tables": [{"table": "claim", "read": 7}]})
    return register(store, FORCE, experiment.model, run_id=run.run_id)
