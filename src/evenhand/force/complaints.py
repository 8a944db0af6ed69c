"""Public complaints and conduct matters, each from opening to result."""

from __future__ import annotations

import numpy as np

from evenhand.force.columns import Column, Plain, Rows, ids, labels
from evenhand.force.conduct import BREACHES, NEVER, SOURCES, Cases
from evenhand.force.draws import Draws, Flags, Floats, Ints, row_code
from evenhand.force.lateness import known_days
from evenhand.force.people import MINUTES_A_DAY
from evenhand.force.roster import Tours
from evenhand.force.world import World
from features.tables.uk import ROLES, SUBCATEGORIES

CATEGORIES = "ABCDEFGHJKL"
# IOPC 2024/25, Metropolitan Police: allegations by category.
CATEGORY_COUNTS = np.array([15453, 4058, 480, 313, 177, 646, 80, 1003, 62, 135, 383])
CONTACT = {
    "RESPONSE": 2.6, "NEIGHBOURHOOD": 1.0, "INVESTIGATION": 1.0, "CUSTODY": 3.0, "ROADS": 1.8, "PUBLIC_ORDER": 1.8,
    "SAFEGUARDING": 0.9, "INTEL_DESK": 0.05, "PNC_BUREAU": 0.05, "PLANNING": 0.02,
}  # fmt: skip
TOURS_A_YEAR = 170
HANDLING = ("NOT_INVESTIGATED", "INVESTIGATED_NSP", "INVESTIGATED_SP")
RESULTS = ("SERVICE_ACCEPTABLE", "NOT_ACCEPTABLE", "NOT_DETERMINED", "CASE_TO_ANSWER", "NO_CASE")
FROM = ("PUBLIC", "COLLEAGUE", "SUPERVISOR", "ANONYMOUS")
REFERRALS = ("NONE", "VOLUNTARY", "MANDATORY", "CALL_IN")
SEVERITIES = ("NONE", "PRI", "MISCONDUCT", "GROSS")
FINDINGS = ("NO_CASE", "NOT_PROVEN", "MISCONDUCT", "GROSS")
FORUMS = ("RPRP", "MEETING", "HEARING", "ACCELERATED", "VETTING_REVIEW", "STAFF_DISCIPLINARY")
OUTCOMES = (
    "NFA", "REFLECTIVE", "WRITTEN_WARNING", "FINAL_WARNING", "REDUCTION_IN_RANK", "DISMISSED", "WOULD_HAVE_DISMISSED",
)  # fmt: skip

# Why an allegation was made; the first by far the commonest.
OF_CONTACT, OF_ASSAULT, RETALIATION, OF_ABUSE = range(4)
ABUSE_PER_YEAR = 0.5  # allegations during an episode of T5
AFTER_AN_ASSAULT = 0.5  # assaults after which the other side complains the same day


def complaint(tours: Tours, world: World) -> Rows:
    """Allegations as logged, with a later version that has the result."""
    draws, people, calendar = world.draws, world.people, world.calendar
    contact = np.exp(0.6 * draws.stream("contact").standard_normal(len(people)) - 0.18)
    high = np.array([CONTACT[role] for role in ROLES])
    by_role = np.where((high > 1) & (world.parameters["contact_times"] == 0), 1.0, high)
    rate = by_role[world.teams.role[tours.team]] * contact[tours.person]
    rate *= (
        world.parameters["complaints_per_contact_year"] / TOURS_A_YEAR * world.frailty[tours.person] ** 0.15
    )
    which, why = _allegations(tours, rate, world)
    code = row_code(tours.person[which], tours.day[which], why)
    at = tours.starts[which] + (600 * draws.of_row(code, "when")).astype(np.int64)
    logged = at + known_days(draws.of_row(code, "logged"), 25.0)
    logged = np.where(
        why == OF_ASSAULT, at + 60 + (240 * draws.of_row(code, "same day")).astype(np.int64), logged
    )
    category, subcategory = _categories(code, why, draws)
    handling = np.searchsorted([0.78, 0.96], draws.of_row(code, "handling"))
    handling = np.where(why == OF_ABUSE, 2, handling)
    done = logged + ((30 + 340 * draws.of_row(code, "takes") ** 1.3) * MINUTES_A_DAY).astype(np.int64)
    draw = draws.of_row(code, "result")
    result = np.where(handling == 2, np.where(draw < 0.2, 3, 4), np.searchsorted([0.78, 0.9], draw))
    finished = draws.of_row(code, "finished") < 0.94
    taken_back = draws.of_row(code, "withdrawn") < 0.03
    schedule3, referred = draws.two_of_row(code, "schedule 3")
    source, number = draws.two_of_row(code, "source")
    of_colleague = np.where(source < 0.6, 1, np.where(source < 0.8, 3, 2))
    person = tours.person[which]
    columns: dict[str, Column] = {
        "allegation_id": ids("K", code),
        "person_key": people.keys_of(person),
        "occurred_at": calendar.times(at),
        "case_id": ids("Q", code),
        "allegation_no": Plain(1 + (3 * number**3).astype(np.int64)),
        "schedule3": labels(("IN", "OUT"), np.where((schedule3 < 0.55) | (handling > 0), 0, 1)),
        "source": labels(FROM, np.where(why == RETALIATION, of_colleague, 0)),
        "victimisation_risk": Plain(tours.day[which] >= reported_from(world)[person]),
        "category": labels(list(CATEGORIES), category),
        "subcategory": labels(SUBCATEGORIES, subcategory),
        "iopc_referral": labels(REFERRALS, _referral(category, handling, referred)),
        "handling": labels(HANDLING, handling),
    }
    rows = np.concatenate([np.arange(len(code)), np.flatnonzero(finished)])
    closed = np.arange(len(rows)) >= len(code)
    closed_at = done[rows] + known_days(draws.of_row(code[rows], "closed"), 2.0)
    return Rows(
        code=(code[rows] << 1) + closed,
        columns={
            **{name: column.taken(rows) for name, column in columns.items()},
            "known_at": calendar.times(np.where(closed, closed_at, logged[rows])),
            "result": labels(RESULTS, np.where(closed, result[rows], -1)),
            "finalised_at": calendar.times(done[rows], ~closed),
            "withdrawn": Plain(closed & taken_back[rows]),
        },
    )


def reported_from(world: World) -> Ints:
    """The day from which each person is known to have reported wrongdoing; beyond the end where never."""
    everybody = np.arange(len(world.people))
    reports, when = world.draws.two_of_row(everybody, "reports wrongdoing")
    day = (when * world.calendar.days).astype(np.int64)
    return np.where(reports < world.parameters["whistleblower_share"], day, world.calendar.days + 10_000)


def _allegations(tours: Tours, rate: Floats, world: World) -> tuple[Ints, Ints]:
    """Tour and reason of each allegation; one a tour and reason."""
    draws = world.draws
    draw, other = draws.two_of_row(tours.code, "complaints")
    chances = {OF_CONTACT: draw < rate}
    first = reported_from(world)[tours.person]
    after = (first <= tours.day) & (tours.day < first + 365)
    chances[RETALIATION] = after & (other < world.parameters["retaliation_per_year"] / TOURS_A_YEAR)
    abusing = world.episodes.during("T5", tours.person, tours.day)
    chances[OF_ABUSE] = abusing & (other > 1 - ABUSE_PER_YEAR / TOURS_A_YEAR)
    chances[OF_ASSAULT] = _assaulted(tours, world) & (
        draws.of_row(tours.code, "counter-complaint") < AFTER_AN_ASSAULT
    )
    which = [np.flatnonzero(chance & tours.worked) for chance in chances.values()]
    return np.concatenate(which), np.repeat(list(chances), [len(part) for part in which])


def _assaulted(tours: Tours, world: World) -> Flags:
    """Whether the person was assaulted on the day of a tour."""
    hit = row_code(world.absence.assaulted, world.absence.assault_day)
    return np.isin(tours.code, hit)


def _categories(code: Ints, why: Ints, draws: Draws) -> tuple[Ints, Ints]:
    edges = np.cumsum(CATEGORY_COUNTS) / CATEGORY_COUNTS.sum()
    draw, within = draws.two_of_row(code, "category")
    category = np.searchsorted(edges, draw, side="right")
    category = np.where(why == OF_ASSAULT, CATEGORIES.index("B"), category)
    category = np.where(
        why == RETALIATION, np.where(draw < 0.6, CATEGORIES.index("H"), CATEGORIES.index("K")), category
    )
    category = np.where(
        why == OF_ABUSE, np.where(draw < 0.5, CATEGORIES.index("J"), CATEGORIES.index("G")), category
    )
    firsts = np.array(
        [next(k for k, one in enumerate(SUBCATEGORIES) if one[0] == letter) for letter in CATEGORIES]
    )
    sizes = np.array([sum(one[0] == letter for one in SUBCATEGORIES) for letter in CATEGORIES])
    subcategory = firsts[category] + (sizes[category] * within).astype(np.int64)
    # Use of force after an assault; sexual purpose and emotional relationships in abuse of position.
    subcategory = np.where(why == OF_ASSAULT, SUBCATEGORIES.index("B4"), subcategory)
    abuse = SUBCATEGORIES.index("G2") + (within < 0.4)
    return category, np.where((why == OF_ABUSE) & (draw >= 0.5), abuse, subcategory)


def _referral(category: Ints, handling: Ints, draw: Floats) -> Ints:
    grave = np.isin(category, [CATEGORIES.index("G"), CATEGORIES.index("J")]) | (handling == 2)
    return np.where(grave, np.searchsorted([0.35, 0.5, 0.98], draw), np.where(draw < 0.01, 1, 0))


def conduct_matter(world: World) -> Rows:
    """Cases as opened, some reassessed, and as found."""
    cases, people, calendar, draws = world.cases, world.people, world.calendar, world.draws
    n = len(cases.person)
    order = np.lexsort((np.arange(n), cases.happened, cases.person))
    number = np.empty(n, np.int64)
    number[order] = np.arange(n) - np.searchsorted(cases.person[order], cases.person[order])
    code = row_code(cases.person, np.clip(number, 0, 2**12), 0)
    at = cases.happened * MINUTES_A_DAY + (1440 * draws.of_row(code, "case hour")).astype(np.int64)
    opened = (
        cases.opened * MINUTES_A_DAY + 9 * 60 + (480 * draws.of_row(code, "opened hour")).astype(np.int64)
    )
    opened = np.maximum(opened, at + 60)
    found = np.where(cases.found < NEVER, cases.found, 0) * MINUTES_A_DAY + 15 * 60
    found = np.maximum(found, opened + MINUTES_A_DAY)
    reassessed = np.flatnonzero(draws.of_row(code, "reassessed") < 0.12)
    closed = np.flatnonzero(cases.found < NEVER)
    rows = np.concatenate([np.arange(n), reassessed, closed])
    version = np.repeat([0, 1, 2], [n, len(reassessed), len(closed)])
    share = 0.2 + 0.6 * draws.of_row(code[rows], "reassessed after")
    between = opened[rows] + (share * np.minimum(found - opened, 400 * MINUTES_A_DAY)[rows]).astype(np.int64)
    between = np.where(cases.found[rows] < NEVER, between, opened[rows] + 60 * MINUTES_A_DAY)
    recorded = found[rows] + known_days(draws.of_row(code[rows], "finding recorded"), 3.0)
    first = np.isin(rows, reassessed) & (version == 0)
    severity = np.where(first, np.minimum(cases.severity[rows] + 1, 3), cases.severity[rows])
    open_ = version < 2
    regulated = people.under_conduct_regulations[cases.person]
    forum, outcome = _forum_and_outcome(cases, regulated, code, world)
    of_public = cases.source == SOURCES.index("PUBLIC")
    recordable = (cases.severity == 3) & ~of_public
    kept = draws.of_row(code, "restricted")
    restriction = np.where(
        cases.severity == 3, np.searchsorted([0.35, 0.7], kept), np.where(kept < 0.05, 1, 0)
    )
    return Rows(
        code=code[rows] + version,
        columns={
            "case_id": ids("M", code[rows]),
            "person_key": people.keys_of(cases.person[rows]),
            "occurred_at": calendar.times(at[rows]),
            "known_at": calendar.times(
                np.select([version == 0, version == 1], [opened[rows], between], recorded)
            ),
            "case_type": labels(
                ("PC", "CM", "RCM"), np.where(of_public, 0, np.where(recordable, 2, 1))[rows]
            ),
            "regime": labels(("CONDUCT_REGULATIONS", "STAFF_DISCIPLINE"), np.where(regulated, 0, 1)[rows]),
            "source": labels(SOURCES, cases.source[rows]),
            "breach": labels(BREACHES, cases.breach[rows]),
            "severity": labels(SEVERITIES, severity),
            "finding": labels(FINDINGS, np.where(open_, -1, np.maximum(cases.finding[rows] - 1, 0))),
            "finding_at": calendar.times(found[rows], open_),
            "restriction": labels(("NONE", "RESTRICTED", "SUSPENDED"), restriction[rows]),
            "forum": labels(FORUMS, np.where(open_, -1, forum[rows])),
            "outcome": labels(OUTCOMES, np.where(open_, -1, outcome[rows])),
            "outcome_at": calendar.times(found[rows] + 60, open_),
            "withdrawn": Plain(np.zeros(len(rows), bool)),
        },
    )


def _forum_and_outcome(cases: Cases, regulated: Flags, code: Ints, world: World) -> tuple[Ints, Ints]:
    """Where each case is decided and what follows; staff answer to their contract, in a forum of its own."""
    draw, route = world.draws.two_of_row(code, "outcome")
    misconduct, gross = cases.finding == 3, cases.finding == 4
    officer = np.select([gross, misconduct], [np.where(route < 0.35, 3, 2), 1], np.where(route < 0.03, 4, 0))
    forum = np.where(regulated, officer, np.where(misconduct | gross, 5, 0))
    left = world.people.ends[cases.person] < cases.found
    dismissed = world.people.dismissed[cases.person] & (cases.found == world.people.ends[cases.person])
    of_gross = np.where(left, 6, np.where(dismissed, 5, np.where((draw < 0.1) & regulated, 4, 3)))
    of_misconduct = np.where(draw < 0.7, 2, 3)
    return forum, np.select([gross, misconduct], [of_gross, of_misconduct], np.where(draw < 0.4, 1, 0))
