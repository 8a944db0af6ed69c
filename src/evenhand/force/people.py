"""Who serves in the force, where, and from when to when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
import polars as pl

from evenhand.force.draws import Draws, Flags, Floats, Ints
from evenhand.force.parameters import Parameters
from features.tables.uk import RANKS, ROLES

MINUTES_A_DAY = 24 * 60
SHIFT_ROLES = ("RESPONSE", "CUSTODY", "ROADS", "PUBLIC_ORDER")
ROLE_SHARES = {
    "RESPONSE": 0.34, "NEIGHBOURHOOD": 0.15, "INVESTIGATION": 0.18, "CUSTODY": 0.05, "INTEL_DESK": 0.04,
    "PNC_BUREAU": 0.02, "PUBLIC_ORDER": 0.05, "ROADS": 0.05, "SAFEGUARDING": 0.09, "PLANNING": 0.03,
}  # fmt: skip
# Roles without planners, where everybody enters their own changes; and roles where handing over is paid time.
SELF_KEPT_ROLES = ("SAFEGUARDING", "PLANNING")
HANDOVER_ROLES = ("CUSTODY", "ROADS")
STAFF_SHARES = {"INTEL_DESK": 0.5, "PNC_BUREAU": 0.8, "PLANNING": 0.6, "CUSTODY": 0.3}
POSTS_A_TEAM = 11
TEAMS_A_UNIT = 15
LEAVING_A_YEAR = 0.06
MOVING_A_YEAR = 0.04
PC, PS, INSP, CI, SUPT, CSUPT = range(6)


@dataclass(frozen=True)
class Calendar:
    """The time the extracts cover: `days` days from `start`. Times inside are minutes since `start`."""

    start: date
    days: int

    def datetimes(self, minutes: Ints) -> pl.Series:
        """Minutes since the start as datetimes, to the microsecond."""
        origin = int(
            (datetime.combine(self.start, datetime.min.time()) - datetime(1970, 1, 1)).total_seconds()
        )
        return pl.Series((minutes.astype(np.int64) * 60 + origin) * 1_000_000).cast(pl.Datetime("us"))

    def dates(self, days: Ints) -> pl.Series:
        """Days since the start as dates."""
        return pl.Series((days + (self.start - date(1970, 1, 1)).days).astype(np.int32)).cast(pl.Date())

    @property
    def years(self) -> float:
        return self.days / 365.25

    @property
    def month_starts(self) -> Ints:
        """The first day of every month covered, in days since the start."""
        ends = self.start + timedelta(days=self.days)
        firsts = pl.date_range(self.start.replace(day=1), ends, "1mo", closed="left", eager=True)
        days = ((firsts - self.start).dt.total_days()).to_numpy()
        return days[days >= 0]


@dataclass(frozen=True, eq=False)
class Teams:
    """One entry a team.

    Attributes:
        role: index into ROLES. unit: index of the command unit. posts: posts it should have.
        short_from, short_to: days between which it is short-staffed; both beyond the end where it never is.
        active_supervisor: whether its supervisors look closely.
        phase: where in its shift pattern it stands on day 0.
        supervisor_from, supervisor: [team, place] first day and person of each supervisor in turn.
    """

    role: Ints
    unit: Ints
    posts: Ints
    short_from: Ints
    short_to: Ints
    active_supervisor: Flags
    phase: Ints
    supervisor_from: Ints
    supervisor: Ints

    def supervisor_on(self, team: Ints, day: Ints) -> Ints:
        """The person who supervises a team on a day."""
        place = (self.supervisor_from[team] <= day[:, None]).sum(axis=1) - 1
        return self.supervisor[team, np.maximum(place, 0)]

    def short_on(self, team: Ints, day: Ints) -> Flags:
        """Whether a team is short-staffed on a day."""
        return (self.short_from[team] <= day) & (day < self.short_to[team])


@dataclass(frozen=True, eq=False)
class People:
    """One entry a person; days count from the start of the data and may be negative.

    Attributes:
        key, user_no: the person's keys, as strings.
        rank: index into RANKS. staff: not a police officer.
        team, later_team, moves_on: the team before and from the day of a move (beyond the end where none).
        begins, ends: first day in the force as far as the data go, and the day after the last.
        service_start, role_start: days.
        fte: share of full time. compressed: works compressed hours.
        perceived_minority: how others see the person. It decides how they are treated, and so belongs to
            what happens in the force; what the person declares is drawn with the protected histories.
        dismissed: left because of a finding.
    """

    key: pl.Series
    user_no: pl.Series
    rank: Ints
    staff: Flags
    team: Ints
    later_team: Ints
    moves_on: Ints
    begins: Ints
    ends: Ints
    service_start: Ints
    role_start: Ints
    fte: Floats
    compressed: Flags
    perceived_minority: Flags
    age: Floats
    dismissed: Flags

    def __len__(self) -> int:
        return len(self.rank)

    def team_on(self, person: Ints, day: Ints) -> Ints:
        return np.where(day >= self.moves_on[person], self.later_team[person], self.team[person])

    def new_on(self, person: Ints, day: Ints) -> Flags:
        """Whether a person is in the first year of service."""
        return day - self.service_start[person] < 365

    def keys_of(self, person: Ints) -> pl.Series:
        return self.key.gather(pl.Series(person.astype(np.uint32)))


def role_index(role: str) -> int:
    return ROLES.index(role)


def is_role(role: Ints, names: Sequence[str]) -> Flags:
    """Whether each role index is one of the named roles."""
    return np.isin(role, [role_index(name) for name in names])


def recruited(
    officers: int, calendar: Calendar, parameters: Parameters, draws: Draws
) -> tuple[People, Teams]:
    """The teams, and everybody who holds one of `officers` posts at any time the data cover."""
    rng = draws.stream("posts")
    n_teams = max(len(ROLES) + 2, round(officers / POSTS_A_TEAM))
    team_of_post = np.arange(officers) * n_teams // officers
    place = np.arange(officers) - np.searchsorted(team_of_post, team_of_post)
    role = _team_roles(n_teams, rng)
    short_from, short_to = _shortages(n_teams, calendar, parameters, draws.stream("shortages"))
    rank = _ranks(team_of_post, place, rng)

    begins, ends = _holders(team_of_post, place, short_from, short_to, calendar, parameters, draws)
    post, turn = np.nonzero((begins < calendar.days) & (ends > 0))
    number = np.full(begins.shape, -1)
    number[post, turn] = np.arange(len(post))
    leads = np.flatnonzero(place == 0)
    supervisor_from = np.where(number[leads] >= 0, begins[leads], 2**30)
    supervisor = number[leads]
    teams = Teams(
        role=role,
        unit=np.arange(n_teams) // TEAMS_A_UNIT,
        posts=np.bincount(team_of_post, minlength=n_teams),
        short_from=short_from,
        short_to=short_to,
        active_supervisor=draws.stream("active supervisors").random(n_teams) < 0.2,
        phase=rng.integers(0, 8, n_teams),
        supervisor_from=supervisor_from,
        supervisor=supervisor,
    )
    people = _persons(post, turn, rank, team_of_post, place, begins, ends, teams, calendar, parameters, draws)
    return people, teams


def _team_roles(n_teams: int, rng: np.random.Generator) -> Ints:
    shares = np.array([ROLE_SHARES[role] for role in ROLES])
    counts = np.maximum(1, np.floor(shares * n_teams).astype(int))
    counts[role_index("RESPONSE")] += n_teams - counts.sum()
    return rng.permutation(np.repeat(np.arange(len(ROLES)), counts))


def _shortages(
    n_teams: int, calendar: Calendar, parameters: Parameters, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """First and last day of each team's shortage; about the same number of teams is short at any time."""
    lasts = rng.integers(365, 900, n_teams)
    times_over = max(1.0, (calendar.days + 600) / 600)
    is_short = rng.random(n_teams) < min(0.9, parameters["short_team_share"] * times_over)
    begins = rng.integers(-600, calendar.days, n_teams)
    never = calendar.days + 10_000
    return np.where(is_short, begins, never), np.where(is_short, begins + lasts, never)


def _ranks(team_of_post: Ints, place: Ints, rng: np.random.Generator) -> Ints:
    """Constables, a sergeant at each team's head, and a pyramid above."""
    rank = np.full(len(place), PC)
    rank[place == 0] = PS
    second, third = place == 1, place == 2
    rank[second & (rng.random(len(place)) < 0.4)] = PS
    rank[second & (team_of_post % 2 == 0)] = INSP
    rank[third & (team_of_post % 8 == 1)] = CI
    rank[third & (team_of_post % 16 == 3)] = SUPT
    rank[third & (team_of_post % 48 == 5)] = CSUPT
    return rank


def _holders(
    team_of_post: Ints,
    place: Ints,
    short_from: Ints,
    short_to: Ints,
    calendar: Calendar,
    parameters: Parameters,
    draws: Draws,
) -> tuple[Ints, Ints]:
    """First day and day after the last of each post's holders in turn, [post, turn].

    A team's head is replaced at once. In a short-staffed team some posts empty when the shortage begins and
    stay empty until it ends.
    """
    rng = draws.stream("holders")
    n_posts, turns = len(team_of_post), 4 + int(calendar.years / 2)
    stays = rng.exponential(365.25 / LEAVING_A_YEAR, (n_posts, turns)).astype(np.int64) + 30
    gaps = 14 + rng.exponential(50, (n_posts, turns)).astype(np.int64)
    gaps[place == 0] = 0
    empties = (rng.random(n_posts) < parameters["short_team_vacancies"]) & (place > 0)
    stagger = rng.integers(0, 60, n_posts)
    empty_from, empty_to = short_from[team_of_post] + stagger, short_to[team_of_post] + stagger
    begins, ends = np.empty_like(stays), np.empty_like(stays)
    begin = np.full(n_posts, -4000)
    end = stays[:, 0]
    for turn in range(turns):
        emptied = empties & (begin < empty_to) & (end > empty_from)
        end = np.where(emptied, np.maximum(empty_from, begin), end)
        begins[:, turn], ends[:, turn] = begin, end
        begin = np.where(emptied, empty_to, end + gaps[:, turn])
        if turn + 1 < turns:
            end = begin + stays[:, turn + 1]
    return begins, ends


def _persons(
    post: Ints,
    turn: Ints,
    rank_of_post: Ints,
    team_of_post: Ints,
    place: Ints,
    begins: Ints,
    ends: Ints,
    teams: Teams,
    calendar: Calendar,
    parameters: Parameters,
    draws: Draws,
) -> People:
    rng = draws.stream("people")
    n = len(post)
    rank, team = rank_of_post[post], team_of_post[post]
    begin, end = begins[post, turn], ends[post, turn]
    joined = begin > 0
    served = (rng.gamma(2.0, 4.5, n) * 365 + 3 * 365 * rank).astype(np.int64)
    recruit = joined & (rank == PC) & (rng.random(n) < 0.7)
    service_start = np.where(joined, np.where(recruit, begin, begin - served - 700), -served - 1)
    staff_share = np.array([STAFF_SHARES.get(role, 0.0) for role in ROLES])[teams.role[team]]
    staff = (rng.random(n) < staff_share) & (rank == PC)
    role_start = np.where(joined, begin, -np.minimum(served, rng.integers(1, 2500, n)))
    later_team, moves_on = _moves(rank, team, place[post], begin, end, calendar, rng)
    part_time = rng.random(n) < parameters["part_time_share"]
    numbers = draws.stream("person numbers").permutation(n) + 1
    log_ons = draws.stream("log-on numbers").permutation(n) + 100_000
    return People(
        key=pl.Series([f"P{number:06d}" for number in numbers]),
        user_no=pl.Series([f"U{number:06d}" for number in log_ons]),
        rank=rank,
        staff=staff,
        team=team,
        later_team=later_team,
        moves_on=moves_on,
        begins=np.maximum(begin, -4000),
        ends=end,
        service_start=service_start,
        role_start=role_start,
        fte=np.where(part_time, rng.choice([0.5, 0.75], n), 1.0),
        compressed=~part_time & (rng.random(n) < 0.06),
        perceived_minority=rng.random(n) < 0.18,
        age=np.clip(21 - service_start / 365 + rng.gamma(2.0, 2.5, n), 19, 64),
        dismissed=np.zeros(n, bool),
    )


def _moves(
    rank: Ints,
    team: Ints,
    place: Ints,
    begin: Ints,
    end: Ints,
    calendar: Calendar,
    rng: np.random.Generator,
) -> tuple[Ints, Ints]:
    """Constables change places in pairs, so that teams keep their size: later team and day of the move."""
    never = calendar.days + 10_000
    later_team, moves_on = team.copy(), np.full(len(team), never)
    free = rng.permutation(np.flatnonzero((rank == PC) & (place > 2)))
    n_pairs = int(len(free) * min(0.4, MOVING_A_YEAR * calendar.years)) // 2
    one, other = free[:n_pairs], free[n_pairs : 2 * n_pairs]
    day = rng.integers(30, max(31, calendar.days - 1), n_pairs)
    for mover, target in ((one, other), (other, one)):
        serves = (begin[mover] < day - 60) & (end[mover] > day + 60) & (begin[target] < day)
        serves &= end[target] > day
        later_team[mover] = np.where(serves, team[target], team[mover])
        moves_on[mover] = np.where(serves, day, never)
    return later_team, moves_on


def rank_names(rank: Ints) -> pl.Series:
    return pl.Series(RANKS).gather(pl.Series(rank.astype(np.uint32)))


def role_names(role: Ints) -> pl.Series:
    return pl.Series(ROLES).gather(pl.Series(role.astype(np.uint32)))
