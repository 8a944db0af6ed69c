"""Presence that machines record: gates, remote sessions, cameras; and what holders of hybrid posts report."""

from __future__ import annotations

import numpy as np

from evenhand.force.absence import Away
from evenhand.force.columns import Plain, Rows, ids, labels
from evenhand.force.draws import row_code
from evenhand.force.lateness import known_minutes
from evenhand.force.people import CI, MINUTES_A_DAY, OFFICER, is_role
from evenhand.force.posts import MIN_OFFICE_SHARE
from evenhand.force.roster import TOUR_MINUTES, Tours
from evenhand.force.world import World

# Buildings with gates; front-line stations have none.
GATED_ROLES = ("INVESTIGATION", "INTEL_DESK", "PNC_BUREAU", "SAFEGUARDING", "PLANNING")
CAMERA_ROLES = ("RESPONSE", "NEIGHBOURHOOD", "PUBLIC_ORDER", "ROADS", "CUSTODY")
RECORDINGS_A_TOUR = 0.3
SHORT_VISITS = 0.4  # office days of an episode of T3 that last minutes
NO_BADGE_OUT = 0.02
FORGOTTEN_BADGE = 0.03
SESSIONS_OFF_SICK, SESSIONS_FEIGNED = (
    0.01,
    0.30,
)  # days off sick with a session, as a rule and in an episode of T8
REMOTE_WITHOUT_SESSION = 0.02


def badge_event(tours: Tours, world: World) -> Rows:
    """Visits to gated buildings, one a tour worked there."""
    draws, calendar = world.draws, world.calendar
    gated = is_role(world.teams.role, GATED_ROLES)[tours.team] | (world.people.rank[tours.person] >= CI)
    which = np.flatnonzero(gated & tours.worked & ~tours.remote)
    forgets, early = draws.two_of_row(tours.code[which], "badges in")
    which, early = which[forgets >= FORGOTTEN_BADGE], early[forgets >= FORGOTTEN_BADGE]
    code = tours.code[which]
    begins = tours.starts[which] - (20 * early).astype(np.int32)
    stays = TOUR_MINUTES + np.maximum(tours.booked_over[which], -500) + (30 * early).astype(np.int32)
    short, length = draws.two_of_row(code, "visit")
    breach = world.episodes.during("T3", tours.person[which], tours.day[which])
    stays = np.where(breach & (short < SHORT_VISITS), 4 + (35 * length).astype(np.int32), stays)
    ends = begins + np.clip(stays, 1, 1440)
    no_out = length > 1 - NO_BADGE_OUT
    return Rows(
        code=code,
        columns={
            "badge_id": ids("G", code),
            "person_key": world.people.keys_of(tours.person[which]),
            "occurred_at": calendar.times(begins),
            "known_at": calendar.times(begins + known_minutes(draws.of_row(code, "gate log"))),
            "out_at": calendar.times(ends, no_out),
            "minutes_inside": Plain(np.where(no_out, 0, ends - begins), no_out),
            "site": labels(world.teams.sites, world.teams.site_of(tours.team[which])),
        },
    )


def vpn_session(tours: Tours, away: Away, first: int, world: World) -> Rows:
    """Sessions on remote days, and now and then on days off sick.

    Protected absence has no part in it: only days of ordinary sickness are looked at.
    """
    draws, people, calendar = world.draws, world.people, world.calendar
    remote = np.flatnonzero(tours.remote & tours.worked)
    none, length = draws.two_of_row(tours.code[remote], "remote session")
    breach = world.episodes.during("T3", tours.person[remote], tours.day[remote])
    has = none >= np.where(breach, 0.3, REMOTE_WITHOUT_SESSION)
    remote, length, breach = remote[has], length[has], breach[has]
    minutes = np.where(breach, 8 + 80 * length, 400 + 150 * length).astype(np.int64)
    begins = tours.starts[remote] + (40 * length).astype(np.int64)

    row, day = np.nonzero(away.off_sick)
    person = row + first
    serves = people.serving_on(person, day)
    person, day = person[serves], day[serves]
    code = row_code(person, day, 1)
    draw, late = draws.two_of_row(code, "session off sick")
    feigned = world.episodes.during("T8", person, day)
    sick = np.flatnonzero(draw < np.where(feigned, SESSIONS_FEIGNED, SESSIONS_OFF_SICK))
    code = np.concatenate([tours.code[remote], code[sick]])
    begins = np.concatenate([begins, day[sick] * MINUTES_A_DAY + 480 + (600 * late[sick]).astype(np.int64)])
    minutes = np.concatenate([minutes, 5 + (40 * late[sick]).astype(np.int64)])
    return Rows(
        code=code,
        columns={
            "session_id": ids("V", code),
            "user_no": people.log_ons_of(np.concatenate([tours.person[remote], person[sick]])),
            "occurred_at": calendar.times(begins),
            "known_at": calendar.times(begins + minutes + known_minutes(draws.of_row(code, "session log"))),
            "end_at": calendar.times(begins + minutes),
            "minutes": Plain(minutes),
        },
    )


def attendance_return(tours: Tours, first: int, end: int, world: World) -> Rows:
    """Monthly returns of hybrid posts; somebody who stays away reports what the policy asks for."""
    people, calendar, draws = world.people, world.calendar, world.draws
    months = np.append(calendar.month_starts, calendar.days)
    which = np.flatnonzero(tours.worked & people.hybrid[tours.person])
    month = np.searchsorted(months, tours.day[which], side="right") - 1
    place = (tours.person[which] - first).astype(np.int64) * (len(months) - 1) + month
    size = (end - first) * (len(months) - 1)
    worked = np.bincount(place, minlength=size)
    remote = np.bincount(place[tours.remote[which]], minlength=size)
    some = np.flatnonzero(worked)
    worked, remote = worked[some], remote[some]
    person, month = first + some // (len(months) - 1), some % (len(months) - 1)
    last = months[month + 1] - 1
    code = row_code(person, last, 2)
    breach = world.episodes.during("T3", person, last)
    told = np.where(breach, np.maximum(worked - remote, np.ceil(MIN_OFFICE_SHARE * worked)), worked - remote)
    slip, delay = draws.two_of_row(code, "return")
    told = np.clip(told + np.where(slip < 0.05, 1, np.where(slip < 0.1, -1, 0)), 0, worked).astype(np.int64)
    at = last * MINUTES_A_DAY + 16 * 60
    return Rows(
        code=code,
        columns={
            "return_id": ids("O", code),
            "person_key": people.keys_of(person),
            "occurred_at": calendar.times(at),
            "known_at": calendar.times(at + 60 + (12 * MINUTES_A_DAY * delay).astype(np.int64)),
            "office_days": Plain(told),
            "remote_days": Plain(worked - told),
        },
    )


def bwv_event(tours: Tours, world: World) -> Rows:
    """Recordings of body-worn cameras on front-line tours; in an episode of T5 the camera stays off more often."""
    draws, people = world.draws, world.people
    wears = is_role(world.teams.role, CAMERA_ROLES)[tours.team] & (people.rank[tours.person] < CI)
    wears &= people.kind[tours.person] == OFFICER
    which = np.flatnonzero(tours.worked & wears)
    off = world.episodes.during("T5", tours.person[which], tours.day[which])
    draw, when = draws.two_of_row(tours.code[which], "records")
    records = draw < np.where(off, 0.4, 1.0) * RECORDINGS_A_TOUR
    which, when = which[records], when[records]
    code, calendar = tours.code[which], world.calendar
    length, upload = draws.two_of_row(code, "recording")
    begins = tours.starts[which] + (560 * when).astype(np.int64)
    minutes = 2 + (38 * length**2).astype(np.int64)
    return Rows(
        code=code,
        columns={
            "recording_id": ids("Y", code),
            "person_key": people.keys_of(tours.person[which]),
            "occurred_at": calendar.times(begins),
            "known_at": calendar.times(begins + minutes + 60 + (1200 * upload).astype(np.int64)),
            "end_at": calendar.times(begins + minutes),
            "minutes": Plain(minutes),
            "duty_id": ids("D", code),
        },
    )
