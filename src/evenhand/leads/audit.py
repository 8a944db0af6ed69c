"""The audit trail: what was decided about the models, each entry sealed with the one before it.

An entry's seal is a hash of all it says and of the seal before, so that none can be changed, taken out or put
in between without every later seal failing. Whoever keeps the last seal elsewhere can also tell whether entries
were cut off at the end.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import polars as pl
from sqlalchemy import select
from sqlalchemy.orm import Session

from evenhand.leads.register import Register
from evenhand.leads.tables import AuditEntry
from features.errors import DataRefused, WrongUsage

What = Literal["promoted", "promotion refused", "suspended", "resumed"]
TRAIL = select(AuditEntry).order_by(AuditEntry.number)
SCHEMA = pl.Schema(
    {
        "number": pl.Int64(), "at": pl.Datetime("us"), "who": pl.String(), "what": pl.String(),
        "force": pl.String(), "model": pl.String(), "says": pl.String(), "seal": pl.String(),
    }
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Suspension:
    """Scoring with a model stands still.

    Attributes:
        breaches: what was measured, by the name of the check that was breached.
    """

    at: datetime
    model: str
    says: str
    breaches: Mapping[str, float]


def record(
    register: Register,
    *,
    at: datetime,
    who: str,
    what: What,
    force: str,
    model: str,
    says: str,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Add an entry at the end of the trail."""
    with register.writing() as session:
        _add(session, at, who, what, force, model, says, details or {})


def _add(
    session: Session, at: datetime, who: str, what: What, force: str, model: str, says: str, details: Mapping[str, Any]
) -> None:  # fmt: skip
    last = session.scalars(TRAIL.order_by(None).order_by(AuditEntry.number.desc()).limit(1)).first()
    entry = AuditEntry(
        number=1 if last is None else last.number + 1,
        at=at, who=who, what=what, force=force, model=model, says=says, details=dict(details),
        before="" if last is None else last.seal,
    )  # fmt: skip
    entry.seal = _seal(entry)
    session.add(entry)


def _seal(entry: AuditEntry) -> str:
    said = [
        entry.number, entry.at.isoformat(), entry.who, entry.what, entry.force, entry.model, entry.says,
        entry.details, entry.before,
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def trail(register: Register) -> pl.DataFrame:
    """Every entry, earliest first: number, at, who, what, force, model, says, seal."""
    with register.reading() as session:
        rows = [tuple(getattr(entry, name) for name in SCHEMA) for entry in session.scalars(TRAIL)]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def verify(register: Register) -> tuple[int, str]:
    """How many entries there are and the last one's seal, where every seal holds.

    Raises:
        DataRefused: naming the first entry that is not as it was written, or where one is missing.
    """
    seal, count = "", 0
    with register.reading() as session:
        for count, entry in enumerate(session.scalars(TRAIL), start=1):
            if entry.number != count or entry.before != seal or entry.seal != _seal(entry):
                raise DataRefused(
                    f"the audit trail in {register.where} does not hold at entry {count}: it was changed after it was "
                    "written, or one was taken out or put in. Nothing after the entry before it can be relied on; compare with a backup."
                )
            seal = entry.seal
    return count, seal


def suspension(register: Register, *, force: str, model: str) -> Suspension | None:
    """The suspension that stands for a model; None where scoring with it is free."""
    with register.reading() as session:
        last = _last(session, force, model)
        if last is None or last.what == "resumed":
            return None
        return Suspension(at=last.at, model=model, says=last.says, breaches=dict(last.details["breaches"]))


def _last(session: Session, force: str, model: str) -> AuditEntry | None:
    about = TRAIL.order_by(None).where(
        AuditEntry.force == force, AuditEntry.model == model, AuditEntry.what.in_(("suspended", "resumed"))
    )
    return session.scalars(about.order_by(AuditEntry.number.desc()).limit(1)).first()


def suspend(
    register: Register, *, at: datetime, who: str, force: str, model: str, says: str, breaches: Mapping[str, float]
) -> None:  # fmt: skip
    """Suspend scoring with a model; one that is suspended already stays so as it was."""
    with register.writing() as session:
        last = _last(session, force, model)
        if last is None or last.what == "resumed":
            _add(session, at, who, "suspended", force, model, says, {"breaches": dict(breaches)})


def resume(
    register: Register, *, at: datetime, who: str, force: str, model: str, reason: str
) -> Suspension:  # fmt: skip
    """Let a model score again. The values that were breached are known from now on.

    Raises:
        WrongUsage: no name or no reason is given, or the model is not suspended.
    """
    if not who.strip() or not reason.strip():
        raise WrongUsage(
            'resuming needs a name and a reason that can be read later: --by NAME --reason "...".'
        )
    with register.writing() as session:
        last = _last(session, force, model)
        if last is None or last.what == "resumed":
            raise WrongUsage(f"scoring with {model} is not suspended. See `evenhand audit show`.")
        ended = Suspension(at=last.at, model=model, says=last.says, breaches=dict(last.details["breaches"]))
        _add(session, at, who, "resumed", force, model, reason, last.details)
    return ended


def known_breaches(register: Register, *, force: str, model: str) -> dict[str, float]:
    """What people knew of when they let a model score again: values by the name of the check, the latest of each."""
    resumed = TRAIL.where(AuditEntry.force == force, AuditEntry.model == model, AuditEntry.what == "resumed")
    with register.reading() as session:
        found: dict[str, float] = {}
        for entry in session.scalars(resumed):
            found |= entry.details["breaches"]
        return found
