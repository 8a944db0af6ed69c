"""Point-in-time features: one row a person and as-of date, one column an idea and window.

A feature at `as_of` uses rows with `as_of - window <= occurred_at < as_of` and `known_at < as_of`, in the
version that stood then. Nothing recorded at or after `as_of` can change it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Literal

import numpy as np
import polars as pl

from features import lineage
from features.definition import ForceDefinition
from features.describe import describe_term
from features.engine import Block, Progress, prepare
from features.events import Records
from features.labels import cohort
from features.specs import Catalogue, Idea, Latest
from features.windows import checked_as_ofs

UNKNOWN = -1


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
        for name in expected.keys() & found.keys():
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
        progress: called with a line on what is being read.

    Raises:
        WrongUsage: no as-of date, or one with a time of day.
        DataRefused: values too large to be added up exactly.
        ValueError: a declaration that cannot be traced or would look into the future.
    """
    ideas = (catalogue or force.catalogue.ordinary()).ideas
    lineage.check(Catalogue(ideas))
    dates = checked_as_ofs(as_ofs)
    rows = _cohort_rows(force, accepted, dates, people, rows_known_from)
    everyone = rows.select("person_key").unique().sort("person_key")
    if rows_known_from is not None:
        everyone = everyone.join(
            rows_known_from.select("person_key", "known_from"),
            on="person_key",
            how="left",
            maintain_order="left",
        )
    engine = prepare(accepted, ideas, everyone, dates, progress)
    place = _places(rows, everyone, dates)
    numbers = {
        column: np.full(len(rows), np.nan)
        for idea in ideas
        for column in idea.columns
        if not _is_category(idea)
    }
    words = {idea.name: [] for idea in ideas if _is_category(idea)}
    for block in engine.blocks():
        _fill(block, ideas, place, numbers, words)
    columns, schema_columns = [], []
    for idea in ideas:
        for name in idea.columns:
            if _is_category(idea):
                column, values = _coded(idea, words[name], schema, len(rows))
            else:
                column, values = (
                    FeatureColumn(name, "number", None, idea.name),
                    pl.Series(name, numbers[name]).fill_nan(None),
                )
            schema_columns.append(column)
            columns.append(values)
    found = FeatureSchema(tuple(schema_columns))
    keys = rows.select("person_key", "as_of")
    return FeatureTable(
        frame=keys.hstack(columns),
        schema=found,
        descriptors=rows,
        fingerprint=_fingerprint(found, ideas, accepted.fingerprints, dates, everyone),
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Places:
    """Which person and date each row of the table is, in order of person."""

    row: np.ndarray
    person: np.ndarray
    date: np.ndarray

    def of_people(self, low: int, high: int) -> _Places:
        block = slice(*np.searchsorted(self.person, [low, high]))
        return _Places(self.row[block], self.person[block] - low, self.date[block])


def _places(rows: pl.DataFrame, everyone: pl.DataFrame, dates: Sequence[date]) -> _Places:
    numbered = everyone.select("person_key").with_row_index("person")
    person = rows.join(numbered, on="person_key", how="left", maintain_order="left")["person"].to_numpy()
    order = np.argsort(person, kind="stable")
    at = np.searchsorted(np.array(dates, dtype="datetime64[D]"), rows["as_of"].to_numpy())
    return _Places(order, person[order].astype(np.int64), at[order])


def _fill(
    block: Block,
    ideas: Sequence[Idea],
    places: _Places,
    numbers: Mapping[str, np.ndarray],
    words: Mapping[str, list[tuple[np.ndarray, pl.Series]]],
) -> None:
    """Write a block of people into the columns, in place."""
    here = places.of_people(block.low, block.high)
    for idea in ideas:
        if isinstance(idea.of, Latest) and idea.of.how == "category":
            n_dates = len(block.engine.as_ofs)
            words[idea.name].append(
                (here.row, block.latest(idea.of).gather(here.person * n_dates + here.date))
            )
            continue
        for name, window in zip(idea.columns, idea.windows or (0,), strict=True):
            numbers[name][here.row] = block.numbers(idea.of, window)[here.person, here.date]


def _is_category(idea: Idea) -> bool:
    return isinstance(idea.of, Latest) and idea.of.how == "category"


def _coded(
    idea: Idea, words: Sequence[tuple[np.ndarray, pl.Series]], schema: FeatureSchema | None, n_rows: int
) -> tuple[FeatureColumn, pl.Series]:
    """A category as the positions of its values in the stored list."""
    found = (
        pl.concat([values.cast(pl.String) for _, values in words])
        if words
        else pl.Series([], dtype=pl.String)
    )
    stored = schema.categories_of(idea.name) if schema is not None else None
    categories = stored if stored is not None else tuple(found.drop_nulls().unique().sort())
    codes = np.full(n_rows, UNKNOWN, dtype=np.int32)
    if words:
        coded = found.cast(pl.Enum(categories), strict=False).to_physical().cast(pl.Int32).fill_null(UNKNOWN)
        codes[np.concatenate([row for row, _ in words])] = coded.to_numpy()
    return FeatureColumn(idea.name, "category", categories, idea.name), pl.Series(idea.name, codes)


def _cohort_rows(
    force: ForceDefinition,
    accepted: Records,
    dates: Sequence[date],
    people: pl.Series | None,
    rows_known_from: pl.DataFrame | None,
) -> pl.DataFrame:
    rows = pl.concat(
        [cohort(force, accepted, as_of).select("person_key", pl.lit(as_of).alias("as_of"), *force.cohort.descriptors) for as_of in dates]
    )  # fmt: skip
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
