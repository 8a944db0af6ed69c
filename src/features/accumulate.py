"""The one loop over event rows, compiled.

A row that was known by the first as-of date after it happened, and that no later version ever replaced, adds
to one place of a dense grid. Such rows are nearly all of them, and the grid's places for one stretch of time
lie together, so that rows in order of time hit the processor's cache. The few others are handed back.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def add_rows(  # type: ignore[no-untyped-def]  # compiled for what it is called with
    person,
    happened,
    counts_from,
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
        person: index of each row's person, int64 [rows].
        happened, counts_from, ends: day numbers, int32 [rows]: when it happened, the later of that and when
            it was known, and when its next version was known (empty where rows are never corrected).
        values: float64 [rows, partials]: sums first, then minima, then maxima; NaN where there is none.
        grid: float64 [intervals, people, partials], added to in place.
        lowest_day: the day of the first entry of the two tables of days; days outside count as their ends.
        interval_of_day, first_of_day: interval, and index of the first as-of date after each day.
        on_time: for each interval, the index of the first as-of date after it.
        n_sums, n_mins: how many partials are sums and how many minima.
        others: int64 [rows], room for the positions.

    Returns:
        How many positions were written to `others`.
    """
    n_dates = first_of_day[-1]
    last = len(first_of_day) - 1
    n_partials = values.shape[1]
    found = 0
    for row in range(len(person)):
        interval = interval_of_day[min(max(happened[row] - lowest_day, 0), last)]
        first = first_of_day[min(max(counts_from[row] - lowest_day, 0), last)]
        stop = n_dates
        if len(ends):
            stop = first_of_day[min(max(ends[row] - lowest_day, 0), last)]
        if stop <= first:
            continue
        if first != on_time[interval] or stop != n_dates:
            others[found] = row
            found += 1
            continue
        place = grid[interval, person[row]]
        for k in range(n_sums):
            value = values[row, k]
            if not np.isnan(value):
                place[k] += value
        for k in range(n_sums, n_sums + n_mins):
            value = values[row, k]
            if value < place[k]:
                place[k] = value
        for k in range(n_sums + n_mins, n_partials):
            value = values[row, k]
            if value > place[k]:
                place[k] = value
    return found
