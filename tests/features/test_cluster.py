"""A cluster gives the same features as this machine, to the last bit.

Everything but the moving of rows is the local engine's own code, so most is held on narwhals over Polars and
DuckDB, which needs no Java; one Spark session then holds that Spark moves rows alike.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from evenhand.cli import main
from evenhand.config import load_config
from evenhand.force.simulate import simulate
from evenhand.workspace import Workspace
from features import engine
from features.build import build
from features.cluster import spark
from features.cluster.frames import Workers
from features.cluster.prepare import reader_on
from features.definition import ForceDefinition
from features.errors import DataRefused, WrongUsage
from features.events import Records
from features.specs import distinct, most_common, total
from tests.features.few_workers import DUCKDB, POLARS, FewWorkers, OnDisk
from tests.features.random_records import AS_OFS, accepted, random_rows
from tests.features.small_force import (
    CLAIM,
    FORCE,
    IDEAS,
    TABLES,
    TWO_PEOPLE,
    idea,
    records,
    small_force,
)

OPEN_TABLES = tuple(table for table in TABLES if not table.enclave)
SEEDS = st.integers(min_value=0, max_value=2**32 - 1)
few = settings(
    max_examples=4, derandomize=True, deadline=None, phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip


def on_spark(test):  # type: ignore[no-untyped-def]  # a test function
    """One session serves all tests on Spark, so they run in one process."""
    return pytest.mark.slow(pytest.mark.xdist_group("spark")(test))


@pytest.fixture(scope="module")
def executors() -> Iterator[Workers]:
    """One local Spark session for all tests here; two parts are enough for rows to move."""
    # Compiling Java thoroughly takes longer than it saves on tables as small as these.
    quick = {"spark.sql.shuffle.partitions": "2", "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1"}
    with spark.workers_on_spark(quick) as workers:
        yield workers


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Accepted rows of every table of a simulated force, 150 people over 14 months."""
    folder = tmp_path_factory.mktemp("simulated")
    data = simulate(folder / "data", officers=150, months=14, seed=3, dense=True)
    suites = Path(__file__).parents[2] / "expectations"
    return Workspace(load_config(None, data=str(data), out=folder / "out", suites=suites))


def assert_alike(force: ForceDefinition, stored: Records, as_ofs, workers: Workers, **asked) -> pl.DataFrame:
    """Hold both engines equal without any tolerance."""
    here = build(force, stored, as_ofs, **asked)
    there = build(force, stored, as_ofs, reader=reader_on(workers), **asked)
    assert_frame_equal(there.frame, here.frame, check_exact=True)
    assert_frame_equal(there.descriptors, here.descriptors)
    assert there.schema == here.schema
    assert there.fingerprint == here.fingerprint
    return there.frame


def some_records(folder: Path, seed: int) -> OnDisk:
    """Late, corrected, withdrawn and duplicated rows, of tables in two files each."""
    rows = random_rows(OPEN_TABLES, seed, rows_a_table=150)
    twice = {name: pl.concat([frame, frame[:20]]) for name, frame in rows.items()}
    return OnDisk(accepted(OPEN_TABLES, twice), folder)


# --- Without Spark ------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [POLARS, DUCKDB], ids=["polars", "duckdb"])
@few
@given(seed=SEEDS)
def test_workers_find_what_this_machine_finds(tmp_path, workers, seed):
    found = assert_alike(FORCE, some_records(tmp_path, seed), AS_OFS, workers, catalogue=FORCE.catalogue)
    assert found.select(pl.col(pl.Float64).is_not_null().any()).row(0).count(True) > len(IDEAS) / 2


def test_only_rows_known_since_a_review_are_asked_for(tmp_path):
    reviews = pl.DataFrame(
        {
            "person_key": ["P000001", "P000003"],
            "known_from": [datetime(2023, 6, 1, 12), datetime(2023, 12, 1)],
        }
    )
    assert_alike(FORCE, some_records(tmp_path, 5), AS_OFS, POLARS, rows_known_from=reviews)


def test_only_the_people_asked_for_are_built_and_compared_with_all(tmp_path):
    found = assert_alike(FORCE, some_records(tmp_path, 6), AS_OFS, POLARS, people=pl.Series(["P000002"]))
    assert found["person_key"].unique().to_list() == ["P000002"]


def test_nobody_in_the_cohort_makes_an_empty_table(tmp_path):
    found = assert_alike(FORCE, OnDisk(records(), tmp_path), AS_OFS, POLARS)
    assert found.height == 0


def test_more_people_than_a_group_holds_keep_their_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr("features.cluster.cells.PEOPLE_IN_GROUP", 2)
    assert_alike(FORCE, some_records(tmp_path, 7), AS_OFS, POLARS, catalogue=FORCE.catalogue)


@pytest.mark.parametrize("column", ["claim", "minutes", "withdrawn", "occurred_at"])
def test_values_of_every_type_are_told_apart(tmp_path, column):
    force = small_force(
        idea("different", distinct(CLAIM, column), (60, 365)), idea("most", most_common(CLAIM, column), (60,))
    )
    assert_alike(force, some_records(tmp_path, 8), AS_OFS, POLARS)


def test_minus_zero_is_zero_and_no_second_value(tmp_path):
    force = small_force(idea("n", distinct(CLAIM, pl.col("minutes") * -0.0), (30,)))
    stored = records(
        post=TWO_PEOPLE,
        claim="""
        person_key | claim | minutes | occurred_at | known_at
        P1         | C1    | 1       | 2024-03-01  | 2024-03-02
        P1         | C2    | -1      | 2024-03-01  | 2024-03-02
        """,
    )
    found = assert_alike(force, OnDisk(stored, tmp_path), [date(2024, 3, 10)], POLARS)
    assert found["n_30d"].to_list() == [1.0, 0.0]


def test_totals_that_are_not_exact_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "LARGEST_TOTAL", 100.0)
    force = small_force(idea("minutes", total(CLAIM, "minutes"), (730,)))
    stored = some_records(tmp_path, 9)
    messages = []
    for reader in (None, reader_on(POLARS)):
        with pytest.raises(DataRefused, match="not exact") as refused:
            build(force, stored, AS_OFS, reader=reader)
        messages.append(str(refused.value))
    assert messages[0] == messages[1]


def test_what_is_being_read_is_told(tmp_path):
    said: list[str] = []
    build(FORCE, some_records(tmp_path, 10), AS_OFS, reader=reader_on(POLARS), progress=said.append)
    assert "reading claim: a claim" in said


def assert_alike_simulated(simulated: Workspace, workers: Workers) -> None:
    """The whole catalogue, research and all, at dates with little and with much behind them."""
    dates = [date(2020, 4, 1), date(2020, 12, 31), date(2021, 2, 1)]
    whole = simulated.force.catalogue
    found = assert_alike(simulated.force, simulated.accepted, dates, workers, catalogue=whole)
    assert found.height > 350
    assert set(found.columns) == {"person_key", "as_of", *whole.columns}


@pytest.mark.slow
@pytest.mark.xdist_group("spark")
def test_the_catalogue_of_a_simulated_force_is_the_same(simulated):
    assert_alike_simulated(simulated, FewWorkers(POLARS.lazy, rows_in_batch=50_000))


# --- What is missing ----------------------------------------------------------------------------------


def test_without_pyspark_the_message_says_what_to_install(monkeypatch):
    find = spark.importlib.util.find_spec
    monkeypatch.setattr(
        spark.importlib.util, "find_spec", lambda name: None if name == "pyspark" else find(name)
    )
    with (
        pytest.raises(WrongUsage, match=r"needs pyspark.*\n.*pip install 'evenhand\[spark\]'"),
        spark.workers_on_spark({}),
    ):
        pass


def test_without_java_the_message_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with (
        pytest.raises(WrongUsage, match=r"needs Java 17 or later; none was found"),
        spark.workers_on_spark({}),
    ):
        pass


@pytest.mark.parametrize(("said", "version"), [("1.8.0_402", 8), ("11.0.2", 11)])
def test_an_old_java_is_named(monkeypatch, tmp_path, said, version):
    java = tmp_path / "java"
    java.write_text(f"#!{os.path.realpath('/bin/sh')}\necho 'openjdk version \"{said}\"' >&2\n", "utf-8")
    java.chmod(java.stat().st_mode | stat.S_IXUSR)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(WrongUsage, match=f"is Java {version}"), spark.workers_on_spark({}):
        pass


@pytest.mark.slow
@pytest.mark.xdist_group("spark")
def test_the_command_says_what_is_missing_and_ends_as_wrongly_used(monkeypatch, tmp_path, simulated, capsys):
    config = tmp_path / "evenhand.toml"
    config.write_text(f'out = "{simulated.config.out}"\nsuites = "{simulated.config.suites}"\n', "utf-8")
    _ = simulated.accepted
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    asked = [
        "--from",
        "2020-06-01",
        "--engine",
        "spark",
        "--config",
        str(config),
        "--data",
        simulated.config.data,
    ]
    assert main(["features", *asked]) == 2
    assert "needs Java 17 or later" in capsys.readouterr().err


# --- On Spark -----------------------------------------------------------------------------------------


@on_spark
def test_spark_finds_what_this_machine_finds(tmp_path, executors):
    assert_alike(FORCE, some_records(tmp_path, 1), AS_OFS, executors, catalogue=FORCE.catalogue)


@on_spark
def test_types_survive_the_way_through_spark(executors):
    frame = pl.DataFrame(
        {
            "at": [datetime(1969, 12, 31, 23, 59, 59, 999999), None, datetime(2024, 3, 31, 1, 30, 0, 1)],
            "day": [date(1960, 2, 29), date(2024, 2, 29), None],
            "true": [True, None, False],
            "word.with.Dots": ["", None, "ß"],
            "n": [None, -(2**62), 2**62],
            "x": [0.1, None, float("nan")],
        }
    )
    there = executors.by_part(executors.spread(frame), lambda batches: batches, frame.schema)
    assert_frame_equal(executors.gathered(there), frame)


@on_spark
def test_the_catalogue_of_a_simulated_force_is_the_same_on_spark(executors, simulated):
    assert_alike_simulated(simulated, executors)
