"""Terms, windows and words that several ideas share, and who is comparable with whom."""

from __future__ import annotations

from functools import partial
from typing import Any

import polars as pl

from features.catalogue.uk.events import (
    ACCESS,
    ALLEGATION,
    CLAIM,
    CLAIM_ON_TOUR,
    EXPECTED,
    EXPENSE,
    POST,
    ROSTER_CHANGE,
    TOUR,
)
from features.specs import (
    Aggregate,
    Alike,
    Banded,
    Colleagues,
    Idea,
    Latest,
    Peers,
    Product,
    Term,
    count,
    ratio,
    total,
)

OWN = pl.col("own")
# A change that was asked for in time is not the person's idea of the day, however late it was entered.
UNASKED = pl.col("own_wish")
LATE = pl.col("after_start")
SEARCH = pl.col("action") == "SEARCH"
UNLINKED = pl.col("unlinked")
CLOSE = pl.col("subject_relation").is_in(["SELF", "COLLEAGUE", "ADDRESS"])
TAKEN_OUT = pl.col("action").is_in(["PRINT", "EXPORT"])
# A word at most: no reason that somebody else could check.
UNEXPLAINED = UNLINKED & (pl.col("reason_text_len") < 10)
# A vulnerable victim's or witness's record in a case that is not the person's own.
VULNERABLE = pl.col("subject_vulnerable") & ~pl.col("own_case") & UNLINKED

TOURS = count(TOUR)
CHANGES = count(ROSTER_CHANGE)
OWN_LATE_CHANGES = count(ROSTER_CHANGE, OWN & LATE)
CLAIMS = count(CLAIM)
SEARCHES = count(ACCESS, SEARCH)
UNLINKED_SEARCHES = count(ACCESS, SEARCH & UNLINKED)
UNEXPLAINED_USES = count(ACCESS, UNEXPLAINED)
UNLINKED_CLOSE = count(ACCESS, CLOSE & UNLINKED)
VULNERABLE_VIEWS = count(ACCESS, VULNERABLE)
RECORDS_TAKEN_OUT = count(ACCESS, TAKEN_OUT & UNLINKED)
OVERTIME_MINUTES = total(CLAIM, "minutes")
MINUTES_BEYOND = total(CLAIM_ON_TOUR, "minutes_beyond")
EXPENSE_ITEMS = count(EXPENSE)
COMPLAINTS = count(ALLEGATION)

ROLE = Latest(events=POST, value=pl.col("role_code"), how="category")
TEAM = Latest(events=POST, value=pl.col("team_code"), how="category")
SEARCHES_EXPECTED = Product(
    left=TOURS,
    right=Latest(events=EXPECTED, value=pl.col("searches_per_tour"), key="role_code", via=ROLE),
)

QUARTER_AND_YEAR = (90, 365)
YEAR = (365,)
ONE_AND_TWO_YEARS = (365, 730)
TWO_YEARS = (730,)

ROSTER, OVERTIME, ATTENDANCE, SYSTEMS, POSITION = ("T1",), ("T2",), ("T3",), ("T4",), ("T5",)
INTERESTS, EXPENSES, SECOND_JOB, DISCLOSURE = ("T6",), ("T7",), ("T8",), ("T9",)
COMPLAINED, CONDUCT = ("C",), ("M",)

SHORT_OF_PEOPLE = "the team was short of people and tours were changed to cover"
AGREED_PATTERN = "an agreed part-time pattern, of which no record may be read"
WRONG_CLOCK = "a terminal whose clock was wrong"
LATE_RECORD = "the roster was put right after the event, because planners or authorisers were late"
ON_BEHALF = "a supervisor or colleague at the same terminal made the entry"
PUBLIC_ORDER = "public-order duty, aid to another force or a large inquiry"
BUSY_ROLE = "the role calls for many searches (intelligence desk, bureau, safeguarding, custody)"
EXERCISE = "training, testing or checking one's own entry, which some units allow"
PUBLIC_CONTACT = "response, custody and public-order work bring more complaints at equal conduct"
GRIEVANCE = "complaints against someone who has raised a concern themself"

PATTERN = "an agreed flexible pattern or adjustment, which no feature may see"

# --- Who is comparable -------------------------------------------------------------------------------

RANK = Latest(events=POST, value=pl.col("rank"), how="category")
SERVICE = Latest(events=POST, value=pl.col("service_start"), how="days_since")
# Changes that planners made to the tours of the others in the team: how unsettled a team's roster is.
TEAM_CHANGES = Colleagues(of=ratio(count(ROSTER_CHANGE, ~OWN), TOURS, bottom_at_least=20), by=TEAM)
NIGHT_SHARE = ratio(count(TOUR, pl.col("at_night")), TOURS, bottom_at_least=20)
LIKE_WORK = Alike(
    says="the same role and rank, as new or as long in service, in a team as often changed by its planners, with about as "
    "many nights",
    by=(
        ROLE,
        # Probation lasts two years (Police Regulations 2003, regulation 12), and mistakes are most in the first.
        Banded(of=SERVICE, edges=(365, 730)),
        RANK,
        # The contracted pattern is protected; the nights that were worked stand for the pattern here.
        Banded(of=NIGHT_SHARE, edges=(0.1, 0.3), window=365),
        Banded(of=TEAM_CHANGES, edges=(0.03, 0.06), window=365),
    ),
)


def beside_peers(  # an idea's words
    name: str,
    says: str,
    of: Aggregate,
    exposure: Term,
    *,
    exposure_at_least: float = 20,
    unit: float = 1.0,
    **more: Any,
) -> tuple[Idea, Idea]:
    """An amount set beside comparable people's: how far it lies off, and the share of them with more."""
    compared = partial(
        Peers, of=of, exposure=exposure, exposure_at_least=exposure_at_least, among=LIKE_WORK, unit=unit
    )
    more = {"windows": YEAR, **more}
    return (
        Idea(
            name=f"{name}_beside_peers", says=f"{says}, beside people with like work and as much occasion",
            of=compared(how="robust_z"), unit="spreads from the peers' middle", **more,
        ),
        Idea(
            name=f"{name}_peers_with_more", says=f"share of people with like work who have more {says} for the occasion",
            of=compared(how="share_higher"), unit="share", **more,
        ),
    )  # fmt: skip
