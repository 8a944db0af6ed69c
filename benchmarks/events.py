"""Event rows as ingestion leaves them, at any number: what the feature benchmarks read.

People differ widely in how much they do (lognormal), nine rows in ten reach the record within minutes, eight
in a hundred within days, two in a hundred within months. Values are quarters, so that every way of adding
them up gives the same sum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from features.specs import Aggregate, Events, Idea, count, largest, mean, smallest, total
from features.tables import Column, Table

TABLE = Table(
    name="access",
    says="one use of a system",
    source_system="BENCHMARK",
    key=("source_row",),
    columns=(
        Column(name="person_key", kind="string", says="the person"),
        Column(name="source_row", kind="integer", says="the row"),
        Column(name="occurred_at", kind="datetime", says="when it happened"),
        Column(name="known_at", kind="datetime", says="when it was recorded"),
        Column(name="value", kind="number", says="an amount", minimum=0),
    ),
)
EVENTS = Events(name="access", table=TABLE, says="one use of a system")
FIRST, LAST = datetime(2021, 1, 1), datetime(2024, 1, 1)
AGGREGATES: Mapping[str, Aggregate] = {
    "n": count(EVENTS),
    "sum": total(EVENTS, "value"),
    "mean": mean(EVENTS, "value"),
    "min": smallest(EVENTS, "value"),
    "max": largest(EVENTS, "value"),
}
ROWS_AT_A_TIME = 2_000_000
ROW_GROUP = 500_000
_DAY = 86_400_000_000
_MINUTE = 60_000_000


@dataclass(frozen=True)
class EventsOnDisk:
    """Accepted rows in one Parquet file, with the interface that the engine reads through."""

    path: Path

    @property
    def fingerprints(self) -> Mapping[str, str]:
        return {TABLE.name: str(self.path.stat().st_size)}

    def scan(self, name: str, /) -> pl.LazyFrame:
        return pl.scan_parquet(self.path)


def people(n_people: int) -> pl.DataFrame:
    return pl.DataFrame({"person_key": [f"P{number:06d}" for number in range(n_people)]})


def monthly(n_dates: int) -> list[date]:
    """The last `n_dates` firsts of a month before the records end."""
    months = range(2024 * 12 - n_dates, 2024 * 12)
    return [date(month // 12, month % 12 + 1, 1) for month in months]


def ideas(windows: tuple[int, ...]) -> tuple[Idea, ...]:
    return tuple(
        Idea(name=name, says=name, of=of, unit="", family="", windows=windows)
        for name, of in AGGREGATES.items()
    )


def written(path: Path, n_rows: int, n_people: int, seed: int) -> Path:
    """Write `n_rows` rows in order of time, unless they stand there already."""
    if path.is_file() and pq.ParquetFile(path).metadata.num_rows == n_rows:
        return path
    rng = np.random.default_rng(seed)
    busy = np.cumsum(rng.lognormal(0, 1, n_people))
    parts = max(1, -(-n_rows // ROWS_AT_A_TIME))
    edges = np.linspace(0, n_rows, parts + 1).astype(np.int64)
    days = np.linspace(0, (LAST - FIRST).days, parts + 1)
    writer: pq.ParquetWriter | None = None
    for part in range(parts):
        low, high = int(edges[part]), int(edges[part + 1])
        rows = _rows(rng, busy, low, high, float(days[part]), float(days[part + 1]))
        writer = writer or pq.ParquetWriter(path, rows.schema, compression="zstd", compression_level=1)
        writer.write_table(rows, row_group_size=ROW_GROUP)
    assert writer is not None
    writer.close()
    return path


def _rows(rng: np.random.Generator, busy: np.ndarray, low: int, high: int, begins: float, ends: float):  # type: ignore[no-untyped-def]  # a pyarrow table, which has no stubs
    n = high - low
    origin = int(FIRST.timestamp() - datetime(1970, 1, 1).timestamp()) * 1_000_000
    occurred = origin + np.sort(rng.integers(int(begins * _DAY), int(ends * _DAY), n))
    draw, late = rng.random(n), rng.exponential(1.0, n)
    mean_lag = np.select([draw < 0.90, draw < 0.98], [2 * _MINUTE, 4 * _DAY], 60 * _DAY)
    person = np.searchsorted(busy, rng.random(n) * busy[-1])
    keys = pl.Series([f"P{number:06d}" for number in range(len(busy))])
    return pl.DataFrame(
        {
            "person_key": keys.gather(pl.Series(person, dtype=pl.UInt32)),
            "source_row": np.arange(low, high),
            "occurred_at": pl.Series(occurred).cast(pl.Datetime("us")),
            "known_at": pl.Series(occurred + 1 + (late * mean_lag).astype(np.int64)).cast(pl.Datetime("us")),
            "value": np.round(rng.gamma(2, 10, n) * 4) / 4,
        }
    ).to_arrow(compat_level=pl.CompatLevel.oldest())
