"""The command line: the only place that knows arguments, the clock and exit codes.

Nothing heavy is imported before a command runs, so that `evenhand --help` is instant.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, CycloptsError, Parameter

from features.errors import DataRefused, GateRefused, Mendable, NotPermitted, WrongUsage

if TYPE_CHECKING:
    from evenhand.workspace import Workspace

EXIT_CODES: dict[type[Mendable], int] = {WrongUsage: 2, DataRefused: 3, GateRefused: 4, NotPermitted: 5}

app = App(
    name="evenhand",
    help="Leads about officers' conduct, and the account of how many were confirmed and how many were wrong.\n\n"
    "A lead is a prompt for a person to look, never a finding.\n\n"
    "Example: evenhand demo",
    help_format="markdown",
    version_flags=["--version"],
)
leads_app = App(
    name="leads",
    help="List leads, look at one with its reasons and records, record what a review found.\n\n"
    "Example: evenhand leads list",
)
app.command(leads_app)
audit_app = App(
    name="audit",
    help="What was decided about the models: promotions, refusals, suspensions, resumptions, each sealed with the one before.\n\n"
    "Example: evenhand audit show",
)
app.command(audit_app)


@Parameter(name="*")
@dataclass(frozen=True)
class Common:
    """What every command takes; each overrides the configuration file."""

    config: Annotated[Path | None, Parameter(help="Configuration file (default: evenhand.toml here).")] = None
    force: Annotated[str | None, Parameter(help="simulated, chicago, or the path of a definition.")] = None
    data: Annotated[str | None, Parameter(help="Folder of extracts, or a database URL.")] = None
    json: Annotated[bool, Parameter(help="Print the result as JSON.", negative="")] = False
    verbose: Annotated[bool, Parameter(help="Say what is being done, line by line.", negative="")] = False


def _open(common: Common, **overrides: object) -> Workspace:
    from evenhand import terminal
    from evenhand.config import load_config
    from evenhand.workspace import Workspace

    config = load_config(common.config, force=common.force, data=common.data, **overrides)
    return Workspace(config, progress=terminal.progress(verbose=common.verbose))


def _now() -> datetime:
    return datetime.now().replace(microsecond=0)


@app.command
def demo(
    *,
    officers: int = 2000,
    months: int = 84,
    seed: int = 1,
    out: Annotated[Path, Parameter(help="Where the simulated force and everything made from it go.")] = Path(
        "build/demo"
    ),
    common: Common = Common(),  # frozen
) -> None:
    """Run the whole story on a simulated force: records, features, models, leads, reviews, card.

    Example: evenhand demo --officers 2000 --seed 1
    """
    from evenhand import terminal
    from evenhand.config import load_config
    from evenhand.demo import run_demo

    config = load_config(
        common.config, force="simulated", data=str(out / "data"), out=out,
        register_url=f"sqlite:///{out}/register.db", seed=seed,
    )  # fmt: skip
    run_demo(config, officers=officers, months=months, progress=terminal.progress(verbose=common.verbose))


@app.command
def simulate(
    *,
    out: Annotated[Path, Parameter(help="A new folder.")],
    officers: int = 2000,
    months: int = 60,
    seed: int = 1,
    preset: Annotated[
        Literal["benign", "casey", "adversarial", "null"],
        Parameter(
            help="No bias in detection; bias as Casey found it; confounders stronger than misconduct; no signal at all."
        ),
    ] = "casey",
    dense: Annotated[
        bool,
        Parameter(
            help="More misconduct, and more of it noticed, than is published: for small forces.", negative=""
        ),
    ] = False,
    confounder: Annotated[
        list[str] | None, Parameter(help="Only these innocent explanations; all by default.", negative="")
    ] = None,
    uses_per_tour: Annotated[
        float | None, Parameter(help="Routine uses of systems a tour: 4.8, in a dense force 0.75.")
    ] = None,
    start: Annotated[date, Parameter(help="First day of the records, a first of a month.")] = date(
        2020, 1, 1
    ),
    by_month: Annotated[
        bool, Parameter(help="A folder of monthly parts a table, as a force exports.", negative="")
    ] = False,
    protected_seed: Annotated[
        int | None, Parameter(help="Seed of sickness, absence and adjustments alone.")
    ] = None,
    recode_reasons: Annotated[
        bool, Parameter(help="Permute every reason and absence code.", negative="")
    ] = False,
) -> None:
    """Write the extracts of a simulated force, with an answer key that no later step reads.

    Example: evenhand simulate --officers 2000 --months 60 --dense --seed 7 --out data
    """
    from evenhand import terminal
    from evenhand.force.simulate import simulate as write_force

    written = write_force(
        out, officers=officers, months=months, seed=seed, preset=preset, dense=dense, confounders=confounder,
        uses_per_tour=uses_per_tour, by_month=by_month, start=start, protected_seed=protected_seed,
        recode_reasons=recode_reasons, progress=terminal.progress(),
    )  # fmt: skip
    terminal.say(f"Wrote a force of {officers:,} people over {months} months to {written}.")


@app.command
def validate(
    *,
    table: Annotated[list[str] | None, Parameter(help="Only these tables.", negative="")] = None,
    strict: Annotated[bool, Parameter(help="Refuse where a single row is bad.", negative="")] = False,
    common: Common = Common(),
) -> None:
    """Check every table against its suite: accepted, quarantined with reasons, or refused.

    Example: evenhand validate --data data --table overtime_claim
    """
    from evenhand import steps

    steps.validate(_open(common), tables=table, strict=strict, as_json=common.json)


@app.command
def features(
    *,
    from_: Annotated[date | None, Parameter(name="--from", help="First as-of date.")] = None,
    to: Annotated[date | None, Parameter(help="Last as-of date.")] = None,
    every: Annotated[str, Parameter(help="Step between as-of dates, such as 1mo or 7d.")] = "1mo",
    describe: Annotated[bool, Parameter(help="Print the catalogue instead.", negative="")] = False,
    engine: Annotated[
        Literal["local", "spark"], Parameter(help="This machine, or a cluster (docs/cluster.md).")
    ] = "local",
    spark_master: Annotated[
        str | None, Parameter(help="The cluster, such as spark://host:7077 or yarn.")
    ] = None,
    common: Common = Common(),
) -> None:
    """Build the point-in-time feature table, or describe the catalogue.

    Example: evenhand features --from 2023-01-01 --to 2023-06-01 --every 1mo
    """
    from evenhand import steps

    steps.features(
        _open(common, spark=None if spark_master is None else {"master": spark_master}),
        first=from_, last=to, every=every, describe_only=describe, engine=engine, as_json=common.json,
    )  # fmt: skip


@app.command
def train(
    *,
    name: Annotated[str | None, Parameter(help="What to call the run.")] = None,
    test_dates: Annotated[
        str | None,
        Parameter(help="Last known days to test on, with commas; each as-of date is the day after."),
    ] = None,
    research: Annotated[
        Literal["sickness"] | None, Parameter(help="An isolated study of what health data would add.")
    ] = None,
    with_health: Annotated[
        bool,
        Parameter(help="Let sickness and absence levels in, where governance.toml permits it.", negative=""),
    ] = False,
    seed: Annotated[int | None, Parameter(help="Seed of the run.")] = None,
    repeat: Annotated[
        str | None,
        Parameter(help="Do a tracked run again, as it was asked for then, and compare to the last bit."),
    ] = None,
    tuned: Annotated[
        str | None, Parameter(help="Grow trees as a tuning recommends: its name or id (evenhand tune).")
    ] = None,
    common: Common = Common(),
) -> None:
    """Train against the baselines over temporal folds; every run is tracked in MLflow.

    Example: evenhand train --force chicago --data ../shared/chicago --test-dates 2008-12-31,2009-12-31
    """
    from evenhand import steps

    workspace = _open(common, seed=seed)
    dates = _days_after(test_dates) if test_dates else None
    if repeat:
        if name or test_dates or research or with_health or tuned or seed is not None:
            raise WrongUsage("--repeat does a run again as it was; leave out what would make it another.")
        steps.repeat(workspace, run=repeat, as_json=common.json)
    elif research:
        if tuned:
            raise WrongUsage(
                "--research compares catalogues, each with the usual parameters; leave out --tuned."
            )
        steps.research(workspace, study=research, test_as_ofs=dates, as_json=common.json)
    else:
        steps.train(
            workspace, name=name, test_as_ofs=dates, with_health=with_health, tuned=tuned, as_json=common.json
        )


@app.command
def tune(
    *,
    trials: Annotated[int, Parameter(help="In all, with those of earlier calls.")] = 30,
    name: Annotated[str, Parameter(help="What to call it; another name begins anew.")] = "tuning",
    test_dates: Annotated[
        str | None,
        Parameter(
            help="Last known days that models are to be tested on, with commas; only earlier dates are tuned on."
        ),
    ] = None,
    seed: Annotated[int | None, Parameter(help="Seed of the trials.")] = None,
    chart: Annotated[Path | None, Parameter(help="Also draw the trials to this SVG file.")] = None,
    common: Common = Common(),
) -> None:
    """Try other ways of growing the trees on dates before the first test date; killed, it goes on where it was.

    Example: evenhand tune --trials 30 && evenhand train --tuned tuning
    """
    from evenhand import steps

    dates = _days_after(test_dates) if test_dates else None
    workspace = _open(common, seed=seed)
    steps.tune(workspace, trials=trials, name=name, test_as_ofs=dates, chart=chart, as_json=common.json)


@app.command
def compare(
    *runs: Annotated[str, Parameter(help="Names or ids of runs; the last five where none is given.")],
    capacity: Annotated[int | None, Parameter(help="Leads a batch, for all of them.")] = None,
    chart: Annotated[Path | None, Parameter(help="Also draw it to this SVG file.")] = None,
    only: Annotated[
        tuple[str, str] | None,
        Parameter(
            help="Who is on one list and not on the other, and why: two of RUN/METHOD, or METHOD alone."
        ),
    ] = None,
    common: Common = Common(),
) -> None:
    """Put runs, baselines, the champion and live results side by side: confirmed against wrong at one capacity.

    Example: evenhand compare --only lightgbm logistic
    """
    from evenhand import steps

    workspace = _open(common)
    if only:
        steps.compare_two(workspace, runs=runs, capacity=capacity, two=only, as_json=common.json)
    else:
        steps.compare(workspace, runs=runs, capacity=capacity, chart=chart, as_json=common.json)


@app.command
def promote(
    version: Annotated[str, Parameter(help="A version number, or `candidate`.")],
    *,
    reason: Annotated[str | None, Parameter(help="Why; it is recorded.")] = None,
    by: Annotated[str, Parameter(help="Who promotes it; it is recorded.")] = "not stated",
    check: Annotated[
        bool, Parameter(help="Only show what the release gate finds; nothing is recorded.", negative="")
    ] = False,
    common: Common = Common(),
) -> None:
    """Make a registered version the champion that scores batches, if the release gate lets it pass.

    Example: evenhand promote 3 --reason "confirmed more at the same capacity" --by "A. Reviewer"
    """
    from evenhand import steps

    workspace = _open(common)
    if check:
        steps.check_release(workspace, version=version, as_json=common.json)
        return
    steps.promote(workspace, version=version, reason=reason or "", by=by, at=_now(), as_json=common.json)


@app.command
def models(
    *,
    live_on: Annotated[date | None, Parameter(help="Only the version that was champion on this day.")] = None,
    common: Common = Common(),
) -> None:
    """List registered versions: aliases, who promoted what and when.

    Example: evenhand models --live-on 2024-05-01
    """
    from evenhand import steps

    steps.models(_open(common), live_on=live_on, as_json=common.json)


@app.command
def score(
    *,
    as_of: Annotated[date, Parameter(help="The midnight to ask at.")],
    model: Annotated[str, Parameter(help="A version number, `champion` or `candidate`.")] = "champion",
    out: Annotated[Path | None, Parameter(help="Also write the scores to this Parquet file.")] = None,
    common: Common = Common(),
) -> None:
    """Score everyone in the cohort with a registered model and open leads within capacity.

    Example: evenhand score --as-of 2024-07-01 --model champion
    """
    from evenhand import steps

    steps.score(_open(common), as_of=as_of, model=model, out=out, at=_now(), as_json=common.json)


@app.command
def monitor(
    *,
    as_of: Annotated[date, Parameter(help="The date of the batch to look at.")],
    model: Annotated[str, Parameter(help="A version number, `champion` or `candidate`.")] = "champion",
    chart: Annotated[Path | None, Parameter(help="Also draw it to this SVG file.")] = None,
    common: Common = Common(),
) -> None:
    """Watch drift of inputs and scores, the mix of cases, and confirmed leads; a breach suspends scoring.

    Example: evenhand monitor --as-of 2024-07-01 --chart build/monitor.svg
    """
    from evenhand import steps

    steps.monitor(_open(common), as_of=as_of, model=model, chart=chart, at=_now(), as_json=common.json)


@app.command
def resume(
    *,
    by: Annotated[str, Parameter(help="Who resumes it; it is recorded.")],
    reason: Annotated[str, Parameter(help="Why scoring may go on; it is recorded.")],
    model: Annotated[str, Parameter(help="A version number, `champion` or `candidate`.")] = "champion",
    common: Common = Common(),
) -> None:
    """Let a suspended model score again, by a person and with a reason that is kept.

    Example: evenhand resume --by "A. Owner" --reason "the new duty system counts amendments otherwise; checked"
    """
    from evenhand import steps

    steps.resume(_open(common), model=model, reason=reason, by=by, at=_now(), as_json=common.json)


@audit_app.command(name="show")
def audit_show(*, common: Common = Common()) -> None:
    """Show every entry of the audit trail.

    Example: evenhand audit show
    """
    from evenhand import steps

    steps.audit_show(_open(common), as_json=common.json)


@audit_app.command(name="verify")
def audit_verify(*, common: Common = Common()) -> None:
    """Check that no entry of the audit trail was changed, taken out or put in.

    Example: evenhand audit verify
    """
    from evenhand import steps

    steps.audit_verify(_open(common), as_json=common.json)


@app.command
def card(
    version: Annotated[str, Parameter(help="A version number, `champion` or `candidate`.")] = "champion",
    *,
    out: Annotated[Path | None, Parameter(help="Folder to write it to.")] = None,
    common: Common = Common(),
) -> None:
    """Write the model card of a version as HTML and Markdown; every figure comes from its run.

    Example: evenhand card champion --out build/card
    """
    from evenhand import steps

    steps.card(_open(common), version=version, out=out, at=_now(), as_json=common.json)


@leads_app.command(name="list")
def leads_list(
    *,
    as_of: Annotated[date | None, Parameter(help="Only the batch of this date.")] = None,
    common: Common = Common(),
) -> None:
    """List leads with their state.

    Example: evenhand leads list --as-of 2024-07-01
    """
    from evenhand import steps

    steps.leads_list(_open(common), as_of=as_of, as_json=common.json)


@leads_app.command(name="show")
def leads_show(
    lead: Annotated[str, Parameter(help="The lead's id, or the first characters of it.")],
    *,
    common: Common = Common(),
) -> None:
    """Show a lead: reasons for and against, the records behind them, what to look for first.

    Example: evenhand leads show 4f2a91
    """
    from evenhand import steps

    steps.leads_show(_open(common), lead=lead, as_json=common.json)


@leads_app.command(name="review")
def leads_review(
    lead: Annotated[str, Parameter(help="The lead's id, or the first characters of it.")],
    *,
    outcome: Annotated[
        Literal["confirmed", "wrong", "inconclusive"], Parameter(help="What the review found.")
    ],
    reasons: Annotated[str, Parameter(help="The reasons; for `wrong`, the innocent explanation.")],
    reviewer: Annotated[str, Parameter(help="Who reviewed it.")],
    route: Annotated[
        Literal["welfare", "supervisor", "prevention", "assessment", "no_action"],
        Parameter(help="Where it goes; a route is not an outcome."),
    ],
    common: Common = Common(),
) -> None:
    """Record what a review of a lead found, with its reasons.

    Example: evenhand leads review 4f2a91 --outcome wrong --reasons "aid deployment, claims match" --reviewer R1 --route no_action
    """
    from evenhand import steps

    steps.leads_review(
        _open(common), lead=lead, outcome=outcome, reasons=reasons, reviewer=reviewer, route=route, at=_now(),
        as_json=common.json,
    )  # fmt: skip


@leads_app.command(name="export")
def leads_export(
    *,
    out: Annotated[Path, Parameter(help="A .csv or .parquet file.")],
    common: Common = Common(),
) -> None:
    """Write every lead with its state and outcome to a file.

    Example: evenhand leads export --out build/leads.csv
    """
    from evenhand import steps

    steps.leads_export(_open(common), out=out)


@app.command
def prove(
    *,
    only: Annotated[list[str] | None, Parameter(help="Only these studies.", negative="")] = None,
    out: Annotated[Path, Parameter(help="The page to write.")] = Path("docs/evidence.md"),
    chicago: Annotated[
        Path, Parameter(help="The Chicago records; their studies are left out where absent.")
    ] = Path("../shared/chicago"),
    parts: Annotated[
        int | None, Parameter(help="Only the first so many seeds or parts of each study; the page says so.")
    ] = None,
    jobs: Annotated[
        int,
        Parameter(
            help="How many seeds or parts are measured at a time, each with some 4 GB of memory of its own."
        ),
    ] = 1,
    recheck: Annotated[
        int,
        Parameter(
            help="Of seeds or parts that other code made, make so many again, drawn by lot; where they come out the "
            "same in every figure the others are kept, and the page says so."
        ),
    ] = 0,
) -> None:
    """Run the studies that are too large for every test run, and write what held and what did not.

    Example: evenhand prove --only chicago
    """
    from evenhand.studies.prove import prove as run_studies

    run_studies(only=only, out=out, chicago=chicago, parts=parts, jobs=jobs, recheck=recheck)


def _days_after(text: str) -> tuple[date, ...]:
    """As-of dates: each the day after a last known day.

    >>> _days_after("2008-12-31,2009-12-31")
    (datetime.date(2009, 1, 1), datetime.date(2010, 1, 1))
    """
    from datetime import timedelta

    try:
        return tuple(date.fromisoformat(each.strip()) + timedelta(days=1) for each in text.split(","))
    except ValueError as error:
        raise WrongUsage(
            f"--test-dates takes days such as 2008-12-31,2009-12-31; {text!r}: {error}."
        ) from error


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 2 usage, 3 data, 4 gate, 5 not permitted, 1 a bug."""
    return _coded(lambda: app(arguments, exit_on_error=False, print_error=True, result_action="return_value"))


def _coded(run: Callable[[], object]) -> int:
    try:
        run()
    except Mendable as error:
        sys.stderr.write(f"{error}\n")
        return next(code for kind, code in EXIT_CODES.items() if isinstance(error, kind))
    except CycloptsError:
        return EXIT_CODES[WrongUsage]
    except KeyboardInterrupt:
        sys.stderr.write("Stopped. Nothing half-written was left.\n")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
