"""What the lists of every method hold by the answer key of a simulated force, for equal effort and for equal yield."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl

from models.backtest import KEYS, Backtest
from models.baselines import per_typology_rules
from models.booster import matrix, raw_scores, read_booster
from models.experiment import Study
from models.metrics import chance_of_listing, places
from models.ranker import Params, directions, train

OURS = "lightgbm"

# By method, people listed over all test dates: misconduct, innocent, and how many innocent people our list would
# hold if it held as much misconduct as this one.
Yields = dict[str, dict[str, float]]


def yields(backtest: Backtest) -> Yields:
    """What every method's lists hold at the backtest's capacity, and what our list would for as much misconduct."""
    found: Yields = {
        method: {"misconduct": 0.0, "innocent": 0.0, "ours_innocent": 0.0} for method in backtest.methods
    }
    for day in backtest.test_as_ofs:
        people = backtest.on(day)
        bears = (people["planted"] == "misconduct").to_numpy()
        n_places = places(len(people), backtest.capacity)
        for method, of_method in found.items():
            misconduct = float(chance_of_listing(people[method].to_numpy(), n_places) @ bears)
            of_method["misconduct"] += misconduct
            of_method["innocent"] += n_places - misconduct
            of_method["ours_innocent"] += innocents_until(people[OURS].to_numpy(), bears, misconduct)
    return found


def innocents_until(scores: np.ndarray, bears: np.ndarray, wanted: float) -> float:
    """How many innocent people are listed before so much misconduct is, from the highest score down.

    Innocent people who tie with those that bear are listed first.

    >>> innocents_until(np.array([4.0, 3.0, 2.0, 1.0]), np.array([True, False, True, False]), 1.5)
    1.0
    """
    order = np.lexsort((bears, -scores))
    found = np.cumsum(bears[order])
    return float((~bears[order])[: int(np.searchsorted(found, wanted)) + 1].sum()) if wanted > 0 else 0.0


def beside(backtest: Backtest, references: Mapping[str, pl.DataFrame]) -> Backtest:
    """Our lists and, of the same length, those of other scores.

    Args:
        references: by name, person_key, as_of and `score`, of everyone on the test dates.
    """
    scores = backtest.scores
    for name, of_name in references.items():
        scores = scores.join(
            of_name.rename({"score": name}), on=list(KEYS), how="left", maintain_order="left"
        )
    return replace(backtest, scores=scores, methods=(OURS, *references))


def by_rules(study: Study, columns: Iterable[str]) -> pl.DataFrame:
    """`[person_key, as_of, score]` of everyone on the test dates, by a rule a typology over these columns."""
    names = list(columns)
    return pl.concat(
        people.select(KEYS).with_columns(score=pl.Series(per_typology_rules(people, names)))
        for people in (_on(study, [fold.test_as_of]) for fold in study.folds)
    )


def told_the_answers(study: Study, truth: pl.DataFrame, params: Params) -> pl.DataFrame:
    """`[person_key, as_of, score]` of everyone on the test dates, by trees that learn what was planted on earlier dates.

    What no force could have: how much anybody could find with these features.

    Args:
        truth: person_key, as_of and `planted`, of all dates learnt from.
        params: how the trees are grown; nobody teaches them.
    """
    schema, ways = study.table.schema, directions(study.catalogue)
    bears = truth.select(*KEYS, bears=(pl.col("planted") == "misconduct").cast(pl.Float64))
    parts = []
    for fold in study.folds:
        learnt, people = _on(study, fold.train_as_ofs), _on(study, [fold.test_as_of])
        answers = learnt.select(KEYS).join(bears, on=list(KEYS), how="left", maintain_order="left")["bears"]
        told = train(
            matrix(learnt, schema),
            answers.fill_null(0.0).to_numpy(),
            schema,
            replace(params, teacher_share=0.0),
            ways=ways,
        )
        scores = raw_scores(read_booster(told, schema), matrix(people, schema))
        parts.append(people.select(KEYS).with_columns(score=pl.Series(scores)))
    return pl.concat(parts)


def _on(study: Study, days: Sequence[date]) -> pl.DataFrame:
    return study.table.frame.filter(pl.col("as_of").is_in(list(days)))


def listed_innocents(
    backtest: Backtest, truth: pl.DataFrame, cohort: Mapping[date, pl.DataFrame], kinds: Sequence[str]
) -> dict[str, dict[str, float]]:
    """For each innocent explanation, how many of its innocent bearers our lists hold, and how many they would if these
    were listed as often as other innocent people of the same role and rank.

    Where nobody else of a role and rank is there to compare with, those of the role do, else everybody.

    Args:
        truth: person_key, as_of and `lookalike`, the kinds a person bears.
        cohort: by test date, person_key, `role_code` and `rank`.

    Returns:
        By kind: `bearers`, `listed` and `expected`, of all test dates together.
    """
    found = {kind: {"bearers": 0.0, "listed": 0.0, "expected": 0.0} for kind in kinds}
    for day in backtest.test_as_ofs:
        people = backtest.on(day)
        people = (
            people.with_columns(
                listed=chance_of_listing(people[OURS].to_numpy(), places(len(people), backtest.capacity))
            )
            .join(truth.select(*KEYS, "lookalike"), on=list(KEYS), how="left")
            .join(cohort[day].select("person_key", "role_code", "rank"), on="person_key", how="left")
            .filter(pl.col("planted") != "misconduct")
        )
        for kind, of_kind in found.items():
            bears = pl.col("lookalike").list.contains(kind).fill_null(False)
            bearers, others = people.filter(bears), people.filter(~bears)
            of_kind["bearers"] += bearers.height
            of_kind["listed"] += float(bearers["listed"].sum())
            of_kind["expected"] += _expected(bearers, others)
    return found


def _expected(bearers: pl.DataFrame, others: pl.DataFrame) -> float:
    if not bearers.height or not others.height:
        return 0.0
    work = ["role_code", "rank"]
    compared = bearers.select(work)
    for depth in (2, 1):
        rates = others.group_by(work[:depth]).agg(pl.col("listed").mean().alias(f"rate_{depth}"))
        compared = compared.join(rates, on=work[:depth], how="left", nulls_equal=True)
    rate = pl.coalesce("rate_2", "rate_1", pl.lit(float(others["listed"].mean())))  # type: ignore[arg-type]  # a number
    return float(compared.select(rate.sum()).item())
