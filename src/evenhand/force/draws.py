"""Random draws that stay put: a stream for each purpose, and a number for each row.

A stream belongs to `(seed, purpose)`, so a new table never shifts another. A row's own number depends on the
row's code alone, so rows that come or go (a tour lost to sickness, a look-alike switched off) never shift
those that stay, and neither the machine nor the size of a block can be seen in them.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.integer[Any]]
Floats = NDArray[np.floating[Any]]
Flags = NDArray[np.bool_]

# A row code packs person (17 bits), day (13 bits) and a number within the day (15 bits).
DAY_BITS, NUMBER_BITS = 13, 15
PEOPLE_LIMIT, DAYS_LIMIT = 2**17, 2**DAY_BITS
_CODE_BITS = 45
_CODE_MASK = np.uint64(2**_CODE_BITS - 1)
# Rows hashed at a time: small enough to stay in a core's cache.
_AT_A_TIME = 2**15


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

    def _bits(self, codes: Ints, purpose: str) -> NDArray[np.uint64]:
        salt = np.random.SeedSequence(self.seed, spawn_key=_words(purpose)).generate_state(1, np.uint64)[0]
        bits = codes.astype(np.uint64)
        bits ^= salt
        for at in range(0, len(bits), _AT_A_TIME):
            _mix(bits[at : at + _AT_A_TIME])
        return bits

    def of_row(self, codes: Ints, purpose: str) -> Floats:
        """A number in [0, 1) for each row code, the same whatever other rows there are."""
        return (self._bits(codes, purpose) >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def two_of_row(self, codes: Ints, purpose: str) -> tuple[Floats, Floats]:
        """Two independent numbers in [0, 1) for each row code, of 24 bits each, for half the work."""
        bits = self._bits(codes, purpose)
        one = (bits >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24)
        bits &= np.uint64(2**24 - 1)
        return one, bits.astype(np.float32) * np.float32(2.0**-24)

    def normal_of_row(self, codes: Ints, purpose: str) -> Floats:
        """A standard normal number for each row code (Box and Muller 1958)."""
        one, other = self.two_of_row(codes, purpose)
        return np.sqrt(-2 * np.log1p(-one)) * np.cos(np.float32(2 * np.pi) * other)

    def exponential_of_row(self, codes: Ints, purpose: str) -> Floats:
        """A standard exponential number for each row code."""
        return -np.log1p(-self.of_row(codes, purpose))

    def counts_of_row(self, codes: Ints, purpose: str, rate: Floats, most: int) -> Ints:
        """A Poisson count of each row's rate, at most `most`."""
        draw = self.of_row(codes, purpose)
        chance = np.exp(-np.minimum(rate, 600.0))
        counts = np.zeros(len(draw), np.int64)
        left = np.flatnonzero(draw >= chance)
        draw, chance, rate = draw[left], chance[left], np.minimum(rate[left], 600.0)
        reached = chance.copy()
        count = 0
        while len(left) and count < most:
            count += 1
            chance = chance * rate / count
            reached = reached + chance
            counts[left] = count
            more = draw >= reached
            left = left[more]
            draw, chance, rate, reached = (part[more] for part in (draw, chance, rate, reached))
        return counts


def derived_seed(seed: int, purpose: str) -> int:
    """Another seed that follows from `seed` by purpose."""
    return int(np.random.SeedSequence(seed, spawn_key=_words(purpose)).generate_state(1, np.uint32)[0])


def row_code(person: Ints, day: Ints, number: Ints | int = 0) -> Ints:
    """One integer that names a row: who, which day, which of that day's rows."""
    return (
        (person.astype(np.int64) << (DAY_BITS + NUMBER_BITS)) | (day.astype(np.int64) << NUMBER_BITS) | number
    )


def repeated(counts: Ints) -> tuple[Ints, Ints]:
    """Index and running number of each of an entry's `counts` rows."""
    index = np.repeat(np.arange(len(counts)), counts)
    return index, np.arange(len(index)) - np.repeat(np.cumsum(counts) - counts, counts)


def scrambled(codes: Ints) -> Ints:
    """The codes in another, one-to-one, numbering, so that a row's number says nothing of how it came about."""
    x = codes.astype(np.uint64)
    x &= _CODE_MASK
    for at in range(0, len(x), _AT_A_TIME):
        part = x[at : at + _AT_A_TIME]
        for multiplier in (0x5851F42D4C957F2D, 0x14057B7EF767814F):
            part *= np.uint64(multiplier)
            part &= _CODE_MASK
            part ^= part >> np.uint64(23)
    return x.view(np.int64)


def _mix(x: NDArray[np.uint64]) -> None:
    """SplitMix64's finaliser (Steele, Lea and Flood 2014), in place."""
    x += np.uint64(0x9E3779B97F4A7C15)
    x ^= x >> np.uint64(30)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
