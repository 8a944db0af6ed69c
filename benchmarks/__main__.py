"""`make bench`: every measurement in turn, at the Met's size or, with a share of it, smaller.

    python -m benchmarks [SHARE]

A share of 0.01 takes minutes; the whole takes hours, 12 GB of disk and 6 GB of memory.
"""

from __future__ import annotations

import sys

from benchmarks import cluster, contributions, features, force, month, training, tuning, validation

PEOPLE, MONTHS = 46_000, 36
ROWS = (1_000_000, 10_000_000, 100_000_000)
FEWEST_PEOPLE, FEWEST_ROWS = 600, 50_000


def main(share: float = 1.0) -> None:
    """Features and how they grow with rows, dates and people; validation; the cluster; the force; a month; a fold; reasons; trials."""
    people = max(FEWEST_PEOPLE, int(PEOPLE * share))
    rows = [max(FEWEST_ROWS, int(n * share)) for n in ROWS]
    for n in rows:
        features.main(n, people)
    for dates in (6, 12):
        features.main(rows[1], people, dates, 1)
    features.main(rows[1], people // 4, 24, 1)
    validation.main(rows[1])
    cluster.main(str(rows[0]), str(people))
    force.main(people, MONTHS)
    month.main(people, MONTHS)
    training.main(people, training.DATES if share >= 1 else 2)
    contributions.main(people)
    tuning.main(tuning.PEOPLE if share >= 1 else FEWEST_PEOPLE)


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
