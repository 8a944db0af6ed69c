"""What the public complained of, and conduct already under examination or found."""

from __future__ import annotations

import polars as pl

from features.catalogue.uk.events import ALLEGATION, ALLEGATION_RESULT, EVERY_ALLEGATION, FINDING, MATTER
from features.catalogue.uk.parts import (
    COMPLAINED,
    COMPLAINTS,
    CONDUCT,
    GRIEVANCE,
    ONE_AND_TWO_YEARS,
    PUBLIC_CONTACT,
    TOURS,
    TWO_YEARS,
    YEAR,
    beside_peers,
)
from features.specs import Idea, count, days_since_last, distinct, most_common, ratio

COMPLAINT_GROUPS = {
    "service": (("A", "B", "C", "E"), "complaints about service, powers, property or vehicles"),
    "information": (("D",), "complaints about access to or disclosure of information"),
    "abuse": (("G", "J"), "complaints of abuse of position or sexual conduct"),
    "behaviour": (("F", "H", "K", "L"), "complaints about behaviour, discrimination or discredit"),
}

COMPLAINT_IDEAS = (
    Idea(
        name="complaints", says="complaints received", of=COMPLAINTS, windows=ONE_AND_TWO_YEARS, unit="complaints",
        family="complaints", typologies=COMPLAINED, innocent=(PUBLIC_CONTACT, GRIEVANCE),
    ),
    Idea(
        name="complaints_per_tour", says="complaints received, a tour worked",
        of=ratio(COMPLAINTS, TOURS, bottom_at_least=50), windows=YEAR, unit="complaints a tour", family="complaints",
        typologies=COMPLAINED, innocent=(PUBLIC_CONTACT, GRIEVANCE),
    ),
    *(
        Idea(
            name=f"{name}_complaints", says=says, of=count(ALLEGATION, pl.col("category").is_in(list(letters))), windows=TWO_YEARS,
            unit="complaints", family="complaints", typologies=COMPLAINED, innocent=(PUBLIC_CONTACT, GRIEVANCE),
        )
        for name, (letters, says) in COMPLAINT_GROUPS.items()
    ),
    Idea(
        name="complaints_upheld", says="complaints found not acceptable, or with a case to answer",
        of=count(ALLEGATION_RESULT, pl.col("result").is_in(["NOT_ACCEPTABLE", "CASE_TO_ANSWER"])), windows=TWO_YEARS,
        unit="complaints", family="complaints", typologies=COMPLAINED,
        innocent=("service fell short for reasons beyond the person",), more_is_concern=True,
    ),
    Idea(
        name="complaints_under_special_procedures", says="complaints investigated under special procedures",
        of=count(ALLEGATION, pl.col("handling") == "INVESTIGATED_SP"), windows=TWO_YEARS, unit="complaints", family="complaints",
        typologies=COMPLAINED, innocent=("the allegation was grave and unfounded",),
    ),
    Idea(
        name="days_since_complaint", says="days since the conduct last complained of", of=days_since_last(ALLEGATION),
        windows=TWO_YEARS, unit="days", family="complaints", typologies=COMPLAINED, innocent=(PUBLIC_CONTACT,),
    ),
    Idea(
        name="complaints_by_colleagues", says="complaints made by colleagues or supervisors",
        of=count(ALLEGATION, pl.col("source").is_in(["COLLEAGUE", "SUPERVISOR"])), windows=TWO_YEARS, unit="complaints", family="complaints",
        typologies=COMPLAINED, innocent=(GRIEVANCE,),
    ),
    Idea(
        name="complaints_after_reporting", says="complaints against the person since they had reported wrongdoing themself",
        of=count(EVERY_ALLEGATION, pl.col("victimisation_risk")), windows=TWO_YEARS, unit="complaints", family="victimisation",
        innocent=("the person spoke up, and complaints followed",),
    ),
    Idea(
        name="complaint_cases", says="different complaint cases", of=distinct(ALLEGATION, "case_id"), windows=TWO_YEARS, unit="cases",
        family="complaints", typologies=COMPLAINED, innocent=(PUBLIC_CONTACT,),
    ),
    Idea(
        name="complaints_of_one_kind", says="complaints of the kind they were complained of most", of=most_common(ALLEGATION, "subcategory"),
        windows=TWO_YEARS, unit="complaints", family="complaints", typologies=COMPLAINED, innocent=(PUBLIC_CONTACT,), aspect="concentration",
    ),
    Idea(
        name="complaints_referred", says="complaints referred to the independent office", windows=TWO_YEARS, unit="complaints",
        of=count(ALLEGATION, pl.col("iopc_referral") != "NONE"), family="complaints", typologies=COMPLAINED,
        innocent=("the law demands referral whatever the merit",),
    ),
    *beside_peers(
        "complaints", "complaints by the public", count(ALLEGATION, pl.col("source") == "PUBLIC"), TOURS, exposure_at_least=50, family="complaints", typologies=COMPLAINED,
        innocent=(PUBLIC_CONTACT, GRIEVANCE),
    ),
)  # fmt: skip

CONDUCT_IDEAS = (
    Idea(
        name="conduct_matters", says="conduct matters opened, our own leads left out", of=count(MATTER),
        windows=ONE_AND_TWO_YEARS, unit="matters", family="conduct record", typologies=CONDUCT,
        innocent=("a matter opened and closed without a finding says that somebody looked",),
    ),
    Idea(
        name="open_conduct_matters", says="conduct matters without a finding so far",
        of=count(MATTER, pl.col("finding").is_null()), windows=TWO_YEARS, unit="matters", family="conduct record",
        typologies=CONDUCT, innocent=("nothing has been found, and an investigation is no finding",),
    ),
    Idea(
        name="matters_reported_by_colleagues", says="conduct matters raised by colleagues or supervisors",
        of=count(MATTER, pl.col("source").is_in(["COLLEAGUE", "ANON_LINE", "SUPERVISOR"])), windows=TWO_YEARS, unit="matters",
        family="conduct record", typologies=CONDUCT, innocent=("a report made in a dispute, or against someone who reported first",),
    ),
    Idea(
        name="findings", says="conduct matters that ended in misconduct or gross misconduct",
        of=count(FINDING, pl.col("finding").is_in(["MISCONDUCT", "GROSS"])), windows=TWO_YEARS, unit="findings",
        family="conduct record", typologies=CONDUCT, innocent=("a past finding that has been dealt with",), more_is_concern=True,
    ),
    Idea(
        name="matters_not_proven", says="conduct matters closed without misconduct",
        of=count(FINDING, pl.col("finding").is_in(["NO_CASE", "NOT_PROVEN"])), windows=TWO_YEARS, unit="matters",
        family="conduct record", innocent=("the person was cleared",),
    ),
    Idea(
        name="days_since_conduct_matter", says="days since the conduct of the last matter", of=days_since_last(MATTER),
        windows=TWO_YEARS, unit="days", family="conduct record", typologies=CONDUCT, innocent=(),
    ),
    Idea(
        name="restricted_matters", says="conduct matters for which the person was restricted or suspended",
        of=count(MATTER, pl.col("restriction") != "NONE"), windows=TWO_YEARS, unit="matters", family="conduct record", typologies=CONDUCT,
        innocent=("a neutral act while facts are found",),
    ),
    Idea(
        name="sources_of_matters", says="different ways in which their conduct matters came to notice", of=distinct(MATTER, "source"),
        windows=TWO_YEARS, unit="ways", family="conduct record", typologies=CONDUCT,
        innocent=("one event reported by several people",),
    ),
)  # fmt: skip
