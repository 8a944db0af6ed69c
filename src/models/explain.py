"""Why a score is what it is, in the catalogue's words.

Contributions are log-odds and add up to the raw score exactly. Features of one family say one thing
several ways, so their contributions are summed before reasons are ranked.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl

from features.build import FeatureSchema
from features.describe import describe_term
from features.specs import (
    Across,
    Aggregate,
    Catalogue,
    Change,
    Colleagues,
    Idea,
    Latest,
    Peers,
    Product,
    Ratio,
    Term,
    Trend,
)
from models.trees import Unsuited, read_trees

if TYPE_CHECKING:
    from lightgbm import Booster

# What contributions may differ from the raw score by: the noise of adding some hundred float64 numbers.
ADDITIVE_WITHIN = 1e-9
# How many rows LightGBM explains as well whenever contributions come by quadrature, and what they may differ by.
ROWS_COMPARED, AGREE_WITHIN = 50, 1e-8
# From how many rows times splits on contributions come by quadrature. So many take LightGBM 2 s with trees of 4
# leaves and 10 s with trees of 63, on two threads; compiling takes 5 s once on a machine, and a second to load.
WORTH_QUADRATURE = 20_000_000

REASON_COLUMNS = (
    "person_key", "as_of", "direction", "place", "family", "contribution", "column", "words", "value", "unit",
    "window_days", "typologies", "rests_on_records",
)  # fmt: skip

# When a feature's value shows that source rows stand behind it: when it is not zero, when there is one at
# all, or never (a role, a length of service).
Rests = Literal["nonzero", "present", "never"]
Direction = Literal["for", "against"]


@dataclass(frozen=True, kw_only=True)
class Wording:
    """What a model must remember of the catalogue to say its reasons on its own.

    `computed` is how the feature is made, in the words of `features.describe`: scoring refuses a catalogue
    that makes it otherwise.
    """

    says: str
    unit: str
    family: str
    window_days: int | None
    typologies: tuple[str, ...]
    innocent: tuple[str, ...]
    rests: Rests
    computed: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Wording:
        return cls(
            **{**stored, "typologies": tuple(stored["typologies"]), "innocent": tuple(stored["innocent"])}
        )


@dataclass(frozen=True, eq=False)
class Contributions:
    """Log-odds by person and feature, `[people, features]`, which with `base` add up to the raw score."""

    by_feature: np.ndarray
    base: float


def wordings(catalogue: Catalogue, columns: Iterable[str]) -> dict[str, Wording]:
    """The words of each feature column."""
    return {column: _wording(catalogue.idea_of(column), column) for column in columns}


def _wording(idea: Idea, column: str) -> Wording:
    return Wording(
        says=idea.says,
        unit=idea.unit,
        family=idea.family,
        window_days=dict(zip(idea.columns, idea.windows, strict=False)).get(column),
        typologies=idea.typologies,
        innocent=idea.innocent,
        # Context (exposure, role, service) says nothing about conduct, however many rows it is made of.
        rests=_rests(idea.of) if idea.typologies else "never",
        computed=describe_term(idea.of),
    )


def _rests(term: Term | Across) -> Rests:
    match term:
        case Aggregate(how="count" | "sum" | "distinct" | "most_common") | Change() | Trend():
            return "nonzero"
        case Aggregate() | Peers():
            return "present"
        case Colleagues():
            return "never"  # other people's records are no reason about this one
        case Ratio(top=top, bottom=bottom):
            # A rate of nothing rests on nothing, however long the time it is divided by.
            return (
                _rests(top) if _rests(top) != "never" else "present" if _rests(bottom) != "never" else "never"
            )
        case Product(left=left, right=right):
            return "nonzero" if {_rests(left), _rests(right)} != {"never"} else "never"
        case Latest():
            return "never"


def contributions(booster: Booster, features: np.ndarray, raw: np.ndarray) -> Contributions:
    """Each feature's exact share of the raw scores.

    For large batches by quadrature, held to LightGBM's own on the first rows; otherwise, and where that is not
    to be had, by LightGBM.

    Raises:
        ArithmeticError: they do not add up to `raw`, so no reason may be given.
    """
    found = _by_quadrature(booster, features)
    if found is None or not _gap(found, raw) <= ADDITIVE_WITHIN:
        found = _by_lightgbm(booster, features)
    if not (gap := _gap(found, raw)) <= ADDITIVE_WITHIN:
        raise ArithmeticError(
            f"contributions miss the raw score by {gap:.2e}, more than {ADDITIVE_WITHIN:.0e}"
        )
    return found


def _gap(found: Contributions, raw: np.ndarray) -> float:
    return float(np.abs(found.by_feature.sum(axis=1) + found.base - raw).max(initial=0.0))


def _by_lightgbm(booster: Booster, features: np.ndarray) -> Contributions:
    if not len(features):  # it would divide by zero
        return Contributions(np.empty(features.shape), 0.0)
    given = np.asarray(booster.predict(features, pred_contrib=True), dtype=np.float64)
    return Contributions(given[:, :-1], float(given[0, -1]))


def _by_quadrature(booster: Booster, features: np.ndarray) -> Contributions | None:
    """None where LightGBM is as quick, the model is unsuited, or the first rows are not what LightGBM finds."""
    # LightGBM counts a split of no gain as none, which hardly matters here.
    if len(features) * int(booster.feature_importance("split").sum()) < WORTH_QUADRATURE:
        return None
    from models import quadrature

    reference = _by_lightgbm(booster, features[:ROWS_COMPARED])
    try:
        forest = quadrature.lay_out(read_trees(booster))
    except Unsuited:
        return None
    found = quadrature.contributions(forest, features, threads=pl.thread_pool_size())
    first = found[:ROWS_COMPARED] - reference.by_feature
    agree = np.abs(first).max(initial=abs(forest.base - reference.base)) <= AGREE_WITHIN
    return Contributions(found, forest.base) if agree else None


def families(words: Mapping[str, Wording]) -> dict[str, list[int]]:
    """The positions of each family's features, in the order in which the families first appear."""
    positions: dict[str, list[int]] = {}
    for position, wording in enumerate(words.values()):
        positions.setdefault(wording.family, []).append(position)
    return positions


def by_family(by_feature: np.ndarray, words: Mapping[str, Wording]) -> np.ndarray:
    """Contributions summed over each family, `[people, families]` in the order of `families`."""
    return np.column_stack([by_feature[:, columns].sum(axis=1) for columns in families(words).values()])


def rests_on_records(features: np.ndarray, words: Mapping[str, Wording]) -> np.ndarray:
    """For each person and feature, whether source rows stand behind the value: bool `[people, features]`."""
    known = ~np.isnan(features)
    rests = [wording.rests for wording in words.values()]
    present, nonzero = np.array([r == "present" for r in rests]), np.array([r == "nonzero" for r in rests])
    return known & (present | (nonzero & (features != 0)))


def kind_of_concern(
    by_feature: np.ndarray, words: Mapping[str, Wording], *, only_alone: Collection[str] = ()
) -> pl.DataFrame:
    """The kind of conduct that each person's score is mostly about, and how much of what raises it is about that.

    Only what raises the score counts, and of that only what speaks to some kind of conduct: context names nothing.
    A feature that speaks to several kinds counts in equal parts for each. Of kinds that tie the first by code is named.

    Args:
        by_feature: log-odds `[people, features]`, in the order of `words`.
        only_alone: kinds that come before conduct of any other kind, such as earlier matters; they are named only where
            nothing that raises the score speaks to another.

    Returns:
        One row a person: `concern` (a code of the force's typologies) and `concern_share` (above 0, at most 1); both
        null where nothing that raises the score speaks to any kind.

    >>> def wording(*kinds):
    ...     return Wording(says="", unit="", family="", window_days=None, typologies=kinds, innocent=(),
    ...                    rests="nonzero", computed="")
    >>> words = {"claims": wording("T2"), "late claims": wording("T1", "T2"), "role": wording()}
    >>> kind_of_concern(np.array([[0.3, 0.2, 2.0], [-0.3, 0.2, 0.0], [-0.3, 0.0, 2.0]]), words).rows()
    [('T2', 0.8), ('T1', 0.5), (None, None)]
    >>> kind_of_concern(np.array([[0.3, 0.2, 2.0]]), words, only_alone=["T2"]).rows()
    [('T1', 1.0)]
    """
    kinds = sorted({kind for wording in words.values() for kind in wording.typologies})
    about = np.zeros((len(by_feature), len(kinds)))
    for column, wording in enumerate(words.values()):
        for kind in wording.typologies:
            about[:, kinds.index(kind)] += by_feature[:, column].clip(min=0.0) / len(wording.typologies)
    beside = np.isin(kinds, list(only_alone))
    about[np.ix_((about[:, ~beside] > 0).any(axis=1), beside)] = 0.0
    most, in_all = about.max(axis=1, initial=0.0), about.sum(axis=1)
    share = np.divide(most, in_all, out=np.full_like(most, np.nan), where=in_all > 0)
    first = about.argmax(axis=1) if kinds else np.zeros(len(about), dtype=np.int64)
    named = [
        kinds[kind] if top > 0 else None for kind, top in zip(first.tolist(), most.tolist(), strict=True)
    ]
    return pl.DataFrame(
        {"concern": pl.Series(named, dtype=pl.String), "concern_share": pl.Series(share).fill_nan(None)}
    )


def reasons(
    people: pl.DataFrame,
    features: np.ndarray,
    found: Contributions,
    schema: FeatureSchema,
    words: Mapping[str, Wording],
    *,
    top: int = 4,
) -> pl.DataFrame:
    """The strongest reasons for and against each person's score, strongest first.

    Args:
        people: `person_key`, `as_of`; one row a row of `features`.
        top: how many reasons in each direction at most; a family that pulls the other way is no reason.

    Returns:
        One row a reason: person_key, as_of, direction (for, against), place (from 1), family,
        contribution (the family's, log-odds), column (the feature that says it best), words, value (null
        where unknown or a category), unit, window_days, typologies, rests_on_records.
    """
    records = rests_on_records(features, words)
    chosen = [
        _strongest(found.by_feature, records, words, direction, top) for direction in ("for", "against")
    ]
    rows = pl.concat(chosen)
    person, column = rows["row"].to_numpy(), rows["feature"].to_numpy()
    values = features[person, column]
    dates = people["as_of"].gather(person)
    wordings_in_order = list(words.values())
    texts = [
        sentence(wordings_in_order[j], schema.columns[j].categories, value, as_of)
        for j, value, as_of in zip(column.tolist(), values.tolist(), dates, strict=True)
    ]
    is_number = np.array([spec.kind == "number" for spec in schema.columns])[column]
    return (
        pl.DataFrame(
            {
                "person_key": people["person_key"].gather(person),
                "as_of": dates,
                "direction": rows["direction"],
                "place": rows["place"],
                "contribution": rows["contribution"],
                "words": texts,
                "value": pl.Series(np.where(is_number, values, np.nan)).fill_nan(None),
                "rests_on_records": rows["rests_on_records"],
            }
        )
        .hstack(_of_columns(words)[column])
        .select(REASON_COLUMNS)
        .with_columns(row=pl.Series(person))
        .sort("row", pl.col("contribution").abs(), descending=[False, True], maintain_order=True)
        .drop("row")
    )


def _of_columns(words: Mapping[str, Wording]) -> pl.DataFrame:
    """What is the same in every reason that a feature gives, one row a feature in their order."""
    return pl.DataFrame(
        [
            (wording.family, name, wording.unit, wording.window_days, list(wording.typologies))
            for name, wording in words.items()
        ],
        schema={
            "family": pl.String,
            "column": pl.String,
            "unit": pl.String,
            "window_days": pl.Int64,
            "typologies": pl.List(pl.String),
        },
        orient="row",
    )


def _strongest(
    by_feature: np.ndarray, records: np.ndarray, words: Mapping[str, Wording], direction: Direction, top: int
) -> pl.DataFrame:
    """The families that pull hardest in a direction, each with the feature that says it best."""
    sign = 1.0 if direction == "for" else -1.0
    groups = list(families(words).values())
    pull = sign * by_family(by_feature, words)
    order = np.argsort(-pull, axis=1, kind="stable")[:, :top]
    person = np.repeat(np.arange(len(pull)), order.shape[1])
    family, place = order.ravel(), np.tile(np.arange(1, order.shape[1] + 1), len(pull))
    strength = pull[person, family]
    spokesman = np.empty(pull.shape, dtype=np.int64)
    rests = np.empty(pull.shape, dtype=bool)
    for index, columns in enumerate(groups):
        own = sign * by_feature[:, columns]
        on_record = records[:, columns] & (own > 0)
        rests[:, index] = on_record.any(axis=1)
        # A feature that can be shown row by row speaks before one that cannot.
        preferred = np.where(on_record | ~rests[:, [index]], own, -np.inf)
        spokesman[:, index] = np.asarray(columns)[preferred.argmax(axis=1)]
    pulls = strength > 0
    return pl.DataFrame(
        {
            "row": person[pulls],
            "direction": [direction] * int(pulls.sum()),
            "place": place[pulls],
            "contribution": sign * strength[pulls],
            "feature": spokesman[person, family][pulls],
            "rests_on_records": rests[person, family][pulls],
        },
        schema_overrides={"direction": pl.String},
    )


def sentence(wording: Wording, categories: Sequence[str] | None, value: float, as_of: object) -> str:
    """One reason in words.

    >>> words = Wording(says="complaints received", unit="complaints", family="complaints", window_days=365,
    ...                 typologies=("C",), innocent=(), rests="nonzero", computed="")
    >>> sentence(words, None, 3.0, "2024-01-01")
    'complaints received in the 365 days before 2024-01-01: 3 complaints'
    """
    window = f" in the {wording.window_days} days before {as_of}" if wording.window_days else ""
    return f"{wording.says}{window}: {_shown(wording, categories, value)}"


def _shown(wording: Wording, categories: Sequence[str] | None, value: float) -> str:
    if math.isnan(value):
        return "not known" if wording.window_days is None else "nothing recorded"
    if categories is not None:
        return categories[int(value)]
    if wording.unit == "share":
        return f"{100 * value:.0f} %"
    number = f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"
    return number if wording.unit == "number" else f"{number} {wording.unit}"
