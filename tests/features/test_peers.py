"""People beside people: how many have more, how far off, and never with whom."""

from __future__ import annotations

from datetime import date, datetime
from math import sqrt
from statistics import median

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.build import build
from features.lineage import check
from features.peers import Values, compared, standing
from features.specs import Alike, Banded, Catalogue, Colleagues, count
from tests.features.small_force import (
    CLAIM_COUNT,
    RANK,
    TEAM_OF_POST,
    TOUR,
    idea,
    peers,
    records,
    small_force,
)

TOURS = count(TOUR)
WORK = peers("robust_z", exposure=TOURS, among=Alike(says="the same rank", by=(RANK,), at_least=8))
MORE = peers("share_higher", exposure=TOURS, among=WORK.among)
DAY = date(2024, 1, 1)


def values(amount: list[float], exposure: list[float], rank: list[str], as_of: list[int]) -> Values:
    numbers = {(id(CLAIM_COUNT), 30): np.array(amount), (id(TOURS), 30): np.array(exposure)}
    return Values(np.array(as_of), numbers, {(id(RANK), 0): pl.Series(rank, dtype=pl.String)})


people = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 5), st.sampled_from("AB"), st.integers(0, 1)),
    min_size=1,
    max_size=60,
)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(people)
def test_comparisons_are_what_plain_loops_over_the_comparable_people_give(drawn):
    drawn = sorted(drawn, key=lambda one: one[3])
    rows = values(*(list(column) for column in zip(*drawn, strict=True)))
    at = np.arange(len(drawn))
    z, share = compared(WORK, 30, rows, at, rows), compared(MORE, 30, rows, at, rows)
    higher, equal, others = standing(MORE, 30, rows, at, rows)
    for i, (amount, exposure, rank, as_of) in enumerate(drawn):
        if exposure < 1:
            assert np.isnan(z[i])
            assert np.isnan(share[i])
            assert others[i] == 0
            continue
        same_day = [one for one in drawn if one[3] == as_of and one[1] >= 1]
        group = [one for one in same_day if one[2] == rank]
        group = group if len(group) >= 8 else same_day
        rates = sorted(one[0] / one[1] for one in group)
        rates.remove(amount / exposure)
        assert higher[i] == sum(rate > amount / exposure for rate in rates)
        assert equal[i] == sum(rate == amount / exposure for rate in rates)
        assert others[i] == len(rates)
        pooled = sum(one[0] for one in group) / sum(one[1] for one in group)
        u = [2 * (sqrt(one[0] + 3 / 8) - sqrt(pooled * one[1] + 3 / 8)) for one in group]
        mine = 2 * (sqrt(amount + 3 / 8) - sqrt(pooled * exposure + 3 / 8))
        spread = max(1.4826 * median(abs(x - median(u)) for x in u), 1)
        assert z[i] == pytest.approx((mine - median(u)) / spread)


def test_twice_the_work_with_twice_the_claims_is_no_more_than_the_peers():
    n = 30
    rows = values([4.0] * n + [8.0], [20.0] * n + [40.0], ["A"] * (n + 1), [0] * (n + 1))
    at = np.arange(n + 1)
    assert abs(compared(WORK, 30, rows, at, rows)[-1]) < 0.05
    assert compared(MORE, 30, rows, at, rows)[-1] == 0.5


def test_more_of_it_for_the_same_occasion_never_looks_like_less():
    n = 40
    rng = np.random.default_rng(5)
    base = rng.poisson(3, n).astype(float).tolist()
    last = -np.inf
    for amount in range(20):
        rows = values([*base[:-1], float(amount)], [30.0] * n, ["A"] * n, [0] * n)
        z = compared(WORK, 30, rows, np.arange(n), rows)[-1]
        assert z >= last
        last = z


POSTS = pl.DataFrame(
    {
        "person_key": [f"P{i:02d}" for i in range(24)],
        "occurred_at": [datetime(2010, 1, 1)] * 24,
        "known_at": [datetime(2010, 1, 1)] * 24,
        "rank": ["PC"] * 16 + ["PS"] * 8,
        "team": ["A"] * 12 + ["B"] * 12,
    }
)


def claims_and_tours() -> dict[str, pl.DataFrame]:
    rng = np.random.default_rng(2)
    person = [f"P{i:02d}" for i in rng.integers(0, 24, 200)]
    when = [datetime(2023, 12, 2 + int(day)) for day in rng.integers(0, 28, 200)]
    rows = pl.DataFrame({"person_key": person, "occurred_at": when, "known_at": when})
    number = [str(i) for i in range(200)]
    return {
        "claim": rows.head(90).with_columns(claim=pl.Series(number[:90])),
        "tour": rows.with_columns(tour=pl.Series(number)),
    }


COMPARED = small_force(
    idea("z", peers("robust_z", among=WORK.among), (30,)),
    idea("more", peers("share_higher", among=WORK.among), (30,)),
    idea("of_team", Colleagues(of=CLAIM_COUNT, by=TEAM_OF_POST, at_least=3), (30,)),
)


def test_building_some_people_compares_them_with_everybody():
    accepted = records(post=POSTS, **claims_and_tours())
    everybody = build(COMPARED, accepted, [DAY]).frame
    some = build(COMPARED, accepted, [DAY], people=pl.Series(["P03", "P20"])).frame
    assert some.equals(everybody.filter(pl.col("person_key").is_in(["P03", "P20"])))


def test_from_newer_rows_alone_a_person_is_compared_with_what_everybody_did():
    rows = claims_and_tours()
    accepted = records(post=POSTS, **rows)
    since = datetime(2023, 12, 15)
    newer = pl.DataFrame({"person_key": ["P03"], "known_from": [since]})
    found = build(COMPARED, accepted, [DAY], rows_known_from=newer).frame.row(0, named=True)
    mine_only_newer = {
        name: frame.filter((pl.col("person_key") != "P03") | (pl.col("known_at") >= since))
        for name, frame in rows.items()
    }
    expected = build(COMPARED, records(post=POSTS, **mine_only_newer), [DAY]).frame
    same = expected.filter(pl.col("person_key") == "P03").row(0, named=True)
    assert found["more_30d"] == same["more_30d"]
    assert found["of_team_30d"] == same["of_team_30d"]


def test_a_team_is_told_of_only_where_enough_others_stand_behind_the_mean():
    accepted = records(post=POSTS, **claims_and_tours())
    few = small_force(idea("of_team", Colleagues(of=CLAIM_COUNT, by=TEAM_OF_POST, at_least=12), (30,)))
    assert build(few, accepted, [DAY]).frame["of_team_30d"].null_count() == 24
    enough = small_force(idea("of_team", Colleagues(of=CLAIM_COUNT, by=TEAM_OF_POST, at_least=11), (30,)))
    found = build(enough, accepted, [DAY]).frame
    assert found["of_team_30d"].null_count() == 0


def test_bands_have_their_own_windows_and_edges_rise():
    like = Alike(says="as busy", by=(Banded(of=TOURS, edges=(2.0, 5.0), window=365),))
    check(Catalogue((idea("z", peers("robust_z", among=like), (30,)),)))
    with pytest.raises(ValueError, match="edges of bands rise"):
        Banded(of=TOURS, edges=(5.0, 2.0), window=365)
