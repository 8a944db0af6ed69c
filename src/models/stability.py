"""How much a list changes though nobody's conduct did, and how far each method lies from the best one.

Lists are compared as shares of their places: of two draws between people who tie, the expected overlap counts. A list
that changes much with the seed says more about the seed than about people; one that changes much from month to month
costs reviewers the same question anew. Over months people also change, so some of that is as it should be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from itertools import combinations, pairwise

import polars as pl

from models.backtest import Backtest, Line, lines
from models.metrics import Basis

OVERLAP = {
    "listed": pl.Float64, "listed_then": pl.Float64, "on_both": pl.Float64, "kept": pl.Float64, "jaccard": pl.Float64,
}  # fmt: skip
# What a list is made for, by the basis that can tell; the first field of its counts.
FOUND = {Basis.BACKTEST: "leads_confirmed", Basis.PLANTED: "misconduct"}


def overlap(one: pl.DataFrame, other: pl.DataFrame) -> dict[str, float]:
    """What two lists have in common.

    Args:
        one, other: person_key, chance (of being on the list); each person once.

    Returns:
        listed, listed_then, on_both (people), kept (of the first list the share that is on the second) and jaccard
        (of everyone on either the share on both). No list, no share: nan.

    >>> of = lambda *people: pl.DataFrame({"person_key": list(people), "chance": [1.0] * len(people)})
    >>> overlap(of("A", "B"), of("B", "C"))["kept"]
    0.5
    """
    both = one.join(other, on="person_key", suffix="_then")
    listed, then = float(one["chance"].sum()), float(other["chance"].sum())
    on_both = float((both["chance"] * both["chance_then"]).sum())
    either = listed + then - on_both
    return {
        "listed": listed,
        "listed_then": then,
        "on_both": on_both,
        "kept": on_both / listed if listed else float("nan"),
        "jaccard": on_both / either if either else float("nan"),
    }


def over_dates(backtests: Mapping[str, Backtest]) -> pl.DataFrame:
    """Of each ranking, how much of the list of a test date is on that of the next.

    Returns:
        run, method, as_of, then, and the columns of `overlap`.
    """
    rows = [
        {"run": run, "method": method, "as_of": day, "then": then, **overlap(on[day], on[then])}
        for run, backtest in backtests.items()
        for method in backtest.methods
        for on in [_lists(backtest, method)]
        for day, then in pairwise(backtest.test_as_ofs)
    ]
    keys = {"run": pl.String, "method": pl.String, "as_of": pl.Date, "then": pl.Date}
    return pl.DataFrame(rows, schema={**keys, **OVERLAP})


def over_runs(backtests: Mapping[str, Backtest], method: str = "lightgbm") -> pl.DataFrame:
    """How much of a method's list in one run is on its list in another, such as a run with another seed.

    Returns:
        run, other, as_of, and the columns of `overlap`; nothing where fewer than two runs have the method.
    """
    on = {run: _lists(each, method) for run, each in backtests.items() if method in each.methods}
    rows = [
        {"run": one, "other": other, "as_of": day, **overlap(on[one][day], on[other][day])}
        for one, other in combinations(on, 2)
        for day in on[one]
        if day in on[other]
    ]
    return pl.DataFrame(rows, schema={"run": pl.String, "other": pl.String, "as_of": pl.Date, **OVERLAP})


def over_batches(leads: pl.DataFrame) -> pl.DataFrame:
    """How many people with a lead in one batch have one in the next.

    Args:
        leads: person_key, as_of of the leads that were opened.

    Returns:
        as_of, then, and the columns of `overlap`.
    """
    on = {
        day: leads.filter(pl.col("as_of") == day).select(pl.col("person_key").unique(), chance=1.0)
        for day in leads["as_of"].unique().sort()
    }
    rows = [{"as_of": day, "then": then, **overlap(on[day], on[then])} for day, then in pairwise(on)]
    return pl.DataFrame(rows, schema={"as_of": pl.Date, "then": pl.Date, **OVERLAP})


def _lists(backtest: Backtest, method: str) -> dict[date, pl.DataFrame]:
    chances = backtest.chances(method)
    return {day: chances.filter(pl.col("as_of") == day) for day in backtest.test_as_ofs}


def regret(backtests: Mapping[str, Backtest], basis: Basis = Basis.BACKTEST) -> pl.DataFrame:
    """How many people each ranking's list found less than the best one of the date did.

    The best is known only afterwards, and by chance no method is always it: what counts is what adds up.

    Returns:
        run, method, as_of, found, best (of all rankings), regret, in_all (the regret of this and earlier dates);
        counts on the one basis that is asked for.
    """
    found = pl.DataFrame(
        list(_found(backtests, basis)),
        schema={"run": pl.String, "method": pl.String, "as_of": pl.Date, "found": pl.Float64},
        orient="row",
    )
    return (
        found.with_columns(best=pl.col("found").max().over("as_of"))
        .with_columns(regret=pl.col("best") - pl.col("found"))
        .with_columns(in_all=pl.col("regret").cum_sum().over("run", "method", order_by="as_of"))
    )


def in_all(backtests: Mapping[str, Backtest]) -> pl.DataFrame:
    """Over all test dates together, how steady each ranking's list is.

    Returns:
        run, method, kept and jaccard of `overlap`; nothing where there is one test date only.
    """
    on_both, listed = pl.col("on_both").sum(), pl.col("listed").sum()
    either = listed + pl.col("listed_then").sum() - on_both
    return (
        over_dates(backtests)
        .group_by("run", "method", maintain_order=True)
        .agg(kept=on_both / listed, jaccard=on_both / either)
    )


def metrics(backtest: Backtest) -> dict[str, dict[str, float]]:
    """By method, metric names and values for MLflow: the share of a list that the next keeps, and the regret in all."""
    run = {"run": backtest}
    found: dict[str, dict[str, float]] = {method: {} for method in backtest.methods}
    for row in in_all(run).iter_rows(named=True):
        found[row["method"]] |= {"list.kept_on_next": row["kept"], "list.jaccard_with_next": row["jaccard"]}
    for basis in (Basis.BACKTEST, *([Basis.PLANTED] if backtest.has_planted else [])):
        total = regret(run, basis).group_by("method").agg(pl.col("regret").sum())
        for method, value in total.iter_rows():
            found[method][f"{basis}.regret"] = value
    return found


def _found(backtests: Mapping[str, Backtest], basis: Basis) -> Iterator[tuple[str, str, date | None, float]]:
    for run, backtest in backtests.items():
        for line in lines(backtest):
            if line.as_of is not None and line.counts.basis is basis:
                yield run, line.method, line.as_of, _first(line, basis)


def _first(line: Line, basis: Basis) -> float:
    return float(getattr(line.counts, FOUND[basis]))
