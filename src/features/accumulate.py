"""The one loop over event rows, compiled.

A row that was known by the first as-of date after it happened, and that no later version ever replaced, adds
to one place of a dense grid. Such rows are nearly all of them, and the grid's places for one stretch of time
lie together, so that rows in order of time hit the processor's cache. The few others are handed back.
"""

from __future__ import annotations

import numpy as np
from numba import njit

MICROSECONDS_A_DAY = 86_400_000_000
NOWHERE = -1


@njit(cache=True, nogil=True)
def add_rows(  # type: ignore[no-untyped-def]  # compiled for what it is called with
    person,
    happened,
    known,
    ends,
    values,
    grid,
    lowest_day,
    interval_of_day,
    first_of_day,
    on_time,
    n_sums,
    n_mins,
    others,
):
    """Add rows to `grid`; the positions of those that have no place there go to `others`.

    Args:
        person: index of each row's person, an integer [rows]; rows below 0 are nobody's and passed by.
        happened, known, ends: instants in microseconds since 1970, int64 [rows]; `ends` is when the next
            version was known (empty where rows are never corrected).
        values: float64 [rows, partials]: sums first, then minima, then maxima; NaN where there is none.
        grid: float64 [intervals, people, partials], added to in place.
        lowest_day: the day of the first entry of the two tables of days; days outside count as their ends.
        interval_of_day, first_of_day: interval (-1 for none), and index of the first as-of date after, each
            day.
        on_time: for each interval, the index of the first as-of date after it.
        n_sums, n_mins: how many partials are sums and how many minima.
        others: int64 [rows], room for the positions.

    Returns:
        How many positions were written to `others`.
    """
    n_people, n_partials = grid.shape[1], grid.shape[2]
    n_dates = first_of_day[-1]
    last = len(first_of_day) - 1
    found = 0
    # Places first and sums after: apart, the second loop waits for memory far less.
    places = np.empty(len(person), np.int64)
    for row in range(len(person)):
        day = happened[row] // MICROSECONDS_A_DAY - lowest_day
        counts_from = max(day, known[row] // MICROSECONDS_A_DAY - lowest_day)
        interval = interval_of_day[min(max(day, 0), last)]
        first = first_of_day[min(max(counts_from, 0), last)]
        stop = n_dates
        if len(ends):
            stop = first_of_day[min(max(ends[row] // MICROSECONDS_A_DAY - lowest_day, 0), last)]
        counts = interval >= 0 and stop > first and person[row] >= 0
        in_time = counts and first == on_time[interval] and stop == n_dates
        places[row] = (interval * n_people + np.int64(person[row])) * n_partials if in_time else NOWHERE
        if counts and not in_time:
            others[found] = row
            found += 1
    flat = grid.reshape(-1)
    for row in range(len(person)):
        place = places[row]
        if place == NOWHERE:
            continue
        for k in range(n_sums):
            value = values[row, k]
            flat[place + k] += 0.0 if np.isnan(value) else value
        for k in range(n_sums, n_sums + n_mins):
            value = values[row, k]
            if value < flat[place + k]:
                flat[place + k] = value
        for k in range(n_sums + n_mins, n_partials):
            value = values[row, k]
            if value > flat[place + k]:
                flat[place + k] = value
    return found
