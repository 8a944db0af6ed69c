"""What `features.engine.prepare` does, done by workers: the same `Engine` comes of it.

What comes back to this machine is a number for each person, date, window and partial asked for, and of each
register the rows that were the latest at some date; how many events there were does not matter.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import TypeVar, cast

import numpy as np
import polars as pl

from features.cells import NEVER_DAY
from features.cluster.cells import LARGEST_TOTAL, Answers, asked_cells, asked_tallies, dense
from features.cluster.frames import Workers
from features.cluster.rows import EventRows, Reads, StoredRecords, event_rows
from features.engine import (
    Engine,
    Part,
    Progress,
    Reader,
    Reading,
    Register,
    can_be_superseded,
    day_numbers,
    in_order,
    readings,
    refuse_inexact,
    register_of,
    register_rows,
)
from features.events import KNOWN, OCCURRED, SUPERSEDED, Records, order_in_time
from features.peers import Ask
from features.specs import Latest
from features.windows import Timeline, day_of

# Questions asked at the same time, so that no worker idles while the last parts of another's are answered.
QUESTIONS_AT_ONCE = 4

K = TypeVar("K")
T = TypeVar("T")


def reader_on(workers: Workers) -> Reader:
    """Workers as those who read the rows (`features.build.build`).

    Of everybody at once: what comes back to this machine is no larger than the table it is for.
    """
    return Reader(partial(prepare_on, workers), lambda asks, as_ofs: sys.maxsize)


def prepare_on(
    workers: Workers,
    records: Records,
    asks: Sequence[Ask],
    people: pl.DataFrame,
    as_ofs: Sequence[date],
    progress: Progress | None = None,
) -> Engine:
    """Let workers scan every table that the terms speak of.

    Args:
        records: their rows lie in files (`StoredRecords`).
        people: `person_key`, one row a person, and `known_from` where only events known since then count.

    Raises:
        DataRefused: values too large to be added up exactly.
    """
    asked = readings(asks, as_ofs)
    questions = _Questions(
        workers, cast("StoredRecords", records), people.with_row_index("person"), as_ofs, progress
    )
    with ThreadPoolExecutor(QUESTIONS_AT_ONCE) as pool:
        collected = {one.events: pool.submit(questions.collected, one) for one in asked if one.partials}
        tallies = [pool.submit(questions.tallied, one) for one in asked if one.tallied]
        registers = {
            id(latest): pool.submit(questions.register, latest) for one in asked for latest in one.registers
        }
        try:
            return Engine(
                day_numbers(as_ofs),
                len(people),
                _answers(collected),
                {key: one for tallied in tallies for key, one in tallied.result().items()},
                _answers(registers),
                {key: name for one in asked for key, name in one.names.items()},
            )
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _answers(waiting: Mapping[K, Future[T]]) -> dict[K, T]:
    return {key: future.result() for key, future in waiting.items()}


@dataclass(frozen=True, eq=False)
class _Questions:
    """What is asked of the workers, about some people and dates.

    `people` has `person_key`, `person` and, where only newer events count, `known_from`.
    """

    workers: Workers
    records: StoredRecords
    people: pl.DataFrame
    as_ofs: Sequence[date]
    progress: Progress | None

    def collected(self, reading: Reading) -> Answers:
        """Every partial through the windows that it is asked for."""
        if self.progress is not None:
            self.progress(f"reading {reading.events.table.name}: {reading.events.says}")
        asked = _partials_asked(reading)
        cells = asked_cells(
            self.workers,
            self._rows(reading, *(partial.of_row for partial in reading.partials.values())),
            reading.timeline,
            reading.partials,
            asked,
            correctable=can_be_superseded(reading.events),
        )
        found = self.workers.gathered(cells)
        refuse_inexact(reading.events, cast("float", found[LARGEST_TOTAL].max() or 0.0))
        nothing = {"sum": 0.0, "min": np.nan, "max": np.nan}
        return Answers(
            reading.timeline,
            {
                (name, window): self._dense(found, i, nothing[reading.partials[name].combine])
                for i, (name, window) in enumerate(asked)
            },
        )

    def tallied(self, reading: Reading) -> dict[int, Answers]:
        """Every aggregate that counts events by value, through its windows."""
        asked = list(
            dict.fromkeys((one, window) for one, window, _ in reading.asked if one in reading.tallied)
        )
        expressions = (part for one, _ in asked for part in (one.value, one.where) if part is not None)
        tallies = asked_tallies(
            self.workers,
            self._rows(reading, *expressions),
            reading.timeline,
            asked,
            correctable=can_be_superseded(reading.events),
        )
        found = self.workers.gathered(tallies)
        values = {
            (id(one), one.how, window): self._dense(found, i, 0.0) for i, (one, window) in enumerate(asked)
        }
        return {
            id(one): Answers(
                reading.timeline,
                {(how, window): counts for (of, how, window), counts in values.items() if of == id(one)},
            )
            for one in reading.tallied
        }

    def register(self, latest: Latest) -> Register:
        """The rows of a register, without those that another follows at every date they stand at."""
        look_up = latest.key or "person_key"
        wanted = {look_up, *latest.value.meta.root_names(), *order_in_time(latest.events)}
        rows = event_rows(self.workers, self.records, latest.events, wanted)
        standing = rows.mapped(self.workers, partial(_standing, latest, Timeline.of(self.as_ofs, ())))
        last = standing.last_of(("look_up", "first", "stop"), in_order(latest))
        return register_of(
            self.workers.gathered(last).drop("first", "stop"), latest, self.people, self.as_ofs
        )

    def _rows(self, reading: Reading, *expressions: pl.Expr) -> EventRows:
        wanted = {"person_key", *(name for one in expressions for name in one.meta.root_names())}
        people = self.people.with_columns(pl.col("person").cast(pl.Int64))
        rows = event_rows(self.workers, self.records, reading.events, wanted, people)
        if "known_from" not in people.columns:
            return rows
        return EventRows(rows.rows, partial(_known_since, rows.as_events))

    def _dense(self, found: pl.DataFrame, position: int, nothing: float) -> np.ndarray:
        return dense(found, str(position), len(self.people), len(self.as_ofs), nothing=nothing)


def _partials_asked(reading: Reading) -> list[tuple[str, int]]:
    """Each partial with each window that a value is made of it through; sizes are only totalled."""
    asked: set[tuple[str, int]] = set()
    for aggregate, window, with_moment in reading.asked:
        parts: list[Part] = ["amount", "events", "day", "min", "max"]
        if with_moment:
            parts.append("moment")
        names = (reading.names.get((id(aggregate), part)) for part in parts)
        asked |= {(name, window) for name in names if name is not None}
    return sorted(asked)


def _known_since(as_events: Reads, rows: pl.LazyFrame) -> pl.LazyFrame:
    return as_events(rows).filter(pl.col(KNOWN) >= pl.col("known_from"))


def _standing(latest: Latest, timeline: Timeline, rows: pl.LazyFrame) -> pl.LazyFrame:
    """The rows of a register that count at some date, with the first of these dates and the one after the last."""
    counts_from = pl.max_horizontal(day_of(OCCURRED), day_of(KNOWN))
    return (
        register_rows(rows, latest)
        .with_columns(
            first=timeline.first_after(counts_from),
            stop=timeline.first_after(day_of(SUPERSEDED).fill_null(NEVER_DAY)),
        )
        .filter(pl.col("stop") > pl.col("first"))
    )
