"""The accepted rows of a force's tables, as the ingestion left them."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl

from features.account import Account
from features.definition import ForceDefinition
from features.errors import NotPermitted, WrongUsage, did_you_mean
from features.sources import ENCLAVE, SOURCE_ROW
from features.tables import Table

MANIFEST = "manifest.json"
PERSON = "person_key"
SUPERSEDED_AT = "superseded_at"


@dataclass(frozen=True)
class Part:
    """One part of an accepted table: a file of its folder, or the whole of a table that is one file.

    Attributes:
        name: the file's name without its ending; the table's own where it is one file.
        fingerprint: a hash of the accepted rows: of the source's content, of which of its rows were accepted,
            and of the person and the instant each is held to be about. `superseded_at` is not in it, for a
            later version changes nothing that was known before it.
        rows: accepted rows.
        read: rows of the source, accepted or not.
        first_known, last_known: the earliest and the latest `known_at` of its accepted rows; None without one.
    """

    name: str
    fingerprint: str
    rows: int
    read: int
    first_known: datetime | None
    last_known: datetime | None

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Part:
        first, last = (
            datetime.fromisoformat(stored[end]) if stored[end] else None
            for end in ("first_known", "last_known")
        )
        return cls(stored["name"], stored["fingerprint"], stored["rows"], stored["read"], first, last)


@dataclass(frozen=True, eq=False)
class Accepted:
    """A handle on a directory of accepted rows; it holds no rows itself.

    Attributes:
        force: whose tables they are.
        directory: where they are.
        parts: the parts of each table that was there, in order of their names. What was known before an
            instant is unchanged where the parts with rows known before it are.
        fingerprints: a hash over the parts, by table.
        first_date, last_date: the dates of the earliest and the latest `known_at` over the tables of
            events about people; None where no such row was accepted.
    """

    force: ForceDefinition
    directory: Path
    parts: Mapping[str, tuple[Part, ...]]
    fingerprints: dict[str, str]
    first_date: date | None
    last_date: date | None

    @classmethod
    def open(cls, force: ForceDefinition, directory: str | Path) -> Accepted:
        """The accepted rows in a directory that `ingest` wrote.

        Raises:
            WrongUsage: nothing was ingested there, or the tables of another force were.
        """
        stored = stored_manifest(Path(directory))
        if stored is None:
            raise WrongUsage(
                f"{directory} holds no accepted rows.\nRun `evenhand validate` to read the extracts into it."
            )
        if stored["force"] != force.name:
            raise WrongUsage(
                f"{directory} holds the rows of the force {stored['force']!r}, not of {force.name!r}.\n"
                "Give the other --force, or another workspace."
            )
        parts = {name: tuple(map(Part.from_dict, listed)) for name, listed in stored["parts"].items()}
        return cls(
            force,
            Path(directory),
            parts,
            {name: _over_parts(listed) for name, listed in parts.items()},
            *(
                date.fromisoformat(day) if day else None
                for day in (stored["first_date"], stored["last_date"])
            ),
        )

    def scan(self, table_name: str) -> pl.LazyFrame:
        """The accepted rows of a table over all its parts, each column in its declared type.

        The person's column is `person_key`, numbers of other systems already translated; `source_row` is
        the row in the source, counted on from part to part; a correctable table has `superseded_at`, when the next version of the row
        became known (null: none did). A withdrawn version is a row like any other: it supersedes the
        one before it and is no event itself. An optional table that was not there has no rows.

        Raises:
            WrongUsage: the force has no such table, or it was left out when the others were ingested.
            NotPermitted: the table is in the enclave.
        """
        table = self._table(table_name)
        if table.enclave:
            raise NotPermitted(
                f"{table_name} is held in the enclave: no step of the pipeline may read it.\n"
                "Audits of fairness read it through scan_enclave, for a purpose that they name."
            )
        return self._rows(table)

    def scan_enclave(self, table_name: str, purpose: str) -> pl.LazyFrame:
        """The accepted rows of an enclave table, for an audit that names its purpose.

        Raises:
            NotPermitted: no purpose is given.
            WrongUsage: the force has no such table, or it is in no enclave.
        """
        table = self._table(table_name)
        if not table.enclave:
            raise WrongUsage(f"{table_name} is in no enclave; read it with scan.")
        if not purpose.strip():
            raise NotPermitted(f"{table_name} is held in the enclave; name the purpose of the audit.")
        return self._rows(table)

    def files(self, table_name: str) -> list[Path]:
        """The Parquet files that hold the rows of a table, one a part; none for an optional table that was not there.

        Raises:
            WrongUsage, NotPermitted: as `scan` does.
        """
        self.scan(table_name)
        table = self._table(table_name)
        return [rows_file(self.directory, table, part.name) for part in self.parts.get(table_name, ())]

    def has(self, table_name: str) -> bool:
        """Whether the table was there when the extracts were ingested."""
        return table_name in self.parts

    def _table(self, name: str) -> Table:
        if name not in self.force.tables_by_name:
            raise WrongUsage(
                f"force {self.force.name!r} has no table {name!r}. "
                + did_you_mean(name, self.force.tables_by_name)
            )
        return self.force.tables_by_name[name]

    def _rows(self, table: Table) -> pl.LazyFrame:
        if self.has(table.name):
            return _scanned(self.directory, table, self.parts[table.name])
        if table.required and not table.enclave:
            raise WrongUsage(
                f"{table.name} was left out when the other tables were ingested.\n"
                "Run `evenhand validate` without --table."
            )
        return pl.LazyFrame(schema=accepted_schema(table))


def renamed(table: Table, column: str) -> str:
    """The name an accepted row has for a declared column."""
    return PERSON if column == table.person else column


def accepted_schema(table: Table) -> pl.Schema:
    """Columns and types of the accepted rows of a table; a translated person is a text, like the number."""
    declared = {renamed(table, name): dtype for name, dtype in table.schema.items()}
    superseded = {SUPERSEDED_AT: pl.Datetime("us")} if table.correctable else {}
    return pl.Schema({**declared, SOURCE_ROW: pl.Int64(), **superseded})


def rows_file(directory: Path, table: Table, part: str) -> Path:
    """Where the rows of a part stand in a directory of accepted (or quarantined) rows, as in the source."""
    folder = directory / ENCLAVE if table.enclave else directory
    return folder / f"{table.name}.parquet" if part == table.name else folder / table.name / f"{part}.parquet"


def _scanned(directory: Path, table: Table, parts: Sequence[Part]) -> pl.LazyFrame:
    ends = list(itertools.accumulate((part.read for part in parts), initial=0))
    return pl.concat(
        pl.scan_parquet(rows_file(directory, table, part.name)).with_columns(pl.col(SOURCE_ROW) + before)
        for part, before in zip(parts, ends, strict=False)
    )


def _over_parts(parts: Sequence[Part]) -> str:
    named = [[part.name, part.fingerprint] for part in parts]
    return hashlib.blake2b(json.dumps(named).encode(), digest_size=16).hexdigest()


def stored_manifest(directory: Path) -> dict[str, Any] | None:
    """What the ingestion wrote about the directory; None where there was none."""
    path = directory / MANIFEST
    return json.loads(path.read_text("utf-8")) if path.is_file() else None


def stored_account(directory: str | Path) -> Account | None:
    """The account of the ingestion that filled a directory; None where there was none."""
    stored = stored_manifest(Path(directory))
    return None if stored is None else Account.from_dict(stored["account"])


def known_dates(
    force: ForceDefinition, parts: Mapping[str, Sequence[Part]]
) -> tuple[date | None, date | None]:
    """The dates of the earliest and the latest `known_at` over the tables of events about people."""
    told = [
        part
        for table in force.tables
        if table.name in parts and is_about_events(force, table)
        for part in parts[table.name]
    ]
    first = min((part.first_known for part in told if part.first_known), default=None)
    last = max((part.last_known for part in told if part.last_known), default=None)
    return first.date() if first else None, last.date() if last else None


def is_about_events(force: ForceDefinition, table: Table) -> bool:
    """Whether a table tells what people did, rather than who they are or how their systems know them."""
    registers = {force.people.partition(".")[0], force.identity_map}
    return table.person is not None and not table.enclave and table.name not in registers
