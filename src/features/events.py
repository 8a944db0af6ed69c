"""Accepted rows read as the events a declaration speaks of.

The one place where `withdrawn`, screens, derived values, pairs and the two times of a row are applied; the
engine, the labels and the evidence all read through it, so that they cannot disagree on what an event is.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

import polars as pl

from features.definition import ReadKnown
from features.specs import Events, Joined

# Columns that `rows_of` adds; the dot keeps them apart from any declared column.
OCCURRED = "event.occurred_at"
KNOWN = "event.known_at"
SUPERSEDED = "event.superseded_at"

_INSTANT = pl.Datetime("us")
_ROW = ("person_key", "source_row")


class Records(Protocol):
    """Accepted rows, whoever keeps them (`features.accepted.Accepted`, or frames in a test).

    `scan(name)` gives the table's declared columns (its person column as `person_key`), `source_row` and,
    where the table can be corrected, `superseded_at`.
    """

    @property
    def fingerprints(self) -> Mapping[str, str]: ...

    def scan(self, name: str, /) -> pl.LazyFrame: ...


def rows_of(records: Records, events: Events, *, of_people: pl.Series | None = None) -> pl.LazyFrame:
    """Every version of every event, with `event.occurred_at`, `event.known_at`, `event.superseded_at`.

    The row's own columns stand beside them, then the partner's as `"<events>.<column>"` and the derived
    values. A row without one of its two times is not an event. A version that withdraws a row is none
    either: it only ends the version before it. A date is its midnight.

    Args:
        of_people: whose rows alone are read; everybody's where None.
    """
    rows = versions_of(records.scan(events.table.name), events)
    if of_people is not None:
        rows = rows.filter(pl.col("person_key").is_in(of_people.implode()))
    if (joined := events.joined) is not None:
        of_pairs = of_people if "person_key" in joined.on else None
        rows = _paired(rows, rows_of(records, joined.events, of_people=of_pairs), joined)
    return told_of(rows, events)


def versions_of(rows: pl.LazyFrame, events: Events) -> pl.LazyFrame:
    """Accepted rows of a table that may be events, with their three times; no partner is looked at yet."""
    table = events.table
    if "withdrawn" in table.by_name:
        rows = rows.filter(~pl.col("withdrawn"))
    if events.screen is not None:
        rows = rows.filter(events.screen)
    return rows.with_columns(
        occurred_expr(events).cast(_INSTANT).alias(OCCURRED),
        _known(events).alias(KNOWN),
        (pl.col("superseded_at") if table.correctable else pl.lit(None)).cast(_INSTANT).alias(SUPERSEDED),
    )


def told_of(rows: pl.LazyFrame, events: Events) -> pl.LazyFrame:
    """The versions (or pairs of them) that are events, with the derived values."""
    rows = rows.with_columns(**events.derive)
    if events.where is not None:
        rows = rows.filter(events.where)
    return rows.filter(pl.col(OCCURRED).is_not_null() & pl.col(KNOWN).is_not_null())


def occurred_expr(events: Events) -> pl.Expr:
    """When an event happened: as the declaration says, else the table's own column."""
    return _time(events, events.occurred_at, events.table.occurred_at, "occurred_at")


def known_expr(events: Events) -> pl.Expr:
    """When an event became known, as the declaration says, else the table's own column."""
    return _time(events, events.known_at, events.table.known_at, "known_at")


def _time(events: Events, declared: str | pl.Expr | None, of_table: str | None, name: str) -> pl.Expr:
    time = declared if declared is not None else of_table
    if time is None:
        raise ValueError(
            f"events {events.name!r}: table {events.table.name!r} has no {name}, so say how to read it"
        )
    return pl.col(time) if isinstance(time, str) else time


def _known(events: Events) -> pl.Expr:
    """The instant a row was known: never before its table recorded it, whatever the declaration says."""
    known = known_expr(events).cast(_INSTANT)
    if events.known_at is None or events.table.known_at is None:
        return known
    recorded = pl.col(events.table.known_at).cast(_INSTANT)
    return pl.when(known.is_not_null() & recorded.is_not_null()).then(pl.max_horizontal(known, recorded))


def _paired(rows: pl.LazyFrame, partners: pl.LazyFrame, joined: Joined) -> pl.LazyFrame:
    prefix = f"{joined.events.name}."
    pairs = rows.join(
        partners.rename(lambda name: prefix + name),
        left_on=list(joined.on),
        right_on=[prefix + name for name in joined.on],
        how="inner",
        coalesce=False,
    )
    return timed_as_pairs(pairs, joined)


def timed_as_pairs(pairs: pl.LazyFrame, joined: Joined) -> pl.LazyFrame:
    """Rows beside each partner of the same key, with the times of the pair.

    A pair is known once both rows are known and the partner has happened too; it ends with the first of
    the two to be superseded.
    """
    prefix = f"{joined.events.name}."
    return pairs.with_columns(
        pl.max_horizontal(KNOWN, prefix + KNOWN, prefix + OCCURRED).alias(KNOWN),
        pl.min_horizontal(SUPERSEDED, prefix + SUPERSEDED).alias(SUPERSEDED),
    )


def order_in_time(events: Events) -> list[str]:
    """The columns that put rows in order of time; rows of one instant go by their key, so order is no chance.

    A key column that became known after its row does not take part: it would tell of the future.
    """
    table = events.table
    key = [name for name in table.key if table.by_name[name].known_from is None]
    return [OCCURRED, KNOWN, *(name for name in key if name != table.person)]


def stands_at(instant: pl.Expr) -> pl.Expr:
    """Whether a version was known before `instant` and no later version was."""
    superseded = pl.col(SUPERSEDED)
    return (pl.col(KNOWN) < instant) & (superseded.is_null() | (superseded >= instant))


def read_known(records: Records) -> ReadKnown:
    """How a cohort reads: the versions that stood at an instant, without what became known later.

    A column that became known after its row (`Column.known_from`) is empty where that was at or after the
    instant.
    """

    def read(events: Events, instant: datetime) -> pl.DataFrame:
        at = pl.lit(instant, dtype=_INSTANT)
        later = [
            pl.when(pl.col(column.known_from).cast(_INSTANT) < at)
            .then(pl.col(column.name))
            .alias(column.name)
            for column in events.table.columns
            if column.known_from is not None
        ]
        return rows_of(records, events).filter(stands_at(at)).with_columns(later).collect()

    return read
