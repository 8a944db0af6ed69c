from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from evenhand.cli import main
from evenhand.force.simulate import simulate

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Told:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The extracts of a force that is small, and finds out so much that a model can show it is better.

    On other seeds of this size the gate lets some models through and others not, for want of people.
    """
    data = simulate(tmp_path_factory.mktemp("force") / "data", officers=400, months=60, seed=15, dense=True)
    find_out_more(data)
    return data


# What each kind of conduct is found as.
BREACH = {
    "T1": "ORDERS", "T2": "HONESTY", "T3": "DUTIES", "T4": "CONFIDENTIALITY", "T5": "DISCREDIT", "T6": "CHALLENGING",
    "T7": "HONESTY", "T8": "HONESTY", "T9": "CONFIDENTIALITY",
}  # fmt: skip


def find_out_more(data: Path) -> None:
    """Add a case with its finding for every third of a year of each planted episode."""
    cases = pl.read_parquet(data / "conduct_matter.parquet")
    episodes = pl.read_parquet(data / "answer_key" / "planted.parquet")
    first, last = cases["occurred_at"].min(), cases["known_at"].max()
    found = (
        episodes.select(
            "person_key",
            breach=pl.col("typology").replace_strict(BREACH),
            day=pl.date_ranges("started", "ended", "4mo"),
        )
        .explode("day")
        .with_columns(occurred_at=pl.col("day").cast(pl.Datetime("us")))
        .with_columns(
            known_at=pl.col("occurred_at").dt.offset_by("30d"),
            finding_at=pl.col("occurred_at").dt.offset_by("120d"),
        )
        .filter(pl.col("occurred_at") >= first, pl.col("finding_at") <= last)
        .with_row_index("number")
    )
    like = (
        cases.filter(pl.col("finding") == "MISCONDUCT").head(1).drop("case_id", *found.columns, strict=False)
    )
    added = found.join(like, how="cross").with_columns(
        case_id=pl.format("X{}", "number"), outcome_at=pl.col("finding_at")
    )
    pl.concat([cases, added.select(cases.columns)]).write_parquet(data / "conduct_matter.parquet")


def open_a_case_about_everybody(data: Path, to: Path) -> Path:
    """The extracts of another month: a supervisor has reported everybody, and nobody has more than a mild case."""
    shutil.copytree(data, to)
    cases = pl.read_parquet(to / "conduct_matter.parquet")
    everybody = pl.read_parquet(to / "establishment.parquet").select("person_key").unique().sort("person_key")
    like = cases.filter(pl.col("finding").is_null()).head(1)
    opened = everybody.with_row_index("number").join(
        like.drop("person_key", "case_id", "occurred_at", "known_at", "source"), how="cross"
    )
    added = opened.with_columns(
        case_id=pl.format("Y{}", "number"), source=pl.lit("SUPERVISOR"),
        occurred_at=pl.lit(datetime(2024, 11, 1)), known_at=pl.lit(datetime(2024, 11, 20)),
    ).select(cases.columns)  # fmt: skip
    pl.concat([cases, added]).write_parquet(to / "conduct_matter.parquet")
    return to


@pytest.fixture(scope="session")
def few_records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The extracts of a force of a hundred and fifty people over a year, for spoiling."""
    return simulate(tmp_path_factory.mktemp("few") / "data", officers=150, months=12, seed=3, dense=True)


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a workspace that tests share, where a first model is trained and promoted."""
    return tmp_path_factory.mktemp("workspace")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    """Runs a command as its user would, in a folder of a workspace."""

    def _run(folder: Path, *arguments: str) -> Told:
        (folder / "evenhand.toml").write_text(
            f'suites = "{ROOT / "expectations"}"\ngovernance = "{ROOT / "governance.toml"}"\n'
            # Of fewer places no model shows so few people that it is better than a rule.
            "[review]\ncapacity = 20\n[study]\ndraws = 200\nthreads = 1\n"
        )
        monkeypatch.chdir(folder)
        capsys.readouterr()
        code = main(list(arguments))
        captured = capsys.readouterr()
        return Told(code, captured.out, captured.err)

    return _run
