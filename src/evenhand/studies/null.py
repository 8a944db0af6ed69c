"""A force without any signal: what the release gate makes of a model of nothing."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from evenhand.studies.forces import MONTHS, simulated
from evenhand.studies.study import Finding, Part, Study
from models.experiment import run_experiment
from models.metrics import LEAST_DRAWS, wilson
from models.ranker import usual_params
from models.registry import forbidden_lineage
from models.release import MUST_BEAT, release_findings

SEEDS = range(9101, 9201)
REFUSED = 95  # of a hundred, at least
PEOPLE = 2000


def _part(seed: int, *, people: int, months: int) -> Part:
    """What the release gate finds of a model of nothing."""
    with simulated(seed, people=people, months=months, preset="null") as workspace:
        dates = workspace.dates()
        experiment = run_experiment(
            workspace.force, workspace.accepted, test_as_ofs=dates.tests, train_candidates=dates.candidates,
            params=usual_params(workspace.force, threads=workspace.config.study.threads), seed=seed, until=dates.end, draws=LEAST_DRAWS,
        )  # fmt: skip
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


def _conclude(parts: Sequence[Part]) -> list[Finding]:
    passed = [str(seed) for seed, part in zip(SEEDS, parts, strict=False) if not part["refused"]]
    listing = sum(part["threshold"] for part in parts)
    refused = len(parts) - len(passed)
    range_of = wilson(refused, len(parts))
    beaten = ", ".join(
        f"{code.removeprefix('beats_')} {sum(code in part['beats'] for part in parts)}"
        for code in (f"beats_{method}" for method in MUST_BEAT)
    )
    return [
        Finding(
            claim=f"the release gate refuses at least {REFUSED} of 100 models of a force without any signal",
            measured=f"{refused} of {len(parts)} refused (95 % interval {range_of.low:.0%} to {range_of.high:.0%}); let through: "
            f"{', '.join(passed) or 'none'}; seemed to beat: {beaten}; a threshold was found on {listing}",
            holds=refused >= REFUSED / 100 * len(parts),
        )
    ]


NULL = Study(
    name="null",
    about=f"a force without any signal, {PEOPLE:,} people, {MONTHS} months",
    parts=SEEDS,
    run_part=partial(_part, people=PEOPLE, months=MONTHS),
    conclude=_conclude,
    measured_by=(_part,),
)
