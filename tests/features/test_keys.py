"""Rows that share their key are found exactly, whatever hashes meet and wherever the parts end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import keys
from features.keys import Hashes, made_hashes, sharing_rows, store_hashes, stored_hashes
from features.sources import SOURCE_ROW

ROWS = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c", "", None]), st.sampled_from([1, 2, None])), max_size=8
)


def _frame(rows: Sequence[tuple[str | None, int | None]]) -> pl.LazyFrame:
    frame = pl.DataFrame(rows, schema={"k": pl.String(), "n": pl.Int64()}, orient="row")
    return frame.with_row_index(SOURCE_ROW, 1).with_columns(pl.col(SOURCE_ROW).cast(pl.Int64())).lazy()


def _by_hand(parts: dict[str, pl.LazyFrame], columns: list[str], applies: pl.Expr) -> set[tuple[str, int]]:
    rows = pl.concat(
        frame.filter(applies).select(pl.lit(part).alias("part"), SOURCE_ROW, *columns)
        for part, frame in parts.items()
    ).collect()
    return set(rows.filter(pl.struct(columns).is_duplicated()).select("part", SOURCE_ROW).iter_rows())


@settings(max_examples=60, deadline=None, database=None, derandomize=True)
@given(
    parts=st.lists(ROWS, min_size=1, max_size=3),
    columns=st.sampled_from([["k"], ["k", "n"]]),
    only=st.booleans(),
)
def test_the_rows_found_are_those_found_by_hand(parts: list[list], columns: list[str], only: bool) -> None:
    frames = {str(number): _frame(rows) for number, rows in enumerate(parts)}
    applies = pl.col("k").is_not_null() if only else pl.lit(True)
    found = sharing_rows(frames, columns, applies=applies)
    assert set(found.select("source_part", SOURCE_ROW).iter_rows()) == _by_hand(frames, columns, applies)


@settings(max_examples=60, deadline=None, database=None, derandomize=True)
@given(parts=st.lists(ROWS, min_size=2, max_size=4))
def test_parts_that_are_kept_tell_the_same_with_what_was_found_in_them(parts: list[list]) -> None:
    frames = {str(number): _frame(rows) for number, rows in enumerate(parts)}
    *kept, new = frames
    held = {part: frames[part] for part in kept}
    then = sharing_rows(held, ["k"])
    now = sharing_rows({new: frames[new]}, ["k"], kept=held, known=then)
    assert set(now.select("source_part", SOURCE_ROW).iter_rows()) == _by_hand(frames, ["k"], pl.lit(True))


def test_hashes_that_meet_by_chance_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "_hash", lambda columns: pl.col("n").cast(pl.UInt64()) % 2)
    found = sharing_rows({"x": _frame([("a", 1), ("b", 3), ("c", 5), ("a", 7), ("d", 2)])}, ["k"])
    assert found.select(SOURCE_ROW, "k").rows() == [(1, "a"), (4, "a")]


def test_many_rows_are_sorted_in_partitions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "HASHES_A_PARTITION", 1000)
    numbers = np.arange(20_000)
    numbers[[3, 7_001, 19_999]] = 12_345
    frame = pl.LazyFrame({SOURCE_ROW: np.arange(1, 20_001), "k": numbers})
    found = sharing_rows({"x": frame}, ["k"], also=[])
    assert found[SOURCE_ROW].to_list() == [4, 7_002, 12_346, 20_000]


def test_a_moment_is_as_good_a_key_as_a_text() -> None:
    at = datetime(2024, 1, 1)
    frame = pl.LazyFrame({SOURCE_ROW: [1, 2, 3], "k": ["a", "a", "a"], "t": [at, None, at]})
    assert sharing_rows({"x": frame}, ["k", "t"])[SOURCE_ROW].to_list() == [1, 3]


def test_rows_that_are_not_compared_are_not_sought_in_kept_parts() -> None:
    asked: list[str] = []

    def hashing(part: str, frame: pl.LazyFrame, columns: Sequence[str]) -> Hashes:
        asked.append(part)
        return made_hashes(frame, columns)

    new, old = _frame([(None, 1)]), _frame([(None, 1)])
    there = pl.col("k").is_not_null()
    found = sharing_rows({"new": new}, ["k"], applies=there, kept={"old": old}, hashing=hashing)
    assert found.is_empty()
    assert asked == ["new"]


@settings(max_examples=40, deadline=None, database=None, derandomize=True)
@given(parts=st.lists(ROWS, min_size=2, max_size=3))
def test_hashes_of_some_of_the_columns_find_the_same_rows(parts: list[list]) -> None:
    frames = {str(number): _frame(rows) for number, rows in enumerate(parts)}
    found = sharing_rows(frames, ["k", "n"], by=["k"])
    assert set(found.select("source_part", SOURCE_ROW).iter_rows()) == _by_hand(
        frames, ["k", "n"], pl.lit(True)
    )


# --- stored hashes ----------------------------------------------------------------------------------


def test_stored_hashes_are_given_back_for_what_they_follow_from(tmp_path: Path) -> None:
    hashes = made_hashes(_frame([("a", 1), (None, 2), ("a", 3)]), ["k"])
    path = tmp_path / "table" / "2024-01.parquet"
    assert stored_hashes(path, {"polars": "2.0"}) == "none were kept"
    store_hashes(hashes, path, {"source": "abc", "polars": "2.0"})
    assert [file.name for file in path.parent.iterdir()] == ["2024-01.parquet"]
    back = stored_hashes(path, {"source": "abc", "polars": "2.0"})
    assert isinstance(back, np.ndarray)
    assert back.tolist() == hashes.tolist()


def test_hashes_that_follow_from_something_else_are_not_given_back(tmp_path: Path) -> None:
    path = tmp_path / "2024-01.parquet"
    store_hashes(np.array([1, 2], np.uint64), path, {"source": "abc", "polars": "2.0"})
    assert stored_hashes(path, {"source": "abc", "polars": "2.1"}) == "of polars 2.0, not 2.1"
    path.write_bytes(path.read_bytes()[:-9])
    assert stored_hashes(path, {"source": "abc", "polars": "2.0"}) == "their file is damaged"
