"""Scores become leads: who is listed, who is not and why, all in one transaction.

Capacity is a ceiling. A lead opens only above the published threshold, only with a reason for it that rests
on records that can be shown, and not again for a person whose latest review found an innocent explanation,
unless rows recorded after that review carry the score over the threshold by themselves. Someone whose lead
is still open is not opened twice and takes no place. Places that nobody earns stay empty.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from html import escape
from typing import Any, Protocol

import polars as pl
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from evenhand.governance.gate import DEMO_NOTICE, Permit
from evenhand.leads.register import Register
from evenhand.leads.standing import standing
from evenhand.leads.tables import Base, Batch, Evidence, Lead, Reason
from features.errors import WrongUsage
from models.sampling import LEAD, Sizes, draw

# `rescore(frame[person_key, known_from]) -> frame[person_key, score]`: the score of each person from rows
# with `known_at >= known_from` alone.
Rescore = Callable[[pl.DataFrame], pl.DataFrame]
# `evidence_of([(person_key, column), ...])` gives for each `frame[table, source_row, occurred_at, known_at, ...]`,
# the rest being the row's key and the columns the feature reads (`features.evidence.rows_behind_each`). It is
# asked of many at once, for each asking may go through every row there is.
EvidenceOf = Callable[[Sequence[tuple[object, str]]], Mapping[tuple[object, str], pl.DataFrame]]

# The register's own columns of an evidence row.
EVIDENCE_COLUMNS = ("table", "source_row", "occurred_at", "known_at")
# How a row entered the sum is arithmetic; a reviewer is shown its key and the columns that were read.
NOT_OF_THE_ROW = (*EVIDENCE_COLUMNS, "part", "value")


class Scored(Protocol):
    """What is needed of a batch of scores; one row a person, all of one as-of date.

    `frame` is `[person_key, as_of, score, raw, rank, concern, concern_share]`. `reasons` is `[person_key, direction, family, words,
    value, unit, window_days, contribution, rests_on_records, column]`, strongest first within a person.
    """

    @property
    def frame(self) -> pl.DataFrame: ...

    @property
    def reasons(self) -> pl.DataFrame: ...


@dataclass(frozen=True, kw_only=True)
class Terms:
    """Under which terms a batch is opened. Two runs with equal terms on equal records are one batch.

    Attributes:
        force: the force definition's name; a person of one force never stands for one of another.
        model: name and version of the registered model.
        fingerprints: of every accepted table that was read, by name.
        capacity: how many leads may open at most.
        threshold: a score must be above it, not at it.
        seed: of the review samples.
        samples: how many are drawn for a desk review beside the leads.
    """

    force: str
    model: str
    fingerprints: Mapping[str, str]
    capacity: int
    threshold: float
    seed: int
    samples: Sizes

    def __post_init__(self) -> None:
        if self.capacity < 1:
            raise WrongUsage(f"capacity = {self.capacity}: expected 1 or more leads a batch.")
        if not math.isfinite(self.threshold):
            raise WrongUsage(f"threshold = {self.threshold}: expected a number.")

    def batch_id(self, as_of: date) -> str:
        """A hash of everything that decides the batch."""
        content = {**self.kept(), "as_of": as_of.isoformat()}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]

    def kept(self) -> dict[str, Any]:
        """The terms by the names of the register's columns."""
        return {
            **{name: value for name, value in self.__dict__.items() if name != "samples"},
            "fingerprints": dict(self.fingerprints),
            "sample_size": self.samples.random,
            "band_sample_size": self.samples.by_band,
            "bands": list(self.samples.bands),
        }


@dataclass(frozen=True, kw_only=True)
class Opened:
    """What became of a batch. `already_there` tells that the register held it before, and nothing changed.

    Everyone above the threshold is in exactly one of `opened`, `already_open`, `cleared`, `without_record`
    and `over_capacity`. `carried_by_new_records` counts those who had been cleared and whose newer rows
    carried the score by themselves, wherever they ended.
    """

    batch: str
    as_of: date
    model: str
    threshold: float
    capacity: int
    scored: int
    above_threshold: int
    opened: int
    already_open: int
    cleared: int
    carried_by_new_records: int
    without_record: int
    over_capacity: int
    sampled: int
    sample_from: int
    demo: bool
    already_there: bool

    @property
    def places_empty(self) -> int:
        return self.capacity - self.opened

    def lines(self) -> list[tuple[str, int]]:
        """The account in words, as the command line prints it."""
        return [
            ("people scored", self.scored),
            ("above the threshold", self.above_threshold),
            ("leads opened", self.opened),
            ("places left empty", self.places_empty),
            ("already open, not opened twice", self.already_open),
            ("cleared by a review, not listed again", self.cleared),
            ("cleared, but new records carry the score", self.carried_by_new_records),
            ("no reason that rests on records", self.without_record),
            ("above the threshold, beyond capacity", self.over_capacity),
            (f"drawn for review by lot, of {self.sample_from:,}", self.sampled),
        ]

    def __str__(self) -> str:
        rows = "\n".join(f"{count:>8,}  {words}" for words, count in self.lines())
        return "\n".join(filter(None, [self._title(), rows, DEMO_NOTICE if self.demo else None]))

    def _title(self) -> str:
        again = ", in the register already: nothing changed" if self.already_there else ""
        return f"Batch {self.batch}, {self.model}, as of {self.as_of}{again}"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th scope='row' style='text-align:left'>{escape(words)}</th><td>{count:,}</td></tr>"
            for words, count in self.lines()
        )
        notice = f"<p><strong>{escape(DEMO_NOTICE)}</strong></p>" if self.demo else ""
        return f"<table><caption>{escape(self._title())}</caption><tbody>{rows}</tbody></table>{notice}"


@dataclass(frozen=True, kw_only=True)
class _Listed:
    """Someone who gets a file: by score or by lot, and how likely that was."""

    person_key: object
    score: float
    rank: int
    kind: str
    stratum: str
    inclusion: float
    concern: str | None
    concern_share: float | None
    evidence: Mapping[str, pl.DataFrame]


@dataclass(frozen=True, kw_only=True)
class _Choice:
    """Who is listed, out of how many of each stratum, and how everyone else above the threshold was accounted for."""

    leads: Sequence[_Listed]
    sample: Sequence[_Listed]
    strata: Mapping[str, int]
    counts: Mapping[str, int]


def open_leads(
    register: Register,
    scored: Scored,
    terms: Terms,
    *,
    permit: Permit,
    rescore: Rescore,
    evidence_of: EvidenceOf,
    innocent_of: Callable[[str], Iterable[str]],
    typologies: Mapping[str, str],
    scored_at: datetime,
) -> Opened:
    """Opens the leads of one batch and says what became of everyone above the threshold.

    One transaction: either the whole batch is in the register or nothing of it is. A batch that is there
    already is returned as it stands. Reviews and leads later than `scored_at` are not looked at.

    Args:
        scored: scores and reasons of the whole cohort on one date.
        permit: leave to score, from `evenhand.governance.gate.may_score`.
        rescore: scores of the given people from rows recorded since a review.
        evidence_of: the source rows behind feature columns of people.
        innocent_of: the ordinary explanations of a feature column, kept with the reason.
        typologies: the force's kinds of conduct in words, by code, kept with the batch.
        scored_at: when the scores were made; naive, in the force's clock.
    """
    if scored_at.tzinfo is not None or scored_at.date() != permit.on:
        raise ValueError(f"leave was given for {permit.on}; scored_at is {scored_at.isoformat()}")
    as_of = _single_date(scored.frame)
    batch_id = terms.batch_id(as_of)
    try:
        with register.writing() as session:
            if stored := session.get(Batch, batch_id):
                return _opened(stored, already_there=True)
            known = standing(session, force=terms.force, at=scored_at)
            choice = _choose(scored, as_of, terms, known, rescore, evidence_of)
            batch = Batch(
                id=batch_id,
                as_of=as_of,
                scored_at=scored_at,
                simulated=permit.simulated,
                demo=permit.demo,
                **terms.kept(),
                strata=dict(choice.strata),
                typologies=dict(typologies),
                **choice.counts,
            )
            session.add(batch)
            session.flush()
            _write(session, batch, [*choice.leads, *choice.sample], scored.reasons, innocent_of)
            return _opened(batch, already_there=False)
    except IntegrityError:
        # Another process wrote the same batch first (a server database lets both begin).
        with register.reading() as session:
            if stored := session.get(Batch, batch_id):
                return _opened(stored, already_there=True)
        raise


def _single_date(frame: pl.DataFrame) -> date:
    dates = frame["as_of"].unique().to_list()
    if len(dates) != 1:
        raise ValueError(f"a batch has one as-of date; found {len(dates)}")
    return dates[0]


def _choose(
    scored: Scored, as_of: date, terms: Terms, known: pl.DataFrame, rescore: Rescore, evidence_of: EvidenceOf
) -> _Choice:
    people = _with_standing(scored.frame, known)
    above = people.filter(pl.col("score") > terms.threshold)
    already_open = above.filter(pl.col("open_lead"))
    not_open = above.filter(~pl.col("open_lead"))
    withheld, carried = _cleared(
        not_open.filter(pl.col("cleared_at").is_not_null()), rescore, terms.threshold
    )
    candidates = not_open.filter(~_is_among(withheld)).sort("rank", "text_key")
    shown = _Shown(_columns_on_record(scored.reasons), evidence_of)

    def could_be_reviewed(listed: Iterable[object]) -> pl.DataFrame:
        """Everyone who could have been listed or drawn: stratum, inclusion and reviewed beside score and rank."""
        listed = list(listed)
        pool = people.filter(
            _is_among(listed)
            | ~pl.col("open_lead")
            & ~pl.col("open_sample")
            & (pl.col("cleared_at").is_null() | _is_among(carried))
        )
        drawn = draw(pool, listed, terms.samples, [terms.seed, as_of.toordinal()])
        return pool.join(drawn, on="person_key")

    def by_lot(design: pl.DataFrame) -> list[tuple[object, float, int]]:
        drawn = design.filter(pl.col("reviewed") & (pl.col("stratum") != LEAD)).sort("text_key")
        return list(drawn.select("person_key", "score", "rank").iter_rows())

    # Nearly everyone with a reason has a record to show, so who will be listed and drawn can be asked for at once.
    likely = [key for key, _, _ in shown.claimed(candidates)[: terms.capacity]]
    shown.ask([*likely, *(key for key, _, _ in by_lot(could_be_reviewed(likely)))])
    chosen, without_record, over_capacity = _fill(candidates, shown, terms.capacity)
    design = could_be_reviewed(key for key, _, _ in chosen)
    leads = _as_listed(chosen, "lead", shown, design)
    sample = _as_listed(by_lot(design), "sample", shown, design)
    return _Choice(
        leads=leads,
        sample=sample,
        strata=dict(design.group_by("stratum").len().sort("stratum").iter_rows()),
        counts={
            "scored": people.height,
            "above_threshold": above.height,
            "opened": len(leads),
            "already_open": already_open.height,
            "cleared": len(withheld),
            "carried_by_new_records": len(carried),
            "without_record": without_record,
            "over_capacity": over_capacity,
            "sample_from": design.height - len(leads),
            "sampled": len(sample),
        },
    )


def _is_among(people: Iterable[object]) -> pl.Expr:
    return pl.col("person_key").is_in(list(people))


def _with_standing(frame: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """The scores with, for each person, whether a file is open and when they were last cleared, if so."""
    return (
        frame.with_columns(pl.col("person_key").cast(pl.String).alias("text_key"))
        .join(known, left_on="text_key", right_on="person_key", how="left", maintain_order="left")
        .with_columns(pl.col("open_lead", "open_sample").fill_null(value=False))
    )


def _cleared(people: pl.DataFrame, rescore: Rescore, threshold: float) -> tuple[list[object], list[object]]:
    """Of people who were cleared: those who stay off the list, and those whom newer rows carry onto it."""
    if people.is_empty():
        return [], []
    # Rows recorded at the very instant of the review were before the reviewer; only later ones are new.
    since = people.select("person_key", known_from=pl.col("cleared_at") + timedelta(microseconds=1))
    anew = rescore(since).filter(pl.col("score").is_not_nan() & (pl.col("score") > threshold))
    over = set(anew["person_key"].to_list())
    everyone = people["person_key"].to_list()
    return [key for key in everyone if key not in over], [key for key in everyone if key in over]


def _columns_on_record(reasons: pl.DataFrame) -> Mapping[object, list[tuple[str, str]]]:
    """By person, the direction and feature column of each reason that rests on records, strongest first."""
    on_record = reasons.filter(pl.col("rests_on_records"))
    grouped = on_record.group_by("person_key", maintain_order=True).agg("direction", "column")
    return {
        key: list(zip(directions, columns, strict=True)) for key, directions, columns in grouped.iter_rows()
    }


class _Shown:
    """The rows behind people's reasons, asked for many people at once and remembered."""

    def __init__(self, on_record: Mapping[object, list[tuple[str, str]]], evidence_of: EvidenceOf) -> None:
        self._on_record, self._evidence_of = on_record, evidence_of
        self._rows: dict[object, dict[str, pl.DataFrame]] = {}

    def claimed(self, people: pl.DataFrame) -> list[tuple[object, float, int]]:
        """Person, score and rank of those with a reason for a lead that claims to rest on records."""
        return [
            one
            for one in people.select("person_key", "score", "rank").iter_rows()
            if any(direction == "for" for direction, _ in self._on_record.get(one[0], []))
        ]

    def ask(self, people: Iterable[object]) -> None:
        new = [person for person in dict.fromkeys(people) if person not in self._rows]
        wanted = [(person, column) for person in new for _, column in self._on_record.get(person, [])]
        self._rows |= {person: {} for person in new}
        for (person, column), rows in (self._evidence_of(wanted) if wanted else {}).items():
            if rows.height:
                self._rows[person][column] = rows

    def rows(self, person: object) -> Mapping[str, pl.DataFrame]:
        """The rows behind each column of a reason; a column without a row to show is left out."""
        self.ask([person])
        return self._rows[person]

    def has_record(self, person: object) -> bool:
        """Whether any reason for a lead has a row to show."""
        rows = self.rows(person)
        return any(direction == "for" and column in rows for direction, column in self._on_record[person])


def _fill(
    candidates: pl.DataFrame, shown: _Shown, capacity: int
) -> tuple[list[tuple[object, float, int]], int, int]:
    """Leads in rank order up to capacity; how many had no record to show; how many came too late."""
    waiting = shown.claimed(candidates)
    without_record = len(candidates) - len(waiting)
    leads: list[tuple[object, float, int]] = []
    while waiting and len(leads) < capacity:
        turn, waiting = waiting[: capacity - len(leads)], waiting[capacity - len(leads) :]
        shown.ask(key for key, _, _ in turn)
        on_record = [one for one in turn if shown.has_record(one[0])]
        without_record += len(turn) - len(on_record)
        leads += on_record
    return leads, without_record, len(waiting)


def _as_listed(
    people: Sequence[tuple[object, float, int]], kind: str, shown: _Shown, design: pl.DataFrame
) -> list[_Listed]:
    shown.ask(key for key, _, _ in people)
    listed = design.filter(_is_among(key for key, _, _ in people))
    more = {
        row.pop("person_key"): row
        for row in listed.select("person_key", "stratum", "inclusion", "concern", "concern_share").to_dicts()
    }
    return [
        _Listed(
            person_key=key,
            score=score,
            rank=rank,
            kind=kind,
            evidence=shown.rows(key),
            **more[key],
        )
        for key, score, rank in people
    ]


def lead_id(batch_id: str, person_key: object) -> str:
    """The lead's stable name. It says nothing of rank or kind, so that an ordered list says nothing either."""
    return hashlib.sha256(f"{batch_id}/{person_key}".encode()).hexdigest()[:12]


def _write(
    session: Session,
    batch: Batch,
    listed: Sequence[_Listed],
    reasons: pl.DataFrame,
    innocent_of: Callable[[str], Iterable[str]],
) -> None:
    by_person = reasons.filter(_is_among(one.person_key for one in listed)).partition_by(
        "person_key", as_dict=True
    )
    session.add_all(_lead(batch, one) for one in listed)
    session.flush()
    shown: list[tuple[Reason, pl.DataFrame]] = []
    for one in listed:
        own = by_person.get((one.person_key,), reasons.clear())
        for position, row in enumerate(own.iter_rows(named=True), start=1):
            rows = one.evidence.get(row["column"]) if row["rests_on_records"] else None
            values = {name: row[name] for name in REASON_COLUMNS} | {"rests_on_records": rows is not None}
            innocent = list(innocent_of(row["column"]))
            reason = Reason(
                lead_id=lead_id(batch.id, one.person_key), position=position, innocent=innocent, **values
            )
            session.add(reason)
            if rows is not None:
                shown.append((reason, rows))
    session.flush()
    # A batch of a large force has some hundred thousand of these; as objects each would cost its bookkeeping.
    if evidence := [_evidence_row(reason.id, row) for reason, rows in shown for row in _rows(rows)]:
        session.execute(insert(Base.metadata.tables[Evidence.__tablename__]), evidence)


def _lead(batch: Batch, one: _Listed) -> Lead:
    return Lead(
        id=lead_id(batch.id, one.person_key),
        batch_id=batch.id,
        person_key=str(one.person_key),
        as_of=batch.as_of,
        score=one.score,
        rank=one.rank,
        kind=one.kind,
        stratum=one.stratum,
        inclusion=one.inclusion,
        concern=one.concern,
        concern_share=one.concern_share,
    )


REASON_COLUMNS = ("direction", "family", "column", "words", "value", "unit", "window_days", "contribution")


def _rows(evidence: pl.DataFrame) -> list[dict[str, Any]]:
    """Each source row once, in the order in which it happened; one that tells no time comes last."""
    rows = evidence.with_columns(pl.col("occurred_at", "known_at").cast(pl.Datetime("us"))).to_dicts()
    once = {(row["table"], row["source_row"]): row for row in reversed(rows)}
    return sorted(
        once.values(), key=lambda row: (row["occurred_at"] or datetime.max, row["table"], row["source_row"])
    )


def _evidence_row(reason_id: int, row: Mapping[str, object]) -> dict[str, object]:
    key = {
        name: value if isinstance(value, int | float | str) else str(value)
        for name, value in row.items()
        if name not in NOT_OF_THE_ROW and value is not None
    }
    return {"reason_id": reason_id, "key": key, **{name: row[name] for name in EVIDENCE_COLUMNS}}


def _opened(batch: Batch, *, already_there: bool) -> Opened:
    return Opened(
        batch=batch.id,
        already_there=already_there,
        **{
            name: getattr(batch, name)
            for name in Opened.__dataclass_fields__
            if name not in ("batch", "already_there")
        },
    )


def batches(register: Register) -> list[Opened]:
    """Every batch in the register, oldest first."""
    with register.reading() as session:
        found = session.scalars(select(Batch).order_by(Batch.scored_at, Batch.id)).all()
        return [_opened(batch, already_there=True) for batch in found]
