"""Innocent explanations one at a time: what comparison with peers takes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from evenhand.confounding import bearers_of, raised, scores
from evenhand.force.kinds import CONFOUNDERS, KINDS
from evenhand.studies.forces import simulated
from evenhand.studies.study import DRAWS, Finding, Part, Study
from models.metrics import percentile_interval

SEEDS = range(9301, 9331)
PEOPLE = 800
MONTHS = 18


def _part(seed: int, *, people: int, months: int) -> Part:
    """For each explanation, how far the two scores of the people it concerns rise when it is switched on."""
    without, _ = _scores_under(seed, None, people, months)
    moved: Part = {}
    for kind in CONFOUNDERS:
        with_it, bearers = _scores_under(seed, kind, people, months)
        moved[kind] = raised(with_it, without, bearers)
    return moved


def _scores_under(seed: int, kind: str | None, people: int, months: int) -> tuple[pl.DataFrame, pl.Series]:
    """Scores at the end of a force with one innocent explanation or none, and whom it concerns."""
    kinds = () if kind is None else (kind,)
    with simulated(seed, people=people, months=months, confounders=kinds) as workspace:
        as_of = workspace.extent[1]
        found = scores(workspace.force, workspace.accepted, as_of)
        return found, bearers_of(Path(workspace.config.data), kind or "none", as_of)


def _conclude(parts: Sequence[Part]) -> list[Finding]:
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


CONFOUNDING = Study(
    name="confounders",
    about=f"innocent explanations one at a time, {PEOPLE:,} people, {MONTHS} months",
    parts=SEEDS,
    run_part=partial(_part, people=PEOPLE, months=MONTHS),
    conclude=_conclude,
    measured_by=(_part, _scores_under),
)
