"""Extracts are opened in the declared columns and types, whatever narrower type they were stored in."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from features.definition import ForceDefinition
from features.errors import DataRefused, WrongUsage
from features.sources import SourcePart, as_written, open_extracts
from features.tables import Column, Table
from tests.features.conftest import Frames, put_extracts


def _table(*columns: Column) -> Table:
    return Table(
        name="t", says="One.", source_system="S", columns=columns, key=(columns[0].name,), person=None,
        occurred_at=None, known_at=None,
    )  # fmt: skip


def _opened(gate_force: ForceDefinition, table: Table, directory: Path) -> SourcePart:
    from dataclasses import replace

    (part,) = open_extracts(replace(gate_force, tables=(table,)), directory)["t"].parts
    return part


@pytest.mark.parametrize(
    ("kind", "stored", "values"),
    [
        ("integer", pl.Int8(), [1, None, 3]),
        ("integer", pl.UInt32(), [1, None, 3]),
        ("number", pl.Int16(), [1, None, 3]),
        ("number", pl.Float32(), [0.5, None, 3.0]),
        ("number", pl.Decimal(10, 2), [0.5, None, 3.0]),
        ("string", pl.Categorical(), ["a", None, "b"]),
        ("string", pl.Null(), [None, None, None]),
        ("datetime", pl.Datetime("ns"), [None, None, None]),
        ("datetime", pl.Date(), [None, None, None]),
    ],
)
def test_a_narrower_type_is_widened(
    gate_force: ForceDefinition, tmp_path: Path, kind, stored: pl.DataType, values: list
) -> None:
    pl.DataFrame({"a": pl.Series(values, dtype=stored)}).write_parquet(tmp_path / "t.parquet")
    column = Column(name="a", kind=kind, says="a", nullable=True)
    frame = _opened(gate_force, _table(column), tmp_path).frame.collect()
    assert frame.schema == {"source_row": pl.Int64(), "a": column.dtype}
    assert frame["a"].to_list() == values
    assert frame["source_row"].to_list() == [1, 2, 3]


@pytest.mark.parametrize(
    ("kind", "stored"),
    [
        ("integer", pl.UInt64()), ("integer", pl.Float64()), ("boolean", pl.Int8()), ("string", pl.Int64()),
        ("date", pl.Datetime("us")), ("date", pl.String()), ("datetime", pl.Datetime("us", "UTC")), ("number", pl.String()),
    ],
)  # fmt: skip
def test_a_type_that_would_lose_or_guess_is_refused(
    gate_force: ForceDefinition, tmp_path: Path, kind, stored: pl.DataType
) -> None:
    pl.DataFrame(schema={"a": stored}).write_parquet(tmp_path / "t.parquet")
    with pytest.raises(DataRefused, match="column    a"):
        _opened(gate_force, _table(Column(name="a", kind=kind, says="a")), tmp_path)


def test_a_number_that_is_no_number_is_a_missing_one(gate_force: ForceDefinition, tmp_path: Path) -> None:
    pl.DataFrame({"a": [1.0, float("nan")]}).write_parquet(tmp_path / "t.parquet")
    frame = _opened(gate_force, _table(Column(name="a", kind="number", says="a")), tmp_path).frame
    assert frame.collect()["a"].to_list() == [1.0, None]


@pytest.mark.parametrize(
    ("kind", "texts", "values"),
    [
        ("integer", ["1", " 2 ", "3.0", "x", "", "2.5"], [1, 2, 3, None, None, None]),
        ("number", ["1", "2.5", "1e3", "x", "", "NaN"], [1.0, 2.5, 1000.0, None, None, None]),
        ("boolean", ["true", "False", "1", "N", "", "maybe"], [True, False, True, False, None, None]),
    ],
)
def test_texts_of_a_csv_file_are_read_as_declared(
    gate_force: ForceDefinition, tmp_path: Path, kind, texts: list[str], values: list
) -> None:
    pl.DataFrame({"k": ["r"] * 6, "a": texts}).write_csv(tmp_path / "t.csv")
    table = _table(Column(name="k", kind="string", says="k"), Column(name="a", kind=kind, says="a"))
    frame = _opened(gate_force, table, tmp_path).frame.collect()
    assert frame["a"].to_list() == values
    assert frame[as_written("a")].to_list()[3] == texts[3]
    assert frame["source_row"].to_list() == [1, 2, 3, 4, 5, 6]


def test_the_fingerprint_is_of_the_content_and_not_of_the_place(
    gate_force: ForceDefinition, gate_frames: Frames, tmp_path: Path
) -> None:
    here, there = (open_extracts(gate_force, put_extracts(gate_frames, tmp_path / place)) for place in "ab")
    assert [one.fingerprint for one in here.values()] == [one.fingerprint for one in there.values()]
    gate_frames["duty_worked"] = gate_frames["duty_worked"].head(199)
    changed = open_extracts(gate_force, put_extracts(gate_frames, tmp_path / "c"))
    differing = [name for name in here if here[name].fingerprint != changed[name].fingerprint]
    assert differing == ["duty_worked"]


def test_only_the_tables_asked_for_are_opened(
    gate_force: ForceDefinition, gate_frames: Frames, tmp_path: Path
) -> None:
    data = put_extracts({"establishment": gate_frames["establishment"]}, tmp_path)
    assert list(open_extracts(gate_force, data, only=["establishment"])) == ["establishment"]
    with pytest.raises(WrongUsage, match="Did you mean 'establishment'"):
        open_extracts(gate_force, data, only=["establishmet"])


def test_an_enclave_table_lies_in_its_own_folder(
    gate_force: ForceDefinition, gate_frames: Frames, tmp_path: Path
) -> None:
    data = put_extracts(gate_frames, tmp_path)
    extract = open_extracts(gate_force, data)["protected_characteristics"]
    assert Path(extract.origin).parent.name == "enclave"


def test_a_value_of_the_enclave_is_not_shown_in_a_refusal(
    gate_force: ForceDefinition, gate_frames: Frames, tmp_path: Path
) -> None:
    gate_frames["protected_characteristics"] = gate_frames["protected_characteristics"].with_columns(
        disability_declared=pl.lit("VALUE-NOBODY-MAY-SEE")
    )
    with pytest.raises(DataRefused, match="withheld") as refused:
        open_extracts(gate_force, put_extracts(gate_frames, tmp_path))
    assert "VALUE-NOBODY-MAY-SEE" not in str(refused.value)


def test_the_password_of_a_database_is_never_shown(gate_force: ForceDefinition) -> None:
    with pytest.raises(DataRefused) as refused:
        open_extracts(gate_force, "nosuchdialect://reader:SECRET@host/db")
    assert "SECRET" not in str(refused.value)


def test_a_database_table_is_refused_like_a_file(
    gate_force: ForceDefinition, gate_frames: Frames, tmp_path: Path
) -> None:
    from sqlalchemy import create_engine

    url = f"sqlite:///{tmp_path / 'force.db'}"
    engine = create_engine(url)
    for name, frame in gate_frames.items():
        match name:
            case "duty_worked":
                frame.drop("minutes_worked").write_database(name, engine)
            case "identity_map":
                frame.clear().write_database(name, engine)
            case "system_access":
                frame.with_columns(longitude=pl.lit(0.1)).write_database(name, engine)
            case "establishment":
                pass
            case _:
                frame.write_database(name, engine)
    engine.dispose()
    with pytest.raises(DataRefused) as refused:
        open_extracts(gate_force, url)
    told = str(refused.value)
    assert "a table establishment" in told
    assert "identity_map" in told
    assert "column    minutes_worked" in told
    assert "and 1 more" in told
