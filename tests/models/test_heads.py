"""Heads: few findings, and what the catalogue says of each column."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models import heads
from models.heads import (
    ON_THE_CONDUCT,
    Concern,
    alike,
    beyond_colleagues,
    by_idea,
    fit,
    opinion,
    surprises,
    thinned,
)

PEOPLE = 4000
SHOWN = arrays(np.float64, 12, elements=st.one_of(st.just(np.nan), st.floats(-3, 3).map(round).map(float)))


def traces(seed: int, columns: int, *, bearers: int, strength: float) -> tuple[np.ndarray, np.ndarray]:
    """What people show, of whom the first `bearers` show more in every column; and who bears."""
    rng = np.random.default_rng(seed)
    bears = np.arange(PEOPLE) < bearers
    return rng.poisson(1.0 + strength * bears[:, None], (PEOPLE, columns)).astype(float), bears


def of_columns(columns: Mapping[int, int], targets: np.ndarray) -> Concern:
    """A kind of conduct to which each column speaks by itself."""
    return Concern(ideas=[{column: way} for column, way in columns.items()], targets=targets)


def places_of(bears: np.ndarray, scores: np.ndarray) -> float:
    """The share of those who bear among as many people with the highest scores."""
    return float(bears[np.argsort(-scores, kind="stable")[: bears.sum()]].mean())


@settings(deadline=None)
@given(SHOWN)
def test_more_is_never_less_surprising_and_unknown_is_least(shown: np.ndarray):
    found = surprises(shown[:, None], np.zeros(12), {0: 1})[:, 0]
    in_order = found[np.argsort(np.where(np.isnan(shown), -np.inf, shown), kind="stable")]
    assert all(less <= more for less, more in pairwise(in_order))
    assert (found[np.isnan(shown)] == found.min()).all()


@settings(deadline=None)
@given(SHOWN)
def test_where_less_is_more_concern_the_order_is_turned(shown: np.ndarray):
    known = np.nan_to_num(shown)
    turned = surprises(known[:, None], np.zeros(12), {0: -1})
    assert np.array_equal(turned, surprises(-known[:, None], np.zeros(12), {0: 1}))


def test_people_are_set_beside_those_of_their_own_date():
    shown = np.array([[1.0], [2.0], [100.0], [200.0]])
    found = surprises(shown, np.array([1, 1, 2, 2]), {0: 1})[:, 0]
    assert found[0] == found[2]
    assert found[1] == found[3]


def test_without_a_telling_finding_all_columns_are_equally_telling():
    """One finding among those who show nothing moves no weight far from where it begins."""
    shown, _ = traces(1, 5, bearers=0, strength=0)
    found = np.zeros(PEOPLE)
    found[np.argmin(shown.sum(axis=1))] = 1
    weights = fit(surprises(shown, np.zeros(PEOPLE), dict.fromkeys(range(5), 1)), found, pull=1e6)
    assert weights == pytest.approx(np.full(5, weights.mean()), rel=1e-3)
    assert weights.min() > 0


def test_findings_move_weight_to_the_columns_that_tell():
    shown, bears = traces(2, 5, bearers=80, strength=4.0)
    shown[:, 1:] = traces(3, 4, bearers=0, strength=0)[0]
    weights = fit(surprises(shown, np.zeros(PEOPLE), dict.fromkeys(range(5), 1)), bears.astype(float))
    assert weights[0] > 2 * weights[1:].max()


def test_no_column_counts_in_a_persons_favour():
    """Those who show most are found least, and still more of it does not lower the chance."""
    shown, _ = traces(4, 1, bearers=0, strength=0)
    found = np.random.default_rng(4).random(PEOPLE) < np.where(shown[:, 0] == 0, 0.2, 0.02)
    concern = of_columns({0: 1}, targets=found.astype(float))
    assert np.ptp(opinion(shown, np.zeros(PEOPLE), [concern])) < 0.01


def test_the_chances_add_up_to_the_findings():
    shown, bears = traces(5, 4, bearers=60, strength=2.0)
    concern = of_columns(dict.fromkeys(range(4), 1), targets=bears.astype(float))
    assert opinion(shown, np.zeros(PEOPLE), [concern]).sum() == pytest.approx(60)


def test_of_findings_that_other_kinds_account_for_a_kind_takes_only_its_own():
    shown, bears = traces(5, 4, bearers=60, strength=2.0)
    concern = of_columns(dict.fromkeys(range(4), 1), targets=bears.astype(float))
    whole, part = (
        opinion(shown, np.zeros(PEOPLE), [replace(concern, counting=count)]) for count in (None, 12.5)
    )
    assert part.sum() == pytest.approx(12.5)
    assert np.array_equal(np.argsort(part, kind="stable"), np.argsort(whole, kind="stable"))


def test_what_no_record_shows_is_heard_as_far_as_findings_bear_it_out():
    """Findings by chance leave everybody alike, where others would be heard; findings of those who show it do not."""
    traced, bears = traces(9, 2, bearers=80, strength=9.0)
    by_chance = of_columns({0: 1, 1: 1}, targets=np.random.default_rng(9).permutation(bears).astype(float))
    heard, hidden = (
        opinion(traced, np.zeros(PEOPLE), [replace(by_chance, shown=shown)]) for shown in (True, False)
    )
    assert heard.max() > 4 * bears.mean()
    assert hidden.max() < 0.05
    borne_out = replace(by_chance, targets=bears.astype(float), shown=False)
    assert places_of(bears, opinion(traced, np.zeros(PEOPLE), [borne_out])) > 0.9


def test_who_is_first_where_nobody_stands_out_is_less_surprising_than_one_who_does():
    ordinary = np.random.default_rng(3).poisson(20.0, 300).astype(float)
    outstanding = ordinary.copy()
    outstanding[ordinary.argmax()] *= 4
    first, far_out = (
        surprises(shown[:, None], np.zeros(300), {0: 1})[:, 0].max() for shown in (ordinary, outstanding)
    )
    assert first < -np.log10(1 / 301) + 0.5
    assert far_out > 2 * first


def test_who_shows_more_is_never_less_surprising_than_who_shows_less():
    shown = np.sort(np.random.default_rng(4).lognormal(1.0, 1.5, 500))
    found = surprises(shown[:, None], np.zeros(500), {0: 1})[:, 0]
    assert (np.diff(found) >= 0).all()


def test_few_findings_find_the_others_who_show_the_same():
    """Of eighty who show more, eight were found; equal weights, moved by those eight, find most of the rest."""
    shown, bears = traces(6, 12, bearers=80, strength=1.5)
    found = np.zeros(PEOPLE)
    found[:8] = 1
    concern = of_columns(dict.fromkeys(range(12), 1), targets=found)
    assert places_of(bears, opinion(shown, np.zeros(PEOPLE), [concern])) > 0.8


def test_the_opinion_is_the_chance_of_a_finding_of_at_least_one_kind():
    shown, bears = traces(7, 4, bearers=60, strength=2.0)
    kinds = [
        of_columns({0: 1, 1: 1}, targets=bears.astype(float)),
        of_columns({1: 1, 2: 1, 3: 1}, targets=np.roll(bears, 20).astype(float)),
    ]
    one, other, either = (opinion(shown, np.zeros(PEOPLE), some) for some in (kinds[:1], kinds[1:], kinds))
    assert either == pytest.approx(1 - (1 - one) * (1 - other))


def test_a_kind_without_a_finding_or_a_column_says_nothing():
    shown, bears = traces(8, 2, bearers=40, strength=3.0)
    told = of_columns({0: 1}, targets=bears.astype(float))
    silent = [
        of_columns({1: 1}, targets=np.zeros(PEOPLE)),
        of_columns({}, targets=bears.astype(float)),
    ]
    alone, beside = (opinion(shown, np.zeros(PEOPLE), kinds) for kinds in ([told], [told, *silent]))
    assert np.array_equal(alone, beside)


def test_a_column_in_which_nobody_stands_out_leaves_everybody_alike():
    shown = np.ones((PEOPLE, 1))
    found = (np.arange(PEOPLE) < 5).astype(float)
    assert opinion(shown, np.zeros(PEOPLE), [of_columns({0: 1}, targets=found)]) == pytest.approx(
        5 / PEOPLE, rel=1e-2
    )


@given(st.integers(1, 400), st.integers(4, 300))
def test_rows_that_stand_for_all_keep_the_highest_and_the_number(rows: int, most: int):
    order_by = np.random.default_rng(rows).permutation(rows).astype(float)
    kept, counts = thinned(order_by, most=most)
    assert counts.sum() == pytest.approx(rows)
    assert len(kept) <= max(most, 1)
    assert rows - 1 in order_by[kept]
    assert (np.diff(kept) > 0).all()


def test_a_head_of_thinned_rows_is_nearly_that_of_all(monkeypatch: pytest.MonkeyPatch):
    shown, bears = traces(9, 6, bearers=80, strength=1.5)
    telling = surprises(shown, np.zeros(PEOPLE), dict.fromkeys(range(6), 1))
    whole = telling @ fit(telling, bears.astype(float))
    monkeypatch.setattr(heads, "MOST_ROWS", 1000)
    monkeypatch.setattr(heads.thinned, "__kwdefaults__", {"most": 1000})
    assert np.corrcoef(whole, telling @ fit(telling, bears.astype(float)))[0, 1] > 0.99


def test_what_a_whole_team_shows_is_nobodys_conduct():
    """A team that all show much, as where entries are made late, is not listed; one of an ordinary team who shows as much is."""
    shown, bears = traces(9, 6, bearers=80, strength=2.0)
    teams = np.arange(PEOPLE) % 160
    one_team = teams == 159
    shown[one_team & ~bears] += 4
    found = np.zeros(PEOPLE)
    found[:30] = 1
    kinds = [of_columns(dict.fromkeys(range(6), 1), targets=found)]
    before, after = (
        opinion(shown, np.zeros(PEOPLE), kinds, teams=given) for given in (None, teams.astype(float))
    )
    listed_before, listed_after = (
        float((np.argsort(np.argsort(-each)) < 100)[one_team & ~bears].mean()) for each in (before, after)
    )
    assert listed_before > 0.9
    assert listed_after < 0.3
    assert places_of(bears, after) > places_of(bears, before)


def test_a_quiet_team_adds_nothing_to_anybody():
    shown = np.array([5.0, 0.0, 0.0, 0.0, 5.0, 5.0])
    own = beyond_colleagues(shown, np.zeros(6), np.array([1, 1, 1, 1, 2, 2.0]))
    assert own[0] == shown[0]
    assert (own[4:] < shown[4:]).all()


def test_who_has_no_colleagues_keeps_what_they_show():
    shown = np.array([5.0, 4.0, 3.0, 0.0])
    assert np.array_equal(beyond_colleagues(shown, np.zeros(4), np.array([np.nan, np.nan, 1.0, 2.0])), shown)


def test_colleagues_count_by_what_is_usual_in_their_work():
    """A desk whose work brings much to everybody is not a team that shows much."""
    desk = np.arange(8) < 4
    shown = np.where(desk, 9.0, 0.0)
    assert np.array_equal(beyond_colleagues(shown, desk.astype(float), desk.astype(float)), shown)


def test_the_chances_add_up_to_the_findings_with_teams_too():
    shown, bears = traces(10, 4, bearers=60, strength=2.0)
    kinds = [of_columns(dict.fromkeys(range(4), 1), targets=bears.astype(float))]
    chances = opinion(shown, np.zeros(PEOPLE), kinds, teams=(np.arange(PEOPLE) % 100).astype(float))
    assert chances.sum() == pytest.approx(60, rel=1e-3)


def test_whoever_has_few_of_their_rank_is_set_beside_all_of_their_role_but_those_of_larger_ranks():
    role = np.repeat([1, 1, 1, 2], [150, 120, 30, 40])
    rank = np.repeat([5, 6, 7, 5], [150, 120, 30, 40])
    of_rank, of_next, few, rare = alike(np.zeros(340), role, rank)[[0, 150, 270, 300]]
    assert len({of_rank, of_next, few, rare}) == 4
    assert alike(np.zeros(340), role)[0] == alike(np.zeros(340), role)[270]


def test_the_most_surprising_window_speaks_for_an_idea():
    shown = np.array([[9.0, 0.0], [0.0, 9.0], [0.0, 0.0], [9.0, 9.0]])
    short, long = (surprises(shown, np.zeros(4), {column: 1})[:, 0] for column in (0, 1))
    assert np.array_equal(
        by_idea(shown, np.zeros(4), [{0: 1, 1: 1}])[:, 0], np.where(short > long, short, long)
    )


def test_what_the_conduct_at_heart_tells_most_before_anything_is_found():
    """One finding that tells nothing leaves the weights where they begin: most on the one idea, the rest on all six."""
    shown, _ = traces(11, 6, bearers=0, strength=0)
    found = np.zeros(PEOPLE)
    found[np.argmin(shown.sum(axis=1))] = 1
    concern = Concern(ideas=[{column: 1} for column in range(6)], targets=found, at_heart=(2,))
    rest = (1 - ON_THE_CONDUCT) / 6
    assert concern.beginning() == pytest.approx([rest, rest, ON_THE_CONDUCT + rest, rest, rest, rest])
    telling = by_idea(shown, np.zeros(PEOPLE), concern.ideas)
    weights = fit(telling, found, concern.beginning(), pull=1e6)
    assert weights / weights.sum() == pytest.approx(concern.beginning(), rel=1e-2)


def test_findings_outweigh_what_the_conduct_was_thought_to_consist_of():
    shown, bears = traces(12, 6, bearers=80, strength=4.0)
    shown[:, 1:] = traces(13, 5, bearers=0, strength=0)[0]
    concern = Concern(ideas=[{column: 1} for column in range(6)], targets=bears.astype(float), at_heart=(5,))
    weights = fit(by_idea(shown, np.zeros(PEOPLE), concern.ideas), concern.targets, concern.beginning())
    assert weights[0] > weights[5]
