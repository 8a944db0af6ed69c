"""Cycles of leads, reviews and learning again: whether the tool comes to follow itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from evenhand.feedback import CYCLES, cycles
from evenhand.studies.forces import simulated
from evenhand.studies.study import DRAWS, Finding, Part, Study
from evenhand.terminal import say
from models.metrics import percentile_interval
from models.ranker import usual_params

SEEDS = range(9501, 9507)
PEOPLE = 1000
MONTHS = 72
LAST_CYCLES = 3


def _part(seed: int, *, people: int, months: int) -> Part:
    with simulated(seed, people=people, months=months) as workspace:
        params = replace(usual_params(workspace.force, threads=1), seed=seed)
        return cycles(workspace, seed=seed, params=params, progress=lambda step: say(f"    {step}"))


def _conclude(parts: Sequence[Part]) -> list[Finding]:
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


FEEDBACK = Study(
    name="feedback",
    about=f"{CYCLES} cycles of leads, reviews and learning again, {PEOPLE:,} people, {MONTHS} months; the last {LAST_CYCLES} "
    "cycles are compared",
    parts=SEEDS,
    run_part=partial(_part, people=PEOPLE, months=MONTHS),
    conclude=_conclude,
    measured_by=(_part,),
)
