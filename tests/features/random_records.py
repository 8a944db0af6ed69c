"""Random accepted records of any declared tables: late, corrected, withdrawn, and often right on an edge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from random import Random

import polars as pl

from features.tables import Column, Table
from tests.features.small_force import InMemory, as_accepted

AS_OFS = (date(2023, 7, 1), date(2024, 1, 1), date(2024, 1, 15))
# A leap day and the day after, a month's last days, and the days on which UK clocks change and the days after.
AWKWARD = (date(2023, 10, 29), date(2023, 10, 30), date(2024, 2, 29), date(2024, 3, 1), date(2024, 3, 31), date(2024, 4, 1))  # fmt: skip
WINDOWS = (30, 60, 90, 365, 730)
PEOPLE = ("P000001", "P000002", "P000003")
TINY = timedelta(microseconds=1)


def random_rows(
    tables: Sequence[Table], seed: int, *, rows_a_table: int = 24, edges: Sequence[date] = AS_OFS
) -> dict[str, pl.DataFrame]:
    """Rows of each table as an extract holds them, versions of correctable rows among them.

    Args:
        edges: dates at whose midnights, or a window before them, every third time lies.
    """
    random = _AtEdges(seed, edges)
    return {
        table.name: pl.DataFrame(_rows(table, random, rows_a_table), schema=table.schema, orient="row")
        for table in tables
        if not table.enclave
    }


class _AtEdges(Random):
    """Random numbers, and the dates whose edges matter."""

    def __init__(self, seed: int, edges: Sequence[date]) -> None:
        super().__init__(seed)
        self.edges = edges


def accepted(tables: Sequence[Table], rows: Mapping[str, pl.DataFrame]) -> InMemory:
    """Rows as ingestion leaves them."""
    return InMemory(
        {table.name: as_accepted(table, rows[table.name]) for table in tables if table.name in rows}
    )


def _rows(table: Table, random: _AtEdges, n: int) -> list[tuple[object, ...]]:
    rows = []
    for i in range(n):
        row = _row(table, random, i)
        rows.append(row)
        while table.correctable and random.random() < 0.4:
            row = _next_version(table, random, row)
            rows.append(row)
    random.shuffle(rows)
    return [tuple(row[column.name] for column in table.columns) for row in rows]


def _row(table: Table, random: _AtEdges, number: int) -> dict[str, object]:
    row = {column.name: _value(table, column, random, number) for column in table.columns}
    if table.occurred_at is not None and table.known_at is not None:
        occurred = row[table.occurred_at]
        assert isinstance(occurred, date)
        delay = random.choice([timedelta(0), TINY, timedelta(hours=5), timedelta(days=random.randrange(200))])
        row[table.known_at] = occurred + delay
    if "withdrawn" in row:
        row["withdrawn"] = False
    return row


def _next_version(table: Table, random: _AtEdges, row: Mapping[str, object]) -> dict[str, object]:
    """A later version: other values, sometimes another time or person, sometimes taken back."""
    key = {name: row[name] for name in table.key}
    new = _row(table, random, 0) | key
    assert table.known_at is not None
    before = row[table.known_at]
    assert isinstance(before, datetime)
    new[table.known_at] = before + random.choice(
        [TINY, timedelta(hours=5), timedelta(days=random.randrange(1, 120))]
    )
    return new | {"withdrawn": random.random() < 0.3}


def _value(table: Table, column: Column, random: _AtEdges, number: int) -> object:
    if column.name == table.person or column.name == "amended_by_key":
        return random.choice(PEOPLE)
    if (
        column.name in table.key
        and column.kind == "string"
        and not column.allowed
        and table.key == (column.name,)
    ):
        return f"{number}"
    share_empty = 0.9 if column.name == "leaver_date" else 0.2  # a cohort should have somebody in it
    if (
        column.nullable
        and random.random() < share_empty
        and column.name not in (table.occurred_at, table.known_at)
    ):
        return None
    if column.allowed is not None:
        return random.choice(column.allowed)
    match column.kind:
        case "string":
            return f"{random.randrange(6)}"
        case "integer":
            low, high = int(column.minimum or 0), int(column.maximum or 300)
            return random.choice(
                [low, high, random.randrange(low, high + 1), random.choice([30, 60, 90, 240])]
            )
        case "number":
            return round(random.uniform(column.minimum or 0, column.maximum or 50), 3)
        case "boolean":
            return random.random() < 0.5
        case "date":
            return _instant(random).date()
        case "datetime":
            return _instant(random)


def _instant(random: _AtEdges) -> datetime:
    """Some time around the as-of dates, every third time within a microsecond of an edge of a window."""
    if random.random() < 1 / 3:
        edge = random.choice(random.edges) - timedelta(days=random.choice((0, *WINDOWS)))
        hours = timedelta(hours=random.choice((0, 0, 1, 2)))  # clocks go at one and at two
        return datetime.combine(edge, time()) + hours + random.choice([-TINY, timedelta(0), TINY])
    return datetime(2024, 3, 1) - timedelta(seconds=random.randrange(900 * 86400))
