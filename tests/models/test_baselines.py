from __future__ import annotations

import numpy as np
import polars as pl

from features.build import FeatureColumn, FeatureSchema
from features.definition import Condition
from models.baselines import (
    at_random,
    complaint_count,
    fit_logistic,
    logistic_scores,
    signed_log,
    threshold_rule,
)

SCHEMA = FeatureSchema(
    (
        FeatureColumn("claims_90d", "number", None, "claims"),
        FeatureColumn("never_known", "number", None, "never_known"),
        FeatureColumn("role", "category", ("CUSTODY", "DESK"), "role"),
    )
)


def test_at_random_everybody_ties():
    assert len(np.unique(at_random(5))) == 1


def test_complaints_that_are_not_known_are_none():
    frame = pl.DataFrame({"complaints": [2.0, None]})
    assert complaint_count(frame, "complaints").tolist() == [2.0, 0.0]


def test_the_rule_counts_the_lines_a_person_meets_at_their_edge_and_above():
    frame = pl.DataFrame({"a": [2.0, 3.0, 3.0, None], "b": [9.0, 9.0, 10.0, 10.0]})
    rule = (Condition(column="a", at_least=3), Condition(column="b", at_least=10))
    assert threshold_rule(frame, rule).tolist() == [0.0, 1.0, 2.0, 1.0]


def test_logistic_regression_takes_unknowns_categories_and_features_nobody_has():
    rng = np.random.default_rng(0)
    claims = rng.poisson(3, 300).astype(float)
    confirmed = (rng.random(300) < 1 / (1 + np.exp(4 - claims))).astype(int)
    features = np.column_stack([claims, np.full(300, np.nan), rng.integers(0, 2, 300).astype(float)])
    features[::7, 0] = np.nan
    model = fit_logistic(features, confirmed, SCHEMA)
    unseen = np.array([[9.0, np.nan, 0.0], [0.0, 1.0, np.nan]])
    busy, idle = logistic_scores(model, unseen)
    assert busy > idle


def test_signed_log_keeps_the_sign():
    assert signed_log(np.array([-1.0, 0.0, 1.0])).tolist() == [-np.log(2), 0.0, np.log(2)]
