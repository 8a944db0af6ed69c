"""Terms of a catalogue, evaluated for every person and as-of date.

Stage one scans each kind of events once, whatever the number of aggregates, windows and dates over it
(`features.cells`). Stage two works on blocks of people with dense [person, date] arrays, so that memory is
bounded by the block. NaN stands for "no value" until the very end.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Literal, Protocol, TypeVar

import numpy as np
import polars as pl

from features.cells import Cells, Collected, Partial, collect, collect_cells
from features.describe import describe_events, told
from features.errors import DataRefused
from features.events import KNOWN, OCCURRED, SUPERSEDED, Records, order_in_time, rows_of
from features.numbering import NOBODY, Numbering
from features.peers import Ask
from features.specs import Aggregate, Change, Events, Latest, Product, Ratio, Term, Trend
from features.store import Checkpoints
from features.tallies import Tally, collect_tally
from features.windows import Timeline, day_number, day_of

# Sums of numbers rounded to a multiple of `accumulate.GRID` are exact below this, and with it the same in any order.
LARGEST_TOTAL = 2.0**33

# A block's dense arrays are people x dates x 8 bytes each, some hundreds of them at once, and its grids beside
# them: of 1,024 people and 24 dates some 200 MB, twice over where two threads work.
PEOPLE_IN_BLOCK = 1024

# Everything scanned of the people who are read at once. More people than fit are read in turns, each turn a
# scan of every table.
GRIDS_IN_MEMORY = 1_000_000_000

# Called with a line on what is being read.
Progress = Callable[[str], None]

# What an aggregate is made of; sizes are kept only to know that sums are exact.
Part = Literal["amount", "size", "events", "day", "min", "max", "moment", "moment size"]
Names = Mapping[tuple[int, Part], str]

T = TypeVar("T")


class Found(Protocol):
    """Partials of one kind of events by [person, as-of date], wherever they were collected."""

    @property
    def timeline(self) -> Timeline: ...

    def of_people(self, low: int, high: int, /) -> Found: ...

    def sums(self, partial: str, window: int, /) -> np.ndarray: ...

    def largest(self, partial: str, window: int, /) -> np.ndarray: ...

    def smallest(self, partial: str, window: int, /) -> np.ndarray: ...


class Tallied(Protocol):
    """Events counted by person and value, wherever they were counted."""

    def of_people(self, low: int, high: int, /) -> Tallied: ...

    def distinct(self, window: int, n_people: int, /) -> np.ndarray: ...

    def most_common(self, window: int, n_people: int, /) -> np.ndarray: ...


@dataclass(frozen=True, eq=False)
class Engine:
    """What was collected of everything a catalogue asks for; a `Block` turns it into values."""

    as_ofs: np.ndarray
    n_people: int
    collected: Mapping[Events, Found]
    tallies: Mapping[int, Tallied]
    registers: Mapping[int, Register]
    names: Names

    def blocks(self) -> Iterator[Block]:
        """The people in order, some thousands at a time; one empty block where there is nobody."""
        for low in range(0, max(self.n_people, 1), PEOPLE_IN_BLOCK):
            yield Block(self, low, min(low + PEOPLE_IN_BLOCK, self.n_people))


@dataclass(frozen=True, eq=False)
class Register:
    """Rows of which the latest counts, as cells of their rank in time, and the values by rank.

    `keys` has the look-up values that `cells.person` numbers; None where it numbers people.
    """

    cells: Cells
    values: pl.Series
    keys: pl.Series | None


@dataclass(frozen=True, eq=False)
class Block:
    """People `low` to `high - 1`: terms become arrays [person, as-of date]."""

    engine: Engine
    low: int
    high: int
    _collected: dict[Events, Found] = field(default_factory=dict, init=False)
    _known: dict[tuple[int, int], np.ndarray] = field(default_factory=dict, init=False)

    @property
    def n_people(self) -> int:
        return self.high - self.low

    def numbers(self, term: Term, window: int) -> np.ndarray:
        """The values of a term; a term that several ideas share is computed once."""
        place = (id(term), window)
        if place not in self._known:
            self._known[place] = self._computed(term, window)
        return self._known[place]

    def _computed(self, term: Term, window: int) -> np.ndarray:
        match term:
            case Aggregate():
                return self._aggregate(term, window)
            case Change():
                return self._change(term, window)
            case Trend():
                return self._trend(term, window)
            case Product():
                return self.numbers(term.left, window) * self.numbers(term.right, window)
            case Ratio():
                top, bottom = self.numbers(term.top, window), self.numbers(term.bottom, window)
                enough = (bottom >= term.bottom_at_least) & (bottom != 0)
                return np.divide(top, bottom, out=np.full_like(top, np.nan), where=enough)
            case Latest():
                return self._latest_number(term)

    def _aggregate(self, aggregate: Aggregate, window: int) -> np.ndarray:
        if aggregate.how in ("distinct", "most_common"):
            tally = self.engine.tallies[id(aggregate)].of_people(self.low, self.high)
            values = tally.distinct if aggregate.how == "distinct" else tally.most_common
            return values(window, self.n_people)
        found, names = self._of(aggregate.events), self.engine.names
        match aggregate.how:
            case "min":
                return found.smallest(names[id(aggregate), "min"], window)
            case "max":
                return found.largest(names[id(aggregate), "max"], window)
            case "days_since_last":
                return self.engine.as_ofs - found.largest(names[id(aggregate), "day"], window)
            case "mean" | "lean":
                n, total = (found.sums(names[id(aggregate), part], window) for part in ("events", "amount"))
                if aggregate.how == "lean":
                    return total / np.sqrt(n + 1)
                return np.divide(total, n, out=np.full_like(total, np.nan), where=n > 0)
            case _:
                return found.sums(names[id(aggregate), "amount"], window)

    def _change(self, change: Change, window: int) -> np.ndarray:
        recent = self.numbers(change.of, window)
        before = self.numbers(change.of, window + change.baseline_days) - recent
        return recent / window - before / change.baseline_days

    def _trend(self, trend: Trend, window: int) -> np.ndarray:
        """The slope of least squares of the window's daily amounts, times the days of the window."""
        found, names = self._of(trend.of.events), self.engine.names
        amount, moment = (found.sums(names[id(trend.of), part], window) for part in ("amount", "moment"))
        # Moments count days from the timeline's first; the window's days count from its own.
        middle = self.engine.as_ofs - (window + 1) / 2 - found.timeline.first_day
        return (moment - middle * amount) * 12 / (window**2 - 1) if window > 1 else np.zeros_like(amount)

    def _of(self, events: Events) -> Found:
        if events not in self._collected:
            self._collected[events] = self.engine.collected[events].of_people(self.low, self.high)
        return self._collected[events]

    def _latest_number(self, latest: Latest) -> np.ndarray:
        values = self.latest(latest)
        if latest.how == "category":
            raise ValueError(f"a category of {latest.events.name!r} is no number to calculate with")
        if latest.how == "days_since":
            then = values.cast(pl.Date).cast(pl.Int32).cast(pl.Float64)
            return self.engine.as_ofs - self._dense(then)
        return self._dense(values.cast(pl.Float64).fill_nan(None))

    def _dense(self, values: pl.Series) -> np.ndarray:
        return values.to_numpy().astype(np.float64).reshape(self.n_people, len(self.engine.as_ofs))

    def latest(self, latest: Latest) -> pl.Series:
        """The values of a register as they are, person by person and within a person date by date."""
        register = self.engine.registers[id(latest)]
        n_dates = len(self.engine.as_ofs)
        if latest.via is None:
            cells = register.cells.of_people(self.low, self.high)
            rank = cells.largest("rank", None, self.n_people).ravel()
        else:
            assert register.keys is not None
            n_keys = len(register.keys)
            by_key = register.cells.largest("rank", None, n_keys)
            key = _positions(self.latest(latest.via), register.keys)
            at = np.tile(np.arange(n_dates), self.n_people)
            rank = (
                np.where(key >= 0, by_key[np.maximum(key, 0), at], np.nan)
                if n_keys
                else np.full(len(key), np.nan)
            )
        found = pl.Series(rank).fill_nan(None).cast(pl.UInt32)
        return register.values.gather(found)


@dataclass(frozen=True, eq=False)
class Reading:
    """What a catalogue asks of one kind of events, so that its rows are scanned once.

    Attributes:
        asked: the aggregates with their windows, and whether a trend asks for its moments too.
        partials, names: what is collected of a row, and under which name each part of an aggregate is.
    """

    events: Events
    timeline: Timeline
    asked: Sequence[tuple[Aggregate, int, bool]]
    partials: Mapping[str, Partial]
    names: Names
    registers: Sequence[Latest]

    @property
    def tallied(self) -> list[Aggregate]:
        """The aggregates for which events are counted by value."""
        return _each_once(one for one, _, _ in self.asked if one.how in ("distinct", "most_common"))


def readings(asks: Sequence[Ask], as_ofs: Sequence[date]) -> list[Reading]:
    """Everything that the terms ask, by kind of events."""
    asked = [
        (leaf.of if isinstance(leaf, Trend) else leaf, window, isinstance(leaf, Trend))
        for ask in asks
        for leaf, window in leaves(ask.term, ask.window)
    ]
    latest = _each_once(latest for ask in asks for latest in registers_in(ask.term))
    kinds = _each_once([*(one.events for one, _, _ in asked), *(one.events for one in latest)])
    return [
        _reading(
            events,
            [one for one in asked if one[0].events is events],
            [one for one in latest if one.events is events],
            as_ofs,
        )
        for events in kinds
    ]


def _reading(
    events: Events,
    asked: Sequence[tuple[Aggregate, int, bool]],
    registers: Sequence[Latest],
    as_ofs: Sequence[date],
) -> Reading:
    line = Timeline.of(as_ofs, (window for _, window, _ in asked))
    return Reading(events, line, asked, *_shared_partials(asked, line), registers)


def prepare(
    records: Records,
    asks: Sequence[Ask],
    people: pl.DataFrame,
    as_ofs: Sequence[date],
    progress: Progress | None = None,
    checkpoints: Checkpoints | None = None,
) -> Engine:
    """Scan every table that the terms speak of, each kind of events once.

    Args:
        people: `person_key`, one row a person, in the order the engine numbers them; `known_from` beside it
            where only events known since then count. Registers (rank, role) describe what is, and are read
            whole.
        checkpoints: where what is scanned is kept until the run is over.
    """
    who = hashlib.sha256(str(people.cast(pl.String).rows()).encode()).hexdigest()
    people = people.with_row_index("person")
    numbering = Numbering.of(people["person_key"])
    names: dict[tuple[int, Part], str] = {}
    collected: dict[Events, Found] = {}
    tallies: dict[int, Tallied] = {}
    registers: dict[int, Register] = {}
    for reading in readings(asks, as_ofs):
        events, line = reading.events, reading.timeline
        if progress is not None:
            progress(f"reading {events.table.name}: {events.says}")
        rows = _rows_of_people(records, events, people, numbering)
        scan = _Scan(rows, events, line, len(people), who, checkpoints)
        tallies |= {id(aggregate): scan.tally(aggregate) for aggregate in reading.tallied}
        names |= reading.names
        if reading.partials:
            found = scan.collected(reading.partials)
            refuse_inexact(events, found.largest_total())
            collected[events] = found
        for latest in reading.registers:
            rows = register_rows(rows_of(records, events), latest).collect(engine="streaming")
            registers[id(latest)] = register_of(rows, latest, people, as_ofs)
    return Engine(day_numbers(as_ofs), len(people), collected, tallies, registers, names)


def people_at_once(asks: Sequence[Ask], as_ofs: Sequence[date]) -> int:
    """How many people's grids fit into `GRIDS_IN_MEMORY`, in whole blocks; at least a block."""
    grid = sum(len(reading.timeline.starts) * len(reading.partials) * 8 for reading in readings(asks, as_ofs))
    return PEOPLE_IN_BLOCK * max(1, GRIDS_IN_MEMORY // (PEOPLE_IN_BLOCK * max(grid, 1)))


def day_numbers(as_ofs: Sequence[date]) -> np.ndarray:
    return np.array([day_number(as_of) for as_of in as_ofs], dtype=np.float64)


@dataclass(frozen=True)
class Reader:
    """Who reads the rows, and of how many people at once.

    Attributes:
        prepare: `prepare`, or another that takes its first five arguments.
        people_at_once: for what is asked at which dates.
    """

    prepare: Callable[[Records, Sequence[Ask], pl.DataFrame, Sequence[date], Progress | None], Engine]
    people_at_once: Callable[[Sequence[Ask], Sequence[date]], int]


def this_machine(checkpoints: Checkpoints | None = None) -> Reader:
    return Reader(functools.partial(prepare, checkpoints=checkpoints), people_at_once)


def leaves(term: Term, window: int) -> Iterator[tuple[Aggregate | Trend, int]]:
    """Each aggregate and trend that a term is made of, with the windows it is asked for."""
    match term:
        case Aggregate() | Trend():
            yield term, window
        case Change():
            yield term.of, window
            yield term.of, window + term.baseline_days
        case Product(left=one, right=other) | Ratio(top=one, bottom=other):
            yield from leaves(one, window)
            yield from leaves(other, window)
        case Latest():
            return


def registers_in(term: Term) -> Iterator[Latest]:
    """Each register that a term looks into."""
    match term:
        case Latest():
            yield term
            if term.via is not None:
                yield from registers_in(term.via)
        case Product(left=one, right=other) | Ratio(top=one, bottom=other):
            yield from registers_in(one)
            yield from registers_in(other)
        case Aggregate() | Change() | Trend():
            return


def _each_once(things: Iterable[T]) -> list[T]:
    return list(dict.fromkeys(things))


def _rows_of_people(
    records: Records, events: Events, people: pl.DataFrame, numbering: Numbering
) -> pl.LazyFrame:
    """Event rows with the number of their person; where all rows count, those of others as `NOBODY`'s."""
    rows = rows_of(records, events)
    if "known_from" in people.columns:
        later = rows.join(people.lazy(), on="person_key", how="inner")
        return later.filter(pl.col(KNOWN) >= pl.col("known_from"))
    return rows.with_columns(person=numbering.number("person_key"))


def can_be_superseded(events: Events) -> bool:
    """Whether a row of these events, or its partner, can have a later version."""
    partner = events.joined is not None and can_be_superseded(events.joined.events)
    return events.table.correctable or partner


@dataclass(frozen=True, eq=False)
class _Scan:
    """One kind of events, read for some people and dates; what an unfinished run has read is not read again.

    Attributes:
        rows: from `_rows_of_people`.
    """

    rows: pl.LazyFrame
    events: Events
    line: Timeline
    n_people: int
    who: str
    checkpoints: Checkpoints | None

    def collected(self, partials: Mapping[str, Partial]) -> Collected:
        def scan() -> Collected:
            correctable = can_be_superseded(self.events)
            return collect(self.rows, self.line, partials, self.n_people, correctable=correctable)

        if self.checkpoints is None:
            return scan()
        said = [
            f"{name}: {partial.combine} of {partial.take} {told(partial.source)}"
            for name, partial in partials.items()
        ]
        arrays = self.checkpoints.arrays(self._asked(*said), lambda: scan().arrays())
        return Collected.of_arrays(arrays, self.line, partials)

    def tally(self, aggregate: Aggregate) -> Tally:
        def scan() -> Tally:
            assert aggregate.value is not None
            rows = self.rows.filter(pl.col("person") != NOBODY)
            if aggregate.where is not None:
                rows = rows.filter(aggregate.where)
            return collect_tally(rows, self.line, aggregate.value, correctable=can_be_superseded(self.events))

        if self.checkpoints is None:
            return scan()
        values = [told(one) for one in (aggregate.value, aggregate.where) if one is not None]
        said = f"tally of {' where '.join(values)}"
        arrays = self.checkpoints.arrays(self._asked(said), lambda: scan().arrays())
        return Tally.of_arrays(arrays, self.line)

    def _asked(self, *more: str) -> str:
        days = f"{self.line.as_ofs.tolist()} {self.line.starts.tolist()}"
        return "\n".join([describe_events(self.events), days, self.who, *more])


def _shared_partials(
    asked: Iterable[tuple[Aggregate, int, bool]], line: Timeline
) -> tuple[dict[str, Partial], dict[tuple[int, Part], str]]:
    """The partials of one scan, and the name of each part of each aggregate among them.

    Aggregates share a partial where they ask the same number of a row: a sum and a mean of one column do.
    """
    partials: dict[str, Partial] = {}
    names: dict[tuple[int, Part], str] = {}
    for aggregate, _, with_moment in asked:
        for part, partial in _partials(aggregate, line, with_moment=with_moment):
            same = (
                name
                for name, other in partials.items()
                if (other.combine, other.take) == (partial.combine, partial.take)
                and other.source.meta.eq(partial.source)
            )
            name = next(same, f"v{len(partials)}")
            partials[name] = partial
            names[id(aggregate), part] = name
    return partials, names


def _partials(aggregate: Aggregate, line: Timeline, *, with_moment: bool) -> Iterator[tuple[Part, Partial]]:
    days = (day_of(OCCURRED) - line.first_day).cast(pl.Float64)
    hit = _hit(aggregate)
    match aggregate.how:
        case "distinct" | "most_common":
            return
        case "days_since_last":
            yield "day", Partial(pl.when(hit).then(day_of(OCCURRED)), "max")
        case "count":
            yield "amount", Partial(hit, "sum", "row" if aggregate.where is None else "number")
            if with_moment:
                yield "moment", Partial(hit.cast(pl.Float64) * days, "sum")
        case "min" | "max" as extreme:
            yield extreme, Partial(_value(aggregate), extreme)
        case "sum" | "mean" | "lean":
            amount = Partial(_value(aggregate), "sum", "rounded")
            sized = not _never_negative(aggregate)
            yield "amount", amount
            if sized:
                yield "size", replace(amount, take="size")
            if aggregate.how != "sum":
                yield "events", replace(amount, take="present")
            if with_moment:
                moment = Partial(amount.of_row * days, "sum")
                yield "moment", moment
                if sized:
                    yield "moment size", Partial(moment.of_row.abs(), "sum")


def _hit(aggregate: Aggregate) -> pl.Expr:
    return pl.lit(True) if aggregate.where is None else aggregate.where.fill_null(False)


def _value(aggregate: Aggregate) -> pl.Expr:
    assert aggregate.value is not None
    value = aggregate.value.cast(pl.Float64)
    return value if aggregate.where is None else pl.when(_hit(aggregate)).then(value)


def _never_negative(aggregate: Aggregate) -> bool:
    """Whether the value is a source column as it stands, declared to be 0 or more: its sum is its size."""
    columns, value = aggregate.events.table.by_name, aggregate.value
    assert value is not None
    name = value.meta.output_name()
    plain = name in columns and name not in aggregate.events.derive and value.meta.eq(pl.col(name))
    return plain and (least := columns[name].minimum) is not None and least >= 0


def refuse_inexact(events: Events, largest_total: float) -> None:
    """Hold sums to what is exact.

    Raises:
        DataRefused: the sizes of what was added up for one person are too large together.
    """
    if largest_total >= LARGEST_TOTAL:
        raise DataRefused(
            f"{events.table.name}: the values of {events.says!r} add up to {largest_total:.3g} for one person, and "
            f"totals from {LARGEST_TOTAL:.3g} are not exact. Limit the column in the table's declaration "
            f"(`maximum`), or declare it in a larger unit."
        )


def register_rows(rows: pl.LazyFrame, latest: Latest) -> pl.LazyFrame:
    """Of event rows (from `rows_of`): what puts them in order, their times, `look_up` and `latest`."""
    look_up = latest.key or "person_key"
    return rows.filter(pl.col(look_up).is_not_null()).select(
        pl.col(order_in_time(latest.events)).name.prefix("order."),
        pl.col(OCCURRED, KNOWN, SUPERSEDED),
        look_up=look_up,
        latest=latest.value,
    )


def in_order(latest: Latest) -> list[str]:
    """The columns of `register_rows` that put rows in order of time, empty ones first."""
    return [*(f"order.{name}" for name in order_in_time(latest.events)), "latest"]


def register_of(rows: pl.DataFrame, latest: Latest, people: pl.DataFrame, as_ofs: Sequence[date]) -> Register:
    """The rows of a register (from `register_rows`), ranked in order of time.

    Args:
        people: `person_key` and `person`, the number of each.
    """
    ranked = rows.sort(in_order(latest)).with_row_index("rank")
    keys = None if latest.via is None else ranked["look_up"].unique().sort()
    numbered = (
        people.select(look_up="person_key", person="person")
        if keys is None
        else keys.to_frame("look_up").with_row_index("person")
    )
    placed = ranked.lazy().join(numbered.lazy(), on="look_up", how="inner")
    cells = collect_cells(placed, Timeline.of(as_ofs, ()), {"rank": Partial(pl.col("rank"), "max")})
    return Register(cells, ranked["latest"], keys)


def _positions(values: pl.Series, keys: pl.Series) -> np.ndarray:
    """Where each value stands among the keys; -1 where it does not."""
    places = keys.to_frame("key").with_row_index("place")
    found = values.to_frame("key").join(places, on="key", how="left", maintain_order="left")["place"]
    return found.cast(pl.Int64).fill_null(-1).to_numpy()
