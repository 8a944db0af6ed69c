"""What was planted at a date, and what simulated reviewers make of leads."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from evenhand.force.reviewers import review
from evenhand.force.truth import planted
from features.errors import WrongUsage

PEOPLE = [f"P{number:06d}" for number in range(1, 5)]


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """Four people: misconduct in spring 2021, a look-alike in 2021, both, neither."""
    key = tmp_path / "answer_key"
    key.mkdir()
    pl.DataFrame({"person_key": [*PEOPLE, PEOPLE[0], None]}).write_parquet(tmp_path / "establishment.parquet")
    pl.DataFrame({
        "person_key": [PEOPLE[0], PEOPLE[2]],
        "typology": ["T1", "T4"],
        "severity": ["mild", "serious"],
        "started": [date(2021, 3, 1), date(2021, 3, 1)],
        "ended": [date(2021, 6, 1), date(2021, 6, 1)],
    }).write_parquet(key / "planted.parquet")  # fmt: skip
    pl.DataFrame({
        "person_key": [PEOPLE[1], PEOPLE[2]],
        "kind": ["part_time", "probationer"],
        "from": [date(2021, 1, 1), date(2021, 1, 1)],
        "to": [date(2022, 1, 1), date(2022, 1, 1)],
    }).write_parquet(key / "lookalikes.parquet")  # fmt: skip
    return tmp_path


def states(data: Path, as_of: date) -> list[str]:
    return planted(data, [as_of]).sort("person_key")["planted"].to_list()


def test_misconduct_outweighs_a_look_alike_and_both_are_told(tiny: Path):
    rows = planted(tiny, [date(2021, 7, 1)])
    assert rows.columns == ["person_key", "as_of", "planted", "typologies", "lookalike"]
    assert rows.sort("person_key").rows() == [
        (PEOPLE[0], date(2021, 7, 1), "misconduct", ["T1"], []),
        (PEOPLE[1], date(2021, 7, 1), "lookalike", [], ["part_time"]),
        (PEOPLE[2], date(2021, 7, 1), "misconduct", ["T4"], ["probationer"]),
        (PEOPLE[3], date(2021, 7, 1), "innocent", [], []),
    ]


def test_an_episode_that_begins_on_the_date_is_not_in_the_year_before_it(tiny: Path):
    assert states(tiny, date(2021, 3, 1)) == ["innocent", "lookalike", "lookalike", "innocent"]
    assert states(tiny, date(2021, 3, 2))[0] == "misconduct"


def test_an_episode_counts_until_a_year_after_its_end(tiny: Path):
    assert states(tiny, date(2022, 5, 31))[0] == "misconduct"
    assert states(tiny, date(2022, 6, 1))[0] == "innocent"


def test_each_date_is_answered_once_for_everybody(tiny: Path):
    rows = planted(tiny, [date(2021, 7, 1), date(2021, 1, 1), date(2021, 7, 1)])
    assert rows.group_by("as_of").len().sort("as_of")["len"].to_list() == [4, 4]


def test_records_without_an_answer_key_cannot_be_asked(tmp_path: Path):
    with pytest.raises(WrongUsage, match="no answer key"):
        planted(tmp_path, [date(2021, 1, 1)])


OPENED = datetime(2021, 7, 2, 9)


def many_leads(person: str, n: int = 2000) -> pl.DataFrame:
    return pl.DataFrame({"lead_id": [f"{person}-{number}" for number in range(n)]}).with_columns(
        person_key=pl.lit(person), as_of=pl.lit(date(2021, 7, 1)), opened_at=pl.lit(OPENED)
    )


def shares(reviews: pl.DataFrame) -> dict[str, float]:
    return dict(reviews.group_by("outcome").agg(pl.len() / len(reviews)).iter_rows())


def test_reviewers_confirm_most_misconduct_and_miss_some(tiny: Path):
    decided = shares(review(tiny, many_leads(PEOPLE[0]), seed=1, now=datetime(2031, 1, 1)))
    assert decided["wrong"] == pytest.approx(0.20 * 0.92, abs=0.03)
    assert decided["confirmed"] == pytest.approx(0.80 * 0.92, abs=0.03)


def test_reviewers_confirm_few_of_the_innocent(tiny: Path):
    decided = shares(review(tiny, many_leads(PEOPLE[3]), seed=1, now=datetime(2031, 1, 1)))
    assert decided["confirmed"] == pytest.approx(0.05 * 0.92, abs=0.02)


def test_reviewers_trust_what_is_shown_to_them_highest_a_little_more(tiny: Path):
    leads = many_leads(PEOPLE[3])

    def confirmed(shown: float) -> float:
        seen = leads.with_columns(shown=pl.lit(shown))
        return shares(review(tiny, seen, seed=1, now=datetime(2031, 1, 1), automation_bias=0.1))["confirmed"]

    assert confirmed(1.0) - confirmed(0.0) == pytest.approx(0.1 * 0.92, abs=0.03)


def test_a_lead_found_wrong_carries_the_look_alikes_own_explanation(tiny: Path):
    wrong = review(tiny, many_leads(PEOPLE[1]), seed=1, now=datetime(2031, 1, 1)).filter(
        pl.col("outcome") == "wrong"
    )
    assert wrong["explanation"].unique().to_list() == ["an agreed part-time pattern brings swapped days"]


def test_every_decision_has_an_explanation_and_a_known_route(tiny: Path):
    decided = review(tiny, many_leads(PEOPLE[3]), seed=1, now=datetime(2031, 1, 1))
    assert decided["explanation"].null_count() == 0
    assert set(decided["route"]) <= {"welfare", "supervisor", "prevention", "assessment", "no_action"}


def test_reviews_take_weeks_to_months_and_the_rest_are_open(tiny: Path):
    leads = many_leads(PEOPLE[0])
    after = [
        len(review(tiny, leads, seed=1, now=OPENED + timedelta(days=days))) for days in (2, 14, 60, 1000)
    ]
    assert after[0] == 0
    assert 0 < after[1] < 0.2 * len(leads) < 0.5 * len(leads) < after[2] < 0.9 * len(leads)
    assert after[3] == len(leads)


def test_asking_later_adds_decisions_and_changes_none(tiny: Path):
    leads = many_leads(PEOPLE[0], n=300)
    early = review(tiny, leads, seed=1, now=OPENED + timedelta(days=40))
    late = review(
        tiny, leads.sample(fraction=1.0, shuffle=True, seed=2), seed=1, now=OPENED + timedelta(days=90)
    )
    assert late.join(early, on=early.columns, how="semi").sort("lead_id").equals(early.sort("lead_id"))


def test_no_leads_no_reviews(tiny: Path):
    empty = review(tiny, many_leads(PEOPLE[0], n=0), seed=1, now=datetime(2031, 1, 1))
    assert empty.columns == ["lead_id", "reviewed_at", "outcome", "explanation", "route"]
    assert empty.schema["outcome"] == pl.String()


def test_leads_without_a_date_cannot_be_reviewed(tiny: Path):
    with pytest.raises(WrongUsage, match="missing: as_of"):
        review(tiny, many_leads(PEOPLE[0], n=1).drop("as_of"), seed=1, now=datetime(2031, 1, 1))
