"""Records of absence, and the enclave: protected characteristics and adjustments."""

from __future__ import annotations

import numpy as np

from evenhand.force.absence import ABSENCES, SICKNESS
from evenhand.force.columns import Plain, Rows, ids, labels
from evenhand.force.draws import Floats, Ints, row_code
from evenhand.force.lateness import known_days
from evenhand.force.people import MINUTES_A_DAY
from evenhand.force.world import World

HOURS_A_DAY = 10 * 4 / 7  # of the full-time week, spread over calendar days
UNION_DUTY = ABSENCES.index("UNION_DUTY")
NUMBERS_A_DAY = 2**15


def sickness_spell(world: World) -> Rows:
    """Spells as first reported, and, where they last more than three days, again when they end."""
    spells, people, calendar, draws = world.absence.sickness, world.people, world.calendar, world.draws
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
        columns={
            "spell_id": ids("H", code[rows]),
            "person_key": people.keys_of(spells.person[rows]),
            "occurred_at": calendar.times(starts[rows]),
            "known_at": calendar.times(np.where(version == 1, closed_at, known)),
            "end_at": calendar.times(ends[rows], still_open),
            "hours_lost": Plain(np.where(still_open, 0.0, hours)),
            "certificate": labels(("SELF", "FIT_NOTE", "NONE"), np.where(still_open, 2, certificate)),
            "category": labels(SICKNESS, spells.kind[rows]),
            "disability_related": labels(("Y", "N", "NK"), spells.disability[rows]),
            "withdrawn": Plain(np.zeros(len(rows), bool)),
        },
    )


def other_absence(world: World) -> Rows:
    """Absences other than sickness, recorded before or soon after they begin."""
    spells, people, calendar, draws = world.absence.every_other, world.people, world.calendar, world.draws
    code = row_code(spells.person, np.clip(spells.first, 0, calendar.days), spells.number % 8192)
    planned = ~np.isin(spells.kind, [4, 5])
    starts = spells.first * MINUTES_A_DAY + 7 * 60
    ahead = ((2 + 80 * draws.of_row(code, "requested")) * MINUTES_A_DAY).astype(np.int64)
    known = np.where(planned, starts - ahead, starts + known_days(draws.of_row(code, "recorded"), 1.0))
    days = spells.last - spells.first + 1
    return Rows(
        code=code,
        columns={
            "absence_id": ids("B", code),
            "person_key": people.keys_of(spells.person),
            "occurred_at": calendar.times(starts),
            "known_at": calendar.times(known),
            "end_at": calendar.times(spells.last * MINUTES_A_DAY + 17 * 60),
            "hours": Plain(np.round(days * HOURS_A_DAY * people.fte[spells.person], 1)),
            "absence_type": labels(ABSENCES, spells.kind),
        },
    )


def protected_characteristics(world: World) -> Rows:
    """What each person chose to declare on joining."""
    people, has, calendar, protected = world.people, world.has, world.calendar, world.protected
    rng = protected.stream("declared")
    n = len(people)
    person = np.arange(n)
    seen_as = np.where(people.perceived_minority, rng.choice([1, 2, 3, 4], n, p=[0.25, 0.42, 0.23, 0.1]), 0)
    ethnicity = np.where(rng.random(n) < 0.04, 5, seen_as)
    declared = np.maximum(people.begins, -30) * MINUTES_A_DAY
    disability = (has.fluctuating_from < calendar.days) & (rng.random(n) < 0.8) | (rng.random(n) < 0.03)
    pregnant = has.pregnant_from < calendar.days
    declared_by_all = Rows(
        code=row_code(person, np.zeros(n, np.int64)),
        columns={
            "person_key": people.keys_of(person),
            "occurred_at": calendar.times(declared),
            "known_at": calendar.times(declared + 600),
            "sex": labels(("M", "F"), has.woman.astype(np.int64)),
            "ethnicity": labels(("WHITE", "BLACK", "ASIAN", "MIXED", "OTHER", "NOT_STATED"), ethnicity),
            "age_band": labels(("18-29", "30-39", "40-49", "50+"), np.searchsorted([30, 40, 50], people.age)),
            "disability_declared": Plain(disability),
            "religion_or_belief": labels(
                ("NONE", "CHRISTIAN", "MUSLIM", "OTHER", "NOT_STATED"),
                rng.choice(5, n, p=[0.40, 0.36, 0.06, 0.06, 0.12]),
            ),
            "union_representative": Plain(has.union),
            "pregnancy_window_start": calendar.days_column(
                np.where(pregnant, has.pregnant_from, 0), ~pregnant
            ),
        },
    )
    return declared_by_all.taken(np.flatnonzero(people.seen(calendar)))


def adjustments(world: World) -> Rows:
    """Adjustments for people with a fluctuating condition, and after an injury on duty."""
    people, has, sickness = world.people, world.has, world.absence.special
    calendar, protected = world.calendar, world.protected
    lives_with = (has.fluctuating_from < calendar.days) & (has.fluctuating_to > people.begins)
    chronic = np.flatnonzero(lives_with & people.seen(calendar))
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
        columns={
            "adjustment_id": ids("J", code),
            "person_key": people.keys_of(person),
            "occurred_at": calendar.times(begins * MINUTES_A_DAY + 540),
            "known_at": calendar.times(
                begins * MINUTES_A_DAY + 540 + known_days(protected.of_row(code, "recorded"), 6.0)
            ),
            "adjustment_type": labels(
                ("RECUPERATIVE", "ADJUSTED", "PHASED_RETURN", "HOURS", "EQUIPMENT"), kinds
            ),
            "end_at": calendar.times(np.maximum(ends, begins + 1) * MINUTES_A_DAY, lasting),
        },
    )


def union_duty_time(world: World) -> Rows:
    """Duties for the Federation, a union or a staff network, as those who agreed to them wrote them down."""
    spells, calendar = world.absence.other, world.calendar
    which = np.flatnonzero(spells.kind == UNION_DUTY)
    person, first = spells.person[which], spells.first[which]
    code = row_code(person, np.clip(first, 0, calendar.days), spells.number[which] % NUMBERS_A_DAY)
    starts = first * MINUTES_A_DAY + 9 * 60
    ahead = (14 * MINUTES_A_DAY * world.protected.of_row(code, "agreed")).astype(np.int64)
    officer = world.people.under_conduct_regulations[person]
    network = world.protected.of_row(person, "staff network") < 0.3
    return Rows(
        code=code,
        columns={
            "union_duty_id": ids("F", code),
            "person_key": world.people.keys_of(person),
            "occurred_at": calendar.times(starts),
            "known_at": calendar.times(starts - ahead),
            "end_at": calendar.times(starts + 480),
            "body": labels(
                ("FEDERATION", "UNION", "STAFF_NETWORK"), np.where(network, 2, np.where(officer, 0, 1))
            ),
        },
    )


def flexible_working(world: World) -> Rows:
    """Agreements on part-time, compressed and other flexible hours."""
    people, calendar = world.people, world.calendar
    person = np.flatnonzero((people.part_time | people.compressed) & people.seen(calendar))
    code = row_code(person, np.zeros(len(person), np.int64), 7)
    since = np.maximum(people.begins[person], -700) * MINUTES_A_DAY
    other = 2 + (3 * world.protected.of_row(code, "pattern")).astype(np.int64)
    kept = world.protected.of_row(code, "hours") < 0.7
    pattern = np.where(people.compressed[person], 1, np.where(kept, 0, other))
    return Rows(
        code=code,
        columns={
            "agreement_id": ids("W", code),
            "person_key": people.keys_of(person),
            "occurred_at": calendar.times(since),
            "known_at": calendar.times(since - 30 * MINUTES_A_DAY),
            "pattern": labels(("PART_TIME", "COMPRESSED", "FIXED_DAYS", "LATE_START", "TERM_TIME"), pattern),
            "for_caring": Plain(world.protected.of_row(code, "for caring") < 0.6),
            "end_at": calendar.times(np.zeros(len(person), np.int64), np.ones(len(person), bool)),
        },
    )


def membership_declaration(world: World) -> Rows:
    """Declared memberships of bodies that may reveal belief or politics."""
    people, calendar, protected = world.people, world.calendar, world.protected
    everybody = np.arange(len(people))
    declares = protected.of_row(everybody, "membership") < world.parameters["membership_share"]
    person = np.flatnonzero(declares & people.seen(calendar))
    code = row_code(person, np.zeros(len(person), np.int64), 9)
    declared = _within_service(person, protected.of_row(code, "declared on"), world)
    kind = np.searchsorted([0.5, 0.7], protected.of_row(code, "kind of body"))
    return Rows(
        code=code,
        columns={
            "membership_id": ids("N", code),
            "person_key": people.keys_of(person),
            "occurred_at": calendar.times(declared),
            "known_at": calendar.times(declared + 600),
            "membership_type": labels(("HIERARCHICAL", "POLITICAL", "RELIGIOUS"), kind),
            "end_at": calendar.times(np.zeros(len(person), np.int64), np.ones(len(person), bool)),
        },
    )


def _within_service(person: Ints, share: Floats, world: World) -> Ints:
    """A minute of each person's service, from a year before the data begin on."""
    begins = np.maximum(world.people.begins[person], -365)
    ends = np.minimum(world.people.ends[person], world.calendar.days)
    return ((begins + share * np.maximum(ends - begins, 1)) * MINUTES_A_DAY).astype(np.int64)
