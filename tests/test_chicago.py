"""The method on real public records; skipped where they are not at hand."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from evenhand.config import load_config
from evenhand.workspace import Workspace
from features.labels import labels

ROOT = Path(__file__).parent.parent
DATA = Path(os.environ.get("EVENHAND_CHICAGO", ROOT.parent / "shared" / "chicago"))

pytestmark = [
    pytest.mark.chicago,
    pytest.mark.skipif(not DATA.is_dir(), reason="the Chicago records are not here (EVENHAND_CHICAGO)"),
]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Workspace:
    folder = tmp_path_factory.mktemp("chicago")
    return Workspace(
        load_config(
            None, force="chicago", data=str(DATA), out=folder / "out", runs=folder / "mlruns", suites=ROOT / "expectations",
            governance=ROOT / "governance.toml", register_url=f"sqlite:///{folder}/register.db",
        )
    )  # fmt: skip


def test_every_row_is_accepted(workspace):
    assert workspace.account.quarantined == 0
    assert workspace.account.read == workspace.account.accepted > 500_000


def test_cohort_and_labels_equal_the_published_ones_on_every_date(workspace):
    published = pl.read_parquet(DATA / "labels.parquet").select(
        person_key=pl.col("officer_id").cast(pl.Int64),
        as_of=pl.col("as_of").dt.offset_by("1d"),
        core="y_sustained_core",
    )
    ours = labels(
        workspace.force, workspace.accepted, published["as_of"].unique().sort().to_list(), seen_by=None
    )
    both = ours.with_columns(pl.col("person_key").cast(pl.Int64)).join(
        published, on=["person_key", "as_of"], how="full"
    )
    assert both.filter(pl.col("confirmed").cast(pl.Int8).ne_missing(pl.col("core"))).is_empty()
    assert both.height == published.height


def test_the_calendar_tests_on_the_days_after_the_benchmarks(workspace):
    assert [str(day - timedelta(days=1)) for day in workspace.dates().tests] == [
        "2008-12-31",
        "2009-12-31",
        "2010-12-31",
    ]


@pytest.mark.slow
def test_a_run_on_other_test_dates_prints_one_table_scores_and_opens_no_lead(
    workspace, monkeypatch, tmp_path, capsys
):
    from evenhand.cli import main

    monkeypatch.chdir(tmp_path)
    config = workspace.config
    (tmp_path / "evenhand.toml").write_text(
        f'force = "chicago"\ndata = "{DATA}"\nout = "{config.out}"\nruns = "{config.runs}"\nsuites = "{config.suites}"\n'
        f'governance = "{config.governance}"\nregister_url = "{config.register_url}"\n[study]\ndraws = 200\nthreads = 1\n'
    )
    assert main(["train", "--test-dates", "2008-12-31", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    best = {row["method"]: row["auc"] for row in told["performance"] if row["test_date"] == "2008-12-31"}
    assert best["lightgbm"] > best["complaint_count"] > best["random"]
    assert main(["score", "--as-of", "2013-01-01", "--model", "candidate"]) == 0
    assert "no lead is opened about anyone" in capsys.readouterr().out
