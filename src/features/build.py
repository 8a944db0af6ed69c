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
from features.engine import Engine, Progress, prepare
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
    everyone = _everyone(rows, rows_known_from)
    engine = prepare(accepted, ideas, everyone, dates, progress)
    values = _values(engine, ideas, _Places.of(rows, everyone, dates))
    columns = [_column(idea, name, values[name], schema) for idea in ideas for name in idea.columns]
    found = FeatureSchema(tuple(column for column, _ in columns))
    return FeatureTable(
        frame=rows.select("person_key", "as_of").hstack([series for _, series in columns]),
        schema=found,
        descriptors=rows,
        fingerprint=_fingerprint(found, ideas, accepted.fingerprints, dates, everyone),
    )


@dataclass(frozen=True, eq=False)
class _Places:
    """Which person and date (by index) each row of the table is, in order of person.

    `back` puts values in that order into the order of the table again.
    """

    person: np.ndarray
    date: np.ndarray
    back: np.ndarray

    @classmethod
    def of(cls, rows: pl.DataFrame, everyone: pl.DataFrame, dates: Sequence[date]) -> _Places:
        numbered = everyone.select("person_key").with_row_index("person")
        placed = rows.join(numbered, on="person_key", how="left", maintain_order="left")
        person = placed["person"].to_numpy().astype(np.int64)
        at = np.searchsorted(np.array(dates, dtype="datetime64[D]"), rows["as_of"].to_numpy())
        order = np.argsort(person, kind="stable")
        return cls(person[order], at[order], np.argsort(order))

    def of_people(self, low: int, high: int) -> tuple[np.ndarray, np.ndarray]:
        """Person, counted from `low`, and date of the rows of people `low` to `high - 1`."""
        block = slice(*np.searchsorted(self.person, [low, high]))
        return self.person[block] - low, self.date[block]


def _values(engine: Engine, ideas: Sequence[Idea], places: _Places) -> dict[str, pl.Series]:
    """The values of every column in the order of the table: numbers with NaN, categories as words."""
    parts: dict[str, list[pl.Series]] = {name: [] for idea in ideas for name in idea.columns}
    for block in engine.blocks():
        person, at = places.of_people(block.low, block.high)
        for idea in ideas:
            for name, window in zip(idea.columns, idea.windows or (0,), strict=True):
                if isinstance(idea.of, Latest) and idea.of.how == "category":
                    values = block.latest(idea.of).cast(pl.String).gather(person * len(engine.as_ofs) + at)
                else:
                    values = pl.Series(block.numbers(idea.of, window)[person, at])
                parts[name].append(values)
    return {name: pl.concat(parts.pop(name)).gather(places.back) for name in list(parts)}


def _column(
    idea: Idea, name: str, values: pl.Series, schema: FeatureSchema | None
) -> tuple[FeatureColumn, pl.Series]:
    """What a column is, and its values as a model reads them."""
    if values.dtype != pl.String:
        return FeatureColumn(name, "number", None, idea.name), values.alias(name).fill_nan(None)
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
