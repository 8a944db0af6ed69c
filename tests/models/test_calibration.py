from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from models.backtest import Backtest
from models.booster import log_odds, probability
from models.calibration import LEAST_CONFIRMED, Calibration, calibrate, logistic
from models.experiment import Experiment
from models.scoring import score
from models.trained import ABOUT_FILE, read_trained
from tests.models.small_force import END, FORCE, small_records

DATES = (date(2020, 1, 1), date(2021, 1, 1), date(2022, 1, 1))
DRAWS = 60
Truth = Callable[[np.ndarray], np.ndarray]


def written(calibration: Calibration) -> dict[str, str]:
    """Each field as JSON, in which what has no interval equals itself."""
    return {name: json.dumps(value) for name, value in calibration.to_dict().items()}


def as_told(scores: np.ndarray) -> np.ndarray:
    return probability(scores - 3.5)


def twice_too_steep(scores: np.ndarray) -> np.ndarray:
    return probability(scores / 2 - 3.5)


def backtest_of(truth: Truth, *, people: int = 2_000, seed: int = 1) -> Backtest:
    """People with scores of a known chance, the same people on three dates."""
    rng = np.random.default_rng(seed)
    lasting = rng.normal(0, 1.1, people)
    parts = []
    for day in DATES:
        scores = lasting + rng.normal(0, 0.5, people)
        parts.append(
            pl.DataFrame(
                {
                    "person_key": [f"P{number:05}" for number in range(people)],
                    "as_of": [day] * people,
                    "confirmed": rng.random(people) < truth(scores),
                    "pending": False,
                    "settled": True,
                    "lightgbm": scores,
                }
            )
        )
    return Backtest(scores=pl.concat(parts), methods=("lightgbm",), capacity=0)


@pytest.fixture(scope="module")
def steep() -> Calibration:
    return calibrate(backtest_of(twice_too_steep), draws=DRAWS, seed=1)


def test_chances_of_scores_are_recovered_and_the_errors_say_so():
    found = calibrate(backtest_of(as_told, people=4_000), draws=DRAWS, seed=1)
    middle = np.linspace(-1.0, 2.5, 8)
    np.testing.assert_allclose(found.chance(middle), as_told(middle), rtol=0.3)
    assert found.errors["slope"].low < 1 < found.errors["slope"].high
    assert found.errors["confirmed_to_expected"].low < 1 < found.errors["confirmed_to_expected"].high
    assert found.errors["brier_skill"].low > 0
    assert found.error_by_chance is not None
    assert found.errors["error"].value < 3 * found.error_by_chance


@pytest.mark.parametrize("truth", [as_told, twice_too_steep])
def test_intervals_hold_the_true_chance_about_as_often_as_they_say(truth: Truth):
    wanted = np.array([-1.0, 0.0, 1.0, 2.0])
    held = []
    for seed in range(15):
        low, high = calibrate(backtest_of(truth, people=700, seed=seed), draws=DRAWS, seed=seed).interval(
            wanted
        )
        held.append((low <= truth(wanted)) & (truth(wanted) <= high))
    # Sixty checks, of which those of one force go together.
    assert np.mean(held) >= 0.8


def test_log_odds_twice_too_steep_are_mended_by_platt_on_dates_it_did_not_know(steep: Calibration):
    assert steep.way == "platt"
    assert steep.losses["platt"] < steep.losses["as it comes"]
    assert steep.errors["slope"].low < 1 < steep.errors["slope"].high
    np.testing.assert_allclose(steep.chance(np.array([2.0])), twice_too_steep(np.array([2.0])), rtol=0.4)
    assert "Platt" in steep.chosen


def test_a_chance_that_jumps_is_learnt_as_steps():
    def jumps(scores: np.ndarray) -> np.ndarray:
        return np.where(scores > 0.5, 0.25, 0.02)

    found = calibrate(backtest_of(jumps), draws=20, seed=1)
    assert found.way == "isotonic"
    np.testing.assert_allclose(found.chance(np.array([-1.0, 1.5])), [0.02, 0.25], rtol=0.4)


def test_the_bins_hold_everybody_once_with_as_many_findings_expected_in_each(steep: Calibration):
    table = steep.frame()
    assert table["people"].sum() == steep.people == 6_000
    assert table["confirmed"].sum() == steep.confirmed
    expected = table["expected"].to_numpy()
    np.testing.assert_allclose(expected, np.mean(expected), rtol=0.1)
    assert table["share_expected"].is_sorted(descending=True)
    assert (table["low"] <= table["share_confirmed"]).all()
    assert (table["share_confirmed"] <= table["high"]).all()


def test_a_date_is_judged_by_a_map_that_does_not_know_it(steep: Calibration):
    backtest = backtest_of(twice_too_steep)
    first_found = pl.col("confirmed") & (pl.col("as_of") == DATES[0]) & (pl.col("lightgbm") > 1)
    without = replace(
        backtest, scores=backtest.scores.with_columns(confirmed=pl.col("confirmed") & ~first_found)
    )
    changed = calibrate(without, draws=20, seed=1)
    assert changed.way == steep.way
    assert changed.dates[0].confirmed < steep.dates[0].confirmed
    assert changed.dates[0].expected == steep.dates[0].expected
    assert changed.dates[1].expected != steep.dates[1].expected


def test_nobody_counts_who_is_pending_or_on_a_date_not_settled(steep: Calibration):
    backtest = backtest_of(twice_too_steep)
    first = backtest.scores.filter(pl.col("as_of") == DATES[0]).head(300)
    others = first.with_columns(person_key=pl.format("X{}", "person_key"), lightgbm=9.0)
    pending = others.with_columns(confirmed=False, pending=True)
    unsettled = others.with_columns(as_of=date(2023, 1, 1), confirmed=True, settled=False)
    more = replace(backtest, scores=pl.concat([backtest.scores, pending, unsettled]))
    found = calibrate(more, draws=DRAWS, seed=1)
    assert (found.pending, found.unsettled, found.people) == (300, 300, steep.people)
    assert (found.knots, found.bins) == (steep.knots, steep.bins)
    assert written(found)["errors"] == written(steep)["errors"]


@pytest.mark.parametrize("kept", [0, LEAST_CONFIRMED - 1])
def test_too_few_confirmed_cannot_tell(kept: int):
    backtest = backtest_of(as_told, people=300)
    place = pl.col("confirmed").cast(pl.Int64).cum_sum()
    few = backtest.scores.with_columns(confirmed=pl.col("confirmed") & (place <= kept))
    found = calibrate(replace(backtest, scores=few), draws=DRAWS, seed=1)
    assert found.way is None
    assert found.says.startswith("Cannot tell")
    assert f"confirmed on the settled test dates: {kept};" in found.says
    assert np.isnan(found.chance(np.array([0.0]))).all()
    assert found.columns(np.array([0.0])).null_count().row(0) == (1, 1, 1)
    assert written(Calibration.from_dict(json.loads(json.dumps(found.to_dict())))) == written(found)


def test_one_date_alone_cannot_tell_for_a_chance_is_not_judged_by_what_it_learnt():
    backtest = backtest_of(twice_too_steep)
    alone = replace(backtest, scores=backtest.scores.filter(pl.col("as_of") == DATES[0]))
    assert "one settled test date only" in calibrate(alone, draws=DRAWS, seed=1).says


def test_the_sentence_tells_what_became_of_the_listed(steep: Calibration):
    backtest = backtest_of(twice_too_steep)
    listed = pl.concat(backtest.on(day).top_k(20, by="lightgbm") for day in DATES)
    assert steep.listed is not None
    assert (steep.listed.people, steep.listed.confirmed) == (60, listed["confirmed"].sum())
    share = 100 * steep.listed.confirmed / 60
    assert steep.says.startswith(
        f"Of people scored like those listed, about {share:.0f} in 100 were later confirmed"
    )


def test_the_same_seed_gives_the_same_and_json_keeps_it(steep: Calibration):
    again = calibrate(backtest_of(twice_too_steep), draws=DRAWS, seed=1)
    assert written(again) == written(steep)
    assert written(Calibration.from_dict(json.loads(json.dumps(steep.to_dict())))) == written(steep)


def test_beyond_the_scores_that_were_seen_the_chance_stays_that_of_the_end(steep: Calibration):
    ends = np.array([-99.0, 99.0])
    np.testing.assert_allclose(steep.chance(ends), [steep.knots[0].chance, steep.knots[-1].chance])


@settings(deadline=None, max_examples=25)
@given(
    scores=st.lists(st.integers(-8, 8).map(lambda half: half / 2), min_size=40, max_size=60),
    seed=st.integers(0, 1_000),
)
def test_a_higher_score_never_has_a_lower_chance_and_lies_in_its_interval(scores: list[float], seed: int):
    rng = np.random.default_rng(seed)
    people = pl.DataFrame({"lightgbm": scores}).with_row_index("person_key")
    parts = [
        people.with_columns(
            as_of=pl.lit(day), confirmed=pl.Series(rng.random(len(people)) < 0.3), pending=False, settled=True
        )
        for day in DATES
    ]
    backtest = Backtest(scores=pl.concat(parts), methods=("lightgbm",), capacity=0)
    found = calibrate(backtest, draws=10, seed=seed)
    wanted = np.linspace(-6, 6, 50)
    chance, (low, high) = found.chance(wanted), found.interval(wanted)
    if found.way is not None:
        for ends in (low, chance, high):
            assert (np.diff(ends) >= -1e-12).all()
            assert ((ends >= 0) & (ends <= 1)).all()
        assert (low <= chance + 1e-12).all()
        assert (chance <= high + 1e-12).all()


@settings(deadline=None, max_examples=40)
@given(
    rows=st.lists(
        st.tuples(st.floats(-12, 12), st.integers(1, 400), st.integers(0, 3)), min_size=4, max_size=30
    )
)
@example(
    rows=[(0.0, 1, 0), (0.0, 1, 1), (6.0, 1, 1), (8.0, 113, 1)]
)  # on which whole steps go round for ever
def test_the_logistic_ends_where_nothing_is_left_to_gain(rows: list[tuple[float, int, int]]):
    scores, people, some = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    confirmed = np.minimum(some, people)
    if 0 < confirmed.sum() < people.sum():
        intercept, slope = logistic(scores, people, confirmed, pull=1.0)
        off = confirmed - people * probability(intercept + slope * scores)
        assert abs(off.sum()) < 1e-5
        assert abs(off @ scores - (slope - 1)) < 1e-4


def test_the_model_keeps_its_calibration_and_a_batch_shows_each_chance(
    experiment: Experiment, tmp_path: Path
):
    model = experiment.model
    assert model.calibration is not None
    assert model.calibration.way is not None
    model.write(tmp_path)
    kept = read_trained(tmp_path)
    assert kept.calibration is not None
    assert written(kept.calibration) == written(model.calibration)
    frame = score(FORCE, small_records(), kept, END).frame
    above_base = frame["raw"].to_numpy() - log_odds(model.base_rate)
    assert frame["chance"].to_list() == model.calibration.chance(above_base).tolist()
    assert (frame["chance_low"] <= frame["chance_high"]).all()
    assert frame["chance"].is_sorted(descending=True)

    about = json.loads((tmp_path / ABOUT_FILE).read_text(encoding="utf-8"))
    del about["calibration"]
    (tmp_path / ABOUT_FILE).write_text(json.dumps(about), encoding="utf-8")
    older = read_trained(tmp_path)
    assert older.calibration is None
    assert score(FORCE, small_records(), older, END).frame["chance"].is_null().all()
