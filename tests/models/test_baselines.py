from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from features.build import FeatureColumn, FeatureSchema
from features.definition import Baselines, Condition
from models.baselines import (
    METHODS,
    at_random,
    complaint_count,
    expected_findings,
    fit_by_exposure,
    fit_logistic,
    logistic_scores,
    per_typology_rules,
    represented,
    scores_by_method,
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
    model = fit_logistic(features, confirmed, SCHEMA, np.ones(300))
    unseen = np.array([[9.0, np.nan, 0.0], [0.0, 1.0, np.nan]])
    busy, idle = logistic_scores(model, unseen)
    assert busy > idle


def test_a_place_goes_to_whoever_stands_highest_in_any_one_rule():
    frame = pl.DataFrame(
        {"claims": [90.0, *[1.0] * 9], "searches": [None, 3.0, 2.0, 2.0, *[0.0] * 6]},
        schema={"claims": pl.Float64, "searches": pl.Float64},
    )
    rarest = per_typology_rules(frame, ["claims", "searches"])
    assert rarest[:4].tolist() == pytest.approx([-0.1, -0.1, -0.3, -0.3])
    assert rarest[4:].tolist() == pytest.approx([-0.9] * 6)


def test_findings_are_expected_where_there_was_more_occasion_at_equal_counts():
    rng = np.random.default_rng(1)
    complaints, tours = rng.poisson(1.0, 4000).astype(float), rng.integers(20, 220, 4000).astype(float)
    frame = pl.DataFrame({"complaints": complaints, "tours": tours})
    confirmed = (rng.random(4000) < 0.0002 * tours * (1 + complaints)).astype(float)
    model = fit_by_exposure(frame, confirmed, ["complaints"], "tours")
    told = pl.DataFrame({"complaints": [0.0, 0.0, 3.0, None], "tours": [50.0, 200.0, 50.0, None]})
    few, many, complained_of, unknown = expected_findings(model, told, ["complaints"], "tours")
    assert many == pytest.approx(4 * few)
    assert 2.5 < complained_of / few < 6
    assert unknown == pytest.approx(few / 50)


def test_a_count_by_which_nobody_was_found_does_not_break_the_regression_by_exposure():
    frame = pl.DataFrame({"rare": [1.0] * 5 + [0.0] * 995, "never": [0.0] * 1000, "tours": [200.0] * 1000})
    confirmed = np.r_[np.zeros(5), np.ones(20), np.zeros(975)]
    model = fit_by_exposure(frame, confirmed, ["rare", "never"], "tours")
    assert np.isfinite(expected_findings(model, frame, ["rare", "never"], "tours")).all()


def test_everyone_who_was_confirmed_is_learnt_from_however_few_rows_are_kept():
    confirmed = np.zeros(10_000)
    confirmed[::400] = 1
    kept, weights = represented(confirmed, most=1000)
    assert confirmed[kept].sum() == 25
    assert len(kept) <= 1000
    assert weights.sum() == pytest.approx(10_000)
    assert weights[confirmed[kept] == 1].tolist() == [1.0] * 25


def test_few_rows_are_all_kept_and_count_once():
    kept, weights = represented(np.array([0.0, 1.0, 0.0]))
    assert kept.tolist() == [0, 1, 2]
    assert weights.tolist() == [1.0] * 3


def test_a_logistic_regression_on_rows_that_stand_for_all_ranks_as_one_on_all():
    rng = np.random.default_rng(2)
    claims = rng.poisson(3, 40_000).astype(float)
    confirmed = (rng.random(40_000) < 1 / (1 + np.exp(7 - claims))).astype(float)
    features = np.column_stack([claims, np.full(40_000, np.nan), rng.integers(0, 2, 40_000).astype(float)])
    kept, weights = represented(confirmed, most=4_000)
    by_all = fit_logistic(features, confirmed, SCHEMA, np.ones(40_000))
    by_some = fit_logistic(features[kept], confirmed[kept], SCHEMA, weights)
    asked = np.column_stack([np.arange(15.0), np.full(15, np.nan), np.zeros(15)])
    assert logistic_scores(by_some, asked) == pytest.approx(logistic_scores(by_all, asked), abs=0.6)


def test_a_force_without_rules_or_exposure_has_no_such_methods():
    rng = np.random.default_rng(3)
    rows = pl.DataFrame(
        {"claims_90d": rng.poisson(3, 100).astype(float), "never_known": [None] * 100, "role": [0] * 100},
        schema={"claims_90d": pl.Float64, "never_known": pl.Float64, "role": pl.Int32},
    )
    confirmed = (np.arange(100) % 10 == 0).astype(float)
    plain = Baselines(
        complaint_count="claims_90d", threshold_rule=(Condition(column="claims_90d", at_least=3),)
    )
    assert list(scores_by_method(plain, SCHEMA, rows, confirmed, rows)) == [
        "logistic", "complaint_count", "threshold_rule", "random",
    ]  # fmt: skip
    full = replace(plain, rules={"T2": "claims_90d"}, exposure="claims_90d")
    assert list(scores_by_method(full, SCHEMA, rows, confirmed, rows)) == list(METHODS[1:])


def test_signed_log_keeps_the_sign():
    assert signed_log(np.array([-1.0, 0.0, 1.0])).tolist() == [-np.log(2), 0.0, np.log(2)]
