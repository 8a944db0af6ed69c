"""The vocabulary in which a force declares its source tables.

A declaration is the one place where a column's meaning, type, limits and sensitivity are written. The
Great Expectations suites, the simulated force, the catalogue's lineage and the model card are all derived
from it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

import polars as pl

Kind = Literal["string", "integer", "number", "boolean", "date", "datetime"]

POLARS_TYPES: Mapping[Kind, type[pl.DataType] | pl.DataType] = {
    "string": pl.String(),
    "integer": pl.Int64(),
    "number": pl.Float64(),
    "boolean": pl.Boolean(),
    "date": pl.Date(),
    "datetime": pl.Datetime("us"),
}

# Where a person is, and what they do with their own devices off duty, is no business of this software:
# such a column cannot be declared, and an extract that carries one is refused.
FORBIDDEN_COLUMN = re.compile(
    r"(^|_)(latitude|longitude|lat|lon|lng|gps|geo|geohash|postcode|coordinates?|"
    r"off_?duty_device|personal_device|device_location|home_address|cell_site)(_|$)",
    re.IGNORECASE,
)


class Mark(StrEnum):
    """A mark is a property of a column (or a whole table) and of everything derived from it.

    `PROTECTED` never reaches a score, whatever is configured. `HEALTH` reaches one only where
    `governance.toml` records the basis for it.
    """

    PROTECTED = "protected"
    HEALTH = "health"


class Sensitivity(StrEnum):
    """How a table must be handled: `SPECIAL` is Article 9 data, `CRIMINAL` Article 10."""

    STANDARD = "standard"
    SPECIAL = "special"
    CRIMINAL = "criminal"


# The basis on which data of each kind would be processed; whether it holds for a force, and which condition of
# Schedule 1 it relies on, is for the controller to record in governance.toml.
LAWFUL_BASES: Mapping[Sensitivity, str] = {
    Sensitivity.STANDARD: "public task (UK GDPR Article 6(1)(e))",
    Sensitivity.CRIMINAL: "public task; criminal-offence data (Article 10, Data Protection Act 2018 Schedule 1)",
    Sensitivity.SPECIAL: "public task; special category data (Article 9, Data Protection Act 2018 Schedule 1)",
}


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of a source table.

    Attributes:
        name: as it stands in the extract.
        kind: the type it must have.
        says: what it holds, in plain words.
        nullable: whether an empty value is an answer (otherwise the row is quarantined).
        allowed: the closed list of values, if there is one.
        minimum, maximum: inclusive limits of a number.
        pattern: a regular expression the whole value must match.
        at_least: another column of the row that this one must not come before.
        refers_to: `"table.column"` that must hold the value.
        mark: what the column, and anything derived from it, may not be used for.
        known_from: a column that says when this value became known, where that is later than the row
            (a finding stands in the complaint's row, but nobody knew it before the case was closed).
    """

    name: str
    kind: Kind
    says: str
    nullable: bool = False
    allowed: tuple[str, ...] | None = None
    minimum: float | None = None
    maximum: float | None = None
    pattern: str | None = None
    at_least: str | None = None
    refers_to: str | None = None
    mark: Mark | None = None
    known_from: str | None = None

    def __post_init__(self) -> None:
        if FORBIDDEN_COLUMN.search(self.name):
            raise ValueError(
                f"column {self.name!r} is location or personal-device data, which Evenhand does not ingest"
            )

    @property
    def dtype(self) -> pl.DataType:
        return POLARS_TYPES[self.kind]  # type: ignore[return-value]  # the map holds instances only


@dataclass(frozen=True, kw_only=True)
class Table:
    """A source table: what one row is, and the contract its extract must keep.

    Attributes:
        name: the extract's file name without its ending.
        says: what one row is, in plain words.
        source_system: the system that exports it.
        columns: every column that may be read; others in the file are reported and not read.
        occurred_at, known_at: when it happened and when the force recorded it; None where the extract has
            no such column and the catalogue says how to read the time (a pay year).
        key: the columns that name a row. In a correctable table a later `known_at` with the same key is a
            new version of the row; anywhere else a repeated key is an error.
        person: the column that names the person, or None where a row is about no one person.
        person_number: set when `person` holds that system's own number, to be translated through the
            identity map, rather than the `person_key` of the establishment.
        correctable: whether later versions of a row may arrive.
        enclave: held apart; read by audits only, never by a pipeline step.
        mark: a mark on the existence of a row, inherited by every feature over the table.
        required: whether the force cannot be worked with without it.
        max_bad_share: above this share of quarantined rows (and more than a few) the whole table is refused.
        stale_after_days: where the latest `known_at` lies further than this behind the other tables', the
            extract is an old one and the table is refused; None where rows come too seldom to tell.
    """

    name: str
    says: str
    source_system: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    occurred_at: str | None = "occurred_at"
    known_at: str | None = "known_at"
    person: str | None = "person_key"
    person_number: bool = False
    correctable: bool = False
    enclave: bool = False
    mark: Mark | None = None
    sensitivity: Sensitivity = Sensitivity.STANDARD
    retention: str = "conduct-6y"
    required: bool = True
    max_bad_share: float = 0.05
    stale_after_days: int | None = None
    by_name: Mapping[str, Column] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_name = {column.name: column for column in self.columns}
        if len(by_name) != len(self.columns):
            raise ValueError(f"table {self.name!r} declares a column twice")
        named = {*self.key, self.occurred_at, self.known_at, self.person} - {None}
        if missing := sorted(str(name) for name in named - by_name.keys()):
            raise ValueError(f"table {self.name!r} names columns it does not declare: {', '.join(missing)}")
        object.__setattr__(self, "by_name", by_name)

    @property
    def schema(self) -> pl.Schema:
        """Column names and Polars types, in declared order."""
        return pl.Schema({column.name: column.dtype for column in self.columns})

    def marks_of(self, column: str) -> frozenset[Mark]:
        """The marks that reading `column` of this table brings, the table's own among them."""
        marks = {self.by_name[column].mark, self.mark} - {None}
        return frozenset(mark for mark in marks if mark is not None)
