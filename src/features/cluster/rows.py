"""Event rows on the workers: which columns are read, and what one row says.

The declarations' own expressions run here, over batches, by the functions that the local engine uses.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import polars as pl

from features.accepted import accepted_schema
from features.cluster.frames import PartWork, Spread, Workers
from features.events import (
    KNOWN,
    OCCURRED,
    SUPERSEDED,
    Records,
    known_expr,
    occurred_expr,
    timed_as_pairs,
    told_of,
    versions_of,
)
from features.specs import Events, Joined

TIMES = (OCCURRED, KNOWN, SUPERSEDED)

Reads = Callable[[pl.LazyFrame], pl.LazyFrame]


class StoredRecords(Records, Protocol):
    """Accepted rows that lie in Parquet files, where every worker reaches them."""

    def files(self, name: str, /) -> list[Path]: ...


@dataclass(frozen=True, eq=False)
class EventRows:
    """Rows on the workers, and what makes events of them."""

    rows: Spread
    as_events: Reads

    def mapped(self, workers: Workers, select: Reads, then: PartWork | None = None) -> Spread:
        """What `select` takes from the events of each batch, and `then` makes of the batches of a part."""
        reads = partial(_composed, self.as_events, select)
        schema = carried(reads(pl.LazyFrame(schema=self.rows.schema)).collect_schema())
        return workers.by_part(self.rows, partial(_in_batches, reads, then), schema)


def event_rows(
    workers: Workers,
    records: StoredRecords,
    events: Events,
    wanted: Collection[str],
    people: pl.DataFrame | None = None,
) -> EventRows:
    """Rows with at least the columns `wanted` of events (those that the table or the pair has).

    Args:
        people: `person_key` and more; only their rows, with these columns beside them.
    """
    names = {*wanted, *_names_read(events)}
    table = events.table
    held = accepted_schema(table)
    rows = workers.read(
        records.files(table.name), pl.Schema({name: held[name] for name in held if name in names})
    )
    if people is not None:
        others = people.rename({"person_key": "people.key"})
        rows = rows.matched(workers.spread(others), {"person_key": "people.key"})
    if events.joined is None:
        return EventRows(rows, partial(_events_of_rows, events))
    joined = events.joined
    prefix = f"{joined.events.name}."
    of_partner = {name.removeprefix(prefix) for name in names if name.startswith(prefix)} | {*joined.on}
    partners = event_rows(workers, records, joined.events, of_partner)
    own = EventRows(rows, partial(_versions, events)).mapped(workers, partial(_only, [*rows.schema, *TIMES]))
    theirs = partners.mapped(
        workers, partial(_partners, [*sorted(of_partner.difference(TIMES)), *TIMES], prefix)
    )
    pairs = own.matched(theirs, {name: prefix + name for name in joined.on})
    return EventRows(pairs, partial(_events_of_pairs, events, joined))


def carried(schema: pl.Schema) -> pl.Schema:
    """Types that every engine can carry: numbers have a sign, categories are words."""
    wider: dict[pl.DataType, pl.DataType] = {
        pl.UInt8(): pl.Int16(), pl.UInt16(): pl.Int32(), pl.UInt32(): pl.Int64(), pl.UInt64(): pl.Int64(),
        pl.Null(): pl.String(),
    }  # fmt: skip
    return pl.Schema({name: _carried(dtype, wider) for name, dtype in schema.items()})


def _carried(dtype: pl.DataType, wider: dict[pl.DataType, pl.DataType]) -> pl.DataType:
    if isinstance(dtype, pl.Enum | pl.Categorical):
        return pl.String()
    return pl.Datetime("us") if isinstance(dtype, pl.Datetime) else wider.get(dtype, dtype)


def _names_read(events: Events) -> set[str]:
    """Every column that making events of rows looks at, the partner's under their prefix."""
    expressions = [occurred_expr(events), known_expr(events), *events.derive.values()]
    expressions += [one for one in (events.where, events.screen) if one is not None]
    names = {name for expression in expressions for name in expression.meta.root_names()}
    names |= {"withdrawn", "superseded_at", *(events.joined.on if events.joined else ())}
    return names if events.table.known_at is None else names | {events.table.known_at}


def _composed(first: Reads, then: Reads, rows: pl.LazyFrame) -> pl.LazyFrame:
    return then(first(rows))


def _in_batches(
    reads: Reads, then: PartWork | None, batches: Iterator[pl.DataFrame]
) -> Iterator[pl.DataFrame]:
    read = (reads(batch.lazy()).collect() for batch in batches)
    yield from read if then is None else then(read)


def _versions(events: Events, rows: pl.LazyFrame) -> pl.LazyFrame:
    return versions_of(rows, events)


def _events_of_rows(events: Events, rows: pl.LazyFrame) -> pl.LazyFrame:
    return told_of(versions_of(rows, events), events)


def _events_of_pairs(events: Events, joined: Joined, pairs: pl.LazyFrame) -> pl.LazyFrame:
    return told_of(timed_as_pairs(pairs, joined), events)


def _only(columns: list[str], rows: pl.LazyFrame) -> pl.LazyFrame:
    return rows.select(columns)


def _partners(columns: list[str], prefix: str, rows: pl.LazyFrame) -> pl.LazyFrame:
    return rows.select(pl.col(columns).name.prefix(prefix))
