"""T2, overtime fraud: claims, the work that stands beside them, and who let them pass."""

from __future__ import annotations

import polars as pl

from features.catalogue.uk.events import CLAIM, CLAIM_ON_TOUR, REPEATED_REASON, SHORTEST_PAID
from features.catalogue.uk.parts import (
    CLAIMS,
    MINUTES_BEYOND,
    OVERTIME,
    OVERTIME_MINUTES,
    PUBLIC_ORDER,
    QUARTER_AND_YEAR,
    SHORT_OF_PEOPLE,
    TOURS,
    YEAR,
    beside_peers,
)
from features.specs import Change, Idea, Trend, count, distinct, largest, mean, most_common, ratio, total

OVERTIME_IDEAS = (
    Idea(
        name="overtime_minutes", says="minutes of overtime claimed", of=total(CLAIM, "minutes"), windows=QUARTER_AND_YEAR,
        unit="minutes", family="overtime claimed", typologies=OVERTIME, innocent=(PUBLIC_ORDER, SHORT_OF_PEOPLE),
    ),
    Idea(
        name="overtime_claims", says="overtime claims", of=CLAIMS, windows=QUARTER_AND_YEAR, unit="claims",
        family="overtime claimed", typologies=OVERTIME, innocent=(PUBLIC_ORDER, SHORT_OF_PEOPLE),
    ),
    Idea(
        name="overtime_minutes_per_tour", says="minutes of overtime claimed, a tour worked",
        of=ratio(total(CLAIM, "minutes"), TOURS, bottom_at_least=20), windows=YEAR, unit="minutes a tour",
        family="overtime claimed", typologies=OVERTIME, innocent=(PUBLIC_ORDER, SHORT_OF_PEOPLE),
    ),
    Idea(
        name="mean_claim_minutes", says="minutes of a claim, on average", of=mean(CLAIM, "minutes"), windows=YEAR,
        unit="minutes", family="size of claims", typologies=OVERTIME, innocent=(PUBLIC_ORDER,),
    ),
    Idea(
        name="minutes_beyond_worked", at_heart_of=OVERTIME, says="minutes claimed beyond what the tour shows was worked and is payable",
        of=total(CLAIM_ON_TOUR, "minutes_beyond"), windows=QUARTER_AND_YEAR, unit="minutes",
        family="claims beyond work shown", typologies=OVERTIME,
        innocent=("the book-off was never put right", "work away from the place of booking off"), more_is_concern=True,
    ),
    Idea(
        name="claims_beyond_worked", says="claims for at least half an hour more than the tour shows was worked and is payable",
        of=count(CLAIM_ON_TOUR, pl.col("minutes_beyond") >= 30), windows=QUARTER_AND_YEAR, unit="claims",
        family="claims beyond work shown", typologies=OVERTIME,
        innocent=("the book-off was never put right", "work away from the place of booking off"), more_is_concern=True,
    ),
    Idea(
        name="beyond_worked_share", says="share of minutes claimed that the tours do not show",
        of=ratio(total(CLAIM_ON_TOUR, "minutes_beyond"), total(CLAIM_ON_TOUR, "minutes"), bottom_at_least=300),
        windows=YEAR, unit="share", family="claims beyond work shown", typologies=OVERTIME,
        innocent=("the book-off was never put right",), more_is_concern=True,
    ),
    Idea(
        name="largest_beyond_worked", says="most minutes one claim goes beyond what its tour shows",
        of=largest(CLAIM_ON_TOUR, "minutes_beyond"), windows=YEAR, unit="minutes", family="claims beyond work shown",
        typologies=OVERTIME, innocent=("one book-off that was never put right",),
    ),
    Idea(
        name="repeated_reasons", says="times a claim repeats the reason text of an earlier one, operations left out",
        of=count(REPEATED_REASON), windows=YEAR, unit="repeats", family="reasons for claims", typologies=OVERTIME,
        innocent=("a short-staffed team with one reason for every claim", "a stock phrase of the unit"),
    ),
    Idea(
        name="repeated_reasons_per_claim", says="earlier claims with the same reason text, a claim",
        of=ratio(count(REPEATED_REASON), CLAIMS, bottom_at_least=5), windows=YEAR, unit="repeats a claim",
        family="reasons for claims", typologies=OVERTIME,
        innocent=("a short-staffed team with one reason for every claim", "a stock phrase of the unit"),
    ),
    Idea(
        name="short_rest_day_claims", says="rest-day claims of the four-hour minimum for tours of at most an hour and a half",
        of=count(
            CLAIM_ON_TOUR,
            (pl.col("claim_type") == "REST_DAY") & (pl.col("minutes") == SHORTEST_PAID) & (pl.col("tour.minutes_worked") <= 90),
        ),
        windows=YEAR, unit="claims", family="minimum payments", typologies=OVERTIME,
        innocent=("court or a short briefing fell on the rest day, and the minimum is what the Regulations pay",),
    ),
    Idea(
        name="recall_claims", says="claims for recall to duty", of=count(CLAIM, pl.col("claim_type") == "RECALL"),
        windows=YEAR, unit="claims", family="minimum payments", typologies=OVERTIME,
        innocent=("an on-call rota", PUBLIC_ORDER),
    ),
    Idea(
        name="rest_day_claims", says="claims for rest-day working", of=count(CLAIM, pl.col("claim_type") == "REST_DAY"),
        windows=QUARTER_AND_YEAR, unit="claims", family="rest-day working", typologies=OVERTIME,
        innocent=(PUBLIC_ORDER, SHORT_OF_PEOPLE),
    ),
    Idea(
        name="highest_rate_share", says="share of claimed minutes at double time",
        of=ratio(total(CLAIM, "minutes", pl.col("rate") >= 2.0), total(CLAIM, "minutes"), bottom_at_least=300), windows=YEAR,
        unit="share", family="rest-day working", typologies=OVERTIME, innocent=("public holidays fell on the person's tours",),
    ),
    Idea(
        name="claims_without_authoriser", says="claims that nobody authorised", of=count(CLAIM, pl.col("authoriser_key").is_null()),
        windows=YEAR, unit="claims", family="authority for claims", typologies=OVERTIME,
        innocent=("the authoriser was away or the batch had not run",), more_is_concern=True,
    ),
    Idea(
        name="claims_without_tour", says="claims that hang on no tour", of=count(CLAIM, pl.col("duty_id").is_null()),
        windows=YEAR, unit="claims", family="authority for claims", typologies=OVERTIME, innocent=("aid to another force",),
    ),
    Idea(
        name="claims_without_project_share", says="share of claims charged to no operation or inquiry",
        of=ratio(count(CLAIM, pl.col("project_code").is_null()), CLAIMS, bottom_at_least=5), windows=YEAR, unit="share",
        family="authority for claims", typologies=OVERTIME, innocent=("casual overtime at the end of a tour has no project",),
    ),
    Idea(
        name="aid_claim_share", says="share of claims for aid to other forces",
        of=ratio(count(CLAIM, pl.col("claim_type") == "AID"), CLAIMS, bottom_at_least=5), windows=YEAR, unit="share",
        family="events and aid", innocent=(PUBLIC_ORDER,),
    ),
    Idea(
        name="claims_by_one_authoriser", says="claims authorised by the one who authorised most of theirs",
        of=most_common(CLAIM, "authoriser_key"), windows=YEAR, unit="claims", family="authority for claims", typologies=OVERTIME,
        innocent=("the team has one supervisor",), aspect="concentration",
    ),
    Idea(
        name="one_authoriser_share", says="share of claims authorised by the one who authorised most of theirs",
        of=ratio(most_common(CLAIM, "authoriser_key"), CLAIMS, bottom_at_least=5), windows=YEAR, unit="share",
        family="authority for claims", typologies=OVERTIME, innocent=("the team has one supervisor",), aspect="concentration",
    ),
    Idea(
        name="authorisers", says="different people who authorised their claims", of=distinct(CLAIM, "authoriser_key"), windows=YEAR,
        unit="people", family="authority for claims", innocent=("supervisors come and go",),
    ),
    Idea(
        name="claims_after_pay_close", says="claims submitted after the pay period of the work had closed",
        of=count(CLAIM, pl.col("known_at") >= pl.col("pay_closes_at")), windows=YEAR, unit="claims", family="late claims",
        typologies=OVERTIME, innocent=("a batch or an authoriser was late",), aspect="timing",
    ),
    Idea(
        name="claim_delay", says="days from the end of the work to the claim, on average",
        of=mean(CLAIM, (pl.col("known_at") - pl.col("end_at")).dt.total_hours() / 24), windows=YEAR, unit="days", family="late claims",
        typologies=OVERTIME, innocent=("a batch or an authoriser was late", "leave followed the work"), aspect="timing",
    ),
    Idea(
        name="claims_below_limit", says="claims of five minutes to half an hour less than four hours, where a second authority is asked",
        of=count(CLAIM, pl.col("minutes").is_between(210, 235)), windows=YEAR, unit="claims", family="size of claims",
        typologies=OVERTIME, innocent=("tours of a unit run over by about as much",), more_is_concern=True,
    ),
    Idea(
        name="claims_on_most_used_reason", says="claims with the person's commonest reason text, operations left out",
        of=most_common(CLAIM, "reason_text_code", pl.col("project_code").is_null()), windows=YEAR, unit="claims",
        family="reasons for claims", typologies=OVERTIME, innocent=("a stock phrase of the unit",), aspect="concentration",
    ),
    Idea(
        name="claims_to_one_project", says="claims charged to the operation or inquiry they charged most",
        of=most_common(CLAIM, "project_code"), windows=YEAR, unit="claims", family="events and aid", innocent=("a long major inquiry",),
    ),
    Idea(
        name="overtime_rise", says="rise of the daily minutes of overtime over the year", of=Trend(of=OVERTIME_MINUTES), windows=YEAR,
        unit="minutes a day", family="overtime claimed", typologies=OVERTIME, innocent=(PUBLIC_ORDER, SHORT_OF_PEOPLE),
    ),
    Idea(
        name="beyond_worked_trend", says="daily minutes claimed beyond the work shown, against the nine months before",
        of=Change(of=MINUTES_BEYOND, baseline_days=275), windows=(90,), unit="minutes a day", family="claims beyond work shown",
        typologies=OVERTIME, innocent=("the book-off was never put right",),
    ),
    *beside_peers(
        "overtime_minutes", "minutes of overtime charged to no operation", total(CLAIM, "minutes", pl.col("project_code").is_null()), TOURS, unit=60.0, family="overtime claimed", typologies=OVERTIME,
        innocent=(PUBLIC_ORDER, SHORT_OF_PEOPLE),
    ),
    *beside_peers(
        "minutes_beyond_worked", "minutes claimed beyond the work shown and charged to no operation",
        total(CLAIM_ON_TOUR, "minutes_beyond", pl.col("project_code").is_null()), TOURS, unit=60.0,
        family="claims beyond work shown", typologies=OVERTIME, innocent=("the book-off was never put right",),
    ),
)  # fmt: skip
