"""Planted episodes of misconduct, and the cases that notice some of them late.

An episode changes behaviour from its start to its end and leaves traces in the records. A case is what the
force comes to know; findings are made long after. Nothing here depends on the protected histories.
"""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, replace

import numpy as np

from evenhand.force.draws import Draws, Flags, Floats, Ints
from evenhand.force.parameters import Parameters, Preset
from evenhand.force.people import (
    CI,
    INSP,
    PC,
    SPECIAL,
    Calendar,
    People,
    Teams,
    is_role,
    role_index,
)

TYPOLOGIES = ("T1", "T2", "T3", "T4", "T5", "T6", "T7", "T8", "T9")
NEVER = 2**30
EARLIEST = -900  # days before the data in which an episode may begin
SHORTEST, USUAL, LONGEST = 9 * 30, 24 * 30, 30 * 30  # days an episode lasts unless it is noticed
PEERS_WITHIN = 730  # days in which a team-mate's episode must have begun to be catching
MOST_CATCHING = 6.0
FEWEST_PEERS = 10

BREACHES = (
    "HONESTY", "ORDERS", "DUTIES", "CONFIDENTIALITY", "AUTHORITY", "EQUALITY", "FORCE", "FITNESS", "DISCREDIT",
    "CHALLENGING",
)  # fmt: skip
BREACHES_OF = {
    "T1": (0, 1, 2), "T2": (0, 0, 1), "T3": (2, 1, 0), "T4": (3, 3, 1), "T5": (4, 8, 3), "T6": (1, 0, 9), "T7": (0, 0, 1),
    "T8": (0, 2, 8), "T9": (3, 3, 0),
}  # fmt: skip
WRONGLY_HELD_TO = (0, 1, 3)
OTHER_BREACH_SHARES = (0.01, 0.03, 0.12, 0.01, 0.30, 0.09, 0.15, 0.06, 0.18, 0.05)
SOURCES = ("SUPERVISOR", "COLLEAGUE", "ANON_LINE", "AUDIT", "PUBLIC", "VETTING", "POLICE_INTEL")
# Where victims and witnesses are met.
CONTACT_ROLES = ("RESPONSE", "NEIGHBOURHOOD", "INVESTIGATION", "CUSTODY", "SAFEGUARDING", "ROADS")
COMPANIONS = {
    "T1": "T4",
    "T2": "T1",
    "T4": "T2",
}  # an episode may bring one of the first kind where it is of the second


@dataclass(frozen=True, eq=False)
class Episodes:
    """At most one episode of each typology a person; arrays are [typology, person], days from the start.

    Attributes:
        starts, ends: half-open; both NEVER where there is none.
        serious: whether it is.
        times: what the episode multiplies the person's innocent rate by, less one (T1, T2, T4), or the
            strength of its traces (about 1); 0 where it leaves none.
    """

    starts: Ints
    ends: Ints
    serious: Flags
    times: Floats

    def extra(self, typology: str, person: Ints, day: Ints) -> Floats:
        """The episode's `times` on a day, 0 outside it."""
        row = TYPOLOGIES.index(typology)
        bears = np.flatnonzero((self.starts[row] < NEVER) & (self.times[row] > 0))
        extra = np.zeros(len(person))
        if len(bears) and len(person):
            is_bearer = np.zeros(self.starts.shape[1], bool)
            is_bearer[bears] = True
            some = np.flatnonzero(is_bearer[person])
            who, when = person[some], day[some]
            active = (self.starts[row, who] <= when) & (when < self.ends[row, who])
            extra[some] = np.where(active, self.times[row, who], 0.0)
        return extra

    def during(self, typology: str, person: Ints, day: Ints) -> Flags:
        """Whether the person is in an episode that leaves traces."""
        return self.extra(typology, person, day) > 0

    def bearers(self, typology: str) -> Ints:
        """The people with an episode that leaves traces."""
        row = TYPOLOGIES.index(typology)
        return np.flatnonzero((self.starts[row] < NEVER) & (self.times[row] > 0))


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
    n, kinds = len(people), len(TYPOLOGIES)
    frailty = draws.habits(n, "frailty", parameters["frailty_spread"])
    begins, lengths = np.empty((kinds, n), np.int64), np.empty((kinds, n), np.int64)
    rates, draw = np.empty((kinds, n)), np.empty((kinds, n))
    serious, times = np.empty((kinds, n), bool), np.empty((kinds, n))
    years = (calendar.days - EARLIEST) / 365.25
    lasts = (SHORTEST + USUAL + LONGEST) / 3 / 365.25
    for row, typology in enumerate(TYPOLOGIES):
        rng = draws.stream(f"episodes {typology}")
        # An episode is met in a year's window if it began within the window or within its length before it.
        rates[row] = (
            _prevalence(typology, people, parameters) / (1 + lasts) * frailty * _able(typology, people, teams)
        )
        draw[row] = rng.random(n)
        begins[row] = rng.integers(EARLIEST, calendar.days, n)
        lengths[row] = rng.triangular(SHORTEST, USUAL, LONGEST, n)
        serious[row] = rng.random(n) < parameters[f"{typology.lower()}_serious_share"]
        strength = np.exp(0.25 * rng.standard_normal(n)) * np.where(
            serious[row], parameters["serious_over_mild"], 1.0
        )
        mild = parameters.values.get(f"{typology.lower()}_mild_times")
        times[row] = strength if mild is None else mild * strength - 1
    has = _caught(rates, draw, begins, years, people.team, parameters["contagion"])
    starts, ends = np.where(has, begins, NEVER), np.where(has, begins + lengths, NEVER)
    _add_companions(starts, ends, people, teams, parameters, draws.stream("companions"))
    starts = np.where(starts < NEVER, np.maximum(starts, people.begins), NEVER)
    ends = np.where(ends < NEVER, np.minimum(ends, people.ends), NEVER)
    real = (starts < ends) & (ends > 0) & (starts < calendar.days)
    return Episodes(
        np.where(real, starts, NEVER), np.where(real, ends, NEVER), serious & real, times
    ), frailty


def _prevalence(typology: str, people: People, parameters: Parameters) -> Floats:
    if typology == "T3":
        senior = people.rank >= CI
        return np.where(senior, parameters["t3_senior_prevalence"], parameters["t3_other_prevalence"])
    share = parameters[f"{typology.lower()}_prevalence"]
    leader = COMPANIONS.get(typology)
    if leader is not None:
        # What companions will bring is not planted twice.
        brought = parameters["companion_share"] * parameters[f"{leader.lower()}_prevalence"]
        share = max(share - brought, 0.2 * share)
    return np.full(len(people), share)


def catching(peers: Floats, strength: float) -> Floats:
    """What a person's own rate is multiplied by, from the team's recent episodes as a multiple of those expected.

    >>> float(catching(np.array([1.1]), 0.8)[0])
    1.08
    """
    return np.clip(1 + strength * (peers - 1), 0.0, MOST_CATCHING)


def _caught(rates: Floats, draw: Floats, begins: Ints, years: float, team: Ints, strength: float) -> Flags:
    """Who has an episode, [typology, person], decided in the order in which episodes would begin.

    The chance follows the person's own rate a year, and how many of the team's other members began one in the
    two years before, against the number that their own rates lead one to expect in the force as it is: what
    is caught, apart from what a team has in common. It moves episodes between teams and adds none. Peers
    count for nothing while the force has few.
    """
    has = np.zeros(rates.shape, bool)
    own = rates.sum(axis=0)
    share = (np.bincount(team, own)[team] - own) / own.sum() if own.sum() else np.zeros(len(own))
    # Most would have no episode however many their peers had.
    row, person = np.nonzero(draw < 1 - np.exp(-rates * years * 2 * MOST_CATCHING))
    order = np.lexsort((row, person, begins[row, person]))
    recent: deque[tuple[int, int]] = deque()
    of_team: defaultdict[int, deque[int]] = defaultdict(deque)
    asked, answered = 0, 0.0
    for k, p in zip(row[order].tolist(), person[order].tolist(), strict=True):
        at = int(begins[k, p])
        while recent and recent[0][1] < at - PEERS_WITHIN:
            of_team[int(team[recent.popleft()[0]])].popleft()
        times = 1.0
        if len(recent) >= FEWEST_PEERS and share[p] > 0:
            peers = sum(who != p for who in of_team[int(team[p])])
            times = float(catching(np.array([peers / (share[p] * len(recent))]), strength)[0])
            asked, answered = asked + 1, answered + times
            times = times * asked / answered if asked > FEWEST_PEERS else 1.0
        if draw[k, p] < 1 - np.exp(-rates[k, p] * years * times):
            has[k, p] = True
            recent.append((p, at))
            of_team[int(team[p])].append(p)
    return has


def _able(typology: str, people: People, teams: Teams) -> Flags:
    """Who can do it at all: inspectors and above are paid no overtime, few posts are hybrid, and so on."""
    role = teams.role[people.team]
    match typology:
        case "T2":
            return people.paid_overtime
        case "T3":
            return people.hybrid
        case "T4" | "T9":
            return role != role_index("PLANNING")
        case "T5":
            return is_role(role, CONTACT_ROLES) & (people.rank <= INSP)
        case "T8":
            return people.kind != SPECIAL
        case _:
            return np.ones(len(people), bool)


def _add_companions(
    starts: Ints, ends: Ints, people: People, teams: Teams, parameters: Parameters, rng: np.random.Generator
) -> None:
    """Some episodes bring one of another kind, beginning within half a year."""
    first_starts, first_ends = starts.copy(), ends.copy()
    for typology, lead in COMPANIONS.items():
        row, leader = TYPOLOGIES.index(typology), TYPOLOGIES.index(lead)
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
) -> tuple[People, Episodes, Cases]:
    """The people some of whom leave or are dismissed, the episodes cut short when a case is opened, and the cases.

    In a null force every episode and every case falls on somebody else in service, drawn evenly, and leaves
    no trace in behaviour: as many findings as ever, and nothing to be seen in anybody's records.
    """
    of_episodes = [
        _cases_of_episodes(row, people, teams, episodes, calendar, parameters, draws)
        for row in range(len(TYPOLOGIES))
    ]
    other = [
        _other_cases(kind, people, teams, frailty, calendar, parameters, draws)
        for kind in ("other", "unfounded")
    ]
    if parameters.preset is Preset.NULL:
        episodes, of_episodes = _on_somebody_else(episodes, of_episodes, people, draws)
        other = [_spread_evenly(cases, people, draws.stream(f"null {k}")) for k, cases in enumerate(other)]
    ends = episodes.ends.copy()
    for row, cases in enumerate(of_episodes):
        np.minimum.at(ends[row], cases.person, np.maximum(cases.opened, cases.happened + 1))
    every = _joined([*of_episodes, *other])
    leaves = _left_before_outcome(every, people, parameters, draws)
    every = _left_open(every, leaves, parameters, draws)
    gone = (every.finding == 4) & (draws.stream("dismissals").random(len(every.person)) < 0.6)
    gone &= every.found < leaves[every.person]
    dismissed_on = np.full(len(people), NEVER)
    np.minimum.at(dismissed_on, every.person[gone], every.found[gone])
    dismissed = dismissed_on < leaves
    leaves = np.minimum(leaves, dismissed_on)
    ends = np.where(ends < NEVER, np.minimum(ends, leaves), NEVER)
    remains = (episodes.starts < ends) & (ends > 0)
    return (
        replace(people, ends=leaves, dismissed=dismissed),
        replace(
            episodes,
            starts=np.where(remains, episodes.starts, NEVER),
            ends=np.where(remains, ends, NEVER),
            serious=episodes.serious & remains,
        ),
        _taken(every, every.happened < leaves[every.person]),
    )


def _left_before_outcome(cases: Cases, people: People, parameters: Parameters, draws: Draws) -> Ints:
    """Each person's last day, where some resign while a case is open."""
    rng = draws.stream("leaving under investigation")
    resigns = rng.random(len(cases.person)) < parameters["leaves_before_outcome"]
    when = cases.opened + 1 + (rng.random(len(cases.person)) * (cases.found - cases.opened)).astype(np.int64)
    leaves = people.ends.copy()
    np.minimum.at(leaves, cases.person[resigns], when[resigns])
    return np.maximum(leaves, np.minimum(people.begins, people.ends))


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
    while (out := ~people.serving_on(person, cases.happened)).any():
        person[out] = rng.integers(0, len(people), int(out.sum()))
    return replace(cases, person=person)


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
    source = rng.choice(7, n, p=[0.34, 0.2, 0.12, 0.22, 0.06, 0.03, 0.03])
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
    breach = rng.choice(10, n, p=OTHER_BREACH_SHARES) if kind == "other" else rng.choice(WRONGLY_HELD_TO, n)
    source = rng.choice(5, n, p=[0.35, 0.2, 0.1, 0.05, 0.3])
    served = people.serving_on(person, happened)
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


def _left_open(cases: Cases, leaves: Ints, parameters: Parameters, draws: Draws) -> Cases:
    """A case whose subject left before the finding often stays open for good."""
    stays_open = (
        draws.stream("cases left open").random(len(cases.person)) < parameters["leaver_case_stays_open"]
    )
    stays_open &= leaves[cases.person] < cases.found
    return replace(
        cases, found=np.where(stays_open, NEVER, cases.found), finding=np.where(stays_open, 0, cases.finding)
    )


def _joined(parts: list[Cases]) -> Cases:
    return Cases(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in Cases.__dataclass_fields__)
    )


def _taken(cases: Cases, which: Flags) -> Cases:
    return Cases(*(getattr(cases, name)[which] for name in Cases.__dataclass_fields__))
