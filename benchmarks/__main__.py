"""`make bench`: features by cells against one scan a date, side by side, with peak memory."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

PAIRS = {
    "cells": "one scan and dense sums for all dates",
    "by date": "one filtered group_by a date and window",
}
PEOPLE, MONTHS, SEED, ROUNDS = 2000, 36, 5, 3


def main() -> None:
    """Simulate once, then run the two in turn, each in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        # Apart, because a child process starts with the peak memory of its parent.
        _run("benchmarks.prepare", str(data), str(PEOPLE), str(MONTHS), str(SEED))
        took: dict[str, list[tuple[float, float]]] = {name: [] for name in PAIRS}
        for _ in range(ROUNDS):
            for name in PAIRS:
                seconds, megabytes = _run("benchmarks.counting", name, str(data)).split()
                took[name].append((float(seconds), float(megabytes)))
    best = {name: min(runs) for name, runs in took.items()}
    for name, (seconds, megabytes) in best.items():
        print(f"{name:8} {seconds:6.2f} s {megabytes:7.0f} MB  {PAIRS[name]}")
    print(f"ratio    {best['by date'][0] / best['cells'][0]:6.2f}   (by date / cells, best of {ROUNDS})")


def _run(module: str, *arguments: str) -> str:
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    main()
