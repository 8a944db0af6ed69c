"""How a champion comes to the test dates of a model that would replace it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from evenhand import rival
from evenhand.rival import champion_on
from features.errors import WrongUsage
from models.backtest import Backtest
from models.experiment import Experiment, run_experiment
from models.ranker import Params
from models.registry import RegisteredModel
from models.release import release_findings
from tests.models.small_force import CANDIDATES, FORCE, TESTS, small_records

QUICK = Params(rounds=20, least_rows=10, learning_rate=0.1, threads=1)


@pytest.fixture(scope="module")
def experiment() -> Experiment:
    """Models of a force that knew nothing of the test dates when the last of them was made."""
    return run_experiment(
        FORCE, small_records(), test_as_ofs=TESTS, train_candidates=CANDIDATES, params=QUICK, draws=200, until=TESTS[0]
    )  # fmt: skip


@pytest.fixture
def workspace(tmp_path: Path) -> Any:
    """As much of a workspace as is asked, with no run kept in it."""
    return SimpleNamespace(
        force=FORCE, accepted=small_records(), store=None, progress=None, config=SimpleNamespace(runs=tmp_path)
    )  # fmt: skip


def version(number: int, experiment: Experiment, **changes: object) -> RegisteredModel:
    trained = replace(experiment.model, **changes)  # type: ignore[arg-type]  # fields of TrainedModel
    return RegisteredModel(name="small", version=number, aliases=(), run_id=f"run{number}", trained=trained)


def keep_runs(monkeypatch: pytest.MonkeyPatch, **runs: Backtest) -> None:
    def read_backtest(_: Path, run: str) -> Backtest:
        if run not in runs:
            raise WrongUsage(f"run {run!r} does not exist")
        return runs[run]

    monkeypatch.setattr(rival.tracking, "read_backtest", read_backtest)


def test_what_its_own_run_said_of_the_same_dates_and_rows_is_taken(workspace, experiment, monkeypatch):
    keep_runs(monkeypatch, run1=experiment.backtest)
    met = champion_on(workspace, version(1, experiment), version(2, experiment), experiment.backtest)
    assert met.how == "as its own run tested it on these dates"
    assert met.backtest is not None
    assert met.backtest.scores["champion"].equals(experiment.backtest.scores["lightgbm"].alias("champion"))


def test_a_model_that_learnt_nothing_of_the_dates_scores_them_itself(workspace, experiment):
    met = champion_on(workspace, version(1, experiment), version(2, experiment), experiment.backtest)
    assert met.how == "scored by itself, since it has learnt nothing of these dates"
    decision = release_findings(
        "small", 2, experiment.backtest.at_capacity(40), promotable=True, forbidden=(), champion=met
    )
    assert decision.requirements[-1].holds is True


def test_one_that_learnt_of_them_may_not_and_without_a_recipe_cannot_be_compared(workspace, experiment):
    knowing = version(1, experiment, trained_as_ofs=(date(2023, 1, 1),))
    met = champion_on(workspace, knowing, version(2, experiment), experiment.backtest)
    assert met.backtest is None
    assert met.next_step.startswith("Restore the run of v1 (run1)")


def test_where_its_features_are_gone_its_run_is_taken_though_rows_have_changed(
    workspace, experiment, monkeypatch
):
    schema = experiment.model.schema
    gone = replace(
        schema, columns=(replace(schema.columns[0], name="once_90d", idea="once"), *schema.columns[1:])
    )
    champion = version(1, experiment, schema=gone, fingerprints={"claim": "of then"})
    keep_runs(monkeypatch, run1=experiment.backtest)
    met = champion_on(workspace, champion, version(2, experiment), experiment.backtest)
    assert "from rows that have changed since" in met.how

    early = experiment.backtest.scores.filter(experiment.backtest.scores["as_of"] == TESTS[0])
    keep_runs(monkeypatch, run1=replace(experiment.backtest, scores=early))
    met = champion_on(workspace, champion, version(2, experiment), experiment.backtest)
    assert met.backtest is None
    assert "not the ones the model was trained on" in met.how
    assert met.next_step.endswith("evenhand train --test-dates 2022-06-30.")
