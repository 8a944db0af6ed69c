from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import WrongUsage
from models.splits import (
    GAP,
    JUDGED_BY,
    LEARNT_FROM,
    Fold,
    fold_spans,
    folds_chart,
    months_after,
    settled_as_ofs,
    temporal_folds,
    train_as_ofs,
)

DAYS = st.dates(date(2000, 1, 1), date(2030, 1, 1))


def test_a_test_trains_on_dates_settled_by_then_and_on_no_other():
    years = [date(year, 1, 1) for year in range(2003, 2012)]
    folds = temporal_folds([date(2009, 1, 1)], years, horizon_months=24, settle_months=24)
    settled = (date(2003, 1, 1), date(2004, 1, 1), date(2005, 1, 1))
    assert folds == (Fold(date(2009, 1, 1), settled, settled),)


def test_with_expected_labels_a_test_trains_on_dates_whose_horizon_has_passed_by_then():
    years = [date(year, 1, 1) for year in range(2003, 2012)]
    (fold,) = temporal_folds(
        [date(2009, 1, 1)], years, horizon_months=24, settle_months=24, labels="expected"
    )
    assert fold.train_as_ofs == tuple(date(year, 1, 1) for year in range(2003, 2008))
    assert fold.settled_as_ofs == tuple(date(year, 1, 1) for year in range(2003, 2006))


def test_a_date_is_settled_on_the_day_its_wait_ends_and_not_the_day_before():
    wait = {"horizon_months": 12, "settle_months": 9}
    assert settled_as_ofs([date(2020, 1, 1)], by=date(2021, 10, 1), **wait) == (date(2020, 1, 1),)
    assert settled_as_ofs([date(2020, 1, 1)], by=date(2021, 9, 30), **wait) == ()


def test_a_test_before_which_nothing_was_settled_is_refused_with_the_first_date_that_would_do():
    with pytest.raises(WrongUsage, match="Test on 2021-10-01 or later"):
        temporal_folds([date(2021, 1, 1)], [date(2020, 1, 1)], horizon_months=12, settle_months=9)


def test_no_test_date_is_refused():
    with pytest.raises(WrongUsage, match="no test date"):
        temporal_folds([], [date(2020, 1, 1)], horizon_months=12, settle_months=9)


def test_a_fold_cannot_be_built_to_train_on_its_own_test_date():
    with pytest.raises(ValueError, match="not before it"):
        Fold(date(2020, 1, 1), (date(2020, 1, 1),), ())


def test_a_fold_cannot_call_dates_settled_that_it_does_not_train_on():
    with pytest.raises(ValueError, match="does not train on"):
        Fold(date(2020, 1, 1), (date(2018, 1, 1),), (date(2017, 1, 1),))


@given(st.lists(DAYS, min_size=1), DAYS, st.integers(1, 36), st.integers(0, 36))
def test_whatever_the_labels_the_horizon_of_what_is_learnt_has_passed(
    candidates: list[date], test: date, horizon: int, settle: int
):
    wait = {"by": test, "horizon_months": horizon, "settle_months": settle}
    passed = train_as_ofs(candidates, **wait, labels="expected")
    assert set(settled_as_ofs(candidates, **wait)) <= set(passed)
    assert all(months_after(day, horizon) <= test for day in passed)


@given(st.lists(DAYS, min_size=1), DAYS, st.integers(1, 36), st.integers(0, 36))
def test_what_a_fold_learns_was_over_and_settled_before_its_test(
    candidates: list[date], test: date, horizon: int, settle: int
):
    for day in settled_as_ofs(candidates, by=test, horizon_months=horizon, settle_months=settle):
        assert months_after(day, horizon) <= test
        assert months_after(day, horizon + settle) <= test


def test_a_month_too_short_ends_on_its_last_day():
    assert months_after(date(2023, 8, 31), 6) == date(2024, 2, 29)


def test_a_fold_is_drawn_as_what_it_learns_from_a_gap_and_what_it_is_judged_by_without_overlap():
    quarters = [months_after(date(2020, 1, 1), 3 * place) for place in range(8)]
    tests = [date(2023, 1, 1), date(2023, 7, 1)]
    folds = temporal_folds(tests, quarters, horizon_months=12, settle_months=9)
    spans = fold_spans(folds, horizon_months=12)
    for fold in folds:
        of_fold = spans.filter(spans["test_as_of"] == fold.test_as_of)
        assert of_fold["part"].to_list() == [LEARNT_FROM, GAP, JUDGED_BY]
        assert of_fold["begin"][1:].to_list() == of_fold["end"][:-1].to_list()
        assert of_fold["end"][1] == fold.test_as_of
    drawn = folds_chart(folds, horizon_months=12).to_dict()
    assert drawn["layer"][1]["mark"]["type"] == "tick"


def test_a_fold_whose_horizons_end_on_the_test_date_has_no_gap():
    fold = Fold(date(2022, 1, 1), (date(2021, 1, 1),), ())
    assert fold_spans([fold], horizon_months=12)["part"].to_list() == [LEARNT_FROM, JUDGED_BY]
