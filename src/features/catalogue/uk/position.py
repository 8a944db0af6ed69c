"""T5, abuse of position for a sexual purpose: going back to records of vulnerable people outside a case."""

from __future__ import annotations

import polars as pl

from features.catalogue.uk.events import ACCESS, RECORDING
from features.catalogue.uk.parts import (
    POSITION,
    QUARTER_AND_YEAR,
    TOURS,
    UNLINKED,
    VULNERABLE,
    VULNERABLE_VIEWS,
    YEAR,
    beside_peers,
)
from features.specs import Idea, Trend, count, days_since_last, distinct, most_common, ratio

POSITION_IDEAS = (
    Idea(
        name="vulnerable_views", says="unlinked uses of records of vulnerable victims or witnesses outside their own cases",
        of=VULNERABLE_VIEWS, windows=QUARTER_AND_YEAR, unit="uses", family="records of vulnerable people", typologies=POSITION,
        innocent=("safeguarding work", "cover for the colleague who has the case"), more_is_concern=True,
    ),
    Idea(
        name="vulnerable_share", says="share of unlinked uses that are of vulnerable people's records outside their own cases",
        of=ratio(VULNERABLE_VIEWS, count(ACCESS, UNLINKED), bottom_at_least=20), windows=YEAR, unit="share",
        family="records of vulnerable people", typologies=POSITION, innocent=("safeguarding work",),
    ),
    Idea(
        name="views_of_one_vulnerable_person", at_heart_of=POSITION, says="uses of the vulnerable person's record they went back to most, outside their own cases",
        of=most_common(ACCESS, "subject_key", VULNERABLE), windows=YEAR, unit="uses", family="one vulnerable person's record",
        typologies=POSITION, innocent=("cover for the colleague who has the case",), more_is_concern=True, aspect="concentration",
    ),
    Idea(
        name="vulnerable_people_looked_at", says="different vulnerable people whose records they used outside their own cases",
        of=distinct(ACCESS, "subject_key", VULNERABLE), windows=YEAR, unit="people", family="records of vulnerable people",
        typologies=POSITION, innocent=("safeguarding work",), more_is_concern=True,
    ),
    Idea(
        name="vulnerable_views_off_duty_or_at_night", says="such uses while off duty or between 22:00 and 06:00",
        of=count(ACCESS, VULNERABLE & (pl.col("off_duty") | pl.col("at_night"))), windows=YEAR, unit="uses",
        family="records of vulnerable people", typologies=POSITION, innocent=("night tours",), more_is_concern=True, aspect="timing",
    ),
    Idea(
        name="days_since_vulnerable_view", says="days since the last such use", of=days_since_last(ACCESS, VULNERABLE), windows=YEAR,
        unit="days", family="records of vulnerable people", typologies=POSITION, innocent=("safeguarding work",),
    ),
    Idea(
        name="vulnerable_views_rise", says="rise of the daily number of such uses over the year", of=Trend(of=VULNERABLE_VIEWS),
        windows=YEAR, unit="uses a day", family="records of vulnerable people", typologies=POSITION, innocent=("a new role",),
    ),
    Idea(
        name="recordings_per_tour", says="body-worn camera recordings, a tour worked", of=ratio(count(RECORDING), TOURS, bottom_at_least=20),
        windows=YEAR, unit="recordings a tour", family="camera recordings", innocent=("a role without a camera",),
    ),
    *beside_peers(
        "vulnerable_views", "uses of vulnerable people's records outside their own cases", VULNERABLE_VIEWS, TOURS,
        family="records of vulnerable people", typologies=POSITION, innocent=("safeguarding work",),
    ),
)  # fmt: skip
