"""Tours of duty: planned, changed, worked.

Every tour that the full roster would hold is drawn first; absence then takes away tours and what hangs on
them, and shifts nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from evenhand.force.absence import Absence
from evenhand.force.conduct import Episodes
from evenhand.force.draws import Draws, Flags, Floats, Ints, row_code
from evenhand.force.extracts import Rows, id_series
from evenhand.force.lateness import known_days, known_minutes
from evenhand.force.parameters import Parameters
from evenhand.force.people import (
    MINUTES_A_DAY,
    PC,
    PS,
    SELF_KEPT_ROLES,
    SHIFT_ROLES,
    Calendar,
    People,
    Teams,
    is_role,
    role_index,
)
from features.tables.uk import ROLES

SHIFT_STARTS = {"E": 7 * 60, "L": 14 * 60, "N": 21 * 60, "D": 8 * 60, "RD": 9 * 60}
SHIFTS = tuple(SHIFT_STARTS)
ACTIVITIES = ("CORE", "EVENT", "COURT", "TRAINING")
TOUR_MINUTES = 600
REST_DAY = SHIFTS.index("RD")
FIELDS = ("START", "END", "BOOK_OFF", "REST_DAY", "CANCEL")
REASONS = ("EXIGENCY", "SICK", "COURT", "TRAINING", "SWAP", "ERROR", "LEAVE", "AID")
CANCEL_REASON = np.array([0, 1, 6, 3, 2])  # by the code of `Absence.cancelled`

# Why somebody worked on a rest day.
ROSTERED, SHORTAGE, AID, OWN_SWAP = range(4)

# How work runs on past the end of a tour, by role.
RUN_ON = {"RESPONSE": 0.16, "INVESTIGATION": 0.13, "CUSTODY": 0.07, "ROADS": 0.10, "SAFEGUARDING": 0.09,
          "PUBLIC_ORDER": 0.09}  # fmt: skip
RUN_ON_ELSEWHERE = 0.04


@dataclass(frozen=True, eq=False)
class Operations:
    """Public-order events and aid to other forces: first day and length in days of each."""

    first: Ints
    days: Ints

    def code_of(self, operation: Ints) -> pl.Series:
        """`OP-<number>`; null where the index is negative."""
        codes = pl.Series([f"OP-{number:03d}" for number in range(1, len(self.first) + 1)], dtype=pl.String())
        return codes.gather(pl.Series(np.where(operation < 0, 0, operation).astype(np.uint32))).zip_with(
            pl.Series(operation >= 0), pl.Series([None], dtype=pl.String()).new_from_index(0, len(operation))
        )


@dataclass(frozen=True, eq=False)
class Tours:
    """One entry a tour of the full roster; minutes count from the start of the data. Millions long, so narrow.

    Attributes:
        person, day, team: who, which day, in which team.
        code: names the tour. shift: index into SHIFTS.
        starts: planned start.
        operation: index of the operation it is charged to; negative where none.
        why: ROSTERED, or why a rest day was worked.
        over: minutes past the planned end when the person left (negative: before).
        booked_over: the same as first booked, before any later change.
        change_by: 0 no later change of the book-off, 1 by the person, 2 by the supervisor.
        false: whether the person's own change, or swap into a rest day, is misconduct.
        planned, worked: whether the tour was published, and whether it was worked.
    """

    person: Ints
    day: Ints
    team: Ints
    code: Ints
    shift: Ints
    starts: Ints
    operation: Ints
    why: Ints
    over: Ints
    booked_over: Ints
    change_by: Ints
    false: Flags
    planned: Flags
    worked: Flags

    @property
    def ids(self) -> pl.Series:
        return id_series("D", self.code)


def operations(calendar: Calendar, draws: Draws) -> Operations:
    """About sixteen a year, of one to four days."""
    rng = draws.stream("operations")
    n = max(4, round(16 * calendar.years))
    return Operations(np.sort(rng.integers(0, calendar.days, n)), rng.integers(1, 5, n))


def aid_pool(people: People, teams: Teams, parameters: Parameters, draws: Draws) -> Flags:
    """Who is sent to operations: public-order teams, and a pool of officers from elsewhere."""
    pool = draws.stream("aid pool").random(len(people)) < parameters["aid_pool_share"]
    able = ~people.staff & (people.rank <= PS)
    return able & (pool | (teams.role[people.team] == role_index("PUBLIC_ORDER")))


def tours(
    people: People,
    teams: Teams,
    episodes: Episodes,
    absence: Absence,
    ops: Operations,
    pool: Flags,
    calendar: Calendar,
    parameters: Parameters,
    draws: Draws,
) -> Tours:
    """Every tour of the full roster, with what became of it."""
    rostered, serves = _pattern(people, teams, calendar, draws)
    sent = _sent(people, ops, pool, calendar, draws)
    person, day = np.nonzero(rostered)
    extra_person, extra_day, why = _rest_day_work(
        people, teams, episodes, serves & ~rostered, sent >= 0, calendar, parameters, draws
    )
    n_rostered = len(person)
    person = np.concatenate([person, extra_person])
    day = np.concatenate([day, extra_day])
    why = np.concatenate([np.zeros(n_rostered, np.int64), why])
    team = people.team_on(person, day)
    shift = np.where(why > 0, REST_DAY, _shift(teams, team, day))
    starts = day * MINUTES_A_DAY + np.array(list(SHIFT_STARTS.values()))[shift]
    booked_over, over, change_by, false_change = _run_on(
        people, teams, episodes, person, day, team, why, parameters, draws
    )
    extra = episodes.extra("T1", person, day)
    false_swap = (why == OWN_SWAP) & (draws.stream("false swaps").random(len(person)) < extra / (1 + extra))
    cancelled, unplanned = absence.cancelled[person, day] > 0, absence.unplanned[person, day]
    return Tours(
        person=person.astype(np.int32),
        day=day.astype(np.int32),
        team=team.astype(np.int32),
        code=row_code(person, day),
        shift=shift.astype(np.int8),
        starts=starts.astype(np.int32),
        operation=sent[person, day].astype(np.int32),
        why=why.astype(np.int8),
        over=over.astype(np.int32),
        booked_over=booked_over.astype(np.int32),
        change_by=change_by.astype(np.int8),
        false=false_change | false_swap,
        planned=~unplanned & ((why == ROSTERED) | ~cancelled),
        worked=~unplanned & ~cancelled,
    )


def _pattern(people: People, teams: Teams, calendar: Calendar, draws: Draws) -> tuple[Flags, Flags]:
    """Grids [person, day]: rostered for duty, and in service."""
    days = np.arange(calendar.days)
    in_shifts = is_role(teams.role, SHIFT_ROLES)
    place = np.where(
        in_shifts[:, None], (days + teams.phase[:, None]) % 8, (days + teams.phase[:, None] % 2) % 7
    )
    place = np.where(place < 4, place, -1).astype(np.int8)
    grid = place[people.team]
    movers = np.flatnonzero(people.moves_on < calendar.days)
    later = days[None, :] >= people.moves_on[movers][:, None]
    grid[movers] = np.where(later, place[people.later_team[movers]], grid[movers])
    order = draws.stream("part-time days").permuted(np.tile(np.arange(4), (len(people), 1)), axis=1)
    works = np.zeros((len(people), 5), bool)
    works[:, :4] = order < np.round(4 * people.fte)[:, None]
    serves = (days >= people.begins[:, None]) & (days < people.ends[:, None])
    return works[np.arange(len(people))[:, None], grid] & serves, serves


def _shift(teams: Teams, team: Ints, day: Ints) -> Ints:
    """Early, late, night by turns of four for shift teams; day shifts elsewhere."""
    in_shifts = is_role(teams.role[team], SHIFT_ROLES)
    return np.where(in_shifts, ((day + teams.phase[team]) // 8) % 3, SHIFTS.index("D"))


def _sent(people: People, ops: Operations, pool: Flags, calendar: Calendar, draws: Draws) -> Ints:
    """Grid [person, day]: the operation a person is sent to, -1 where none."""
    rng = draws.stream("deployments")
    goes = pool[:, None] & (rng.random((len(people), len(ops.first))) < 0.35)
    sent = np.full((len(people), calendar.days), -1, np.int16)
    for operation, (first, days) in enumerate(zip(ops.first, ops.days, strict=True)):
        sent[goes[:, operation], first : first + days] = operation
    serves = (np.arange(calendar.days) >= people.begins[:, None]) & (
        np.arange(calendar.days) < people.ends[:, None]
    )
    return np.where(serves, sent, -1)


def _rest_day_work(
    people: People,
    teams: Teams,
    episodes: Episodes,
    off: Flags,
    sent: Flags,
    calendar: Calendar,
    parameters: Parameters,
    draws: Draws,
) -> tuple[Ints, Ints, Ints]:
    """Person, day and reason of each rest day worked."""
    rng = draws.stream("rest-day work")
    n = len(people)
    willing = draws.habits(n, "willing", parameters["activity_spread"]) * (people.rank <= PS)
    own = draws.habits(n, "own swaps", parameters["careless_spread"])
    part_timer = parameters["part_timer_times"] * draws.habits(
        n, "part-timer", parameters["explained_spread"]
    )
    own *= np.where(people.fte < 1, part_timer, 1.0)
    person, day = (part.astype(np.int64) for part in np.nonzero(off))
    draw = rng.random(len(person), np.float32)
    short = teams.short_on(people.team_on(person, day), day)
    called = 0.006 * willing[person] * np.where(short, parameters["short_team_times"], 1.0)
    swapped = 0.0012 * own[person] * (1 + episodes.extra("T1", person, day))
    why = np.select(
        [sent[person, day], draw < called, draw < called + swapped], [AID, SHORTAGE, OWN_SWAP], ROSTERED
    )
    works = why > 0
    return person[works], day[works], why[works]


def _run_on(
    people: People,
    teams: Teams,
    episodes: Episodes,
    person: Ints,
    day: Ints,
    team: Ints,
    why: Ints,
    parameters: Parameters,
    draws: Draws,
) -> tuple[Ints, Ints, Ints, Flags]:
    """Minutes past the planned end as first booked, as they stand at last, who changed them, and if falsely."""
    rng = draws.stream("run-on")
    n = len(person)
    by_role = np.array([RUN_ON.get(role, RUN_ON_ELSEWHERE) for role in ROLES])
    busy = draws.habits(len(people), "busy", parameters["activity_spread"])
    short = np.where(teams.short_on(team, day), parameters["short_team_times"], 1.0)
    runs = rng.random(n, np.float32) < np.minimum(0.6, by_role[teams.role[team]] * busy[person] * short**0.7)
    long = 15 + 60 * rng.standard_exponential(n, np.float32)
    booked = np.where(runs, np.minimum(long, 400), np.round(6 * rng.standard_normal(n, np.float32)))
    # Rest days worked on aid are short or long as the event demands.
    booked = np.where(why == AID, rng.integers(-360, 180, n), booked).astype(np.int64)

    rng = draws.stream("book-off changes")
    careless = draws.habits(len(people), "careless book-offs", parameters["careless_spread"])
    explained = draws.habits(len(people), "explained book-offs", parameters["explained_spread"])[person]
    usual = parameters["own_change_per_tour"] * careless[person]
    extra = episodes.extra("T1", person, day)
    more = np.where(people.new_on(person, day), parameters["probationer_times"], short)
    more = np.where(is_role(teams.role[team], SELF_KEPT_ROLES), parameters["self_kept_times"], more)
    more = np.where(people.rank[person] == PS, np.maximum(more, parameters["head_times"]), more)
    rate = usual * (1 + (more - 1) * explained + extra)
    draw = rng.random(n)
    by_self, by_supervisor = draw < rate, (draw > 0.5) & (draw < 0.5 + 2 * usual * short)
    false = by_self & (rng.random(n) < usual * extra / rate)
    correction = np.round(35 * rng.standard_normal(n)).astype(np.int64)
    added = np.where(false, rng.integers(30, 150, n), correction)
    over = np.where(by_self | by_supervisor, booked + added, booked)
    return booked, np.clip(over, -590, 700), np.where(by_self, 1, np.where(by_supervisor, 2, 0)), false


def duty_plan(tours: Tours, people: People, calendar: Calendar, draws: Draws) -> Rows:
    """The roster as published, some four to twelve weeks ahead."""
    kept = np.flatnonzero(tours.planned)
    code, day, starts = tours.code[kept], tours.day[kept], tours.starts[kept]
    published = (day // 28) * 28 - 35
    published = np.maximum(published, people.begins[tours.person[kept]] - 7)
    activity = np.where(tours.operation[kept] >= 0, 1, 0)
    draw = draws.of_row(code, "activity")
    activity = np.where(activity == 1, 1, np.where(draw < 0.012, 2, np.where(draw < 0.035, 3, 0)))
    activity = np.where(tours.why[kept] > 0, 0, activity)
    return Rows(
        code=code,
        frame=pl.DataFrame(
            {
                "duty_id": id_series("D", code),
                "person_key": people.keys_of(tours.person[kept]),
                "occurred_at": calendar.datetimes(starts),
                "known_at": calendar.datetimes(published * MINUTES_A_DAY + 9 * 60),
                "planned_end": calendar.datetimes(starts + TOUR_MINUTES),
                "shift_code": pl.Series(SHIFTS).gather(pl.Series(tours.shift[kept].astype(np.uint32))),
                "activity_code": pl.Series(ACTIVITIES).gather(pl.Series(activity.astype(np.uint32))),
            }
        ),
    )


def book_off_changed_at(tours: Tours, which: Ints, draws: Draws) -> Ints:
    """When a book-off was changed, in minutes: mostly within days of the tour, some after weeks."""
    draw = draws.of_row(tours.code[which], "changed after")
    days = np.where(draw < 0.8, 0.3 + 5 * draw, 8 + 100 * (draw - 0.8))
    return (
        tours.starts[which]
        + TOUR_MINUTES
        + np.maximum(tours.over[which], 0)
        + (days * MINUTES_A_DAY).astype(np.int64)
    )


def duty_worked(tours: Tours, people: People, ops: Operations, calendar: Calendar, draws: Draws) -> Rows:
    """Tours as booked, with a later version where the book-off was changed or the tour taken back."""
    first = np.flatnonzero(tours.worked)
    again = np.flatnonzero(tours.worked & (tours.change_by > 0))
    slips = np.flatnonzero(tours.worked & (tours.change_by == 0))
    slips = slips[draws.of_row(tours.code[slips], "clerical") < 0.012]
    taken_back = draws.of_row(tours.code[slips], "taken back") < 0.1
    which = np.concatenate([first, again, slips])
    version = np.repeat([0, 1, 1], [len(first), len(again), len(slips)])
    withdrawn = np.concatenate([np.zeros(len(first) + len(again), bool), taken_back])
    over = np.where(version == 0, tours.booked_over[which], tours.over[which])
    tour_code = tours.code[which]
    code = tour_code + version
    early = -np.round(8 * draws.of_row(tour_code, "early")).astype(np.int64)
    book_on = tours.starts[which] + early
    book_off = tours.starts[which] + TOUR_MINUTES + over
    confirmed = book_off + known_days(draws.of_row(tour_code, "confirmed"), 0.4)
    second = np.where(
        np.isin(which, again), book_off_changed_at(tours, which, draws) + 5,
        confirmed + known_days(draws.of_row(tour_code, "clerical later"), 6.0),
    )  # fmt: skip
    known = np.where(version == 0, confirmed, np.maximum(second, confirmed + 1))
    methods = np.searchsorted([0.55, 0.85, 0.94], draws.of_row(tour_code, "method"))
    return Rows(
        code=code,
        frame=pl.DataFrame(
            {
                "duty_id": id_series("D", tour_code),
                "person_key": people.keys_of(tours.person[which]),
                "occurred_at": calendar.datetimes(book_on),
                "known_at": calendar.datetimes(known),
                "book_off": calendar.datetimes(book_off),
                "minutes_worked": np.clip(book_off - book_on, 0, 1440),
                "minutes_over": np.maximum(over, 0),
                "rest_day": tours.why[which] > 0,
                "book_on_method": pl.Series(["RADIO", "APP", "SUPERVISOR", "SELF"]).gather(
                    pl.Series(methods.astype(np.uint32))
                ),
                "project_code": ops.code_of(tours.operation[which]),
                "withdrawn": withdrawn,
            }
        ),
    )


def duty_amendment(
    tours: Tours,
    people: People,
    teams: Teams,
    absence: Absence,
    calendar: Calendar,
    parameters: Parameters,
    draws: Draws,
) -> Rows:
    """Changes to published tours, whoever made them."""
    planners = np.flatnonzero((teams.role[people.team] == role_index("PLANNING")) & (people.rank <= PC))
    first_day = tours.starts // MINUTES_A_DAY
    parts: list[tuple[Ints, int, Ints, Ints, Ints, Ints, Ints]] = []

    def planner_of(which: Ints) -> Ints:
        # The planner of a unit, whoever is there: the record carries the number of the post's log-on.
        return planners[teams.unit[tours.team[which]] % len(planners)]

    # cancelled for absence
    gone = np.flatnonzero((absence.cancelled[tours.person, tours.day] > 0) & tours.planned)
    parts.append((
        gone, 0, np.full(len(gone), 4), np.full(len(gone), -TOUR_MINUTES), planner_of(gone),
        CANCEL_REASON[absence.cancelled[tours.person[gone], tours.day[gone]]],
        tours.starts[gone] - (60 + 2800 * draws.of_row(tours.code[gone], "cancelled") ** 3).astype(np.int64),
    ))  # fmt: skip

    # start or end moved by the planner
    short = np.where(teams.short_on(tours.team, tours.day), parameters["short_team_times"], 1.0)
    draw = draws.of_row(tours.code, "moved")
    moved = np.flatnonzero((draw < 0.02 * short) & tours.worked)
    field = np.where(draws.of_row(tours.code[moved], "which end") < 0.5, 0, 1)
    minutes = 30 * (1 + (8 * draws.of_row(tours.code[moved], "moved by")).astype(np.int64)) - 120
    parts.append((
        moved, 1, field, minutes, planner_of(moved), np.zeros(len(moved), np.int64),
        tours.starts[moved] - _lead(draws.of_row(tours.code[moved], "move lead"), short[moved] > 1),
    ))  # fmt: skip

    # rest days turned into duty
    rest = np.flatnonzero((tours.why > 0) & tours.worked)
    why = tours.why[rest]
    lead_draw = draws.of_row(tours.code[rest], "rest-day lead")
    lead = np.select(
        [why == AID, why == SHORTAGE],
        [((4 + 20 * lead_draw) * MINUTES_A_DAY).astype(np.int64), _lead(lead_draw, short[rest] > 1)],
        np.where(
            tours.false[rest] | (lead_draw < 0.25),
            60 + 1200 * lead_draw,
            (2 + 18 * lead_draw) * MINUTES_A_DAY,
        ),
    ).astype(np.int64)
    parts.append((
        rest, 2, np.full(len(rest), 3), np.full(len(rest), TOUR_MINUTES),
        np.where(why == OWN_SWAP, tours.person[rest], planner_of(rest)),
        np.select([why == AID, why == SHORTAGE], [7, 0], 4), tours.starts[rest] - lead,
    ))  # fmt: skip

    # book-off put right (or not) after the tour
    changed = np.flatnonzero((tours.change_by > 0) & tours.worked)
    supervisor = teams.supervisor_on(tours.team[changed], tours.day[changed])
    parts.append((
        changed, 3, np.full(len(changed), 2), (tours.over - tours.booked_over)[changed],
        np.where(tours.change_by[changed] == 1, tours.person[changed], supervisor),
        np.full(len(changed), 5), book_off_changed_at(tours, changed, draws),
    ))  # fmt: skip

    which = np.concatenate([part[0] for part in parts])
    number = np.concatenate([np.full(len(part[0]), part[1]) for part in parts])
    field, minutes, by, reason, at = (np.concatenate([part[k] for part in parts]) for k in range(2, 7))
    code = row_code(tours.person[which], first_day[which], number)
    return Rows(
        code=code,
        frame=pl.DataFrame(
            {
                "amendment_id": id_series("A", code),
                "duty_id": id_series("D", tours.code[which]),
                "person_key": people.keys_of(tours.person[which]),
                "occurred_at": calendar.datetimes(at),
                "known_at": calendar.datetimes(at + known_minutes(draws.of_row(code, "amendment arrives"))),
                "duty_start": calendar.datetimes(tours.starts[which]),
                "field": pl.Series(FIELDS).gather(pl.Series(field.astype(np.uint32))),
                "minutes_changed": np.clip(minutes, -1440, 1440),
                "amended_by_key": people.keys_of(by),
                "reason_code": pl.Series(REASONS).gather(pl.Series(reason.astype(np.uint32))),
            }
        ),
    )


def _lead(draw: Floats, pressed: Flags) -> Ints:
    """Minutes of notice: days as a rule, hours where the team is pressed."""
    days = np.where(pressed, 0.1 + 4 * draw**2, 0.3 + 16 * draw**1.5)
    return (days * MINUTES_A_DAY).astype(np.int64)


def event_deployment(tours: Tours, people: People, ops: Operations, calendar: Calendar, draws: Draws) -> Rows:
    """Deployments that took place."""
    which = np.flatnonzero((tours.operation >= 0) & tours.worked)
    code = tours.code[which]
    ordered = tours.starts[which] - ((5 + 25 * draws.of_row(code, "ordered")) * MINUTES_A_DAY).astype(
        np.int64
    )
    return Rows(
        code=code,
        frame=pl.DataFrame(
            {
                "deployment_id": id_series("X", code),
                "person_key": people.keys_of(tours.person[which]),
                "occurred_at": calendar.datetimes(tours.starts[which]),
                "known_at": calendar.datetimes(ordered),
                "project_code": ops.code_of(tours.operation[which]),
                "minutes": TOUR_MINUTES + np.maximum(tours.over[which], -590),
                "rest_day": tours.why[which] > 0,
            }
        ),
    )
