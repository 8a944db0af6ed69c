"""What simulating a force takes, table by table, in a process of its own.

python -m benchmarks.force [PEOPLE [MONTHS]]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import polars as pl

from benchmarks.measure import apart, once

SEED = 7


def main(people: int = 46_000, months: int = 36) -> None:
    """Wall time, peak memory and rows of each table."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        print(f"simulating {people:,} people over {months} months")
        print(f"  {apart('benchmarks.force', 'run', str(people), str(months), str(data))}")
        for path in sorted(data.glob("*.parquet")):
            print(f"  {path.stem:20} {pl.scan_parquet(path).select(pl.len()).collect().item():14,} rows")


def _simulate(people: int, months: int, data: Path) -> None:
    from evenhand.force.simulate import simulate

    simulate(data, officers=people, months=months, seed=SEED)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["run", people, months, data]:
            once(lambda: _simulate(int(people), int(months), Path(data)), ["evenhand.force.simulate"])
        case sizes:
            main(*map(int, sizes))
