"""Bad input, as its user meets it: one screen that names file, column, row and remedy, the right exit code."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

ONE_SCREEN = 24

Spoil = Callable[[Path], None]


def changed(table: str, change: Callable[[pl.DataFrame], pl.DataFrame]) -> Spoil:
    def spoil(folder: Path) -> None:
        path = folder / f"{table}.parquet"
        change(pl.read_parquet(path)).write_parquet(path)

    return spoil


def truncated(folder: Path) -> None:
    path = folder / "complaint.parquet"
    path.write_bytes(path.read_bytes()[:-100])


def emptied(folder: Path) -> None:
    (folder / "complaint.parquet").write_bytes(b"")


REFUSED: dict[str, tuple[Spoil, tuple[str, ...]]] = {
    "a missing table": (
        lambda folder: (folder / "overtime_claim.parquet").unlink(), ("overtime_claim",)
    ),
    "a missing column": (
        changed("overtime_claim", lambda frame: frame.drop("minutes")), ("overtime_claim.parquet", "minutes")
    ),
    "a wrong type": (
        changed("overtime_claim", lambda frame: frame.with_columns(pl.lit("many").alias("minutes"))),
        ("overtime_claim.parquet", "minutes", "many"),
    ),
    "a date in text": (
        changed("complaint", lambda frame: frame.with_columns(pl.lit("3rd of May").alias("occurred_at"))),
        ("complaint.parquet", "occurred_at", "3rd of May"),
    ),
    "an empty file": (emptied, ("complaint.parquet",)),
    "a truncated Parquet file": (truncated, ("complaint.parquet",)),
    "location data": (
        changed("complaint", lambda frame: frame.with_columns(pl.lit(51.5).alias("latitude"))),
        ("complaint.parquet", "latitude"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("spoil", "named"), REFUSED.values(), ids=REFUSED)
def test_a_table_that_cannot_be_used_is_refused_on_one_screen_and_nothing_is_written(
    run, few_records, tmp_path, spoil, named
):
    shutil.copytree(few_records, tmp_path / "data")
    spoil(tmp_path / "data")
    told = run(tmp_path, "validate")
    assert told.code == 3
    assert all(name in told.err for name in named)
    assert "do next" in told.err
    assert len(told.err.splitlines()) <= ONE_SCREEN
    assert "Traceback" not in told.err
    assert not (tmp_path / "build").exists()


def first(column: str, value: object) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """The first row of a frame with another value in a column."""
    return lambda frame: frame.with_columns(
        pl.when(pl.int_range(pl.len()) == 0)
        .then(pl.lit(value))
        .otherwise(column)
        .cast(frame[column].dtype)
        .alias(column)
    )


BAD_ROWS: dict[str, tuple[str, Callable[[pl.DataFrame], pl.DataFrame], str]] = {
    "a duplicate key": ("complaint", lambda frame: pl.concat([frame, frame.head(1)]), "allegation_id"),
    "a person who is not in the establishment": ("complaint", first("person_key", "P999999"), "person_key"),
    "a negative duration": ("overtime_claim", first("minutes", -30), "minutes"),
}


@pytest.mark.parametrize(("table", "spoil", "column"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_a_bad_row_is_set_aside_with_file_column_and_row_and_refuses_the_table_when_strict(
    run, few_records, tmp_path, table, spoil, column
):
    shutil.copytree(few_records, tmp_path / "data")
    changed(table, spoil)(tmp_path / "data")
    told = run(tmp_path, "validate", "--table", table)
    assert told.code == 0
    lines = [line for line in told.out.splitlines() if f"{table}.parquet" in line and column in line]
    assert lines, told.out
    strict = run(tmp_path, "validate", "--table", table, "--strict")
    assert strict.code == 3
    assert f"{table}.parquet" in strict.err
    assert len(strict.err.splitlines()) <= ONE_SCREEN


def test_an_unknown_configuration_key_is_a_usage_error_with_the_nearest_name(run, tmp_path):
    told = run(tmp_path, "validate")
    (tmp_path / "mine.toml").write_text("capasity = 1\nseeed = 2\n")
    told = run(tmp_path, "validate", "--config", "mine.toml")
    assert told.code == 2
    assert "Did you mean 'seed'?" in told.err


def test_an_option_that_does_not_exist_is_a_usage_error(run, tmp_path):
    assert run(tmp_path, "validate", "--tabel", "x").code == 2


def test_a_folder_that_does_not_exist_is_refused(run, tmp_path):
    told = run(tmp_path, "validate", "--data", "nowhere")
    assert told.code in (2, 3)
    assert "nowhere" in told.err


def test_an_as_of_date_outside_the_data_is_a_usage_error_that_tells_the_range(run, few_records, tmp_path):
    told = run(tmp_path, "features", "--from", "2031-01-01", "--data", str(few_records))
    assert told.code == 2
    assert "2031-01-01 is outside the records, which run from 2020-01-01 to 2020-12-31" in told.err


def test_a_model_that_does_not_exist_is_a_usage_error(run, few_records, tmp_path):
    told = run(tmp_path, "score", "--as-of", "2020-12-01", "--data", str(few_records))
    assert told.code == 2
    assert "evenhand train" in told.err


def test_a_force_that_does_not_exist_is_a_usage_error_with_the_known_ones(run, tmp_path):
    told = run(tmp_path, "validate", "--force", "chicgo")
    assert told.code == 2
    assert "Did you mean 'chicago'?" in told.err
