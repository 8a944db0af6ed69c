"""Cells made by the workers, and what windows make of them, for some people at a time.

A batch of rows becomes cells where it lies, so that cells and not rows travel; cells of the same people are
brought together, and there windows and dates are answered by the code that the local engine answers with.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

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
from features.specs import Aggregate
from features.tallies import EVENTS, tally_of, tally_rows
from features.windows import Timeline, day_of

# People whose cells one worker holds at once: enough groups to keep many workers busy.
PEOPLE_IN_GROUP = 256

GROUP, PERSON, DATE, TALLY, LARGEST_TOTAL = "group", "person", "date", "tally", "largest total"


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


def asked_tallies(
    workers: Workers,
    rows: EventRows,
    timeline: Timeline,
    asked: Sequence[tuple[Aggregate, int]],
    *,
    correctable: bool,
) -> Spread:
    """Aggregates that count events by value, with their windows: `person`, `date` and a column for each."""
    made = rows.mapped(workers, partial(_pairs_of_rows, timeline, _each_once(asked), correctable))
    pairs = made.merged((GROUP, PERSON, TALLY, "value", "cell"), {EVENTS: "sum"})
    numbers = {str(i): pl.Float64() for i in range(len(asked))}
    schema = pl.Schema({PERSON: pl.Int64(), DATE: pl.Int64(), **numbers})
    of_tally = [(_each_once(asked).index(aggregate), aggregate.how, window) for aggregate, window in asked]
    return workers.by_group(pairs, GROUP, partial(_tallied, timeline, of_tally), schema)


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


def _each_once(asked: Sequence[tuple[Aggregate, int]]) -> list[Aggregate]:
    return list(dict.fromkeys(aggregate for aggregate, _ in asked))


def _pairs_of_rows(
    timeline: Timeline, aggregates: Sequence[Aggregate], correctable: bool, rows: pl.LazyFrame
) -> pl.LazyFrame:
    """The pairs of several aggregates in one pass, told apart by `tally`; values of all types as words."""
    tallies = []
    for i, aggregate in enumerate(aggregates):
        assert aggregate.value is not None
        counted = rows if aggregate.where is None else rows.filter(aggregate.where)
        found = tally_rows(counted, timeline, aggregate.value, correctable=correctable)
        person, value = pl.col(PERSON).cast(pl.Int64), pl.col("value")
        if found.collect_schema()["value"].is_float():
            value += 0.0  # -0.0 is 0.0, and written differently
        tallies.append(
            found.select(_group(), person, pl.lit(i).alias(TALLY), value.cast(pl.String), "cell", EVENTS)
        )
    return pl.concat(tallies)


def _tallied(timeline: Timeline, asked: Sequence[tuple[int, str, int]], found: pl.DataFrame) -> pl.DataFrame:
    low = int(found[GROUP][0]) * PEOPLE_IN_GROUP
    tallies = {
        which: tally_of(found.filter(pl.col(TALLY) == which), timeline).of_people(low, low + PEOPLE_IN_GROUP)
        for which in {which for which, _, _ in asked}
    }
    values = [
        tallies[which].distinct(window, PEOPLE_IN_GROUP)
        if how == "distinct"
        else tallies[which].most_common(window, PEOPLE_IN_GROUP)
        for which, how, window in asked
    ]
    return _by_person_and_date(found[PERSON].to_numpy() - low, low, timeline, values)
