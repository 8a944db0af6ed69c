from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from features.build import FeatureTable, build
from features.definition import ForceDefinition
from features.errors import DataRefused, WrongUsage
from features.specs import Catalogue, count
from models.experiment import Experiment
from models.registry import RegisteredModel
from models.scoring import ScoreBatch, score, score_table
from tests.models.small_force import CATALOGUE, CLAIMS, COMPLAINTS, END, FORCE, small_records

AS_OF = END


@pytest.fixture(scope="module")
def batch(experiment: Experiment) -> ScoreBatch:
    return score(FORCE, small_records(), experiment.model, AS_OF, name="small v1")


@pytest.fixture(scope="module")
def table() -> FeatureTable:
    return build(FORCE, small_records(), [AS_OF])


def force_with(*ideas: object) -> ForceDefinition:
    return replace_catalogue(Catalogue(tuple(ideas)))  # type: ignore[arg-type]  # ideas


def replace_catalogue(catalogue: Catalogue) -> ForceDefinition:
    given = {name: getattr(FORCE, name) for name in FORCE.__dataclass_fields__ if name != "tables_by_name"}
    return ForceDefinition(**{**given, "catalogue": catalogue})


def test_everyone_in_the_cohort_is_scored_once_highest_first(batch: ScoreBatch):
    assert len(batch.frame) == 400 == batch.frame["person_key"].n_unique()
    assert batch.frame["raw"].is_sorted(descending=True)
    assert batch.frame["score"].is_between(0, 1).all()
    assert batch.frame["rank"][0] == 1
    assert batch.capacity == 10


def test_contributions_add_up_to_the_raw_score_of_each_person(batch: ScoreBatch):
    for parts in (
        batch.contributions.drop("person_key", "as_of"),
        batch.families.drop("person_key", "as_of").with_columns(batch.contributions["base"]),
    ):
        summed = parts.select(pl.sum_horizontal(pl.all())).to_series().to_numpy()
        np.testing.assert_allclose(summed, batch.frame["raw"].to_numpy(), rtol=0, atol=1e-9)


def test_who_is_above_the_threshold_is_marked(batch: ScoreBatch):
    above = batch.frame["above_threshold"]
    assert above.any()
    assert (above == (batch.frame["score"] > batch.threshold.score)).all()


def test_planted_conduct_comes_first_and_the_reason_for_it_rests_on_records(batch: ScoreBatch):
    first = batch.frame["person_key"].head(10)
    assert sum(int(key[1:]) % 10 == 0 for key in first) >= 9
    reason = batch.reasons_of(first[0]).row(0, named=True)
    assert (reason["direction"], reason["family"], reason["rests_on_records"]) == ("for", "claims", True)
    assert "days before 2023-12-31" in reason["words"] or "days before 2024-01-01" in reason["words"]


def test_planted_conduct_is_named_by_its_kind_from_the_contributions_that_are_shown(batch: ScoreBatch):
    assert batch.frame["concern"].head(10).to_list() == ["T2"] * 10
    raising = batch.contributions.select(
        pl.sum_horizontal(
            pl.col(column).clip(0) for column, words in batch.words.items() if words.typologies == (kind,)
        ).alias(kind)
        for kind in ("C", "T2")
    )
    np.testing.assert_allclose(
        batch.frame["concern_share"].to_numpy(),
        raising.select(pl.max_horizontal("C", "T2") / (pl.col("C") + pl.col("T2"))).to_series().to_numpy(),
        rtol=1e-12,
    )
    assert (raising["T2"] > raising["C"]).sum() == (batch.frame["concern"] == "T2").sum()


def test_reasons_for_push_up_and_reasons_against_push_down(batch: ScoreBatch):
    signs = batch.reasons.group_by("direction").agg(
        low=pl.col("contribution").min(), high=pl.col("contribution").max()
    )
    by_direction = {row["direction"]: row for row in signs.iter_rows(named=True)}
    assert by_direction["for"]["low"] > 0
    assert by_direction["against"]["high"] < 0


def test_scoring_twice_gives_the_same_files(batch: ScoreBatch, experiment: Experiment, tmp_path: Path):
    again = score(FORCE, small_records(), experiment.model, AS_OF, name="small v1")
    one, two = batch.write(tmp_path / "one"), again.write(tmp_path / "two")
    names = sorted(path.name for path in one.iterdir())
    assert names == ["contributions.parquet", "families.parquet", "reasons.parquet", "scores.parquet"]
    for name in names:
        assert (one / name).read_bytes() == (two / name).read_bytes()
    batch.write(tmp_path / "one")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]


def test_one_person_alone_is_scored_as_among_all(batch: ScoreBatch, experiment: Experiment):
    alone = score(FORCE, small_records(), experiment.model, AS_OF, people=pl.Series(["P0010"]))
    among = batch.frame.filter(pl.col("person_key") == "P0010")
    assert alone.frame["raw"].to_list() == among["raw"].to_list()


def test_newer_records_alone_give_a_score_of_their_own(batch: ScoreBatch, experiment: Experiment):
    known_from = pl.DataFrame({"person_key": ["P0010"], "known_from": [datetime(2023, 12, 1)]})
    fresh = score(FORCE, small_records(), experiment.model, AS_OF, rows_known_from=known_from)
    assert len(fresh.frame) == 1
    assert fresh.frame["raw"][0] < batch.frame.filter(pl.col("person_key") == "P0010")["raw"][0]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda frame: frame.rename({"claims_90d": "claims_30d"}), r"- claims_90d"),
        (lambda frame: frame.drop("claims_90d"), r"- claims_90d \(number\)"),
        (
            lambda frame: frame.with_columns(pl.lit("x").alias("minutes_365d")),
            "Float64 expected, String found",
        ),
        (lambda frame: frame.select(reversed(frame.columns)), "order"),
    ],
)
def test_a_feature_frame_whose_columns_differ_is_refused_with_the_difference(
    experiment: Experiment, table: FeatureTable, change: Callable[[pl.DataFrame], pl.DataFrame], says: str
):
    with pytest.raises(DataRefused, match=says):
        score_table(experiment.model, replace(table, frame=change(table.frame)))


def test_a_feature_table_of_another_catalogue_is_refused_with_the_difference(experiment: Experiment):
    other = build(FORCE, small_records(), [AS_OF], catalogue=CATALOGUE.with_research("sickness"))
    with pytest.raises(DataRefused, match=r"\+ spells_365d"):
        score_table(experiment.model, other)


def test_a_catalogue_that_lost_an_idea_is_refused(experiment: Experiment):
    without = force_with(*(idea for idea in CATALOGUE.ideas if idea.name != "claims"))
    with pytest.raises(DataRefused, match=r"(?s)- claims_90d.*- claims_365d"):
        score(without, small_records(), experiment.model, AS_OF)


def test_a_catalogue_that_makes_an_idea_otherwise_is_refused(experiment: Experiment):
    changed = force_with(
        *(replace(idea, of=count(COMPLAINTS)) if idea.name == "claims" else idea for idea in CATALOGUE.ideas)
    )
    with pytest.raises(DataRefused, match=r"~ claims_90d: count over \[claims in claim\] was learnt"):
        score(changed, small_records(), experiment.model, AS_OF)


def test_a_catalogue_that_grew_still_serves_the_model(experiment: Experiment, batch: ScoreBatch):
    grown = force_with(*CATALOGUE.ideas, replace(CATALOGUE.ideas[0], name="more_claims", of=count(CLAIMS)))
    assert score(grown, small_records(), experiment.model, AS_OF).frame.equals(batch.frame)


def test_a_date_the_model_has_learnt_from_is_not_scored(experiment: Experiment):
    with pytest.raises(WrongUsage, match="Score 2023-10-01 or later"):
        score(FORCE, small_records(), experiment.model, date(2023, 9, 30))


def test_another_forces_model_is_refused(experiment: Experiment):
    with pytest.raises(WrongUsage, match="trained for force 'other'"):
        score(FORCE, small_records(), replace(experiment.model, force="other"), AS_OF)


def test_a_table_of_two_dates_is_no_batch(experiment: Experiment):
    table = build(FORCE, small_records(), [date(2023, 11, 1), AS_OF])
    with pytest.raises(WrongUsage, match="holds 2"):
        score_table(experiment.model, table)


IN_A_FRESH_PROCESS = """
import sys
from pathlib import Path


class NoTraining:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "sklearn" or name in (
            "models.ranker", "models.baselines", "models.teacher", "models.experiment", "models.research"
        ):
            raise ImportError(f"{name} is not to be had here")


sys.meta_path.insert(0, NoTraining())
store, tests, out = sys.argv[1:]
sys.path.append(tests)
import small_force
from models.registry import load
from models.scoring import score

model = load(Path(store), "small", "candidate")
batch = score(small_force.FORCE, small_force.small_records(), model.trained, small_force.END, name=model.title)
batch.write(Path(out))
"""


def test_a_fresh_process_that_cannot_train_scores_to_the_last_bit_from_a_moved_store(
    store: Path, registered: RegisteredModel, batch: ScoreBatch, tmp_path: Path
):
    moved = shutil.copytree(store, tmp_path / "moved")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    tests = Path(__file__).parent
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "error",
            "-c",
            IN_A_FRESH_PROCESS,
            str(moved),
            str(tests),
            str(elsewhere / "batch"),
        ],
        cwd=elsewhere,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    for name in ("scores", "contributions", "families", "reasons"):
        written = pl.read_parquet(elsewhere / "batch" / f"{name}.parquet")
        assert written.equals(batch.frame if name == "scores" else getattr(batch, name))
