"""One table judged over its parts: which are read anew and why, and what becomes of their rows.

A part is judged once and kept for as long as nothing that its rows follow from is another: its content, the
rules, the declaration, the persons and numbers it names, and the rows of other parts that share its keys.
However the parts came, one by one or all at once, the rows, the reasons and the versions are the same.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl

from features.accepted import PERSON, SUPERSEDED_AT, Part, accepted_schema, rows_file
from features.account import Check
from features.contracts import apply, by_great_expectations, fitted_to, looks_at_all_rows, repeated_rows
from features.keys import PART, Hashes, made_hashes, store_hashes, stored_hashes
from features.rules import BROKEN, Applied, Rule, Tally
from features.sources import SOURCE_ROW, Extract, SourcePart, reading
from features.tables import Table
from features.versions import superseded_rows

LAYOUT = 4  # raised when what is written changes, so that older accepted rows are not taken for current
ACCEPTED, QUARANTINE, KEYS, RECORDS = "accepted", "quarantine", "keys", "records"
# Large enough for statistics to be few and to pack well, small enough for a reader to hold several.
ROWS_A_GROUP = 500_000
LINK_KNOWN = "link known"
CHANGED_DECLARATION = "its declaration changed, or that of a table it refers to"


@dataclass(frozen=True, eq=False, kw_only=True)
class Reference:
    """Values that a column may hold, and how they differ from those of the ingestion before.

    Attributes:
        column: of the table that refers.
        to: the table referred to.
        came, went: values that are there now and were not, or were and are not (or mean another person).
        schema: of the accepted rows of the table referred to; where it is another, nothing can be compared.
        digest: the same for the same values with the same meaning.
    """

    column: str
    to: str
    came: pl.Series
    went: pl.Series
    schema: str
    digest: str


@dataclass(frozen=True, eq=False, kw_only=True)
class Ground:
    """What the rows of a table are judged by.

    Attributes:
        rules: of its suite, parameters filled in.
        references: to the tables that were judged before it.
        links: the table's own person number, `person_key` and, where the map says so, when the link was known;
            None where the table names persons by their key.
        newest: the latest `known_at` over all rows of each part, of a table that can be stale.
    """

    table: Table
    rules: tuple[Rule, ...]
    references: tuple[Reference, ...] = ()
    links: pl.LazyFrame | None = None
    newest: Mapping[str, datetime | None] = field(default_factory=dict)

    def digest(self) -> str:
        """The same where the same rows of the same parts are set aside for the same reasons."""
        table = self.table
        return digest(
            LAYOUT,
            [(rule.name, rule.kind, rule.expectation["kwargs"]) for rule in self.rules],
            [(column.name, column.kind) for column in table.columns],
            [(reference.column, reference.to, reference.schema) for reference in self.references],
            [table.key, table.known_at, table.person, table.person_number, table.correctable, table.enclave],
        )


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What was found out about one part.

    Attributes:
        part: as it stands among the accepted rows.
        quarantined: rows.
        newest: the latest `known_at` of all its rows, accepted or not; None where the table cannot be stale.
        tally: of the rules.
        follows: hashes of what its rows follow from.
    """

    part: Part
    quarantined: int
    newest: datetime | None
    tally: Tally
    follows: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        told = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**asdict(told.pop("part")), **told, "tally": vars(self.tally)}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Judged:
        return cls(
            part=Part.from_dict(stored),
            quarantined=stored["quarantined"],
            newest=datetime.fromisoformat(stored["newest"]) if stored["newest"] else None,
            tally=Tally.from_dict(stored["tally"]),
            follows=stored["follows"],
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class Before:
    """What an earlier ingestion found of a table: its folder, its parts by name, its checks by rule."""

    folder: Path
    parts: Mapping[str, Judged]
    checks: Mapping[str, Check]


@dataclass(frozen=True, eq=False, kw_only=True)
class Verdict:
    """A table over all its parts.

    Attributes:
        rules: as they were brought to it.
        schemas: of each part as it was read.
        parts: in order of their names.
        whole: outcomes of rules that only all rows together could tell.
        anew: what was read anew, added or dropped and why; empty where nothing was, or all for the first time.
    """

    rules: tuple[Rule, ...]
    schemas: tuple[pl.Schema, ...]
    parts: tuple[Judged, ...]
    whole: Mapping[str, Check]
    anew: tuple[str, ...]


def judge(extract: Extract, ground: Ground, before: Before | None, incoming: Path) -> Verdict:
    """Writes a table's accepted and quarantined rows under `incoming`, those of kept parts as they were.

    Raises:
        DataRefused: a part cannot be read to its end.
        WrongUsage: a rule cannot be evaluated.
    """
    with reading(extract.table.name, extract.origin):
        return _Table(extract, ground, before, incoming).judged()


@dataclass(frozen=True, eq=False)
class _Aside:
    """The quarantined rows of a part, in their file.

    Attributes:
        follows: hashes of what they follow from.
        record: of the part as it was judged before, if it was.
        applied: the rules, where they were brought to the part now.
        mends: what was told of the part before, where only some of its rows were judged once more.
        from_before: whether the part is kept from an earlier ingestion.
    """

    follows: Mapping[str, str]
    file: Path
    record: Judged | None
    applied: Applied | None = None
    mends: Tally | None = None
    from_before: bool = False

    @property
    def rows(self) -> pl.DataFrame:
        """Their `source_row`."""
        return pl.read_parquet(self.file, columns=[SOURCE_ROW])


class _Table:
    """One table on its way: what was found of it so far, in the order in which it is found."""

    def __init__(self, extract: Extract, ground: Ground, before: Before | None, incoming: Path) -> None:
        self.table, self.ground, self.before, self.incoming = extract.table, ground, before, incoming
        self.parts = {part.name: part for part in extract.parts}
        self.grounds = ground.digest()
        self.schemas = {name: part.frame.collect_schema() for name, part in self.parts.items()}
        self.rules = fitted_to(ground.rules, next(iter(self.schemas.values())))
        self.old = before.parts if before is not None else {}
        # Parts whose rows themselves are others than before, or judged by other rules. Which rows share their
        # keys follows from these alone; whether a row stands, also from the tables that it refers to.
        self.fresh = [name for name in self.parts if self._is_fresh(name)]
        self.same = [name for name in self.parts if name not in self.fresh]
        # Rows of the same parts that are judged once more.
        self.again = {name: pl.Series(SOURCE_ROW, [], pl.Int64()) for name in self.same}
        # Same parts whose stored hashes could not be used, with the reason.
        self.rehashed: dict[str, str] = {}
        self.why = self._why_anew()

    def _is_fresh(self, name: str) -> bool:
        if name not in self.old:
            return True
        then, now = self.old[name].follows, {"source": self.parts[name].fingerprint, "ground": self.grounds}
        return {**then, **now} != then

    def _frames(self, names: Sequence[str]) -> dict[str, pl.LazyFrame]:
        return {name: self.parts[name].frame for name in names}

    def judged(self) -> Verdict:
        whole = self._whole()
        failing = self._repeated() | {
            name: self._by_part(rows) for name, (_, rows) in whole.items() if rows is not None
        }
        asides = {name: self._set_aside(name, failing) for name in self.parts}
        superseded = self._superseded(asides)
        self._carry_hashes()
        parts = tuple(self._accept(name, asides[name], superseded) for name in self.parts)
        return Verdict(
            rules=self.rules,
            schemas=tuple(self.schemas.values()),
            parts=parts,
            whole={name: check for name, (check, _) in whole.items()},
            anew=self._told(),
        )

    # --- which parts are read anew ---

    def _why_anew(self) -> dict[str, str]:
        """The parts that cannot be kept, with the reason."""
        if not self.old:
            return dict.fromkeys(self.parts, "new")
        changed = self._changed_rules()
        why = {}
        for name, part in self.parts.items():
            if name not in self.old:
                why[name] = "new"
            elif self.old[name].follows["source"] != part.fingerprint:
                why[name] = "its content is another"
            elif self.old[name].follows["ground"] != self.grounds:
                why[name] = changed
            elif touched := self._touched(name):
                why[name] = touched
        whole = [rule.name for rule in self.rules if looks_at_all_rows(rule)]
        if whole and (why or self.old.keys() - self.parts.keys()):
            every = f"{', '.join(whole)} looks at all rows at once"
            why = {name: why.get(name, every) for name in self.parts}
        return why

    def _changed_rules(self) -> str:
        assert self.before is not None
        now = {rule.name: rule.expectation for rule in self.ground.rules}
        then = {name: check.expectation for name, check in self.before.checks.items()}
        names = [name for name in {**then, **now} if _asked(now.get(name)) != _asked(then.get(name))]
        return f"its suite changed ({_few(names)})" if names else CHANGED_DECLARATION

    def _touched(self, name: str) -> str | None:
        """Why rows of a part may stand otherwise to the tables they refer to; None where none does."""
        aside = pl.scan_parquet(self._old_file(QUARANTINE, name))
        why = None
        for reference in self.ground.references:
            column = pl.col(reference.column)
            for values, rows in ((reference.came, aside), (reference.went, self.parts[name].frame)):
                if values.is_empty():
                    continue
                named = rows.filter(column.is_in(values.implode())).select(SOURCE_ROW)
                found = named.collect(engine="streaming").to_series()
                self._ask_again(name, found)
                if why is None and not found.is_empty():
                    why = (
                        f"{reference.to} changed, which {found.len():,} of its rows name ({reference.column})"
                    )
        return why

    def _ask_again(self, name: str, rows: pl.Series) -> None:
        self.again[name] = pl.concat([self.again[name], rows]).unique()

    def _told(self) -> tuple[str, ...]:
        if not self.old:
            return ()
        gone = dict.fromkeys(sorted(self.old.keys() - self.parts.keys()), "no longer there")
        if len(self.why) == len(self.parts) > 1 and len(set(self.why.values())) == 1:
            whys = {**gone, "every part": next(iter(self.why.values()))}
        else:
            whys = dict(sorted({**gone, **self.why}.items()))
        hashed = {
            why: [name for name in self.rehashed if self.rehashed[name] == why]
            for why in dict.fromkeys(self.rehashed.values())
        }
        return (
            *(f"{name}: {why}" for name, why in whys.items()),
            *(f"{_few(names)}: hashes of its keys made anew, {why}" for why, names in hashed.items()),
        )

    # --- what only all rows can tell ---

    def _whole(self) -> dict[str, tuple[Check, pl.Series | None]]:
        """Rules left to Great Expectations that must be given all parts at once, their rows numbered over them."""
        rules = [rule for rule in self.rules if looks_at_all_rows(rule)]
        if not self.why and self.before is not None:
            return {rule.name: (self.before.checks[rule.name], None) for rule in rules}
        if not rules:
            return {}
        numbered, start = [], 0
        for part in self.parts.values():
            numbered.append(part.frame.select(*self.table.by_name, pl.col(SOURCE_ROW) + start))
            start += _rows_in(part.frame)
        told = {rule.name: by_great_expectations(rule, pl.concat(numbered)) for rule in rules}
        return {
            name: (check, pl.Series(SOURCE_ROW, [], pl.Int64()) if rows is None else rows)
            for name, (check, rows) in told.items()
        }

    def _by_part(self, rows: pl.Series) -> dict[str, pl.Series]:
        """Rows numbered over all parts, numbered in each again."""
        shares, start = {}, 0
        for name, part in self.parts.items():
            end = start + _rows_in(part.frame)
            shares[name] = rows.filter((rows > start) & (rows <= end)) - start
            start = end
        return shares

    def _repeated(self) -> dict[str, dict[str, pl.Series]]:
        """The rows of each part that break a rule of uniqueness; kept parts whose rows they change are judged too."""
        failing: dict[str, dict[str, pl.Series]] = {}
        for rule in self.rules:
            if rule.shape != "unique":
                continue
            then = {name: self._old_repeated(name, rule) for name in self.same}
            known = pl.concat(then.values()) if then else None
            if known is not None and not self.fresh and self.old.keys() <= self.parts.keys():
                rows = known
            else:
                rows = repeated_rows(
                    rule, self._frames(self.fresh), next(iter(self.schemas.values())),
                    kept=self._frames(self.same), known=known,
                    by=self.table.key if {*self.table.key} <= {*rule.columns} else None, hashing=self._hashes,
                )  # fmt: skip
            now = {str(part): found[SOURCE_ROW].sort() for (part,), found in rows.group_by(PART)}
            failing[rule.name] = {
                name: now.get(name, pl.Series(SOURCE_ROW, [], pl.Int64())) for name in self.parts
            }
            for name in self.same:
                changed = _in_one(then[name][SOURCE_ROW], failing[rule.name][name])
                if not changed.is_empty():
                    self._ask_again(name, changed)
                    self.why.setdefault(
                        name, f"other parts came to share its keys, or no longer do ({rule.name})"
                    )
        return failing

    def _old_repeated(self, name: str, rule: Rule) -> pl.DataFrame:
        return (
            pl.scan_parquet(self._old_file(QUARANTINE, name))
            .filter(pl.col(BROKEN).list.contains(rule.name))
            .select(PART, SOURCE_ROW, *rule.columns)
            .collect()
        )

    def _hashes(self, name: str, frame: pl.LazyFrame, columns: Sequence[str]) -> Hashes:
        """Hashes of a part's keys as they are stored beside its rows; made, and stored, where they are not.

        A table in one file has no part that could be kept, and hashes of other columns than the key are few.
        """
        if name == self.table.name or tuple(columns) != self.table.key:
            return made_hashes(frame, columns)
        file = self._file(KEYS, name)
        follows = {
            "source": self.parts[name].fingerprint,
            "columns": ", ".join(f"{key} ({self.table.by_name[key].kind})" for key in columns),
            "polars": pl.__version__,  # which may hash otherwise from one version to the next
        }
        hashes = stored_hashes(file, follows)
        if isinstance(hashes, str) and name in self.same:
            hashes = stored_hashes(self._old_file(KEYS, name), follows)
            if isinstance(hashes, str):
                self.rehashed[name] = hashes
            else:
                _carry(self._old_file(KEYS, name), file)
        if isinstance(hashes, str):
            hashes = made_hashes(frame, columns)
            store_hashes(hashes, file, follows)
        return hashes

    def _carry_hashes(self) -> None:
        """Keeps the stored hashes of parts in which no key was sought this time."""
        for name in self.same:
            if self._old_file(KEYS, name).is_file() and not self._file(KEYS, name).is_file():
                _carry(self._old_file(KEYS, name), self._file(KEYS, name))

    def _superseded(self, asides: Mapping[str, _Aside]) -> pl.DataFrame | None:
        """When versions that share a key with a row that came, went, or stands otherwise were superseded.

        None where rows of the table have no versions.
        """
        if not self.table.correctable:
            return None
        again = [self._changed_standing(name, asides[name]) for name in self.same if name in self.why]
        if not self._only_newcomers():
            again.extend(self._old_versions(name) for name in self.same)
        return superseded_rows(
            self.table, self._frames(self.fresh), kept=self._frames(self.same),
            again=pl.concat(again) if again else None, hashing=self._hashes,
            aside=pl.concat([aside.rows.select(pl.lit(name).alias(PART), SOURCE_ROW) for name, aside in asides.items()]),
        )  # fmt: skip

    def _only_newcomers(self) -> bool:
        """Whether no row that was read before can have gone."""
        return self.old.keys() <= self.parts.keys() and not any(name in self.old for name in self.fresh)

    def _changed_standing(self, name: str, aside: _Aside) -> pl.DataFrame:
        """The keys of rows that were set aside and are not any longer, or the other way round."""
        then = pl.read_parquet(self._old_file(QUARANTINE, name), columns=[SOURCE_ROW])
        return self._keys(name, _in_one(then[SOURCE_ROW], aside.rows[SOURCE_ROW]))

    def _old_versions(self, name: str) -> pl.DataFrame:
        """The keys of accepted rows that were superseded."""
        return self._keys(name, _superseding(self._old_file(ACCEPTED, name))[SOURCE_ROW])

    def _keys(self, name: str, rows: pl.Series) -> pl.DataFrame:
        if rows.is_empty():
            return pl.DataFrame(schema={key: self.schemas[name][key] for key in self.table.key})
        return self._rows(name, rows).select(self.table.key).collect(engine="streaming")

    def _rows(self, name: str, rows: pl.Series) -> pl.LazyFrame:
        return self.parts[name].frame.filter(pl.col(SOURCE_ROW).is_in(rows.implode()))

    def _dates(self, name: str, found: pl.DataFrame) -> pl.DataFrame:
        """`source_row` and `superseded_at` of the rows of a part that are superseded, given what was found of it.

        Of a part that is the same as before, rows whose keys nothing changed stay superseded as they were.
        """
        lasting = found.clear()
        if name in self.same and self._only_newcomers():
            then = _superseding(self._old_file(ACCEPTED, name))
            lasting = then.join(found, on=SOURCE_ROW, how="anti")
        return pl.concat([lasting, found.drop_nulls()]).sort(SOURCE_ROW)

    # --- the rows of one part ---

    def _set_aside(self, name: str, failing: Mapping[str, Mapping[str, pl.Series]]) -> _Aside:
        """The quarantined rows of a part: as they were, as an interrupted ingestion left them, or written now."""
        file, part = self._file(QUARANTINE, name), self.parts[name]
        if name not in self.why:
            _carry(self._old_file(QUARANTINE, name), file)
            return _Aside(self.old[name].follows, file, self.old[name], from_before=True)
        broken = {rule: rows[name] for rule, rows in failing.items()}
        follows = {
            "source": part.fingerprint,
            "ground": self.grounds,
            "references": digest([reference.digest for reference in self.ground.references]),
            "repeated": digest([(rule, _content(rows.to_frame())) for rule, rows in broken.items()]),
        }
        record = self._record(name)
        if record is not None and {**record.follows, **follows} == record.follows:
            return _Aside(follows, file, record)
        self._record_file(name).unlink(missing_ok=True)
        mended = self._can_be_mended(name)
        with reading(self.table.name, part.origin):
            rows = part.frame
            if mended:  # read once, for they are few
                rows = self._rows(name, self.again[name]).collect(engine="streaming").lazy()
            applied = apply(self.rules, rows, not_read=part.not_read, failing=broken)
            aside = applied.quarantined.with_columns(pl.lit(name).alias(PART))
            sink(self._among_those_before(name, aside) if mended else aside, file)
        return _Aside(follows, file, None, applied=applied, mends=self.old[name].tally if mended else None)

    def _can_be_mended(self, name: str) -> bool:
        """Whether every row but those that are to be judged once more stands as it stood."""
        return name in self.same and all(rule.shape != "foreign" for rule in self.rules)

    def _among_those_before(self, name: str, aside: pl.LazyFrame) -> pl.LazyFrame:
        then = pl.scan_parquet(self._old_file(QUARANTINE, name))
        others = then.filter(~pl.col(SOURCE_ROW).is_in(self.again[name].implode()))
        return pl.concat([others, aside]).sort(SOURCE_ROW)

    def _accept(self, name: str, aside: _Aside, superseded: pl.DataFrame | None) -> Judged:
        """Writes the accepted rows of a part; returns what is known of it."""
        file = self._file(ACCEPTED, name)
        found = None if superseded is None else superseded.filter(pl.col(PART) == name).drop(PART)
        if aside.from_before and aside.record is not None:
            self._carry_dated(name, file, found)
            return aside.record
        dates = None if found is None else self._dates(name, found)
        follows = {
            **aside.follows,
            "superseded": digest(None if dates is None else _content(dates)),
        }
        if aside.record is not None and aside.record.follows == follows and file.is_file():
            return aside.record
        part = self.parts[name]
        with reading(self.table.name, part.origin):
            rows = part.frame.filter(~pl.col(SOURCE_ROW).is_in(aside.rows[SOURCE_ROW].implode()))
            sink(translated(self.ground, rows, dates), file)
            tally = aside.record.tally if aside.record is not None else self._tally(name, aside)
        judged = Judged(
            part=_part_of(self.table, name, file, part.fingerprint, tally.rows),
            quarantined=aside.rows.height,
            newest=self.ground.newest.get(name),
            tally=tally,
            follows=follows,
        )
        _write(self._record_file(name), judged.to_dict())
        return judged

    def _tally(self, name: str, aside: _Aside) -> Tally:
        assert aside.applied is not None
        tally = aside.applied.tally(pl.scan_parquet(aside.file), name)
        if (then := aside.mends) is not None:
            # To how many rows a rule applies follows from the part's content alone.
            tally = replace(tally, rows=then.rows, applies=then.applies, largest=then.largest)
        if not self.table.enclave:
            return tally
        withheld = {
            rule: [(row, "withheld (enclave)") for row, _ in rows] for rule, rows in tally.examples.items()
        }
        return replace(tally, examples=withheld)

    def _carry_dated(self, name: str, file: Path, found: pl.DataFrame | None) -> None:
        """A kept part's accepted rows, with the versions of other parts that have come or gone since."""
        before = self._old_file(ACCEPTED, name)
        if found is None or (found.is_empty() and self._only_newcomers()):
            return _carry(before, file)
        dates = self._dates(name, found)
        if dates.equals(_superseding(before).sort(SOURCE_ROW)):
            return _carry(before, file)
        self.why[name] = "versions that supersede its rows came or went with other parts"
        rows = pl.scan_parquet(before).drop(SUPERSEDED_AT)
        dated = rows.join(dates.lazy(), on=SOURCE_ROW, how="left", maintain_order="left")
        return sink(dated.select(list(accepted_schema(self.table))), file)

    # --- places ---

    def _file(self, kind: str, name: str) -> Path:
        return rows_file(self.incoming / kind, self.table, name)

    def _old_file(self, kind: str, name: str) -> Path:
        assert self.before is not None
        return rows_file(self.before.folder / kind, self.table, name)

    def _record_file(self, name: str) -> Path:
        return rows_file(self.incoming / RECORDS, self.table, name).with_suffix(".json")

    def _record(self, name: str) -> Judged | None:
        path = self._record_file(name)
        return Judged.from_dict(json.loads(path.read_text("utf-8"))) if path.is_file() else None


def newest_in(table: Table, part: SourcePart) -> datetime | None:
    """The latest `known_at` of a part's rows, whether they are accepted or not."""
    assert table.known_at is not None
    with reading(table.name, part.origin):
        return part.frame.select(pl.col(table.known_at).max()).collect(engine="streaming").item()


def _in_one(some: pl.Series, others: pl.Series) -> pl.Series:
    """Numbers that only one of two lists has."""
    return pl.concat(
        [some.filter(~some.is_in(others.implode())), others.filter(~others.is_in(some.implode()))]
    )


def _asked(expectation: Mapping[str, Any] | None) -> object:
    return expectation and (expectation["type"], expectation["kwargs"])


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _rows_in(frame: pl.LazyFrame) -> int:
    return frame.select(pl.len()).collect(engine="streaming").item()


def _content(numbers: pl.DataFrame) -> str:
    whole = numbers.select(pl.all().to_physical().cast(pl.Int64()).fill_null(-1))
    return hashlib.blake2b(
        b"".join(column.to_numpy().tobytes() for column in whole), digest_size=16
    ).hexdigest()


def digest(*said: object) -> str:
    """A hash of plain values."""
    return hashlib.blake2b(json.dumps(said, sort_keys=True).encode(), digest_size=16).hexdigest()


# --- accepted rows ----------------------------------------------------------------------------------


def translated(ground: Ground, rows: pl.LazyFrame, superseded: pl.DataFrame | None) -> pl.LazyFrame:
    """Rows as `Accepted.scan` gives them: persons by their key, versions with when they were superseded."""
    table = ground.table
    found = rows.select(*table.by_name, SOURCE_ROW)
    if superseded is not None:
        found = found.join(superseded.lazy(), on=SOURCE_ROW, how="left", maintain_order="left")
    if ground.links is not None:
        found = _joined(table, found, ground.links)
    elif table.person is not None:
        found = found.rename({table.person: PERSON})
    return found.select(list(accepted_schema(table)))


def _joined(table: Table, rows: pl.LazyFrame, links: pl.LazyFrame) -> pl.LazyFrame:
    assert table.person is not None
    joined = rows.join(links, on=table.person, how="left", maintain_order="left")
    if table.known_at is None or LINK_KNOWN not in links.collect_schema():
        return joined
    # That a row is about this person is known once both the row and the link are.
    return joined.with_columns(pl.max_horizontal(table.known_at, LINK_KNOWN).alias(table.known_at))


def _superseding(accepted: Path) -> pl.DataFrame:
    """`source_row` and `superseded_at` of the accepted rows of a part that were superseded."""
    return (
        pl.scan_parquet(accepted).select(SOURCE_ROW, SUPERSEDED_AT).drop_nulls().collect(engine="streaming")
    )


def _part_of(table: Table, name: str, accepted: Path, source: str, read: int) -> Part:
    known = (
        pl.col(table.known_at).cast(pl.Datetime("us")) if table.known_at else pl.lit(None, pl.Datetime("us"))
    )
    held = [SOURCE_ROW, *([PERSON] if table.person else []), *([table.known_at] if table.known_at else [])]
    told = pl.scan_parquet(accepted).select(
        rows=pl.len(), first=known.min(), last=known.max(), held=pl.struct(held).hash().sum()
    ).collect(engine="streaming").row(0, named=True)  # fmt: skip
    columns = [(column.name, column.kind) for column in table.columns]
    return Part(name, digest(source, columns, told["held"]), told["rows"], read, told["first"], told["last"])


# --- files ------------------------------------------------------------------------------------------


def sink(rows: pl.LazyFrame, path: Path) -> None:
    """Streams rows into a Parquet file, in groups that a reader can skip by their statistics."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # What an interrupted ingestion left there may be the very file of the ingestion before.
    path.unlink(missing_ok=True)
    rows.sink_parquet(path, compression="zstd", compression_level=1, row_group_size=ROWS_A_GROUP)


def _carry(before: Path, file: Path) -> None:
    """Puts a file of the ingestion before into the place of the new one, without copying where that can be."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    try:
        os.link(before, file)
    except OSError:  # a file system without links
        shutil.copyfile(before, file)


def _write(path: Path, values: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(values, default=as_text), "utf-8")
    os.replace(partial, path)


def as_text(value: object) -> str:
    """Dates and times as JSON holds them."""
    return value.isoformat() if isinstance(value, date) else str(value)
