"""Source tables of a UK police force, as its systems would export them.

Shapes follow the systems named in each `source_system`; the field lists are a reading of public
documents (Police Regulations 2003, IOPC complaint categories, the help pages of roster systems), not of
any one force's exports.
"""

from __future__ import annotations

from features.tables import Column, Kind, Mark, Sensitivity, Table

PROTECTED, HEALTH = Mark.PROTECTED, Mark.HEALTH

RANKS = ("PC", "PS", "INSP", "CI", "SUPT", "CSUPT")
ROLES = (
    "RESPONSE", "NEIGHBOURHOOD", "INVESTIGATION", "CUSTODY", "INTEL_DESK", "PNC_BUREAU", "PUBLIC_ORDER",
    "ROADS", "SAFEGUARDING", "PLANNING",
)  # fmt: skip


# Tours, claims and log lines are recorded every day; a quarter without one means an old or broken export.
STALE_AFTER_DAYS = 92


def _column(name: str, kind: Kind, says: str, **limits) -> Column:  # type: ignore[no-untyped-def]  # Column checks
    return Column(name=name, kind=kind, says=says, **limits)


def _person(says: str = "the person") -> Column:
    return _column("person_key", "string", says, pattern=r"P\d{6}", refers_to="establishment.person_key")


def _times(occurred: str, known: str = "when the force recorded it") -> tuple[Column, Column]:
    return (
        _column("occurred_at", "datetime", occurred),
        _column("known_at", "datetime", known, at_least="occurred_at"),
    )


# A roster, an aid deployment or a role is published before it takes effect, so `known_at` may come first.
def _planned_times(occurred: str, known: str) -> tuple[Column, Column]:
    return (_column("occurred_at", "datetime", occurred), _column("known_at", "datetime", known))


_WITHDRAWN = _column("withdrawn", "boolean", "true where this version takes the row back")

ESTABLISHMENT = Table(
    name="establishment",
    says="One version of a person's post: rank, team, role, service.",
    source_system="HR",
    key=("person_key", "occurred_at"),
    correctable=True,
    columns=(
        _column("person_key", "string", "the person", pattern=r"P\d{6}"),
        *_planned_times("when this version takes effect", "when HR recorded it"),
        _column("employee_type", "string", "officer or staff", allowed=("OFFICER", "STAFF")),
        _column("rank", "string", "rank", allowed=RANKS),
        _column("bcu_code", "string", "basic command unit"),
        _column("team_code", "string", "team"),
        _column("role_code", "string", "role", allowed=ROLES),
        _column("service_start", "date", "first day of service"),
        _column("role_start", "date", "first day in the role"),
        _column("fte", "number", "contracted share of full time", minimum=0.1, maximum=1.0, mark=PROTECTED),
        _column("working_pattern", "string", "contracted pattern", allowed=("FULL", "PART", "COMPRESSED"), mark=PROTECTED),
        _column("supervisor_key", "string", "line supervisor", nullable=True),
        _column("leaver_date", "date", "last day of service", nullable=True),
        _column("leaver_reason", "string", "why the person left", nullable=True, mark=PROTECTED,
                allowed=("RETIRE", "RESIGN", "TRANSFER", "DISMISS", "ILLHEALTH")),
        _WITHDRAWN,
    ),
)  # fmt: skip

IDENTITY_MAP = Table(
    name="identity_map",
    says="Which log-on number of the access systems belongs to which person.",
    source_system="IDENTITY",
    key=("user_no",),
    columns=(
        _column("user_no", "string", "the access systems' own person number", pattern=r"U\d{6}"),
        _person(),
        *_planned_times("from when the number was in use", "when the link was recorded"),
    ),
)

DUTY_PLAN = Table(
    name="duty_plan",
    says="One planned tour of duty as first published.",
    source_system="ROSTER",
    key=("duty_id",),
    stale_after_days=STALE_AFTER_DAYS,
    columns=(
        _column("duty_id", "string", "the tour"),
        _person(),
        *_planned_times("planned start", "when the roster was published"),
        _column("planned_end", "datetime", "planned end", at_least="occurred_at"),
        _column("shift_code", "string", "shift", allowed=("E", "L", "N", "D", "RD")),
        _column("activity_code", "string", "what the tour is for", allowed=("CORE", "EVENT", "COURT", "TRAINING")),
    ),
)  # fmt: skip

DUTY_WORKED = Table(
    name="duty_worked",
    says="One tour as booked on and off.",
    source_system="ROSTER",
    key=("duty_id",),
    correctable=True,
    stale_after_days=STALE_AFTER_DAYS,
    columns=(
        _column("duty_id", "string", "the tour"),
        _person(),
        *_times("book-on", "when the tour was confirmed"),
        _column("book_off", "datetime", "book-off", at_least="occurred_at"),
        _column("minutes_worked", "integer", "minutes between book-on and book-off", minimum=0, maximum=1440),
        _column("minutes_over", "integer", "minutes worked past the planned end", minimum=0, maximum=1440),
        _column("rest_day", "boolean", "worked on a rostered rest day"),
        _column("book_on_method", "string", "how the tour was booked on", allowed=("RADIO", "APP", "SUPERVISOR", "SELF")),
        _column("project_code", "string", "operation or inquiry the tour was charged to", nullable=True),
        _WITHDRAWN,
    ),
)  # fmt: skip

DUTY_AMENDMENT = Table(
    name="duty_amendment",
    says="One change made to a published tour.",
    source_system="ROSTER",
    key=("amendment_id",),
    stale_after_days=STALE_AFTER_DAYS,
    columns=(
        _column("amendment_id", "string", "the change"),
        _column("duty_id", "string", "the tour it changes"),
        _person("the person whose tour it is"),
        *_times("when the change was made", "when the change reached the record"),
        _column("duty_start", "datetime", "planned start of the tour"),
        _column("field", "string", "what was changed", allowed=("START", "END", "BOOK_OFF", "REST_DAY", "CANCEL")),
        _column("minutes_changed", "integer", "minutes added to (or taken from) the tour", minimum=-1440, maximum=1440),
        _column("amended_by_key", "string", "who made the change", pattern=r"P\d{6}"),
        _column("reason_code", "string", "reason given", mark=PROTECTED,
                allowed=("EXIGENCY", "SICK", "COURT", "TRAINING", "SWAP", "ERROR", "LEAVE", "AID")),
    ),
)  # fmt: skip

SICKNESS_SPELL = Table(
    name="sickness_spell",
    says="One spell of sickness absence.",
    source_system="HR",
    key=("spell_id",),
    correctable=True,
    mark=HEALTH,
    sensitivity=Sensitivity.SPECIAL,
    retention="health-3y",
    columns=(
        _column("spell_id", "string", "the spell"),
        _person(),
        *_times("first day of the spell"),
        _column("end_at", "datetime", "end of the spell", nullable=True, at_least="occurred_at"),
        _column("hours_lost", "number", "contracted hours lost so far", minimum=0),
        _column("certificate", "string", "kind of certificate", allowed=("SELF", "FIT_NOTE", "NONE"), mark=PROTECTED),
        _column("category", "string", "recorded cause", mark=PROTECTED,
                allowed=("MSK", "RESP", "DIGEST", "NEURO", "PSYCH", "INJURY_ON_DUTY", "PREGNANCY_RELATED", "OTHER")),
        _column("disability_related", "string", "whether the cause is a disability", allowed=("Y", "N", "NK"), mark=PROTECTED),
        _WITHDRAWN,
    ),
)  # fmt: skip

OTHER_ABSENCE = Table(
    name="other_absence",
    says="One absence other than sickness.",
    source_system="HR",
    key=("absence_id",),
    mark=HEALTH,
    sensitivity=Sensitivity.SPECIAL,
    retention="health-3y",
    columns=(
        _column("absence_id", "string", "the absence"),
        _person(),
        *_planned_times("start of the absence", "when it was requested or recorded"),
        _column("end_at", "datetime", "end of the absence", at_least="occurred_at"),
        _column("hours", "number", "contracted hours absent", minimum=0),
        _column("absence_type", "string", "kind of absence", mark=PROTECTED,
                allowed=("ANNUAL_LEAVE", "TOIL", "MATERNITY", "PATERNITY", "DEPENDANT", "COMPASSIONATE",
                         "COURT", "TRAINING", "UNION_DUTY", "CAREER_BREAK")),
    ),
)  # fmt: skip

OVERTIME_CLAIM = Table(
    name="overtime_claim",
    says="One claim for overtime, rest-day working or recall.",
    source_system="OVERTIME",
    key=("claim_id",),
    correctable=True,
    stale_after_days=STALE_AFTER_DAYS,
    columns=(
        _column("claim_id", "string", "the claim"),
        _person(),
        *_times("start of the time claimed", "when the claim was submitted"),
        _column("end_at", "datetime", "end of the time claimed", at_least="occurred_at"),
        _column("duty_id", "string", "the tour the claim hangs on", nullable=True),
        _column("claim_type", "string", "kind of claim", allowed=("CASUAL", "PREPLANNED", "REST_DAY", "RECALL", "AID")),
        _column("minutes", "integer", "minutes claimed", minimum=0, maximum=1440),
        _column("rate", "number", "multiple of plain time", minimum=1.0, maximum=2.0),
        _column("reason_text_code", "string", "hash of the reason text, so that repeats can be seen and nothing read"),
        _column("project_code", "string", "operation or inquiry charged", nullable=True),
        _column("authoriser_key", "string", "who authorised it", nullable=True),
        _WITHDRAWN,
    ),
)  # fmt: skip

SYSTEM_ACCESS = Table(
    name="system_access",
    says="One use of a police information system.",
    source_system="ACCESS_LOG",
    key=("event_id",),
    person="user_no",
    person_number=True,
    sensitivity=Sensitivity.CRIMINAL,
    stale_after_days=STALE_AFTER_DAYS,
    columns=(
        _column("event_id", "string", "the event"),
        _column("user_no", "string", "the access systems' own person number", pattern=r"U\d{6}"),
        *_times("when the system was used", "when the log line arrived"),
        _column("system", "string", "the system", allowed=("PNC", "CRIS", "CAD", "ANPR", "INTEL", "CUSTODY")),
        _column("action", "string", "what was done", allowed=("SEARCH", "VIEW", "PRINT", "EXPORT")),
        _column("subject_key", "string", "surrogate of the record looked at"),
        _column("subject_relation", "string", "how the subject stands to the user", allowed=("NONE", "SELF", "COLLEAGUE", "ADDRESS")),
        _column("reason_code", "string", "purpose entered", allowed=("CASE", "INTEL", "VETTING", "ADMIN", "OTHER")),
        _column("on_behalf_of", "string", "colleague who asked for it", nullable=True),
        _column("linked_incident_id", "string", "incident or crime the use belongs to", nullable=True),
    ),
)  # fmt: skip

COMPLAINT = Table(
    name="complaint",
    says="One allegation in a public complaint, against a named person.",
    source_system="COMPLAINTS",
    key=("allegation_id",),
    correctable=True,
    columns=(
        _column("allegation_id", "string", "the allegation"),
        _person("the person complained of"),
        *_times("when the incident happened", "when the complaint was logged, or this version of it"),
        _column("category", "string", "IOPC category letter", allowed=tuple("ABCDEFGHJKL")),
        _column("handling", "string", "how it is handled", allowed=("NOT_INVESTIGATED", "INVESTIGATED_NSP", "INVESTIGATED_SP")),
        _column("result", "string", "result, once there is one", nullable=True,
                allowed=("SERVICE_ACCEPTABLE", "NOT_ACCEPTABLE", "NOT_DETERMINED", "CASE_TO_ANSWER", "NO_CASE")),
        _column("finalised_at", "datetime", "when the result was reached", nullable=True),
        _WITHDRAWN,
    ),
)  # fmt: skip

CONDUCT_MATTER = Table(
    name="conduct_matter",
    says="One conduct case against a person, from opening to finding.",
    source_system="PSD",
    key=("case_id",),
    correctable=True,
    sensitivity=Sensitivity.CRIMINAL,
    columns=(
        _column("case_id", "string", "the case"),
        _person("the person the case is about"),
        *_times("when the conduct happened", "when the case was opened, or this version of it"),
        _column("source", "string", "how it came to notice", allowed=("SUPERVISOR", "COLLEAGUE", "ANON_LINE", "AUDIT", "PUBLIC", "TOOL_LEAD")),
        _column("breach", "string", "standard of professional behaviour in question",
                allowed=("HONESTY", "ORDERS", "DUTIES", "CONFIDENTIALITY", "AUTHORITY", "EQUALITY", "FORCE", "FITNESS", "DISCREDIT", "CHALLENGING")),
        _column("severity", "string", "severity assessment", allowed=("NONE", "PRI", "MISCONDUCT", "GROSS")),
        _column("finding", "string", "finding, once there is one", nullable=True, allowed=("NO_CASE", "NOT_PROVEN", "MISCONDUCT", "GROSS")),
        _column("finding_at", "datetime", "when the finding was made", nullable=True),
        _WITHDRAWN,
    ),
)  # fmt: skip

TEAM_STRENGTH = Table(
    name="team_strength",
    says="A team's posts in one month.",
    source_system="HR",
    key=("team_code", "occurred_at"),
    person=None,
    columns=(
        _column("team_code", "string", "team"),
        *_times("first day of the month", "when the return was made"),
        _column("established_posts", "integer", "posts the team should have", minimum=1),
        _column("filled_posts", "integer", "posts with somebody in them, present or absent", minimum=0),
        _column("available", "integer", "people present: posts less every absence", minimum=0, mark=PROTECTED),
    ),
)  # fmt: skip

EVENT_DEPLOYMENT = Table(
    name="event_deployment",
    says="One person's deployment to an operation, public-order event or another force.",
    source_system="ROSTER",
    key=("deployment_id",),
    columns=(
        _column("deployment_id", "string", "the deployment"),
        _person(),
        *_planned_times("start of the deployment", "when it was ordered"),
        _column("project_code", "string", "operation"),
        _column("minutes", "integer", "length", minimum=0, maximum=2880),
        _column("rest_day", "boolean", "fell on a rostered rest day"),
    ),
)

ROLE_EXPECTATION = Table(
    name="role_expectation",
    says="How many searches of a system one tour in a role calls for.",
    source_system="ACCESS_LOG",
    key=("role_code", "system", "occurred_at"),
    person=None,
    columns=(
        _column("role_code", "string", "role", allowed=ROLES),
        _column("system", "string", "system; ALL is their sum", allowed=("ALL", "PNC", "CRIS", "CAD", "ANPR", "INTEL", "CUSTODY")),
        *_planned_times("from when it holds", "when it was published"),
        _column("searches_per_tour", "number", "expected searches in a tour", minimum=0),
    ),
)  # fmt: skip

PROTECTED_CHARACTERISTICS = Table(
    name="protected_characteristics",
    says="What a person chose to declare about themself; for audits of fairness only.",
    source_system="HR_ENCLAVE",
    key=("person_key",),
    enclave=True,
    mark=PROTECTED,
    sensitivity=Sensitivity.SPECIAL,
    columns=(
        _person(),
        *_planned_times("when declared", "when recorded"),
        _column("sex", "string", "sex", allowed=("F", "M")),
        _column("ethnicity", "string", "ethnicity, five groups and not stated", allowed=("WHITE", "BLACK", "ASIAN", "MIXED", "OTHER", "NOT_STATED")),
        _column("age_band", "string", "age band", allowed=("18-29", "30-39", "40-49", "50+")),
        _column("disability_declared", "boolean", "a disability was declared"),
        _column("religion_or_belief", "string", "religion or belief", allowed=("NONE", "CHRISTIAN", "MUSLIM", "OTHER", "NOT_STATED")),
        _column("union_representative", "boolean", "holds a Federation or union office"),
        _column("pregnancy_window_start", "date", "start of a pregnancy or maternity window", nullable=True),
    ),
)  # fmt: skip

ADJUSTMENTS = Table(
    name="adjustments",
    says="One workplace adjustment or restriction of duties.",
    source_system="HR_ENCLAVE",
    key=("adjustment_id",),
    enclave=True,
    mark=PROTECTED,
    sensitivity=Sensitivity.SPECIAL,
    columns=(
        _column("adjustment_id", "string", "the adjustment"),
        _person(),
        *_planned_times("from when", "when recorded"),
        _column("adjustment_type", "string", "kind", allowed=("RECUPERATIVE", "ADJUSTED", "PHASED_RETURN", "HOURS", "EQUIPMENT")),
        _column("end_at", "datetime", "until when", nullable=True),
    ),
)  # fmt: skip

TABLES = (
    ESTABLISHMENT, IDENTITY_MAP, DUTY_PLAN, DUTY_WORKED, DUTY_AMENDMENT, SICKNESS_SPELL, OTHER_ABSENCE,
    OVERTIME_CLAIM, SYSTEM_ACCESS, COMPLAINT, CONDUCT_MATTER, TEAM_STRENGTH, EVENT_DEPLOYMENT,
    ROLE_EXPECTATION, PROTECTED_CHARACTERISTICS, ADJUSTMENTS,
)  # fmt: skip
