"""What a model card is made of. Every figure on a card is a field here, and every field is given by a run.

A fact that is missing is an error and never a blank; one that could not be measured says why.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Annotated, Any, Literal, Self

import polars as pl
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from evenhand.governance.gate import missing_records
from evenhand.governance.records import Records
from features.account import Account
from features.definition import ForceDefinition
from features.errors import GateRefused
from features.lineage import columns_read, marks_of
from features.specs import Catalogue
from features.tables import Mark

Basis = Literal["planted", "backtest", "live", "replay"]
Words = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]

ALL_DATES = "all"

# Counts of people by what became of them. Every other figure is a rate and stands with its interval.
COUNTS = frozenset(
    {
        "misconduct", "innocent", "lookalike",
        "leads_confirmed", "leads_not_confirmed", "leads_unsettled",
        "leads_wrong", "leads_inconclusive", "leads_open",
    }
)  # fmt: skip


class Fact(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _null_if_nan(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value


Number = Annotated[float | None, BeforeValidator(_null_if_nan)]


class Figure(Fact):
    """One measured number of one method on one basis.

    Attributes:
        name: of the metric, without its basis.
        low, high: the 95 % interval; every rate has one.
        k: how many people the method listed; None for a figure of the whole ranking.
        n: how many people or cases the figure is about. Where it is 0, and only there, the value is null:
            nobody can tell.
        as_of: the test date as ISO text, or `all`.
    """

    method: Words
    basis: Basis
    name: Words
    value: Number
    low: Number
    high: Number
    k: Number
    n: Number
    as_of: Words

    @property
    def is_count(self) -> bool:
        return self.name in COUNTS

    @model_validator(mode="after")
    def _complete(self) -> Self:
        nobody = self.n == 0
        if self.value is None and not nobody:
            raise ValueError(f"{self.method}, {self.basis}.{self.name}, {self.as_of}: there is no value")
        if not self.is_count and not nobody and (self.low is None or self.high is None):
            raise ValueError(f"{self.method}, {self.basis}.{self.name}, {self.as_of}: a rate has no interval")
        return self


class Details(Fact):
    """What the model is.

    Attributes:
        kind: the method in words.
        run: the tracked run that made it.
        sha256: of the model's text.
        libraries: version by name.
    """

    name: Words
    version: Words
    kind: Words
    run: Words
    trained_at: datetime
    sha256: Words
    parameters: dict[str, int | float | bool | str] = Field(min_length=1)
    libraries: dict[str, str] = Field(min_length=1)
    promotable: bool


class Listing(Fact):
    """When somebody is listed: the published threshold in words, and how many leads a batch may open."""

    threshold: Share
    says: Words
    capacity: Annotated[int, Field(ge=1)]


class TestDate(Fact):
    """One date on which the model was tried, trained only on what was known before."""

    __test__ = False  # not a test, whatever its name begins with

    as_of: date
    cohort: Count
    confirmed: Count
    not_confirmed: Count
    unsettled: Count

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if self.cohort != self.confirmed + self.not_confirmed + self.unsettled:
            raise ValueError(f"the cohort of {self.as_of} is not the sum of its parts")
        return self


class Ending(Fact):
    """The share of cases that had ended in one way so many months after they came in, with its interval."""

    months: Count
    how: Words
    share: Share
    low: Share
    high: Share


class FindingsMade(Fact):
    """Of the findings that the known cases of a date will bring, the share made; null where none can be told."""

    as_of: date
    cases: Count
    made: Share | None


class TimeToFinding(Fact):
    """How long cases took, and so how settled the labels of each date are."""

    cases: Count
    endings: tuple[Ending, ...]
    dates: tuple[FindingsMade, ...] = Field(min_length=1)


class Evaluation(Fact):
    """What the figures are measured on; `cohort` and `outcome` in the force definition's words."""

    cohort: Words
    outcome: Words
    horizon_months: Count
    settle_months: Count
    dates: tuple[TestDate, ...] = Field(min_length=1)
    time_to_finding: TimeToFinding


class TableRead(Fact):
    """A source table: rows read, accepted, quarantined, and those of the quarantined that were not joined."""

    table: Words
    says: Words
    read: Count
    accepted: Count
    quarantined: Count
    not_joined: Count


class Training(Fact):
    """What the model learnt from; `rows` are people on dates, `labels` says what each counts as."""

    as_ofs: tuple[date, ...] = Field(min_length=1)
    labels: Words
    labels_seen_by: date
    rows: Count
    confirmed: Count
    fingerprints: dict[str, str] = Field(min_length=1)
    tables: tuple[TableRead, ...] = Field(min_length=1)


class Feature(Fact):
    """One idea of the catalogue, as far as the model has it."""

    name: Words
    says: Words
    unit: Words
    windows: tuple[int, ...]
    family: Words
    typologies: tuple[str, ...]
    innocent: tuple[str, ...]
    reads: tuple[str, ...] = Field(min_length=1)
    marks: tuple[Mark, ...]


class Factors(Fact):
    """What people are described and audited by; an audit attribute never reaches the model."""

    descriptors: tuple[str, ...]
    audit_attributes: tuple[str, ...]


class LookAlike(Fact):
    """Innocent people whose records look like misconduct, of one kind, and how many of them were listed.

    `people` and `listed` are summed over the test dates; `low` and `high` are the interval of their share.
    """

    kind: Words
    people: Count
    listed: Annotated[float, Field(ge=0)]
    low: Share
    high: Share


class NotMeasured(Fact):
    """Why something could not be measured."""

    because: Words


class ReliabilityBin(Fact):
    """People on test dates with about the same chance, and how many were confirmed; `low` and `high` are the interval
    of the share confirmed. Maps that did not know a date gave the chances on it."""

    bin: Words
    people: Annotated[float, Field(gt=0)]
    expected: Annotated[float, Field(ge=0)]
    confirmed: Annotated[float, Field(ge=0)]
    share_expected: Share
    share_confirmed: Share
    low: Share
    high: Share


class ErrorOfChances(Fact):
    """One measure of how far chances were off, with its interval; null where it cannot be computed."""

    name: Words
    value: Number
    low: Number
    high: Number


class Chances(Fact):
    """The chance of being confirmed that a score stands for, in sentences and in bins.

    Attributes:
        says: what became of people scored like those listed.
        chosen: how chance follows from the score, and why so.
        left_out: who counts and who does not.
        error_by_chance: the calibration error to be expected if every chance were right.
    """

    says: Words
    chosen: Words
    left_out: Words
    bins: tuple[ReliabilityBin, ...]
    errors: tuple[ErrorOfChances, ...]
    error_by_chance: Number


class Health(Fact):
    """The same run with and without the features that descend from sickness and absence levels."""

    with_health: tuple[Figure, ...] = Field(min_length=1)
    without_health: tuple[Figure, ...] = Field(min_length=1)


class CardFacts(Fact):
    """Everything a card says that is not the same on every card.

    Attributes:
        force: the force's title.
        simulated: whether the people are simulated.
        written_at: when the card was asked for.
        chances: what a score means, as far as it could be measured.
        health: required where a feature is marked health; otherwise the research study, if one was run.
        caveats: what this run's own circumstances limit, in sentences.
    """

    force: Words
    simulated: bool
    written_at: datetime
    details: Details
    listing: Listing
    figures: tuple[Figure, ...] = Field(min_length=1)
    evaluation: Evaluation
    training: Training
    features: tuple[Feature, ...] = Field(min_length=1)
    factors: Factors
    lookalikes: tuple[LookAlike, ...] | NotMeasured
    chances: Chances | NotMeasured
    health: Health | None
    caveats: tuple[Words, ...] = Field(min_length=1)
    records: Records

    @model_validator(mode="after")
    def _may_be_published(self) -> Self:
        marked = {mark for feature in self.features for mark in feature.marks}
        if Mark.PROTECTED in marked:
            raise ValueError("a feature descends from protected records: such a model has no card")
        if Mark.HEALTH in marked and self.health is None:
            raise ValueError("health: the model has health features, so the card shows it with and without")
        if self.lookalikes == ():
            raise ValueError("lookalikes: name each kind, or say why it was not measured")
        if missing := missing_records(self.records):
            raise ValueError(f"records: {'; '.join(missing)}")
        return self

    @classmethod
    def of(cls, run: Mapping[str, Any]) -> CardFacts:
        """The facts of a run.

        Raises:
            GateRefused: naming every fact that is missing or cannot be.
        """
        try:
            return cls.model_validate(dict(run))
        except ValidationError as error:
            found = "\n".join(
                f"- {'.'.join(map(str, problem['loc'])) or 'card'}: {problem['msg']}"
                for problem in error.errors(include_url=False, include_input=False)
            )
            raise GateRefused(
                f"The model card cannot be written: a card has no blanks, and the run does not give these.\n{found}\n"
                "Train again with what is missing, or complete governance.toml."
            ) from error


def figures_of(metrics: pl.DataFrame) -> tuple[dict[str, Any], ...]:
    """The rows of a metrics table `[method, basis, name, value, low, high, k, n, as_of]`, as the facts take them."""
    named = metrics.with_columns(
        name=pl.col("name").str.strip_prefix(pl.concat_str("basis", pl.lit("."))),
        as_of=pl.col("as_of").cast(pl.String).fill_null(ALL_DATES),
    )
    return tuple(named.select(list(Figure.model_fields)).to_dicts())


def features_of(
    force: ForceDefinition, columns: Iterable[str], catalogue: Catalogue | None = None
) -> tuple[dict[str, Any], ...]:
    """The ideas behind feature columns, in the catalogue's words, with what they read and the marks they carry."""
    catalogue = catalogue or force.catalogue
    used = set(columns)
    return tuple(
        {
            "name": idea.name,
            "says": idea.says,
            "unit": idea.unit,
            "windows": tuple(
                days
                for days, column in zip(idea.windows, idea.columns, strict=False)
                if column in used
            ),
            "family": idea.family,
            "typologies": tuple(force.typologies[code] for code in idea.typologies),
            "innocent": idea.innocent,
            "reads": tuple(sorted(columns_read(idea))),
            "marks": tuple(sorted(marks_of(idea))),
        }
        for idea in catalogue.ideas
        if used & set(idea.columns)
    )  # fmt: skip


def tables_of(force: ForceDefinition, account: Account) -> tuple[dict[str, Any], ...]:
    """The account of the tables a pipeline may read; enclaves have no part in a model."""
    return tuple(
        {
            "table": table.table,
            "says": force.tables_by_name[table.table].says,
            "read": table.read,
            "accepted": table.accepted,
            "quarantined": table.quarantined,
            "not_joined": table.not_joined,
        }
        for table in account.tables
        if not table.enclave
    )
