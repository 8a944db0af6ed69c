"""From extracts to accepted rows: every table judged by its suite, every row accepted or set aside.

Running it twice on the same extracts and suites changes nothing and reads nothing twice; with a new part, only
what the part changes is read. What it writes appears as a whole or not at all.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from features.accepted import (
    MANIFEST,
    PERSON,
    Accepted,
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
    compile_suite,
    load_suite,
    parameter_of,
)
from features.definition import ForceDefinition
from features.errors import Mendable
from features.judging import (
    ACCEPTED,
    KEYS,
    LAYOUT,
    LINK_KNOWN,
    QUARANTINE,
    RECORDS,
    Before,
    Ground,
    Judged,
    Reference,
    Verdict,
    as_text,
    digest,
    judge,
    newest_in,
)
from features.locking import sole_writer
from features.rules import checks, refusing
from features.sources import Extract, SourcePart, open_extracts
from features.tables import Table

# A few bad rows are a large share of a small table and say nothing of it: two keys given twice are four. Every row
# bad does, however few they are.
FEW_BAD_ROWS = 10
# A part of which more than half breaks one rule was exported wrongly, however good the years around it are.
MOST_OF_A_PART = 0.5
INCOMING, OUTGOING = ".incoming", ".outgoing"


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

    Writes `out/accepted/<table>.parquet` and `out/quarantine/<table>.parquet` (every column of the source,
    `broken_rules` and `source_part`), of a table in parts a folder with a file a part, replacing what was
    there. Beside them `out/keys` holds hashes of the keys of tables in parts. The same extracts, suites and
    declarations give the stored rows and account again without reading a table; a part of which nothing changed
    that its rows follow from is kept. An ingestion that was killed goes on from the parts that it had finished.

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
        WrongUsage: a suite is missing or cannot be used, or another process is ingesting into the folder.
    """
    names = None if only is None else _with_those_referred_to(force, only)
    extracts = open_extracts(force, data, only=names)
    loaded = {name: load_suite(suites / f"{name}.json") for name in extracts}
    inputs = _digest(force, extracts, loaded, strict=strict)
    account = _stored(out, inputs)
    if account is None:
        with sole_writer(out):
            _finish_interrupted(out)
            account = _stored(out, inputs)
            if account is None:
                ingestion = _Ingestion(force, extracts, loaded, out, strict, progress)
                account = _ingest_anew(ingestion, inputs)
    if docs is not None:
        from features.datadocs import write_data_docs

        write_data_docs(force, account, docs)
    return Accepted.open(force, out / ACCEPTED), account


def _stored(out: Path, inputs: str) -> Account | None:
    """The account of an ingestion of the same inputs; None where the last was of others."""
    stored = stored_manifest(out / ACCEPTED)
    if stored is None or stored["inputs"] != inputs:
        return None
    return Account.from_dict(stored["account"])


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
    sources = {
        name: [(part.name, part.origin, part.fingerprint) for part in extract.parts]
        for name, extract in extracts.items()
    }
    return digest(LAYOUT, force.name, repr(force.tables), sources, dict(suites), strict)


# --- one ingestion ----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Ingestion:
    """What one ingestion was asked to do, and what stood in its folder before."""

    force: ForceDefinition
    extracts: Mapping[str, Extract]
    suites: Mapping[str, Suite]
    out: Path
    strict: bool
    progress: Callable[[str], None] | None
    before: Mapping[str, Before] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "before", _before(self.force, self.out))

    @property
    def incoming(self) -> Path:
        return self.out / INCOMING


def _before(force: ForceDefinition, out: Path) -> dict[str, Before]:
    """What the last ingestion into a folder found of each table; nothing where it wrote in another way."""
    stored = stored_manifest(out / ACCEPTED)
    if stored is None or stored.get("layout") != LAYOUT or stored["force"] != force.name:
        return {}
    account = Account.from_dict(stored["account"])
    return {
        name: Before(
            folder=out,
            parts={part["name"]: Judged.from_dict(part) for part in parts},
            checks={check.rule: check for check in account[name].checks},
        )
        for name, parts in stored["parts"].items()
        if name in force.tables_by_name
    }


def _ingest_anew(ingestion: _Ingestion, inputs: str) -> Account:
    incoming = ingestion.incoming
    try:
        account, judged = _judge_all(ingestion)
        if account.refused:
            raise TablesRefused(account)
    except Mendable:
        # Whatever else may end it, the parts that are finished are there for the next to go on from.
        shutil.rmtree(incoming, ignore_errors=True)
        raise
    _write_manifest(ingestion, inputs, account, judged)
    _leave_only(ingestion, judged)
    _replace(ingestion.out)
    return account


def _judge_all(ingestion: _Ingestion) -> tuple[Account, dict[str, tuple[Judged, ...]]]:
    force, newest = ingestion.force, _newest(ingestion)
    reached = _reached(newest)
    parameters: dict[str, Parameter] = {}
    accounts, judged = [], {}
    held: dict[str, Reference] = {}
    for extract in _in_order(force, ingestion.extracts):
        table = extract.table
        filled = compile_suite(ingestion.suites[table.name], parameters | _fresh_from(table, reached))
        ground = Ground(
            table=table,
            rules=filled,
            references=tuple(_references(ingestion, table, judged, held)),
            links=_links(force, ingestion.incoming, judged) if table.person_number else None,
            newest=newest.get(table.name, {}),
        )
        verdict = judge(extract, ground, ingestion.before.get(table.name), ingestion.incoming)
        judged[table.name] = verdict.parts
        account = _account_of(extract, verdict, strict=ingestion.strict)
        accounts.append(account)
        if ingestion.progress is not None:
            ingestion.progress(_line(account, verdict))
        if account.refused and _is_referred_to(ingestion, table):
            # Whatever refers to a table that cannot be used would be refused for that alone.
            break
        for name in _referred_to(ingestion, table):
            parameters[parameter_of(name)] = _values(
                table, name.partition(".")[2], ingestion.incoming, judged
            )
        if table.name == force.identity_map:
            parameters[IDENTITY_MAP] = _values(table, table.key[0], ingestion.incoming, judged)
    declared = {name: place for place, name in enumerate(force.tables_by_name)}
    return Account(tuple(sorted(accounts, key=lambda account: declared[account.table]))), judged


def _line(account: TableAccount, verdict: Verdict) -> str:
    counts = (
        f"{account.table}: {account.read:,} rows read, {account.accepted:,} accepted, "
        f"{account.quarantined:,} quarantined"
    )
    return f"{counts} ({'; '.join(account.anew)})" if account.anew else counts


# --- what a table is judged by ----------------------------------------------------------------------


def _newest(ingestion: _Ingestion) -> dict[str, dict[str, datetime | None]]:
    """The latest `known_at` of each part of the tables that gain rows daily."""
    return {
        name: {part.name: _newest_of(ingestion, extract.table, part) for part in extract.parts}
        for name, extract in ingestion.extracts.items()
        if extract.table.stale_after_days is not None and extract.table.known_at is not None
    }


def _newest_of(ingestion: _Ingestion, table: Table, part: SourcePart) -> datetime | None:
    before = ingestion.before.get(table.name)
    known = before.parts.get(part.name) if before is not None else None
    if known is not None and known.newest is not None and known.follows["source"] == part.fingerprint:
        return known.newest
    return newest_in(table, part)


def _reached(newest: Mapping[str, Mapping[str, datetime | None]]) -> datetime | None:
    """The instant the extracts reach: the median of the latest `known_at` of tables that gain rows daily.

    Not the latest of all, because one mistyped year would make every other table stale.
    """
    latest = [[instant for instant in parts.values() if instant is not None] for parts in newest.values()]
    reached = sorted(max(instants) for instants in latest if instants)
    return reached[len(reached) // 2] if reached else None


def _fresh_from(table: Table, reached: datetime | None) -> dict[str, Parameter]:
    if table.stale_after_days is None:
        return {}
    return {FRESH_FROM: reached - timedelta(days=table.stale_after_days) if reached else datetime.min}


def _referred_to(ingestion: _Ingestion, table: Table) -> set[str]:
    """The columns of a table that other tables refer to, as `table.column`."""
    named = {column.refers_to for extract in ingestion.extracts.values() for column in extract.table.columns}
    return {name for name in named if name and name.partition(".")[0] == table.name}


def _is_referred_to(ingestion: _Ingestion, table: Table) -> bool:
    return bool(_referred_to(ingestion, table)) or table.name == ingestion.force.identity_map


def _scan(table: Table, folder: Path, parts: Sequence[Judged]) -> pl.LazyFrame:
    files = [rows_file(folder / ACCEPTED, table, judged.part.name) for judged in parts]
    return pl.scan_parquet(files)


def _values(table: Table, column: str, folder: Path, judged: Mapping[str, Sequence[Judged]]) -> pl.Series:
    accepted = _scan(table, folder, judged[table.name])
    return accepted.select(pl.col(renamed(table, column)).drop_nulls().unique().sort()).collect().to_series()


def _links(force: ForceDefinition, folder: Path, judged: Mapping[str, Sequence[Judged]]) -> pl.LazyFrame:
    """The person behind each number of the other systems, and when that was known."""
    assert force.identity_map is not None
    table = force.tables_by_name[force.identity_map]
    known = {LINK_KNOWN: pl.col(table.known_at)} if table.known_at else {}
    return _scan(table, folder, judged[table.name]).select(pl.col(table.key[0]), PERSON, **known)


def _references(
    ingestion: _Ingestion,
    table: Table,
    judged: Mapping[str, Sequence[Judged]],
    known: dict[str, Reference],
) -> Iterator[Reference]:
    """The values that a table's columns may hold, and what became of them since the last ingestion.

    Args:
        known: those found for other tables, by what they refer to; they are added to.
    """
    force = ingestion.force
    for column in table.columns:
        other, _, named = (column.refers_to or "").partition(".")
        if column.refers_to and other in judged:
            held = force.tables_by_name[other]

            def values(
                folder: Path, parts: Mapping[str, Sequence[Judged]], held: Table = held, named: str = named
            ) -> pl.DataFrame:
                return _values(held, named, folder, parts).to_frame("value")

            if column.refers_to not in known:
                known[column.refers_to] = _reference(ingestion, column.name, held, judged, values)
            yield replace(known[column.refers_to], column=column.name)
    if table.person_number and table.person is not None and force.identity_map is not None:

        def links(folder: Path, parts: Mapping[str, Sequence[Judged]]) -> pl.DataFrame:
            found = _links(force, folder, parts).collect()
            return found.rename({found.columns[0]: "value"}).sort(pl.all())

        if force.identity_map not in known:
            identities = force.tables_by_name[force.identity_map]
            known[force.identity_map] = _reference(ingestion, table.person, identities, judged, links)
        yield replace(known[force.identity_map], column=table.person)


def _reference(
    ingestion: _Ingestion,
    column: str,
    to: Table,
    judged: Mapping[str, Sequence[Judged]],
    values: Callable[[Path, Mapping[str, Sequence[Judged]]], pl.DataFrame],
) -> Reference:
    """How the values of a referred table (a column `value`, and what they mean) differ from those before."""
    now = values(ingestion.incoming, judged)
    schema = accepted_schema(to)
    before = ingestion.before.get(to.name)
    comparable = before is not None and all(
        pl.read_parquet_schema(rows_file(ingestion.out / ACCEPTED, to, name)) == schema
        for name in before.parts
    )
    then = (
        values(ingestion.out, {to.name: list(before.parts.values())})
        if before is not None and comparable
        else now.clear()
    )
    return Reference(
        column=column,
        to=to.name,
        came=now.join(then, on=now.columns, how="anti", nulls_equal=True)["value"],
        went=then.join(now, on=now.columns, how="anti", nulls_equal=True)["value"],
        schema=repr(schema),
        digest=digest(hashlib.blake2b(now.write_csv().encode(), digest_size=16).hexdigest()),
    )


# --- the account of a table -------------------------------------------------------------------------


def _account_of(extract: Extract, verdict: Verdict, *, strict: bool) -> TableAccount:
    table, parts = extract.table, verdict.parts
    told = checks(
        verdict.rules,
        verdict.schemas,
        extract.not_read,
        [judged.tally for judged in parts],
        verdict.whole,
    )
    first = {check.rule: seen for check in told if (seen := _first_broken(extract, verdict, check.rule))}
    refusals = _refusals(extract, verdict, told, first, strict=strict)
    return TableAccount(
        table=table.name,
        origin=extract.origin,
        read=sum(judged.part.read for judged in parts),
        accepted=sum(judged.part.rows for judged in parts),
        quarantined=sum(judged.quarantined for judged in parts),
        not_joined=sum(check.unexpected or 0 for check in told if _is_join(check)),
        broken={check.rule: check.unexpected for check in told if check.unexpected},
        refused=tuple(str(refusal) for refusal in refusals),
        not_read=extract.not_read,
        examples=tuple(_example(check, first[check.rule]) for check in told if check.rule in first),
        checks=told,
        enclave=table.enclave,
        anew=verdict.anew,
    )


def _is_join(check: Check) -> bool:
    return check.expectation["kwargs"].get("value_set") == {"$PARAMETER": IDENTITY_MAP}


@dataclass(frozen=True)
class _Seen:
    """The first row that broke a rule: its file, its number there, its value as text."""

    file: str
    row: int
    value: str


def _first_broken(extract: Extract, verdict: Verdict, rule: str, *, only: str | None = None) -> _Seen | None:
    for part, judged in zip(extract.parts, verdict.parts, strict=True):
        examples = judged.tally.examples.get(rule)
        if examples and only in (None, part.name):
            return _Seen(part.origin, *examples[0])
    return None


def _example(check: Check, seen: _Seen) -> Example:
    return Example(
        file=seen.file,
        row=seen.row,
        column=_columns(check),
        rule=check.rule,
        value=seen.value,
        expected=check.expectation.get("notes", ""),
    )


def _columns(check: Check) -> str:
    kwargs = check.expectation["kwargs"]
    named = [kwargs[key] for key in ("column", "column_A", "column_B") if key in kwargs]
    return ", ".join([*named, *kwargs.get("column_list", ())])


# --- refusals ---------------------------------------------------------------------------------------


def _refusals(
    extract: Extract,
    verdict: Verdict,
    told: Sequence[Check],
    first: Mapping[str, _Seen],
    *,
    strict: bool,
) -> list[Refusal]:
    severe = refusing(verdict.rules, *verdict.schemas)
    if failed := [check for check in told if check.rule in severe and not check.success]:
        # What comes after may follow from it.
        return [_failed(extract, failed[0], first.get(failed[0].rule))]
    read, quarantined = (
        sum(judged.part.read for judged in verdict.parts),
        sum(judged.quarantined for judged in verdict.parts),
    )
    allowed = 0.0 if strict else extract.table.max_bad_share
    few = 0 if strict else FEW_BAD_ROWS
    if _is_too_many(quarantined, read, allowed, few):
        worst = max((check for check in told if check.rule in first), key=lambda check: check.unexpected or 0)
        share = f"{quarantined:,} of {read:,} rows ({quarantined / read:.1%}) are bad, {allowed:.0%} may be"
        return [_too_many(extract, worst, first[worst.rule], worst.unexpected or 0, share)]
    return [
        refusal
        for part, judged in zip(extract.parts, verdict.parts, strict=True)
        if (refusal := _part_refused(extract, verdict, told, part, judged)) is not None
    ][:1]


def _is_too_many(quarantined: int, read: int, allowed: float, few: int) -> bool:
    return quarantined > max(allowed * read, few) or 0 < quarantined == read


def _part_refused(
    extract: Extract, verdict: Verdict, told: Sequence[Check], part: SourcePart, judged: Judged
) -> Refusal | None:
    """Why one part cannot be used though the table as a whole could be."""
    table, read = extract.table, judged.part.read
    if read == 0 and table.stale_after_days is not None:
        return Refusal(
            table=table.name,
            file=part.origin,
            expected=f"rows, which {table.name} gains every day",
            found="a part without a row",
            remedy=f"export the part again from {table.source_system}, or remove it",
        )
    by_name = {check.rule: check for check in told}
    broken = {name: n for name, n in judged.tally.broken.items() if not _looks_elsewhere(by_name[name])}
    name, worst = max(broken.items(), key=lambda item: item[1], default=("", 0))
    if worst <= max(MOST_OF_A_PART * read, FEW_BAD_ROWS):
        return None
    seen = _first_broken(extract, verdict, name, only=part.name)
    assert seen is not None
    share = f"{worst:,} of {read:,} rows of this part, {MOST_OF_A_PART:.0%} may be bad"
    return _too_many(extract, by_name[name], seen, worst, share)


def _looks_elsewhere(check: Check) -> bool:
    """Whether a rule asks another table, where what is missing may still arrive: a person who is about to join."""
    return "$PARAMETER" in str(check.expectation["kwargs"].get("value_set", ""))


def _failed(extract: Extract, check: Check, seen: _Seen | None) -> Refusal:
    found = f"{seen.value} (rows that break it: {check.unexpected:,})" if seen else str(check.observed)
    return Refusal(
        table=extract.table.name,
        file=seen.file if seen else extract.origin,
        column=_columns(check) or None,
        row=seen.row if seen else None,
        expected=check.expectation.get("notes") or check.rule,
        found=found,
        remedy=f"export {extract.table.name} again from {extract.table.source_system}",
    )


def _too_many(extract: Extract, worst: Check, seen: _Seen, broken: int, share: str) -> Refusal:
    table = extract.table
    return Refusal(
        table=table.name,
        file=seen.file,
        column=_columns(worst),
        row=seen.row,
        expected=worst.expectation.get("notes") or worst.rule,
        found=f"{seen.value} (rows that break {worst.rule}: {broken:,}); {share}",
        remedy=f"mend {_columns(worst)} in {table.source_system} and export {table.name} again",
    )


# --- what is written --------------------------------------------------------------------------------


def _write_manifest(
    ingestion: _Ingestion, inputs: str, account: Account, judged: Mapping[str, Sequence[Judged]]
) -> None:
    parts = {name: [each.part for each in listed] for name, listed in judged.items()}
    first, last = known_dates(ingestion.force, parts)
    manifest = {
        "layout": LAYOUT,
        "force": ingestion.force.name,
        "inputs": inputs,
        "parts": {name: [each.to_dict() for each in listed] for name, listed in judged.items()},
        "first_date": first.isoformat() if first else None,
        "last_date": last.isoformat() if last else None,
        "account": account.to_dict(),
    }
    path = ingestion.incoming / ACCEPTED / MANIFEST
    path.write_text(json.dumps(manifest, default=as_text), "utf-8")


def _leave_only(ingestion: _Ingestion, judged: Mapping[str, Sequence[Judged]]) -> None:
    """Removes what an interrupted ingestion of other extracts left among the incoming rows."""
    shutil.rmtree(ingestion.incoming / RECORDS, ignore_errors=True)
    for kind in (ACCEPTED, QUARANTINE, KEYS):
        folder = ingestion.incoming / kind
        meant = {folder / MANIFEST} | {
            rows_file(folder, ingestion.force.tables_by_name[name], each.part.name)
            for name, listed in judged.items()
            for each in listed
        }
        for path in folder.rglob("*"):
            if path.is_file() and path not in meant:
                path.unlink()


def _replace(out: Path) -> None:
    """Puts the incoming rows in the place of the old ones; the accepted rows come last and tell that all is there."""
    outgoing = out / OUTGOING
    outgoing.mkdir()
    for folder in (ACCEPTED, QUARANTINE, KEYS):
        if (out / folder).is_dir():
            (out / folder).rename(outgoing / folder)
    for folder in (KEYS, QUARANTINE, ACCEPTED):
        if (out / INCOMING / folder).is_dir():
            (out / INCOMING / folder).rename(out / folder)
    shutil.rmtree(outgoing)
    shutil.rmtree(out / INCOMING)


def _finish_interrupted(out: Path) -> None:
    """Brings a folder in which an ingestion was killed while it replaced the rows back to what stood there before.

    Parts that a killed ingestion had finished stay where they are, for the next to go on from.
    """
    outgoing = out / OUTGOING
    if outgoing.is_dir():
        if not (out / ACCEPTED / MANIFEST).is_file():
            for folder in (ACCEPTED, QUARANTINE, KEYS):
                if (outgoing / folder).is_dir():
                    shutil.rmtree(out / folder, ignore_errors=True)
                    (outgoing / folder).rename(out / folder)
        shutil.rmtree(outgoing)
