"""Lists that would have been made on past dates, by every method, and what became of the people on them.

A backtest holds one row a person and test date with what the records later said and each method's score.
Counts are at capacity, each with its basis; shares and AUC come with intervals from resampled persons.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import reduce
from operator import add

import numpy as np
import polars as pl

from features.errors import WrongUsage
from models.metrics import (
    LEAST_DRAWS,
    SHARES,
    BacktestCounts,
    Basis,
    Counts,
    Interval,
    Measured,
    PlantedCounts,
    ReplayCounts,
    Resamples,
    TieBounds,
    chance_of_listing,
    count_listed,
    measure,
    percentile_interval,
    places,
    resample_persons,
    wilson,
)

KEYS = ("person_key", "as_of")
AT_CAPACITY = "capacity"
AT_RULE = "rule"  # as many people as the threshold rule flags, the list such a rule would have made
TOP = {share: f"{round(100 * share)}pc" for share in SHARES}


@dataclass(frozen=True, eq=False, kw_only=True)
class Backtest:
    """What each method would have listed on each test date.

    Attributes:
        scores: person_key, as_of, confirmed, pending, settled (as released), one Float64 column a method,
            and in a simulation `planted` (misconduct, innocent, lookalike).
        methods: the score columns, best known first.
        capacity: configured places a batch; 0 for one in a hundred and at least ten.
        replay_only: dates on which only reviews of earlier leads are replayed.
        reasons: why the models of the test dates ranked as they did whoever one of the methods lists (see
            `models.explain.reasons`); None where nothing was kept.
    """

    scores: pl.DataFrame
    methods: tuple[str, ...]
    capacity: int
    replay_only: tuple[date, ...] = ()
    reasons: pl.DataFrame | None = None

    @property
    def test_as_ofs(self) -> tuple[date, ...]:
        return tuple(day for day in self.scores["as_of"].unique().sort() if day not in self.replay_only)

    @property
    def has_planted(self) -> bool:
        return "planted" in self.scores.columns

    def on(self, as_of: date) -> pl.DataFrame:
        return self.scores.filter(pl.col("as_of") == as_of)

    def places_on(self, as_of: date) -> int:
        """How many people a list of this date holds."""
        return places(len(self.on(as_of)), self.capacity)

    def at_capacity(self, capacity: int) -> Backtest:
        """The same scores with lists of another length."""
        return replace(self, capacity=capacity)

    def chances(self, method: str) -> pl.DataFrame:
        """Everyone on the test dates with the chance of being on a method's list and the place in it: person_key, as_of,
        chance, place (from 1; who ties shares the best)."""
        return pl.concat(
            people.select(
                *KEYS,
                chance=pl.Series(chance_of_listing(people[method].to_numpy(), self.places_on(day))),
                place=pl.col(method).rank("min", descending=True).cast(pl.Int64),
            )
            for day in self.test_as_ofs
            for people in [self.on(day)]
        )


@dataclass(frozen=True, kw_only=True)
class Line:
    """What became of one method's list.

    Attributes:
        as_of: None for all test dates together.
        counts: expected over the draws that break ties.
        bounds: of the first field of `counts` (confirmed, or misconduct), with the luckiest and the
            unluckiest draw.
    """

    method: str
    as_of: date | None
    counts: Counts
    bounds: TieBounds

    @property
    def share(self) -> float:
        """Of the list, the share that is confirmed (or misconduct); nan for an empty list."""
        return self.bounds.expected / self.counts.listed if self.counts.listed else math.nan

    @property
    def interval(self) -> Interval:
        """Wilson's interval of `share`. Over several dates it takes a person's lists to be independent."""
        return wilson(self.bounds.expected, self.counts.listed)


def lines(backtest: Backtest, reviews: pl.DataFrame | None = None) -> tuple[Line, ...]:
    """What became of each method's list: by test date and in all, on every basis there is.

    Args:
        reviews: person_key, as_of, outcome (confirmed, wrong, inconclusive, open) of earlier leads; whoever
            a list holds beyond them was never reviewed, and counts as open.
    """
    found: list[Line] = []
    for method in backtest.methods:
        found += _with_total(
            [_backtest_line(backtest.on(day), method, day, backtest.capacity) for day in backtest.test_as_ofs]
        )
        if backtest.has_planted:
            found += _with_total(
                [
                    _planted_line(backtest.on(day), method, day, backtest.capacity)
                    for day in backtest.test_as_ofs
                ]
            )
        if reviews is not None and len(reviews):
            found += _with_total(
                [
                    _replay_line(backtest.on(day), method, day, backtest.capacity, reviews)
                    for day in backtest.scores["as_of"].unique().sort()
                    if day in set(reviews["as_of"])
                ]
            )
    return tuple(found)


def _backtest_line(people: pl.DataFrame, method: str, as_of: date, capacity: int) -> Line:
    unsettled = pl.col("pending") | ~pl.col("settled")
    confirmed = people["confirmed"].to_numpy()
    unknown = people.select(~pl.col("confirmed") & unsettled).to_series().to_numpy()
    chance, bounds = _listed(people, method, capacity, confirmed)
    return Line(
        method=method,
        as_of=as_of,
        counts=BacktestCounts(
            leads_confirmed=float(chance @ confirmed),
            leads_not_confirmed=float(chance @ (~confirmed & ~unknown)),
            leads_unsettled=float(chance @ unknown),
        ),
        bounds=bounds,
    )


def _planted_line(people: pl.DataFrame, method: str, as_of: date, capacity: int) -> Line:
    kinds = {kind: (people["planted"] == kind).to_numpy() for kind in ("misconduct", "innocent", "lookalike")}
    chance, bounds = _listed(people, method, capacity, kinds["misconduct"])
    counts = PlantedCounts(**{kind: float(chance @ of_kind) for kind, of_kind in kinds.items()})
    return Line(method=method, as_of=as_of, counts=counts, bounds=bounds)


def _replay_line(
    people: pl.DataFrame, method: str, as_of: date, capacity: int, reviews: pl.DataFrame
) -> Line:
    outcome = people.join(reviews.select(*KEYS, "outcome"), on=list(KEYS), how="left", maintain_order="left")[
        "outcome"
    ].fill_null("open")
    of_kind = {kind: (outcome == kind).to_numpy() for kind in ("confirmed", "wrong", "inconclusive", "open")}
    chance, bounds = _listed(people, method, capacity, of_kind["confirmed"])
    counts = ReplayCounts(
        **{f"leads_{kind}": float(chance @ people_of) for kind, people_of in of_kind.items()}
    )
    return Line(method=method, as_of=as_of, counts=counts, bounds=bounds)


def _listed(
    people: pl.DataFrame, method: str, capacity: int, of_kind: np.ndarray
) -> tuple[np.ndarray, TieBounds]:
    scores, k = people[method].to_numpy(), places(len(people), capacity)
    return chance_of_listing(scores, k), count_listed(scores, of_kind, k)


def _with_total(by_date: Sequence[Line]) -> list[Line]:
    """The lines of one method and basis, and their sum."""
    if not by_date:
        return []
    bounds = [line.bounds for line in by_date]
    total = Line(
        method=by_date[0].method,
        as_of=None,
        counts=reduce(add, [line.counts for line in by_date]),
        bounds=TieBounds(
            expected=sum(each.expected for each in bounds),
            best=sum(each.best for each in bounds),
            worst=sum(each.worst for each in bounds),
        ),
    )
    return [*by_date, total]


@dataclass(frozen=True, eq=False)
class Rankings:
    """Every ranking of a study measured under the same resamples, so that differences are paired.

    Attributes:
        measured: by ranking and test date.
    """

    measured: Mapping[str, Mapping[date, Measured]]

    def found(self, ranking: str, at: str, as_of: date | None = None) -> np.ndarray:
        """People of the kind on the lists, `[1 + draws]`; all dates together where `as_of` is None."""
        return _total([each.found[at] for each in self._of(ranking, as_of)])

    def listed(self, ranking: str, at: str, as_of: date | None = None) -> np.ndarray:
        return _total([each.listed[at] for each in self._of(ranking, as_of)])

    def precision(self, ranking: str, at: str, as_of: date | None = None) -> np.ndarray:
        return _share(self.found(ranking, at, as_of), self.listed(ranking, at, as_of))

    def recall(self, ranking: str, at: str, as_of: date | None = None) -> np.ndarray:
        positives = _total([each.positives for each in self._of(ranking, as_of)])
        return _share(self.found(ranking, at, as_of), positives)

    def lift(self, ranking: str, at: str, as_of: date | None = None) -> np.ndarray:
        """How many times the base rate the precision is."""
        each = self._of(ranking, as_of)
        base = _share(_total([one.positives for one in each]), _total([one.people for one in each]))
        return _share(self.precision(ranking, at, as_of), base)

    def auc(self, ranking: str, as_of: date | None = None) -> np.ndarray:
        """Area under the ROC curve; over several dates their mean."""
        values = [one.auc for one in self._of(ranking, as_of)]
        return _total(values) / len(values)

    def _of(self, ranking: str, as_of: date | None) -> list[Measured]:
        by_date = self.measured[ranking]
        return list(by_date.values()) if as_of is None else [by_date[as_of]]


def measure_rankings(
    backtests: Mapping[str, Backtest],
    *,
    basis: Basis = Basis.BACKTEST,
    draws: int,
    seed: int,
) -> Rankings:
    """Every method of every backtest, named `"<backtest>/<method>"`, under the same resamples of persons.

    Args:
        basis: backtest looks for confirmed people, planted for misconduct.
        draws: resamples; at least 200.

    Raises:
        WrongUsage: too few draws.
    """
    if draws < LEAST_DRAWS:
        raise WrongUsage(f"draws = {draws}: an interval needs at least {LEAST_DRAWS} resamples.")
    persons = (
        pl.concat([each.scores.select("person_key") for each in backtests.values()])
        .unique()
        .sort("person_key")
    )
    numbered = persons.with_row_index("person")
    resamples = resample_persons(len(persons), draws=draws, seed=seed)
    return Rankings(
        {
            f"{name}/{method}": {
                day: _measure_on(backtest, method, day, basis, numbered, resamples)
                for day in backtest.test_as_ofs
            }
            for name, backtest in backtests.items()
            for method in backtest.methods
        }
    )


def _measure_on(
    backtest: Backtest,
    method: str,
    day: date,
    basis: Basis,
    numbered: pl.DataFrame,
    resamples: Resamples,
) -> Measured:
    people = backtest.on(day).join(numbered, on="person_key", how="left", maintain_order="left")
    looked_for = pl.col("confirmed") if basis is Basis.BACKTEST else pl.col("planted") == "misconduct"
    of_kind = people.select(looked_for).to_series().to_numpy()
    ks = {TOP[share]: max(1, round(share * len(people))) for share in SHARES}
    ks[AT_CAPACITY] = places(len(people), backtest.capacity)
    if "threshold_rule" in backtest.methods:
        ks[AT_RULE] = max(1, int((people["threshold_rule"] > 0).sum()))
    return measure(people[method].to_numpy(), of_kind, ks, resamples.weights[:, people["person"].to_numpy()])


def performance(backtest: Backtest, *, draws: int, seed: int) -> pl.DataFrame:
    """How well each method ranks: one row a method, date and measure.

    Returns:
        as_of (null for all test dates together), method, measure, value, low, high. Measures: `auc`, and
        `precision_at_`, `recall_at_`, `lift_at_` each of `1pc`, `2pc`, `5pc`, `10pc` of the cohort,
        `capacity`, and `rule`, as many people as the threshold rule flags. A person whose case is still
        pending counts as not confirmed here, as in the published benchmark; the counts show them apart.
    """
    rankings = measure_rankings({"run": backtest}, draws=draws, seed=seed)
    ends = [*TOP.values(), AT_CAPACITY, *([AT_RULE] if "threshold_rule" in backtest.methods else [])]
    rows = []
    for day in (*backtest.test_as_ofs, None):
        for method in backtest.methods:
            ranking = f"run/{method}"
            measures = {"auc": rankings.auc(ranking, day)}
            for end in ends:
                measures[f"precision_at_{end}"] = rankings.precision(ranking, end, day)
                measures[f"recall_at_{end}"] = rankings.recall(ranking, end, day)
                measures[f"lift_at_{end}"] = rankings.lift(ranking, end, day)
            for name, values in measures.items():
                interval = percentile_interval(values)
                rows.append((day, method, name, float(values[0]), interval.low, interval.high))
    columns = {
        "as_of": pl.Date, "method": pl.String, "measure": pl.String,
        "value": pl.Float64, "low": pl.Float64, "high": pl.Float64,
    }  # fmt: skip
    return pl.DataFrame(rows, schema=columns, orient="row").with_columns(
        pl.col("value", "low", "high").fill_nan(None)
    )


def _total(values: Sequence[np.ndarray]) -> np.ndarray:
    return np.sum(values, axis=0)


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)
