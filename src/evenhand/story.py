"""What the demo and the notebooks share: a force that is simulated once, the days of its batches, its reviewers."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime, time
from pathlib import Path

import polars as pl

from evenhand.config import Config, load_config
from evenhand.force.reviewers import review
from evenhand.force.simulate import simulate
from evenhand.leads.register import Register
from evenhand.leads.review import outcomes, record_reviews, record_routes
from evenhand.workspace import ANSWER_KEY, Workspace
from features.errors import GateRefused, WrongUsage
from models.release import ReleaseDecision
from models.splits import months_after

LIVE_MONTHS = 6  # of the records, left for scoring and reviewing
BATCH_EVERY = 3
REVIEWER = "simulated reviewer"
TRIAL = (
    "It does not become the champion. The story goes on with it all the same, as a trial: the people are simulated, "
    "and on no other force would a version that the gate refused open a lead."
)

# Among 600 people too few findings settle for any score to qualify as a threshold; among these, on some seeds still.
SMALL_OFFICERS, SMALL_MONTHS, SMALL_SEED = 900, 60, 15
SMALL_DRAWS = 300  # intervals of a story need no third digit


def small_workspace(project: Path) -> Workspace:
    """A workspace on a small simulated force, under `build/notebooks` of the project.

    The force is simulated by the first call and reused by later ones; runs are kept; the register starts
    empty each time, so that no lead of an earlier telling stands in the way.

    Args:
        project: the folder that holds `expectations/` and `governance.toml`.
    """
    folder = (project / "build" / "notebooks").resolve()
    config = load_config(
        force="simulated",
        data=str(folder / "data"),
        out=folder,
        runs=folder / "mlruns",
        suites=project / "expectations",
        governance=project / "governance.toml",
        register_url=f"sqlite:///{folder}/register.db",
        seed=SMALL_SEED,
        study={"draws": SMALL_DRAWS},
    )
    simulate_once(config, officers=SMALL_OFFICERS, months=SMALL_MONTHS)
    empty_register(config)
    return Workspace(config)


def simulate_once(
    config: Config, *, officers: int, months: int, progress: Callable[[str], None] | None = None
) -> None:
    """The dense force of these numbers in the configuration's data folder, written anew unless it is there already.

    Raises:
        WrongUsage: the folder holds something other than a simulated force.
    """
    data = Path(config.data)
    asked = f"{officers} people, {months} months, seed {config.seed}, dense\n"
    told = data / ANSWER_KEY / "asked.txt"
    if told.is_file() and told.read_text() == asked:
        return
    if data.exists() and not (data / ANSWER_KEY).is_dir():
        raise WrongUsage(f"{data} exists and is not a simulated force. Choose another folder: --out DIR.")
    if data.exists():
        shutil.rmtree(data)
    simulate(data, officers=officers, months=months, seed=config.seed, dense=True, progress=progress)
    told.write_text(asked)


def empty_register(config: Config) -> None:
    """Forget the leads and reviews of an earlier telling; the register is a file of the story's own."""
    Path(config.register_url.removeprefix("sqlite:///")).unlink(missing_ok=True)


def batch_days(end: date) -> list[date]:
    """The days on which the cohort is scored, the last of them the end of the records.

    >>> [day.isoformat() for day in batch_days(date(2025, 1, 1))]
    ['2024-07-01', '2024-10-01', '2025-01-01']
    """
    return [months_after(end, -months) for months in range(LIVE_MONTHS, -1, -BATCH_EVERY)]


def ask_for_release(
    workspace: Workspace, version: int, *, reason: str, at: datetime, by: str
) -> ReleaseDecision:
    """Ask for a version to be promoted, and tell what the release gate found; a refusal is kept with the version."""
    decision = workspace.release(version)
    with suppress(GateRefused):
        workspace.promote(version, reason=reason, at=at, by=by)
    return decision


def record_decided(register: Register, workspace: Workspace, *, before: datetime) -> None:
    """Record what simulated reviewers decided before an instant about the files that are still open."""
    files = (
        outcomes(register)
        .filter(pl.col("outcome") == "open")
        .select(lead_id="lead", person_key="person_key", as_of="as_of", opened_at="opened_at")
    )
    if files.is_empty():
        return
    decided = review(Path(workspace.config.data), files, seed=workspace.config.seed, now=before)
    record_reviews(
        register,
        decided.select(
            lead="lead_id",
            outcome="outcome",
            reviewer=pl.lit(REVIEWER),
            reviewed_at="reviewed_at",
            reasons=pl.lit("decided by a simulated reviewer, who errs at times"),
            innocent_explanation=pl.when(pl.col("outcome") == "wrong").then("explanation"),
        ),
        origin="simulated reviewers",
    )
    record_routes(
        register,
        decided.select(lead="lead_id", route="route", decided_by=pl.lit(REVIEWER), decided_at="reviewed_at"),
        origin="simulated reviewers",
    )


def midnight(day: date) -> datetime:
    """The instant a date begins.

    >>> midnight(date(2024, 1, 1))
    datetime.datetime(2024, 1, 1, 0, 0)
    """
    return datetime.combine(day, time())
