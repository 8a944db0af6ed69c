"""A system access log of any size, with bad rows of every kind, written without the simulated force."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from features.tables import Column, Table

PEOPLE = 46_000
FIRST, MONTHS = datetime(2020, 1, 1), 36
ROWS_A_WRITE = 1_000_000
BAD = 1000  # one row in so many is bad in each of six ways

SYSTEMS = ("PNC", "CRIS", "CAD", "ANPR", "INTEL", "CUSTODY")
ACTIONS = ("SEARCH", "VIEW", "PRINT", "EXPORT")
RELATIONS = ("NONE", "SELF", "COLLEAGUE", "ADDRESS")
REASONS = ("CASE", "INTEL", "VETTING", "ADMIN", "OTHER")

NUMBERS = Table(
    name="numbers",
    says="A log-on number and whose it is.",
    source_system="IDENTITY",
    key=("user_no",),
    columns=(
        Column(name="user_no", kind="string", says="the number"),
        Column(name="person_key", kind="string", says="the person"),
        Column(name="occurred_at", kind="datetime", says="from when"),
        Column(name="known_at", kind="datetime", says="when recorded"),
    ),
)
ACCESS = Table(
    name="access",
    says="One use of a police information system.",
    source_system="ACCESS_LOG",
    key=("event_id",),
    person="user_no",
    columns=(
        Column(name="event_id", kind="string", says="the event"),
        Column(name="user_no", kind="string", says="who", pattern=r"U\d{6}", refers_to="numbers.user_no"),
        Column(name="occurred_at", kind="datetime", says="when"),
        Column(name="known_at", kind="datetime", says="when the line arrived", at_least="occurred_at"),
        Column(name="system", kind="string", says="the system", allowed=SYSTEMS),
        Column(name="action", kind="string", says="what was done", allowed=ACTIONS),
        Column(name="subject_key", kind="string", says="the record", nullable=True),
        Column(name="subject_relation", kind="string", says="to the user", allowed=RELATIONS),
        Column(name="reason_code", kind="string", says="purpose entered", allowed=REASONS),
        Column(name="linked_incident_id", kind="string", says="incident", nullable=True),
    ),
)


def write_numbers(path: Path) -> None:
    """The log-on number of every person."""
    at = pl.lit(FIRST - timedelta(days=365))
    people = pl.DataFrame({"n": np.arange(PEOPLE)}).select(
        _named("U", "n", 6).alias("user_no"),
        _named("P", "n", 6).alias("person_key"),
        occurred_at=at,
        known_at=at,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    people.write_parquet(path)


def write_access(path: Path, rows: int, *, seed: int, first: int = 0, of: int | None = None) -> None:
    """Rows `first` to `first + rows - 1` of a log of `of` rows over the months, in order of time."""
    rng = np.random.default_rng([seed, first])
    path.parent.mkdir(parents=True, exist_ok=True)
    with pq.ParquetWriter(path, _rows(rng, first, 1, of or rows).schema, compression="zstd") as file:
        for start in range(first, first + rows, ROWS_A_WRITE):
            file.write_table(_rows(rng, start, min(ROWS_A_WRITE, first + rows - start), of or rows))


def _rows(rng: np.random.Generator, start: int, rows: int, of: int):  # type: ignore[no-untyped-def]  # an arrow table
    number = np.arange(start, start + rows)
    step = MONTHS * 30.4 * 86_400e6 / of
    occurred = np.datetime64(FIRST, "us") + (number * step).astype("timedelta64[us]")
    late = rng.integers(0, 3 * 86_400_000_000, rows).astype("timedelta64[us]")
    frame = pl.DataFrame(
        {
            "n": number, "who": rng.integers(0, PEOPLE, rows), "bad": rng.integers(0, BAD, rows),
            "occurred_at": occurred, "known_at": occurred + late,
            "subject": rng.integers(0, max(of // 5, 1), rows), "incident": rng.integers(0, max(of // 3, 1), rows),
        }
    )  # fmt: skip
    good = frame.select(
        _named("E", "n", 9).alias("event_id"),
        _named("U", "who", 6).alias("user_no"),
        "occurred_at",
        "known_at",
        _word(rng, SYSTEMS, rows).alias("system"),
        _word(rng, ACTIONS, rows).alias("action"),
        _named("S", "subject", 1).alias("subject_key"),
        _word(rng, RELATIONS, rows).alias("subject_relation"),
        _word(rng, REASONS, rows).alias("reason_code"),
        pl.when(pl.col("incident") % 5 > 0).then(_named("I", "incident", 1)).alias("linked_incident_id"),
        "bad",
    )
    return good.with_columns(
        event_id=_where(0, pl.col("event_id").shift(1), "event_id"),  # a copy of the key before it
        user_no=_where(1, pl.lit("U999999"), _where(2, pl.lit("nobody"), "user_no")),
        known_at=_where(3, pl.col("occurred_at") - timedelta(days=1), "known_at"),
        system=_where(4, pl.lit("TELEX"), "system"),
        reason_code=_where(5, pl.lit(None, pl.String), "reason_code"),
    ).drop("bad").to_arrow(compat_level=pl.CompatLevel.oldest())  # fmt: skip


def _where(bad: int, value: pl.Expr, otherwise: str | pl.Expr) -> pl.Expr:
    return (
        pl.when((pl.col("bad") == bad) & (value.is_not_null() | (bad == 5))).then(value).otherwise(otherwise)
    )


def _named(letter: str, number: str, digits: int) -> pl.Expr:
    return pl.lit(letter) + pl.col(number).cast(pl.String).str.zfill(digits)


def _word(rng: np.random.Generator, words: tuple[str, ...], rows: int) -> pl.Series:
    return pl.Series(words).gather(rng.integers(0, len(words), rows))
