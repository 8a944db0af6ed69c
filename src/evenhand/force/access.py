"""Uses of police information systems."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from evenhand.force.columns import Plain, Rows, ids, labels
from evenhand.force.draws import Flags, Floats, Ints, repeated, row_code, scrambled
from evenhand.force.lateness import known_minutes
from evenhand.force.operations import MAJOR_INCIDENT
from evenhand.force.people import MINUTES_A_DAY, PS, ROLE_SHARES
from evenhand.force.roster import TOUR_MINUTES, Tours, terminal_of
from evenhand.force.world import World
from features.tables.uk import ROLES

SYSTEMS = ("PNC", "CRIS", "CAD", "ANPR", "INTEL", "CUSTODY")
ACTIONS = ("SEARCH", "VIEW", "PRINT", "EXPORT")
RELATIONS = ("NONE", "SELF", "COLLEAGUE", "ADDRESS", "ASSOCIATE")
REASONS = ("CASE", "INTEL", "VETTING", "ADMIN", "OTHER")
SUBJECTS = ("PERSON", "VEHICLE", "ADDRESS", "CRIME")

# How uses in a tour compare between roles, and how they fall on SYSTEMS.
USES_A_TOUR = {
    "RESPONSE": 0.55, "NEIGHBOURHOOD": 0.30, "INVESTIGATION": 0.75, "CUSTODY": 0.60, "INTEL_DESK": 3.0,
    "PNC_BUREAU": 5.0, "PUBLIC_ORDER": 0.10, "ROADS": 0.80, "SAFEGUARDING": 0.90, "PLANNING": 0.04,
}  # fmt: skip
USES_OF_A_DESK_LIKE_OTHERS = 0.6
SYSTEM_SHARES = {
    "RESPONSE": (0.35, 0.20, 0.38, 0.03, 0.02, 0.02), "NEIGHBOURHOOD": (0.20, 0.40, 0.25, 0.02, 0.12, 0.01),
    "INVESTIGATION": (0.20, 0.50, 0.05, 0.05, 0.15, 0.05), "CUSTODY": (0.25, 0.05, 0.02, 0.0, 0.02, 0.66),
    "INTEL_DESK": (0.20, 0.20, 0.05, 0.10, 0.45, 0.0), "PNC_BUREAU": (0.90, 0.05, 0.0, 0.04, 0.01, 0.0),
    "PUBLIC_ORDER": (0.40, 0.20, 0.35, 0.03, 0.02, 0.0), "ROADS": (0.45, 0.05, 0.15, 0.35, 0.0, 0.0),
    "SAFEGUARDING": (0.20, 0.50, 0.05, 0.0, 0.22, 0.03), "PLANNING": (0.30, 0.60, 0.10, 0.0, 0.0, 0.0),
}  # fmt: skip
# Of uses at the rates of USES_A_TOUR: where a force makes more routine uses, those more are all in order.
UNLINKED_SHARE = {
    "INTEL_DESK": 0.60,
    "PNC_BUREAU": 0.70,
    "SAFEGUARDING": 0.30,
    "NEIGHBOURHOOD": 0.25,
    "PLANNING": 0.7,
}
UNLINKED_ELSEWHERE = 0.14
OTHER_REASON = {"INTEL_DESK": 0.16, "PNC_BUREAU": 0.20}
OTHER_REASON_ELSEWHERE = 0.05
# Checks of colleagues, as for vetting, against one elsewhere.
COLLEAGUE_CHECKS = {"INTEL_DESK": 2.5, "PNC_BUREAU": 2.5, "SAFEGUARDING": 2.0}
ON_BEHALF = {"INTEL_DESK": 0.30, "PNC_BUREAU": 0.75}
ON_BEHALF_ELSEWHERE = 0.02
VULNERABLE = {"SAFEGUARDING": 0.25, "RESPONSE": 0.06, "INVESTIGATION": 0.06}
VULNERABLE_ELSEWHERE = 0.02
DESKS = ("INTEL_DESK", "PNC_BUREAU")

# Where the numbers of a day's uses of each sort begin; work comes first.
WORK, ODD, VULNERABLE_VIEW, OF_ASSOCIATE, EXPORTED = range(5)
NUMBERS = np.array([0, 2**14, 2**14 + 2**12, 2**14 + 2 * 2**12, 2**14 + 3 * 2**12])
MOST_WORK, MOST_ODD = 2**14 - 1, 50
PRIVATE_DAY = 2**13 - 1  # subjects that belong to no day


@dataclass(frozen=True)
class Routine:
    """What work in each role looks like, [role]; `less` is how much rarer an error is in one use than where the rates were set."""

    uses: Floats
    less: float
    unlinked: Floats
    other_reason: Floats
    checks: Floats
    on_behalf: Floats
    vulnerable: Floats
    desk: Flags


def routine(world: World) -> Routine:
    """Work as the parameters have it; where desks are like other roles, their uses are nothing special."""
    desk = np.isin(ROLES, DESKS)
    special = world.parameters["desk_uses"]
    plain = np.array([USES_A_TOUR[role] for role in ROLES])
    less = sum(USES_A_TOUR[role] * share for role, share in ROLE_SHARES.items()) / world.uses_per_tour
    like_others = desk & (special == 0)
    plain = np.where(like_others, USES_OF_A_DESK_LIKE_OTHERS, plain)

    def shares(by_role: Mapping[str, float], elsewhere: float) -> Floats:
        return np.where(like_others, elsewhere, [by_role.get(role, elsewhere) for role in ROLES])

    less = min(less, 1.0) if world.uses_per_tour else 1.0
    return Routine(
        uses=plain / less,
        less=less,
        unlinked=shares(UNLINKED_SHARE, UNLINKED_ELSEWHERE) * less,
        other_reason=shares(OTHER_REASON, OTHER_REASON_ELSEWHERE) * less,
        checks=shares(COLLEAGUE_CHECKS, 1.0),
        on_behalf=shares(ON_BEHALF, ON_BEHALF_ELSEWHERE * less),
        vulnerable=shares(VULNERABLE, VULNERABLE_ELSEWHERE) * less,
        desk=desk & ~like_others,
    )


def role_expectation(world: World) -> Rows:
    """Uses of each system that a tour in each role calls for."""
    work = routine(world)
    role = np.repeat(np.arange(len(ROLES)), len(SYSTEMS) + 1)
    system = np.tile(np.arange(len(SYSTEMS) + 1), len(ROLES))
    share = np.array([(1.0, *SYSTEM_SHARES[name]) for name in ROLES])
    published = np.full(len(role), -365 * MINUTES_A_DAY)
    return Rows(
        code=role * 16 + system,
        columns={
            "role_code": labels(ROLES, role),
            "system": labels(("ALL", *SYSTEMS), system),
            "occurred_at": world.calendar.times(published),
            "known_at": world.calendar.times(published),
            "searches_per_tour": Plain(np.round(work.uses[role] * share[role, system], 4)),
        },
    )


def system_access(tours: Tours, world: World) -> Rows:
    """Every use during the tours that were worked: nearly all for work, a few without a purpose on record."""
    draws, people, teams, calendar = world.draws, world.people, world.teams, world.calendar
    work = routine(world)
    tour, number, sort = _uses(tours, work, world)
    person, team = tours.person[tour], tours.team[tour]
    role = teams.role[team].astype(np.int8)
    code = (tours.code[tour]) | number
    odd = sort != WORK
    asked_by = _asked_by(person, role, tours.day[tour], code, odd, work, world)
    at, on_duty, utc = _when(tours, tour, sort, asked_by, code, world)
    linked, reason = _linked_and_reason(person, role, sort, code, work, world)
    relation = _relation(person, role, sort, code, work, world)
    action, system = _action_and_system(role, sort, code, world)
    kind, length = draws.two_of_row(code, "what and why")
    vulnerable, own = _case(role, sort, linked, code, work, world)
    arrives = known_minutes(draws.of_row(code, "log arrives"))
    late_shared = (asked_by >= 0) & ~on_duty
    remote = tours.remote[tour]
    return Rows(
        code=code,
        columns={
            "event_id": ids("E", code),
            "user_no": people.log_ons_of(person),
            "occurred_at": calendar.times(at),
            "known_at": calendar.times(at + arrives),
            "system": labels(SYSTEMS, system),
            "action": labels(ACTIONS, action),
            "subject_key": ids("S", _subject(tours, tour, person, sort, code, world)),
            "subject_relation": labels(RELATIONS, relation),
            "reason_code": labels(REASONS, reason),
            "on_behalf_of": people.keys_of(asked_by),
            "linked_incident_id": ids("I", np.where(linked, _incident(tours, tour, number), -1)),
            "subject_type": labels(
                SUBJECTS, np.where(odd, 0, np.searchsorted([0.55, 0.75, 0.85], kind)).astype(np.int8)
            ),
            "subject_vulnerable": Plain(vulnerable),
            "own_case": Plain(own),
            "reason_text_len": Plain(
                np.where(odd & (reason == 4), 8 * length, 12 + 90 * length).astype(np.int16)
            ),
            "terminal_id": terminal_of(person, team, late_shared, remote, world),
            "site": labels(teams.sites, np.where(remote, -1, teams.site_of(team))),
            "on_duty": Plain(on_duty),
            "time_basis": labels(("LOCAL", "UTC"), utc.astype(np.int8)),
        },
    )


def _uses(tours: Tours, work: Routine, world: World) -> tuple[Ints, Ints, Ints]:
    """Tour, number within the day and sort of each use in a tour that was worked."""
    draws, parameters = world.draws, world.parameters
    kept = np.flatnonzero(tours.worked)
    person, day, code = tours.person[kept], tours.day[kept], tours.code[kept]
    operation = tours.operation[kept]
    activity = world.habit("activity", "activity_spread")
    busy = np.where((operation >= 0) & (world.ops.kind[operation] == MAJOR_INCIDENT), 2.5, 1.0)
    careless = world.habit("careless look-ups", "careless_spread")[person]
    odd = parameters["odd_look_up_per_tour"] * careless * (1 + world.episodes.extra("T4", person, day))
    strength = {typology: world.episodes.extra(typology, person, day) for typology in ("T5", "T6", "T9")}
    burst = draws.of_row(code, "burst") < parameters["t9_bursts_per_tour"] * strength["T9"]
    rates = {
        WORK: work.uses[world.teams.role[tours.team[kept]]] * activity[person] * busy,
        ODD: odd,
        VULNERABLE_VIEW: parameters["t5_views_per_tour"] * strength["T5"],
        OF_ASSOCIATE: parameters["t6_uses_per_tour"] * (strength["T6"] + strength["T9"]),
        EXPORTED: np.where(burst, 9.0, 0.0),
    }
    tour, number, sort = [], [], []
    for kind, rate in rates.items():
        some = np.flatnonzero(rate)
        most = MOST_WORK if kind == WORK else MOST_ODD
        index, place = repeated(draws.counts_of_row(code[some], f"uses of sort {kind}", rate[some], most))
        tour.append(kept[some[index]])
        number.append(NUMBERS[kind] + place)
        sort.append(np.full(len(index), kind, np.int8))
    return np.concatenate(tour), np.concatenate(number), np.concatenate(sort)


def _when(
    tours: Tours, tour: Ints, sort: Ints, asked_by: Ints, code: Ints, world: World
) -> tuple[Ints, Flags, Flags]:
    """When each use is written to have been, whether the log system took it for on duty, and if its clock was UTC.

    Misuse falls after the tour now and then, and so does work on a major inquiry; a supervisor's log-on left
    open at a shared terminal is used by the next tour. Old terminals keep UTC, an hour behind in summer, and
    take the hours of a night tour past midnight for the next day's.
    """
    minute, late = world.draws.two_of_row(code, "minute")
    operation = tours.operation[tour]
    after = np.where(sort == WORK, 0.0, np.where(sort == ODD, 0.12, 0.35))
    after[(operation >= 0) & (world.ops.kind[operation] == MAJOR_INCIDENT) & (sort == WORK)] = 0.08
    supervisor = (asked_by >= 0) & (world.people.rank[tours.person[tour]] == PS)
    after[supervisor & (world.parameters["head_on_behalf"] > 0)] = 0.10
    off = late < after
    within = (TOUR_MINUTES * minute).astype(np.int32)
    later = TOUR_MINUTES + np.maximum(tours.over[tour], 0) + 20 + (280 * minute).astype(np.int32)
    begins = tours.starts[tour]
    at = begins + np.where(off, later, within)
    old = world.teams.old_terminals[tours.team[tour]]
    if not old.any():
        return at, ~off, old
    day = tours.day[tour]
    utc = old & world.calendar.in_summer(at // MINUTES_A_DAY)
    at = np.where(utc, at - 60, at)
    return at, ~off & ~(old & ((at < begins) | (at >= (day + 1) * MINUTES_A_DAY))), utc


def _linked_and_reason(
    person: Ints, role: Ints, sort: Ints, code: Ints, work: Routine, world: World
) -> tuple[Flags, Ints]:
    link, draw = world.draws.two_of_row(code, "linked and reason")
    linked = link >= work.unlinked[role]
    unsaid = world.habit("unsaid reasons", "explained_spread")[person]
    usual = np.where(work.desk[role], work.other_reason[role] * unsaid, 0.0)
    least = OTHER_REASON_ELSEWHERE * work.less
    other = np.clip(usual, least, 0.9)
    odd = np.flatnonzero(sort != WORK)
    linked[odd] = link[odd] < np.where(sort[odd] == VULNERABLE_VIEW, 0.35, 0.12)
    other[odd] = np.where(sort[odd] == VULNERABLE_VIEW, 0.3, 0.55)
    intel = np.where(role == ROLES.index("INTEL_DESK"), 0.5, 0.08)
    rest = (draw - other) / (1 - other)
    reason = np.where(rest < intel, 1, np.where(rest < intel + 0.05, np.where(rest < intel + 0.02, 2, 3), 0))
    return linked, np.where(draw < other, 4, reason).astype(np.int8)


def _relation(person: Ints, role: Ints, sort: Ints, code: Ints, work: Routine, world: World) -> Ints:
    """Rarely a colleague, oneself, one's address or a declared associate in the course of work; more often without a purpose."""
    draw = world.draws.of_row(code, "relation")
    relation = np.zeros(len(code), np.int8)
    # No use for work is any of these beyond this share.
    some = np.flatnonzero((draw < 0.22) | (sort == ODD))
    draw, odd = draw[some], sort[some] == ODD
    explained = world.habit("explained look-ups", "explained_spread")[person[some]]
    heads = world.people.rank[person[some]] == PS
    head_checks = world.parameters["head_checks"]
    checks = np.where(heads & (head_checks > 1), head_checks, work.checks[role[some]]) * explained
    self_ = np.where(odd, 0.06, 0.0004 * work.less)
    address = np.where(odd, 0.08, 0.001 * work.less)
    colleague = np.where(odd, 0.14, np.minimum(0.003 * checks, 0.2) * work.less)
    associate = np.where(odd, 0.02, 0.0002 * work.less)
    edges = np.cumsum([self_, colleague, address, associate], axis=0)
    relation[some] = np.select([draw < edge for edge in edges], [1, 2, 3, 4], 0)
    relation[(sort == VULNERABLE_VIEW) | (sort == OF_ASSOCIATE) | (sort == EXPORTED)] = 0
    return relation


def _action_and_system(role: Ints, sort: Ints, code: Ints, world: World) -> tuple[Ints, Ints]:
    draw, system = world.draws.two_of_row(code, "action and system")
    action = np.searchsorted([0.72, 0.95, 0.985], draw).astype(np.int8)
    exported = sort == EXPORTED
    action[exported] = np.where(draw[exported] < 0.7, 3, 2)
    misused = sort == ODD
    action[misused] = np.searchsorted([0.66, 0.88, 0.96], draw[misused])
    edges = np.cumsum(np.array([SYSTEM_SHARES[one] for one in ROLES]), axis=1)[:, :-1]
    chosen = np.zeros(len(code), np.int8)
    for edge in edges.T:
        chosen += system >= edge[role]
    chosen[exported] = np.where(system[exported] < 0.6, SYSTEMS.index("INTEL"), SYSTEMS.index("CRIS"))
    return action, chosen


def _case(
    role: Ints, sort: Ints, linked: Flags, code: Ints, work: Routine, world: World
) -> tuple[Flags, Flags]:
    """Whether the record is flagged as a vulnerable person's, and whether it is of the user's own case."""
    draw, mine = world.draws.two_of_row(code, "whose case")
    vulnerable, own = draw < work.vulnerable[role], linked & (mine < 0.8)
    views = sort == VULNERABLE_VIEW
    vulnerable[views] = True
    own[views] = mine[views] < 0.03
    own[sort == OF_ASSOCIATE] = False
    return vulnerable, own


def _incident(tours: Tours, tour: Ints, number: Ints) -> Ints:
    """Code of the incident or, on a major inquiry, of the inquiry's own."""
    return row_code(tours.team[tour], tours.day[tour], number % 5)


def _subject(tours: Tours, tour: Ints, person: Ints, sort: Ints, code: Ints, world: World) -> Ints:
    """Code of the record looked at: a current case's, one of a few that draw the person back, or another."""
    draw, slot = world.draws.two_of_row(code, "subject")
    case = row_code(person, tours.day[tour] // 21, 16 + (4 * slot).astype(np.int64))
    subject = np.where(draw < 0.4, case, scrambled(code))
    for kind, first, most, back in (
        (ODD, 8, 3, None), (VULNERABLE_VIEW, 32, 5, 0.85), (OF_ASSOCIATE, 48, 1, 1.0), (EXPORTED, 64, 4, 0.6),
    ):  # fmt: skip
        some = np.flatnonzero(sort == kind)
        private = private_subject(person[some], first + (most * slot[some]).astype(np.int64))
        again = back
        if again is None:
            again = np.where(world.episodes.during("T4", person[some], tours.day[tour[some]]), 0.6, 0.25)
        subject[some] = np.where(draw[some] < again, private, scrambled(code[some]))
    return subject


def private_subject(person: Ints, number: Ints | int) -> Ints:
    """Code of one of the records that draw a person back; number 48 is that of an associate."""
    return row_code(person, np.full(len(person), PRIVATE_DAY), number)


ASSOCIATE = 48


def _asked_by(
    person: Ints, role: Ints, day: Ints, code: Ints, odd: Flags, work: Routine, world: World
) -> Ints:
    """Person on whose behalf the system was used; -1 where it was one's own."""
    ask, who = world.draws.two_of_row(code, "on behalf")
    share = work.on_behalf[role]
    head_share = world.parameters["head_on_behalf"]
    if head_share > 0:
        share = np.where(world.people.rank[person] == PS, head_share, share)
    share = np.where(odd, ON_BEHALF_ELSEWHERE, share)
    asks = np.flatnonzero(ask < share)
    team = (who[asks] * len(world.teams.role)).astype(np.int64)
    other = world.teams.supervisor_on(team, day[asks])
    asked_by = np.full(len(person), -1, np.int32)
    asked_by[asks] = np.where(other != person[asks], other, -1)
    return asked_by
