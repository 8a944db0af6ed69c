"""Time as the engine sees it: days, as-of dates, and the intervals into which windows cut the past.

As-of dates are midnights, so every comparison with one is decided by the day of an instant alone:
`occurred_at < as_of` exactly where its day is before `as_of`, `occurred_at >= as_of - window` exactly where
its day is not before `as_of - window`. Looking days up is therefore exact for any time of day.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import polars as pl

from features.errors import WrongUsage

EPOCH = date(1970, 1, 1)
MICROSECONDS_A_DAY = 86_400_000_000


def checked_as_ofs(as_ofs: Sequence[date]) -> list[date]:
    """The as-of dates in order, each once.

    Raises:
        WrongUsage: there is none, or one has a time of day.
    """
    if not as_ofs:
        raise WrongUsage("Expected at least one as-of date, found none. Name one, such as 2024-01-01.")
    if timed := [as_of for as_of in as_ofs if isinstance(as_of, datetime)]:
        raise WrongUsage(
            f"Expected as-of dates, found the instant {timed[0]}. An as-of date is a midnight: pass a date."
        )
    return sorted(set(as_ofs))


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - EPOCH).days


def day_of(instant: str) -> pl.Expr:
    """The day number of a datetime column; the day an instant falls on, also before 1970."""
    return pl.col(instant).dt.date().cast(pl.Int32)


@dataclass(frozen=True, eq=False)
class Timeline:
    """As-of dates and elementary intervals, as ascending day numbers.

    All events of one interval lie in the same windows of the same dates, so an interval and the date from
    which an event counts decide everything.

    Attributes:
        as_ofs: the as-of dates.
        starts: the first day of each interval; an interval ends where the next starts. Earlier days lie
            in no window.
    """

    as_ofs: np.ndarray
    starts: np.ndarray

    @classmethod
    def of(cls, as_ofs: Sequence[date], windows: Iterable[int]) -> Timeline:
        """The coarsest timeline that tells every window of every date apart."""
        days = np.array([day_number(as_of) for as_of in as_ofs], dtype=np.int64)
        cuts = [days, *(days - window for window in set(windows))]
        return cls(days, np.unique(np.concatenate(cuts)))

    @property
    def first_day(self) -> int:
        return int(self.starts[0])

    @property
    def last_as_of(self) -> int:
        return int(self.as_ofs[-1])

    def interval(self, day: pl.Expr) -> pl.Expr:
        """The interval a day lies in; -1 before the first."""
        return _place(self.starts, day) - 1

    def first_after(self, day: pl.Expr) -> pl.Expr:
        """The index of the first as-of date after a day; the number of dates where there is none."""
        return _place(self.as_ofs, day)

    def end_of(self, window: int) -> np.ndarray:
        """For each interval, how many as-of dates still see it through the window."""
        return np.searchsorted(self.as_ofs, self.starts + window, side="right")

    def tables_of_days(self) -> tuple[int, np.ndarray, np.ndarray]:
        """The first day of two tables, and for each day from it the interval and the first date after it.

        A later day than the tables have is as their last: in no interval, and after every as-of date.
        """
        low, high = min(self.first_day, int(self.as_ofs[0])) - 1, self.last_as_of
        return low, _counted(self.starts, low, high) - 1, _counted(self.as_ofs, low, high)

    def in_time(self) -> tuple[np.ndarray, int]:
        """When a row has to be known and until when to stand, in microseconds since 1970, to count at every date.

        For each interval, the midnight of the first as-of date after it (before all time where there is
        none), and the midnight of the last as-of date.
        """
        never = np.iinfo(np.int64).min
        midnights = np.append(self.as_ofs * MICROSECONDS_A_DAY, never)
        return midnights[self.end_of(0)], self.last_as_of * MICROSECONDS_A_DAY


def _counted(edges: np.ndarray, low: int, high: int) -> np.ndarray:
    """How many edges are at or before each day from `low` to `high`."""
    return np.searchsorted(edges, np.arange(low, high + 1), side="right").astype(np.int32)


def _place(edges: np.ndarray, day: pl.Expr) -> pl.Expr:
    """How many edges are at or before a day, by a table of days: far cheaper than a search a row."""
    low, high = int(edges[0]) - 1, int(edges[-1])
    table = _counted(edges, low, high)
    return day.clip(low, high).map_batches(
        lambda days: pl.Series(table[days.to_numpy() - low]), return_dtype=pl.Int32, is_elementwise=True
    )
