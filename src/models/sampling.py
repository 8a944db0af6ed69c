"""Who is reviewed besides the leads, and what the reviews then say of everybody.

A review finds something only where somebody looks, and leads are looked at because they are likely. So each
batch draws two samples beside them: one at random from everyone else who could be listed, and one from each
band of scores below the leads. Everybody's chance of being reviewed is known before the draw, and within a stratum
(the leads, each band) it is the same for all; so the reviewed of a stratum stand for the stratum.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

import numpy as np
import polars as pl

from features.errors import WrongUsage
from models.metrics import Interval, wilson

LEAD = "lead"
Z = 1.959963984540054
DECIDED = ("confirmed", "wrong")
CELL = ("stratum", "listed", "people", "decided", "confirmed")

# Limits are found by halving: so often that nothing is left to gain in double precision.
_HALVINGS = 60
_LARGEST_PULL = 1e12


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How many people are drawn for a desk review beside the leads of a batch.

    Attributes:
        random: from everyone below the leads alike; the leads are reviewed in any case.
        by_band: from each band of scores below the leads.
        bands: where each band but the last ends, as a share of those below the leads counted from the top.
    """

    random: int = 0
    by_band: int = 0
    bands: tuple[float, ...] = (0.05, 0.20)

    def __post_init__(self) -> None:
        if self.random < 0 or self.by_band < 0:
            raise WrongUsage(
                f"sample sizes random = {self.random}, by_band = {self.by_band}: expected 0 or more."
            )
        ends = (0.0, *self.bands, 1.0)
        if any(one >= next_one for one, next_one in pairwise(ends)):
            raise WrongUsage(
                f"bands = {list(self.bands)}: expected shares between 0 and 1, each above the one before."
            )


def draw(scores: pl.DataFrame, leads: Sequence[object], sizes: Sizes, seed: Sequence[int]) -> pl.DataFrame:
    """Who is reviewed, and how likely that was for each.

    A simple random sample of everyone below the leads, joined with one of each band of their scores, drawn
    apart from it. The draw depends on people and seed, not on the order of rows.

    Args:
        scores: person_key and score of everyone who could be listed, leads among them.
        leads: keys of those who are reviewed as leads.
        seed: whole numbers, not negative.

    Returns:
        person_key, stratum (`lead`, or `band 1` for the highest below the leads and so on), inclusion (the
        chance of being reviewed at all: 1 for a lead, for others the chance of either sample), reviewed; in
        order of person_key.

    >>> people = pl.DataFrame({"person_key": ["a", "b", "c", "d"], "score": [0.9, 0.2, 0.1, 0.3]})
    >>> sizes = Sizes(random=1, by_band=1, bands=(0.4,))
    >>> draw(people, ["a"], sizes, [1]).with_columns(pl.col("inclusion").round(3)).rows()
    [('a', 'lead', 1.0, True), ('b', 'band 2', 0.667, True), ('c', 'band 2', 0.667, True), ('d', 'band 1', 1.0, True)]
    """
    people = scores.select("person_key", "score").sort("person_key")
    is_lead = people["person_key"].is_in(list(leads)).to_numpy()
    bands = _bands(people["score"].to_numpy(), is_lead, sizes.bands)
    one, other = _lots(len(people), seed)
    below = np.flatnonzero(~is_lead)
    drawn = is_lead.copy()
    drawn[_first(one, below, sizes.random)] = True
    missed = np.full(len(people), 1 - min(1.0, sizes.random / max(len(below), 1)))
    for band in range(1, len(sizes.bands) + 2):
        members = np.flatnonzero(bands == band)
        drawn[_first(other, members, sizes.by_band)] = True
        missed[members] *= 1 - min(1.0, sizes.by_band / max(len(members), 1))
    return people.select(
        "person_key",
        stratum=pl.when(pl.lit(pl.Series(is_lead))).then(pl.lit(LEAD)).otherwise(pl.lit("band ") + pl.lit(pl.Series(bands)).cast(pl.String)),
        inclusion=pl.Series(np.where(is_lead, 1.0, 1 - missed)),
        reviewed=pl.Series(drawn),
    )  # fmt: skip


def _bands(scores: np.ndarray, is_lead: np.ndarray, ends: Sequence[float]) -> np.ndarray:
    """The band of each person: 0 for a lead, 1 for the highest below the leads and so on."""
    below = np.flatnonzero(~is_lead)
    place = np.empty(len(below))
    place[np.argsort(-scores[below], kind="stable")] = (np.arange(len(below)) + 0.5) / max(len(below), 1)
    bands = np.zeros(len(scores), np.int64)
    bands[below] = 1 + np.searchsorted(np.asarray(ends), place)
    return bands


def _lots(people: int, seed: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Two numbers a person, by whose order the two samples are drawn."""
    # Only a bit generator's raw words are promised to stay the same in later versions of numpy.
    lots = np.random.PCG64(np.random.SeedSequence(list(seed))).random_raw(2 * people)
    return lots[:people], lots[people:]


def _first(lots: np.ndarray, members: np.ndarray, size: int) -> np.ndarray:
    return members[np.argsort(lots[members], kind="stable")[:size]]


@dataclass(frozen=True, kw_only=True)
class ReviewErrors:
    """How often a decided review is mistaken: a share of the innocent, and of those it should confirm."""

    confirmed_though_innocent: float = 0.0
    wrong_though_misconduct: float = 0.0

    @property
    def telling(self) -> float:
        """How much likelier a review confirms someone it should than someone innocent."""
        return 1 - self.confirmed_though_innocent - self.wrong_though_misconduct


NO_ERRORS = ReviewErrors()


def cells(people: pl.DataFrame, listed: pl.Expr) -> pl.DataFrame:
    """People, decided reviews and confirmed ones by stratum, on a list and off it.

    An open or inconclusive review decides nothing: it counts for neither side, and those decided in its
    stratum stand for it.

    Args:
        people: everyone who could be reviewed: stratum, and outcome (null where nobody looked).
        listed: who is on the list that is asked about.

    Returns:
        stratum, listed, people, decided, confirmed.
    """
    return (
        people.group_by("stratum", listed=listed)
        .agg(
            people=pl.len(),
            decided=pl.col("outcome").is_in(DECIDED).sum(),
            confirmed=(pl.col("outcome") == "confirmed").sum(),
        )
        .sort("stratum", "listed")
        .select(CELL)
    )


@dataclass(frozen=True)
class Estimate:
    """A share with its 95 % interval; null where nothing was decided that could tell."""

    value: float | None
    interval: Interval


@dataclass(frozen=True, kw_only=True)
class Estimates:
    """What the reviews say of everybody, and beside it what the leads alone would say.

    Attributes:
        base_rate: of everyone, the share that a review would confirm.
        precision: of those listed.
        recall: of those a review would confirm, the share that is listed.
        naive: the same three from the reviewed leads alone, as if there were nobody else.
        people, listed: how many these are.
        decided, sampled: decided reviews in all, and of these of people who were no leads.
    """

    base_rate: Estimate
    precision: Estimate
    recall: Estimate
    naive: tuple[Estimate, Estimate, Estimate]
    people: int
    listed: int
    decided: int
    sampled: int

    def rows(self) -> list[dict[str, object]]:
        """One row a measure, ready for a frame: measure, estimate, low, high and the naive three."""
        return [
            {
                "measure": measure,
                "estimate": one.value, "low": one.interval.low, "high": one.interval.high,
                "naive": naive.value, "naive_low": naive.interval.low, "naive_high": naive.interval.high,
            }
            for measure, one, naive in zip(
                ("base rate", "precision", "recall"), (self.base_rate, self.precision, self.recall), self.naive, strict=True
            )
        ]  # fmt: skip

    def frame(self) -> pl.DataFrame:
        return pl.DataFrame(self.rows(), schema_overrides={"estimate": pl.Float64, "naive": pl.Float64})

    @property
    def says(self) -> str:
        return (
            f"From {self.decided:,} decided reviews, {self.sampled:,} of them of people drawn by lot, for "
            f"{self.people:,} people of whom {self.listed:,} are listed."
        )

    def _repr_html_(self) -> str:
        return f"<p>{escape(self.says)}</p>{self.frame()._repr_html_()}"


def estimates(cells: pl.DataFrame, errors: ReviewErrors = NO_ERRORS) -> Estimates:
    """Base rate, precision and recall of a list, every stratum weighed by how many people it stands for.

    The intervals are score intervals: all values that the reviews do not speak against at 5 %, judged under
    the likeliest shares of the strata that such a value allows. They are about the rates behind these people,
    not only about these very people.

    Args:
        cells: as from `cells`; of several batches, one below the other.
        errors: how often reviews are known to be mistaken; estimates are then of what they should confirm.

    Raises:
        WrongUsage: reviews that are mistaken so often tell nothing.
    """
    if errors.telling <= 0:
        raise WrongUsage(
            f"reviews that confirm {errors.confirmed_though_innocent:.0%} of the innocent and miss "
            f"{errors.wrong_though_misconduct:.0%} of the others tell nothing."
        )
    of = {name: cells[name].to_numpy() for name in ("listed", "people", "decided", "confirmed")}
    counted = Cells(
        people=of["people"],
        decided=of["decided"],
        confirmed=of["confirmed"],
        listed=of["listed"].astype(bool),
    )
    leads = cells.filter(pl.col("stratum") == LEAD)
    on_list = leads.filter("listed")
    return Estimates(
        base_rate=_only(rate(counted, errors)),
        precision=_only(rate(counted.only(counted.listed), errors)),
        recall=_only(recall(counted, errors)),
        naive=(
            _naive(int(leads["confirmed"].sum()), int(leads["decided"].sum())),
            _naive(int(on_list["confirmed"].sum()), int(on_list["decided"].sum())),
            _naive(int(on_list["confirmed"].sum()), int(leads["confirmed"].sum())),
        ),
        people=int(cells["people"].sum()),
        listed=int(cells.filter("listed")["people"].sum()),
        decided=int(cells["decided"].sum()),
        sampled=int(cells.filter(pl.col("stratum") != LEAD)["decided"].sum()),
    )


def _only(found: tuple[np.ndarray, np.ndarray, np.ndarray]) -> Estimate:
    value, low, high = (float(each) for each in found)
    return Estimate(None if np.isnan(value) else value, Interval(low, high))


def _naive(successes: int, trials: int) -> Estimate:
    return Estimate(successes / trials if trials else None, wilson(successes, trials))


@dataclass(frozen=True, eq=False, kw_only=True)
class Cells:
    """Counts by cell, `[..., cells]`; what stands before the last axis is computed side by side."""

    people: np.ndarray
    decided: np.ndarray
    confirmed: np.ndarray
    listed: np.ndarray

    def only(self, some: np.ndarray) -> Cells:
        """The cells without the people of the others."""
        return Cells(
            people=np.where(some, self.people, 0),
            decided=self.decided,
            confirmed=self.confirmed,
            listed=self.listed,
        )


def rate(cells: Cells, errors: ReviewErrors = NO_ERRORS) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The share that a review would confirm, and its interval; arrays `[...]`, nan where nothing tells."""
    whole = cells.people.sum(axis=-1)
    weights = cells.people / np.maximum(whole, 1)[..., None]
    known = ((cells.decided > 0) | (cells.people == 0)).all(axis=-1) & (whole > 0)

    def told(seen: np.ndarray) -> np.ndarray:
        return np.clip((seen - errors.confirmed_though_innocent) / errors.telling, 0.0, 1.0)

    value = _weighed(weights, _shares(cells))
    low, high = (_limit(cells, weights, side) for side in (1.0, -1.0))
    some = whole > 0
    return (
        np.where(known, told(value), np.nan),
        np.where(some, told(low), 0.0),
        np.where(some, told(high), 1.0),
    )


def recall(cells: Cells, errors: ReviewErrors = NO_ERRORS) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of those a review would confirm, the share that is listed, and its interval; arrays `[...]`.

    A share r is judged by (1 - r) times the total on the list less r times the total off it, which is zero
    where r is the truth.
    """
    whole = np.maximum(cells.people.sum(axis=-1), 1)[..., None]
    inside, outside = (np.where(some, cells.people, 0) / whole for some in (cells.listed, ~cells.listed))
    known = ((cells.decided > 0) | (cells.people == 0)).all(axis=-1)
    shares = _shares(cells)
    missed = errors.confirmed_though_innocent
    on_list, off_list = (np.maximum(_weighed(each, shares - missed), 0) for each in (inside, outside))
    total = on_list + off_list
    value = np.divide(on_list, total, out=np.full(np.shape(total), np.nan), where=known & (total > 0))

    def surprise(share: np.ndarray) -> np.ndarray:
        weights = (1 - share)[..., None] * inside - share[..., None] * outside
        return _surprise(cells, weights, missed * weights.sum(axis=-1))

    middle = np.where(np.isnan(value), np.where(on_list > 0, 1.0, 0.0), value)
    return (
        value,
        _outermost(surprise, middle, np.zeros_like(middle)),
        _outermost(surprise, middle, np.ones_like(middle)),
    )


def _shares(cells: Cells) -> np.ndarray:
    return cells.confirmed / np.maximum(cells.decided, 1)


def _weighed(weights: np.ndarray, shares: np.ndarray) -> np.ndarray:
    return (weights * shares).sum(axis=-1)


def _likeliest(cells: Cells, pull: np.ndarray) -> np.ndarray:
    """Each cell's likeliest share where the weighed sum is held down by a pull (`[..., cells]`; below 0: up).

    With a multiplier m for the sum of w q, the likelihood is greatest where c / q - (n - c) / (1 - q) = m w.
    """
    sums = cells.decided + pull
    root = np.sqrt(np.maximum(sums**2 - 4 * pull * cells.confirmed, 0.0))
    held_down = np.divide(2 * cells.confirmed, sums + root, out=np.zeros_like(root), where=sums + root > 0)
    held_up = np.divide(sums - root, 2 * pull, out=np.ones_like(root), where=pull < 0)
    return np.clip(np.where(sums > 0, held_down, held_up), 0.0, 1.0)


def _at(cells: Cells, weights: np.ndarray, multiplier: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The weighed sum of the likeliest shares under a multiplier, and its standard error under them."""
    shares = _likeliest(cells, multiplier[..., None] * weights)
    spread = np.divide(
        shares * (1 - shares), cells.decided, out=np.zeros_like(shares), where=cells.decided > 0
    )
    return _weighed(weights, shares), np.sqrt(_weighed(weights**2, spread))


def _limit(cells: Cells, weights: np.ndarray, side: float) -> np.ndarray:
    """The lowest (side 1) or highest (side -1) weighed sum that lies within Z standard errors."""
    shape = np.broadcast_shapes(weights.shape, cells.decided.shape)[:-1]
    low, high = np.full(shape, np.log(1e-9)), np.full(shape, np.log(_LARGEST_PULL))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        multiplier = side * np.exp(middle)
        _, error = _at(cells, weights, multiplier)
        beyond = np.abs(multiplier) * error > Z
        low, high = np.where(beyond, low, middle), np.where(beyond, middle, high)
    return _at(cells, weights, side * np.exp((low + high) / 2))[0]


def _surprise(cells: Cells, weights: np.ndarray, value: np.ndarray) -> np.ndarray:
    """How many standard errors the reviews lie from a value of the weighed sum, which may be of any sign."""
    side = np.where(_weighed(weights, _shares(cells)) > value, 1.0, -1.0)
    low, high = np.full(np.shape(value), np.log(1e-9)), np.full(np.shape(value), np.log(_LARGEST_PULL))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        beyond = side * (_at(cells, weights, side * np.exp(middle))[0] - value) < 0
        low, high = np.where(beyond, low, middle), np.where(beyond, middle, high)
    multiplier = np.exp((low + high) / 2)
    return multiplier * _at(cells, weights, side * multiplier)[1]


def _outermost(
    surprise: Callable[[np.ndarray], np.ndarray], inner: np.ndarray, outer: np.ndarray
) -> np.ndarray:
    """Between a value that surprises little and the end of the scale, the last that does not surprise."""
    for _ in range(_HALVINGS // 2):
        middle = (inner + outer) / 2
        beyond = surprise(middle) > Z
        inner, outer = np.where(beyond, inner, middle), np.where(beyond, middle, outer)
    return inner
