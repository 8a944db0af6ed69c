"""Methods and runs side by side at the same capacity: who was confirmed, who was wrong, and how sure that is.

A column never mixes bases: its name begins with the basis of the counts in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from features.errors import WrongUsage, did_you_mean
from models.backtest import AT_CAPACITY, KEYS, Backtest, Line, Rankings, lines, measure_rankings
from models.charts import write_chart
from models.metrics import Basis, Interval, LiveCounts, percentile_interval
from models.stability import in_all, over_dates, over_runs, regret

if TYPE_CHECKING:
    import altair

    from models.experiment import Experiment

# What a list found, what it did not, and what nobody knows yet; told apart without red and green.
COLOURS = {"found": "#1b6ca8", "not found": "#c9a66b", "unknown": "#c9c9c9"}
CHART_PARTS = {
    Basis.PLANTED: {"misconduct": "found", "innocent": "not found", "lookalike": "not found"},
    Basis.BACKTEST: {
        "leads_confirmed": "found",
        "leads_not_confirmed": "not found",
        "leads_unsettled": "unknown",
    },
    Basis.REPLAY: {
        "leads_confirmed": "found",
        "leads_wrong": "not found",
        "leads_inconclusive": "unknown",
        "leads_open": "unknown",
    },
}
# The method whose reasons are kept with a run.
MODEL = "lightgbm"
BECAME = ("confirmed", "not confirmed", "unsettled")
PLANTED_KINDS = ("misconduct", "innocent", "lookalike")
BASIS_IN_WORDS = {
    Basis.PLANTED: "planted: what the answer key of the simulation says",
    Basis.BACKTEST: "backtest: what the records later said",
    Basis.REPLAY: "replay: what reviewers found of the people listed",
}


@dataclass(frozen=True)
class Difference:
    """How many more people of the kind the reference found than another ranking; paired, 95 %."""

    basis: Basis
    ranking: str
    more: float
    interval: Interval

    @property
    def clear(self) -> bool:
        """Whether the interval lies above zero."""
        return self.interval.low > 0


@dataclass(frozen=True, eq=False, kw_only=True)
class Comparison:
    """Every ranking's list over all test dates together.

    Attributes:
        backtests: every run with all its methods, at the same capacity.
        reference: the ranking that the others are compared with, `"<run>/<method>"`.
        lines: by ranking, one line a basis.
        differences: of the reference and every other ranking.
        live: review outcomes of the leads that were in fact opened, apart from all rankings.
    """

    backtests: Mapping[str, Backtest]
    reference: str
    lines: Mapping[str, tuple[Line, ...]]
    differences: tuple[Difference, ...]
    live: LiveCounts | None

    def frame(self) -> pl.DataFrame:
        """One row a ranking: run, method, and for each basis its counts, the confirmed share with its
        interval, the luckiest and unluckiest draw, and how many more the reference found."""
        rows = []
        for ranking, of_ranking in self.lines.items():
            run, method = ranking.rsplit("/", 1)
            row: dict[str, object] = {"run": run, "method": method}
            for line in of_ranking:
                row |= _columns_of(line, self._difference(line.counts.basis, ranking))
            rows.append(row)
        return pl.DataFrame(rows, infer_schema_length=None)

    def only_on(self, one: str, other: str) -> pl.DataFrame:
        """The people on one ranking's list and not on another's, and why, as far as a model ranked them.

        Args:
            one, other: `"<run>/<method>"`; the method alone means the first run that has it.

        Returns:
            One row a person and test date, by date and place: person_key, as_of, surely (1, or less where a draw
            between ties decides), place and place_on_other (from 1), backtest (confirmed, not confirmed, unsettled),
            in a simulation planted, and in words why the model of that date put the person so high (`listed_for`)
            and why the other's did not (`passed_over_for`), strongest first; empty where nothing pulls that way;
            null for a method that is no model, and where nothing was kept.

        Raises:
            WrongUsage: there is no such ranking.
        """
        first, second = self._ranking(one), self._ranking(other)
        both = self._on_either(first, second)
        of = {"surely": pl.col("chance") - pl.col("chance_on_other")}
        return (
            both.with_columns(**of)
            .filter(pl.col("surely") > 0)
            .join(self._why(first, "for", "listed_for"), on=list(KEYS), how="left")
            .join(self._why(second, "against", "passed_over_for"), on=list(KEYS), how="left")
            .sort("as_of", pl.col("surely"), "place", "person_key", descending=[False, True, False, False])
            .drop("chance", "chance_on_other")
        )

    def apart(self, one: str, other: str) -> pl.DataFrame:
        """How many people are on both lists, and on one alone, by what became of them.

        Returns:
            list (`both`, `only <one>`, `only <other>`), people, and of each basis its kinds. Expected over ties.
        """
        first, second = self._ranking(one), self._ranking(other)
        both = self._on_either(first, second)
        gained = pl.col("chance") - pl.col("chance_on_other")
        shares = {
            "both": pl.min_horizontal("chance", "chance_on_other"),
            f"only {first}": gained.clip(lower_bound=0.0),
            f"only {second}": (-gained).clip(lower_bound=0.0),
        }
        kinds = {
            f"{Basis.BACKTEST}.leads_{kind.replace(' ', '_')}": pl.col("backtest") == kind for kind in BECAME
        }
        if "planted" in both.columns:
            kinds |= {f"{Basis.PLANTED}.{kind}": pl.col("planted") == kind for kind in PLANTED_KINDS}
        return pl.concat(
            both.select(
                pl.lit(name).alias("list"),
                share.sum().alias("people"),
                *(share.filter(of_kind).sum().alias(kind) for kind, of_kind in kinds.items()),
            )
            for name, share in shares.items()
        )

    def stability(self) -> pl.DataFrame:
        """Of each ranking, how much of a test date's list is on the next (see `models.stability.over_dates`)."""
        return over_dates(self._shown)

    def steadiness(self) -> pl.DataFrame:
        """The same over all test dates together (see `models.stability.in_all`)."""
        return in_all(self._shown)

    def agreement(self) -> pl.DataFrame:
        """How much of a model's list in one run is on that of another (see `models.stability.over_runs`)."""
        return over_runs(self._shown)

    def regret(self, basis: Basis = Basis.BACKTEST) -> pl.DataFrame:
        """By test date, how many people fewer each ranking found than the best (see `models.stability.regret`)."""
        return regret(self._shown, basis)

    @property
    def _shown(self) -> dict[str, Backtest]:
        """The backtests with the rankings that are shown, each once."""
        shown: dict[str, tuple[str, ...]] = {}
        for ranking in self.lines:
            run, method = ranking.rsplit("/", 1)
            shown[run] = (*shown.get(run, ()), method)
        return {run: replace(self.backtests[run], methods=methods) for run, methods in shown.items()}

    def _ranking(self, name: str) -> str:
        known = {f"{run}/{method}": None for run, each in self.backtests.items() for method in each.methods}
        if name in known:
            return name
        by_method = [ranking for ranking in known if ranking.rsplit("/", 1)[1] == name]
        if by_method:
            return by_method[0]
        raise WrongUsage(f"there is no ranking {name!r} in this comparison. {did_you_mean(name, known)}")

    def _on_either(self, one: str, other: str) -> pl.DataFrame:
        """Whoever may be on either list, with the chance of each, the places, and what became of them."""
        (run, method), (other_run, other_method) = (name.rsplit("/", 1) for name in (one, other))
        backtest, against = self.backtests[run], self.backtests[other_run]
        unsettled = ~pl.col("confirmed") & (pl.col("pending") | ~pl.col("settled"))
        became = (
            pl.when("confirmed").then(pl.lit("confirmed")).when(unsettled).then(pl.lit("unsettled"))
            .otherwise(pl.lit("not confirmed"))
        )  # fmt: skip
        known = [*KEYS, became.alias("backtest"), *(["planted"] if backtest.has_planted else [])]
        return (
            backtest.chances(method)
            .join(against.chances(other_method), on=list(KEYS), how="left", suffix="_on_other")
            .with_columns(pl.col("chance_on_other").fill_null(0.0))
            .filter((pl.col("chance") > 0) | (pl.col("chance_on_other") > 0))
            .join(backtest.scores.select(known), on=list(KEYS), how="left", maintain_order="left")
        )

    def _why(self, ranking: str, direction: str, name: str) -> pl.DataFrame:
        """The reasons of a run's model in words, one list a person and date."""
        run, method = ranking.rsplit("/", 1)
        backtest = self.backtests[run]
        empty = {**backtest.scores.select(KEYS).schema, name: pl.List(pl.String)}
        if backtest.reasons is None or method != MODEL:
            return pl.DataFrame(schema=empty)
        return (
            backtest.reasons.sort("place")
            .group_by(KEYS, maintain_order=True)
            .agg(pl.col("words").filter(pl.col("direction") == direction).alias(name))
        )

    def chart(self) -> altair.VConcatChart:
        """Confirmed against not confirmed or wrong, one panel a basis, with the interval of the first."""
        import altair

        panels = [
            _panel(self._parts(basis), BASIS_IN_WORDS[basis]) for basis in CHART_PARTS if self._has(basis)
        ]
        return altair.vconcat(*panels).resolve_scale(x="independent", color="independent")

    def write_chart(self, path: Path) -> Path:
        """Write the chart as SVG, or as PNG or JSON where the name ends so."""
        return write_chart(self.chart(), path)

    def _difference(self, basis: Basis, ranking: str) -> Difference | None:
        return next((d for d in self.differences if d.basis is basis and d.ranking == ranking), None)

    def _has(self, basis: Basis) -> bool:
        return any(line.counts.basis is basis for of_ranking in self.lines.values() for line in of_ranking)

    def _parts(self, basis: Basis) -> pl.DataFrame:
        one_run = len({ranking.rsplit("/", 1)[0] for ranking in self.lines}) == 1
        rows = [
            {
                "method": ranking.rsplit("/", 1)[1] if one_run else ranking,
                "outcome": field.removeprefix("leads_").replace("_", " "),
                "part": part,
                "place": place,
                "people": getattr(line.counts, field),
                "low": line.interval.low * line.counts.listed,
                "high": line.interval.high * line.counts.listed,
            }
            for ranking, of_ranking in self.lines.items()
            for line in of_ranking
            if line.counts.basis is basis
            for place, (field, part) in enumerate(CHART_PARTS[basis].items())
        ]
        return pl.DataFrame(rows)

    def _repr_html_(self) -> str:
        said = "".join(f"<li>{_in_words(each, self.reference)}</li>" for each in self.differences)
        tables = {
            "Of each list, the share that is on the list of the next test date": self.stability(),
            "Of each run's list, the share that is on another run's": self.agreement(),
            "People confirmed fewer than by the best list of each test date": self.regret(),
        }
        shown = "".join(
            f"<h4>{title}</h4>{table._repr_html_()}" for title, table in tables.items() if len(table)
        )
        return f"{self.frame()._repr_html_()}<ul>{said}</ul>{shown}"


def compare(
    runs: Mapping[str, Experiment | Backtest],
    *,
    capacity: int | None = None,
    reviews: pl.DataFrame | None = None,
    live: LiveCounts | None = None,
    draws: int = 1000,
    seed: int = 1,
) -> Comparison:
    """Every method of every run at the same capacity; the first run's first method is the reference.

    Args:
        runs: experiments, or backtests read back from MLflow, by the name to show. Baselines that score
            alike in every run are shown once.
        capacity: places a batch; the first run's where None.
        reviews: person_key, as_of, outcome of earlier leads, to replay.
        live: review outcomes of leads that were opened; the first experiment's where None.

    Raises:
        WrongUsage: no run, or runs tested on different dates, whose counts cannot stand side by side.
    """
    if not runs:
        raise WrongUsage("there is no run to compare. Train one first: evenhand train.")
    backtests = {name: run if isinstance(run, Backtest) else run.backtest for name, run in runs.items()}
    first = next(iter(backtests.values()))
    backtests = {
        name: each.at_capacity(first.capacity if capacity is None else capacity)
        for name, each in backtests.items()
    }
    _check_same_dates(backtests)
    shown = _without_repeats(backtests)
    bases = [Basis.BACKTEST, *([Basis.PLANTED] if all(b.has_planted for b in shown.values()) else [])]
    reference = f"{next(iter(shown))}/{first.methods[0]}"
    differences = [
        difference
        for basis in bases
        for difference in _differences(
            measure_rankings(shown, basis=basis, draws=draws, seed=seed), basis, reference
        )
    ]
    if live is None:
        live = next((run.live for run in runs.values() if not isinstance(run, Backtest) and run.live), None)
    return Comparison(
        backtests=backtests,
        reference=reference,
        lines={
            f"{name}/{method}": tuple(line for line in found if line.method == method)
            for name, backtest in shown.items()
            # What was replayed on other dates cannot stand beside.
            for told in [reviews if backtest.replay_only == first.replay_only else None]
            for found in [[line for line in lines(backtest, told) if line.as_of is None]]
            for method in backtest.methods
        },
        differences=tuple(differences),
        live=live,
    )


def _differences(rankings: Rankings, basis: Basis, reference: str) -> list[Difference]:
    best = rankings.found(reference, AT_CAPACITY)
    others = [ranking for ranking in rankings.measured if ranking != reference]
    more = {ranking: best - rankings.found(ranking, AT_CAPACITY) for ranking in others}
    return [
        Difference(basis, ranking, float(values[0]), percentile_interval(values))
        for ranking, values in more.items()
    ]


def _check_same_dates(backtests: Mapping[str, Backtest]) -> None:
    first_name, first = next(iter(backtests.items()))
    for name, backtest in backtests.items():
        if backtest.test_as_ofs != first.test_as_ofs:
            raise WrongUsage(
                f"runs {first_name} and {name} were tested on different dates "
                f"({_dates(first)} and {_dates(backtest)}). Train them on the same dates to compare them."
            )


def _dates(backtest: Backtest) -> str:
    return ", ".join(map(str, backtest.test_as_ofs))


def _without_repeats(backtests: Mapping[str, Backtest]) -> dict[str, Backtest]:
    """The backtests without the methods whose lists an earlier one already has."""
    kept: dict[str, Backtest] = {}
    for name, backtest in backtests.items():
        methods = tuple(
            method
            for method in backtest.methods
            if not any(_same_scores(backtest, earlier, method) for earlier in kept.values())
        )
        if methods:
            kept[name] = replace(backtest, methods=methods)
    return kept


def _same_scores(one: Backtest, other: Backtest, method: str) -> bool:
    return (
        method in other.methods
        and len(one.scores) == len(other.scores)
        and one.scores["person_key"].equals(other.scores["person_key"])
        and np.array_equal(one.scores[method].to_numpy(), other.scores[method].to_numpy())
    )


def _columns_of(line: Line, difference: Difference | None) -> dict[str, object]:
    basis = line.counts.basis
    columns: dict[str, object] = dict(line.counts.metrics())
    columns |= {
        f"{basis}.share": line.share,
        f"{basis}.share_low": line.interval.low,
        f"{basis}.share_high": line.interval.high,
        f"{basis}.luckiest_draw": line.bounds.best,
        f"{basis}.unluckiest_draw": line.bounds.worst,
    }
    if basis is not Basis.REPLAY:
        columns |= {
            f"{basis}.reference_found_more": difference.more if difference else None,
            f"{basis}.more_low": difference.interval.low if difference else None,
            f"{basis}.more_high": difference.interval.high if difference else None,
        }
    return columns


def _in_words(difference: Difference, reference: str) -> str:
    kind = "people with planted misconduct" if difference.basis is Basis.PLANTED else "confirmed leads"
    interval = f"{difference.interval.low:+.1f} to {difference.interval.high:+.1f}"
    sure = "" if difference.clear else "; the interval does not lie above zero"
    return f"{reference} found {difference.more:+.1f} {kind} against {difference.ranking} ({interval}{sure})"


def precision_chart(performance: pl.DataFrame) -> altair.FacetChart:
    """Precision at 1, 2, 5 and 10 % of the cohort, a panel a test date, with intervals.

    Args:
        performance: from `models.backtest.performance`.
    """
    import altair

    shown = performance.filter(
        pl.col("measure").str.contains(r"^precision_at_\d+pc$") & pl.col("as_of").is_not_null()
    ).with_columns(
        pl.col("measure").str.extract(r"(\d+)pc").cast(pl.Int64).alias("percent"),
        pl.col("as_of").cast(pl.String),
    )
    base = altair.Chart(shown).encode(
        x=altair.X("percent:O", title="top % of the cohort"), color=altair.Color("method:N", title=None), xOffset="method:N"
    )  # fmt: skip
    intervals = base.mark_rule().encode(y=altair.Y("low:Q", title="precision"), y2="high:Q")
    points = base.mark_point(filled=True).encode(y="value:Q")
    return (intervals + points).properties(width=220, height=180).facet(altair.Facet("as_of:N", title=None))


def _panel(parts: pl.DataFrame, title: str) -> altair.LayerChart | altair.FacetChart:
    import altair

    methods = parts["method"].unique(maintain_order=True).to_list()
    outcomes = parts["outcome"].unique(maintain_order=True).to_list()
    colours = _colours(parts)
    y = altair.Y("method:N", sort=methods, title=None)
    bars = altair.Chart(parts).mark_bar().encode(
        y=y,
        x=altair.X("people:Q", title="people listed at capacity, all test dates"),
        color=altair.Color(
            "outcome:N", title=None, sort=outcomes, scale=altair.Scale(domain=outcomes, range=colours)
        ),
        order="place:O",
        tooltip=["method", "outcome", altair.Tooltip("people:Q", format=".1f")],
    )  # fmt: skip
    intervals = altair.Chart(parts.filter(pl.col("place") == 0)).mark_rule(color="#111111", strokeWidth=2).encode(
        y=y, x="low:Q", x2="high:Q"
    )  # fmt: skip
    return (bars + intervals).properties(title=title, width=520, height=24 * len(methods))


def _colours(parts: pl.DataFrame) -> list[str]:
    """A colour an outcome; outcomes of one part are shades of one colour."""
    by_outcome = parts.unique("outcome", maintain_order=True).sort("place")
    shades = {"found": ["#1b6ca8"], "not found": ["#c9a66b", "#8c6d31"], "unknown": ["#c9c9c9", "#9a9a9a"]}
    return [shades[part].pop(0) for part in by_outcome["part"]]
