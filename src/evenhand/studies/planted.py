"""Planted misconduct found at equal capacity, and innocent people who look unusual beside their like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from evenhand.answers import OURS, beside, by_rules, listed_innocents, told_the_answers, yields
from evenhand.force.kinds import KINDS
from evenhand.studies.forces import MONTHS, half_years, simulated
from evenhand.studies.study import DRAWS, Finding, Part, Study
from features.labels import cohort
from models.experiment import prepare, run_backtest
from models.metrics import Interval, percentile_interval
from models.ranker import usual_params

if TYPE_CHECKING:
    import altair

CASEY_SEEDS = range(9701, 9731)
ADVERSARIAL_SEEDS = range(9641, 9651)
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
PEOPLE = 10_000
CAPACITIES = (0.01, 0.02, 0.05)  # of everyone; the first is the default capacity
# As reviewers have it, and where enough innocent people are listed to tell small differences.
BEARERS_AT = (CAPACITIES[0], CAPACITIES[-1])


def _part(
    seed: int, *, people: int, months: int, preset: str, rules: Sequence[str], unadjusted: Sequence[int]
) -> Part:
    with simulated(seed, people=people, months=months, preset=preset, dense=False) as workspace:
        force, tests = workspace.force, half_years(workspace)
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
        references = {"rules_by_answer_key": by_rules(study, rules)}
        if seed in unadjusted:
            answers = workspace.planted(sorted({day for fold in study.folds for day in fold.train_as_ofs}))
            assert answers is not None
            references["told_the_answers"] = told_the_answers(study, answers, params)
            without, _ = run_backtest(
                study, replace(params, even_handed=False), capacity=backtest.capacity, planted=truth
            )
            part["unadjusted"] = {
                "misconduct": yields(without)[OURS]["misconduct"],
                "innocents": listed_innocents(without, truth, members, list(KINDS)),
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
    times, interval = _times_as_often(by_seed)
    people = {what: sum(each[what] for each in by_seed) for what in ("bearers", "listed", "expected")}
    return Finding(
        claim=f"with {share:.0%} of the cohort listed, innocent people who bear {kind} are listed at most 1.25 times as often as "
        "innocent others of their role and rank, upper bound 1.5",
        measured=f"{people['listed']:.1f} of {people['bearers']:,.0f} listed, {people['expected']:.1f} expected: "
        f"{times:.2f} times, 95 % interval {interval.low:.2f} to {interval.high:.2f}",
        holds=bool(times <= 1.25 and interval.high <= 1.5),
    )


def _times_as_often(by_seed: Sequence[Mapping[str, float]]) -> tuple[float, Interval]:
    """How many times as often as expected bearers are listed."""
    listed, expected = (np.array([each[what] for each in by_seed]) for what in ("listed", "expected"))
    return float(listed.sum() / max(expected.sum(), 1e-9)), _ratio_of_totals(listed, expected)


def draw_planted(parts: Sequence[Part]) -> altair.VConcatChart:
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
        y=altair.Y("method:N", sort=list(methods), title=None), x=altair.X("planted cases:Q", axis=altair.Axis(tickCount=3)),
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


PLANTED = Study(
    name="planted",
    about=f"planted misconduct found at equal capacity, {PEOPLE:,} people at published rates, {MONTHS} months, preset casey",
    parts=CASEY_SEEDS,
    run_part=partial(
        _part,
        people=PEOPLE,
        months=MONTHS,
        preset="casey",
        rules=tuple(RULES_BY_ANSWER_KEY.values()),
        unadjusted=UNADJUSTED_SEEDS,
    ),
    conclude=_conclude_planted,
    measured_by=(_part, half_years),
    draw=draw_planted,
)
ADVERSARIAL = Study(
    name="adversarial",
    about=f"the same where innocent explanations are louder than misconduct, {PEOPLE:,} people at published rates, {MONTHS} months",
    parts=ADVERSARIAL_SEEDS,
    run_part=partial(
        _part,
        people=PEOPLE,
        months=MONTHS,
        preset="adversarial",
        rules=tuple(RULES_BY_ANSWER_KEY.values()),
        unadjusted=range(0),
    ),
    conclude=_conclude_adversarial,
    measured_by=(_part, half_years),
)
