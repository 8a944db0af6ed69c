"""What vetting holds: declarations, register matches, clearances, and intelligence that nobody has verified."""

from __future__ import annotations

import numpy as np

from evenhand.force.access import ASSOCIATE, private_subject
from evenhand.force.columns import Plain, Rows, ids, joined, labels
from evenhand.force.conduct import TYPOLOGIES
from evenhand.force.draws import Floats, Ints, repeated, row_code
from evenhand.force.lateness import known_days
from evenhand.force.people import CI, MINUTES_A_DAY, is_role
from evenhand.force.world import World

DECLARATION_TYPES = (
    "NOTIFIABLE_ASSOCIATION", "BUSINESS_INTEREST", "SECONDARY_EMPLOYMENT", "HIERARCHICAL_ASSOC", "GIFT_HOSPITALITY",
    "CHANGE_OF_CIRCUMSTANCES",
)  # fmt: skip
ASSOCIATION, BUSINESS, SECOND_JOB, HIERARCHICAL, GIFT, CHANGE = range(6)
STATUSES = ("DECLARED", "APPROVED", "REFUSED", "ENDED")
REGISTERS = ("COMPANIES", "PAYROLL", "LICENCES")
LEVELS = ("RV", "MV", "SC", "ESC", "DV")
RENEWED_EVERY_DAYS = np.array([3650, 2555, 2555, 2555, 2555])
SENSITIVE_ROLES = ("INTEL_DESK", "PNC_BUREAU", "SAFEGUARDING")
SMALL_DECLARATIONS_PER_YEAR = 0.08  # gifts, hospitality, changes of circumstances
MATCHED_DECLARED, MATCHED_UNDECLARED = 0.6, 0.75  # interests that a register match finds
CATEGORIES = (
    "INFILTRATION", "DISCLOSURE", "PERVERTING_JUSTICE", "SEXUAL_MISCONDUCT", "DRUGS", "THEFT_FRAUD",
    "MISUSE_OF_SYSTEMS", "ABUSE_OF_AUTHORITY", "ASSOCIATION", "VULNERABILITY", "CRIME", "OTHER",
)  # fmt: skip
WITHIN_28_DAYS = 28


def _days_of_service(person: Ints, share: Floats, world: World) -> Ints:
    """A day of each person's service, from a year before the data begin on."""
    begins = np.maximum(world.people.begins[person], -365)
    ends = np.minimum(world.people.ends[person], world.calendar.days)
    return (begins + share * np.maximum(ends - begins, 1)).astype(np.int64)


def _declared_interests(world: World) -> tuple[Ints, Ints, Ints]:
    """Person, type and number of the interests and associations that people declare by themselves."""
    draws, parameters = world.draws, world.parameters
    everybody = np.flatnonzero(world.people.seen(world.calendar))
    draw, kind = draws.two_of_row(everybody, "interests")
    interest = everybody[draw < parameters["interest_share"]]
    second_job = kind[draw < parameters["interest_share"]] < 0.3
    draw, kind = draws.two_of_row(everybody, "associations")
    association = everybody[draw < parameters["association_share"]]
    hierarchical = kind[draw < parameters["association_share"]] < 0.2
    return (
        np.concatenate([interest, association]),
        np.concatenate(
            [np.where(second_job, SECOND_JOB, BUSINESS), np.where(hierarchical, HIERARCHICAL, ASSOCIATION)]
        ),
        np.repeat([11, 12], [len(interest), len(association)]),
    )


def declaration(world: World) -> Rows:
    """Declarations as made, and again when they were decided; somebody in an episode of T6 declares late or never."""
    draws, people, calendar = world.draws, world.people, world.calendar
    person, kind, number = _declared_interests(world)
    share, late = draws.two_of_row(row_code(person, number, 0), "declared on")
    day = _days_of_service(person, share, world)
    days_late = np.where(late < 0.12, (700 * late).astype(np.int64) + 5, 0)

    some, place = repeated(
        draws.counts_of_row(
            np.arange(len(people)), "small declarations",
            np.full(len(people), SMALL_DECLARATIONS_PER_YEAR * calendar.years) * people.seen(calendar), 20,
        )
    )  # fmt: skip
    small, which = draws.two_of_row(row_code(some, place, 13), "small declared on")
    admits, after = _late_admissions(world)
    person = np.concatenate([person, some, admits])
    kind = np.concatenate([kind, np.where(which < 0.5, GIFT, CHANGE), np.full(len(admits), BUSINESS)])
    number = np.concatenate([number, 100 + place, np.full(len(admits), 14)])
    day = np.concatenate([day, _days_of_service(some, small, world), after])
    began = world.episodes.starts[TYPOLOGIES.index("T6"), admits]
    late_by = np.maximum(after - np.maximum(began, -EARLY) - WITHIN_28_DAYS, 0)
    days_late = np.concatenate([days_late, np.zeros(len(some), np.int64), late_by])

    code = row_code(person, np.clip(day, 0, calendar.days), number)
    at = day * MINUTES_A_DAY + 10 * 60
    known = at + known_days(draws.of_row(code, "filed"), 2.0)
    decided = known + known_days(draws.of_row(code, "decided"), 30.0)
    refused = draws.of_row(code, "refused") < 0.04
    named = np.isin(kind, [ASSOCIATION, BUSINESS, SECOND_JOB])
    admitted = np.arange(len(code)) >= len(code) - len(admits)
    associate = np.where(
        admitted, private_subject(person, ASSOCIATE), private_subject(person, 80 + number % 16)
    )
    rows = np.concatenate([np.arange(len(code)), np.flatnonzero(kind != GIFT)])
    version = (np.arange(len(rows)) >= len(code)).astype(np.int64)
    return Rows(
        code=code[rows] + (version << 14),
        columns={
            "declaration_id": ids("L", code[rows]),
            "person_key": people.keys_of(person[rows]),
            "occurred_at": calendar.times(at[rows]),
            "known_at": calendar.times(np.where(version == 1, decided[rows], known[rows])),
            "declaration_type": labels(DECLARATION_TYPES, kind[rows]),
            "status": labels(STATUSES, np.where(version == 0, 0, np.where(refused[rows], 2, 1))),
            "began_on": calendar.days_column((day - days_late - 14)[rows]),
            "days_late": Plain(days_late[rows]),
            "review_due": calendar.days_column((day + 365)[rows], ~named[rows]),
            "associate_key": ids("S", np.where(named, associate, -1)[rows]),
            "withdrawn": Plain(np.zeros(len(rows), bool)),
        },
    )


EARLY = 365


def _undeclared(world: World) -> tuple[Ints, Ints, Ints, Ints]:
    """Person, register, first and last day of interests that nobody declared when they should have."""
    people, ends = [], []
    registers, starts = [], []
    for typology, register in (("T6", 0), ("T8", 1)):
        row = TYPOLOGIES.index(typology)
        bearers = world.episodes.bearers(typology)
        people.append(bearers)
        registers.append(np.full(len(bearers), register))
        starts.append(np.maximum(world.episodes.starts[row, bearers], -EARLY))
        ends.append(world.episodes.ends[row, bearers])
    person, register = np.concatenate(people), np.concatenate(registers)
    kind = world.draws.of_row(row_code(person, register, 21), "which register")
    register = np.where((register == 0) & (kind < 0.3), 2, register)
    return person, register, np.concatenate(starts), np.concatenate(ends)


def _matched(world: World) -> tuple[Ints, Ints, Ints, Ints, Ints]:
    """The undeclared interests that a register match finds, and the day of the match."""
    person, register, start, end = _undeclared(world)
    found, delay = world.draws.two_of_row(row_code(person, register, 22), "matched")
    kept = found < MATCHED_UNDECLARED
    day = start + 60 + (500 * delay).astype(np.int64)
    return person[kept], register[kept], start[kept], end[kept], day[kept]


def _late_admissions(world: World) -> tuple[Ints, Ints]:
    """People who declare once a match has found them, and when."""
    person, register, _, _, day = _matched(world)
    admits, delay = world.draws.two_of_row(row_code(person, register, 23), "admits")
    late = (admits < 0.4) & (register != 1)
    return person[late], day[late] + 7 + (60 * delay[late]).astype(np.int64)


def register_match(world: World) -> Rows:
    """Matches with public registers and payrolls: mostly of interests that were declared."""
    draws, people, calendar = world.draws, world.people, world.calendar
    person, kind, number = _declared_interests(world)
    kept = (kind != HIERARCHICAL) & (kind != ASSOCIATION)
    person, kind, number = person[kept], kind[kept], number[kept]
    share, _ = draws.two_of_row(row_code(person, number, 0), "declared on")
    declared_on = _days_of_service(person, share, world)
    draw, delay = draws.two_of_row(row_code(person, number, 1), "matched")
    # Where the match came first the declaration was not on file yet: an innocent row that looks like T6.
    match_day = declared_on - 20 + (400 * delay).astype(np.int64)
    found = draw < MATCHED_DECLARED
    hidden, register, start, end, day = _matched(world)
    every = np.concatenate([person[found], hidden])
    match_day = np.concatenate([match_day[found], day])
    begins = np.concatenate([declared_on[found] - 30, start])
    registers = np.concatenate([np.where(kind[found] == SECOND_JOB, 1, 0), register])
    on_file = np.concatenate(
        [(match_day[: int(found.sum())] >= declared_on[found]), np.zeros(len(hidden), bool)]
    )
    associate = np.concatenate(
        [private_subject(person[found], 80 + number[found] % 16), private_subject(hidden, ASSOCIATE)]
    )
    ends = np.concatenate([np.full(int(found.sum()), -1), np.where(register == 1, end, -1)])
    code = row_code(every, np.clip(match_day, 0, calendar.days), 31 + registers)
    open_ = ends < 0
    at = begins * MINUTES_A_DAY + 9 * 60
    return Rows(
        code=code,
        columns={
            "match_id": ids("R", code),
            "person_key": people.keys_of(every),
            "occurred_at": calendar.times(at),
            "known_at": calendar.times(np.maximum(match_day * MINUTES_A_DAY + 11 * 60, at + 60)),
            "register": labels(REGISTERS, registers),
            "associate_key": ids("S", associate),
            "declared": Plain(on_file),
            "end_at": calendar.times(np.maximum(np.where(open_, 0, ends) * MINUTES_A_DAY, at), open_),
        },
    )


def vetting(world: World) -> Rows:
    """Each person's clearance, and its renewals; some lapse until somebody notices."""
    people, calendar, draws = world.people, world.calendar, world.draws
    person = np.flatnonzero(people.seen(calendar))
    role = world.teams.role[people.team[person]]
    draw, since = draws.two_of_row(person, "clearance")
    level = np.where(is_role(role, SENSITIVE_ROLES) | (people.rank[person] >= CI), 1, 0)
    level = np.where((role == 4) & (draw < 0.3), 2 + (9 * draw).astype(np.int64), level)
    every = RENEWED_EVERY_DAYS[level]
    granted = np.where(
        people.begins[person] > 0, people.begins[person] - 20, -(since * every).astype(np.int64) - 1
    )
    renewed = granted + every
    again = np.flatnonzero(renewed < np.minimum(people.ends[person], calendar.days))
    lapsed = draws.of_row(row_code(person[again], renewed[again], 41), "lapses") < 0.15
    parts = [_clearances(person, granted, level, np.zeros(len(person), np.int64), 41, world)]
    parts.append(
        _clearances(person[again][lapsed], granted[again][lapsed], level[again][lapsed],
                    renewed[again][lapsed] + 1, 41, world)
    )  # fmt: skip
    wait = np.where(lapsed, 120, -10)
    parts.append(
        _clearances(
            person[again], renewed[again] + wait, level[again], np.zeros(len(again), np.int64), 43, world
        )
    )
    return Rows(joined([part.columns for part in parts]), np.concatenate([part.code for part in parts]))


def _clearances(person: Ints, granted: Ints, level: Ints, lapsed_on: Ints, number: int, world: World) -> Rows:
    """Clearances as granted, or, where `lapsed_on` is not 0, as they lapsed that day."""
    calendar = world.calendar
    code = row_code(person, np.zeros(len(person), np.int64), number)
    at = granted * MINUTES_A_DAY + 12 * 60
    lapsed = lapsed_on > 0
    known = np.where(
        lapsed, lapsed_on * MINUTES_A_DAY, at + known_days(world.draws.of_row(code, "clearance filed"), 3.0)
    )
    no_aftercare = world.draws.of_row(code, "aftercare") > 0.1
    return Rows(
        code=code + lapsed,
        columns={
            "vetting_id": ids("Z", code),
            "person_key": world.people.keys_of(person),
            "occurred_at": calendar.times(at),
            "known_at": calendar.times(np.maximum(known, at + 1)),
            "level": labels(LEVELS, level),
            "status": labels(("CURRENT", "LAPSED", "REVIEW", "WITHDRAWN"), lapsed.astype(np.int64)),
            "renewal_due": calendar.days_column(granted + RENEWED_EVERY_DAYS[level]),
            "aftercare_due": calendar.days_column(granted + 365, no_aftercare),
            "withdrawn": Plain(np.zeros(len(person), bool)),
        },
    )


def corruption_intel(world: World) -> Rows:
    """Unverified items, most of them about people who did nothing."""
    people, calendar, draws = world.people, world.calendar, world.draws
    everybody = np.arange(len(people))
    rate = world.parameters["intel_per_year"] * calendar.years * people.seen(calendar)
    person, place = repeated(draws.counts_of_row(everybody, "intelligence", rate, 20))
    category = np.full(len(person), -1)
    hinted: list[Ints] = [np.empty(0, np.int64)]
    kinds: list[Ints] = [np.empty(0, np.int64)]
    for typology, kind in (("T5", 3), ("T6", 8), ("T9", 1)):
        bearers = world.episodes.bearers(typology)
        told = draws.of_row(row_code(bearers, np.full(len(bearers), kind), 51), "told of") < 0.3
        hinted.append(bearers[told])
        kinds.append(np.full(int(told.sum()), kind))
    extra = np.concatenate(hinted)
    person = np.concatenate([person, extra])
    place = np.concatenate([place, 60 + np.concatenate(kinds)])
    category = np.concatenate([category, np.concatenate(kinds)])
    code = row_code(person, np.zeros(len(person), np.int64), 60 + place)
    share, kind = draws.two_of_row(code, "intelligence of")
    at = _days_of_service(person, share, world) * MINUTES_A_DAY + 600
    return Rows(
        code=code,
        columns={
            "intel_id": ids("J", code),
            "person_key": people.keys_of(person),
            "occurred_at": calendar.times(at),
            "known_at": calendar.times(at + known_days(draws.of_row(code, "intelligence filed"), 20.0)),
            "category": labels(CATEGORIES, np.where(category < 0, (12 * kind).astype(np.int64), category)),
            "grading": labels(
                ("RELIABLE", "UNTESTED", "NOT_RELIABLE"),
                np.searchsorted([0.2, 0.8], draws.of_row(code, "grading")),
            ),
        },
    )
