"""Point-in-time features: one row a person and as-of date, one column an idea and window.

A feature at `as_of` uses rows with `as_of - window <= occurred_at < as_of` and `known_at < as_of`, in the
version that stood then. Nothing recorded at or after `as_of` can change it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Literal

import numpy as np
import polars as pl

from features import lineage
from features.definition import ForceDefinition
from features.describe import describe_term
from features.engine import Block, Engine, Progress, Reader, this_machine
from features.events import Records
from features.labels import cohort
from features.peers import Ask, Values, asks_of, compared
from features.specs import Aggregate, Catalogue, Colleagues, Idea, Latest, Peers, Term
from features.store import FeatureStore
from features.windows import checked_as_ofs

UNKNOWN = -1
DESCRIPTOR = "descriptor."


@dataclass(frozen=True)
class FeatureColumn:
    """One column of a feature table; `categories` is the stored list whose positions are the codes."""

    name: str
    kind: Literal["number", "category"]
    categories: tuple[str, ...] | None
    idea: str

    @property
    def dtype(self) -> pl.DataType:
        return pl.Int32() if self.kind == "category" else pl.Float64()


@dataclass(frozen=True)
class FeatureSchema:
    """Names, order, kinds and categories of the feature columns: what a model was trained on."""

    columns: tuple[FeatureColumn, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def categories_of(self, name: str) -> tuple[str, ...] | None:
        """The stored categories of a column; None for a number or an unknown column."""
        return next((column.categories for column in self.columns if column.name == name), None)

    def to_json(self) -> str:
        return json.dumps([asdict(column) for column in self.columns], indent=1)

    @classmethod
    def from_json(cls, text: str) -> FeatureSchema:
        """The schema written by `to_json`."""
        return cls(
            tuple(
                FeatureColumn(**{**entry, "categories": entry["categories"] and tuple(entry["categories"])})
                for entry in json.loads(text)
            )
        )

    def difference(self, other: FeatureSchema | pl.DataFrame) -> str | None:
        """How other columns differ from these, one line a difference; None where they do not.

        `-` is expected and missing, `+` is found and not expected. A frame is compared by names, order and
        types of its columns other than `person_key` and `as_of`.

        >>> trained = FeatureSchema((FeatureColumn("claims_90d", "number", None, "claims"),))
        >>> print(trained.difference(pl.DataFrame({"claims_365d": [1.0]})))
        - claims_90d (number)
        + claims_365d (Float64)
        """
        expected = {column.name: column for column in self.columns}
        found = _described(other)
        lines = [f"- {name} ({column.kind})" for name, column in expected.items() if name not in found]
        lines += [f"+ {name} ({kind})" for name, (kind, _) in found.items() if name not in expected]
        for name in (name for name in expected if name in found):
            lines += _differences(expected[name], *found[name], is_frame=isinstance(other, pl.DataFrame))
        if not lines and list(expected) != list(found):
            moved = [
                f"{was} where {now} was expected"
                for now, was in zip(expected, found, strict=True)
                if now != was
            ]
            lines = [f"~ order: {moved[0]}" + (f", and {len(moved) - 1} more" if len(moved) > 1 else "")]
        return "\n".join(lines) or None


def _described(other: FeatureSchema | pl.DataFrame) -> dict[str, tuple[str, tuple[str, ...] | None]]:
    if isinstance(other, FeatureSchema):
        return {column.name: (column.kind, column.categories) for column in other.columns}
    return {
        name: (str(dtype), None)
        for name, dtype in other.schema.items()
        if name not in ("person_key", "as_of")
    }


def _differences(
    column: FeatureColumn, kind: str, categories: tuple[str, ...] | None, *, is_frame: bool
) -> list[str]:
    expected = str(column.dtype) if is_frame else column.kind
    lines = [] if kind == expected else [f"~ {column.name}: {expected} expected, {kind} found"]
    if not is_frame and categories != column.categories:
        lines.append(
            f"~ {column.name}: categories {_listed(column.categories)} expected, {_listed(categories)} found"
        )
    return lines


def _listed(categories: tuple[str, ...] | None) -> str:
    return ", ".join(categories) if categories else "none"


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """Features of a cohort at one or more as-of dates.

    Attributes:
        frame: `person_key`, `as_of`, then the features: numbers as Float64 (null where there is nothing to
            say), categories as Int32 codes (-1 where unknown). In order of `as_of`, then `person_key`.
        schema: what the columns are.
        descriptors: `person_key`, `as_of` and what a reviewer may see of a person, in the same order.
        fingerprint: the same for the same declarations, sources, dates and people.
    """

    frame: pl.DataFrame
    schema: FeatureSchema
    descriptors: pl.DataFrame
    fingerprint: str

    def _repr_html_(self) -> str:
        dates = self.frame["as_of"]
        span = f"{dates.min()} to {dates.max()}" if len(self.frame) else "no rows"
        return (
            f"<p>{len(self.frame):,} rows ({dates.n_unique()} as-of dates, {span}), {len(self.schema.columns)} features, "
            f"fingerprint {self.fingerprint[:12]}</p>{self.frame.head(8)._repr_html_()}"
        )


def build(
    force: ForceDefinition,
    accepted: Records,
    as_ofs: Sequence[date],
    *,
    catalogue: Catalogue | None = None,
    schema: FeatureSchema | None = None,
    rows_known_from: pl.DataFrame | None = None,
    people: pl.Series | None = None,
    compared_with: Records | None = None,
    store: FeatureStore | None = None,
    reader: Reader | None = None,
    progress: Progress | None = None,
) -> FeatureTable:
    """The features of the cohort at each as-of date.

    Args:
        catalogue: the force's ordinary catalogue where None.
        schema: stored categories, so that a code means in scoring what it meant in training. Without it,
            categories are those found.
        rows_known_from: `person_key`, `known_from`. Only these people are built, and of their events only
            those known at or after `known_from` count; registers (rank, role) describe what is and are read
            whole.
        people: only these people are built.
        compared_with: other rows of the same force, from which the values of the people compared with are
            taken; everybody built must be in its cohort. `accepted` where None.
        store: where values of earlier runs are kept. A date is computed again only where what it rests on
            has changed; `progress` is told what. Not used for some of the people.
        reader: who reads the rows; this machine where None (`features.cluster` has another).
        progress: called with a line on what is being read.

    Raises:
        WrongUsage: no as-of date, or one with a time of day.
        DataRefused: values too large to be added up exactly.
        ValueError: a declaration that cannot be traced or would look into the future.
    """
    catalogue = catalogue or force.catalogue.ordinary()
    lineage.check(catalogue)
    dates = checked_as_ofs(as_ofs)
    asked = _Asked(
        force, accepted, dates, catalogue, people, rows_known_from, compared_with, reader or this_machine(), progress
    )  # fmt: skip
    if store is None or any(given is not None for given in (people, rows_known_from, compared_with)):
        raw = pl.concat([of_date for _, of_date in asked.by_date()], rechunk=False)
    else:
        raw = _kept(asked, store, reader)
    columns = [_column(idea, name, raw[name], schema) for idea in catalogue.ideas for name in idea.columns]
    found = FeatureSchema(tuple(column for column, _ in columns))
    descriptors = raw.select(
        "person_key", "as_of", *(pl.col(f"{DESCRIPTOR}{name}").alias(name) for name in force.cohort.descriptors)
    )  # fmt: skip
    everyone = _everyone(descriptors, rows_known_from)
    others = {} if compared_with is None else compared_with.fingerprints
    sources = {**accepted.fingerprints, **{f"{name} of others": print_ for name, print_ in others.items()}}
    return FeatureTable(
        frame=raw.select("person_key", "as_of").hstack([series for _, series in columns]),
        schema=found,
        descriptors=descriptors,
        fingerprint=_fingerprint(found, catalogue.ideas, sources, dates, everyone),
    )


@dataclass(frozen=True, eq=False)
class _Asked:
    """What `build` was asked for."""

    force: ForceDefinition
    accepted: Records
    dates: Sequence[date]
    catalogue: Catalogue
    people: pl.Series | None
    rows_known_from: pl.DataFrame | None
    compared_with: Records | None
    reader: Reader
    progress: Progress | None

    def by_date(self) -> Iterator[tuple[date, pl.DataFrame]]:
        """Date by date: person, date, descriptors and every column, numbers with null and categories as words.

        Terms are computed for all dates at once, since a scan answers all of them; the columns made of them
        are many more, so only one date's are held.
        """
        cohorts = _cohorts(self.force, self.accepted, self.dates)
        rows = _asked_for(cohorts, self.people, self.rows_known_from)
        ideas = self.catalogue.ideas
        own = self._computed(self.accepted, _distinct_asks(ideas), rows, self.rows_known_from)
        everyone, at = self._compared_with(own, rows, cohorts)
        for index, as_of in enumerate(self.dates):
            mine, others = own.of_date(index), everyone.of_date(index)
            columns = _columns(ideas, own.part(mine), at[mine] - others.start, everyone.part(others))
            values = [column.alias(name) for name, column in columns.items()]
            # A feature may bear the name of a descriptor.
            names = {name: f"{DESCRIPTOR}{name}" for name in self.force.cohort.descriptors}
            yield (
                as_of,
                rows[mine].rename(names).hstack(values).with_columns(pl.col(pl.Float64).fill_nan(None)),
            )

    def _compared_with(
        self, own: Values, rows: pl.DataFrame, cohorts: pl.DataFrame
    ) -> tuple[Values, np.ndarray]:
        """The values of everybody that people are compared with, and where each row stands among them."""
        across = [idea for idea in self.catalogue.ideas if isinstance(idea.of, Peers | Colleagues)]
        is_everybody = len(rows) == len(cohorts) and self.rows_known_from is None
        if not across or (is_everybody and self.compared_with is None):
            return own, np.arange(len(rows))
        if self.compared_with is not None:
            cohorts = _cohorts(self.force, self.compared_with, self.dates)
        everyone = self._computed(self.compared_with or self.accepted, _distinct_asks(across), cohorts, None)
        key = ["person_key", "as_of"]
        placed = rows.select(key).join(
            cohorts.select(key).with_row_index("at"), on=key, how="left", maintain_order="left"
        )["at"]
        if placed.has_nulls():
            raise ValueError("somebody asked for is not in the cohort of the rows they are compared with")
        return everyone, placed.to_numpy().astype(np.int64)

    def _computed(
        self,
        accepted: Records,
        asks: Sequence[Ask],
        rows: pl.DataFrame,
        rows_known_from: pl.DataFrame | None,
    ) -> Values:
        """Every term for every row; so many people at a time that what is scanned of them fits into memory."""
        everyone = _everyone(rows, rows_known_from)
        turns = -(-len(everyone) // self.reader.people_at_once(asks, self.dates))
        at_once = -(-len(everyone) // max(turns, 1))
        filled = _Filled.of(rows, everyone, self.dates, asks)
        for low in range(0, max(len(everyone), 1), max(at_once, 1)):
            some = everyone[low : low + at_once]
            filled.fill(self.reader.prepare(accepted, asks, some, self.dates, self.progress), low)
        return filled.values()


def _kept(asked: _Asked, store: FeatureStore, reader: Reader | None) -> pl.DataFrame:
    """The values of all dates, those computed before taken from the store, the others put there."""
    tell = asked.progress or (lambda line: None)
    why = {as_of: store.why_not(asked.catalogue, as_of) for as_of in asked.dates}
    for as_of, changed in why.items():
        if changed is not None:
            tell(f"{as_of}: {changed}")
    if missing := [as_of for as_of, changed in why.items() if changed is not None]:
        checkpoints = store.checkpoints()
        reads = reader or this_machine(checkpoints)
        for as_of, values in replace(asked, dates=missing, reader=reads).by_date():
            store.put(asked.catalogue, as_of, values)
        checkpoints.clear()
    return pl.concat([store.get(asked.catalogue, as_of) for as_of in asked.dates], rechunk=False)


def _distinct_asks(ideas: Iterable[Idea]) -> list[Ask]:
    asks = {ask.place: ask for idea in ideas for ask in asks_of(idea)}
    return list(asks.values())


@dataclass(frozen=True, eq=False)
class _Filled:
    """The rows of a table, filled with terms some people at a time.

    `at` is the row of each [person, date], -1 where somebody is not in the cohort; `words` has the categories
    of rows in the order in which they were filled, which `order` tells.
    """

    asks: Sequence[Ask]
    at: np.ndarray
    as_of: np.ndarray
    numbers: dict[tuple[int, int], np.ndarray]
    words: dict[tuple[int, int], list[pl.Series]]
    order: list[np.ndarray]

    @classmethod
    def of(
        cls, rows: pl.DataFrame, everyone: pl.DataFrame, dates: Sequence[date], asks: Sequence[Ask]
    ) -> _Filled:
        numbered = everyone.select("person_key").with_row_index("person")
        placed = rows.select("person_key", "as_of").join(
            numbered, on="person_key", how="left", maintain_order="left"
        )
        as_of = np.searchsorted(np.array(dates, dtype="datetime64[D]"), placed["as_of"].to_numpy())
        at = np.full((len(everyone), len(dates)), -1)
        at[placed["person"].to_numpy(), as_of] = np.arange(len(rows))
        words: dict[tuple[int, int], list[pl.Series]] = {
            ask.place: [] for ask in asks if isinstance(ask.term, Latest) and ask.term.how == "category"
        }
        numbers = {
            ask.place: np.empty(len(rows), np.uint32 if _is_count(ask.term) else np.float64)
            for ask in asks
            if ask.place not in words
        }
        return cls(asks, at, as_of, numbers, words, [])

    def fill(self, engine: Engine, first: int) -> None:
        """Compute the people that an engine has read, blocks side by side; `first` is the place of the first."""
        with ThreadPoolExecutor(pl.thread_pool_size()) as threads:
            for at, words in threads.map(lambda block: self._fill_block(block, first), engine.blocks()):
                self.order.append(at)
                for place, of_block in words.items():
                    self.words[place].append(of_block)

    def _fill_block(self, block: Block, first: int) -> tuple[np.ndarray, dict[tuple[int, int], pl.Series]]:
        at = self.at[first + block.low : first + block.high]
        there = at >= 0
        cells = pl.Series(np.flatnonzero(there), dtype=pl.UInt32)
        words: dict[tuple[int, int], pl.Series] = {}
        for ask in self.asks:
            if isinstance(ask.term, Latest) and ask.place in self.words:
                words[ask.place] = block.latest(ask.term).cast(pl.String).gather(cells)
            else:
                self.numbers[ask.place][at[there]] = block.numbers(ask.term, ask.window)[there]
        return at[there], words

    def values(self) -> Values:
        """Every term, row by row of the table."""
        back = pl.Series(np.argsort(np.concatenate(self.order)), dtype=pl.UInt32)
        words = {place: pl.concat(parts).gather(back) for place, parts in self.words.items()}
        return Values(self.as_of, self.numbers, words)


def _is_count(term: Term) -> bool:
    """Whether every value is a whole number, 0 or more: half the room for most of what a catalogue asks."""
    return isinstance(term, Aggregate) and term.how in ("count", "distinct", "most_common")


def _columns(ideas: Sequence[Idea], own: Values, at: np.ndarray, everyone: Values) -> dict[str, pl.Series]:
    """The values of every column: numbers with NaN, categories as words."""
    columns: dict[str, pl.Series] = {}
    for idea in ideas:
        for name, window in zip(idea.columns, idea.windows or (0,), strict=True):
            of, place = idea.of, (id(idea.of), window)
            if isinstance(of, Peers | Colleagues):
                columns[name] = pl.Series(compared(of, window, own, at, everyone))
            else:
                columns[name] = own.words[place] if place in own.words else pl.Series(own.numbers[place])
    return columns


def _column(
    idea: Idea, name: str, values: pl.Series, schema: FeatureSchema | None
) -> tuple[FeatureColumn, pl.Series]:
    """What a column is, and its values as a model reads them."""
    if values.dtype != pl.String:
        return FeatureColumn(name, "number", None, idea.name), values
    stored = schema.categories_of(name) if schema is not None else None
    categories = stored if stored is not None else tuple(values.drop_nulls().unique().sort())
    codes = values.cast(pl.Enum(categories), strict=False).to_physical().cast(pl.Int32).fill_null(UNKNOWN)
    return FeatureColumn(name, "category", categories, idea.name), codes.alias(name)


def _everyone(rows: pl.DataFrame, rows_known_from: pl.DataFrame | None) -> pl.DataFrame:
    """The people of a table, each once, with `known_from` where only later rows count."""
    everyone = rows.select("person_key").unique().sort("person_key")
    if rows_known_from is None:
        return everyone
    known_from = rows_known_from.select("person_key", pl.col("known_from").cast(pl.Datetime("us")))
    return everyone.join(known_from, on="person_key", how="left", validate="1:1", maintain_order="left")


def _cohorts(force: ForceDefinition, accepted: Records, dates: Sequence[date]) -> pl.DataFrame:
    """Everybody of the cohort at each date, in order of date and person."""
    return pl.concat(
        [cohort(force, accepted, as_of).select("person_key", pl.lit(as_of).alias("as_of"), *force.cohort.descriptors) for as_of in dates]
    )  # fmt: skip


def _asked_for(
    rows: pl.DataFrame, people: pl.Series | None, rows_known_from: pl.DataFrame | None
) -> pl.DataFrame:
    for wanted in (people, None if rows_known_from is None else rows_known_from["person_key"]):
        if wanted is not None:
            rows = rows.filter(pl.col("person_key").is_in(wanted.unique().implode()))
    return rows


def _fingerprint(
    schema: FeatureSchema,
    ideas: Sequence[Idea],
    sources: Mapping[str, str],
    dates: Sequence[date],
    everyone: pl.DataFrame,
) -> str:
    said = {
        "columns": json.loads(schema.to_json()),
        "computed": {idea.name: describe_term(idea.of) for idea in ideas},
        "sources": dict(sorted(sources.items())),
        "as_ofs": [as_of.isoformat() for as_of in dates],
        "people": everyone.cast(pl.String).rows(),
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
