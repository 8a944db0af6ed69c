"""What each command prints of what the workspace made: a screen for people, or JSON for programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from evenhand.terminal import aside, heading, say, show, show_json
from evenhand.workspace import Engine, Workspace
from features.errors import GateRefused, WrongUsage

if TYPE_CHECKING:
    from evenhand.leads.estimates import SampleEstimates
    from features.account import Account
    from models.compare import Comparison
    from models.monitoring import Monitored
    from models.release import ReleaseDecision
    from models.tuning import Tuned

EXAMPLES_SHOWN = 12
CHECKS_SHOWN = 15
PEOPLE_SHOWN = 8  # of those on one list alone; --json tells them all
TRIALS_SHOWN = 5


def validate(workspace: Workspace, *, tables: Sequence[str] | None, strict: bool, as_json: bool) -> None:
    account = workspace.validate(only=tables, strict=strict)
    if as_json:
        show_json(account.to_dict())
        return
    print_account(account)
    examples = [
        {"file": each.file, "row": each.row, "column": each.column, "rule": each.rule, "found": each.value}
        for table in account.tables
        for each in table.examples
    ]
    if examples:
        heading("The first row that broke each rule")
        show(pl.DataFrame(examples).head(EXAMPLES_SHOWN))
        if more := len(examples) - EXAMPLES_SHOWN:
            say(f"... and {max(more, 0)} more rules.")
    say(f"\nQuarantined rows, each with every rule it broke: {workspace.home / 'quarantine'}")
    say(f"Mend them where they were exported and validate again. Data Docs: {workspace.docs / 'index.html'}")


def print_account(account: Account) -> None:
    """Rows read, accepted, quarantined and not joined, by table and in all."""
    frame = account.frame()
    show(frame.select("table", "read", "accepted", "quarantined", "not_joined"))
    say(
        f"Rows read {account.read:,} = accepted {account.accepted:,} + quarantined {account.quarantined:,} "
        f"(of these {account.not_joined:,} not joined to a person)."
    )


def features(
    workspace: Workspace,
    *,
    first: date | None,
    last: date | None,
    every: str,
    describe_only: bool,
    engine: Engine,
    as_json: bool,
) -> None:
    if describe_only:
        from features.describe import describe

        say(describe(workspace.force).rstrip("\n"))
        return
    end = workspace.extent[1]
    as_ofs = _range(first or last or end, last or first or end, every)
    table = workspace.features(as_ofs, engine=engine)
    folder = workspace.home / "features"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{as_ofs[0]}_{as_ofs[-1]}_{every}.parquet"
    _write_whole(table.frame, path)
    if as_json:
        show_json(
            {
                "rows": table.frame.height,
                "columns": list(table.schema.names),
                "path": str(path),
                "fingerprint": table.fingerprint,
            }
        )
        return
    say(
        f"{table.frame.height:,} rows: {table.frame['person_key'].n_unique():,} people on {len(as_ofs)} dates, "
        f"{len(table.schema.names)} features of {len(workspace.force.catalogue.ordinary().ideas)} ideas."
    )
    say(f"Written to {path}")


def _range(first: date, last: date, every: str) -> list[date]:
    try:
        days = pl.date_range(first, last, interval=every, eager=True).to_list()
    except pl.exceptions.PolarsError as error:
        raise WrongUsage(f"--every {every!r}: expected a step such as 1mo, 3mo or 7d. {error}") from error
    if not days:
        raise WrongUsage(f"--from {first} is after --to {last}: there is no date between them.")
    return days


def _write_whole(frame: pl.DataFrame, path: Path) -> None:
    partial = path.with_suffix(path.suffix + ".partial")
    if path.suffix == ".csv":
        frame.write_csv(partial)
    elif path.suffix == ".parquet":
        frame.write_parquet(partial)
    else:
        raise WrongUsage(f"--out {path}: expected a name that ends in .parquet or .csv.")
    partial.replace(path)


def train(
    workspace: Workspace,
    *,
    name: str | None,
    test_as_ofs: Sequence[date] | None,
    with_health: bool,
    tuned: str | None,
    as_json: bool,
) -> None:
    run = workspace.train(name=name, test_as_ofs=test_as_ofs, with_health=with_health, tuned=tuned)
    experiment, registered = run.experiment, run.registered
    calibration = experiment.model.calibration
    table = _by_last_known_day(experiment.summary())
    if as_json:
        show_json(
            {
                "run": run.run_id,
                "model": registered.name,
                "version": registered.version,
                "performance": table.to_dicts(),
                "intervals": _by_last_known_day(experiment.performance).to_dicts(),
                "counts": experiment.counts.to_dicts(),
                "threshold": experiment.model.threshold.to_dict(),
                "calibration": None if calibration is None else calibration.to_dict(),
            }
        )
        return
    heading("How each method ranks the cohort on each test date (all: the dates together)")
    show(table)
    print_comparison(_comparison_of(workspace, run.run_id))
    say(f"\n{experiment.model.threshold.says}")
    if calibration is not None:
        say(calibration.says)
    say(
        f'Run {run.run_id}; registered as {registered.title}, alias candidate. Promote it: evenhand promote {registered.version} --reason "..."'
    )


def tune(
    workspace: Workspace,
    *,
    trials: int,
    name: str,
    test_as_ofs: Sequence[date] | None,
    chart: Path | None,
    as_json: bool,
) -> None:
    found = workspace.tune(
        trials=trials, name=name, test_as_ofs=test_as_ofs, told=lambda trial: aside(str(trial))
    )
    _show_or_draw(found, print_tuned, chart, as_json)


def _show_or_draw(
    found: Tuned | Monitored, show_found: Callable[[Any], None], chart: Path | None, as_json: bool
) -> None:
    """For people or for programs, and drawn to a file where one is named."""
    if chart:
        from models.charts import write_chart

        write_chart(found.chart(), chart)
    if as_json:
        show_json(found.to_dict())
    else:
        show_found(found)
        if chart:
            say(f"\nDrawn to {chart}")


def print_tuned(found: Tuned) -> None:
    """The best trials beside the usual parameters, how far each stays behind on each date, and the answer."""
    if found.new_because:
        say(
            f"Begun anew: not as in the last tuning named {found.name} are {', '.join(found.new_because)}. "
            "Its trials do not count here."
        )
    heading("backtest: trials on tuning dates, the usual parameters (trial 0) and the best of the others")
    completed = found.frame().filter(pl.col("state") == "completed")
    best = completed.slice(1).sort("worth", descending=True, maintain_order=True).head(TRIALS_SHOWN)
    shown = pl.concat([completed.head(1), best])
    show(shown.with_columns(pl.col(*found.space).round_sig_figs(3).cast(pl.String)))
    heading("Regret: how much less each of them is worth than the best of each date")
    show(found.regret().filter(pl.col("trial").is_in(shown["trial"].to_list())))
    say(found.says)
    say(f"Use what is recommended: evenhand train --tuned {found.name}")


def repeat(workspace: Workspace, *, run: str, as_json: bool) -> None:
    repeated = workspace.repeat(run)
    if as_json:
        show_json(
            {
                "run": repeated.run_id,
                "compared": list(repeated.compared),
                "differing": list(repeated.differing),
                "other_tools": list(repeated.other_tools),
            }
        )
    else:
        say(f"Run {repeated.run_id} repeated: {repeated.says}.")
        for line in repeated.other_tools:
            say(f"- {line}")
    if repeated.differing and not repeated.other_tools:
        raise ArithmeticError(
            f"run {repeated.run_id}: the same rows, ideas, code and libraries gave something else"
        )


def _by_last_known_day(frame: pl.DataFrame) -> pl.DataFrame:
    """Test dates as users give them: the last known day, the day before the as-of date."""
    return frame.with_columns(
        test_date=(pl.col("as_of") - timedelta(days=1)).cast(pl.String).fill_null("all")
    ).select("test_date", pl.exclude("test_date", "as_of"))


def _comparison_of(workspace: Workspace, run_id: str) -> Comparison:
    return workspace.compare([run_id])


BASES = {
    "backtest": ("leads_confirmed", "leads_not_confirmed", "leads_unsettled"),
    "planted": ("misconduct", "innocent", "lookalike"),
    "replay": ("leads_confirmed", "leads_wrong", "leads_inconclusive", "leads_open"),
}
BASIS_SAYS = {
    "backtest": "what the records later said; settled without a finding is not confirmed, never wrong",
    "planted": "what the answer key of the simulation says",
    "replay": "what reviewers recorded of those each method would have listed; open includes never reviewed",
}


def print_comparison(comparison: Comparison) -> None:
    """One table a basis: no two bases share one."""
    frame = comparison.frame()
    names = ["run", "method"] if frame["run"].n_unique() > 1 else ["method"]
    for basis, kinds in BASES.items():
        columns = {f"{basis}.{kind}": kind for kind in (*kinds, "share", "share_low", "share_high")}
        versus = {f"{basis}.{name}": label for name, label in VERSUS.items()}
        wanted = {old: new for old, new in (columns | versus).items() if old in frame.columns}
        if not wanted:
            continue
        heading(f"{basis}: {BASIS_SAYS[basis]}")
        show(frame.select(*names, *wanted).rename(wanted))
    if comparison.live is not None:
        heading("live: what reviewers recorded about the leads that were opened")
        show(
            pl.DataFrame(
                [{name.removeprefix("live."): value for name, value in comparison.live.metrics().items()}]
            )
        )


def print_concerns(concerns: pl.DataFrame) -> None:
    """What became of the leads of each kind of concern."""
    if concerns.is_empty():
        return
    heading(
        "live: leads by what they are mostly about; the share is of those decided, with its 95 % interval"
    )
    share = pl.format(
        "{} % ({} to {})", *((100 * pl.col(name)).round().cast(pl.Int64) for name in ("share", "low", "high"))
    )
    show(concerns.with_columns(share_confirmed=share.fill_null("cannot tell")).drop("share", "low", "high"))


def print_samples(samples: SampleEstimates | None) -> None:
    """Base rate, precision and recall by the review samples, the naive estimate beside them."""
    if samples is not None:
        heading("live: what leads and review samples say of everybody, by design weights; 95 % intervals")
        say(samples.says)
        show(samples.frame().with_columns(pl.col("as_of").cast(pl.String).fill_null("all")).drop("batch"))


VERSUS = {"reference_found_more": "reference_found_more", "more_low": "low", "more_high": "high"}


def research(workspace: Workspace, *, study: str, test_as_ofs: Sequence[date] | None, as_json: bool) -> None:
    result = workspace.research(study, test_as_ofs=test_as_ofs)
    if as_json:
        show_json(result.to_dict())
        return
    heading(f"An isolated study of what {study} records would add. No model was kept; none can be promoted.")
    say(f"Features added: {', '.join(result.added)}.")
    for mark, reasons in result.marks.items():
        say(f"They are marked {mark}: {reasons[0]}")
    for each in result.differences:
        say(
            f"{each.basis}: {each.more:+.1f} more with {study} records "
            f"(95 % interval {each.interval.low:+.1f} to {each.interval.high:+.1f})."
        )
    beside = f"; alone: by {result.alone} and nothing else" if result.alone else ""
    heading(f"Who is listed without and with them, and who would be newly listed{beside}")
    show(result.listed)


def compare(
    workspace: Workspace, *, runs: Sequence[str], capacity: int | None, chart: Path | None, as_json: bool
) -> None:
    comparison = workspace.compare(runs, capacity=capacity)
    samples, batches = workspace.sample_estimates(), workspace.batches_kept()
    concerns = workspace.by_concern()
    if chart:
        comparison.write_chart(chart)
    if as_json:
        live = None if comparison.live is None else comparison.live.metrics()
        show_json(
            {
                "reference": comparison.reference,
                "rankings": comparison.frame().to_dicts(),
                "live": live,
                "concerns": concerns.to_dicts(),
                "samples": None if samples is None else samples.frame().to_dicts(),
                "stability": comparison.stability().to_dicts(),
                "agreement": comparison.agreement().to_dicts(),
                "regret": comparison.regret().to_dicts(),
                "batches": None if batches is None else batches.to_dicts(),
            }
        )
        return
    say(f"Reference: {comparison.reference}. Every list has the same capacity; intervals are 95 %, paired.")
    print_comparison(comparison)
    print_stability(comparison, batches)
    print_concerns(concerns)
    print_samples(samples)
    if chart:
        say(f"\nDrawn to {chart}")


def print_stability(comparison: Comparison, batches: pl.DataFrame | None) -> None:
    """How steady lists are, and how far each method lies from the best of each test date."""
    steady = comparison.steadiness()
    names = ["run", "method"] if steady["run"].n_unique() > 1 else ["method"]
    if len(steady):
        heading("Of each list, the share kept on the list of the next test date")
        show(steady.select(*names, "kept", "jaccard"))
    if len(agreement := comparison.agreement()):
        heading("Of each run's list, the share that is on another run's")
        show(agreement.select("run", "other", "as_of", "kept", "jaccard"))
    heading("backtest: how many people fewer each list confirmed than the best of each test date")
    by_date = comparison.regret().pivot("as_of", index=["run", "method"], values="regret")
    show(
        by_date.with_columns(in_all=pl.sum_horizontal(pl.exclude("run", "method"))).drop(
            [] if "run" in names else ["run"]
        )
    )
    if batches is not None and len(batches):
        heading("live: people with a lead in one batch who have one in the next")
        show(batches)


def compare_two(
    workspace: Workspace, *, runs: Sequence[str], capacity: int | None, two: tuple[str, str], as_json: bool
) -> None:
    comparison = workspace.compare(runs, capacity=capacity)
    counts, alone = comparison.apart(*two), (comparison.only_on(*two), comparison.only_on(*reversed(two)))
    if as_json:
        show_json({"counts": counts.to_dicts(), "only": [people.to_dicts() for people in alone]})
        return
    for basis, kinds in BASES.items():
        columns = {f"{basis}.{kind}": kind for kind in kinds if f"{basis}.{kind}" in counts.columns}
        if columns:
            heading(f"{basis}: {BASIS_SAYS[basis]}")
            show(counts.select("list", "people", *columns).rename(columns))
    for name, people in zip(counts["list"][1:], alone, strict=True):
        heading(
            f"{name}: {min(len(people), PEOPLE_SHOWN)} of {len(people)}; reasons are those of the model of the date"
        )
        show(
            people.head(PEOPLE_SHOWN).with_columns(
                pl.col("listed_for", "passed_over_for").list.first(), pl.col("surely").round(2)
            )
        )


def promote(workspace: Workspace, *, version: str, reason: str, by: str, at: datetime, as_json: bool) -> None:
    registered = workspace.promote(version, reason=reason, at=at, by=by)
    if as_json:
        show_json({"model": registered.name, "version": registered.version, "aliases": registered.aliases})
        return
    say(f"{registered.title} is the champion from {at}: {reason} ({by})")


def check_release(workspace: Workspace, *, version: str, as_json: bool) -> None:
    decision = workspace.release(version)
    if as_json:
        show_json(decision.to_dict())
    else:
        print_decision(decision)
    if not decision.passes:
        raise GateRefused(f"{decision.title} would be refused; nothing was promoted or recorded.")


def print_decision(decision: ReleaseDecision) -> None:
    """What the release gate found, requirement by requirement, and its answer."""
    show(decision.frame())
    say(decision.says)


def models(workspace: Workspace, *, live_on: date | None, as_json: bool) -> None:
    from models import registry

    runs, name = workspace.config.runs, workspace.force.name
    known = registry.model_versions(runs, name)
    if live_on:
        live = registry.live_on(runs, name, live_on)
        known = known.filter(pl.col("version") == live) if live else known.clear()
    asked = registry.requests(runs, name) if len(known) else pl.DataFrame(schema=registry.REQUESTS)
    asked = asked.filter(pl.col("version").is_in(known["version"].to_list()))
    suspended = {
        f"{name} v{version}": standing
        for version in known["version"]
        if workspace.force.use != "validation" and (standing := workspace.suspension(version))
    }
    if as_json:
        show_json(
            [
                row
                | {
                    "suspended": f"{name} v{row['version']}" in suspended,
                    "requests": asked.filter(pl.col("version") == row["version"]).to_dicts(),
                }
                for row in known.to_dicts()
            ]
        )
    elif known.is_empty():
        say(
            f"No version was live on {live_on}."
            if live_on
            else "No version is registered. Train one: evenhand train."
        )
    else:
        show(known.drop("run_id", "threshold"))
        for title, standing in suspended.items():
            say(f"Scoring with {title} is suspended since {standing.at}: {standing.says}")
        if len(asked):
            heading("Requests to promote, and what the gate found")
            show(asked)


def monitor(
    workspace: Workspace, *, as_of: date, model: str, chart: Path | None, at: datetime, as_json: bool
) -> None:
    found = workspace.monitor(as_of, model=model, at=at)
    _show_or_draw(found, print_monitored, chart, as_json)
    if found.breaches:
        raise GateRefused(
            f'Scoring with {found.model} is suspended until a person resumes it: evenhand resume --by NAME --reason "...".'
        )


def print_monitored(found: Monitored) -> None:
    """Each check against its limit, the mix of cases, the chart of leads, and the answer."""
    if not any(check.kind == "score" for check in found.checks):
        say(
            f"Nothing is kept of what {found.model} learnt from, so inputs and scores are not watched: train anew."
        )
    heading("Drift, mix of cases and confirmed leads: furthest beyond their limits first")
    show(found.frame().head(CHECKS_SHOWN))
    if len(found.mix):
        heading("How cases came about: the year before the model was made, and the last year")
        show(found.mix)
    if len(found.rates):
        heading("live: leads decided and confirmed, by batch; fewer than the limit is no chance")
        show(found.rates.rename({"expected": "expected (backtest)"}))
    say(found.says)


def resume(workspace: Workspace, *, model: str, reason: str, by: str, at: datetime, as_json: bool) -> None:
    ended = workspace.resume(model, reason=reason, at=at, by=by)
    if as_json:
        show_json({"model": ended.model, "suspended": ended.at, "resumed": at, "by": by, "reason": reason})
    else:
        say(f"{ended.model} may score again: {reason} ({by}). It was suspended since {ended.at}.")


def audit_show(workspace: Workspace, *, as_json: bool) -> None:
    from evenhand.leads.audit import trail

    with workspace.register() as register:
        found = trail(register)
    if as_json:
        show_json(found.to_dicts())
    elif found.is_empty():
        say("Nothing was decided yet: no promotion, no suspension.")
    else:
        show(found.drop("seal"))


def audit_verify(workspace: Workspace, *, as_json: bool) -> None:
    from evenhand.leads.audit import verify

    with workspace.register() as register:
        count, seal = verify(register)
    if as_json:
        show_json({"entries": count, "seal": seal})
    else:
        say(f"Every seal of {count} entries holds. The last seal, to be kept elsewhere: {seal or 'none yet'}")


def score(
    workspace: Workspace, *, as_of: date, model: str, out: Path | None, at: datetime, as_json: bool
) -> None:
    scored = workspace.score(as_of, model=model, at=at)
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        _write_whole(scored.batch.frame, out)
    if as_json:
        opened = None if scored.opened is None else dict(scored.opened.lines())
        show_json(
            {
                "model": scored.batch.model,
                "as_of": as_of,
                "people": scored.batch.frame.height,
                "concerns_above_threshold": dict(_concerns_above(scored.batch.frame).iter_rows()),
                "expected_confirmed_above_threshold": _expected_above(scored.batch.frame),
                "folder": str(scored.folder),
                "leads": opened,
            }
        )
        return
    say(f"{scored.batch.model} scored {scored.batch.frame.height:,} people as of {as_of}.")
    say(scored.batch.threshold.says)
    say(scored.no_leads_because or str(scored.opened))
    say(f"Scores, contributions and reasons: {out or scored.folder}")


def _expected_above(frame: pl.DataFrame) -> float | None:
    """How many of as many people, scored like those above the threshold, the records would confirm; None where nobody
    can tell."""
    chances = frame.filter(pl.col("above_threshold"))["chance"]
    return None if chances.has_nulls() else float(chances.sum())


def _concerns_above(frame: pl.DataFrame) -> pl.DataFrame:
    """How many of those above the threshold have a score that is mostly about each kind of conduct: concern, people."""
    above = frame.filter(pl.col("above_threshold")).drop_nulls("concern")
    return above.group_by("concern").len("people").sort("people", "concern", descending=[True, False])


def leads_list(workspace: Workspace, *, as_of: date | None, as_json: bool) -> None:
    from evenhand.leads.reading import leads_frame

    with workspace.register() as register:
        found = leads_frame(register)
    if as_of:
        found = found.filter(pl.col("as_of") == as_of)
    if as_json:
        show_json(found.to_dicts())
    elif found.is_empty():
        say("No lead is in the register. Open some: evenhand score --as-of DATE.")
    else:
        show(found)


def leads_show(workspace: Workspace, *, lead: str, as_json: bool) -> None:
    from dataclasses import asdict

    from evenhand.leads.reading import show_lead

    with workspace.register() as register:
        found = show_lead(register, lead)
    if as_json:
        show_json(asdict(found))
    else:
        say(str(found))


def leads_review(
    workspace: Workspace,
    *,
    lead: str,
    outcome: str,
    reasons: str,
    reviewer: str,
    route: str,
    at: datetime,
    as_json: bool,
) -> None:
    from evenhand.leads.reading import show_lead
    from evenhand.leads.review import record_reviews, record_routes

    with workspace.register() as register:
        name = show_lead(register, lead).lead
        explanation = reasons if outcome == "wrong" else None
        review = pl.DataFrame(
            [
                {
                    "lead": name,
                    "outcome": outcome,
                    "reviewer": reviewer,
                    "reviewed_at": at,
                    "reasons": reasons,
                    "innocent_explanation": explanation,
                }
            ],
            schema_overrides={"innocent_explanation": pl.String, "reviewed_at": pl.Datetime("us")},
        )
        taken = pl.DataFrame(
            [{"lead": name, "route": route, "decided_by": reviewer, "decided_at": at}],
            schema_overrides={"decided_at": pl.Datetime("us")},
        )
        record_reviews(register, review, origin="evenhand leads review")
        record_routes(register, taken, origin="evenhand leads review")
        shown = show_lead(register, name)
    if as_json:
        show_json({"lead": name, "outcome": outcome, "route": route})
    else:
        say(f"Recorded: lead {name} is {shown.reviews[-1].outcome}, routed to {route.replace('_', ' ')}.")


def leads_export(workspace: Workspace, *, out: Path) -> None:
    from evenhand.leads.review import outcomes

    with workspace.register() as register:
        found = outcomes(register)
    out.parent.mkdir(parents=True, exist_ok=True)
    _write_whole(found, out)
    say(
        f"{found.height} leads and sampled files written to {out}. It tells leads from samples: it is for counting, not for reviewers."
    )


def card(workspace: Workspace, *, version: str, out: Path | None, at: datetime, as_json: bool) -> None:
    written = workspace.card(version, out=out, written_at=at)
    if as_json:
        show_json({"html": str(written.html), "markdown": str(written.markdown)})
    else:
        say(f"Model card: {written.html} and {written.markdown}")
