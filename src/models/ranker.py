"""The LightGBM model: what it is allowed to be, and how it is trained.

The same rows, parameters and seed give the same text. It is read and applied through `models.booster`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import get_args

import numpy as np

from features.build import FeatureSchema
from features.errors import DataRefused
from features.specs import Aggregate, Catalogue, Colleagues, Idea, Latest, Peers
from models.booster import import_lightgbm, matrix, raw_scores, read_booster
from models.splits import LabelChoice
from models.teacher import opinion

__all__ = ["Params", "directions", "matrix", "raw_scores", "read_booster", "train"]


@dataclass(frozen=True, kw_only=True)
class Params:
    """How the trees are grown. The defaults are for some hundred confirmed cases, where small trees, strong
    shrinkage and a steady teacher win; the rounds are fixed, since stopping by a test date would be learning
    from it. They were chosen on simulated forces of seeds 101 to 103 and Chicago test dates 2006 to 2010.

    Attributes:
        rounds: number of trees.
        leaves: leaves of a tree.
        learning_rate: share of each tree that is added.
        least_rows: people in the smallest leaf.
        l2_share: L2 penalty on leaf values, as a share of the information in all rows learnt from (people
            times confirmed share times the rest). As a plain number it would drown the few confirmed cases of
            a small force and mean nothing in a large one.
        feature_share, row_share: random shares of the features and rows that a tree may see.
        monotone: let what speaks to conduct count one way only (see `directions`).
        teacher_share: how much of each target is the teacher's opinion (`models.teacher`), the rest the label.
        labels: what is learnt from (see `models.splits`).
        seed: of every draw.
        threads: number of threads; fixed, so that sums are added in the same order.
    """

    rounds: int = 300
    leaves: int = 4
    learning_rate: float = 0.03
    least_rows: int = 20
    l2_share: float = 0.02
    feature_share: float = 0.2
    row_share: float = 0.7
    monotone: bool = True
    teacher_share: float = 0.8
    labels: LabelChoice = "settled"
    seed: int = 1
    threads: int = 2

    def __post_init__(self) -> None:
        for name in ("rounds", "least_rows", "threads"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.leaves < 2:
            raise ValueError(f"a tree needs at least 2 leaves, not {self.leaves}")
        for name in ("learning_rate", "feature_share", "row_share"):
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie in (0, 1], not {getattr(self, name)}")
        if not 0 <= self.teacher_share <= 1:
            raise ValueError(f"teacher_share must lie in [0, 1], not {self.teacher_share}")
        if self.labels not in get_args(LabelChoice):
            raise ValueError(f"labels must be one of {', '.join(get_args(LabelChoice))}, not {self.labels!r}")
        if self.l2_share < 0 or self.seed < 0:
            raise ValueError("l2_share and seed must not be negative")

    def to_dict(self) -> dict[str, int | float | bool | str]:
        return asdict(self)

    def for_lightgbm(self, confirmed: np.ndarray) -> dict[str, object]:
        """LightGBM's own names and values, for training on these labels."""
        return {
            "objective": "cross_entropy",  # as binary, for targets between 0 and 1
            "num_leaves": self.leaves,
            "learning_rate": self.learning_rate,
            "min_data_in_leaf": self.least_rows,
            "min_sum_hessian_in_leaf": 1e-3,
            "lambda_l2": self.l2_share * len(confirmed) * float(confirmed.mean() * (1 - confirmed.mean())),
            "feature_fraction": self.feature_share,
            "bagging_fraction": self.row_share,
            "bagging_freq": 1,
            "seed": self.seed,
            "num_threads": self.threads,
            "deterministic": True,
            "force_row_wise": True,
            "verbosity": -1,
        }


def directions(catalogue: Catalogue) -> dict[str, int]:
    """The way in which each feature that speaks to conduct may count: 1, more is more concern; -1, less is.

    Among few confirmed cases some complaint or claim always counts in people's favour by chance; no reviewer
    would accept that as a reason. Context (a role, hours worked) may count either way, and through it the
    ordinary explanations do.
    """
    found = {idea: _direction(idea) for idea in catalogue.ideas}
    return {column: way for idea, way in found.items() if way for column in idea.columns}


def _direction(idea: Idea) -> int:
    if isinstance(idea.of, Latest | Colleagues) or not (idea.typologies or idea.more_is_concern):
        return 0
    match idea.of:
        case Aggregate(how="days_since_last") | Peers(how="share_higher"):
            return -1
        case _:
            return 1


def train(
    features: np.ndarray,
    confirmed: np.ndarray,
    schema: FeatureSchema,
    params: Params,
    *,
    ways: Mapping[str, int] | None = None,
) -> str:
    """A model of who is confirmed, as LightGBM text.

    Args:
        features: from `matrix`, one row a person and date.
        confirmed: 0 or 1 each, or the probability that they will be; nobody whose case is open counts as 0.
        ways: directions to hold features to, if `params.monotone`.

    Raises:
        DataRefused: nobody, or everybody, is confirmed.
    """
    lightgbm = import_lightgbm()
    n_confirmed = float(confirmed.sum())
    if not 0 < n_confirmed < len(confirmed):
        raise DataRefused(
            f"a model needs confirmed and unconfirmed people to learn from; {n_confirmed:g} of {len(confirmed)} "
            "are confirmed. Use an extract with more settled outcomes."
        )
    ways = (ways or {}) if params.monotone else {}
    settings = {
        **params.for_lightgbm(confirmed),
        "monotone_constraints": [ways.get(name, 0) for name in schema.names],
    }
    targets = (1 - params.teacher_share) * confirmed
    if params.teacher_share > 0:
        targets = targets + params.teacher_share * opinion(features, confirmed, schema, ways)
    rows = lightgbm.Dataset(
        features,
        targets,
        feature_name=list(schema.names),
        categorical_feature=[i for i, column in enumerate(schema.columns) if column.kind == "category"],
        params=settings,
    )
    return lightgbm.train(settings, rows, num_boost_round=params.rounds).model_to_string()
