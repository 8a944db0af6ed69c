"""timeseriesflattener on the work it can do, in an environment of its own: it does not run on Polars 2.

    make .venv-flattener

makes the environment. Nothing of Evenhand is imported here; `benchmarks.features` calls it.
"""

from __future__ import annotations

import sys
from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl

from benchmarks.measure import once

# As `benchmarks.features` asks.
HOWS = {"n": "count", "sum": "sum", "mean": "mean", "min": "min", "max": "max"}


def flattened(path: Path, n_people: int, dates: list[date], windows: list[int]) -> dict[str, float]:
    """Sums over all people and dates of each aggregate and window, for those who have rows."""
    import timeseriesflattener as flat  # type: ignore[import-not-found]  # in the environment of its own

    rows = pl.scan_parquet(path).select("person_key", pl.col("occurred_at").alias("at"), "value").collect()
    everybody = pl.DataFrame({"person_key": [f"P{number:06d}" for number in range(n_people)]})
    midnights = pl.DataFrame({"as_of": dates}).cast(pl.Datetime("us"))
    spec = flat.PredictorSpec(
        value_frame=flat.ValueFrame(
            init_df=rows, entity_id_col_name="person_key", value_timestamp_col_name="at"
        ),
        lookbehind_distances=[timedelta(days=days) for days in windows],
        aggregators=[
            flat.CountAggregator(), flat.SumAggregator(), flat.MeanAggregator(), flat.MinAggregator(), flat.MaxAggregator(),
        ],
        fallback=float("nan"),
        column_prefix="p",
    )  # fmt: skip
    frame = flat.PredictionTimeFrame(
        init_df=everybody.join(midnights, how="cross"),
        entity_id_col_name="person_key",
        timestamp_col_name="as_of",
    )
    found = flat.Flattener(predictiontime_frame=frame).aggregate_timeseries(
        specs=[spec], step_size=timedelta(days=31)
    )
    table = found.df.lazy().collect()
    named = {
        f"{name}_{days}": pl.col(next(c for c in table.columns if f"_0_to_{days}_days_{theirs}_" in c))
        for days in windows
        for name, theirs in HOWS.items()
    }
    return table.select(**named).fill_nan(None).cast(pl.Float64).sum().row(0, named=True)


if __name__ == "__main__":
    _, path, n_people, dates, windows = sys.argv
    days = [datetime.fromisoformat(day).date() for day in dates.split(",")]
    lengths = [int(window) for window in windows.split(",")]
    once(lambda: flattened(Path(path), int(n_people), days, lengths), ["timeseriesflattener"])
