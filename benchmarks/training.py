"""One fold of the full catalogue: trees that learn what the heads say, and the same trees on findings alone.

    python -m benchmarks.training [PEOPLE [DATES]]

Values are made up, before the clock starts: counts, more of them above zero than in records. The columns, the kinds of
conduct and the parameters are those of the simulated force. Both ways thin the rows that trees see, so that the ratio
is the price of the heads, less what trees save that may ask for fewer columns.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import cast

import numpy as np

from benchmarks.measure import Measured, in_turns, once, told
from features.build import FeatureColumn, FeatureSchema
from features.catalogue.uk import FORCE
from features.definition import Alleged
from models import heads
from models.ranker import askable, concerns, directions, opinion, train, usual_params

SEED, PEOPLE, DATES, ROUNDS = 7, 46_000, 24, 1
TEAM_SIZE, CATEGORIES = 12, 10
FINDINGS_A_KIND = 0.001
CATALOGUE = FORCE.catalogue.ordinary()
ALLEGED = cast("Alleged", FORCE.outcome.alleged)
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


def findings(n_rows: int) -> dict[str, np.ndarray]:
    """By kind of conduct, 1 for each row with a finding of it."""
    rng = np.random.default_rng(SEED)
    return {kind: (rng.random(n_rows) < FINDINGS_A_KIND).astype(float) for kind in ALLEGED.allegations()}


def ours(features: np.ndarray, schema: FeatureSchema, found: dict[str, np.ndarray], n_people: int) -> str:
    days, people = np.divmod(np.arange(len(features)), n_people)
    confirmed, params = np.max(list(found.values()), axis=0), usual_params(FORCE)
    kinds = concerns(CATALOGUE, schema, found)
    taught = opinion(
        features,
        confirmed,
        schema,
        params,
        beside=heads.alike(days, *(features[:, schema.names.index(name)] for name in ALLEGED.beside)),
        teams=(days * n_people + people // TEAM_SIZE).astype(float),
        kinds=kinds,
    )
    return train(
        features,
        confirmed,
        schema,
        params,
        ways=directions(CATALOGUE),
        taught=taught,
        asking=askable(CATALOGUE, schema, kinds, ALLEGED.beside),
    )


def labels_alone(
    features: np.ndarray, schema: FeatureSchema, found: dict[str, np.ndarray], n_people: int
) -> str:
    params = replace(usual_params(FORCE), teacher_share=0.0)
    confirmed = np.max(list(found.values()), axis=0)
    return train(features, confirmed, schema, params, ways=directions(CATALOGUE))


WAYS = {"ours": ours, "labels_alone": labels_alone}


def fold(way: str, n_people: int, n_dates: int) -> None:
    """Print what it takes to train one fold, and the model's length."""
    features, schema = rows(n_people, n_dates)
    found = findings(len(features))
    once(lambda: len(WAYS[way](features, schema, found, n_people)), ["lightgbm", "scipy.optimize"])


def run(n_people: int, n_dates: int, rounds: int) -> list[Measured]:
    """Each way's best time."""
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
            fold(way, int(people), int(dates))
        case sizes:
            main(*map(int, sizes))
