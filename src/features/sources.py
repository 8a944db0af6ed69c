"""Opening extracts: Parquet, CSV or a database, brought to the declared columns and types.

A table is one file, or a folder of files, its parts, as monthly exports come; in a database it is one part.

What is wrong with a table as a whole (missing, unreadable, a column missing or of another type, a column
that must not be ingested) is refused here. What is wrong with a row is left to the contracts: a text of a
CSV file that cannot be read as its declared type becomes null, and the text stays beside it in a column
named by `as_written`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from features.account import Refusal, refused
from features.definition import ForceDefinition
from features.errors import DataRefused, WrongUsage, did_you_mean
from features.tables import FORBIDDEN_COLUMN, Column, Kind, Table

if TYPE_CHECKING:
    from sqlalchemy import Engine

SOURCE_ROW = "source_row"
ENDINGS = (".parquet", ".csv")
ENCLAVE = "enclave"
ROWS_A_FETCH = 200_000

# Whole numbers that fit the declared 64 bits, whatever they hold.
INTEGERS = (pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32)

KIND_IN_WORDS: Mapping[Kind, str] = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "date": "a date (2024-01-31)",
    "datetime": "a date and time (2024-01-31 07:00:00)",
}


@dataclass(frozen=True, eq=False)
class SourcePart:
    """One file of a source table (or the whole of it), opened and not yet read.

    Attributes:
        name: the file's name without its ending; the table's where there is but one file.
        origin: the file, or the database table, as shown to the user.
        frame: the declared columns in their declared types and `source_row` (1-based, a header line not
            counted); from text sources also the `as_written` columns.
        fingerprint: a hash of the content.
        not_read: columns of the source that are not declared.
    """

    name: str
    origin: str
    frame: pl.LazyFrame
    fingerprint: str
    not_read: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Extract:
    """One source table, opened and not yet read.

    Attributes:
        table: its declaration.
        origin: the file or folder, or the database table, as shown to the user.
        parts: in order of their names, at least one.
    """

    table: Table
    origin: str
    parts: tuple[SourcePart, ...]

    @property
    def fingerprint(self) -> str:
        """A hash of the content of all parts."""
        if len(self.parts) == 1:
            return self.parts[0].fingerprint
        named = "".join(f"{part.name}\0{part.fingerprint}\0" for part in self.parts)
        return hashlib.blake2b(named.encode()).hexdigest()[:32]

    @property
    def not_read(self) -> tuple[str, ...]:
        """Columns of any part that are not declared."""
        return tuple(dict.fromkeys(name for part in self.parts for name in part.not_read))


def as_written(column: str) -> str:
    """The name of the column that holds a value as the text source wrote it."""
    return f"{column} as written"


def open_extracts(
    force: ForceDefinition, data: str | Path, *, only: Sequence[str] | None = None
) -> dict[str, Extract]:
    """The extracts of a force by table name; a table that may be absent, and is, is left out.

    Args:
        data: a directory with `<table>.parquet`, `<table>.csv` or a folder `<table>` of such files
            (enclave tables in its folder `enclave`), or a SQLAlchemy URL of a database with these tables.
        only: table names; all of the force's where None.

    Raises:
        WrongUsage: `only` names a table the force does not have.
        DataRefused: a table is missing, unreadable, lacks a column, has one of another type or one that
            must not be ingested; the message covers every such table.
    """
    tables = _chosen(force, only)
    source = _database if "://" in str(data) else _directory
    extracts, refusals = {}, []
    for table, extract in source(tables, data):
        if isinstance(extract, Refusal):
            refusals.append(extract)
        elif extract is not None:
            extracts[table.name] = extract
    if refusals:
        raise DataRefused(refused(refusals))
    return extracts


def _chosen(force: ForceDefinition, only: Sequence[str] | None) -> list[Table]:
    for name in only or ():
        if name not in force.tables_by_name:
            raise WrongUsage(
                f"force {force.name!r} has no table {name!r}. {did_you_mean(name, force.tables_by_name)}"
            )
    return [table for table in force.tables if only is None or table.name in only]


@contextmanager
def reading(table: str, origin: str) -> Iterator[None]:
    """Turns a failure to read a file's content into a refusal that names the file.

    Raises:
        DataRefused: the content cannot be read to its end.
    """
    try:
        yield
    except (pl.exceptions.ComputeError, pl.exceptions.SchemaError, OSError) as error:
        raise DataRefused(refused([_unreadable(table, origin, error)])) from error


def _unreadable(table: str, origin: str, error: Exception) -> Refusal:
    return Refusal(
        table=table,
        file=origin,
        expected="a file that can be read to its end",
        found=f"a truncated or damaged file: {str(error).strip().splitlines()[0] if str(error).strip() else error!r}",
        remedy=f"export {table} again and compare the file's size with the source system's",
    )


# --- a directory of files ---------------------------------------------------------------------------


def _directory(tables: Sequence[Table], data: str | Path) -> Iterator[tuple[Table, Extract | Refusal | None]]:
    directory = Path(data)
    if not directory.is_dir():
        raise DataRefused(
            f"{directory} is not a directory.\n"
            f"  expected  a directory with {tables[0].name}.parquet or {tables[0].name}.csv and the other tables\n"
            "  found     no such directory\n"
            "  do next   give the folder of the extracts with --data, or a database as dialect://..."
        )
    for table in tables:
        yield table, _from_directory(table, directory)


def _from_directory(table: Table, directory: Path) -> Extract | Refusal | None:
    folder = directory / ENCLAVE if table.enclave else directory
    ways = [path for ending in ENDINGS if (path := folder / f"{table.name}{ending}").is_file()]
    if (of_parts := folder / table.name).is_dir():
        ways.append(of_parts)
    if not ways:
        return _missing(table, str(folder), f"{table.name}.parquet or {table.name}.csv")
    if len(ways) > 1:
        return Refusal(
            table=table.name,
            file=str(folder),
            expected=f"one file, or one folder of parts, for {table.name}",
            found=" and ".join(f"{path.name}/" if path.is_dir() else path.name for path in ways),
            remedy="keep the one that is meant and remove the other",
        )
    files = _part_files(table, ways[0]) if ways[0].is_dir() else ways
    if isinstance(files, Refusal):
        return files
    with ThreadPoolExecutor(os.cpu_count()) as threads:  # for the fingerprints, each the work of one core
        opened = list(threads.map(lambda path: _from_file(table, path), files))
    if refused := next((part for part in opened if isinstance(part, Refusal)), None):
        return refused
    return Extract(table, str(ways[0]), tuple(part for part in opened if isinstance(part, SourcePart)))


def _part_files(table: Table, folder: Path) -> list[Path] | Refusal:
    # Names that begin like this are notes of the system that wrote the folder.
    listed = (path for path in folder.iterdir() if not path.name.startswith((".", "_")))
    files = sorted(listed, key=lambda path: path.stem)
    if not files:
        return _missing(table, str(folder), "at least one part, such as 2024-01.parquet") or _empty(
            table, str(folder)
        )
    strange = [path for path in files if path.suffix not in ENDINGS or not path.is_file()]
    names = [path.stem for path in files]
    twice = [path for path in files if names.count(path.stem) > 1]
    if strange or twice:
        return Refusal(
            table=table.name,
            file=str(folder),
            expected="parts that end in .parquet or .csv, each name once",
            found=", ".join(path.name for path in strange or twice),
            remedy="move what is no part of the table out of the folder",
        )
    return files


def _from_file(table: Table, path: Path) -> SourcePart | Refusal:
    if path.stat().st_size == 0:
        return _empty(table, str(path))
    try:
        return _from_parquet(table, path) if path.suffix == ".parquet" else _from_csv(table, path)
    except pl.exceptions.NoDataError:
        return _empty(table, str(path))
    except (pl.exceptions.ComputeError, pl.exceptions.SchemaError, OSError) as error:
        return _unreadable(table.name, str(path), error)


def _missing(table: Table, where: str, expected: str) -> Refusal | None:
    # Whoever runs the pipeline need not have the enclave's tables; only audits read them.
    if table.enclave or not table.required:
        return None
    return Refusal(
        table=table.name,
        file=where,
        expected=f"{expected}: {table.says}",
        found="no such table",
        remedy=f"export {table.name} from {table.source_system} into it",
    )


def _empty(table: Table, origin: str) -> Refusal:
    return Refusal(
        table=table.name,
        file=origin,
        expected="at least one row",
        found="an empty file",
        remedy=f"export {table.name} again from {table.source_system}; an empty extract says nothing",
    )


def _from_parquet(table: Table, path: Path) -> SourcePart | Refusal:
    scanned = pl.scan_parquet(path)
    schema = scanned.collect_schema()
    if refusal := _columns_refused(table, str(path), schema.names()):
        return refusal
    if refusal := _types_refused(table, str(path), schema, scanned):
        return refusal
    return SourcePart(
        name=path.stem,
        origin=str(path),
        frame=_widened(table, scanned),
        fingerprint=_file_fingerprint(path),
        not_read=_not_read(table, schema.names()),
    )


def _from_csv(table: Table, path: Path) -> SourcePart | Refusal:
    scanned = pl.scan_csv(path, infer_schema=False)
    names = scanned.collect_schema().names()
    if refusal := _columns_refused(table, str(path), names):
        return refusal
    return SourcePart(
        name=path.stem,
        origin=str(path),
        frame=_parsed(table, scanned),
        fingerprint=_file_fingerprint(path),
        not_read=_not_read(table, names),
    )


def _file_fingerprint(path: Path) -> str:
    # Of every byte, each time: a file changed in place may have the size and the time that it had. SHA-256 because
    # processors compute it, two to three times as fast here as BLAKE2b; and `sha256sum` tells the same.
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:32]


# --- a database -------------------------------------------------------------------------------------


def _database(tables: Sequence[Table], data: str | Path) -> Iterator[tuple[Table, Extract | Refusal | None]]:
    from sqlalchemy import create_engine, inspect
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError, SQLAlchemyError

    try:
        engine = create_engine(make_url(str(data)))
        shown = engine.url.render_as_string(hide_password=True)
        if engine.dialect.name == "sqlite" and not Path(engine.url.database or "").is_file():
            raise DataRefused(f"{shown}: no such database file. Give the path of one after sqlite:///")
        present = set(inspect(engine).get_table_names()) | set(inspect(engine).get_view_names())
    except (ArgumentError, SQLAlchemyError, ImportError) as error:
        raise DataRefused(
            f"--data {str(data).partition('@')[0].partition('://')[0]}://... cannot be opened as a database: "
            f"{str(error).splitlines()[0]}\nCheck the URL, the driver and the network, or give a directory."
        ) from error
    try:
        for table in tables:
            origin = f"{shown} table {table.name}"
            if table.name not in present:
                yield table, _missing(table, shown, f"a table {table.name}")
            else:
                yield table, _from_database(table, engine, origin)
    finally:
        engine.dispose()


def _from_database(table: Table, engine: Engine, origin: str) -> Extract | Refusal:
    from sqlalchemy import inspect

    names = [column["name"] for column in inspect(engine).get_columns(table.name)]
    if refusal := _columns_refused(table, origin, names):
        return refusal
    frame = _fetched(table, engine)
    if frame.height == 0:
        return _empty(table, origin)
    fingerprint = hashlib.blake2b()
    for part in frame.iter_slices(ROWS_A_FETCH):
        fingerprint.update(part.write_csv().encode())
    if _stores_no_types(engine):
        read = _parsed(table, frame.lazy())
    elif refusal := _types_refused(table, origin, frame.schema, frame.lazy()):
        return refusal
    else:
        read = _widened(table, frame.lazy())
    part = SourcePart(table.name, origin, read, fingerprint.hexdigest()[:32], _not_read(table, names))
    return Extract(table, origin, (part,))


def _stores_no_types(engine: Engine) -> bool:
    # SQLite keeps any value in any column and has no dates: its values are read as text, like a CSV file's.
    return engine.dialect.name == "sqlite"


def _fetched(table: Table, engine: Engine) -> pl.DataFrame:
    """The declared columns, ordered by key so that a row keeps its number from one reading to the next."""
    from sqlalchemy import Text, cast, column, select
    from sqlalchemy import table as sql_table

    columns = [column(name) for name in table.by_name]
    read = [cast(one, Text).label(one.name) for one in columns] if _stores_no_types(engine) else columns
    query = (
        select(*read).select_from(sql_table(table.name, *columns)).order_by(*(column(k) for k in table.key))
    )
    schema = dict.fromkeys(table.by_name, pl.String()) if _stores_no_types(engine) else None
    with engine.connect() as connection:
        parts = pl.read_database(
            query,
            connection,
            iter_batches=True,
            batch_size=ROWS_A_FETCH,
            schema_overrides=schema,
            infer_schema_length=None,
        )
        frames = list(parts)
    return pl.concat(frames, how="vertical_relaxed") if frames else pl.DataFrame(schema=table.schema)


# --- columns and types ------------------------------------------------------------------------------


def _columns_refused(table: Table, origin: str, names: Sequence[str]) -> Refusal | None:
    if forbidden := sorted(name for name in names if FORBIDDEN_COLUMN.search(name)):
        return Refusal(
            table=table.name,
            file=origin,
            column=", ".join(forbidden),
            expected="no location and no personal-device data",
            found=f"{len(forbidden)} such column{'s' * (len(forbidden) > 1)}, of which no value was read",
            remedy="export the table without it; there is no setting that lets it in",
        )
    missing = [name for name in table.by_name if name not in names]
    if missing:
        first = table.by_name[missing[0]]
        return Refusal(
            table=table.name,
            file=origin,
            column=", ".join(missing),
            expected=f"{first.name}: {first.says} ({KIND_IN_WORDS[first.kind]})",
            found=f"no such column. {did_you_mean(first.name, names)}",
            remedy="export the table with the column, under this name",
        )
    return None


def _not_read(table: Table, names: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in names if name not in table.by_name)


def _types_refused(table: Table, origin: str, schema: pl.Schema, frame: pl.LazyFrame) -> Refusal | None:
    for column in table.columns:
        if not _can_be_read_as(column.kind, schema[column.name]):
            row, value = _first_value(frame, column.name)
            return Refusal(
                table=table.name,
                file=origin,
                column=column.name,
                row=row,
                expected=f"{KIND_IN_WORDS[column.kind]}, stored as {column.dtype}",
                found=f"stored as {schema[column.name]}; the first value is "
                + ("withheld (enclave)" if table.enclave else repr(value)),
                remedy=_type_remedy(column),
            )
    return None


def _type_remedy(column: Column) -> str:
    match column.kind:
        case "date":
            return "store the column as dates (no time of day, no text) and export again"
        case "datetime":
            return "store the column as local date and time without a zone (no text) and export again"
        case _:
            return f"store the column as {KIND_IN_WORDS[column.kind]} and export again"


def _first_value(frame: pl.LazyFrame, column: str) -> tuple[int | None, object]:
    first = _numbered(frame.select(column)).filter(pl.col(column).is_not_null()).head(1).collect()
    return (None, None) if first.is_empty() else (first.item(0, SOURCE_ROW), first.item(0, column))


def _can_be_read_as(kind: Kind, dtype: pl.DataType) -> bool:
    """Whether every value of a stored type is one of the declared kind, without loss or guessing."""
    # A column without a single value has no type of its own.
    if dtype == pl.Null():
        return True
    match kind:
        case "string":
            return isinstance(dtype, pl.String | pl.Categorical | pl.Enum)
        case "integer":
            return dtype in INTEGERS
        case "number":
            return dtype.is_numeric()
        case "boolean":
            return isinstance(dtype, pl.Boolean)
        case "date":
            return isinstance(dtype, pl.Date)
        case "datetime":
            # A zone would have to be converted to the force's local time, which is the exporter's to do.
            return isinstance(dtype, pl.Date) or (isinstance(dtype, pl.Datetime) and dtype.time_zone is None)


def _numbered(frame: pl.LazyFrame) -> pl.LazyFrame:
    return frame.with_row_index(SOURCE_ROW, offset=1).with_columns(pl.col(SOURCE_ROW).cast(pl.Int64()))


def _widened(table: Table, frame: pl.LazyFrame) -> pl.LazyFrame:
    values = {column.name: pl.col(column.name).cast(column.dtype) for column in table.columns}
    # A number that is no number is a missing one.
    numbers = {c.name: values[c.name].fill_nan(None) for c in table.columns if c.kind == "number"}
    return _numbered(frame.select(**{**values, **numbers}))


def _parsed(table: Table, texts: pl.LazyFrame) -> pl.LazyFrame:
    typed = [column for column in table.columns if column.kind != "string"]
    parsed = texts.select(
        *(_PARSE[column.kind](pl.col(column.name)).alias(column.name) for column in table.columns),
        *(pl.col(column.name).alias(as_written(column.name)) for column in typed),
    )
    return _numbered(parsed)


def _integer(text: pl.Expr) -> pl.Expr:
    # Tools that know no missing whole number write 17 as 17.0.
    return text.str.strip_chars().str.replace(r"\.0+$", "").cast(pl.Int64(), strict=False)


def _number(text: pl.Expr) -> pl.Expr:
    return text.str.strip_chars().cast(pl.Float64(), strict=False).fill_nan(None)


def _boolean(text: pl.Expr) -> pl.Expr:
    lowered = text.str.strip_chars().str.to_lowercase()
    return (
        pl.when(lowered.is_in(["true", "t", "1", "yes", "y"]))
        .then(pl.lit(True))
        .when(lowered.is_in(["false", "f", "0", "no", "n"]))
        .then(pl.lit(False))
    )


def _date(text: pl.Expr) -> pl.Expr:
    return text.str.strip_chars().str.to_date("%Y-%m-%d", strict=False)


def _datetime(text: pl.Expr) -> pl.Expr:
    spaced = text.str.strip_chars().str.replace("T", " ", literal=True)
    return pl.coalesce(
        spaced.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us", strict=False),
        spaced.str.to_datetime("%Y-%m-%d %H:%M", time_unit="us", strict=False),
        spaced.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us")),
    )


_PARSE: Mapping[Kind, Callable[[pl.Expr], pl.Expr]] = {
    "string": lambda text: text,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "date": _date,
    "datetime": _datetime,
}
