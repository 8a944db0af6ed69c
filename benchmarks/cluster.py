"""The same features of event rows by the local engine and by Spark on the same machine.

    python -m benchmarks.cluster [ROWS [PEOPLE [DATES [ROUNDS]]]]

Spark's time includes starting its session, of which `session alone` is the measure. Both ways must find the
same, or the run fails. The memory is that of the Python process that asks: Spark's own machine and its workers
come on top of it.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.events import AGGREGATES, EVENTS, EventsOnDisk, monthly, people, written
from benchmarks.measure import in_turns, once, told
from features.cluster.prepare import reader_on
from features.cluster.spark import workers_on_spark
from features.engine import Reader, this_machine
from features.peers import Ask
from features.specs import distinct

WINDOWS = (28, 90, 180, 365)
SEED = 7
WAYS = ("local", "spark local[2]", "session alone")

Answer = dict[str, float]


@dataclass(frozen=True)
class EventFiles(EventsOnDisk):
    def files(self, name: str, /) -> list[Path]:
        return [self.path]


def through(reader: Reader, path: Path, n_people: int, dates: list[date]) -> Answer:
    """What a reader finds, added up over people and dates: counts, sums, extremes, and different values."""
    terms = {**AGGREGATES, "different": distinct(EVENTS, "value")}
    asks = {f"{name}_{days}": Ask(term, days) for name, term in terms.items() for days in WINDOWS}
    engine = reader.prepare(EventFiles(path), list(asks.values()), people(n_people), dates, None)
    found = dict.fromkeys(asks, 0.0)
    for block in engine.blocks():
        for name, ask in asks.items():
            found[name] += float(np.nansum(block.numbers(ask.term, ask.window)))
    return found


def on_spark(path: Path, n_people: int, dates: list[date]) -> Answer:
    with workers_on_spark({}) as workers:
        return through(reader_on(workers), path, n_people, dates)


def session_alone() -> Answer:
    with workers_on_spark({}):
        return {}


def main(rows: str = "1000000", n_people: str = "5000", n_dates: str = "12", rounds: str = "2") -> None:
    """Write the rows once, then run the ways in turn, each in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder) / "events.parquet", int(rows), int(n_people), SEED)
        local, spark, alone = in_turns(
            "benchmarks.cluster", WAYS, (str(path), n_people, n_dates), dict.fromkeys(WAYS, int(rounds))
        )
    if local.answer != spark.answer:
        raise AssertionError(f"found differently: {local.answer} by this machine, {spark.answer} by Spark")
    told(
        f"{int(rows):,} rows, {n_people} people, {n_dates} dates, best of {rounds}",
        (local, spark, alone),
        "local",
    )


def one_way(way: str, path: str, n_people: str, n_dates: str) -> None:
    arguments = (Path(path), int(n_people), monthly(int(n_dates)))
    ways = {
        "local": partial(through, this_machine(), *arguments),
        "spark local[2]": partial(on_spark, *arguments),
        "session alone": session_alone,
    }
    once(ways[way], ["features.engine"])


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] in WAYS:
        one_way(*sys.argv[1:])
    else:
        main(*sys.argv[1:])
