"""What a reviewer is shown: files in an order that says nothing, each with its reasons and its records.

Kind, score, rank and threshold never appear here, nor how much a reason weighs: a file drawn at random must
look like any other, and a reviewer judges the records, not the number. What the reasons are mostly about is said
of every file alike, and never as a finding.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from html import escape

import polars as pl
from sqlalchemy import select
from sqlalchemy.orm import Session

from evenhand.governance.gate import DEMO_NOTICE
from evenhand.leads.register import Register
from evenhand.leads.tables import Batch, Evidence, Lead, Reason, Review, RouteTaken
from features.errors import WrongUsage, did_you_mean

# The terminal and the page show the first rows of a long record; the register holds them all.
ROWS_SHOWN = 8

ROUTES_IN_TIME = select(RouteTaken).order_by(RouteTaken.decided_at, RouteTaken.id)
REVIEWS_IN_TIME = select(Review).order_by(Review.reviewed_at, Review.id)

LIST_SCHEMA = pl.Schema(
    {
        "lead": pl.String(),
        "as_of": pl.Date(),
        "person_key": pl.String(),
        "concern": pl.String(),
        "first_reason": pl.String(),
        "route": pl.String(),
        "outcome": pl.String(),
    }
)


def leads_frame(register: Register, *, batch: str | None = None, open_only: bool = False) -> pl.DataFrame:
    """The files before the reviewers: `[lead, as_of, person_key, concern, first_reason, route, outcome]`.

    `concern` is the kind of conduct that a file is mostly about, in words; null where none is named.
    Newest date first, then by the lead's name, which is a hash: the order tells neither rank nor kind.
    """
    chosen = select(Lead).order_by(Lead.as_of.desc(), Lead.id)
    with register.reading() as session:
        leads = session.scalars(chosen if batch is None else chosen.where(Lead.batch_id == batch)).all()
        strongest_last = select(Reason).where(Reason.direction == "for").order_by(Reason.position.desc())
        first = {reason.lead_id: reason.words for reason in session.scalars(strongest_last)}
        route = {row.lead_id: row.route for row in session.scalars(ROUTES_IN_TIME)}
        outcome = {row.lead_id: row.outcome for row in session.scalars(REVIEWS_IN_TIME)}
        kinds = {row.id: row.typologies or {} for row in session.scalars(select(Batch))}
        rows = [
            (
                lead.id,
                lead.as_of,
                lead.person_key,
                kinds[lead.batch_id].get(lead.concern or "", lead.concern),
                first.get(lead.id),
                route.get(lead.id),
                outcome.get(lead.id, "open"),
            )
            for lead in leads
        ]
    listed = pl.DataFrame(rows, schema=LIST_SCHEMA, orient="row")
    return listed.filter(pl.col("outcome") == "open") if open_only else listed


@dataclass(frozen=True)
class ShownRow:
    table: str
    source_row: int
    key: str
    occurred_at: datetime | None
    known_at: datetime | None


@dataclass(frozen=True)
class ShownReason:
    """One reason as a reviewer reads it; `words` is a sentence that holds value, unit and window."""

    direction: str
    words: str
    value: float | None
    unit: str
    window_days: int | None
    innocent: tuple[str, ...]
    rows: tuple[ShownRow, ...]


@dataclass(frozen=True)
class ShownReview:
    outcome: str
    reviewer: str
    reviewed_at: datetime
    text: str


@dataclass(frozen=True)
class ShownLead:
    """One file, for the terminal (`str`) and for a notebook (`_repr_html_`).

    Attributes:
        concern: the kind of conduct that the reasons for it are mostly about, in words.
        concern_share: how much of what speaks for it is about that.
    """

    lead: str
    person_key: str
    as_of: date
    demo: bool
    concern: str | None
    concern_share: float | None
    reasons: tuple[ShownReason, ...]
    routes: tuple[tuple[str, datetime], ...]
    reviews: tuple[ShownReview, ...]

    def reasons_that_speak(self, direction: str) -> tuple[ShownReason, ...]:
        return tuple(reason for reason in self.reasons if reason.direction == direction)

    @property
    def look_first_for(self) -> tuple[str, ...]:
        """The innocent explanations of the reasons for, each once, those of the strongest reason first."""
        return tuple(
            dict.fromkeys(words for reason in self.reasons_that_speak("for") for words in reason.innocent)
        )

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        if self.demo:
            yield DEMO_NOTICE
        yield f"Lead {self.lead}: person {self.person_key}, as of {self.as_of}"
        yield from filter(None, [about(self.concern, self.concern_share)])
        yield "A lead is a question about records, not a finding about a person."
        yield "\nLook first for an ordinary explanation:"
        yield from (
            f"  - {words}" for words in self.look_first_for or ("none is declared for these reasons",)
        )
        for direction in ("for", "against"):
            yield f"\nReasons {direction}:"
            for reason in self.reasons_that_speak(direction):
                yield f"  - {reason.words}"
                yield from (f"      {_row_line(row)}" for row in reason.rows[:ROWS_SHOWN])
                if more := len(reason.rows) - ROWS_SHOWN:
                    yield from [f"      and {more} more rows"] if more > 0 else []
            if not self.reasons_that_speak(direction):
                yield "  - none"
        yield from (f"\nRoute: {route}, {when:%Y-%m-%d %H:%M}" for route, when in self.routes)
        yield from (f"\nReview: {_review_line(review)}" for review in self.reviews)

    def _repr_html_(self) -> str:
        notice = f"<p><strong>{escape(DEMO_NOTICE)}</strong></p>" if self.demo else ""
        mostly = about(self.concern, self.concern_share)
        look = "".join(f"<li>{escape(words)}</li>" for words in self.look_first_for)
        reviews = "".join(f"<p>Review: {escape(_review_line(review))}</p>" for review in self.reviews)
        routes = "".join(
            f"<p>Route: {escape(route)}, {when:%Y-%m-%d %H:%M}</p>" for route, when in self.routes
        )
        return (
            f"<section aria-label='Lead {escape(self.lead)}'>{notice}"
            f"<h3>Lead {escape(self.lead)}: person {escape(self.person_key)}, as of {self.as_of}</h3>"
            f"{f'<p>{escape(mostly)}</p>' if mostly else ''}"
            "<p>A lead is a question about records, not a finding about a person.</p>"
            f"<h4>Look first for an ordinary explanation</h4><ul>{look or '<li>none is declared</li>'}</ul>"
            f"{self._reasons_html('for')}{self._reasons_html('against')}{routes}{reviews}</section>"
        )

    def _reasons_html(self, direction: str) -> str:
        items = "".join(_reason_html(reason) for reason in self.reasons_that_speak(direction))
        return (
            f"<h4>Reasons {direction}</h4><ol>{items}</ol>"
            if items
            else f"<h4>Reasons {direction}</h4><p>None.</p>"
        )


def about(concern: str | None, share: float | None) -> str | None:
    """What the reasons for a lead are about, in a sentence; None where no kind of conduct is named.

    >>> about("misuse of systems", 0.62)
    'What speaks for this lead is mostly about misuse of systems (62 % of it).'
    >>> about("misuse of systems", 0.31)
    'What speaks for this lead is about several things, most of all misuse of systems (31 % of it).'
    """
    if concern is None or share is None:
        return None
    so_much = "mostly about" if share >= 0.5 else "about several things, most of all"
    return f"What speaks for this lead is {so_much} {concern} ({100 * share:.0f} % of it)."


def show_lead(register: Register, lead: str) -> ShownLead:
    """One file, found by its name or the beginning of it.

    Raises:
        WrongUsage: no such lead, or the beginning fits several.
    """
    with register.reading() as session:
        found = _find(session, lead)
        batch = session.get_one(Batch, found.batch_id)
        reasons = session.scalars(
            select(Reason).where(Reason.lead_id == found.id).order_by(Reason.position)
        ).all()
        reviews = session.scalars(REVIEWS_IN_TIME.where(Review.lead_id == found.id))
        routes = session.scalars(ROUTES_IN_TIME.where(RouteTaken.lead_id == found.id))
        return ShownLead(
            lead=found.id,
            person_key=found.person_key,
            as_of=found.as_of,
            demo=batch.demo,
            concern=(batch.typologies or {}).get(found.concern or "", found.concern),
            concern_share=found.concern_share,
            reasons=tuple(_shown(session, reason) for reason in reasons),
            routes=tuple((row.route, row.decided_at) for row in routes),
            reviews=tuple(_shown_review(row) for row in reviews),
        )


def _find(session: Session, lead: str) -> Lead:
    names = session.scalars(select(Lead.id).order_by(Lead.id)).all()
    matching = [name for name in names if name == lead] or [n for n in names if lead and n.startswith(lead)]
    if len(matching) == 1:
        return session.get_one(Lead, matching[0])
    if matching:
        raise WrongUsage(
            f"{lead!r} is the beginning of {len(matching)} leads: {', '.join(matching[:5])}. "
            "Give more letters."
        )
    near = did_you_mean(lead, names) if names else "The register holds no leads yet: score first."
    if near.startswith("Known"):
        near = "List them with `evenhand leads list`."
    raise WrongUsage(f"There is no lead {lead!r}. {near}")


def _shown(session: Session, reason: Reason) -> ShownReason:
    rows = session.scalars(select(Evidence).where(Evidence.reason_id == reason.id).order_by(Evidence.id))
    return ShownReason(
        direction=reason.direction,
        words=reason.words,
        value=reason.value,
        unit=reason.unit,
        window_days=reason.window_days,
        innocent=tuple(reason.innocent),
        rows=tuple(
            ShownRow(
                table=row.table,
                source_row=row.source_row,
                key=", ".join(f"{name} {value}" for name, value in row.key.items()),
                occurred_at=row.occurred_at,
                known_at=row.known_at,
            )
            for row in rows
        ),
    )


def _shown_review(review: Review) -> ShownReview:
    texts = filter(None, [review.reasons, review.innocent_explanation])
    return ShownReview(review.outcome, review.reviewer, review.reviewed_at, "; ".join(texts))


def _row_line(row: ShownRow) -> str:
    when = ", ".join(
        f"{words} {time:%Y-%m-%d %H:%M}"
        for words, time in (("occurred", row.occurred_at), ("recorded", row.known_at))
        if time is not None
    )
    return f"{row.table} row {row.source_row} ({row.key}): {when}"


def _review_line(review: ShownReview) -> str:
    said = f": {review.text}" if review.text else ""
    return f"{review.outcome}, {review.reviewer}, {review.reviewed_at:%Y-%m-%d %H:%M}{said}"


def _reason_html(reason: ShownReason) -> str:
    rows = "".join(f"<li>{escape(_row_line(row))}</li>" for row in reason.rows)
    count = len(reason.rows)
    records = (
        f"<details><summary>{count} row{'s' * (count != 1)} in the records</summary><ul>{rows}</ul></details>"
        if rows
        else ""
    )
    return f"<li>{escape(reason.words)}{records}</li>"
