"""Contributions by quadrature are LightGBM's own `pred_contrib`, or there are none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from models.booster import import_lightgbm, raw_scores
from models.quadrature import ROWS, contributions, lay_out
from models.trees import CATEGORICAL, Unsuited, read_trees

lightgbm = import_lightgbm()

FEATURES = 6


def some_rows(seed: int, n: int = 600, features: int = FEATURES) -> np.ndarray:
    """Numbers, ties and zeros, with a tenth unknown; the first column holds codes."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, features))
    rows[:, 0] = rng.integers(0, 40, n)
    rows[:, 1::3] = np.round(rows[:, 1::3])
    rows[rng.random(rows.shape) < 0.1] = 0.0
    rows[rng.random(rows.shape) < 0.1] = np.nan
    return rows


def some_labels(rows: np.ndarray, seed: int = 0) -> np.ndarray:
    known = np.nan_to_num(rows)
    tells = known[:, 1] * known[:, 2] + np.isin(known[:, 0], [3, 17, 35]) - known[:, -1]
    return (tells + np.random.default_rng(seed).logistic(size=len(rows)) > 0.5).astype(float)


def grown(rows: np.ndarray, labels: np.ndarray | None = None, *, rounds: int = 20, **settings: Any):
    categorical = settings.pop("categorical_feature", [])
    defaults = {"objective": "binary", "verbosity": -1, "num_threads": 1, "min_data_in_leaf": 5, "seed": 1}
    labels = some_labels(rows) if labels is None else labels
    data = lightgbm.Dataset(rows, labels, categorical_feature=categorical, params=settings)
    return lightgbm.train({**defaults, **settings}, data, rounds)


def missing_types(booster) -> set[int]:
    return {int(kind) for tree in read_trees(booster) for kind in (tree.decision >> 2) & 3}


def assert_exact(booster, rows: np.ndarray, *, threads: int = 1) -> None:
    forest = lay_out(read_trees(booster))
    found = contributions(forest, rows, threads=threads)
    reference = np.asarray(booster.predict(rows, pred_contrib=True))
    np.testing.assert_allclose(found, reference[:, :-1], rtol=0, atol=1e-10)
    np.testing.assert_allclose(forest.base, reference[:, -1], rtol=0, atol=1e-10)
    np.testing.assert_allclose(found.sum(axis=1) + forest.base, raw_scores(booster, rows), rtol=0, atol=1e-10)


def any_settings(rng: np.random.Generator) -> dict[str, Any]:
    """Some way of training whose trees have one score and constant leaves."""
    ways = {
        "num_leaves": [2, 4, 15, 63],
        "learning_rate": [0.03, 0.3],
        "min_data_in_leaf": [1, 5, 50],
        "boosting": ["gbdt", "dart"],
        "data_sample_strategy": ["bagging", "goss"],
        "objective": ["binary", "cross_entropy", "regression", "poisson"],
        "use_missing": [True, True, False],
        "zero_as_missing": [False, True],
        "categorical_feature": [[], [0]],
        "feature_fraction": [0.3, 1.0],
        "extra_trees": [False, True],
        "boost_from_average": [True, False],
        "lambda_l2": [0.0, 10.0],
        "max_cat_to_onehot": [1, 4],
        "min_data_per_group": [5],
        "cat_smooth": [1.0],
    }
    return {name: values[rng.integers(len(values))] for name, values in ways.items()}


@pytest.mark.parametrize("seed", range(30))
def test_contributions_of_any_model_and_rows_are_lightgbms_own(seed: int):
    rows = some_rows(seed)
    booster = grown(rows, some_labels(rows, seed), rounds=12, **any_settings(np.random.default_rng(seed)))
    assert_exact(booster, some_rows(seed + 1000, n=300))


def test_a_feature_may_be_split_on_again_and_again_along_a_path():
    rows = some_rows(1)[:, 2:4]
    booster = grown(rows, np.where(np.sin(5 * rows[:, 0]) > rows[:, 1], 1.0, 0.0), num_leaves=60)
    forest = lay_out(read_trees(booster))
    assert forest.nodes["depth"].max() > 6
    assert (forest.points == 1).all(), "two features need one point, however deep the trees"
    assert_exact(booster, rows)


def test_many_features_on_one_path_need_many_points():
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(4000, 40))
    rank = np.sort(rng.normal(size=40))[::-1]
    # One feature after the other takes a few people off, so that a path meets nearly all of them.
    labels = np.select([rows[:, j] > 1.5 for j in range(40)], [*rank], default=5.0)
    booster = grown(
        rows, labels, rounds=3, objective="regression", num_leaves=60, min_data_in_leaf=1, learning_rate=1.0
    )
    forest = lay_out(read_trees(booster))
    assert forest.points.max() >= 12
    found = contributions(forest, rows[:300], threads=1)
    raw, reference = (
        raw_scores(booster, rows[:300]),
        np.asarray(booster.predict(rows[:300], pred_contrib=True)),
    )
    np.testing.assert_allclose(found.sum(axis=1) + forest.base, raw, rtol=0, atol=1e-12)
    # On paths as long as these LightGBM's own lose half their digits.
    lost = np.abs(reference.sum(axis=1) - raw).max()
    assert lost > 1e-9
    np.testing.assert_allclose(found, reference[:, :-1], rtol=0, atol=lost)


@pytest.mark.parametrize(
    ("settings", "kind"),
    [({"use_missing": False}, 0), ({"zero_as_missing": True}, 1), ({}, 2)],
    ids=["nothing", "zero", "nan"],
)
def test_what_is_missing_goes_where_lightgbm_sends_it(settings: dict[str, Any], kind: int):
    rows = some_rows(3)[:, 1:]
    booster = grown(rows, **settings)
    assert kind in missing_types(booster)
    near_zero = [0.0, -0.0, 1e-36, -1e-36, 1e-35, -1e-35, 1.0000000180025095e-35, 1.1e-35, -1.1e-35, np.nan]
    for column in range(rows.shape[1]):
        probes = np.repeat(rows[:5], len(near_zero), axis=0)
        probes[:, column] = np.tile(near_zero, 5)
        assert_exact(booster, probes)


def test_a_value_that_is_the_threshold_goes_left_and_the_next_one_right():
    rows = some_rows(4)[:, 1:]
    booster = grown(rows)
    forest = lay_out(read_trees(booster))
    probes = np.repeat(rows[:1], 3 * len(forest.nodes), axis=0)
    thresholds = forest.nodes["threshold"]
    values = [thresholds, np.nextafter(thresholds, np.inf), np.nextafter(thresholds, -np.inf)]
    probes[np.arange(len(probes)), np.tile(forest.nodes["feature"], 3)] = np.concatenate(values)
    assert_exact(booster, probes)


def test_infinite_and_huge_values_go_where_lightgbm_sends_them():
    rows = some_rows(5)
    booster = grown(rows, categorical_feature=[0], min_data_per_group=5, cat_smooth=1.0)
    probes = np.repeat(rows[:5], 4, axis=0)
    for column in range(FEATURES):
        probes[:, column] = np.tile([np.inf, -np.inf, 1e300, -1e300], 5)
        assert_exact(booster, probes)


def test_codes_go_left_where_a_categorical_split_names_them():
    rows = some_rows(6)
    booster = grown(rows, categorical_feature=[0], min_data_per_group=5, cat_smooth=1.0, max_cat_to_onehot=1)
    trees = read_trees(booster)
    assert any((tree.decision & CATEGORICAL).any() for tree in trees)
    assert max(len(words) for tree in trees for words in tree.categories) == 2, "codes beyond the first word"
    codes = [*range(-3, 70), -0.5, 2.9, 3.999, 1e9, 2.0**31, 2.0**32 + 3, np.nan]
    probes = np.repeat(rows[:1], len(codes), axis=0)
    probes[:, 0] = codes
    assert_exact(booster, probes)


def test_a_tree_without_a_split_gives_everybody_the_same():
    rows = some_rows(7)
    booster = grown(rows, rounds=3, min_data_in_leaf=10_000)
    assert [tree.n_nodes for tree in read_trees(booster)] in ([0], [0, 0, 0])
    assert_exact(booster, rows)


def test_a_model_without_trees_explains_nothing():
    rows = some_rows(8)
    booster = lightgbm.Booster(
        {"objective": "binary", "verbosity": -1}, lightgbm.Dataset(rows, some_labels(rows))
    )
    assert read_trees(booster) == []
    assert_exact(booster, rows)


def test_stumps_and_trees_without_a_split_may_stand_among_others():
    rows = some_rows(9)
    booster = grown(rows, rounds=5, num_leaves=2)
    assert_exact(booster, rows)
    for seed in range(3):
        assert_exact(grown(rows, rounds=8, feature_fraction=0.2, min_data_in_leaf=280, seed=seed), rows)


@pytest.mark.parametrize("from_average", [True, False])
def test_the_base_is_what_the_trees_give_in_the_mean(from_average: bool):
    rows = some_rows(10)
    labels = np.zeros(len(rows))
    labels[:60] = 1.0
    booster = grown(rows, labels, boost_from_average=from_average)
    assert (lay_out(read_trees(booster)).base < -1.5) == from_average or not from_average
    assert_exact(booster, rows)


def test_monotone_constraints_change_nothing_about_it():
    rows = some_rows(11)
    for method in ("basic", "intermediate", "advanced"):
        ways = {"monotone_constraints": [0, 1, 1, 0, -1, -1], "monotone_constraints_method": method}
        assert_exact(grown(rows, num_leaves=31, **ways), rows)


def test_an_early_stopped_model_is_explained_up_to_its_best_round():
    rows, others = some_rows(12), some_rows(13)
    train = lightgbm.Dataset(rows, some_labels(rows))
    settings = {"objective": "binary", "verbosity": -1, "learning_rate": 0.5, "num_threads": 1}
    held_out = lightgbm.Dataset(others, some_labels(others, 1), reference=train)
    stop = lightgbm.early_stopping(3, verbose=False)
    booster = lightgbm.train(
        settings, train, 100, valid_sets=[held_out], callbacks=[stop],
        keep_training_booster=True,
    )  # fmt: skip
    assert 0 < booster.best_iteration < booster.current_iteration()
    assert len(read_trees(booster)) == booster.best_iteration
    assert_exact(booster, rows)
    assert_exact(lightgbm.Booster(model_str=booster.model_to_string()), rows)


@pytest.mark.parametrize("n", [0, 1, ROWS - 1, ROWS, ROWS + 1])
def test_any_number_of_rows_is_explained(n: int):
    rows = some_rows(14)
    booster = grown(rows)
    found = contributions(lay_out(read_trees(booster)), rows[:n], threads=2)
    assert found.shape == (n, FEATURES)
    if n:
        assert_exact(booster, rows[:n])


def test_rows_of_single_precision_are_read_as_they_are():
    rows = some_rows(15).astype(np.float32)
    assert_exact(grown(rows), rows)


def test_neither_threads_nor_neighbours_change_a_bit():
    rows = np.tile(some_rows(16), (3, 1))
    forest = lay_out(read_trees(grown(rows, num_leaves=31)))
    alone = contributions(forest, rows, threads=1)
    np.testing.assert_array_equal(contributions(forest, rows, threads=3), alone)
    np.testing.assert_array_equal(contributions(forest, rows[::-1], threads=2)[::-1], alone)
    np.testing.assert_array_equal(contributions(forest, rows[77:78], threads=1), alone[77:78])
    np.testing.assert_array_equal(contributions(forest, np.asfortranarray(rows), threads=2), alone)


def test_rows_with_fewer_features_than_the_trees_ask_for_are_refused():
    rows = some_rows(17)
    forest = lay_out(read_trees(grown(rows)))
    with pytest.raises(ValueError, match="ask for 6 features, the rows have 5"):
        contributions(forest, rows[:, :5], threads=1)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"objective": "multiclass", "num_class": 2}, "several scores"),
        ({"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5}, "averaged"),
        ({"linear_tree": True}, "linear"),
    ],
    ids=["several classes", "random forest", "linear trees"],
)
def test_models_of_another_kind_are_unsuited(settings: dict[str, Any], says: str):
    booster = grown(some_rows(18), rounds=3, **settings)
    with pytest.raises(Unsuited, match=says):
        read_trees(booster)


@pytest.mark.parametrize(
    ("rows", "leaf_rows"),
    [
        ([100.0], [40.0, 50.0]),
        ([100.0], [100.0, 0.0]),
        ([100.0], [0.0, 100.0]),
        ([0.0], [0.0, 0.0]),
        ([100.0], [120.0, -20.0]),
        ([100.0], [np.nan, 50.0]),
    ],
    ids=["too few", "none right", "none left", "none at all", "negative", "unknown"],
)
def test_training_rows_that_do_not_add_up_are_unsuited(rows: list[float], leaf_rows: list[float]):
    (tree,) = read_trees(grown(some_rows(19), rounds=1, num_leaves=2))
    odd = replace(tree, rows=np.array(rows), leaf_rows=np.array(leaf_rows))
    with pytest.raises(Unsuited, match="training rows"):
        lay_out([odd])
