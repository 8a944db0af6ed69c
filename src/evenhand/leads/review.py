"""What people decided and found: routes and reviews are added, never changed.

A route says where a lead was sent, a review says what was found. Importing the same decisions twice changes
nothing; a second opinion is a new review with its own time, and the latest one counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import polars as pl
from sqlalchemy import select
from sqlalchemy.orm import Session

from evenhand.leads.register import Register
from evenhand.leads.tables import OUTCOMES, ROUTES, Batch, Lead, Review, RouteTaken
from features.errors import DataRefused, did_you_mean

REVIEW_COLUMNS = pl.Schema(
    {
        "lead": pl.String(),
        "outcome": pl.String(),
        "reviewer": pl.String(),
        "reviewed_at": pl.Datetime("us"),
        "reasons": pl.String(),
        "innocent_explanation": pl.String(),
    }
)
ROUTE_COLUMNS = pl.Schema(
    {
        "lead": pl.String(),
        "route": pl.String(),
        "decided_by": pl.String(),
        "decided_at": pl.Datetime("us"),
    }
)

# A message stays on one screen.
PROBLEMS_SHOWN = 10


@dataclass(frozen=True)
class Recorded:
    """How many decisions were added, and how many the register held already."""

    added: int
    already_there: int


def record_reviews(register: Register, reviews: pl.DataFrame, *, origin: str = "reviews") -> Recorded:
    """Adds reviews `[lead, outcome, reviewer, reviewed_at, reasons, innocent_explanation]`; all or none.

    `confirmed` needs reasons, `wrong` needs the innocent explanation; both texts may otherwise be null.

    Args:
        origin: the file shown to the user when a row is refused.

    Raises:
        DataRefused: naming each row that cannot be a review, and why. Nothing is written then.
    """
    frame = _read(reviews, REVIEW_COLUMNS, origin)
    return _record(register, frame, Review, at="reviewed_at", wrong_with=_wrong_with_review, origin=origin)


def record_routes(register: Register, routes: pl.DataFrame, *, origin: str = "routes") -> Recorded:
    """Adds routes `[lead, route, decided_by, decided_at]`; all or none. A route leaves the lead open.

    Raises:
        DataRefused: naming each row that cannot be a route, and why. Nothing is written then.
    """
    frame = _read(routes, ROUTE_COLUMNS, origin)
    return _record(register, frame, RouteTaken, at="decided_at", wrong_with=_wrong_with_route, origin=origin)


def _read(frame: pl.DataFrame, expected: pl.Schema, origin: str) -> pl.DataFrame:
    """The expected columns, in their types; texts without margins, an empty text as null."""
    if missing := [name for name in expected if name not in frame.columns]:
        raise DataRefused(
            f"{origin}: missing {', '.join(missing)}. Expected the columns {', '.join(expected)}; "
            f"found {', '.join(frame.columns)}."
        )
    for name, dtype in expected.items():
        if not _fits(frame.schema[name], dtype):
            raise DataRefused(
                f"{origin}, column {name}: expected {dtype}, found {frame.schema[name]}. "
                "Times are without a zone, in the force's own clock."
            )
    texts = [name for name, dtype in expected.items() if dtype == pl.String()]
    stripped = pl.col(texts).str.strip_chars()
    return (
        frame.select(pl.col(name).cast(dtype) for name, dtype in expected.items())
        .with_columns(stripped)
        .with_columns(pl.when(pl.col(texts) != "").then(pl.col(texts)))
    )


def _fits(found: pl.DataType, expected: pl.DataType) -> bool:
    if isinstance(found, pl.Datetime) and isinstance(expected, pl.Datetime):
        return found.time_zone is None
    return found in (expected, pl.Null())


def _record(
    register: Register,
    frame: pl.DataFrame,
    table: type[Review] | type[RouteTaken],
    *,
    at: str,
    wrong_with: Callable[[Mapping[str, Any]], str | None],
    origin: str,
) -> Recorded:
    rows = [{"lead_id": row.pop("lead"), **row} for row in frame.unique(maintain_order=True).to_dicts()]
    with register.writing() as session:
        as_of_by_lead = {lead.id: lead.as_of for lead in session.scalars(select(Lead))}
        there = {(row["lead_id"], row[at]): row for row in _stored(session, table, list(frame.columns))}
        problems: list[str] = []
        new: list[dict[str, Any]] = []
        for number, row in enumerate(rows, start=1):
            name = (row["lead_id"], row[at])
            problem = _wrong_with_time(row, at, as_of_by_lead) or wrong_with(row)
            if problem is None and name in there and there[name] != row:
                problem = (
                    f"the register holds another entry of {row[at]}; what was written stays: add a later one"
                )
            if problem is not None:
                problems.append(f"row {number}, lead {row['lead_id']}: {problem}")
            elif name not in there:
                new.append(row)
                there[name] = row
        if problems:
            raise DataRefused(_refusal(origin, problems))
        session.add_all(table(**row) for row in new)
    return Recorded(added=len(new), already_there=frame.height - len(new))


def _stored(
    session: Session, table: type[Review] | type[RouteTaken], columns: list[str]
) -> Iterator[dict[str, Any]]:
    names = ["lead_id", *columns[1:]]
    for row in session.scalars(select(table)):
        yield {name: getattr(row, name) for name in names}


def _wrong_with_time(row: Mapping[str, Any], at: str, as_of_by_lead: Mapping[str, date]) -> str | None:
    lead, when = row["lead_id"], row[at]
    if lead not in as_of_by_lead:
        return "no such lead in this register"
    if when is None:
        return f"{at} is empty"
    if when.date() < as_of_by_lead[lead]:
        return f"{at} = {when} is before the lead's own date, {as_of_by_lead[lead]}"
    return None


def _wrong_with_review(row: Mapping[str, Any]) -> str | None:
    if row["outcome"] not in OUTCOMES:
        return _not_one_of("outcome", row["outcome"], OUTCOMES)
    if row["reviewer"] is None:
        return "reviewer is empty"
    if row["outcome"] == "wrong" and row["innocent_explanation"] is None:
        return "wrong needs innocent_explanation: what ordinary thing explains the records"
    if row["outcome"] == "confirmed" and row["reasons"] is None:
        return "confirmed needs reasons: what was found, beyond the score"
    return None


def _wrong_with_route(row: Mapping[str, Any]) -> str | None:
    if row["route"] not in ROUTES:
        return _not_one_of("route", row["route"], ROUTES)
    return "decided_by is empty" if row["decided_by"] is None else None


def _not_one_of(column: str, value: str | None, known: tuple[str, ...]) -> str:
    crossed = {"outcome": ROUTES, "route": OUTCOMES}[column]
    if value in crossed:
        return f"{column} = {value!r}: a route is never an outcome. Known: {', '.join(known)}"
    return f"{column} = {value!r}. {did_you_mean(value or '', known)}"


def _refusal(origin: str, problems: list[str]) -> str:
    shown = "\n".join(f"- {problem}" for problem in problems[:PROBLEMS_SHOWN])
    more = len(problems) - PROBLEMS_SHOWN
    rest = f"\n- and {more} more" if more > 0 else ""
    return f"{origin}: nothing was recorded.\n{shown}{rest}\nMend these rows and import the file again."


OUTCOME_SCHEMA = pl.Schema(
    {
        "batch": pl.String(),
        "force": pl.String(),
        "lead": pl.String(),
        "model": pl.String(),
        "as_of": pl.Date(),
        "opened_at": pl.Datetime("us"),
        "person_key": pl.String(),
        "kind": pl.String(),
        "rank": pl.Int64(),
        "stratum": pl.String(),
        "inclusion": pl.Float64(),
        "concern": pl.String(),
        "concern_share": pl.Float64(),
        "outcome": pl.String(),
        "reviewed_at": pl.Datetime("us"),
        "innocent_explanation": pl.String(),
    }
)


def outcomes(register: Register, *, known_before: datetime | None = None) -> pl.DataFrame:
    """One row for each lead and each sampled file, with its latest review's outcome or `open`.

    Columns `[batch, force, lead, model, as_of, opened_at, person_key, kind, rank, stratum, inclusion,
    concern, concern_share, outcome, reviewed_at, innocent_explanation]`. It tells lead from sample and gives rank and chance of
    review: it is for counting, not for reviewers. Routes have no part in it.

    Args:
        known_before: only batches and reviews made before this instant; all of them where None.
    """
    review = select(Review)
    batch = select(Batch)
    if known_before is not None:
        review = review.where(Review.reviewed_at < known_before)
        batch = batch.where(Batch.scored_at < known_before)
    with register.reading() as session:
        made = {row.id: row for row in session.scalars(batch)}
        latest = {row.lead_id: row for row in session.scalars(review.order_by(Review.reviewed_at, Review.id))}
        leads = session.scalars(select(Lead).order_by(Lead.as_of, Lead.batch_id, Lead.rank)).all()
        rows = [
            _outcome_row(made[lead.batch_id], lead, latest.get(lead.id))
            for lead in leads
            if lead.batch_id in made
        ]
    return pl.DataFrame(rows, schema=OUTCOME_SCHEMA, orient="row")


def _outcome_row(batch: Batch, lead: Lead, review: Review | None) -> tuple[object, ...]:
    found = ("open", None, None)
    if review is not None:
        found = (review.outcome, review.reviewed_at, review.innocent_explanation)
    opened = (batch.id, batch.force, lead.id, batch.model, lead.as_of, batch.scored_at)
    drawn = (lead.person_key, lead.kind, lead.rank, lead.stratum, lead.inclusion)
    return (*opened, *drawn, lead.concern, lead.concern_share, *found)
