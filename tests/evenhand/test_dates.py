"""The calendar of a study: tests are settled, every test has something settled to learn from."""

from __future__ import annotations

from datetime import date

import pytest

from evenhand.dates import study_dates
from features.definition import load_force
from features.errors import WrongUsage
from models.splits import months_after, temporal_folds


def test_chicago_is_tested_on_the_benchmarks_dates():
    dates = study_dates(load_force("chicago"), first=date(1967, 1, 1), end=date(2013, 1, 1))
    assert dates.tests == (date(2009, 1, 1), date(2010, 1, 1), date(2011, 1, 1))
    assert dates.candidates[0] == date(2003, 1, 1)


def test_every_test_of_the_simulated_force_is_settled_and_has_settled_dates_to_learn_from():
    force = load_force("simulated")
    dates = study_dates(force, first=date(2020, 1, 1), end=date(2025, 1, 1))
    wait = force.outcome.horizon_months + force.outcome.settle_months
    assert all(months_after(day, wait) <= dates.end for day in dates.tests)
    folds = temporal_folds(
        dates.tests,
        dates.candidates,
        horizon_months=force.outcome.horizon_months,
        settle_months=force.outcome.settle_months,
    )
    assert [fold.test_as_of for fold in folds] == list(dates.tests)


def test_records_that_are_too_short_are_refused_with_what_is_needed():
    with pytest.raises(WrongUsage, match=r"too short to test a model: .* Use a longer extract"):
        study_dates(load_force("simulated"), first=date(2020, 1, 1), end=date(2021, 1, 1))
