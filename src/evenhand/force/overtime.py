"""Claims for overtime, rest-day working and recall."""

from __future__ import annotations

import numpy as np
import polars as pl

from evenhand.force.conduct import Episodes
from evenhand.force.draws import Draws, Flags, Ints, row_code
from evenhand.force.extracts import Rows, id_series
from evenhand.force.lateness import known_days
from evenhand.force.parameters import Parameters
from evenhand.force.people import HANDOVER_ROLES, PS, Calendar, People, Teams, is_role
from evenhand.force.roster import AID, TOUR_MINUTES, Operations, Tours

CLAIM_TYPES = ("CASUAL", "PREPLANNED", "REST_DAY", "RECALL", "AID")
CASUAL, PREPLANNED, ON_REST_DAY, RECALL, ON_AID = range(5)
RATES = np.array([1.333, 1.333, 1.5, 1.333, 1.5])
LEAST_REST_DAY_MINUTES = 240
REASON_TEXTS = 400
TEAM_TEXTS, OPERATION_TEXTS, OWN_TEXTS = 10_000, 20_000, 100_000  # where the numbers of each kind begin


def overtime_claim(
    tours: Tours,
    people: People,
    teams: Teams,
    episodes: Episodes,
    ops: Operations,
    calendar: Calendar,
    parameters: Parameters,
    draws: Draws,
) -> Rows:
    """Claims as submitted, with a later version where one was put right or taken back."""
    careless = draws.habits(len(people), "careless claims", parameters["careless_spread"])
    explained = draws.habits(len(people), "explained claims", parameters["explained_spread"])[tours.person]
    able = people.rank[tours.person] <= PS
    extra = episodes.extra("T2", tours.person, tours.day)
    usual = parameters["unworked_claim_per_tour"] * careless[tours.person]
    short = np.where(teams.short_on(tours.team, tours.day), parameters["short_team_times"], 1.0)
    travel = np.where(tours.operation >= 0, parameters["aid_travel_share"], 0.0)
    handover = np.where(is_role(teams.role[tours.team], HANDOVER_ROLES), parameters["handover_share"], 0.0)
    rate = usual * (1 + extra) + (usual * (short - 1) + travel + handover) * explained

    # Whether a claim holds minutes that were not worked is settled for every tour, worked or not.
    unworked = draws.of_row(tours.code, "unworked") < rate
    added = 30 * (1 + (7 * draws.of_row(tours.code, "unworked minutes") ** 1.5).astype(np.int64))
    added = np.where(unworked, added, 0)
    over = np.maximum(tours.over, 0)
    on_rest_day = tours.why > 0
    worked = TOUR_MINUTES + tours.over
    earned = np.where(on_rest_day, np.maximum(worked, LEAST_REST_DAY_MINUTES), np.where(over >= 30, over, 0))
    claims_it = draws.of_row(tours.code, "claims") < np.where(on_rest_day, 0.97, 0.85)
    minutes = 15 * np.ceil((np.where(claims_it, earned, 0) + added) / 15).astype(np.int64)
    which = np.flatnonzero(able & tours.worked & (minutes > 0))
    kind = np.select(
        [tours.why[which] == AID, on_rest_day[which], draws.of_row(tours.code[which], "preplanned") < 0.15],
        [ON_AID, ON_REST_DAY, PREPLANNED],
        CASUAL,
    )
    starts = np.where(on_rest_day, tours.starts, tours.starts + TOUR_MINUTES)[which]

    # Recalls hang on no tour.
    called = draws.of_row(tours.code, "recalled")
    recalled = np.flatnonzero(able & tours.worked & (called < 0.12 * usual * (1 + extra) + 0.0008))
    recall_at = tours.starts[recalled] + TOUR_MINUTES + 240
    person = np.concatenate([tours.person[which], tours.person[recalled]])
    day = np.concatenate([tours.day[which], tours.day[recalled]])
    team = np.concatenate([tours.team[which], tours.team[recalled]])
    code = row_code(person, day, np.repeat([0, 100], [len(which), len(recalled)]))
    kind = np.concatenate([kind, np.full(len(recalled), RECALL)])
    minutes = np.clip(np.concatenate([minutes[which], np.full(len(recalled), 240)]), 15, 1440)
    starts = np.concatenate([starts, recall_at])
    operation = np.concatenate([tours.operation[which], np.full(len(recalled), -1)])
    in_episode = episodes.during("T2", person, day)
    shared = teams.short_on(team, day) | is_role(teams.role[team], HANDOVER_ROLES)
    text = _reason_text(person, team, operation, code, in_episode, shared, draws)
    by = _authoriser(person, team, day, operation, code, in_episode, teams, draws)
    ends = starts + minutes
    known = ends + known_days(draws.of_row(code, "submitted"), 5.0)

    # Later versions: a tenth of minutes claimed in error are put right, some claims are taken back.
    draw = draws.of_row(code, "later version")
    again = np.flatnonzero(draw < 0.015)
    taken_back = draw[again] < 0.003
    rows = np.concatenate([np.arange(len(code)), again])
    version = np.repeat([0, 1], [len(code), len(again)])
    withdrawn = np.concatenate([np.zeros(len(code), bool), taken_back])
    minutes = np.where(version == 1, np.maximum(minutes[rows] - 15, 15), minutes[rows])
    later = known[rows] + known_days(draws.of_row(code[rows], "put right"), 12.0)
    duty = pl.concat(
        [id_series("D", tours.code[which]), pl.Series([None] * len(recalled), dtype=pl.String())]
    )
    pick = pl.Series(rows.astype(np.uint32))
    authoriser = people.keys_of(np.maximum(by, 0))[pick]
    return Rows(
        code=code[rows] + version,
        frame=pl.DataFrame(
            {
                "claim_id": id_series("C", code[rows]),
                "person_key": people.keys_of(person[rows]),
                "occurred_at": calendar.datetimes(starts[rows]),
                "known_at": calendar.datetimes(np.where(version == 1, later, known[rows])),
                "end_at": calendar.datetimes(starts[rows] + minutes),
                "duty_id": duty.gather(pick),
                "claim_type": pl.Series(CLAIM_TYPES).gather(pl.Series(kind[rows].astype(np.uint32))),
                "minutes": minutes,
                "rate": RATES[kind[rows]],
                "reason_text_code": text.gather(pick),
                "project_code": ops.code_of(operation[rows]),
                "authoriser_key": pl.Series(authoriser).set(pl.Series(by[rows] < 0), None),
                "withdrawn": withdrawn,
            }
        ),
    )


def _reason_text(
    person: Ints,
    team: Ints,
    operation: Ints,
    code: Ints,
    in_episode: Flags,
    shared: Flags,
    draws: Draws,
) -> pl.Series:
    """The hash of each claim's reason: the operation's, one the team shares, the person's own, or stock."""
    own = draws.of_row(code, "own text") < np.where(in_episode, 0.65, 0.4 * draws.of_row(person, "own text"))
    of_team = shared & (draws.of_row(code, "team text") < 0.6)
    stock = (REASON_TEXTS * draws.of_row(code, "stock text") ** 2).astype(np.int64)
    number = np.select(
        [own, operation >= 0, of_team],
        [OWN_TEXTS + person, OPERATION_TEXTS + operation, TEAM_TEXTS + team],
        stock,
    )
    hashed = (draws.of_row(number, "text hash") * 10**12).astype(np.int64)
    return pl.Series(hashed + 10**12).cast(pl.String()).str.slice(1)


def _authoriser(
    person: Ints,
    team: Ints,
    day: Ints,
    operation: Ints,
    code: Ints,
    in_episode: Flags,
    teams: Teams,
    draws: Draws,
) -> Ints:
    """The operation's, the line supervisor, a sergeant of the unit, or one the person always goes to; -1 nobody."""
    line = teams.supervisor_on(team, day)
    n_teams = len(teams.role)
    draw, pick = draws.of_row(code, "authoriser"), draws.of_row(code, "another sergeant")
    in_unit = np.minimum(teams.unit[team] * 15 + (15 * pick).astype(np.int64), n_teams - 1)
    other = teams.supervisor_on(in_unit, day)
    favourite_team = (draws.of_row(person, "favourite sergeant") * n_teams).astype(np.int64)
    favourite = teams.supervisor_on(favourite_team, day)
    commander = teams.supervisor_on(
        (draws.of_row(operation // 8, "commander") * n_teams).astype(np.int64), day
    )
    goes = np.where(in_episode, 0.55, 0.08)
    by = np.select(
        [draw < goes, operation >= 0, draw < goes + (1 - goes) * 0.72], [favourite, commander, line], other
    )
    return np.where(draws.of_row(code, "no authoriser") < 0.03, -1, by)
