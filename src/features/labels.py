"""Who is in the cohort, and what became of them: the one module that may look past `as_of`.

Nothing here is a feature. A label asks whether a case about conduct in `[as_of, as_of + horizon)` ended in
a finding that confirms it; a case still open is pending and never a negative.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

import polars as pl

from features.definition import ForceDefinition, Outcome
from features.events import OCCURRED, SUPERSEDED, Records, read_known, rows_of, stands_at
from features.windows import checked_as_ofs

_INSTANT = pl.Datetime("us")


def cohort(force: ForceDefinition, accepted: Records, as_of: date) -> pl.DataFrame:
    """Who is scored at `as_of`: `person_key` and the descriptors, one row a person, in order of `person_key`."""
    members = force.cohort.members(read_known(accepted), as_of)
    members = members.select("person_key", *force.cohort.descriptors).sort("person_key")
    if members["person_key"].is_duplicated().any():
        twice = members.filter(pl.col("person_key").is_duplicated())["person_key"][0]
        raise ValueError(f"the cohort of {force.name} at {as_of} names {twice} more than once")
    return members


def labels(
    force: ForceDefinition, accepted: Records, as_ofs: Sequence[date], *, seen_by: datetime | None
) -> pl.DataFrame:
    """What was known by `seen_by` of each cohort member's cases in the horizon.

    Args:
        seen_by: the instant before which cases and findings must have been known; None for everything the
            extract holds, as released.

    Returns:
        `person_key`, `as_of`, and three booleans. `confirmed`: a finding confirms a case. `pending`: a case
        is still open and none is confirmed. `settled`: enough time has passed after the horizon for most
        findings to have been made; an unsettled row that is not confirmed says nothing yet.
    """
    outcome = force.outcome
    members = pl.concat(
        [
            cohort(force, accepted, as_of).select("person_key", pl.lit(as_of).alias("as_of"))
            for as_of in checked_as_ofs(as_ofs)
        ]
    )
    cases = _cases(outcome, accepted, seen_by)
    until = pl.col("as_of").dt.offset_by(f"{outcome.horizon_months}mo")
    by_person = (
        members.join(cases, on="person_key", how="inner")
        .filter((pl.col("occurred_at") >= pl.col("as_of")) & (pl.col("occurred_at") < until))
        .group_by("person_key", "as_of")
        .agg(pl.col("confirmed").any(), pl.col("open").any())
    )
    settles = pl.col("as_of").dt.offset_by(f"{outcome.horizon_months + outcome.settle_months}mo")
    settled = pl.lit(True) if seen_by is None else settles.cast(_INSTANT) <= pl.lit(seen_by, dtype=_INSTANT)
    confirmed = pl.col("confirmed").fill_null(False)
    return members.join(
        by_person, on=["person_key", "as_of"], how="left", maintain_order="left"
    ).select(
        "person_key",
        "as_of",
        confirmed=confirmed,
        pending=pl.col("open").fill_null(False) & ~confirmed,
        settled=settled,
    )  # fmt: skip


def _cases(outcome: Outcome, accepted: Records, seen_by: datetime | None) -> pl.DataFrame:
    """`person_key`, `occurred_at`, `confirmed`, `open` of each case in the version that stood at `seen_by`."""
    closed = pl.col(outcome.closed_at).cast(_INSTANT)
    rows = rows_of(accepted, outcome.cases)
    confirms = outcome.confirmed.fill_null(False)
    if seen_by is None:
        stands = pl.col(SUPERSEDED).is_null()
        found, is_open = confirms, closed.is_null() & ~confirms
    else:
        instant = pl.lit(seen_by, dtype=_INSTANT)
        stands = stands_at(instant)
        # A finding exists only from the date it was made, wherever the row says it today.
        is_open = (closed < instant).fill_null(False).not_()
        found = confirms & ~is_open
    return (
        rows.filter(stands)
        .select("person_key", occurred_at=OCCURRED, confirmed=found, open=is_open)
        .collect()
    )
