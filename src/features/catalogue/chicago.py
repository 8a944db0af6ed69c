"""What is asked of the public Chicago records: the method, proven on records nobody here made.

Race, gender and year of birth are not asked for. A finding stands in the complaint's row but nobody knew
it before the case was closed, so findings are read through `CLOSED`, whose `known_at` is the closing date.
Category and number of accused are as of the extraction (the releases do not say what they were at first).
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
    Leaving,
    Outcome,
    Precedents,
    ReadKnown,
)
from features.specs import (
    Aggregate,
    Alike,
    Banded,
    Catalogue,
    Colleagues,
    Events,
    Idea,
    Latest,
    Peers,
    Term,
    count,
    days_since_last,
    distinct,
    largest,
    mean,
    ratio,
    total,
)
from features.tables.chicago import COMPLAINTS_ACCUSED, OFFICERS, SALARY, TABLES, UNIT_HISTORY, USE_OF_FORCE

YEARS_1_2_5_10 = (365, 730, 1825, 3650)
YEARS_2_5_10 = (730, 1825, 3650)
YEARS_1_2_5 = (365, 730, 1825)
YEARS_5_10 = (1825, 3650)
CAREER = 14600

COMPLAINT = Events(
    name="complaint", table=COMPLAINTS_ACCUSED, says="a complaint received that names the officer"
)
CLOSED = Events(
    name="closed_complaint",
    table=COMPLAINTS_ACCUSED,
    says="a complaint that was closed with or without a finding",
    known_at="closed_date",
)
CLOSING = Events(
    name="closing",
    table=COMPLAINTS_ACCUSED,
    says="the closing of a complaint, at the date it was closed",
    occurred_at="closed_date",
    known_at="closed_date",
)
FORCE_REPORT = Events(name="force_report", table=USE_OF_FORCE, says="a report of force used on a subject")
PAY_YEAR = Events(
    name="pay_year",
    table=SALARY,
    says="one year's pay",
    occurred_at=pl.date(pl.col("year"), 12, 31),
    known_at=pl.date(pl.col("year"), 12, 31),
)
POSTING = Events(name="posting", table=UNIT_HISTORY, says="a posting to a unit")
PROFILE = Events(
    name="profile", table=OFFICERS, says="the officer's profile",
    occurred_at="appointed_date", known_at="appointed_date",
)  # fmt: skip
RESIGNATION = Events(
    name="resignation", table=OFFICERS, says="the end of service",
    occurred_at="resignation_date", known_at="resignation_date",
)  # fmt: skip

SUSTAINED = pl.col("final_finding") == "SU"
SOLE_ACCUSED = pl.col("n_accused") == 1
# A mass case says little about one person: one 2009 case was sustained against 41 officers, one debt case
# of 2001 (code 09K) against 59. The benchmark's primary label leaves both kinds out.
CORE = (pl.col("n_accused") <= 10) & pl.col("complaint_code").ne_missing("09K")

GROUPS = {
    "01": ("verbal_abuse", "complaints of verbal abuse"),
    "03": ("arrest_search", "complaints about arrest, search or entry"),
    "04": ("lockup", "complaints about lock-up procedures"),
    "05": ("excessive_force", "complaints of excessive force"),
    "08": ("crime", "complaints alleging a crime"),
    "09": ("conduct", "complaints of conduct unbecoming"),
    "10": ("operations", "complaints about operations or personnel rules"),
}
# What complaints are about, where the group of the code is too coarse. Complaints about the medical roll are left
# out: they would tell of sickness.
TOPICS = {
    "off_duty": ("complaints about conduct off duty", pl.col("category").str.contains("(?i)off.duty")),
    "domestic": ("complaints about a domestic incident", pl.col("category").str.contains("(?i)domestic")),
    "alcohol": ("complaints about alcohol", pl.col("code_group") == "02"),
    "traffic": ("complaints about traffic and accidents", pl.col("code_group") == "07"),
    "supervising": ("complaints about a supervisor's duties", pl.col("code_group") == "12"),
    "absence": ("complaints about absence without leave or residence", pl.col("complaint_code").is_in(["10A", "10C", "10H", "10R"])),
    "reporting": ("complaints about reports, service or inventory", pl.col("complaint_code").is_in(["10T", "10U", "10V"])),
    "communication": ("complaints about communication procedures", pl.col("complaint_code") == "10D"),
    "neglect": ("complaints of neglect of duty", pl.col("complaint_code") == "10J"),
    "insubordination": ("complaints of insubordination", pl.col("complaint_code") == "10M"),
    "equipment": ("complaints about equipment, weapons or vehicles", pl.col("complaint_code").is_in(["10L", "10P", "10W", "10X"])),
}  # fmt: skip
FINDINGS = {
    "NS": ("not_sustained", "complaints closed as not sustained"),
    "UN": ("unfounded", "complaints closed as unfounded"),
    "EX": ("exonerated", "complaints closed as exonerated"),
    "NAF": ("no_affidavit", "complaints closed because no affidavit was signed"),
}
SUSPENDED = pl.col("final_outcome").str.contains("(?i)suspen|day")
BUSY = "a busy district or role brings more contacts, and more complaints, at equal conduct"


def _complaints(name: str, says: str, of: Aggregate, windows: tuple[int, ...] = YEARS_2_5_10, **more) -> Idea:  # type: ignore[no-untyped-def]  # Idea checks
    return Idea(
        name=name, says=says, of=of, windows=windows, unit="complaints", innocent=(BUSY,), typologies=("C",), **more
    )  # fmt: skip


DAYS_IN_SERVICE = Latest(events=PROFILE, value=pl.col("appointed_date"), how="days_since")
RANK = Latest(events=PAY_YEAR, value=pl.col("rank"), how="category")
UNIT = Latest(events=POSTING, value=pl.col("unit").cast(pl.String), how="category")
# One where the window holds one year's pay, which it does for everybody in the cohort.
PAID_YEARS = distinct(PAY_YEAR, "year")
EVERYONE = Alike(says="all officers", by=())
SAME_RANK = Alike(says="officers of the same rank", by=(RANK,))
SAME_SERVICE = Alike(
    says="officers of the same rank, about as long in service",
    by=(RANK, Banded(of=DAYS_IN_SERVICE, edges=(1095.0, 1825.0, 3650.0, 5475.0, 7300.0, 9125.0))),
    at_least=50,
)

# What a unit is like: name, what is counted, windows, unit of measure.
OF_UNIT: dict[str, tuple[str, Term, tuple[int, ...], str]] = {
    "complaints": ("complaints received", count(COMPLAINT), (730, 1825), "complaints"),
    "sole_accused_complaints": ("complaints as the only one accused", count(COMPLAINT, SOLE_ACCUSED), (1825,), "complaints"),
    "sustained": ("complaints sustained", count(CLOSED, SUSTAINED & CORE), (1825, 3650), "complaints"),
    "days_in_service": ("days in service", DAYS_IN_SERVICE, (), "days"),
}  # fmt: skip
# Numbers drift with how much is recorded (reports of force begin in 2004, affidavits in 2005); a standing among
# others at the same date does not.
BESIDE_OTHERS: dict[str, tuple[str, Aggregate, tuple[int, ...], str]] = {
    "complaints": ("complaints received", count(COMPLAINT), (365, 1825), "complaints"),
    "sole_accused": ("complaints as the only one accused", count(COMPLAINT, SOLE_ACCUSED), (1825,), "complaints"),
    "sustained": ("complaints sustained", count(CLOSED, SUSTAINED & CORE), (3650,), "findings"),
    "operations": ("complaints about operations", count(COMPLAINT, pl.col("code_group") == "10"), (1825,), "operations complaints"),
    "force_reports": ("reports of force", count(FORCE_REPORT), (365,), "use of force"),
}  # fmt: skip

CATALOGUE = Catalogue(
    (
        _complaints("complaints", "complaints received", count(COMPLAINT), YEARS_1_2_5_10, family="complaints"),
        *(
            _complaints(
                f"{name}_complaints", says, count(COMPLAINT, pl.col("code_group") == group), family=f"{name} complaints"
            )
            for group, (name, says) in GROUPS.items()
        ),
        _complaints(
            "sole_accused_complaints", "complaints in which the officer was the only one accused",
            count(COMPLAINT, SOLE_ACCUSED), (*YEARS_1_2_5_10, CAREER), family="complaints",
        ),
        *(
            _complaints(f"{name}_complaints", says, count(COMPLAINT, about), (*YEARS_5_10, CAREER), family=f"{name} complaints")
            for name, (says, about) in TOPICS.items()
        ),
        _complaints(
            "operations_sole_complaints", "complaints about operations or personnel rules, as the only one accused",
            count(COMPLAINT, SOLE_ACCUSED & (pl.col("code_group") == "10")), (730, 1825), family="operations complaints",
        ),
        Idea(
            name="mean_accused", says="officers accused in the complaint, on average",
            of=mean(COMPLAINT, "n_accused"), windows=(1825,), unit="officers", family="complaints",
        ),
        Idea(
            name="days_since_complaint", says="days since the last complaint", of=days_since_last(COMPLAINT),
            windows=(3650,), unit="days", family="complaints", typologies=("C",),
        ),
        _complaints(
            "sustained", "complaints sustained", count(CLOSED, SUSTAINED), (*YEARS_2_5_10, CAREER),
            family="findings", more_is_concern=True,
        ),
        _complaints(
            "sustained_core", "complaints sustained, mass cases left out", count(CLOSED, SUSTAINED & CORE),
            (1825, 3650), family="findings", more_is_concern=True,
        ),
        Idea(
            name="days_since_sustained", says="days since the last sustained finding was made",
            of=days_since_last(CLOSING, SUSTAINED), windows=(CAREER,), unit="days", family="findings",
            typologies=("C",),
        ),
        *(
            _complaints(name, says, count(CLOSED, pl.col("final_finding") == code), (1825,), family="closings")
            for code, (name, says) in FINDINGS.items()
        ),
        Idea(
            name="sustained_share", says="share of closed complaints that were sustained",
            of=ratio(count(CLOSED, SUSTAINED), count(CLOSED), bottom_at_least=1), windows=(3650,), unit="share",
            family="findings", typologies=("C",),
        ),
        _complaints(
            "suspensions", "complaints closed with a suspension",
            count(CLOSED, SUSPENDED), (3650, CAREER), family="penalties",
        ),
        _complaints(
            "sole_accused_sustained", "complaints sustained in which the officer was the only one accused",
            count(CLOSED, SUSTAINED & SOLE_ACCUSED), (*YEARS_5_10, CAREER), family="findings", more_is_concern=True,
        ),
        _complaints(
            "recommended_sustained", "complaints that the investigator found sustained, whatever was made of it",
            count(CLOSED, pl.col("recommended_finding") == "SU"), (*YEARS_5_10, CAREER), family="findings",
        ),
        _complaints(
            "recommended_suspensions", "complaints for which the investigator recommended a suspension or separation",
            count(CLOSED, pl.col("recommended_outcome").str.contains("(?i)suspen|day|separ")), (3650, CAREER), family="penalties",
        ),
        _complaints(
            "reprimands", "complaints closed with a reprimand or a violation noted",
            count(CLOSED, pl.col("final_outcome").str.contains("(?i)reprim|violation")), (3650, CAREER), family="penalties",
        ),
        Idea(
            name="days_suspended", says="days of suspension, where their number is given",
            of=total(CLOSED, pl.col("final_outcome").str.extract(r"^(\d+) DAY").cast(pl.Float64), SUSPENDED),
            windows=(3650, CAREER), unit="days", family="penalties", typologies=("C",),
        ),
        Idea(
            name="closed_share", says="share of complaints received that have been closed",
            of=ratio(count(CLOSED), count(COMPLAINT), bottom_at_least=1), windows=(365, 730, 1825), unit="share", family="closings",
        ),
        Idea(
            name="sole_accused_closed_share", says="share of complaints received, as the only one accused, that have been closed",
            of=ratio(count(CLOSED, SOLE_ACCUSED), count(COMPLAINT, SOLE_ACCUSED), bottom_at_least=1), windows=(730, 1825),
            unit="share", family="closings",
        ),
        *(
            Idea(
                name=f"unit_{name}", says=f"{says} of the others in the unit, on average", of=Colleagues(of=of, by=UNIT),
                windows=windows, unit=unit, family="unit",
            )
            for name, (says, of, windows, unit) in OF_UNIT.items()
        ),
        *(
            Idea(
                name=f"{name}_{beside}", says=f"share of {among.says} with more {says} a year paid",
                of=Peers(of=of, exposure=PAID_YEARS, exposure_at_least=1, among=among, how="share_higher"),
                windows=windows, unit="share", family=family, innocent=(BUSY,), typologies=("F",) if of.events is FORCE_REPORT else ("C",),
            )
            for name, (says, of, windows, family) in BESIDE_OTHERS.items()
            for beside, among in {"beside_all": EVERYONE, "beside_like": SAME_SERVICE}.items()
        ),
        Idea(
            name="force_reports", says="reports of force", of=count(FORCE_REPORT), windows=YEARS_1_2_5, unit="reports",
            family="use of force", innocent=(BUSY,), typologies=("F",),
        ),
        Idea(
            name="injuries_alleged", says="reports of force in which the subject alleged an injury",
            of=total(FORCE_REPORT, "subject_alleged_injury"), windows=(730, 1825), unit="reports", family="use of force",
            typologies=("F",),
        ),
        Idea(
            name="subjects_injured", says="reports of force in which the subject was injured",
            of=total(FORCE_REPORT, "subject_injured"), windows=(1825,), unit="reports", family="use of force", typologies=("F",),
        ),
        Idea(
            name="taser_reports", says="reports of force with a taser", of=total(FORCE_REPORT, "taser"),
            windows=(1825,), unit="reports", family="use of force", typologies=("F",),
        ),
        Idea(
            name="firearm_reports", says="reports of force with a firearm used", of=total(FORCE_REPORT, "firearm_used"),
            windows=(1825,), unit="reports", family="use of force", typologies=("F",),
        ),
        Idea(
            name="off_duty_force", says="reports of force while off duty",
            of=count(FORCE_REPORT, pl.col("on_duty") == 0), windows=(1825,), unit="reports", family="use of force", typologies=("F",),
        ),
        Idea(
            name="armed_share", says="share of force reports in which the subject was armed",
            of=ratio(count(FORCE_REPORT, pl.col("subject_armed") == 1), count(FORCE_REPORT), bottom_at_least=3),
            windows=(1825,), unit="share", family="use of force",
        ),
        Idea(
            name="night_share", says="share of force reports between 22:00 and 06:00",
            of=ratio(
                count(FORCE_REPORT, (pl.col("trr_hour") >= 22) | (pl.col("trr_hour") < 6)), count(FORCE_REPORT), bottom_at_least=3
            ),
            windows=(1825,), unit="share", family="use of force",
        ),
        Idea(
            name="largest_case", says="officers accused in the largest case", of=largest(COMPLAINT, "n_accused"),
            windows=(1825,), unit="officers", family="complaints",
        ),
        Idea(
            name="postings", says="postings begun", of=count(POSTING), windows=(1825,), unit="postings", family="posting",
        ),
        Idea(
            name="days_in_service", says="days since appointment", of=DAYS_IN_SERVICE, unit="days", family="service",
        ),
        Idea(
            name="days_in_unit", says="days since the last posting began",
            of=Latest(events=POSTING, value=pl.col("start_date"), how="days_since"), unit="days", family="posting",
        ),
        Idea(name="unit", says="unit number", of=Latest(events=POSTING, value=pl.col("unit")), unit="number", family="posting"),
        Idea(
            name="days_in_position", says="days in the position held",
            of=Latest(events=PAY_YEAR, value=pl.col("position_start_date"), how="days_since"), unit="days", family="service",
        ),
        Idea(name="pay", says="yearly pay", of=Latest(events=PAY_YEAR, value=pl.col("salary")), unit="dollars", family="service"),
        *(
            Idea(
                name=f"pay_{beside}", says=f"share of {among.says} who are paid more",
                of=Peers(of=total(PAY_YEAR, "salary"), exposure=PAID_YEARS, exposure_at_least=1, among=among, how="share_higher"),
                windows=(365,), unit="share", family="service",
            )
            for beside, among in {"beside_all": EVERYONE, "beside_rank": SAME_RANK, "beside_like": SAME_SERVICE}.items()
        ),
        Idea(name="rank", says="rank", of=RANK, unit="category", family="service"),
    )
)  # fmt: skip


def _members(read: ReadKnown, as_of: date) -> pl.DataFrame:
    midnight = datetime.combine(as_of, time())
    # The pay year is known on its last day, so the latest one known before as_of is the year before.
    paid = read(PAY_YEAR, midnight).filter(
        (pl.col("year") == as_of.year - 1) & ~pl.col("rank").is_in(["CIVILIAN", "GENERAL COUNSEL"])
    )
    appointed = read(PROFILE, midnight).select("person_key")
    resigned = read(RESIGNATION, midnight).select("person_key")
    return (
        paid.join(appointed, on="person_key", how="semi")
        .join(resigned, on="person_key", how="anti")
        .unique("person_key", keep="first", maintain_order=True)
        .select("person_key", "rank", "pay_grade")
        .sort("person_key")
    )


FORCE = ForceDefinition(
    name="chicago",
    title="Chicago Police Department, public complaint records",
    tables=TABLES,
    catalogue=CATALOGUE,
    cohort=Cohort(
        says="Sworn officers paid in the last year, appointed and not resigned; ranks above sergeant are "
        "almost absent from the salary releases before 2017.",
        members=_members,
        descriptors=("rank", "pay_grade"),
        leaving=Leaving(events=RESIGNATION, last_day="resignation_date"),
    ),
    outcome=Outcome(
        says="A complaint about an incident in the 24 months from the as-of date that was sustained, with at "
        "most 10 accused and not for a debt to the city.",
        cases=COMPLAINT,
        confirmed=SUSTAINED & CORE,
        closed_at="closed_date",
        horizon_months=24,
        settle_months=24,
        precedents=Precedents(kinds=("category", "code_group"), least_months=48, most_months=120),
    ),
    baselines=Baselines(
        complaint_count="complaints_1825d",
        threshold_rule=(
            Condition(column="complaints_365d", at_least=3),
            Condition(column="complaints_730d", at_least=5),
            Condition(column="sustained_730d", at_least=1),
            Condition(column="force_reports_365d", at_least=10),
        ),
        # By what was complained of, over five years, and the use of force.
        rules={name: f"{name}_complaints_1825d" for name, _ in GROUPS.values()}
        | {"force": "force_reports_1825d"},
        exposure="days_in_service",
    ),
    calendar=Calendar(every_months=12, first=date(2003, 1, 1), tests_settle=False),
    typologies={"C": "conduct complained of", "F": "use of force"},
    use="validation",
    people="officers.officer_id",
    audit_attributes=("officers.gender", "officers.race"),
)
