"""Trees grown as a tuning recommends, by command: what is recorded, and what may not be claimed of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evenhand.provenance import PROVENANCE
from models.tracking import open_store, read_json, read_tuned, run_id_of

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("tuned")]
TESTED = ("--test-dates", "2023-12-31")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tuned")


@pytest.fixture
def tuned(run, folder, records) -> Path:
    """A workspace in which trees are tuned and a model is grown as recommended."""
    if not (folder / "mlruns").exists():
        told = run(folder, "tune", "--trials", "2", *TESTED, "--data", str(records))
        assert told.code == 0, told.err
        assert [line[:8] for line in told.err.splitlines()] == ["trial 0:", "trial 1:"]
        assert "2 trials (0 pruned) on 1 date before 2024-01-01." in told.out
        trained = run(
            folder, "train", "--tuned", "tuning", "--name", "grown", *TESTED, "--data", str(records)
        )
        assert trained.code == 0, trained.err
    return folder


def test_a_model_grown_as_recommended_records_the_tuning_and_is_repeated_to_the_last_bit(run, tuned, records):
    runs = tuned / "mlruns"
    tuning, found = read_tuned(runs, "simulated", "tuning")
    run_id = run_id_of(runs, "grown")
    recipe = read_json(runs, run_id, PROVENANCE)["recipe"]
    assert recipe["tuned"] == open_store(runs).get_run(run_id).data.tags["tuned"] == tuning
    assert recipe["params"] == found["recommended"]
    repeated = run(tuned, "train", "--repeat", "grown", "--data", str(records), "--json")
    assert repeated.code == 0, repeated.err
    assert json.loads(repeated.out)["differing"] == []


def test_a_tuning_that_has_seen_the_test_dates_may_not_be_used(run, tuned, records):
    told = run(
        tuned, "train", "--tuned", "tuning", "--test-dates", "2023-12-30,2024-03-31", "--data", str(records)
    )
    assert told.code == 2
    assert "has seen what was found before 2024-01-01, and the first test date is 2023-12-31" in told.err


def test_a_tuning_that_does_not_exist_is_told(run, tuned, records):
    told = run(tuned, "train", "--tuned", "turning", *TESTED, "--data", str(records))
    assert told.code == 2
    assert "Did you mean 'tuning'?" in told.err


def test_where_no_earlier_date_is_settled_the_remedy_is_told(run, tuned, records):
    told = run(tuned, "tune", "--data", str(records))
    assert told.code == 2
    assert "test on later dates: --test-dates" in told.err
