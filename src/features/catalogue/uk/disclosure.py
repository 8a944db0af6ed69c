"""T9, disclosure of data: records printed and exported."""

from __future__ import annotations

import polars as pl

from features.catalogue.uk.events import ACCESS
from features.catalogue.uk.parts import (
    DISCLOSURE,
    PATTERN,
    QUARTER_AND_YEAR,
    RECORDS_TAKEN_OUT,
    SYSTEMS,
    TAKEN_OUT,
    TOURS,
    UNLINKED,
    YEAR,
    beside_peers,
)
from features.specs import Idea, count, most_common, ratio

DISCLOSURE_IDEAS = (
    Idea(
        name="taken_out", says="records printed or exported", of=count(ACCESS, TAKEN_OUT), windows=QUARTER_AND_YEAR,
        unit="records", family="records taken out", typologies=SYSTEMS + DISCLOSURE, innocent=("case papers for court",),
    ),
    Idea(
        name="unlinked_taken_out", at_heart_of=DISCLOSURE, says="records printed or exported that belong to no incident",
        of=count(ACCESS, TAKEN_OUT & UNLINKED), windows=YEAR, unit="records", family="records taken out", typologies=SYSTEMS + DISCLOSURE,
        innocent=("briefings and returns",), more_is_concern=True,
    ),
    Idea(
        name="most_taken_out_in_a_day", says="records printed or exported on the day with most", of=most_common(ACCESS, "day", TAKEN_OUT),
        windows=YEAR, unit="records", family="records taken out", typologies=DISCLOSURE, innocent=("case papers for court",),
        aspect="concentration",
    ),
    Idea(
        name="intelligence_taken_out", says="intelligence records printed or exported that belong to no incident",
        of=count(ACCESS, TAKEN_OUT & UNLINKED & (pl.col("system") == "INTEL")), windows=YEAR, unit="records",
        family="intelligence taken out", typologies=DISCLOSURE, innocent=("briefings and returns",), more_is_concern=True,
    ),
    Idea(
        name="taken_out_from_outside", says="records printed or exported at a remote terminal",
        of=count(ACCESS, TAKEN_OUT & pl.col("site").is_null()), windows=YEAR, unit="records", family="records taken out",
        typologies=DISCLOSURE, innocent=(PATTERN,), more_is_concern=True, tells_apart=False,
    ),
    Idea(
        name="taken_out_off_duty", says="records printed or exported while off duty", of=count(ACCESS, TAKEN_OUT & pl.col("off_duty")),
        windows=YEAR, unit="records", family="records taken out", typologies=DISCLOSURE, innocent=("a tour that ran on", "a major inquiry"),
        more_is_concern=True, aspect="timing", tells_apart=False,
    ),
    Idea(
        name="taken_out_share", says="share of uses that print or export",
        of=ratio(count(ACCESS, TAKEN_OUT), count(ACCESS), bottom_at_least=20), windows=YEAR, unit="share", family="records taken out",
        typologies=DISCLOSURE, innocent=("a desk that prepares case papers",),
    ),
    *beside_peers(
        "unlinked_taken_out", "records taken out that belong to no incident", RECORDS_TAKEN_OUT, TOURS, family="records taken out",
        typologies=SYSTEMS + DISCLOSURE, innocent=("briefings and returns",),
    ),
)  # fmt: skip
