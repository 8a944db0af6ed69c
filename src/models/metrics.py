"""What a ranked list is worth: counts by basis, shares with intervals, ties said openly.

Every count has a basis, and the type carries it: counts of two bases cannot be added. Where people tie
at the end of a list, a draw decides who is on it, so a count is the expected value over all draws and
stands beside the best and the worst one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import ClassVar, Self

import numpy as np

SHARES = (0.01, 0.02, 0.05, 0.10)  # of the cohort, as the Chicago benchmark asks

# An interval narrower than the draw's own noise is worth nothing; EVALUATION asks for at least this many.
LEAST_DRAWS = 200

PART_SIZE = 1_000_000  # numbers worked on at once, so that a thousand draws over a large force fit in memory


class Basis(StrEnum):
    """How it is known what became of the people on a list."""

    PLANTED = "planted"
    BACKTEST = "backtest"
    LIVE = "live"
    REPLAY = "replay"


@dataclass(frozen=True, kw_only=True)
class Counts:
    """People on a list by what became of them; the fields of one basis never mix with another's.

    Counts are expected values over the draws that break ties, so they need not be whole numbers.
    """

    basis: ClassVar[Basis]

    @property
    def listed(self) -> float:
        return float(sum(getattr(self, field.name) for field in fields(self)))

    def __add__(self, other: Self) -> Self:
        if type(other) is not type(self):
            raise TypeError(f"counts of basis {self.basis} cannot be added to {type(other).__name__}")
        return type(self)(
            **{field.name: getattr(self, field.name) + getattr(other, field.name) for field in fields(self)}
        )

    def metrics(self) -> dict[str, float]:
        """Metric names and values.

        >>> LiveCounts(leads_confirmed=3, leads_wrong=1, leads_inconclusive=0, leads_open=2).metrics()
        {'live.leads_confirmed': 3, 'live.leads_wrong': 1, 'live.leads_inconclusive': 0, 'live.leads_open': 2}
        """
        return {f"{self.basis}.{field.name}": getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True, kw_only=True)
class PlantedCounts(Counts):
    """Simulation only: what the answer key says of the people listed."""

    basis = Basis.PLANTED
    misconduct: float
    innocent: float
    lookalike: float


@dataclass(frozen=True, kw_only=True)
class BacktestCounts(Counts):
    """What the records later said. Not confirmed is not wrong: mostly nobody looked."""

    basis = Basis.BACKTEST
    leads_confirmed: float
    leads_not_confirmed: float
    leads_unsettled: float


@dataclass(frozen=True, kw_only=True)
class LiveCounts(Counts):
    """What reviewers recorded about leads that were opened. Wrong: an innocent explanation was recorded."""

    basis = Basis.LIVE
    leads_confirmed: float
    leads_wrong: float
    leads_inconclusive: float
    leads_open: float


@dataclass(frozen=True, kw_only=True)
class ReplayCounts(Counts):
    """Review outcomes of the people this run would have listed; open also means never reviewed."""

    basis = Basis.REPLAY
    leads_confirmed: float
    leads_wrong: float
    leads_inconclusive: float
    leads_open: float


@dataclass(frozen=True)
class Interval:
    """A 95 % interval."""

    low: float
    high: float


@dataclass(frozen=True)
class TieBounds:
    """How many of a kind a list holds: on average over the draws, and with the luckiest and unluckiest one."""

    expected: float
    best: float
    worst: float


def places(cohort: int, capacity: int) -> int:
    """How many leads a batch may hold: the configured number, or for 0 one in a hundred and at least ten.

    >>> places(2_000, 0), places(300, 0), places(2_000, 50), places(5, 0)
    (20, 10, 50, 5)
    """
    return min(cohort, capacity or max(10, round(0.01 * cohort)))


def chance_of_listing(scores: np.ndarray, k: int) -> np.ndarray:
    """Each person's chance of being among the `k` highest scores, where a draw decides between ties.

    >>> chance_of_listing(np.array([5.0, 3.0, 3.0, 1.0]), 2).tolist()
    [1.0, 0.5, 0.5, 0.0]
    """
    if k >= len(scores):
        return np.ones(len(scores))
    if k <= 0:
        return np.zeros(len(scores))
    last = np.partition(scores, -k)[-k]
    above, tied = scores > last, scores == last
    return above + tied * (k - above.sum()) / tied.sum()


def count_listed(scores: np.ndarray, of_kind: np.ndarray, k: int) -> TieBounds:
    """How many people of a kind (0 or 1 each) are among the `k` highest scores.

    >>> count_listed(np.array([5.0, 3.0, 3.0, 1.0]), np.array([0, 1, 0, 1]), 2)
    TieBounds(expected=0.5, best=1.0, worst=0.0)
    """
    chance = chance_of_listing(scores, k)
    certain, tied = chance == 1.0, (chance > 0) & (chance < 1)
    sure, contested = float(of_kind[certain].sum()), float(of_kind[tied].sum())
    free = min(k, len(scores)) - int(certain.sum())
    return TieBounds(
        expected=float(chance @ of_kind),
        best=sure + min(free, contested),
        worst=sure + max(0.0, free - (float(tied.sum()) - contested)),
    )


def wilson(successes: float, trials: float, z: float = 1.959963984540054) -> Interval:
    """The Wilson interval of a share; nothing tried tells nothing.

    >>> interval = wilson(8, 20)
    >>> round(interval.low, 4), round(interval.high, 4)
    (0.2188, 0.6134)
    >>> wilson(0, 0)
    Interval(low=0.0, high=1.0)
    """
    if trials <= 0:
        return Interval(0.0, 1.0)
    share = successes / trials
    centre = share + z * z / (2 * trials)
    half = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return Interval(max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale))


@dataclass(frozen=True, eq=False)
class Resamples:
    """How often each person was drawn, `[1 + draws, persons]`; the first row is the force as it is."""

    weights: np.ndarray

    @property
    def draws(self) -> int:
        return len(self.weights) - 1


def resample_persons(persons: int, *, draws: int, seed: int) -> Resamples:
    """Draws of whole persons with replacement, so that a person's dates stay together."""
    rng = np.random.default_rng(seed)
    weights = np.ones((draws + 1, persons), dtype=np.uint8)
    for draw in range(1, draws + 1):
        drawn = np.bincount(rng.integers(0, persons, persons), minlength=persons)
        weights[draw] = np.minimum(drawn, 255)
    return Resamples(weights)


@dataclass(frozen=True, eq=False)
class Measured:
    """One ranking on one date, as it is (index 0) and in every resample: arrays `[1 + draws]`.

    Attributes:
        found: people of the kind among the first `k`, by the name of `k`.
        listed: people among the first `k`.
        positives, people: of the kind, and in all.
        auc: chance that one of the kind stands above one who is not, ties counting half; nan where
            there is none of either.
    """

    found: Mapping[str, np.ndarray]
    listed: Mapping[str, np.ndarray]
    positives: np.ndarray
    people: np.ndarray
    auc: np.ndarray


def measure(scores: np.ndarray, of_kind: np.ndarray, ks: Mapping[str, int], weights: np.ndarray) -> Measured:
    """Measure a ranking under each row of `weights`, ties broken at random and averaged.

    Args:
        scores: one a person, higher first.
        of_kind: 0 or 1 each, what is looked for.
        ks: named lengths of list.
        weights: how often each person counts, `[rows, people]`.
    """
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    tie_starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    parts = [
        _measure_part(drawn[:, order], of_kind[order], ks, tie_starts)
        for drawn in np.array_split(weights, max(1, weights.size // PART_SIZE))
    ]
    return Measured(
        found={name: np.concatenate([part.found[name] for part in parts]) for name in ks},
        listed={name: np.concatenate([part.listed[name] for part in parts]) for name in ks},
        positives=np.concatenate([part.positives for part in parts]),
        people=np.concatenate([part.people for part in parts]),
        auc=np.concatenate([part.auc for part in parts]),
    )


def _measure_part(
    weights: np.ndarray, of_kind: np.ndarray, ks: Mapping[str, int], tie_starts: np.ndarray
) -> Measured:
    """`measure` for a few rows of weights whose people stand in order of score."""
    tied = np.add.reduceat(weights, tie_starts, axis=1, dtype=np.float64)
    kind = np.add.reduceat(weights * of_kind.astype(np.uint8), tie_starts, axis=1, dtype=np.float64)
    before = np.cumsum(tied, axis=1) - tied
    people, positives = tied.sum(axis=1), kind.sum(axis=1)
    found = {
        name: (np.clip((k - before) / np.maximum(tied, 1), 0.0, 1.0) * kind).sum(axis=1)
        for name, k in ks.items()
    }
    others = tied - kind
    others_below = (people - positives)[:, None] - np.cumsum(others, axis=1)
    pairs = positives * (people - positives)
    won = (kind * (others_below + others / 2)).sum(axis=1)
    return Measured(
        found=found,
        listed={name: np.minimum(float(k), people) for name, k in ks.items()},
        positives=positives,
        people=people,
        auc=np.divide(won, pairs, out=np.full(len(won), np.nan), where=pairs > 0),
    )


def percentile_interval(values: np.ndarray) -> Interval:
    """The middle 95 % of the resampled values (all but the first); nan where none can be computed."""
    drawn = values[1:][~np.isnan(values[1:])]
    if len(drawn) == 0:
        return Interval(math.nan, math.nan)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Interval(float(low), float(high))
