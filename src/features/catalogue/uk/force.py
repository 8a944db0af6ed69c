"""The simulated UK force: its tables, its catalogue, whom it scores, and what confirms a lead."""

from __future__ import annotations

from datetime import date, datetime, time

import polars as pl

from features.catalogue.uk.attendance import ATTENDANCE_IDEAS
from features.catalogue.uk.complaints import COMPLAINT_IDEAS, CONDUCT_IDEAS
from features.catalogue.uk.context import CONTEXT_IDEAS
from features.catalogue.uk.disclosure import DISCLOSURE_IDEAS
from features.catalogue.uk.events import NOT_OUR_OWN, POST
from features.catalogue.uk.expenses import EXPENSES_IDEAS
from features.catalogue.uk.interests import INTERESTS_IDEAS
from features.catalogue.uk.overtime import OVERTIME_IDEAS
from features.catalogue.uk.position import POSITION_IDEAS
from features.catalogue.uk.research import RESEARCH_IDEAS
from features.catalogue.uk.roster import ROSTER_IDEAS
from features.catalogue.uk.systems import SYSTEMS_IDEAS
from features.definition import (
    Alleged,
    Baselines,
    Calendar,
    Cohort,
    Condition,
    ForceDefinition,
    Leaving,
    Outcome,
    ReadKnown,
    Reveals,
)
from features.specs import Catalogue, Events
from features.tables import Mark
from features.tables.uk import CONDUCT_MATTER, TABLES

CATALOGUE = Catalogue(
    (
        *ROSTER_IDEAS,
        *OVERTIME_IDEAS,
        *ATTENDANCE_IDEAS,
        *SYSTEMS_IDEAS,
        *POSITION_IDEAS,
        *INTERESTS_IDEAS,
        *EXPENSES_IDEAS,
        *DISCLOSURE_IDEAS,
        *COMPLAINT_IDEAS,
        *CONDUCT_IDEAS,
        *CONTEXT_IDEAS,
        *RESEARCH_IDEAS,
    )
)


def _members(read: ReadKnown, as_of: date) -> pl.DataFrame:
    """Everyone whose post in effect before `as_of` has not ended by then."""
    midnight = datetime.combine(as_of, time())
    return (
        read(POST, midnight)
        .filter(pl.col("occurred_at") < midnight)
        .sort("occurred_at", "known_at")
        .unique("person_key", keep="last", maintain_order=True)
        .filter(pl.col("leaver_date").is_null() | (pl.col("leaver_date") >= as_of))
        .select("person_key", "rank", "team_code", "role_code", "bcu_code")
        .sort("person_key")
    )


FORCE = ForceDefinition(
    name="simulated",
    title="A simulated UK police force",
    tables=TABLES,
    catalogue=CATALOGUE,
    cohort=Cohort(
        says="Every officer and member of staff in post: the latest version of the post in effect, not left.",
        members=_members,
        descriptors=("rank", "team_code", "role_code", "bcu_code"),
        leaving=Leaving(events=POST, last_day="leaver_date"),
    ),
    outcome=Outcome(
        says="A conduct matter about conduct in the 12 months from the as-of date that ended in a finding of "
        "misconduct or gross misconduct.",
        cases=Events(name="case", table=CONDUCT_MATTER, says="a conduct case, dated by the conduct"),
        watched=("source", "case_type"),
        confirmed=pl.col("finding").is_in(["MISCONDUCT", "GROSS"]),
        closed_at="finding_at",
        horizon_months=12,
        settle_months=9,
        own_leads=~NOT_OUR_OWN,
        # By the standards of professional behaviour (Police (Conduct) Regulations 2020, schedule 2) that each kind
        # of conduct breaches. Complaints speak to conduct towards people; to deceit and misuse the force's own records
        # do. Earlier matters may come before a finding of any kind.
        alleged=Alleged(
            column="breach",
            beside=("moved_post_365d", "role", "rank", "moved_to_major_inquiry_365d"),
            colleagues="team_code",
            speaks_to={
                breach: (*kinds, "M")
                for breach, kinds in {
                    "HONESTY": ("T1", "T2", "T6", "T7", "T8", "T9"),
                    "ORDERS": ("T1", "T2", "T3", "T4", "T6", "T7"),
                    "DUTIES": ("T1", "T3", "T8"),
                    "CONFIDENTIALITY": ("T4", "T9"),
                    "AUTHORITY": ("T5", "C"),
                    "EQUALITY": ("T5", "C"),
                    "FORCE": ("C",),
                    "FITNESS": ("C",),
                    "DISCREDIT": ("T5", "T8", "C"),
                    "CHALLENGING": ("T6",),
                }.items()
            },
        ),
    ),
    # Early-intervention systems count events and raise a flag at a fixed number, whatever the post or the
    # hours worked. The numbers below are of that kind and flag some 8 % of people, as such systems do (the
    # Chicago rule flags 9 to 11 %).
    baselines=Baselines(
        complaint_count="complaints_730d",
        threshold_rule=(
            Condition(column="complaints_365d", at_least=2),
            Condition(column="conduct_matters_730d", at_least=2),
            Condition(column="own_late_changes_90d", at_least=4),
            Condition(column="overtime_minutes_90d", at_least=2400),
            Condition(column="unlinked_searches_90d", at_least=40),
        ),
        # Of each kind, a count of what it consists of; where there are two, the one that finds more by itself.
        rules={
            "T1": "own_book_offs_lean_365d",
            "T2": "minutes_beyond_worked_365d",
            "T3": "short_visits_365d",
            "T4": "unexplained_uses_365d",
            "T5": "views_of_one_vulnerable_person_365d",
            "T6": "undeclared_matches_730d",
            "T7": "expenses_off_tour_365d",
            "T8": "undeclared_second_payroll_730d",
            "T9": "unlinked_taken_out_365d",
            "C": "complaints_730d",
            "M": "conduct_matters_730d",
        },
        exposure="tours_365d",
        studies={"sickness": "spells_squared_times_days_365d"},
    ),
    calendar=Calendar(every_months=3),
    typologies={
        "T1": "roster manipulation",
        "T2": "overtime fraud",
        "T3": "attendance in hybrid posts",
        "T4": "misuse of systems",
        "T5": "abuse of position for a sexual purpose",
        "T6": "undeclared interests and associations",
        "T7": "expenses and purchase cards",
        "T8": "undeclared second job",
        "T9": "disclosure of data",
        "C": "conduct complained of by the public",
        "M": "conduct already under examination or found",
    },
    use="simulated",
    people="establishment.person_key",
    identity_map="identity_map",
    reveals=(
        Reveals(
            columns=frozenset({"duty_plan.person_key", "duty_worked.person_key"}),
            mark=Mark.PROTECTED,
            says="absence, as planned tours that were not worked",
        ),
    ),
    audit_attributes=(
        "protected_characteristics.sex",
        "protected_characteristics.ethnicity",
        "protected_characteristics.age_band",
        "protected_characteristics.disability_declared",
        "protected_characteristics.religion_or_belief",
        "protected_characteristics.union_representative",
        "establishment.working_pattern",
    ),
)
