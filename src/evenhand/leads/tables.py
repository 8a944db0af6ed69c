"""The register's tables. What must always hold is written as a constraint, so that no program can break it.

Times are naive and in the force's own clock, as in every other record of the project.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, CheckConstraint, ForeignKey, MetaData, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

KINDS = ("lead", "sample")
DIRECTIONS = ("for", "against")
ROUTES = ("welfare", "supervisor", "prevention", "assessment", "no_action")
OUTCOMES = ("confirmed", "wrong", "inconclusive")


def one_of(column: str, values: tuple[str, ...]) -> str:
    """The condition that a column holds one of a closed list."""
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


def filled(column: str) -> str:
    """The condition that a text says something. In SQL an unknown check passes, so null is caught here too."""
    return f"length(trim(coalesce({column}, ''))) > 0"


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Batch(Base):
    """One scoring run: what it was made from, and what became of everyone above the threshold.

    `id` is a hash of everything that decides the outcome, so that the same run is the same batch. Everyone
    above the threshold is opened, already open, cleared, without a record to show, or over capacity. `strata`
    tells how many could have been reviewed in each stratum of the review samples; null in batches made
    before there were strata. `typologies` are the kinds of conduct by code, in the words of the day; null in
    batches made before leads named theirs.
    """

    __tablename__ = "batch"
    __table_args__ = (
        CheckConstraint("capacity >= 1", name="capacity"),
        CheckConstraint("sample_size >= 0", name="sample_size"),
        CheckConstraint("band_sample_size >= 0", name="band_sample_size"),
        CheckConstraint("opened <= capacity", name="capacity_is_a_ceiling"),
        CheckConstraint(
            "above_threshold = opened + already_open + cleared + without_record + over_capacity",
            name="everyone_is_accounted_for",
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    force: Mapped[str]
    model: Mapped[str]
    as_of: Mapped[date]
    fingerprints: Mapped[dict[str, Any]] = mapped_column(JSON)
    capacity: Mapped[int]
    threshold: Mapped[float]
    seed: Mapped[int] = mapped_column(BigInteger)
    sample_size: Mapped[int]
    band_sample_size: Mapped[int]
    bands: Mapped[list[float]] = mapped_column(JSON)
    strata: Mapped[dict[str, int] | None] = mapped_column(JSON)
    typologies: Mapped[dict[str, str] | None] = mapped_column(JSON)
    scored_at: Mapped[datetime]
    simulated: Mapped[bool]
    demo: Mapped[bool]
    scored: Mapped[int]
    above_threshold: Mapped[int]
    opened: Mapped[int]
    already_open: Mapped[int]
    cleared: Mapped[int]
    carried_by_new_records: Mapped[int]
    without_record: Mapped[int]
    over_capacity: Mapped[int]
    sample_from: Mapped[int]
    sampled: Mapped[int]


class Lead(Base):
    """One person in one batch, listed by score or drawn by lot.

    `kind`, `stratum` and `inclusion` (the chance of being reviewed at all, known before the draw) are never
    shown to a reviewer; the latter two are null in batches made before there were strata. `concern` is the kind
    of conduct (a code) that the score is mostly about and `concern_share` how much of what raises it is about that;
    both null where nothing that does speaks to any kind, and in batches made before leads named theirs.
    """

    __tablename__ = "lead"
    __table_args__ = (
        UniqueConstraint("batch_id", "person_key"),
        CheckConstraint(one_of("kind", KINDS), name="kind"),
        CheckConstraint('"rank" >= 1', name="rank"),
        CheckConstraint(filled("person_key"), name="person_key"),
        CheckConstraint("inclusion > 0 AND inclusion <= 1", name="inclusion"),
        CheckConstraint("concern_share > 0 AND concern_share <= 1", name="concern_share"),
        CheckConstraint("(concern IS NULL) = (concern_share IS NULL)", name="concern_with_its_share"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    batch_id: Mapped[str] = mapped_column(ForeignKey("batch.id"))
    person_key: Mapped[str] = mapped_column(index=True)
    as_of: Mapped[date]
    score: Mapped[float]
    rank: Mapped[int]
    kind: Mapped[str]
    stratum: Mapped[str | None]
    inclusion: Mapped[float | None]
    concern: Mapped[str | None]
    concern_share: Mapped[float | None]


class Reason(Base):
    """A reason for or against, in the catalogue's words, as it stood when the batch was scored."""

    __tablename__ = "reason"
    __table_args__ = (
        UniqueConstraint("lead_id", "position"),
        CheckConstraint(one_of("direction", DIRECTIONS), name="direction"),
        CheckConstraint(filled("words"), name="words"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    lead_id: Mapped[str] = mapped_column(ForeignKey("lead.id"), index=True)
    position: Mapped[int]
    direction: Mapped[str]
    family: Mapped[str]
    column: Mapped[str]
    words: Mapped[str]
    value: Mapped[float | None]
    unit: Mapped[str]
    window_days: Mapped[int | None]
    contribution: Mapped[float]
    rests_on_records: Mapped[bool]
    innocent: Mapped[list[str]] = mapped_column(JSON)


class Evidence(Base):
    """A row of a source table that a reason rests on; `key` holds its key and the columns that were read."""

    __tablename__ = "evidence"
    __table_args__ = (
        UniqueConstraint("reason_id", "table", "source_row"),
        CheckConstraint("source_row >= 1", name="source_row"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    reason_id: Mapped[int] = mapped_column(ForeignKey("reason.id"), index=True)
    table: Mapped[str]
    source_row: Mapped[int] = mapped_column(BigInteger)
    key: Mapped[dict[str, Any]] = mapped_column(JSON)
    occurred_at: Mapped[datetime | None]
    known_at: Mapped[datetime | None]


class RouteTaken(Base):
    """Where a lead was sent. A route is never an outcome: it says what was done, not what was found."""

    __tablename__ = "route"
    __table_args__ = (
        UniqueConstraint("lead_id", "decided_at"),
        CheckConstraint(one_of("route", ROUTES), name="route"),
        CheckConstraint(filled("decided_by"), name="decided_by"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    lead_id: Mapped[str] = mapped_column(ForeignKey("lead.id"))
    route: Mapped[str]
    decided_by: Mapped[str]
    decided_at: Mapped[datetime]


class Review(Base):
    """What a person found. The latest review of a lead is its outcome; earlier ones stay."""

    __tablename__ = "review"
    __table_args__ = (
        UniqueConstraint("lead_id", "reviewed_at"),
        CheckConstraint(one_of("outcome", OUTCOMES), name="outcome"),
        CheckConstraint(filled("reviewer"), name="reviewer"),
        CheckConstraint(
            f"outcome <> 'wrong' OR {filled('innocent_explanation')}", name="wrong_needs_an_explanation"
        ),
        CheckConstraint(f"outcome <> 'confirmed' OR {filled('reasons')}", name="confirmed_needs_reasons"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    lead_id: Mapped[str] = mapped_column(ForeignKey("lead.id"))
    outcome: Mapped[str]
    reviewer: Mapped[str]
    reviewed_at: Mapped[datetime]
    reasons: Mapped[str | None]
    innocent_explanation: Mapped[str | None]


class AuditEntry(Base):
    """One decision about a model, sealed with the entry before it (see `evenhand.leads.audit`)."""

    __tablename__ = "audit"
    __table_args__ = (
        CheckConstraint("number >= 1", name="number"),
        CheckConstraint(filled("who"), name="who"),
        CheckConstraint(filled("says"), name="says"),
    )

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    who: Mapped[str]
    what: Mapped[str]
    force: Mapped[str]
    model: Mapped[str]
    says: Mapped[str]
    details: Mapped[dict[str, Any]] = mapped_column(JSON)
    before: Mapped[str]
    seal: Mapped[str]
