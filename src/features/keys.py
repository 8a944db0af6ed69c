"""Rows that share their key with another row of the table, over all of its parts.

The answer is exact and holds no key but those of the few rows it compares: a hash of eight bytes stands for
each row, and only rows whose hashes meet are read again and compared in full.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from features.sources import SOURCE_ROW

PART = "source_part"
# Sorted at once, so that beside the hashes themselves there are never more than these few megabytes.
HASHES_A_PARTITION = 8_000_000
# The sieve that finds the rows of some hashes in one pass: so many places a hash that few others fall through,
# and at most 128 MB. Always a power of two.
PLACES_A_HASH, MOST_PLACES = 32, 2**27

Hashes = np.ndarray  # of unsigned 64 bits


def sharing_rows(
    judged: Mapping[str, pl.LazyFrame],
    columns: Sequence[str],
    *,
    applies: pl.Expr | None = None,
    kept: Mapping[str, pl.LazyFrame] | None = None,
    known: pl.DataFrame | None = None,
    again: pl.DataFrame | None = None,
    also: Sequence[str] = (),
) -> pl.DataFrame:
    """`source_part`, `source_row`, `columns` and `also` of every row that shares its values in `columns`.

    Nulls are alike. Of the kept parts only rows are found that are `known`, or that meet a row of the judged
    parts or of `again`.

    Args:
        judged: the rows of each part, numbered from 1 in `source_row`.
        applies: which rows are compared at all; every row where None.
        kept: further parts.
        known: the rows of kept parts that may share their values with other rows of kept parts, as this
            function gave them.
        again: rows (with `columns`) whose like in the kept parts are found as well.
    """
    wanted = [SOURCE_ROW, *dict.fromkeys([*columns, *also])]
    compared = pl.lit(True) if applies is None else applies
    hashes = {
        part: _hashes(frame, columns, compared, seed) for seed, (part, frame) in enumerate(judged.items())
    }
    found = [] if known is None else [known.select(PART, *wanted)]

    def read(part: str, frame: pl.LazyFrame, rows: np.ndarray) -> None:
        if rows.size:
            near = pl.Series(rows, dtype=pl.Int64()).implode()
            picked = frame.filter(pl.col(SOURCE_ROW).is_in(near)).filter(compared)
            found.append(_named(picked.select(wanted).collect(engine="streaming"), part))

    sought = _Sieve.of([*hashes.values(), *([] if again is None else [_of(again, columns)])])
    for seed, (part, frame) in enumerate((kept or {}).items(), start=len(judged)):
        if sought.hashes.size:
            read(part, frame, sought.rows(_hashes(frame, columns, compared, seed)))
    if known is not None:
        found = [pl.concat(found).unique([PART, SOURCE_ROW], maintain_order=True)]
    meeting = _Sieve(_meeting([*hashes.values(), *(_of(rows, columns) for rows in found)]))
    for part, frame in judged.items():
        read(part, frame, meeting.rows(hashes.pop(part)))
    if not found:
        (frame, *_) = [*judged.values(), *(kept or {}).values()]
        return _named(frame.select(wanted).clear().collect(), "")
    return pl.concat(found).filter(pl.struct(columns).is_duplicated())


def _named(rows: pl.DataFrame, part: str) -> pl.DataFrame:
    return rows.select(pl.lit(part).alias(PART), pl.all())


def _hash(columns: Sequence[str]) -> pl.Expr:
    return pl.col(columns[0]).hash() if len(columns) == 1 else pl.struct(columns).hash()


def _of(rows: pl.DataFrame, columns: Sequence[str]) -> Hashes:
    return rows.select(_hash(columns)).to_series().to_numpy()


def _hashes(frame: pl.LazyFrame, columns: Sequence[str], compared: pl.Expr, seed: int) -> Hashes:
    """One hash a row, in order. A row that is not compared gets one of its own, so that it meets no other."""
    own = (pl.col(SOURCE_ROW) * 65_537 + seed).hash(seed=1)
    hashed = frame.select(pl.when(compared).then(_hash(columns)).otherwise(own))
    return hashed.collect(engine="streaming").to_series().to_numpy()


def _meeting(hashes: Sequence[Hashes]) -> Hashes:
    """The hashes that occur more than once, sorted."""
    partitions = sum(some.size for some in hashes) // HASHES_A_PARTITION + 1
    twice = []
    for partition in range(partitions):
        ordered = np.concatenate(
            [part[part % np.uint64(partitions) == partition] for some in hashes for part in _slices(some)]
            or [np.array([], np.uint64)]
        )
        ordered.sort()
        twice.append(ordered[1:][ordered[1:] == ordered[:-1]])
    return _each_once(np.concatenate(twice))


def _each_once(hashes: Hashes) -> Hashes:
    """Sorted, each once. `np.unique` hashes them again, which takes fifty times as long."""
    ordered = np.sort(hashes)
    return ordered[np.diff(ordered, prepend=~ordered[:1]) != 0]


def _slices(hashes: Hashes) -> Iterator[Hashes]:
    return (hashes[start : start + HASHES_A_PARTITION] for start in range(0, hashes.size, HASHES_A_PARTITION))


@dataclass(frozen=True, eq=False)
class _Sieve:
    """Finds which rows of many have one of some hashes (sorted, each once), in one pass."""

    hashes: Hashes
    places: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        size = min(1 << (PLACES_A_HASH * self.hashes.size).bit_length(), MOST_PLACES)
        object.__setattr__(self, "places", np.zeros(size, bool))
        self.places[self._place(self.hashes)] = True

    def _place(self, hashes: Hashes) -> np.ndarray:
        return hashes & np.uint64(self.places.size - 1)

    @classmethod
    def of(cls, hashes: Sequence[Hashes]) -> _Sieve:
        return cls(_each_once(np.concatenate([*hashes, np.array([], np.uint64)])))

    def rows(self, hashes: Hashes) -> np.ndarray:
        """The rows, counted from 1."""
        found, before = [np.array([], np.int64)], 0
        for part in _slices(hashes if self.hashes.size else hashes[:0]):
            near = np.flatnonzero(self.places[self._place(part)])
            at = np.searchsorted(self.hashes, part[near]).clip(max=self.hashes.size - 1)
            found.append(near[self.hashes[at] == part[near]] + before + 1)
            before += part.size
        return np.concatenate(found)
