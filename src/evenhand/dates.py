"""Which dates a force is studied on, from its calendar and the extent of its records."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from features.definition import ForceDefinition
from features.errors import WrongUsage
from models.splits import months_after


@dataclass(frozen=True)
class StudyDates:
    """The as-of dates of a study.

    Attributes:
        tests: what models are tested on, unless other dates are asked for.
        candidates: every date that may be learnt from; which of them a test may use, `models.splits` says.
        end: the day after the last recorded day; the latest as-of date that makes sense.
    """

    tests: tuple[date, ...]
    candidates: tuple[date, ...]
    end: date


def study_dates(force: ForceDefinition, *, first: date, end: date) -> StudyDates:
    """The calendar of a force over records from `first` up to (not including) `end`.

    Raises:
        WrongUsage: the records are too short for a single test date.
    """
    calendar, outcome = force.calendar, force.outcome
    begin = calendar.first or months_after(first, calendar.history_months)
    candidates = tuple(day for day in _grid(calendar.every_months, begin, end))
    wait = outcome.horizon_months + (outcome.settle_months if calendar.tests_settle else 0)
    testable = [day for day in candidates if months_after(day, wait) <= end]
    # A test needs at least one date that was settled by then to learn from.
    earliest = (
        months_after(candidates[0], outcome.horizon_months + outcome.settle_months) if candidates else end
    )
    tests = tuple(day for day in testable if day >= earliest)[-calendar.tests :]
    if not tests:
        raise WrongUsage(
            f"records from {first} to {end} are too short to test a model: a test date needs "
            f"{calendar.history_months} months before it, {wait} months after it, and a date "
            f"{outcome.horizon_months + outcome.settle_months} months earlier to learn from. Use a longer extract."
        )
    return StudyDates(tests=tests, candidates=candidates, end=end)


def _grid(every_months: int, begin: date, end: date) -> list[date]:
    """Month starts, counted from January, between two days inclusive.

    >>> _grid(6, date(2020, 2, 1), date(2021, 1, 1))
    [datetime.date(2020, 7, 1), datetime.date(2021, 1, 1)]
    """
    days, day = [], date(begin.year, 1, 1)
    while day <= end:
        if day >= begin:
            days.append(day)
        day = months_after(day, every_months)
    return days
