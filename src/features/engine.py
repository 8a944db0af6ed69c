"""Terms of a catalogue, evaluated for every person and as-of date.

Stage one scans each kind of events once, whatever the number of aggregates, windows and dates over it
(`features.cells`). Stage two works on blocks of people with dense [person, date] arrays, so that memory is
bounded by the block. NaN stands for "no value" until the very end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TypeVar

import numpy as np
import polars as pl

from features.cells import Cells, Partial, collect_cells
from features.errors import DataRefused
from features.events import KNOWN, OCCURRED, SUPERSEDED, Records, order_in_time, rows_of
from features.specs import Aggregate, Change, Events, Idea, Latest, Product, Ratio, Term
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

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Engine:
    """Cells of everything a catalogue asks for; `block` turns them into values."""

    as_ofs: np.ndarray
    n_people: int
    cells: Mapping[Events, Cells]
    registers: Mapping[int, Register]
    names: Mapping[int, str]

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
    _cells: dict[Events, Cells] = field(default_factory=dict, init=False)
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
            case Product():
                return self.numbers(term.left, window) * self.numbers(term.right, window)
            case Ratio():
                top, bottom = self.numbers(term.top, window), self.numbers(term.bottom, window)
                enough = (bottom >= term.bottom_at_least) & (bottom != 0)
                return np.divide(top, bottom, out=np.full_like(top, np.nan), where=enough)
            case Latest():
                return self._latest_number(term)

    def _aggregate(self, aggregate: Aggregate, window: int) -> np.ndarray:
        cells, name = self._of(aggregate.events), self.engine.names[id(aggregate)]
        match aggregate.how:
            case "count" | "sum":
                return cells.sums(name, window, self.n_people)
            case "mean":
                n = cells.sums(f"{name}.n", window, self.n_people)
                total = cells.sums(name, window, self.n_people)
                return np.divide(total, n, out=np.full_like(total, np.nan), where=n > 0)
            case "min":
                return cells.smallest(name, window, self.n_people)
            case "max":
                return cells.largest(name, window, self.n_people)
            case "days_since_last":
                return self.engine.as_ofs - cells.largest(name, window, self.n_people)

    def _change(self, change: Change, window: int) -> np.ndarray:
        recent = self.numbers(change.of, window)
        before = self.numbers(change.of, window + change.baseline_days) - recent
        return recent / window - before / change.baseline_days

    def _of(self, events: Events) -> Cells:
        if events not in self._cells:
            self._cells[events] = self.engine.cells[events].of_people(self.low, self.high)
        return self._cells[events]

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
    ideas: Sequence[Idea],
    people: pl.DataFrame,
    as_ofs: Sequence[date],
    progress: Progress | None = None,
) -> Engine:
    """Scan every table that the ideas speak of, each kind of events once.

    Args:
        people: `person_key`, one row a person, in the order the engine numbers them; `known_from` beside it
            where only events known since then count. Registers (rank, role) describe what is, and are read
            whole.
    """
    people = people.with_row_index("person")
    asked = _asked(ideas)
    latest = _each_once(latest for idea in ideas for latest in _registers_in(idea.of))
    names = {id(aggregate): f"v{i}" for i, aggregate in enumerate(_each_once(a for _, a, _ in asked))}
    cells: dict[Events, Cells] = {}
    registers: dict[int, Register] = {}
    for events in _each_once(
        [*(events for events, _, _ in asked), *(register.events for register in latest)]
    ):
        if progress is not None:
            progress(f"reading {events.table.name}: {events.says}")
        if of_events := [(aggregate, window) for owner, aggregate, window in asked if owner is events]:
            cells[events] = _scan(records, events, of_events, names, people, as_ofs)
        registers |= {
            id(one): _register(records, one, people, as_ofs) for one in latest if one.events is events
        }
    days = np.array([day_number(as_of) for as_of in as_ofs], dtype=np.float64)
    return Engine(days, len(people), cells, registers, names)


def windows_in(term: Term, window: int) -> Iterator[tuple[Aggregate, int]]:
    """Each aggregate that a term is made of, with the windows it is asked for."""
    match term:
        case Aggregate():
            yield term, window
        case Change():
            yield term.of, window
            yield term.of, window + term.baseline_days
        case Product():
            yield from windows_in(term.left, window)
            yield from windows_in(term.right, window)
        case Ratio():
            yield from windows_in(term.top, window)
            yield from windows_in(term.bottom, window)
        case Latest():
            return


def _registers_in(term: Term) -> Iterator[Latest]:
    match term:
        case Latest():
            yield term
            if term.via is not None:
                yield from _registers_in(term.via)
        case Product():
            yield from _registers_in(term.left)
            yield from _registers_in(term.right)
        case Ratio():
            yield from _registers_in(term.top)
            yield from _registers_in(term.bottom)
        case Aggregate() | Change():
            return


def _asked(ideas: Sequence[Idea]) -> list[tuple[Events, Aggregate, int]]:
    return [
        (aggregate.events, aggregate, window)
        for idea in ideas
        for days in idea.windows
        for aggregate, window in windows_in(idea.of, days)
    ]


def _each_once(things: Iterable[T]) -> list[T]:
    return list(dict.fromkeys(things))


def _scan(
    records: Records,
    events: Events,
    asked: Sequence[tuple[Aggregate, int]],
    names: Mapping[int, str],
    people: pl.DataFrame,
    as_ofs: Sequence[date],
) -> Cells:
    partials: dict[str, Partial] = {}
    for aggregate in _each_once(aggregate for aggregate, _ in asked):
        partials |= _partials(aggregate, names[id(aggregate)])
    rows = rows_of(records, events).join(people.lazy(), on="person_key", how="inner")
    if "known_from" in people.columns:
        rows = rows.filter(pl.col(KNOWN) >= pl.col("known_from"))
    cells = collect_cells(rows, Timeline.of(as_ofs, (window for _, window in asked)), partials)
    _refuse_inexact(events, cells)
    return cells


def _partials(aggregate: Aggregate, name: str) -> Mapping[str, Partial]:
    hit = pl.lit(True) if aggregate.where is None else aggregate.where.fill_null(False)
    if aggregate.how == "count":
        return {name: Partial(hit, "sum")}
    if aggregate.how == "days_since_last":
        return {name: Partial(pl.when(hit).then(day_of(OCCURRED)), "max")}
    assert aggregate.value is not None
    value = pl.when(hit).then(aggregate.value.cast(pl.Float64).fill_nan(None))
    match aggregate.how:
        case "min":
            return {name: Partial(value, "min")}
        case "max":
            return {name: Partial(value, "max")}
        case _:
            on_grid = (value / GRID).round() * GRID
            sums = {name: Partial(on_grid, "sum"), f"{name}.size": Partial(on_grid.abs(), "sum")}
            return (
                sums if aggregate.how == "sum" else {**sums, f"{name}.n": Partial(value.is_not_null(), "sum")}
            )


def _refuse_inexact(events: Events, cells: Cells) -> None:
    for name, sizes in cells.partials.items():
        if (
            name.endswith(".size")
            and (total := np.bincount(cells.person, sizes)).size
            and total.max() >= LARGEST_TOTAL
        ):
            raise DataRefused(
                f"{events.table.name}: the values of {events.says!r} add up to {total.max():.3g} for one person, and "
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
    cells = collect_cells(
        placed, Timeline.of(as_ofs, ()), {"rank": Partial(pl.col("rank"), "max")}, ever=True
    )
    return Register(cells, ranked["latest"], keys)


def _positions(values: pl.Series, keys: pl.Series) -> np.ndarray:
    """Where each value stands among the keys; -1 where it does not."""
    places = keys.to_frame("key").with_row_index("place")
    found = values.to_frame("key").join(places, on="key", how="left", maintain_order="left")["place"]
    return found.cast(pl.Int64).fill_null(-1).to_numpy()
