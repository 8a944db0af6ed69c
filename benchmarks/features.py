"""Point-in-time features of event rows, several ways: counts, sums, means, least and most through windows.

    python -m benchmarks.features [ROWS [PEOPLE [DATES [ROUNDS]]]]

Ours answers for every person, date and window what was known by then. `group_by` is the floor: one plain Polars
group_by of the same rows, without dates or windows. `by date` scans once a date. `DuckDB` does what ours does in
SQL. `timeseriesflattener` knows one time only, so that it and `ours, one time` are held to that work; it is
measured where `make .venv-flattener` has made its environment.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from benchmarks.events import (
    AGGREGATES,
    EVENTS,
    TABLE,
    EventsOnDisk,
    monthly,
    people,
    written,
)
from benchmarks.measure import Measured, apart, in_turns, once, told
from features.specs import Aggregate, Events

if TYPE_CHECKING:
    from features.engine import Block

WINDOWS = (28, 90, 180, 365)
SEED, ROUNDS = 7, 3
# It holds every row beside every date: 46,000 people's ten million rows take some gigabytes.
MOST_FLATTENED = 10_000_000
SLOW = {"by date": 1}
FLATTENER = Path(__file__).parents[1] / ".venv-flattener/bin/python"
BITEMPORAL = ("ours", "group_by", "by date", "DuckDB")
# Known the moment it happened: what a way that has one time only can be asked.
AT_ONCE = Events(name="at once", table=replace(TABLE, known_at="occurred_at"), says="one use of a system")

Answer = dict[str, float]


def ours(path: Path, n_people: int, dates: list[date], of: Events = EVENTS) -> Answer:
    from features.engine import prepare
    from features.peers import Ask

    asks = {
        f"{name}_{days}": Ask(Aggregate(events=of, how=one.how, value=one.value), days)
        for name, one in AGGREGATES.items()
        for days in WINDOWS
    }
    engine = prepare(EventsOnDisk(path), list(asks.values()), people(n_people), dates)
    found = {name: np.empty((n_people, len(dates))) for name in asks}

    def fill(block: Block) -> None:
        for name, ask in asks.items():
            found[name][block.low : block.high] = block.numbers(ask.term, ask.window)

    with ThreadPoolExecutor(pl.thread_pool_size()) as threads:
        list(threads.map(fill, engine.blocks()))
    return {name: float(np.nansum(values)) for name, values in found.items()}


def group_by(path: Path, n_people: int, dates: list[date]) -> Answer:
    value = pl.col("value")
    pl.scan_parquet(path).group_by("person_key").agg(
        n=pl.len(), sum=value.sum(), mean=value.mean(), min=value.min(), max=value.max()
    ).collect(engine="streaming")
    return {}


def by_date(path: Path, n_people: int, dates: list[date]) -> Answer:
    tables = [_on_date(pl.scan_parquet(path), datetime.combine(day, time())) for day in dates]
    return _summed(pl.concat(tables))


def _on_date(rows: pl.LazyFrame, midnight: datetime) -> pl.DataFrame:
    def within(days: int) -> pl.Expr:
        return pl.col("value").filter(pl.col("occurred_at") >= midnight - timedelta(days=days))

    hows = {"n": "len", "sum": "sum", "mean": "mean", "min": "min", "max": "max"}
    longest = midnight - timedelta(days=max(WINDOWS))
    return (
        rows.filter(
            pl.col("known_at") < midnight,
            pl.col("occurred_at") < midnight,
            pl.col("occurred_at") >= longest,
        )
        .group_by("person_key")
        .agg(
            getattr(within(days), how)().cast(pl.Float64).alias(f"{name}_{days}")
            for days in WINDOWS
            for name, how in hows.items()
        )
        .collect(engine="streaming")
    )


def _summed(table: pl.DataFrame) -> Answer:
    columns = [f"{name}_{days}" for name in AGGREGATES for days in WINDOWS]
    return table.select(pl.col(columns).cast(pl.Float64).fill_nan(None).sum()).row(0, named=True)


def duckdb(path: Path, n_people: int, dates: list[date]) -> Answer:
    """The same cells in SQL: rows grouped by person, stretch of time and date they count from, then spread."""
    import duckdb as duck

    from features.windows import Timeline

    line = Timeline.of(dates, WINDOWS)
    low, interval, first = line.tables_of_days()
    days = pl.DataFrame({"day": np.arange(low, low + len(first)), "b": interval, "a": first})
    cells = [(b, a) for b in range(len(line.starts)) for a in range(len(dates))]
    spread = pl.DataFrame(
        [
            (b, a, t, *(bool(line.as_ofs[t] - w <= line.starts[b] < line.as_ofs[t]) for w in WINDOWS))
            for b, a in cells
            for t in range(a, len(dates))
            if line.as_ofs[t] - max(WINDOWS) <= line.starts[b] < line.as_ofs[t]
        ],
        schema=["b", "a", "t", *(f"w{w}" for w in WINDOWS)],
        orient="row",
    )
    wide = ", ".join(
        f"sum(n) filter (w{w}) as n_{w}, sum(s) filter (w{w}) as sum_{w}, "
        f"sum(s) filter (w{w}) / sum(n) filter (w{w}) as mean_{w}, "
        f"min(lo) filter (w{w}) as min_{w}, max(hi) filter (w{w}) as max_{w}"
        for w in WINDOWS
    )
    with duck.connect(config={"threads": pl.thread_pool_size()}) as connection:
        connection.register("days", days.to_arrow())
        connection.register("spread", spread.to_arrow())
        found = connection.sql(f"""
            with cells as (
                select person_key, d.b, k.a, count(*) n, sum(value) s, min(value) lo, max(value) hi
                from '{path}' join days d on d.day = date_diff('day', date '1970-01-01', occurred_at)
                join days k on k.day = date_diff('day', date '1970-01-01', greatest(occurred_at, known_at))
                where d.b >= 0 and k.a < {len(dates)} group by all
            )
            select person_key, t, {wide} from cells join spread using (b, a) group by all
        """).pl()
    return _summed(found)


WAYS: dict[str, tuple[Callable[[Path, int, list[date]], Answer], tuple[str, ...]]] = {
    "ours": (ours, ("features.engine",)),
    "group_by": (group_by, ()),
    "by date": (by_date, ()),
    "DuckDB": (duckdb, ("duckdb", "features.windows")),
    "ours, one time": (partial(ours, of=AT_ONCE), ("features.engine",)),
}


def run(
    path: Path, n_rows: int, n_people: int, n_dates: int, rounds: int, ways: tuple[str, ...]
) -> list[Measured]:
    """Each way's best time, once those that do the same are found to say the same."""
    written(path, n_rows, n_people, SEED)
    times = {way: min(rounds, SLOW.get(way, rounds)) for way in ways}
    measured = in_turns("benchmarks.features", ways, ["run", str(path), str(n_people), str(n_dates)], times)
    _assert_same([one for one in measured if one.answer])
    return measured


def at_once(path: Path, n_rows: int, n_people: int, n_dates: int) -> list[Measured]:
    """Ours and timeseriesflattener where a row is known when it happens, once they are found to say the same."""
    ours_at_once = run(path, n_rows, n_people, n_dates, 1, ("ours, one time",))
    asked = (",".join(map(str, listed)) for listed in (monthly(n_dates), WINDOWS))
    told_by = apart("benchmarks.flattener", str(path), str(n_people), *asked, python=str(FLATTENER))
    measured = [*ours_at_once, Measured("timeseriesflattener", **json.loads(told_by))]
    _assert_same(measured)
    return measured


def _assert_same(measured: list[Measured]) -> None:
    first, *others = measured
    for other in others:
        assert isinstance(first.answer, dict)
        assert isinstance(other.answer, dict)
        for name, value in first.answer.items():
            assert np.isclose(other.answer[name], value, rtol=1e-9), (
                other.way,
                name,
                other.answer[name],
                value,
            )


def main(n_rows: int = 10_000_000, n_people: int = 46_000, n_dates: int = 24, rounds: int = ROUNDS) -> None:
    """The floor, a scan a date, SQL, and on the work it can do timeseriesflattener."""
    sizes = f"{n_rows:,} rows, {n_people:,} people, {n_dates} dates, {len(WINDOWS)} windows"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.parquet"
        told(
            f"{sizes}, known and happened",
            run(path, n_rows, n_people, n_dates, rounds, BITEMPORAL),
            "group_by",
        )
        if not FLATTENER.exists():
            print("timeseriesflattener is not measured: make .venv-flattener")
        elif n_rows <= MOST_FLATTENED:
            told(
                f"{sizes}, known when it happens",
                at_once(path, n_rows, n_people, n_dates),
                "ours, one time",
            )


if __name__ == "__main__":
    match sys.argv[1:]:
        case [way, "run", path, n_people, n_dates]:
            do, imports = WAYS[way]
            once(lambda: do(Path(path), int(n_people), monthly(int(n_dates))), imports)
        case sizes:
            main(*map(int, sizes))
