"""T3, attendance of those in hybrid posts: tours in the office, visits to buildings, what was reported.

Remote work is often an adjustment or a caring pattern, and neither may be read here. So nothing in this part
can tell a breach from an agreement: it is a reason to ask, and the first question is what was agreed.
"""

from __future__ import annotations

import polars as pl

from features.catalogue.uk.events import MONTHLY_RETURN, OFFICE_POLICY, REMOTE_SESSION, TOUR, VISIT
from features.catalogue.uk.parts import ATTENDANCE, PATTERN, QUARTER_AND_YEAR, ROLE, TOURS, YEAR, beside_peers
from features.specs import Idea, Latest, Product, Trend, count, distinct, ratio, total

REMOTE = pl.col("site").is_null()
OFFICE_TOURS = count(TOUR, ~REMOTE)

ATTENDANCE_IDEAS = (
    Idea(
        name="remote_tours", says="tours worked remotely", of=count(TOUR, REMOTE), windows=QUARTER_AND_YEAR, unit="tours",
        family="work in the office", typologies=ATTENDANCE, innocent=(PATTERN, "a role that is done remotely"), tells_apart=False,
    ),
    Idea(
        name="office_share", says="share of tours worked in the office", of=ratio(OFFICE_TOURS, TOURS, bottom_at_least=20),
        windows=YEAR, unit="share", family="work in the office", innocent=(PATTERN, "external meetings"),
    ),
    Idea(
        name="office_tours_against_policy", says="tours in the office for each that the policy for the role asks for",
        of=ratio(
            OFFICE_TOURS,
            Product(left=TOURS, right=Latest(events=OFFICE_POLICY, value=pl.col("min_office_share"), key="role_code", via=ROLE)),
            bottom_at_least=15,
        ),
        windows=QUARTER_AND_YEAR, unit="times the policy", family="work in the office", innocent=(PATTERN, "external meetings"),
    ),
    Idea(
        name="short_visits", at_heart_of=ATTENDANCE, says="visits to a building of at most three quarters of an hour",
        of=count(VISIT, pl.col("minutes_inside") <= 45), windows=QUARTER_AND_YEAR, unit="visits", family="visits to buildings",
        typologies=ATTENDANCE, innocent=("collecting equipment, or a meeting in another building",), more_is_concern=True,
        aspect="timing",
    ),
    Idea(
        name="short_visit_share", says="share of visits to a building of at most three quarters of an hour",
        of=ratio(count(VISIT, pl.col("minutes_inside") <= 45), count(VISIT), bottom_at_least=10), windows=YEAR, unit="share",
        family="visits to buildings", typologies=ATTENDANCE, innocent=("work in several buildings",),
    ),
    Idea(
        name="days_in_buildings", says="days with a visit to a building with gates", of=distinct(VISIT, "day"),
        windows=QUARTER_AND_YEAR, unit="days", family="visits to buildings", innocent=("a station without gates",),
    ),
    Idea(
        name="reported_office_days", says="days in the office as the person reported them", of=total(MONTHLY_RETURN, "office_days"),
        windows=YEAR, unit="days", family="attendance reported", innocent=("only holders of hybrid posts report",),
    ),
    Idea(
        name="reported_days_per_day_seen", says="office days reported, for each day with a visit to a building",
        of=ratio(total(MONTHLY_RETURN, "office_days"), distinct(VISIT, "day"), bottom_at_least=5), windows=YEAR,
        unit="days a day", family="attendance reported", typologies=ATTENDANCE,
        innocent=("a station without gates", "a pass that was lent, lost or not read"), more_is_concern=True,
    ),
    Idea(
        name="days_on_the_network_from_outside", says="days with a remote session on the force's network",
        of=distinct(REMOTE_SESSION, "day"), windows=YEAR, unit="days", family="work from outside", innocent=(PATTERN,),
    ),
    Idea(
        name="remote_minutes_per_remote_tour", says="minutes on the network from outside, for each tour worked remotely",
        of=ratio(total(REMOTE_SESSION, "minutes"), count(TOUR, REMOTE), bottom_at_least=10), windows=YEAR,
        unit="minutes a tour", family="work from outside", innocent=("calls and reading need no session",),
    ),
    Idea(
        name="remote_tours_rise", says="rise of the daily number of remote tours over the year", of=Trend(of=count(TOUR, REMOTE)),
        windows=YEAR, unit="tours a day", family="work in the office", typologies=ATTENDANCE, innocent=(PATTERN,), tells_apart=False,
    ),
    *beside_peers(
        "remote_tours", "tours worked remotely", count(TOUR, REMOTE), TOURS, family="work in the office", typologies=ATTENDANCE,
        innocent=(PATTERN,), tells_apart=False,
    ),
    *beside_peers(
        "short_visits", "short visits to buildings", count(VISIT, pl.col("minutes_inside") <= 45), count(VISIT), exposure_at_least=10,
        family="visits to buildings", typologies=ATTENDANCE, innocent=("collecting equipment, or a meeting in another building",),
    ),
)  # fmt: skip
