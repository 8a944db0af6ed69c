"""What it costs to keep trials: the same trials with Optuna's database and MLflow, and with neither.

    python -m benchmarks.tuning [PEOPLE [TRIALS]]

A force is simulated, its features are computed once, and trees are tuned in turns. On a machine that does anything else
two runs of minutes differ by more than keeping costs; so processor time is told as well, and the time of a trial outside
training and ranking, measured within a run. All leave out the first trial, before which stores are made.
"""

from __future__ import annotations

import json
import resource
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import perf_counter, process_time

from benchmarks.measure import Measured, in_turns, told
from evenhand.config import load_config
from evenhand.force.simulate import simulate
from evenhand.workspace import Workspace
from models import tracking
from models.experiment import prepare
from models.ranker import usual_params
from models.tuning import Trial, Tuned, Tuning, tune, tuning_dates

ROOT = Path(__file__).parents[1]
PEOPLE, TRIALS, ROUNDS = 2000, 6, 2
SEED, MONTHS = 7, 84


def asked(folder: Path) -> Tuning:
    """A tuning of the force in a folder."""
    config = load_config(
        force="simulated", data=str(folder / "data"), out=folder / "build", suites=ROOT / "expectations"
    )
    workspace = Workspace(config)
    dates, start = workspace.dates(), usual_params(workspace.force)
    before = dates.tests[0]
    study = prepare(
        workspace.force, workspace.accepted,
        test_as_ofs=tuning_dates(workspace.force, dates.candidates, before=before), train_candidates=dates.candidates,
        until=before, judged_by=before, labels=start.labels, store=workspace.store,
    )  # fmt: skip
    return Tuning(study=study, start=replace(start, seed=SEED), seed=SEED)


def kept(tuning: Tuning, trials: int, runs: Path, ended: Callable[[], None]) -> Tuned:
    shutil.rmtree(runs, ignore_errors=True)
    with tracking.tracked_tuning(runs, tuning.study.force.name, name=tuning.name, key=tuning.key) as run:

        def keep(trial: Trial) -> None:
            tracking.log_trial(run, trial)
            ended()

        return tune(tuning, trials=trials, storage=runs / "tuning", told=keep)


def not_kept(tuning: Tuning, trials: int, runs: Path, ended: Callable[[], None]) -> Tuned:
    return tune(tuning, trials=trials, told=lambda _: ended())


WAYS = {"kept": kept, "not_kept": not_kept}


def once(way: str, folder: Path, trials: int) -> None:
    """Print what all trials but the first took, and how much of it was training and ranking."""
    tuning, ends, used = asked(folder), list[float](), list[float]()

    def ended() -> None:
        ends.append(perf_counter())
        used.append(process_time())

    found = WAYS[way](tuning, trials, folder / "mlruns", ended)
    answer = {
        "trials": [(trial.state, trial.total) for trial in found.trials],
        "within": sum(trial.seconds for trial in found.trials[1:]),
        "processor": used[-1] - used[0],
    }
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": ends[-1] - ends[0], "megabytes": peak, "answer": answer}))


def run(folder: Path, people: int, trials: int, rounds: int) -> list[Measured]:
    """Each way's best time, once both are found to have tried the same."""
    simulate(folder / "data", officers=people, months=MONTHS, seed=SEED, dense=True)
    asked(folder)  # features are computed, so that no way has to
    measured = in_turns(
        "benchmarks.tuning", list(WAYS), [str(folder), str(trials)], dict.fromkeys(WAYS, rounds)
    )
    one, other = (each.answer["trials"] for each in measured)  # type: ignore[index]  # what `once` printed
    assert one == other, f"the ways tried differently: {one} and {other}"
    return measured


def main(people: int = PEOPLE, trials: int = TRIALS, rounds: int = ROUNDS) -> None:
    """Both ways, and what is spent beside training in each."""
    with tempfile.TemporaryDirectory() as folder:
        measured = run(Path(folder), people, trials, rounds)
    told(f"{trials - 1} trials after the first, {people:,} people", measured, "not_kept")
    for one in measured:
        assert isinstance(one.answer, dict)  # what `once` printed
        beside, processor = one.seconds / one.answer["within"] - 1, one.answer["processor"]
        print(f"  {one.way:28} {processor:8.2f} s of processor, {beside:.2%} beside training and ranking")


if __name__ == "__main__":
    match sys.argv[1:]:
        case [way, folder, trials] if way in WAYS:
            once(way, Path(folder), int(trials))
        case sizes:
            main(*map(int, sizes))
