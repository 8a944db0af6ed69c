from __future__ import annotations

import json
from pathlib import Path

import pytest
from polars.testing import assert_frame_equal

from features.errors import WrongUsage
from models.compare import compare
from models.experiment import Experiment
from models.registry import RegisteredModel
from models.tracking import (
    STATE,
    artifacts_folder,
    list_runs,
    log_json,
    open_store,
    read_backtest,
    read_json,
    tracked,
)
from tests.models.small_force import FORCE, TESTS


@pytest.fixture
def run_id(store: Path, registered: RegisteredModel) -> str:
    return registered.run_id


def test_confirmed_stands_beside_not_confirmed_under_the_same_names_for_every_method(
    store: Path, run_id: str
):
    client = open_store(store)
    parent = client.get_run(run_id)
    children = client.search_runs([parent.info.experiment_id], f"tags.`mlflow.parentRunId` = '{run_id}'")
    assert {child.info.run_name for child in children} == {
        "logistic", "exposure_glm", "per_typology_rules", "complaint_count", "threshold_rule", "random",
    }  # fmt: skip
    for run in [parent, *children]:
        named = run.data.metrics
        assert named["backtest.leads_confirmed"] + named["backtest.leads_not_confirmed"] == pytest.approx(20)
        assert named["planted.misconduct"] + named["planted.innocent"] + named[
            "planted.lookalike"
        ] == pytest.approx(20)
        assert named["backtest.leads_confirmed_low"] <= named["backtest.leads_confirmed"]
        assert 0 <= named["auc"] <= 1


def test_every_method_keeps_how_steady_its_list_is_and_how_far_from_the_best(store: Path, run_id: str):
    client = open_store(store)
    parent = client.get_run(run_id)
    children = client.search_runs([parent.info.experiment_id], f"tags.`mlflow.parentRunId` = '{run_id}'")
    for run in [parent, *children]:
        named = run.data.metrics
        assert 0 < named["list.kept_on_next"] <= 1
        assert named["backtest.regret"] >= 0
        assert named["planted.regret"] >= 0


def test_why_people_were_listed_is_read_back_with_the_scores(
    store: Path, run_id: str, experiment: Experiment
):
    kept = read_backtest(store, run_id)
    assert kept.reasons is not None
    assert experiment.backtest.reasons is not None
    assert_frame_equal(kept.reasons, experiment.backtest.reasons)


def test_each_test_date_has_its_own_figures(store: Path, run_id: str, experiment: Experiment):
    metrics = open_store(store).get_run(run_id).data.metrics
    by_date = [metrics[f"{day}/backtest.leads_confirmed"] for day in TESTS]
    assert sum(by_date) == pytest.approx(metrics["backtest.leads_confirmed"])
    assert f"{TESTS[0]}/precision_at_5pc_low" in metrics


def test_a_run_keeps_its_parameters_fingerprints_validation_account_and_charts(store: Path, run_id: str):
    client = open_store(store)
    run = client.get_run(run_id)
    assert run.data.params["rounds"] == "40"
    assert run.data.params["test_as_ofs"] == "2022-07-01, 2022-10-01"
    assert run.data.tags["fingerprint.claim"]
    assert read_json(store, run_id, "validation.json")["tables"][0]["read"] == 7
    folder = artifacts_folder(client, store, run_id)
    for chart in ("leads", "folds"):
        assert (folder / "charts" / f"{chart}.svg").read_text(encoding="utf-8").startswith("<svg")
    assert json.loads((folder / "charts" / "leads.json").read_text(encoding="utf-8"))["vconcat"]
    assert json.loads((folder / "folds.json").read_text(encoding="utf-8"))[0]["test"] == "2022-07-01"


def test_a_run_is_started_then_completed(store: Path, registered: RegisteredModel):
    with tracked(store, FORCE.name, name="short") as run:
        assert open_store(store).get_run(run.run_id).data.tags[STATE] == "started"
    ended = open_store(store).get_run(run.run_id)
    assert (ended.data.tags[STATE], ended.info.status) == ("completed", "FINISHED")


def test_a_run_left_by_an_error_is_failed_and_not_offered_for_comparison(
    store: Path, registered: RegisteredModel
):
    with pytest.raises(KeyError), tracked(store, FORCE.name, name="broken") as run:
        raise KeyError("whatever went wrong")
    ended = open_store(store).get_run(run.run_id)
    assert (ended.data.tags[STATE], ended.info.status) == ("failed", "FAILED")
    assert run.run_id not in list_runs(store)["run_id"].to_list()


def test_a_backtest_read_back_compares_as_it_did(store: Path, run_id: str, experiment: Experiment):
    stored = read_backtest(store, "first")
    assert stored.scores.equals(experiment.backtest.scores)
    frames = [compare({"run": each}, draws=200).frame() for each in (stored, experiment.backtest)]
    assert frames[0].equals(frames[1])


def test_baselines_and_research_are_not_listed_as_runs_to_compare(store: Path, run_id: str):
    listed = list_runs(store, FORCE.name)
    assert run_id in listed["run_id"].to_list()
    assert "logistic" not in listed["name"].to_list()
    assert listed.filter(listed["run_id"] == run_id)["backtest.leads_confirmed"].is_not_null().all()


def test_a_run_that_does_not_exist_is_refused_with_the_nearest_name(store: Path, run_id: str):
    with pytest.raises(WrongUsage, match="Did you mean 'first'"):
        read_backtest(store, "frist")


def test_a_document_is_kept_with_the_run_and_its_absence_is_said(store: Path, run_id: str):
    with tracked(store, FORCE.name, name="documents") as run:
        log_json(run, "facts.json", {"people": 400})
    assert read_json(store, run.run_id, "facts.json") == {"people": 400}
    with pytest.raises(WrongUsage, match=r"kept no other\.json"):
        read_json(store, run.run_id, "other.json")


def test_looking_into_a_folder_without_a_store_makes_none(tmp_path: Path):
    with pytest.raises(WrongUsage, match="Train a model first"):
        list_runs(tmp_path)
    assert list(tmp_path.iterdir()) == []
