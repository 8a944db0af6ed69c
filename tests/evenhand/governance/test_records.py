"""What `governance.toml` may hold, and how a mistake in it is told."""

from __future__ import annotations

import tomllib
from datetime import date
from pathlib import Path

import pytest

from evenhand.governance.records import Records, Regime, read_records, skeleton
from features.errors import GateRefused, WrongUsage

ROOT = Path(__file__).parents[3]


def test_records_are_read_with_their_types(records: Records) -> None:
    assert records.regime is Regime.UK_GDPR
    assert records.end_date == date(2025, 12, 31)
    assert records.notice_to_officers.reference == "Order 12"
    assert not records.demo


def test_a_missing_file_is_refused_with_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(GateRefused) as refusal:
        read_records(tmp_path / "governance.toml")
    said = str(refusal.value)
    assert "does not exist" in said
    assert "[notice_to_officers]" in said
    assert "decision_not_to_consult" in said


def test_the_skeleton_is_a_file_that_records_nothing_yet(tmp_path: Path) -> None:
    file = tmp_path / "governance.toml"
    file.write_text(skeleton(), encoding="utf-8")
    assert read_records(file).model_copy(update={"origin": "governance.toml"}) == Records()


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("purpos = 'x'", "purpos is not a key. Did you mean 'purpose'?"),
        ("[consultation]\nsumary = 'x'", "consultation.sumary is not a key. Did you mean 'summary'?"),
        ("[health]\ndpia = 'x'", "health.dpia is not a key."),
        ("regime = 'gdpr'", "regime = 'gdpr': Input should be 'UKGDPR' or 'LED'"),
        ("dpia_date = 'soon'", "dpia_date = 'soon'"),
        ("demo = 'perhaps'", "demo = 'perhaps'"),
        ("notice_to_officers = 'given'", "notice_to_officers = 'given'"),
        ("purpose = ", "is not TOML"),
    ],
)
def test_a_mistake_names_file_key_and_remedy(tmp_path: Path, written: str, said: str) -> None:
    file = tmp_path / "governance.toml"
    file.write_text(written, encoding="utf-8")
    with pytest.raises(WrongUsage) as error:
        read_records(file)
    assert said in str(error.value)
    assert str(file) in str(error.value)


@pytest.mark.parametrize("held", ["", "   ", "TBC", "todo", "n/a", "...", "tbd."])
def test_a_word_that_holds_a_place_records_nothing(tmp_path: Path, held: str) -> None:
    file = tmp_path / "governance.toml"
    file.write_text(f'owner = "{held}"', encoding="utf-8")
    assert read_records(file).owner is None


def test_the_file_in_the_repository_is_clearly_a_demonstration() -> None:
    file = ROOT / "governance.toml"
    assert read_records(file).demo
    assert "health" not in tomllib.loads(file.read_text(encoding="utf-8"))
    assert "DEMONSTRATION" in file.read_text(encoding="utf-8").splitlines()[0]
