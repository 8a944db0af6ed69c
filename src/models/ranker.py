"""The LightGBM model: what it is allowed to be, and how it is trained.

Findings are few, and most of them are about conduct that no record shows. So trees do not learn from them alone.
Where the force's cases tell kinds of conduct apart, they learn the opinion of a head a kind (`models.heads`);
elsewhere part of each target is the opinion of a steady regression (`models.teacher`).

The same rows, parameters and seed give the same text. It is read and applied through `models.booster`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from features.build import FeatureSchema
from features.definition import ForceDefinition
from features.errors import DataRefused
from features.specs import Aggregate, Catalogue, Colleagues, Idea, Latest, Peers
from models import heads, teacher
from models.booster import import_lightgbm, matrix, raw_scores, read_booster
from models.heads import Concern
from models.splits import LabelChoice

if TYPE_CHECKING:
    from lightgbm import Booster

__all__ = [
    "Params", "askable", "concerns", "directions", "matrix", "raw_scores", "read_booster", "train", "usual_params"
]  # fmt: skip


Taught = Literal["regression", "heads"]

# Trees see a small role's rows seldom and judge them a little by what is usual elsewhere. So where heads teach, some
# more trees that may ask for the work alone give back among the highest scores what heads take off for it: of which
# share of the rows, how many trees, of how many leaves, how strongly. Chosen on development seeds.
HIGHEST, WORK_ROUNDS, WORK_LEAVES, WORK_RATE, WORK_L2 = 0.1, 15, 8, 0.3, 1.0


@dataclass(frozen=True, kw_only=True)
class Params:
    """How the trees are grown. The defaults are for some hundred confirmed cases that are all of one kind, where
    small trees, strong shrinkage and a steady teacher win; the rounds are fixed, since stopping by a test date
    would be learning from it. See `usual_params` for a force whose cases tell kinds of conduct apart.

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
        taught_by: the heads, or one regression over all columns, which also learns from columns that speak to no
            conduct.
        teacher_share: how much of each target is the opinion of whoever teaches, the rest the label.
        even_handed: whether the heads set people beside those who do the same work, take off what colleagues show as
            well, and leave out columns in which ordinary explanations look like conduct. False only to measure what
            that costs and whom it spares.
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
    taught_by: Taught = "regression"
    teacher_share: float = 0.8
    even_handed: bool = True
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
        for name, choices in (("labels", get_args(LabelChoice)), ("taught_by", get_args(Taught))):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} must be one of {', '.join(choices)}, not {getattr(self, name)!r}")
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
            **(self._for_heads() if self.taught_by == "heads" else {}),
        }

    def _for_heads(self) -> dict[str, object]:
        """Heads judge by how much is usual in the work. LightGBM's ordinary way with directions forbids most trees that
        ask for the work after a feature with one; and its ordinary settings see a role only of many people."""
        return {
            "monotone_constraints_method": "intermediate",
            "cat_l2": 0.0,
            "cat_smooth": 1.0,
            "min_data_per_group": self.least_rows,
        }


def usual_params(force: ForceDefinition, *, threads: int = 2) -> Params:
    """How trees are grown for a force where nothing else is asked for.

    Heads have no noise that shrinkage must keep out, so trees may follow them closely. Chosen on simulated forces
    of seeds 701 and 702. What is expected of open cases is learnt from where the force tells what they are about:
    without that, it blurs more than the latest dates bring.
    """
    labels: LabelChoice = "expected" if force.outcome.precedents.kinds else "settled"
    if force.outcome.alleged is None:
        return Params(threads=threads, labels=labels)
    return Params(
        rounds=500, leaves=16, learning_rate=0.1, l2_share=0.001, feature_share=0.6, taught_by="heads", teacher_share=1.0,
        labels=labels, threads=threads,
    )  # fmt: skip


def concerns(
    catalogue: Catalogue,
    schema: FeatureSchema,
    found: Mapping[str, np.ndarray],
    *,
    even_handed: bool = True,
) -> tuple[Concern, ...]:
    """Each kind of conduct with the ideas that speak to it and tell it from ordinary explanations.

    Where the catalogue says of some kinds what the conduct consists of, the others are shown by nothing but what goes
    with it, such as complaints or earlier matters. A finding that may be of several kinds counts for these by its share
    only, since they would count every finding once more.

    Args:
        found: by kind of conduct, for each row the probability of a finding of it.
        even_handed: False: also those that do not tell it from them.
    """
    ways, places = directions(catalogue), {name: place for place, name in enumerate(schema.names)}
    telling = [
        (
            idea,
            {places[column]: ways[column] for column in idea.columns if column in places and column in ways},
        )
        for idea in catalogue.ideas
        if idea.tells_apart or not even_handed
    ]
    about = {
        kind: [(idea, columns) for idea, columns in telling if columns and kind in idea.typologies]
        for kind in found
    }
    hearts = {
        kind: tuple(place for place, (idea, _) in enumerate(about[kind]) if kind in idea.at_heart_of)
        for kind in found
    }
    shown = {kind: bool(hearts[kind]) or not any(hearts.values()) for kind in found}
    return tuple(
        Concern(
            ideas=[columns for _, columns in about[kind]],
            targets=targets,
            counting=None if shown[kind] else _shares(targets, found),
            at_heart=hearts[kind],
            shown=shown[kind],
        )
        for kind, targets in found.items()
    )


def askable(
    catalogue: Catalogue, schema: FeatureSchema, kinds: Sequence[Concern], work: Collection[str]
) -> frozenset[str]:
    """The features that trees taught by heads may ask for: what a head hears, who does the same work, and what a
    person's colleagues show, which heads take off. Any other could only stand in for one of these.

    Args:
        kinds: from `concerns`; a kind without a finding is not heard.
        work: the features that tell who does the same work.
    """
    heard = {
        schema.names[place]
        for kind in kinds
        if kind.targets.any()
        for columns in kind.ideas
        for place in columns
    }
    of_colleagues = {
        column for idea in catalogue.ideas if isinstance(idea.of, Colleagues) for column in idea.columns
    }
    return frozenset((heard | of_colleagues | set(work)) & set(schema.names))


def _shares(targets: np.ndarray, found: Mapping[str, np.ndarray]) -> float:
    """How many findings a kind has where each is shared out evenly among the kinds that it may be of."""
    of_all = np.column_stack(list(found.values()))
    n_kinds = of_all.sum(axis=1) / np.maximum(of_all.max(axis=1), np.finfo(float).tiny)
    return float((targets / np.maximum(n_kinds, 1)).sum())


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


def opinion(
    features: np.ndarray,
    confirmed: np.ndarray,
    schema: FeatureSchema,
    params: Params,
    *,
    ways: Mapping[str, int] | None = None,
    beside: np.ndarray | None = None,
    teams: np.ndarray | None = None,
    kinds: Sequence[Concern] = (),
) -> np.ndarray:
    """What whoever teaches says of each row, `[rows]`, however trees are grown.

    Args:
        features, confirmed, ways: as for `train`.
        beside: from `models.heads.alike`; needed where heads teach, as are kinds.
        teams: who are colleagues, for the heads (see `models.heads.opinion`).
        kinds: from `concerns`, for the heads.
    """
    _refuse_all_alike(confirmed)
    if params.taught_by == "regression":
        return teacher.opinion(features, confirmed, schema, _held_to(ways, params))
    if beside is None or not kinds:
        raise ValueError("heads need the kinds of conduct, and whom people are set beside: give both")
    return heads.opinion(features, beside, kinds, teams=teams)


def train(
    features: np.ndarray,
    confirmed: np.ndarray,
    schema: FeatureSchema,
    params: Params,
    *,
    ways: Mapping[str, int] | None = None,
    taught: np.ndarray | None = None,
    asking: Collection[str] | None = None,
    work: Collection[str] = (),
) -> str:
    """A model of who is confirmed, as LightGBM text.

    Args:
        features: from `matrix`, one row a person and date.
        confirmed: 0 or 1 each, or the probability that they will be; nobody whose case is open counts as 0.
        ways: directions to hold features to, if `params.monotone`.
        taught: from `opinion`; needed where heads teach, and otherwise asked for here where it is None.
        asking: names of the features that trees may ask for, such as `askable` gives; all where None.
        work: of those, the ones that tell who does the same work, whose highest scores are to be as high as taught.

    Raises:
        DataRefused: nobody, or everybody, is confirmed.
    """
    lightgbm = import_lightgbm()
    _refuse_all_alike(confirmed)
    held_to = _held_to(ways, params)
    settings = {
        **params.for_lightgbm(confirmed),
        "monotone_constraints": [held_to.get(name, 0) for name in schema.names],
    }
    targets = (1 - params.teacher_share) * confirmed
    if params.teacher_share > 0:
        if taught is None:
            taught = opinion(features, confirmed, schema, params, ways=ways)
        targets = targets + params.teacher_share * taught
    kept, counts = heads.thinned(targets)
    shown = features[kept]
    if asking is not None:
        # What is the same for everyone cannot be asked for, keeps its place and costs nothing.
        shown[:, [name not in asking for name in schema.names]] = 0.0
    rows = lightgbm.Dataset(shown, targets[kept], weight=counts, params=settings, **_columns(schema))
    grown = lightgbm.train(settings, rows, num_boost_round=params.rounds)
    if work:
        grown = _evened_by_work(grown, features, targets, schema, settings, work)
    return grown.model_to_string()


def _evened_by_work(
    grown: Booster,
    features: np.ndarray,
    targets: np.ndarray,
    schema: FeatureSchema,
    settings: Mapping[str, object],
    work: Collection[str],
) -> Booster:
    """The trees and some more that ask for the work alone, learnt from the rows they score highest."""
    lightgbm = import_lightgbm()
    raw = raw_scores(grown, features)
    highest = np.flatnonzero(raw >= np.quantile(raw, 1 - HIGHEST))
    settings = {
        **settings,
        "num_leaves": WORK_LEAVES,
        "learning_rate": WORK_RATE,
        "lambda_l2": WORK_L2,
        "feature_fraction": 1.0,
        "bagging_fraction": 1.0,
        "feature_contri": [float(name in work) for name in schema.names],
    }
    rows = lightgbm.Dataset(
        features[highest], targets[highest], params=settings, free_raw_data=False, **_columns(schema)
    )
    return lightgbm.train(settings, rows, num_boost_round=WORK_ROUNDS, init_model=grown)


def _columns(schema: FeatureSchema) -> dict[str, Any]:
    """The columns as LightGBM's data set is told of them."""
    categories = [place for place, column in enumerate(schema.columns) if column.kind == "category"]
    return {"feature_name": list(schema.names), "categorical_feature": categories}


def _held_to(ways: Mapping[str, int] | None, params: Params) -> Mapping[str, int]:
    return (ways or {}) if params.monotone else {}


def _refuse_all_alike(confirmed: np.ndarray) -> None:
    n_confirmed = float(confirmed.sum())
    if not 0 < n_confirmed < len(confirmed):
        raise DataRefused(
            f"a model needs confirmed and unconfirmed people to learn from; {n_confirmed:g} of {len(confirmed)} "
            "are confirmed. Use an extract with more settled outcomes."
        )
