"""The audit trail: who decided what about the models, sealed entry by entry."""

from __future__ import annotations

from datetime import datetime

import pytest
from sqlalchemy import text

from evenhand.leads import audit
from evenhand.leads.register import Register, open_register
from features.errors import DataRefused, WrongUsage
from tests.evenhand.leads.conftest import on_either_database

MAY = datetime(2024, 5, 1, 9)
JUNE = datetime(2024, 6, 1, 9)
OF = {"force": "small", "model": "small v1"}


@pytest.fixture
def told(register: Register) -> Register:
    audit.record(
        register,
        at=MAY,
        who="A. Owner",
        what="promoted",
        force="small",
        model="small v1",
        says="beats every baseline",
    )
    audit.suspend(register, at=MAY, who="monitor", says="scores moved", breaches={"score: score": 0.6}, **OF)
    audit.resume(register, at=JUNE, who="B. Owner", reason="a new system, checked", **OF)
    return register


@on_either_database
def test_entries_come_back_in_order_with_who_when_and_why(told: Register):
    rows = audit.trail(told).select("number", "at", "who", "what", "says").rows()
    assert rows == [
        (1, MAY, "A. Owner", "promoted", "beats every baseline"),
        (2, MAY, "monitor", "suspended", "scores moved"),
        (3, JUNE, "B. Owner", "resumed", "a new system, checked"),
    ]


@on_either_database
def test_every_seal_holds_as_it_was_written(told: Register):
    count, seal = audit.verify(told)
    assert count == 3
    assert seal == audit.trail(told)["seal"][-1]
    with open_register(told.engine.url.render_as_string(hide_password=False)) as again:
        assert audit.verify(again) == (count, seal)


@on_either_database
@pytest.mark.parametrize(
    ("change", "entry"),
    [
        ("UPDATE audit SET who = 'C. Owner' WHERE number = 1", 1),
        ("UPDATE audit SET says = 'scores moved ' WHERE number = 2", 2),
        ("UPDATE audit SET at = '2024-05-02 09:00:00.000000' WHERE number = 2", 2),
        ("UPDATE audit SET details = '{}' WHERE number = 2", 2),
        ("DELETE FROM audit WHERE number = 2", 2),
        ("DELETE FROM audit WHERE number = 1", 1),
        ("UPDATE audit SET number = 9 WHERE number = 3", 3),
    ],
)
def test_one_byte_changed_is_found_and_named(told: Register, change: str, entry: int):
    with told.writing() as session:
        session.execute(text(change))
    with pytest.raises(DataRefused, match=f"does not hold at entry {entry}"):
        audit.verify(told)


def test_an_empty_trail_holds(register: Register):
    assert audit.verify(register) == (0, "")


def test_a_model_stands_suspended_until_it_is_resumed(register: Register):
    assert audit.suspension(register, **OF) is None
    audit.suspend(register, at=MAY, who="monitor", says="scores moved", breaches={"score: score": 0.6}, **OF)
    standing = audit.suspension(register, **OF)
    assert standing is not None
    assert (standing.at, standing.says, standing.breaches) == (MAY, "scores moved", {"score: score": 0.6})
    audit.resume(register, at=JUNE, who="B. Owner", reason="checked", **OF)
    assert audit.suspension(register, **OF) is None


def test_a_suspension_is_of_one_model_of_one_force(told: Register):
    audit.suspend(told, at=JUNE, who="monitor", says="again", breaches={"score: score": 1.3}, **OF)
    assert audit.suspension(told, force="small", model="small v2") is None
    assert audit.suspension(told, force="other", model="small v1") is None


def test_suspending_what_is_suspended_adds_nothing(register: Register):
    for says in ("first", "second"):
        audit.suspend(register, at=MAY, who="monitor", says=says, breaches={"score: score": 0.6}, **OF)
    standing = audit.suspension(register, **OF)
    assert standing is not None
    assert standing.says == "first"
    assert len(audit.trail(register)) == 1


def test_who_resumes_knows_of_the_values_that_were_breached(told: Register):
    assert audit.known_breaches(told, **OF) == {"score: score": 0.6}
    audit.suspend(told, at=JUNE, who="monitor", says="again", breaches={"input: claims": 0.9}, **OF)
    assert audit.known_breaches(told, **OF) == {"score: score": 0.6}


@pytest.mark.parametrize(("who", "reason"), [(" ", "checked"), ("B. Owner", " ")])
def test_nobody_resumes_without_a_name_and_a_reason(register: Register, who: str, reason: str):
    audit.suspend(register, at=MAY, who="monitor", says="scores moved", breaches={}, **OF)
    with pytest.raises(WrongUsage, match="a name and a reason"):
        audit.resume(register, at=JUNE, who=who, reason=reason, **OF)
    assert audit.suspension(register, **OF) is not None


def test_what_is_not_suspended_cannot_be_resumed(told: Register):
    with pytest.raises(WrongUsage, match="is not suspended"):
        audit.resume(told, at=JUNE, who="B. Owner", reason="again", **OF)
