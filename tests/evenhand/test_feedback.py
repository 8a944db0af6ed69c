"""What the study of feedback does, on few people and two cycles."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from evenhand import feedback
from evenhand.config import load_config
from evenhand.force.simulate import simulate
from evenhand.workspace import Workspace
from models.ranker import Params

ROOT = Path(__file__).parents[2]
QUICK = Params(rounds=20, threads=1)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("force")
    data = simulate(folder / "data", officers=300, months=54, seed=78, dense=True)
    return Workspace(load_config(None, data=str(data), out=folder / "out", suites=ROOT / "expectations"))


@pytest.mark.slow
def test_all_ways_begin_alike_and_tell_the_same_measures(workspace: Workspace, monkeypatch):
    monkeypatch.setattr(feedback, "CYCLES", 2)
    found = feedback.cycles(workspace, seed=1, params=QUICK)
    assert list(found) == ["as shipped", "naive", "no tool"]
    assert found["as shipped"][0] == found["naive"][0] == found["no tool"][0]
    for rows in found.values():
        assert len(rows) == 2
        assert rows[0]["before"] == 0
        assert all(row["listed"] == row["misconduct"] + row["innocent"] for row in rows)


@pytest.mark.slow
def test_a_case_of_a_lead_is_open_until_its_finding_and_takes_the_place_of_one_that_would_have_come(
    workspace: Workspace,
):
    came = workspace.accepted.scan("conduct_matter").filter(~pl.col("withdrawn")).sort("known_at").collect()
    somebody = came.row(0, named=True)
    opened = datetime(somebody["known_at"].year, somebody["known_at"].month, 1)
    files = pl.DataFrame(
        [
            {
                "person_key": somebody["person_key"], "as_of": date(2021, 1, 1), "lead": True, "outcome": "confirmed",
                "reviewed_at": opened, "occurred_at": datetime(2020, 12, 1), "breach": "ORDERS", "finding": "MISCONDUCT",
                "finding_at": datetime(2024, 1, 1),
            }
        ],
        schema=feedback._FILES,
    )  # fmt: skip
    written = feedback._written(workspace, files).scan("conduct_matter").collect()
    own = written.filter(pl.col("source") == "TOOL_LEAD").sort("known_at")
    assert own.select("finding", "superseded_at").rows() == [
        (None, datetime(2024, 1, 1)),
        ("MISCONDUCT", None),
    ]
    assert somebody["case_id"] not in written["case_id"].to_list()
    assert written.filter(pl.col("source") != "TOOL_LEAD").height < came.height + 1


def test_a_case_of_a_lead_is_about_what_its_conduct_breaches():
    """Attendance is about duties, orders or honesty; whoever did nothing is held to something all the same."""
    breaches = feedback._breaches(["T3", "T3", None], np.array([0.0, 0.99, 0.0]))
    assert breaches == ["DUTIES", "HONESTY", "HONESTY"]
