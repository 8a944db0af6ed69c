"""Extracts of a very small force, for the tests of the gate: forty people, six tables, no bad row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from features.contracts import write_suites
from features.definition import Baselines, Calendar, Cohort, ForceDefinition, Outcome
from features.sources import ENCLAVE
from features.specs import Catalogue, Events
from features.tables import Table, uk

Frames = dict[str, pl.DataFrame]

PEOPLE = [f"P{number:06d}" for number in range(1, 41)]
START = datetime(2024, 1, 1, 7)
MATTERS = Events(name="matters", table=uk.DUTY_WORKED, says="a tour")


def gate_extracts() -> Frames:
    """A fresh frame a table; every row keeps every rule."""
    people = pl.DataFrame({"person_key": PEOPLE}).with_row_index("number")
    hired = datetime(2020, 1, 1)
    establishment = people.select(
        "person_key",
        occurred_at=pl.lit(hired),
        known_at=pl.lit(hired),
        employee_type=pl.lit("OFFICER"),
        rank=pl.lit("PC"),
        bcu_code=pl.lit("B1"),
        team_code=pl.lit("T1"),
        role_code=pl.lit("RESPONSE"),
        service_start=pl.lit(date(2015, 5, 1)),
        role_start=pl.lit(date(2019, 5, 1)),
        fte=pl.lit(1.0),
        working_pattern=pl.lit("FULL"),
        supervisor_key=pl.lit(None, pl.String()),
        leaver_date=pl.lit(None, pl.Date()),
        leaver_reason=pl.lit(None, pl.String()),
        withdrawn=pl.lit(False),
    )
    identity_map = people.select(
        user_no=pl.format("U{}", pl.col("number").cast(pl.String()).str.zfill(6)),
        person_key="person_key",
        occurred_at=pl.lit(hired),
        known_at=pl.lit(hired),
    )
    tours = people.join(pl.DataFrame({"day": range(5)}), how="cross").with_columns(
        occurred_at=pl.lit(START) + pl.duration(days="day")
    )
    duty_worked = tours.select(
        pl.format("D{}-{}", "number", "day").alias("duty_id"),
        "person_key",
        "occurred_at",
        known_at=pl.col("occurred_at") + timedelta(hours=10),
        book_off=pl.col("occurred_at") + timedelta(hours=9),
        minutes_worked=pl.lit(540),
        minutes_over=pl.lit(60),
        rest_day=pl.lit(False),
        book_on_method=pl.lit("APP"),
        project_code=pl.lit(None, pl.String()),
        withdrawn=pl.lit(False),
    )
    system_access = tours.join(identity_map.select("person_key", "user_no"), on="person_key").select(
        pl.format("E{}-{}", "number", "day").alias("event_id"),
        "user_no",
        "occurred_at",
        known_at=pl.col("occurred_at") + timedelta(hours=1),
        system=pl.lit("PNC"),
        action=pl.lit("SEARCH"),
        subject_key=pl.lit("S1"),
        subject_relation=pl.lit("NONE"),
        reason_code=pl.lit("CASE"),
        on_behalf_of=pl.lit(None, pl.String()),
        linked_incident_id=pl.lit("I1"),
    )
    event_deployment = tours.select(
        pl.format("A{}-{}", "number", "day").alias("deployment_id"),
        "person_key",
        "occurred_at",
        known_at=pl.lit(START) - timedelta(days=30),
        project_code=pl.lit("OP1"),
        minutes=pl.lit(480),
        rest_day=pl.lit(True),
    )
    protected = people.select(
        "person_key",
        occurred_at=pl.lit(hired),
        known_at=pl.lit(hired),
        sex=pl.lit("F"),
        ethnicity=pl.lit("ASIAN"),
        age_band=pl.lit("30-39"),
        disability_declared=pl.lit(False),
        religion_or_belief=pl.lit("NONE"),
        union_representative=pl.lit(False),
        pregnancy_window_start=pl.lit(None, pl.Date()),
    )
    return {
        "establishment": establishment,
        "identity_map": identity_map,
        "duty_worked": duty_worked,
        "system_access": system_access,
        "event_deployment": event_deployment,
        "protected_characteristics": protected,
    }


def _gate_table(table: Table) -> Table:
    """The table with the columns that these tests fill, whatever else a force has come to record in it."""
    known = gate_extracts().get(table.name)
    here = table.by_name if known is None else known.columns
    return replace(table, columns=tuple(column for column in table.columns if column.name in here))


GATE_FORCE = ForceDefinition(
    name="forty",
    title="A force of forty",
    tables=(
        _gate_table(uk.ESTABLISHMENT),
        _gate_table(uk.IDENTITY_MAP),
        replace(_gate_table(uk.DUTY_PLAN), required=False),
        _gate_table(uk.DUTY_WORKED),
        _gate_table(uk.SYSTEM_ACCESS),
        replace(_gate_table(uk.EVENT_DEPLOYMENT), required=False),
        _gate_table(uk.PROTECTED_CHARACTERISTICS),
    ),
    catalogue=Catalogue(()),
    cohort=Cohort(says="Everybody.", members=lambda read, as_of: read(MATTERS, START)),
    outcome=Outcome(
        says="None.",
        cases=MATTERS,
        confirmed=pl.lit(False),
        closed_at="known_at",
        horizon_months=12,
        settle_months=9,
    ),
    baselines=Baselines(complaint_count="none", threshold_rule=()),
    calendar=Calendar(every_months=1),
    typologies={},
    people="establishment.person_key",
    identity_map="identity_map",
)


def put_extracts(frames: Frames, directory: Path, ending: str = "parquet") -> Path:
    """Writes frames as a force's extracts, the enclave's in their own folder."""
    for name, frame in frames.items():
        table = GATE_FORCE.tables_by_name.get(name)
        folder = directory / ENCLAVE if table is not None and table.enclave else directory
        folder.mkdir(parents=True, exist_ok=True)
        if ending == "parquet":
            frame.write_parquet(folder / f"{name}.parquet")
        else:
            frame.write_csv(folder / f"{name}.csv")
    return directory


def changed(frame: pl.DataFrame, row: int, **values: object) -> pl.DataFrame:
    """The frame with other values in one row, 1-based as the accounts count."""
    here = pl.int_range(1, pl.len() + 1) == row
    return frame.with_columns(
        pl.when(here).then(pl.lit(value, frame.schema[column])).otherwise(column).alias(column)
        for column, value in values.items()
    )


@pytest.fixture
def gate_force() -> ForceDefinition:
    return GATE_FORCE


@pytest.fixture(scope="session")
def gate_suites(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The suites of the very small force."""
    directory = tmp_path_factory.mktemp("suites")
    write_suites(GATE_FORCE, directory)
    return directory


@pytest.fixture
def gate_frames() -> Frames:
    return gate_extracts()


@pytest.fixture
def gate_ingest(tmp_path: Path, gate_suites: Path) -> Callable:
    """Writes the frames it is given, ingests them, and returns the handle and the account."""
    from features.ingest import ingest

    def run(frames: Frames, ending: str = "parquet", **options):  # type: ignore[no-untyped-def]  # options of ingest
        data = put_extracts(frames, tmp_path / "extracts", ending)
        return ingest(GATE_FORCE, data, **{"out": tmp_path / "out", "suites": gate_suites, **options})

    return run
