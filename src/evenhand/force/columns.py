"""Columns of an extract while they are made: numbers that name their values, turned into text when written.

A force of full size has a hundred million rows; their keys and codes are held as indices and row codes, and
become strings in the last step, a block at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from evenhand.force.draws import Flags, Ints, scrambled

MICROSECONDS_A_MINUTE = 60_000_000
_FOUR_DIGITS = np.frombuffer("".join(f"{n:04d}" for n in range(10_000)).encode(), np.uint32)
_TWO_DIGITS = np.frombuffer("".join(f"{n:02d}" for n in range(100)).encode(), np.uint16)


@dataclass(frozen=True, eq=False)
class Column:
    """`values`, one a row; `empty` marks the rows that have none."""

    values: NDArray
    empty: Flags | None = None

    def __len__(self) -> int:
        return len(self.values)

    def taken(self, rows: Ints) -> Self:
        """The column at some rows, in their order."""
        return replace(self, values=self.values[rows], empty=None if self.empty is None else self.empty[rows])

    def emptied(self, where: Flags) -> Self:
        """The column without the values of some rows."""
        return replace(self, empty=where if self.empty is None else self.empty | where)

    def with_values(self, where: Flags, values: NDArray) -> Self:
        """The column with other values in some rows."""
        changed = self.values.copy()
        changed[where] = values
        return replace(self, values=changed)

    def arrow(self) -> pa.Array:
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class Labels(Column):
    """Texts of a short list: `values` index `names`."""

    names: pa.Array = field(default_factory=lambda: pa.array([], pa.string()))

    def labelled(self, where: Flags, name: str) -> Labels:
        """The column with a text of its own in some rows."""
        names = pa.concat_arrays([self.names, pa.array([name], pa.string())])
        return replace(
            self.with_values(where, np.int64(len(self.names))),  # type: ignore[arg-type]  # one value for all
            names=names,
            empty=None if self.empty is None else self.empty & ~where,
        )

    def arrow(self) -> pa.DictionaryArray:
        used = np.zeros(len(self.names), bool)
        used[self.values if self.empty is None else self.values[~self.empty]] = True
        place = np.cumsum(used, dtype=np.int32) - np.int32(1)
        # A dictionary goes into each row group whole, so it holds only what the rows name.
        return pa.DictionaryArray.from_arrays(
            pa.array(place[self.values], pa.int32(), mask=self.empty),
            self.names.take(pa.array(np.flatnonzero(used))),
        )


@dataclass(frozen=True, eq=False)
class Numbers(Column):
    """Row identifiers: a letter and fourteen digits that say nothing of the row; `values` are row codes."""

    letter: str = "?"

    def arrow(self) -> pa.StringArray:
        n = len(self.values)
        text = np.empty((n, 15), np.uint8)
        text[:, 0] = ord(self.letter)
        rest = scrambled(self.values)
        high, low = np.divmod(rest, 10**8)
        for at, four in zip((7, 11), np.divmod(low.astype(np.uint32), np.uint32(10_000)), strict=True):
            text[:, at : at + 4] = _FOUR_DIGITS[four].view(np.uint8).reshape(n, 4)
        two, four = np.divmod(high.astype(np.uint32), np.uint32(10_000))
        text[:, 3:7] = _FOUR_DIGITS[four].view(np.uint8).reshape(n, 4)
        text[:, 1:3] = _TWO_DIGITS[two].view(np.uint8).reshape(n, 2)
        offsets = np.arange(0, 15 * (n + 1), 15, dtype=np.int32)
        valid = None if self.empty is None else pa.array(~self.empty).buffers()[1]
        return pa.StringArray.from_buffers(n, pa.py_buffer(offsets), pa.py_buffer(text), valid, -1)


@dataclass(frozen=True, eq=False)
class Times(Column):
    """Local times: `values` are minutes since the start of the data, which is `origin` in microseconds since 1970."""

    origin: int = 0

    def arrow(self) -> pa.Array:
        at = self.values.astype(np.int64) * MICROSECONDS_A_MINUTE + self.origin
        return pa.array(at.view("datetime64[us]"), pa.timestamp("us"), mask=self.empty)


@dataclass(frozen=True, eq=False)
class Dates(Column):
    """Days: `values` count from the start of the data, which is `origin` in days since 1970."""

    origin: int = 0

    def arrow(self) -> pa.Array:
        return pa.array((self.values + self.origin).astype("datetime64[D]"), pa.date32(), mask=self.empty)


@dataclass(frozen=True, eq=False)
class Plain(Column):
    """Numbers and flags, written as they are."""

    def arrow(self) -> pa.Array:
        kind = self.values.dtype.kind
        wide = self.values if kind == "b" else self.values.astype(np.float64 if kind == "f" else np.int64)
        return pa.array(wide, mask=self.empty)


def labels(names: Sequence[str] | pa.Array, index: Ints) -> Labels:
    """Texts by their index; a negative index is empty."""
    array = names if isinstance(names, pa.Array) else pa.array(list(names), pa.string())
    empty = index < 0
    return Labels(np.where(empty, 0, index), empty, array) if empty.any() else Labels(index, names=array)


def joined(parts: Sequence[Mapping[str, Column]]) -> dict[str, Column]:
    """Columns of the same names and kinds, one part after another."""
    first = parts[0]
    return {
        name: replace(
            column,
            values=np.concatenate([part[name].values for part in parts]),
            empty=_joined_empty([part[name] for part in parts]),
        )
        for name, column in first.items()
    }


def _joined_empty(columns: Sequence[Column]) -> Flags | None:
    if all(column.empty is None for column in columns):
        return None
    return np.concatenate(
        [np.zeros(len(column), bool) if column.empty is None else column.empty for column in columns]
    )


@dataclass(frozen=True, eq=False)
class Rows:
    """A table's rows, or a block of them, and the code of each row, by which its own draws are found."""

    columns: Mapping[str, Column]
    code: Ints

    def taken(self, rows: Ints) -> Rows:
        """Some of the rows, in the order given."""
        return Rows({name: column.taken(rows) for name, column in self.columns.items()}, self.code[rows])


def ids(letter: str, codes: Ints) -> Numbers:
    """Row identifiers of a letter and fourteen digits; a negative code is empty."""
    empty = codes < 0
    return Numbers(codes, empty if empty.any() else None, letter)
