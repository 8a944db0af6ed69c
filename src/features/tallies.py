"""How many different values a person's events have, and how many events share the commonest one.

Neither can be merged from partials of time alone, so events are counted by person and value: a *pair*. Rare
values make many pairs, most of them of a single event; only pairs with several cells need sums by date.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from features.cells import NEVER_DAY, Cells, Partial, cell_key, cells_of, spread, steps, within
from features.events import KNOWN, OCCURRED, SUPERSEDED
from features.windows import Timeline, day_of

EVENTS = "events"
_COUNT = {EVENTS: Partial(pl.lit(1), "sum")}


@dataclass(frozen=True, eq=False)
class Tally:
    """Cells in order of person and pair; `pair` numbers a person's different values, over all people."""

    cells: Cells
    pair: np.ndarray

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything but the declarations, to be written down."""
        cells = self.cells
        return {
            "person": cells.person, "interval": cells.interval, "first": cells.first, "stop": cells.stop,
            "events": cells.partials[EVENTS], "pair": self.pair,
        }  # fmt: skip

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, np.ndarray], timeline: Timeline) -> Tally:
        """What `arrays` wrote down."""
        cells = Cells(
            timeline, arrays["person"], arrays["interval"], arrays["first"], arrays["stop"],
            {EVENTS: arrays["events"]},
        )  # fmt: skip
        return cls(cells, arrays["pair"])

    def of_people(self, low: int, high: int) -> Tally:
        """The pairs of people `low` to `high - 1`; people are renumbered from 0."""
        block = slice(*np.searchsorted(self.cells.person, [low, high]))
        pair = self.pair[block]
        return Tally(self.cells.of_people(low, high), pair - (pair[0] if len(pair) else 0))

    def distinct(self, window: int, n_people: int) -> np.ndarray:
        """Different values by [person, as-of date].

        A pair counts at every date that any of its cells counts at, once: each cell adds only the dates that
        the cells before it have not reached.
        """
        n_dates = len(self.cells.timeline.as_ofs)
        stop = self.cells.stop_of(window)
        alive = np.flatnonzero(stop > self.cells.first)
        order = alive[np.lexsort((self.cells.first[alive], self.pair[alive]))]
        pair, first, stop = self.pair[order], self.cells.first[order], stop[order]
        base = pair * (n_dates + 1)
        # Pairs rise, so the furthest date reached by an earlier pair lies below this pair's base.
        reached = np.concatenate([[0], np.maximum.accumulate(base + stop)[:-1]]) if len(order) else base
        begins = np.maximum(first, np.clip(reached - base, 0, None))
        adds = begins < stop
        return steps(
            self.cells.person[order][adds],
            begins[adds],
            stop[adds],
            np.ones(int(adds.sum())),
            n_people,
            n_dates,
        )

    def most_common(self, window: int, n_people: int) -> np.ndarray:
        """Events that share the commonest value, by [person, as-of date]."""
        n_dates = len(self.cells.timeline.as_ofs)
        stop = self.cells.stop_of(window)
        alive = np.flatnonzero(stop > self.cells.first)
        events, first = self.cells.partials[EVENTS], self.cells.first
        found = np.zeros(n_people * n_dates)
        several = np.bincount(self.pair[alive], minlength=1)[self.pair[alive]] > 1
        single = alive[~several]
        cell, date = spread(single, first, stop)
        np.maximum.at(found, self.cells.person[cell] * n_dates + date, events[cell])
        together = alive[several]
        pairs, place = np.unique(self.pair[together], return_inverse=True)
        if len(pairs):
            by_pair = steps(place, first[together], stop[together], events[together], len(pairs), n_dates)
            owner = np.empty(len(pairs), np.int64)
            owner[place] = self.cells.person[together]
            np.maximum.at(found.reshape(n_people, n_dates), owner, by_pair)
        return found.reshape(n_people, n_dates)


def collect_tally(rows: pl.LazyFrame, timeline: Timeline, value: pl.Expr, *, correctable: bool) -> Tally:
    """The pairs of event rows (from `rows_of`) that carry an integer `person`; rows without a value are none.

    Values are told apart by 64-bit hashes, since tens of millions of texts would not fit beside the grids: that
    two of one person's ten thousand values share a hash has odds of one in three hundred thousand million.
    """
    hashed = pl.when(value.is_not_null()).then(value.hash(seed=0))
    found = tally_rows(rows, timeline, hashed, correctable=correctable).collect(engine="streaming")
    return tally_of(found, timeline)


def tally_rows(rows: pl.LazyFrame, timeline: Timeline, value: pl.Expr, *, correctable: bool) -> pl.LazyFrame:
    """How many events there are of each `person`, `value` and `cell`."""
    seen = pl.max_horizontal(day_of(OCCURRED), day_of(KNOWN))
    ends = [day_of(SUPERSEDED).fill_null(NEVER_DAY)] if correctable else []
    return (
        rows.filter(within(timeline) & (seen < timeline.last_as_of))
        .select("person", cell_key(timeline, day_of(OCCURRED), seen, *ends), value=value)
        .filter(pl.col("value").is_not_null())
        .group_by("person", "value", "cell")
        .agg(pl.len().cast(pl.Float64).alias(EVENTS))
    )


def tally_of(found: pl.DataFrame, timeline: Timeline) -> Tally:
    """Pairs from rows as `tally_rows` gives them."""
    found = found.sort("person", "value").with_columns(pair=pl.struct("person", "value").rle_id())
    return Tally(cells_of(found, timeline, _COUNT), found["pair"].cast(pl.Int64).to_numpy())
