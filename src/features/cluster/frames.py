"""Frames that lie in parts on many workers, and the few things that are done to them as a whole.

Written in narwhals, so that it says the same on any of its engines. Columns are numbered there (`c0`, `c1`)
and named here: engines differ in what they make of dots and capitals in names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import narwhals as nw
import polars as pl

from features.cells import Combine

# Batches of a part of a frame, one after the other; what comes back may be as many as the worker likes.
PartWork = Callable[[Iterator[pl.DataFrame]], Iterator[pl.DataFrame]]
# All rows of one group at once.
GroupWork = Callable[[pl.DataFrame], pl.DataFrame]


@dataclass(frozen=True, eq=False)
class Spread:
    """A frame in parts: `frame` has numbered columns, `schema` their names and types in the same order."""

    frame: nw.LazyFrame[Any]
    schema: pl.Schema

    def number(self, name: str) -> str:
        """The column of a name."""
        return numbered(self.schema)[name]

    def matched(self, other: Spread, on: Mapping[str, str]) -> Spread:
        """Each row beside each of the other's with the same values; empty values are the same as none.

        Args:
            on: the other's column for each of these; all columns of both are kept.
        """
        n = len(self.schema)
        moved = {f"c{i}": f"c{i + n}" for i in range(len(other.schema))}
        keys = {f"k{i}": nw.col(other.number(name)) for i, name in enumerate(on.values())}
        beside = other.frame.select(*(nw.col(old).alias(new) for old, new in moved.items()), **keys)
        frame = self.frame.join(
            beside, how="inner", left_on=[self.number(name) for name in on], right_on=list(keys)
        )
        schema = pl.Schema({**self.schema, **other.schema})
        return Spread(frame.select(*(f"c{i}" for i in range(len(schema)))), schema)

    def merged(self, by: Sequence[str], combines: Mapping[str, Combine]) -> Spread:
        """One row for each different `by`, with what the others' values make together."""
        schema = pl.Schema({name: self.schema[name] for name in (*by, *combines)})
        found = self.frame.group_by(*(self.number(name) for name in by)).agg(
            *(getattr(nw.col(self.number(name)), how)() for name, how in combines.items())
        )
        return Spread(_renumbered(found, [self.number(name) for name in schema]), schema)

    def last_of(self, by: Sequence[str], order: Sequence[str]) -> Spread:
        """The last row of each different `by`; empty values come first."""
        found = self.frame.unique(
            [self.number(name) for name in by], keep="last", order_by=[self.number(name) for name in order]
        )
        return Spread(found, self.schema)


class Workers(Protocol):
    """Machines that hold parts of frames and run what they are given on each."""

    def read(self, files: Sequence[Path], schema: pl.Schema, /) -> Spread:
        """These columns of Parquet files; no rows where there is no file."""
        ...

    def spread(self, frame: pl.DataFrame, /) -> Spread:
        """A frame of this machine, for the workers."""
        ...

    def by_part(self, rows: Spread, work: PartWork, schema: pl.Schema, /) -> Spread:
        """What `work` makes of each part."""
        ...

    def by_group(self, rows: Spread, key: str, work: GroupWork, schema: pl.Schema, /) -> Spread:
        """What `work` makes of all rows with the same `key`."""
        ...

    def gathered(self, rows: Spread, /) -> pl.DataFrame:
        """All rows, on this machine."""
        ...


def numbered(schema: pl.Schema) -> dict[str, str]:
    """The numbered column of each name."""
    return {name: f"c{i}" for i, name in enumerate(schema)}


def _renumbered(frame: nw.LazyFrame[Any], columns: Sequence[str]) -> nw.LazyFrame[Any]:
    return frame.select(*(nw.col(column).alias(f"c{i}") for i, column in enumerate(columns)))
