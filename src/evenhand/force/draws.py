"""Random draws that stay put: a stream for each purpose, and a number for each row.

A stream belongs to `(seed, purpose)`, so a new table never shifts another. A row's own number depends on the
row's code alone, so rows that disappear (a tour lost to sickness) never shift those that stay.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.integer[Any]]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

# A row code packs person (17 bits), day (13 bits) and a number within the day (15 bits).
DAY_BITS, NUMBER_BITS = 13, 15
PEOPLE_LIMIT, DAYS_LIMIT = 2**17, 2**DAY_BITS
_CODE_BITS = 45
_CODE_MASK = np.uint64(2**_CODE_BITS - 1)


def _words(purpose: str) -> tuple[int, ...]:
    digest = hashlib.sha256(purpose.encode()).digest()
    return tuple(int.from_bytes(digest[at : at + 4], "little") for at in range(0, 16, 4))


class Draws:
    """The random numbers of one seed, by purpose."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def stream(self, purpose: str) -> np.random.Generator:
        """A fresh generator that depends on the seed and the purpose only."""
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=_words(purpose)))

    def habits(self, n: int, purpose: str, spread: float) -> Floats:
        """`n` lognormal factors of mean 1: how much more or less each person does of something."""
        return np.exp(spread * self.stream(purpose).standard_normal(n) - spread**2 / 2)

    def of_row(self, codes: Ints, purpose: str) -> Floats:
        """A number in [0, 1) for each row code, the same whatever other rows there are."""
        salt = np.random.SeedSequence(self.seed, spawn_key=_words(purpose)).generate_state(1, np.uint64)[0]
        return (_mixed(codes.astype(np.uint64) ^ salt) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def derived_seed(seed: int, purpose: str) -> int:
    """Another seed that follows from `seed` by purpose."""
    return int(np.random.SeedSequence(seed, spawn_key=_words(purpose)).generate_state(1, np.uint32)[0])


def row_code(person: Ints, day: Ints, number: Ints | int = 0) -> Ints:
    """One integer that names a row: who, which day, which of that day's rows."""
    return (
        (person.astype(np.int64) << (DAY_BITS + NUMBER_BITS)) | (day.astype(np.int64) << NUMBER_BITS) | number
    )


def scrambled(codes: Ints) -> Ints:
    """The codes in another, one-to-one, numbering, so that a row's number says nothing of how it came about."""
    x = codes.astype(np.uint64) & _CODE_MASK
    for multiplier in (0x5851F42D4C957F2D, 0x14057B7EF767814F):
        x = (x * np.uint64(multiplier)) & _CODE_MASK
        x ^= x >> np.uint64(23)
    return x.astype(np.int64)


def _mixed(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's finaliser (Steele, Lea and Flood 2014)."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
