"""Measurements compare ways that find the same, which is worth holding at any size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import contributions, features, month, training, tuning
from models.ranker import Params
from tests.models.test_tuning import asked, told

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_every_way_to_features_finds_the_same(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    ways = ("ours", "by date", "DuckDB", "ours, one time")
    measured = features.run(tmp_path / "events.parquet", 20_000, 300, 6, 1, ways[:3])
    assert [one.way for one in measured] == list(ways[:3])
    assert all(one.seconds > 0 and one.megabytes > 0 for one in measured)
    alone = features.run(tmp_path / "events.parquet", 20_000, 300, 6, 1, ways[3:])
    assert alone[0].answer != measured[0].answer, "known late and known at once are not the same work"


@pytest.mark.slow
def test_every_way_to_contributions_finds_the_same(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    measured = contributions.run(tmp_path, 400, 12, Params(rounds=30, leaves=8, least_rows=5), 1)
    assert [one.way for one in measured] == ["ours", "quadrature", "pred_contrib"]
    np.save(tmp_path / "ours.npy", np.load(tmp_path / "ours.npy") + 1e-6)
    assert contributions.furthest_apart(tmp_path) == pytest.approx(1e-6)


def test_a_way_that_finds_something_else_is_told(tmp_path):
    one = features.Measured("ours", 1.0, 1.0, {"n_28": 3.0})
    other = features.Measured("by date", 1.0, 1.0, {"n_28": 4.0})
    with pytest.raises(AssertionError, match="by date"):
        features._assert_same([one, other])


def test_the_last_month_is_held_back_and_brought_back_whole(tmp_path):
    data, later = tmp_path / "data", tmp_path / "later"
    for part in ("claim/2020-01", "claim/2020-02", "enclave/post/2020-02"):
        path = data / f"{part}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(part)
    month._hold_back(data, later, "2020-02")
    assert [path.stem for path in data.rglob("*.parquet")] == ["2020-01"]
    month._bring_back(later, data)
    assert len(list(data.rglob("*.parquet"))) == 3


@pytest.mark.slow
def test_trials_that_are_kept_are_those_that_are_not(tmp_path):
    ends: list[str] = []
    found = [
        told(way(asked(), 3, tmp_path / "mlruns", lambda: ends.append("ended")).trials)
        for way in tuning.WAYS.values()
    ]
    assert found[0] == found[1]
    assert len(ends) == 6


@pytest.mark.slow
def test_trees_that_learn_from_heads_are_not_those_that_learn_from_labels(monkeypatch):
    monkeypatch.chdir(ROOT)
    by_heads, by_labels = training.run(400, 3, 1)
    assert (by_heads.way, by_labels.way) == ("ours", "labels_alone")
    assert by_heads.answer != by_labels.answer
