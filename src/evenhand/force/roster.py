"""Tours of duty: planned, changed, worked.

Every tour that the full roster would hold is drawn first; absence then takes away tours and what hangs on
them, and shifts nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from evenhand.force.absence import Away, away
from evenhand.force.columns import Labels, Plain, Rows, ids, labels
from evenhand.force.draws import Flags, Floats, Ints, row_code
from evenhand.force.lateness import known_days, known_minutes
from evenhand.force.operations import DEPLOYMENT_TYPES, MAJOR_INCIDENT, sent
from evenhand.force.people import (
    MINUTES_A_DAY,
    PS,
    SELF_KEPT_ROLES,
    SHIFT_ROLES,
    Teams,
    is_role,
)
from evenhand.force.world import World
from features.tables.uk import ROLES

SHIFT_STARTS = {"E": 7 * 60, "L": 14 * 60, "N": 21 * 60, "D": 8 * 60, "RD": 9 * 60}
SHIFTS = tuple(SHIFT_STARTS)
ACTIVITIES = ("CORE", "EVENT", "COURT", "TRAINING")
TOUR_MINUTES = 600
REST_DAY = SHIFTS.index("RD")
FIELDS = ("START", "END", "BOOK_OFF", "REST_DAY", "CANCEL")
START, END, BOOK_OFF, TO_REST_DAY, CANCEL = range(5)
REASONS = ("EXIGENCY", "SICK", "COURT", "TRAINING", "SWAP", "ERROR", "LEAVE", "AID")
EXIGENCY, SICK, COURT, TRAINING, SWAP, ERROR, LEAVE, OF_AID = range(8)
CANCEL_REASON = np.array([EXIGENCY, SICK, LEAVE, TRAINING, COURT])  # by the code of `Away.cancelled`

# Why somebody worked on a rest day.
ROSTERED, SHORTAGE, AID, OWN_SWAP, INQUIRY = range(5)

# How work runs on past the end of a tour, by role.
RUN_ON = {"RESPONSE": 0.16, "INVESTIGATION": 0.13, "CUSTODY": 0.07, "ROADS": 0.10, "SAFEGUARDING": 0.09,
          "PUBLIC_ORDER": 0.09}  # fmt: skip
RUN_ON_ELSEWHERE = 0.04
INQUIRY_RUN_ON, INQUIRY_REST_DAYS = 3.0, 0.06  # on a major inquiry: run-on, times the usual; rest days worked
REMOTE_SHARE = 0.12  # tours that holders of hybrid posts work remotely as a rule
TERMINALS_A_SITE = 8  # the first of them shared


@dataclass(frozen=True, eq=False)
class Tours:
    """One entry a tour of the full roster of a block of people; minutes count from the start of the data.

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
        batched: whether a change was asked for in time and entered in a batch after the pay period.
        cancelled: as in `Away`. on_leave: ordinary leave, whatever became of the tour.
        planned, worked: whether the tour was published, and whether it was worked. remote: away from the office.
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
    batched: Flags
    cancelled: Ints
    on_leave: Flags
    planned: Flags
    worked: Flags
    remote: Flags

    def __len__(self) -> int:
        return len(self.person)


def tours(world: World, first: int, end: int) -> tuple[Tours, Away]:
    """Every tour of the full roster of the people `[first, end)`, with what became of it, and their absence."""
    gone = away(world.absence.of_people(first, end), end - first, world.calendar)
    rostered, serves = _pattern(world, first, end)
    deployed = sent(
        first, end - first, world.pool, world.moved, world.people, world.ops, world.calendar,
        world.parameters, world.draws,
    )  # fmt: skip
    row, day = np.nonzero(rostered)
    extra_row, extra_day, why = _rest_day_work(world, first, serves & ~rostered, deployed)
    why = np.concatenate([np.zeros(len(row), np.int8), why])
    row, day = np.concatenate([row, extra_row]), np.concatenate([day, extra_day])
    person = row + first
    team = world.people.team_on(person, day)
    shift = np.where(why > 0, REST_DAY, _shift(world.teams, team, day))
    code = row_code(person, day)
    operation = deployed[row, day]
    booked_over, over, change_by, false, batched = _run_on(world, person, day, team, why, operation, code)
    extra = world.episodes.extra("T1", person, day)
    swaps = np.flatnonzero((why == OWN_SWAP) & (extra > 0))
    share = extra[swaps] / (1 + extra[swaps])
    false[swaps] |= world.draws.of_row(code[swaps], "false swaps") < share
    cancelled, unplanned = gone.cancelled[row, day], gone.unplanned[row, day]
    worked = ~unplanned & (cancelled == 0)
    return Tours(
        person=person.astype(np.int32),
        day=day.astype(np.int32),
        team=team.astype(np.int32),
        code=code,
        shift=shift.astype(np.int8),
        starts=(day * MINUTES_A_DAY + np.array(list(SHIFT_STARTS.values()))[shift]).astype(np.int32),
        operation=operation.astype(np.int32),
        why=why,
        over=over,
        booked_over=booked_over,
        change_by=change_by,
        false=false,
        batched=batched,
        cancelled=cancelled,
        on_leave=gone.on_leave[row, day],
        planned=~unplanned & ((why == ROSTERED) | (cancelled == 0)),
        worked=worked,
        remote=_remote(world, person, day, code, why),
    ), gone


def _pattern(world: World, first: int, end: int) -> tuple[Flags, Flags]:
    """Grids [person, day]: rostered for duty, and in service."""
    teams, calendar, everybody = world.teams, world.calendar, np.arange(first, end)
    people = world.people
    days = np.arange(calendar.days)

    def place_of(team: Ints) -> Ints:
        phase = teams.phase[team][:, None]
        turns = np.where(
            is_role(teams.role[team], SHIFT_ROLES)[:, None], (days + phase) % 8, (days + phase % 2) % 7
        )
        return np.where(turns < 4, turns, -1).astype(np.int8)

    grid = place_of(people.team[everybody])
    movers = np.flatnonzero(people.moves_on[everybody] < calendar.days)
    later = days[None, :] >= people.moves_on[everybody[movers]][:, None]
    grid[movers] = np.where(later, place_of(people.later_team[everybody[movers]]), grid[movers])
    # Which of the four days of a turn somebody works part-time: four draws a person, ranked.
    numbers = np.arange(4)
    draw = world.draws.of_row((everybody[:, None] * 4 + numbers).ravel(), "part-time days").reshape(-1, 4)
    order = draw.argsort(axis=1).argsort(axis=1)
    works = np.zeros((len(everybody), 5), bool)
    works[:, :4] = order < np.round(4 * people.fte[everybody])[:, None]
    serves = (days >= people.begins[everybody][:, None]) & (days < people.ends[everybody][:, None])
    return works[np.arange(len(everybody))[:, None], grid] & serves, serves


def _shift(teams: Teams, team: Ints, day: Ints) -> Ints:
    """Early, late, night by turns of four for shift teams; day shifts elsewhere."""
    in_shifts = is_role(teams.role, SHIFT_ROLES)[team]
    return np.where(in_shifts, ((day + teams.phase[team]) // 8) % 3, SHIFTS.index("D"))


def _rest_day_work(world: World, first: int, off: Flags, deployed: Ints) -> tuple[Ints, Ints, Ints]:
    """Row of the block, day and reason of each rest day worked."""
    people, parameters = world.people, world.parameters
    willing = world.habit("willing", "activity_spread") * people.paid_overtime
    own = world.habit("own swaps", "careless_spread")
    part_timer = parameters["part_timer_times"] * world.habit("part-timer", "explained_spread")
    own = own * np.where(people.part_time, part_timer, 1.0)
    row, day = np.nonzero(off)
    person = row + first
    draw = world.draws.of_row(row_code(person, day), "rest-day work")
    # Whoever could be called at the highest rates; the rest need no further look.
    operation = deployed[row, day]
    highest = 0.006 * willing * max(parameters["short_team_times"], 1.0) + INQUIRY_REST_DAYS * 2
    highest += 0.0012 * own * (1 + world.episodes.times[0])
    some = np.flatnonzero((draw < highest[person]) | (operation >= 0))
    row, day, person, operation = (part[some] for part in (row, day, person, operation))
    draw = draw[some]
    short = world.teams.short_on(people.team_on(person, day), day)
    called = 0.006 * willing[person] * np.where(short, parameters["short_team_times"], 1.0)
    swapped = 0.0012 * own[person] * (1 + world.episodes.extra("T1", person, day))
    inquiring = (operation >= 0) & (world.ops.kind[operation] == MAJOR_INCIDENT)
    why = np.select(
        [
            (operation >= 0) & ~inquiring,
            draw < called,
            draw < called + swapped,
            inquiring & (draw < called + swapped + INQUIRY_REST_DAYS * willing[person]),
        ],
        [AID, SHORTAGE, OWN_SWAP, INQUIRY],
        ROSTERED,
    )
    works = why > 0
    return row[works], day[works], why[works].astype(np.int8)


def _run_on(
    world: World, person: Ints, day: Ints, team: Ints, why: Ints, operation: Ints, code: Ints
) -> tuple[Ints, Ints, Ints, Flags, Flags]:
    """Minutes past the planned end as first booked and as they stand at last, who changed them, if falsely, if in a batch."""
    draws, parameters, teams = world.draws, world.parameters, world.teams
    role = teams.role[team]
    by_role = np.array([RUN_ON.get(name, RUN_ON_ELSEWHERE) for name in ROLES])
    busy = world.habit("busy", "activity_spread")
    short = np.where(teams.short_on(team, day), parameters["short_team_times"], 1.0)
    on_inquiry = (operation >= 0) & (world.ops.kind[operation] == MAJOR_INCIDENT)
    pressed = np.where(on_inquiry, INQUIRY_RUN_ON, short**0.7)
    runs, length = draws.two_of_row(code, "run-on")
    booked = np.round(6 * draws.normal_of_row(code, "leaves about time")).astype(np.int32)
    long = np.flatnonzero(runs < np.minimum(0.6, by_role[role] * busy[person] * pressed))
    booked[long] = np.minimum(15 - 60 * np.log1p(-length[long]), 400)
    # Rest days worked on aid are short or long as the event demands.
    aid = np.flatnonzero(why == AID)
    booked[aid] = -360 + 540 * length[aid]

    careless = world.habit("careless book-offs", "careless_spread")
    explained = world.habit("explained book-offs", "explained_spread")[person]
    usual = parameters["own_change_per_tour"] * careless[person]
    extra = world.episodes.extra("T1", person, day)
    in_batches = teams.late_authoriser[team]
    more = np.where(world.people.new_on(person, day), parameters["probationer_times"], short)
    more = np.where(in_batches, np.maximum(more, parameters["late_authoriser_times"]), more)
    more = np.where(
        is_role(teams.role, SELF_KEPT_ROLES)[team], np.maximum(more, parameters["self_kept_times"]), more
    )
    more = np.where(world.people.rank[person] == PS, np.maximum(more, parameters["head_times"]), more)
    innocent = usual * (1 + (more - 1) * explained)
    rate = innocent + usual * extra
    draw = draws.of_row(code, "book-off changes")
    by_self, by_supervisor = draw < rate, (draw > 0.5) & (draw < 0.5 + 2 * usual * short)
    false = by_self & (draw >= innocent)
    changed = np.flatnonzero(by_self | by_supervisor)
    correction = np.round(35 * draws.normal_of_row(code[changed], "correction"))
    added = 30 + 120 * draws.of_row(code[changed], "false minutes")
    over = booked.copy()
    over[changed] += np.where(false[changed], added, correction).astype(np.int32)
    change_by = np.where(by_self, 1, np.where(by_supervisor, 2, 0)).astype(np.int8)
    return booked, np.clip(over, -590, 700), change_by, false, in_batches & (change_by > 0) & ~false


def _remote(world: World, person: Ints, day: Ints, code: Ints, why: Ints) -> Flags:
    """Tours that holders of hybrid posts work away from the office."""
    remote = np.zeros(len(person), bool)
    some = np.flatnonzero(world.people.hybrid[person] & (why == ROSTERED))
    usual = np.minimum(REMOTE_SHARE * world.habit("remote", "careless_spread")[person[some]], 0.3)
    strength = world.episodes.extra("T3", person[some], day[some])
    share = np.where(strength > 0, np.minimum(world.parameters["t3_remote_share"] * strength, 0.9), usual)
    remote[some] = world.draws.of_row(code[some], "remote") < share
    return remote


def duty_plan(tours: Tours, world: World) -> Rows:
    """The roster as published, some four to twelve weeks ahead."""
    kept = np.flatnonzero(tours.planned)
    code, day, starts = tours.code[kept], tours.day[kept], tours.starts[kept]
    published = np.maximum((day // 28) * 28 - 35, world.people.begins[tours.person[kept]] - 7)
    draw = world.draws.of_row(code, "activity")
    away_from_core = np.where(draw < 0.012, 2, np.where(draw < 0.035, 3, 0))
    activity = np.where(tours.operation[kept] >= 0, 1, away_from_core)
    activity = np.where(tours.why[kept] > 0, 0, activity)
    calendar = world.calendar
    return Rows(
        code=code,
        columns={
            "duty_id": ids("D", code),
            "person_key": world.people.keys_of(tours.person[kept]),
            "occurred_at": calendar.times(starts),
            "known_at": calendar.times(published * MINUTES_A_DAY + 9 * 60),
            "planned_end": calendar.times(starts + TOUR_MINUTES),
            "shift_code": labels(SHIFTS, tours.shift[kept]),
            "activity_code": labels(ACTIVITIES, activity),
        },
    )


def book_off_changed_at(tours: Tours, which: Ints, world: World) -> Ints:
    """When a book-off was changed, in minutes: mostly within days of the tour, some after weeks.

    False changes often wait until the pay period has closed and nobody looks; those of a batch always do.
    """
    draw, other = world.draws.two_of_row(tours.code[which], "changed after")
    left = tours.starts[which] + TOUR_MINUTES + np.maximum(tours.over[which], 0)
    days = np.where(draw < 0.8, 0.3 + 5 * draw, 8 + 100 * (draw - 0.8))
    usual = left + (days * MINUTES_A_DAY).astype(np.int64)
    closed = world.calendar.pay_closes(tours.day[which])
    batch = closed + (draw * 6 * MINUTES_A_DAY).astype(np.int64) + 600
    waits = tours.batched[which] | (tours.false[which] & (other < 0.35))
    return np.where(waits, np.maximum(batch, left + 60), usual)


def elapsed(begin: Ints, end: Ints, world: World) -> Ints:
    """Minutes between two local times, with the hour that a change of clocks takes or gives."""
    minutes = end - begin
    for days, hour in ((world.calendar.forward, -60), (world.calendar.back, 60)):
        for change in days * MINUTES_A_DAY + 120:
            minutes = np.where((begin < change - 60) & (end >= change), minutes + hour, minutes)
    return minutes


def duty_worked(tours: Tours, world: World) -> Rows:
    """Tours as booked, with a later version where the book-off was changed or the tour taken back."""
    draws, calendar = world.draws, world.calendar
    first = np.flatnonzero(tours.worked)
    again = np.flatnonzero(tours.worked & (tours.change_by > 0))
    slips = np.flatnonzero(tours.worked & (tours.change_by == 0))
    slip, back = draws.two_of_row(tours.code[slips], "clerical")
    slips, back = slips[slip < 0.012], back[slip < 0.012]
    which = np.concatenate([first, again, slips])
    version = np.repeat([0, 1, 1], [len(first), len(again), len(slips)])
    withdrawn = np.concatenate([np.zeros(len(first) + len(again), bool), back < 0.1])
    over = np.where(version == 0, tours.booked_over[which], tours.over[which])
    code = tours.code[which]
    early, method = draws.two_of_row(code, "books on")
    book_on = tours.starts[which] - np.round(8 * early).astype(np.int32)
    book_off = tours.starts[which] + TOUR_MINUTES + over
    confirmed = book_off + known_days(draws.of_row(code, "confirmed"), 0.4)
    later = confirmed.copy()
    changes = slice(len(first), len(first) + len(again))
    later[changes] = book_off_changed_at(tours, again, world) + 5
    clerical = slice(len(first) + len(again), None)
    later[clerical] += known_days(draws.of_row(code[clerical], "clerical later"), 6.0)
    known = np.where(version == 0, confirmed, np.maximum(later, confirmed + 1))
    return Rows(
        code=code + version,
        columns={
            "duty_id": ids("D", code),
            "person_key": world.people.keys_of(tours.person[which]),
            "occurred_at": calendar.times(book_on),
            "known_at": calendar.times(known),
            "book_off": calendar.times(book_off),
            "minutes_worked": Plain(np.clip(elapsed(book_on, book_off, world), 0, 1440)),
            "minutes_over": Plain(np.maximum(over, 0)),
            "rest_day": Plain(tours.why[which] > 0),
            "book_on_method": labels(
                ("RADIO", "APP", "SUPERVISOR", "SELF"), np.searchsorted([0.55, 0.85, 0.94], method)
            ),
            "project_code": world.ops.code_of(tours.operation[which]),
            "site": labels(
                world.teams.sites, np.where(tours.remote[which], -1, world.teams.site_of(tours.team[which]))
            ),
            "withdrawn": Plain(withdrawn),
        },
    )


def terminals(world: World) -> pa.Array:
    """Names of the terminals of every site, the first of each shared, and of a remote one."""
    names = [
        f"{site}-{number}" if number else f"{site}-SHARED"
        for site in world.teams.sites.to_pylist()
        for number in range(TERMINALS_A_SITE)
    ]
    return pa.array([*names, "REMOTE"])


def terminal_of(person: Ints, team: Ints, shared: Flags, remote: Flags, world: World) -> Labels:
    """The terminal that a person uses in a team."""
    own = 1 + person % (TERMINALS_A_SITE - 1)
    number = TERMINALS_A_SITE * world.teams.site_of(team) + np.where(shared, 0, own)
    names = terminals(world)
    return labels(names, np.where(remote, len(names) - 1, number))


@dataclass(frozen=True, eq=False)
class _Changes:
    """Some changes of one sort: indices of tours, and for each what, by how much, by whom, why and when."""

    tour: Ints
    number: int
    field: Ints
    minutes: Ints
    by: Ints
    behalf: Ints
    reason: Ints
    at: Ints
    requested: Ints


NOT_REQUESTED = -(2**30)


def duty_amendment(tours: Tours, world: World) -> Rows:
    """Changes to published tours, whoever made them."""
    sorts = [
        _cancelled(tours, world), _moved(tours, world), _to_rest_days(tours, world), _book_offs(tours, world),
        _requests(tours, world),
    ]  # fmt: skip

    def joined(name: str) -> Ints:
        return np.concatenate([getattr(sort, name) for sort in sorts])

    which, by, behalf = joined("tour"), joined("by"), joined("behalf")
    number = np.repeat([sort.number for sort in sorts], [len(sort.tour) for sort in sorts])
    at, requested = joined("at"), joined("requested")
    code = row_code(tours.person[which], tours.day[which], number)
    supervisor = world.people.rank[by] == PS
    shared = supervisor & (behalf >= 0) & (world.parameters["head_on_behalf"] > 0)
    known = at + known_minutes(world.draws.of_row(code, "amendment arrives"))
    calendar = world.calendar
    return Rows(
        code=code,
        columns={
            "amendment_id": ids("A", code),
            "duty_id": ids("D", tours.code[which]),
            "person_key": world.people.keys_of(tours.person[which]),
            "occurred_at": calendar.times(at),
            "known_at": calendar.times(known),
            "duty_start": calendar.times(tours.starts[which]),
            "field": labels(FIELDS, joined("field")),
            "minutes_changed": Plain(np.clip(joined("minutes"), -1440, 1440)),
            "amended_by_key": world.people.keys_of(by),
            "on_behalf_of": world.people.keys_of(behalf),
            "terminal_id": terminal_of(
                by, world.people.team_on(by, tours.day[which]), shared, np.zeros(len(by), bool), world
            ),
            "requested_at": calendar.times(
                np.where(requested == NOT_REQUESTED, 0, requested), requested == NOT_REQUESTED
            ),
            "pay_closes_at": calendar.times(calendar.pay_closes(tours.day[which])),
            "reason_code": labels(REASONS, joined("reason")),
        },
    )


def _planner_of(tours: Tours, which: Ints, world: World) -> Ints:
    return world.planners[world.teams.unit[tours.team[which]] % len(world.planners)]


def _short(tours: Tours, world: World) -> Floats:
    is_short = world.teams.short_on(tours.team, tours.day)
    return np.where(is_short, world.parameters["short_team_times"], 1.0)


def _nobody(n: int) -> Ints:
    return np.full(n, -1)


def _cancelled(tours: Tours, world: World) -> _Changes:
    """Tours cancelled for absence."""
    gone = np.flatnonzero((tours.cancelled > 0) & tours.planned)
    n = len(gone)
    ahead = (60 + 2800 * world.draws.of_row(tours.code[gone], "cancelled") ** 3).astype(np.int64)
    return _Changes(
        gone, 0, np.full(n, CANCEL), np.full(n, -TOUR_MINUTES), _planner_of(tours, gone, world), _nobody(n),
        CANCEL_REASON[tours.cancelled[gone]], tours.starts[gone] - ahead, np.full(n, NOT_REQUESTED),
    )  # fmt: skip


def _moved(tours: Tours, world: World) -> _Changes:
    """Start or end moved by the planner."""
    short = _short(tours, world)
    draw, which_end = world.draws.two_of_row(tours.code, "moved")
    moved = np.flatnonzero((draw < 0.02 * short) & tours.worked)
    n = len(moved)
    by, lead = world.draws.two_of_row(tours.code[moved], "moved by")
    return _Changes(
        moved, 1, np.where(which_end[moved] < 0.5, START, END), 30 * (1 + (8 * by).astype(np.int64)) - 120,
        _planner_of(tours, moved, world), _nobody(n), np.full(n, EXIGENCY),
        tours.starts[moved] - _lead(lead, short[moved] > 1), np.full(n, NOT_REQUESTED),
    )  # fmt: skip


def _to_rest_days(tours: Tours, world: World) -> _Changes:
    """Rest days turned into duty."""
    rest = np.flatnonzero((tours.why > 0) & tours.worked)
    n, why = len(rest), tours.why[rest]
    draw = world.draws.of_row(tours.code[rest], "rest-day lead")
    pressed = _short(tours, world)[rest] > 1
    at_once = tours.false[rest] | (draw < 0.25)
    lead = np.select(
        [why == AID, np.isin(why, [SHORTAGE, INQUIRY])],
        [(4 + 20 * draw) * MINUTES_A_DAY, _lead(draw, pressed)],
        np.where(at_once, 60 + 1200 * draw, (2 + 18 * draw) * MINUTES_A_DAY),
    ).astype(np.int64)
    own = why == OWN_SWAP
    return _Changes(
        rest, 2, np.full(n, TO_REST_DAY), np.full(n, TOUR_MINUTES),
        np.where(own, tours.person[rest], _planner_of(tours, rest, world)), _nobody(n),
        np.select([why == AID, own], [OF_AID, SWAP], EXIGENCY), tours.starts[rest] - lead,
        np.full(n, NOT_REQUESTED),
    )  # fmt: skip


def _book_offs(tours: Tours, world: World) -> _Changes:
    """Book-offs put right (or not) after the tour."""
    changed = np.flatnonzero((tours.change_by > 0) & tours.worked)
    n = len(changed)
    by_self = tours.change_by[changed] == 1
    supervisor = world.teams.supervisor_on(tours.team[changed], tours.day[changed])
    left = tours.starts[changed] + TOUR_MINUTES + np.maximum(tours.over[changed], 0)
    asked = left + (600 * world.draws.of_row(tours.code[changed], "asked for")).astype(np.int64) + 15
    return _Changes(
        changed, 3, np.full(n, BOOK_OFF), (tours.over - tours.booked_over)[changed],
        np.where(by_self, tours.person[changed], supervisor),
        np.where(by_self | (supervisor == tours.person[changed]), -1, tours.person[changed]),
        np.full(n, ERROR), book_off_changed_at(tours, changed, world),
        np.where(tours.batched[changed], asked, NOT_REQUESTED),
    )  # fmt: skip


def _requests(tours: Tours, world: World) -> _Changes:
    """Changes that people asked the planner for; somebody with other work asks for the same weekday again and again."""
    draw, minutes = world.draws.two_of_row(tours.code, "asks for a change")
    other_work = world.episodes.during("T6", tours.person, tours.day)
    weekday = (7 * world.draws.of_row(tours.person, "other work's day")).astype(np.int64)
    that_day = other_work & (tours.day % 7 == weekday)
    asks = np.flatnonzero(tours.worked & (tours.why == ROSTERED) & (draw < np.where(that_day, 0.45, 0.006)))
    n = len(asks)
    ahead = ((2 + 20 * minutes[asks]) * MINUTES_A_DAY).astype(np.int64)
    return _Changes(
        asks, 4, np.where(minutes[asks] < 0.5, START, END), 60 - 30 * (5 * minutes[asks]).astype(np.int64),
        _planner_of(tours, asks, world), tours.person[asks].astype(np.int64), np.full(n, SWAP),
        tours.starts[asks] - ahead, tours.starts[asks] - ahead - 1440,
    )  # fmt: skip


def _lead(draw: Floats, pressed: Flags) -> Ints:
    """Minutes of notice: days as a rule, hours where the team is pressed."""
    days = np.where(pressed, 0.1 + 4 * draw**2, 0.3 + 16 * draw**1.5)
    return (days * MINUTES_A_DAY).astype(np.int64)


def event_deployment(tours: Tours, world: World) -> Rows:
    """Deployments that took place."""
    which = np.flatnonzero((tours.operation >= 0) & tours.worked)
    code, operation = tours.code[which], tours.operation[which]
    ahead = ((5 + 25 * world.draws.of_row(code, "ordered")) * MINUTES_A_DAY).astype(np.int64)
    ahead = np.where(world.ops.kind[operation] == MAJOR_INCIDENT, ahead // 10, ahead)
    calendar = world.calendar
    return Rows(
        code=code,
        columns={
            "deployment_id": ids("X", code),
            "person_key": world.people.keys_of(tours.person[which]),
            "occurred_at": calendar.times(tours.starts[which]),
            "known_at": calendar.times(tours.starts[which] - ahead),
            "project_code": world.ops.code_of(operation),
            "deployment_type": labels(DEPLOYMENT_TYPES, world.ops.kind[operation]),
            "minutes": Plain(TOUR_MINUTES + np.maximum(tours.over[which], -590)),
            "rest_day": Plain(tours.why[which] > 0),
        },
    )
