"""The gates that stand on the records: may anybody be scored, and may absence levels have a part in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from pydantic import BaseModel

from evenhand.governance.records import Records
from features.errors import GateRefused

DEMO_NOTICE = (
    "Demonstration: the governance records behind this are made up. Nothing here is about a real person."
)


@dataclass(frozen=True, kw_only=True)
class Permit:
    """Leave to score on one day. Only `may_score` gives it, and no lead is opened without it."""

    on: date
    purpose: str
    demo: bool
    simulated: bool

    @property
    def notice(self) -> str | None:
        """What every output must say; None for real records."""
        return DEMO_NOTICE if self.demo else None


def may_score(records: Records, *, on: date, simulated: bool) -> Permit:
    """Leave to score on a day.

    Args:
        on: the day the scores are made, by the clock of whoever makes them.
        simulated: whether the people in the data are simulated.

    Raises:
        GateRefused: naming every record that is missing or does not hold on that day.
    """
    standing = [*missing_records(records), *_out_of_time(records, on)]
    if records.demo and not simulated:
        standing.append(
            "demo = true: these records were made up for a demonstration and give no leave to score people; "
            "write the force's own"
        )
    if standing or records.purpose is None:
        what = "\n".join(f"- {line}" for line in standing)
        raise GateRefused(
            f"Nobody may be scored on {on} under {records.origin}:\n{what}\n"
            f"Mend the records in {records.origin}, then score again."
        )
    return Permit(on=on, purpose=records.purpose, demo=records.demo, simulated=simulated)


def missing_records(records: Records) -> tuple[str, ...]:
    """Each record that live scoring needs and the file does not hold, with what it asks for.

    Consultation is either held, with date and summary, or decided against, with date, role and reasons.
    """
    plain = {name for name, field in Records.model_fields.items() if field.description} - {"demo"}
    wanting = [*_empty(records, plain), *_empty(records.notice_to_officers, prefix="notice_to_officers.")]
    consultation = list(_empty(records.consultation, prefix="consultation."))
    decision = list(_empty(records.decision_not_to_consult, prefix="decision_not_to_consult."))
    if not consultation or not decision:
        return tuple(wanting)
    begun = len(decision) < len(type(records.decision_not_to_consult).model_fields)
    return (*wanting, *(decision if begun else consultation))


def health_permitted(records: Records) -> bool:
    """Whether absence levels may enter an ordinary model: every record of `[health]` is there."""
    return not missing_for_health(records)


def missing_for_health(records: Records) -> tuple[str, ...]:
    """Each record of `[health]` that is missing, with what it asks for."""
    return tuple(_empty(records.health, prefix="health."))


def _empty(section: BaseModel, names: set[str] | None = None, *, prefix: str = "") -> Iterator[str]:
    for name, field in type(section).model_fields.items():
        if (names is None or name in names) and getattr(section, name) is None:
            yield f"{prefix}{name} is missing: {field.description}"


def _out_of_time(records: Records, on: date) -> Iterator[str]:
    if records.end_date is not None and on > records.end_date:
        yield f"end_date = {records.end_date} has passed: a further period is a new decision, recorded anew"
    not_yet = {
        "dpia_date": records.dpia_date,
        "notice_to_officers.date": records.notice_to_officers.date,
        "consultation.date": records.consultation.date,
        "decision_not_to_consult.date": records.decision_not_to_consult.date,
    }
    for name, day in not_yet.items():
        if day is not None and day > on:
            yield f"{name} = {day} is still to come"
