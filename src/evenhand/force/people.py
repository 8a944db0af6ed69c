"""Who serves in the force, where, and from when to when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

import numpy as np
import polars as pl
import pyarrow as pa

from evenhand.force.columns import Dates, Labels, Times, labels
from evenhand.force.draws import Draws, Flags, Floats, Ints
from evenhand.force.parameters import Parameters
from features.tables.uk import ROLES

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
COMMUNITY_SUPPORT_SHARE, SPECIAL_SHARE = (
    0.12,
    0.015,
)  # of constables' posts in neighbourhood; in front-line roles
SPECIAL_ROLES = ("RESPONSE", "NEIGHBOURHOOD")
EMPLOYEE_TYPES = ("OFFICER", "STAFF", "PCSO", "SPECIAL", "DDO")
OFFICER, STAFF, PCSO, SPECIAL, DDO = range(5)
HYBRID_STAFF_SHARE = 0.6
POSTS_A_TEAM = 11
TEAMS_A_UNIT = 15
LEAVING_A_YEAR = 0.06
MOVING_A_YEAR = 0.04
PAY_CLOSES_AFTER_DAYS = 9  # of the month that follows
PC, PS, INSP, CI, SUPT, CSUPT = range(6)


@dataclass(frozen=True)
class Calendar:
    """The time the extracts cover: `days` days from `start`. Times inside are minutes since `start`.

    Times are local and written without a zone, as the systems write them. In the hour that is missing when
    clocks go forward nothing is written: what would fall in it stands at its end. In the hour that is
    repeated when they go back both passes are written alike.
    """

    start: date
    days: int

    @cached_property
    def forward(self) -> Ints:
        """Days on which UK clocks go forward, the last Sundays of March, well past both ends."""
        years = range(self.start.year - 12, self.start.year + self.days // 365 + 3)
        return np.array([self._last_sunday(year, 3) for year in years])

    @cached_property
    def back(self) -> Ints:
        """Days on which they go back, the last Sundays of October."""
        years = range(self.start.year - 12, self.start.year + self.days // 365 + 3)
        return np.array([self._last_sunday(year, 10) for year in years])

    def _last_sunday(self, year: int, month: int) -> int:
        last = date(year, month, 31)
        return (last - timedelta(days=(last.weekday() + 1) % 7) - self.start).days

    def in_summer(self, day: Ints) -> Flags:
        """Whether clocks are an hour ahead of UTC on a day (the days of change count as summer)."""
        first, last = np.full(self.days + 1, 0, bool), np.arange(self.days + 1)
        for begin, end in zip(self.forward, self.back, strict=True):
            first |= (last >= begin) & (last <= end)
        return first[np.clip(day, 0, self.days)]

    def times(self, minutes: Ints, empty: Flags | None = None) -> Times:
        """A column of local times."""
        minutes = np.asarray(minutes).astype(np.int32)
        if len(minutes):
            low, high = minutes.min(), minutes.max()
            for gap in self.forward * MINUTES_A_DAY + 60:
                if low < gap + 60 and high >= gap:
                    minutes[(minutes >= gap) & (minutes < gap + 60)] = gap + 60
        return Times(minutes, empty, self._origin_minutes * 60_000_000)

    @property
    def _origin_minutes(self) -> int:
        return (self.start - date(1970, 1, 1)).days * MINUTES_A_DAY

    def days_column(self, days: Ints, empty: Flags | None = None) -> Dates:
        """A column of dates."""
        return Dates(np.asarray(days), empty, (self.start - date(1970, 1, 1)).days)

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
        return ((firsts - self.start).dt.total_days()).to_numpy()

    def pay_closes(self, day: Ints) -> Ints:
        """Minute at which the pay period of a day closes: the start of the tenth of the next month."""
        starts = np.append(self.month_starts, self.days)
        month = np.searchsorted(starts, np.clip(day, 0, self.days - 1), side="right")
        return ((starts[month] + PAY_CLOSES_AFTER_DAYS) * MINUTES_A_DAY).astype(np.int64)

    @property
    def month_names(self) -> list[str]:
        """`2020-01` and so on, for every month covered."""
        return [(self.start + timedelta(days=int(day))).strftime("%Y-%m") for day in self.month_starts]


@dataclass(frozen=True, eq=False)
class Teams:
    """One entry a team.

    Attributes:
        role: index into ROLES. unit: index of the command unit. posts: posts it should have.
        short_from, short_to: days between which it is short-staffed; both beyond the end where it never is.
        active_supervisor: whether its supervisors look closely.
        late_authoriser: whether its changes are entered in a batch after the pay period.
        old_terminals: whether its terminals keep the wrong time.
        phase: where in its shift pattern it stands on day 0.
        supervisor_from, supervisor: [team, place] first day and person of each supervisor in turn.
    """

    role: Ints
    unit: Ints
    posts: Ints
    short_from: Ints
    short_to: Ints
    active_supervisor: Flags
    late_authoriser: Flags
    old_terminals: Flags
    phase: Ints
    supervisor_from: Ints
    supervisor: Ints

    def supervisor_on(self, team: Ints, day: Ints) -> Ints:
        """The person who supervises a team on a day."""
        place = (self.supervisor_from[team] <= day[:, None]).sum(axis=1) - 1
        return self.supervisor[team, np.maximum(place, 0)]

    def site_of(self, team: Ints) -> Ints:
        """The site a team works from: two stations a unit."""
        return 2 * self.unit[team] + (team % 5 > 2)

    @property
    def sites(self) -> pa.Array:
        return pa.array([f"SITE{number + 1:03d}" for number in range(2 * int(self.unit.max()) + 2)])

    def short_on(self, team: Ints, day: Ints) -> Flags:
        """Whether a team is short-staffed on a day."""
        return (self.short_from[team] <= day) & (day < self.short_to[team])


@dataclass(frozen=True, eq=False)
class People:
    """One entry a person; days count from the start of the data and may be negative.

    Attributes:
        key, user_no: the person's keys, as strings.
        rank: index into RANKS. kind: index into EMPLOYEE_TYPES.
        hybrid: whether the post may be worked partly away from the office.
        team, later_team, moves_on: the team before and from the day of a move (beyond the end where none).
        begins, ends: first day in the force as far as the data go, and the day after the last.
        service_start, role_start: days.
        fte: share of full time. part_time, compressed: by agreement (a special constable's few hours are neither).
        perceived_minority: how others see the person. It decides how they are treated, and so belongs to
            what happens in the force; what the person declares is drawn with the protected histories.
        dismissed: left because of a finding.
    """

    key: pa.Array
    user_no: pa.Array
    rank: Ints
    kind: Ints
    hybrid: Flags
    team: Ints
    later_team: Ints
    moves_on: Ints
    begins: Ints
    ends: Ints
    service_start: Ints
    role_start: Ints
    fte: Floats
    part_time: Flags
    compressed: Flags
    perceived_minority: Flags
    age: Floats
    dismissed: Flags

    def __len__(self) -> int:
        return len(self.rank)

    def seen(self, calendar: Calendar) -> Flags:
        """Whether a person serves on any day the data cover."""
        return (self.begins < np.minimum(self.ends, calendar.days)) & (self.ends > 0)

    @property
    def paid_overtime(self) -> Flags:
        """Constables, sergeants and the staff of those grades; not inspectors and above, nor specials."""
        return (self.rank <= PS) & (self.kind != SPECIAL)

    @property
    def under_conduct_regulations(self) -> Flags:
        """Officers and special constables; everybody else answers to a contract of employment."""
        return np.isin(self.kind, [OFFICER, SPECIAL])

    def team_on(self, person: Ints, day: Ints) -> Ints:
        return np.where(day >= self.moves_on[person], self.later_team[person], self.team[person])

    def new_on(self, person: Ints, day: Ints) -> Flags:
        """Whether a person is in the first year of service."""
        return day - self.service_start[person] < 365

    def keys_of(self, person: Ints) -> Labels:
        """Keys of people; empty where the index is negative."""
        return labels(self.key, person)

    def log_ons_of(self, person: Ints) -> Labels:
        """Log-on numbers of people."""
        return labels(self.user_no, person)

    def serving_on(self, person: Ints, day: Ints) -> Flags:
        return (self.begins[person] <= day) & (day < self.ends[person])


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

    begins, ends = _holders(team_of_post, place, calendar, draws)
    # Who is numbered does not hang on vacancies, so that a force without them has the same people.
    post, turn = np.nonzero((begins < calendar.days) & (ends > 0))
    begins, ends = _emptied(begins, ends, team_of_post, place, short_from, short_to, parameters, draws)
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
        late_authoriser=draws.stream("late authorisers").random(n_teams)
        < parameters["late_authoriser_share"],
        old_terminals=draws.stream("old terminals").random(n_teams) < parameters["old_terminal_share"],
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


def _holders(team_of_post: Ints, place: Ints, calendar: Calendar, draws: Draws) -> tuple[Ints, Ints]:
    """First day and day after the last of each post's holders in turn, [post, turn]; a team's head is replaced at once."""
    rng = draws.stream("holders")
    n_posts, turns = len(team_of_post), 4 + int(calendar.years / 2)
    stays = rng.exponential(365.25 / LEAVING_A_YEAR, (n_posts, turns)).astype(np.int64) + 30
    gaps = 14 + rng.exponential(50, (n_posts, turns)).astype(np.int64)
    gaps[place == 0] = 0
    ends = np.cumsum(stays + gaps, axis=1) - gaps
    begins = ends - stays
    begins[:, 0] = -4000
    return begins, ends


def _emptied(
    begins: Ints,
    ends: Ints,
    team_of_post: Ints,
    place: Ints,
    short_from: Ints,
    short_to: Ints,
    parameters: Parameters,
    draws: Draws,
) -> tuple[Ints, Ints]:
    """Service with the vacancies of short-staffed teams: some posts empty when the shortage begins, until it ends."""
    rng = draws.stream("vacancies")
    n_posts = len(team_of_post)
    empties = (rng.random(n_posts) < parameters["short_team_vacancies"]) & (place > 0)
    stagger = rng.integers(0, 60, n_posts)
    never = 2**30
    empty_from = np.where(empties, short_from[team_of_post] + stagger, never)[:, None]
    empty_to = np.where(empties, short_to[team_of_post] + stagger, never)[:, None]
    leaves = (begins < empty_from) & (ends > empty_from)
    new_ends = np.where(leaves, empty_from, ends)
    # Whoever would have stayed past the shortage hands the post, when it is over, to the next holder.
    follows = np.zeros_like(leaves)
    follows[:, 1:] = (leaves & (ends > empty_to))[:, :-1]
    comes_in = (begins >= empty_from) & (begins < empty_to)
    new_begins = np.where(follows | comes_in, np.minimum(empty_to, new_ends), begins)
    return new_begins, np.maximum(new_ends, new_begins)


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
    kind = _kinds(rank, teams.role[team], rng)
    role_start = np.where(joined, begin, -np.minimum(served, rng.integers(1, 2500, n)))
    later_team, moves_on = _moves(rank, team, place[post], begin, end, calendar, rng)
    part_time = rng.random(n) < parameters["part_time_share"]
    special = kind == SPECIAL
    hybrid = ((kind == OFFICER) & (rank >= CI)) | (
        np.isin(kind, [STAFF]) & (draws.stream("hybrid posts").random(n) < HYBRID_STAFF_SHARE)
    )
    numbers = draws.stream("person numbers").permutation(n) + 1
    log_ons = draws.stream("log-on numbers").permutation(n) + 100_000
    share = np.where(part_time, rng.choice([0.5, 0.75], n), 1.0)
    return People(
        key=pa.array([f"P{number:06d}" for number in numbers]),
        user_no=pa.array([f"U{number:06d}" for number in log_ons]),
        rank=rank,
        kind=kind,
        hybrid=hybrid,
        team=team,
        later_team=later_team,
        moves_on=moves_on,
        begins=np.maximum(begin, -4000),
        ends=end,
        service_start=service_start,
        role_start=role_start,
        fte=np.where(special, 0.25, share),
        part_time=part_time & ~special,
        compressed=~part_time & ~special & (rng.random(n) < parameters["compressed_share"]),
        perceived_minority=rng.random(n) < 0.18,
        age=np.clip(21 - service_start / 365 + rng.gamma(2.0, 2.5, n), 19, 64),
        dismissed=np.zeros(n, bool),
    )


def _kinds(rank: Ints, role: Ints, rng: np.random.Generator) -> Ints:
    """Officers, and in the posts that need no warrant card staff, community support and detention officers."""
    draw = rng.random(len(rank))
    staff_share = np.array([STAFF_SHARES.get(name, 0.0) for name in ROLES])[role]
    staff = (draw < staff_share) & (rank == PC)
    kind = np.where(staff, np.where(role == role_index("CUSTODY"), DDO, STAFF), OFFICER)
    constable = (rank == PC) & ~staff
    support = constable & (role == role_index("NEIGHBOURHOOD")) & (draw > 1 - COMMUNITY_SUPPORT_SHARE)
    special = constable & is_role(role, SPECIAL_ROLES) & (draw < SPECIAL_SHARE)
    return np.select([support, special], [PCSO, SPECIAL], kind)


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
