"""The register's schema comes with the package, and holds what must always hold."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from datetime import date, datetime
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, select, text
from sqlalchemy.exc import IntegrityError

from evenhand.leads.estimates import by_concern, sample_estimates
from evenhand.leads.reading import leads_frame, show_lead
from evenhand.leads.register import MIGRATIONS, Register, _alembic, open_register
from evenhand.leads.review import outcomes
from evenhand.leads.tables import Base, Lead, Review, RouteTaken
from features.errors import WrongUsage
from tests.evenhand.leads.conftest import Opening, on_either_database


def test_a_new_register_is_made_with_its_folder(tmp_path: Path) -> None:
    with open_register(tmp_path / "new" / "folder" / "register.db") as register:
        assert {"batch", "lead", "reason", "evidence", "route", "review"} <= set(
            inspect(register.engine).get_table_names()
        )


def test_migrations_and_models_agree(register: Register) -> None:
    with register.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_opening_again_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "register.db"
    open_register(file).close()
    before = file.read_bytes()
    open_register(f"sqlite:///{file}").close()
    assert file.read_bytes() == before


def test_a_register_can_be_read_while_another_writes(tmp_path: Path) -> None:
    with (
        open_register(tmp_path / "register.db") as register,
        register.writing(),
        open_register(tmp_path / "register.db") as other,
    ):
        assert outcomes(other).is_empty()


@pytest.mark.parametrize("where", ["SQLite", "PostgreSQL"])
def test_two_that_make_the_same_register_at_once_make_one(
    request: pytest.FixtureRequest, tmp_path: Path, where: str
) -> None:
    address = request.getfixturevalue("database") if where == "PostgreSQL" else tmp_path / "register.db"
    together = threading.Barrier(2)
    failed: list[Exception] = []

    def run() -> None:
        together.wait()
        try:
            open_register(address).close()
        except Exception as error:  # noqa: BLE001  # whatever it is, the test must see it
            failed.append(error)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


@pytest.mark.parametrize("register", ["PostgreSQL"], indirect=True)
def test_on_a_server_whoever_reads_sees_one_state_from_first_to_last(
    register: Register, opening: Opening
) -> None:
    leads = text("SELECT count(*) FROM lead")
    with register.reading() as session:
        before = session.scalar(leads)
        assert opening({"ann": 0.9}).opened == 1
        assert (before, session.scalar(leads)) == (0, 0)
    with register.reading() as session:
        assert session.scalar(leads) == 1


def test_migrations_lie_inside_the_package_and_name_no_other_place() -> None:
    assert (MIGRATIONS / "env.py").is_file()
    for file in MIGRATIONS.rglob("*.py"):
        assert "sqlalchemy.url" not in file.read_text(encoding="utf-8")
    assert not list(Path(__file__).parents[3].glob("alembic.ini"))


def test_a_register_opens_from_any_folder(tmp_path: Path) -> None:
    code = "from evenhand.leads.register import open_register; open_register('sqlite:///here/register.db').close()"
    subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=tmp_path, check=True, env=os.environ)
    assert (tmp_path / "here" / "register.db").is_file()


def test_a_register_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "register.db"
    with open_register(file) as register, register.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(WrongUsage, match=r"schema 9999, which this version of Evenhand .* does not know"):
        open_register(file)


def test_a_register_of_the_first_schema_keeps_its_batches(tmp_path: Path) -> None:
    file = tmp_path / "register.db"
    with open_register(file) as register:
        Opening(register)({"ann": 0.9, "bob": 0.1})
        with register.engine.begin() as connection:
            config = _alembic()
            config.attributes["connection"] = connection
            command.downgrade(config, "0001")
    with open_register(file) as register:
        found = outcomes(register)
        assert found["person_key"].to_list() == ["ann"]
        assert found.select("stratum", "inclusion").row(0) == (None, None)
        assert sample_estimates(register, force="simulated") is None


def test_leads_opened_before_they_named_a_kind_of_concern_name_none(tmp_path: Path) -> None:
    file = tmp_path / "register.db"
    with open_register(file) as register:
        Opening(register)({"ann": 0.9, "bob": 0.1})
        with register.engine.begin() as connection:
            config = _alembic()
            config.attributes["connection"] = connection
            command.downgrade(config, "0003")
        assert not {"concern", "concern_share"} & {
            each["name"] for each in inspect(register.engine).get_columns("lead")
        }
    with open_register(file) as register:
        assert outcomes(register).select("person_key", "concern", "concern_share").rows() == [
            ("ann", None, None)
        ]
        assert leads_frame(register)["concern"].to_list() == [None]
        shown = show_lead(register, outcomes(register)["lead"][0])
        assert "What speaks for this lead" not in str(shown) + shown._repr_html_()
        assert by_concern(register, force="simulated").select("concern", "leads").rows() == [("not named", 1)]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("oracle9://me:secret@host/name", "one of oracle9. A register is kept in SQLite or PostgreSQL"),
        ("postgresql+pg8000://me:secret@host/name", "driver that is not installed"),
        ("postgresql+psycopg://me:secret@127.0.0.1:1/name", "cannot be opened"),
        ("://", "not a SQLAlchemy URL"),
        ("sqlite://me:secret@host/name", "not a SQLAlchemy URL"),
        ("postgresql://me:secret@host:port/name", "not a SQLAlchemy URL"),
    ],
)
def test_an_address_that_cannot_be_meant_is_refused_without_its_password(url: str, said: str) -> None:
    with pytest.raises(WrongUsage, match=said) as refused:
        open_register(url)
    assert "secret" not in str(refused.value)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "register.db"
    file.write_text("person,score\n" * 1000, encoding="utf-8")
    with pytest.raises(WrongUsage, match="cannot be opened"):
        open_register(file)


@on_either_database
@pytest.mark.parametrize(
    "change",
    [
        "UPDATE lead SET kind = 'other'",
        'UPDATE lead SET "rank" = 0',
        "UPDATE lead SET batch_id = 'no such batch'",
        "UPDATE lead SET person_key = ' '",
        "UPDATE lead SET inclusion = 0",
        "UPDATE lead SET concern_share = 0",
        "UPDATE lead SET concern_share = 1.01",
        "UPDATE lead SET concern_share = NULL",
        "UPDATE lead SET concern = NULL",
        "UPDATE batch SET opened = capacity + 1, above_threshold = capacity + 1",
        "UPDATE batch SET above_threshold = above_threshold + 1",
        "UPDATE reason SET direction = 'neither'",
        "UPDATE evidence SET source_row = 0",
        "DELETE FROM lead",
    ],
)
def test_the_database_itself_refuses_what_must_not_be(
    register: Register, opening: Opening, change: str
) -> None:
    opening({"ann": 0.9})
    with pytest.raises(IntegrityError), register.writing() as session:
        session.execute(text(change))


def add(register: Register, row: Review | RouteTaken) -> None:
    with register.writing() as session:
        row.lead_id = session.scalars(select(Lead.id)).one()
        session.add(row)


@on_either_database
@pytest.mark.parametrize(
    "row",
    [
        {"outcome": "wrong", "innocent_explanation": None},
        {"outcome": "wrong", "innocent_explanation": "  "},
        {"outcome": "confirmed", "reasons": None},
        {"outcome": "welfare"},
        {"outcome": "inconclusive", "reviewer": ""},
    ],
)
def test_the_database_itself_refuses_half_a_review(
    register: Register, opening: Opening, row: dict[str, object]
) -> None:
    opening({"ann": 0.9})
    with pytest.raises(IntegrityError):
        add(register, Review(**{"reviewer": "R1", "reviewed_at": datetime(2024, 2, 1), **row}))


def test_the_database_itself_refuses_an_outcome_as_a_route(register: Register, opening: Opening) -> None:
    opening({"ann": 0.9})
    with pytest.raises(IntegrityError):
        add(register, RouteTaken(route="confirmed", decided_by="sgt", decided_at=datetime(2024, 2, 1)))


@on_either_database
def test_dates_come_back_as_they_went_in(register: Register, opening: Opening) -> None:
    opening({"ann": 0.9})
    with register.reading() as session:
        assert session.scalars(select(Lead)).one().as_of == date(2024, 1, 1)
