"""Public complaints and conduct matters, each from opening to result."""

from __future__ import annotations

import numpy as np
import polars as pl

from evenhand.force.conduct import BREACHES, NEVER, SOURCES, Cases
from evenhand.force.draws import Draws, Floats, row_code
from evenhand.force.extracts import Rows, id_series
from evenhand.force.lateness import known_days
from evenhand.force.parameters import Parameters
from evenhand.force.people import MINUTES_A_DAY, Calendar, People, Teams
from evenhand.force.roster import Tours
from features.tables.uk import ROLES

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
SEVERITIES = ("NONE", "PRI", "MISCONDUCT", "GROSS")
FINDINGS = ("NO_CASE", "NOT_PROVEN", "MISCONDUCT", "GROSS")


def complaint(
    tours: Tours,
    people: People,
    teams: Teams,
    frailty: Floats,
    calendar: Calendar,
    parameters: Parameters,
    draws: Draws,
) -> Rows:
    """Allegations as logged, with a later version that has the result."""
    rng = draws.stream("complaints")
    contact = np.exp(0.6 * rng.standard_normal(len(people)) - 0.18)
    rate = np.array([CONTACT[role] for role in ROLES])[teams.role[tours.team]] * contact[tours.person]
    rate *= parameters["complaints_per_contact_year"] / TOURS_A_YEAR * frailty[tours.person] ** 0.15
    which = np.flatnonzero((rng.random(len(rate)) < rate) & tours.worked)
    code = row_code(tours.person[which], tours.day[which])
    at = tours.starts[which] + (600 * draws.of_row(code, "when")).astype(np.int64)
    logged = at + known_days(draws.of_row(code, "logged"), 25.0)
    edges = np.cumsum(CATEGORY_COUNTS) / CATEGORY_COUNTS.sum()
    category = np.searchsorted(edges, draws.of_row(code, "category"), side="right")
    handling = np.searchsorted([0.78, 0.96], draws.of_row(code, "handling"))
    done = logged + ((30 + 340 * draws.of_row(code, "takes") ** 1.3) * MINUTES_A_DAY).astype(np.int64)
    draw = draws.of_row(code, "result")
    result = np.where(handling == 2, np.where(draw < 0.2, 3, 4), np.searchsorted([0.78, 0.9], draw))
    finished = draws.of_row(code, "finished") < 0.94
    taken_back = draws.of_row(code, "withdrawn") < 0.03
    rows = np.concatenate([np.arange(len(code)), np.flatnonzero(finished)])
    version = np.repeat([0, 1], [len(code), int(finished.sum())])
    closed = version == 1
    return Rows(
        code=code[rows] + version,
        frame=pl.DataFrame(
            {
                "allegation_id": id_series("K", code[rows]),
                "person_key": people.keys_of(tours.person[which][rows]),
                "occurred_at": calendar.datetimes(at[rows]),
                "known_at": calendar.datetimes(
                    np.where(
                        closed, done[rows] + known_days(draws.of_row(code[rows], "closed"), 2.0), logged[rows]
                    )
                ),
                "category": pl.Series(list(CATEGORIES)).gather(pl.Series(category[rows].astype(np.uint32))),
                "handling": pl.Series(HANDLING).gather(pl.Series(handling[rows].astype(np.uint32))),
                "result": pl.Series(RESULTS)
                .gather(pl.Series(np.minimum(result[rows], 4).astype(np.uint32)))
                .set(pl.Series(~closed), None),
                "finalised_at": calendar.datetimes(done[rows]).set(pl.Series(~closed), None),
                "withdrawn": closed & taken_back[rows],
            }
        ),
    )


def conduct_matter(cases: Cases, people: People, calendar: Calendar, draws: Draws) -> Rows:
    """Cases as opened, some reassessed, and as found."""
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
    has_finding = version == 2
    return Rows(
        code=code[rows] + version,
        frame=pl.DataFrame(
            {
                "case_id": id_series("M", code[rows]),
                "person_key": people.keys_of(cases.person[rows]),
                "occurred_at": calendar.datetimes(at[rows]),
                "known_at": calendar.datetimes(
                    np.select([version == 0, version == 1], [opened[rows], between], recorded)
                ),
                "source": pl.Series(SOURCES).gather(pl.Series(cases.source[rows].astype(np.uint32))),
                "breach": pl.Series(BREACHES).gather(pl.Series(cases.breach[rows].astype(np.uint32))),
                "severity": pl.Series(SEVERITIES).gather(pl.Series(severity.astype(np.uint32))),
                "finding": pl.Series(FINDINGS)
                .gather(pl.Series(np.maximum(cases.finding[rows] - 1, 0).astype(np.uint32)))
                .set(pl.Series(~has_finding), None),
                "finding_at": calendar.datetimes(found[rows]).set(pl.Series(~has_finding), None),
                "withdrawn": np.zeros(len(rows), bool),
            }
        ),
    )
