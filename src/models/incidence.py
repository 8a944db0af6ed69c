"""Time to finding: how many cases have ended in a finding so many days after they came in.

Leaving competes with a finding: a case whose subject has left may never be decided, so it is neither waited for
nor counted as undecided for ever. Cases still open are followed until the day that is looked back from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    import altair

HOW = ("confirmed", "not confirmed", "left")
COLOURS = {"confirmed": "#1b6ca8", "not confirmed": "#c9a66b", "left": "#9a9a9a"}
DAYS_A_MONTH = 365.25 / 12
Z = 1.959963984540054


@dataclass(frozen=True, eq=False)
class Incidence:
    """Cumulative incidence by days since a case came in.

    Attributes:
        curve: days, how, at_risk, incidence, low, high (pointwise 95 %), a row for each kind of ending and each
            day on which any case ended.
        cases: how many were followed.
    """

    curve: pl.DataFrame
    cases: int

    def at(self, days: float, how: str = "confirmed") -> float:
        """The incidence of one kind of ending by a day; 0 before the first."""
        reached = self.curve.filter(pl.col("how") == how, pl.col("days") <= days)
        return float(reached["incidence"][-1]) if len(reached) else 0.0

    def made(self, ages: Sequence[float]) -> float | None:
        """Of the findings that cases of these ages in days will bring, the share made; None where none is known of.

        What the longest cases of the past had brought counts as all. So it says how settled the labels of a date
        are, given the ages of its cases (`features.labels.ages`); cases that have not come in yet are not among them.
        """
        whole = self.at(np.inf)
        if not whole or not len(ages):
            return None
        # A mean of equal numbers may end a last bit above them.
        return min(1.0, float(np.mean([self.at(age) for age in ages])) / whole)

    def frame(self, months: Sequence[int] = (3, 6, 12, 18, 24, 36)) -> pl.DataFrame:
        """One row a kind of ending: how, and by so many months the share of cases that had so ended, with its interval."""
        rows = [
            {"months": month, "how": how, **self._row(month * DAYS_A_MONTH, how)}
            for how in HOW
            for month in months
            if month * DAYS_A_MONTH <= (self.curve["days"].max() or 0)  # type: ignore[operator]  # days are numbers
        ]
        schema = {
            "months": pl.Int64,
            "how": pl.String,
            "share": pl.Float64,
            "low": pl.Float64,
            "high": pl.Float64,
        }
        return pl.DataFrame(rows, schema=schema)

    def _row(self, days: float, how: str) -> dict[str, float]:
        reached = self.curve.filter(pl.col("how") == how, pl.col("days") <= days)
        if reached.is_empty():
            return {"share": 0.0, "low": 0.0, "high": 0.0}
        last = reached.row(-1, named=True)
        return {"share": last["incidence"], "low": last["low"], "high": last["high"]}

    def chart(self) -> altair.LayerChart | altair.FacetChart:
        """The three curves, each with its 95 % band."""
        import altair

        base = altair.Chart(self.curve.with_columns(months=pl.col("days") / DAYS_A_MONTH)).encode(
            x=altair.X("months:Q", title="months since the case came in"),
            color=altair.Color(
                "how:N", title=None, sort=list(HOW), scale=altair.Scale(domain=list(HOW), range=[COLOURS[how] for how in HOW])
            ),
        )  # fmt: skip
        bands = base.mark_area(opacity=0.2, interpolate="step-after").encode(y="low:Q", y2="high:Q")
        lines = base.mark_line(interpolate="step-after").encode(
            y=altair.Y("incidence:Q", title="share of cases"),
            tooltip=["how", "days", altair.Tooltip("incidence:Q", format=".1%"), "at_risk"],
        )
        return (bands + lines).properties(width=520, height=260)

    def _repr_html_(self) -> str:
        return f"<p>{self.cases:,} cases followed.</p>{self.frame()._repr_html_()}"


def cumulative_incidence(cases: pl.DataFrame) -> Incidence:
    """Aalen and Johansen's estimate of how cases end, each kind of ending competing with the others.

    Args:
        cases: days (0 or more) and how each ended (see `HOW`); null where it had not ended when last seen.

    >>> cases = pl.DataFrame({"days": [1, 2, 2, 3], "how": ["confirmed", "left", None, "confirmed"]})
    >>> cumulative_incidence(cases).curve.filter(how="confirmed").select("days", "at_risk", "incidence").rows()
    [(1, 4, 0.25), (2, 3, 0.25), (3, 1, 0.75)]
    """
    by_day = (
        cases.group_by("days")
        .agg(pl.len().alias("last_seen"), *((pl.col("how") == how).sum().alias(how) for how in HOW))
        .sort("days")
        .with_columns(at_risk=pl.col("last_seen").cum_sum(reverse=True))
        .filter(pl.sum_horizontal(HOW) > 0)
    )
    at_risk = by_day["at_risk"].to_numpy().astype(float)
    ended = by_day.select(HOW).to_numpy().sum(axis=1)
    open_before = np.cumprod(np.r_[1.0, 1 - ended / at_risk])[: len(ended)]
    return Incidence(
        curve=pl.concat(
            by_day.select("days", pl.lit(how).alias("how"), "at_risk").with_columns(
                **_of_kind(by_day[how].to_numpy(), ended, at_risk, open_before)
            )
            for how in HOW
        ),
        cases=len(cases),
    )


def _of_kind(
    of_kind: np.ndarray, ended: np.ndarray, at_risk: np.ndarray, open_before: np.ndarray
) -> dict[str, pl.Series]:
    """Incidence of one kind of ending, with limits on the scale on which it is nearest to normal, log(-log)."""
    steps = open_before * of_kind / at_risk
    incidence = np.cumsum(steps)
    # Aalen's variance by the delta method, its square written out so that each part is a running sum.
    left = at_risk - ended
    ending = np.divide(ended, at_risk * left, out=np.zeros(len(ended)), where=left > 0)
    crossed = open_before * of_kind / at_risk**2
    variance = (
        incidence**2 * np.cumsum(ending)
        - 2 * incidence * np.cumsum(incidence * ending)
        + np.cumsum(incidence**2 * ending)
        + np.cumsum(open_before**2 * (at_risk - of_kind) * of_kind / at_risk**3)
        - 2 * (incidence * np.cumsum(crossed) - np.cumsum(incidence * crossed))
    )
    certain = (incidence <= 0) | (incidence >= 1)
    inner = np.where(certain, 0.5, incidence)
    reach = Z * np.sqrt(np.maximum(variance, 0)) / (inner * np.log(inner))
    return {
        "incidence": pl.Series(incidence),
        "low": pl.Series(np.where(certain, incidence, inner ** np.exp(-reach))),
        "high": pl.Series(np.where(certain, incidence, inner ** np.exp(reach))),
    }
