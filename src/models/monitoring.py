"""Whether what a model meets is still what it learnt from, and whether its leads still hold.

Inputs and scores are compared as they fall into bins, with the population stability index (PSI): of two
distributions p and q the sum of (p - q) ln(p / q). What is kept of the people learnt from is how many fell into
each bin, nothing about anybody. Two samples of one force differ by chance, the more the fewer people they hold: if
nothing has changed, PSI divided by (1/n + 1/m) follows about a chi-square distribution with one degree of freedom
less than there are bins. Dates of one force differ by season too, and features that a whole group shares jump with
the group, so how far the dates learnt from lay apart is kept as well. A limit is the declared one, plus what chance alone
may reach, plus what the dates learnt from showed; `false_alarms` says how often chance alone may reach that far in
all checks of one kind together.

Confirmed leads are few: the chart's limit is the exact one of the beta-binomial distribution, whose spread holds both
the chance in the leads and how little is known of the rate that is expected.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from html import escape
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl

from models.metrics import Interval, wilson

if TYPE_CHECKING:
    import altair

BINS = 10
LEAST_EXPECTED = (
    5.0  # cases of a kind below which the chi-square distribution is no guide; such kinds are one
)
SCORE = "score"
KINDS = ("input", "missing", "score", "labels", "confirmed")
Kind = Literal["input", "missing", "score", "labels", "confirmed"]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """From when on a difference is a breach, beyond what chance may reach.

    Attributes:
        psi: of a feature or of the scores; 0.25 is the custom of credit scoring for a shift that needs action.
        missing: of the share of people of whom a feature is unknown.
        label_psi: of the mix of cases by how they came about.
        least_gain: a feature with a smaller share in the model's gain is shown and does not suspend.
        false_alarms: chance that the checks of one kind give an alarm while nothing has changed.
    """

    psi: float = 0.25
    missing: float = 0.10
    label_psi: float = 0.25
    least_gain: float = 0.01
    false_alarms: float = 0.01


@dataclass(frozen=True, kw_only=True)
class Binned:
    """How many people fell where: up to and with each edge, above the last, and unknown.

    Attributes:
        gain: the feature's share in the model's gain; 1 for the scores.
        moved: how far the dates learnt from lay apart themselves: the largest index of one against the others.
    """

    name: str
    edges: tuple[float, ...]
    counts: tuple[int, ...]
    missing: int
    gain: float
    moved: float = 0.0

    @property
    def known(self) -> int:
        return sum(self.counts)

    @property
    def share_missing(self) -> float:
        return self.missing / max(1, self.known + self.missing)


@dataclass(frozen=True, kw_only=True)
class Reference:
    """What a model learnt from, as counts.

    Attributes:
        as_ofs: the dates counted.
        people: on a date, on average; the same people come again on the next, so they are not more than that.
        mix: of cases in the year before the model was made, by column and value.
    """

    as_ofs: tuple[date, ...]
    people: int
    features: tuple[Binned, ...]
    scores: Binned
    mix: Mapping[str, Mapping[str, int]]

    def to_json(self) -> str:
        return json.dumps(asdict(self), default=str, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Reference:
        """The reference written by `to_json`."""
        stored = json.loads(text)
        return cls(
            as_ofs=tuple(map(date.fromisoformat, stored["as_ofs"])),
            people=stored["people"],
            features=tuple(map(_binned, stored["features"])),
            scores=_binned(stored["scores"]),
            mix=stored["mix"],
        )


def _binned(stored: Mapping[str, Any]) -> Binned:
    return Binned(**{**stored, "edges": tuple(stored["edges"]), "counts": tuple(stored["counts"])})


def take_reference(
    names: Sequence[str],
    gains: np.ndarray,
    by_date: Iterable[tuple[date, np.ndarray, np.ndarray]],
    mix: Mapping[str, Mapping[str, int]],
) -> Reference:
    """Count people into bins date by date; the tenths of the first date are the bins of all.

    Args:
        gains: of each feature, in the model; 0 for one that is only to be shown.
        by_date: as-of date, features `[people, features]` and raw scores `[people]` of each.
    """
    as_ofs: list[date] = []
    bins: list[Binned] = []
    counted: list[list[tuple[np.ndarray, int]]] = []
    total = gains.sum() or 1.0
    for as_of, features, raw in by_date:
        columns = [*features.T, raw]
        if not as_ofs:
            shares = [*(gains / total), 1.0]
            bins = [
                _empty(name, values, share) for name, values, share in zip([*names, SCORE], columns, shares, strict=True)
            ]  # fmt: skip
        counted.append([_counts(each, values) for each, values in zip(bins, columns, strict=True)])
        as_ofs.append(as_of)
    filled = [
        _filled(each, list(dates)) for each, dates in zip(bins, zip(*counted, strict=True), strict=True)
    ]
    scores = filled[-1]
    return Reference(
        as_ofs=tuple(sorted(as_ofs)),
        people=round((scores.known + scores.missing) / len(as_ofs)),
        features=tuple(filled[:-1]),
        scores=scores,
        mix=mix,
    )


def _empty(name: str, values: np.ndarray, gain: float) -> Binned:
    known = values[~np.isnan(values)]
    inner = np.linspace(0, 1, BINS + 1)[1:-1]
    edges = np.unique(np.quantile(known, inner, method="inverted_cdf")) if len(known) else np.array([])
    return Binned(
        name=name,
        edges=tuple(map(float, edges)),
        counts=(0,) * (len(edges) + 1),
        missing=0,
        gain=float(gain),
    )


def _filled(binned: Binned, dates: Sequence[tuple[np.ndarray, int]]) -> Binned:
    """The bins with the people of all dates in them."""
    counts = np.array([found for found, _ in dates])
    all_dates = counts.sum(axis=0)
    moved = [psi(all_dates - one, one) for one in counts] if len(dates) > 1 else [0.0]
    return replace(
        binned,
        counts=tuple(map(int, all_dates)),
        missing=sum(missing for _, missing in dates),
        moved=max(moved),
    )


def _counts(binned: Binned, values: np.ndarray) -> tuple[np.ndarray, int]:
    known = values[~np.isnan(values)]
    bins = np.searchsorted(np.array(binned.edges), known, side="left")
    return np.bincount(bins, minlength=len(binned.counts)), int(len(values) - len(known))


def psi(expected: Sequence[float] | np.ndarray, found: Sequence[float] | np.ndarray) -> float:
    """The population stability index of two sets of counts; half a person is added to each bin.

    >>> round(psi([50, 50], [50, 50]), 3), round(psi([50, 50], [90, 10]), 2)
    (0.0, 0.85)
    """
    one, other = (np.asarray(counts, dtype=float) + 0.5 for counts in (expected, found))
    p, q = one / one.sum(), other / other.sum()
    return float(((q - p) * np.log(q / p)).sum())


def reach_of_chance(bins: int, n: float, m: float, *, false_alarms: float) -> float:
    """What the index of two samples of one distribution exceeds as seldom as `false_alarms` says."""
    if bins < 2 or not n or not m:
        return 0.0
    from scipy.stats import chi2

    return float(chi2.isf(false_alarms, bins - 1)) * (1 / n + 1 / m)


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was measured, and its limit.

    Attributes:
        watched: whether a breach suspends; a feature that hardly counts, or only sets people beside each other, is
            shown.
        known: the value that a person knew of when they let the model score again; None where nobody did.
    """

    kind: Kind
    name: str
    value: float
    limit: float
    says: str
    below: bool = False
    watched: bool = True
    known: float | None = None

    @property
    def code(self) -> str:
        return f"{self.kind}: {self.name}"

    @property
    def beyond(self) -> bool:
        return self.value < self.limit if self.below else self.value > self.limit

    @property
    def breach(self) -> bool:
        """Beyond its limit, and not as a person knows it already.

        Drift that is known counts again once it is worse by the limit; a count of leads that is known does not,
        and the batches that follow are counted by themselves.
        """
        if not self.beyond or not self.watched:
            return False
        return self.known is None or (not self.below and self.value > self.known + self.limit)

    @property
    def in_words(self) -> str:
        if not self.beyond:
            return "holds"
        if self.breach:
            return "breach"
        return "beyond, known" if self.watched else "beyond, only shown"


@dataclass(frozen=True, eq=False, kw_only=True)
class Monitored:
    """What the monitor found of one model on one date.

    Attributes:
        mix: column, value, share at training, share now; cases by how they came about.
        rates: as_of, decided, confirmed, low, high, limit, expected: leads of each batch, live, and
            the fewest that may be confirmed; the expectation is of the backtest.
    """

    model: str
    as_of: date
    checks: tuple[Check, ...]
    mix: pl.DataFrame
    rates: pl.DataFrame

    @property
    def breaches(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if check.breach)

    @property
    def says(self) -> str:
        if not self.breaches:
            return f"{self.model}, as of {self.as_of}: {len(self.checks)} checks, no breach."
        return told_of(self.model, self.as_of, self.breaches)

    def frame(self) -> pl.DataFrame:
        """One row a check, those furthest beyond their limit first: check, value, limit, answer, found."""
        order = sorted(self.checks, key=lambda check: (not check.breach, not check.beyond, -_reach(check)))
        return pl.DataFrame(
            [(check.code, check.value, check.limit, check.in_words, check.says) for check in order],
            schema={
                "check": pl.String, "value": pl.Float64, "limit": pl.Float64, "answer": pl.String, "found": pl.String,
            },
            orient="row",
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {
            "model": self.model,
            "as_of": self.as_of.isoformat(),
            "breaches": [check.code for check in self.breaches],
            "checks": self.frame().to_dicts(),
            "label_mix": self.mix.to_dicts(),
            "confirmed": self.rates.to_dicts(),
        }

    def chart(self) -> altair.VConcatChart:
        """Drift against its limit, and the control chart of confirmed leads."""
        import altair

        drift = self.frame().filter(pl.col("check").str.contains("^(input|score|labels)")).head(20)
        y = altair.Y("check:N", sort=None, title=None, axis=altair.Axis(labelLimit=300))
        bars = altair.Chart(drift).mark_bar(color="#1b6ca8").encode(y=y, x=altair.X("value:Q", title="PSI"))
        limits = altair.Chart(drift).mark_tick(color="#111111", thickness=2).encode(y=y, x="limit:Q")
        panels = [(bars + limits).properties(title="drift, and its limit", width=420)]
        if len(self.rates):
            shown = self.rates.with_columns(
                pl.col("as_of").cast(pl.String), share=pl.col("confirmed") / pl.col("decided"),
                least=pl.col("limit") / pl.col("decided"),
            )  # fmt: skip
            x = altair.X("as_of:N", title="batch")
            points = altair.Chart(shown).mark_point(filled=True, color="#1b6ca8").encode(
                x=x, y=altair.Y("share:Q", title="confirmed of those decided (live)")
            )  # fmt: skip
            spread = altair.Chart(shown).mark_rule(color="#1b6ca8").encode(x=x, y="low:Q", y2="high:Q")
            least = altair.Chart(shown).mark_tick(color="#111111", thickness=2).encode(x=x, y="least:Q")
            expected = altair.Chart(shown).mark_line(color="#c9a66b").encode(x=x, y="expected:Q")
            panels.append(
                (spread + points + least + expected).properties(title="confirmed leads, and their limit", width=420)
            )  # fmt: skip
        return altair.vconcat(*panels)

    def _repr_html_(self) -> str:
        said = escape(self.says).replace("\n", "<br>")
        return f"<p>{said}</p>{self.frame().head(15)._repr_html_()}{self.rates._repr_html_()}"


def _reach(check: Check) -> float:
    return -check.value if check.below else check.value / check.limit if check.limit else check.value


def told_of(model: str, as_of: date, breaches: Sequence[Check]) -> str:
    """What was breached, line by line."""
    listed = "\n".join(f"- {check.code}: {check.says}" for check in breaches)
    return f"{model}, as of {as_of}, breaches:\n{listed}"


def with_known(checks: Iterable[Check], known: Mapping[str, float]) -> tuple[Check, ...]:
    """The checks, each with the value that a person knew of."""
    return tuple(replace(check, known=known.get(check.code)) for check in checks)


def drift(reference: Reference, features: np.ndarray, raw: np.ndarray, limits: Limits) -> tuple[Check, ...]:
    """How far the features and the scores of a batch lie from those the model learnt from.

    Args:
        features: `[people, features]` in the model's order; raw: `[people]`.
    """
    tests = len(reference.features)
    checks: list[Check] = []
    for binned, values in zip(reference.features, features.T, strict=True):
        watched = binned.gain >= limits.least_gain
        checks.append(_psi_check("input", binned, values, reference.people, limits, tests, watched=watched))
        checks.append(_missing_check(binned, values, reference.people, limits, tests, watched=watched))
    checks.append(_psi_check("score", reference.scores, raw, reference.people, limits, 1, watched=True))
    return tuple(checks)


def _psi_check(
    kind: Kind, binned: Binned, values: np.ndarray, people: int, limits: Limits, tests: int, *, watched: bool
) -> Check:
    counts, _ = _counts(binned, values)
    n = people * (1 - binned.share_missing)
    # Where nobody was known, then or now, the share that is missing tells it.
    value = psi(binned.counts, counts) if counts.sum() and binned.known else 0.0
    chance = reach_of_chance(len(counts), n, float(counts.sum()), false_alarms=limits.false_alarms / tests)
    limit = limits.psi + chance + binned.moved
    return Check(
        kind=kind,
        name=binned.name,
        value=value,
        limit=limit,
        watched=watched,
        says=f"PSI {value:.3f}, limit {limit:.3f}: {limits.psi:g} declared, {chance:.3f} for chance, {binned.moved:.3f} seen in learning",
    )


def _missing_check(
    binned: Binned, values: np.ndarray, people: int, limits: Limits, tests: int, *, watched: bool
) -> Check:
    from scipy.stats import norm

    then, now = binned.share_missing, float(np.isnan(values).mean()) if len(values) else 0.0
    both = (then * people + now * len(values)) / max(1, people + len(values))
    spread = math.sqrt(both * (1 - both) * (1 / max(1, people) + 1 / max(1, len(values))))
    chance = float(norm.isf(limits.false_alarms / tests / 2)) * spread
    return Check(
        kind="missing",
        name=binned.name,
        value=abs(now - then),
        limit=limits.missing + chance,
        watched=watched,
        says=f"unknown of {now:.1%}, when the model was made of {then:.1%}; limit {limits.missing + chance:.1%} of difference",
    )


def label_mix(
    then: Mapping[str, Mapping[str, int]], now: Mapping[str, Mapping[str, int]], limits: Limits
) -> tuple[tuple[Check, ...], pl.DataFrame]:
    """How far cases came about in other ways than in the year before the model was made, by column."""
    checks, rows = [], []
    for column, before in then.items():
        after = now.get(column, {})
        values = sorted({*before, *after})
        n, m = sum(before.values()), sum(after.values())
        rows += [
            (column, value, before.get(value, 0), after.get(value, 0))
            for value in values
        ]  # fmt: skip
        if not n or not m:
            continue
        one, other = _merged([before.get(v, 0) for v in values], [after.get(v, 0) for v in values])
        value = psi(one, other)
        chance = reach_of_chance(len(one), n, m, false_alarms=limits.false_alarms / len(then))
        checks.append(
            Check(
                kind="labels",
                name=column,
                value=value,
                limit=limits.label_psi + chance,
                says=f"PSI {value:.3f}, limit {limits.label_psi + chance:.3f} ({chance:.3f} for chance among {n:,} and {m:,} cases)",
            )
        )
    columns = {"column": pl.String, "value": pl.String, "when_made": pl.Int64, "last_year": pl.Int64}
    return tuple(checks), pl.DataFrame(rows, schema=columns, orient="row")


def _merged(before: Sequence[int], after: Sequence[int]) -> tuple[list[int], list[int]]:
    """The counts with kinds of which too few are expected on either side taken as one."""
    n, m = sum(before), sum(after)
    pairs = list(zip(before, after, strict=True))
    few = [(a + b) * min(n, m) / (n + m) < LEAST_EXPECTED for a, b in pairs]
    kept = [pair for pair, is_few in zip(pairs, few, strict=True) if not is_few]
    rest = [pair for pair, is_few in zip(pairs, few, strict=True) if is_few]
    if rest:
        kept.append((sum(a for a, _ in rest), sum(b for _, b in rest)))
    return [a for a, _ in kept], [b for _, b in kept]


def fewest_confirmed(decided: int, *, expected: float, of: float, false_alarms: float) -> int:
    """The fewest confirmed leads that are no alarm: fewer come about with at most `false_alarms`' chance.

    Args:
        decided: leads that were reviewed.
        expected, of: how many of how many listed people the backtest found confirmed.

    >>> fewest_confirmed(30, expected=50, of=100, false_alarms=0.01)
    8
    >>> fewest_confirmed(3, expected=50, of=100, false_alarms=0.01)
    0
    """
    from scipy.stats import betabinom

    a, b = expected + 0.5, max(of - expected, 0.0) + 0.5
    below = betabinom.cdf(np.arange(decided + 1), decided, a, b)
    return int((below <= false_alarms).sum())


def confirmed_rates(
    leads: pl.DataFrame, *, expected: float, of: float, limits: Limits
) -> tuple[tuple[Check, ...], pl.DataFrame]:
    """The control chart of a model's leads: batch by batch, and all together.

    A batch is judged on what was decided by now. Fewer than expected is an alarm, more is not: the expectation is
    what the records alone later said of such lists, and reviewers look.

    Args:
        leads: as_of and outcome (confirmed, wrong, inconclusive, open) of each.
        expected, of: how many of how many listed people the backtest found confirmed, at the same capacity.
    """
    decided = leads.filter(pl.col("outcome") != "open")
    by_batch = (
        decided.group_by("as_of")
        .agg(decided=pl.len().cast(pl.Int64), confirmed=(pl.col("outcome") == "confirmed").sum().cast(pl.Int64))
        .sort("as_of")
    )  # fmt: skip
    share = expected / of if of else math.nan
    # As many tests as batches, and the one of all together.
    chance = limits.false_alarms / (len(by_batch) + 1)
    checks, rows = [], []
    for as_of, n, k in by_batch.iter_rows():
        least = fewest_confirmed(n, expected=expected, of=of, false_alarms=chance)
        interval = wilson(k, n)
        rows.append((as_of, n, k, interval.low, interval.high, least, share))
        checks.append(_rate_check(f"batch of {as_of}", k, n, least, share, interval))
    if len(by_batch) > 1:
        n, k = int(by_batch["decided"].sum()), int(by_batch["confirmed"].sum())
        least = fewest_confirmed(n, expected=expected, of=of, false_alarms=chance)
        checks.append(_rate_check("all batches", k, n, least, share, wilson(k, n)))
    schema = {
        "as_of": pl.Date, "decided": pl.Int64, "confirmed": pl.Int64, "low": pl.Float64, "high": pl.Float64,
        "limit": pl.Int64, "expected": pl.Float64,
    }  # fmt: skip
    return tuple(checks), pl.DataFrame(rows, schema=schema, orient="row")


def _rate_check(name: str, k: int, n: int, least: int, share: float, interval: Interval) -> Check:
    return Check(
        kind="confirmed",
        name=name,
        value=float(k),
        limit=float(least),
        below=True,
        says=f"{k} confirmed of {n} decided ({interval.low:.0%} to {interval.high:.0%}); at least {least} are within chance "
        f"where {share:.0%} are expected of the backtest",
    )
