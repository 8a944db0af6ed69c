"""What the register's reviews say of everybody: leads and samples together, weighed by their strata."""

from __future__ import annotations

from datetime import date, datetime

import polars as pl
import pytest

from evenhand.leads.estimates import by_concern, sample_estimates
from evenhand.leads.register import Register
from evenhand.leads.review import outcomes, record_reviews
from evenhand.steps import print_concerns
from models.metrics import wilson
from models.sampling import Sizes
from tests.evenhand.leads.conftest import Opening, about, batch, on_either_database, review_rows

COHORT = {f"p{number:03}": 0.9 - number / 300 for number in range(203)}
SAMPLES = Sizes(random=20, by_band=10, bands=(0.1, 0.5))
JANUARY, APRIL = date(2024, 1, 1), date(2024, 4, 1)


def decide(
    register: Register, *, as_of: date, confirmed: set[str], leave_open: frozenset[str] = frozenset()
) -> None:
    """Review every file of a date: the given people confirmed, all others wrong."""
    files = outcomes(register).filter(pl.col("as_of") == as_of, ~pl.col("person_key").is_in(list(leave_open)))
    rows = [
        (lead, "confirmed" if person in confirmed else "wrong", datetime(as_of.year, as_of.month, 20))
        for lead, person in files.select("lead", "person_key").iter_rows()
    ]
    record_reviews(register, review_rows(*rows))


def estimated(register: Register, batch: object) -> dict[str, tuple[float, float]]:
    """By measure, the estimate and the naive one."""
    found = sample_estimates(register, force="simulated")
    assert found is not None
    rows = found.frame().filter(pl.col("batch") == batch)
    return {row["measure"]: (row["estimate"], row["naive"]) for row in rows.iter_rows(named=True)}


def test_nothing_decided_estimates_nothing(register: Register, opening: Opening) -> None:
    opening(COHORT, samples=SAMPLES)
    assert sample_estimates(register, force="simulated") is None


@on_either_database
def test_a_confirmed_sample_stands_for_its_band(register: Register, opening: Opening) -> None:
    batch = opening(COHORT, samples=SAMPLES).batch
    sampled = outcomes(register).filter(pl.col("stratum") == "band 3")
    one = sampled["person_key"][0]
    decide(register, as_of=JANUARY, confirmed={"p000", "p001", one})
    found = estimated(register, batch)
    in_band = 100 / sampled.height
    assert found["base rate"] == pytest.approx(((2 + in_band) / 203, 2 / 3))
    assert found["precision"] == (2 / 3, 2 / 3)
    assert found["recall"][0] == pytest.approx(2 / (2 + in_band))
    assert found["recall"][1] == 1.0


def test_a_lead_that_is_still_open_is_no_negative(register: Register, opening: Opening) -> None:
    batch = opening(COHORT, samples=SAMPLES).batch
    decide(register, as_of=JANUARY, confirmed={"p000"}, leave_open=frozenset({"p002"}))
    assert estimated(register, batch)["precision"] == (0.5, 0.5)


def test_batches_stand_apart_and_together_and_forces_never(register: Register, opening: Opening) -> None:
    opening(COHORT, samples=SAMPLES)
    decide(register, as_of=JANUARY, confirmed={"p000"})
    later = {person: score for person, score in COHORT.items() if person > "p100"}
    opening({**later, "new1": 0.95, "new2": 0.94}, as_of=APRIL, samples=SAMPLES, rescored={})
    decide(register, as_of=APRIL, confirmed={"new1"})
    found = sample_estimates(register, force="simulated")
    assert found is not None
    assert found.frame()["as_of"].to_list() == [None] * 3 + [JANUARY] * 3 + [APRIL] * 3
    assert estimated(register, "all")["precision"][0] == 2 / 6
    assert "drawn by lot" in found._repr_html_()
    assert sample_estimates(register, force="elsewhere") is None


def test_reviews_made_later_are_not_known_yet(register: Register, opening: Opening) -> None:
    opening(COHORT, samples=SAMPLES)
    decide(register, as_of=JANUARY, confirmed={"p000"})
    assert sample_estimates(register, force="simulated", known_before=datetime(2024, 1, 20)) is None


@pytest.fixture
def reviewed(register: Register, opening: Opening) -> Register:
    """Thirteen leads about overtime, two about systems, one about neither, and samples; some decided."""
    people = [f"p{number:03}" for number in range(16)]
    kinds = {"p013": ("T4", 0.9), "p014": ("T4", 0.4), "p015": (None, None)}
    opening(about(batch(COHORT), kinds), capacity=len(people), samples=SAMPLES)
    found = dict.fromkeys(people[:9], "confirmed") | {
        "p009": "wrong",
        "p010": "wrong",
        "p011": "inconclusive",
    }
    found |= {"p013": "confirmed", "p014": "confirmed"}
    files = outcomes(register)
    sampled = files.filter(pl.col("kind") == "sample")["person_key"].to_list()
    found |= dict.fromkeys(sampled, "wrong")
    rows = [
        (lead, found[person], datetime(2024, 1, 20))
        for lead, person in files.select("lead", "person_key").iter_rows()
        if person in found
    ]
    record_reviews(register, review_rows(*rows))
    return register


def test_leads_are_counted_by_what_they_are_about_and_samples_are_not(reviewed: Register) -> None:
    found = by_concern(reviewed, force="simulated")
    assert found.drop("share", "low", "high").rows() == [
        ("overtime fraud", 13, 9, 2, 1, 1), ("misuse of systems", 2, 2, 0, 0, 0), ("not named", 1, 0, 0, 0, 1),
    ]  # fmt: skip


def test_the_confirmed_share_of_a_kind_is_told_only_where_enough_is_decided(reviewed: Register) -> None:
    found = by_concern(reviewed, force="simulated").select("share", "low", "high").rows()
    interval = wilson(9, 11)
    assert found == [(9 / 11, interval.low, interval.high), (None, None, None), (None, None, None)]


def test_what_came_later_or_belongs_to_another_force_is_not_counted_by_kind(reviewed: Register) -> None:
    before = by_concern(reviewed, force="simulated", known_before=datetime(2024, 1, 20))
    assert before.select("concern", "leads", "open")[0].row(0) == ("overtime fraud", 13, 13)
    assert by_concern(reviewed, force="elsewhere").is_empty()


def test_nobody_can_tell_is_printed_and_not_left_blank(
    reviewed: Register, capsys: pytest.CaptureFixture[str]
) -> None:
    print_concerns(by_concern(reviewed, force="simulated"))
    told = capsys.readouterr().out
    assert "82 % (52 to 95)" in told
    assert told.count("cannot tell") == 2
    print_concerns(by_concern(reviewed, force="elsewhere"))
    assert capsys.readouterr().out == ""
