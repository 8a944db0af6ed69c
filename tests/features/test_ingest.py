"""Every row read is accepted or set aside with every rule it broke, and running twice changes nothing."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from features.accepted import Accepted, stored_account
from features.account import Account, TablesRefused
from features.contracts import suite_as_text, suite_for
from features.errors import DataRefused, WrongUsage
from features.ingest import INCOMING, OUTGOING, ingest
from tests.features.conftest import GATE_FORCE, START, Frames, changed, put_extracts


def _content(out: Path) -> dict[str, str]:
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in ("accepted", "quarantine")
        for path in sorted((out / folder).rglob("*"))
        if path.is_file()
    }


def test_good_extracts_are_accepted_whole(gate_ingest: Callable, gate_frames: Frames) -> None:
    accepted, account = gate_ingest(gate_frames)
    assert {table.table: table.accepted for table in account.tables} == {
        name: frame.height for name, frame in gate_frames.items()
    }
    assert account.quarantined == 0
    assert not account.refused
    assert set(accepted.fingerprints) == set(gate_frames)


def test_a_bad_row_is_set_aside_with_every_rule_it_broke(
    gate_ingest: Callable, gate_frames: Frames, tmp_path: Path
) -> None:
    gate_frames["duty_worked"] = changed(
        gate_frames["duty_worked"], 7, minutes_worked=-5, book_on_method="PIGEON", person_key="X1"
    )
    accepted, account = gate_ingest(gate_frames)
    aside = pl.read_parquet(tmp_path / "out" / "quarantine" / "duty_worked.parquet")
    assert aside["source_row"].to_list() == [7]
    assert aside["broken_rules"].to_list() == [
        ["person_key_has_its_form", "person_key_is_in_establishment", "minutes_worked_is_in_range", "book_on_method_is_in_list"]
    ]  # fmt: skip
    assert aside["minutes_worked"].to_list() == [-5]
    assert accepted.scan("duty_worked").filter(pl.col("source_row") == 7).collect().is_empty()
    assert (
        account["duty_worked"].read,
        account["duty_worked"].accepted,
        account["duty_worked"].quarantined,
    ) == (200, 199, 1)


def test_an_empty_value_where_one_must_be_is_set_aside(gate_ingest: Callable, gate_frames: Frames) -> None:
    gate_frames["duty_worked"] = changed(gate_frames["duty_worked"], 3, minutes_over=None)
    _, account = gate_ingest(gate_frames)
    assert account["duty_worked"].broken == {"minutes_over_is_present": 1}


def test_a_person_whose_only_post_was_set_aside_is_not_in_the_establishment(
    gate_ingest: Callable, gate_frames: Frames
) -> None:
    gate_frames["establishment"] = changed(gate_frames["establishment"], 1, rank="COMMODORE")
    _, account = gate_ingest(gate_frames)
    assert account["establishment"].broken == {"rank_is_in_list": 1}
    assert account["duty_worked"].broken == {"person_key_is_in_establishment": 5}
    assert account["identity_map"].broken == {"person_key_is_in_establishment": 1}
    assert account["system_access"].not_joined == 5


def test_a_number_that_is_not_in_the_identity_map_is_counted_apart(
    gate_ingest: Callable, gate_frames: Frames
) -> None:
    frame = changed(gate_frames["system_access"], 1, user_no="U999999")
    gate_frames["system_access"] = changed(frame, 2, system="TELEX")
    _, account = gate_ingest(gate_frames)
    access = account["system_access"]
    assert (access.quarantined, access.not_joined) == (2, 1)
    assert account.not_joined == 1


def test_more_bad_rows_than_the_table_may_have_refuse_it(
    gate_ingest: Callable, gate_frames: Frames, tmp_path: Path
) -> None:
    gate_frames["duty_worked"] = gate_frames["duty_worked"].with_columns(
        minutes_worked=pl.when(pl.col("person_key") <= "P000003").then(-1).otherwise("minutes_worked")
    )
    with pytest.raises(TablesRefused) as refusal:
        gate_ingest(gate_frames)
    message = str(refusal.value)
    assert "minutes_worked" in message
    assert "15 of 200 rows (7.5%)" in message
    assert refusal.value.account["duty_worked"].quarantined == 15
    assert not (tmp_path / "out").exists()
    from_another_process = pickle.loads(pickle.dumps(refusal.value))
    assert str(from_another_process) == message
    assert from_another_process.account.tables == refusal.value.account.tables


def test_as_many_bad_rows_as_the_table_may_have_do_not_refuse_it(
    gate_ingest: Callable, gate_frames: Frames
) -> None:
    gate_frames["duty_worked"] = gate_frames["duty_worked"].with_columns(
        minutes_worked=pl.when(pl.col("person_key") <= "P000002").then(-1).otherwise("minutes_worked")
    )
    _, account = gate_ingest(gate_frames)
    assert account["duty_worked"].quarantined == 10


def test_a_few_bad_rows_refuse_no_small_table(gate_ingest: Callable, gate_frames: Frames) -> None:
    few = gate_frames["event_deployment"].head(10)
    gate_frames["event_deployment"] = few.with_columns(
        minutes=pl.when(pl.col("deployment_id") <= "A0-2").then(-1).otherwise("minutes")
    )
    _, account = gate_ingest(gate_frames)
    assert account["event_deployment"].quarantined == 3


def test_a_small_table_of_nothing_but_bad_rows_is_refused(gate_ingest: Callable, gate_frames: Frames) -> None:
    gate_frames["event_deployment"] = gate_frames["event_deployment"].head(2).with_columns(minutes=pl.lit(-1))
    with pytest.raises(TablesRefused, match="event_deployment"):
        gate_ingest(gate_frames)


def test_strict_refuses_for_a_single_bad_row(gate_ingest: Callable, gate_frames: Frames) -> None:
    gate_frames["duty_worked"] = changed(gate_frames["duty_worked"], 7, minutes_worked=-5)
    with pytest.raises(TablesRefused, match="minutes_worked"):
        gate_ingest(gate_frames, strict=True)


def test_an_extract_of_another_quarter_is_stale(gate_ingest: Callable, gate_frames: Frames) -> None:
    access = gate_frames["system_access"]
    gate_frames["system_access"] = access.with_columns(
        pl.col("occurred_at", "known_at") - timedelta(days=120)
    )
    with pytest.raises(TablesRefused, match="system_access") as refusal:
        gate_ingest(gate_frames)
    told = str(refusal.value)
    assert "at most 92 days behind" in told
    assert "2023-09-07" in told, "the latest that was found"


def test_a_mistyped_year_makes_no_other_table_stale(gate_ingest: Callable, gate_frames: Frames) -> None:
    tours = gate_frames["duty_worked"]
    gate_frames["duty_plan"] = tours.select(
        "duty_id", "person_key", "occurred_at", "known_at", planned_end="book_off", shift_code=pl.lit("E"), activity_code=pl.lit("CORE"),
    )  # fmt: skip
    gate_frames["duty_worked"] = changed(tours, 1, known_at=datetime(2204, 1, 1))
    _, account = gate_ingest(gate_frames)
    assert not account.refused


def test_every_table_that_cannot_be_used_is_named_on_one_screen(
    gate_ingest: Callable, gate_frames: Frames
) -> None:
    for name, column in (
        ("duty_worked", "book_on_method"),
        ("system_access", "system"),
        ("event_deployment", "rest_day"),
    ):
        frame = gate_frames[name]
        gate_frames[name] = frame.with_columns(pl.lit(None, frame.schema[column]).alias(column))
    with pytest.raises(TablesRefused) as refusal:
        gate_ingest(gate_frames)
    message = str(refusal.value)
    assert all(name in message for name in ("duty_worked", "system_access", "event_deployment"))
    assert len(message.splitlines()) <= 24


def test_a_severe_expectation_refuses_the_table_for_one_row(
    gate_ingest: Callable, gate_frames: Frames, gate_suites: Path, tmp_path: Path
) -> None:
    suites = tmp_path / "tightened"
    suites.mkdir()
    for path in gate_suites.iterdir():
        (suites / path.name).write_text(path.read_text("utf-8"), "utf-8")
    suite = suite_for(GATE_FORCE.tables_by_name["duty_worked"])
    suite["expectations"].append(
        {"type": "expect_column_values_to_be_between", "kwargs": {"column": "minutes_over", "max_value": 60}, "meta": {"rule": "minutes_over_is_an_hour_at_most"}, "notes": "No more than an hour.", "severity": "critical"}
    )  # fmt: skip
    (suites / "duty_worked.json").write_text(suite_as_text(suite), "utf-8")
    gate_frames["duty_worked"] = changed(gate_frames["duty_worked"], 9, minutes_over=61)
    with pytest.raises(TablesRefused, match="No more than an hour") as refusal:
        gate_ingest(gate_frames, suites=suites)
    assert "row       9" in str(refusal.value)


def test_a_table_that_others_refer_to_is_refused_alone(gate_ingest: Callable, gate_frames: Frames) -> None:
    gate_frames["establishment"] = gate_frames["establishment"].with_columns(rank=pl.lit("COMMODORE"))
    with pytest.raises(TablesRefused) as refusal:
        gate_ingest(gate_frames)
    assert [table.table for table in refusal.value.account.tables] == ["establishment"]


def test_two_versions_of_one_instant_are_both_set_aside(gate_ingest: Callable, gate_frames: Frames) -> None:
    tours = gate_frames["duty_worked"]
    gate_frames["duty_worked"] = pl.concat([tours, tours[[0]]])
    _, account = gate_ingest(gate_frames)
    assert account["duty_worked"].broken == {"version_is_unique": 2}


def test_a_version_is_superseded_when_the_next_becomes_known(
    gate_ingest: Callable, gate_frames: Frames
) -> None:
    tours = gate_frames["duty_worked"]
    later = tours[[0]].with_columns(
        pl.col("known_at") + timedelta(days=2), minutes_worked=pl.lit(500, pl.Int32())
    )
    last = tours[[0]].with_columns(pl.col("known_at") + timedelta(days=9), withdrawn=pl.lit(True))
    gate_frames["duty_worked"] = pl.concat([last, tours, later], how="vertical_relaxed")
    accepted, _ = gate_ingest(gate_frames)
    first_known = START + timedelta(hours=10)
    versions = accepted.scan("duty_worked").filter(pl.col("duty_id") == "D0-0").sort("known_at").collect()
    assert versions.select("minutes_worked", "withdrawn", "superseded_at").rows() == [
        (540, False, first_known + timedelta(days=2)),
        (500, False, first_known + timedelta(days=9)),
        (540, True, None),
    ]
    assert accepted.scan("duty_worked").select(pl.col("superseded_at").count()).collect().item() == 2


def test_a_version_that_was_set_aside_supersedes_nothing(gate_ingest: Callable, gate_frames: Frames) -> None:
    tours = gate_frames["duty_worked"]
    bad = tours[[0]].with_columns(pl.col("known_at") + timedelta(days=2), book_on_method=pl.lit("PIGEON"))
    gate_frames["duty_worked"] = pl.concat([tours, bad])
    accepted, _ = gate_ingest(gate_frames)
    assert accepted.scan("duty_worked").select(pl.col("superseded_at").count()).collect().item() == 0


def test_running_twice_reads_nothing_and_changes_nothing(
    gate_ingest: Callable, gate_frames: Frames, tmp_path: Path
) -> None:
    gate_frames["duty_worked"] = changed(gate_frames["duty_worked"], 7, minutes_worked=-5)
    _, first = gate_ingest(gate_frames)
    written = _content(tmp_path / "out")
    told: list[str] = []
    _, second = gate_ingest(gate_frames, progress=told.append)
    assert second == first
    assert told == []
    assert _content(tmp_path / "out") == written
    assert stored_account(tmp_path / "out" / "accepted") == first


@pytest.mark.parametrize("change", ["rows", "strict", "suite"])
def test_anything_that_may_change_the_outcome_is_ingested_anew(
    gate_ingest: Callable, gate_frames: Frames, gate_suites: Path, tmp_path: Path, change: str
) -> None:
    suites = tmp_path / "suites"
    suites.mkdir()
    for path in gate_suites.iterdir():
        (suites / path.name).write_text(path.read_text("utf-8"), "utf-8")
    gate_ingest(gate_frames, suites=suites)
    if change == "rows":
        gate_frames["duty_worked"] = changed(gate_frames["duty_worked"], 1, minutes_over=61)
    if change == "suite":
        loosened = suite_for(GATE_FORCE.tables_by_name["duty_worked"])
        loosened["expectations"].pop()
        (suites / "duty_worked.json").write_text(suite_as_text(loosened), "utf-8")
    told: list[str] = []
    gate_ingest(gate_frames, suites=suites, strict=change == "strict", progress=told.append)
    assert len(told) == len(gate_frames)


def test_an_ingestion_that_stops_half_way_leaves_what_stood_there(
    gate_ingest: Callable, gate_frames: Frames, tmp_path: Path
) -> None:
    gate_ingest(gate_frames)
    written = _content(tmp_path / "out")
    gate_frames["duty_worked"] = changed(gate_frames["duty_worked"], 1, minutes_over=61)

    def stop_at_access_logs(line: str) -> None:
        if line.startswith("system_access"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        gate_ingest(gate_frames, progress=stop_at_access_logs)
    assert _content(tmp_path / "out") == written


def test_an_ingestion_killed_while_it_replaced_the_old_rows_is_undone_by_the_next(
    gate_ingest: Callable, gate_frames: Frames, tmp_path: Path
) -> None:
    _, first = gate_ingest(gate_frames)
    out = tmp_path / "out"
    written = _content(out)
    (out / OUTGOING).mkdir()
    (out / "accepted").rename(out / OUTGOING / "accepted")
    (out / "quarantine").rename(out / OUTGOING / "quarantine")
    (out / "quarantine").mkdir()
    (out / INCOMING / "accepted").mkdir(parents=True)
    told: list[str] = []
    _, account = gate_ingest(gate_frames, progress=told.append)
    assert account == first
    assert told == []
    assert _content(out) == written


def test_the_tables_that_a_table_refers_to_come_with_it(gate_ingest: Callable, gate_frames: Frames) -> None:
    accepted, account = gate_ingest(gate_frames, only=["system_access"])
    assert [table.table for table in account.tables] == ["establishment", "identity_map", "system_access"]
    with pytest.raises(WrongUsage, match="left out"):
        accepted.scan("duty_worked")


def test_an_unknown_table_is_answered_with_the_nearest(gate_ingest: Callable, gate_frames: Frames) -> None:
    with pytest.raises(WrongUsage, match="'duty_worked'"):
        gate_ingest(gate_frames, only=["duty_work"])


def test_an_optional_table_may_be_absent(gate_ingest: Callable, gate_frames: Frames) -> None:
    del gate_frames["event_deployment"]
    accepted, account = gate_ingest(gate_frames)
    assert "event_deployment" not in {table.table for table in account.tables}
    empty = accepted.scan("event_deployment").collect()
    assert empty.is_empty()
    assert empty.schema["minutes"] == pl.Int64()


def test_an_enclave_that_this_person_does_not_have_is_no_reason_to_stop(
    gate_ingest: Callable, gate_frames: Frames
) -> None:
    del gate_frames["protected_characteristics"]
    _, account = gate_ingest(gate_frames)
    assert not account.refused


def test_no_value_of_an_enclave_table_enters_the_account(gate_ingest: Callable, gate_frames: Frames) -> None:
    gate_frames["protected_characteristics"] = changed(
        gate_frames["protected_characteristics"], 1, ethnicity="VALUE-NOBODY-MAY-SEE"
    )
    _, account = gate_ingest(gate_frames)
    assert account["protected_characteristics"].broken == {"ethnicity_is_in_list": 1}
    assert "VALUE-NOBODY-MAY-SEE" not in str(account.to_dict())


def test_columns_that_are_not_declared_are_listed_and_not_read(
    gate_ingest: Callable, gate_frames: Frames
) -> None:
    gate_frames["duty_worked"] = gate_frames["duty_worked"].with_columns(remarks=pl.lit("private"))
    accepted, account = gate_ingest(gate_frames)
    assert account["duty_worked"].not_read == ("remarks",)
    assert "remarks" not in accepted.scan("duty_worked").collect_schema()


def test_csv_gives_the_same_rows_as_parquet(gate_frames: Frames, gate_suites: Path, tmp_path: Path) -> None:
    rows = []
    for ending in ("parquet", "csv"):
        data = put_extracts(gate_frames, tmp_path / ending, ending)
        accepted, _ = ingest(GATE_FORCE, data, out=tmp_path / f"out {ending}", suites=gate_suites)
        rows.append({name: accepted.scan(name).collect() for name in gate_frames if "protected" not in name})
    for name, from_parquet in rows[0].items():
        assert from_parquet.equals(rows[1][name]), name


def test_a_database_gives_the_same_rows_as_parquet(
    gate_frames: Frames, gate_suites: Path, tmp_path: Path
) -> None:
    from sqlalchemy import create_engine

    url = f"sqlite:///{tmp_path / 'force.db'}"
    engine = create_engine(url)
    for name, frame in gate_frames.items():
        frame.write_database(name, engine)
    engine.dispose()
    from_database, account = ingest(GATE_FORCE, url, out=tmp_path / "from database", suites=gate_suites)
    assert account.quarantined == 0
    files = put_extracts(gate_frames, tmp_path / "files")
    from_files, _ = ingest(GATE_FORCE, files, out=tmp_path / "from files", suites=gate_suites)
    for name in ("duty_worked", "system_access", "establishment"):
        key = list(GATE_FORCE.tables_by_name[name].key)
        left, right = (
            handle.scan(name).drop("source_row").sort(key).collect() for handle in (from_database, from_files)
        )
        assert left.equals(right), name
    told: list[str] = []
    ingest(GATE_FORCE, url, out=tmp_path / "from database", suites=gate_suites, progress=told.append)
    assert told == [], "the same content has the same fingerprint"


def test_a_database_that_is_not_there_is_refused(gate_suites: Path, tmp_path: Path) -> None:
    with pytest.raises(DataRefused, match="no such database file"):
        ingest(GATE_FORCE, f"sqlite:///{tmp_path / 'none.db'}", out=tmp_path / "out", suites=gate_suites)
    with pytest.raises(DataRefused, match="cannot be opened"):
        ingest(GATE_FORCE, "nosuchdialect://x", out=tmp_path / "out", suites=gate_suites)
    assert not (tmp_path / "out").exists()


def test_a_damaged_middle_of_a_file_is_refused(
    gate_frames: Frames, gate_suites: Path, tmp_path: Path
) -> None:
    data = put_extracts(gate_frames, tmp_path / "extracts")
    path = data / "duty_worked.parquet"
    content = bytearray(path.read_bytes())
    content[4:600] = b"\0" * 596
    path.write_bytes(bytes(content))
    with pytest.raises(DataRefused, match=r"duty_worked\.parquet"):
        ingest(GATE_FORCE, data, out=tmp_path / "out", suites=gate_suites)
    assert not (tmp_path / "out").exists()


def test_the_account_survives_its_journey_through_json(gate_ingest: Callable, gate_frames: Frames) -> None:
    gate_frames["duty_worked"] = changed(gate_frames["duty_worked"], 7, minutes_worked=-5)
    _, account = gate_ingest(gate_frames)
    assert Account.from_dict(account.to_dict()) == account
    assert account.frame().row(by_predicate=pl.col("table") == "duty_worked", named=True)["broken"] == (
        "minutes_worked_is_in_range (1)"
    )
    assert "640 rows read" not in account._repr_html_()
    assert f"{account.read:,} rows read" in account._repr_html_()


def test_an_account_that_loses_a_row_cannot_be_written(gate_ingest: Callable, gate_frames: Frames) -> None:
    from dataclasses import replace

    _, account = gate_ingest(gate_frames)
    with pytest.raises(ValueError, match="rows read"):
        replace(account.tables[0], accepted=account.tables[0].accepted - 1)


def test_a_link_recorded_late_makes_its_rows_known_late(gate_ingest: Callable, gate_frames: Frames) -> None:
    linked = datetime(2024, 3, 1)
    gate_frames["identity_map"] = changed(gate_frames["identity_map"], 1, known_at=linked)
    accepted, _ = gate_ingest(gate_frames)
    known = accepted.scan("system_access").group_by("person_key").agg(pl.col("known_at").min()).collect()
    by_person = dict(known.iter_rows())
    assert by_person["P000001"] == linked
    assert by_person["P000002"] == START + timedelta(hours=1)


def test_another_force_cannot_open_the_rows(gate_ingest: Callable, gate_frames: Frames) -> None:
    from features.definition import load_force

    accepted, _ = gate_ingest(gate_frames)
    with pytest.raises(WrongUsage, match="'forty'"):
        Accepted.open(load_force("chicago"), accepted.directory)


def test_great_expectations_is_not_imported_by_an_ingestion() -> None:
    import subprocess
    import sys

    code = "import sys, features.ingest, features.sources; sys.exit('great_expectations' in sys.modules or 'pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
