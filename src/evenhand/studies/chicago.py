"""Public Chicago records: what is claimed of the last test dates, and every choice taken the other way on earlier ones."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from evenhand.studies.forces import workspace_on
from evenhand.studies.study import Finding, Part, Study
from evenhand.terminal import say
from features.catalogue.chicago import TOPICS
from features.definition import Precedents
from features.specs import Peers
from models.backtest import AT_RULE, Backtest, Rankings, measure_rankings
from models.choices import Variant, mean_of_dates, measure_choices
from models.experiment import run_experiment
from models.metrics import percentile_interval
from models.ranker import Params, usual_params

DRAWS = 1000
# Nothing is claimed of these dates; what was chosen was chosen on them.
CHOICE_DATES = (date(2006, 1, 1), date(2007, 1, 1), date(2008, 1, 1))
# What is claimed of the test dates together: in words, and at least how much.
GOALS = {
    "auc": ("mean AUC", 0.675),
    "precision_at_5pc": ("mean precision at 5 %", 0.155),
    "recall_at_10pc": ("mean recall at 10 %", 0.25),
    "found": (
        "confirmed people found at the threshold rule's own number of flags, as a multiple of the rule's",
        1.25,
    ),
}


def studies_of(data: Path) -> list[Study]:
    """The two studies on the records in a folder; a part measured on other records is not taken for theirs."""
    records = [f"records {_fingerprint_of(data)}"]
    return [
        Study(
            name="chicago",
            about="public Chicago records, the last test dates together",
            parts=records,
            run_part=partial(_part, data, draws=DRAWS),
            conclude=_conclude,
            measured_by=(_part, _measure, _labels_that_differ),
        ),
        Study(
            name="choices",
            about="public Chicago records, every choice taken the other way, on test dates 2005-12-31 to 2007-12-31",
            parts=records,
            run_part=partial(_choices_part, data, dates=CHOICE_DATES, draws=DRAWS),
            conclude=_conclude_choices,
            measured_by=(_choices_part, _variants),
        ),
    ]


def _part(data: Path, _: str, *, draws: int) -> Part:
    with workspace_on(force="chicago", data=data) as workspace:
        dates = workspace.dates()
        backtest = run_experiment(
            workspace.force, workspace.accepted, test_as_ofs=dates.tests, train_candidates=dates.candidates,
            params=usual_params(workspace.force, threads=workspace.config.study.threads), seed=1, until=dates.end, draws=200,
        ).backtest  # fmt: skip
        rankings = measure_rankings({"run": backtest}, draws=draws, seed=1)
        return {
            "dates": {
                str(day - timedelta(days=1)): {
                    method: {name: float(_measure(rankings, method, name, [day])[0]) for name in GOALS}
                    for method in backtest.methods
                }
                for day in backtest.test_as_ofs
            },
            "together": {
                name: _with_interval(_measure(rankings, "lightgbm", name, backtest.test_as_ofs))
                for name in GOALS
            },
            "more": {
                method: {
                    name: _with_interval(
                        _measure(rankings, "lightgbm", name, backtest.test_as_ofs)
                        - _measure(rankings, method, name, backtest.test_as_ofs)
                    )
                    for name in GOALS
                }
                for method in backtest.methods
                if method != "lightgbm"
            },
            "labels_differ": _labels_that_differ(backtest, data),
        }  # fmt: skip


def _measure(rankings: Rankings, method: str, name: str, days: Sequence[date]) -> np.ndarray:
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


def _conclude(parts: Sequence[Part]) -> list[Finding]:
    part = parts[0]
    findings = []
    for name, (words, least) in GOALS.items():
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
            f"{GOALS[name][0]} {value:+.3f} ({low:+.3f} to {high:+.3f})"
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


def _choices_part(data: Path, _: str, *, dates: Sequence[date], draws: int) -> Part:
    with workspace_on(force="chicago", data=data) as workspace:
        reference = usual_params(workspace.force, threads=workspace.config.study.threads)
        table = measure_choices(
            workspace.force, workspace.accepted, _variants(reference, workspace.force.outcome.precedents), reference=reference,
            test_as_ofs=dates, candidates=workspace.dates().candidates, draws=draws, seed=1,
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
