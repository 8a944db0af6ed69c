"""What Evenhand asks of a UK force's records, and why each question is fair to ask.

Written to be read by those who must answer for it. Each idea says what it counts, over how many days, which
kind of conduct it speaks to, and the ordinary explanations a reviewer should look for first. Ideas that speak
to none are context: how much a person works, where, and for how long.

Never asked: sickness, other absence, working pattern, contracted hours, the reason given for a roster change,
how many colleagues were present, and anything held in an enclave. Planned tours are not read at all: set
against worked tours they would give absence away. Research ideas over sickness and absence stand at the end;
they belong to an isolated study and to no ordinary run.
"""

from __future__ import annotations

from datetime import date, datetime, time

import polars as pl

from features.definition import (
    Baselines,
    Calendar,
    Cohort,
    Condition,
    ForceDefinition,
    Outcome,
    ReadKnown,
    Reveals,
)
from features.specs import (
    Catalogue,
    Change,
    Events,
    Idea,
    Joined,
    Latest,
    Product,
    count,
    days_since_last,
    largest,
    mean,
    ratio,
    total,
)
from features.tables import Mark
from features.tables.uk import (
    COMPLAINT,
    CONDUCT_MATTER,
    DUTY_AMENDMENT,
    DUTY_WORKED,
    ESTABLISHMENT,
    EVENT_DEPLOYMENT,
    OTHER_ABSENCE,
    OVERTIME_CLAIM,
    ROLE_EXPECTATION,
    SICKNESS_SPELL,
    SYSTEM_ACCESS,
    TABLES,
    TEAM_STRENGTH,
)

# --- Events: what one row is read as -----------------------------------------------------------------

POST = Events(name="post", table=ESTABLISHMENT, says="a version of the person's post")

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
        "at_night": (pl.col("occurred_at").dt.hour() >= 22) | (pl.col("occurred_at").dt.hour() < 6),
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

ALLEGATION = Events(name="allegation", table=COMPLAINT, says="an allegation in a public complaint")
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

# --- Parts used by several ideas ---------------------------------------------------------------------

OWN = pl.col("own")
LATE = pl.col("after_start")
SEARCH = pl.col("action") == "SEARCH"
UNLINKED = pl.col("unlinked")
CLOSE = pl.col("subject_relation").is_in(["SELF", "COLLEAGUE", "ADDRESS"])
TAKEN_OUT = pl.col("action").is_in(["PRINT", "EXPORT"])

TOURS = count(TOUR)
CHANGES = count(ROSTER_CHANGE)
OWN_LATE_CHANGES = count(ROSTER_CHANGE, OWN & LATE)
CLAIMS = count(CLAIM)
SEARCHES = count(ACCESS, SEARCH)
UNLINKED_SEARCHES = count(ACCESS, SEARCH & UNLINKED)
COMPLAINTS = count(ALLEGATION)

ROLE = Latest(events=POST, value=pl.col("role_code"), how="category")
TEAM = Latest(events=POST, value=pl.col("team_code"), how="category")
SEARCHES_EXPECTED = Product(
    left=TOURS,
    right=Latest(events=EXPECTED, value=pl.col("searches_per_tour"), key="role_code", via=ROLE),
)

QUARTER_AND_YEAR = (90, 365)
YEAR = (365,)
ONE_AND_TWO_YEARS = (365, 730)
TWO_YEARS = (730,)

ROSTER, OVERTIME, SYSTEMS, COMPLAINED, CONDUCT = ("T1",), ("T2",), ("T4",), ("C",), ("M",)

SHORT_OF_PEOPLE = "the team was short of people and tours were changed to cover"
LATE_RECORD = "the roster was put right after the event, because planners or authorisers were late"
ON_BEHALF = "a supervisor or colleague at the same terminal made the entry"
PUBLIC_ORDER = "public-order duty, aid to another force or a large inquiry"
BUSY_ROLE = "the role calls for many searches (intelligence desk, bureau, safeguarding, custody)"
EXERCISE = "training, testing or checking one's own entry, which some units allow"
PUBLIC_CONTACT = "response, custody and public-order work bring more complaints at equal conduct"
GRIEVANCE = "complaints against someone who has raised a concern themself"

# --- Ideas -------------------------------------------------------------------------------------------

ROSTER_IDEAS = (
    Idea(
        name="own_changes", says="changes the person made to their own tours",
        of=count(ROSTER_CHANGE, OWN), windows=QUARTER_AND_YEAR, unit="changes", family="own roster changes",
        typologies=ROSTER, innocent=(SHORT_OF_PEOPLE, LATE_RECORD),
    ),
    Idea(
        name="own_late_changes", says="changes the person made to their own tours after these had begun",
        of=OWN_LATE_CHANGES, windows=QUARTER_AND_YEAR, unit="changes", family="own roster changes",
        typologies=ROSTER, innocent=(LATE_RECORD, ON_BEHALF), more_is_concern=True,
    ),
    Idea(
        name="own_late_changes_per_tour", says="changes to their own tours after these had begun, a tour worked",
        of=ratio(OWN_LATE_CHANGES, TOURS, bottom_at_least=20), windows=YEAR, unit="changes a tour",
        family="own roster changes", typologies=ROSTER, innocent=(LATE_RECORD, ON_BEHALF), more_is_concern=True,
    ),
    Idea(
        name="own_late_changes_trend", says="daily rate of late changes to their own tours, against the nine months before",
        of=Change(of=OWN_LATE_CHANGES, baseline_days=275), windows=(90,), unit="changes a day",
        family="own roster changes", typologies=ROSTER, innocent=(SHORT_OF_PEOPLE, "a new post with other habits of record"),
    ),
    Idea(
        name="own_later_book_offs", says="book-off times the person moved back by half an hour or more on their own tours",
        of=count(ROSTER_CHANGE, OWN & (pl.col("field") == "BOOK_OFF") & (pl.col("minutes_changed") >= 30)),
        windows=QUARTER_AND_YEAR, unit="changes",
        family="own roster changes", typologies=ROSTER + OVERTIME, innocent=(LATE_RECORD, ON_BEHALF),
        more_is_concern=True,
    ),
    Idea(
        name="own_rest_day_changes", says="tours the person turned into rest-day working themself",
        of=count(ROSTER_CHANGE, OWN & (pl.col("field") == "REST_DAY")), windows=QUARTER_AND_YEAR, unit="changes",
        family="own roster changes", typologies=ROSTER + OVERTIME, innocent=(SHORT_OF_PEOPLE, PUBLIC_ORDER),
        more_is_concern=True,
    ),
    Idea(
        name="own_short_notice_changes", says="changes to their own tours in the day before these began",
        of=count(ROSTER_CHANGE, OWN & pl.col("in_last_day")), windows=YEAR, unit="changes",
        family="own roster changes", typologies=ROSTER, innocent=(SHORT_OF_PEOPLE, "a swap that both sides wanted"),
    ),
    Idea(
        name="own_minutes_added", says="minutes added to their own tours by their own changes",
        of=total(ROSTER_CHANGE, "minutes_changed", OWN & (pl.col("minutes_changed") > 0)), windows=QUARTER_AND_YEAR,
        unit="minutes", family="minutes added to own tours", typologies=ROSTER + OVERTIME,
        innocent=(LATE_RECORD, PUBLIC_ORDER), more_is_concern=True,
    ),
    Idea(
        name="own_largest_addition", says="most minutes added to one of their own tours by one own change",
        of=largest(ROSTER_CHANGE, "minutes_changed", OWN), windows=YEAR, unit="minutes",
        family="minutes added to own tours", typologies=ROSTER + OVERTIME, innocent=(LATE_RECORD, PUBLIC_ORDER),
    ),
    Idea(
        name="own_change_share", says="share of the changes to their tours that the person made themself",
        of=ratio(count(ROSTER_CHANGE, OWN), CHANGES, bottom_at_least=5), windows=YEAR, unit="share",
        family="own roster changes", typologies=ROSTER, innocent=("a unit without planners, where everyone keeps their own roster",),
    ),
    Idea(
        name="days_since_own_late_change", says="days since the last late change to an own tour",
        of=days_since_last(ROSTER_CHANGE, OWN & LATE), windows=YEAR, unit="days", family="own roster changes",
        typologies=ROSTER, innocent=(LATE_RECORD,),
    ),
    Idea(
        name="others_changes", says="changes to their tours that somebody else made",
        of=count(ROSTER_CHANGE, ~OWN), windows=QUARTER_AND_YEAR, unit="changes", family="planners' roster changes",
        innocent=(SHORT_OF_PEOPLE,),
    ),
    Idea(
        name="self_booked_share", says="share of tours booked on by the person's own entry rather than radio, app or supervisor",
        of=ratio(count(TOUR, pl.col("book_on_method") == "SELF"), TOURS, bottom_at_least=20), windows=YEAR, unit="share",
        family="booking on", typologies=ROSTER, innocent=("a unit without radios, such as an office team",),
    ),
)  # fmt: skip

OVERTIME_IDEAS = (
    Idea(
        name="overtime_minutes", says="minutes of overtime claimed", of=total(CLAIM, "minutes"), windows=QUARTER_AND_YEAR,
        unit="minutes", family="overtime claimed", typologies=OVERTIME, innocent=(PUBLIC_ORDER, SHORT_OF_PEOPLE),
    ),
    Idea(
        name="overtime_claims", says="overtime claims", of=CLAIMS, windows=QUARTER_AND_YEAR, unit="claims",
        family="overtime claimed", typologies=OVERTIME, innocent=(PUBLIC_ORDER, SHORT_OF_PEOPLE),
    ),
    Idea(
        name="overtime_minutes_per_tour", says="minutes of overtime claimed, a tour worked",
        of=ratio(total(CLAIM, "minutes"), TOURS, bottom_at_least=20), windows=YEAR, unit="minutes a tour",
        family="overtime claimed", typologies=OVERTIME, innocent=(PUBLIC_ORDER, SHORT_OF_PEOPLE),
    ),
    Idea(
        name="mean_claim_minutes", says="minutes of a claim, on average", of=mean(CLAIM, "minutes"), windows=YEAR,
        unit="minutes", family="size of claims", typologies=OVERTIME, innocent=(PUBLIC_ORDER,),
    ),
    Idea(
        name="minutes_beyond_worked", says="minutes claimed beyond what the tour shows was worked and is payable",
        of=total(CLAIM_ON_TOUR, "minutes_beyond"), windows=QUARTER_AND_YEAR, unit="minutes",
        family="claims beyond work shown", typologies=OVERTIME,
        innocent=("the book-off was never put right", "work away from the place of booking off"), more_is_concern=True,
    ),
    Idea(
        name="claims_beyond_worked", says="claims for at least half an hour more than the tour shows was worked and is payable",
        of=count(CLAIM_ON_TOUR, pl.col("minutes_beyond") >= 30), windows=QUARTER_AND_YEAR, unit="claims",
        family="claims beyond work shown", typologies=OVERTIME,
        innocent=("the book-off was never put right", "work away from the place of booking off"), more_is_concern=True,
    ),
    Idea(
        name="beyond_worked_share", says="share of minutes claimed that the tours do not show",
        of=ratio(total(CLAIM_ON_TOUR, "minutes_beyond"), total(CLAIM_ON_TOUR, "minutes"), bottom_at_least=300),
        windows=YEAR, unit="share", family="claims beyond work shown", typologies=OVERTIME,
        innocent=("the book-off was never put right",), more_is_concern=True,
    ),
    Idea(
        name="largest_beyond_worked", says="most minutes one claim goes beyond what its tour shows",
        of=largest(CLAIM_ON_TOUR, "minutes_beyond"), windows=YEAR, unit="minutes", family="claims beyond work shown",
        typologies=OVERTIME, innocent=("one book-off that was never put right",),
    ),
    Idea(
        name="repeated_reasons", says="times a claim repeats the reason text of an earlier one, operations left out",
        of=count(REPEATED_REASON), windows=YEAR, unit="repeats", family="reasons for claims", typologies=OVERTIME,
        innocent=("a short-staffed team with one reason for every claim", "a stock phrase of the unit"),
    ),
    Idea(
        name="repeated_reasons_per_claim", says="earlier claims with the same reason text, a claim",
        of=ratio(count(REPEATED_REASON), CLAIMS, bottom_at_least=5), windows=YEAR, unit="repeats a claim",
        family="reasons for claims", typologies=OVERTIME,
        innocent=("a short-staffed team with one reason for every claim", "a stock phrase of the unit"),
    ),
    Idea(
        name="short_rest_day_claims", says="rest-day claims of the four-hour minimum for tours of at most an hour and a half",
        of=count(
            CLAIM_ON_TOUR,
            (pl.col("claim_type") == "REST_DAY") & (pl.col("minutes") == SHORTEST_PAID) & (pl.col("tour.minutes_worked") <= 90),
        ),
        windows=YEAR, unit="claims", family="minimum payments", typologies=OVERTIME,
        innocent=("court or a short briefing fell on the rest day, and the minimum is what the Regulations pay",),
    ),
    Idea(
        name="recall_claims", says="claims for recall to duty", of=count(CLAIM, pl.col("claim_type") == "RECALL"),
        windows=YEAR, unit="claims", family="minimum payments", typologies=OVERTIME,
        innocent=("an on-call rota", PUBLIC_ORDER),
    ),
    Idea(
        name="rest_day_claims", says="claims for rest-day working", of=count(CLAIM, pl.col("claim_type") == "REST_DAY"),
        windows=QUARTER_AND_YEAR, unit="claims", family="rest-day working", typologies=OVERTIME,
        innocent=(PUBLIC_ORDER, SHORT_OF_PEOPLE),
    ),
    Idea(
        name="highest_rate_share", says="share of claimed minutes at double time",
        of=ratio(total(CLAIM, "minutes", pl.col("rate") >= 2.0), total(CLAIM, "minutes"), bottom_at_least=300), windows=YEAR,
        unit="share", family="rest-day working", typologies=OVERTIME, innocent=("public holidays fell on the person's tours",),
    ),
    Idea(
        name="claims_without_authoriser", says="claims that nobody authorised", of=count(CLAIM, pl.col("authoriser_key").is_null()),
        windows=YEAR, unit="claims", family="authority for claims", typologies=OVERTIME,
        innocent=("the authoriser was away or the batch had not run",), more_is_concern=True,
    ),
    Idea(
        name="claims_without_tour", says="claims that hang on no tour", of=count(CLAIM, pl.col("duty_id").is_null()),
        windows=YEAR, unit="claims", family="authority for claims", typologies=OVERTIME, innocent=("aid to another force",),
    ),
    Idea(
        name="claims_without_project_share", says="share of claims charged to no operation or inquiry",
        of=ratio(count(CLAIM, pl.col("project_code").is_null()), CLAIMS, bottom_at_least=5), windows=YEAR, unit="share",
        family="authority for claims", typologies=OVERTIME, innocent=("casual overtime at the end of a tour has no project",),
    ),
    Idea(
        name="aid_claim_share", says="share of claims for aid to other forces",
        of=ratio(count(CLAIM, pl.col("claim_type") == "AID"), CLAIMS, bottom_at_least=5), windows=YEAR, unit="share",
        family="events and aid", innocent=(PUBLIC_ORDER,),
    ),
)  # fmt: skip

SYSTEMS_IDEAS = (
    Idea(
        name="searches", says="searches of police systems", of=SEARCHES, windows=QUARTER_AND_YEAR, unit="searches",
        family="use of systems", typologies=SYSTEMS, innocent=(BUSY_ROLE,),
    ),
    Idea(
        name="views", says="records opened in police systems", of=count(ACCESS, pl.col("action") == "VIEW"), windows=YEAR,
        unit="records", family="use of systems", typologies=SYSTEMS, innocent=(BUSY_ROLE,),
    ),
    Idea(
        name="searches_per_expected", says="searches made for each the person's role and tours call for",
        of=ratio(SEARCHES, SEARCHES_EXPECTED, bottom_at_least=10), windows=QUARTER_AND_YEAR, unit="times the expected",
        family="use of systems", typologies=SYSTEMS, innocent=("a major inquiry", "work beside the post on record"),
    ),
    Idea(
        name="unlinked_searches", says="searches that belong to no incident and were asked for by nobody else",
        of=UNLINKED_SEARCHES, windows=QUARTER_AND_YEAR, unit="searches", family="unlinked searches", typologies=SYSTEMS,
        innocent=(BUSY_ROLE, "the incident was linked afterwards"),
    ),
    Idea(
        name="unlinked_share", says="share of searches that belong to no incident and were asked for by nobody else",
        of=ratio(UNLINKED_SEARCHES, SEARCHES, bottom_at_least=20), windows=QUARTER_AND_YEAR, unit="share",
        family="unlinked searches", typologies=SYSTEMS, innocent=(BUSY_ROLE,),
    ),
    Idea(
        name="unlinked_per_expected", says="unlinked searches for each search the person's role and tours call for",
        of=ratio(UNLINKED_SEARCHES, SEARCHES_EXPECTED, bottom_at_least=10), windows=QUARTER_AND_YEAR,
        unit="times the expected", family="unlinked searches", typologies=SYSTEMS, innocent=("work beside the post on record",),
        more_is_concern=True,
    ),
    Idea(
        name="unlinked_trend", says="daily rate of unlinked searches, against the nine months before",
        of=Change(of=UNLINKED_SEARCHES, baseline_days=275), windows=(90,), unit="searches a day", family="unlinked searches",
        typologies=SYSTEMS, innocent=("a new role",),
    ),
    Idea(
        name="unlinked_night_searches", says="unlinked searches between 22:00 and 06:00",
        of=count(ACCESS, SEARCH & UNLINKED & pl.col("at_night")), windows=YEAR, unit="searches", family="unlinked searches",
        typologies=SYSTEMS, innocent=("night tours",),
    ),
    Idea(
        name="unlinked_intelligence_searches", says="unlinked searches of intelligence and number-plate systems",
        of=count(ACCESS, SEARCH & UNLINKED & pl.col("system").is_in(["INTEL", "ANPR"])), windows=YEAR, unit="searches",
        family="unlinked searches", typologies=SYSTEMS, innocent=(BUSY_ROLE,),
    ),
    Idea(
        name="own_record_lookups", says="uses of a system on the person's own records",
        of=count(ACCESS, pl.col("subject_relation") == "SELF"), windows=QUARTER_AND_YEAR, unit="uses",
        family="look-ups of people close", typologies=SYSTEMS, innocent=(EXERCISE, "the person reported a crime or was a witness"),
        more_is_concern=True,
    ),
    Idea(
        name="colleague_lookups", says="uses of a system on a colleague's records",
        of=count(ACCESS, pl.col("subject_relation") == "COLLEAGUE"), windows=QUARTER_AND_YEAR, unit="uses",
        family="look-ups of people close", typologies=SYSTEMS, innocent=("the colleague was a victim or witness in a case",),
        more_is_concern=True,
    ),
    Idea(
        name="own_address_lookups", says="uses of a system on somebody at the person's own address",
        of=count(ACCESS, pl.col("subject_relation") == "ADDRESS"), windows=QUARTER_AND_YEAR, unit="uses",
        family="look-ups of people close", typologies=SYSTEMS, innocent=("a block of flats shares one address",),
        more_is_concern=True,
    ),
    Idea(
        name="unlinked_close_lookups", says="uses on own, a colleague's or a household's records that belong to no incident",
        of=count(ACCESS, CLOSE & UNLINKED), windows=QUARTER_AND_YEAR, unit="uses", family="look-ups of people close",
        typologies=SYSTEMS, innocent=(EXERCISE,), more_is_concern=True,
    ),
    Idea(
        name="days_since_close_lookup", says="days since the last use on own, a colleague's or a household's records",
        of=days_since_last(ACCESS, CLOSE), windows=YEAR, unit="days", family="look-ups of people close", typologies=SYSTEMS,
        innocent=(EXERCISE,),
    ),
    Idea(
        name="general_reason_share", says="share of searches with a general reason (administration, other)",
        of=ratio(count(ACCESS, SEARCH & pl.col("general_reason")), SEARCHES, bottom_at_least=20), windows=YEAR, unit="share",
        family="reasons given", typologies=SYSTEMS, innocent=(BUSY_ROLE, "a unit's habit of entry"),
    ),
    Idea(
        name="taken_out", says="records printed or exported", of=count(ACCESS, TAKEN_OUT), windows=QUARTER_AND_YEAR,
        unit="records", family="records taken out", typologies=SYSTEMS, innocent=("case papers for court",),
    ),
    Idea(
        name="unlinked_taken_out", says="records printed or exported that belong to no incident",
        of=count(ACCESS, TAKEN_OUT & UNLINKED), windows=YEAR, unit="records", family="records taken out", typologies=SYSTEMS,
        innocent=("briefings and returns",), more_is_concern=True,
    ),
    Idea(
        name="on_behalf_share", says="share of searches made for a colleague who asked",
        of=ratio(count(ACCESS, SEARCH & pl.col("on_behalf_of").is_not_null()), SEARCHES, bottom_at_least=20), windows=YEAR,
        unit="share", family="use of systems", innocent=("a bureau that searches for the street",),
    ),
)  # fmt: skip

COMPLAINT_GROUPS = {
    "service": (("A", "B", "C", "E"), "complaints about service, powers, property or vehicles"),
    "information": (("D",), "complaints about access to or disclosure of information"),
    "abuse": (("G", "J"), "complaints of abuse of position or sexual conduct"),
    "behaviour": (("F", "H", "K", "L"), "complaints about behaviour, discrimination or discredit"),
}

COMPLAINT_IDEAS = (
    Idea(
        name="complaints", says="complaints received", of=COMPLAINTS, windows=ONE_AND_TWO_YEARS, unit="complaints",
        family="complaints", typologies=COMPLAINED, innocent=(PUBLIC_CONTACT, GRIEVANCE),
    ),
    Idea(
        name="complaints_per_tour", says="complaints received, a tour worked",
        of=ratio(COMPLAINTS, TOURS, bottom_at_least=50), windows=YEAR, unit="complaints a tour", family="complaints",
        typologies=COMPLAINED, innocent=(PUBLIC_CONTACT, GRIEVANCE),
    ),
    *(
        Idea(
            name=f"{name}_complaints", says=says, of=count(ALLEGATION, pl.col("category").is_in(list(letters))), windows=TWO_YEARS,
            unit="complaints", family="complaints", typologies=COMPLAINED, innocent=(PUBLIC_CONTACT, GRIEVANCE),
        )
        for name, (letters, says) in COMPLAINT_GROUPS.items()
    ),
    Idea(
        name="complaints_upheld", says="complaints found not acceptable, or with a case to answer",
        of=count(ALLEGATION_RESULT, pl.col("result").is_in(["NOT_ACCEPTABLE", "CASE_TO_ANSWER"])), windows=TWO_YEARS,
        unit="complaints", family="complaints", typologies=COMPLAINED,
        innocent=("service fell short for reasons beyond the person",), more_is_concern=True,
    ),
    Idea(
        name="complaints_under_special_procedures", says="complaints investigated under special procedures",
        of=count(ALLEGATION, pl.col("handling") == "INVESTIGATED_SP"), windows=TWO_YEARS, unit="complaints", family="complaints",
        typologies=COMPLAINED, innocent=("the allegation was grave and unfounded",),
    ),
    Idea(
        name="days_since_complaint", says="days since the conduct last complained of", of=days_since_last(ALLEGATION),
        windows=TWO_YEARS, unit="days", family="complaints", typologies=COMPLAINED, innocent=(PUBLIC_CONTACT,),
    ),
)  # fmt: skip

CONDUCT_IDEAS = (
    Idea(
        name="conduct_matters", says="conduct matters opened, our own leads left out", of=count(MATTER),
        windows=ONE_AND_TWO_YEARS, unit="matters", family="conduct record", typologies=CONDUCT,
        innocent=("a matter opened and closed without a finding says that somebody looked",),
    ),
    Idea(
        name="open_conduct_matters", says="conduct matters without a finding so far",
        of=count(MATTER, pl.col("finding").is_null()), windows=TWO_YEARS, unit="matters", family="conduct record",
        typologies=CONDUCT, innocent=("nothing has been found, and an investigation is no finding",),
    ),
    Idea(
        name="matters_reported_by_colleagues", says="conduct matters raised by colleagues or supervisors",
        of=count(MATTER, pl.col("source").is_in(["COLLEAGUE", "ANON_LINE", "SUPERVISOR"])), windows=TWO_YEARS, unit="matters",
        family="conduct record", typologies=CONDUCT, innocent=("a report made in a dispute, or against someone who reported first",),
    ),
    Idea(
        name="findings", says="conduct matters that ended in misconduct or gross misconduct",
        of=count(FINDING, pl.col("finding").is_in(["MISCONDUCT", "GROSS"])), windows=TWO_YEARS, unit="findings",
        family="conduct record", typologies=CONDUCT, innocent=("a past finding that has been dealt with",), more_is_concern=True,
    ),
    Idea(
        name="matters_not_proven", says="conduct matters closed without misconduct",
        of=count(FINDING, pl.col("finding").is_in(["NO_CASE", "NOT_PROVEN"])), windows=TWO_YEARS, unit="matters",
        family="conduct record", innocent=("the person was cleared",),
    ),
    Idea(
        name="days_since_conduct_matter", says="days since the conduct of the last matter", of=days_since_last(MATTER),
        windows=TWO_YEARS, unit="days", family="conduct record", typologies=CONDUCT, innocent=(),
    ),
)  # fmt: skip

CONTEXT_IDEAS = (
    Idea(
        name="tours", says="tours worked", of=TOURS, windows=QUARTER_AND_YEAR, unit="tours", family="work done",
        innocent=("how much somebody works is no conduct",),
    ),
    Idea(
        name="minutes_worked", says="minutes worked", of=total(TOUR, "minutes_worked"), windows=YEAR, unit="minutes",
        family="work done", innocent=("how much somebody works is no conduct",),
    ),
    Idea(
        name="minutes_over", says="minutes worked past the planned end", of=total(TOUR, "minutes_over"), windows=QUARTER_AND_YEAR,
        unit="minutes", family="work done", innocent=(PUBLIC_ORDER,),
    ),
    Idea(
        name="night_share", says="share of tours that began between 18:00 and 04:00",
        of=ratio(count(TOUR, pl.col("at_night")), TOURS, bottom_at_least=20), windows=YEAR, unit="share", family="work done",
        innocent=("the roster",),
    ),
    Idea(
        name="rest_days_worked", says="rest days worked", of=count(TOUR, pl.col("rest_day")), windows=QUARTER_AND_YEAR, unit="tours",
        family="rest-day working", innocent=(PUBLIC_ORDER, SHORT_OF_PEOPLE),
    ),
    Idea(
        name="project_share", says="share of tours charged to an operation or inquiry",
        of=ratio(count(TOUR, pl.col("project_code").is_not_null()), TOURS, bottom_at_least=20), windows=YEAR, unit="share",
        family="events and aid", innocent=(PUBLIC_ORDER,),
    ),
    Idea(
        name="deployments", says="deployments to events, operations or other forces", of=count(DEPLOYMENT),
        windows=QUARTER_AND_YEAR, unit="deployments", family="events and aid", innocent=(PUBLIC_ORDER,),
    ),
    Idea(
        name="rest_day_deployments", says="deployments that fell on a rest day", of=count(DEPLOYMENT, pl.col("rest_day")),
        windows=YEAR, unit="deployments", family="events and aid", innocent=(PUBLIC_ORDER,),
    ),
    Idea(
        name="team_vacancy", says="share of the team's posts with nobody in them",
        of=Latest(
            events=TEAM_RETURN, value=1 - pl.col("filled_posts") / pl.col("established_posts"), key="team_code", via=TEAM,
        ),
        unit="share", family="team", innocent=(SHORT_OF_PEOPLE,),
    ),
    Idea(
        name="days_in_service", says="days of service", of=Latest(events=POST, value=pl.col("service_start"), how="days_since"),
        unit="days", family="service", innocent=("those new to the work make more mistakes",),
    ),
    Idea(
        name="days_in_role", says="days in the role", of=Latest(events=POST, value=pl.col("role_start"), how="days_since"),
        unit="days", family="service", innocent=("those new to a role make more mistakes",),
    ),
    Idea(
        name="rank", says="rank", of=Latest(events=POST, value=pl.col("rank"), how="category"), unit="category",
        family="post",
    ),
    Idea(name="role", says="role", of=ROLE, unit="category", family="post"),
    Idea(
        name="employee_type", says="officer or staff", of=Latest(events=POST, value=pl.col("employee_type"), how="category"),
        unit="category", family="post",
    ),
)  # fmt: skip

# --- Research: sickness and absence, in an isolated study only ---------------------------------------

# Spells that are, or may be, disability-, pregnancy- or injury-related never leave the gate: only a spell
# recorded as not disability-related counts, and "not known" does not.
SPELL = Events(
    name="spell",
    table=SICKNESS_SPELL,
    says="a spell of sickness recorded as related neither to a disability nor to pregnancy or an injury on duty",
    screen=(pl.col("disability_related") == "N")
    & ~pl.col("category").is_in(["INJURY_ON_DUTY", "PREGNANCY_RELATED"]),
)
LEAVE = Events(
    name="leave",
    table=OTHER_ABSENCE,
    says="annual leave, time off in lieu, court or training",
    screen=pl.col("absence_type").is_in(["ANNUAL_LEAVE", "TOIL", "COURT", "TRAINING"]),
)
SPELLS = count(SPELL)
HOURS_IN_DAY = 8

ILLNESS = "people fall ill; sickness says nothing about conduct"

RESEARCH_IDEAS = (
    Idea(
        name="sickness_spells", says="spells of sickness", of=SPELLS, windows=QUARTER_AND_YEAR, unit="spells", family="sickness",
        innocent=(ILLNESS,), research="sickness",
    ),
    Idea(
        name="sickness_hours", says="contracted hours lost to sickness", of=total(SPELL, "hours_lost"), windows=QUARTER_AND_YEAR,
        unit="hours", family="sickness", innocent=(ILLNESS,), research="sickness",
    ),
    Idea(
        name="long_sickness_spells", says="spells of more than 28 days",
        of=count(SPELL, pl.col("end_at") - pl.col("occurred_at") > pl.duration(days=28)), windows=YEAR, unit="spells",
        family="sickness", innocent=(ILLNESS,), research="sickness",
    ),
    Idea(
        name="spells_squared_times_days", says="spells times spells times days lost (the Bradford factor, on screened spells)",
        of=Product(left=Product(left=SPELLS, right=SPELLS), right=total(SPELL, pl.col("hours_lost") / HOURS_IN_DAY)),
        windows=YEAR, unit="points", family="sickness",
        innocent=(ILLNESS, "the factor weighs many short spells heaviest, as chronic conditions bring"), research="sickness",
    ),
    Idea(
        name="days_since_sickness", says="days since the last spell began", of=days_since_last(SPELL), windows=YEAR, unit="days",
        family="sickness", innocent=(ILLNESS,), research="sickness",
    ),
    Idea(
        name="leave_taken", says="leaves of absence for annual leave, time off in lieu, court or training", of=count(LEAVE),
        windows=YEAR, unit="absences", family="other absence", innocent=("leave is a right",), research="sickness",
    ),
    Idea(
        name="leave_hours", says="hours of annual leave, time off in lieu, court or training", of=total(LEAVE, "hours"),
        windows=YEAR, unit="hours", family="other absence", innocent=("leave is a right",), research="sickness",
    ),
)  # fmt: skip

CATALOGUE = Catalogue(
    (
        *ROSTER_IDEAS,
        *OVERTIME_IDEAS,
        *SYSTEMS_IDEAS,
        *COMPLAINT_IDEAS,
        *CONDUCT_IDEAS,
        *CONTEXT_IDEAS,
        *RESEARCH_IDEAS,
    )
)


def _members(read: ReadKnown, as_of: date) -> pl.DataFrame:
    """Everyone whose post in effect before `as_of` has not ended by then."""
    midnight = datetime.combine(as_of, time())
    return (
        read(POST, midnight)
        .filter(pl.col("occurred_at") < midnight)
        .sort("occurred_at", "known_at")
        .unique("person_key", keep="last", maintain_order=True)
        .filter(pl.col("leaver_date").is_null() | (pl.col("leaver_date") >= as_of))
        .select("person_key", "rank", "team_code", "role_code", "bcu_code")
        .sort("person_key")
    )


FORCE = ForceDefinition(
    name="simulated",
    title="A simulated UK police force",
    tables=TABLES,
    catalogue=CATALOGUE,
    cohort=Cohort(
        says="Every officer and member of staff in post: the latest version of the post in effect, not left.",
        members=_members,
        descriptors=("rank", "team_code", "role_code", "bcu_code"),
    ),
    outcome=Outcome(
        says="A conduct matter about conduct in the 12 months from the as-of date that ended in a finding of "
        "misconduct or gross misconduct.",
        cases=Events(name="case", table=CONDUCT_MATTER, says="a conduct case, dated by the conduct"),
        confirmed=pl.col("finding").is_in(["MISCONDUCT", "GROSS"]),
        closed_at="finding_at",
        horizon_months=12,
        settle_months=9,
    ),
    # Early-intervention systems count events and raise a flag at a fixed number, whatever the post or the
    # hours worked. The numbers below are of that kind and flag some 8 % of people, as such systems do (the
    # Chicago rule flags 9 to 11 %).
    baselines=Baselines(
        complaint_count="complaints_730d",
        threshold_rule=(
            Condition(column="complaints_365d", at_least=2),
            Condition(column="conduct_matters_730d", at_least=2),
            Condition(column="own_late_changes_90d", at_least=4),
            Condition(column="overtime_minutes_90d", at_least=2400),
            Condition(column="unlinked_searches_90d", at_least=40),
        ),
    ),
    calendar=Calendar(every_months=3),
    typologies={
        "T1": "roster manipulation",
        "T2": "overtime fraud",
        "T4": "misuse of systems",
        "C": "conduct complained of by the public",
        "M": "conduct already under examination or found",
    },
    use="simulated",
    people="establishment.person_key",
    identity_map="identity_map",
    reveals=(
        Reveals(
            columns=frozenset({"duty_plan.person_key", "duty_worked.person_key"}),
            mark=Mark.PROTECTED,
            says="absence, as planned tours that were not worked",
        ),
    ),
    audit_attributes=(
        "protected_characteristics.sex",
        "protected_characteristics.ethnicity",
        "protected_characteristics.age_band",
        "protected_characteristics.disability_declared",
        "protected_characteristics.religion_or_belief",
        "protected_characteristics.union_representative",
        "establishment.working_pattern",
    ),
)
