"""Frames written as text, so that a test about time can be checked by a reader who knows no Python."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

import polars as pl

NOTHING = "-"


def frame(text: str, schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """The table drawn in `text`, one line a row, cells apart by `|`, `-` for nothing.

    Columns of `schema` that are not drawn are left out. A time may be given as a date: its midnight.

    >>> frame("person | n\\n P1 | 2\\n P2 | -", {"person": pl.String(), "n": pl.Int64()}).rows()
    [('P1', 2), ('P2', None)]
    """
    head, *lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    names = _cells(head)
    if unknown := set(names) - set(schema):
        raise ValueError(f"the drawn table has columns of no known type: {', '.join(sorted(unknown))}")
    rows = [_cells(line) for line in lines]
    if crooked := [line for line, row in zip(lines, rows, strict=True) if len(row) != len(names)]:
        raise ValueError(f"a drawn row has not the {len(names)} cells of its head: {crooked[0]}")
    columns = {
        name: [_value(row[i], schema[name]) for row in rows] for i, name in enumerate(names)
    }  # fmt: skip
    return pl.DataFrame(columns, schema={name: schema[name] for name in names}, orient="col")


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("|")]


def _value(cell: str, dtype: pl.DataType) -> object:
    if cell == NOTHING:
        return None
    if dtype == pl.Date():
        return date.fromisoformat(cell)
    if dtype == pl.Datetime("us"):
        return datetime.fromisoformat(cell)
    if dtype == pl.Boolean():
        return {"yes": True, "no": False}[cell]
    if dtype.is_integer():
        return int(cell)
    return float(cell) if dtype.is_float() else cell
