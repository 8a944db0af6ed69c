"""What findings of each kind of conduct look like, from few of them and from what the catalogue declares.

A few dozen findings a kind of conduct, most of which nobody looked for, cannot tell by themselves which of two
hundred columns matter. What the catalogue declares can: it says which columns speak to which conduct, and which
way. So each kind of conduct gets a head of its own, a logistic regression that begins by taking what the conduct
consists of as most of what tells and all ideas that speak to it as the rest, and moves from there as far as
the findings push it. Where no record shows the conduct itself, only what goes with it, such as complaints, it begins
with nothing and hears what the findings bear out. What a person's colleagues show as well, the team or its terminals,
planners and authorisers explain, and it is taken off. The opinion is the chance of a finding of at least one kind: one
that is strong in one kind alone is not averaged away.

Heads are used in training only: trees learn their opinion (`models.ranker`), and the trees are what is registered
and explained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from models.booster import log_odds, probability

# How hard findings must push: the precision of the normal prior around the weights of the beginning. Chosen on
# development seeds.
PULL = 10.0
# What share of these falls on what the conduct consists of, where the catalogue says what that is. Chosen on
# development seeds.
ON_THE_CONDUCT = 0.7
# Rows a head or the trees look at: more of the same say nothing new, and take time in proportion.
MOST_ROWS = 50_000
# Of those, the share taken from the top, where findings are; the rest is spread evenly over everybody else.
FROM_THE_TOP = 0.5
# Fewer people who do the same work are too few to say what is usual in it.
LEAST_ALIKE = 100
# How much of what colleagues show is taken off, and how many of them, who show nothing, are added to steady their
# mean. Taken off more than once, since a mean of few, drawn towards nothing, tells less than there is. Chosen on
# development seeds.
TAKEN_OFF = 2.0
STEADY = 2
# From which share of people on rarity is read off how far the amount lies out, from which other share on it is taken how
# amounts thin out, and how rare is rarest. Chosen on development seeds.
FAR_OUT, THINNING_FROM, RAREST = 0.03, 0.1, 8.0
# Of the share of people in whom a column, or the mean of all, is as high: how rarely is still told apart.
RARITIES = (0.01, 0.001, 0.0001)


@dataclass(frozen=True, eq=False, kw_only=True)
class Concern:
    """One kind of conduct: the ideas that speak to it, and what was found of it.

    Attributes:
        ideas: of each, its columns (one a window): positions of features, with 1 where more is more concern and -1
            where less is.
        targets: for each row the probability that a finding of this kind is made, 0 or 1 where that is known.
        counting: how many findings the chances add up to: all the targets where None. Fewer where other kinds account
            for some of them.
        at_heart: places in `ideas` of what the conduct consists of; the others only go with it.
        shown: whether records show the conduct itself. Where False, nothing tells before something was found.
    """

    ideas: Sequence[Mapping[int, int]]
    targets: np.ndarray
    counting: float | None = None
    at_heart: tuple[int, ...] = ()
    shown: bool = True

    def beginning(self) -> np.ndarray:
        """The share of each idea in what tells, before anything was found."""
        n_ideas = len(self.ideas)
        if not self.shown:
            return np.zeros(n_ideas)
        shares = np.full(n_ideas, 1 / n_ideas)
        if self.at_heart:
            shares *= 1 - ON_THE_CONDUCT
            shares[list(self.at_heart)] += ON_THE_CONDUCT / len(self.at_heart)
        return shares


def opinion(
    features: np.ndarray,
    beside: np.ndarray,
    concerns: Sequence[Concern],
    *,
    teams: np.ndarray | None = None,
) -> np.ndarray:
    """For each row, the chance of a finding of at least one of the kinds, `[rows]`.

    Args:
        features: `[rows, columns]`, unknown is nan.
        beside: from `alike`: people are set beside those with the same number.
        concerns: kinds without a finding, or without an idea that speaks to them, say nothing.
        teams: of each row, a number that colleagues at the same date have in common; nan for nobody's colleague.
            None: nothing is known of teams.
    """
    none_of_them = np.ones(len(features))
    for concern in concerns:
        if concern.ideas and 0 < concern.targets.sum() < len(features):
            telling = by_idea(features, beside, concern.ideas)
            own = telling @ fit(telling, concern.targets, concern.beginning())
            if teams is not None:
                own = beyond_colleagues(own, beside, teams)
            findings = concern.targets.sum() if concern.counting is None else concern.counting
            none_of_them *= 1 - _adding_up_to(findings, own)
    return 1 - none_of_them


def beyond_colleagues(shown: np.ndarray, beside: np.ndarray, teams: np.ndarray) -> np.ndarray:
    """What each person shows beyond what their colleagues do, `[rows]`.

    Colleagues count by how much more they show than others who do the same work; a team that shows less than
    others takes nothing off and adds nothing.

    >>> beyond_colleagues(np.array([6.0, 6.0, 0.0, 0.0]), np.zeros(4), np.array([1.0, 1.0, 2.0, np.nan]))
    array([4., 4., 0., 0.])

    Args:
        shown: one number a row.
        beside, teams: as for `opinion`.
    """
    rows = pl.DataFrame({"shown": shown, "beside": beside, "team": teams}).with_columns(
        pl.col("team").fill_nan(None), more=pl.col("shown") - pl.col("shown").mean().over("beside")
    )
    others = pl.col("more").sum().over("team") - pl.col("more")
    n_others = pl.len().over("team") - 1
    theirs = pl.when(pl.col("team").is_not_null()).then(others / (n_others + STEADY)).otherwise(0.0)
    return rows.select(pl.col("shown") - TAKEN_OFF * theirs.clip(lower_bound=0.0)).to_series().to_numpy()


def _adding_up_to(findings: float, shown: np.ndarray) -> np.ndarray:
    """Chances of the log-odds in `shown` and an intercept, which add up to the findings."""
    from scipy.optimize import brentq

    ends = log_odds(findings / len(shown)) - np.array([shown.max(), shown.min()])
    if ends[0] == ends[1]:
        return probability(shown + ends[0])
    found = brentq(lambda intercept: probability(shown + intercept).sum() - findings, *ends)
    return probability(shown + float(found))  # type: ignore[arg-type]  # without full_output it is a number


def alike(dates: np.ndarray, *work: np.ndarray) -> np.ndarray:
    """For each row a number that people have in common who do the same work at the same date.

    Work is told by several things, the first of most weight: where fewer than `LEAST_ALIKE` people agree in all of them
    the last is let go, and so on, until it is all such people of the date.

    >>> role, rank = np.tile([0, 0, 1], 100), np.tile([0, 0, 0, 0, 0, 9], 50)
    >>> alike(np.repeat([7, 8], 150), role, rank)[[0, 2, 5, 150]].tolist()
    [1, 0, 0, 3]

    Args:
        dates: of each row, a number for its as-of date.
        work: each of them of each row a number.
    """
    names = [f"work {place}" for place in range(len(work))]
    rows = pl.DataFrame({"date": dates, **dict(zip(names, work, strict=True))})
    kept: list[pl.Expr | str] = ["date"]
    for depth, name in enumerate(names, start=1):
        enough = pl.len().over("date", *names[:depth]) >= LEAST_ALIKE
        kept.append(pl.when(enough).then(name))
    return rows.select(pl.struct(kept).rank("dense").cast(pl.Int64) - 1).to_series().to_numpy()


def surprises(features: np.ndarray, beside: np.ndarray, columns: Mapping[int, int]) -> np.ndarray:
    """How rarely as much is seen, `[rows, columns]`: minus the decimal logarithm of the share of people with the same
    number in `beside` who show as much or more, of whom those who show the same count half. Unknown counts as least.

    Among the few who show most, places say too little: somebody is first wherever nobody does anything. So what
    is seen in less than `FAR_OUT` is as rare as it would be if amounts went on thinning out as they do before.

    >>> surprises(np.array([[0.0], [0.0], [5.0]]), np.zeros(3), {0: 1})[:, 0].astype(float).round(2).tolist()
    [0.2, 0.2, 0.6]
    >>> counts = np.append(np.arange(100.0), 5000.0)[:, None]
    >>> surprises(counts, np.zeros(101), {0: 1})[[50, 99, 100], 0].astype(float).round(1).tolist()
    [0.3, 1.7, 8.0]
    """
    found = np.empty((len(features), len(columns)), np.float32)
    on = pl.Series("on", beside)
    rank, people = pl.col("shown").rank("average").over("on"), pl.len().over("on")
    by_place = -((people - rank + 1) / (people + 1)).log10()
    for place, (column, way) in enumerate(columns.items()):
        shown = pl.Series("shown", way * features[:, column]).fill_nan(-np.inf)
        rows = pl.DataFrame([on, shown]).with_columns(rare=by_place)
        # How long ago the last of something was has an end, and nobody can lie beyond it.
        found[:, place] = (_read_off(rows) if way > 0 else rows)["rare"].to_numpy()
    return found


def _read_off(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with `rare` of those who show most read off how far out they lie, where amounts thin out at all."""
    amount = pl.col("shown").sign() * pl.col("shown").abs().log1p()
    begins, far = (amount.quantile(1 - share).over("on") for share in (THINNING_FROM, FAR_OUT))
    a_tenth = (far - begins) / np.log10(THINNING_FROM / FAR_OUT)
    beyond = (amount - far) / a_tenth - np.log10(FAR_OUT)
    return rows.with_columns(
        rare=pl.when((amount > far) & (a_tenth > 0) & a_tenth.is_finite())
        .then(beyond.clip(upper_bound=RAREST))
        .otherwise(pl.col("rare"))
    )


def by_idea(features: np.ndarray, beside: np.ndarray, ideas: Sequence[Mapping[int, int]]) -> np.ndarray:
    """How rarely as much is seen in the most surprising window of each idea, `[rows, ideas]`.

    Conduct of a few weeks shows in a short window, steady conduct in a long one; the mean of both would blur either.
    """
    return np.column_stack([surprises(features, beside, columns).max(axis=1) for columns in ideas])


def thinned(order_by: np.ndarray, *, most: int = MOST_ROWS) -> tuple[np.ndarray, np.ndarray]:
    """Rows that stand for all: the highest, and of the others every so many, each with the weight of those it stands for.

    >>> thinned(np.arange(10.0), most=6)[0].tolist()
    [1, 4, 7, 8, 9]

    Returns:
        Positions in ascending order, and their weights, which add up to all rows.
    """
    n_rows = len(order_by)
    if n_rows <= most:
        return np.arange(n_rows), np.ones(n_rows)
    n_top = int(most * FROM_THE_TOP)
    order = np.argsort(order_by, kind="stable")
    rest, top = order[: n_rows - n_top], order[n_rows - n_top :]
    every = -(-len(rest) // (most - n_top))
    some = rest[every // 2 :: every]
    weights = np.zeros(n_rows)
    weights[top], weights[some] = 1.0, len(rest) / len(some)
    kept = np.flatnonzero(weights)
    return kept, weights[kept]


def fit(
    telling: np.ndarray, targets: np.ndarray, beginning: np.ndarray | None = None, *, pull: float = PULL
) -> np.ndarray:
    """What the targets make of the weights of the beginning, `[columns]`, in log-odds of a finding; none is negative.

    These are so steep that a mean surprise, weighted so, seen in one person of ten times fewer has ten times the odds.

    Args:
        telling: `[rows, columns]`, from `by_idea` or `surprises`.
        targets: 0 to 1, neither all 0 nor all 1.
        beginning: shares of the columns, adding up to 1; equal ones where None. All 0: findings alone give any weight.
        pull: what it costs a weight to leave its place.
    """
    from scipy.optimize import minimize

    n_columns = telling.shape[1]
    shares = np.full(n_columns, 1 / n_columns) if beginning is None else beginning
    mean = telling.mean(axis=1) if not shares.any() else telling @ shares
    start = _steepness(mean) * shares
    # Whoever was found is always looked at: those are few, and nobody else can stand for them.
    kept, counts = thinned(np.where(targets > 0, np.inf, mean))
    rows, known = telling[kept].astype(np.float64), targets[kept]

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        raw = rows @ weights[:-1] + weights[-1]
        missed = counts * (probability(raw) - known)
        moved = weights[:-1] - start
        value = counts @ (np.logaddexp(0, raw) - known * raw) + pull * moved @ moved / 2
        return float(value), np.append(missed @ rows + pull * moved, missed.sum())

    found = minimize(
        loss,
        np.append(start, log_odds(float(targets.mean()))),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0.0, None)] * n_columns + [(None, None)],
        options={"maxiter": 300},
    )
    return found.x[:-1]


def _steepness(mean: np.ndarray) -> float:
    """Log-odds a unit of the mean surprise, by the spread of its upper tail.

    Of some conduct hardly anybody shows a trace: the tail is looked for further out. Where nobody does, 0.
    """
    tails = [(np.quantile(mean, 1 - rarity) - np.median(mean)) / -np.log10(2 * rarity) for rarity in RARITIES]
    return float(np.log(10) / max(tails)) if max(tails) > 0 else 0.0
