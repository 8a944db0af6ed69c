"""When a row of a correctable table was superseded by its next version, over all parts."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from features.accepted import SUPERSEDED_AT
from features.keys import PART, Hashing, sharing_rows
from features.sources import SOURCE_ROW
from features.tables import Table


def superseded_rows(
    table: Table,
    judged: Mapping[str, pl.LazyFrame],
    *,
    kept: Mapping[str, pl.LazyFrame],
    again: pl.DataFrame | None,
    aside: pl.DataFrame,
    hashing: Hashing | None = None,
) -> pl.DataFrame:
    """`source_part`, `source_row` and `superseded_at` (null: not yet) of accepted rows that share their key.

    A version that was set aside supersedes nothing.

    Args:
        judged, kept, again, hashing: as `keys.sharing_rows` takes them.
        aside: `source_part` and `source_row` of every quarantined row.
    """
    assert table.known_at is not None
    # Few rows have versions; only those are held and sorted.
    versions = sharing_rows(judged, table.key, kept=kept, again=again, also=[table.known_at], hashing=hashing)
    next_known = pl.col(table.known_at).shift(-1).over(table.key)
    return (
        versions.join(aside, on=[PART, SOURCE_ROW], how="anti")
        .sort(*table.key, table.known_at, PART, SOURCE_ROW)
        .select(PART, SOURCE_ROW, next_known.cast(pl.Datetime("us")).alias(SUPERSEDED_AT))
    )
