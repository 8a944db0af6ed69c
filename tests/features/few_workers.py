"""Workers that are this machine: frames of Polars or DuckDB, a few rows at a time, through the same narwhals."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import duckdb
import narwhals as nw
import polars as pl

from features.cluster.frames import GroupWork, PartWork, Spread, numbered
from tests.features.small_force import InMemory


class FewWorkers:
    """`features.cluster.frames.Workers` in this process.

    Args:
        lazy: makes a narwhals frame of one in Polars.
        rows_in_batch: so few that no test has but one batch.
    """

    def __init__(self, lazy: Callable[[pl.DataFrame], nw.LazyFrame[Any]], *, rows_in_batch: int = 40) -> None:
        self.lazy = lazy
        self.rows_in_batch = rows_in_batch

    def read(self, files: Sequence[Path], schema: pl.Schema, /) -> Spread:
        return self.spread(
            pl.read_parquet(list(files), columns=schema.names()).select(schema.names())
            if files
            else pl.DataFrame(schema=schema)
        )

    def spread(self, frame: pl.DataFrame, /) -> Spread:
        return Spread(self.lazy(frame.rename(numbered(frame.schema))), frame.schema)

    def by_part(self, rows: Spread, work: PartWork, schema: pl.Schema, /) -> Spread:
        parts = self.gathered(rows).iter_slices(self.rows_in_batch)
        return self.spread(_together(work(parts), schema))

    def by_group(self, rows: Spread, key: str, work: GroupWork, schema: pl.Schema, /) -> Spread:
        groups = self.gathered(rows).partition_by(key)
        return self.spread(_together(map(work, groups), schema))

    def gathered(self, rows: Spread, /) -> pl.DataFrame:
        found = rows.frame.collect(backend="polars").to_native()
        return found.rename({number: name for name, number in numbered(rows.schema).items()}).cast(
            rows.schema
        )


def _together(frames: Iterable[pl.DataFrame], schema: pl.Schema) -> pl.DataFrame:
    cast = (frame.select(schema.names()).cast(schema) for frame in frames)
    return pl.concat([pl.DataFrame(schema=schema), *cast])


class _Connections(threading.local):
    """A connection for each thread: DuckDB's own default serves one at a time."""

    def __init__(self) -> None:
        self.duckdb = duckdb.connect()


_CONNECTIONS = _Connections()

POLARS = FewWorkers(lambda frame: nw.from_native(frame.lazy()))
DUCKDB = FewWorkers(lambda frame: nw.from_native(_CONNECTIONS.duckdb.from_arrow(frame.to_arrow())))


class OnDisk(InMemory):
    """Accepted rows of a test, each table a Parquet file in two parts."""

    def __init__(self, records: InMemory, folder: Path) -> None:
        super().__init__(records.frames)
        self.folder = folder
        for name, frame in self.frames.items():
            half = len(frame) // 2
            for i, part in enumerate((frame[:half], frame[half:])):
                part.write_parquet(folder / f"{name}.{i}.parquet")

    def files(self, name: str, /) -> list[Path]:
        return [self.folder / f"{name}.{i}.parquet" for i in (0, 1)]
