"""The account of an ingestion: what was read, what was accepted, what was set aside and why.

Nothing is dropped in silence: read is always accepted plus quarantined.
"""

from __future__ import annotations

import html
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import polars as pl

from features.errors import DataRefused

REFUSALS_SHOWN = 3  # three of them and the closing lines fit a screen of 24 lines
LINE = 160


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why a table cannot be used: where the trouble is, and what to do next.

    `row` is 1-based; a header line is not a row. None where the whole file or column is meant.
    """

    table: str
    file: str
    expected: str
    found: str
    remedy: str
    column: str | None = None
    row: int | None = None

    def __str__(self) -> str:
        return _labelled(
            f"{self.table} cannot be used.",
            {
                "file": self.file,
                "column": self.column or "(the table as a whole)",
                "row": str(self.row) if self.row is not None else "(every row)",
                "expected": self.expected,
                "found": self.found,
                "do next": self.remedy,
            },
        )


def _labelled(head: str, labelled: Mapping[str, str]) -> str:
    lines = [f"  {label:<9} {textwrap.shorten(text, LINE)}" for label, text in labelled.items()]
    return "\n".join([head, *lines])


def refused(refusals: Sequence[Refusal | str]) -> str:
    """One screen that names the first refusals and counts the rest."""
    shown = [str(refusal) for refusal in refusals[:REFUSALS_SHOWN]]
    more = len(refusals) - len(shown)
    return "\n".join([*shown, *([f"... and {more} more."] if more else []), "Nothing was written."])


@dataclass(frozen=True, kw_only=True)
class Check:
    """The outcome of one expectation on one table.

    Attributes:
        rule: what is true where it holds.
        expectation: the expectation as it stands in the suite, parameters by name.
        success: as Great Expectations would say it; `mostly` counts here, and nowhere else.
        elements, missing, unexpected: rows looked at, rows it does not apply to, rows that break it; None
            for an expectation about the table as a whole.
        observed: what a whole-table expectation saw.
        examples: the first rows that break it: 1-based row (in a table of several parts, `part row n`) and
            value as text.
    """

    rule: str
    expectation: Mapping[str, Any]
    success: bool
    elements: int | None = None
    missing: int | None = None
    unexpected: int | None = None
    observed: Any = None
    examples: tuple[tuple[int | str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Example:
    """A row that was set aside: where it stands, what broke, and what to do next."""

    file: str
    row: int
    column: str
    rule: str
    value: str
    expected: str

    def __str__(self) -> str:
        return _labelled(
            f"A row was set aside: {self.rule} does not hold.",
            {
                "file": self.file,
                "column": self.column,
                "row": str(self.row),
                "expected": self.expected,
                "found": self.value,
                "do next": "mend the row in its source system and export again; the other rows go on",
            },
        )


@dataclass(frozen=True, kw_only=True)
class TableAccount:
    """What became of one table.

    Attributes:
        origin: the file or database table it was read from.
        read, accepted, quarantined: rows.
        not_joined: those of the quarantined rows whose number is not in the identity map.
        broken: rows that broke each rule; a row counts under every rule it broke.
        refused: why the table cannot be used, in words; empty where it can.
        not_read: columns of the file that are not declared, and were left where they are.
        examples: the first row that broke each rule.
        checks: the outcome of each expectation, from which the Data Docs are made.
        enclave: whether the table is held apart; then no value of it is ever shown.
        anew: what of a table that was accepted before was read anew, added or dropped, and why, a line each.
    """

    table: str
    origin: str
    read: int
    accepted: int
    quarantined: int
    not_joined: int = 0
    broken: Mapping[str, int] = field(default_factory=dict)
    refused: tuple[str, ...] = ()
    not_read: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()
    checks: tuple[Check, ...] = ()
    enclave: bool = False
    anew: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.read != self.accepted + self.quarantined:
            raise ValueError(
                f"{self.table}: {self.read} rows read, but {self.accepted} accepted "
                f"and {self.quarantined} quarantined"
            )


@dataclass(frozen=True)
class Account:
    """What became of every table of an ingestion."""

    tables: tuple[TableAccount, ...] = field(repr=False)

    @property
    def refused(self) -> bool:
        """Whether any table cannot be used."""
        return any(table.refused for table in self.tables)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why, in words, for each table that cannot be used."""
        return tuple(reason for table in self.tables for reason in table.refused)

    @property
    def read(self) -> int:
        return sum(table.read for table in self.tables)

    @property
    def accepted(self) -> int:
        return sum(table.accepted for table in self.tables)

    @property
    def quarantined(self) -> int:
        return sum(table.quarantined for table in self.tables)

    @property
    def not_joined(self) -> int:
        return sum(table.not_joined for table in self.tables)

    def __getitem__(self, table: str) -> TableAccount:
        return next(account for account in self.tables if account.table == table)

    def frame(self) -> pl.DataFrame:
        """One row a table: rows read, accepted, quarantined, not joined, and the rules broken."""
        return pl.DataFrame(
            [
                {
                    "table": table.table,
                    "read": table.read,
                    "accepted": table.accepted,
                    "quarantined": table.quarantined,
                    "not_joined": table.not_joined,
                    "refused": bool(table.refused),
                    "broken": ", ".join(f"{rule} ({rows})" for rule, rows in most_first(table.broken)),
                }
                for table in self.tables
            ],
            schema={
                "table": pl.String(), "read": pl.Int64(), "accepted": pl.Int64(), "quarantined": pl.Int64(),
                "not_joined": pl.Int64(), "refused": pl.Boolean(), "broken": pl.String(),
            },
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON; `Account.from_dict` takes them back."""
        return {
            "read": self.read,
            "accepted": self.accepted,
            "quarantined": self.quarantined,
            "not_joined": self.not_joined,
            "tables": [asdict(table) for table in self.tables],
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Account:
        return cls(tuple(_table_account(table) for table in stored["tables"]))

    def _repr_html_(self) -> str:
        rows = "".join(
            "<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>"
            for row in self.frame().iter_rows()
        )
        head = "".join(f"<th>{column.replace('_', ' ')}</th>" for column in self.frame().columns)
        totals = (
            f"{self.read:,} rows read = {self.accepted:,} accepted + {self.quarantined:,} quarantined "
            f"({self.not_joined:,} of them not joined)"
        )
        return (
            f"<table><caption>{totals}</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        )


class TablesRefused(DataRefused):
    """One or more tables cannot be used; `account` says what became of each that was examined."""

    def __init__(self, account: Account) -> None:
        super().__init__(refused(account.reasons))
        self.account = account

    def __reduce__(self) -> tuple[type[TablesRefused], tuple[Account]]:
        # Pickled by its message, as exceptions are, it would not come back from another process and break its pool.
        return type(self), (self.account,)


def most_first(broken: Mapping[str, int]) -> list[tuple[str, int]]:
    """Rules by the rows that broke them, most first, then by name.

    >>> most_first({"b": 1, "a": 1, "c": 3})
    [('c', 3), ('a', 1), ('b', 1)]
    """
    return sorted(broken.items(), key=lambda item: (-item[1], item[0]))


def _table_account(stored: Mapping[str, Any]) -> TableAccount:
    return TableAccount(
        **{
            **stored,
            "refused": tuple(stored["refused"]),
            "not_read": tuple(stored["not_read"]),
            "anew": tuple(stored["anew"]),
            "examples": tuple(Example(**example) for example in stored["examples"]),
            "checks": tuple(
                Check(**{**check, "examples": tuple((row, value) for row, value in check["examples"])})
                for check in stored["checks"]
            ),
        }
    )
