"""Claims for overtime, rest-day working and recall."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from evenhand.force.columns import Column, Labels, Plain, Rows, ids, labels
from evenhand.force.draws import Flags, Floats, Ints, row_code
from evenhand.force.lateness import known_days
from evenhand.force.people import HANDOVER_ROLES, STAFF, TEAMS_A_UNIT, is_role
from evenhand.force.roster import AID, TOUR_MINUTES, Tours
from evenhand.force.world import World

CLAIM_TYPES = ("CASUAL", "PREPLANNED", "REST_DAY", "RECALL", "AID")
CASUAL, PREPLANNED, ON_REST_DAY, RECALL, ON_AID = range(5)
RATES = np.array([1.333, 1.333, 1.5, 1.333, 1.5])
STAFF_RATE = 1.5  # contracts of police staff know no time-and-a-third
LEAST_REST_DAY_MINUTES = 240
REASON_TEXTS = 400
TEAM_TEXTS, OPERATION_TEXTS, OWN_TEXTS = 10_000, 20_000, 100_000  # where the numbers of each kind begin
ON_LEAVE_CLAIM = 0.004  # false claims on days of leave, as a share of such days and of the episode's strength
RECALL_NUMBER, LEAVE_NUMBER = 100, 200


def overtime_claim(tours: Tours, world: World) -> Rows:
    """Claims as submitted, with a later version where one was put right or taken back."""
    draws, ops, calendar = world.draws, world.ops, world.calendar
    able = world.people.paid_overtime[tours.person]
    extra = world.episodes.extra("T2", tours.person, tours.day)
    minutes, on_rest_day = _minutes(tours, extra, world)
    which = np.flatnonzero(able & tours.worked & (minutes > 0))
    preplanned, _ = draws.two_of_row(tours.code[which], "preplanned")
    kind = np.select(
        [tours.why[which] == AID, on_rest_day[which], preplanned < 0.15],
        [ON_AID, ON_REST_DAY, PREPLANNED],
        CASUAL,
    )
    starts = np.where(on_rest_day, tours.starts, tours.starts + TOUR_MINUTES)[which]

    # Recalls hang on no tour; claims on a day of leave hang on nothing at all.
    called, false = draws.two_of_row(tours.code, "recalled")
    usual = _usual(tours, world)
    recalled = np.flatnonzero(able & tours.worked & (called < 0.12 * usual * (1 + extra) + 0.0008))
    on_leave = np.flatnonzero(able & tours.on_leave & (false < ON_LEAVE_CLAIM * extra))
    every = np.concatenate([which, recalled, on_leave])
    sizes = [len(which), len(recalled), len(on_leave)]
    person, day, team = tours.person[every], tours.day[every], tours.team[every]
    code = row_code(person, day, np.repeat([0, RECALL_NUMBER, LEAVE_NUMBER], sizes))
    kind = np.concatenate([kind, np.full(sizes[1], RECALL), np.full(sizes[2], CASUAL)])
    minutes = np.concatenate([minutes[which], np.full(sizes[1], 240), np.full(sizes[2], 180)])
    minutes = np.clip(minutes, 15, 1440)
    starts = np.concatenate(
        [starts, tours.starts[recalled] + TOUR_MINUTES + 240, tours.starts[on_leave] + TOUR_MINUTES]
    )
    operation = np.where(np.arange(len(every)) < sizes[0], tours.operation[every], -1)
    duty = np.where(np.arange(len(every)) < sizes[0], tours.code[every], -1)
    in_episode = extra[every] > 0
    by = _authoriser(person, team, day, operation, code, in_episode, world)
    ends = starts + minutes
    known = ends + known_days(draws.of_row(code, "submitted"), 5.0)
    columns: dict[str, Column] = {
        "claim_id": ids("C", code),
        "person_key": world.people.keys_of(person),
        "occurred_at": calendar.times(starts),
        "duty_id": ids("D", duty),
        "claim_type": labels(CLAIM_TYPES, kind),
        "rate": Plain(np.where(world.people.kind[person] == STAFF, STAFF_RATE, RATES[kind])),
        "reason_text_code": _reason_text(person, team, day, operation, code, in_episode, world),
        "project_code": ops.code_of(operation),
        "authoriser_key": world.people.keys_of(by),
        "pay_closes_at": calendar.times(calendar.pay_closes(day)),
    }

    # Later versions: some minutes claimed in error are put right, some claims are taken back.
    draw = draws.of_row(code, "later version")
    again = np.flatnonzero(draw < 0.015)
    rows = np.concatenate([np.arange(len(code)), again])
    version = np.repeat([0, 1], [len(code), len(again)])
    withdrawn = (version == 1) & (draw[rows] < 0.003)
    later = known[rows] + known_days(draws.of_row(code[rows], "put right"), 12.0)
    claimed = np.where(version == 1, np.maximum(minutes[rows] - 15, 15), minutes[rows])
    authorised = _authorised_at(known, team, day, code, world)[rows]
    return Rows(
        code=code[rows] + version,
        columns={
            **{name: column.taken(rows) for name, column in columns.items()},
            "known_at": calendar.times(np.where(version == 1, later, known[rows])),
            "end_at": calendar.times(starts[rows] + claimed),
            "minutes": Plain(claimed),
            "authorised_at": calendar.times(authorised, by[rows] < 0),
            "withdrawn": Plain(withdrawn),
        },
    )


def _usual(tours: Tours, world: World) -> Floats:
    careless = world.habit("careless claims", "careless_spread")[tours.person]
    return world.parameters["unworked_claim_per_tour"] * careless


def _minutes(tours: Tours, extra: Floats, world: World) -> tuple[Ints, Flags]:
    """Minutes claimed for each tour, worked or not, and whether it was a rest day."""
    draws, parameters, teams = world.draws, world.parameters, world.teams
    explained = world.habit("explained claims", "explained_spread")[tours.person]
    usual = _usual(tours, world)
    short = np.where(teams.short_on(tours.team, tours.day), parameters["short_team_times"], 1.0)
    on_operation = (tours.operation >= 0) & (tours.why == AID)
    travel = np.where(on_operation, parameters["aid_travel_share"], 0.0)
    handover = np.where(is_role(teams.role, HANDOVER_ROLES)[tours.team], parameters["handover_share"], 0.0)
    rate = usual * (1 + extra) + (usual * (short - 1) + travel + handover) * explained
    unworked, length = draws.two_of_row(tours.code, "unworked")
    added = np.where(unworked < rate, 30 * (1 + (7 * length**1.5).astype(np.int64)), 0)
    on_rest_day = tours.why > 0
    over = np.maximum(tours.over, 0)
    rest_day = np.maximum(TOUR_MINUTES + tours.over, LEAST_REST_DAY_MINUTES)
    earned = np.where(on_rest_day, rest_day, np.where(over >= 30, over, 0))
    claims_it = draws.of_row(tours.code, "claims") < np.where(on_rest_day, 0.97, 0.85)
    minutes = 15 * np.ceil((np.where(claims_it, earned, 0) + added) / 15).astype(np.int64)
    least = np.where(on_rest_day & (minutes > 0), LEAST_REST_DAY_MINUTES, 0)
    return np.maximum(minutes, least), on_rest_day


def _authorised_at(known: Ints, team: Ints, day: Ints, code: Ints, world: World) -> Ints:
    """Within days as a rule; by late authorisers in a batch after the pay period has closed."""
    usual = known + known_days(world.draws.of_row(code, "authorised"), 2.0)
    batch = world.calendar.pay_closes(day) + 15 * 60
    return np.where(world.teams.late_authoriser[team], np.maximum(batch, known + 60), usual)


def _reason_text(
    person: Ints, team: Ints, day: Ints, operation: Ints, code: Ints, in_episode: Flags, world: World
) -> Labels:
    """The hash of each claim's reason: the operation's, one the team shares, the person's own, or stock."""
    draws = world.draws
    shared = world.teams.short_on(team, day) | is_role(world.teams.role, HANDOVER_ROLES)[team]
    draw, of_team = draws.two_of_row(code, "whose text")
    own = draw < np.where(in_episode, 0.65, 0.4 * draws.of_row(person, "own text"))
    stock = (REASON_TEXTS * draws.of_row(code, "stock text") ** 2).astype(np.int64)
    number = np.select(
        [own, operation >= 0, shared & (of_team < 0.6)],
        [OWN_TEXTS + person, OPERATION_TEXTS + operation, TEAM_TEXTS + team],
        stock,
    )
    distinct, index = np.unique(number, return_inverse=True)
    hashed = (draws.of_row(distinct, "text hash") * 10**12).astype(np.int64)
    return labels(pa.array([f"{one:012d}" for one in hashed.tolist()], pa.string()), index)


def _authoriser(
    person: Ints, team: Ints, day: Ints, operation: Ints, code: Ints, in_episode: Flags, world: World
) -> Ints:
    """The operation's, the line supervisor, a sergeant of the unit, or one the person always goes to; -1 nobody."""
    draws, teams = world.draws, world.teams
    n_teams = len(teams.role)
    draw, pick = draws.two_of_row(code, "authoriser")
    in_unit = teams.unit[team] * TEAMS_A_UNIT + (TEAMS_A_UNIT * pick).astype(np.int64)
    favourite = (draws.of_row(person, "favourite sergeant") * n_teams).astype(np.int64)
    commander = (draws.of_row(operation // 8, "commander") * n_teams).astype(np.int64)
    goes = np.where(in_episode, 0.55, 0.08)
    whose = np.select(
        [draw < goes, operation >= 0, draw < goes + (1 - goes) * 0.72],
        [favourite, commander, team],
        np.minimum(in_unit, n_teams - 1),
    )
    by = teams.supervisor_on(whose, day)
    return np.where(draws.of_row(code, "no authoriser") < 0.03, -1, by)
