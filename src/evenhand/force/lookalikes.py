"""Innocent people whose records look like misconduct, and since when."""

from __future__ import annotations

import numpy as np
import polars as pl

from evenhand.force.absence import Conditions
from evenhand.force.draws import Flags, Ints
from evenhand.force.people import HANDOVER_ROLES, PS, SELF_KEPT_ROLES, Calendar, People, Teams, is_role

KINDS = {
    "short_staffed_team": "the team was short of people: roster changes and overtime were asked for",
    "disability_sickness": "an arrangement agreed with the person accounts for what was seen",
    "self_kept_roster": "the unit has no planner; everybody enters their own changes",
    "handover_claims": "handing over is paid time there and does not show in the book-off",
    "part_time": "an agreed part-time pattern brings swapped days",
    "public_order_aid": "deployed to operations: rest-day work and claims follow the deployment orders",
    "many_searches_role": "the role calls for many searches, mostly on behalf of others",
    "probationer": "new in service: errors, put right openly",
    "supervisor_on_behalf": "a supervisor who uses systems on behalf of the team",
}  # fmt: skip

# Explanations that lie in the role.
OF_ROLES = {
    "many_searches_role": ("INTEL_DESK", "PNC_BUREAU"),
    "self_kept_roster": SELF_KEPT_ROLES,
    "handover_claims": HANDOVER_ROLES,
}


def lookalikes(
    people: People, teams: Teams, pool: Flags, has: Conditions, calendar: Calendar
) -> pl.DataFrame:
    """[person_key, kind, from, to], half-open, within service and the days covered."""
    n = len(people)
    whole, end = np.zeros(n, np.int64), np.full(n, calendar.days)
    stays = np.minimum(people.moves_on, end)
    parts = [
        _spans("short_staffed_team", teams.short_from[people.team], np.minimum(teams.short_to[people.team], stays)),
        _spans("short_staffed_team", np.maximum(teams.short_from[people.later_team], people.moves_on),
               np.where(people.moves_on < end, teams.short_to[people.later_team], -1)),
        _spans("disability_sickness", has.fluctuating_from, has.fluctuating_to),
        _spans("part_time", whole, np.where(people.fte < 1, end, -1)),
        _spans("public_order_aid", whole, np.where(pool, end, -1)),
        *(
            part
            for kind, roles in OF_ROLES.items()
            for part in (
                _spans(kind, whole, np.where(is_role(teams.role[people.team], roles), stays, -1)),
                _spans(kind, people.moves_on, np.where(is_role(teams.role[people.later_team], roles), end, -1)),
            )
        ),
        _spans("probationer", people.service_start, people.service_start + 365),
        _spans("supervisor_on_behalf", whole, np.where(people.rank == PS, end, -1)),
    ]  # fmt: skip
    begins, ends = np.maximum(people.begins, 0), np.minimum(people.ends, end)
    spans = pl.concat(parts).with_columns(
        begin=pl.max_horizontal("begin", pl.Series(begins).gather(pl.concat(parts)["person"])),
        stop=pl.min_horizontal("stop", pl.Series(ends).gather(pl.concat(parts)["person"])),
    )
    spans = spans.filter(pl.col("begin") < pl.col("stop"))
    person = spans["person"].to_numpy()
    return pl.DataFrame(
        {
            "person_key": people.keys_of(person),
            "kind": spans["kind"],
            "from": calendar.dates(spans["begin"].to_numpy()),
            "to": calendar.dates(spans["stop"].to_numpy()),
        }
    ).sort("person_key", "kind", "from")


def _spans(kind: str, begin: Ints, stop: Ints) -> pl.DataFrame:
    person = np.flatnonzero(begin < stop)
    return pl.DataFrame({"person": person, "begin": begin[person], "stop": stop[person]}).with_columns(
        kind=pl.lit(kind)
    )
