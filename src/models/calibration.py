"""The chance of being confirmed that a score stands for, and how far that chance can be trusted.

A map from score to chance is learnt from what became of people on past test dates. It is judged on each test date by
a map that was learnt on the others only. Three ways are tried: the score as it comes, a logistic of the score with
slope and intercept (Platt), and steps that only rise (isotonic); the one least surprised by the dates held out is
used for all. That one choice among three is made on the same dates, so its error is told a little too small.

Such a chance is about people who were scored alike, and about what the records later said. It is never the
probability that somebody did anything, and reviewers are not shown it: it would anchor them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl

from models.booster import log_odds, probability
from models.metrics import (
    PART_SIZE,
    Interval,
    Resamples,
    chance_of_listing,
    percentile_interval,
    resample_persons,
    wilson,
)

if TYPE_CHECKING:
    import altair

    from models.backtest import Backtest

Way = Literal["as it comes", "platt", "isotonic"]
# The simplest first: of two that are as good, the first is used.
WAYS: tuple[Way, ...] = ("as it comes", "platt", "isotonic")
WAY_SAYS: Mapping[Way, str] = {
    "as it comes": "the score as it comes, as log-odds above the confirmed share",
    "platt": "a logistic of the score with slope and intercept (Platt)",
    "isotonic": "steps that only rise with the score (isotonic)",
}
LEAST_CONFIRMED = 10
A_BIN, MOST_BINS = 5.0, 10  # findings that are expected in a bin at least, if there are so many; bins at most
PARTS_OF_A_BIN = 40
KNOTS = 40
# How strongly a slope is drawn to 1, as the inverse variance of a prior: of thirty findings it takes away little, of
# three most, and where a score parts confirmed from others without error it keeps the slope finite.
PULL, FAINT = 1.0, 1e-3

Chance = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Knot:
    """The chance of a score, in log-odds above the base rate, with its 95 % interval; between two knots log-odds are
    read off a straight line."""

    above_base: float
    chance: float
    low: float
    high: float


@dataclass(frozen=True)
class Part:
    """People on test dates, how many were expected to be confirmed by maps that did not know the date, and how many
    were.

    Attributes:
        name: of a bin its chances, of a date the date, of a list the list.
        people, expected, confirmed: expected values where a draw between ties decides.
    """

    name: str
    people: float
    expected: float
    confirmed: float

    @property
    def interval(self) -> Interval:
        """Wilson's interval of the confirmed share. It takes a person's dates to be independent."""
        return wilson(self.confirmed, self.people)


@dataclass(frozen=True)
class Measure:
    """An error measure on the dates held out, with its 95 % interval over resampled persons; nan where it has none."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What chance of being confirmed a score stands for.

    Attributes:
        way: how chance follows from the score; None where nobody can tell.
        losses: by way, mean log loss a person on the dates held out.
        knots: the map, lowest score first; scores beyond the ends have the chance of the end, for nobody is known
            to have scored so.
        bins: reliability, highest chance first, each bin with as many findings expected.
        dates: the same by test date.
        listed: the same of whoever was listed at capacity on the test dates.
        errors: `error` (expected calibration error: mean distance between expected and confirmed share over the
            bins; without an interval, see `error_by_chance`), `slope` and `intercept` of a logistic of outcome on
            the log-odds of the chance (ideal 1 and 0), `brier`, `brier_skill` (over the confirmed share of the other
            dates), `confirmed_to_expected`.
        error_by_chance: the calibration error to be expected if every chance were right.
        people, confirmed: settled people on the test dates whose outcome is known, each date counting.
        pending: left out since a case is open or one of our own leads made it.
        unsettled: left out since the date is not settled.
        why_not: why nobody can tell; empty where there is a map.
    """

    way: Way | None
    losses: Mapping[str, float]
    knots: tuple[Knot, ...]
    bins: tuple[Part, ...]
    dates: tuple[Part, ...]
    listed: Part | None
    errors: Mapping[str, Measure]
    error_by_chance: float | None
    people: int
    confirmed: int
    pending: int
    unsettled: int
    why_not: str = ""

    def chance(self, above_base: np.ndarray) -> np.ndarray:
        """Chance of being confirmed `[n]` of scores in log-odds above the base rate; nan where nobody can tell."""
        return self._read("chance", above_base)

    def interval(self, above_base: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper end `[n]` of the chance's 95 % interval: the map learnt again from resampled persons.

        For a score as it comes the resampled maps are Platt's, so that its slope counts as unknown too.
        """
        return self._read("low", above_base), self._read("high", above_base)

    def _read(self, what: Literal["chance", "low", "high"], above_base: np.ndarray) -> np.ndarray:
        if not self.knots:
            return np.full(len(above_base), np.nan)
        places = [knot.above_base for knot in self.knots]
        return probability(
            np.interp(above_base, places, _logits([getattr(knot, what) for knot in self.knots]))
        )

    def columns(self, above_base: np.ndarray) -> pl.DataFrame:
        """chance, chance_low, chance_high; null where nobody can tell."""
        low, high = self.interval(above_base)
        of = {"chance": self.chance(above_base), "chance_low": low, "chance_high": high}
        return pl.DataFrame(of).with_columns(pl.all().fill_nan(None))

    @property
    def says(self) -> str:
        """What became of people scored like those listed, in a sentence."""
        if self.listed is None:
            return f"Cannot tell how often people scored alike are confirmed: {self.why_not}"
        if self.listed.people == 0:
            return "Cannot tell how often people scored like those listed are confirmed: none of them is settled."
        share, interval = self.listed.confirmed / self.listed.people, self.listed.interval
        return (
            f"Of people scored like those listed, about {_in_100(share)} in 100 were later confirmed by the records, 95 % "
            f"interval {_in_100(interval.low)} to {_in_100(interval.high)} in 100 ({self.listed.confirmed:,.4g} of "
            f"{self.listed.people:,.5g} on the test dates; {self.listed.expected:,.1f} were expected)."
        )

    @property
    def chosen(self) -> str:
        """Which way was taken, and why."""
        if self.way is None:
            return self.why_not
        losses = "; ".join(f"{way} {self.losses[way]:.5f}" for way in WAYS)
        return (
            f"Chances are {WAY_SAYS[self.way]}: on test dates held out in turn no other way had a smaller log loss a "
            f"person ({losses})."
        )

    @property
    def left_out(self) -> str:
        return (
            f"{self.people:,} people on dates count, {self.confirmed:,} of them confirmed; left out are {self.pending:,} "
            f"with a case that is open or that one of our own leads made, and {self.unsettled:,} on dates not settled."
        )

    def frame(self) -> pl.DataFrame:
        """Reliability: bin, people, expected, confirmed, share_expected, share_confirmed, low, high (Wilson)."""
        schema = {"bin": pl.String, **dict.fromkeys(_SHOWN, pl.Float64)}
        return pl.DataFrame([_row(each) for each in self.bins], schema=schema, orient="row")

    def metrics(self) -> dict[str, float]:
        """Metric names and values for MLflow."""
        found: dict[str, float] = {
            "calibration.people": self.people,
            "calibration.confirmed": self.confirmed,
            "calibration.pending": self.pending,
            "calibration.unsettled": self.unsettled,
        }
        for name, measure in self.errors.items():
            found |= {
                f"calibration.{name}": measure.value,
                f"calibration.{name}_low": measure.low,
                f"calibration.{name}_high": measure.high,
            }
        if self.error_by_chance is not None:
            found["calibration.error_by_chance"] = self.error_by_chance
        return found | {
            f"calibration.log_loss.{way.replace(' ', '_')}": loss for way, loss in self.losses.items()
        }

    def chart(self) -> altair.LayerChart | altair.FacetChart:
        """Expected and confirmed share of each bin with Wilson's interval; on the line they agree."""
        import altair

        shown = self.frame()
        end = max([*shown["share_expected"], *shown["high"]], default=1.0)
        line = pl.DataFrame({"share_expected": [0.0, end], "share_confirmed": [0.0, end]})
        x = altair.X("share_expected:Q", title="share expected", axis=altair.Axis(format="%"))
        y = altair.Y("share_confirmed:Q", title="share confirmed", axis=altair.Axis(format="%"))
        base = altair.Chart(shown).encode(x=x)
        agreed = altair.Chart(line).mark_line(color="#9a9a9a", strokeDash=[4, 4]).encode(x=x, y=y)
        intervals = base.mark_rule(color="#111111", strokeWidth=2).encode(y=altair.Y("low:Q"), y2="high:Q")
        points = base.mark_point(filled=True, size=80, color="#1b6ca8").encode(
            y=y, tooltip=["bin", "people", altair.Tooltip("expected:Q", format=".1f"), "confirmed"]
        )
        return (agreed + intervals + points).properties(width=320, height=260)

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it: what cannot be computed is null."""
        return {
            **{name: value for name, value in self.__dict__.items() if name not in ("errors", "listed")},
            "losses": dict(self.losses),
            **{name: [asdict(each) for each in getattr(self, name)] for name in ("knots", "bins", "dates")},
            "listed": None if self.listed is None else asdict(self.listed),
            "errors": {
                name: {end: value if math.isfinite(value) else None for end, value in asdict(measure).items()}
                for name, measure in self.errors.items()
            },
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Calibration:
        def number(value: float | None) -> float:
            return math.nan if value is None else value

        return cls(
            **{
                **stored,
                "knots": tuple(Knot(**each) for each in stored["knots"]),
                "bins": tuple(Part(**each) for each in stored["bins"]),
                "dates": tuple(Part(**each) for each in stored["dates"]),
                "listed": None if stored["listed"] is None else Part(**stored["listed"]),
                "errors": {
                    name: Measure(**{end: number(value) for end, value in measure.items()})
                    for name, measure in stored["errors"].items()
                },
            }
        )

    def _repr_html_(self) -> str:
        said = [self.says] if self.way is None else [self.says, self.chosen]
        told = "".join(f"<p>{escape(sentence)}</p>" for sentence in (*said, self.left_out))
        return told + (self.frame()._repr_html_() if self.bins else "")


_SHOWN = ("people", "expected", "confirmed", "share_expected", "share_confirmed", "low", "high")


def _row(part: Part) -> tuple[object, ...]:
    interval = part.interval
    shares = (part.expected / part.people, part.confirmed / part.people)
    return (part.name, part.people, part.expected, part.confirmed, *shares, interval.low, interval.high)


def calibrate(backtest: Backtest, *, draws: int, seed: int, method: str = "lightgbm") -> Calibration:
    """Learn from a backtest what chance a method's score stands for, and measure it on dates it did not know.

    People on dates that are not settled, with a case still open, or known from one of our own leads alone (who are
    pending in a backtest) are left out and counted.

    Args:
        draws: resamples of persons behind each interval.
        method: its scores are log-odds above a base rate.
    """
    tested = backtest.scores.filter(pl.col("as_of").is_in(backtest.test_as_ofs)).with_columns(
        listed=pl.lit(0.0)
    )
    if len(tested):
        tested = pl.concat(_with_listed(tested, backtest, method)).sort("as_of", "person_key")
    settled = tested.filter(pl.col("settled"))
    known = settled.filter(pl.col("confirmed") | ~pl.col("pending"))
    counts = {
        "people": len(known),
        "confirmed": int(known["confirmed"].sum()),
        "pending": len(settled) - len(known),
        "unsettled": len(tested) - len(settled),
    }
    if why_not := _why_not(known):
        return Calibration(
            way=None, losses={}, knots=(), bins=(), dates=(), listed=None, errors={}, error_by_chance=None,
            why_not=why_not, **counts,
        )  # fmt: skip
    scores, confirmed = known[method].to_numpy(), known["confirmed"].to_numpy().astype(float)
    date, person = (
        known[name].rank("dense").cast(pl.Int64).to_numpy() - 1 for name in ("as_of", "person_key")
    )
    held_out = {way: _held_out(way, scores, confirmed, date) for way in WAYS}
    losses = {way: _log_loss(chance, confirmed) for way, chance in held_out.items()}
    way = min(WAYS, key=lambda each: losses[each])
    chance, base = held_out[way], _share_of_others(confirmed, date)
    drawn = resample_persons(int(person.max()) + 1, draws=draws, seed=seed)
    bins, errors = _measured(chance, base, confirmed, person, drawn)
    listed = known["listed"].to_numpy()
    return Calibration(
        way=way,
        losses=losses,
        knots=_knots(way, scores, confirmed, person, drawn),
        bins=bins,
        dates=tuple(
            _part(str(day), of_day, chance, confirmed)
            for day in known["as_of"].unique().sort()
            for of_day in [(known["as_of"] == day).to_numpy().astype(float)]
        ),
        listed=_part("listed", listed, chance, confirmed),
        errors=errors,
        error_by_chance=_error_by_chance(chance),
        why_not="",
        **counts,
    )


def _with_listed(tested: pl.DataFrame, backtest: Backtest, method: str) -> Sequence[pl.DataFrame]:
    """By date, everyone with the chance of having been on the list of that date."""
    return [
        people.with_columns(
            listed=pl.Series(chance_of_listing(people[method].to_numpy(), backtest.places_on(day)))
        )
        for day in backtest.test_as_ofs
        for people in [tested.filter(pl.col("as_of") == day)]
    ]


def _why_not(known: pl.DataFrame) -> str:
    confirmed = int(known["confirmed"].sum())
    if confirmed < LEAST_CONFIRMED:
        return f"confirmed on the settled test dates: {confirmed}; at least {LEAST_CONFIRMED} are needed."
    if known.filter(pl.col("confirmed"))["as_of"].n_unique() < 2:
        return "there are confirmed people on one settled test date only, and no chance is judged by the date it is learnt from."
    if confirmed == len(known):
        return "everybody whose outcome is known was confirmed."
    return ""


def _part(name: str, counting: np.ndarray, chance: np.ndarray, confirmed: np.ndarray) -> Part:
    return Part(name, float(counting.sum()), float(counting @ chance), float(counting @ confirmed))


def _held_out(way: Way, scores: np.ndarray, confirmed: np.ndarray, date: np.ndarray) -> np.ndarray:
    """Each person's chance by a map learnt on all other dates, `[rows]`."""
    chance = np.empty(len(scores))
    for day in np.unique(date):
        others, here = date != day, date == day
        learnt = _learn(way, scores[others], np.ones(int(others.sum())), confirmed[others])
        chance[here] = learnt(scores[here])
    return chance


def _share_of_others(confirmed: np.ndarray, date: np.ndarray) -> np.ndarray:
    """The confirmed share of all dates but a person's own, `[rows]`."""
    people, found = np.bincount(date), np.bincount(date, confirmed)
    return ((found.sum() - found) / (people.sum() - people))[date]


def _learn(way: Way, scores: np.ndarray, people: np.ndarray, confirmed: np.ndarray) -> Chance:
    """The chance as a function of the score; each row holds so many people, of whom so many were confirmed."""
    if way == "isotonic":
        return _isotonic(scores, people, confirmed)
    if way == "platt":
        intercept, slope = logistic(scores, people, confirmed, pull=PULL)
        if slope > 0:
            return lambda wanted: probability(intercept + slope * wanted)
        return lambda wanted: np.full(len(wanted), confirmed.sum() / people.sum())
    base = log_odds(float(confirmed.sum() / people.sum()))
    return lambda wanted: probability(wanted + base)


def logistic(
    scores: np.ndarray, people: np.ndarray, confirmed: np.ndarray, *, pull: float
) -> tuple[float, float]:
    """Intercept and slope of the log-odds of being confirmed, by Newton's method.

    Args:
        people, confirmed: of each row `[rows]`; some, but not all, are confirmed.
        pull: how strongly the slope is drawn to 1.
    """
    # About the confirmed people's mean the two parameters hardly depend on each other, which Newton's method likes.
    middle = float(scores @ confirmed / confirmed.sum())
    x = scores - middle
    ends = np.array([x.min(), x.max()])
    level, slope = log_odds(float(confirmed.sum() / people.sum())), 1.0
    for _ in range(1000):
        chance = probability(level + slope * x)
        spread = people * chance * (1 - chance)
        off = confirmed - people * chance
        gradient = np.array([off.sum(), off @ x - pull * (slope - 1)])
        cross = spread @ x
        curvature = np.array([[spread.sum() + 1e-9, cross], [cross, spread @ (x * x) + pull]])
        step = np.linalg.solve(curvature, gradient)
        # Whole steps may go round for ever. While no log-odds move by more than 1.7, curvature changes so little that each
        # step gains (e^t - t - 1 < t^2 up to t = 1.79).
        furthest = float(np.abs(step[0] + step[1] * ends).max())
        step *= 1.7 / max(furthest, 1.7)
        level, slope = level + float(step[0]), slope + float(step[1])
        if np.abs(step).max() < 1e-10:
            break
    return level - slope * middle, slope


def _isotonic(scores: np.ndarray, people: np.ndarray, confirmed: np.ndarray) -> Chance:
    from sklearn.isotonic import isotonic_regression

    places, of = np.unique(scores, return_inverse=True)
    there, found = np.bincount(of, people), np.bincount(of, confirmed)
    # A step on which nobody was confirmed says "few", not "never".
    least = 0.5 / (people.sum() + 1)
    some = there > 0
    steps = isotonic_regression(
        found[some] / there[some], sample_weight=there[some], y_min=least, y_max=1 - least
    )
    return lambda wanted: np.interp(wanted, places[some], steps)


def _log_loss(chance: np.ndarray, confirmed: np.ndarray) -> float:
    return float(-np.mean(np.where(confirmed > 0, np.log(chance), np.log1p(-chance))))


@dataclass(frozen=True, eq=False)
class _Groups:
    """Rows in falling order of a value, cut where about as much of something has been passed; who ties stays together.

    Attributes:
        order: of the rows.
        starts: where each group begins in that order.
        number: of each group, rising; the multiples are the bins.
    """

    order: np.ndarray
    starts: np.ndarray
    number: np.ndarray

    def sums(self, values: np.ndarray) -> np.ndarray:
        return np.add.reduceat(values[self.order], self.starts)

    def drawn_sums(self, values: Sequence[np.ndarray], person: np.ndarray, drawn: Resamples) -> np.ndarray:
        """Sums of each of some values by resample and group, `[values, 1 + draws, groups]`."""
        ordered, of = [each[self.order] for each in values], person[self.order]
        parts = np.array_split(drawn.weights, max(1, len(drawn.weights) * len(of) // PART_SIZE))
        return np.concatenate(
            [
                np.stack([np.add.reduceat(weights * each, self.starts, axis=1) for each in ordered])
                for part in parts
                for weights in [part[:, of]]
            ],
            axis=1,
        )


def _grouped(values: np.ndarray, mass: np.ndarray, groups: int) -> _Groups:
    order = np.argsort(-values, kind="stable")
    ordered = values[order]
    new = np.r_[True, ordered[1:] != ordered[:-1]]
    passed = np.cumsum(mass[order]) - mass[order]
    # Who ties goes where the first of them goes.
    first = np.maximum.accumulate(np.where(new, np.arange(len(order)), 0))
    number = np.minimum((passed[first] / mass.sum() * groups).astype(int), groups - 1)
    starts = np.flatnonzero(np.r_[True, number[1:] != number[:-1]])
    return _Groups(order, starts, number[starts])


def _bins_of(chance: np.ndarray) -> int:
    return int(np.clip(chance.sum() // A_BIN, 1, MOST_BINS))


def _measured(
    chance: np.ndarray, base: np.ndarray, confirmed: np.ndarray, person: np.ndarray, drawn: Resamples
) -> tuple[tuple[Part, ...], dict[str, Measure]]:
    """The bins, and every error measure as it is and under resamples."""
    groups = _grouped(chance, chance, PARTS_OF_A_BIN * _bins_of(chance))
    people, expected, found, off, off_base = groups.drawn_sums(
        [np.ones(len(chance)), chance, confirmed, (chance - confirmed) ** 2, (base - confirmed) ** 2],
        person,
        drawn,
    )
    bin_starts = np.flatnonzero(np.r_[True, np.diff(groups.number // PARTS_OF_A_BIN) > 0])
    by_bin = [np.add.reduceat(each, bin_starts, axis=1) for each in (people, expected, found)]
    in_all = people.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        brier, brier_base = off.sum(axis=1) / in_all, off_base.sum(axis=1) / in_all
        measured = {
            "error": np.abs(by_bin[2] - by_bin[1]).sum(axis=1) / in_all,
            "brier": brier,
            "brier_skill": 1 - brier / brier_base,
            "confirmed_to_expected": found.sum(axis=1) / expected.sum(axis=1),
        }
    logits = groups.sums(chance * _logits(chance)) / groups.sums(chance)
    lines = np.array([_line(logits, each, some) for each, some in zip(people, found, strict=True)])
    measured |= {"intercept": lines[:, 0], "slope": lines[:, 1]}
    falling = chance[groups.order]
    first = groups.starts[bin_starts]
    last = np.r_[first[1:], len(falling)] - 1
    bins = tuple(
        Part(
            f"{_percent(float(falling[end]))} to {_percent(float(falling[start]))}",
            *(float(each[0, i]) for each in by_bin),
        )
        for i, (start, end) in enumerate(zip(first, last, strict=True))
    )
    errors = {name: _measure(values) for name, values in measured.items()}
    # A resample adds its own noise to a mean of distances, so its percentiles lie too high; what chance alone would
    # make of it stands beside instead.
    return bins, errors | {"error": Measure(errors["error"].value, math.nan, math.nan)}


def _line(logits: np.ndarray, people: np.ndarray, confirmed: np.ndarray) -> tuple[float, float]:
    if not 0 < confirmed.sum() < people.sum():
        return math.nan, math.nan
    return logistic(logits, people, confirmed, pull=FAINT)


def _measure(values: np.ndarray) -> Measure:
    interval = percentile_interval(values)
    return Measure(float(values[0]), interval.low, interval.high)


def _error_by_chance(chance: np.ndarray) -> float:
    """The calibration error to be expected of right chances: of each bin the mean distance of a normal variable with
    the variance of its count."""
    groups = _grouped(chance, chance, _bins_of(chance))
    return float(np.sqrt(2 / math.pi * groups.sums(chance * (1 - chance))).sum() / len(chance))


def _knots(
    way: Way, scores: np.ndarray, confirmed: np.ndarray, person: np.ndarray, drawn: Resamples
) -> tuple[Knot, ...]:
    """The map learnt from all dates, read at scores with as many findings between each two, and learnt again from
    resampled persons for its interval."""
    ones = np.ones(len(scores))
    mass = _learn("as it comes", scores, ones, confirmed)(scores)
    places = np.unique(np.r_[scores.min(), scores.max(), _middles(_grouped(scores, mass, KNOTS), scores)])
    chance = _learn(way, scores, ones, confirmed)(places)
    groups = _grouped(scores, mass, KNOTS * 10)
    middles = _middles(groups, scores)
    again: Way = "isotonic" if way == "isotonic" else "platt"
    people, found = groups.drawn_sums([ones, confirmed], person, drawn)
    maps = np.array(
        [
            _learn(again, middles, each, some)(places)
            for each, some in zip(people[1:], found[1:], strict=True)
            if 0 < some.sum() < each.sum()
        ]
    )
    low, high = np.percentile(maps, [2.5, 97.5], axis=0)
    ends = zip(places, chance, np.minimum(low, chance), np.maximum(high, chance), strict=True)
    return tuple(Knot(*map(float, each)) for each in ends)


def _middles(groups: _Groups, scores: np.ndarray) -> np.ndarray:
    return groups.sums(scores) / groups.sums(np.ones(len(scores)))


def _logits(chance: np.ndarray | Sequence[float]) -> np.ndarray:
    # A chance of exactly 0 or 1 comes of rounding alone.
    inner = np.clip(chance, 1e-15, 1 - 1e-15)
    return np.log(inner) - np.log1p(-inner)


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.995 else "100 %"


def _in_100(share: float) -> str:
    return f"{100 * share:.0f}" if share >= 0.01 else f"{100 * share:.1f}".removesuffix(".0")
