"""Bad extracts, each with a message on one screen that names file, column, row and remedy; nothing is written."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from features.account import Account
from features.errors import DataRefused
from features.ingest import ingest
from tests.features.conftest import GATE_FORCE, Frames, changed, put_extracts

SCREEN = 24


@pytest.fixture
def refusal(tmp_path: Path, gate_suites: Path) -> Callable[[Path], str]:
    """The message with which extracts are refused, once nothing is found written."""

    def message(data: Path) -> str:
        with pytest.raises(DataRefused) as refused:
            ingest(GATE_FORCE, data, out=tmp_path / "out", suites=gate_suites, docs=tmp_path / "docs")
        assert not (tmp_path / "out").exists()
        assert not (tmp_path / "docs").exists()
        told = str(refused.value)
        assert len(told.splitlines()) <= SCREEN
        assert max(len(line) for line in told.splitlines()) <= 180
        assert "do next" in told
        return told

    return message


def test_a_missing_table(gate_frames: Frames, refusal: Callable, tmp_path: Path) -> None:
    del gate_frames["duty_worked"]
    told = refusal(put_extracts(gate_frames, tmp_path / "extracts"))
    assert str(tmp_path / "extracts") in told
    assert "duty_worked.parquet or duty_worked.csv" in told
    assert "export duty_worked from ROSTER" in told


def test_a_directory_that_is_not_there(refusal: Callable, tmp_path: Path) -> None:
    assert "nowhere" in refusal(tmp_path / "nowhere")


def test_a_missing_column(gate_frames: Frames, refusal: Callable, tmp_path: Path) -> None:
    gate_frames["duty_worked"] = gate_frames["duty_worked"].rename({"minutes_worked": "minutes_wroked"})
    told = refusal(put_extracts(gate_frames, tmp_path / "extracts"))
    assert "duty_worked.parquet" in told
    assert "column    minutes_worked" in told
    assert "Did you mean 'minutes_wroked'" in told
    assert "under this name" in told


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_every_missing_column_is_named_at_once(
    gate_frames: Frames, refusal: Callable, tmp_path: Path, ending: str
) -> None:
    gate_frames["duty_worked"] = gate_frames["duty_worked"].drop("minutes_worked", "rest_day")
    told = refusal(put_extracts(gate_frames, tmp_path / "extracts", ending))
    assert "minutes_worked, rest_day" in told


def test_a_wrong_type(gate_frames: Frames, refusal: Callable, tmp_path: Path) -> None:
    gate_frames["duty_worked"] = gate_frames["duty_worked"].with_columns(
        minutes_worked=pl.when(pl.col("duty_id") == "D0-0").then(None).otherwise(pl.lit("nine hours"))
    )
    told = refusal(put_extracts(gate_frames, tmp_path / "extracts"))
    assert "duty_worked.parquet" in told
    assert "column    minutes_worked" in told
    assert "row       2" in told, "the first row with a value"
    assert "a whole number, stored as Int64" in told
    assert "stored as String; the first value is 'nine hours'" in told
    assert "export again" in told


def test_a_number_with_decimals_where_a_whole_one_is_declared(
    gate_frames: Frames, refusal: Callable, tmp_path: Path
) -> None:
    gate_frames["duty_worked"] = gate_frames["duty_worked"].with_columns(minutes_worked=pl.lit(540.5))
    assert "stored as Float64" in refusal(put_extracts(gate_frames, tmp_path / "extracts"))


def test_a_date_in_text(gate_frames: Frames, refusal: Callable, tmp_path: Path) -> None:
    establishment = gate_frames["establishment"]
    gate_frames["establishment"] = establishment.with_columns(service_start=pl.lit("01/05/2015"))
    told = refusal(put_extracts(gate_frames, tmp_path / "extracts"))
    assert "establishment.parquet" in told
    assert "column    service_start" in told
    assert "row       1" in told
    assert "a date (2024-01-31), stored as Date" in told
    assert "'01/05/2015'" in told
    assert "store the column as dates" in told


def test_a_time_with_a_zone_is_not_converted_in_silence(
    gate_frames: Frames, refusal: Callable, tmp_path: Path
) -> None:
    gate_frames["duty_worked"] = gate_frames["duty_worked"].with_columns(
        pl.col("known_at").dt.replace_time_zone("UTC")
    )
    assert "without a zone" in refusal(put_extracts(gate_frames, tmp_path / "extracts"))


def test_dates_in_text_throughout_a_csv_file(gate_frames: Frames, refusal: Callable, tmp_path: Path) -> None:
    establishment = gate_frames["establishment"]
    gate_frames["establishment"] = establishment.with_columns(service_start=pl.lit("01/05/2015"))
    told = refusal(put_extracts(gate_frames, tmp_path / "extracts", "csv"))
    assert "establishment.csv" in told
    assert "column    service_start" in told
    assert "row       1" in told
    assert "01/05/2015" in told
    assert "mend service_start in HR" in told


def test_an_empty_file(gate_frames: Frames, refusal: Callable, tmp_path: Path) -> None:
    data = put_extracts(gate_frames, tmp_path / "extracts")
    (data / "duty_worked.parquet").write_bytes(b"")
    told = refusal(data)
    assert "duty_worked.parquet" in told
    assert "an empty file" in told


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_a_file_without_a_row(gate_frames: Frames, refusal: Callable, tmp_path: Path, ending: str) -> None:
    gate_frames["duty_worked"] = gate_frames["duty_worked"].clear()
    told = refusal(put_extracts(gate_frames, tmp_path / "extracts", ending))
    assert f"duty_worked.{ending}" in told
    assert "At least one row" in told


def test_a_truncated_parquet_file(gate_frames: Frames, refusal: Callable, tmp_path: Path) -> None:
    data = put_extracts(gate_frames, tmp_path / "extracts")
    path = data / "duty_worked.parquet"
    path.write_bytes(path.read_bytes()[:-200])
    told = refusal(data)
    assert str(path) in told
    assert "truncated or damaged" in told
    assert "compare the file's size" in told


def test_a_ragged_csv_file(gate_frames: Frames, refusal: Callable, tmp_path: Path) -> None:
    data = put_extracts(gate_frames, tmp_path / "extracts", "csv")
    path = data / "duty_worked.csv"
    path.write_text(path.read_text("utf-8") + "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p\n", "utf-8")
    assert str(path) in refusal(data)


def test_text_that_is_not_utf8(gate_frames: Frames, refusal: Callable, tmp_path: Path) -> None:
    data = put_extracts(gate_frames, tmp_path / "extracts", "csv")
    path = data / "establishment.csv"
    path.write_bytes(path.read_bytes().replace(b"RESPONSE", b"R\xc9PONSE"))
    assert str(path) in refusal(data)


@pytest.mark.parametrize("ending", ["parquet", "csv"])
@pytest.mark.parametrize(
    "column", ["latitude", "gps_start", "home_address", "Personal_Device_Id", "cell_site"]
)
def test_a_column_of_location_or_of_a_personal_device(
    gate_frames: Frames, refusal: Callable, tmp_path: Path, ending: str, column: str
) -> None:
    gate_frames["system_access"] = gate_frames["system_access"].with_columns(pl.lit("51.5").alias(column))
    told = refusal(put_extracts(gate_frames, tmp_path / "extracts", ending))
    assert f"system_access.{ending}" in told
    assert f"column    {column}" in told
    assert "51.5" not in told
    assert "no setting that lets it in" in told


def test_two_files_of_one_table(gate_frames: Frames, refusal: Callable, tmp_path: Path) -> None:
    data = put_extracts(gate_frames, tmp_path / "extracts")
    gate_frames["duty_worked"].write_csv(data / "duty_worked.csv")
    assert "duty_worked.parquet and duty_worked.csv" in refusal(data)


def test_what_is_wrong_with_several_tables_is_told_at_once(
    gate_frames: Frames, refusal: Callable, tmp_path: Path
) -> None:
    told = refusal(put_extracts({"duty_worked": gate_frames["duty_worked"]}, tmp_path / "extracts"))
    assert "establishment cannot be used" in told
    assert "system_access cannot be used" in told


# --- rows that are set aside: the same is told of them, and the other rows go on --------------------


def _told(account: Account, table: str) -> str:
    (example,) = account[table].examples
    told = str(example)
    assert len(told.splitlines()) <= SCREEN
    assert f"{table}." in told
    assert "do next" in told
    return told


def test_a_duplicate_key(gate_ingest: Callable, gate_frames: Frames) -> None:
    access = gate_frames["system_access"]
    gate_frames["system_access"] = changed(access, 12, event_id="E0-0")
    _, account = gate_ingest(gate_frames)
    told = _told(account, "system_access")
    assert account["system_access"].broken == {"event_id_is_unique": 2}
    assert "column    event_id" in told
    assert "row       1" in told
    assert "E0-0" in told


def test_a_person_who_is_not_in_the_establishment(gate_ingest: Callable, gate_frames: Frames) -> None:
    gate_frames["duty_worked"] = changed(gate_frames["duty_worked"], 12, person_key="P777777")
    told = _told(gate_ingest(gate_frames)[1], "duty_worked")
    assert "person_key_is_in_establishment" in told
    assert "column    person_key" in told
    assert "row       12" in told
    assert "P777777" in told


def test_a_negative_duration(gate_ingest: Callable, gate_frames: Frames) -> None:
    gate_frames["duty_worked"] = changed(gate_frames["duty_worked"], 12, minutes_worked=-30)
    told = _told(gate_ingest(gate_frames)[1], "duty_worked")
    assert "minutes_worked is from 0 to 1440" in told
    assert "-30" in told


def test_an_end_before_its_start(gate_ingest: Callable, gate_frames: Frames) -> None:
    booked_on = gate_frames["duty_worked"]["occurred_at"][11]
    gate_frames["duty_worked"] = changed(
        gate_frames["duty_worked"], 12, book_off=booked_on.replace(hour=booked_on.hour - 1)
    )
    _, account = gate_ingest(gate_frames)
    assert account["duty_worked"].broken == {"book_off_is_not_before_occurred_at": 1}


@pytest.mark.parametrize(
    ("column", "text", "rule"),
    [
        ("service_start", "31/02/2015", "service_start_is_a_date"),
        ("known_at", "last Tuesday", "known_at_is_a_datetime"),
        ("fte", "half", "fte_is_a_number"),
        ("withdrawn", "perhaps", "withdrawn_is_a_boolean"),
    ],
)
def test_a_text_of_a_csv_file_that_cannot_be_read(
    gate_ingest: Callable, gate_frames: Frames, tmp_path: Path, column: str, text: str, rule: str
) -> None:
    establishment = gate_frames["establishment"].with_columns(pl.col(column).cast(pl.String()))
    gate_frames["establishment"] = changed(establishment, 40, **{column: text})
    gate_frames = {name: frame for name, frame in gate_frames.items() if name == "establishment"}
    _, account = gate_ingest(gate_frames, "csv", only=["establishment"])
    told = _told(account, "establishment")
    assert account["establishment"].broken == {rule: 1}
    assert "row       40" in told
    assert f"column    {column}" in told
    assert f"found     {text}" in told
    aside = pl.read_parquet(tmp_path / "out" / "quarantine" / "establishment.parquet")
    assert aside[f"{column} as written"].to_list() == [text], "what was written is kept with the row"


def test_iso_dates_and_times_of_a_csv_file_are_read(gate_ingest: Callable, gate_frames: Frames) -> None:
    establishment = gate_frames["establishment"].with_columns(
        occurred_at=pl.lit("2020-01-01T00:00:00"), known_at=pl.lit("2020-01-02 08:30"), service_start=pl.lit("2015-05-01")
    )  # fmt: skip
    accepted, account = gate_ingest({"establishment": establishment}, "csv", only=["establishment"])
    assert account.quarantined == 0
    row = accepted.scan("establishment").collect().row(0, named=True)
    assert row["service_start"] == date(2015, 5, 1)
    assert row["known_at"].isoformat() == "2020-01-02T08:30:00"
