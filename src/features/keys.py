"""Rows that share their key with another row of the table, over all of its parts.

The answer is exact and holds no key but those of the few rows it compares: a hash of eight bytes stands for
each row, and only rows whose hashes meet are read again and compared in full. The hashes of a part can be kept
in a file, so that a part that is the same need not be read to find who shares a key with the rows of a new one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

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
Hashing = Callable[[str, pl.LazyFrame, Sequence[str]], Hashes]  # of a part's rows, given columns


def sharing_rows(
    judged: Mapping[str, pl.LazyFrame],
    columns: Sequence[str],
    *,
    applies: pl.Expr | None = None,
    kept: Mapping[str, pl.LazyFrame] | None = None,
    known: pl.DataFrame | None = None,
    again: pl.DataFrame | None = None,
    also: Sequence[str] = (),
    by: Sequence[str] | None = None,
    hashing: Hashing | None = None,
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
        by: those of the columns whose hashes are to meet; all where None.
        hashing: gives the hashes of a part, which are made where None.
    """
    wanted = [SOURCE_ROW, *dict.fromkeys([*columns, *also])]
    compared = pl.lit(True) if applies is None else applies
    met, hashes_of = by or columns, hashing or _made
    found = [] if known is None else [known.select(PART, *wanted)]

    def read(part: str, frame: pl.LazyFrame, rows: np.ndarray) -> None:
        if rows.size:
            near = pl.Series(rows, dtype=pl.Int64()).implode()
            picked = frame.filter(pl.col(SOURCE_ROW).is_in(near)).filter(compared)
            found.append(_named(picked.select(wanted).collect(engine="streaming"), part))

    if kept:
        # Without the rows that are not compared, such as those without a key, which would meet some of every part.
        new = [made_hashes(frame.filter(compared), met) for frame in judged.values()]
        sought = _Sieve(_each_once([*new, *([] if again is None else [made_hashes(again.lazy(), met)])]))
        for part, frame in kept.items():
            if sought.hashes.size:
                read(part, frame, sought.rows(hashes_of(part, frame, met)))
    if known is not None:
        found = [pl.concat(found).unique([PART, SOURCE_ROW], maintain_order=True)]
    hashes = {part: hashes_of(part, frame, met) for part, frame in judged.items()}
    meeting = _Sieve(_meeting([*hashes.values(), *(made_hashes(rows.lazy(), met) for rows in found)]))
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


def made_hashes(frame: pl.LazyFrame, columns: Sequence[str]) -> Hashes:
    """One hash a row, in order."""
    return frame.select(_hash(columns)).collect(engine="streaming").to_series().to_numpy()


def _made(part: str, frame: pl.LazyFrame, columns: Sequence[str]) -> Hashes:
    return made_hashes(frame, columns)


def store_hashes(hashes: Hashes, path: Path, follows: Mapping[str, str]) -> None:
    """Keeps the hashes of a part in a file (8 bytes a row, in order), with what they follow from."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    rows = pl.DataFrame({"hash": hashes})
    # Hashes do not pack, and nobody looks for one by its size.
    rows.write_parquet(partial, compression="uncompressed", statistics=False, metadata=dict(follows))
    os.replace(partial, path)


def stored_hashes(path: Path, follows: Mapping[str, str]) -> Hashes | str:
    """The hashes in a file; where they are not there, or follow from something else, what is amiss with them."""
    if not path.is_file():
        return "none were kept"
    try:
        then = pl.read_parquet_metadata(path)
        if differing := [name for name in follows if then.get(name) != follows[name]]:
            return ", ".join(f"of {name} {then.get(name)}, not {follows[name]}" for name in differing)
        return pl.read_parquet(path).to_series().to_numpy()
    except (pl.exceptions.ComputeError, OSError):
        return "their file is damaged"


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
    return _each_once(twice)


def _each_once(hashes: Sequence[Hashes]) -> Hashes:
    """Sorted, each once. `np.unique` hashes them again, which takes fifty times as long."""
    ordered = np.concatenate([*hashes, np.array([], np.uint64)])
    ordered.sort()
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

    def rows(self, hashes: Hashes) -> np.ndarray:
        """The rows, counted from 1."""
        found, before = [np.array([], np.int64)], 0
        for part in _slices(hashes if self.hashes.size else hashes[:0]):
            near = np.flatnonzero(self.places[self._place(part)])
            at = np.searchsorted(self.hashes, part[near]).clip(max=self.hashes.size - 1)
            found.append(near[self.hashes[at] == part[near]] + before + 1)
            before += part.size
        return np.concatenate(found)
