from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score

from models.metrics import (
    BacktestCounts,
    Interval,
    LiveCounts,
    PlantedCounts,
    ReplayCounts,
    chance_of_listing,
    count_listed,
    measure,
    percentile_interval,
    places,
    resample_persons,
    wilson,
)

# Few distinct scores, so that ties are the rule.
RANKINGS = st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=2, max_size=30)


def arrays(ranking: list[tuple[int, bool]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([float(score) for score, _ in ranking]), np.array([int(kind) for _, kind in ranking])


def random_draws(scores: np.ndarray, of_kind: np.ndarray, k: int, draws: int) -> np.ndarray:
    """How many of a kind each of many actual draws lists, ties broken by lot."""
    rng = np.random.default_rng(0)
    return np.array([of_kind[np.lexsort((rng.random(len(scores)), -scores))[:k]].sum() for _ in range(draws)])


def test_counts_of_two_bases_cannot_be_added():
    live = LiveCounts(leads_confirmed=1, leads_wrong=2, leads_inconclusive=0, leads_open=0)
    replay = ReplayCounts(leads_confirmed=1, leads_wrong=2, leads_inconclusive=0, leads_open=0)
    with pytest.raises(TypeError, match="counts of basis live cannot be added to ReplayCounts"):
        live + replay  # type: ignore[operator]  # what the type checker refuses too, and this test shows


def test_counts_of_one_basis_add_field_by_field():
    one = BacktestCounts(leads_confirmed=1, leads_not_confirmed=2, leads_unsettled=3)
    assert one + one == BacktestCounts(leads_confirmed=2, leads_not_confirmed=4, leads_unsettled=6)
    assert (one + one).listed == 12


def test_metric_names_begin_with_the_basis():
    counts = PlantedCounts(misconduct=1, innocent=2, lookalike=3)
    assert counts.metrics() == {"planted.misconduct": 1, "planted.innocent": 2, "planted.lookalike": 3}


@given(RANKINGS, st.integers(0, 35))
def test_chances_of_listing_add_up_to_the_places(ranking: list[tuple[int, bool]], k: int):
    scores, _ = arrays(ranking)
    assert chance_of_listing(scores, k).sum() == pytest.approx(min(k, len(scores)))


@settings(max_examples=25, deadline=None)
@given(RANKINGS, st.integers(1, 10))
def test_expected_count_is_the_average_over_random_orders_and_lies_between_its_bounds(
    ranking: list[tuple[int, bool]], k: int
):
    scores, of_kind = arrays(ranking)
    found = count_listed(scores, of_kind, k)
    drawn = random_draws(scores, of_kind, k, draws=400)
    assert found.expected == pytest.approx(drawn.mean(), abs=4 * drawn.std() / 20 + 1e-9)
    assert found.worst <= drawn.min()
    assert drawn.max() <= found.best
    assert found.worst - 1e-9 <= found.expected <= found.best + 1e-9


def test_bounds_are_reached_by_the_luckiest_and_unluckiest_draw():
    scores, of_kind = np.array([2.0, 1, 1, 1, 0]), np.array([0, 1, 1, 0, 1])
    drawn = random_draws(scores, of_kind, 3, draws=200)
    found = count_listed(scores, of_kind, 3)
    assert (found.worst, found.best) == (drawn.min(), drawn.max()) == (1, 2)


@given(st.integers(1, 300), st.data())
def test_wilson_agrees_with_scipy(trials: int, data: st.DataObject):
    successes = data.draw(st.integers(0, trials))
    theirs = binomtest(successes, trials).proportion_ci(method="wilson")
    ours = wilson(successes, trials)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_wilson_covers_the_truth_about_nineteen_times_in_twenty():
    found = np.random.default_rng(0).binomial(60, 0.1, size=2000)
    intervals = [wilson(successes, 60) for successes in found]
    covered = np.mean([interval.low <= 0.1 <= interval.high for interval in intervals])
    assert 0.93 <= covered <= 0.98


@settings(deadline=None)
@given(RANKINGS)
def test_auc_agrees_with_sklearn(ranking: list[tuple[int, bool]]):
    scores, of_kind = arrays(ranking)
    found = measure(scores, of_kind, {}, np.ones((1, len(scores)), dtype=np.uint8)).auc[0]
    if 0 < of_kind.sum() < len(of_kind):
        assert found == pytest.approx(roc_auc_score(of_kind, scores))
    else:
        assert np.isnan(found)


@given(RANKINGS, st.integers(1, 10))
def test_measured_as_it_is_equals_the_expected_count(ranking: list[tuple[int, bool]], k: int):
    scores, of_kind = arrays(ranking)
    measured = measure(scores, of_kind, {"k": k}, np.ones((1, len(scores)), dtype=np.uint8))
    assert measured.found["k"][0] == pytest.approx(count_listed(scores, of_kind, k).expected)
    assert measured.listed["k"][0] == min(k, len(scores))


@settings(deadline=None)
@given(RANKINGS, st.integers(1, 8), st.integers(0, 5))
def test_a_weight_is_a_person_counted_so_often(ranking: list[tuple[int, bool]], k: int, seed: int):
    scores, of_kind = arrays(ranking)
    weights = np.random.default_rng(seed).integers(0, 3, (1, len(scores)), dtype=np.uint8)
    measured = measure(scores, of_kind, {"k": k}, weights)
    repeated, kinds = np.repeat(scores, weights[0]), np.repeat(of_kind, weights[0])
    if len(repeated):
        assert measured.found["k"][0] == pytest.approx(count_listed(repeated, kinds, k).expected)


def test_measuring_in_parts_changes_nothing(monkeypatch: pytest.MonkeyPatch):
    rng = np.random.default_rng(1)
    scores, of_kind = rng.integers(0, 9, 50).astype(float), rng.integers(0, 2, 50)
    weights = resample_persons(50, draws=30, seed=2).weights
    whole = measure(scores, of_kind, {"k": 5}, weights)
    monkeypatch.setattr("models.metrics.PART_SIZE", 200)
    parts = measure(scores, of_kind, {"k": 5}, weights)
    np.testing.assert_array_equal(whole.found["k"], parts.found["k"])
    np.testing.assert_array_equal(whole.auc, parts.auc)


def test_resamples_keep_the_number_of_persons_and_follow_the_seed():
    resamples = resample_persons(40, draws=300, seed=7)
    assert resamples.draws == 300
    assert (resamples.weights.sum(axis=1) == 40).all()
    assert (resamples.weights[0] == 1).all()
    np.testing.assert_array_equal(resamples.weights, resample_persons(40, draws=300, seed=7).weights)
    assert (resamples.weights != resample_persons(40, draws=300, seed=8).weights).any()


def test_a_paired_interval_covers_no_difference_about_nineteen_times_in_twenty():
    rng = np.random.default_rng(5)
    covered = 0
    for trial in range(120):
        scores, others = rng.random(300), rng.random(300)
        of_kind = (rng.random(300) < 0.2).astype(int)
        weights = resample_persons(300, draws=200, seed=trial).weights
        one, other = (measure(each, of_kind, {"k": 60}, weights).found["k"] for each in (scores, others))
        interval = percentile_interval(one - other)
        covered += interval.low <= 0 <= interval.high
    assert 0.90 <= covered / 120 <= 1.0


def test_an_interval_of_nothing_is_no_number():
    interval = percentile_interval(np.array([0.5, np.nan, np.nan]))
    assert interval != Interval(0.5, 0.5)
    assert np.isnan(interval.low)


def test_places_are_never_more_than_people():
    assert places(4, 10) == 4
