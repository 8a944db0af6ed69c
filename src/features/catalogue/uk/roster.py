"""T1, roster manipulation: who changes whose tours, when, and to whose advantage."""

from __future__ import annotations

import polars as pl

from features.catalogue.uk.events import LATER_BOOK_OFF_RECORDED, ROSTER_CHANGE, TOUR
from features.catalogue.uk.parts import (
    AGREED_PATTERN,
    CHANGES,
    LATE,
    LATE_RECORD,
    ON_BEHALF,
    OVERTIME,
    OWN,
    OWN_LATE_CHANGES,
    PUBLIC_ORDER,
    QUARTER_AND_YEAR,
    ROSTER,
    SHORT_OF_PEOPLE,
    TOURS,
    UNASKED,
    YEAR,
    beside_peers,
)
from features.specs import (
    Change,
    Idea,
    Trend,
    count,
    days_since_last,
    distinct,
    largest,
    lean,
    mean,
    most_common,
    ratio,
    total,
)

OWN_LATER_BOOK_OFFS = count(
    ROSTER_CHANGE, UNASKED & (pl.col("field") == "BOOK_OFF") & (pl.col("minutes_changed") >= 30)
)

ROSTER_IDEAS = (
    Idea(
        name="own_changes", says="changes the person made to their own tours",
        of=count(ROSTER_CHANGE, OWN), windows=QUARTER_AND_YEAR, unit="changes", family="own roster changes",
        typologies=ROSTER, innocent=(AGREED_PATTERN, SHORT_OF_PEOPLE, LATE_RECORD), tells_apart=False,
    ),
    Idea(
        name="own_late_changes", aspect="timing", says="changes the person made to their own tours after these had begun",
        of=OWN_LATE_CHANGES, windows=QUARTER_AND_YEAR, unit="changes", family="own roster changes",
        typologies=ROSTER, innocent=(LATE_RECORD, ON_BEHALF), tells_apart=False, more_is_concern=True,
    ),
    Idea(
        name="own_late_changes_per_tour", says="changes to their own tours after these had begun, a tour worked",
        of=ratio(OWN_LATE_CHANGES, TOURS, bottom_at_least=20), windows=YEAR, unit="changes a tour",
        family="own roster changes", typologies=ROSTER, innocent=(LATE_RECORD, ON_BEHALF), tells_apart=False, more_is_concern=True,
    ),
    Idea(
        name="own_late_changes_trend", says="daily rate of late changes to their own tours, against the nine months before",
        of=Change(of=OWN_LATE_CHANGES, baseline_days=275), windows=(90,), unit="changes a day",
        family="own roster changes", typologies=ROSTER, innocent=(SHORT_OF_PEOPLE, "a new post with other habits of record"), tells_apart=False,
    ),
    Idea(
        name="own_later_book_offs", says="book-off times the person moved back, unasked, by half an hour or more on their own tours",
        of=OWN_LATER_BOOK_OFFS,
        windows=QUARTER_AND_YEAR, unit="changes",
        family="own roster changes", typologies=ROSTER + OVERTIME, innocent=(LATE_RECORD, ON_BEHALF), tells_apart=False,
        more_is_concern=True,
    ),
    Idea(
        name="own_book_offs_lean", says="how far the book-off times the person changed on their own tours, unasked, lean towards later",
        of=lean(ROSTER_CHANGE, "minutes_changed", UNASKED & (pl.col("field") == "BOOK_OFF")), at_heart_of=ROSTER,
        windows=YEAR, unit="minutes, over the root of the number of changes", family="own roster changes",
        typologies=ROSTER, innocent=("tours that ran on and were booked off by the roster's time",), more_is_concern=True,
    ),
    Idea(
        name="own_rest_day_changes", says="tours the person turned into rest-day working themself",
        of=count(ROSTER_CHANGE, OWN & (pl.col("field") == "REST_DAY")), windows=QUARTER_AND_YEAR, unit="changes",
        family="own roster changes", typologies=ROSTER + OVERTIME, innocent=(AGREED_PATTERN, SHORT_OF_PEOPLE, PUBLIC_ORDER), tells_apart=False,
        more_is_concern=True,
    ),
    Idea(
        name="own_short_notice_changes", aspect="timing", says="changes to their own tours in the day before these began",
        of=count(ROSTER_CHANGE, OWN & pl.col("in_last_day")), windows=YEAR, unit="changes",
        family="own roster changes", typologies=ROSTER, innocent=(AGREED_PATTERN, SHORT_OF_PEOPLE, "a swap that both sides wanted"), tells_apart=False,
    ),
    Idea(
        name="own_minutes_added", says="minutes added to their own tours by their own changes",
        of=total(ROSTER_CHANGE, "minutes_changed", OWN & (pl.col("minutes_changed") > 0)), windows=QUARTER_AND_YEAR,
        unit="minutes", family="minutes added to own tours", typologies=ROSTER + OVERTIME,
        innocent=(AGREED_PATTERN, LATE_RECORD, PUBLIC_ORDER), tells_apart=False, more_is_concern=True,
    ),
    Idea(
        name="own_largest_addition", says="most minutes added to one of their own tours by one own change",
        of=largest(ROSTER_CHANGE, "minutes_changed", OWN), windows=YEAR, unit="minutes",
        family="minutes added to own tours", typologies=ROSTER + OVERTIME, innocent=(AGREED_PATTERN, LATE_RECORD, PUBLIC_ORDER), tells_apart=False,
    ),
    Idea(
        name="own_change_share", says="share of the changes to their tours that the person made themself",
        of=ratio(count(ROSTER_CHANGE, OWN), CHANGES, bottom_at_least=5), windows=YEAR, unit="share",
        family="own roster changes", typologies=ROSTER, innocent=("a unit without planners, where everyone keeps their own roster",),
    ),
    Idea(
        name="days_since_own_late_change", says="days since the last late change to an own tour",
        of=days_since_last(ROSTER_CHANGE, OWN & LATE), windows=YEAR, unit="days", family="own roster changes",
        typologies=ROSTER, innocent=(LATE_RECORD,),
    ),
    Idea(
        name="others_changes", says="changes to their tours that somebody else made",
        of=count(ROSTER_CHANGE, ~OWN), windows=QUARTER_AND_YEAR, unit="changes", family="planners' roster changes",
        innocent=(SHORT_OF_PEOPLE,),
    ),
    Idea(
        name="self_booked_share", says="share of tours booked on by the person's own entry rather than radio, app or supervisor",
        of=ratio(count(TOUR, pl.col("book_on_method") == "SELF"), TOURS, bottom_at_least=20), windows=YEAR, unit="share",
        family="booking on", typologies=ROSTER, innocent=("a unit without radios, such as an office team",),
    ),
    Idea(
        name="own_unrequested_changes", says="changes to their own tours that nobody asked for in writing or through them",
        of=count(ROSTER_CHANGE, UNASKED & LATE), windows=QUARTER_AND_YEAR, unit="changes",
        family="own roster changes", typologies=ROSTER, innocent=(LATE_RECORD, "a request made by word of mouth"),
        more_is_concern=True, tells_apart=False,
    ),
    Idea(
        name="own_changes_after_pay_close", says="unasked changes to their own tours made after the pay period of the tour had closed",
        of=count(ROSTER_CHANGE, UNASKED & pl.col("after_pay_close")), windows=YEAR, unit="changes", family="changes after pay closed",
        typologies=ROSTER, innocent=(LATE_RECORD, "a correction in the force's favour"), more_is_concern=True, aspect="timing",
        tells_apart=False,
    ),
    Idea(
        name="own_change_delay", says="days from the start of a tour to their own unasked changes of it, on average",
        of=mean(ROSTER_CHANGE, "days_after", UNASKED & LATE), windows=YEAR, unit="days", family="changes after pay closed",
        typologies=ROSTER, innocent=(LATE_RECORD,), aspect="timing",
    ),
    Idea(
        name="own_premium_changes_in_last_day", says="own changes in the day before a tour that turned it into rest-day working",
        of=count(ROSTER_CHANGE, OWN & pl.col("in_last_day") & (pl.col("field") == "REST_DAY")), windows=YEAR, unit="changes",
        family="own roster changes", typologies=ROSTER + OVERTIME, innocent=(AGREED_PATTERN, SHORT_OF_PEOPLE, PUBLIC_ORDER), tells_apart=False,
        more_is_concern=True, aspect="timing",
    ),
    Idea(
        name="changes_by_one_colleague", says="changes to their tours by the colleague who changed these most often",
        of=most_common(ROSTER_CHANGE, "amended_by_key", ~OWN & LATE), windows=YEAR, unit="changes", family="who changes their tours",
        typologies=ROSTER, innocent=("the team has one planner",), aspect="concentration",
    ),
    Idea(
        name="colleagues_who_change", says="different colleagues who changed their tours after these had begun",
        of=distinct(ROSTER_CHANGE, "amended_by_key", ~OWN & LATE), windows=YEAR, unit="people", family="who changes their tours",
        innocent=("the team's planners change",),
    ),
    Idea(
        name="own_changes_at_terminals", says="different terminals at which their own late changes were entered",
        of=distinct(ROSTER_CHANGE, "terminal_id", OWN & LATE), windows=YEAR, unit="terminals", family="where changes are entered",
        innocent=("shared terminals",),
    ),
    Idea(
        name="entered_for_others_share", says="share of changes under their log-on that were entered for somebody who asked",
        of=ratio(count(ROSTER_CHANGE, OWN & pl.col("on_behalf_of").is_not_null()), count(ROSTER_CHANGE, OWN), bottom_at_least=3),
        windows=YEAR, unit="share", family="where changes are entered", innocent=(ON_BEHALF,),
    ),
    Idea(
        name="later_book_offs_recorded_share", says="share of their own later book-offs on tours with a camera recording",
        of=ratio(count(LATER_BOOK_OFF_RECORDED), count(ROSTER_CHANGE, OWN & (pl.col("field") == "BOOK_OFF")), bottom_at_least=3),
        windows=YEAR, unit="recordings a book-off", family="own roster changes", innocent=("an office role has no camera",),
    ),
    Idea(
        name="own_late_changes_rise", says="rise of the daily number of late changes to their own tours over the year",
        of=Trend(of=OWN_LATE_CHANGES), windows=YEAR, unit="changes a day", family="own roster changes", typologies=ROSTER,
        innocent=(SHORT_OF_PEOPLE, "a new post with other habits of record"), tells_apart=False,
    ),
    *beside_peers(
        "own_late_changes", "late changes to their own tours that nobody asked for", count(ROSTER_CHANGE, UNASKED & LATE), TOURS, family="own roster changes",
        typologies=ROSTER, innocent=(LATE_RECORD, ON_BEHALF), tells_apart=False,
    ),
    *beside_peers(
        "own_later_book_offs", "book-off times the person moved back, unasked, by half an hour or more on their own tours",
        OWN_LATER_BOOK_OFFS, TOURS, family="own roster changes",
        typologies=ROSTER + OVERTIME, innocent=(LATE_RECORD, ON_BEHALF), tells_apart=False,
    ),
    *beside_peers(
        "own_minutes_added", "minutes added to their own tours by their own changes",
        total(ROSTER_CHANGE, "minutes_changed", UNASKED & (pl.col("minutes_changed") > 0)), TOURS, unit=60.0,
        family="minutes added to own tours", typologies=ROSTER + OVERTIME, innocent=(AGREED_PATTERN, LATE_RECORD, PUBLIC_ORDER), tells_apart=False,
    ),
    *beside_peers(
        "own_rest_day_changes", "tours turned into rest-day working by themselves, unasked",
        count(ROSTER_CHANGE, UNASKED & (pl.col("field") == "REST_DAY")), TOURS, family="own roster changes",
        typologies=ROSTER + OVERTIME, innocent=(AGREED_PATTERN, SHORT_OF_PEOPLE, PUBLIC_ORDER), tells_apart=False,
    ),
)  # fmt: skip
