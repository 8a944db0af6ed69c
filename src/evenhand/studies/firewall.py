"""Other protected histories and recoded reasons: scores must not know."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from evenhand.studies.forces import MONTHS, half_years, simulated
from evenhand.studies.study import Finding, Part, Study
from evenhand.workspace import Workspace
from features.build import build
from models.experiment import run_experiment
from models.ranker import usual_params

SEEDS = range(9201, 9204)
PEOPLE = 1000
COLLEAGUES_MAY_MOVE = 5


def _part(seed: int, *, people: int, months: int) -> Part:
    with (
        simulated(seed, people=people, months=months) as one,
        simulated(
            seed, people=people, months=months, protected_seed=seed + 50_000, recode_reasons=True
        ) as other,
    ):
        dates, tests = one.dates(), half_years(one)
        model = run_experiment(
            one.force, one.accepted, test_as_ofs=tests, train_candidates=dates.candidates,
            params=usual_params(one.force, threads=one.config.study.threads), seed=seed, planted=one.planted(tests),
            until=dates.end, draws=200,
        ).model  # fmt: skip
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


def _conclude(parts: Sequence[Part]) -> list[Finding]:
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


FIREWALL = Study(
    name="firewall",
    about=f"other protected histories, reasons recoded, {PEOPLE:,} people, {MONTHS} months",
    parts=SEEDS,
    run_part=partial(_part, people=PEOPLE, months=MONTHS),
    conclude=_conclude,
    measured_by=(_part, half_years, compare_scores, _with_same_duties),
)
