"""Where each person stands in the register at an instant: a file open, or cleared by the latest review."""

from __future__ import annotations

from datetime import datetime

import polars as pl
from sqlalchemy import select
from sqlalchemy.orm import Session

from evenhand.leads.tables import Batch, Lead, Review

SCHEMA = pl.Schema(
    {
        "person_key": pl.String(),
        "open_lead": pl.Boolean(),
        "open_sample": pl.Boolean(),
        "cleared_at": pl.Datetime("us"),
    }
)


def standing(session: Session, *, force: str, at: datetime) -> pl.DataFrame:
    """One row for each person who ever had a file: `[person_key, open_lead, open_sample, cleared_at]`.

    A lead or a sampled file is open until it has a review. `cleared_at` is when the person's latest review,
    of whatever file, was made, if it found an innocent explanation; null if it found anything else, or
    nothing. Leads and reviews later than `at` do not exist yet.
    """
    rows = session.execute(
        select(Lead.person_key, Lead.id, Lead.kind, Review.reviewed_at, Review.outcome)
        .join(Batch, Batch.id == Lead.batch_id)
        .outerjoin(Review, (Review.lead_id == Lead.id) & (Review.reviewed_at <= at))
        .where(Batch.force == force, Batch.scored_at <= at)
        .order_by(Review.reviewed_at, Review.id)
    )
    return _by_person(
        pl.DataFrame(
            [tuple(row) for row in rows],
            schema={
                "person_key": pl.String,
                "lead": pl.String,
                "kind": pl.String,
                "reviewed_at": pl.Datetime("us"),
                "outcome": pl.String,
            },
            orient="row",
        )
    )


def _by_person(reviews: pl.DataFrame) -> pl.DataFrame:
    """From one row for each review (or unreviewed file), in order of time, to one row for each person."""
    unreviewed = pl.col("outcome").is_null()
    reviewed = pl.col("outcome").is_not_null()
    latest = pl.col("outcome").filter(reviewed).last()
    return (
        reviews.group_by("person_key", maintain_order=True)
        .agg(
            open_lead=(unreviewed & (pl.col("kind") == "lead")).any(),
            open_sample=(unreviewed & (pl.col("kind") == "sample")).any(),
            cleared_at=pl.when(latest == "wrong").then(pl.col("reviewed_at").filter(reviewed).last()),
        )
        .match_to_schema(SCHEMA)
    )
