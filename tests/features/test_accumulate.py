"""The compiled loops: the same numbers in the same places as Polars would put there."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest

from features.accumulate import GRID, Combine, Take, add_batch
from features.cells import Partial, merged, sources_of
from features.engine import readings
from features.peers import Ask
from features.specs import count, largest, mean, smallest, total
from tests.features.small_force import CLAIM

PLACES = 50
NOTHING = {"sum": 0.0, "min": np.inf, "max": -np.inf}
LOOPS: list[tuple[Combine, Take]] = [
    ("sum", "number"),
    ("sum", "rounded"),
    ("sum", "size"),
    ("sum", "present"),
    ("sum", "row"),
    ("min", "number"),
    ("max", "number"),
]


def _rows(n: int) -> pl.DataFrame:
    """Rows with numbers of every kind; some rows have no place, and some places no row."""
    rng = np.random.default_rng(3)
    numbers = rng.choice(
        [0.0, -0.0, 7.0, -2.5, 1e7, 0.5 * GRID, 1.5 * GRID, -2.5 * GRID, 0.1, -1 / 3, np.nan], n
    )
    places = pl.Series(rng.integers(0, PLACES // 2, n) * 2)
    nowhere = pl.Series(rng.random(n) < 0.1)
    return pl.DataFrame({"place": places.set(nowhere, None), "number": numbers})


@pytest.mark.parametrize(("combine", "take"), LOOPS)
def test_each_loop_adds_to_each_place_what_polars_would(combine: Combine, take: Take):
    rows = _rows(2000)
    found = np.full(PLACES, NOTHING[combine])
    for batch in rows.iter_slices(300):
        rows_with_place = batch["place"].is_not_null().arg_true().cast(pl.Int64).to_numpy()
        places = batch["place"].drop_nulls().to_numpy()
        add_batch(rows_with_place, places, batch["number"].to_numpy(), take, combine, found)
    partials = {"v": Partial(pl.col("number"), combine, take)}
    by_polars = (
        rows.drop_nulls("place")
        .select("place", v=partials["v"].of_row.fill_nan(None))
        .group_by("place")
        .agg(merged(partials))
    )
    expected = np.full(PLACES, NOTHING[combine])
    expected[by_polars["place"].to_numpy()] = by_polars["v"].to_numpy()
    if take == "number" and combine == "sum":  # not rounded, so the order of the terms counts
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    else:
        np.testing.assert_array_equal(found, expected)


def test_a_loop_that_there_is_none_of_is_refused():
    with pytest.raises(ValueError, match="the max of 'rounded' is not among the loops"):
        add_batch(np.zeros(1, np.int64), np.zeros(1, np.int64), np.zeros(1), "rounded", "max", np.zeros(1))


def test_a_column_is_handed_over_once_however_much_is_asked_of_it_and_none_to_count_rows():
    asked = [count(CLAIM), *(ask(CLAIM, "minutes") for ask in (total, mean, smallest, largest))]
    (reading,) = readings([Ask(one, 30) for one in asked], [date(2024, 1, 1)])
    sources, source_of = sources_of(reading.partials)
    assert len(sources) == 1
    takes = {name: partial.take for name, partial in reading.partials.items()}
    assert all(source_of[name] in sources for name, take in takes.items() if take != "row")
    assert list(takes.values()).count("row") == 1
