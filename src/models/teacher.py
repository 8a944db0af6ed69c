"""A steady first opinion, from which the trees learn beside the labels.

Some fifty people confirmed by then, a hundred features, and labels that mostly say nobody looked: trees that
learn from such labels alone follow chance. So each person's target is part label, part the probability of a
ridge logistic regression over the same features, in which nothing that speaks to conduct may count in a
person's favour. The regression is used in training only; what is registered and explained is the trees.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from features.build import FeatureSchema
from models.baselines import prepared
from models.booster import log_odds, probability

# Inverse strength of the ridge, as in sklearn; chosen on development seeds.
INVERSE_PENALTY = 0.003


def opinion(
    features: np.ndarray, confirmed: np.ndarray, schema: FeatureSchema, directions: Mapping[str, int]
) -> np.ndarray:
    """The regression's probability that each person it was fitted on is confirmed, `[people]`.

    Args:
        confirmed: 0 or 1 each, or the probability that they will be.
        directions: features that may count one way only: 1 where more is more concern, -1 where less is.
    """
    from scipy.optimize import minimize

    design = np.asarray(prepared(schema, flag_unknown=False).fit_transform(features))
    numbers = [column.name for column in schema.columns if column.kind == "number"]
    # The numbers come first, in the schema's order; categories follow.
    bounds = [_bound(directions.get(name, 0)) for name in numbers]
    bounds += [(None, None)] * (design.shape[1] + 1 - len(numbers))

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        raw = design @ weights[:-1] + weights[-1]
        missed = probability(raw) - confirmed
        size = weights[:-1] / INVERSE_PENALTY
        value = np.logaddexp(0, raw).sum() - confirmed @ raw + size @ weights[:-1] / 2
        return float(value), np.append(design.T @ missed + size, missed.sum())

    start = np.zeros(design.shape[1] + 1)
    start[-1] = log_odds(float(confirmed.mean()))
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 300})
    return probability(design @ found.x[:-1] + found.x[-1])


def _bound(direction: int) -> tuple[float | None, float | None]:
    return {1: (0.0, None), -1: (None, 0.0), 0: (None, None)}[direction]
