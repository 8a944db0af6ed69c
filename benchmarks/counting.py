"""Counts of system access on 24 dates and four windows, one way or the other; prints seconds and peak MB."""

from __future__ import annotations

import resource
import sys
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from time import perf_counter

import polars as pl

from benchmarks.prepare import workspace_of
from evenhand.workspace import Workspace
from features.build import build
from features.specs import Aggregate, Catalogue, Idea, count
from models.splits import months_after

WINDOWS = (28, 90, 180, 365)
DATES = [months_after(date(2021, 1, 1), months) for months in range(24)]


def by_cells(workspace: Workspace, dates: Sequence[date]) -> pl.DataFrame:
    views = workspace.force.catalogue.idea_of("views_365d").of
    assert isinstance(views, Aggregate)
    idea = Idea(name="n", says="uses", of=count(views.events), unit="uses", family="uses", windows=WINDOWS)
    return build(workspace.force, workspace.accepted, dates, catalogue=Catalogue((idea,))).frame


def by_date(workspace: Workspace, dates: Sequence[date]) -> pl.DataFrame:
    rows = workspace.accepted.scan("system_access")
    return pl.concat(
        rows.filter(pl.col("known_at") < midnight, pl.col("occurred_at") < midnight)
        .filter(pl.col("occurred_at") >= midnight - timedelta(days=max(WINDOWS)))
        .group_by("person_key")
        .agg(
            (pl.col("occurred_at") >= midnight - timedelta(days=days)).sum().alias(f"n_{days}d")
            for days in WINDOWS
        )
        .with_columns(as_of=pl.lit(day))
        .collect(engine="streaming")
        for day in dates
        for midnight in [datetime(day.year, day.month, day.day)]
    )


def main(name: str, data: str) -> None:
    workspace = workspace_of(Path(data))
    _ = workspace.accepted  # ingested before, so that neither way pays for it
    began = perf_counter()
    {"cells": by_cells, "by date": by_date}[name](workspace, DATES)
    print(perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    main(*sys.argv[1:])
