from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from features.errors import WrongUsage
from models.experiment import Experiment
from models.metrics import Basis
from models.registry import RegisteredModel
from models.research import StudyResult, run_study
from models.tracking import list_runs, log_research, open_store, read_json, tracked
from tests.models.conftest import QUICK
from tests.models.small_force import CANDIDATES, FORCE, TESTS, planted, small_records


@pytest.fixture(scope="module")
def result() -> StudyResult:
    return run_study(
        FORCE,
        small_records(),
        "sickness",
        test_as_ofs=TESTS,
        train_candidates=CANDIDATES,
        params=QUICK,
        planted=planted(TESTS),
        draws=200,
    )


def test_a_study_says_what_it_adds_and_which_marks_that_carries(result: StudyResult):
    assert result.added == ("spells_365d",)
    assert list(result.marks) == ["health"]


def test_without_the_study_the_lists_are_those_of_an_ordinary_run(
    result: StudyResult, experiment: Experiment
):
    ordinary = experiment.counts.filter(pl.col("method") == "lightgbm")
    without = result.listed.filter(pl.col("kind") == "leads_confirmed")["without"][0]
    assert without == ordinary["backtest.leads_confirmed"][0]


def test_the_lists_are_as_long_with_as_without_and_every_change_is_told(result: StudyResult):
    for basis in ("backtest", "planted"):
        listed = result.listed.filter((pl.col("basis") == basis) & ~pl.col("kind").str.contains(r"\."))
        assert listed["with"].sum() == pytest.approx(listed["without"].sum()) == pytest.approx(20)
        changed = (listed["with"] - listed["without"]).to_list()
        assert changed == pytest.approx((listed["newly"] - listed["no_longer"]).to_list())


def test_the_list_by_the_column_such_records_are_ranked_by_stands_beside(result: StudyResult):
    assert result.alone == "spells_365d"
    for basis in ("backtest", "planted"):
        listed = result.listed.filter((pl.col("basis") == basis) & ~pl.col("kind").str.contains(r"\."))
        assert listed["alone"].sum() == pytest.approx(20)
    assert "By spells_365d alone they hold" in result.says
    assert "alone/spells_365d" in result.comparison.lines


def test_a_study_whose_records_nobody_ranks_by_has_no_such_list():
    leave = run_study(
        FORCE, small_records(), "leave", test_as_ofs=TESTS[:1], train_candidates=CANDIDATES, params=QUICK, draws=200
    )  # fmt: skip
    assert leave.alone is None
    assert "alone" not in leave.listed.columns


def test_the_gain_in_confirmed_leads_comes_with_a_paired_interval(result: StudyResult):
    gain = next(each for each in result.differences if each.basis is Basis.BACKTEST)
    counts = result.listed.filter(pl.col("kind") == "leads_confirmed").row(0, named=True)
    assert gain.more == pytest.approx(counts["with"] - counts["without"])
    assert gain.interval.low <= gain.more <= gain.interval.high


def test_the_innocent_who_would_be_listed_are_counted_by_kind_of_look_alike(result: StudyResult):
    kinds = result.listed.filter(pl.col("basis") == "planted")["kind"].to_list()
    assert kinds == ["misconduct", "innocent", "lookalike", "lookalike.busy_team"]
    lookalikes = result.listed.filter(pl.col("kind").str.starts_with("lookalike"))
    assert lookalikes["with"][0] == lookalikes["with"][1]


def test_the_answer_is_a_sentence_with_figures(result: StudyResult):
    assert "With sickness records (1 features)" in result.says
    assert "cannot be promoted" in result.says


def test_a_study_is_kept_apart_and_registers_nothing(
    store: Path, registered: RegisteredModel, result: StudyResult
):
    with tracked(store, f"{FORCE.name}-research", name="sickness", tags={"kind": "research"}) as run:
        log_research(run, result)
    client = open_store(store)
    kept = client.get_run(run.run_id)
    assert client.get_experiment(kept.info.experiment_id).name == "small-research"
    assert kept.data.tags["promotable"] == "false"
    assert "backtest.leads_confirmed_more_low" in kept.data.metrics
    assert read_json(store, run.run_id, "study.json")["promotable"] is False
    assert not list(store.glob(f"artifacts/*/{run.run_id}/**/model.lgb*"))
    assert run.run_id not in list_runs(store)["run_id"].to_list()


def test_a_study_the_catalogue_does_not_have_is_refused():
    with pytest.raises(WrongUsage, match="Did you mean 'sickness'"):
        run_study(FORCE, small_records(), "sicknes", test_as_ofs=TESTS, train_candidates=CANDIDATES)
