"""A month's work on a force of the Met's size: what a first run takes, and what the next month adds.

    python -m benchmarks.month [PEOPLE [MONTHS [FOLDER]]]

A force is simulated month by month and its last month held back. Everything before is validated and the whole
catalogue computed for two dozen dates; a model is trained on a small force, whose history is long enough. Then
the held-back month comes in: new rows are validated, everybody is scored with reasons, and leads are opened.
Each command runs in a process of its own, as a force would run it. A FOLDER given is kept and used again.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from time import perf_counter

from models.splits import months_after

BEGINS = date(2020, 1, 1)
SEED, DATES = 7, 24
# A model may not score what it has learnt from, so its lessons lie before the large force's records.
TAUGHT_ON = ("--officers", "2000", "--months", "60", "--dense", "--seed", "8", "--start", "2015-01-01")
ROOT = Path(__file__).parents[1]


def main(people: int = 46_000, months: int = 36, folder: Path | None = None) -> None:
    """Print what each command took."""
    if folder is None:
        with tempfile.TemporaryDirectory() as name:
            _run(people, months, Path(name))
    else:
        folder.mkdir(parents=True, exist_ok=True)
        _run(people, months, folder.resolve())


def _run(people: int, months: int, home: Path) -> None:
    for name in ("expectations", "governance.toml"):
        if not (home / name).exists():
            (home / name).symlink_to(ROOT / name)
    data = home / "data"
    end = months_after(BEGINS, months)
    if not data.is_dir():
        size = ("--officers", str(people), "--months", str(months + 1), "--seed", str(SEED))
        _command(home, "simulate", *size, "--by-month", "--out", str(data))
        _command(home, "simulate", *TAUGHT_ON, "--out", str(home / "taught-on"))
    _hold_back(data, home / "later", f"{end:%Y-%m}")
    _command(home, "validate", "--data", str(data))
    dates = ("--from", str(months_after(end, 1 - DATES)), "--to", str(end), "--every", "1mo")
    _command(home, "features", "--data", str(data), *dates)
    small = {**os.environ, "EVENHAND_OUT": "taught"}
    _command(home, "train", "--data", str(home / "taught-on"), environment=small)
    _command(home, "promote", "candidate", "--reason", "a month's work", "--by", "the benchmark")
    print("the next month:")
    _bring_back(home / "later", data)
    _command(home, "validate", "--data", str(data))
    _command(home, "score", "--data", str(data), "--as-of", str(months_after(end, 1)))


def _hold_back(data: Path, later: Path, month: str) -> None:
    for part in sorted(data.rglob(f"{month}.parquet")):
        aside = later / part.relative_to(data)
        aside.parent.mkdir(parents=True, exist_ok=True)
        part.replace(aside)


def _bring_back(later: Path, data: Path) -> None:
    for part in sorted(later.rglob("*.parquet")):
        part.replace(data / part.relative_to(later))


def _command(home: Path, *arguments: str, environment: dict[str, str] | None = None) -> None:
    """Run one command of Evenhand and print its wall time and peak memory."""
    command: Sequence[str] = (sys.executable, "-m", "evenhand.cli", *arguments)
    log = home / f"{arguments[0]}.log"
    began = perf_counter()
    with log.open("w", encoding="utf-8") as said:
        process = subprocess.Popen(command, cwd=home, stdout=said, stderr=said, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
    took = perf_counter() - began
    if status:
        raise RuntimeError(f"{' '.join(arguments)} failed:\n{log.read_text('utf-8')[-2000:]}")
    print(f"  {arguments[0]:10} {took:8.1f} s {usage.ru_maxrss / 1024:7.0f} MB", flush=True)


if __name__ == "__main__":
    match sys.argv[1:]:
        case [people, months, folder]:
            main(int(people), int(months), Path(folder))
        case [people, months]:
            main(int(people), int(months))
        case _:
            main()
