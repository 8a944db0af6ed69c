"""Rows as a source system would export them: identifiers, spoiled rows, order, Parquet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from evenhand.force.draws import Ints, scrambled
from features.tables import Column, Table

# Past this many rows a group ends; fixed, so that the file's bytes do not hang on the machine.
ROW_GROUP = 250_000


@dataclass(frozen=True, eq=False)
class Rows:
    """A table's rows and the code of each, by which its own draws are found."""

    frame: pl.DataFrame
    code: Ints


def id_series(letter: str, codes: Ints) -> pl.Series:
    """Row identifiers: a letter and fourteen digits that say nothing of the row."""
    return (
        pl.Series(scrambled(codes) + 10**14)
        .cast(pl.String())
        .str.slice(1)
        .to_frame("number")
        .select(pl.concat_str(pl.lit(letter), "number"))
        .to_series()
    )


def _plain(column: Column) -> pl.Expr:
    """A column that no system fills yet: empty where it may be, the plainest value elsewhere."""
    if column.nullable:
        return pl.lit(None, column.dtype)
    if column.allowed is not None:
        return pl.lit(column.allowed[0])
    if column.kind == "datetime":
        return pl.col("known_at")
    return pl.lit("-" if column.kind == "string" else 1).cast(column.dtype)


def known_before(day: date, rows: pl.LazyFrame, table: Table) -> pl.LazyFrame:
    """The rows known before a day, with the declared columns and types, in order of arrival."""
    order = [name for name in (table.known_at, *table.key) if name is not None]
    have = rows.collect_schema().names()
    rows = rows.with_columns(
        _plain(column).alias(column.name) for column in table.columns if column.name not in have
    )
    return (
        rows.filter(pl.col("known_at") < pl.lit(day).cast(pl.Datetime("us")))
        .select(pl.col(name).cast(dtype) for name, dtype in table.schema.items())
        .sort(order, nulls_last=True, maintain_order=True)
    )


def write(rows: pl.LazyFrame, table: Table, directory: Path) -> Path:
    """Write a table's extract where its kind belongs."""
    folder = directory / "enclave" if table.enclave else directory
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{table.name}.parquet"
    rows.collect().rechunk().write_parquet(
        path, compression="zstd", compression_level=1, row_group_size=ROW_GROUP
    )
    return path


def recoded(rows: pl.LazyFrame, permutations: Mapping[str, Mapping[str, str]]) -> pl.LazyFrame:
    """The rows with some columns' codes exchanged for others."""
    return rows.with_columns(pl.col(column).replace(dict(codes)) for column, codes in permutations.items())
