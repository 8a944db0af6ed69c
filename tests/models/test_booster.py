from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from features.build import FeatureColumn, FeatureSchema
from features.errors import DataRefused
from models.booster import log_odds, matrix, probability, raw_scores, read_booster
from models.experiment import Experiment, Study

SCHEMA = FeatureSchema(
    (
        FeatureColumn("claims_90d", "number", None, "claims"),
        FeatureColumn("role", "category", ("CUSTODY", "DESK"), "role"),
    )
)
PEOPLE = pl.DataFrame(
    {"person_key": ["P1", "P2"], "as_of": [None, None], "claims_90d": [1.5, None], "role": [1, -1]},
    schema_overrides={"as_of": pl.Date, "role": pl.Int32},
)


def test_numbers_and_codes_go_through_and_unknown_is_nan():
    np.testing.assert_array_equal(matrix(PEOPLE, SCHEMA), [[1.5, 1.0], [np.nan, np.nan]])


def test_columns_in_another_order_are_refused():
    with pytest.raises(DataRefused, match="order: role where claims_90d was expected"):
        matrix(PEOPLE.select("person_key", "as_of", "role", "claims_90d"), SCHEMA)


@pytest.mark.parametrize(
    ("column", "dtype", "says"),
    [
        ("claims_90d", pl.String, "claims_90d: Float64 expected, String found"),
        ("claims_90d", pl.Date, "claims_90d: Float64 expected, Date found"),
        ("claims_90d", pl.Float32, "claims_90d: Float64 expected, Float32 found"),
        ("role", pl.Int64, "role: Int32 expected, Int64 found"),
        ("role", pl.Categorical, "role: Int32 expected, Categorical found"),
    ],
)
def test_a_type_that_would_end_the_process_never_reaches_lightgbm(column: str, dtype: type, says: str):
    with pytest.raises(DataRefused, match=says):
        matrix(PEOPLE.with_columns(pl.lit(None, dtype).alias(column)), SCHEMA)


def test_missing_and_unexpected_columns_are_shown_as_a_difference():
    other = PEOPLE.rename({"claims_90d": "claims_365d"})
    with pytest.raises(DataRefused, match=r"(?s)- claims_90d \(number\).*\+ claims_365d \(Float64\)"):
        matrix(other, SCHEMA)


def test_a_booster_of_other_features_is_refused(experiment: Experiment):
    with pytest.raises(DataRefused, match="do not belong together"):
        read_booster(experiment.model.booster, SCHEMA)


def test_a_text_that_is_no_model_is_refused():
    with pytest.raises(DataRefused, match=r"model\.lgb\.txt is not a LightGBM model"):
        read_booster("a poem", SCHEMA)


def test_scores_depend_on_each_row_alone(experiment: Experiment, study: Study):
    schema = experiment.model.schema
    booster = read_booster(experiment.model.booster, schema)
    features = matrix(study.table.frame, schema)
    raw = raw_scores(booster, features)
    np.testing.assert_array_equal(raw_scores(booster, features[::-1])[::-1], raw)
    np.testing.assert_array_equal(raw_scores(booster, features[:3]), raw[:3])


def test_probability_and_log_odds_undo_each_other():
    assert probability(np.array([log_odds(0.2)]))[0] == pytest.approx(0.2)
