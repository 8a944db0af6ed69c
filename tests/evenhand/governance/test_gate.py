"""Nobody is scored until every record is there, and in time."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from evenhand.governance.gate import health_permitted, may_score, missing_for_health, missing_records
from evenhand.governance.records import (
    Consultation,
    DecisionNotToConsult,
    Health,
    Notice,
    Records,
    read_records,
)
from features.errors import GateRefused
from tests.evenhand.governance.conftest import HEALTH, RECORDS

ROOT = Path(__file__).parents[3]
DAY = date(2024, 6, 1)


def refusal(records: Records, *, on: date = DAY, simulated: bool = False) -> str:
    with pytest.raises(GateRefused) as refused:
        may_score(records, on=on, simulated=simulated)
    return str(refused.value)


def test_complete_records_give_leave_for_the_day(records: Records) -> None:
    permit = may_score(records, on=DAY, simulated=False)
    assert permit.on == DAY
    assert permit.purpose == records.purpose
    assert permit.notice is None


def test_empty_records_are_refused_with_every_one_that_is_missing() -> None:
    said = refusal(Records())
    for name in (
        "purpose", "regime", "owner", "senior_responsible_owner", "lawful_basis", "dpia_reference",
        "dpia_date", "end_date", "appeal_route", "contact", "notice_to_officers.date",
        "notice_to_officers.reference", "consultation.date", "consultation.summary",
    ):  # fmt: skip
        assert f"- {name} is missing:" in said


@pytest.mark.parametrize(
    "name",
    [
        "purpose", "regime", "owner", "senior_responsible_owner", "lawful_basis", "dpia_reference",
        "dpia_date", "end_date", "appeal_route", "contact",
    ],
)  # fmt: skip
def test_one_missing_record_is_enough_to_refuse(records: Records, name: str) -> None:
    said = refusal(records.model_copy(update={name: None}))
    assert said.count("is missing") == 1
    assert f"- {name} is missing" in said


def test_a_notice_without_its_text_is_no_notice(records: Records) -> None:
    given = records.model_copy(update={"notice_to_officers": Notice(date=DAY, reference=None)})
    assert missing_records(given) == (
        "notice_to_officers.reference is missing: where the notice can be read, or its text",
    )


def test_a_reasoned_decision_stands_in_place_of_consultation(records: Records) -> None:
    decided = records.model_copy(
        update={
            "consultation": Consultation(),
            "decision_not_to_consult": DecisionNotToConsult(
                date=date(2024, 1, 5),
                decided_by="Deputy Chief Officer",
                reasons="covert operation, time-limited",
            ),
        }
    )
    assert may_score(decided, on=DAY, simulated=False)


def test_a_decision_without_reasons_does_not(records: Records) -> None:
    decided = records.model_copy(
        update={
            "consultation": Consultation(),
            "decision_not_to_consult": DecisionNotToConsult(date=date(2024, 1, 5), decided_by="DCO"),
        }
    )
    assert missing_records(decided) == (
        "decision_not_to_consult.reasons is missing: why representatives were not consulted",
    )


def test_the_end_date_is_the_last_day(records: Records) -> None:
    assert may_score(records, on=date(2025, 12, 31), simulated=False)
    assert "end_date = 2025-12-31 has passed" in refusal(records, on=date(2026, 1, 1))


def test_what_is_dated_in_the_future_has_not_happened(records: Records) -> None:
    said = refusal(records, on=date(2024, 1, 15))
    assert "notice_to_officers.date = 2024-02-01 is still to come" in said
    assert "consultation.date = 2024-01-20 is still to come" in said
    assert "dpia_date" not in said


def test_the_demonstration_scores_simulated_people_and_nobody_else() -> None:
    records = read_records(ROOT / "governance.toml")
    permit = may_score(records, on=DAY, simulated=True)
    assert permit.notice is not None
    assert "Demonstration" in permit.notice
    assert "demo = true" in refusal(records, simulated=False)


def test_absence_levels_stay_out_by_default(records: Records) -> None:
    assert not health_permitted(records)
    assert len(missing_for_health(records)) == 4


def test_absence_levels_enter_only_when_all_four_records_stand(tmp_path: Path) -> None:
    file = tmp_path / "governance.toml"
    file.write_text(RECORDS + HEALTH, encoding="utf-8")
    records = read_records(file)
    assert health_permitted(records)
    for name in Health.model_fields:
        lacking = records.model_copy(update={"health": records.health.model_copy(update={name: None})})
        assert not health_permitted(lacking)
        assert missing_for_health(lacking)[0].startswith(f"health.{name} is missing")
