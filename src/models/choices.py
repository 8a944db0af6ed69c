"""What each choice changes, measured on dates before those on which anything is claimed.

Every variant is trained and tested on the same dates as the reference and differs from it in one thing: what
is learnt from, a parameter, or a part of the catalogue. Differences are paired, so that they are told apart
far better than two figures with an interval each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import polars as pl

from features.build import build
from features.definition import ForceDefinition, Precedents
from features.labels import labels
from features.specs import Catalogue, Idea
from models.backtest import Backtest, Rankings, measure_rankings
from models.booster import matrix, raw_scores, read_booster
from models.experiment import AcceptedRecords, Study, fit
from models.metrics import percentile_interval
from models.ranker import Params
from models.research import narrowed
from models.splits import Fold, settled_as_ofs, train_as_ofs

MEASURES = ("auc", "precision_at_5pc", "recall_at_10pc")
_METHOD = "lightgbm"


@dataclass(frozen=True, eq=False, kw_only=True)
class Variant:
    """What is done otherwise than in the reference.

    Attributes:
        seeds: so many models, of which the log-odds are averaged.
        without: ideas that are left out.
        precedents: by which what is expected of open cases is told; the force's own where None.
    """

    says: str
    params: Params
    seeds: int = 1
    without: Callable[[Idea], bool] = lambda _: False
    precedents: Precedents | None = None


def measure_choices(
    force: ForceDefinition,
    accepted: AcceptedRecords,
    variants: Sequence[Variant],
    *,
    reference: Params,
    test_as_ofs: Sequence[date],
    candidates: Sequence[date],
    draws: int,
    seed: int,
    progress: Callable[[str], None] | None = None,
) -> pl.DataFrame:
    """How the reference differs from each variant, one row a variant and measure.

    Every test date must have a date before it whose horizon has passed. Findings are taken as released.

    Returns:
        says, dates (how many the variant can be trained for: settled labels need a settled date), measure,
        value (the reference's, mean of the dates), more (that less the variant's), low, high.
    """
    tell = progress or (lambda _: None)
    study = _study(force, accepted, test_as_ofs, candidates)
    shipped = Variant(says="as shipped", params=reference)
    tell(shipped.says)
    backtest = _backtest(study, shipped)
    rows = []
    for variant in variants:
        tell(variant.says)
        other = _backtest(study, variant)
        days = other.test_as_ofs
        same_days = replace(backtest, scores=backtest.scores.filter(pl.col("as_of").is_in(days)))
        rankings = measure_rankings({"shipped": same_days, "other": other}, draws=draws, seed=seed)
        for measure in MEASURES:
            values, others = (
                mean_of_dates(rankings, f"{name}/{_METHOD}", measure, days) for name in ("shipped", "other")
            )
            interval = percentile_interval(values - others)
            rows.append(
                (
                    variant.says,
                    len(days),
                    measure,
                    float(values[0]),
                    float((values - others)[0]),
                    interval.low,
                    interval.high,
                )
            )
    columns = ["says", "dates", "measure", "value", "more", "low", "high"]
    return pl.DataFrame(rows, schema=columns, orient="row")


def mean_of_dates(rankings: Rankings, ranking: str, measure: str, days: Sequence[date]) -> np.ndarray:
    """`auc`, `precision_at_5pc`, `recall_at_10pc` and the like, as they are and in every resample, `[1 + draws]`."""
    kind, _, end = measure.partition("_at_")
    match kind:
        case "precision":
            by_date = [rankings.precision(ranking, end, day) for day in days]
        case "recall":
            by_date = [rankings.recall(ranking, end, day) for day in days]
        case "auc":
            by_date = [rankings.auc(ranking, day) for day in days]
        case _:
            raise ValueError(f"{measure!r} is no measure of a ranking")
    return np.mean(by_date, axis=0)


def _study(
    force: ForceDefinition, accepted: AcceptedRecords, test_as_ofs: Sequence[date], candidates: Sequence[date]
) -> Study:
    """Features on every date of the study; the folds tell which dates had passed, and which were settled."""
    outcome = force.outcome
    wait = {"horizon_months": outcome.horizon_months, "settle_months": outcome.settle_months}
    folds = tuple(
        Fold(
            test,
            train_as_ofs(candidates, by=test, **wait, labels="expected"),
            settled_as_ofs(candidates, by=test, **wait),
        )
        for test in sorted(test_as_ofs)
    )
    catalogue = force.catalogue.ordinary()
    as_ofs = sorted({day for fold in folds for day in (fold.test_as_of, *fold.train_as_ofs)})
    return Study(
        force=force,
        accepted=accepted,
        catalogue=catalogue,
        table=build(force, accepted, as_ofs, catalogue=catalogue),
        folds=folds,
        replay_only=(),
        until=max(test_as_ofs),
        judged_by=None,
        labels="expected",
        final_as_ofs=(),
    )


def _backtest(study: Study, variant: Variant) -> Backtest:
    """The variant's scores on every date it can be trained for."""
    kept = Catalogue(tuple(idea for idea in study.catalogue.ideas if not variant.without(idea)))
    narrow = replace(narrowed(study, kept), labels=variant.params.labels)
    if variant.precedents is not None:
        outcome = replace(study.force.outcome, precedents=variant.precedents)
        narrow = replace(narrow, force=replace(study.force, outcome=outcome))
    return Backtest(
        scores=pl.concat(
            [_scores(narrow, fold, variant) for fold in study.folds if _learnt_from(fold, variant)]
        ),
        methods=(_METHOD,),
        capacity=0,
    )


def _learnt_from(fold: Fold, variant: Variant) -> tuple[date, ...]:
    return fold.settled_as_ofs if variant.params.labels == "settled" else fold.train_as_ofs


def _scores(study: Study, fold: Fold, variant: Variant) -> pl.DataFrame:
    table = study.table
    people = table.frame.filter(pl.col("as_of") == fold.test_as_of)
    features = matrix(people, table.schema)
    raw = []
    for seed in range(variant.params.seed, variant.params.seed + variant.seeds):
        params = replace(variant.params, seed=seed)
        fitted = fit(study, _learnt_from(fold, variant), seen_by=fold.test_as_of, params=params)
        raw.append(raw_scores(read_booster(fitted.booster, table.schema), features))
    became = labels(study.force, study.accepted, [fold.test_as_of], seen_by=None)
    keys = ["person_key", "as_of"]
    return (
        people.select(keys)
        .join(became, on=keys, how="left", maintain_order="left")
        .with_columns(pl.Series(_METHOD, np.mean(raw, axis=0)))
    )
