"""The method on real public records; skipped where they are not at hand."""

from __future__ import annotations

import json
import os
from datetime import date, datetime, time, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from evenhand.config import load_config
from evenhand.workspace import Workspace
from features.events import Records
from features.labels import labels
from features.lineage import marks_of_set

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


class _AsItStood:
    """The records with every complaint received from a day on taken out, and every closing from then on undone."""

    def __init__(self, records: Records, day: date) -> None:
        self._records, self._day, self.fingerprints = records, day, records.fingerprints

    def scan(self, name: str, /) -> pl.LazyFrame:
        rows = self._records.scan(name)
        if name != "complaints_accused":
            return rows
        closed_later = pl.col("closed_date") >= self._day
        undone = [
            "closed_date",
            "recommended_finding",
            "recommended_outcome",
            "final_finding",
            "final_outcome",
        ]
        return rows.filter(pl.col("complaint_date") < self._day).with_columns(
            pl.when(~closed_later).then(pl.col(column)).alias(column) for column in undone
        )


def test_what_is_expected_is_the_same_where_later_complaints_and_findings_are_taken_out(workspace):
    day = date(2008, 1, 1)
    passed = [date(year, 1, 1) for year in (2003, 2004, 2005, 2006)]
    found, as_it_stood = (
        labels(workspace.force, records, passed, seen_by=datetime.combine(day, time()))
        for records in (workspace.accepted, _AsItStood(workspace.accepted, day))
    )
    assert_frame_equal(found, as_it_stood, check_exact=True)


def test_on_dates_too_recent_to_be_settled_as_many_are_expected_as_were_confirmed_in_the_end(workspace):
    """Of those confirmed in the end about conduct in 2006 and 2007, a third had been by the end of 2007."""
    as_of, day = date(2006, 1, 1), datetime(2008, 1, 1)
    known = labels(workspace.force, workspace.accepted, [as_of], seen_by=day)
    became = int(labels(workspace.force, workspace.accepted, [as_of], seen_by=None)["confirmed"].sum())
    assert not known["settled"].any()
    assert known["confirmed"].sum() < 0.4 * became
    assert known["expected"].sum() == pytest.approx(became, rel=0.25)


def test_nothing_protected_is_read_by_any_feature(workspace):
    assert marks_of_set(workspace.force, workspace.force.catalogue.columns) == {}


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
