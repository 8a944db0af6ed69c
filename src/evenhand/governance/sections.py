"""What a model card says, section by section, after Mitchell et al. (Model Cards for Model Reporting).

Words that are the same on every card stand here; every figure comes from the facts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from evenhand.governance.document import Bar, Block, Cell, Drawing, Items, Paragraph, Section, Table, Terms
from evenhand.governance.facts import (
    ALL_DATES,
    CardFacts,
    Chances,
    Figure,
    Health,
    LookAlike,
    NotMeasured,
    TimeToFinding,
)
from evenhand.governance.gate import DEMO_NOTICE, health_permitted
from evenhand.governance.records import Records

Show = Callable[[float], str]

BASES = {
    "backtest": "What the records later said. Confirmed: a finding within the horizon. Not confirmed is never "
    "“wrong”: mostly nobody looked.",
    "planted": "Simulation only: what the answer key says of the people listed.",
    "live": "What reviewers found about the leads that were opened. Wrong: an innocent explanation was recorded. "
    "Open: not reviewed yet.",
    "replay": "Review outcomes of the people this run would have listed. Open: never reviewed, or not yet.",
}

METHODS = {
    "lightgbm": "This model",
    "logistic": "Logistic regression",
    "exposure_glm": "Regression by exposure",
    "per_typology_rules": "A rule a typology",
    "complaint_count": "Count of complaints",
    "threshold_rule": "Threshold rule",
    "random": "Random draw",
}

COUNT_WORDS = {
    "misconduct": "Listed, misconduct planted",
    "innocent": "Listed, innocent",
    "lookalike": "Listed, innocent look-alike",
    "leads_confirmed": "Leads confirmed",
    "leads_not_confirmed": "Leads not confirmed",
    "leads_unsettled": "Leads unsettled",
    "leads_wrong": "Leads wrong",
    "leads_inconclusive": "Leads inconclusive",
    "leads_open": "Leads open",
}

RATE_WORDS = {
    "share_confirmed": "Share confirmed: of the list at capacity, the part that was confirmed",
    "share_misconduct": "Share misconduct: of the list at capacity, the part whose misconduct was planted",
    "precision": "Precision: share of the list that is confirmed (or planted)",
    "recall": "Recall: share of those confirmed (or planted) that is on the list",
    "lift": "Lift: precision as a multiple of the base rate",
    "auc": "AUC: chance that one confirmed (or planted) stands above one who is not",
}

ERRORS_OF_CHANCES = {
    "error": "Calibration error: mean distance between the share expected and the share confirmed",
    "slope": "Slope, ideally one: below it, chances are too far apart; above it, too close together",
    "intercept": "Intercept beside that slope, ideally zero",
    "brier": "Brier score: mean square of chance minus outcome",
    "brier_skill": "Skill: how much smaller that is than with the same chance for all",
    "confirmed_to_expected": "Confirmed people as a multiple of those expected, ideally one",
}

# The figure that is drawn for a basis: the first of these that more than one method has.
DRAWN = ("precision_at_capacity", "share_confirmed", "share_misconduct")

PRIMARY_USES = (
    "To suggest to trained reviewers whose records to look at first, within the number they can review with care.",
    "Every lead is a question about records. A person answers it, with authority to say that it was wrong.",
)

USERS = (
    "Reviewers in professional standards who may read the records behind a lead.",
    "Those who answer for the tool, who read this card before and while it is used.",
)

MUST_NOT = (
    "To find or to suggest that anybody has done anything wrong: a score is no evidence of conduct.",
    "To decide or to weigh discipline, severity, vetting, suspension, posting, promotion, pay or performance.",
    "To act on a lead that no person has reviewed, or to close one by its score.",
    "To look into anybody's health, pregnancy, disability, belief, union duty or other protected matters.",
    "To find people who complained, reported a concern or represented others.",
    "For another purpose, another regime or another force than recorded here, or after the end date.",
    "For people outside the cohort described here.",
)


def sections(facts: CardFacts) -> tuple[Section, ...]:
    """The whole card, in order."""
    return (
        _details(facts),
        _intended_use(facts),
        _factors(facts),
        _metrics(facts),
        _evaluation_data(facts),
        _training_data(facts),
        _features(facts),
        _quantitative(facts),
        _chances(facts.chances),
        _health(facts),
        _ethics(facts),
        _caveats(facts),
        _records(facts.records),
        _appeal(facts.records),
    )


def warnings(facts: CardFacts) -> Iterator[str]:
    """What must be said before anything else."""
    if facts.records.demo:
        yield DEMO_NOTICE
    if facts.simulated:
        yield "The people are simulated. No figure here says how the model would do on a real force."
    if not facts.details.promotable:
        yield "A research run: this model can never be used to score people."


def _details(facts: CardFacts) -> Section:
    details = facts.details
    parameters = ", ".join(f"{name} {_plain(value)}" for name, value in details.parameters.items())
    libraries = ", ".join(f"{name} {version}" for name, version in details.libraries.items())
    return Section(
        "Model details",
        [
            Terms(
                (
                    ("Name and version", f"{details.name}, version {details.version}"),
                    ("Force", facts.force),
                    ("Kind", details.kind),
                    ("Trained", f"{details.trained_at:%Y-%m-%d %H:%M}"),
                    ("Tracked run", details.run),
                    ("SHA-256 of the model", details.sha256),
                    ("Parameters", parameters),
                    ("Software", libraries),
                    ("Owner", _recorded(facts.records.owner)),
                    ("Contact", _recorded(facts.records.contact)),
                    ("Card written", f"{facts.written_at:%Y-%m-%d %H:%M}"),
                    ("Card expires", _recorded(facts.records.end_date)),
                )
            )
        ],
    )


def _intended_use(facts: CardFacts) -> Section:
    return Section(
        "Intended use",
        [Paragraph(f"Recorded purpose: {_recorded(facts.records.purpose)}"), Items(PRIMARY_USES)],
        [
            Section("Users", [Items(USERS)]),
            Section("What this must not be used for", [Items(MUST_NOT)]),
        ],
    )


def _factors(facts: CardFacts) -> Section:
    factors = facts.factors
    described = ", ".join(factors.descriptors) or "nothing beyond the date"
    audited = ", ".join(factors.audit_attributes) or "none is declared for this force"
    return Section(
        "Factors",
        [
            Terms(
                (
                    ("People are described to a reviewer by", described),
                    ("Attributes held apart for audits", audited),
                )
            ),
            Paragraph(
                "This card gives no figures by group. Until an audit gives them, with group sizes and "
                "intervals, nobody can say from it that the model treats groups alike."
            ),
        ],
    )


def _metrics(facts: CardFacts) -> Section:
    used = dict.fromkeys(figure.basis for figure in facts.figures)
    rates = dict.fromkeys(figure.name.split("_at_")[0] for figure in facts.figures if not figure.is_count)
    return Section(
        "Metrics",
        [
            Paragraph(facts.listing.says),
            Terms(
                (
                    ("Threshold", f"a score above {facts.listing.threshold:.4f}"),
                    ("Capacity, a ceiling and not a quota", f"{facts.listing.capacity:,} leads a batch"),
                )
            ),
            Paragraph("Every figure has a basis, and figures of two bases are never added or averaged:"),
            Terms(tuple((basis.capitalize(), BASES[basis]) for basis in used)),
            Items(tuple(RATE_WORDS.get(rate, _name_in_words(rate)) for rate in rates)),
            Paragraph(
                "Ranges in brackets are 95 % intervals. Where people tie at the end of a list, counts are the "
                "average over all ways of breaking the tie, so they need not be whole numbers."
            ),
        ],
    )


def _evaluation_data(facts: CardFacts) -> Section:
    evaluation = facts.evaluation
    rows = tuple(
        (
            day.as_of.isoformat(),
            f"{day.cohort:,}",
            f"{day.confirmed:,}",
            f"{day.not_confirmed:,}",
            f"{day.unsettled:,}",
        )
        for day in evaluation.dates
    )
    return Section(
        "Evaluation data",
        [
            Terms(
                (
                    ("Who is scored", evaluation.cohort),
                    ("What counts as confirmed", evaluation.outcome),
                    (
                        "Horizon",
                        f"{evaluation.horizon_months} months from the date, settled {evaluation.settle_months} "
                        "months later",
                    ),
                )
            ),
            Paragraph(
                "The model was tried on each date after training only on what was known before it. "
                "Counts keep cases that are still open apart from those not confirmed; a rate counts as "
                "confirmed only what was found."
            ),
            Table(
                "The test dates",
                ("Date", "People", "Confirmed", "Not confirmed", "Unsettled"),
                rows,
                numeric=True,
            ),
        ],
        [_time_to_finding(evaluation.time_to_finding)],
    )


def _time_to_finding(time: TimeToFinding) -> Section:
    months = list(dict.fromkeys(ending.months for ending in time.endings))
    ended = {
        how: [
            Cell(_percent(ending.share), _range(_percent, ending.low, ending.high))
            for ending in time.endings
            if ending.how == how
        ]
        for how in dict.fromkeys(ending.how for ending in time.endings)
    }
    return Section(
        "Time to finding",
        [
            Paragraph(
                f"Of {time.cases:,} cases, the share that had ended in each way so many months after they came in. "
                "Cases still open are followed for as long as they had been open; leaving competes with a finding."
            ),
            *(
                [
                    Table(
                        "Cumulative incidence, with 95 % intervals",
                        ("Ended", *(f"{month} months" for month in months)),
                        tuple((how.capitalize(), *shares) for how, shares in ended.items()),
                        numeric=True,
                    )
                ]
                if ended
                else []
            ),
            Table(
                "How settled the labels are: of the findings that a date's known cases will bring, the share made",
                ("Date", "Cases", "Made"),
                tuple(
                    (
                        day.as_of.isoformat(),
                        f"{day.cases:,}",
                        "cannot be told" if day.made is None else _percent(day.made),
                    )
                    for day in time.dates
                ),
                numeric=True,
            ),
        ],
    )


def _training_data(facts: CardFacts) -> Section:
    training = facts.training
    tables = tuple(
        (
            Cell(table.table, table.says),
            f"{table.read:,}",
            f"{table.accepted:,}",
            f"{table.quarantined:,}",
            f"{table.not_joined:,}",
        )
        for table in training.tables
    )
    return Section(
        "Training data",
        [
            Terms(
                (
                    (
                        "Dates",
                        f"{len(training.as_ofs)}, from {min(training.as_ofs)} to {max(training.as_ofs)}",
                    ),
                    ("Learnt from", training.labels),
                    ("Findings known before", training.labels_seen_by.isoformat()),
                    ("People on dates", f"{training.rows:,}, {training.confirmed:,} of them confirmed"),
                )
            ),
            Table(
                "Rows read from the source tables; a quarantined row broke a rule and was set aside",
                ("Table", "Read", "Accepted", "Quarantined", "Of these, person not found"),
                tables,
                numeric=True,
            ),
            Table(
                "Fingerprints of what was read",
                ("Table", "Fingerprint"),
                tuple((name, fingerprint) for name, fingerprint in training.fingerprints.items()),
            ),
        ],
    )


def _features(facts: CardFacts) -> Section:
    families = dict.fromkeys(feature.family for feature in facts.features)
    marked = sorted({mark for feature in facts.features for mark in feature.marks})
    lineage = (
        f"Marks found in their lineage: {', '.join(marked)}."
        if marked
        else "None descends from protected records, nor from sickness or absence levels."
    )
    return Section(
        "Features",
        [
            Paragraph(f"Features in the model: {len(facts.features)}. {lineage}"),
            Paragraph(
                "A lead names its kind of concern: the kind of conduct to which the largest part of what raises the score "
                "speaks, by the contributions that its reasons are made of. It says what to look at, and is no finding."
            ),
            *(_family(facts, family) for family in families),
        ],
    )


def _family(facts: CardFacts, family: str) -> Table:
    return Table(
        f"{family[:1].upper()}{family[1:]}",
        ("Feature", "Unit", "Windows in days", "Speaks to", "Innocent explanations", "Read from", "Mark"),
        tuple(
            (
                feature.says,
                feature.unit,
                ", ".join(map(str, feature.windows)) or "as it stands",
                "; ".join(feature.typologies) or "context",
                "; ".join(feature.innocent) or "none declared",
                ", ".join(feature.reads),
                ", ".join(feature.marks) or "none",
            )
            for feature in facts.features
            if feature.family == family
        ),
    )


def _quantitative(facts: CardFacts) -> Section:
    bases = dict.fromkeys(figure.basis for figure in facts.figures)
    return Section(
        "Quantitative analyses",
        [Paragraph("The same number of people is listed by every method.")],
        [
            Section(
                f"Basis: {basis}",
                list(_of_basis(basis, [figure for figure in facts.figures if figure.basis == basis])),
            )
            for basis in bases
        ],
    )


def _of_basis(basis: str, figures: list[Figure]) -> Iterator[Block]:
    yield Paragraph(BASES[basis])
    together = [figure for figure in figures if figure.as_of == ALL_DATES]
    for name in DRAWN:
        drawn = [figure for figure in together if figure.name == name and figure.value is not None]
        if len(drawn) > 1:
            yield _drawing(name, drawn)
            break
    dates = sorted({figure.as_of for figure in figures}, key=lambda as_of: (as_of != ALL_DATES, as_of))
    for as_of in dates:
        when = "all dates together" if as_of == ALL_DATES else f"as of {as_of}"
        yield _by_method(
            f"{basis.capitalize()}, {when}", [figure for figure in figures if figure.as_of == as_of]
        )


def _drawing(name: str, figures: list[Figure]) -> Drawing:
    ranges = [(each, each.value or 0.0, each.low or 0.0, each.high or 0.0) for each in figures]
    reach = max(high for *_, high in ranges) or 1.0
    return Drawing(
        f"{_metric_words(name)}, all dates together, with 95 % intervals",
        tuple(
            Bar(
                METHODS.get(each.method, each.method),
                value / reach,
                low / reach,
                high / reach,
                str(_cell(each)),
            )
            for each, value, low, high in ranges
        ),
    )


def _by_method(caption: str, figures: list[Figure]) -> Table:
    methods = list(dict.fromkeys(figure.method for figure in figures))
    cells: dict[str, dict[str, Cell]] = {}
    for figure in figures:
        cells.setdefault(figure.name, {})[figure.method] = _cell(figure)
    return Table(
        caption,
        ("Figure", *(METHODS.get(method, method) for method in methods)),
        tuple(
            (_metric_words(name), *(by_method.get(method, Cell("not applicable")) for method in methods))
            for name, by_method in cells.items()
        ),
        numeric=True,
    )


def _chances(chances: Chances | NotMeasured) -> Section:
    title = "What a score means"
    if isinstance(chances, NotMeasured):
        return Section(title, [Paragraph(f"Chances of being confirmed were not measured: {chances.because}")])
    said = [
        Paragraph(chances.says),
        Paragraph(
            "Such a chance is about people who were scored alike and about what the records later said. It is not the "
            "probability that somebody did anything, and reviewers are not shown it."
        ),
    ]
    if not chances.bins:
        return Section(title, said)
    bins = tuple(
        (
            each.bin,
            _count(each.people),
            f"{each.expected:,.1f}",
            _count(each.confirmed),
            _percent(each.share_expected),
            Cell(_percent(each.share_confirmed), _range(_percent, each.low, each.high)),
        )
        for each in chances.bins
    )
    errors = tuple(
        (
            ERRORS_OF_CHANCES[each.name],
            Cell("cannot tell")
            if each.value is None
            else Cell(
                _four_places(each.value),
                "" if each.low is None or each.high is None else _range(_four_places, each.low, each.high),
            ),
        )
        for each in chances.errors
    )
    if chances.error_by_chance is not None:
        errors += (
            (
                "Calibration error to be expected if every chance were right",
                Cell(_four_places(chances.error_by_chance)),
            ),
        )
    return Section(
        title,
        [
            *said,
            Paragraph(f"{chances.chosen} {chances.left_out}"),
            Table(
                "Expected and confirmed: each test date by a map that was learnt on the others",
                ("Chance", "People", "Expected", "Confirmed", "Share expected", "Share confirmed"),
                bins,
                numeric=True,
            ),
            Table(
                "How far chances were off on dates that were held out, with 95 % intervals where there are any",
                ("Measure", "Value"),
                errors,
                numeric=True,
            ),
        ],
    )


def _health(facts: CardFacts) -> Section:
    permitted = health_permitted(facts.records)
    basis = (
        "The governance records hold a basis for them."
        if permitted
        else "The governance records hold no basis for them, so they may not enter a model that scores people."
    )
    if facts.health is None:
        return Section(
            "Sickness and absence levels",
            [Paragraph(f"No feature descends from sickness or absence levels. {basis}")],
        )
    return Section(
        "Sickness and absence levels",
        [
            Paragraph(f"{basis} What they add, and whom they list, at the same capacity:"),
            *_with_and_without(facts.health),
        ],
    )


def _with_and_without(health: Health) -> Iterator[Table]:
    sides: Mapping[str, Iterable[Figure]] = {
        "With": (figure for figure in health.with_health if figure.as_of == ALL_DATES),
        "Without": (figure for figure in health.without_health if figure.as_of == ALL_DATES),
    }
    by_side = {
        side: {(figure.basis, figure.method, figure.name): _cell(figure) for figure in figures}
        for side, figures in sides.items()
    }
    shared = [key for key in by_side["With"] if key in by_side["Without"]]
    for basis, method in dict.fromkeys((basis, method) for basis, method, _ in shared):
        yield Table(
            f"{METHODS.get(method, method)}, basis {basis}, all dates together",
            ("Figure", "With sickness and absence levels", "Without"),
            tuple(
                (_metric_words(name), by_side["With"][key], by_side["Without"][key])
                for key in shared
                if (name := key[2]) and key[:2] == (basis, method)
            ),
            numeric=True,
        )


def _ethics(facts: CardFacts) -> Section:
    return Section(
        "Ethical considerations",
        [
            Paragraph(
                "To be listed is an intrusion, and most people on a list of rare events have done nothing. "
                "Records say who was looked at as much as who did what: where detection was unequal, so are "
                "the labels a model learns."
            ),
            _lookalikes(facts.lookalikes),
            Paragraph(
                "A lead opens only with a reason that rests on records that can be shown, and a person whom "
                "a review cleared is not listed again unless newer records carry the score by themselves."
            ),
        ],
    )


def _lookalikes(lookalikes: tuple[LookAlike, ...] | NotMeasured) -> Block:
    if isinstance(lookalikes, NotMeasured):
        return Paragraph(
            f"How often innocent look-alikes were listed could not be measured: {lookalikes.because}"
        )
    return Table(
        "Innocent people whose records look like misconduct, by kind, and how often they were listed",
        ("Kind", "People", "Listed", "Share listed"),
        tuple(
            (
                each.kind,
                f"{each.people:,}",
                _count(each.listed),
                Cell(_percent(each.listed / each.people), _range(_percent, each.low, each.high))
                if each.people
                else Cell("cannot tell: nobody"),
            )
            for each in lookalikes
        ),
        numeric=True,
    )


def _caveats(facts: CardFacts) -> Section:
    return Section(
        "Caveats and recommendations",
        [
            Items(facts.caveats),
            Paragraph(
                "Look at the records before the reasons, and at the innocent explanations before the others. "
                "Read a small difference between methods together with its interval: where the ranges "
                "overlap widely, nobody can tell which is better."
            ),
        ],
    )


def _records(records: Records) -> Section:
    rows = [
        ("Purpose", records.purpose),
        ("Regime", records.regime),
        ("Owner", records.owner),
        ("Senior responsible owner", records.senior_responsible_owner),
        ("Lawful basis", records.lawful_basis),
        ("Impact assessment", f"{records.dpia_reference}, {records.dpia_date}"),
        (
            "Notice given to officers",
            f"{records.notice_to_officers.date}: {records.notice_to_officers.reference}",
        ),
        *_consulted(records),
        ("End date", records.end_date),
    ]
    if health_permitted(records):
        rows += [
            ("Absence levels, lawful basis", records.health.lawful_basis),
            ("Absence levels, special category condition", records.health.special_category_condition),
            ("Absence levels, impact assessment", records.health.dpia_reference),
            ("Absence levels, consultation", records.health.consultation),
        ]
    return Section("Governance records", [Terms(tuple((name, _recorded(text)) for name, text in rows))])


def _consulted(records: Records) -> Iterator[tuple[str, str]]:
    if records.consultation.summary is not None:
        yield "Consultation", f"{records.consultation.date}: {records.consultation.summary}"
    decision = records.decision_not_to_consult
    if decision.reasons is not None:
        yield "Decision not to consult", f"{decision.date}, {decision.decided_by}: {decision.reasons}"


def _appeal(records: Records) -> Section:
    return Section(
        "Appeal route",
        [Paragraph(_recorded(records.appeal_route)), Paragraph(f"Contact: {_recorded(records.contact)}")],
    )


def _recorded(value: object) -> str:
    if value is None:
        raise ValueError("a card was asked for before its facts were checked")
    return str(value)


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _metric_words(name: str) -> str:
    if name in COUNT_WORDS:
        return COUNT_WORDS[name]
    measure, _, end = name.partition("_at_")
    return f"{_name_in_words(measure)} {_end_in_words(end)}".strip()


def _name_in_words(name: str) -> str:
    return "AUC" if name == "auc" else name.replace("_", " ").capitalize()


def _end_in_words(end: str) -> str:
    if end.endswith("pc"):
        return f"in the first {end.removesuffix('pc')} %"
    return {"": "", "capacity": "at capacity", "rule": "at as many as the threshold rule flags"}.get(
        end, f"at {end}"
    )


def _cell(figure: Figure) -> Cell:
    if figure.value is None:
        return Cell("cannot tell: nobody")
    shown = _count if figure.is_count else _shown_as(figure.name)
    if figure.low is None or figure.high is None:
        return Cell(shown(figure.value))
    return Cell(shown(figure.value), _range(shown, figure.low, figure.high))


def _shown_as(name: str) -> Show:
    if name.startswith("lift"):
        return _times
    return _three_places if name.startswith("auc") else _percent


def _count(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _three_places(value: float) -> str:
    return f"{value:.3f}"


def _four_places(value: float) -> str:
    return f"{value:.4f}"


def _times(value: float) -> str:
    return f"{value:.1f} times"


def _range(shown: Show, low: float, high: float) -> str:
    return f"{shown(low)} to {shown(high)}"
