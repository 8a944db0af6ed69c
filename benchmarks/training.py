"""One fold of the full catalogue: trees that learn what the heads say, and the same trees on every finding alone.

    python -m benchmarks.training [PEOPLE [DATES]]

Values are made up, most of them zero as counts of rare events are; the columns, the kinds of conduct and the
parameters are those of the simulated force. Both ways thin the rows that trees see, so that the ratio is the price of
the heads and of nothing else.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from benchmarks.measure import Measured, in_turns, once, told
from features.build import FeatureColumn, FeatureSchema
from features.catalogue.uk import FORCE
from models import heads
from models.ranker import concerns, directions, opinion, train, usual_params

SEED, PEOPLE, DATES, ROUNDS = 7, 46_000, 24, 1
TEAM_SIZE, CATEGORIES = 12, 10
FINDINGS_A_KIND = 0.001
CATALOGUE = FORCE.catalogue.ordinary()
CONTEXT = {"rank", "role", "employee_type", "vetting_status"}


def rows(n_people: int, n_dates: int) -> tuple[np.ndarray, FeatureSchema]:
    """Everybody at every date: float64 [people x dates, columns] with their columns."""
    names = [column for idea in CATALOGUE.ideas for column in idea.columns]
    levels = tuple(f"level {number}" for number in range(CATEGORIES))
    schema = FeatureSchema(
        tuple(
            FeatureColumn(name, *(("category", levels) if name in CONTEXT else ("number", None)), name)
            for name in names
        )
    )
    rng = np.random.default_rng(SEED)
    made = np.empty((n_people * n_dates, len(names)), order="F")
    for place, name in enumerate(names):
        if name in CONTEXT:
            made[:, place] = rng.integers(0, CATEGORIES, n_people)[None, :].repeat(n_dates, axis=0).ravel()
        else:
            made[:, place] = rng.poisson(rng.uniform(0.02, 3), len(made))
    return made, schema


def trained(n_people: int, n_dates: int, *, by_heads: bool) -> str:
    """The model's text."""
    features, schema = rows(n_people, n_dates)
    rng = np.random.default_rng(SEED)
    kinds = FORCE.outcome.alleged
    assert kinds is not None
    found = {
        kind: (rng.random(len(features)) < FINDINGS_A_KIND).astype(float) for kind in kinds.allegations()
    }
    confirmed = np.max(list(found.values()), axis=0)
    params = usual_params(FORCE)
    if not by_heads:
        return train(
            features, confirmed, schema, replace(params, teacher_share=0.0), ways=directions(CATALOGUE)
        )
    days, people = np.divmod(np.arange(len(features)), n_people)
    work = [features[:, schema.names.index(name)] for name in kinds.beside]
    taught = opinion(
        features,
        confirmed,
        schema,
        params,
        beside=heads.alike(days, *work),
        teams=(days * n_people + people // TEAM_SIZE).astype(float),
        kinds=concerns(CATALOGUE, schema, found, before_any=kinds.of_any),
    )
    return train(features, confirmed, schema, params, ways=directions(CATALOGUE), taught=taught)


WAYS: dict[str, Callable[[int, int], str]] = {
    "ours": lambda n_people, n_dates: trained(n_people, n_dates, by_heads=True),
    "labels_alone": lambda n_people, n_dates: trained(n_people, n_dates, by_heads=False),
}


def run(n_people: int, n_dates: int, rounds: int) -> list[Measured]:
    """Each way's best time, the making of values included."""
    sizes = [str(n_people), str(n_dates)]
    return in_turns("benchmarks.training", list(WAYS), ["run", *sizes], dict.fromkeys(WAYS, rounds))


def main(n_people: int = PEOPLE, n_dates: int = DATES, rounds: int = ROUNDS) -> None:
    """Both ways."""
    n_columns = sum(len(idea.columns) for idea in CATALOGUE.ideas)
    title = f"training one fold, {n_people:,} people at {n_dates} dates, {n_columns} columns"
    told(title, run(n_people, n_dates, rounds), "labels_alone")


if __name__ == "__main__":
    match sys.argv[1:]:
        case [way, "run", people, dates]:
            once(lambda: len(WAYS[way](int(people), int(dates))), ["lightgbm", "scipy.optimize"])
        case sizes:
            main(*map(int, sizes))
