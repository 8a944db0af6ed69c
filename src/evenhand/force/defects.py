"""Bad rows, planted on purpose and written down."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from evenhand.force.draws import Draws
from evenhand.force.extracts import Rows
from features.tables import Column, Table

# A spoiled row here would take many good rows of other tables with it.
SPARED = frozenset({"establishment", "identity_map", "role_expectation"})


def spoiled(table: Table, rows: Rows, share: float, draws: Draws) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows with about `share` of them spoiled, and a record [table, defect, column, key, rows]."""
    if table.name in SPARED:
        return rows.frame, _record(table, [])
    chance = draws.of_row(rows.code, f"bad {table.name}")
    plans = [plan for plan in _plans(table) if plan[1] in rows.frame.columns]
    each = share / (len(plans) + 1)
    chosen = np.floor(chance / each).astype(np.int64)
    frame, records = rows.frame, []
    for number, (defect, column, bad) in enumerate(plans):
        hit = pl.Series(chosen == number)
        records.append(_noted(table, frame.filter(hit), defect, column))
        frame = frame.with_columns(pl.when(hit).then(bad).otherwise(pl.col(column)).alias(column))
    twice = frame.filter(pl.Series(chosen == len(plans)))
    records.append(_noted(table, twice, "duplicate_key", table.key[0]))
    return pl.concat([frame, twice]), _record(table, records)


def _plans(table: Table) -> list[tuple[str, str, pl.Expr]]:
    """What can be spoiled in a row of the table: defect, column, and the bad value."""
    plans = [("null_key", table.key[0], pl.lit(None, pl.String()))]
    if table.person == "person_key":
        plans.append(("unknown_person", table.person, pl.lit("P999999")))
    if table.person_number and table.person is not None:
        plans.append(("malformed_number", table.person, pl.lit("U??")))
    for column in table.columns:
        plans += _plans_of(column)
    return plans


def _plans_of(column: Column) -> list[tuple[str, str, pl.Expr]]:
    plans = []
    if column.allowed is not None and column.mark is None:
        plans.append(("unknown_code", column.name, pl.lit("??")))
    if column.minimum is not None and column.mark is None and column.kind == "integer":
        plans.append(
            ("below_minimum", column.name, pl.lit(-60, pl.Int64()) + pl.lit(column.minimum).cast(pl.Int64()))
        )
    if column.at_least is not None:
        plans.append(
            (
                f"{column.name}_before_{column.at_least}",
                column.name,
                pl.col(column.at_least).dt.offset_by("-2d"),
            )
        )
    return plans


def _noted(table: Table, hit: pl.DataFrame, defect: str, column: str) -> pl.DataFrame:
    key = pl.concat_str([pl.col(name).cast(pl.String()) for name in table.key], separator="|")
    return hit.select(table=pl.lit(table.name), defect=pl.lit(defect), column=pl.lit(column), key=key)


def _record(table: Table, parts: list[pl.DataFrame]) -> pl.DataFrame:
    schema: Mapping[str, pl.DataType] = dict.fromkeys(("table", "defect", "column", "key"), pl.String())
    return pl.concat([pl.DataFrame(schema=schema), *parts])
