"""Public complaint records of the Chicago Police Department, as prepared for method validation.

Released under freedom of information and linked by the Invisible Institute. There are no
record-keeping times beyond dates; what is known when is said column by column.
"""

from __future__ import annotations

from features.tables import Column, Mark, Table

PROTECTED = Mark.PROTECTED

_OFFICER = Column(
    name="officer_id",
    kind="integer",
    says="the officer (a random surrogate)",
    refers_to="officers.officer_id",
)
_FLAG = {"kind": "integer", "nullable": True, "minimum": 0, "maximum": 1}

OFFICERS = Table(
    name="officers",
    says="One officer's profile.",
    source_system="CPD_PROFILES",
    key=("officer_id",),
    person="officer_id",
    occurred_at=None,
    known_at=None,
    columns=(
        Column(name="officer_id", kind="integer", says="the officer (a random surrogate)"),
        Column(name="birth_year", kind="integer", says="year of birth", nullable=True),
        Column(name="gender", kind="string", says="gender", nullable=True, mark=PROTECTED),
        Column(name="race", kind="string", says="race", nullable=True, mark=PROTECTED),
        Column(name="appointed_date", kind="date", says="date of appointment", nullable=True),
        Column(name="resignation_date", kind="date", says="last day of service", nullable=True, known_from="resignation_date"),
    ),
)  # fmt: skip

COMPLAINTS_ACCUSED = Table(
    name="complaints_accused",
    says="One officer accused in one complaint.",
    source_system="CPD_COMPLAINTS",
    key=("complaint_id", "officer_id"),
    person="officer_id",
    occurred_at="incident_date",
    known_at="complaint_date",
    columns=(
        Column(name="complaint_id", kind="integer", says="the complaint"),
        _OFFICER,
        Column(name="incident_date", kind="date", says="when it happened", nullable=True),
        Column(name="complaint_date", kind="date", says="when it was received", nullable=True),
        Column(name="closed_date", kind="date", says="when it was closed", nullable=True, known_from="closed_date"),
        Column(name="complaint_code", kind="string", says="category code", nullable=True),
        Column(name="code_group", kind="string", says="first two characters of the code", nullable=True),
        Column(name="category", kind="string", says="category", nullable=True),
        Column(name="recommended_finding", kind="string", says="investigator's finding", nullable=True, known_from="closed_date"),
        Column(name="recommended_outcome", kind="string", says="investigator's penalty", nullable=True, known_from="closed_date"),
        Column(name="final_finding", kind="string", says="final finding", nullable=True, known_from="closed_date"),
        Column(name="final_outcome", kind="string", says="final penalty", nullable=True, known_from="closed_date"),
        Column(name="finding_filled_later", kind="boolean", says="the finding came from a later release", nullable=True, known_from="closed_date"),
        Column(name="source", kind="string", says="release the row came from", nullable=True),
        Column(name="district", kind="integer", says="police district", nullable=True),
        Column(name="n_accused", kind="integer", says="officers accused in the complaint", minimum=1),
    ),
)  # fmt: skip

USE_OF_FORCE = Table(
    name="use_of_force",
    says="One report of force by an officer on a subject.",
    source_system="CPD_TRR",
    key=("trr_id",),
    person="officer_id",
    occurred_at="trr_date",
    known_at="trr_date",
    required=False,
    columns=(
        Column(name="trr_id", kind="integer", says="the report"),
        _OFFICER,
        Column(name="event_id", kind="integer", says="the event", nullable=True),
        Column(name="trr_date", kind="date", says="when it happened"),
        Column(name="trr_hour", kind="integer", says="hour of day", nullable=True),
        Column(name="on_duty", says="officer was on duty", **_FLAG),
        Column(name="in_uniform", says="officer was in uniform", **_FLAG),
        Column(name="officer_injured", says="officer was injured", **_FLAG, mark=PROTECTED),
        Column(name="subject_armed", says="subject was armed", **_FLAG),
        Column(name="subject_injured", says="subject was injured", **_FLAG),
        Column(name="subject_alleged_injury", says="subject alleged injury", **_FLAG),
        Column(name="taser", says="taser was used", **_FLAG),
        Column(name="firearm_used", says="firearm was used", **_FLAG),
        Column(name="subject_age", kind="integer", says="age of the subject", nullable=True),
        Column(name="subject_gender", kind="string", says="gender of the subject", nullable=True, mark=PROTECTED),
        Column(name="subject_race", kind="string", says="race of the subject", nullable=True, mark=PROTECTED),
        Column(name="total_shots", kind="integer", says="shots fired", nullable=True),
        Column(name="indoor", kind="string", says="indoors or outdoors", nullable=True),
        Column(name="lighting", kind="string", says="lighting", nullable=True),
        Column(name="officer_rank", kind="string", says="rank at the time", nullable=True),
        Column(name="officer_unit", kind="integer", says="unit at the time", nullable=True),
        Column(name="district", kind="integer", says="police district", nullable=True),
    ),
)  # fmt: skip

SALARY = Table(
    name="salary",
    says="One officer's pay in one year.",
    source_system="CPD_SALARY",
    key=("officer_id", "year", "position_start_date", "rank", "salary"),
    person="officer_id",
    occurred_at=None,
    known_at=None,
    columns=(
        _OFFICER,
        Column(name="year", kind="integer", says="pay year", minimum=1990, maximum=2100),
        Column(name="rank", kind="string", says="rank or title", nullable=True),
        Column(name="pay_grade", kind="string", says="pay grade", nullable=True),
        Column(name="salary", kind="number", says="nominal yearly pay, dollars", nullable=True),
        Column(name="employee_status", kind="string", says="status", nullable=True),
        Column(name="position_start_date", kind="date", says="start in the position", nullable=True),
    ),
)

UNIT_HISTORY = Table(
    name="unit_history",
    says="One posting of an officer to a unit.",
    source_system="CPD_UNITS",
    key=("officer_id", "unit", "start_date", "end_date"),
    person="officer_id",
    occurred_at="start_date",
    known_at="start_date",
    columns=(
        _OFFICER,
        Column(name="unit", kind="integer", says="unit"),
        Column(name="start_date", kind="date", says="first day", nullable=True),
        Column(name="end_date", kind="date", says="last day", nullable=True, known_from="end_date"),
    ),
)

TABLES = (OFFICERS, COMPLAINTS_ACCUSED, USE_OF_FORCE, SALARY, UNIT_HISTORY)
