"""What one row of a source is read as.

Never read: sickness, other absence, working pattern, contracted hours, the reason given for a roster change,
how many colleagues were present, and anything held in an enclave. Planned tours are not read at all: set
against worked tours they would give absence away.
"""

from __future__ import annotations

import polars as pl

from features.specs import Events, Joined
from features.tables.uk import (
    ATTENDANCE_RETURN,
    BADGE_EVENT,
    BWV_EVENT,
    COMPLAINT,
    CONDUCT_MATTER,
    DECLARATION,
    DUTY_AMENDMENT,
    DUTY_WORKED,
    ESTABLISHMENT,
    EVENT_DEPLOYMENT,
    EXPENSE_CLAIM,
    HYBRID_POLICY,
    OVERTIME_CLAIM,
    REGISTER_MATCH,
    ROLE_EXPECTATION,
    SYSTEM_ACCESS,
    TEAM_STRENGTH,
    VETTING,
    VPN_SESSION,
)

POST = Events(
    name="post",
    table=ESTABLISHMENT,
    says="a version of the person's post",
    derive={
        # A version that begins with a role other than the first; supervisors change under a role that is older.
        "moved_to": pl.when(
            (pl.col("role_start") > pl.col("service_start"))
            & (pl.col("occurred_at").dt.date() - pl.col("role_start") < pl.duration(days=31))
        ).then(pl.lit("another post"))
    },
)

TOUR = Events(
    name="tour",
    table=DUTY_WORKED,
    says="a tour worked",
    derive={"at_night": (pl.col("occurred_at").dt.hour() >= 18) | (pl.col("occurred_at").dt.hour() < 4)},
)

# A cancelled tour is most often a sick or bereaved person's tour, so cancellations are never read.
ROSTER_CHANGE = Events(
    name="roster_change",
    table=DUTY_AMENDMENT,
    says="a change to a published tour, cancellations left out",
    where=pl.col("field") != "CANCEL",
    derive={
        "own": pl.col("amended_by_key") == pl.col("person_key"),
        "after_start": pl.col("occurred_at") >= pl.col("duty_start"),
        "in_last_day": (pl.col("occurred_at") < pl.col("duty_start"))
        & (pl.col("occurred_at") >= pl.col("duty_start") - pl.duration(hours=24)),
        "after_pay_close": pl.col("occurred_at") >= pl.col("pay_closes_at"),
        "days_after": (pl.col("occurred_at") - pl.col("duty_start")).dt.total_hours() / 24,
        "own_wish": (pl.col("amended_by_key") == pl.col("person_key"))
        & pl.col("on_behalf_of").is_null()
        & pl.col("requested_at").is_null(),
    },
)

CLAIM = Events(name="claim", table=OVERTIME_CLAIM, says="a claim for overtime, rest-day working or recall")

# Police Regulations 2003: rest-day working and recall are paid for at least four hours, whatever was worked.
SHORTEST_PAID = 240

CLAIM_ON_TOUR = Events(
    name="claim_on_tour",
    table=OVERTIME_CLAIM,
    says="a claim set beside the tour it hangs on",
    joined=Joined(events=TOUR, on=("person_key", "duty_id")),
    derive={
        "minutes_beyond": (
            pl.col("minutes")
            - pl.when(pl.col("claim_type").is_in(["REST_DAY", "RECALL"]) | pl.col("tour.rest_day"))
            .then(pl.max_horizontal(pl.col("tour.minutes_worked"), pl.lit(SHORTEST_PAID)))
            .otherwise(pl.col("tour.minutes_over"))
        ).clip(lower_bound=0)
    },
)

ACCESS = Events(
    name="access",
    table=SYSTEM_ACCESS,
    says="one use of a police information system",
    derive={
        "unlinked": pl.col("linked_incident_id").is_null() & pl.col("on_behalf_of").is_null(),
        # A log line timed by another clock says nothing of the hour.
        "at_night": ((pl.col("occurred_at").dt.hour() >= 22) | (pl.col("occurred_at").dt.hour() < 6))
        & (pl.col("time_basis") == "LOCAL"),
        "off_duty": ~pl.col("on_duty") & pl.col("on_behalf_of").is_null() & (pl.col("time_basis") == "LOCAL"),
        "day": pl.col("occurred_at").dt.date(),
        "general_reason": pl.col("reason_code").is_in(["ADMIN", "OTHER"]),
    },
)

# Of each pair of claims the later one counts, once for each earlier one it repeats. Pairs grow with the square
# of a person's rows, which stays small for claims (few a week) and would not for look-ups.
REPEATED_REASON = Events(
    name="repeated_reason",
    table=OVERTIME_CLAIM,
    says="a claim charged to no operation, set beside each claim of the half-year before with the same reason text",
    joined=Joined(events=CLAIM, on=("person_key", "reason_text_code")),
    where=pl.col("project_code").is_null()
    & (pl.col("claim.occurred_at") < pl.col("occurred_at"))
    & (pl.col("claim.occurred_at") >= pl.col("occurred_at") - pl.duration(days=182)),
)

EVERY_ALLEGATION = Events(name="every_allegation", table=COMPLAINT, says="an allegation in a complaint")
# Whoever speaks up is complained of after it; what the force itself marks as such counts against nobody. A complaint
# without a name may be a colleague's as well.
ALLEGATION = Events(
    name="allegation",
    table=COMPLAINT,
    says="an allegation in a complaint; against somebody who had reported wrongdoing, only of the public",
    where=~(pl.col("victimisation_risk") & (pl.col("source") != "PUBLIC")).fill_null(value=False),
)
ALLEGATION_RESULT = Events(
    name="allegation_result",
    table=COMPLAINT,
    says="the result of an allegation, on the day it was reached",
    occurred_at="finalised_at",
)

# Matters that one of our own leads opened would let the tool confirm itself, so they are not read.
NOT_OUR_OWN = pl.col("source") != "TOOL_LEAD"
MATTER = Events(
    name="matter",
    table=CONDUCT_MATTER,
    says="a conduct matter, dated by the conduct",
    where=NOT_OUR_OWN,
)
FINDING = Events(
    name="finding",
    table=CONDUCT_MATTER,
    says="the finding in a conduct matter, on the day it was made",
    occurred_at="finding_at",
    where=NOT_OUR_OWN,
)

DEPLOYMENT = Events(
    name="deployment", table=EVENT_DEPLOYMENT, says="a deployment to an event, operation or other force"
)
TEAM_RETURN = Events(name="team_return", table=TEAM_STRENGTH, says="a team's monthly return of posts")
EXPECTED = Events(
    name="expected_searches",
    table=ROLE_EXPECTATION,
    says="the searches a tour in a role calls for",
    where=pl.col("system") == "ALL",
)

# A recording that runs past the planned end shows that somebody was at work when the book-off was moved.
LATER_BOOK_OFF_RECORDED = Events(
    name="later_book_off_recorded",
    table=DUTY_AMENDMENT,
    says="a book-off moved back by the person, with a camera recording of that tour",
    where=(pl.col("field") == "BOOK_OFF") & (pl.col("amended_by_key") == pl.col("person_key")),
    joined=Joined(
        events=Events(name="recording_on_tour", table=BWV_EVENT, says="a body-worn camera's recording"),
        on=("person_key", "duty_id"),
    ),
)
RECORDING = Events(name="recording", table=BWV_EVENT, says="a body-worn camera's recording")

VISIT = Events(
    name="visit",
    table=BADGE_EVENT,
    says="a visit to a building with gates",
    derive={"day": pl.col("occurred_at").dt.date()},
)
REMOTE_SESSION = Events(
    name="remote_session",
    table=VPN_SESSION,
    says="a remote session on the force's network",
    derive={"day": pl.col("occurred_at").dt.date()},
)
MONTHLY_RETURN = Events(
    name="monthly_return", table=ATTENDANCE_RETURN, says="what a person reported of one month's attendance"
)
OFFICE_POLICY = Events(
    name="office_policy", table=HYBRID_POLICY, says="the share of tours a role is to work in the office"
)

# A hierarchical association can reveal belief, so those declarations never leave the gate.
NOT_BELIEF = pl.col("declaration_type") != "HIERARCHICAL_ASSOC"
DECLARED = Events(
    name="declared",
    table=DECLARATION,
    says="a declaration of an interest, an associate, a gift or a change",
    screen=NOT_BELIEF,
)
MATCHED = Events(
    name="matched",
    table=REGISTER_MATCH,
    says="a match with a public register or a payroll, on the day it was made",
    occurred_at="known_at",
)
CLEARANCE = Events(name="clearance", table=VETTING, says="a vetting clearance")

EXPENSE = Events(
    name="expense",
    table=EXPENSE_CLAIM,
    says="an expense or purchase-card item",
    derive={
        "round": (pl.col("amount") >= 10) & ((pl.col("amount") % 5) == 0),
        "by_card": pl.col("expense_type") == "PCARD",
    },
)
