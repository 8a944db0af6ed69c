"""T4, misuse of systems: searches without an incident, of people close, off duty, again and again."""

from __future__ import annotations

import polars as pl

from features.catalogue.uk.events import ACCESS
from features.catalogue.uk.parts import (
    BUSY_ROLE,
    CLOSE,
    EXERCISE,
    INTERESTS,
    QUARTER_AND_YEAR,
    SEARCH,
    SEARCHES,
    SEARCHES_EXPECTED,
    SYSTEMS,
    TOURS,
    UNEXPLAINED_USES,
    UNLINKED,
    UNLINKED_CLOSE,
    UNLINKED_SEARCHES,
    WRONG_CLOCK,
    YEAR,
    beside_peers,
)
from features.specs import Change, Idea, Trend, count, days_since_last, distinct, most_common, ratio

SYSTEMS_IDEAS = (
    Idea(
        name="searches", says="searches of police systems", of=SEARCHES, windows=QUARTER_AND_YEAR, unit="searches",
        family="use of systems", typologies=SYSTEMS, innocent=(BUSY_ROLE,),
    ),
    Idea(
        name="views", says="records opened in police systems", of=count(ACCESS, pl.col("action") == "VIEW"), windows=YEAR,
        unit="records", family="use of systems", typologies=SYSTEMS, innocent=(BUSY_ROLE,),
    ),
    Idea(
        name="searches_per_expected", says="searches made for each the person's role and tours call for",
        of=ratio(SEARCHES, SEARCHES_EXPECTED, bottom_at_least=10), windows=QUARTER_AND_YEAR, unit="times the expected",
        family="use of systems", typologies=SYSTEMS, innocent=("a major inquiry", "work beside the post on record"),
    ),
    Idea(
        name="unlinked_searches", says="searches that belong to no incident and were asked for by nobody else",
        of=UNLINKED_SEARCHES, windows=QUARTER_AND_YEAR, unit="searches", family="unlinked searches", typologies=SYSTEMS,
        innocent=(BUSY_ROLE, "the incident was linked afterwards"),
    ),
    Idea(
        name="unlinked_share", says="share of searches that belong to no incident and were asked for by nobody else",
        of=ratio(UNLINKED_SEARCHES, SEARCHES, bottom_at_least=20), windows=QUARTER_AND_YEAR, unit="share",
        family="unlinked searches", typologies=SYSTEMS, innocent=(BUSY_ROLE,),
    ),
    Idea(
        name="unlinked_per_expected", says="unlinked searches for each search the person's role and tours call for",
        of=ratio(UNLINKED_SEARCHES, SEARCHES_EXPECTED, bottom_at_least=10), windows=QUARTER_AND_YEAR,
        unit="times the expected", family="unlinked searches", typologies=SYSTEMS, innocent=("work beside the post on record",),
        more_is_concern=True,
    ),
    Idea(
        name="unlinked_trend", says="daily rate of unlinked searches, against the nine months before",
        of=Change(of=UNLINKED_SEARCHES, baseline_days=275), windows=(90,), unit="searches a day", family="unlinked searches",
        typologies=SYSTEMS, innocent=("a new role",),
    ),
    Idea(
        name="unlinked_night_searches", aspect="timing", says="unlinked searches between 22:00 and 06:00",
        of=count(ACCESS, SEARCH & UNLINKED & pl.col("at_night")), windows=YEAR, unit="searches", family="unlinked searches",
        typologies=SYSTEMS, innocent=("night tours",),
    ),
    Idea(
        name="unlinked_intelligence_searches", says="unlinked searches of intelligence and number-plate systems",
        of=count(ACCESS, SEARCH & UNLINKED & pl.col("system").is_in(["INTEL", "ANPR"])), windows=YEAR, unit="searches",
        family="unlinked searches", typologies=SYSTEMS, innocent=(BUSY_ROLE,),
    ),
    Idea(
        name="own_record_lookups", says="uses of a system on the person's own records",
        of=count(ACCESS, pl.col("subject_relation") == "SELF"), windows=QUARTER_AND_YEAR, unit="uses",
        family="look-ups of people close", typologies=SYSTEMS, innocent=(EXERCISE, "the person reported a crime or was a witness"),
        more_is_concern=True,
    ),
    Idea(
        name="colleague_lookups", says="uses of a system on a colleague's records",
        of=count(ACCESS, pl.col("subject_relation") == "COLLEAGUE"), windows=QUARTER_AND_YEAR, unit="uses",
        family="look-ups of people close", typologies=SYSTEMS, innocent=("the colleague was a victim or witness in a case",),
        more_is_concern=True,
    ),
    Idea(
        name="own_address_lookups", says="uses of a system on somebody at the person's own address",
        of=count(ACCESS, pl.col("subject_relation") == "ADDRESS"), windows=QUARTER_AND_YEAR, unit="uses",
        family="look-ups of people close", typologies=SYSTEMS, innocent=("a block of flats shares one address",),
        more_is_concern=True,
    ),
    Idea(
        name="unlinked_close_lookups", at_heart_of=SYSTEMS, says="uses on own, a colleague's or a household's records that belong to no incident",
        of=count(ACCESS, CLOSE & UNLINKED), windows=QUARTER_AND_YEAR, unit="uses", family="look-ups of people close",
        typologies=SYSTEMS, innocent=(EXERCISE,), more_is_concern=True,
    ),
    Idea(
        name="unexplained_uses", at_heart_of=SYSTEMS, says="uses of a system that belong to no incident and give a word at most as reason",
        of=UNEXPLAINED_USES, windows=YEAR, unit="uses", family="reasons given", typologies=SYSTEMS,
        innocent=("a unit's habit of entry", "the incident was linked afterwards"), more_is_concern=True,
    ),
    Idea(
        name="days_since_close_lookup", says="days since the last use on own, a colleague's or a household's records",
        of=days_since_last(ACCESS, CLOSE), windows=YEAR, unit="days", family="look-ups of people close", typologies=SYSTEMS,
        innocent=(EXERCISE,),
    ),
    Idea(
        name="general_reason_share", says="share of searches with a general reason (administration, other)",
        of=ratio(count(ACCESS, SEARCH & pl.col("general_reason")), SEARCHES, bottom_at_least=20), windows=YEAR, unit="share",
        family="reasons given", typologies=SYSTEMS, innocent=(BUSY_ROLE, "a unit's habit of entry"),
    ),
    Idea(
        name="on_behalf_share", says="share of searches made for a colleague who asked",
        of=ratio(count(ACCESS, SEARCH & pl.col("on_behalf_of").is_not_null()), SEARCHES, bottom_at_least=20), windows=YEAR,
        unit="share", family="use of systems", innocent=("a bureau that searches for the street",),
    ),
    Idea(
        name="off_duty_uses", says="uses of a system while off duty, on nobody else's behalf", of=count(ACCESS, pl.col("off_duty")),
        windows=QUARTER_AND_YEAR, unit="uses", family="use off duty", typologies=SYSTEMS,
        innocent=(WRONG_CLOCK, "a tour that ran on", "a shared terminal left logged on", "a major inquiry"), aspect="timing",
        tells_apart=False,
    ),
    Idea(
        name="unlinked_off_duty_uses", says="uses of a system while off duty that belong to no incident",
        of=count(ACCESS, pl.col("off_duty") & UNLINKED), windows=YEAR, unit="uses", family="use off duty", typologies=SYSTEMS,
        innocent=("a shared terminal left logged on",), more_is_concern=True, aspect="timing",
    ),
    Idea(
        name="uses_of_one_subject", says="unlinked uses of the record they went back to most, outside their own cases",
        of=most_common(ACCESS, "subject_key", UNLINKED & ~pl.col("own_case")), windows=YEAR, unit="uses", family="one record again and again",
        typologies=SYSTEMS + INTERESTS, innocent=("a case that was never linked", EXERCISE), more_is_concern=True, aspect="concentration",
    ),
    Idea(
        name="unlinked_subjects", says="different records looked at in unlinked uses, outside their own cases",
        of=distinct(ACCESS, "subject_key", UNLINKED & ~pl.col("own_case")), windows=YEAR, unit="records", family="unlinked searches",
        typologies=SYSTEMS, innocent=(BUSY_ROLE,),
    ),
    Idea(
        name="one_subject_share", says="share of unlinked uses outside their own cases that are of one record",
        of=ratio(
            most_common(ACCESS, "subject_key", UNLINKED & ~pl.col("own_case")), count(ACCESS, UNLINKED & ~pl.col("own_case")),
            bottom_at_least=10,
        ),
        windows=YEAR, unit="share", family="one record again and again", typologies=SYSTEMS, innocent=("a case that was never linked",),
        aspect="concentration",
    ),
    Idea(
        name="own_crime_reports", says="uses of crime reports that name the person themself",
        of=count(ACCESS, (pl.col("subject_relation") == "SELF") & (pl.col("subject_type") == "CRIME")), windows=YEAR, unit="uses",
        family="look-ups of people close", typologies=SYSTEMS, innocent=("the person reported the crime",), more_is_concern=True,
    ),
    Idea(
        name="bare_reason_share", says="share of unlinked searches with a reason of fewer than five characters",
        of=ratio(count(ACCESS, SEARCH & UNLINKED & (pl.col("reason_text_len") < 5)), UNLINKED_SEARCHES, bottom_at_least=10), windows=YEAR,
        unit="share", family="reasons given", typologies=SYSTEMS, innocent=("a unit's habit of entry",),
    ),
    Idea(
        name="systems_used", says="different systems used", of=distinct(ACCESS, "system"), windows=YEAR, unit="systems",
        family="use of systems", innocent=("a role that needs several systems",),
    ),
    Idea(
        name="terminals_used", says="different terminals used in unlinked searches", of=distinct(ACCESS, "terminal_id", SEARCH & UNLINKED),
        windows=YEAR, unit="terminals", family="use of systems", innocent=("shared terminals",),
    ),
    Idea(
        name="unlinked_rise", says="rise of the daily number of unlinked searches over the year", of=Trend(of=UNLINKED_SEARCHES),
        windows=YEAR, unit="searches a day", family="unlinked searches", typologies=SYSTEMS, innocent=("a new role",),
    ),
    *beside_peers(
        "unlinked_searches", "unlinked searches", UNLINKED_SEARCHES, TOURS, family="unlinked searches", typologies=SYSTEMS,
        innocent=("work beside the post on record",),
    ),
    *beside_peers(
        "close_lookups", "unlinked uses on own, a colleague's or a household's records", UNLINKED_CLOSE, TOURS,
        family="look-ups of people close", typologies=SYSTEMS, innocent=(EXERCISE,),
    ),
    *beside_peers(
        "unexplained_uses", "uses of a system that belong to no incident and give a word at most as reason", UNEXPLAINED_USES, TOURS,
        family="reasons given", typologies=SYSTEMS, innocent=("a unit's habit of entry",),
    ),
    *beside_peers(
        "off_duty_uses", "uses of a system while off duty that belong to no incident", count(ACCESS, pl.col("off_duty") & UNLINKED), TOURS, family="use off duty",
        typologies=SYSTEMS, innocent=(WRONG_CLOCK, "a tour that ran on"), tells_apart=False,
    ),
    *beside_peers(
        "general_reasons", "searches with a general reason", count(ACCESS, SEARCH & pl.col("general_reason")), SEARCHES,
        family="reasons given", typologies=SYSTEMS, innocent=("a unit's habit of entry",),
    ),
)  # fmt: skip
