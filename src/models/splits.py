"""Which dates a model may learn from, for each date it is tested on.

A label asks about `[as_of, as_of + horizon)` and is settled `settle_months` later. A horizon that reaches
past the test date would let the model see the future it is asked about, so a date trains a test only if its
horizon had passed by then. What is still open then is unknown, not innocent: either the date waits until it
is settled, or people count with what is expected of their open cases.
"""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Literal

from features.errors import WrongUsage

if TYPE_CHECKING:
    import altair
    import polars as pl

# settled: dates whose findings had time to be made, and people none of whose cases is open; expected: every date
# whose horizon has passed, each person with the probability that a case known by then is confirmed in the end.
LabelChoice = Literal["settled", "expected"]


@dataclass(frozen=True)
class Fold:
    """One test date, the dates that train the model, and those that were settled by then."""

    test_as_of: date
    train_as_ofs: tuple[date, ...]
    settled_as_ofs: tuple[date, ...]

    def __post_init__(self) -> None:
        if not self.train_as_ofs:
            raise ValueError(f"the fold of {self.test_as_of} has no date to train on")
        if late := [day for day in self.train_as_ofs if day >= self.test_as_of]:
            raise ValueError(f"the fold of {self.test_as_of} trains on {late[0]}, which is not before it")
        if early := set(self.settled_as_ofs) - set(self.train_as_ofs):
            raise ValueError(f"the fold of {self.test_as_of} has settled dates it does not train on: {early}")


def months_after(day: date, months: int) -> date:
    """The same day so many months later, or the last day of a month that is too short.

    >>> months_after(date(2024, 1, 31), 1)
    datetime.date(2024, 2, 29)
    """
    years, month = divmod(day.month - 1 + months, 12)
    year, month = day.year + years, month + 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def settled_as_ofs(
    candidates: Sequence[date], *, by: date, horizon_months: int, settle_months: int
) -> tuple[date, ...]:
    """The candidates whose labels are settled by a date, in order and once each.

    >>> settled_as_ofs([date(2020, 1, 1), date(2021, 1, 1)], by=date(2022, 1, 1), horizon_months=12, settle_months=9)
    (datetime.date(2020, 1, 1),)
    """
    return tuple(
        day for day in sorted(set(candidates)) if months_after(day, horizon_months + settle_months) <= by
    )


def train_as_ofs(
    candidates: Sequence[date], *, by: date, horizon_months: int, settle_months: int, labels: LabelChoice
) -> tuple[date, ...]:
    """The candidates a model may learn from by a date, with these labels.

    >>> years = [date(2020, 1, 1), date(2021, 1, 1)]
    >>> len(train_as_ofs(years, by=date(2022, 1, 1), horizon_months=12, settle_months=9, labels="expected"))
    2
    """
    wait = settle_months if labels == "settled" else 0
    return settled_as_ofs(candidates, by=by, horizon_months=horizon_months, settle_months=wait)


def temporal_folds(
    test_as_ofs: Sequence[date],
    train_candidates: Sequence[date],
    *,
    horizon_months: int,
    settle_months: int,
    labels: LabelChoice = "settled",
) -> tuple[Fold, ...]:
    """A fold a test date, each trained on the candidates that these labels allow by then.

    Something must have been settled by each test date, whatever the labels: the methods that models are
    compared with learn from what is settled.

    Raises:
        WrongUsage: no test date is given, or nothing was settled by one of them.
    """
    if not test_as_ofs:
        raise WrongUsage("no test date was given. Name at least one date to test the model on.")
    folds = []
    wait = {"horizon_months": horizon_months, "settle_months": settle_months}
    for test in sorted(set(test_as_ofs)):
        settled = settled_as_ofs(train_candidates, by=test, **wait)
        if not settled:
            raise WrongUsage(_nothing_settled(test, train_candidates, horizon_months + settle_months))
        folds.append(Fold(test, train_as_ofs(train_candidates, by=test, **wait, labels=labels), settled))
    return tuple(folds)


# What a fold is made of, in order of time, each with its colour; told apart without red and green.
LEARNT_FROM, GAP, JUDGED_BY = "learnt from", "gap", "judged by"
FOLD_COLOURS = {LEARNT_FROM: "#1b6ca8", GAP: "#c9a66b", JUDGED_BY: "#c9c9c9"}


def fold_spans(folds: Sequence[Fold], *, horizon_months: int) -> pl.DataFrame:
    """The stretches of time of each fold: what happened in the horizons it learns from, the gap until the test date in
    which their findings could be made, and the horizon that its list is judged by.

    >>> fold = Fold(date(2022, 1, 1), (date(2019, 1, 1), date(2020, 1, 1)), (date(2019, 1, 1),))
    >>> fold_spans([fold], horizon_months=12).select("part", "begin", "end").rows()[1]
    ('gap', datetime.date(2021, 1, 1), datetime.date(2022, 1, 1))

    Returns:
        test_as_of, part, begin and end (half-open); a gap of no length is left out.
    """
    import polars as pl

    rows = []
    for fold in folds:
        learnt_until = months_after(fold.train_as_ofs[-1], horizon_months)
        test = fold.test_as_of
        rows += [
            (test, LEARNT_FROM, fold.train_as_ofs[0], learnt_until),
            (test, GAP, learnt_until, test),
            (test, JUDGED_BY, test, months_after(test, horizon_months)),
        ]
    schema = {"test_as_of": pl.Date, "part": pl.String, "begin": pl.Date, "end": pl.Date}
    return pl.DataFrame(rows, schema=schema, orient="row").filter(pl.col("begin") < pl.col("end"))


def folds_chart(folds: Sequence[Fold], *, horizon_months: int) -> altair.LayerChart | altair.FacetChart:
    """The folds over time, a line a test date, with a tick for each as-of date learnt from."""
    import altair
    import polars as pl

    line = altair.Y("test_as_of:O", title="test date")
    spans = fold_spans(folds, horizon_months=horizon_months)
    bars = altair.Chart(spans.with_columns(pl.col("test_as_of").cast(pl.String))).mark_bar(height=14).encode(
        y=line, x=altair.X("begin:T", title=None), x2="end:T", tooltip=["test_as_of", "part", "begin", "end"],
        color=altair.Color(
            "part:N", title=None, sort=list(FOLD_COLOURS), scale=altair.Scale(domain=list(FOLD_COLOURS), range=list(FOLD_COLOURS.values()))
        ),
    )  # fmt: skip
    dates = pl.DataFrame(
        [(str(fold.test_as_of), day) for fold in folds for day in fold.train_as_ofs],
        schema={"test_as_of": pl.String, "learnt from": pl.Date},
        orient="row",
    )
    ticks = altair.Chart(dates).mark_tick(color="#ffffff", thickness=1.5, height=10).encode(
        y=line, x="learnt from:T", tooltip=["test_as_of", "learnt from"]
    )  # fmt: skip
    return (bars + ticks).properties(
        title="What each test date's model learns from, and what its list is judged by", width=520, height=30 * len(folds)
    )  # fmt: skip


def _nothing_settled(test: date, candidates: Sequence[date], months: int) -> str:
    found = (
        f"the earliest date to train on is {min(candidates)}"
        if candidates
        else "there is no date to train on"
    )
    remedy = (
        f"Test on {months_after(min(candidates), months)} or later"
        if candidates
        else "Give dates to train on"
    )
    return (
        f"test date {test}: no outcome was settled by then. A label takes {months} months to settle "
        f"(horizon and findings), and {found}. {remedy}, or use an extract that goes further back."
    )
