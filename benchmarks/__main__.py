"""`make bench`: features by cells against one scan a date, side by side, with peak memory."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from evenhand.config import load_config
from evenhand.force.simulate import simulate
from evenhand.workspace import Workspace

PAIRS = {
    "cells": "one scan and dense sums for all dates",
    "by date": "one filtered group_by a date and window",
}
PEOPLE, MONTHS, SEED, ROUNDS = 2000, 36, 5, 3


def main() -> None:
    """Simulate once, then run the two in turn, each in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        data = simulate(Path(folder) / "data", officers=PEOPLE, months=MONTHS, seed=SEED)
        workspace_of(data).validate()
        took: dict[str, list[tuple[float, float]]] = {name: [] for name in PAIRS}
        for _ in range(ROUNDS):
            for name in PAIRS:
                took[name].append(_measured(name, data))
    best = {name: min(runs) for name, runs in took.items()}
    for name, (seconds, megabytes) in best.items():
        print(f"{name:8} {seconds:6.2f} s {megabytes:7.0f} MB  {PAIRS[name]}")
    print(f"ratio    {best['by date'][0] / best['cells'][0]:6.2f}   (by date / cells, best of {ROUNDS})")


def workspace_of(data: Path) -> Workspace:
    """The workspace beside some extracts."""
    return Workspace(load_config(None, data=str(data), out=data.parent / "out"))


def _measured(name: str, data: Path) -> tuple[float, float]:
    printed = subprocess.run(
        [sys.executable, "-m", "benchmarks.counting", name, str(data)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    seconds, megabytes = printed.split()
    return float(seconds), float(megabytes)


def peak_megabytes() -> float:
    """Peak memory of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
