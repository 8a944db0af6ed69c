"""Intervals from review samples: how often they hold the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from evenhand.coverage import MEASURES, REVIEWERS, SCENES, coverage
from evenhand.studies.study import Finding, Part, Study

FIRST_SEED = 9401
REPLICATES = 1000
COVERS = (0.93, 0.97)


def _part(scene: str, *, replicates: int, first_seed: int) -> Part:
    seed = first_seed + list(SCENES).index(scene)
    return coverage(SCENES[scene], replicates=replicates, seed=seed)


def _conclude(parts: Sequence[Part]) -> list[Finding]:
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


SAMPLES = Study(
    name="samples",
    about=f"intervals from review samples, {REPLICATES:,} replicates of each of {len(SCENES)} simulated populations",
    parts=list(SCENES),
    run_part=partial(_part, replicates=REPLICATES, first_seed=FIRST_SEED),
    conclude=_conclude,
    measured_by=(_part,),
)
