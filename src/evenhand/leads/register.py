"""The register: one database of batches, leads, reasons, evidence, routes and reviews.

SQLite needs nothing; a team points it at PostgreSQL. The schema is brought to its newest version whenever
the register is opened, from migrations that travel inside the package.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, NoSuchModuleError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool, StaticPool

from features.errors import WrongUsage

MIGRATIONS = Path(__file__).parent / "migrations"

# How long a second process waits for the first one's batch before SQLite gives up.
SQLITE_PATIENCE_SECONDS = 30
# What writers of a register on a server queue for: any number that nothing else in its database locks.
QUEUE = 7_308_332


@dataclass(frozen=True, eq=False)
class Register:
    """An open register. `reading` and `writing` give a session that is one transaction: all or nothing."""

    engine: Engine

    @contextmanager
    def reading(self) -> Iterator[Session]:
        with Session(self.engine) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        with Session(self.engine.execution_options(writes=True)) as session, session.begin():
            yield session

    @property
    def where(self) -> str:
        """The address without a password, as it may be shown."""
        return self.engine.url.render_as_string(hide_password=True)

    def close(self) -> None:
        self.engine.dispose()

    def __enter__(self) -> Register:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_register(url: str | Path) -> Register:
    """The register at a SQLAlchemy URL or a SQLite file, at the newest version of its schema.

    A missing SQLite file, and its folder, is made.

    Raises:
        WrongUsage: the address cannot be read or reached, the file is not a database, or the register was
            written by a newer version of Evenhand.
    """
    register = Register(_engine(url))
    try:
        _bring_to_head(register.engine)
    except DatabaseError as error:
        register.close()
        raise WrongUsage(
            f"The register at {register.where} cannot be opened: {error.orig}. Expected a database that "
            "Evenhand may write to; check the address, or give another."
        ) from error
    return register


def _engine(url: str | Path) -> Engine:
    is_file = isinstance(url, Path) or "://" not in url
    try:
        address = URL.create("sqlite", database=str(url)) if is_file else make_url(str(url))
        backend = address.get_backend_name()
        if backend not in ("sqlite", "postgresql"):
            raise WrongUsage(
                f"The register's address is one of {backend}. A register is kept in SQLite or PostgreSQL: "
                "sqlite:///data/register.db or postgresql+psycopg://user@host/name."
            )
        return _sqlite(address) if backend == "sqlite" else _postgresql(address)
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise WrongUsage(
            f"The register's address needs a driver that is not installed here ({error}). Begin it with "
            "postgresql+psycopg:// and install that driver with pip install 'evenhand[postgres]', or leave the "
            "address out to use SQLite."
        ) from error
    except (ArgumentError, ValueError) as error:
        raise WrongUsage(
            "The register's address is not a SQLAlchemy URL. Expected for example "
            "sqlite:///data/register.db or postgresql+psycopg://user@host/name."
        ) from error


def _sqlite(address: URL) -> Engine:
    in_memory = address.database in (None, "", ":memory:")
    if not in_memory:
        Path(str(address.database)).parent.mkdir(parents=True, exist_ok=True)
    # Every transaction opens the file anew and closes it again, so that nothing is held between them; a
    # register in memory lives in its one connection.
    engine = create_engine(
        address,
        poolclass=StaticPool if in_memory else NullPool,
        connect_args={"timeout": SQLITE_PATIENCE_SECONDS},
    )
    event.listen(engine, "connect", _leave_transactions_to_us)
    event.listen(engine, "begin", _begin)
    return engine


def _leave_transactions_to_us(dbapi_connection: Any, _record: object) -> None:
    # Python's driver would begin a transaction before inserts only, so that a schema change or a read
    # before a write stood outside it.
    dbapi_connection.isolation_level = None
    dbapi_connection.execute("PRAGMA foreign_keys = ON")


def _postgresql(address: URL) -> Engine:
    engine = create_engine(address)
    event.listen(engine, "begin", _begin_on_server)
    return engine


def _begin(connection: Connection) -> None:
    # A writer takes the lock before it looks, so that two processes cannot both find a batch missing.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if _writes(connection) else "BEGIN")


def _begin_on_server(connection: Connection) -> None:
    # The same on a server: writers queue, and whoever reads sees one state of the register from first to last. A
    # writer must not, for its state would be the one from before it queued.
    connection.exec_driver_sql(
        f"SELECT pg_advisory_xact_lock({QUEUE})"
        if _writes(connection)
        else "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"
    )


def _writes(connection: Connection) -> bool:
    return bool(connection.get_execution_options().get("writes", False))


def _bring_to_head(engine: Engine) -> None:
    config = _alembic()
    script = ScriptDirectory.from_config(config)
    with engine.connect() as connection:
        if _stands_at_head(connection, script):
            return
    # Only now is the lock taken, and what was seen without it is looked at again.
    with engine.execution_options(writes=True).connect() as connection:
        if not _stands_at_head(connection, script):
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.commit()


def _stands_at_head(connection: Connection, script: ScriptDirectory) -> bool:
    here = MigrationContext.configure(connection).get_current_revision()
    head = script.get_current_head()
    if here is not None and here not in {revision.revision for revision in script.walk_revisions()}:
        raise WrongUsage(
            f"The register at {connection.engine.url.render_as_string(hide_password=True)} stands at schema "
            f"{here}, which this version of Evenhand (schema {head}) does not know. Use the newer version "
            "that wrote it, or name another register."
        )
    return here == head


def _alembic() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
