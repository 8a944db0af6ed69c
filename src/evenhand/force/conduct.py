"""Planted episodes of misconduct, and the cases that notice some of them late.

An episode changes behaviour from its start to its end and leaves traces in the records. A case is what the
force comes to know; findings are made long after. Nothing here depends on the protected histories.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from evenhand.force.draws import Draws, Flags, Floats, Ints
from evenhand.force.parameters import Parameters
from evenhand.force.people import PC, PS, Calendar, People, Teams, role_index

TYPOLOGIES = ("T1", "T2", "T4")
NEVER = 2**30
EARLIEST = -900  # days before the data in which an episode may begin

BREACHES = (
    "HONESTY", "ORDERS", "DUTIES", "CONFIDENTIALITY", "AUTHORITY", "EQUALITY", "FORCE", "FITNESS", "DISCREDIT",
    "CHALLENGING",
)  # fmt: skip
BREACHES_OF = {"T1": (0, 1, 2), "T2": (0, 0, 1), "T4": (3, 3, 1)}
OTHER_BREACH_SHARES = (0.01, 0.03, 0.12, 0.01, 0.30, 0.09, 0.15, 0.06, 0.18, 0.05)
SOURCES = ("SUPERVISOR", "COLLEAGUE", "ANON_LINE", "AUDIT", "PUBLIC")


@dataclass(frozen=True, eq=False)
class Episodes:
    """At most one episode of each typology a person; arrays are [typology, person], days from the start.

    Attributes:
        starts, ends: half-open; both NEVER where there is none.
        serious: whether it is.
        times: what the episode multiplies the person's innocent rate by, less one; 0 where it leaves no trace.
    """

    starts: Ints
    ends: Ints
    serious: Flags
    times: Floats

    def extra(self, typology: str, person: Ints, day: Ints) -> Floats:
        """What a person's innocent rate is multiplied by on a day, less one."""
        row = TYPOLOGIES.index(typology)
        active = (self.starts[row, person] <= day) & (day < self.ends[row, person])
        return np.where(active, self.times[row, person], 0.0)

    def during(self, typology: str, person: Ints, day: Ints) -> Flags:
        """Whether the person is in an episode that leaves traces."""
        return self.extra(typology, person, day) > 0


@dataclass(frozen=True, eq=False)
class Cases:
    """One entry a conduct case; days from the start.

    `finding`: 0 none in time, 1 NO_CASE, 2 NOT_PROVEN, 3 MISCONDUCT, 4 GROSS. `found`: NEVER while open.
    """

    person: Ints
    happened: Ints
    opened: Ints
    found: Ints
    breach: Ints
    severity: Ints
    finding: Ints
    source: Ints


def planted(
    people: People, teams: Teams, calendar: Calendar, parameters: Parameters, draws: Draws
) -> tuple[Episodes, Floats]:
    """The episodes, and each person's frailty (mean 1), which many faults share."""
    n = len(people)
    frailty = draws.habits(n, "frailty", parameters["frailty_spread"])
    starts, ends = np.full((3, n), NEVER), np.full((3, n), NEVER)
    serious = np.zeros((3, n), bool)
    times = np.zeros((3, n))
    years = (calendar.days - EARLIEST) / 365.25
    for row, typology in enumerate(TYPOLOGIES):
        rng = draws.stream(f"episodes {typology}")
        rate = parameters[f"{typology.lower()}_episodes_per_year"] * frailty * years
        has = (rng.random(n) < 1 - np.exp(-rate)) & _able(typology, people, teams)
        begin = rng.integers(EARLIEST, calendar.days, n)
        length = rng.triangular(9 * 30, 24 * 30, 30 * 30, n).astype(np.int64)
        starts[row] = np.where(has, begin, NEVER)
        ends[row] = np.where(has, begin + length, NEVER)
        serious[row] = rng.random(n) < parameters["serious_share"]
        mild = parameters[f"{typology.lower()}_mild_times"] * np.exp(0.25 * rng.standard_normal(n))
        strength = np.where(serious[row], mild * parameters["serious_over_mild"], mild)
        times[row] = strength - 1
    _add_companions(starts, ends, people, teams, parameters, draws.stream("companions"))
    starts = np.where(starts < NEVER, np.maximum(starts, people.begins), NEVER)
    ends = np.where(ends < NEVER, np.minimum(ends, people.ends), NEVER)
    real = (starts < ends) & (ends > 0) & (starts < calendar.days)
    return Episodes(
        np.where(real, starts, NEVER), np.where(real, ends, NEVER), serious & real, times
    ), frailty


def _able(typology: str, people: People, teams: Teams) -> Flags:
    """Inspectors and above are paid no overtime; hardly anybody in planning searches a system."""
    if typology == "T2":
        return people.rank <= PS
    if typology == "T4":
        return teams.role[people.team] != role_index("PLANNING")
    return np.ones(len(people), bool)


def _add_companions(
    starts: Ints, ends: Ints, people: People, teams: Teams, parameters: Parameters, rng: np.random.Generator
) -> None:
    """Some episodes bring one of the next kind, beginning within half a year."""
    first_starts, first_ends = starts.copy(), ends.copy()
    for row, typology in enumerate(TYPOLOGIES):
        leader = (row + 2) % 3
        brings = rng.random(len(people)) < parameters["companion_share"]
        shift = rng.integers(-180, 180, len(people))
        joins = (
            brings & (first_starts[leader] < NEVER) & (starts[row] == NEVER) & _able(typology, people, teams)
        )
        starts[row] = np.where(joins, first_starts[leader] + shift, starts[row])
        ends[row] = np.where(joins, first_ends[leader] + shift, ends[row])


def noticed(
    people: People,
    teams: Teams,
    episodes: Episodes,
    frailty: Floats,
    calendar: Calendar,
    parameters: Parameters,
    draws: Draws,
    *,
    null: bool,
) -> tuple[People, Episodes, Cases]:
    """The people some of whom are dismissed, the episodes cut short when a case is opened, and the cases.

    In a null force every episode and every case falls on somebody else in service, drawn evenly, and leaves
    no trace in behaviour: as many findings as ever, and nothing to be seen in anybody's records.
    """
    of_episodes = [
        _cases_of_episodes(row, people, teams, episodes, calendar, parameters, draws) for row in range(3)
    ]
    other = [
        _other_cases(kind, people, teams, frailty, calendar, parameters, draws)
        for kind in ("other", "unfounded")
    ]
    if null:
        episodes, of_episodes = _on_somebody_else(episodes, of_episodes, people, draws)
        other = [_spread_evenly(cases, people, draws.stream(f"null {k}")) for k, cases in enumerate(other)]
    ends = episodes.ends.copy()
    for row, cases in enumerate(of_episodes):
        np.minimum.at(ends[row], cases.person, np.maximum(cases.opened, cases.happened + 1))
    every = _left_open(_joined([*of_episodes, *other]), people, parameters, draws)
    gone = (every.finding == 4) & (draws.stream("dismissals").random(len(every.person)) < 0.6)
    leaves = people.ends.copy()
    np.minimum.at(leaves, every.person[gone], every.found[gone])
    ends = np.where(ends < NEVER, np.minimum(ends, leaves), NEVER)
    remains = (episodes.starts < ends) & (ends > 0)
    return (
        replace(people, ends=leaves, dismissed=leaves < people.ends),
        replace(
            episodes,
            starts=np.where(remains, episodes.starts, NEVER),
            ends=np.where(remains, ends, NEVER),
            serious=episodes.serious & remains,
        ),
        _taken(every, every.happened < leaves[every.person]),
    )


def _on_somebody_else(
    episodes: Episodes, cases: list[Cases], people: People, draws: Draws
) -> tuple[Episodes, list[Cases]]:
    """Each episode, and the case that notices it, moved to a person drawn evenly from those in service then."""
    starts, ends = np.full_like(episodes.starts, NEVER), np.full_like(episodes.ends, NEVER)
    serious = np.zeros_like(episodes.serious)
    moved = []
    for row, typology in enumerate(TYPOLOGIES):
        bearer = np.flatnonzero(episodes.starts[row] < NEVER)
        at = np.maximum(episodes.starts[row, bearer], 0)
        at[np.searchsorted(bearer, cases[row].person)] = cases[row].happened
        order = draws.stream(f"null {typology}").permutation(len(people))
        somebody = _first_in_service(order, at, people)
        starts[row, somebody] = np.maximum(episodes.starts[row, bearer], people.begins[somebody])
        ends[row, somebody] = np.minimum(episodes.ends[row, bearer], people.ends[somebody])
        serious[row, somebody] = episodes.serious[row, bearer]
        whom = somebody[np.searchsorted(bearer, cases[row].person)]
        moved.append(replace(cases[row], person=whom))
    return Episodes(starts, ends, serious, np.zeros_like(episodes.times)), moved


def _first_in_service(order: Ints, days: Ints, people: People) -> Ints:
    """For each day a different person in service on it: the first not yet taken in `order`."""
    free = order.tolist()
    taken = []
    for day in days.tolist():
        place = next(k for k, person in enumerate(free) if people.begins[person] <= day < people.ends[person])
        taken.append(free.pop(place))
    return np.array(taken, np.int64)


def _spread_evenly(cases: Cases, people: People, rng: np.random.Generator) -> Cases:
    """Each case moved to a person drawn evenly from those in service on the day."""
    person = rng.integers(0, len(people), len(cases.person))
    while (out := ~_in_service(person, cases.happened, people)).any():
        person[out] = rng.integers(0, len(people), int(out.sum()))
    return replace(cases, person=person)


def _in_service(person: Ints, day: Ints, people: People) -> Flags:
    return (people.begins[person] <= day) & (day < people.ends[person])


def _cases_of_episodes(
    row: int,
    people: People,
    teams: Teams,
    episodes: Episodes,
    calendar: Calendar,
    parameters: Parameters,
    draws: Draws,
) -> Cases:
    rng = draws.stream(f"detection {TYPOLOGIES[row]}")
    n = len(people)
    serious = episodes.serious[row]
    rate = np.where(serious, parameters["detection_per_serious_year"], parameters["detection_per_mild_year"])
    rate = rate * _attention(people, teams, parameters)
    visible_from = np.maximum(episodes.starts[row], 0)
    happened = visible_from + (rng.exponential(1.0, n) * 365.25 / rate).astype(np.int64)
    lag = _lag_days(rng, n, parameters)
    source = rng.choice(5, n, p=[0.35, 0.2, 0.12, 0.25, 0.08])
    breach = rng.choice(BREACHES_OF[TYPOLOGIES[row]], n)
    proven = rng.random(n) < np.where(serious, parameters["proven_serious"], parameters["proven_mild"])
    gross = rng.random(n) < np.where(serious, 0.5, 0.1)
    seen = (episodes.starts[row] < NEVER) & (happened < episodes.ends[row]) & (happened < calendar.days)
    person = np.flatnonzero(seen)
    finding = np.where(proven, np.where(gross, 4, 3), rng.integers(1, 3, n))
    severity = np.where(serious, rng.choice([2, 3], n, p=[0.4, 0.6]), rng.choice([1, 2], n, p=[0.3, 0.7]))
    opened = happened + lag
    return Cases(
        person,
        happened[person],
        opened[person],
        (opened + _days_to_finding(rng, n, parameters))[person],
        breach[person],
        severity[person],
        finding[person],
        source[person],
    )


def _attention(people: People, teams: Teams, parameters: Parameters) -> Floats:
    """How closely each person is looked at, at equal conduct; the mean is 1."""
    attention = np.where(people.rank == PC, parameters["bias_constable"], 1.0)
    attention = attention * np.where(people.perceived_minority, parameters["bias_minority"], 1.0)
    attention *= np.where(teams.active_supervisor[people.team], parameters["bias_active_supervisor"], 1.0)
    return attention / attention.mean()


def _other_cases(
    kind: str,
    people: People,
    teams: Teams,
    frailty: Floats,
    calendar: Calendar,
    parameters: Parameters,
    draws: Draws,
) -> Cases:
    """Cases about anything but the planted typologies, or about them and unfounded."""
    rng = draws.stream(f"cases {kind}")
    per_year = parameters[f"{kind}_cases_per_year"]
    rate = per_year * (frailty / frailty.mean()) ** 0.35 * _attention(people, teams, parameters) ** 0.5
    person = np.repeat(np.arange(len(people)), rng.poisson(rate * calendar.years))
    n = len(person)
    happened = rng.integers(0, calendar.days, n)
    opened = happened + _lag_days(rng, n, parameters)
    confirmed = rng.random(n) < (parameters["other_cases_proven"] if kind == "other" else 0.03)
    finding = np.where(confirmed, np.where(rng.random(n) < 0.25, 4, 3), rng.choice([1, 2], n, p=[0.75, 0.25]))
    severity = np.where(finding == 4, 3, rng.choice([0, 1, 2, 3], n, p=[0.15, 0.3, 0.43, 0.12]))
    breach = rng.choice(10, n, p=OTHER_BREACH_SHARES) if kind == "other" else rng.choice([0, 1, 3], n)
    source = rng.choice(5, n, p=[0.35, 0.2, 0.1, 0.05, 0.3])
    served = _in_service(person, happened, people)
    found = opened + _days_to_finding(rng, n, parameters)
    return _taken(Cases(person, happened, opened, found, breach, severity, finding, source), served)


def _lag_days(rng: np.random.Generator, n: int, parameters: Parameters) -> Ints:
    return 1 + (parameters["days_to_notice"] * np.exp(0.9 * rng.standard_normal(n))).astype(np.int64)


def _days_to_finding(rng: np.random.Generator, n: int, parameters: Parameters) -> Ints:
    """A mixture of quick and slow procedures, in whole days."""
    quick = rng.random(n) < parameters["quick_finding_share"]
    noise = rng.standard_normal(n)
    fast = parameters["quick_finding_days"] * np.exp(0.7 * noise)
    slow = parameters["slow_finding_days"] * np.exp(0.45 * noise)
    return 5 + np.where(quick, fast, slow).astype(np.int64)


def _left_open(cases: Cases, people: People, parameters: Parameters, draws: Draws) -> Cases:
    """A case whose subject left before the finding often stays open for good."""
    stays_open = (
        draws.stream("cases left open").random(len(cases.person)) < parameters["leaver_case_stays_open"]
    )
    stays_open &= people.ends[cases.person] < cases.found
    return replace(
        cases, found=np.where(stays_open, NEVER, cases.found), finding=np.where(stays_open, 0, cases.finding)
    )


def _joined(parts: list[Cases]) -> Cases:
    return Cases(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in Cases.__dataclass_fields__)
    )


def _taken(cases: Cases, which: Flags) -> Cases:
    return Cases(*(getattr(cases, name)[which] for name in Cases.__dataclass_fields__))
