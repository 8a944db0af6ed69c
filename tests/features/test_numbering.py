"""People's numbers: the same as a join would find."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from features.numbering import NOBODY, Numbering


@pytest.mark.parametrize("n_people", [0, 1, 2, 3, 1000])
@pytest.mark.parametrize("dtype", [pl.String, pl.Int64])
def test_each_person_has_their_place_and_a_stranger_none(n_people: int, dtype: type[pl.DataType]):
    rng = np.random.default_rng(n_people)
    known = pl.Series("person_key", rng.permutation(2 * n_people)[:n_people]).cast(dtype)
    rows = pl.Series("person_key", rng.integers(0, max(2 * n_people, 1), 5000)).cast(dtype).to_frame()
    found = rows.lazy().with_columns(person=Numbering.of(known).number("person_key"))
    joined = rows.join(
        known.to_frame().with_row_index("person"), on="person_key", how="left", maintain_order="left"
    )
    expected = joined["person"].cast(pl.Int32).fill_null(NOBODY)
    assert found.collect()["person"].equals(expected)
    assert found.collect(engine="streaming")["person"].sort().equals(expected.sort())


def test_a_row_that_names_nobody_is_nobodys():
    rows = pl.LazyFrame({"person_key": ["ann", None]}, schema={"person_key": pl.String})
    found = rows.with_columns(person=Numbering.of(pl.Series(["ann"])).number("person_key")).collect()
    assert found["person"].to_list() == [0, NOBODY]


def test_nobody_is_numbered_twice():
    with pytest.raises(ValueError, match="somebody is among the people twice"):
        Numbering.of(pl.Series(["ann", "bob", "ann"]))
