"""Who was away, and why: what the force at large shares, and the protected histories drawn apart from it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from evenhand.force.conduct import TYPOLOGIES, Episodes
from evenhand.force.draws import Draws, Flags, Floats, Ints, repeated, row_code
from evenhand.force.parameters import Parameters
from evenhand.force.people import Calendar, People

SICKNESS = ("MSK", "RESP", "DIGEST", "NEURO", "PSYCH", "INJURY_ON_DUTY", "PREGNANCY_RELATED", "OTHER")
ABSENCES = (
    "ANNUAL_LEAVE", "TOIL", "MATERNITY", "PATERNITY", "DEPENDANT", "COMPASSIONATE", "COURT", "TRAINING", "UNION_DUTY",
    "CAREER_BREAK",
)  # fmt: skip
# An absence this old when the next roster is published is left out of it instead of being cancelled.
ROSTER_HORIZON_DAYS = 28


@dataclass(frozen=True, eq=False)
class Spells:
    """One entry a spell of absence: days `[first, last]` from the start.

    `kind` indexes SICKNESS or ABSENCES; `number` tells a person's spells of one source apart;
    `disability` indexes Y, N, NK.
    """

    person: Ints
    first: Ints
    last: Ints
    kind: Ints
    number: Ints
    disability: Ints


@dataclass(frozen=True, eq=False)
class Conditions:
    """What a person lives with, [person]: days, beyond the end where there is none."""

    fluctuating_from: Ints
    fluctuating_to: Ints
    pregnant_from: Ints
    maternity_from: Ints
    maternity_to: Ints
    union: Flags
    woman: Flags


@dataclass(frozen=True, eq=False)
class Absence:
    """Every spell, each kind in order of person: what the force at large shares, and the protected histories.

    `early` marks leave known before the roster. `assaults`: person and day of each, whether it hurt or not.
    """

    ordinary: Spells
    leave: Spells
    early: Flags
    special: Spells
    other: Spells
    assaulted: Ints
    assault_day: Ints

    @property
    def sickness(self) -> Spells:
        return _together(self.ordinary, self.special)

    @property
    def every_other(self) -> Spells:
        return _together(self.leave, self.other)

    def of_people(self, first: int, end: int) -> Absence:
        """The spells of the people `[first, end)`, who are numbered from 0."""

        def some(spells: Spells) -> Spells:
            kept = _where(spells, slice(*np.searchsorted(spells.person, [first, end])))
            return replace(kept, person=kept.person - first)

        early = self.early[slice(*np.searchsorted(self.leave.person, [first, end]))]
        hit = (self.assaulted >= first) & (self.assaulted < end)
        return Absence(
            some(self.ordinary), some(self.leave), early, some(self.special), some(self.other),
            self.assaulted[hit] - first, self.assault_day[hit],
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Away:
    """Grids [person, day].

    `unplanned`: known before the roster was published, so no tour was planned. `cancelled`: 0 no, else
    1 SICK, 2 LEAVE, 3 TRAINING, 4 COURT: a tour planned that day is cancelled. `on_leave` and `off_sick`
    tell of ordinary leave and sickness alone: conduct may hang on them, and never on protected absence.
    """

    unplanned: Flags
    cancelled: NDArray[np.int8]
    on_leave: Flags
    off_sick: Flags


def conditions(people: People, calendar: Calendar, parameters: Parameters, protected: Draws) -> Conditions:
    """The protected histories' frame, from the protected seed alone."""
    n = len(people)
    never = calendar.days + 10_000
    rng = protected.stream("conditions")
    woman = rng.random(n) < 0.33
    fluctuating = rng.random(n) < parameters["fluctuating_condition_share"]
    begins = rng.integers(-400, calendar.days, n)
    lasts = rng.integers(365, 1100, n)
    chance = np.where(woman & (people.age < 40), parameters["pregnancies_per_year"] * calendar.years, 0.0)
    pregnant = rng.random(n) < chance
    pregnant_from = rng.integers(-200, calendar.days, n)
    return Conditions(
        fluctuating_from=np.where(fluctuating, begins, never),
        fluctuating_to=np.where(fluctuating, begins + lasts, never),
        pregnant_from=np.where(pregnant, pregnant_from, never),
        maternity_from=np.where(pregnant, pregnant_from + 240, never),
        maternity_to=np.where(pregnant, pregnant_from + 240 + rng.integers(180, 365, n), never),
        union=rng.random(n) < parameters["union_share"],
        woman=woman,
    )


def absences(
    people: People,
    conditions: Conditions,
    episodes: Episodes,
    calendar: Calendar,
    parameters: Parameters,
    draws: Draws,
    protected: Draws,
) -> Absence:
    """Everybody's absences; those of the protected histories take nothing from the others."""
    leave, early = _leave(people, calendar, draws)
    order = np.argsort(leave.person, kind="stable")
    assaulted, assault_day = _assaults(people, calendar, parameters, draws)
    return Absence(
        ordinary=_by_person(_ordinary_sickness(people, episodes, calendar, parameters, draws, protected)),
        leave=_where(leave, order),
        early=early[order],
        special=_by_person(
            _protected_sickness(people, conditions, assaulted, assault_day, calendar, parameters, protected)
        ),
        other=_by_person(_protected_absence(people, conditions, calendar, protected)),
        assaulted=assaulted,
        assault_day=assault_day,
    )


def _assaults(people: People, calendar: Calendar, parameters: Parameters, draws: Draws) -> tuple[Ints, Ints]:
    rng = draws.stream("assaults")
    rate = np.where(people.under_conduct_regulations, parameters["assaults_per_year"], 0.0)
    person, _ = repeated(_counts(rng, rate * calendar.years, len(people)))
    day = (
        draws.of_row(np.arange(len(person)) + (person.astype(np.int64) << 20), "assault day") * calendar.days
    ).astype(np.int64)
    serves = people.serving_on(person, day)
    return person[serves], day[serves]


def away(absence: Absence, n_people: int, calendar: Calendar) -> Away:
    """Who was away on which day, of people numbered from 0."""
    leave, early = absence.leave, absence.early

    def covered(spells: Spells, from_day: int = 0) -> Flags:
        return _covered(spells.person, spells.first + from_day, spells.last, n_people, calendar.days)

    cancelled = np.zeros((n_people, calendar.days), np.int8)
    on_leave = covered(_where(leave, leave.kind < 6))
    off_sick = covered(absence.ordinary)
    unplanned = covered(_where(leave, early))
    for spells, code in (
        (_where(leave, ~early & (leave.kind == 6)), 4),
        (_where(leave, ~early & (leave.kind == 7)), 3),
        (_where(leave, ~early & (leave.kind < 6)), 2),
        (absence.ordinary, 1),
    ):
        cancelled[covered(spells)] = code
    unplanned |= covered(absence.ordinary, ROSTER_HORIZON_DAYS)
    # Where the ordinary absences have emptied a day already, the protected ones leave no mark on it.
    free = ~unplanned & (cancelled == 0)
    for spells, code in ((absence.other, 2), (absence.special, 1)):
        cancelled[covered(spells) & free] = code
        unplanned |= covered(spells, ROSTER_HORIZON_DAYS) & free
    return Away(unplanned, cancelled, on_leave, off_sick)


def absent_on(absence: Absence, day: int, n_people: int) -> Flags:
    """Whether each person is away on a day, for whatever reason."""
    absent = np.zeros(n_people, bool)
    for spells in (absence.ordinary, absence.leave, absence.special, absence.other):
        absent[spells.person[(spells.first <= day) & (day <= spells.last)]] = True
    return absent


def _ordinary_sickness(
    people: People,
    episodes: Episodes,
    calendar: Calendar,
    parameters: Parameters,
    draws: Draws,
    protected: Draws,
) -> Spells:
    """Spells as anybody has them, those said to be sickness among them; the causes are protected."""
    rng = draws.stream("ordinary sickness")
    proneness = np.exp(0.8 * rng.standard_normal(len(people)) - 0.32)
    counts = rng.poisson(parameters["sickness_spells_per_year"] * calendar.years * proneness)
    person, number = repeated(counts)
    first = rng.integers(0, calendar.days, len(person))
    length = 1 + (1.6 * np.exp(1.1 * rng.standard_normal(len(person)))).astype(np.int64)
    length = np.where(rng.random(len(person)) < 0.05, length + rng.integers(28, 120, len(person)), length)
    feigned = _feigned(episodes, calendar, parameters, draws)
    person, first, length, number = (
        np.concatenate(pair) for pair in zip((person, first, length, number), feigned, strict=True)
    )
    causes = protected.stream("ordinary causes")
    kind = causes.choice(8, len(person), p=[0.22, 0.26, 0.18, 0.06, 0.14, 0.0, 0.0, 0.14])
    disability = causes.choice(3, len(person), p=[0.0, 0.85, 0.15])
    return _in_service(Spells(person, first, first + length - 1, kind, number, disability), people, calendar)


def _feigned(
    episodes: Episodes, calendar: Calendar, parameters: Parameters, draws: Draws
) -> tuple[Ints, Ints, Ints, Ints]:
    """Person, first day, length and number of the spells that an episode of T8 brings."""
    rng = draws.stream("feigned sickness")
    row = TYPOLOGIES.index("T8")
    bearers = episodes.bearers("T8")
    begins, ends = (
        np.maximum(episodes.starts[row, bearers], 0),
        np.minimum(episodes.ends[row, bearers], calendar.days),
    )
    span = np.maximum(ends - begins, 0)
    counts = np.maximum(1, rng.poisson(parameters["t8_spells_per_year"] * span / 365.25)) * (span > 30)
    index, number = repeated(counts)
    first = begins[index] + (rng.random(len(index)) * (span[index] - 10)).astype(np.int64)
    return bearers[index], first, rng.integers(6, 22, len(index)), 500 + number


def _leave(people: People, calendar: Calendar, draws: Draws) -> tuple[Spells, Flags]:
    """Leave, courses and court days, and which of them were known before the roster."""
    rng = draws.stream("leave")
    counts = rng.poisson(6.5 * calendar.years, len(people))
    person, number = repeated(counts)
    n = len(person)
    kind = rng.choice([0, 1, 4, 5, 6, 7], n, p=[0.56, 0.08, 0.06, 0.02, 0.10, 0.18])
    first = rng.integers(0, calendar.days, n)
    long = np.minimum(2 + rng.geometric(0.16, n), 21)
    length = np.select([kind == 0, kind == 7], [long, rng.integers(1, 4, n)], rng.integers(1, 3, n))
    planned = np.isin(kind, [0, 7])
    early = planned & (rng.random(n) < 0.8)
    spells = Spells(person, first, first + length - 1, kind, number, np.ones(n, np.int64))
    serves = _serves(spells, people, calendar)
    return _where(spells, serves), early[serves]


def _protected_sickness(
    people: People,
    has: Conditions,
    assaulted: Ints,
    assault_day: Ints,
    calendar: Calendar,
    parameters: Parameters,
    protected: Draws,
) -> Spells:
    everybody = np.arange(len(people))
    rng = protected.stream("fluctuating spells")
    years = np.clip(has.fluctuating_to - np.maximum(has.fluctuating_from, 0), 0, None) / 365.25
    person, number = repeated(
        _counts(rng, 8.0 * np.where(has.fluctuating_from < calendar.days, years, 0.0), len(years))
    )
    span = np.maximum(has.fluctuating_to - np.maximum(has.fluctuating_from, 0), 1)[person]
    first = np.maximum(has.fluctuating_from, 0)[person] + (rng.random(len(person)) * span).astype(np.int64)
    length = rng.integers(1, 5, len(person))
    kind = rng.choice([0, 3, 4, 7], len(person), p=[0.35, 0.25, 0.3, 0.1])
    fluctuating = Spells(
        person,
        first,
        first + length - 1,
        kind,
        1000 + number,
        rng.choice(3, len(person), p=[0.85, 0.05, 0.1]),
    )

    code = row_code(assaulted, assault_day)
    hurt = protected.of_row(code, "hurt") < parameters["injured_of_assaulted"]
    person, first, code = assaulted[hurt], assault_day[hurt] + 1, code[hurt]
    number = np.arange(len(person)) % 900
    length = 2 + (9 * np.exp(0.9 * protected.normal_of_row(code, "healing"))).astype(np.int64)
    injured = Spells(
        person,
        first,
        first + length - 1,
        np.full(len(person), 5),
        2000 + number,
        np.ones(len(person), np.int64),
    )

    rng = protected.stream("pregnancy spells")
    person, number = repeated(
        np.where(has.pregnant_from < calendar.days, rng.poisson(2.5, len(everybody)), 0)
    )
    first = has.pregnant_from[person] + rng.integers(20, 230, len(person))
    pregnant = Spells(
        person,
        first,
        first + rng.integers(0, 8, len(person)),
        np.full(len(person), 6),
        3000 + number,
        np.ones(len(person), np.int64),
    )
    return _in_service(_together(_together(fluctuating, injured), pregnant), people, calendar)


def _protected_absence(people: People, has: Conditions, calendar: Calendar, protected: Draws) -> Spells:
    mothers = np.flatnonzero(has.maternity_from < calendar.days)
    one = np.ones(len(mothers), np.int64)
    maternity = Spells(
        mothers, has.maternity_from[mothers], has.maternity_to[mothers], 2 * one, 1000 * one, one
    )

    rng = protected.stream("union duty")
    person, number = repeated(rng.poisson(np.where(has.union, 22.0 * calendar.years, 0.0)))
    first = rng.integers(0, calendar.days, len(person))
    ones = np.ones(len(person), np.int64)
    union = Spells(person, first, first, 8 * ones, 2000 + number, ones)

    rng = protected.stream("paternity")
    chance = np.where(~has.woman & (people.age < 42), 0.03 * calendar.years, 0.0)
    fathers = np.flatnonzero(rng.random(len(people)) < chance)
    first = rng.integers(0, calendar.days, len(people))[fathers]
    ones = np.ones(len(fathers), np.int64)
    paternity = Spells(fathers, first, first + 13, 3 * ones, 4000 * ones, ones)

    rng = protected.stream("career breaks")
    away = np.flatnonzero(rng.random(len(people)) < 0.003 * calendar.years)
    first = rng.integers(0, calendar.days, len(people))[away]
    ones = np.ones(len(away), np.int64)
    breaks = Spells(
        away, first, first + rng.integers(120, 365, len(people))[away], 9 * ones, 5000 * ones, ones
    )
    return _in_service(_together(_together(maternity, union), _together(paternity, breaks)), people, calendar)


def _counts(rng: np.random.Generator, rate: Floats, n: int) -> Ints:
    """Poisson counts for which a person whose rate is 0 uses up no draw of another's."""
    level = rng.random(n)
    counts, reached, chance = np.zeros(n, np.int64), np.exp(-rate), np.exp(-rate)
    for count in range(1, 400):
        more = level >= reached
        if not more.any():
            break
        counts[more] = count
        chance = chance * rate / count
        reached = reached + chance
    return counts


def _serves(spells: Spells, people: People, calendar: Calendar) -> Flags:
    serves = (spells.first >= people.begins[spells.person]) & (spells.first < people.ends[spells.person])
    return serves & (spells.first < calendar.days) & (spells.last >= 0)


def _in_service(spells: Spells, people: People, calendar: Calendar) -> Spells:
    return _where(spells, _serves(spells, people, calendar))


def _by_person(spells: Spells) -> Spells:
    return _where(spells, np.argsort(spells.person, kind="stable"))


def _where(spells: Spells, which: Flags | Ints | slice) -> Spells:
    return Spells(*(getattr(spells, name)[which] for name in Spells.__dataclass_fields__))


def _together(one: Spells, other: Spells) -> Spells:
    return Spells(
        *(np.concatenate([getattr(one, name), getattr(other, name)]) for name in Spells.__dataclass_fields__)
    )


def _covered(person: Ints, first: Ints, last: Ints, n_people: int, days: int) -> Flags:
    """Grid [person, day] of the days from `first` to `last` of any spell."""
    edges = np.zeros((n_people, days + 1), np.int16)
    first = np.clip(first, 0, days)
    np.add.at(edges, (person, first), 1)
    np.add.at(edges, (person, np.maximum(np.clip(last + 1, 0, days), first)), -1)
    return np.cumsum(edges[:, :days], axis=1, dtype=np.int16) > 0
