"""Records of absence, and the enclave: protected characteristics and adjustments."""

from __future__ import annotations

import numpy as np
import polars as pl

from evenhand.force.absence import ABSENCES, SICKNESS, Conditions, Spells
from evenhand.force.draws import Draws, Flags, Ints, row_code
from evenhand.force.extracts import Rows, id_series
from evenhand.force.lateness import known_days
from evenhand.force.people import MINUTES_A_DAY, Calendar, People

HOURS_A_DAY = 10 * 4 / 7  # of the full-time week, spread over calendar days


def _named(names: tuple[str, ...], index: Ints) -> pl.Series:
    return pl.Series(names).gather(pl.Series(index.astype(np.uint32)))


def sickness_spell(spells: Spells, people: People, calendar: Calendar, draws: Draws) -> Rows:
    """Spells as first reported, and, where they last more than three days, again when they end."""
    code = row_code(spells.person, np.clip(spells.first, 0, calendar.days), spells.number % 8000 * 4)
    days = spells.last - spells.first + 1
    starts = spells.first * MINUTES_A_DAY + 6 * 60
    ends = spells.last * MINUTES_A_DAY + 23 * 60
    known = starts + known_days(draws.of_row(code, "reported"), 0.3)
    long = np.flatnonzero(days > 3)
    open_first = days > 3
    rows = np.concatenate([np.arange(len(code)), long])
    version = np.repeat([0, 1], [len(code), len(long)])
    still_open = open_first[rows] & (version == 0)
    hours = np.round(days * HOURS_A_DAY * people.fte[spells.person], 1)[rows]
    certificate = np.where(days <= 7, 0, 1)[rows]
    closed_at = np.maximum(ends, known)[rows] + known_days(draws.of_row(code[rows], "closed"), 1.5)
    # A short spell is written down when the person is back.
    known = np.where(open_first, known, np.maximum(known, ends + 9 * 60))[rows]
    return Rows(
        code=code[rows] + version,
        frame=pl.DataFrame(
            {
                "spell_id": id_series("H", code[rows]),
                "person_key": people.keys_of(spells.person[rows]),
                "occurred_at": calendar.datetimes(starts[rows]),
                "known_at": calendar.datetimes(np.where(version == 1, closed_at, known)),
                "end_at": calendar.datetimes(ends[rows]).set(pl.Series(still_open), None),
                "hours_lost": np.where(still_open, 0.0, hours),
                "certificate": _named(("SELF", "FIT_NOTE", "NONE"), np.where(still_open, 2, certificate)),
                "category": _named(SICKNESS, spells.kind[rows]),
                "disability_related": _named(("Y", "N", "NK"), spells.disability[rows]),
                "withdrawn": np.zeros(len(rows), bool),
            }
        ),
    )


def other_absence(spells: Spells, people: People, calendar: Calendar, draws: Draws) -> Rows:
    """Absences other than sickness, recorded before or soon after they begin."""
    code = row_code(spells.person, np.clip(spells.first, 0, calendar.days), spells.number % 8192)
    planned = ~np.isin(spells.kind, [4, 5])
    starts = spells.first * MINUTES_A_DAY + 7 * 60
    ahead = ((2 + 80 * draws.of_row(code, "requested")) * MINUTES_A_DAY).astype(np.int64)
    known = np.where(planned, starts - ahead, starts + known_days(draws.of_row(code, "recorded"), 1.0))
    days = spells.last - spells.first + 1
    return Rows(
        code=code,
        frame=pl.DataFrame(
            {
                "absence_id": id_series("B", code),
                "person_key": people.keys_of(spells.person),
                "occurred_at": calendar.datetimes(starts),
                "known_at": calendar.datetimes(known),
                "end_at": calendar.datetimes(spells.last * MINUTES_A_DAY + 17 * 60),
                "hours": np.round(days * HOURS_A_DAY * people.fte[spells.person], 1),
                "absence_type": _named(ABSENCES, spells.kind),
            }
        ),
    )


def protected_characteristics(people: People, has: Conditions, calendar: Calendar, protected: Draws) -> Rows:
    """What each person chose to declare on joining."""
    rng = protected.stream("declared")
    n = len(people)
    person = np.arange(n)
    seen_as = np.where(people.perceived_minority, rng.choice([1, 2, 3, 4], n, p=[0.25, 0.42, 0.23, 0.1]), 0)
    ethnicity = np.where(rng.random(n) < 0.04, 5, seen_as)
    declared = np.maximum(people.begins, -30) * MINUTES_A_DAY
    disability = (has.fluctuating_from < calendar.days) & (rng.random(n) < 0.8) | (rng.random(n) < 0.03)
    pregnant: Flags = has.pregnant_from < calendar.days
    return Rows(
        code=row_code(person, np.zeros(n, np.int64)),
        frame=pl.DataFrame(
            {
                "person_key": people.key,
                "occurred_at": calendar.datetimes(declared),
                "known_at": calendar.datetimes(declared + 600),
                "sex": _named(("M", "F"), has.woman.astype(np.int64)),
                "ethnicity": _named(("WHITE", "BLACK", "ASIAN", "MIXED", "OTHER", "NOT_STATED"), ethnicity),
                "age_band": _named(
                    ("18-29", "30-39", "40-49", "50+"), np.searchsorted([30, 40, 50], people.age)
                ),
                "disability_declared": disability,
                "religion_or_belief": _named(
                    ("NONE", "CHRISTIAN", "MUSLIM", "OTHER", "NOT_STATED"),
                    rng.choice(5, n, p=[0.40, 0.36, 0.06, 0.06, 0.12]),
                ),
                "union_representative": has.union,
                "pregnancy_window_start": calendar.dates(np.where(pregnant, has.pregnant_from, 0)).set(
                    pl.Series(~pregnant), None
                ),
            }
        ),
    )


def adjustments(
    people: People, has: Conditions, sickness: Spells, calendar: Calendar, protected: Draws
) -> Rows:
    """Adjustments for people with a fluctuating condition, and after an injury on duty."""
    chronic = np.flatnonzero((has.fluctuating_from < calendar.days) & (has.fluctuating_to > people.begins))
    hurt = np.flatnonzero((sickness.kind == 5) & (sickness.last - sickness.first > 14))
    person = np.concatenate([chronic, sickness.person[hurt]])
    begins = np.concatenate([has.fluctuating_from[chronic] + 40, sickness.last[hurt] + 1])
    ends = np.concatenate([has.fluctuating_to[chronic], sickness.last[hurt] + 60])
    begins = np.maximum(begins, people.begins[person])
    number = np.concatenate([np.zeros(len(chronic), np.int64), 1 + np.arange(len(hurt)) % 1000])
    code = row_code(person, np.clip(begins, 0, calendar.days), number)
    kinds = np.where(number > 0, 2, np.where(protected.of_row(code, "kind") < 0.6, 1, 3))
    lasting = ends > calendar.days
    return Rows(
        code=code,
        frame=pl.DataFrame(
            {
                "adjustment_id": id_series("J", code),
                "person_key": people.keys_of(person),
                "occurred_at": calendar.datetimes(begins * MINUTES_A_DAY + 540),
                "known_at": calendar.datetimes(
                    begins * MINUTES_A_DAY + 540 + known_days(protected.of_row(code, "recorded"), 6.0)
                ),
                "adjustment_type": _named(
                    ("RECUPERATIVE", "ADJUSTED", "PHASED_RETURN", "HOURS", "EQUIPMENT"), kinds
                ),
                "end_at": calendar.datetimes(np.maximum(ends, begins + 1) * MINUTES_A_DAY).set(
                    pl.Series(lasting), None
                ),
            }
        ),
    )
