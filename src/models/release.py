"""Whether a model may be released: what must hold, what was found, and what to do where it does not.

A release rests on the backtest alone, also on a simulated force: what an answer key says decides nothing.
Draws and seed are the gate's own, so that nobody can draw until a model passes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING, Any

import polars as pl

from models.backtest import AT_CAPACITY, Backtest, Rankings, measure_rankings
from models.metrics import Interval, percentile_interval

if TYPE_CHECKING:
    from models.baselines import Method

# A model must confirm more than each of these at the same capacity.
MUST_BEAT: tuple[Method, ...] = ("complaint_count", "threshold_rule", "random")
DRAWS, SEED = 1000, 4
REASONS_SHOWN = 3  # of each lineage; the card tells them all

CANDIDATE, CHAMPION = "candidate", "champion"


@dataclass(frozen=True, kw_only=True)
class Requirement:
    """One thing that must hold before a model is used.

    Attributes:
        code: short and stable, for programs.
        asks: what must hold.
        found: what was found, with its figures.
        holds: None where it does not apply.
        next_step: what to do where it does not hold.
        more, interval: how many more people the candidate confirmed than a rival, with the paired 95 %
            interval; None where nothing is compared.
    """

    code: str
    asks: str
    found: str
    holds: bool | None
    next_step: str
    more: float | None = None
    interval: Interval | None = None

    @property
    def in_words(self) -> str:
        return {True: "holds", False: "does not hold", None: "does not apply"}[self.holds]


@dataclass(frozen=True, kw_only=True)
class ReleaseDecision:
    """What the gate found about one version of a registered model."""

    name: str
    version: int
    champion: int | None
    requirements: tuple[Requirement, ...]

    @property
    def passes(self) -> bool:
        return not self.refusals

    @property
    def refusals(self) -> tuple[Requirement, ...]:
        return tuple(each for each in self.requirements if each.holds is False)

    @property
    def title(self) -> str:
        return f"{self.name} v{self.version}"

    @property
    def says(self) -> str:
        """The answer with, where it is no, every reason, what was found and what to do next."""
        if self.passes:
            return f"{self.title} may be promoted: every requirement holds."
        reasons = "\n".join(
            f"- {each.asks}: {each.found}. {each.next_step}"
            for each in self.refusals
        )  # fmt: skip
        return f"{self.title} may not be promoted:\n{reasons}"

    def frame(self) -> pl.DataFrame:
        """One row a requirement: requirement, holds, found."""
        return pl.DataFrame(
            [(each.asks, each.in_words, each.found) for each in self.requirements],
            schema={"requirement": pl.String, "holds": pl.String, "found": pl.String},
            orient="row",
        )

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {
            "model": self.name,
            "version": self.version,
            "champion": self.champion,
            "passes": self.passes,
            "requirements": [
                {
                    "code": each.code,
                    "asks": each.asks,
                    "found": each.found,
                    "holds": each.holds,
                    "next_step": each.next_step,
                    "more": each.more,
                    "low": each.interval.low if each.interval else None,
                    "high": each.interval.high if each.interval else None,
                }
                for each in self.requirements
            ],
        }

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(each.asks)}</td><td>{each.in_words}</td><td>{escape(each.found)}"
            f"{f'<br>{escape(each.next_step)}' if each.holds is False else ''}</td></tr>"
            for each in self.requirements
        )
        head = "<tr><th>requirement</th><th>holds</th><th>found</th></tr>"
        answer = "may be promoted" if self.passes else "may not be promoted"
        return (
            f"<table><caption>{escape(self.title)} {answer}</caption>"
            f"<thead>{head}</thead><tbody>{rows}</tbody></table>"
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class Champion:
    """The model now in use, as a rival.

    Attributes:
        backtest: its scores on the candidate's test dates as the first method; None where there can be none.
        how: how these scores came to be, or why there can be none.
        next_step: what to do where there can be none.
    """

    version: int
    backtest: Backtest | None
    how: str
    next_step: str = ""


def release_findings(
    name: str,
    version: int,
    backtest: Backtest,
    *,
    promotable: bool,
    forbidden: Sequence[str],
    champion: Champion | None,
) -> ReleaseDecision:
    """Hold a candidate to everything a release asks for.

    Args:
        backtest: the candidate's, its own scores the first method, lists of the length reviewers can look at.
        promotable: False for a research run.
        forbidden: features that descend from what may not be used, in words.
        champion: the model it would replace; None where there is none, or where it is the candidate.
    """
    settled = _is_settled(backtest)
    rivals = {CANDIDATE: _only(backtest, (backtest.methods[0], *_present(backtest)))}
    if champion is not None and champion.backtest is not None:
        rivals[CHAMPION] = _only(champion.backtest, champion.backtest.methods[:1])
    rankings = measure_rankings(rivals, draws=DRAWS, seed=SEED) if backtest.test_as_ofs else None
    own = f"{CANDIDATE}/{backtest.methods[0]}"
    return ReleaseDecision(
        name=name,
        version=version,
        champion=None if champion is None else champion.version,
        requirements=(
            _not_research(promotable=promotable),
            _no_lineage(forbidden),
            settled,
            *(_beats(method, own, backtest, rankings) for method in MUST_BEAT),
            _not_worse(champion, own, rankings),
        ),
    )


def _present(backtest: Backtest) -> tuple[str, ...]:
    return tuple(method for method in MUST_BEAT if method in backtest.methods)


def _only(backtest: Backtest, methods: tuple[str, ...]) -> Backtest:
    return replace(backtest, methods=methods)


def _not_research(*, promotable: bool) -> Requirement:
    return Requirement(
        code="not_research",
        asks="it comes from an ordinary run",
        found="an ordinary run" if promotable else "a research run, which is isolated",
        holds=promotable,
        next_step="Train without --research.",
    )


def _no_lineage(forbidden: Sequence[str]) -> Requirement:
    more = len(forbidden) - REASONS_SHOWN
    listed = "; ".join(forbidden[:REASONS_SHOWN]) + (f"; and {more} more" if more > 0 else "")
    return Requirement(
        code="lineage",
        asks="nothing in it descends from what may not be used",
        found=listed or "nothing does",
        holds=not forbidden,
        next_step="Leave these features out and train anew; for absence levels, record their basis in governance.toml.",
    )


def _is_settled(backtest: Backtest) -> Requirement:
    dates = backtest.test_as_ofs
    tested = backtest.scores.filter(pl.col("as_of").is_in(dates))
    unsettled = tested.filter(~pl.col("settled"))["as_of"].unique().sort()
    pending = int((tested["settled"] & tested["pending"]).sum())
    found = (
        "there is no test date"
        if not dates
        else f"not settled: {', '.join(map(str, unsettled))}"
        if len(unsettled)
        else f"{', '.join(map(str, dates))}; {int(tested['confirmed'].sum()):,} confirmed among {tested.height:,}, "
        f"{pending:,} still pending, counted as not confirmed"
    )
    return Requirement(
        code="settled",
        asks="every test date is settled",
        found=found,
        holds=bool(dates) and not len(unsettled),
        next_step="Findings for these dates are still to come: train with earlier --test-dates.",
    )


def _beats(method: str, own: str, backtest: Backtest, rankings: Rankings | None) -> Requirement:
    rival = f"{CANDIDATE}/{method}"
    asks = f"it confirms more than {method} at capacity, interval above zero"
    if rankings is None or rival not in rankings.measured:
        return Requirement(
            code=f"beats_{method}",
            asks=asks,
            found=f"{method} was not run beside it",
            holds=False,
            next_step="Train anew: every run has its baselines.",
        )
    more, interval = _more(rankings, own, rival)
    return Requirement(
        code=f"beats_{method}",
        asks=asks,
        found=_told(rankings, own, rival, more, interval),
        holds=interval.low > 0,
        next_step="More people, or more settled test dates, narrow the interval; a model that is no better stays out.",
        more=more,
        interval=interval,
    )


def _not_worse(champion: Champion | None, own: str, rankings: Rankings | None) -> Requirement:
    asks = "it is not worse than the champion beyond the interval, on the same dates"
    if champion is None:
        return Requirement(
            code="not_worse", asks=asks, found="there is no other champion", holds=None, next_step=""
        )
    if champion.backtest is None or rankings is None:
        return Requirement(
            code="not_worse",
            asks=asks,
            found=f"v{champion.version} cannot be compared: {champion.how}",
            holds=False,
            next_step=champion.next_step,
        )
    rival = f"{CHAMPION}/{champion.backtest.methods[0]}"
    more, interval = _more(rankings, own, rival)
    return Requirement(
        code="not_worse",
        asks=asks,
        found=f"{_told(rankings, own, rival, more, interval)} (v{champion.version}: {champion.how})",
        holds=interval.high >= 0,
        next_step="Keep the champion; see with `evenhand compare` whom the candidate lists instead.",
        more=more,
        interval=interval,
    )


def _more(rankings: Rankings, own: str, rival: str) -> tuple[float, Interval]:
    """How many more people the candidate confirmed, and the paired interval over resampled persons."""
    values = rankings.found(own, AT_CAPACITY) - rankings.found(rival, AT_CAPACITY)
    return float(values[0]), percentile_interval(values)


def _told(rankings: Rankings, own: str, rival: str, more: float, interval: Interval) -> str:
    found = [float(rankings.found(each, AT_CAPACITY)[0]) for each in (own, rival)]
    listed = float(rankings.listed(own, AT_CAPACITY)[0])
    return (
        f"{found[0]:.1f} against {found[1]:.1f} confirmed of {listed:.0f} listed: {more:+.1f}, "
        f"95 % interval {interval.low:+.1f} to {interval.high:+.1f}"
    )
