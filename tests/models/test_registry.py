from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pytest

from features.build import FeatureColumn, FeatureSchema
from features.errors import DataRefused, GateRefused, WrongUsage
from models.experiment import Experiment
from models.monitoring import take_reference
from models.registry import (
    RegisteredModel,
    champion,
    forbidden_lineage,
    live_on,
    load,
    model_versions,
    promote,
    promotions,
    reference_of,
    register,
    requests,
)
from models.release import ReleaseDecision, release_findings
from models.tracking import log_experiment, open_store, read_backtest, tracked
from models.trained import TrainedModel
from tests.models.small_force import FORCE


def with_column(model: TrainedModel, column: str) -> TrainedModel:
    schema = FeatureSchema(
        (*model.schema.columns, FeatureColumn(column, "number", None, column.split("_")[0]))
    )
    return replace(model, schema=schema)


@pytest.fixture
def copied(store: Path, registered: RegisteredModel, tmp_path: Path) -> Path:
    """The store in another place, which a test may change."""
    return Path(shutil.copytree(store, tmp_path / "elsewhere"))


def test_what_is_registered_comes_back_as_it_was(registered: RegisteredModel, experiment: Experiment):
    assert registered.trained.about() == experiment.model.about()
    assert registered.trained.booster == experiment.model.booster
    assert registered.trained.schema == experiment.model.schema
    assert registered.title == "small v1"


def test_a_new_version_is_the_candidate(registered: RegisteredModel):
    assert registered.aliases == ("candidate",)


def test_a_version_is_found_by_number_and_by_alias(store: Path, registered: RegisteredModel):
    for which in (1, "1", "candidate"):
        assert load(store, "small", which).version == 1


def test_the_files_are_text_and_hold_no_code_and_no_pickle(store: Path, registered: RegisteredModel):
    files = {path.name for path in store.glob("artifacts/*/models/*/artifacts/*")}
    assert {"model.lgb.txt", "schema.json", "model.json", "MLmodel"} <= files
    assert not [name for name in files if name.endswith((".pkl", ".py", ".pickle"))]
    assert "code" not in files


def test_what_is_kept_of_a_model_is_plain_json(store: Path, registered: RegisteredModel):
    about = next(store.glob("artifacts/*/models/*/artifacts/model.json"))
    kept = json.loads(about.read_text(encoding="utf-8"))
    assert kept["words"]["claims_90d"]["innocent"] == ["a busy team"]
    assert kept["trained_as_ofs"][0] == "2021-01-01"
    assert kept["promotable"] is True


def test_mlflow_itself_can_load_the_booster(store: Path, registered: RegisteredModel, experiment: Experiment):
    import lightgbm

    (native,) = store.glob("artifacts/*/models/*/artifacts/model.lgb")
    assert lightgbm.Booster(model_file=native).feature_name() == list(experiment.model.schema.names)


def test_a_store_that_was_moved_still_serves_its_models(copied: Path, registered: RegisteredModel):
    assert load(copied, "small", 1).trained.fingerprint == registered.trained.fingerprint


def test_a_store_that_was_moved_is_written_to_where_it_lies_now(
    copied: Path, store: Path, experiment: Experiment
):
    before = sorted(store.rglob("*"))
    with tracked(copied, FORCE.name, name="after the move") as run:
        log_experiment(run, experiment)
    second = register(copied, FORCE, experiment.model, run_id=run.run_id)
    assert sorted(store.rglob("*")) == before
    assert load(copied, "small", second.version).trained.fingerprint == experiment.model.fingerprint
    assert read_backtest(copied, "first").scores.equals(read_backtest(copied, "after the move").scores)


def test_a_feature_of_protected_lineage_is_refused_whatever_is_permitted(
    store: Path, registered: RegisteredModel, experiment: Experiment
):
    with pytest.raises(GateRefused, match="leaves_365d"):
        register(
            store,
            FORCE,
            with_column(experiment.model, "leaves_365d"),
            run_id=registered.run_id,
            health_permitted=True,
        )
    assert load(store, "small", "candidate").version == 1


def test_what_it_learnt_from_is_kept_with_the_version_as_counts(
    copied: Path, experiment: Experiment, registered: RegisteredModel
):
    people = np.random.default_rng(1).normal(size=(50, len(experiment.model.schema.names)))
    kept = take_reference(
        experiment.model.schema.names,
        people[0],
        [(date(2022, 1, 1), people, people[:, 0])],
        {"source": {"PUBLIC": 3}},
    )
    with_it = register(copied, FORCE, experiment.model, run_id=registered.run_id, reference=kept)
    assert reference_of(copied, with_it) == kept
    assert reference_of(copied, registered) is None


def test_a_health_feature_is_refused_without_a_recorded_basis(
    store: Path, registered: RegisteredModel, experiment: Experiment
):
    with pytest.raises(GateRefused, match="spells_365d"):
        register(store, FORCE, with_column(experiment.model, "spells_365d"), run_id=registered.run_id)


def test_a_research_run_is_refused(store: Path, registered: RegisteredModel, experiment: Experiment):
    with pytest.raises(GateRefused, match="research run"):
        register(store, FORCE, replace(experiment.model, promotable=False), run_id=registered.run_id)


@pytest.mark.parametrize(
    ("name", "which", "says"),
    [
        ("smal", "champion", "Did you mean 'small'"),
        ("small", "champion", "evenhand promote VERSION"),
        ("small", "candidat", "Did you mean 'candidate'"),
        ("small", 7, "no version or alias '7'"),
    ],
)
def test_a_model_that_does_not_exist_is_refused_with_the_nearest(
    store: Path, registered: RegisteredModel, name: str, which: int | str, says: str
):
    with pytest.raises(WrongUsage, match=says):
        load(store, name, which)


def test_a_booster_that_was_changed_is_refused(copied: Path):
    (booster,) = copied.glob("artifacts/*/models/*/artifacts/model.lgb.txt")
    booster.write_text(
        booster.read_text(encoding="utf-8").replace("leaf_value=", "leaf_value=9"), encoding="utf-8"
    )
    with pytest.raises(DataRefused, match="not the model that was registered"):
        load(copied, "small", 1)


def test_a_store_without_its_files_says_which_to_restore(copied: Path):
    shutil.rmtree(copied / "artifacts")
    with pytest.raises(DataRefused, match="Restore the folder artifacts"):
        load(copied, "small", 1)


def gate(
    experiment: Experiment, version: int, *, places: int = 40, promotable: bool = True
) -> ReleaseDecision:
    """What the gate finds of a version; with forty places, as many as there is planted conduct, it passes."""
    backtest = experiment.backtest.at_capacity(places)
    return release_findings("small", version, backtest, promotable=promotable, forbidden=(), champion=None)


def test_a_promotion_is_recorded_with_time_reason_name_and_what_the_gate_found(
    copied: Path, experiment: Experiment
):
    at = datetime(2024, 3, 1, 9)
    assert champion(copied, "small") is None
    found = promote(copied, gate(experiment, 1), reason="beats every baseline", at=at, who="A. Owner")
    assert found.aliases == ("candidate", "champion")
    assert load(copied, "small").version == 1
    assert promotions(copied, "small").rows() == [(1, at, "A. Owner", "beats every baseline")]
    (asked,) = requests(copied, "small").rows(named=True)
    assert asked["outcome"] == "promoted"
    assert "beats random: " in asked["found"]
    assert "95 % interval" in asked["found"]
    listed = model_versions(copied).row(0, named=True)
    assert (listed["version"], listed["promoted_by"], listed["promoted_because"]) == (
        1, "A. Owner", "beats every baseline",
    )  # fmt: skip


def test_a_refusal_is_recorded_too_and_changes_no_champion(copied: Path, experiment: Experiment):
    at = datetime(2024, 4, 1, 9)
    refused = gate(experiment, 1, promotable=False)
    with pytest.raises(GateRefused, match="a research run, which is isolated"):
        promote(copied, refused, reason="to see", at=at, who="A. Hurried")
    assert champion(copied, "small") is None
    assert live_on(copied, "small", date(2024, 4, 1)) is None
    assert promotions(copied, "small").is_empty()
    (asked,) = requests(copied, "small").rows(named=True)
    assert (asked["version"], asked["at"], asked["who"], asked["outcome"]) == (1, at, "A. Hurried", "refused")
    assert "research run" in asked["found"]


def test_which_model_was_live_is_known_for_every_day(
    copied: Path, experiment: Experiment, registered: RegisteredModel
):
    register(copied, FORCE, experiment.model, run_id=registered.run_id)
    promote(copied, gate(experiment, 1), reason="first", at=datetime(2024, 3, 1, 9))
    promote(copied, gate(experiment, 2), reason="second", at=datetime(2024, 5, 1, 9))
    with pytest.raises(GateRefused):
        promote(copied, gate(experiment, 1, promotable=False), reason="back", at=datetime(2024, 6, 1, 9))
    days = [date(2024, 2, 28), date(2024, 3, 1), date(2024, 4, 30), date(2024, 5, 1), date(2024, 6, 2)]
    assert [live_on(copied, "small", day) for day in days] == [None, 1, 1, 2, 2]
    assert load(copied, "small").version == 2
    assert load(copied, "small", 1).aliases == ()


def test_a_version_may_come_back_and_each_day_keeps_its_own(
    copied: Path, experiment: Experiment, registered: RegisteredModel
):
    register(copied, FORCE, experiment.model, run_id=registered.run_id)
    for month, version in ((3, 1), (5, 2), (7, 1)):
        promote(copied, gate(experiment, version), reason="turn", at=datetime(2024, month, 1))
    days = [date(2024, month, 15) for month in (3, 5, 7)]
    assert [live_on(copied, "small", day) for day in days] == [1, 2, 1]


def test_a_promotion_without_a_reason_is_refused(copied: Path, experiment: Experiment):
    with pytest.raises(WrongUsage, match="needs a reason"):
        promote(copied, gate(experiment, 1), reason="  ", at=datetime(2024, 3, 1))
    assert requests(copied, "small").is_empty()


def test_lineage_counts_as_it_was_and_as_it_is_declared_today(experiment: Experiment):
    model = experiment.model
    assert forbidden_lineage(FORCE, model, health_permitted=False) == ()
    told = forbidden_lineage(FORCE, with_column(model, "leaves_365d"), health_permitted=True)
    assert "leaves_365d" in told[0]
    with_spells = with_column(model, "spells_365d")
    assert forbidden_lineage(FORCE, with_spells, health_permitted=False)
    assert forbidden_lineage(FORCE, with_spells, health_permitted=True) == ()
    marked = replace(model, marks={"protected": ("it read leave when it was made",)})
    assert forbidden_lineage(FORCE, marked, health_permitted=True) == ("it read leave when it was made",)
    assert (
        "no_such_90d"
        in forbidden_lineage(FORCE, with_column(model, "no_such_90d"), health_permitted=False)[0]
    )


def test_a_version_of_no_model_is_an_empty_list(copied: Path):
    client = open_store(copied)
    client.create_registered_model("empty")
    assert len(model_versions(copied, "empty")) == 0
