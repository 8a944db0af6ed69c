"""Terms of a catalogue, evaluated for every person and as-of date.

Stage one scans each kind of events once, whatever the number of aggregates, windows and dates over it
(`features.cells`). Stage two works on blocks of people with dense [person, date] arrays, so that memory is
bounded by the block. NaN stands for "no value" until the very end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Literal, TypeVar

import numpy as np
import polars as pl

from features.cells import Cells, Collected, Partial, collect, collect_cells
from features.errors import DataRefused
from features.events import KNOWN, OCCURRED, SUPERSEDED, Records, order_in_time, rows_of
from features.peers import Ask
from features.specs import Aggregate, Change, Events, Latest, Product, Ratio, Term, Trend
from features.tables import Column
from features.tallies import Tally, collect_tally
from features.windows import Timeline, day_number, day_of

# Sums of doubles depend on the order of their terms, and a scan on several threads has none. So each value
# is rounded to a multiple of GRID (about a millionth of a unit); sums of such numbers are exact in a double,
# and with it the same in any order, as long as they stay below LARGEST_TOTAL.
GRID = 2.0**-20
LARGEST_TOTAL = 2.0**33

# A block's dense arrays are people x dates x 8 bytes each: 4,096 people and 24 dates make 0.8 MB.
PEOPLE_IN_BLOCK = 4096

# Called with a line on what is being read.
Progress = Callable[[str], None]

# What an aggregate is made of; sizes are kept only to know that sums are exact.
Part = Literal["amount", "size", "events", "day", "min", "max", "moment", "moment size"]
Names = Mapping[tuple[int, Part], str]

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Engine:
    """What was collected of everything a catalogue asks for; a `Block` turns it into values."""

    as_ofs: np.ndarray
    n_people: int
    collected: Mapping[Events, Collected]
    tallies: Mapping[int, Tally]
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
    _collected: dict[Events, Collected] = field(default_factory=dict, init=False)
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
            case "mean":
                n, total = (found.sums(names[id(aggregate), part], window) for part in ("events", "amount"))
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
        middle = self.engine.as_ofs - (window + 1) / 2 - found.grid.timeline.first_day
        return (moment - middle * amount) * 12 / (window**2 - 1) if window > 1 else np.zeros_like(amount)

    def _of(self, events: Events) -> Collected:
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


def prepare(
    records: Records,
    asks: Sequence[Ask],
    people: pl.DataFrame,
    as_ofs: Sequence[date],
    progress: Progress | None = None,
) -> Engine:
    """Scan every table that the terms speak of, each kind of events once.

    Args:
        people: `person_key`, one row a person, in the order the engine numbers them; `known_from` beside it
            where only events known since then count. Registers (rank, role) describe what is, and are read
            whole.
    """
    people = people.with_row_index("person")
    asked = [
        (leaf.of if isinstance(leaf, Trend) else leaf, window, isinstance(leaf, Trend))
        for ask in asks
        for leaf, window in leaves(ask.term, ask.window)
    ]
    latest = _each_once(latest for ask in asks for latest in registers_in(ask.term))
    names: dict[tuple[int, Part], str] = {}
    collected: dict[Events, Collected] = {}
    tallies: dict[int, Tally] = {}
    registers: dict[int, Register] = {}
    for events in _each_once(
        [*(aggregate.events for aggregate, _, _ in asked), *(register.events for register in latest)]
    ):
        if progress is not None:
            progress(f"reading {events.table.name}: {events.says}")
        of_events = [one for one in asked if one[0].events is events]
        line = Timeline.of(as_ofs, (window for _, window, _ in of_events))
        rows = _rows_of_people(records, events, people)
        for aggregate in _each_once(a for a, _, _ in of_events if a.how in ("distinct", "most_common")):
            tallies[id(aggregate)] = _tally(rows, aggregate, line)
        partials, named = _shared_partials(of_events, line)
        names |= named
        if partials:
            found = collect(rows, line, partials, len(people), correctable=can_be_superseded(events))
            _refuse_inexact(events, found)
            collected[events] = found
        registers |= {
            id(one): _register(records, one, people, as_ofs) for one in latest if one.events is events
        }
    days = np.array([day_number(as_of) for as_of in as_ofs], dtype=np.float64)
    return Engine(days, len(people), collected, tallies, registers, names)


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


def _rows_of_people(records: Records, events: Events, people: pl.DataFrame) -> pl.LazyFrame:
    rows = rows_of(records, events).join(people.lazy(), on="person_key", how="inner")
    return rows.filter(pl.col(KNOWN) >= pl.col("known_from")) if "known_from" in people.columns else rows


def can_be_superseded(events: Events) -> bool:
    """Whether a row of these events, or its partner, can have a later version."""
    partner = events.joined is not None and can_be_superseded(events.joined.events)
    return events.table.correctable or partner


def _tally(rows: pl.LazyFrame, aggregate: Aggregate, line: Timeline) -> Tally:
    assert aggregate.value is not None
    rows = rows if aggregate.where is None else rows.filter(aggregate.where)
    return collect_tally(rows, line, aggregate.value, correctable=can_be_superseded(aggregate.events))


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
                if other.combine == partial.combine and other.of_row.meta.eq(partial.of_row)
            )
            name = next(same, f"v{len(partials)}")
            partials[name] = partial
            names[id(aggregate), part] = name
    return partials, names


def _partials(aggregate: Aggregate, line: Timeline, *, with_moment: bool) -> Iterator[tuple[Part, Partial]]:
    hit = pl.lit(True) if aggregate.where is None else aggregate.where.fill_null(False)
    days = (day_of(OCCURRED) - line.first_day).cast(pl.Float64)
    match aggregate.how:
        case "distinct" | "most_common":
            return
        case "days_since_last":
            yield "day", Partial(pl.when(hit).then(day_of(OCCURRED)), "max")
        case "count":
            yield "amount", Partial(hit, "sum")
            if with_moment:
                yield "moment", Partial(hit.cast(pl.Float64) * days, "sum")
        case "min" | "max" as extreme:
            yield extreme, Partial(_value(aggregate, hit), extreme)
        case "sum" | "mean":
            value = _value(aggregate, hit)
            on_grid = value if _is_whole(aggregate) else (value / GRID).round() * GRID
            sized = not _never_negative(aggregate)
            yield "amount", Partial(on_grid, "sum")
            if sized:
                yield "size", Partial(on_grid.abs(), "sum")
            if aggregate.how == "mean":
                yield "events", Partial(value.is_not_nan().fill_null(False), "sum")
            if with_moment:
                yield "moment", Partial(on_grid * days, "sum")
                if sized:
                    yield "moment size", Partial((on_grid * days).abs(), "sum")


def _value(aggregate: Aggregate, hit: pl.Expr) -> pl.Expr:
    assert aggregate.value is not None
    value = aggregate.value.cast(pl.Float64)
    return value if aggregate.where is None else pl.when(hit).then(value)


def _plain_column(aggregate: Aggregate) -> Column | None:
    """The source column that the value is, where it is one as it stands."""
    columns, value = aggregate.events.table.by_name, aggregate.value
    assert value is not None
    name = value.meta.output_name()
    plain = name in columns and name not in aggregate.events.derive and value.meta.eq(pl.col(name))
    return columns[name] if plain else None


def _is_whole(aggregate: Aggregate) -> bool:
    column = _plain_column(aggregate)
    return column is not None and column.kind == "integer"


def _never_negative(aggregate: Aggregate) -> bool:
    """Whether the value is a column that its table declares to be 0 or more: its sum is its size."""
    column = _plain_column(aggregate)
    return column is not None and column.minimum is not None and column.minimum >= 0


def _refuse_inexact(events: Events, found: Collected) -> None:
    """Sums are exact while the sizes of what is added stay small; an amount below its size is not looked at."""
    for name, how in found.grid.combines.items():
        if how == "sum" and (largest := found.total(name).max(initial=0.0)) >= LARGEST_TOTAL:
            raise DataRefused(
                f"{events.table.name}: the values of {events.says!r} add up to {largest:.3g} for one person, and "
                f"totals from {LARGEST_TOTAL:.3g} are not exact. Limit the column in the table's declaration "
                f"(`maximum`), or declare it in a larger unit."
            )


def _register(records: Records, latest: Latest, people: pl.DataFrame, as_ofs: Sequence[date]) -> Register:
    """The rows of a register, ranked in order of time."""
    events = latest.events
    order = order_in_time(events)
    ranked = (
        rows_of(records, events)
        .filter(pl.col(latest.key or "person_key").is_not_null())
        .select(
            pl.col(order).name.prefix("order."),
            pl.col(OCCURRED, KNOWN, SUPERSEDED),
            look_up=latest.key or "person_key",
            latest=latest.value,
        )
        .collect(engine="streaming")
        .sort([*(f"order.{name}" for name in order), "latest"])
        .with_row_index("rank")
    )
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
