"""Cells: events of one kind, boiled down to mergeable partials by person and stretch of time.

A cell is (person, interval, first, stop): the interval its events occurred in, the index of the first
as-of date that knows them, and of the first that knows they were superseded. An as-of date with index `t`
counts a cell in a window exactly where `first <= t < min(end_of(window)[interval], stop)`, so one scan of
the rows answers every date and window, and no frame of rows times dates ever exists.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from features.events import KNOWN, OCCURRED, SUPERSEDED
from features.windows import Timeline, day_of

Combine = Literal["sum", "min", "max"]


@dataclass(frozen=True, eq=False)
class Partial:
    """A number of each row, and how the numbers of one cell become one."""

    of_row: pl.Expr
    combine: Combine


@dataclass(frozen=True, eq=False)
class Cells:
    """Cells in order of person; `partials` has one array a name, NaN where no row had a value."""

    timeline: Timeline
    person: np.ndarray
    interval: np.ndarray
    first: np.ndarray
    stop: np.ndarray
    partials: Mapping[str, np.ndarray]

    def of_people(self, low: int, high: int) -> Cells:
        """The cells of people `low` to `high - 1`, renumbered from 0."""
        block = slice(*np.searchsorted(self.person, [low, high]))
        return Cells(
            self.timeline,
            self.person[block] - low,
            self.interval[block],
            self.first[block],
            self.stop[block],
            {name: values[block] for name, values in self.partials.items()},
        )

    def sums(self, partial: str, window: int, n_people: int) -> np.ndarray:
        """Sums by [person, as-of date]: added at the date that first knows, taken away at the last."""
        values = np.nan_to_num(self.partials[partial])
        stop = self._stop(window)
        counted = (stop > self.first) & (values != 0)
        n_dates = len(self.timeline.as_ofs)
        shape = (n_people, n_dates + 1)
        row = self.person[counted] * shape[1]
        size = shape[0] * shape[1]
        changes = np.zeros(size)  # bincount of no cells would be of integers
        changes += np.bincount(row + self.first[counted], values[counted], size)
        changes -= np.bincount(row + stop[counted], values[counted], size)
        return np.cumsum(changes.reshape(shape), axis=1)[:, :n_dates]

    def largest(self, partial: str, window: int | None, n_people: int) -> np.ndarray:
        """Largest values by [person, as-of date], NaN where there is none; no window means ever."""
        return self._extreme(np.maximum, -np.inf, partial, window, n_people)

    def smallest(self, partial: str, window: int, n_people: int) -> np.ndarray:
        """Smallest values by [person, as-of date], NaN where there is none."""
        return self._extreme(np.minimum, np.inf, partial, window, n_people)

    def _extreme(
        self, pick: np.ufunc, nothing: float, partial: str, window: int | None, n_people: int
    ) -> np.ndarray:
        """A minimum or maximum cannot be taken away again, so each cell is set at every date it counts."""
        values = self.partials[partial]
        stop = self._stop(window)
        counted = np.flatnonzero((stop > self.first) & ~np.isnan(values))
        n_dates = len(self.timeline.as_ofs)
        lengths = stop[counted] - self.first[counted]
        cell = np.repeat(counted, lengths)
        step = np.arange(len(cell)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        found = np.full(n_people * n_dates, nothing)
        pick.at(found, self.person[cell] * n_dates + self.first[cell] + step, values[cell])
        found[found == nothing] = np.nan
        return found.reshape(n_people, n_dates)

    def _stop(self, window: int | None) -> np.ndarray:
        if window is None:
            return self.stop
        return np.minimum(self.timeline.end_of(window)[self.interval], self.stop)


def collect_cells(
    rows: pl.LazyFrame, timeline: Timeline, partials: Mapping[str, Partial], *, ever: bool = False
) -> Cells:
    """Cells of event rows (from `rows_of`) that carry an integer `person`, in one streaming pass.

    Args:
        ever: whether events older than every window count too (a register has no window).
    """
    happened_and_known = pl.max_horizontal(day_of(OCCURRED), day_of(KNOWN))
    seen = happened_and_known < timeline.last_as_of
    if not ever:
        seen &= day_of(OCCURRED) >= timeline.first_day
    never = timeline.last_as_of
    n_dates = len(timeline.as_ofs)
    place = {
        "interval": timeline.interval(day_of(OCCURRED)).cast(pl.Int64),
        "first": timeline.first_after(happened_and_known).cast(pl.Int64),
        "stop": timeline.first_after(day_of(SUPERSEDED).fill_null(never)).cast(pl.Int64),
    }
    # One integer key, since grouping by four columns takes twice as long.
    width = n_dates + 1
    key = ((pl.col("person").cast(pl.Int64) * (len(timeline.starts) + 1) + pl.col("interval") + 1) * width + pl.col("first")) * width + pl.col("stop")  # fmt: skip
    cells = (
        rows.filter(seen)
        .select("person", **place, **{name: partial.of_row for name, partial in partials.items()})
        .filter(pl.col("first") < pl.col("stop"))
        .with_columns(cell=key)
        .group_by("cell")
        .agg(_combined(partials))
        .collect(engine="streaming")
        .sort("cell")
    )
    rest, stop = np.divmod(cells["cell"].to_numpy(), width)
    rest, first = np.divmod(rest, width)
    person, interval = np.divmod(rest, len(timeline.starts) + 1)
    return Cells(
        timeline, person, interval - 1, first, stop,
        {name: cells[name].cast(pl.Float64).to_numpy() for name in partials},
    )  # fmt: skip


def _combined(partials: Mapping[str, Partial]) -> Iterable[pl.Expr]:
    for name, partial in partials.items():
        match partial.combine:
            case "sum":
                yield pl.col(name).sum()
            case "min":
                yield pl.col(name).min()
            case "max":
                yield pl.col(name).max()
