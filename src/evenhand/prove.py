"""Studies too large for every test run, each with its seeds, its figure and whether it holds.

Every part of a study is kept in a folder beside the page with a fingerprint of the code that made it, so that a
run that was stopped goes on where it was, on another machine too, and anyone can look at a claim seed by seed. What
a study found is kept beside the page as well, with the commit it was found on, so that running one study again
leaves the others' figures standing and tells how old they are. Seeds of these studies are used nowhere else:
nothing was chosen by looking at them.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from evenhand.answers import OURS, beside, by_rules, listed_innocents, told_the_answers, yields
from evenhand.config import Config, load_config
from evenhand.confounding import bearers_of, raised, scores
from evenhand.coverage import MEASURES, REVIEWERS, SCENES, coverage
from evenhand.feedback import CYCLES, cycles
from evenhand.force.kinds import CONFOUNDERS, KINDS
from evenhand.force.simulate import simulate
from evenhand.provenance import SOURCE, code_fingerprint
from evenhand.terminal import heading, say
from evenhand.workspace import Workspace
from features.build import build
from features.catalogue.chicago import TOPICS
from features.definition import Precedents
from features.errors import WrongUsage, did_you_mean
from features.labels import cohort
from features.specs import Peers
from models.backtest import AT_RULE, Backtest, Rankings, measure_rankings
from models.choices import Variant, mean_of_dates, measure_choices
from models.experiment import Experiment, prepare, run_backtest, run_experiment
from models.metrics import LEAST_DRAWS, Interval, percentile_interval, wilson
from models.ranker import Params, usual_params
from models.registry import forbidden_lineage
from models.release import MUST_BEAT, release_findings
from models.splits import months_after

if TYPE_CHECKING:
    import altair

DRAWS = 4000

CASEY_SEEDS = range(9701, 9731)
UNADJUSTED_SEEDS = CASEY_SEEDS[::3]  # on which the unadjusted model is trained too
MAY_COST = 0.05  # planted cases that an even-handed model may miss of those the unadjusted one finds
# Of each kind, the plain column that finds most of it by itself, by the answer keys of seeds 701 and 702: rules that
# nobody without an answer key could have chosen, to see how far rules could get.
RULES_BY_ANSWER_KEY = {
    "T1": "own_book_offs_lean_365d",
    "T2": "claims_without_tour_365d",
    "T3": "short_visits_365d",
    "T4": "unexplained_uses_365d",
    "T5": "vulnerable_views_off_duty_or_at_night_365d",
    "T6": "undeclared_matches_730d",
    "T7": "round_sums_365d",
    "T8": "undeclared_second_payroll_730d",
    "T9": "taken_out_off_duty_365d",
}
ADVERSARIAL_SEEDS = range(9641, 9651)
PLANTED_PEOPLE = 10_000
CAPACITIES = (0.01, 0.02, 0.05)  # of everyone; the first is the default capacity
# As reviewers have it, and where enough innocent people are listed to tell small differences.
BEARERS_AT = (CAPACITIES[0], CAPACITIES[-1])
NULL_SEEDS = range(9101, 9201)
NULL_REFUSED = 95  # of a hundred, at least
NULL_PEOPLE = 2000
FIREWALL_SEEDS = range(9201, 9204)
FIREWALL_PEOPLE = 1000
COLLEAGUES_MAY_MOVE = 5
CONFOUNDED_SEEDS = range(9301, 9331)
CONFOUNDED_PEOPLE = 800
CONFOUNDED_MONTHS = 18
MONTHS = 60
SAMPLES_SEED = 9401
REPLICATES = 1000
FEEDBACK_SEEDS = range(9501, 9507)
FEEDBACK_PEOPLE = 1000
FEEDBACK_MONTHS = 72
LAST_CYCLES = 3
COVERS = (0.93, 0.97)

CHICAGO_DRAWS = 1000
# Nothing is claimed of these dates; what was chosen was chosen on them.
CHOICE_DATES = (date(2006, 1, 1), date(2007, 1, 1), date(2008, 1, 1))
# What is claimed of the test dates together: in words, and at least how much.
CHICAGO_GOALS = {
    "auc": ("mean AUC", 0.675),
    "precision_at_5pc": ("mean precision at 5 %", 0.155),
    "recall_at_10pc": ("mean recall at 10 %", 0.25),
    "found": (
        "confirmed people found at the threshold rule's own number of flags, as a multiple of the rule's",
        1.25,
    ),
}

Part = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One claim of a study, what was measured, and whether it holds."""

    claim: str
    measured: str
    holds: bool


@dataclass(frozen=True, kw_only=True)
class Study:
    """A study in parts that can be run apart, and what they say together.

    Attributes:
        run_part: a function of a module or a partial of one, so that another process can run it.
        measured_by: the functions of this module that make a part; a part is kept for as long as they and all
            the rest of the source stay as they are.
        draw: a picture of what they say together, where people would rather look than read.
    """

    name: str
    about: str
    parts: Sequence[int] | Sequence[str]
    run_part: Callable[[Any], Part]  # given a seed or a name, as its parts are
    conclude: Callable[[Sequence[Part]], Sequence[Finding]]
    measured_by: tuple[Callable[..., object], ...] = ()
    draw: Callable[[Sequence[Part]], altair.VConcatChart] | None = None


def prove(
    *, only: Sequence[str] | None, out: Path, chicago: Path, parts: int | None = None, jobs: int = 1
) -> None:
    """Run the studies and write the page of evidence; what was measured on this very code is not run again.

    Args:
        parts: only the first so many parts of each study, where there is no time for all; the page says so.
        jobs: how many parts are measured at a time, each in a process of its own; the figures are the same.
    """
    studies = _studies(chicago)
    if unknown := [name for name in only or () if name not in studies]:
        raise WrongUsage(f"--only {unknown[0]}: there is no such study. {did_you_mean(unknown[0], studies)}")
    if parts is not None and parts < 1:
        raise WrongUsage(f"--parts {parts}: at least one seed or part must be measured.")
    if jobs < 1:
        raise WrongUsage(f"--jobs {jobs}: at least one part must be measured at a time.")
    code = code_fingerprint()
    for name, study in studies.items():
        if only is None or name in only:
            command = f"evenhand prove --only {name}"
            if parts is not None and parts < len(study.parts):
                command += f" --parts {parts}"
                study = replace(
                    study,
                    about=f"{study.about}; only the first {parts} of {len(study.parts)} seeds or parts",
                    parts=study.parts[:parts],
                )
            heading(f"{name}: {study.about}")
            measured = _measured(study, _kept(out, study, code), jobs)
            findings = study.conclude(measured)
            if study.draw is not None:
                study.draw(measured).save(str(_drawn(out, name)))
            for finding in findings:
                say(f"{'holds ' if finding.holds else 'FAILS '} {finding.claim}: {finding.measured}")
            record(out, study, findings, command=command, commit=_commit(), code=code)
    write_page(out, code)
    say(f"\nWritten to {out}")


def _studies(chicago: Path) -> dict[str, Study]:
    studies = [
        Study(
            name="planted",
            about=f"planted misconduct found at equal capacity, {PLANTED_PEOPLE:,} people at published rates, {MONTHS} months, "
            "preset casey",
            parts=list(CASEY_SEEDS),
            run_part=partial(_planted_part, people=PLANTED_PEOPLE, preset="casey"),
            conclude=_conclude_planted,
            measured_by=(_planted_part, _half_years),
            draw=_draw_planted,
        ),
        Study(
            name="adversarial",
            about=f"the same where innocent explanations are louder than misconduct, {PLANTED_PEOPLE:,} people at published "
            f"rates, {MONTHS} months",
            parts=list(ADVERSARIAL_SEEDS),
            run_part=partial(_planted_part, people=PLANTED_PEOPLE, preset="adversarial"),
            conclude=_conclude_adversarial,
            measured_by=(_planted_part, _half_years),
        ),
        Study(
            name="null",
            about=f"a force without any signal, {NULL_PEOPLE:,} people, {MONTHS} months",
            parts=list(NULL_SEEDS),
            run_part=_null_part,
            conclude=_conclude_null,
            measured_by=(_null_part, _experiment_settled),
        ),
        Study(
            name="firewall",
            about=f"other protected histories, reasons recoded, {FIREWALL_PEOPLE:,} people, {MONTHS} months",
            parts=list(FIREWALL_SEEDS),
            run_part=_firewall_part,
            conclude=_conclude_firewall,
            measured_by=(_firewall_part, _experiment, _half_years, compare_scores, _with_same_duties),
        ),
    ]
    studies.append(
        Study(
            name="confounders",
            about=f"innocent explanations one at a time, {CONFOUNDED_PEOPLE:,} people, {CONFOUNDED_MONTHS} months",
            parts=list(CONFOUNDED_SEEDS),
            run_part=_confounders_part,
            conclude=_conclude_confounders,
            measured_by=(_confounders_part, _scores_under),
        )
    )
    studies.append(
        Study(
            name="samples",
            about=f"intervals from review samples, {REPLICATES:,} replicates of each of {len(SCENES)} simulated populations",
            parts=list(SCENES),
            run_part=_samples_part,
            conclude=_conclude_samples,
            measured_by=(_samples_part,),
        )
    )
    studies.append(
        Study(
            name="feedback",
            about=f"{CYCLES} cycles of leads, reviews and learning again, {FEEDBACK_PEOPLE:,} people, {FEEDBACK_MONTHS} months; "
            f"the last {LAST_CYCLES} cycles are compared",
            parts=list(FEEDBACK_SEEDS),
            run_part=_feedback_part,
            conclude=_conclude_feedback,
            measured_by=(_feedback_part,),
        )
    )
    if chicago.is_dir():
        studies.append(
            Study(
                name="chicago",
                about="public Chicago records, the last test dates together",
                parts=[f"records {_fingerprint_of(chicago)}"],
                run_part=partial(_chicago_part, chicago),
                conclude=_conclude_chicago,
                measured_by=(_chicago_part, _chicago_measure, _labels_that_differ),
            )
        )
        studies.append(
            Study(
                name="choices",
                about="public Chicago records, every choice taken the other way, on test dates 2005-12-31 to 2007-12-31",
                parts=[f"records {_fingerprint_of(chicago)}"],
                run_part=partial(_choices_part, chicago),
                conclude=_conclude_choices,
                measured_by=(_choices_part, _variants),
            )
        )
    return {study.name: study for study in studies}


# --- planted misconduct ---------------------------------------------------------------------------------


def _planted_part(seed: int, *, people: int, preset: str) -> Part:
    with _simulated(seed, people=people, preset=preset, dense=False) as workspace:
        force, tests = workspace.force, _half_years(workspace)
        truth = workspace.planted(tests)
        assert truth is not None
        study = prepare(
            force, workspace.accepted, test_as_ofs=tests, train_candidates=workspace.dates().candidates, until=workspace.dates().end
        )  # fmt: skip
        params = replace(usual_params(force, threads=workspace.config.study.threads), seed=seed)
        backtest = run_backtest(study, params, capacity=round(CAPACITIES[0] * people), planted=truth)[0]
        members = {day: cohort(force, workspace.accepted, day) for day in tests}
        part: Part = {
            "yields": {
                str(share): yields(backtest.at_capacity(round(share * people))) for share in CAPACITIES
            },
            "innocents": {
                str(share): listed_innocents(
                    backtest.at_capacity(round(share * people)), truth, members, list(KINDS)
                )
                for share in BEARERS_AT
            },
        }
        references = {"rules_by_answer_key": by_rules(study, RULES_BY_ANSWER_KEY.values())}
        if preset == "casey" and seed in UNADJUSTED_SEEDS:
            answers = workspace.planted(sorted({day for fold in study.folds for day in fold.train_as_ofs}))
            assert answers is not None
            references["told_the_answers"] = told_the_answers(study, answers, params)
            unadjusted, _ = run_backtest(
                study, replace(params, even_handed=False), capacity=backtest.capacity, planted=truth
            )
            part["unadjusted"] = {
                "misconduct": yields(unadjusted)[OURS]["misconduct"],
                "innocents": listed_innocents(unadjusted, truth, members, list(KINDS)),
            }
        with_references = beside(backtest, references)
        part["references"] = {
            str(share): {
                method: found
                for method, found in yields(with_references.at_capacity(round(share * people))).items()
                if method in references
            }
            for share in CAPACITIES
        }
        return part


def _half_years(workspace: Workspace) -> list[date]:
    """The last three half-years: what is planted is known at once, so no test has to wait for findings."""
    return [months_after(workspace.dates().end, -months) for months in (18, 12, 6)]


def _experiment(workspace: Workspace, seed: int) -> Experiment:
    dates, tests = workspace.dates(), _half_years(workspace)
    return run_experiment(
        workspace.force, workspace.accepted, test_as_ofs=tests, train_candidates=dates.candidates,
        params=usual_params(workspace.force, threads=workspace.config.study.threads), seed=seed, planted=workspace.planted(tests),
        until=dates.end, draws=200,
    )  # fmt: skip


def _conclude_planted(parts: Sequence[Part]) -> list[Finding]:
    found = []
    for share in CAPACITIES:
        by_seed = [part["yields"][str(share)] for part in parts]
        best = max(
            set(by_seed[0]) - {OURS}, key=lambda method: sum(each[method]["misconduct"] for each in by_seed)
        )
        found += [_times_the_best(best, share, by_seed), _innocents_for_as_many(best, share, by_seed)]
        found.append(_beside_rules_by_answer_key(share, parts))
        if told := [part for part in parts if "told_the_answers" in part["references"][str(share)]]:
            found.append(_room_above(best, share, told))
    found += [
        _of_bearers(kind, share, [part["innocents"][str(share)][kind] for part in parts])
        for kind in KINDS
        for share in BEARERS_AT
    ]
    if both := [part for part in parts if "unadjusted" in part]:
        found.append(_cost_of_even_hands(both))
    return found


def _conclude_adversarial(parts: Sequence[Part]) -> list[Finding]:
    return [
        _more_than(method, share, [part["yields"][str(share)] for part in parts])
        for share in CAPACITIES
        for method in parts[0]["yields"][str(share)]
        if method != OURS
    ]


def _times_the_best(best: str, share: float, by_seed: Sequence[Mapping[str, Mapping[str, float]]]) -> Finding:
    ours, theirs = (np.array([each[method]["misconduct"] for each in by_seed]) for method in (OURS, best))
    interval = _ratio_of_totals(ours, theirs)
    short = [
        str(seed) for seed, one, other in zip(CASEY_SEEDS, ours, theirs, strict=False) if one < 1.5 * other
    ]
    return Finding(
        claim=f"with {share:.0%} of the cohort listed, LightGBM finds at least 1.5 times the planted cases of the best baseline",
        measured=f"{ours.sum():.0f} against {theirs.sum():.0f} ({best}): {ours.sum() / theirs.sum():.2f} times, 95 % interval "
        f"{interval.low:.2f} to {interval.high:.2f}; fewer on seeds: {', '.join(short) or 'none'}",
        holds=bool(ours.sum() >= 1.5 * theirs.sum()),
    )


def _innocents_for_as_many(
    best: str, share: float, by_seed: Sequence[Mapping[str, Mapping[str, float]]]
) -> Finding:
    ours, theirs = (
        np.array([each[best][what] for each in by_seed]) for what in ("ours_innocent", "innocent")
    )
    interval = _ratio_of_totals(ours, theirs)
    return Finding(
        claim=f"for as many planted cases as the best baseline finds with {share:.0%} listed, LightGBM lists at most 0.7 times "
        "its innocent people",
        measured=f"{ours.sum():.0f} against {theirs.sum():.0f} ({best}): {ours.sum() / theirs.sum():.2f} times, 95 % interval "
        f"{interval.low:.2f} to {interval.high:.2f}",
        holds=bool(ours.sum() <= 0.7 * theirs.sum()),
    )


def _beside_rules_by_answer_key(share: float, parts: Sequence[Part]) -> Finding:
    ours = np.array([part["yields"][str(share)][OURS]["misconduct"] for part in parts])
    theirs = np.array([part["references"][str(share)]["rules_by_answer_key"]["misconduct"] for part in parts])
    interval = _ratio_of_totals(ours, theirs)
    return Finding(
        claim=f"with {share:.0%} of the cohort listed, LightGBM finds more planted cases than rules a typology whose columns "
        "were chosen by the answer keys of other seeds, interval above 1",
        measured=f"{ours.sum():.0f} against {theirs.sum():.0f}: {ours.sum() / theirs.sum():.2f} times, 95 % interval "
        f"{interval.low:.2f} to {interval.high:.2f}",
        holds=interval.low > 1,
    )


def _room_above(best: str, share: float, parts: Sequence[Part]) -> Finding:
    """Whether 1.5 times the best baseline could be reached at all."""
    told = sum(part["references"][str(share)]["told_the_answers"]["misconduct"] for part in parts)
    ours, theirs = (
        sum(part["yields"][str(share)][method]["misconduct"] for part in parts) for method in (OURS, best)
    )
    return Finding(
        claim=f"with {share:.0%} of the cohort listed, 1.5 times the planted cases of the best baseline is within reach of trees "
        "that are told what was planted on earlier dates",
        measured=f"they find {told:.0f} on {len(parts)} seeds, {told / theirs:.2f} times the {theirs:.0f} of {best}; LightGBM "
        f"finds {ours:.0f}",
        holds=told >= 1.5 * theirs,
    )


def _of_bearers(kind: str, share: float, by_seed: Sequence[Mapping[str, float]]) -> Finding:
    listed, expected = (np.array([each[what] for each in by_seed]) for what in ("listed", "expected"))
    times, interval = _times_as_often(by_seed)
    return Finding(
        claim=f"with {share:.0%} of the cohort listed, innocent people who bear {kind} are listed at most 1.25 times as often as "
        "innocent others of their role and rank, upper bound 1.5",
        measured=f"{listed.sum():.1f} of {sum(each['bearers'] for each in by_seed):,.0f} listed, {expected.sum():.1f} expected: "
        f"{times:.2f} times, 95 % interval {interval.low:.2f} to {interval.high:.2f}",
        holds=bool(times <= 1.25 and interval.high <= 1.5),
    )


def _times_as_often(by_seed: Sequence[Mapping[str, float]]) -> tuple[float, Interval]:
    """How many times as often as expected bearers are listed."""
    listed, expected = (np.array([each[what] for each in by_seed]) for what in ("listed", "expected"))
    return float(listed.sum() / max(expected.sum(), 1e-9)), _ratio_of_totals(listed, expected)


def _draw_planted(parts: Sequence[Part]) -> altair.VConcatChart:
    """What each method's lists hold, and how often innocent people who look unusual are on ours."""
    import altair

    found = pl.DataFrame(
        [
            {"listed": f"{share:.0%}", "method": method, "planted cases": sum(part["yields"][str(share)][method]["misconduct"] for part in parts)}
            for share in CAPACITIES
            for method in parts[0]["yields"][str(share)]
        ]
    )  # fmt: skip
    methods = parts[0]["yields"][str(CAPACITIES[0])]
    bars = altair.Chart(found, title="Planted cases on lists of equal length, all seeds", width=190, height=150).mark_bar().encode(
        y=altair.Y("method:N", sort=list(methods), title=None), x="planted cases:Q",
        color=altair.condition(altair.datum.method == OURS, altair.value("#1b6ca8"), altair.value("#c9a66b")),
        column=altair.Column("listed:N", title="share of everyone listed"),
    )  # fmt: skip
    rows = []
    for share in BEARERS_AT:
        for kind in KINDS:
            times, interval = _times_as_often([part["innocents"][str(share)][kind] for part in parts])
            rows.append({"listed": f"{share:.0%}", "kind": kind, "times": times, "low": interval.low, "high": interval.high})  # fmt: skip
    base = altair.Chart(pl.DataFrame(rows)).encode(
        y=altair.Y("kind:N", sort=list(KINDS), title=None), yOffset="listed:N",
        color=altair.Color("listed:N", title="listed", scale=altair.Scale(range=["#1b6ca8", "#c9a66b"])),
    )  # fmt: skip
    limit = (
        altair.Chart(pl.DataFrame({"limit": [1.0, 1.25, 1.5]}))
        .mark_rule(color="#9a9a9a", strokeDash=[4, 4])
        .encode(x="limit:Q")
    )
    bearers = (
        limit
        + base.mark_rule(strokeWidth=2).encode(x=altair.X("low:Q", title="times as often as innocent others of their role and rank"), x2="high:Q")
        + base.mark_point(filled=True, size=50).encode(x="times:Q")
    ).properties(title="How often innocent people who look unusual are listed (limits: 1.25, upper bound 1.5)", width=600, height=28 * len(KINDS))  # fmt: skip
    return altair.vconcat(bars, bearers).resolve_scale(color="independent")


def _cost_of_even_hands(parts: Sequence[Part]) -> Finding:
    share = CAPACITIES[0]
    ours = np.array([part["yields"][str(share)][OURS]["misconduct"] for part in parts])
    unadjusted = np.array([part["unadjusted"]["misconduct"] for part in parts])
    times = _ratio_of_totals(ours, unadjusted)
    spared = {
        kind: sum(part["unadjusted"]["innocents"][kind]["listed"] - part["innocents"][str(share)][kind]["listed"] for part in parts)
        for kind in KINDS
    }  # fmt: skip
    most = ", ".join(
        f"{kind} {spared[kind]:+.0f}" for kind in sorted(spared, key=lambda kind: -spared[kind])[:6]
    )
    return Finding(
        claim=f"setting people beside others with the same work and colleagues costs at most {MAY_COST:.0%} of the planted cases "
        f"with {share:.0%} listed, also at the upper bound",
        measured=f"{ours.sum():.0f} against {unadjusted.sum():.0f} unadjusted on {len(parts)} seeds: "
        f"{1 - ours.sum() / unadjusted.sum():+.1%} fewer, 95 % interval {1 - times.high:+.1%} to {1 - times.low:+.1%}; innocent bearers "
        f"spared: {most}",
        holds=bool(1 - times.low <= MAY_COST),
    )


def _ratio_of_totals(ours: np.ndarray, theirs: np.ndarray) -> Interval:
    """The interval of a ratio of totals, with whole seeds resampled."""
    rng = np.random.default_rng(1)
    drawn = rng.integers(0, len(ours), (DRAWS, len(ours)))
    ratios = ours[drawn].sum(axis=1) / np.maximum(theirs[drawn].sum(axis=1), 1e-9)
    return percentile_interval(np.concatenate([[ours.sum() / max(theirs.sum(), 1e-9)], ratios]))


def _more_than(method: str, share: float, parts: Sequence[Mapping[str, Mapping[str, float]]]) -> Finding:
    found = {name: np.array([part[name]["misconduct"] for part in parts]) for name in (OURS, method)}
    more = found[OURS] - found[method]
    interval = percentile_interval(np.concatenate([[more.sum()], _resampled_totals(more)]))
    behind = [str(seed) for seed, difference in zip(ADVERSARIAL_SEEDS, more, strict=False) if difference <= 0]
    return Finding(
        claim=f"with {share:.0%} of the cohort listed, LightGBM finds more planted misconduct than {method} in total, "
        "interval above zero",
        measured=f"{found[OURS].sum():.0f} against {found[method].sum():.0f}: {more.sum():+.0f}, 95 % interval "
        f"{interval.low:+.0f} to {interval.high:+.0f}; not more on seeds: {', '.join(behind) or 'none'}",
        holds=bool(interval.low > 0),
    )


def _resampled_totals(differences: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(1)
    return rng.choice(differences, size=(DRAWS, len(differences))).sum(axis=1)


# --- no signal ------------------------------------------------------------------------------------------


def _null_part(seed: int) -> Part:
    """What the release gate finds of a model of nothing."""
    with _simulated(seed, people=NULL_PEOPLE, preset="null") as workspace:
        experiment = _experiment_settled(workspace, seed)
        model = experiment.model
        decision = release_findings(
            workspace.force.name, 1, experiment.backtest, promotable=model.promotable,
            forbidden=forbidden_lineage(workspace.force, model, health_permitted=False), champion=None,
        )  # fmt: skip
        return {
            "refused": not decision.passes,
            "beats": [each.code for each in decision.requirements if each.more is not None and each.holds],
            "threshold": model.threshold.exists,
        }


def _experiment_settled(workspace: Workspace, seed: int) -> Experiment:
    dates = workspace.dates()
    return run_experiment(
        workspace.force, workspace.accepted, test_as_ofs=dates.tests, train_candidates=dates.candidates,
        params=usual_params(workspace.force, threads=workspace.config.study.threads), seed=seed, until=dates.end, draws=LEAST_DRAWS,
    )  # fmt: skip


def _conclude_null(parts: Sequence[Part]) -> list[Finding]:
    passed = [str(seed) for seed, part in zip(NULL_SEEDS, parts, strict=False) if not part["refused"]]
    listing = sum(part["threshold"] for part in parts)
    refused = len(parts) - len(passed)
    range_of = wilson(refused, len(parts))
    beaten = ", ".join(
        f"{code.removeprefix('beats_')} {sum(code in part['beats'] for part in parts)}"
        for code in (f"beats_{method}" for method in MUST_BEAT)
    )
    return [
        Finding(
            claim=f"the release gate refuses at least {NULL_REFUSED} of 100 models of a force without any signal",
            measured=f"{refused} of {len(parts)} refused (95 % interval {range_of.low:.0%} to {range_of.high:.0%}); let through: "
            f"{', '.join(passed) or 'none'}; seemed to beat: {beaten}; a threshold was found on {listing}",
            holds=refused >= NULL_REFUSED / 100 * len(parts),
        )
    ]


# --- protected histories --------------------------------------------------------------------------------


def _firewall_part(seed: int) -> Part:
    with (
        _simulated(seed, people=FIREWALL_PEOPLE) as one,
        _simulated(seed, people=FIREWALL_PEOPLE, protected_seed=seed + 50_000, recode_reasons=True) as other,
    ):
        dates = one.dates()
        model = _experiment(one, seed).model
        return compare_scores(one, other, model=model, as_of=dates.end)


def compare_scores(one: Workspace, other: Workspace, *, model: Any, as_of: date) -> Part:
    """Of people whose worked duties are the same in two forces, how many scores differ, to the last bit.

    Some features set a person beside colleagues, whose duties their own sickness changes. So a person is set
    beside the colleagues of the first force in both: what is left is what the person's own records bring.
    `moved` says by how many places in a hundred people move when their colleagues are the other force's.

    Args:
        model: a `models.trained.TrainedModel` of the first force, which scores both.
    """
    from models.scoring import score_table

    def raw_scores(workspace: Workspace, beside: Workspace) -> pl.DataFrame:
        table = build(
            workspace.force, workspace.accepted, [as_of], schema=model.schema, compared_with=beside.accepted
        )
        ranked = score_table(model, table).frame.select("person_key", "raw")
        return ranked.with_columns(place=pl.col("raw").rank("average") / pl.len() * 100)

    same = pl.DataFrame({"person_key": _with_same_duties(one, other)})
    both = (
        raw_scores(one, one)
        .join(raw_scores(other, one), on="person_key", suffix="_other")
        .join(raw_scores(other, other), on="person_key", suffix="_colleagues")
    )
    kept = both.join(same, on="person_key", how="semi")
    return {
        "people": kept.height,
        "differ": int((kept["raw"] != kept["raw_other"]).sum()),
        "changed_duties": both.height - kept.height,
        "moved": (kept["place"] - kept["place_colleagues"]).abs().to_list(),
    }


def _with_same_duties(one: Workspace, other: Workspace) -> list[str]:
    """People whose tours worked are the same, row for row, and whose tours cancelled are the same too.

    A tour that was lost shows in its cancellation even where the row of the tour itself was quarantined.
    """
    duties = [
        pl.concat(
            workspace.accepted.scan(table)
            .filter(which)
            .select("person_key", row=pl.struct(pl.exclude("person_key", "source_row", "reason_code")).hash())
            for table, which in (
                ("duty_worked", pl.lit(True)),
                ("duty_amendment", pl.col("field") == "CANCEL"),
            )
        )
        .group_by("person_key")
        .agg(rows=pl.col("row").sort().hash().sum(), n=pl.len())
        .collect()
        for workspace in (one, other)
    ]
    return duties[0].join(duties[1], on=["person_key", "rows", "n"])["person_key"].to_list()


def _conclude_firewall(parts: Sequence[Part]) -> list[Finding]:
    people, differ = (sum(part[name] for part in parts) for name in ("people", "differ"))
    changed = sum(part["changed_duties"] for part in parts)
    moved = np.concatenate([part["moved"] for part in parts])
    return [
        Finding(
            claim="scores of people whose worked duties did not change are identical to the last bit, colleagues as they were",
            measured=f"{differ} of {people:,} scores differ ({changed:,} people had other duties and are left out)",
            holds=differ == 0 and people > 0,
        ),
        Finding(
            claim="colleagues' protected histories, which change how much these worked, move nineteen in twenty of these "
            f"people by less than {COLLEAGUES_MAY_MOVE} places in a hundred",
            measured=f"half move by less than {np.median(moved):.1f}, nineteen in twenty by less than {np.quantile(moved, 0.95):.1f}",
            holds=bool(np.quantile(moved, 0.95) < COLLEAGUES_MAY_MOVE),
        ),
    ]


# --- innocent explanations ------------------------------------------------------------------------------


def _confounders_part(seed: int) -> Part:
    """For each explanation, how far the two scores of the people it concerns rise when it is switched on."""
    without, _ = _scores_under(seed, None)
    moved: Part = {}
    for kind in CONFOUNDERS:
        with_it, bearers = _scores_under(seed, kind)
        moved[kind] = raised(with_it, without, bearers)
    return moved


def _scores_under(seed: int, kind: str | None) -> tuple[pl.DataFrame, pl.Series]:
    """Scores at the end of a force with one innocent explanation or none, and whom it concerns."""
    kinds = () if kind is None else (kind,)
    with _simulated(seed, people=CONFOUNDED_PEOPLE, months=CONFOUNDED_MONTHS, confounders=kinds) as workspace:
        as_of = workspace.extent[1]
        found = scores(workspace.force, workspace.accepted, as_of)
        return found, bearers_of(Path(workspace.config.data), kind or "none", as_of)


def _conclude_confounders(parts: Sequence[Part]) -> list[Finding]:
    return [_of_confounder(kind, [part[kind] for part in parts]) for kind in CONFOUNDERS]


def _of_confounder(kind: str, parts: Sequence[Mapping[str, float]]) -> Finding:
    """Mean rise over all bearers, with an interval that resamples seeds."""
    totals = np.array([[part["naive"], part["adjusted"], part["bearers"]] for part in parts])
    rng = np.random.default_rng(len(parts))
    drawn = totals[rng.integers(0, len(parts), (DRAWS, len(parts)))].sum(axis=1)

    def rise(sums: np.ndarray) -> np.ndarray:
        return sums[..., :2] / np.maximum(sums[..., 2:], 1)

    naive, adjusted = rise(totals.sum(axis=0))
    of_naive, of_adjusted = (percentile_interval(rise(drawn)[:, k]) for k in (0, 1))
    back = percentile_interval(rise(drawn)[:, 0] - rise(drawn)[:, 1])
    return Finding(
        claim=f"{kind} ({KINDS[kind]}): raises the naive score of its bearers, and comparison with peers takes more than half back",
        measured=(
            f"naive {naive:+.1f} places in a hundred ({of_naive.low:+.1f} to {of_naive.high:+.1f}), beside peers {adjusted:+.1f} "
            f"({of_adjusted.low:+.1f} to {of_adjusted.high:+.1f}), taken back {naive - adjusted:.1f} ({back.low:.1f} to {back.high:.1f}); "
            f"{int(totals[:, 2].sum()):,} bearers"
        ),
        holds=bool(of_naive.low > 0 and adjusted < naive / 2),
    )


# --- review samples -------------------------------------------------------------------------------------


def _samples_part(scene: str) -> Part:
    seed = SAMPLES_SEED + list(SCENES).index(scene)
    return coverage(SCENES[scene], replicates=REPLICATES, seed=seed)


def _conclude_samples(parts: Sequence[Part]) -> list[Finding]:
    return [
        _of_intervals(measure, reviewers, [part[reviewers][measure] for part in parts])
        for reviewers in REVIEWERS
        for measure in MEASURES
    ]


def _of_intervals(measure: str, reviewers: str, parts: Sequence[Mapping[str, float]]) -> Finding:
    """How often one measure's intervals cover, on average over the populations and where least and most."""
    covers, of_shares, naive = (
        np.array([part[name] for part in parts]) for name in ("covers", "covers_share", "naive")
    )
    outside = [
        f"{scene}: {share:.1%}"
        for scene, share in zip(SCENES, covers, strict=False)
        if not COVERS[0] <= share <= COVERS[1]
    ]
    return Finding(
        claim=f"with reviewers {reviewers}, 95 % intervals of the {measure} cover the truth {COVERS[0]:.0%} to {COVERS[1]:.0%} "
        "of the time, on average over the populations",
        measured=(
            f"{covers.mean():.1%} ({covers.min():.1%} to {covers.max():.1%}; the share of the very people {of_shares.mean():.1%}); "
            f"naive {naive.mean():.1%} ({naive.min():.1%} to {naive.max():.1%}); outside: {'; '.join(outside) or 'none'}"
        ),
        holds=bool(COVERS[0] <= covers.mean() <= COVERS[1]),
    )


# --- feedback -------------------------------------------------------------------------------------------


def _feedback_part(seed: int) -> Part:
    with _simulated(seed, people=FEEDBACK_PEOPLE, months=FEEDBACK_MONTHS) as workspace:
        params = replace(usual_params(workspace.force, threads=1), seed=seed)
        return cycles(workspace, seed=seed, params=params, progress=lambda step: say(f"    {step}"))


def _conclude_feedback(parts: Sequence[Part]) -> list[Finding]:
    return [
        _against_no_tool(
            parts,
            "chance_in_group",
            "the chance given to innocent people of the group that detection leans to",
        ),
        _against_no_tool(parts, "chance_of_others", "the chance given to innocent people outside it"),
        _against_no_tool(parts, "innocent_in_group", "innocent people of that group on the list"),
        _against_no_tool(parts, "before", "people on the list of whom an earlier cycle had a lead"),
        _against_no_tool(parts, "misconduct", "planted misconduct on the list", more_is_better=True),
    ]


def _against_no_tool(
    parts: Sequence[Part], measure: str, says: str, *, more_is_better: bool = False
) -> Finding:
    """As shipped and naively, how many times what it is where no tool has written to the records; over seeds."""
    rng = np.random.default_rng(len(parts))
    drawn = np.vstack([np.arange(len(parts)), rng.integers(0, len(parts), (DRAWS, len(parts)))])
    last = {
        way: np.array([sum(cycle[measure] for cycle in part[way][-LAST_CYCLES:]) for part in parts])
        for way in parts[0]
    }
    alone = last["no tool"][drawn].sum(axis=1)
    times = {way: last[way][drawn].sum(axis=1) / np.maximum(alone, 1e-9) for way in ("as shipped", "naive")}
    within = {way: percentile_interval(values) for way, values in times.items()}
    told = "; ".join(
        f"{way} {times[way][0]:.2f} times ({within[way].low:.2f} to {within[way].high:.2f})" for way in times
    )
    claim = "is no less" if more_is_better else "does not grow"
    shipped = within["as shipped"]
    return Finding(
        claim=f"as shipped, {says} {claim} beside records without the tool: the interval reaches 1",
        measured=f"{told}; without the tool {last['no tool'].sum() / len(parts) / LAST_CYCLES:.3g} a cycle",
        holds=bool(shipped.high >= 1 if more_is_better else shipped.low <= 1),
    )


# --- Chicago --------------------------------------------------------------------------------------------


def _chicago_part(data: Path, _: str) -> Part:
    with _workspace(force="chicago", data=str(data)) as workspace:
        dates = workspace.dates()
        backtest = run_experiment(
            workspace.force, workspace.accepted, test_as_ofs=dates.tests, train_candidates=dates.candidates,
            params=usual_params(workspace.force, threads=workspace.config.study.threads), seed=1, until=dates.end, draws=200,
        ).backtest  # fmt: skip
        rankings = measure_rankings({"run": backtest}, draws=CHICAGO_DRAWS, seed=1)
        return {
            "dates": {
                str(day - timedelta(days=1)): {
                    method: {name: float(_chicago_measure(rankings, method, name, [day])[0]) for name in CHICAGO_GOALS}
                    for method in backtest.methods
                }
                for day in backtest.test_as_ofs
            },
            "together": {
                name: _with_interval(_chicago_measure(rankings, "lightgbm", name, backtest.test_as_ofs))
                for name in CHICAGO_GOALS
            },
            "more": {
                method: {
                    name: _with_interval(
                        _chicago_measure(rankings, "lightgbm", name, backtest.test_as_ofs)
                        - _chicago_measure(rankings, method, name, backtest.test_as_ofs)
                    )
                    for name in CHICAGO_GOALS
                }
                for method in backtest.methods
                if method != "lightgbm"
            },
            "labels_differ": _labels_that_differ(backtest, data),
        }  # fmt: skip


def _chicago_measure(rankings: Rankings, method: str, name: str, days: Sequence[date]) -> np.ndarray:
    """A measure as it is and in every resample, `[1 + draws]`: the mean of the dates, or their sums' ratio."""
    ranking = f"run/{method}"
    if name != "found":
        return mean_of_dates(rankings, ranking, name, days)
    of_method, of_rule = (
        np.sum([rankings.found(each, AT_RULE, day) for day in days], axis=0)
        for each in (ranking, "run/threshold_rule")
    )
    return of_method / of_rule


def _with_interval(values: np.ndarray) -> list[float]:
    interval = percentile_interval(values)
    return [float(values[0]), interval.low, interval.high]


def _labels_that_differ(backtest: Backtest, data: Path) -> int:
    """Rows of the cohort and labels that are not in the benchmark's own file, or the other way round."""
    published = (
        pl.read_parquet(data / "labels.parquet")
        .select(
            person_key=pl.col("officer_id").cast(pl.Int64),
            as_of=pl.col("as_of").dt.offset_by("1d"),
            published=pl.col("y_sustained_core") == 1,
        )
        .filter(pl.col("as_of").is_in(backtest.test_as_ofs))
    )
    ours = backtest.scores.select(pl.col("person_key").cast(pl.Int64), "as_of", "confirmed")
    both = ours.join(published, on=["person_key", "as_of"], how="full")
    return int((both["confirmed"].ne_missing(both["published"])).sum())


def _conclude_chicago(parts: Sequence[Part]) -> list[Finding]:
    part = parts[0]
    findings = []
    for name, (words, least) in CHICAGO_GOALS.items():
        value, low, high = part["together"][name]
        by_date = ", ".join(f"{day}: {of_day['lightgbm'][name]:.3f}" for day, of_day in part["dates"].items())
        findings.append(
            Finding(
                claim=f"{words} is at least {least:g}",
                measured=f"{value:.3f} ({low:.3f} to {high:.3f}); {by_date}",
                holds=value >= least,
            )
        )
    for method, more in part["more"].items():
        said = [
            f"{CHICAGO_GOALS[name][0]} {value:+.3f} ({low:+.3f} to {high:+.3f})"
            for name, (value, low, high) in more.items()
        ]
        findings.append(
            Finding(
                claim=f"LightGBM ranks and lists better than {method}, each interval of the paired difference above zero",
                measured="; ".join(said),
                holds=all(low > 0 for _, low, _ in more.values()),
            )
        )
    differ = part["labels_differ"]
    return [
        *findings,
        Finding(claim="cohort and labels equal labels.parquet", measured=f"{differ} rows differ", holds=differ == 0),
    ]  # fmt: skip


def _choices_part(data: Path, _: str) -> Part:
    with _workspace(force="chicago", data=str(data)) as workspace:
        reference = usual_params(workspace.force, threads=workspace.config.study.threads)
        table = measure_choices(
            workspace.force, workspace.accepted, _variants(reference, workspace.force.outcome.precedents), reference=reference,
            test_as_ofs=CHOICE_DATES, candidates=workspace.dates().candidates, draws=CHICAGO_DRAWS, seed=1,
            progress=lambda says: say(f"    {says}"),
        )  # fmt: skip
        return {"differences": table.to_dicts()}


def _variants(reference: Params, precedents: Precedents) -> list[Variant]:
    """Every choice that was open, taken the other way."""
    other_labels = "settled" if reference.labels == "expected" else "expected"
    without = {
        "the unit and its others": lambda idea: idea.family == "unit",
        "standing among others": lambda idea: isinstance(idea.of, Peers),
        "finer topics of complaints": lambda idea: idea.name.removesuffix("_complaints") in TOPICS,
        "being the only one accused": lambda idea: "sole_accused" in idea.name,
        "penalties": lambda idea: idea.family == "penalties",
        "reports of force": lambda idea: idea.family == "use of force",
    }
    changed: dict[str, dict[str, Any]] = {
        f"with {other_labels} labels": {"labels": other_labels},
        "with more only ever more concern"
        if not reference.monotone
        else "with features free to count either way": {"monotone": not reference.monotone},
        "without a teacher": {"teacher_share": 0.0},
        "with trees of 8 leaves": {"leaves": 8},
        "with a quarter of the L2 penalty": {"l2_share": reference.l2_share / 4},
        "with every feature offered to every tree": {"feature_share": 1.0},
    }
    return [
        *(Variant(says=says, params=replace(reference, **change)) for says, change in changed.items()),
        Variant(says="with three seeds averaged", params=reference, seeds=3),
        Variant(
            says="with open cases of all kinds expected to end alike",
            params=reference,
            precedents=replace(precedents, kinds=()),
        ),
        *(
            Variant(says=f"without {says}", params=reference, without=leaves_out)
            for says, leaves_out in without.items()
        ),
    ]


def _conclude_choices(parts: Sequence[Part]) -> list[Finding]:
    rows = pl.DataFrame(parts[0]["differences"])
    return [
        Finding(
            claim=f"the model as shipped is not clearly worse than {says}",
            measured=f"as shipped, {of_variant['dates'][0]} dates: "
            + "; ".join(
                f"{row['measure'].replace('_at_', ' at ').replace('pc', ' %')} {row['value']:.4f}, more by "
                f"{row['more']:+.4f} ({row['low']:+.4f} to {row['high']:+.4f})"
                for row in of_variant.iter_rows(named=True)
            ),
            holds=all(row["high"] >= 0 for row in of_variant.iter_rows(named=True)),
        )
        for (says,), of_variant in rows.group_by("says", maintain_order=True)
    ]


def _fingerprint_of(folder: Path) -> str:
    """Of the records in a folder, so that a part measured on other records is not taken for theirs."""
    found = hashlib.sha256()
    for path in sorted(folder.glob("*.parquet")):
        found.update(path.name.encode())
        found.update(path.read_bytes())
    return found.hexdigest()[:8]


# --- workspaces of their own ----------------------------------------------------------------------------


class _workspace:  # noqa: N801  # used as a function, like tempfile.TemporaryDirectory
    """A workspace in a folder that is gone afterwards."""

    def __init__(self, **given: str) -> None:
        self._given = given

    def __enter__(self) -> Workspace:
        self._folder = Path(tempfile.mkdtemp(prefix="evenhand-"))
        return Workspace(self._config(self._folder))

    def _config(self, folder: Path) -> Config:
        return load_config(
            None, out=folder / "out", runs=folder / "mlruns", register_url=f"sqlite:///{folder}/register.db",
            suites=SOURCE.parent / "expectations", **self._given,
        )  # fmt: skip

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)


class _simulated(_workspace):  # noqa: N801
    """A workspace on a force simulated for the occasion."""

    def __init__(
        self, seed: int, *, people: int, months: int = MONTHS, dense: bool = True, **how: Any
    ) -> None:
        self._seed, self._people, self._months, self._how = seed, people, months, {"dense": dense, **how}

    def _config(self, folder: Path) -> Config:
        data = simulate(
            folder / "data",
            officers=self._people,
            months=self._months,
            seed=self._seed,
            **self._how,
        )
        self._given = {"force": "simulated", "data": str(data)}
        return super()._config(folder)


# --- keeping and writing --------------------------------------------------------------------------------


class _Kept:
    """The parts of a study measured so far, in one file beside the page; those of other code are not taken for them."""

    def __init__(self, path: Path, follows: Mapping[str, str]) -> None:
        self._path, self._follows = path, dict(follows)
        stored = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        self.parts: dict[str, Part] = stored["parts"] if stored.get("follows") == self._follows else {}

    def keep(self, part: int | str, made: Part) -> None:
        self.parts[str(part)] = made
        self._path.parent.mkdir(parents=True, exist_ok=True)
        partial = self._path.with_suffix(".partial")
        lines = ",\n".join(
            f"  {json.dumps(name, ensure_ascii=False)}: {json.dumps(self.parts[name])}"
            for name in sorted(self.parts)
        )
        partial.write_text(
            f'{{"follows": {json.dumps(self._follows)},\n "parts": {{\n{lines}\n }}}}\n', encoding="utf-8"
        )
        partial.replace(self._path)


def _kept(page: Path, study: Study, code: str) -> _Kept:
    measured_by = "".join(inspect.getsource(function) for function in study.measured_by)
    follows = {"source": code, "measured_by": hashlib.sha256(measured_by.encode()).hexdigest()[:8]}
    return _Kept(page.with_suffix("") / f"{study.name}.json", follows)


def _drawn(page: Path, name: str) -> Path:
    return page.with_suffix("") / f"{name}.svg"


def _measured(study: Study, kept: _Kept, jobs: int) -> list[Part]:
    """Every part of a study, each kept as soon as it is made."""
    missing = [part for part in study.parts if str(part) not in kept.parts]
    made = (
        ((part, study.run_part(part)) for part in missing)
        if jobs == 1
        else _side_by_side(study.run_part, missing, jobs)
    )
    for n_made, (part, found) in enumerate(made, start=1):
        kept.keep(part, found)
        say(f"  {part} ({len(study.parts) - len(missing) + n_made} of {len(study.parts)})")
    return [kept.parts[str(part)] for part in study.parts]


def _side_by_side(
    run_part: Callable[[Any], Part], parts: Sequence[int | str], jobs: int
) -> Iterator[tuple[int | str, Part]]:
    """Parts in the order in which they are done, so many at a time."""
    # Read when Polars is imported, which a spawned process does anew. Parts that each ask for every core wait for
    # each other.
    os.environ.setdefault("POLARS_MAX_THREADS", "1")
    # A process a part, so that the memory of one is given back before the next begins.
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        under_way = {pool.submit(run_part, part): part for part in parts}
        try:
            for done in as_completed(under_way):
                yield under_way[done], done.result()
        finally:
            # Where one part failed, those not begun would be measured for nobody.
            pool.shutdown(wait=False, cancel_futures=True)


def record(
    page: Path, study: Study, findings: Sequence[Finding], *, command: str, commit: str, code: str
) -> None:
    """Keep what a study found, in place of what it found before, in the JSON file beside the page."""
    found = _recorded(page) | {
        study.name: {
            "about": f"{study.about[0].upper()}{study.about[1:]}.",
            "parts": _span(study.parts),
            "command": command,
            "commit": commit,
            "source": code,
            "findings": [asdict(finding) for finding in findings],
        }
    }
    page.parent.mkdir(parents=True, exist_ok=True)
    partial = page.with_suffix(".partial")
    partial.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(page.with_suffix(".json"))


def _recorded(page: Path) -> dict[str, Any]:
    path = page.with_suffix(".json")
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def write_page(page: Path, code: str) -> None:
    """Render every study's findings, each with the commit it was found on.

    Args:
        code: fingerprint of the source as it stands.
    """
    lines = [
        "# Evidence",
        "",
        "Written by `make prove`. Seeds were used for nothing else; a claim that does not hold stays on the page. What each "
        f"seed or part gave is in `{page.stem}/`.",
        "",
        "| study | claims that hold | seeds or parts | source |",
        "|---|---|---|---|",
    ]
    for name, study in _recorded(page).items():
        held = sum(finding["holds"] for finding in study["findings"])
        lines.append(
            f"| [{name}](#{name}) | {held} of {len(study['findings'])} | {study['parts']} | "
            f"{'this' if study['source'] == code else 'an earlier one'} |"
        )
    for name, study in _recorded(page).items():
        since = "" if study["source"] == code else "; the source has changed since"
        lines += [
            "",
            f"## {name}",
            "",
            study["about"],
            "",
            f"Command: `{study['command']}`. Seeds or parts: {study['parts']}. "
            f"Commit {study['commit']}, source {study['source']}{since}.",
            "",
            *([f"![{study['about']}]({page.stem}/{name}.svg)", ""] if _drawn(page, name).is_file() else []),
            "| holds | claim | measured |",
            "|---|---|---|",
        ]
        for finding in study["findings"]:
            holds = "yes" if finding["holds"] else "**no**"
            lines.append(f"| {holds} | {finding['claim']} | {finding['measured']} |")
    page.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _span(parts: Iterable[int | str]) -> str:
    names = [str(part) for part in parts]
    return names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"


def _commit() -> str:
    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=SOURCE, capture_output=True, text=True, check=False
        ).stdout.strip()

    changed = " with uncommitted changes" if git("status", "--porcelain", "--", ".") else ""
    return f"{git('rev-parse', '--short', 'HEAD') or 'unknown'}{changed}"
