"""The loops over event rows, compiled.

A row that was known by the first as-of date after it happened, and that no later version ever replaced, adds
to one place of a dense grid. Such rows are nearly all of them: one loop finds the place of each, and one short
loop for each partial goes through those that have one. The grid's places of one partial for one stretch of time lie together,
so that for rows in order of time each loop stays within the processor's cache. The few other rows are handed
back.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numba import njit

from features.windows import MICROSECONDS_A_DAY

# Sums of doubles depend on the order of their terms, and a scan on several threads has none. So each value
# is rounded to a multiple of GRID (about a millionth of a unit); sums of such numbers are exact in a double,
# and with it the same in any order, as long as they stay far below 2**53 times as much.
GRID = 2.0**-20
# Added and taken away again, it rounds a double to the nearest multiple of GRID (even where two are as near), in two
# additions: doubles around it lie GRID apart. Beyond 2**31 it rounds to even multiples; whole numbers it leaves alone.
ROUNDING = 1.5 * 2.0**52 * GRID

# What of a row's number is merged: the number as it is, rounded to a multiple of GRID, the size of that, 1 where
# there is a number, or 1 for the row whatever stands in it.
Take = Literal["number", "rounded", "size", "present", "row"]
Combine = Literal["sum", "min", "max"]


def add_batch(
    rows: np.ndarray,
    places: np.ndarray,
    numbers: np.ndarray,
    take: Take,
    combine: Combine,
    partial: np.ndarray,
) -> None:
    """Merge one number of each row that has a place into the places of one partial.

    Args:
        rows, places: the positions of such rows and where each goes, from `place_rows`.
        numbers: float64, of all rows, NaN where there is none; not looked at where `take` is `row`.
        take: `number` where the least or most is kept.
        partial: float64, a partial's places from that of the first person and interval on, changed in place.
    """
    match combine, take:
        case "sum", "number":
            _add(rows, places, numbers, partial)
        case "sum", "rounded":
            _add_rounded(rows, places, numbers, partial)
        case "sum", "size":
            _add_size(rows, places, numbers, partial)
        case "sum", "present":
            _count_present(rows, places, numbers, partial)
        case "sum", "row":
            _count(places, partial)
        case "min", "number":
            _keep_least(rows, places, numbers, partial)
        case "max", "number":
            _keep_most(rows, places, numbers, partial)
        case _:
            raise ValueError(f"the {combine} of {take!r} is not among the loops")


@njit(cache=True, nogil=True)
def place_rows(  # type: ignore[no-untyped-def]  # compiled for what it is called with
    person,
    happened,
    known,
    ends,
    lowest_day,
    interval_of_day,
    first_of_day,
    known_before,
    last_midnight,
    interval_width,
    placed,
    places,
    others,
):
    """Find the rows that have a place in the grid, and those that count but have none.

    Args:
        person: index of each row's person, an integer [rows]; rows below 0 are nobody's and passed by.
        happened, known, ends: instants in microseconds since 1970, int64 [rows]; `ends` is when the next
            version was known (empty where rows are never corrected).
        lowest_day: the day of the first entry of the two tables of days; days outside count as their ends.
        interval_of_day, first_of_day: interval (-1 for none), and index of the first as-of date after, each
            day.
        known_before: for each interval, the instant of the first as-of date after it: a row known before it
            has a place.
        last_midnight: the instant of the last as-of date; a version that stands until then has a place.
        interval_width: how far the places of one interval lie from those of the next.
        placed, places: int64 [rows], room for the positions of rows that have a place, and for their places
            among those of the first partial.
        others: int64 [rows], room for the positions of those that count but have none.

    Returns:
        How many rows have a place, and how many others count.
    """
    last = len(first_of_day) - 1
    n_dates = first_of_day[last]
    n_placed, n_others = 0, 0
    for row in range(len(person)):
        day = happened[row] // MICROSECONDS_A_DAY - lowest_day
        interval = interval_of_day[min(max(day, 0), last)]
        if interval < 0 or person[row] < 0:
            continue
        stands = len(ends) == 0 or ends[row] >= last_midnight
        if stands and known[row] < known_before[interval]:
            placed[n_placed] = row
            places[n_placed] = interval * interval_width + np.int64(person[row])
            n_placed += 1
            continue
        counts_from = max(day, known[row] // MICROSECONDS_A_DAY - lowest_day)
        first = first_of_day[min(max(counts_from, 0), last)]
        stop = n_dates
        if not stands:
            stop = first_of_day[min(max(ends[row] // MICROSECONDS_A_DAY - lowest_day, 0), last)]
        if stop > first:
            others[n_others] = row
            n_others += 1
    return n_placed, n_others


# What a number is decides no jump in these loops, which a processor could not foresee. NaN is less or more than nothing.


@njit(cache=True, nogil=True)
def _add(rows, places, numbers, partial):  # type: ignore[no-untyped-def]
    for i in range(len(places)):
        number = numbers[rows[i]]
        partial[places[i]] += 0.0 if np.isnan(number) else number


@njit(cache=True, nogil=True)
def _add_rounded(rows, places, numbers, partial):  # type: ignore[no-untyped-def]
    for i in range(len(places)):
        number = (numbers[rows[i]] + ROUNDING) - ROUNDING
        partial[places[i]] += 0.0 if np.isnan(number) else number


@njit(cache=True, nogil=True)
def _add_size(rows, places, numbers, partial):  # type: ignore[no-untyped-def]
    for i in range(len(places)):
        number = abs((numbers[rows[i]] + ROUNDING) - ROUNDING)
        partial[places[i]] += 0.0 if np.isnan(number) else number


@njit(cache=True, nogil=True)
def _count_present(rows, places, numbers, partial):  # type: ignore[no-untyped-def]
    for i in range(len(places)):
        partial[places[i]] += 0.0 if np.isnan(numbers[rows[i]]) else 1.0


@njit(cache=True, nogil=True)
def _count(places, partial):  # type: ignore[no-untyped-def]
    for i in range(len(places)):
        partial[places[i]] += 1.0


@njit(cache=True, nogil=True)
def _keep_least(rows, places, numbers, partial):  # type: ignore[no-untyped-def]
    for i in range(len(places)):
        number, least = numbers[rows[i]], partial[places[i]]
        partial[places[i]] = min(least, number)


@njit(cache=True, nogil=True)
def _keep_most(rows, places, numbers, partial):  # type: ignore[no-untyped-def]
    for i in range(len(places)):
        number, most = numbers[rows[i]], partial[places[i]]
        partial[places[i]] = max(most, number)
