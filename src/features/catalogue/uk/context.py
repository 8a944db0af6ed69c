"""Context: how much a person works, where, with whom and for how long. No concern in itself.

What is said of a team is a mean over the others in it, never one person's, and it makes no lead alone.
"""

from __future__ import annotations

import polars as pl

from features.catalogue.uk.events import DEPLOYMENT, POST, TEAM_RETURN, TOUR
from features.catalogue.uk.parts import (
    BUSY_ROLE,
    COMPLAINTS,
    NIGHT_SHARE,
    OVERTIME_MINUTES,
    OWN_LATE_CHANGES,
    PUBLIC_CONTACT,
    PUBLIC_ORDER,
    QUARTER_AND_YEAR,
    RANK,
    ROLE,
    SERVICE,
    SHORT_OF_PEOPLE,
    TEAM,
    TEAM_CHANGES,
    TOURS,
    UNLINKED_SEARCHES,
    YEAR,
)
from features.specs import Colleagues, Idea, Latest, Trend, count, distinct, largest, ratio, smallest, total

CONTEXT_IDEAS = (
    Idea(
        name="tours", says="tours worked", of=TOURS, windows=QUARTER_AND_YEAR, unit="tours", family="work done",
        innocent=("how much somebody works is no conduct",),
    ),
    Idea(
        name="minutes_worked", says="minutes worked", of=total(TOUR, "minutes_worked"), windows=YEAR, unit="minutes",
        family="work done", innocent=("how much somebody works is no conduct",),
    ),
    Idea(
        name="minutes_over", says="minutes worked past the planned end", of=total(TOUR, "minutes_over"), windows=QUARTER_AND_YEAR,
        unit="minutes", family="work done", innocent=(PUBLIC_ORDER,),
    ),
    Idea(
        name="night_share", says="share of tours that began between 18:00 and 04:00",
        of=NIGHT_SHARE, windows=YEAR, unit="share", family="work done",
        innocent=("the roster",),
    ),
    Idea(
        name="rest_days_worked", says="rest days worked", of=count(TOUR, pl.col("rest_day")), windows=QUARTER_AND_YEAR, unit="tours",
        family="rest-day working", innocent=(PUBLIC_ORDER, SHORT_OF_PEOPLE),
    ),
    Idea(
        name="project_share", says="share of tours charged to an operation or inquiry",
        of=ratio(count(TOUR, pl.col("project_code").is_not_null()), TOURS, bottom_at_least=20), windows=YEAR, unit="share",
        family="events and aid", innocent=(PUBLIC_ORDER,),
    ),
    Idea(
        name="deployments", says="deployments to events, operations or other forces", of=count(DEPLOYMENT),
        windows=QUARTER_AND_YEAR, unit="deployments", family="events and aid", innocent=(PUBLIC_ORDER,),
    ),
    Idea(
        name="rest_day_deployments", says="deployments that fell on a rest day", of=count(DEPLOYMENT, pl.col("rest_day")),
        windows=YEAR, unit="deployments", family="events and aid", innocent=(PUBLIC_ORDER,),
    ),
    Idea(
        name="team_vacancy", says="share of the team's posts with nobody in them",
        of=Latest(
            events=TEAM_RETURN, value=1 - pl.col("filled_posts") / pl.col("established_posts"), key="team_code", via=TEAM,
        ),
        unit="share", family="team", innocent=(SHORT_OF_PEOPLE,),
    ),
    Idea(
        name="days_in_service", says="days of service", of=SERVICE,
        unit="days", family="service", innocent=("those new to the work make more mistakes",),
    ),
    Idea(
        name="days_in_role", says="days in the role", of=Latest(events=POST, value=pl.col("role_start"), how="days_since"),
        unit="days", family="service", innocent=("those new to a role make more mistakes",),
    ),
    Idea(
        name="moved_post", says="whether they came to their post from another: 1 if so",
        of=distinct(POST, "moved_to"), windows=YEAR, unit="1 or 0", family="service",
        innocent=("the year's records are of two kinds of work",),
    ),
    Idea(
        name="rank", says="rank", of=RANK, unit="category",
        family="post",
    ),
    Idea(name="role", says="role", of=ROLE, unit="category", family="post"),
    Idea(
        name="employee_type", says="officer or staff", of=Latest(events=POST, value=pl.col("employee_type"), how="category"),
        unit="category", family="post",
    ),
    Idea(
        name="team_planners_changes", says="changes by planners, a tour, among the others in the team", of=TEAM_CHANGES, windows=YEAR,
        unit="changes a tour", family="team", innocent=(SHORT_OF_PEOPLE,),
    ),
    Idea(
        name="team_own_late_changes", says="late changes to own tours, a tour, among the others in the team",
        of=Colleagues(of=ratio(OWN_LATE_CHANGES, TOURS, bottom_at_least=20), by=TEAM), windows=YEAR, unit="changes a tour", family="team",
        innocent=("a unit without planners",),
    ),
    Idea(
        name="team_overtime", says="minutes of overtime, a tour, among the others in the team",
        of=Colleagues(of=ratio(OVERTIME_MINUTES, TOURS, bottom_at_least=20), by=TEAM), windows=YEAR, unit="minutes a tour", family="team",
        innocent=(SHORT_OF_PEOPLE, PUBLIC_ORDER),
    ),
    Idea(
        name="team_unlinked_searches", says="unlinked searches, a tour, among the others in the team",
        of=Colleagues(of=ratio(UNLINKED_SEARCHES, TOURS, bottom_at_least=20), by=TEAM), windows=YEAR, unit="searches a tour", family="team",
        innocent=(BUSY_ROLE,),
    ),
    Idea(
        name="team_complaints", says="complaints among the others in the team", of=Colleagues(of=COMPLAINTS, by=TEAM), windows=YEAR,
        unit="complaints a person", family="team", innocent=(PUBLIC_CONTACT,),
    ),
    Idea(
        name="inquiries_worked_on", says="different operations and inquiries that tours were charged to",
        of=distinct(TOUR, "project_code"), windows=YEAR, unit="operations", family="events and aid", innocent=(PUBLIC_ORDER,),
    ),
    Idea(
        name="moved_to_major_inquiry", says="whether they were deployed to a major inquiry: 1 if so",
        of=distinct(DEPLOYMENT, "deployment_type", pl.col("deployment_type") == "MAJOR_INCIDENT"), windows=YEAR,
        unit="1 or 0", family="events and aid",
        innocent=("a surge of work that others decide",),
    ),
    Idea(
        name="longest_tour", says="minutes of the longest tour", of=largest(TOUR, "minutes_worked"), windows=YEAR, unit="minutes",
        family="work done", innocent=("how much somebody works is no conduct",),
    ),
    Idea(
        name="shortest_tour", says="minutes of the shortest tour", of=smallest(TOUR, "minutes_worked"), windows=YEAR, unit="minutes",
        family="work done", innocent=("how much somebody works is no conduct",),
    ),
    Idea(
        name="tours_rise", says="rise of the daily number of tours over the year", of=Trend(of=TOURS), windows=YEAR, unit="tours a day",
        family="work done", innocent=("a return to work or another pattern",),
    ),
)  # fmt: skip
