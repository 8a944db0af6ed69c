"""Ways of doing one thing, each in a process of its own, in turns."""

from __future__ import annotations

import importlib
import json
import resource
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter


@dataclass(frozen=True)
class Measured:
    """The best of some rounds of one way.

    `answer` is what the way found, so that ways can be held to the same.
    """

    way: str
    seconds: float
    megabytes: float
    answer: object


def in_turns(
    module: str, ways: Sequence[str], arguments: Sequence[str], rounds: Mapping[str, int]
) -> list[Measured]:
    """Run each way of a benchmark module `rounds[way]` times, turn by turn, so that all meet the same machine."""
    took: dict[str, list[Measured]] = {way: [] for way in ways}
    for turn in range(max(rounds[way] for way in ways)):
        for way in ways:
            if turn < rounds[way]:
                took[way].append(Measured(way, **json.loads(apart(module, way, *arguments))))
    return [min(runs, key=lambda one: one.seconds) for runs in took.values()]


def apart(module: str, *arguments: str, python: str = sys.executable) -> str:
    """The last line that a benchmark module prints, run in a process whose peak memory is nobody else's."""
    command = [python, "-m", module, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{module} {' '.join(arguments)} failed:\n{done.stderr[-2000:]}")
    return (done.stdout.strip().splitlines() or [""])[-1]


def once(way: Callable[[], object], imports: Iterable[str]) -> None:
    """Do one thing once and print what it took, for `in_turns`; importing is no part of it."""
    for name in imports:
        importlib.import_module(name)
    began = perf_counter()
    answer = way()
    took = perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": took, "megabytes": peak, "answer": answer}))


def told(title: str, measured: Sequence[Measured], against: str) -> None:
    """One line a way, with how many times as long as `against` it took."""
    base = next(one for one in measured if one.way == against)
    print(title)
    for one in measured:
        ratio = f"{one.seconds / base.seconds:7.2f} x" if one is not base else ""
        print(f"  {one.way:28} {one.seconds:8.2f} s {one.megabytes:7.0f} MB {ratio}")
