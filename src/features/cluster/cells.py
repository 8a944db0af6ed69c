"""Cells made by the workers, and what windows make of them, for some people at a time.

A batch of rows becomes cells where it lies, so that cells and not rows travel; cells of the same people are
brought together, and there windows and dates are answered by the code that the local engine answers with.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import polars as pl

from features.cells import (
    NEVER_DAY,
    ROWS_BEFORE_MERGING,
    Cells,
    Combine,
    Partial,
    cell_key,
    cells_of,
    merged,
    within,
)
from features.cluster.frames import Spread, Workers
from features.cluster.rows import EventRows
from features.events import KNOWN, OCCURRED, SUPERSEDED
from features.tallies import EVENTS, tally_of, tally_rows
from features.windows import Timeline, day_of

# People whose cells one worker holds at once: enough groups to keep many workers busy.
PEOPLE_IN_GROUP = 256

GROUP, PERSON, DATE, LARGEST_TOTAL = "group", "person", "date", "largest total"
HowTallied = Literal["distinct", "most_common"]


@dataclass(frozen=True, eq=False)
class Answers:
    """Numbers by [person, as-of date] that the workers have answered, one array a partial and window."""

    timeline: Timeline
    values: Mapping[tuple[str, int], np.ndarray]

    def of_people(self, low: int, high: int) -> Answers:
        """The answers of people `low` to `high - 1`."""
        return Answers(self.timeline, {key: values[low:high] for key, values in self.values.items()})

    def sums(self, partial: str, window: int) -> np.ndarray:
        return self.values[partial, window]

    def largest(self, partial: str, window: int) -> np.ndarray:
        return self.values[partial, window]

    def smallest(self, partial: str, window: int) -> np.ndarray:
        return self.values[partial, window]

    def distinct(self, window: int, n_people: int) -> np.ndarray:
        return self.values["distinct", window]

    def most_common(self, window: int, n_people: int) -> np.ndarray:
        return self.values["most_common", window]


def asked_cells(
    workers: Workers,
    rows: EventRows,
    timeline: Timeline,
    partials: Mapping[str, Partial],
    asked: Sequence[tuple[str, int]],
    *,
    correctable: bool,
) -> Spread:
    """What partials come to through windows, from rows with `person`: one row a person and date.

    Args:
        asked: partials with windows; each is a column named by its position.
        correctable: whether a row may have been superseded.

    Returns:
        `person`, `date` (its position), the columns asked for, and the largest total of any sum beside all
        rows of its group. People without events are left out.
    """
    combines: Mapping[str, Combine] = {name: partial.combine for name, partial in partials.items()}
    read = partial(_cells_of_rows, timeline, partials, correctable)
    made = rows.mapped(workers, read, partial(_merged_cells, partials))
    cells = made.merged((GROUP, "cell"), combines)
    numbers = {str(i): pl.Float64() for i in range(len(asked))}
    schema = pl.Schema({PERSON: pl.Int64(), DATE: pl.Int64(), **numbers, LARGEST_TOTAL: pl.Float64()})
    return workers.by_group(cells, GROUP, partial(_answered, timeline, partials, asked), schema)


def asked_tally(
    workers: Workers,
    rows: EventRows,
    timeline: Timeline,
    how: HowTallied,
    value: pl.Expr,
    windows: Sequence[int],
    *,
    where: pl.Expr | None,
    correctable: bool,
) -> Spread:
    """Events counted by person and value, through windows: `person`, `date` and a column a window."""
    made = rows.mapped(workers, partial(_pairs_of_rows, timeline, value, where, correctable))
    pairs = made.merged((GROUP, PERSON, "value", "cell"), {EVENTS: "sum"})
    numbers = {str(i): pl.Float64() for i in range(len(windows))}
    schema = pl.Schema({PERSON: pl.Int64(), DATE: pl.Int64(), **numbers})
    return workers.by_group(pairs, GROUP, partial(_tallied, timeline, how, windows), schema)


def dense(found: pl.DataFrame, column: str, n_people: int, n_dates: int, *, nothing: float) -> np.ndarray:
    """A column of what was asked by [person, date]."""
    values = np.full((n_people, n_dates), nothing)
    values[found[PERSON].to_numpy(), found[DATE].to_numpy()] = found[column].to_numpy()
    return values


def _group() -> pl.Expr:
    return (pl.col(PERSON).cast(pl.Int64) // PEOPLE_IN_GROUP).alias(GROUP)


def _cells_of_rows(
    timeline: Timeline, partials: Mapping[str, Partial], correctable: bool, rows: pl.LazyFrame
) -> pl.LazyFrame:
    seen = pl.max_horizontal(day_of(OCCURRED), day_of(KNOWN))
    ends = [day_of(SUPERSEDED).fill_null(NEVER_DAY)] if correctable else []
    return (
        rows.filter(within(timeline) & (seen < timeline.last_as_of))
        .select(
            _group(),
            cell_key(timeline, day_of(OCCURRED), seen, *ends),
            **{name: partial.of_row.cast(pl.Float64).fill_nan(None) for name, partial in partials.items()},
        )
        .group_by(GROUP, "cell")
        .agg(merged(partials))
    )


def _merged_cells(partials: Mapping[str, Partial], batches: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Cells of one part, merged as they come, so that few travel."""
    waiting: list[pl.DataFrame] = []
    for batch in batches:
        waiting.append(batch)
        if sum(map(len, waiting)) >= ROWS_BEFORE_MERGING:
            waiting = [pl.concat(waiting).group_by(GROUP, "cell").agg(merged(partials))]
    if waiting:
        yield pl.concat(waiting).group_by(GROUP, "cell").agg(merged(partials))


def _answered(
    timeline: Timeline,
    partials: Mapping[str, Partial],
    asked: Sequence[tuple[str, int]],
    found: pl.DataFrame,
) -> pl.DataFrame:
    low = int(found[GROUP][0]) * PEOPLE_IN_GROUP
    cells = cells_of(found.sort("cell"), timeline, partials).of_people(low, low + PEOPLE_IN_GROUP)
    values = [_through(cells, name, partials[name].combine, window) for name, window in asked]
    answered = _by_person_and_date(cells.person, low, timeline, values)
    return answered.with_columns(pl.lit(_largest_total(cells, partials)).alias(LARGEST_TOTAL))


def _through(cells: Cells, name: str, how: Combine, window: int) -> np.ndarray:
    match how:
        case "sum":
            return cells.sums(name, window, PEOPLE_IN_GROUP)
        case "min":
            return cells.smallest(name, window, PEOPLE_IN_GROUP)
        case "max":
            return cells.largest(name, window, PEOPLE_IN_GROUP)


def _largest_total(cells: Cells, partials: Mapping[str, Partial]) -> float:
    counted = cells.stop > cells.first
    totals = (
        np.bincount(cells.person[counted], np.nan_to_num(cells.partials[name])[counted], 1)
        for name, partial in partials.items()
        if partial.combine == "sum"
    )
    return max((float(total.max()) for total in totals), default=0.0)


def _by_person_and_date(
    who: np.ndarray, low: int, timeline: Timeline, values: Sequence[np.ndarray]
) -> pl.DataFrame:
    """One row for each of those who have events, and date."""
    people, dates = np.unique(who), np.arange(len(timeline.as_ofs))
    return pl.DataFrame(
        {
            PERSON: np.repeat(people + low, len(dates)),
            DATE: np.tile(dates, len(people)),
            **{str(i): one[people].ravel() for i, one in enumerate(values)},
        }
    )


def _pairs_of_rows(
    timeline: Timeline, value: pl.Expr, where: pl.Expr | None, correctable: bool, rows: pl.LazyFrame
) -> pl.LazyFrame:
    rows = rows if where is None else rows.filter(where)
    return tally_rows(rows, timeline, value, correctable=correctable).select(
        _group(), pl.col(PERSON).cast(pl.Int64), "value", "cell", EVENTS
    )


def _tallied(
    timeline: Timeline, how: HowTallied, windows: Sequence[int], found: pl.DataFrame
) -> pl.DataFrame:
    low = int(found[GROUP][0]) * PEOPLE_IN_GROUP
    tally = tally_of(found, timeline).of_people(low, low + PEOPLE_IN_GROUP)
    through = tally.distinct if how == "distinct" else tally.most_common
    values = [through(window, PEOPLE_IN_GROUP) for window in windows]
    return _by_person_and_date(tally.cells.person, low, timeline, values)
