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
GRADES = ("A", "B", "C", "D", "E", "F")  # bands of police staff, A the most senior

# IOPC allegation categories (letters) and subcategories; the letters' numbers follow the order of the IOPC's
# published tables.
SUBCATEGORIES = (
    "A1", "A2", "A3", "A4", "B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B9", "C0", "D1", "D2", "D3", "D4", "E0",
    "F1", "F2", "F3", "F4", "F5", "F6", "F7", "F8", "F9", "F10", "G1", "G2", "G3", "G4", "G5", "G6", "H1", "H2", "H3",
    "H4", "H5", "J1", "J2", "J3", "K0", "L0",
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
        _column("employee_type", "string", "officer, staff, community support officer, special constable or designated detention officer",
                allowed=("OFFICER", "STAFF", "PCSO", "SPECIAL", "DDO")),
        _column("rank", "string", "rank; of people who are not officers, the rank their grade counts as", allowed=RANKS),
        _column("grade", "string", "band of police staff", nullable=True, allowed=GRADES),
        _column("bcu_code", "string", "basic command unit"),
        _column("team_code", "string", "team"),
        _column("role_code", "string", "role", allowed=ROLES),
        _column("site", "string", "station or building the post belongs to"),
        _column("hybrid_post", "boolean", "whether the post may be worked partly away from the office"),
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
        _column("site", "string", "station or building the tour was worked from; empty where it was worked remotely", nullable=True),
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
        _column("amended_by_key", "string", "whose log-on made the change", pattern=r"P\d{6}"),
        _column("on_behalf_of", "string", "who asked for the change, where it was entered for somebody", nullable=True),
        _column("terminal_id", "string", "terminal the change was entered at"),
        _column("requested_at", "datetime", "when the change was asked for in writing, where it was", nullable=True),
        _column("pay_closes_at", "datetime", "when the pay period that the tour falls in closes"),
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
        _column("authorised_at", "datetime", "when it was authorised", nullable=True, known_from="authorised_at"),
        _column("pay_closes_at", "datetime", "when the pay period that the work falls in closes"),
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
        _column("subject_relation", "string", "how the subject stands to the user", allowed=("NONE", "SELF", "COLLEAGUE", "ADDRESS", "ASSOCIATE")),
        _column("reason_code", "string", "purpose entered", allowed=("CASE", "INTEL", "VETTING", "ADMIN", "OTHER")),
        _column("on_behalf_of", "string", "colleague who asked for it", nullable=True),
        _column("linked_incident_id", "string", "incident or crime the use belongs to", nullable=True),
        _column("subject_type", "string", "what the record is about", allowed=("PERSON", "VEHICLE", "ADDRESS", "CRIME")),
        _column("subject_vulnerable", "boolean", "whether the record is flagged as a vulnerable victim's or witness's"),
        _column("own_case", "boolean", "whether the record belongs to a case that the user has charge of or is assigned to"),
        _column("reason_text_len", "integer", "characters of the reason typed", minimum=0, maximum=4000),
        _column("terminal_id", "string", "terminal used"),
        _column("site", "string", "site of the terminal; empty for a remote one", nullable=True),
        _column("on_duty", "boolean", "whether the log system found the user rostered at that time"),
        _column("time_basis", "string", "clock that the time was taken from", allowed=("LOCAL", "UTC")),
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
        _column("case_id", "string", "the complaint case the allegation belongs to"),
        _column("allegation_no", "integer", "number of the allegation within its case", minimum=1),
        _column("schedule3", "string", "inside or outside Schedule 3 of the Police Reform Act", allowed=("IN", "OUT")),
        _column("source", "string", "who complained", allowed=("PUBLIC", "COLLEAGUE", "SUPERVISOR", "ANONYMOUS")),
        _column("victimisation_risk", "boolean", "whether the person complained of had reported wrongdoing before"),
        _column("category", "string", "IOPC category letter", allowed=tuple("ABCDEFGHJKL")),
        _column("subcategory", "string", "IOPC subcategory", allowed=SUBCATEGORIES),
        _column("iopc_referral", "string", "referral to the IOPC", allowed=("NONE", "VOLUNTARY", "MANDATORY", "CALL_IN")),
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
        _column("case_type", "string", "public complaint, conduct matter or recordable conduct matter", allowed=("PC", "CM", "RCM")),
        _column("regime", "string", "officers and specials answer to the Conduct Regulations, others to their contract",
                allowed=("CONDUCT_REGULATIONS", "STAFF_DISCIPLINE")),
        _column("source", "string", "how it came to notice",
                allowed=("SUPERVISOR", "COLLEAGUE", "ANON_LINE", "AUDIT", "PUBLIC", "VETTING", "POLICE_INTEL", "TOOL_LEAD")),
        _column("breach", "string", "standard of professional behaviour in question",
                allowed=("HONESTY", "ORDERS", "DUTIES", "CONFIDENTIALITY", "AUTHORITY", "EQUALITY", "FORCE", "FITNESS", "DISCREDIT", "CHALLENGING")),
        _column("severity", "string", "severity assessment", allowed=("NONE", "PRI", "MISCONDUCT", "GROSS")),
        _column("finding", "string", "finding, once there is one", nullable=True, allowed=("NO_CASE", "NOT_PROVEN", "MISCONDUCT", "GROSS")),
        _column("finding_at", "datetime", "when the finding was made", nullable=True),
        _column("restriction", "string", "whether the person is kept from some duties or from all", allowed=("NONE", "RESTRICTED", "SUSPENDED")),
        _column("forum", "string", "where it was decided", nullable=True,
                allowed=("RPRP", "MEETING", "HEARING", "ACCELERATED", "VETTING_REVIEW", "STAFF_DISCIPLINARY")),
        _column("outcome", "string", "what followed", nullable=True,
                allowed=("NFA", "REFLECTIVE", "WRITTEN_WARNING", "FINAL_WARNING", "REDUCTION_IN_RANK", "DISMISSED", "WOULD_HAVE_DISMISSED")),
        _column("outcome_at", "datetime", "when that was decided", nullable=True),
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
    required=False,
    says="One person's deployment to an operation, public-order event or another force.",
    source_system="ROSTER",
    key=("deployment_id",),
    columns=(
        _column("deployment_id", "string", "the deployment"),
        _person(),
        *_planned_times("start of the deployment", "when it was ordered"),
        _column("project_code", "string", "operation"),
        _column("deployment_type", "string", "what called for it", allowed=("AID", "EVENT", "FOOTBALL", "MAJOR_INCIDENT")),
        _column("minutes", "integer", "length", minimum=0, maximum=2880),
        _column("rest_day", "boolean", "fell on a rostered rest day"),
    ),
)  # fmt: skip

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

DECLARATION = Table(
    name="declaration",
    says="One declaration that a person made about an interest, an associate, a gift or a change.",
    source_system="VETTING",
    key=("declaration_id",),
    correctable=True,
    required=False,
    columns=(
        _column("declaration_id", "string", "the declaration"),
        _person(),
        *_times("when it was declared"),
        _column("declaration_type", "string", "what is declared",
                allowed=("NOTIFIABLE_ASSOCIATION", "BUSINESS_INTEREST", "SECONDARY_EMPLOYMENT", "HIERARCHICAL_ASSOC",
                         "GIFT_HOSPITALITY", "CHANGE_OF_CIRCUMSTANCES")),
        _column("status", "string", "what became of it", allowed=("DECLARED", "APPROVED", "REFUSED", "ENDED")),
        _column("began_on", "date", "since when what is declared has existed", nullable=True),
        _column("days_late", "integer", "days between the day it should have been declared and the day it was", minimum=0),
        _column("review_due", "date", "when it is to be looked at again", nullable=True),
        _column("associate_key", "string", "surrogate of the person or company declared, as in the access log", nullable=True),
        _WITHDRAWN,
    ),
)  # fmt: skip

REGISTER_MATCH = Table(
    name="register_match",
    says="One match of a person with a public register or a payroll data match.",
    source_system="VETTING",
    key=("match_id",),
    required=False,
    columns=(
        _column("match_id", "string", "the match"),
        _person(),
        *_times("since when the register shows it", "when the match was made"),
        _column("register", "string", "the register", allowed=("COMPANIES", "PAYROLL", "LICENCES")),
        _column("associate_key", "string", "surrogate of the company or person, as in the access log and declarations"),
        _column("declared", "boolean", "whether a declaration of the same was on file when the match was made"),
        _column("end_at", "datetime", "until when the register shows it", nullable=True, at_least="occurred_at"),
    ),
)  # fmt: skip

VETTING = Table(
    name="vetting",
    says="One vetting clearance, granted or renewed.",
    source_system="VETTING",
    key=("vetting_id",),
    correctable=True,
    required=False,
    columns=(
        _column("vetting_id", "string", "the clearance"),
        _person(),
        *_times("when it was granted"),
        _column("level", "string", "level", allowed=("RV", "MV", "SC", "ESC", "DV")),
        _column("status", "string", "where it stands", allowed=("CURRENT", "LAPSED", "REVIEW", "WITHDRAWN")),
        _column("renewal_due", "date", "when it must be renewed"),
        _column("aftercare_due", "date", "when an aftercare review is due", nullable=True),
        _WITHDRAWN,
    ),
)

EXPENSE_CLAIM = Table(
    name="expense_claim",
    says="One expense or purchase-card item.",
    source_system="EXPENSES",
    key=("expense_id",),
    correctable=True,
    required=False,
    stale_after_days=STALE_AFTER_DAYS,
    columns=(
        _column("expense_id", "string", "the item"),
        _person(),
        *_times("when the cost arose", "when it was claimed or the card statement came"),
        _column("expense_type", "string", "kind", allowed=("MILEAGE", "SUBSISTENCE", "TRAVEL", "HOTEL", "PCARD")),
        _column("amount", "number", "pounds", minimum=0),
        _column("miles", "number", "miles claimed, for mileage", nullable=True, minimum=0),
        _column("receipt_hash", "string", "hash of the receipt's image, so that repeats can be seen and nothing read", nullable=True),
        _column("merchant_code", "string", "surrogate of the merchant", nullable=True),
        _column("from_site", "string", "site a journey started from", nullable=True),
        _column("to_site", "string", "site a journey led to", nullable=True),
        _column("duty_id", "string", "the tour it belongs to", nullable=True),
        _column("project_code", "string", "operation or inquiry charged", nullable=True),
        _column("authoriser_key", "string", "who authorised it", nullable=True),
        _column("on_leave_or_off", "boolean", "whether the roster shows no tour that day and no order to travel"),
        _WITHDRAWN,
    ),
)  # fmt: skip

BADGE_EVENT = Table(
    name="badge_event",
    says="One visit to a building with gates, from badge-in to badge-out.",
    source_system="ESTATES",
    key=("badge_id",),
    required=False,
    stale_after_days=STALE_AFTER_DAYS,
    columns=(
        _column("badge_id", "string", "the visit"),
        _person(),
        *_times("badge-in", "when the gate's log arrived"),
        _column(
            "out_at", "datetime", "badge-out, where there was one", nullable=True, at_least="occurred_at"
        ),
        _column(
            "minutes_inside",
            "integer",
            "minutes from badge-in to badge-out",
            nullable=True,
            minimum=0,
            maximum=1440,
        ),
        _column("site", "string", "the building"),
    ),
)

VPN_SESSION = Table(
    name="vpn_session",
    says="One remote session on the force's network.",
    source_system="NETWORK",
    key=("session_id",),
    person="user_no",
    person_number=True,
    required=False,
    stale_after_days=STALE_AFTER_DAYS,
    columns=(
        _column("session_id", "string", "the session"),
        _column("user_no", "string", "the access systems' own person number", pattern=r"U\d{6}"),
        *_times("log-in", "when the log line arrived"),
        _column("end_at", "datetime", "log-out", at_least="occurred_at"),
        _column("minutes", "integer", "length", minimum=0, maximum=1440),
    ),
)

ATTENDANCE_RETURN = Table(
    name="attendance_return",
    says="What the holder of a hybrid post reported for one month.",
    source_system="HR",
    key=("return_id",),
    required=False,
    columns=(
        _column("return_id", "string", "the return"),
        _person(),
        *_times("last day of the month reported on", "when it was handed in"),
        _column("office_days", "integer", "days worked in the office, as reported", minimum=0, maximum=31),
        _column("remote_days", "integer", "days worked remotely, as reported", minimum=0, maximum=31),
    ),
)

BWV_EVENT = Table(
    name="bwv_event",
    says="One recording of a body-worn camera.",
    source_system="BWV",
    key=("recording_id",),
    required=False,
    stale_after_days=STALE_AFTER_DAYS,
    columns=(
        _column("recording_id", "string", "the recording"),
        _person(),
        *_times("start", "when it was uploaded"),
        _column("end_at", "datetime", "end", at_least="occurred_at"),
        _column("minutes", "integer", "length", minimum=0, maximum=1440),
        _column("duty_id", "string", "the tour it was made on"),
    ),
)

HYBRID_POLICY = Table(
    name="hybrid_policy",
    says="How much of their time holders of hybrid posts in a role are to work in the office.",
    source_system="HR",
    key=("role_code", "occurred_at"),
    person=None,
    required=False,
    columns=(
        _column("role_code", "string", "role", allowed=ROLES),
        *_planned_times("from when it holds", "when it was published"),
        _column("min_office_share", "number", "least share of tours in the office", minimum=0, maximum=1),
    ),
)

MAJOR_INCIDENT = Table(
    name="major_incident",
    says="One major inquiry or incident that officers were moved to.",
    source_system="ROSTER",
    key=("project_code",),
    person=None,
    required=False,
    columns=(
        _column("project_code", "string", "the inquiry, as tours and claims are charged to it"),
        *_times("when it began", "when the code was opened"),
        _column("end_at", "datetime", "when the code was closed", at_least="occurred_at"),
        _column("incident_type", "string", "kind", allowed=("HOMICIDE", "TERRORISM", "DISASTER", "SERIES")),
    ),
)

FLEXIBLE_WORKING = Table(
    name="flexible_working",
    says="One agreed flexible pattern; it may reveal caring or a disability.",
    source_system="HR_ENCLAVE",
    key=("agreement_id",),
    enclave=True,
    mark=PROTECTED,
    sensitivity=Sensitivity.SPECIAL,
    required=False,
    columns=(
        _column("agreement_id", "string", "the agreement"),
        _person(),
        *_planned_times("from when", "when recorded"),
        _column("pattern", "string", "what was agreed", allowed=("PART_TIME", "COMPRESSED", "FIXED_DAYS", "LATE_START", "TERM_TIME")),
        _column("for_caring", "boolean", "whether it is for caring"),
        _column("end_at", "datetime", "until when", nullable=True),
    ),
)  # fmt: skip

UNION_DUTY_TIME = Table(
    name="union_duty_time",
    says="One spell of duty for the Federation, a union or a staff network.",
    source_system="HR_ENCLAVE",
    key=("union_duty_id",),
    enclave=True,
    mark=PROTECTED,
    sensitivity=Sensitivity.SPECIAL,
    required=False,
    columns=(
        _column("union_duty_id", "string", "the spell"),
        _person(),
        *_planned_times("start", "when recorded"),
        _column("end_at", "datetime", "end", at_least="occurred_at"),
        _column("body", "string", "for whom", allowed=("FEDERATION", "UNION", "STAFF_NETWORK")),
    ),
)

MEMBERSHIP_DECLARATION = Table(
    name="membership_declaration",
    says="One declared membership of an organisation; it may reveal belief or politics.",
    source_system="HR_ENCLAVE",
    key=("membership_id",),
    enclave=True,
    mark=PROTECTED,
    sensitivity=Sensitivity.SPECIAL,
    required=False,
    columns=(
        _column("membership_id", "string", "the declaration"),
        _person(),
        *_times("when it was declared"),
        _column("membership_type", "string", "kind of organisation", allowed=("HIERARCHICAL", "POLITICAL", "RELIGIOUS")),
        _column("end_at", "datetime", "until when", nullable=True),
    ),
)  # fmt: skip

CORRUPTION_INTEL = Table(
    name="corruption_intel",
    says="One item of counter-corruption intelligence: unverified, for nobody's model.",
    source_system="COUNTER_CORRUPTION",
    key=("intel_id",),
    enclave=True,
    mark=PROTECTED,
    sensitivity=Sensitivity.CRIMINAL,
    required=False,
    columns=(
        _column("intel_id", "string", "the item"),
        _person("the person it is said about"),
        *_times("when what is said happened"),
        _column("category", "string", "counter-corruption category",
                allowed=("INFILTRATION", "DISCLOSURE", "PERVERTING_JUSTICE", "SEXUAL_MISCONDUCT", "DRUGS", "THEFT_FRAUD",
                         "MISUSE_OF_SYSTEMS", "ABUSE_OF_AUTHORITY", "ASSOCIATION", "VULNERABILITY", "CRIME", "OTHER")),
        _column("grading", "string", "reliability of the source, as graded", allowed=("RELIABLE", "UNTESTED", "NOT_RELIABLE")),
    ),
)  # fmt: skip

TABLES = (
    ESTABLISHMENT, IDENTITY_MAP, DUTY_PLAN, DUTY_WORKED, DUTY_AMENDMENT, SICKNESS_SPELL, OTHER_ABSENCE,
    OVERTIME_CLAIM, SYSTEM_ACCESS, COMPLAINT, CONDUCT_MATTER, TEAM_STRENGTH, EVENT_DEPLOYMENT,
    ROLE_EXPECTATION, DECLARATION, REGISTER_MATCH, VETTING, EXPENSE_CLAIM, BADGE_EVENT, VPN_SESSION, ATTENDANCE_RETURN,
    BWV_EVENT, HYBRID_POLICY, MAJOR_INCIDENT, PROTECTED_CHARACTERISTICS, ADJUSTMENTS, FLEXIBLE_WORKING, UNION_DUTY_TIME,
    MEMBERSHIP_DECLARATION, CORRUPTION_INTEL,
)  # fmt: skip
