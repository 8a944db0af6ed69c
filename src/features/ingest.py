"""From extracts to accepted rows: every table judged by its suite, every row accepted or set aside.

Running it twice on the same extracts and suites changes nothing and reads nothing twice. What it writes
appears as a whole or not at all.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl

from features.accepted import (
    MANIFEST,
    PERSON,
    SUPERSEDED_AT,
    Accepted,
    Part,
    accepted_schema,
    known_dates,
    renamed,
    rows_file,
    stored_manifest,
)
from features.account import Account, Check, Example, Refusal, TableAccount, TablesRefused
from features.contracts import (
    FRESH_FROM,
    IDENTITY_MAP,
    Parameter,
    Suite,
    apply,
    compile_suite,
    load_suite,
    parameter_of,
)
from features.definition import ForceDefinition
from features.rules import Applied
from features.sources import SOURCE_ROW, Extract, open_extracts, reading
from features.tables import Table

LAYOUT = 2  # raised when what is written changes, so that older accepted rows are not taken for current
# A few bad rows are a large share of a small table and say nothing of it: two keys given twice are four. Every row
# bad does, however few they are.
FEW_BAD_ROWS = 10
INCOMING, OUTGOING = ".incoming", ".outgoing"
ACCEPTED, QUARANTINE = "accepted", "quarantine"


def ingest(
    force: ForceDefinition,
    data: str | Path,
    *,
    out: Path,
    suites: Path,
    docs: Path | None = None,
    only: Sequence[str] | None = None,
    strict: bool = False,
    progress: Callable[[str], None] | None = None,
) -> tuple[Accepted, Account]:
    """The accepted rows of a force's extracts, and the account of every row read.

    Writes `out/accepted/<table>.parquet` and `out/quarantine/<table>.parquet` (every column of the source
    and `broken_rules`), replacing what was there. The same extracts, suites and declarations give the
    stored rows and account again without reading a table.

    Args:
        data: a directory of extracts or a database URL.
        suites: the directory with one suite a table.
        docs: where to write Data Docs, if anywhere; they need Great Expectations, which is slow to import.
        only: the tables meant; those they refer to come with them.
        strict: refuse a table for a single bad row, rather than for more than its `max_bad_share` (and more
            than a few).
        progress: told one line a table.

    Raises:
        DataRefused: a table cannot be used; nothing is written. `TablesRefused` where rows were examined.
        WrongUsage: a suite is missing or cannot be used.
    """
    names = None if only is None else _with_those_referred_to(force, only)
    extracts = open_extracts(force, data, only=names)
    loaded = {name: load_suite(suites / f"{name}.json") for name in extracts}
    inputs = _digest(force, extracts, loaded, strict=strict)
    _finish_interrupted(out)
    stored = stored_manifest(out / ACCEPTED)
    if stored is not None and stored["inputs"] == inputs:
        account = Account.from_dict(stored["account"])
    else:
        account = _ingest_anew(force, extracts, loaded, out, inputs, strict=strict, progress=progress)
    if docs is not None:
        from features.datadocs import write_data_docs

        write_data_docs(force, account, docs)
    return Accepted.open(force, out / ACCEPTED), account


def _with_those_referred_to(force: ForceDefinition, only: Sequence[str]) -> list[str]:
    known = [name for name in only if name in force.tables_by_name]
    needed = {other for name in known for other in _needs(force, force.tables_by_name[name])} - set(only)
    return [*only, *_with_those_referred_to(force, sorted(needed))] if needed else list(only)


def _needs(force: ForceDefinition, table: Table) -> set[str]:
    """The tables whose accepted rows must be known before this one can be judged."""
    referred = {column.refers_to.partition(".")[0] for column in table.columns if column.refers_to}
    if table.person_number:
        if force.identity_map is None:
            raise ValueError(f"{table.name} has its own person numbers, and the force names no identity map")
        referred.add(force.identity_map)
    return referred - {table.name}


def _in_order(force: ForceDefinition, extracts: Mapping[str, Extract]) -> list[Extract]:
    ordered: dict[str, Extract] = {}

    def place(name: str) -> None:
        if name in extracts and name not in ordered:
            for other in sorted(_needs(force, extracts[name].table)):
                place(other)
            ordered[name] = extracts[name]

    for name in extracts:
        place(name)
    return list(ordered.values())


def _digest(
    force: ForceDefinition, extracts: Mapping[str, Extract], suites: Mapping[str, Suite], *, strict: bool
) -> str:
    """A hash of all that the accepted rows and their account follow from."""
    inputs = {
        "layout": LAYOUT,
        "force": force.name,
        "declarations": repr(force.tables),
        "extracts": {name: [extract.origin, extract.fingerprint] for name, extract in extracts.items()},
        "suites": dict(suites),
        "strict": strict,
    }
    return hashlib.blake2b(json.dumps(inputs, sort_keys=True).encode(), digest_size=16).hexdigest()


# --- one ingestion ----------------------------------------------------------------------------------


def _ingest_anew(
    force: ForceDefinition,
    extracts: Mapping[str, Extract],
    suites: Mapping[str, Suite],
    out: Path,
    inputs: str,
    *,
    strict: bool,
    progress: Callable[[str], None] | None,
) -> Account:
    incoming = out / INCOMING
    try:
        account = _judge_all(force, extracts, suites, incoming, strict=strict, progress=progress)
        if account.refused:
            raise TablesRefused(account)
        _write_manifest(force, extracts, incoming / ACCEPTED, inputs, account)
        _replace(out)
    finally:
        shutil.rmtree(incoming, ignore_errors=True)
        if out.is_dir() and not any(out.iterdir()):
            out.rmdir()
    return account


def _judge_all(
    force: ForceDefinition,
    extracts: Mapping[str, Extract],
    suites: Mapping[str, Suite],
    incoming: Path,
    *,
    strict: bool,
    progress: Callable[[str], None] | None,
) -> Account:
    referred_to = {column.refers_to for extract in extracts.values() for column in extract.table.columns}
    parameters: dict[str, Parameter] = {}
    newest = _newest(extracts)
    accounts = []
    for extract in _in_order(force, extracts):
        table, origin = extract.table, extract.origin
        fresh = _fresh_from(table, newest)
        with reading(table.name, origin):
            account = _judge(force, extract, suites[table.name], parameters | fresh, incoming, strict=strict)
        accounts.append(account)
        if progress is not None:
            progress(
                f"{table.name}: {account.read:,} rows read, {account.accepted:,} accepted, "
                f"{account.quarantined:,} quarantined"
            )
        filled = {name for name in referred_to if name and name.partition(".")[0] == table.name}
        if account.refused and (filled or table.name == force.identity_map):
            # Whatever refers to a table that cannot be used would be refused for that alone.
            break
        for name in filled:
            parameters[parameter_of(name)] = _values(table, name.partition(".")[2], incoming)
        if table.name == force.identity_map:
            parameters[IDENTITY_MAP] = _values(table, table.key[0], incoming)
    declared = {name: place for place, name in enumerate(force.tables_by_name)}
    return Account(tuple(sorted(accounts, key=lambda account: declared[account.table])))


def _newest(extracts: Mapping[str, Extract]) -> datetime | None:
    """The instant the extracts reach: the median of the latest `known_at` of tables that gain rows daily.

    Not the latest of all, because one mistyped year would make every other table stale.
    """
    latest = []
    for extract in extracts.values():
        if extract.table.stale_after_days is not None and extract.table.known_at is not None:
            with reading(extract.table.name, extract.origin):
                newest = extract.frame.select(pl.col(extract.table.known_at).max()).collect(
                    engine="streaming"
                )
            latest.append(newest.item())
    reached = sorted(instant for instant in latest if instant is not None)
    return reached[len(reached) // 2] if reached else None


def _fresh_from(table: Table, newest: datetime | None) -> dict[str, Parameter]:
    if table.stale_after_days is None:
        return {}
    return {FRESH_FROM: newest - timedelta(days=table.stale_after_days) if newest else datetime.min}


def _values(table: Table, column: str, incoming: Path) -> pl.Series:
    accepted = pl.scan_parquet(rows_file(incoming / ACCEPTED, table, table.name))
    return accepted.select(pl.col(renamed(table, column)).drop_nulls().unique()).collect().to_series()


def _judge(
    force: ForceDefinition,
    extract: Extract,
    suite: Suite,
    parameters: Mapping[str, Parameter],
    incoming: Path,
    *,
    strict: bool,
) -> TableAccount:
    """Writes a table's accepted and quarantined rows under `incoming`; returns its account."""
    table = extract.table
    applied = apply(compile_suite(suite, parameters), extract.frame, not_read=extract.not_read)
    aside, good = (rows_file(incoming / folder, table, table.name) for folder in (QUARANTINE, ACCEPTED))
    _sink(applied.quarantined, aside)
    quarantined = _rows_in(aside)
    checks = tuple(
        _without_values(check) if table.enclave else check for check in applied.checks(pl.scan_parquet(aside))
    )
    _sink(_translated(force, table, applied.accepted, incoming), good)
    read = extract.frame.select(pl.len()).collect(engine="streaming").item()
    return TableAccount(
        table=table.name,
        origin=extract.origin,
        read=read,
        accepted=_rows_in(good),
        quarantined=quarantined,
        not_joined=sum(check.unexpected or 0 for check in checks if _is_join(check)),
        broken={check.rule: check.unexpected for check in checks if check.unexpected},
        refused=tuple(
            str(refusal) for refusal in _refusals(extract, applied, checks, read, quarantined, strict=strict)
        ),
        not_read=extract.not_read,
        examples=tuple(_example(extract, check) for check in checks if check.examples),
        checks=checks,
        enclave=table.enclave,
    )


def _sink(frame: pl.LazyFrame, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.sink_parquet(path, compression="zstd", compression_level=1)


def _rows_in(path: Path) -> int:
    return pl.scan_parquet(path).select(pl.len()).collect().item()


def _is_join(check: Check) -> bool:
    return check.expectation["kwargs"].get("value_set") == {"$PARAMETER": IDENTITY_MAP}


def _without_values(check: Check) -> Check:
    return replace(check, examples=tuple((row, "withheld (enclave)") for row, _ in check.examples))


def _example(extract: Extract, check: Check) -> Example:
    row, value = check.examples[0]
    return Example(
        file=extract.origin,
        row=row,
        column=_columns(check),
        rule=check.rule,
        value=value,
        expected=check.expectation.get("notes", ""),
    )


def _columns(check: Check) -> str:
    kwargs = check.expectation["kwargs"]
    named = [kwargs[key] for key in ("column", "column_A", "column_B") if key in kwargs]
    return ", ".join([*named, *kwargs.get("column_list", ())])


# --- accepted rows ----------------------------------------------------------------------------------


def _translated(force: ForceDefinition, table: Table, rows: pl.LazyFrame, incoming: Path) -> pl.LazyFrame:
    """Rows as `Accepted.scan` gives them: persons by their key, versions with when they were superseded."""
    columns = [*table.by_name, SOURCE_ROW]
    dated = _with_superseded(table, rows.select(columns)) if table.correctable else rows.select(columns)
    if table.person_number:
        dated = _joined(force, table, dated, incoming)
    elif table.person is not None:
        dated = dated.rename({table.person: PERSON})
    return dated.select(list(accepted_schema(table)))


def _with_superseded(table: Table, rows: pl.LazyFrame) -> pl.LazyFrame:
    assert table.known_at is not None
    # Few rows have versions; only those are held and sorted.

    versions = rows.filter(pl.struct(table.key).is_duplicated())
    superseded = (
        versions.select(SOURCE_ROW, *table.key, table.known_at)
        .sort(*table.key, table.known_at)
        .select(
            SOURCE_ROW,
            pl.col(table.known_at).shift(-1).over(table.key).cast(pl.Datetime("us")).alias(SUPERSEDED_AT),
        )
        .drop_nulls(SUPERSEDED_AT)
    )
    return rows.join(superseded, on=SOURCE_ROW, how="left", maintain_order="left")


def _joined(force: ForceDefinition, table: Table, rows: pl.LazyFrame, incoming: Path) -> pl.LazyFrame:
    assert force.identity_map is not None
    assert table.person is not None
    links_table = force.tables_by_name[force.identity_map]
    links = pl.scan_parquet(rows_file(incoming / ACCEPTED, links_table, links_table.name))
    known = {"link known": pl.col(links_table.known_at)} if links_table.known_at else {}
    number = pl.col(links_table.key[0]).alias(table.person)
    joined = rows.join(
        links.select(number, PERSON, **known), on=table.person, how="left", maintain_order="left"
    )
    if table.known_at is None or not known:
        return joined
    # That a row is about this person is known once both the row and the link are.
    return joined.with_columns(pl.max_horizontal(table.known_at, "link known").alias(table.known_at))


# --- refusals ---------------------------------------------------------------------------------------


def _refusals(
    extract: Extract, applied: Applied, checks: Sequence[Check], read: int, quarantined: int, *, strict: bool
) -> list[Refusal]:
    if failed := [check for check in checks if check.rule in applied.refusing and not check.success]:
        return [_failed(extract, failed[0])]  # what comes after may follow from it
    allowed = 0.0 if strict else extract.table.max_bad_share
    few = 0 if strict else FEW_BAD_ROWS
    if quarantined > max(allowed * read, few) or 0 < quarantined == read:
        return [_too_many(extract, checks, read, quarantined, allowed)]
    return []


def _failed(extract: Extract, check: Check) -> Refusal:
    row, value = check.examples[0] if check.examples else (None, None)
    found = f"{value} (rows that break it: {check.unexpected:,})" if value else str(check.observed)
    return Refusal(
        table=extract.table.name,
        file=extract.origin,
        column=_columns(check) or None,
        row=row,
        expected=check.expectation.get("notes") or check.rule,
        found=found,
        remedy=f"export {extract.table.name} again from {extract.table.source_system}",
    )


def _too_many(
    extract: Extract, checks: Sequence[Check], read: int, quarantined: int, allowed: float
) -> Refusal:
    worst = max((check for check in checks if check.examples), key=lambda check: check.unexpected or 0)
    row, value = worst.examples[0]
    share = f"{quarantined:,} of {read:,} rows ({quarantined / read:.1%}) are bad, {allowed:.0%} may be"
    return Refusal(
        table=extract.table.name,
        file=extract.origin,
        column=_columns(worst),
        row=row,
        expected=worst.expectation.get("notes") or worst.rule,
        found=f"{value} (rows that break {worst.rule}: {worst.unexpected:,}); {share}",
        remedy=f"mend {_columns(worst)} in {extract.table.source_system} and export {extract.table.name} again",
    )


# --- what is written --------------------------------------------------------------------------------


def _write_manifest(
    force: ForceDefinition, extracts: Mapping[str, Extract], directory: Path, inputs: str, account: Account
) -> None:
    parts = {name: [_part(extract, directory, account[name].read)] for name, extract in extracts.items()}
    first, last = known_dates(force, parts)
    manifest = {
        "force": force.name,
        "inputs": inputs,
        "parts": {name: [asdict(part) for part in listed] for name, listed in parts.items()},
        "first_date": first.isoformat() if first else None,
        "last_date": last.isoformat() if last else None,
        "account": account.to_dict(),
    }
    (directory / MANIFEST).write_text(json.dumps(manifest, indent=1, default=_as_text), "utf-8")


def _as_text(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)


def _part(extract: Extract, directory: Path, read: int) -> Part:
    table = extract.table
    rows = pl.scan_parquet(rows_file(directory, table, table.name))
    known = (
        pl.col(table.known_at).cast(pl.Datetime("us")) if table.known_at else pl.lit(None, pl.Datetime("us"))
    )
    held = [SOURCE_ROW, *([PERSON] if table.person else []), *([table.known_at] if table.known_at else [])]
    told = rows.select(
        rows=pl.len(), first=known.min(), last=known.max(), held=pl.struct(held).hash().sum()
    ).collect(engine="streaming").row(0, named=True)  # fmt: skip
    follows = [extract.fingerprint, repr(table.columns), told["held"]]
    fingerprint = hashlib.blake2b(json.dumps(follows).encode(), digest_size=16).hexdigest()
    return Part(table.name, fingerprint, told["rows"], read, told["first"], told["last"])


def _replace(out: Path) -> None:
    """Puts the incoming rows in the place of the old ones; the accepted rows come last and tell that all is there."""
    outgoing = out / OUTGOING
    outgoing.mkdir()
    for folder in (ACCEPTED, QUARANTINE):
        if (out / folder).is_dir():
            (out / folder).rename(outgoing / folder)
    for folder in (QUARANTINE, ACCEPTED):
        (out / INCOMING / folder).rename(out / folder)
    shutil.rmtree(outgoing)


def _finish_interrupted(out: Path) -> None:
    """Clears what a killed ingestion left, back to what stood there before it."""
    outgoing = out / OUTGOING
    if outgoing.is_dir():
        if not (out / ACCEPTED / MANIFEST).is_file():
            for folder in (ACCEPTED, QUARANTINE):
                if (outgoing / folder).is_dir():
                    shutil.rmtree(out / folder, ignore_errors=True)
                    (outgoing / folder).rename(out / folder)
        shutil.rmtree(outgoing)
    shutil.rmtree(out / INCOMING, ignore_errors=True)
