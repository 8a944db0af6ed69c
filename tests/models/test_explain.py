from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from features.specs import Change, Idea, Latest, Product, Term, count, days_since_last, mean, ratio, total
from models import explain
from models.booster import import_lightgbm, matrix, raw_scores, read_booster
from models.experiment import Experiment, Study
from models.explain import (
    Contributions,
    Wording,
    by_family,
    contributions,
    families,
    kind_of_concern,
    reasons,
    rests_on_records,
    sentence,
    wordings,
)
from tests.models.small_force import CATALOGUE, CLAIMS, POSTS

WORDS = {
    "claims_90d": Wording(
        says="claims made", unit="claims", family="claims", window_days=90, typologies=("T2",), innocent=(),
        rests="nonzero", computed="",
    ),
    "minutes_90d": Wording(
        says="minutes claimed", unit="minutes", family="claims", window_days=90, typologies=("T2",), innocent=(),
        rests="nonzero", computed="",
    ),
    "tenure": Wording(
        says="days in the role", unit="days", family="post", window_days=None, typologies=(), innocent=(),
        rests="never", computed="",
    ),
}  # fmt: skip
ONE = pl.DataFrame({"person_key": ["P1"], "as_of": ["2024-01-01"]}).with_columns(
    pl.col("as_of").str.to_date("%Y-%m-%d")
)


def reasons_of(features: list[float], by_feature: list[float], top: int = 4) -> pl.DataFrame:
    from features.build import FeatureColumn, FeatureSchema

    schema = FeatureSchema(tuple(FeatureColumn(name, "number", None, name) for name in WORDS))
    found = Contributions(np.array([by_feature]), base=-3.0)
    return reasons(ONE, np.array([features]), found, schema, WORDS, top=top)


def rests_of(of: Term) -> str:
    windows = () if isinstance(of, Latest) else (90,)
    idea = Idea(name="x", says="x", of=of, unit="x", family="x", windows=windows, typologies=("T2",))
    column = idea.columns[0]
    return wordings(type(CATALOGUE)((idea,)), [column])[column].rests


def test_contributions_add_up_to_the_raw_score(experiment: Experiment, study: Study):
    schema = experiment.model.schema
    booster = read_booster(experiment.model.booster, schema)
    features = matrix(study.table.frame, schema)
    raw = raw_scores(booster, features)
    found = contributions(booster, features, raw)
    np.testing.assert_allclose(found.by_feature.sum(axis=1) + found.base, raw, rtol=0, atol=1e-9)
    summed = by_family(found.by_feature, experiment.model.words)
    assert summed.shape[1] == len(families(experiment.model.words))
    np.testing.assert_allclose(summed.sum(axis=1) + found.base, raw, rtol=0, atol=1e-9)


def test_contributions_that_do_not_add_up_give_no_reasons(experiment: Experiment, study: Study):
    schema = experiment.model.schema
    booster = read_booster(experiment.model.booster, schema)
    features = matrix(study.table.frame, schema)
    with pytest.raises(ArithmeticError, match="miss the raw score"):
        contributions(booster, features, raw_scores(booster, features) + 1e-6)


@pytest.fixture
def every_batch_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explain, "WORTH_QUADRATURE", 0)


def of_lightgbm(booster: Any, features: np.ndarray) -> np.ndarray:
    return np.asarray(booster.predict(features, pred_contrib=True))[:, :-1]


def whole_numbers() -> tuple[np.ndarray, np.ndarray]:
    """Small whole numbers, which LightGBM reads in single precision, and labels."""
    rng = np.random.default_rng(5)
    rows = rng.integers(0, 100, (400, 4))
    return rows, (rows[:, 0] * rows[:, 1] > rng.integers(0, 5000, 400)).astype(float)


def grown(rows: np.ndarray, labels: np.ndarray, **settings: Any) -> Any:
    lightgbm = import_lightgbm()
    defaults = {"objective": "binary", "verbosity": -1, "num_threads": 1, "seed": 1}
    return lightgbm.train({**defaults, **settings}, lightgbm.Dataset(rows, labels, params=settings), 10)


@pytest.mark.usefixtures("every_batch_is_large")
def test_everyone_in_a_large_batch_gets_the_contributions_lightgbm_would_give(
    experiment: Experiment, study: Study
):
    schema = experiment.model.schema
    booster = read_booster(experiment.model.booster, schema)
    features = matrix(study.table.frame, schema)
    assert explain._by_quadrature(booster, features) is not None
    found = contributions(booster, features, raw_scores(booster, features))
    np.testing.assert_allclose(found.by_feature, of_lightgbm(booster, features), rtol=0, atol=1e-12)


def test_a_small_batch_is_not_worth_compiling_for(experiment: Experiment, study: Study):
    schema = experiment.model.schema
    booster = read_booster(experiment.model.booster, schema)
    features = matrix(study.table.frame, schema)
    assert explain._by_quadrature(booster, features) is None
    assert len(contributions(booster, features[:1], raw_scores(booster, features[:1])).by_feature) == 1


@pytest.mark.usefixtures("every_batch_is_large")
def test_an_empty_batch_has_no_contributions(experiment: Experiment, study: Study):
    schema = experiment.model.schema
    booster = read_booster(experiment.model.booster, schema)
    nobody = matrix(study.table.frame, schema)[:0]
    assert contributions(booster, nobody, np.empty(0)).by_feature.shape == (0, len(schema.columns))


@pytest.mark.usefixtures("every_batch_is_large")
def test_a_model_quadrature_is_not_for_is_explained_by_lightgbm():
    rows, labels = whole_numbers()
    forest = grown(rows, labels, boosting="rf", bagging_freq=1, bagging_fraction=0.5)
    features = rows.astype(np.float64)
    assert explain._by_quadrature(forest, features) is None
    found = contributions(forest, features, raw_scores(forest, features))
    np.testing.assert_array_equal(found.by_feature, of_lightgbm(forest, features))


@pytest.mark.usefixtures("every_batch_is_large")
def test_a_model_that_lightgbm_cannot_explain_either_gives_no_reasons():
    rows, labels = whole_numbers()
    features = rows.astype(np.float64)
    booster = grown(features, labels, linear_tree=True)
    with pytest.raises(import_lightgbm().basic.LightGBMError, match="not implemented for linear trees"):
        contributions(booster, features, raw_scores(booster, features))


@pytest.mark.usefixtures("every_batch_is_large")
@pytest.mark.parametrize("odd", [0, explain.ROWS_COMPARED], ids=["first row", "first row not compared"])
def test_one_row_that_quadrature_reads_otherwise_leaves_all_of_them_to_lightgbm(odd: int):
    # LightGBM reads whole numbers in single precision, which from 2**24 on has only the even ones.
    rows = whole_numbers()[0] + 2**24
    booster = grown(rows.astype(np.float64), (rows[:, 0] > 2**24 + 40).astype(float))
    even = 2 * (rows // 2)
    even[odd, 0] = 2**24 + 41
    assert len(even) > explain.ROWS_COMPARED
    raw, reference = raw_scores(booster, even), of_lightgbm(booster, even)
    by_quadrature = explain._by_quadrature(booster, even)
    assert (by_quadrature is None) == (odd < explain.ROWS_COMPARED)
    np.testing.assert_array_equal(contributions(booster, even, raw).by_feature, reference)


@pytest.mark.usefixtures("every_batch_is_large")
def test_contributions_by_quadrature_that_do_not_add_up_give_no_reasons_either():
    rows, labels = whole_numbers()
    booster = grown(rows, labels)
    with pytest.raises(ArithmeticError, match="miss the raw score"):
        contributions(booster, rows, raw_scores(booster, rows) + 1e-6)


def concerns_of(*by_feature: list[float]) -> list[tuple[str | None, float | None]]:
    """What each person's score is about, by contributions of claims (T2), late claims (T1 and T2) and the role."""
    words = {
        "claims": WORDS["claims_90d"],
        "late": replace(WORDS["claims_90d"], typologies=("T2", "T1")),
        "tenure": WORDS["tenure"],
    }
    return kind_of_concern(np.array(by_feature).reshape(-1, 3), words).rows()


def test_a_score_is_about_the_kind_to_which_most_of_what_raises_it_speaks():
    assert concerns_of([0.3, 0.2, 0.0]) == [("T2", pytest.approx(0.8))]
    assert concerns_of([-0.9, 0.2, 0.0], [0.9, -0.2, 0.0]) == [("T1", 0.5), ("T2", 1.0)]


def test_context_names_no_kind_and_takes_no_part_in_its_share():
    assert concerns_of([0.3, 0.0, 5.0], [0.0, 0.0, 5.0], [-0.1, 0.0, -5.0]) == [
        ("T2", 1.0),
        (None, None),
        (None, None),
    ]


def test_of_kinds_that_tie_the_first_by_code_is_named():
    assert concerns_of([0.0, 0.7, 0.0]) == [("T1", 0.5)]


def test_nobody_and_a_catalogue_of_context_alone_name_no_kind():
    assert concerns_of() == []
    found = kind_of_concern(np.array([[0.4], [-0.2]]), {"tenure": WORDS["tenure"]})
    assert found.rows() == [(None, None), (None, None)]
    assert found.schema == {"concern": pl.String, "concern_share": pl.Float64}


def test_features_of_one_family_are_one_reason():
    found = reasons_of([5.0, 300.0, 1000.0], [0.2, 0.3, 0.4])
    assert found.select("direction", "family", "contribution").rows() == [
        ("for", "claims", pytest.approx(0.5)),
        ("for", "post", pytest.approx(0.4)),
    ]


def test_a_reason_says_value_unit_and_window_in_the_catalogues_words():
    found = reasons_of([5.0, 300.0, 1000.0], [0.2, 0.3, -0.4])
    assert found["words"].to_list() == [
        "minutes claimed in the 90 days before 2024-01-01: 300 minutes",
        "days in the role: 1,000 days",
    ]
    assert found["direction"].to_list() == ["for", "against"]
    assert found["value"].to_list() == [300.0, 1000.0]
    assert found["window_days"].to_list() == [90, None]


def test_a_family_that_pulls_the_other_way_is_no_reason_in_this_one():
    found = reasons_of([5.0, 300.0, 1000.0], [0.2, -0.3, 0.0])
    assert found.select("direction", "family").rows() == [("against", "claims")]


def test_a_reason_rests_on_records_only_if_rows_stand_behind_a_feature_that_pulls_its_way():
    def rests(features: list[float], pulls: list[float]) -> list[bool]:
        return reasons_of(features, pulls)["rests_on_records"].to_list()

    assert rests([5.0, 0.0, 1000.0], [0.2, 0.0, 0.0]) == [True]
    assert rests([0.0, 0.0, 1000.0], [0.2, 0.0, 0.0]) == [False]
    assert rests([0.0, 300.0, 1000.0], [0.3, -0.2, 0.0]) == [False]
    assert rests([0.0, 0.0, 1000.0], [0.0, 0.0, 0.4]) == [False]


def test_a_feature_that_can_be_shown_speaks_before_one_that_cannot():
    found = reasons_of([0.0, 300.0, 0.0], [0.3, 0.2, 0.0])
    assert found["column"].to_list() == ["minutes_90d"]
    assert found["rests_on_records"].to_list() == [True]


def test_no_more_reasons_than_asked_for_strongest_first():
    found = reasons_of([5.0, 300.0, 1000.0], [0.2, 0.3, 0.4], top=1)
    assert found.select("place", "family").rows() == [(1, "claims")]


@pytest.mark.parametrize(
    ("term", "rests"),
    [
        (count(CLAIMS), "nonzero"),
        (total(CLAIMS, "minutes"), "nonzero"),
        (mean(CLAIMS, "minutes"), "present"),
        (days_since_last(CLAIMS), "present"),
        (ratio(count(CLAIMS), count(CLAIMS)), "nonzero"),
        (ratio(mean(CLAIMS, "minutes"), count(CLAIMS)), "present"),
        (ratio(Latest(events=POSTS, value=pl.lit(1)), count(CLAIMS)), "present"),
        (Product(left=count(CLAIMS), right=Latest(events=POSTS, value=pl.lit(1))), "nonzero"),
        (Change(of=count(CLAIMS), baseline_days=90), "nonzero"),
        (Latest(events=POSTS, value=pl.col("role")), "never"),
    ],
)
def test_when_rows_stand_behind_a_value_follows_from_how_it_is_made(term: Term, rests: str):
    assert rests_of(term) == rests


def test_context_never_rests_on_records_however_many_rows_it_is_made_of():
    idea = Idea(name="x", says="x", of=count(CLAIMS), unit="x", family="x", windows=(90,))
    assert wordings(type(CATALOGUE)((idea,)), ["x_90d"])["x_90d"].rests == "never"


def test_an_unknown_value_has_no_rows_behind_it():
    words = {"mean_90d": replace(WORDS["claims_90d"], rests="present")}
    assert rests_on_records(np.array([[np.nan], [0.0]]), words).tolist() == [[False], [True]]


@pytest.mark.parametrize(
    ("wording", "categories", "value", "shown"),
    [
        (WORDS["claims_90d"], None, float("nan"), "nothing recorded"),
        (WORDS["tenure"], None, float("nan"), "not known"),
        (replace(WORDS["tenure"], unit="share"), None, 0.256, "26 %"),
        (replace(WORDS["tenure"], unit="category"), ("CUSTODY", "DESK"), 1.0, "DESK"),
        (replace(WORDS["tenure"], unit="number"), None, 7.25, "7.25"),
    ],
)
def test_a_value_is_shown_as_its_unit_asks(
    wording: Wording, categories: tuple[str, ...] | None, value: float, shown: str
):
    assert sentence(wording, categories, value, "2024-01-01").endswith(f": {shown}")
