"""Mergeable partials of events, and the values of any window and date made from them.

`(interval, first, stop)` fully decides to which windows of which dates an event belongs: it lies in the
windows that its interval lies in, and counts at the dates from `first` (when it was known) to before `stop`
(when a later version was). So one scan answers every window and date.

Nearly every event is known by the first as-of date after its interval and never corrected: its place is given
by person and interval alone, and all such events make a dense `Grid`. The others make `Cells`, one for each
`(person, interval, first, stop)`; only tables that can be corrected have a `stop` to speak of.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np
import polars as pl

from features.accumulate import ROUNDING, Combine, Take, add_batch, place_rows
from features.events import KNOWN, OCCURRED, SUPERSEDED
from features.windows import EPOCH, MICROSECONDS_A_DAY, Timeline, day_of

_NOTHING: Mapping[Combine, float] = {"sum": 0.0, "min": np.inf, "max": -np.inf}

# A batch of rows has a column for each number that its partials read, 8 bytes each; 100,000 rows of 30 numbers
# make 24 MB. So many rows come from Polars as they are; of more it would make a copy.
ROWS_IN_BATCH = 100_000
# Rows without a place in the grid are merged into cells whenever so many have come together.
ROWS_BEFORE_MERGING = 2_000_000
# An instant, and a day, that no as-of date comes after: when a version that stands is superseded.
NEVER, NEVER_DAY = 2**62, 2**30


@dataclass(frozen=True, eq=False)
class Partial:
    """A number of each row, and how the numbers of one cell become one.

    Attributes:
        source: a number of the row, null or NaN where it has none. Partials of one source read it once.
        combine: how numbers are merged.
        take: what of the source is merged; of a minimum or maximum, the number as it is.
    """

    source: pl.Expr
    combine: Combine
    take: Take = "number"

    @property
    def of_row(self) -> pl.Expr:
        """What is merged of a row, from the row itself."""
        return self.of(self.source)

    def of(self, source: pl.Expr) -> pl.Expr:
        """What is merged of a row, in the words of Polars as `add_batch` does it compiled."""
        number = source.cast(pl.Float64)
        match self.take:
            case "number":
                return number
            case "rounded":
                return (number + ROUNDING) - ROUNDING
            case "size":
                return ((number + ROUNDING) - ROUNDING).abs()
            case "present":
                return number.is_not_nan().fill_null(False).cast(pl.Float64)
            case "row":
                return pl.lit(1.0)


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
        stop = self.stop_of(window)
        counted = (stop > self.first) & (values != 0)
        return steps(
            self.person[counted], self.first[counted], stop[counted], values[counted],
            n_people, len(self.timeline.as_ofs),
        )  # fmt: skip

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
        stop = self.stop_of(window)
        counted = np.flatnonzero((stop > self.first) & ~np.isnan(values))
        n_dates = len(self.timeline.as_ofs)
        cell, date = spread(counted, self.first, stop)
        found = np.full(n_people * n_dates, nothing)
        pick.at(found, self.person[cell] * n_dates + date, values[cell])
        found[found == nothing] = np.nan
        return found.reshape(n_people, n_dates)

    def stop_of(self, window: int | None) -> np.ndarray:
        """For each cell, the first date that no longer sees it through the window."""
        if window is None:
            return self.stop
        return np.minimum(self.timeline.end_of(window)[self.interval], self.stop)


def steps(
    place: np.ndarray, first: np.ndarray, stop: np.ndarray, values: np.ndarray, n_places: int, n_dates: int
) -> np.ndarray:
    """Values that hold from date `first` to before `stop`, summed by [place, date]."""
    shape = (n_places, n_dates + 1)
    size = shape[0] * shape[1]
    row = place * shape[1]
    changes = np.zeros(size)  # bincount of nothing would be of integers
    changes += np.bincount(row + first, values, size)
    changes -= np.bincount(row + stop, values, size)
    return np.cumsum(changes.reshape(shape), axis=1)[:, :n_dates]


def spread(which: np.ndarray, first: np.ndarray, stop: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each of `which` once for every date from its `first` to before its `stop`, with the date."""
    lengths = stop[which] - first[which]
    step = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return np.repeat(which, lengths), np.repeat(first[which], lengths) + step


@dataclass(frozen=True, eq=False)
class Grid:
    """Partials of events known in time and never corrected, [interval, partial, person].

    `combines` names the partials and tells how each is merged; a place without rows holds 0 for a sum and
    infinity for an extreme.
    """

    timeline: Timeline
    combines: Mapping[str, Combine]
    values: np.ndarray
    _summed: dict[str, np.ndarray] = field(default_factory=dict, init=False)

    @classmethod
    def empty(cls, timeline: Timeline, combines: Mapping[str, Combine], n_people: int) -> Grid:
        """A grid without rows."""
        values = np.zeros((len(timeline.starts), len(combines), n_people))
        for k, how in enumerate(combines.values()):
            if _NOTHING[how]:
                values[:, k] = _NOTHING[how]
        return cls(timeline, combines, values)

    @property
    def n_people(self) -> int:
        return self.values.shape[2]

    def of_people(self, low: int, high: int) -> Grid:
        """The grid of people `low` to `high - 1`, renumbered from 0; not copied."""
        return Grid(self.timeline, self.combines, self.values[:, :, low:high])

    def sums(self, partial: str, window: int) -> np.ndarray:
        """Sums by [person, as-of date]."""
        if partial not in self._summed:
            numbers = self._of(partial)
            upto = np.zeros((len(numbers) + 1, self.n_people))
            np.cumsum(numbers, axis=0, out=upto[1:])
            self._summed[partial] = upto
        low, high = self._spans(window)
        return (self._summed[partial][high] - self._summed[partial][low]).T

    def largest(self, partial: str, window: int) -> np.ndarray:
        """Largest values by [person, as-of date], NaN where there is none."""
        return self._extreme(np.maximum, partial, window)

    def smallest(self, partial: str, window: int) -> np.ndarray:
        """Smallest values by [person, as-of date], NaN where there is none."""
        return self._extreme(np.minimum, partial, window)

    def _extreme(self, pick: np.ufunc, partial: str, window: int) -> np.ndarray:
        numbers = self._of(partial)
        spans = zip(*self._spans(window), strict=True)
        found = np.stack([pick.reduce(numbers[low:high], axis=0) for low, high in spans], axis=1)
        found[np.isinf(found)] = np.nan
        return found

    def _of(self, partial: str) -> np.ndarray:
        return self.values[:, list(self.combines).index(partial)]

    def _spans(self, window: int) -> tuple[np.ndarray, np.ndarray]:
        """For each as-of date, the intervals (half-open) that its window is made of."""
        line = self.timeline
        return np.searchsorted(line.starts, line.as_ofs - window), np.searchsorted(line.starts, line.as_ofs)


@dataclass(frozen=True, eq=False)
class Collected:
    """All events of one scan: those with a place in the grid, and the cells of the others."""

    grid: Grid
    late: Cells

    @property
    def timeline(self) -> Timeline:
        return self.grid.timeline

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything but the declarations, to be written down."""
        late = self.late
        return {
            "grid": self.grid.values, "person": late.person, "interval": late.interval, "first": late.first, "stop": late.stop,
            **{f"late {name}": values for name, values in late.partials.items()},
        }  # fmt: skip

    @classmethod
    def of_arrays(
        cls, arrays: Mapping[str, np.ndarray], timeline: Timeline, partials: Mapping[str, Partial]
    ) -> Collected:
        """What `arrays` wrote down."""
        combines: Mapping[str, Combine] = {name: partial.combine for name, partial in partials.items()}
        late = Cells(
            timeline, arrays["person"], arrays["interval"], arrays["first"], arrays["stop"],
            {name: arrays[f"late {name}"] for name in partials},
        )  # fmt: skip
        return cls(Grid(timeline, combines, arrays["grid"]), late)

    def of_people(self, low: int, high: int) -> Collected:
        """What was collected of people `low` to `high - 1`, renumbered from 0."""
        return Collected(self.grid.of_people(low, high), self.late.of_people(low, high))

    def sums(self, partial: str, window: int) -> np.ndarray:
        """Sums by [person, as-of date]."""
        return self.grid.sums(partial, window) + self.late.sums(partial, window, self.grid.n_people)

    def largest(self, partial: str, window: int) -> np.ndarray:
        """Largest values by [person, as-of date], NaN where there is none."""
        late = self.late.largest(partial, window, self.grid.n_people)
        return np.fmax(self.grid.largest(partial, window), late)

    def smallest(self, partial: str, window: int) -> np.ndarray:
        """Smallest values by [person, as-of date], NaN where there is none."""
        late = self.late.smallest(partial, window, self.grid.n_people)
        return np.fmin(self.grid.smallest(partial, window), late)

    def largest_total(self) -> float:
        """The most that was added up in any sum for one person."""
        sums = [name for name, how in self.grid.combines.items() if how == "sum"]
        return max((float(self._total(name).max(initial=0.0)) for name in sums), default=0.0)

    def _total(self, partial: str) -> np.ndarray:
        late = np.bincount(self.late.person, np.nan_to_num(self.late.partials[partial]), self.grid.n_people)
        return self.grid._of(partial).sum(axis=0) + late


def collect(
    rows: pl.LazyFrame,
    timeline: Timeline,
    partials: Mapping[str, Partial],
    n_people: int,
    *,
    correctable: bool,
) -> Collected:
    """The partials of event rows (from `rows_of`) that carry an integer `person`, in one streaming pass.

    Rows of `NOBODY` are passed by.

    Args:
        correctable: whether a row may have been superseded; where none can, nobody looks.
    """
    grid = Grid.empty(timeline, {name: partial.combine for name, partial in partials.items()}, n_people)
    sources, source_of = sources_of(partials)
    instants = [OCCURRED, KNOWN, *([SUPERSEDED] if correctable else [])]
    batches = (
        rows.filter(within(timeline))
        .select(
            pl.col("person").cast(pl.Int32),
            pl.col(OCCURRED, KNOWN).to_physical(),
            pl.col(instants[2:]).to_physical().fill_null(NEVER),
            **{name: source.cast(pl.Float64) for name, source in sources.items()},
        )
        .collect_batches(chunk_size=ROWS_IN_BATCH, maintain_order=False)
    )
    late = _Late(timeline, partials, source_of, instants)
    places_of_days = (*timeline.tables_of_days(), *timeline.in_time())
    flat, width = grid.values.reshape(-1), len(partials) * n_people
    for batch in batches:
        columns = {column.name: _as_array(column) for column in batch}
        person, happened, known, *more = (columns[name] for name in ("person", *instants))
        ends = more[0] if more else _NO_ENDS
        placed, places, others = (np.empty(len(batch), np.int64) for _ in range(3))
        n_placed, n_others = place_rows(
            person, happened, known, ends, *places_of_days, width, placed, places, others
        )
        placed, places = placed[:n_placed], places[:n_placed]
        for k, (name, partial) in enumerate(partials.items()):
            numbers = columns.get(source_of[name], _NO_NUMBERS)
            add_batch(placed, places, numbers, partial.take, partial.combine, flat[k * n_people :])
        if n_others:
            late.add(batch[others[:n_others]])
    return Collected(grid, late.cells())


def sources_of(partials: Mapping[str, Partial]) -> tuple[dict[str, pl.Expr], dict[str, str]]:
    """Each different number that partials read of a row, by name, and the name of the one that each reads.

    Where the row alone is counted, nothing is read.
    """
    sources: dict[str, pl.Expr] = {}
    source_of: dict[str, str] = {}
    for name, partial in partials.items():
        if partial.take == "row":
            source_of[name] = "row"
            continue
        same = (one for one, source in sources.items() if source.meta.eq(partial.source))
        source_of[name] = next(same, f"s{len(sources)}")
        sources[source_of[name]] = partial.source
    return sources, source_of


def _as_array(column: pl.Series) -> np.ndarray:
    """A column without a copy where it has no nulls, and NaN for them where it has."""
    values = column.to_numpy()
    # As arrays without nulls are: the loops are compiled for arrays of one kind.
    values.flags.writeable = False
    return values


_NO_ENDS, _NO_NUMBERS = (_as_array(pl.Series([], dtype=kind)) for kind in (pl.Int64(), pl.Float64()))


def within(timeline: Timeline) -> pl.Expr:
    """Rows that happened in any window of any date; written so that a scan can skip whole row groups."""
    first, last = (
        pl.lit(EPOCH + timedelta(days=day)).cast(pl.Datetime("us"))
        for day in (timeline.first_day, timeline.last_as_of)
    )
    return (pl.col(OCCURRED) >= first) & (pl.col(OCCURRED) < last)


class _Late:
    """Rows without a place in the grid, merged into cells as they come."""

    def __init__(
        self,
        timeline: Timeline,
        partials: Mapping[str, Partial],
        source_of: Mapping[str, str],
        instants: Sequence[str],
    ) -> None:
        self.partials = partials
        self._numbers = {name: partial.of(pl.col(source_of[name])) for name, partial in partials.items()}
        days = [(pl.col(name) // MICROSECONDS_A_DAY).clip(upper_bound=NEVER_DAY) for name in instants]
        happened, known, *ends = (day.cast(pl.Int32) for day in days)
        self._key = cell_key(timeline, happened, pl.max_horizontal(happened, known), *ends)
        self._timeline = timeline
        self._rows: list[pl.DataFrame] = []
        self._waiting = 0
        self._cells = pl.DataFrame(schema={"cell": pl.Int64, **dict.fromkeys(partials, pl.Float64)})

    def add(self, rows: pl.DataFrame) -> None:
        self._rows.append(rows)
        self._waiting += len(rows)
        if self._waiting >= ROWS_BEFORE_MERGING:
            self._cells, self._rows, self._waiting = self._merged(), [], 0

    def _merged(self) -> pl.DataFrame:
        cells = [self._cells]
        if self._rows:
            rows = pl.concat(self._rows, rechunk=True)
            cells.append(rows.select(self._key, **self._numbers))
        return _in_order(pl.concat(cells), self.partials)

    def cells(self) -> Cells:
        return cells_of(self._merged(), self._timeline, self.partials)


def _in_order(cells: pl.DataFrame, partials: Mapping[str, Partial]) -> pl.DataFrame:
    """Rows with a `cell` made one row a cell, in order.

    What `merged` does in a group_by, at half its cost where nearly every row is a cell of its own.
    """
    if cells.is_empty():
        return cells
    key = cells["cell"].to_numpy()
    order = np.argsort(key)
    key = key[order]
    begins = np.flatnonzero(np.diff(key, prepend=key[0] - 1))
    found = {"cell": key[begins]}
    for name, partial in partials.items():
        numbers = cells[name].to_numpy()[order]
        match partial.combine:
            case "sum":
                found[name] = np.add.reduceat(np.where(np.isnan(numbers), 0.0, numbers), begins)
            case "min":
                found[name] = np.fmin.reduceat(numbers, begins)
            case "max":
                found[name] = np.fmax.reduceat(numbers, begins)
    return pl.DataFrame(found)


def collect_cells(rows: pl.LazyFrame, timeline: Timeline, partials: Mapping[str, Partial]) -> Cells:
    """Cells of event rows that carry an integer `person`, however old: a register has no window."""
    found = (
        rows.select(
            "person",
            happened=day_of(OCCURRED),
            counts_from=pl.max_horizontal(day_of(OCCURRED), day_of(KNOWN)),
            ends=day_of(SUPERSEDED).fill_null(NEVER_DAY),
            **{name: partial.of_row for name, partial in partials.items()},
        )
        .filter(pl.col("counts_from") < timeline.last_as_of)
        .with_columns(cell_key(timeline, pl.col("happened"), pl.col("counts_from"), pl.col("ends")))
        .group_by("cell")
        .agg(merged(partials))
        .collect(engine="streaming")
        .sort("cell")
    )
    return cells_of(found, timeline, partials)


def cell_key(
    timeline: Timeline, happened: pl.Expr, counts_from: pl.Expr, ends: pl.Expr | None = None
) -> pl.Expr:
    """One integer that names a row's cell, since grouping by four columns takes twice as long.

    Args:
        happened, counts_from, ends: day numbers; `ends` None where no row is ever superseded.
    """
    width = len(timeline.as_ofs) + 1
    interval = timeline.interval(happened).cast(pl.Int64) + 1
    first = timeline.first_after(counts_from).cast(pl.Int64)
    stop = pl.lit(width - 1) if ends is None else timeline.first_after(ends).cast(pl.Int64)
    place = pl.col("person").cast(pl.Int64) * (len(timeline.starts) + 1) + interval
    return ((place * width + first) * width + stop).alias("cell")


def merged(partials: Mapping[str, Partial]) -> Iterable[pl.Expr]:
    """How the rows of one cell become one."""
    for name, partial in partials.items():
        match partial.combine:
            case "sum":
                yield pl.col(name).sum()
            case "min":
                yield pl.col(name).min()
            case "max":
                yield pl.col(name).max()


def cells_of(
    found: pl.DataFrame, timeline: Timeline, partials: Sequence[str] | Mapping[str, object]
) -> Cells:
    """Cells from a frame sorted by `cell`, as `cell_key` wrote it."""
    width = len(timeline.as_ofs) + 1
    rest, stop = np.divmod(found["cell"].to_numpy(), width)
    rest, first = np.divmod(rest, width)
    person, interval = np.divmod(rest, len(timeline.starts) + 1)
    values = {name: found[name].cast(pl.Float64).to_numpy() for name in partials}
    return Cells(timeline, person, interval - 1, first, stop, values)
