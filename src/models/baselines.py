"""The simple methods a model must beat at the same capacity.

Each gives scores `[people]` of which only the order counts. Ties are real, and the metrics treat them so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl

from features.build import FeatureSchema
from features.definition import Condition

if TYPE_CHECKING:
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline

Method = Literal["lightgbm", "logistic", "complaint_count", "threshold_rule", "random"]
METHODS: tuple[Method, ...] = ("lightgbm", "logistic", "complaint_count", "threshold_rule", "random")

# Ridge penalty of the logistic regression, as sklearn's inverse strength; chosen on development seeds (on
# Chicago it hardly matters) to be the best an analyst would get, not a straw man.
INVERSE_PENALTY = 0.001


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


def fit_logistic(features: np.ndarray, confirmed: np.ndarray, schema: FeatureSchema) -> Pipeline:
    """A ridge logistic regression over the same features as the model, prepared with care."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    regression = LogisticRegression(C=INVERSE_PENALTY, solver="newton-cholesky", max_iter=200)
    return make_pipeline(prepared(schema, flag_unknown=True), regression).fit(features, confirmed)


def logistic_scores(model: Pipeline, features: np.ndarray) -> np.ndarray:
    """Log-odds by the logistic regression."""
    return np.asarray(model.decision_function(features), dtype=np.float64)


def signed_log(values: np.ndarray) -> np.ndarray:
    """`log(1 + x)` with the sign kept, so that one very busy person does not outweigh the rest."""
    return np.sign(values) * np.log1p(np.abs(values))
