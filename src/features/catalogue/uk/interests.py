"""T6 and T8, interests, associations and second jobs that were not declared.

That somebody is sick is no evidence of working elsewhere: T8 rests on payroll matches alone, and sickness is
not read.
"""

from __future__ import annotations

import polars as pl

from features.catalogue.uk.events import ACCESS, CLEARANCE, DECLARED, MATCHED
from features.catalogue.uk.parts import DISCLOSURE, INTERESTS, QUARTER_AND_YEAR, SECOND_JOB, TWO_YEARS
from features.specs import Idea, Latest, count, largest

UNDECLARED = ~pl.col("declared")
ON_A_PAYROLL = pl.col("register") == "PAYROLL"

INTERESTS_IDEAS = (
    Idea(
        name="undeclared_matches", at_heart_of=INTERESTS, says="matches with a public register of companies or licences that no declaration covers",
        of=count(MATCHED, UNDECLARED & ~ON_A_PAYROLL), windows=TWO_YEARS, unit="matches", family="interests not declared",
        typologies=INTERESTS, innocent=("a namesake", "a dormant company", "a declaration lost on its way"), more_is_concern=True,
    ),
    Idea(
        name="declared_matches", says="matches with a register or payroll that a declaration covers", of=count(MATCHED, ~UNDECLARED),
        windows=TWO_YEARS, unit="matches", family="interests declared", innocent=("what is declared is in order",),
    ),
    Idea(
        name="undeclared_second_payroll", at_heart_of=SECOND_JOB, says="matches with another employer's payroll that no declaration covers",
        of=count(MATCHED, UNDECLARED & ON_A_PAYROLL), windows=TWO_YEARS, unit="matches", family="second job not declared",
        typologies=SECOND_JOB, innocent=("a namesake", "casual work that ended before the rule"), more_is_concern=True,
    ),
    Idea(
        name="associate_lookups", says="uses of a system on the records of an associate on record", windows=QUARTER_AND_YEAR,
        of=count(ACCESS, pl.col("subject_relation") == "ASSOCIATE"), unit="uses", family="look-ups of associates",
        typologies=INTERESTS + DISCLOSURE, innocent=("the associate was a victim or witness in a case",), more_is_concern=True,
    ),
    Idea(
        name="late_declarations", says="declarations made more than four weeks late", of=count(DECLARED, pl.col("days_late") > 28),
        windows=TWO_YEARS, unit="declarations", family="late declarations", typologies=INTERESTS,
        innocent=("the policy had changed", "the person was away when it fell due"), more_is_concern=True, aspect="timing",
    ),
    Idea(
        name="latest_declaration", says="most days that a declaration was late", of=largest(DECLARED, "days_late"), windows=TWO_YEARS,
        unit="days", family="late declarations", typologies=INTERESTS, innocent=("the policy had changed",), aspect="timing",
    ),
    Idea(
        name="declarations", says="declarations made", of=count(DECLARED), windows=TWO_YEARS, unit="declarations",
        family="interests declared", innocent=("who declares does what is asked",),
    ),
    Idea(
        name="interests_refused", says="interests that were declared and refused", of=count(DECLARED, pl.col("status") == "REFUSED"),
        windows=TWO_YEARS, unit="declarations", family="interests declared", innocent=("the person asked, and accepted the answer",),
    ),
    Idea(
        name="gifts", says="gifts and hospitality declared", of=count(DECLARED, pl.col("declaration_type") == "GIFT_HOSPITALITY"),
        windows=TWO_YEARS, unit="declarations", family="interests declared", innocent=("a role that meets the public",),
    ),
    Idea(
        name="days_past_vetting_renewal", says="days since the vetting clearance fell due for renewal; negative where it is not yet due",
        of=Latest(events=CLEARANCE, value=pl.col("renewal_due"), how="days_since"), unit="days", family="vetting",
        innocent=("a backlog in the vetting unit",),
    ),
    Idea(
        name="vetting_status", says="where the vetting clearance stands",
        of=Latest(events=CLEARANCE, value=pl.col("status"), how="category"), unit="category", family="vetting",
        innocent=("a review is no finding",),
    ),
)  # fmt: skip
