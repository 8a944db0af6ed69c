"""Who is in the cohort, and what became of them: the one module that may look past `as_of`.

Nothing here is a feature. A label asks whether a case about conduct in `[as_of, as_of + horizon)` ended in
a finding that confirms it; a case still open is pending and never a negative. What may be expected of it is
told by past cases of its kind that were open as long and have ended since.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

import polars as pl

from features.definition import ForceDefinition, Outcome, Precedents
from features.events import KNOWN, OCCURRED, SUPERSEDED, Records, read_known, rows_of, stands_at
from features.windows import checked_as_ofs

_INSTANT = pl.Datetime("us")
# Longer than any case took: one that has not ended.
_NOT_ENDED = pl.lit(2**62, dtype=pl.Int64)
ABOUT = "about."  # before the kind of conduct, in the columns of `labels`


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
        `person_key`, `as_of`, four booleans and a float. `confirmed`: a finding confirms a case. `pending`:
        a case is still open and none is confirmed. `settled`: enough time has passed after the horizon for
        most findings to have been made; an unsettled row that is not confirmed says nothing yet. `own_lead`: a case
        that one of our own leads opened confirms the person or may yet, and no other case does. `expected`:
        the probability that a case known by `seen_by` is confirmed in the end, 1 - prod(1 - p), where p is 1
        for a finding that confirms, 0 for a case closed without one, and for a case still open the share of
        its precedents (see `Precedents`) that were; null where an open case has none. Then `about.<kind>` for each
        kind of conduct that `Outcome.alleged` tells apart: the same of cases that may be about it, where an open case
        without precedents counts for nothing.
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
    # In order of size, so that the product is the same to the last bit however rows are read.
    at_least_one = 1 - (1 - pl.col("expected")).sort().product()
    about = {f"{ABOUT}{kind}": values for kind, values in _allegations(outcome).items()}
    by_person = (
        members.join(cases, on="person_key", how="inner")
        .filter((pl.col("occurred_at") >= pl.col("as_of")) & (pl.col("occurred_at") < until))
        .group_by("person_key", "as_of")
        .agg(
            pl.col("confirmed").any(),
            pl.col("open").any(),
            own_lead=(pl.col("own_lead") & (pl.col("confirmed") | pl.col("open"))).any()
            & ~(pl.col("confirmed") & ~pl.col("own_lead")).any(),
            expected=pl.when(pl.col("confirmed").any())
            .then(1.0)
            .when(pl.col("expected").is_not_null().all())
            .then(at_least_one),
            cases=pl.len(),
            **{
                name: 1
                - (1 - pl.col("expected").fill_null(0.0))
                .filter(pl.col("alleged").is_in(values))
                .sort()
                .product()
                for name, values in about.items()
            },
        )
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
        own_lead=pl.col("own_lead").fill_null(False),
        expected=pl.when(pl.col("cases").is_null()).then(0.0).otherwise("expected"),
        **{name: pl.col(name).fill_null(0.0) for name in about},
    )  # fmt: skip


def followed(force: ForceDefinition, accepted: Records, *, seen_by: datetime) -> pl.DataFrame:
    """How long each case known by `seen_by` has been followed, and how that ended.

    Returns:
        `days` from the day it came in, and `how`: `confirmed`, `not confirmed`, `left` where the person had left
        by then, whatever came of it later, or null where it was still open at `seen_by`.
    """
    cases = _known_cases(force.outcome, accepted, seen_by)
    seen = pl.lit(seen_by, dtype=_INSTANT)
    last = pl.lit(None, dtype=_INSTANT).alias("last")
    if (leaving := force.cohort.leaving) is None:
        cases = cases.with_columns(last)
    else:
        left = (
            read_known(accepted)(leaving.events, seen_by)
            .group_by("person_key")
            .agg(last=pl.col(leaving.last_day).cast(_INSTANT).max())
        )
        cases = cases.join(left, on="person_key", how="left", maintain_order="left")
    gone = (pl.col("last") < pl.coalesce("closed", seen)).fill_null(False)
    ends = pl.when(gone).then("last").otherwise(pl.coalesce("closed", seen))
    return cases.select(
        days=(ends - pl.col("received")).dt.total_days().clip(lower_bound=0),
        how=pl.when(gone)
        .then(pl.lit("left"))
        .when(pl.col("open"))
        .then(None)
        .when(pl.col("confirmed"))
        .then(pl.lit("confirmed"))
        .otherwise(pl.lit("not confirmed")),
    )


def ages(
    force: ForceDefinition, accepted: Records, as_ofs: Sequence[date], *, seen_by: datetime
) -> pl.DataFrame:
    """`as_of` and, of each case in its horizon that was known by `seen_by`, the `days` since it came in."""
    until = pl.col("as_of").dt.offset_by(f"{force.outcome.horizon_months}mo")
    return (
        pl.DataFrame({"as_of": checked_as_ofs(as_ofs)}, schema={"as_of": pl.Date})
        .join(_known_cases(force.outcome, accepted, seen_by), how="cross")
        .filter((pl.col("occurred_at") >= pl.col("as_of")) & (pl.col("occurred_at") < until))
        .select("as_of", days=(pl.lit(seen_by, dtype=_INSTANT) - pl.col("received")).dt.total_days())
    )


def _cases(outcome: Outcome, accepted: Records, seen_by: datetime | None) -> pl.DataFrame:
    """Each case in the version that stood at `seen_by`: person_key, occurred_at, confirmed, open, own_lead,
    alleged, expected."""
    cases = _known_cases(outcome, accepted, seen_by)
    expected = pl.when("open").then(None).otherwise(pl.col("confirmed").cast(pl.Float64))
    if seen_by is not None:
        expected = pl.coalesce(expected, _expected(cases, outcome.precedents, seen_by))
    return cases.select(
        "person_key", "occurred_at", "confirmed", "open", "own_lead", "alleged", expected=expected
    )


def _known_cases(outcome: Outcome, accepted: Records, seen_by: datetime | None) -> pl.DataFrame:
    """Each case in the version that stood at `seen_by`, with its kinds, when it came in and when it was closed."""
    closed = pl.col(outcome.closed_at).cast(_INSTANT)
    rows = rows_of(accepted, outcome.cases)
    confirms = outcome.confirmed.fill_null(False)
    if seen_by is None:
        stands = pl.col(SUPERSEDED).is_null()
        found, is_open = confirms, closed.is_null() & ~confirms
    else:
        instant = pl.lit(seen_by, dtype=_INSTANT)
        rows = rows.filter(pl.col(KNOWN) < instant)
        stands = stands_at(instant)
        # A finding exists only from the date it was made, wherever the row says it today.
        is_open = (closed < instant).fill_null(False).not_()
        found = confirms & ~is_open
    return (
        # Later versions of a case are known later; it came in with the first.
        rows.with_columns(received=pl.col(KNOWN).min().over(_key(outcome)))
        .filter(stands)
        .select(
            "person_key",
            *_kinds(outcome),
            alleged=_alleged(outcome),
            occurred_at=OCCURRED,
            confirmed=found,
            open=is_open,
            own_lead=outcome.own_leads.fill_null(False),
            received="received",
            closed=pl.when(~is_open).then(closed),
        )
        .collect()
    )


def _key(outcome: Outcome) -> list[str]:
    table = outcome.cases.table
    return ["person_key" if name == table.person else name for name in table.key]


def _kinds(outcome: Outcome) -> list[pl.Expr]:
    return [_known_at_once(outcome, name).alias(f"kind.{name}") for name in outcome.precedents.kinds]


def _alleged(outcome: Outcome) -> pl.Expr:
    return pl.lit("") if outcome.alleged is None else _known_at_once(outcome, outcome.alleged.column)


def _known_at_once(outcome: Outcome, name: str) -> pl.Expr:
    """A column of a case that was known when it came in, as words."""
    if (later := outcome.cases.table.by_name[name].known_from) is not None:
        raise ValueError(f"kind {name!r} of a case is known only from {later}")
    return pl.col(name).cast(pl.String).fill_null("")


def _allegations(outcome: Outcome) -> dict[str, list[str]]:
    return {} if outcome.alleged is None else outcome.alleged.allegations()


def _expected(cases: pl.DataFrame, precedents: Precedents, seen_by: datetime) -> pl.Series:
    """For each case, the share of its precedents that were confirmed; null where it has none.

    A precedent came in long enough ago, and was still open when it was as old as the case is now. All that is
    read of it was known by `seen_by`: one not closed by then was not confirmed.
    """
    seen = pl.lit(seen_by, dtype=_INSTANT)
    took = (pl.col("closed") - pl.col("received")).dt.total_microseconds()
    past = cases.filter(
        (pl.col("received") >= seen.dt.offset_by(f"-{precedents.most_months}mo"))
        & (pl.col("received") < seen.dt.offset_by(f"-{precedents.least_months}mo"))
    ).with_columns(took=pl.coalesce(took, _NOT_ENDED))
    share = pl.Series("share", [None] * len(cases), dtype=pl.Float64)
    cases = cases.with_columns(age=(seen - pl.col("received")).dt.total_microseconds())
    for kind in ("", *reversed(precedents.kinds)):
        of_kind = (pl.col(f"kind.{kind}") if kind else pl.lit("")).alias("kind")
        counts = _ended_after(cases.select(of_kind, "age"), past.select(of_kind, "took", "confirmed"))
        if kind:
            share = (counts["confirmed"] + precedents.pull * share) / (counts["cases"] + precedents.pull)
        else:
            share = (counts["confirmed"] / counts["cases"]).fill_nan(None)
    return share.rename("expected")


def _ended_after(cases: pl.DataFrame, past: pl.DataFrame) -> pl.DataFrame:
    """For each case, how many past ones of its kind had not ended at its age, and how many of them were confirmed."""
    ends = (
        past.group_by("kind", "took")
        .agg(pl.len().alias("cases"), pl.col("confirmed").sum())
        .sort("took", descending=True)
        .with_columns(pl.col("cases", "confirmed").cum_sum().over("kind"))
        .sort("took")
    )
    return (
        cases.with_row_index("place")
        .sort("age")
        .join_asof(
            ends, left_on="age", right_on="took", by="kind", strategy="forward", check_sortedness=False
        )
        .sort("place")
        .select(pl.col("cases", "confirmed").fill_null(0).cast(pl.Float64))
    )
