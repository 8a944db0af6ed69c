"""The simple methods a model must beat at the same capacity.

Each gives scores `[people]` of which only the order counts. Ties are real, and the metrics treat them so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import polars as pl

from features.build import FeatureSchema
from features.definition import Baselines, Condition
from models.booster import matrix
from models.heads import MOST_ROWS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline

Baseline = Literal[
    "logistic", "exposure_glm", "per_typology_rules", "complaint_count", "threshold_rule", "random"
]
Method = Literal["lightgbm", Baseline]
METHODS: tuple[Method, ...] = ("lightgbm", *get_args(Baseline))

# Ridge penalty of the logistic regression, as sklearn's inverse strength; chosen on development seeds (on
# Chicago it hardly matters) to be the best an analyst would get, not a straw man.
INVERSE_PENALTY = 0.001
# Of the regression by exposure, whose columns are few: only so much that a column nobody was found by stays finite.
FEW_COLUMNS_PENALTY = 1e-4


def scores_by_method(
    baselines: Baselines,
    schema: FeatureSchema,
    learnt: pl.DataFrame,
    confirmed: np.ndarray,
    people: pl.DataFrame,
) -> dict[Baseline, np.ndarray]:
    """Everyone's score by each simple method that the force has, the most elaborate first.

    Args:
        learnt: feature rows of settled people, for the two regressions.
        confirmed: 0 or 1 for each of them.
        people: feature rows of those to be ranked.
    """
    kept, weights = represented(confirmed)
    logistic = fit_logistic(matrix(learnt[kept], schema), confirmed[kept], schema, weights)
    found: dict[Baseline, np.ndarray] = {"logistic": logistic_scores(logistic, matrix(people, schema))}
    if baselines.exposure is not None:
        glm = fit_by_exposure(learnt, confirmed, baselines.counts, baselines.exposure)
        found["exposure_glm"] = expected_findings(glm, people, baselines.counts, baselines.exposure)
    if baselines.rules:
        found["per_typology_rules"] = per_typology_rules(people, baselines.rules.values())
    found["complaint_count"] = complaint_count(people, baselines.complaint_count)
    found["threshold_rule"] = threshold_rule(people, baselines.threshold_rule)
    found["random"] = at_random(len(people))
    return found


def at_random(people: int) -> np.ndarray:
    """Everybody ties, so that every count is what a random draw finds on average."""
    return np.zeros(people)


def complaint_count(frame: pl.DataFrame, column: str) -> np.ndarray:
    """The number of complaints; none known is none."""
    return frame[column].fill_null(0.0).to_numpy()


def threshold_rule(frame: pl.DataFrame, conditions: tuple[Condition, ...]) -> np.ndarray:
    """How many lines of the rule a person meets; 0 is not flagged. More lines come first, as they would
    on a supervisor's desk.

    >>> people = pl.DataFrame({"complaints_365d": [0.0, 3.0, None]})
    >>> threshold_rule(people, (Condition(column="complaints_365d", at_least=2),)).tolist()
    [0.0, 1.0, 0.0]
    """
    lines = [(pl.col(line.column) >= line.at_least).fill_null(value=False) for line in conditions]
    return frame.select(pl.sum_horizontal(lines).cast(pl.Float64).alias("lines"))["lines"].to_numpy()


def per_typology_rules(frame: pl.DataFrame, columns: Iterable[str]) -> np.ndarray:
    """How rare a person's rarest count is: minus the least share of people who have as much or more.

    So every rule has its turn, and a place goes to whoever stands highest in one of them. Unknown counts as least.

    >>> people = pl.DataFrame({"claims": [9.0, 1.0, 1.0, 0.0], "searches": [0.0, 0.0, 0.0, 7.0]})
    >>> per_typology_rules(people, ["claims", "searches"]).tolist()
    [-0.25, -0.75, -0.75, -0.25]
    """
    shares = [pl.col(column).fill_null(-np.inf).rank("max", descending=True) / pl.len() for column in columns]
    return frame.select(rarest=-pl.min_horizontal(shares))["rarest"].to_numpy()


def fit_by_exposure(
    frame: pl.DataFrame, confirmed: np.ndarray, columns: Iterable[str], exposure: str
) -> Pipeline:
    """A Poisson regression of findings on the logarithms of a few counts, with the logarithm of exposure as offset.

    A rate regressed with its exposure as weight is that regression.

    Args:
        frame: feature rows of settled people.
        confirmed: 0 or 1 each.
        columns: the counts.
        exposure: the column with tours worked, or days in service; less than one counts as one.
    """
    from sklearn.linear_model import PoissonRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    exposed = _exposed(frame, exposure)
    exposed = exposed / exposed.mean()
    regression = PoissonRegressor(alpha=FEW_COLUMNS_PENALTY, solver="newton-cholesky", max_iter=200)
    return make_pipeline(StandardScaler(), regression).fit(
        _log_counts(frame, columns), confirmed / exposed, poissonregressor__sample_weight=exposed
    )


def expected_findings(
    model: Pipeline, frame: pl.DataFrame, columns: Iterable[str], exposure: str
) -> np.ndarray:
    """Findings expected by the regression by exposure, up to a factor that is the same for everyone."""
    rates = np.asarray(model.predict(_log_counts(frame, columns)), dtype=np.float64)
    return _exposed(frame, exposure) * rates


def _exposed(frame: pl.DataFrame, exposure: str) -> np.ndarray:
    return frame[exposure].fill_null(0.0).clip(lower_bound=1.0).to_numpy()


def _log_counts(frame: pl.DataFrame, columns: Iterable[str]) -> np.ndarray:
    return signed_log(frame.select(pl.col(*columns).fill_null(0.0)).to_numpy())


def represented(confirmed: np.ndarray, *, most: int = MOST_ROWS) -> tuple[np.ndarray, np.ndarray]:
    """Rows that stand for all: everyone who was confirmed, and of the others every so many, with the weight of those they stand for.

    >>> kept, weights = represented(np.array([0, 0, 1, 0, 0, 0, 0]), most=4)
    >>> kept.tolist(), weights.tolist()
    ([1, 2, 4, 6], [2.0, 1.0, 2.0, 2.0])

    Returns:
        Positions in ascending order, and their weights, which add up to all rows.
    """
    n_rows = len(confirmed)
    if n_rows <= most:
        return np.arange(n_rows), np.ones(n_rows)
    found, others = np.flatnonzero(confirmed > 0), np.flatnonzero(confirmed <= 0)
    every = -(-len(others) // max(1, most - len(found)))
    some = others[every // 2 :: every]
    weights = np.zeros(n_rows)
    weights[found], weights[some] = 1.0, len(others) / len(some)
    kept = np.flatnonzero(weights)
    return kept, weights[kept]


def prepared(schema: FeatureSchema, *, flag_unknown: bool) -> ColumnTransformer:
    """Features as a regression needs them: numbers first, then flags for unknown ones, then categories.

    Numbers: logarithm (sign kept), median where unknown and, if `flag_unknown`, a flag for it, standardised.
    Categories: one column each, none for a category not seen in training.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

    is_category = np.array([column.kind == "category" for column in schema.columns])
    numbers = make_pipeline(
        FunctionTransformer(signed_log),
        SimpleImputer(strategy="median", add_indicator=flag_unknown, keep_empty_features=True),
        StandardScaler(),
    )
    categories = make_pipeline(
        SimpleImputer(strategy="constant", fill_value=-1.0),
        OneHotEncoder(handle_unknown="ignore", sparse_output=False),
    )
    return ColumnTransformer(
        [
            ("numbers", numbers, np.flatnonzero(~is_category)),
            ("categories", categories, np.flatnonzero(is_category)),
        ]
    )


def fit_logistic(
    features: np.ndarray, confirmed: np.ndarray, schema: FeatureSchema, weights: np.ndarray
) -> Pipeline:
    """A ridge logistic regression over the same features as the model, prepared with care.

    Args:
        weights: how many people each row stands for (see `represented`).
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    regression = LogisticRegression(C=INVERSE_PENALTY, solver="newton-cholesky", max_iter=200)
    return make_pipeline(prepared(schema, flag_unknown=True), regression).fit(
        features, confirmed, logisticregression__sample_weight=weights
    )


def logistic_scores(model: Pipeline, features: np.ndarray) -> np.ndarray:
    """Log-odds by the logistic regression."""
    return np.asarray(model.decision_function(features), dtype=np.float64)


def signed_log(values: np.ndarray) -> np.ndarray:
    """`log(1 + x)` with the sign kept, so that one very busy person does not outweigh the rest."""
    return np.sign(values) * np.log1p(np.abs(values))
