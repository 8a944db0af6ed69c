"""Sickness and absence, for an isolated study only; no ordinary run reads them."""

from __future__ import annotations

import polars as pl

from features.catalogue.uk.parts import QUARTER_AND_YEAR, YEAR
from features.specs import Events, Idea, Product, count, days_since_last, total
from features.tables.uk import OTHER_ABSENCE, SICKNESS_SPELL

# Spells that are, or may be, disability-, pregnancy- or injury-related never leave the gate: only a spell
# recorded as not disability-related counts, and "not known" does not.
SPELL = Events(
    name="spell",
    table=SICKNESS_SPELL,
    says="a spell of sickness recorded as related neither to a disability nor to pregnancy or an injury on duty",
    screen=(pl.col("disability_related") == "N")
    & ~pl.col("category").is_in(["INJURY_ON_DUTY", "PREGNANCY_RELATED"]),
)
LEAVE = Events(
    name="leave",
    table=OTHER_ABSENCE,
    says="annual leave, time off in lieu, court or training",
    screen=pl.col("absence_type").is_in(["ANNUAL_LEAVE", "TOIL", "COURT", "TRAINING"]),
)
SPELLS = count(SPELL)
HOURS_IN_DAY = 8

ILLNESS = "people fall ill; sickness says nothing about conduct"

RESEARCH_IDEAS = (
    Idea(
        name="sickness_spells", says="spells of sickness", of=SPELLS, windows=QUARTER_AND_YEAR, unit="spells", family="sickness",
        innocent=(ILLNESS,), research="sickness",
    ),
    Idea(
        name="sickness_hours", says="contracted hours lost to sickness", of=total(SPELL, "hours_lost"), windows=QUARTER_AND_YEAR,
        unit="hours", family="sickness", innocent=(ILLNESS,), research="sickness",
    ),
    Idea(
        name="long_sickness_spells", says="spells of more than 28 days",
        of=count(SPELL, pl.col("end_at") - pl.col("occurred_at") > pl.duration(days=28)), windows=YEAR, unit="spells",
        family="sickness", innocent=(ILLNESS,), research="sickness",
    ),
    Idea(
        name="spells_squared_times_days", says="spells times spells times days lost (the Bradford factor, on screened spells)",
        of=Product(left=Product(left=SPELLS, right=SPELLS), right=total(SPELL, pl.col("hours_lost") / HOURS_IN_DAY)),
        windows=YEAR, unit="points", family="sickness",
        innocent=(ILLNESS, "the factor weighs many short spells heaviest, as chronic conditions bring"), research="sickness",
    ),
    Idea(
        name="days_since_sickness", says="days since the last spell began", of=days_since_last(SPELL), windows=YEAR, unit="days",
        family="sickness", innocent=(ILLNESS,), research="sickness",
    ),
    Idea(
        name="leave_taken", says="leaves of absence for annual leave, time off in lieu, court or training", of=count(LEAVE),
        windows=YEAR, unit="absences", family="other absence", innocent=("leave is a right",), research="sickness",
    ),
    Idea(
        name="leave_hours", says="hours of annual leave, time off in lieu, court or training", of=total(LEAVE, "hours"),
        windows=YEAR, unit="hours", family="other absence", innocent=("leave is a right",), research="sickness",
    ),
)  # fmt: skip
