"""Exact sums, exact days, and results that do not depend on order, blocks or threads."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import reduce
from operator import add

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from features import engine
from features.build import build
from features.errors import DataRefused
from features.specs import Change, Events, mean, total
from features.windows import Timeline, day_number
from tests.features.random_records import AS_OFS, accepted, random_rows
from tests.features.small_force import (
    CLAIM,
    FORCE,
    TABLES,
    column,
    idea,
    records,
    small_force,
    table,
)

PAYMENTS = table("payment", column("person_key", "string"), column("pounds", "number"), key=("person_key",))
PAYMENT = Events(name="payment", table=PAYMENTS, says="a payment")
PAID = (idea("paid", total(PAYMENT, "pounds"), (3650,)), idea("mean_paid", mean(PAYMENT, "pounds"), (3650,)))


def _payments(pounds: list[float]) -> pl.DataFrame:
    n = len(pounds)
    times = pl.Series(
        [datetime(2020, 1, 1) + timedelta(hours=7 * i) for i in range(n)], dtype=pl.Datetime("us")
    )
    people = [f"P{i % 3}" for i in range(n)]
    return pl.DataFrame({"person_key": people, "pounds": pounds, "occurred_at": times, "known_at": times})


def _posts() -> str:
    return """
    person_key | occurred_at | known_at   | team
    P0         | 2010-01-01  | 2010-01-01 | A
    P1         | 2010-01-01  | 2010-01-01 | A
    P2         | 2010-01-01  | 2010-01-01 | A
    """


def _paid(payments: pl.DataFrame) -> pl.DataFrame:
    given = records((*TABLES, PAYMENTS), post=_posts(), payment=payments)
    return build(small_force(*PAID), given, [date(2023, 1, 1), date(2024, 1, 1)]).frame


def test_sums_are_the_same_to_the_last_bit_in_any_order_of_rows():
    pounds = np.random.default_rng(1).lognormal(3, 4, 3000).round(2).tolist()
    payments = _payments(pounds)
    paid = payments.filter(person_key="P0")["pounds"].to_list()
    # Not sum(), which makes up for what is lost on the way since Python 3.12.
    in_order, backwards = reduce(add, paid), reduce(add, paid[::-1])
    assert in_order != backwards, "the numbers must be such that order matters to a plain sum"
    expected = _paid(payments)
    for seed in range(5):
        shuffled = payments.sample(fraction=1, shuffle=True, seed=seed)
        assert_frame_equal(_paid(shuffled), expected, check_exact=True)


def test_a_persons_sum_does_not_depend_on_who_else_is_there_or_which_dates_are_asked():
    payments = _payments(np.random.default_rng(2).lognormal(3, 4, 300).tolist())
    given = records((*TABLES, PAYMENTS), post=_posts(), payment=payments)
    force = small_force(*PAID)
    wide = build(force, given, [date(2022, m, 1) for m in range(1, 13)]).frame
    alone = build(force, given, [date(2022, 6, 1)], people=pl.Series(["P1"])).frame
    assert_frame_equal(
        wide.filter(pl.col("as_of") == date(2022, 6, 1), person_key="P1"), alone, check_exact=True
    )


def test_values_are_kept_to_a_millionth():
    paid = _paid(_payments([0.1, 0.0, 0.0, 0.2])).filter(pl.col("as_of") == date(2024, 1, 1), person_key="P0")
    assert paid["paid_3650d"][0] == pytest.approx(0.3, abs=2e-6)


def test_not_a_number_is_no_value():
    paid = _paid(_payments([float("nan"), 5.0, 6.0, 1.0])).filter(pl.col("as_of") == date(2024, 1, 1))
    assert paid["mean_paid_3650d"].to_list() == [1.0, 5.0, 6.0]


@pytest.mark.parametrize("huge", [1e12, float("inf")])
def test_values_too_large_to_add_up_exactly_are_refused_by_name(huge: float):
    with pytest.raises(DataRefused, match=r"payment: .*'a payment' add up to .* for one person.*maximum"):
        _paid(_payments([1.0, huge, 1.0]))


def test_blocks_of_people_change_nothing(monkeypatch: pytest.MonkeyPatch):
    rows = random_rows(TABLES, 7, rows_a_table=60)
    whole = build(FORCE, accepted(TABLES, rows), AS_OFS)
    monkeypatch.setattr(engine, "PEOPLE_IN_BLOCK", 1)
    in_blocks = build(FORCE, accepted(TABLES, rows), AS_OFS)
    assert whole.frame["person_key"].n_unique() > 1
    assert_frame_equal(in_blocks.frame, whole.frame, check_exact=True)
    assert in_blocks.schema == whole.schema


@settings(max_examples=200, derandomize=True, deadline=None)
@given(
    st.datetimes(min_value=datetime(1960, 1, 1), max_value=datetime(2030, 1, 1)),
    st.sampled_from([1, 30, 365, 3650]),
    st.sampled_from([date(1970, 1, 1), date(2000, 3, 1), date(2024, 2, 29)]),
)
def test_looking_up_the_day_of_an_instant_decides_every_window_exactly(occurred, window, as_of):
    midnight = datetime(as_of.year, as_of.month, as_of.day)
    timeline = Timeline.of([as_of], [window])
    day = pl.DataFrame({"day": [day_number(occurred.date())]}, schema={"day": pl.Int32()})
    first, interval = day.select(
        a=timeline.first_after(pl.col("day")), b=timeline.interval(pl.col("day"))
    ).row(0)
    in_window = first == 0 and interval >= 0 and timeline.end_of(window)[interval] > 0
    assert in_window == (midnight - timedelta(days=window) <= occurred < midnight)


def test_an_hour_before_midnight_and_an_hour_after_lie_on_different_sides():
    timeline = Timeline.of([date(2024, 1, 1)], [30])
    days = pl.DataFrame({"day": [day_number(date(2023, 12, 1)), day_number(date(2023, 12, 2))]})
    assert days.select(timeline.interval(pl.col("day"))).to_series().to_list() == [-1, 0]


def test_a_change_is_of_counts_and_sums_only():
    with pytest.raises(ValueError, match="not of mean"):
        Change(of=mean(CLAIM, "minutes"), baseline_days=30)
