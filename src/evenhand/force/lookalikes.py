"""Innocent people whose records look like misconduct, and since when."""

from __future__ import annotations

import numpy as np
import polars as pl

from evenhand.force.complaints import CONTACT, reported_from
from evenhand.force.draws import Flags, Ints
from evenhand.force.kinds import CONFOUNDERS, KINDS
from evenhand.force.people import HANDOVER_ROLES, PS, SELF_KEPT_ROLES, is_role
from evenhand.force.world import World

__all__ = ["CONFOUNDERS", "KINDS", "lookalikes"]

# Explanations that lie in the role.
OF_ROLES = {
    "many_searches_role": ("INTEL_DESK", "PNC_BUREAU"),
    "high_contact_role": tuple(role for role, contact in CONTACT.items() if contact > 1),
    "self_kept_roster": SELF_KEPT_ROLES,
    "handover_claims": HANDOVER_ROLES,
}
# Explanations that lie in the team.
OF_TEAMS = {"late_authoriser": "late_authoriser", "clock_change": "old_terminals"}
AFTER_A_REPORT = 365
AFTER_AN_INJURY = 90


def lookalikes(world: World) -> pl.DataFrame:
    """[person_key, kind, from, to], half-open, within service and the days covered."""
    people, teams, calendar, has = world.people, world.teams, world.calendar, world.has
    n = len(people)
    whole, end = np.zeros(n, np.int64), np.full(n, calendar.days)
    stays = np.minimum(people.moves_on, end)
    injuries = world.absence.special
    hurt = np.flatnonzero(injuries.kind == 5)
    reported = reported_from(world)
    inquiry = world.moved[1]
    parts = [
        _spans("short_staffed_team", teams.short_from[people.team], np.minimum(teams.short_to[people.team], stays)),
        _spans("short_staffed_team", np.maximum(teams.short_from[people.later_team], people.moves_on),
               np.where(people.moves_on < end, teams.short_to[people.later_team], -1)),
        _spans("disability_sickness", has.fluctuating_from, has.fluctuating_to),
        _spans("pregnancy_maternity", has.pregnant_from, np.maximum(has.maternity_to, has.pregnant_from)),
        _spans("part_time", whole, np.where(people.part_time | people.compressed, end, -1)),
        _spans("public_order_aid", whole, np.where(world.pool, end, -1)),
        _spans("major_investigation", world.ops.first[inquiry], world.ops.first[inquiry] + world.ops.days[inquiry],
               world.moved[0]),
        _spans("federation_rep", whole, np.where(has.union, end, -1)),
        _spans("injury_on_duty", injuries.first[hurt] - 1, injuries.last[hurt] + AFTER_AN_INJURY, injuries.person[hurt]),
        _spans("whistleblower", reported, np.where(reported < end, reported + AFTER_A_REPORT, -1)),
        *(
            part
            for kind, roles in OF_ROLES.items()
            for part in _of_team(kind, is_role(teams.role, roles), world)
        ),
        *(part for kind, name in OF_TEAMS.items() for part in _of_team(kind, getattr(teams, name), world)),
        _spans("probationer", people.service_start, people.service_start + 365),
        _spans("supervisor_on_behalf", whole, np.where(people.rank == PS, end, -1)),
    ]  # fmt: skip
    spans = pl.concat(parts).filter(pl.col("kind").is_in(list(world.parameters.kinds)))
    person = spans["person"].to_numpy()
    begin = np.maximum(spans["begin"].to_numpy(), np.maximum(people.begins, 0)[person])
    stop = np.minimum(spans["stop"].to_numpy(), np.minimum(people.ends, end)[person])
    kept = begin < stop
    return pl.DataFrame(
        {
            "person_key": pl.Series(people.key).gather(pl.Series(person[kept].astype(np.uint32))),
            "kind": spans["kind"].filter(pl.Series(kept)),
            "from": pl.Series(calendar.days_column(begin[kept]).arrow()),
            "to": pl.Series(calendar.days_column(stop[kept]).arrow()),
        }
    ).sort("person_key", "kind", "from")


def _of_team(kind: str, in_team: Flags, world: World) -> list[pl.DataFrame]:
    """Spans in the first team and in the later one, of an explanation that holds in some teams."""
    people, end = world.people, world.calendar.days
    n = len(people)
    stays = np.minimum(people.moves_on, end)
    return [
        _spans(kind, np.zeros(n, np.int64), np.where(in_team[people.team], stays, -1)),
        _spans(kind, people.moves_on, np.where(in_team[people.later_team], end, -1)),
    ]


def _spans(kind: str, begin: Ints, stop: Ints, person: Ints | None = None) -> pl.DataFrame:
    some = np.flatnonzero(begin < stop)
    return pl.DataFrame(
        {
            "person": (some if person is None else person[some]).astype(np.int64),
            "begin": begin[some].astype(np.int64),
            "stop": stop[some].astype(np.int64),
        }
    ).with_columns(kind=pl.lit(kind))
