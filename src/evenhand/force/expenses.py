"""Expense claims and purchase-card items."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from evenhand.force.columns import Plain, Rows, ids, labels
from evenhand.force.draws import Flags, Floats, Ints, row_code
from evenhand.force.lateness import known_days
from evenhand.force.people import CI, is_role
from evenhand.force.roster import Tours
from evenhand.force.world import World

TYPES = ("MILEAGE", "SUBSISTENCE", "TRAVEL", "HOTEL", "PCARD")
MILEAGE, SUBSISTENCE, TRAVEL, HOTEL, PCARD = range(5)
TYPICAL_POUNDS = np.array([14.0, 11.0, 26.0, 95.0, 60.0])
POUNDS_A_MILE = 0.45
TRAVELLING_ROLES, TRAVELLING_TIMES = ("INVESTIGATION", "ROADS"), 4.0
CARD_RANKS_TIMES = 5.0
MERCHANTS = 600
FALSE = 300  # from here on a day's numbers belong to false items
SAME_RECEIPT = 0.35  # false items that reuse an earlier receipt
ON_DAYS_OFF = 0.3  # false items dated on leave
ROUND = 0.5  # false items of a round amount


def expense_claim(tours: Tours, world: World) -> Rows:
    """Items claimed for tours worked, and false ones for these or for days of leave."""
    draws, people, teams, calendar = world.draws, world.people, world.teams, world.calendar
    which, false = _items(tours, world)
    person, day, team = tours.person[which], tours.day[which], tours.team[which]
    code = row_code(person, day, np.where(false, FALSE, 250))
    off = ~tours.worked[which]
    kind_draw, size = draws.two_of_row(code, "expense")
    kind = np.searchsorted([0.40, 0.65, 0.82, 0.88], kind_draw)
    amount = TYPICAL_POUNDS[kind] * np.exp(0.5 * draws.normal_of_row(code, "amount"))
    amount = np.where(false, amount * 1.5, amount)
    miles = np.where(kind == MILEAGE, amount / POUNDS_A_MILE, 0.0)
    round_, again = draws.two_of_row(code, "false item")
    amount = np.where(false & (round_ < ROUND) & (kind != MILEAGE), np.ceil(amount / 10) * 10, amount)
    same = false & (again < SAME_RECEIPT)
    # A copy bears the hash of one of the person's few receipts; a false journey starts where no tour was.
    receipt = np.where(
        same, row_code(person, np.zeros(len(person), np.int64), 400 + (3 * size).astype(np.int64)), code
    )
    elsewhere = (size * len(teams.sites)).astype(np.int64)
    travels = np.isin(kind, [MILEAGE, TRAVEL])
    starts_from = np.where(false & (again > 0.5), elsewhere, teams.site_of(team))
    authoriser = teams.supervisor_on(team, day)
    at = tours.starts[which] + (500 * size).astype(np.int64)
    known = at + known_days(draws.of_row(code, "expense claimed"), 14.0)
    slip, back = draws.two_of_row(code, "expense later")
    again_rows = np.flatnonzero(slip < 0.02)
    rows = np.concatenate([np.arange(len(code)), again_rows])
    version = (np.arange(len(rows)) >= len(code)).astype(np.int64)
    later = known[rows] + known_days(draws.of_row(code[rows], "expense put right"), 15.0)
    return Rows(
        code=code[rows] + version,
        columns={
            "expense_id": ids("F", code[rows]),
            "person_key": people.keys_of(person[rows]),
            "occurred_at": calendar.times(at[rows]),
            "known_at": calendar.times(np.where(version == 1, later, known[rows])),
            "expense_type": labels(TYPES, kind[rows]),
            "amount": Plain(np.round(np.where(version == 1, 0.9, 1.0) * amount[rows], 2)),
            "miles": Plain(np.round(miles[rows], 1), (kind != MILEAGE)[rows]),
            "receipt_hash": ids("H", np.where(kind == MILEAGE, -1, receipt)[rows]),
            "merchant_code": labels(
                pa.array([f"V{number:04d}" for number in range(MERCHANTS)]),
                np.where(
                    kind == MILEAGE, -1, (MERCHANTS * draws.of_row(code, "merchant") ** 2).astype(np.int64)
                )[rows],
            ),
            "from_site": labels(teams.sites, np.where(travels, starts_from, -1)[rows]),
            "to_site": labels(
                teams.sites, np.where(travels, (elsewhere * 7 + 3) % len(teams.sites), -1)[rows]
            ),
            "duty_id": ids("D", np.where(off, -1, tours.code[which])[rows]),
            "project_code": world.ops.code_of(np.where(off, -1, tours.operation[which])[rows]),
            "authoriser_key": people.keys_of(np.where(authoriser == person, -1, authoriser)[rows]),
            "on_leave_or_off": Plain(off[rows]),
            "withdrawn": Plain((version == 1) & (back[rows] < 0.2)),
        },
    )


def _items(tours: Tours, world: World) -> tuple[Ints, Flags]:
    """Tour of each item, and whether it is false."""
    rate = _rate(tours, world)
    draw, other = world.draws.two_of_row(tours.code, "expense items")
    honest = np.flatnonzero(tours.worked & (draw < rate))
    strength = world.episodes.extra("T7", tours.person, tours.day)
    wanted = world.parameters["t7_claims_per_tour"] * strength
    at_work = tours.worked & (other < wanted)
    on_leave = tours.on_leave & (other < wanted * ON_DAYS_OFF / (1 - ON_DAYS_OFF) * 4)
    false = np.flatnonzero(at_work | on_leave)
    return np.concatenate([honest, false]), np.repeat([False, True], [len(honest), len(false)])


def _rate(tours: Tours, world: World) -> Floats:
    """Items a tour: some roles travel, operations feed and house people, senior ranks hold cards."""
    spends = world.habit("expenses", "activity_spread")[tours.person]
    travels = np.where(is_role(world.teams.role, TRAVELLING_ROLES)[tours.team], TRAVELLING_TIMES, 1.0)
    senior = np.where(world.people.rank[tours.person] >= CI, CARD_RANKS_TIMES, 1.0)
    away = np.where(tours.operation >= 0, 6.0, 1.0)
    return world.parameters["expenses_per_tour"] * spends * np.maximum(travels, senior) * away
