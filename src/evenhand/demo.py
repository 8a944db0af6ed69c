"""The whole story on a simulated force, in one command.

The model knows only what was recorded half a year before the records end. The release gate says whether it has
shown that it is better than simple methods; where it has not, the story goes on with a trial. It then scores quarter by quarter,
simulated reviewers decide with errors and delay, and at the end of the records the lists are compared with
what the reviewers found.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import polars as pl

from evenhand.config import Config
from evenhand.leads.review import outcomes
from evenhand.steps import print_account, print_comparison, print_concerns, print_decision, print_samples
from evenhand.story import (
    TRIAL,
    ask_for_release,
    batch_days,
    empty_register,
    midnight,
    record_decided,
    simulate_once,
)
from evenhand.terminal import heading, say, show
from evenhand.workspace import ScoredBatch, TrainedRun, Workspace


def run_demo(config: Config, *, officers: int, months: int, progress: Callable[[str], None]) -> None:
    """Simulate, validate, train, score, review, compare and write a card; print what each step made.

    Args:
        config: a workspace whose data and output lie in a folder that is the demo's own.
    """
    simulate_once(config, officers=officers, months=months, progress=progress)
    empty_register(config)
    workspace = Workspace(config, progress=progress)

    say(
        "The force is dense: more misconduct, and more of it noticed, than published rates have, so that a force "
        "of this size has enough to learn from. Its figures say nothing of how common misconduct is."
    )
    heading("1. What was recorded: accepted, quarantined, not joined")
    print_account(workspace.validate())

    end = workspace.extent[1]
    opening = batch_days(end)[0]
    heading(f"2. A model that knows what was recorded before {opening}, against the baselines")
    trained = workspace.train(name="demo", until=opening)
    _print_features(workspace, trained)

    heading("3. The release gate: has it shown that it is better?")
    version = trained.registered.version
    decision = ask_for_release(
        workspace, version, reason="the demo's first model", at=midnight(opening), by="demo"
    )
    print_decision(decision)
    if not decision.passes:
        say(TRIAL)

    heading("4. Quarterly batches, each reviewed before the next")
    batches = _score_and_review(workspace, version, end)
    for scored in batches:
        if scored.opened is not None:
            say(str(scored.opened))

    heading("5. Confirmed against wrong at the same capacity")
    comparison = workspace.compare([trained.run_id])
    print_comparison(comparison)
    print_concerns(workspace.by_concern())
    print_samples(workspace.sample_estimates())
    chart = comparison.write_chart(workspace.home / "compare.svg")
    card = workspace.card(version, written_at=midnight(end))
    places = sum(scored.opened.capacity for scored in batches if scored.opened)
    empty = sum(scored.opened.places_empty for scored in batches if scored.opened)
    say(
        f"\nPlaces left empty over {len(batches)} batches: {empty} of {places}. Capacity is a ceiling, not a quota."
    )

    heading("6. Where to look")
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


def _print_features(workspace: Workspace, trained: TrainedRun) -> None:
    model = trained.experiment.model
    say(
        f"Features built: {len(model.schema.names)} from {len(workspace.force.catalogue.ordinary().ideas)} ideas, "
        f"on {len(model.trained_as_ofs)} dates to learn from and {len(trained.experiment.backtest.test_as_ofs)} to test on; "
        f"{model.confirmed:,} confirmed among {model.rows:,}."
    )
    say(model.threshold.says)


def _score_and_review(workspace: Workspace, version: int, end: date) -> list[ScoredBatch]:
    """A batch a quarter up to the end of the records; before each, what was decided by then is recorded."""
    batches = []
    for day in batch_days(end):
        with workspace.register() as register:
            record_decided(register, workspace, before=midnight(day))
        batches.append(workspace.score(day, model=version, at=midnight(day)))
    return batches


def _example_of(workspace: Workspace) -> str:
    with workspace.register() as register:
        leads = outcomes(register).filter(pl.col("kind") == "lead")
    if leads.is_empty():
        return "no lead was opened"
    config = workspace.config
    return f"EVENHAND_REGISTER_URL={config.register_url} evenhand leads show {leads['lead'][0]}"
