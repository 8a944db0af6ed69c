"""Uses of police information systems."""

from __future__ import annotations

import numpy as np
import polars as pl

from evenhand.force.conduct import Episodes
from evenhand.force.draws import Draws, Flags, Floats, Ints, row_code, scrambled
from evenhand.force.extracts import Rows, id_series
from evenhand.force.lateness import known_minutes
from evenhand.force.parameters import Parameters
from evenhand.force.people import PS, Calendar, People, Teams
from evenhand.force.roster import TOUR_MINUTES, Tours
from features.tables.uk import ROLES

SYSTEMS = ("PNC", "CRIS", "CAD", "ANPR", "INTEL", "CUSTODY")
ACTIONS = ("SEARCH", "VIEW", "PRINT", "EXPORT")
RELATIONS = ("NONE", "SELF", "COLLEAGUE", "ADDRESS")
REASONS = ("CASE", "INTEL", "VETTING", "ADMIN", "OTHER")

# Expected uses in a tour, by role, and how they fall on SYSTEMS.
USES_A_TOUR = {
    "RESPONSE": 0.55, "NEIGHBOURHOOD": 0.30, "INVESTIGATION": 0.75, "CUSTODY": 0.60, "INTEL_DESK": 3.0,
    "PNC_BUREAU": 5.0, "PUBLIC_ORDER": 0.10, "ROADS": 0.80, "SAFEGUARDING": 0.90, "PLANNING": 0.04,
}  # fmt: skip
SYSTEM_SHARES = {
    "RESPONSE": (0.35, 0.20, 0.38, 0.03, 0.02, 0.02), "NEIGHBOURHOOD": (0.20, 0.40, 0.25, 0.02, 0.12, 0.01),
    "INVESTIGATION": (0.20, 0.50, 0.05, 0.05, 0.15, 0.05), "CUSTODY": (0.25, 0.05, 0.02, 0.0, 0.02, 0.66),
    "INTEL_DESK": (0.20, 0.20, 0.05, 0.10, 0.45, 0.0), "PNC_BUREAU": (0.90, 0.05, 0.0, 0.04, 0.01, 0.0),
    "PUBLIC_ORDER": (0.40, 0.20, 0.35, 0.03, 0.02, 0.0), "ROADS": (0.45, 0.05, 0.15, 0.35, 0.0, 0.0),
    "SAFEGUARDING": (0.20, 0.50, 0.05, 0.0, 0.22, 0.03), "PLANNING": (0.30, 0.60, 0.10, 0.0, 0.0, 0.0),
}  # fmt: skip
LINKED_SHARE = {
    "INTEL_DESK": 0.40,
    "PNC_BUREAU": 0.30,
    "SAFEGUARDING": 0.70,
    "NEIGHBOURHOOD": 0.75,
    "PLANNING": 0.3,
}
LINKED_ELSEWHERE = 0.86
OTHER_REASON = {"INTEL_DESK": 0.16, "PNC_BUREAU": 0.20}
OTHER_REASON_ELSEWHERE = 0.05
# Checks of colleagues, as for vetting, against one elsewhere.
COLLEAGUE_CHECKS = {"INTEL_DESK": 2.5, "PNC_BUREAU": 2.5, "SAFEGUARDING": 2.0}
ON_BEHALF = {"INTEL_DESK": 0.30, "PNC_BUREAU": 0.75}
DESKS = [ROLES.index("INTEL_DESK"), ROLES.index("PNC_BUREAU")]
ODD = 2**14  # from here on a day's numbers belong to uses without a purpose


def by_role(shares: dict[str, float], elsewhere: float) -> Floats:
    return np.array([shares.get(role, elsewhere) for role in ROLES])


def system_access(
    tours: Tours,
    people: People,
    teams: Teams,
    episodes: Episodes,
    calendar: Calendar,
    parameters: Parameters,
    draws: Draws,
) -> Rows:
    """Every use during the tours that were worked: most for work, a few without a purpose on record."""
    tour, number = _work(tours, people, teams, parameters, draws)
    odd_tour, odd_number = _odd(tours, people, episodes, parameters, draws)
    tour = np.concatenate([tour, odd_tour])
    number = np.concatenate([number, odd_number])
    kept = tours.worked[tour]
    tour, number = tour[kept], number[kept]
    person, day, role = tours.person[tour], tours.day[tour], teams.role[tours.team[tour]]
    code = row_code(person, day, number)
    odd = number >= ODD

    at = tours.starts[tour] + (TOUR_MINUTES * draws.of_row(code, "minute")).astype(np.int64)
    linked = draws.of_row(code, "linked") < np.where(odd, 0.12, by_role(LINKED_SHARE, LINKED_ELSEWHERE)[role])
    unsaid = draws.habits(len(people), "unsaid reasons", parameters["explained_spread"])[person]
    reason = _reason(role, odd, unsaid, draws.of_row(code, "reason"))
    explained = draws.habits(len(people), "explained look-ups", parameters["explained_spread"])[person]
    checks = np.where(people.rank[person] == PS, 5.0, by_role(COLLEAGUE_CHECKS, 1.0)[role]) * explained
    relation = _relation(odd, checks, draws.of_row(code, "relation"))
    subject = _subject(person, day, code, odd, episodes.during("T4", person, day), draws)
    asked_by = _asked_by(person, role, day, code, odd, tours.team[tour], people, teams, draws)
    action = np.searchsorted([0.72, 0.95, 0.985], draws.of_row(code, "action"))
    return Rows(
        code=code,
        frame=pl.DataFrame(
            {
                "event_id": id_series("E", code),
                "user_no": people.user_no.gather(pl.Series(person.astype(np.uint32))),
                "occurred_at": calendar.datetimes(at),
                "known_at": calendar.datetimes(at + known_minutes(draws.of_row(code, "log arrives"))),
                "system": _named(SYSTEMS, _system(role, draws.of_row(code, "system"))),
                "action": _named(ACTIONS, action),
                "subject_key": id_series("S", subject),
                "subject_relation": _named(RELATIONS, relation),
                "reason_code": _named(REASONS, reason),
                "on_behalf_of": people.keys_of(np.maximum(asked_by, 0)).set(pl.Series(asked_by < 0), None),
                "linked_incident_id": id_series("I", row_code(tours.team[tour], day, number % 5)).set(
                    pl.Series(~linked), None
                ),
            }
        ),
    )


def _named(names: tuple[str, ...], index: Ints) -> pl.Series:
    return pl.Series(names).gather(pl.Series(index.astype(np.uint32)))


def _work(
    tours: Tours, people: People, teams: Teams, parameters: Parameters, draws: Draws
) -> tuple[Ints, Ints]:
    """Tour and running number of each use for work."""
    rng = draws.stream("uses for work")
    activity = draws.habits(len(people), "activity", parameters["activity_spread"])
    rate = by_role(USES_A_TOUR, 0.0)[teams.role[tours.team]] * activity[tours.person]
    counts = np.minimum(rng.poisson(rate), ODD - 1)
    tour = np.repeat(np.arange(len(counts)), counts)
    return tour, np.arange(len(tour)) - np.repeat(np.cumsum(counts) - counts, counts)


def _odd(
    tours: Tours, people: People, episodes: Episodes, parameters: Parameters, draws: Draws
) -> tuple[Ints, Ints]:
    """Tour and number of each use without a purpose: negligence, or a look-up for oneself."""
    rng = draws.stream("uses without a purpose")
    careless = draws.habits(len(people), "careless look-ups", parameters["careless_spread"])
    rate = parameters["odd_look_up_per_tour"] * careless[tours.person]
    rate *= 1 + episodes.extra("T4", tours.person, tours.day)
    counts = np.minimum(rng.poisson(rate), 50)
    tour = np.repeat(np.arange(len(counts)), counts)
    return tour, ODD + np.arange(len(tour)) - np.repeat(np.cumsum(counts) - counts, counts)


def _system(role: Ints, draw: Floats) -> Ints:
    edges = np.cumsum(np.array([SYSTEM_SHARES[one] for one in ROLES]), axis=1)
    return np.minimum((draw[:, None] >= edges[role]).sum(axis=1), len(SYSTEMS) - 1)


def _reason(role: Ints, odd: Flags, unsaid: Floats, draw: Floats) -> Ints:
    usual = np.where(np.isin(role, DESKS), by_role(OTHER_REASON, OTHER_REASON_ELSEWHERE)[role] * unsaid, 0.0)
    other = np.where(odd, 0.55, np.clip(usual, OTHER_REASON_ELSEWHERE, 0.9))
    intel = np.where(role == ROLES.index("INTEL_DESK"), 0.5, 0.08)
    rest = (draw - other) / (1 - other)
    return np.where(
        draw < other, 4, np.select([rest < intel, rest < intel + 0.02, rest < intel + 0.05], [1, 2, 3], 0)
    )


def _relation(odd: Flags, checks: Floats, draw: Floats) -> Ints:
    """Rarely a colleague, oneself or one's address in the course of work; more often without a purpose."""
    self_, address = np.where(odd, 0.06, 0.0004), np.where(odd, 0.08, 0.001)
    colleague = np.where(odd, 0.14, np.minimum(0.003 * checks, 0.2))
    return np.select(
        [draw < self_, draw < self_ + colleague, draw < self_ + colleague + address], [1, 2, 3], 0
    )


def _subject(person: Ints, day: Ints, code: Ints, odd: Flags, in_episode: Flags, draws: Draws) -> Ints:
    """Code of the record looked at: a current case's, one of a few that draw the person back, or another."""
    draw, slot = draws.of_row(code, "subject"), draws.of_row(code, "which subject")
    case = row_code(person, day // 21, 16 + (4 * slot).astype(np.int64))
    private = row_code(person, np.full(len(day), 2**13 - 1), 8 + (3 * slot).astype(np.int64))
    back = np.where(odd, np.where(in_episode, 0.6, 0.25), 0.0)
    return np.select([draw < back, ~odd & (draw < 0.4)], [private, case], scrambled(code))


def _asked_by(
    person: Ints,
    role: Ints,
    day: Ints,
    code: Ints,
    odd: Flags,
    team: Ints,
    people: People,
    teams: Teams,
    draws: Draws,
) -> Ints:
    """Person on whose behalf the system was used; -1 where it was one's own."""
    heads = people.rank[person] == PS
    share = np.where(odd, 0.02, np.where(heads, 0.25, by_role(ON_BEHALF, 0.02)[role]))
    asks = draws.of_row(code, "on behalf") < share
    other = teams.supervisor_on((draws.of_row(code, "who asks") * len(teams.role)).astype(np.int64), day)
    return np.where(asks & (other != person), other, -1)
