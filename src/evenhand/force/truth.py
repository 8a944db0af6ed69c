"""What was planted, for measuring: the only way into a simulated force's answer key."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import polars as pl

from features.errors import WrongUsage

ANSWER_KEY = "answer_key"
PLANTED_WITHIN = timedelta(days=365)


def planted(data: Path, as_ofs: Sequence[date]) -> pl.DataFrame:
    """What each person of a simulated force was at each date, by what happened in the year before it.

    Returns:
        [person_key, as_of, planted, typologies, lookalike]: `planted` is `misconduct` where an episode touches
        `[as_of - 365 days, as_of)`, `lookalike` where there is none but an innocent look-alike does, else
        `innocent`. `typologies` and `lookalike` list the kinds. Everybody the establishment names is there at
        every date, whether in service or not.

    Raises:
        WrongUsage: `data` is not a simulated force.
    """
    key = Path(data) / ANSWER_KEY
    if not (key / "planted.parquet").is_file():
        raise WrongUsage(
            f"{data} has no answer key: only a force written by `evenhand simulate` can tell what was planted."
        )
    dates = pl.DataFrame({"as_of": sorted(set(as_ofs))}, schema={"as_of": pl.Date()})
    people = (
        pl.read_parquet(Path(data) / "establishment.parquet", columns=["person_key"]).unique().drop_nulls()
    )
    episodes = pl.read_parquet(key / "planted.parquet").rename({"started": "from", "ended": "to"})
    bears = pl.read_parquet(key / "lookalikes.parquet")
    is_misconduct = pl.col("typologies").list.len() > 0
    return (
        people.join(dates, how="cross")
        .join(
            _kinds_by_date(episodes, "typology", dates).rename({"kinds": "typologies"}),
            on=["person_key", "as_of"],
            how="left",
        )
        .join(
            _kinds_by_date(bears, "kind", dates).rename({"kinds": "lookalike"}),
            on=["person_key", "as_of"],
            how="left",
        )
        .with_columns(pl.col("typologies", "lookalike").fill_null(pl.lit([], pl.List(pl.String()))))
        .with_columns(
            planted=pl.when(is_misconduct)
            .then(pl.lit("misconduct"))
            .when(pl.col("lookalike").list.len() > 0)
            .then(pl.lit("lookalike"))
            .otherwise(pl.lit("innocent"))
        )
        .select("person_key", "as_of", "planted", "typologies", "lookalike")
        .sort("as_of", "person_key")
    )


def _kinds_by_date(spans: pl.DataFrame, kind: str, dates: pl.DataFrame) -> pl.DataFrame:
    """[person_key, as_of, kinds] of the spans `[from, to)` that touch the year before each date."""
    touches = (pl.col("from") < pl.col("as_of")) & (pl.col("to") > pl.col("as_of") - PLANTED_WITHIN)
    return (
        spans.join(dates, how="cross")
        .filter(touches)
        .group_by("person_key", "as_of")
        .agg(pl.col(kind).unique().sort().alias("kinds"))
    )
