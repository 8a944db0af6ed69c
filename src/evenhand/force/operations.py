"""Operations that take people from their teams: public order, aid to other forces, football, major inquiries."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from evenhand.force.columns import Labels, Rows, labels
from evenhand.force.draws import Draws, Flags, Ints, row_code
from evenhand.force.parameters import Parameters
from evenhand.force.people import MINUTES_A_DAY, OFFICER, PS, Calendar, People, Teams, role_index

DEPLOYMENT_TYPES = ("AID", "EVENT", "FOOTBALL", "MAJOR_INCIDENT")
AID, EVENT, FOOTBALL, MAJOR_INCIDENT = range(4)
INCIDENT_TYPES = ("HOMICIDE", "TERRORISM", "DISASTER", "SERIES")
EVENTS_A_YEAR = 16


@dataclass(frozen=True, eq=False)
class Operations:
    """One entry an operation: first day, length in days, index into DEPLOYMENT_TYPES, and its code."""

    first: Ints
    days: Ints
    kind: Ints
    codes: pa.Array

    def code_of(self, operation: Ints) -> Labels:
        """The code that tours and claims are charged to; empty where the index is negative."""
        return labels(self.codes, operation)


def operations(calendar: Calendar, parameters: Parameters, draws: Draws) -> Operations:
    """About sixteen events a year of one to four days, and a few inquiries of months."""
    rng = draws.stream("operations")
    n = max(4, round(EVENTS_A_YEAR * calendar.years))
    first = np.sort(rng.integers(0, calendar.days, n))
    days = rng.integers(1, 5, n)
    kind = np.where(days == 1, FOOTBALL, np.where(days == 2, EVENT, AID))
    rng = draws.stream("inquiries")
    inquiries = round(parameters["inquiries_per_year"] * calendar.years)
    begun = np.sort(rng.integers(0, max(1, calendar.days - 30), inquiries))
    return Operations(
        np.concatenate([first, begun]),
        np.concatenate([days, rng.integers(45, 130, inquiries)]),
        np.concatenate([kind, np.full(inquiries, MAJOR_INCIDENT)]),
        pa.array(
            [f"OP-{number:03d}" for number in range(1, n + 1)]
            + [f"MI-{number:03d}" for number in range(1, inquiries + 1)],
            pa.string(),
        ),
    )


def aid_pool(people: People, teams: Teams, parameters: Parameters, draws: Draws) -> Flags:
    """Who is sent to operations: public-order teams, and a pool of officers from elsewhere."""
    pool = draws.stream("aid pool").random(len(people)) < parameters["aid_pool_share"]
    able = (people.kind == OFFICER) & (people.rank <= PS) & (parameters["deployment_chance"] > 0)
    return able & (pool | (teams.role[people.team] == role_index("PUBLIC_ORDER")))


def inquiry_teams(
    people: People, teams: Teams, ops: Operations, parameters: Parameters, draws: Draws
) -> tuple[Ints, Ints]:
    """Person and inquiry of everybody moved to one."""
    able = (teams.role[people.team] == role_index("INVESTIGATION")) & (people.rank <= PS)
    able &= people.kind == OFFICER
    detectives = np.flatnonzero(able)
    inquiries = np.flatnonzero(ops.kind == MAJOR_INCIDENT)
    person, inquiry = np.repeat(detectives, len(inquiries)), np.tile(inquiries, len(detectives))
    moved = draws.of_row(row_code(person, inquiry), "moved to an inquiry") < parameters["inquiry_share"]
    return person[moved], inquiry[moved]


def sent(
    first_person: int,
    n_people: int,
    pool: Flags,
    moved: tuple[Ints, Ints],
    people: People,
    ops: Operations,
    calendar: Calendar,
    parameters: Parameters,
    draws: Draws,
) -> Ints:
    """Grid [person, day] of people from `first_person` on: the operation each is sent to, -1 where none."""
    everybody = np.arange(first_person, first_person + n_people)
    grid = np.full((n_people, calendar.days), -1, np.int16)
    mine = (moved[0] >= first_person) & (moved[0] < first_person + n_people)
    for person, inquiry in zip(moved[0][mine].tolist(), moved[1][mine].tolist(), strict=True):
        begin = ops.first[inquiry]
        grid[person - first_person, begin : begin + ops.days[inquiry]] = inquiry
    for operation in np.flatnonzero(ops.kind != MAJOR_INCIDENT).tolist():
        draw = draws.of_row(row_code(everybody, np.full(n_people, operation)), "deployed")
        goes = pool[everybody] & (draw < parameters["deployment_chance"])
        begin = ops.first[operation]
        grid[goes, begin : begin + ops.days[operation]] = operation
    day = np.arange(calendar.days)
    serves = (day >= people.begins[everybody][:, None]) & (day < people.ends[everybody][:, None])
    grid[~serves] = -1
    return grid


def major_incident(ops: Operations, calendar: Calendar, draws: Draws) -> Rows:
    """The inquiries, as the roster system knows them."""
    which = np.flatnonzero(ops.kind == MAJOR_INCIDENT)
    begins = ops.first[which] * MINUTES_A_DAY + 11 * 60
    kind = (4 * draws.of_row(which, "incident type")).astype(np.int64)
    return Rows(
        code=which,
        columns={
            "project_code": ops.code_of(which),
            "occurred_at": calendar.times(begins),
            "known_at": calendar.times(begins + 240),
            "end_at": calendar.times(begins + ops.days[which] * MINUTES_A_DAY),
            "incident_type": labels(INCIDENT_TYPES, kind),
        },
    )
