"""What HR and the identity system hold: posts and their changes, log-on numbers, teams' strength."""

from __future__ import annotations

import numpy as np
import polars as pl

from evenhand.force.access import SYSTEM_SHARES, SYSTEMS, USES_A_TOUR
from evenhand.force.draws import Draws, Flags, Ints, row_code
from evenhand.force.extracts import Rows
from evenhand.force.lateness import known_days
from evenhand.force.parameters import Parameters
from evenhand.force.people import MINUTES_A_DAY, Calendar, People, Teams, rank_names, role_names
from features.tables.uk import ROLES

LEAVER_REASONS = ("RETIRE", "RESIGN", "TRANSFER", "ILLHEALTH", "DISMISS")


def establishment(people: People, teams: Teams, calendar: Calendar, draws: Draws, protected: Draws) -> Rows:
    """A version for each beginning, move, change of supervisor and departure, some of them put right later."""
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
    pattern = np.where(people.fte < 1, 1, np.where(people.compressed, 2, 0))[person]
    reason = protected.stream("reasons for leaving").choice(4, len(people), p=[0.3, 0.45, 0.18, 0.07])
    reason = np.where(people.dismissed, 4, reason)[person]
    frame = pl.DataFrame(
        {
            "person_key": people.keys_of(person),
            "occurred_at": calendar.datetimes(day * MINUTES_A_DAY),
            "known_at": calendar.datetimes(known),
            "employee_type": pl.Series(["OFFICER", "STAFF"]).gather(
                pl.Series(people.staff[person].astype(np.uint32))
            ),
            "rank": rank_names(people.rank[person]),
            "bcu_code": pl.Series([f"BCU{unit + 1:02d}" for unit in range(teams.unit.max() + 1)]).gather(
                pl.Series(teams.unit[team].astype(np.uint32))
            ),
            "team_code": team_codes(teams).gather(pl.Series(team.astype(np.uint32))),
            "role_code": role_names(teams.role[team]),
            "service_start": calendar.dates(people.service_start[person]),
            "role_start": calendar.dates(role_start),
            "fte": people.fte[person],
            "working_pattern": pl.Series(["FULL", "PART", "COMPRESSED"]).gather(
                pl.Series(pattern.astype(np.uint32))
            ),
            "supervisor_key": people.keys_of(supervisor).set(pl.Series(nobody), None),
            "leaver_date": calendar.dates(np.where(leaving, people.ends[person], 0)).set(
                pl.Series(~leaving), None
            ),
            "leaver_reason": pl.Series(LEAVER_REASONS)
            .gather(pl.Series(reason.astype(np.uint32)))
            .set(pl.Series(~leaving), None),
            "withdrawn": np.zeros(len(person), bool),
        }
    )
    return Rows(frame, code)


def _changes(people: People, teams: Teams, calendar: Calendar) -> tuple[Ints, Ints, Flags]:
    """Person, day and whether it is the departure, of every version; one a person and day."""
    n = len(people)
    begins = np.where(people.begins > 0, people.begins, -1)
    person: list[Ints] = [np.arange(n)]
    day: list[Ints] = [begins]
    movers = np.flatnonzero(people.moves_on < calendar.days)
    person.append(movers)
    day.append(people.moves_on[movers])
    for turn in range(1, teams.supervisor.shape[1]):
        comes = teams.supervisor_from[:, turn]
        for team in (people.team, people.later_team):
            when = comes[team]
            serves = (when > begins) & (when < people.ends) & (when < calendar.days) & (when > 0)
            serves &= people.team_on(np.arange(n), when) == team
            person.append(np.flatnonzero(serves))
            day.append(when[serves])
    changes = (
        pl.DataFrame({"person": np.concatenate(person), "day": np.concatenate(day)})
        .unique()
        .sort("person", "day")
    )
    gone = np.flatnonzero(people.ends < calendar.days + 30)
    stays = changes.filter(pl.col("day") < pl.Series(people.ends).gather(changes["person"]))
    return (
        np.concatenate([stays["person"].to_numpy(), gone]),
        np.concatenate([stays["day"].to_numpy(), people.ends[gone]]),
        np.concatenate([np.zeros(len(stays), bool), np.ones(len(gone), bool)]),
    )


def team_codes(teams: Teams) -> pl.Series:
    return pl.Series([f"T{number + 1:04d}" for number in range(len(teams.role))])


def identity_map(people: People, calendar: Calendar, parameters: Parameters, draws: Draws) -> Rows:
    """Log-on numbers and whose they are; a few are missing."""
    person = np.flatnonzero(draws.stream("unmapped").random(len(people)) >= parameters["unmapped_share"])
    since = np.maximum(people.begins[person], -400) * MINUTES_A_DAY
    code = row_code(person, np.zeros(len(person), np.int64))
    return Rows(
        code=code,
        frame=pl.DataFrame(
            {
                "user_no": people.user_no.gather(pl.Series(person.astype(np.uint32))),
                "person_key": people.keys_of(person),
                "occurred_at": calendar.datetimes(since),
                "known_at": calendar.datetimes(since + 480),
            }
        ),
    )


def team_strength(people: People, teams: Teams, away: Flags, calendar: Calendar, draws: Draws) -> Rows:
    """Each team's posts on the first of each month; `away` is the grid of cancelled or unplanned days."""
    everybody = np.arange(len(people))
    codes, months, filled, present = [], [], [], []
    n_teams = len(teams.role)
    for month in calendar.month_starts:
        serves = (people.begins <= month) & (month < people.ends)
        team = people.team_on(everybody, np.full(len(people), month))
        codes.append(np.arange(n_teams))
        months.append(np.full(n_teams, month))
        filled.append(np.bincount(team[serves], minlength=n_teams))
        present.append(np.bincount(team[serves & ~away[:, month]], minlength=n_teams))
    team, month = np.concatenate(codes), np.concatenate(months)
    code = row_code(team, month)
    returned = ((2 + 18 * draws.of_row(code, "return made")) * MINUTES_A_DAY).astype(np.int64)
    return Rows(
        code=code,
        frame=pl.DataFrame(
            {
                "team_code": team_codes(teams).gather(pl.Series(team.astype(np.uint32))),
                "occurred_at": calendar.datetimes(month * MINUTES_A_DAY),
                "known_at": calendar.datetimes(month * MINUTES_A_DAY + returned),
                "established_posts": teams.posts[team],
                "filled_posts": np.concatenate(filled),
                "available": np.concatenate(present),
            }
        ),
    )


def role_expectation(calendar: Calendar) -> pl.DataFrame:
    """Uses of each system that a tour in each role calls for."""
    rows = []
    for role in ROLES:
        per_tour = USES_A_TOUR[role]
        by_system = zip(SYSTEMS, SYSTEM_SHARES[role], strict=True)
        rows += [
            (role, "ALL", per_tour),
            *((role, system, round(per_tour * share, 4)) for system, share in by_system),
        ]
    published = calendar.datetimes(np.full(len(rows), -365 * MINUTES_A_DAY))
    return pl.DataFrame(rows, schema=["role_code", "system", "searches_per_tour"], orient="row").with_columns(
        occurred_at=published, known_at=published
    )
