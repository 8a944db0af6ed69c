"""A table in parts is what it would be in one piece, in whatever order and company its parts came."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from features import judging
from features.accepted import Accepted
from features.account import Account, TablesRefused
from features.contracts import suite_as_text, suite_for, write_suites
from features.errors import DataRefused
from features.ingest import ingest
from features.keys import made_hashes
from features.tables import Column, Table
from tests.features.conftest import GATE_FORCE, START, Frames, changed, put_extracts

Parts = Mapping[str, pl.DataFrame]


def put_parts(data: Path, table: str, parts: Parts, ending: str = "parquet") -> Path:
    """Makes a table of the extracts a folder with exactly these parts."""
    folder = data / table
    folder.mkdir(parents=True, exist_ok=True)
    (data / f"{table}.parquet").unlink(missing_ok=True)
    for path in folder.iterdir():
        path.unlink()
    for name, frame in parts.items():
        if ending == "parquet":
            frame.write_parquet(folder / f"{name}.parquet")
        else:
            frame.write_csv(folder / f"{name}.csv")
    return folder


def by_day(frame: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """A part a day of the month in which the rows happened."""
    days = frame["occurred_at"].dt.strftime("%Y-%m-%d")
    return {day: frame.filter(days == day) for day in sorted(days.unique())}


@pytest.fixture
def extracts(gate_frames: Frames, tmp_path: Path) -> Path:
    """The extracts of the very small force; tours and uses of systems in five parts each."""
    data = put_extracts(gate_frames, tmp_path / "extracts")
    for table in ("duty_worked", "system_access"):
        put_parts(data, table, by_day(gate_frames[table]))
    return data


@pytest.fixture
def gate(extracts: Path, gate_suites: Path, tmp_path: Path) -> Callable[..., tuple[Accepted, Account]]:
    def run(**options):  # type: ignore[no-untyped-def]  # options of ingest
        return ingest(GATE_FORCE, extracts, **{"out": tmp_path / "out", "suites": gate_suites, **options})

    return run


def _written(accepted: Path, table: str) -> dict[str, int]:
    """When the file of each part was written."""
    return {path.stem: path.stat().st_mtime_ns for path in (accepted / table).iterdir()}


# --- in parts as in one piece -----------------------------------------------------------------------


def test_parts_give_the_rows_that_one_file_gives(
    gate: Callable, gate_frames: Frames, gate_suites: Path, tmp_path: Path
) -> None:
    in_parts, account = gate()
    whole = put_extracts(gate_frames, tmp_path / "whole")
    in_one, _ = ingest(GATE_FORCE, whole, out=tmp_path / "one", suites=gate_suites)
    for table in ("duty_worked", "system_access"):
        key = GATE_FORCE.tables_by_name[table].key
        left, right = (each.scan(table).drop("source_row").sort(key).collect() for each in (in_parts, in_one))
        assert left.equals(right)
    assert (account["duty_worked"].read, account["duty_worked"].accepted) == (200, 200)
    assert account["duty_worked"].anew == ()


def test_rows_are_counted_on_from_part_to_part(gate: Callable) -> None:
    accepted, _ = gate()
    rows = accepted.scan("duty_worked").select("source_row", "occurred_at").collect()
    assert rows["source_row"].to_list() == list(range(1, 201))
    assert rows["occurred_at"].is_sorted()


def test_each_part_says_its_rows_and_when_they_became_known(gate: Callable) -> None:
    accepted, _ = gate()
    parts = accepted.parts["duty_worked"]
    assert [part.name for part in parts] == [f"2024-01-0{day}" for day in range(1, 6)]
    assert [(part.rows, part.read) for part in parts] == [(40, 40)] * 5
    known = START + timedelta(hours=10)
    assert (parts[1].first_known, parts[1].last_known) == (known + timedelta(days=1),) * 2
    assert [part.name for part in accepted.parts["establishment"]] == ["establishment"]
    again = Accepted.open(GATE_FORCE, accepted.directory)
    assert (again.parts, again.fingerprints) == (accepted.parts, accepted.fingerprints)


def test_parts_of_csv_and_of_parquet_stand_side_by_side(
    gate: Callable, gate_frames: Frames, extracts: Path
) -> None:
    days = by_day(gate_frames["duty_worked"])
    folder = put_parts(extracts, "duty_worked", days)
    (folder / "2024-01-02.parquet").unlink()
    changed(days["2024-01-02"], 3, minutes_worked=-1).write_csv(folder / "2024-01-02.csv")
    accepted, account = gate()
    assert (account["duty_worked"].accepted, account["duty_worked"].quarantined) == (199, 1)
    assert accepted.scan("duty_worked").collect().height == 199
    (example,) = account["duty_worked"].examples
    assert (Path(example.file).name, example.row) == ("2024-01-02.csv", 3)


def test_enclave_tables_may_come_in_parts(gate: Callable, gate_frames: Frames, extracts: Path) -> None:
    frame = gate_frames["protected_characteristics"]
    put_parts(extracts / "enclave", "protected_characteristics", {"a": frame.head(15), "b": frame.slice(15)})
    accepted, _ = gate()
    assert accepted.scan_enclave("protected_characteristics", "audit").collect().height == 40


# --- what is read anew, and why ---------------------------------------------------------------------


def test_a_new_part_leaves_the_others_as_they_were(
    gate: Callable, gate_frames: Frames, extracts: Path, tmp_path: Path
) -> None:
    days = by_day(gate_frames["duty_worked"])
    put_parts(extracts, "duty_worked", {day: days[day] for day in sorted(days)[:4]})
    first, _ = gate()
    before = _written(tmp_path / "out" / "accepted", "duty_worked")
    put_parts(extracts, "duty_worked", days)
    told: list[str] = []
    second, account = gate(progress=told.append)
    assert account["duty_worked"].anew == ("2024-01-05: new",)
    assert account["system_access"].anew == ()
    after = _written(tmp_path / "out" / "accepted", "duty_worked")
    assert {day: after[day] for day in before} == before, "the very files of the ingestion before"
    assert second.parts["duty_worked"][:4] == first.parts["duty_worked"]
    assert second.fingerprints["duty_worked"] != first.fingerprints["duty_worked"]
    assert second.fingerprints["system_access"] == first.fingerprints["system_access"]
    assert any("duty_worked: 200 rows read" in line and "2024-01-05: new" in line for line in told)


def test_a_changed_and_a_vanished_part_are_named(gate: Callable, gate_frames: Frames, extracts: Path) -> None:
    gate()
    days = by_day(gate_frames["duty_worked"])
    days["2024-01-02"] = changed(days["2024-01-02"], 1, minutes_over=61)
    del days["2024-01-04"]
    put_parts(extracts, "duty_worked", days)
    accepted, account = gate()
    assert account["duty_worked"].anew == (
        "2024-01-02: its content is another",
        "2024-01-04: no longer there",
    )
    assert account["duty_worked"].read == 160
    assert accepted.scan("duty_worked").filter(pl.col("minutes_over") == 61).collect().height == 1


def test_a_changed_suite_reads_its_table_anew_and_no_other(
    gate: Callable, gate_suites: Path, tmp_path: Path
) -> None:
    suites = tmp_path / "tightened"
    suites.mkdir()
    for path in gate_suites.iterdir():
        (suites / path.name).write_text(path.read_text("utf-8"), "utf-8")
    gate(suites=suites)
    suite = suite_for(GATE_FORCE.tables_by_name["duty_worked"])
    suite["expectations"].append(
        {"type": "expect_column_values_to_be_between", "kwargs": {"column": "minutes_over", "max_value": 90}, "meta": {"rule": "short"}, "notes": "Short.", "severity": "warning"}
    )  # fmt: skip
    (suites / "duty_worked.json").write_text(suite_as_text(suite), "utf-8")
    _, account = gate(suites=suites)
    assert account["duty_worked"].anew == ("every part: its suite changed (short)",)
    assert [table.table for table in account.tables if table.anew] == ["duty_worked"]


def test_another_wording_of_a_rule_reads_nothing_anew(
    gate: Callable, gate_suites: Path, tmp_path: Path
) -> None:
    suites = tmp_path / "reworded"
    suites.mkdir()
    for path in gate_suites.iterdir():
        (suites / path.name).write_text(path.read_text("utf-8"), "utf-8")
    gate(suites=suites)
    suite = suite_for(GATE_FORCE.tables_by_name["duty_worked"])
    suite["expectations"][0]["notes"] = "Better words."
    (suites / "duty_worked.json").write_text(suite_as_text(suite), "utf-8")
    _, account = gate(suites=suites)
    assert account["duty_worked"].anew == ()
    assert account["duty_worked"].checks[0].expectation["notes"] == "Better words."


def test_another_declaration_of_a_table_reads_it_and_those_that_refer_to_it_anew(
    extracts: Path, gate_frames: Frames, gate_suites: Path, tmp_path: Path
) -> None:
    ingest(GATE_FORCE, extracts, out=tmp_path / "out", suites=gate_suites)
    number = [
        *GATE_FORCE.tables_by_name["identity_map"].columns,
        Column(name="issued", kind="date", says="when issued"),
    ]
    tables = [
        replace(table, columns=tuple(number)) if table.name == "identity_map" else table
        for table in GATE_FORCE.tables
    ]
    force = replace(GATE_FORCE, tables=tuple(tables))
    write_suites(force, tmp_path / "suites")
    gate_frames["identity_map"].with_columns(issued=date(2020, 1, 1)).write_parquet(
        extracts / "identity_map.parquet"
    )
    _, account = ingest(force, extracts, out=tmp_path / "out", suites=tmp_path / "suites")
    assert account["duty_worked"].anew == ()
    assert account["identity_map"].anew == ("identity_map: its content is another",)
    assert account["system_access"].anew == (
        "every part: its declaration changed, or that of a table it refers to",
    )


def test_rows_accepted_by_an_older_version_are_read_anew(gate: Callable, tmp_path: Path) -> None:
    gate()
    path = tmp_path / "out" / "accepted" / "manifest.json"
    stored = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({"force": stored["force"], "inputs": "of another kind"}), "utf-8")
    _, account = gate()
    assert account["duty_worked"].accepted == 200


# --- stored hashes of keys --------------------------------------------------------------------------


def _hashed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The rows of the parts whose hashes are made from here on."""
    made: list[int] = []

    def counted(frame: pl.LazyFrame, columns: Sequence[str]):  # type: ignore[no-untyped-def]  # as made_hashes
        hashes = made_hashes(frame, columns)
        made.append(hashes.size)
        return hashes

    monkeypatch.setattr(judging, "made_hashes", counted)
    return made


def test_parts_that_are_the_same_are_met_by_their_stored_hashes(
    gate: Callable, gate_frames: Frames, extracts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = by_day(gate_frames["system_access"])
    put_parts(extracts, "system_access", {day: days[day] for day in sorted(days)[:4]})
    gate()
    kept = tmp_path / "out" / "keys" / "system_access" / "2024-01-01.parquet"
    assert kept.stat().st_size < 40 * 8 + 1_000
    before = kept.stat()
    made = _hashed(monkeypatch)
    days["2024-01-05"] = changed(days["2024-01-05"], 1, event_id="E3-0")
    put_parts(extracts, "system_access", days)
    _, account = gate()
    assert made == [40], "of the new part"
    assert account["system_access"].broken == {"event_id_is_unique": 2}
    assert (kept.stat().st_ino, kept.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_hashes_of_another_version_of_polars_are_made_anew_and_it_is_said(
    gate: Callable, gate_frames: Frames, extracts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = by_day(gate_frames["system_access"])
    put_parts(extracts, "system_access", {day: days[day] for day in sorted(days)[:4]})
    gate()
    made = _hashed(monkeypatch)
    then = pl.__version__
    monkeypatch.setattr(pl, "__version__", "0.1")
    put_parts(extracts, "system_access", days)
    _, account = gate()
    assert made == [40] * 5
    assert account["system_access"].anew == (
        "2024-01-05: new",
        "2024-01-01, 2024-01-02, 2024-01-03 and 1 more: hashes of its keys made anew, "
        f"of polars {then}, not 0.1",
    )


def test_rows_accepted_before_hashes_were_kept_are_not_judged_anew(
    gate: Callable, gate_frames: Frames, extracts: Path, tmp_path: Path
) -> None:
    days = by_day(gate_frames["system_access"])
    put_parts(extracts, "system_access", {day: days[day] for day in sorted(days)[:4]})
    first, _ = gate()
    shutil.rmtree(tmp_path / "out" / "keys")
    days["2024-01-05"] = changed(days["2024-01-05"], 1, event_id="E3-0")
    put_parts(extracts, "system_access", days)
    second, account = gate()
    assert account["system_access"].anew[-1].endswith("hashes of its keys made anew, none were kept")
    assert account["system_access"].broken == {"event_id_is_unique": 2}
    assert second.parts["system_access"][1:4] == first.parts["system_access"][1:]


# --- what crosses parts -----------------------------------------------------------------------------


def test_a_key_repeated_by_a_new_part_sets_the_old_row_aside_too(
    gate: Callable, gate_frames: Frames, extracts: Path
) -> None:
    days = by_day(gate_frames["system_access"])
    put_parts(extracts, "system_access", {day: days[day] for day in sorted(days)[:4]})
    gate()
    days["2024-01-05"] = changed(days["2024-01-05"], 1, event_id="E3-0")
    put_parts(extracts, "system_access", days)
    accepted, account = gate()
    assert account["system_access"].broken == {"event_id_is_unique": 2}
    assert account["system_access"].anew == (
        "2024-01-01: other parts came to share its keys, or no longer do (event_id_is_unique)",
        "2024-01-05: new",
    )
    assert accepted.scan("system_access").filter(pl.col("event_id") == "E3-0").collect().is_empty()
    del days["2024-01-05"]
    put_parts(extracts, "system_access", days)
    accepted, account = gate()
    assert account["system_access"].quarantined == 0
    assert accepted.scan("system_access").filter(pl.col("event_id") == "E3-0").collect().height == 1


def test_a_version_in_a_new_part_supersedes_the_row_of_an_old_one(
    gate: Callable, gate_frames: Frames, extracts: Path
) -> None:
    days = by_day(gate_frames["duty_worked"])
    first, _ = gate()
    corrected = days["2024-01-02"].head(1).with_columns(
        pl.col("known_at") + timedelta(days=40), minutes_worked=pl.lit(500, pl.Int32())
    )  # fmt: skip
    put_parts(extracts, "duty_worked", {**days, "2024-02": corrected})
    second, account = gate()
    (tour,) = corrected["duty_id"]
    versions = second.scan("duty_worked").filter(pl.col("duty_id") == tour).sort("known_at").collect()
    assert versions["superseded_at"].to_list() == [versions["known_at"][1], None]
    assert account["duty_worked"].anew == (
        "2024-01-02: versions that supersede its rows came or went with other parts",
        "2024-02: new",
    )
    assert second.parts["duty_worked"][:5] == first.parts["duty_worked"], (
        "what was known before the new version is what it was"
    )
    put_parts(extracts, "duty_worked", days)
    third, _ = gate()
    assert third.scan("duty_worked").select(pl.col("superseded_at").count()).collect().item() == 0


def test_what_was_superseded_stays_so_when_later_versions_come_to_other_parts(
    gate: Callable, gate_frames: Frames, extracts: Path, gate_suites: Path, tmp_path: Path
) -> None:
    days = by_day(gate_frames["duty_worked"])
    for part, day, later in (("2024-02", "2024-01-03", 40), ("2024-03", "2024-01-01", 70)):
        days[part] = days[day].head(1).with_columns(pl.col("known_at") + timedelta(days=later))
        put_parts(extracts, "duty_worked", days)
        accepted, _ = gate()
    straight, _ = ingest(GATE_FORCE, extracts, out=tmp_path / "straight", suites=gate_suites)
    rows = accepted.scan("duty_worked").collect()
    assert rows.equals(straight.scan("duty_worked").collect())
    assert rows["superseded_at"].count() == 2


def test_a_version_that_comes_to_stand_supersedes_the_row_of_another_part(
    gate: Callable, gate_frames: Frames, extracts: Path, gate_suites: Path, tmp_path: Path
) -> None:
    posts, tours = gate_frames["establishment"], by_day(gate_frames["duty_worked"])
    joining = posts["person_key"] == "P000040"
    first = tours["2024-01-01"].head(1)
    corrected = first.with_columns(pl.col("known_at") + timedelta(days=1), person_key=pl.lit("P000040"))
    tours["2024-01-02"] = pl.concat([tours["2024-01-02"], corrected])
    put_parts(extracts, "duty_worked", tours)
    found = []
    for known in (
        {"2020": posts.filter(~joining)},
        {"2020": posts.filter(~joining), "2024": posts.filter(joining)},
    ) * 2:
        put_parts(extracts, "establishment", known)
        accepted, account = gate()
        straight, expected = ingest(
            GATE_FORCE, extracts, out=tmp_path / f"straight {len(found)}", suites=gate_suites
        )
        rows = accepted.scan("duty_worked").collect()
        assert rows.equals(straight.scan("duty_worked").collect())
        assert account["duty_worked"].broken == expected["duty_worked"].broken
        found.append(rows.filter(duty_id=first["duty_id"].item())["superseded_at"].count())
    assert found == [0, 1, 0, 1]


def test_a_person_of_a_later_establishment_part_brings_their_rows_back(
    gate: Callable, gate_frames: Frames, extracts: Path
) -> None:
    posts = gate_frames["establishment"]
    newcomer = posts["person_key"] == "P000040"
    put_parts(extracts, "establishment", {"2020": posts.filter(~newcomer)})
    _, account = gate()
    assert account["duty_worked"].broken == {"person_key_is_in_establishment": 5}
    assert account["system_access"].not_joined == 5
    put_parts(extracts, "establishment", {"2020": posts.filter(~newcomer), "2024": posts.filter(newcomer)})
    _, account = gate()
    assert account.quarantined == 0
    assert account["establishment"].anew == ("2024: new",)
    assert account["duty_worked"].anew == (
        "every part: establishment changed, which 1 of its rows name (person_key)",
    )
    put_parts(extracts, "establishment", {"2020": posts.filter(~newcomer)})
    _, account = gate()
    assert account["duty_worked"].broken == {"person_key_is_in_establishment": 5}


def test_a_part_that_names_nobody_whose_number_changed_is_kept(
    gate: Callable, gate_frames: Frames, extracts: Path
) -> None:
    uses = by_day(gate_frames["system_access"])
    first_user = pl.col("user_no") == gate_frames["identity_map"]["user_no"][0]
    for day in sorted(uses)[1:]:
        uses[day] = uses[day].filter(~first_user)
    put_parts(extracts, "system_access", uses)
    first, _ = gate()
    links = changed(gate_frames["identity_map"], 1, person_key="P000002")
    links.write_parquet(extracts / "identity_map.parquet")
    second, account = gate()
    assert account["system_access"].anew == (
        "2024-01-01: identity_map changed, which 1 of its rows name (user_no)",
    )
    then, now = first.parts["system_access"], second.parts["system_access"]
    assert [a.fingerprint == b.fingerprint for a, b in zip(then, now, strict=True)] == [False, *[True] * 4]
    assert now[0].rows == then[0].rows


def test_an_old_extract_is_told_by_all_its_parts(gate: Callable, gate_frames: Frames, extracts: Path) -> None:
    old = gate_frames["system_access"].with_columns(
        pl.col("occurred_at", "known_at") - timedelta(days=200), pl.format("old {}", "event_id").alias("event_id")
    )  # fmt: skip
    put_parts(extracts, "system_access", {"2023": old, **by_day(gate_frames["system_access"])})
    _, account = gate()
    assert not account.refused, "its newest part is fresh"
    put_parts(extracts, "system_access", {"2023": old})
    with pytest.raises(TablesRefused, match="at most 92 days behind"):
        gate()


# --- shares of bad rows -----------------------------------------------------------------------------


def test_a_part_that_is_mostly_bad_is_refused_though_the_table_is_not(
    gate: Callable, gate_frames: Frames, extracts: Path, tmp_path: Path
) -> None:
    tours = gate_frames["duty_worked"]
    shifted = tours.head(20).with_columns(
        pl.format("new {}", "duty_id").alias("duty_id"),
        minutes_worked=pl.when(pl.int_range(pl.len()) < 11).then(-1).otherwise("minutes_worked"),
    )
    more = pl.concat(
        tours.with_columns(pl.format("{} {}", "duty_id", pl.lit(n)).alias("duty_id")) for n in range(2)
    )
    put_parts(extracts, "duty_worked", {**by_day(tours), "more": more, "wrong": shifted})
    with pytest.raises(TablesRefused) as refused:
        gate()
    told = str(refused.value)
    assert "wrong.parquet" in told
    assert "11 of 20 rows of this part, 50% may be bad" in told
    assert not (tmp_path / "out").exists()


def test_many_bad_rows_spread_over_the_parts_refuse_the_table(
    gate: Callable, gate_frames: Frames, extracts: Path
) -> None:
    bad = gate_frames["duty_worked"].with_columns(
        minutes_worked=pl.when(pl.col("person_key") <= "P000003").then(-1).otherwise("minutes_worked")
    )
    put_parts(extracts, "duty_worked", by_day(bad))
    with pytest.raises(TablesRefused, match=r"15 of 200 rows \(7.5%\)"):
        gate()


def test_an_empty_part_of_a_table_that_grows_daily_is_refused(
    gate: Callable, gate_frames: Frames, extracts: Path
) -> None:
    days = by_day(gate_frames["system_access"])
    put_parts(extracts, "system_access", {**days, "2024-01-06": gate_frames["system_access"].clear()})
    with pytest.raises(TablesRefused, match="gains every day"):
        gate()


def test_an_empty_part_of_a_table_of_rare_rows_is_none_the_worse(
    gate: Callable, gate_frames: Frames, extracts: Path
) -> None:
    posts = gate_frames["establishment"]
    put_parts(extracts, "establishment", {"2020": posts, "2024": posts.clear()})
    accepted, account = gate()
    assert account["establishment"].accepted == 40
    assert accepted.parts["establishment"][1].first_known is None


# --- folders that are none --------------------------------------------------------------------------


def test_a_file_and_a_folder_of_one_table_are_refused(
    gate: Callable, gate_frames: Frames, extracts: Path
) -> None:
    gate_frames["duty_worked"].write_parquet(extracts / "duty_worked.parquet")
    with pytest.raises(DataRefused, match=r"duty_worked\.parquet and duty_worked/"):
        gate()


def test_a_folder_without_a_part_is_a_missing_table(gate: Callable, extracts: Path) -> None:
    put_parts(extracts, "duty_worked", {})
    with pytest.raises(DataRefused, match=r"2024-01\.parquet"):
        gate()


def test_what_is_no_part_is_not_passed_over_in_silence(gate: Callable, extracts: Path) -> None:
    (extracts / "duty_worked" / "2024-02.xlsx").write_bytes(b"x")
    with pytest.raises(DataRefused, match=r"2024-02\.xlsx"):
        gate()


def test_two_files_of_one_part_are_refused(gate: Callable, gate_frames: Frames, extracts: Path) -> None:
    gate_frames["duty_worked"].head(1).write_csv(extracts / "duty_worked" / "2024-01-02.csv")
    with pytest.raises(DataRefused, match=r"2024-01-02\.csv, 2024-01-02\.parquet"):
        gate()


def test_a_note_of_the_exporting_system_is_no_part(gate: Callable, extracts: Path) -> None:
    (extracts / "duty_worked" / "_SUCCESS").write_bytes(b"")
    _, account = gate()
    assert account["duty_worked"].read == 200


def test_a_part_with_a_missing_column_is_named(gate: Callable, gate_frames: Frames, extracts: Path) -> None:
    gate_frames["duty_worked"].drop("rest_day").write_parquet(extracts / "duty_worked" / "2024-02.parquet")
    with pytest.raises(DataRefused, match=r"2024-02\.parquet"):
        gate()


# --- interruptions ----------------------------------------------------------------------------------


class _Killed(BaseException):
    pass


def test_a_refused_part_leaves_what_was_accepted(
    gate: Callable, gate_frames: Frames, extracts: Path, tmp_path: Path
) -> None:
    first, _ = gate()
    rows = first.scan("duty_worked").collect()
    days = by_day(gate_frames["duty_worked"])
    put_parts(extracts, "duty_worked", {**days, "2024-02": days["2024-01-01"].with_columns(rest_day=pl.lit(None, pl.Boolean))})  # fmt: skip
    with pytest.raises(TablesRefused):
        gate()
    assert Accepted.open(GATE_FORCE, tmp_path / "out" / "accepted").scan("duty_worked").collect().equals(rows)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["accepted", "keys", "quarantine"]


def test_an_interrupted_first_ingestion_goes_on_from_the_parts_it_had_finished(
    gate: Callable, gate_frames: Frames, extracts: Path, gate_suites: Path, tmp_path: Path
) -> None:
    def kill(line: str) -> None:
        if line.startswith("duty_worked"):
            raise _Killed

    with pytest.raises(_Killed):
        gate(progress=kill)
    out = tmp_path / "out"
    finished = _written(out / ".incoming" / "accepted", "duty_worked")
    assert len(finished) == 5
    days = by_day(gate_frames["duty_worked"])
    put_parts(extracts, "duty_worked", {**days, "2024-01-03": changed(days["2024-01-03"], 1, minutes_over=1)})
    accepted, account = gate()
    now = _written(out / "accepted", "duty_worked")
    assert [day for day in now if now[day] != finished[day]] == ["2024-01-03"]
    straight, expected = ingest(GATE_FORCE, extracts, out=tmp_path / "straight", suites=gate_suites)
    assert accepted.parts == straight.parts
    assert account == expected
    assert sorted(path.name for path in out.iterdir()) == ["accepted", "keys", "quarantine"]


def test_what_an_interrupted_ingestion_left_is_never_written_into_the_rows_of_the_one_before(
    gate: Callable, gate_frames: Frames, extracts: Path, tmp_path: Path
) -> None:
    def kill(line: str) -> None:
        if line.startswith("system_access"):
            raise _Killed

    first, _ = gate()
    rows = first.scan("duty_worked").collect()
    days = by_day(gate_frames["system_access"])
    put_parts(extracts, "system_access", {**days, "2024-02": days["2024-01-01"].head(0)})
    with pytest.raises(_Killed):
        gate(progress=kill)  # the kept parts of duty_worked now stand in two places
    days = by_day(gate_frames["duty_worked"])
    put_parts(extracts, "duty_worked", {**days, "2024-01-03": changed(days["2024-01-03"], 1, minutes_over=1)})
    with pytest.raises(TablesRefused, match="gains every day"):
        gate()
    assert Accepted.open(GATE_FORCE, tmp_path / "out" / "accepted").scan("duty_worked").collect().equals(rows)


# --- one after another, or all at once --------------------------------------------------------------

SMALL = (
    Table(
        name="posts", says="A version of a post.", source_system="HR", key=("person_key",), correctable=True,
        max_bad_share=1.0,
        columns=(
            Column(name="person_key", kind="string", says="who"),
            Column(name="occurred_at", kind="datetime", says="from when"),
            Column(name="known_at", kind="datetime", says="when recorded"),
        ),
    ),
    Table(
        name="numbers", says="A number of a person.", source_system="ID", key=("user_no",), max_bad_share=1.0,
        columns=(
            Column(name="user_no", kind="string", says="the number"),
            Column(name="person_key", kind="string", says="who", refers_to="posts.person_key"),
            Column(name="occurred_at", kind="datetime", says="from when"),
            Column(name="known_at", kind="datetime", says="when recorded"),
        ),
    ),
    Table(
        name="uses", says="A use of a system.", source_system="LOG", key=("use_id",), person="user_no",
        person_number=True, correctable=True, max_bad_share=1.0,
        columns=(
            Column(name="use_id", kind="string", says="the use"),
            Column(name="user_no", kind="string", says="by whom"),
            Column(name="occurred_at", kind="datetime", says="when"),
            Column(name="known_at", kind="datetime", says="when recorded", at_least="occurred_at"),
        ),
    ),
    Table(
        name="tours", says="A tour.", source_system="ROSTER", key=("tour_id", "kind"), max_bad_share=1.0,
        columns=(
            Column(name="tour_id", kind="string", says="the tour"),
            Column(name="kind", kind="string", says="its kind", nullable=True),
            Column(name="person_key", kind="string", says="whose", refers_to="posts.person_key"),
            Column(name="occurred_at", kind="datetime", says="when"),
            Column(name="known_at", kind="datetime", says="when recorded"),
        ),
    ),
)  # fmt: skip
SMALL_FORCE = replace(
    GATE_FORCE, name="small", tables=SMALL, people="posts.person_key", identity_map="numbers"
)

DAYS = st.integers(0, 5).map(lambda day: datetime(2024, 1, 1) + timedelta(days=day))
PEOPLE = st.sampled_from(["P1", "P2", "P3", None])
NUMBERS = st.sampled_from(["U1", "U2", "U3", None])
CELLS: dict[str, st.SearchStrategy] = {
    "person_key": PEOPLE,
    "user_no": NUMBERS,
    "use_id": st.sampled_from(["E1", "E2", "E3", "E4", None]),
    "tour_id": st.sampled_from(["T1", "T2", "T3"]),
    "kind": st.sampled_from(["K1", None]),
    "occurred_at": DAYS,
    "known_at": DAYS,
}
LASTING = {  # so that no table is ever without a row that every rule lets pass
    "posts": ("P0",),
    "numbers": ("U0", "P0"),
    "uses": ("E0", "U0"),
    "tours": ("T0", "K0", "P0"),
}


def _part(table: Table, *, lasting: bool) -> st.SearchStrategy[pl.DataFrame]:
    cells = st.lists(st.tuples(*(CELLS[column.name] for column in table.columns)), max_size=5)
    first = [(*LASTING[table.name], datetime(2024, 1, 1), datetime(2024, 1, 2))] * lasting
    return cells.map(lambda rows: pl.DataFrame([*first, *rows], schema=table.schema, orient="row"))


@st.composite
def _histories(draw: st.DrawFn) -> list[dict[str, dict[str, pl.DataFrame]]]:
    """What the folders of the tables hold at each ingestion: parts come, change and go."""
    now = {table.name: {"1": draw(_part(table, lasting=True))} for table in SMALL}
    history = [now]
    for _ in range(draw(st.integers(1, 3))):
        now = {name: dict(parts) for name, parts in now.items()}
        for table in SMALL:
            match draw(st.sampled_from(["stay", "stay", "come", "come", "change", "go"])):
                case "come":
                    now[table.name][draw(st.sampled_from("0234"))] = draw(_part(table, lasting=False))
                case "change":
                    now[table.name]["1"] = draw(_part(table, lasting=True))
                case "go" if len(now[table.name]) > 1:
                    now[table.name].popitem()
        history.append(now)
    return history


def _state(out: Path, accepted: Accepted, account: Account) -> dict[str, object]:
    """Everything that an ingestion leaves, but for how it came about."""
    state: dict[str, object] = {"parts": accepted.parts, "dates": (accepted.first_date, accepted.last_date)}
    for table in account.tables:
        state[table.table] = replace(table, anew=())
        state[f"{table.table} accepted"] = accepted.scan(table.table).collect().rows()
        aside = [pl.read_parquet(file) for file in sorted((out / "quarantine" / table.table).iterdir())]
        state[f"{table.table} quarantined"] = pl.concat(aside).rows()
    return state


@pytest.mark.slow
@settings(
    max_examples=12, deadline=None, database=None, derandomize=True,
    phases=[Phase.generate],  # a history is read as it is; to shrink one would take minutes
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
)  # fmt: skip
@given(history=_histories())
def test_parts_ingested_one_after_another_are_what_they_are_all_at_once(
    history: Sequence[dict[str, dict[str, pl.DataFrame]]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("history")
    write_suites(SMALL_FORCE, folder / "suites")
    for step, tables in enumerate(history):
        for name, parts in tables.items():
            put_parts(folder / "data", name, parts)
        states = []
        for out in (folder / "out", folder / f"at once {step}"):
            try:
                accepted, account = ingest(SMALL_FORCE, folder / "data", out=out, suites=folder / "suites")
                states.append(_state(out, accepted, account))
                assert all(table.read == table.accepted + table.quarantined for table in account.tables)
            except TablesRefused as refused:
                states.append({"refused": str(refused)})
        assert states[0] == states[1]


def test_a_part_about_people_who_are_yet_to_join_is_kept_until_they_do(
    gate: Callable, gate_frames: Frames, extracts: Path
) -> None:
    tours = gate_frames["duty_worked"]
    joining = tours.head(20).with_columns(
        pl.format("new {}", "duty_id").alias("duty_id"), person_key=pl.lit("P999999")
    )
    often = pl.concat(
        tours.with_columns(pl.format("{} {}", "duty_id", pl.lit(n)).alias("duty_id")) for n in range(20)
    )
    put_parts(extracts, "duty_worked", {**by_day(tours), "more": often, "new people": joining})
    _, account = gate()
    assert not account.refused
    assert account.quarantined >= 20
