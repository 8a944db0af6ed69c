"""The whole story on a simulated force, in one command.

The model knows only what was recorded half a year before the records end. It then scores quarter by quarter,
simulated reviewers decide with errors and delay, and at the end of the records the lists are compared with
what the reviewers found.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import date, datetime, time
from pathlib import Path

import polars as pl

from evenhand.config import Config
from evenhand.force.reviewers import review
from evenhand.force.simulate import simulate
from evenhand.leads.register import Register
from evenhand.leads.review import outcomes, record_reviews, record_routes
from evenhand.steps import print_account, print_comparison
from evenhand.terminal import heading, say, show
from evenhand.workspace import ANSWER_KEY, ScoredBatch, TrainedRun, Workspace
from features.errors import WrongUsage
from models.splits import months_after

LIVE_MONTHS = 6  # of the records, left for scoring and reviewing
BATCH_EVERY = 3
REVIEWER = "simulated reviewer"


def run_demo(config: Config, *, officers: int, months: int, progress: Callable[[str], None]) -> None:
    """Simulate, validate, train, score, review, compare and write a card; print what each step made.

    Args:
        config: a workspace whose data and output lie in a folder that is the demo's own.
    """
    _simulate_once(config, officers=officers, months=months, progress=progress)
    # The register is the demo's own and is written anew, so that a second run tells the same story.
    Path(config.register_url.removeprefix("sqlite:///")).unlink(missing_ok=True)
    workspace = Workspace(config, progress=progress)

    heading("1. What was recorded: accepted, quarantined, not joined")
    print_account(workspace.validate())

    end = workspace.extent[1]
    opening = months_after(end, -LIVE_MONTHS)
    heading(f"2. A model that knows what was recorded before {opening}, against the baselines")
    trained = workspace.train(name="demo", until=opening)
    _print_features(workspace, trained)

    workspace.promote(
        trained.registered.version, reason="the demo's first model", at=midnight(opening), by="demo"
    )
    heading("3. Quarterly batches, each reviewed before the next")
    batches = _score_and_review(workspace, opening, end)
    for scored in batches:
        if scored.opened is not None:
            say(str(scored.opened))

    heading("4. Confirmed against wrong at the same capacity")
    comparison = workspace.compare([trained.run_id])
    print_comparison(comparison)
    chart = comparison.write_chart(workspace.home / "compare.svg")
    card = workspace.card(trained.registered.version, written_at=midnight(end))
    places = sum(scored.opened.capacity for scored in batches if scored.opened)
    empty = sum(scored.opened.places_empty for scored in batches if scored.opened)
    say(
        f"\nPlaces left empty over {len(batches)} batches: {empty} of {places}. Capacity is a ceiling, not a quota."
    )

    heading("5. Where to look")
    show(
        pl.DataFrame(
            {
                "what": ["model card", "leads and reviews", "lead by lead", "scores and reasons", "chart", "data docs", "notebooks", "runs in MLflow"],
                "where": [
                    str(card.html), config.register_url, _example_of(workspace), str(batches[-1].folder), str(chart),
                    str(workspace.docs / "index.html"), "make lab    (JupyterLab on notebooks/)", "make ui     (MLflow on 127.0.0.1:5000)",
                ],
            }
        )
    )  # fmt: skip


def _simulate_once(config: Config, *, officers: int, months: int, progress: Callable[[str], None]) -> None:
    """The force of these numbers, written anew unless it is there already."""
    data = Path(config.data)
    asked = f"{officers} people, {months} months, seed {config.seed}\n"
    told = data / ANSWER_KEY / "demo.txt"
    if told.is_file() and told.read_text() == asked:
        return
    if data.exists() and not (data / ANSWER_KEY).is_dir():
        raise WrongUsage(f"{data} exists and is not a simulated force. Choose another folder: --out DIR.")
    if data.exists():
        shutil.rmtree(data)
    simulate(data, officers=officers, months=months, seed=config.seed, progress=progress)
    told.write_text(asked)


def _print_features(workspace: Workspace, trained: TrainedRun) -> None:
    model = trained.experiment.model
    say(
        f"Features built: {len(model.schema.names)} from {len(workspace.force.catalogue.ordinary().ideas)} ideas, "
        f"on {len(model.trained_as_ofs)} dates to learn from and {len(trained.experiment.backtest.test_as_ofs)} to test on; "
        f"{model.confirmed:,} confirmed among {model.rows:,}."
    )
    say(model.threshold.says)


def _score_and_review(workspace: Workspace, opening: date, end: date) -> list[ScoredBatch]:
    """A batch a quarter up to the end of the records; before each, what was decided by then is recorded."""
    batches = []
    day = opening
    while day <= end:
        with workspace.register() as register:
            _record_decided(register, workspace, before=midnight(day))
        batches.append(workspace.score(day, at=midnight(day)))
        day = months_after(day, BATCH_EVERY)
    return batches


def _record_decided(register: Register, workspace: Workspace, *, before: datetime) -> None:
    files = outcomes(register).select(
        lead_id="lead", person_key="person_key", as_of="as_of", opened_at="opened_at"
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


def _example_of(workspace: Workspace) -> str:
    with workspace.register() as register:
        leads = outcomes(register).filter(pl.col("kind") == "lead")
    if leads.is_empty():
        return "no lead was opened"
    config = workspace.config
    return f"EVENHAND_REGISTER_URL={config.register_url} evenhand leads show {leads['lead'][0]}"


def midnight(day: date) -> datetime:
    """The instant a date begins.

    >>> midnight(date(2024, 1, 1))
    datetime.datetime(2024, 1, 1, 0, 0)
    """
    return datetime.combine(day, time())
