"""Accepted rows are read under one name for the person, and the enclave stays shut to the pipeline."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from features.accepted import Accepted, accepted_schema
from features.definition import ForceDefinition
from features.errors import NotPermitted, WrongUsage
from features.tables import chicago, uk
from tests.features.conftest import Frames


@pytest.fixture
def gate_accepted(gate_ingest: Callable, gate_frames: Frames) -> Accepted:
    return gate_ingest(gate_frames)[0]


def test_numbers_of_another_system_are_translated_to_persons(gate_accepted: Accepted) -> None:
    access = gate_accepted.scan("system_access").collect()
    assert "user_no" not in access.columns
    assert access.filter(pl.col("event_id") == "E2-0")["person_key"].to_list() == ["P000003"]


def test_every_table_has_its_declared_types_and_its_source_rows(gate_accepted: Accepted) -> None:
    for table in gate_accepted.force.tables:
        if not table.enclave:
            assert gate_accepted.scan(table.name).collect_schema() == accepted_schema(table)
    assert gate_accepted.scan("establishment").collect_schema()["service_start"] == pl.Date()


def test_only_a_correctable_table_has_superseded_at() -> None:
    assert "superseded_at" in accepted_schema(uk.DUTY_WORKED)
    assert "superseded_at" not in accepted_schema(uk.DUTY_PLAN)


def test_a_person_keeps_the_type_of_the_force(gate_accepted: Accepted) -> None:
    assert accepted_schema(chicago.SALARY)["person_key"] == pl.Int64()
    assert gate_accepted.scan("duty_worked").collect_schema()["person_key"] == pl.String()


def test_no_step_of_the_pipeline_reads_the_enclave(gate_accepted: Accepted) -> None:
    with pytest.raises(NotPermitted, match="enclave"):
        gate_accepted.scan("protected_characteristics")


def test_an_audit_reads_the_enclave_for_a_purpose_it_names(gate_accepted: Accepted) -> None:
    rows = gate_accepted.scan_enclave("protected_characteristics", "fairness of the model of March").collect()
    assert rows.height == 40
    with pytest.raises(NotPermitted, match="purpose"):
        gate_accepted.scan_enclave("protected_characteristics", " ")
    with pytest.raises(WrongUsage, match="no enclave"):
        gate_accepted.scan_enclave("duty_worked", "curiosity")


def test_the_dates_are_those_of_what_people_did(gate_accepted: Accepted) -> None:
    # The posts and numbers of 2020 are registers; the deployments were ordered thirty days before.
    assert gate_accepted.first_date == date(2023, 12, 2)
    assert gate_accepted.last_date == date(2024, 1, 5)


def test_an_unknown_table_is_answered_with_the_nearest(gate_accepted: Accepted) -> None:
    with pytest.raises(WrongUsage, match="'duty_worked'"):
        gate_accepted.scan("duty_worke")


def test_a_directory_without_accepted_rows_says_how_to_get_them(
    gate_force: ForceDefinition, tmp_path: Path
) -> None:
    with pytest.raises(WrongUsage, match="evenhand validate"):
        Accepted.open(gate_force, tmp_path)


def test_opened_again_it_is_the_same(gate_accepted: Accepted) -> None:
    again = Accepted.open(gate_accepted.force, gate_accepted.directory)
    assert again.fingerprints == gate_accepted.fingerprints
    assert (again.first_date, again.last_date) == (gate_accepted.first_date, gate_accepted.last_date)


@pytest.mark.chicago
def test_nothing_of_the_chicago_records_is_wrongly_set_aside(tmp_path: Path) -> None:
    import os

    from features.definition import load_force
    from features.ingest import ingest

    records = Path(os.environ.get("EVENHAND_CHICAGO", Path(__file__).parents[3] / "shared" / "chicago"))
    if not records.is_dir():
        pytest.skip("the Chicago records are not here")
    suites = Path(__file__).parents[2] / "expectations" / "chicago"
    accepted, account = ingest(load_force("chicago"), records, out=tmp_path, suites=suites)
    assert account.quarantined == 0
    assert account["complaints_accused"].accepted == 217_844
    assert accepted.scan("salary").select(pl.len()).collect().item() == 147_420
