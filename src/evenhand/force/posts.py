"""What HR and the identity system hold: posts and their changes, log-on numbers, teams' strength."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from evenhand.force.absence import absent_on
from evenhand.force.columns import Plain, Rows, labels
from evenhand.force.draws import Flags, Ints, row_code
from evenhand.force.lateness import known_days
from evenhand.force.people import EMPLOYEE_TYPES, MINUTES_A_DAY, OFFICER, SPECIAL, Calendar, People, Teams
from evenhand.force.world import World
from features.tables.uk import GRADES, RANKS, ROLES

LEAVER_REASONS = ("RETIRE", "RESIGN", "TRANSFER", "ILLHEALTH", "DISMISS")
PATTERNS = ("FULL", "PART", "COMPRESSED")
MIN_OFFICE_SHARE = 0.8  # the reported guideline
MOST_REMOTE_UNMAPPED = 0.025  # a table with more than a twentieth of its rows bad is refused


def establishment(world: World) -> Rows:
    """A version for each beginning, move, change of supervisor and departure, some of them put right later."""
    people, teams, calendar, draws = world.people, world.teams, world.calendar, world.draws
    person, day, leaving = _changes(people, teams, calendar)
    team = people.team_on(person, day)
    code = row_code(person, np.clip(day, -1, calendar.days) + 1, leaving.astype(np.int64))
    notice = np.where(leaving, 10, 5) * MINUTES_A_DAY
    recorded = day * MINUTES_A_DAY - notice + known_days(draws.of_row(code, "HR records"), 4.0)
    known = np.where(day <= 0, np.minimum(recorded, -30 * MINUTES_A_DAY), recorded)

    # Role and team as typed, then put right: a later version of the same change.
    wrong = np.flatnonzero((draws.of_row(code, "mistyped") < 0.01) & ~leaving)
    rows = np.concatenate([np.arange(len(code)), wrong])
    version = np.repeat([0, 1], [len(code), len(wrong)])
    mistyped = np.isin(rows, wrong) & (version == 0)
    later = known[rows] + known_days(draws.of_row(code[rows], "put right"), 25.0)
    known = np.where(version == 1, later, known[rows])
    person, day, team, leaving = person[rows], day[rows], team[rows], leaving[rows]
    code = code[rows] + 2 * version
    moved = day >= people.moves_on[person]
    role_start = np.where(moved, people.moves_on[person], people.role_start[person])
    role_start = np.where(mistyped, role_start - 365, role_start)
    supervisor = teams.supervisor_on(team, day)
    nobody = supervisor == person
    pattern = np.where(people.part_time, 1, np.where(people.compressed, 2, 0))[person]
    graded = ~np.isin(people.kind, [OFFICER, SPECIAL])
    grade = np.where(graded, 3 + (3 * draws.of_row(np.arange(len(people)), "grade")).astype(np.int64), -1)
    reason = world.protected.stream("reasons for leaving").choice(4, len(people), p=[0.3, 0.45, 0.18, 0.07])
    reason = np.where(people.dismissed, 4, reason)[person]
    return Rows(
        code=code,
        columns={
            "person_key": people.keys_of(person),
            "occurred_at": calendar.times(day * MINUTES_A_DAY),
            "known_at": calendar.times(known),
            "employee_type": labels(EMPLOYEE_TYPES, people.kind[person]),
            "rank": labels(RANKS, people.rank[person]),
            "grade": labels(GRADES, grade[person]),
            "bcu_code": labels(
                [f"BCU{unit + 1:02d}" for unit in range(teams.unit.max() + 1)], teams.unit[team]
            ),
            "team_code": labels(team_codes(teams), team),
            "role_code": labels(ROLES, teams.role[team]),
            "site": labels(teams.sites, teams.site_of(team)),
            "hybrid_post": Plain(people.hybrid[person]),
            "service_start": calendar.days_column(people.service_start[person]),
            "role_start": calendar.days_column(role_start),
            "fte": Plain(people.fte[person]),
            "working_pattern": labels(PATTERNS, pattern),
            "supervisor_key": people.keys_of(np.where(nobody, -1, supervisor)),
            "leaver_date": calendar.days_column(np.where(leaving, people.ends[person], 0), ~leaving),
            "leaver_reason": labels(LEAVER_REASONS, np.where(leaving, reason, -1)),
            "withdrawn": Plain(np.zeros(len(person), bool)),
        },
    )


def _changes(people: People, teams: Teams, calendar: Calendar) -> tuple[Ints, Ints, Flags]:
    """Person, day and whether it is the departure, of every version; one a person and day."""
    n = len(people)
    begins = np.where(people.begins > 0, people.begins, -1)
    seen = people.seen(calendar)
    person: list[Ints] = [np.flatnonzero(seen)]
    day: list[Ints] = [begins[seen]]
    movers = np.flatnonzero((people.moves_on < calendar.days) & seen)
    person.append(movers)
    day.append(people.moves_on[movers])
    for turn in range(1, teams.supervisor.shape[1]):
        comes = teams.supervisor_from[:, turn]
        for team in (people.team, people.later_team):
            when = comes[team]
            serves = (when > begins) & (when < people.ends) & (when < calendar.days) & (when > 0)
            serves &= (people.team_on(np.arange(n), when) == team) & seen
            person.append(np.flatnonzero(serves))
            day.append(when[serves])
    pairs = np.unique(np.concatenate(person).astype(np.int64) << 32 | (np.concatenate(day) + 2**20))
    who, when = pairs >> 32, (pairs & (2**32 - 1)) - 2**20
    stays = when < people.ends[who]
    gone = np.flatnonzero((people.ends < calendar.days + 30) & seen)
    return (
        np.concatenate([who[stays], gone]),
        np.concatenate([when[stays], people.ends[gone]]),
        np.concatenate([np.zeros(int(stays.sum()), bool), np.ones(len(gone), bool)]),
    )


def team_codes(teams: Teams) -> pa.Array:
    return pa.array([f"T{number + 1:04d}" for number in range(len(teams.role))])


def identity_map(world: World) -> Rows:
    """Log-on numbers and whose they are; a few are missing."""
    people, calendar = world.people, world.calendar
    person = np.flatnonzero(people.seen(calendar) & ~_unmapped(world))
    since = np.maximum(people.begins[person], -400) * MINUTES_A_DAY
    return Rows(
        code=row_code(person, np.zeros(len(person), np.int64)),
        columns={
            "user_no": people.log_ons_of(person),
            "person_key": people.keys_of(person),
            "occurred_at": calendar.times(since),
            "known_at": calendar.times(since + 480),
        },
    )


def _unmapped(world: World) -> Flags:
    """Whose log-on number the identity map lacks.

    A few holders of hybrid posts make most remote sessions. Were more of them missing than `MOST_REMOTE_UNMAPPED`,
    measured in days served, `vpn_session` would be refused whole, which in a small force chance alone would bring about.
    """
    people, calendar = world.people, world.calendar
    draw = world.draws.stream("unmapped").random(len(people))
    unmapped = draw < world.parameters["unmapped_share"]
    served = np.maximum(np.clip(people.ends, 0, calendar.days) - np.clip(people.begins, 0, calendar.days), 0)
    remote = np.flatnonzero(unmapped & people.hybrid)
    remote = remote[np.argsort(draw[remote])]
    most = MOST_REMOTE_UNMAPPED * served[people.hybrid].sum()
    unmapped[remote[np.cumsum(served[remote]) > most]] = False
    return unmapped


def team_strength(world: World) -> Rows:
    """Each team's posts on the first of each month."""
    people, teams, calendar = world.people, world.teams, world.calendar
    everybody, n_teams = np.arange(len(people)), len(teams.role)
    codes, months, filled, present = [], [], [], []
    for month in calendar.month_starts.tolist():
        serves = people.serving_on(everybody, np.array(month))
        team = people.team_on(everybody, np.full(len(people), month))
        here = serves & ~absent_on(world.absence, month, len(people))
        codes.append(np.arange(n_teams))
        months.append(np.full(n_teams, month))
        filled.append(np.bincount(team[serves], minlength=n_teams))
        present.append(np.bincount(team[here], minlength=n_teams))
    team, month = np.concatenate(codes), np.concatenate(months)
    code = row_code(team, month)
    returned = ((2 + 18 * world.draws.of_row(code, "return made")) * MINUTES_A_DAY).astype(np.int64)
    return Rows(
        code=code,
        columns={
            "team_code": labels(team_codes(teams), team),
            "occurred_at": calendar.times(month * MINUTES_A_DAY),
            "known_at": calendar.times(month * MINUTES_A_DAY + returned),
            "established_posts": Plain(teams.posts[team]),
            "filled_posts": Plain(np.concatenate(filled)),
            "available": Plain(np.concatenate(present)),
        },
    )


def hybrid_policy(world: World) -> Rows:
    """The share of tours that hybrid posts are to work in the office, by role, since before the data begin."""
    role = np.arange(len(ROLES))
    since = np.full(len(role), -365 * MINUTES_A_DAY)
    return Rows(
        code=role,
        columns={
            "role_code": labels(ROLES, role),
            "occurred_at": world.calendar.times(since),
            "known_at": world.calendar.times(since),
            "min_office_share": Plain(np.full(len(role), MIN_OFFICE_SHARE)),
        },
    )
