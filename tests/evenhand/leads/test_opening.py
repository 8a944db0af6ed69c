"""Who is listed, who is not, and that a batch is there whole or not at all."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import Counter
from datetime import date, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from evenhand.leads.opening import Opened, Terms, batches, lead_id
from evenhand.leads.reading import show_lead
from evenhand.leads.register import Register, open_register
from evenhand.leads.review import outcomes, record_reviews
from evenhand.leads.tables import Batch
from features.errors import WrongUsage
from models.sampling import Sizes
from tests.evenhand.leads.conftest import (
    AS_OF,
    TERMS,
    TYPOLOGIES,
    Opening,
    about,
    batch,
    no_rows,
    of_each,
    on_either_database,
    reason,
    review_rows,
    rows_behind,
)

FIVE = {"ann": 0.9, "bob": 0.8, "cyd": 0.7, "dee": 0.6, "eve": 0.2}
LATER = date(2024, 4, 1)


def listed(register: Register, kind: str = "lead") -> list[tuple[str, str]]:
    found = outcomes(register).filter(pl.col("kind") == kind)
    return list(found.select("as_of", "person_key").with_columns(pl.col("as_of").cast(pl.String)).iter_rows())


def names(register: Register, kind: str = "lead") -> list[str]:
    return [person for _, person in listed(register, kind)]


def clear(register: Register, opened: Opened, person: str, *, at: datetime) -> None:
    record_reviews(register, review_rows((lead_id(opened.batch, person), "wrong", at)))


@on_either_database
def test_the_highest_scores_above_the_threshold_are_listed_up_to_capacity(
    register: Register, opening: Opening
) -> None:
    opened = opening(FIVE)
    assert names(register) == ["ann", "bob", "cyd"]
    assert (opened.above_threshold, opened.opened, opened.over_capacity, opened.places_empty) == (4, 3, 1, 0)


def test_places_that_nobody_earns_stay_empty(register: Register, opening: Opening) -> None:
    opened = opening(FIVE, capacity=10)
    assert names(register) == ["ann", "bob", "cyd", "dee"]
    assert opened.places_empty == 6
    assert "6  places left empty" in str(opened)


def test_a_score_at_the_threshold_is_not_above_it(register: Register, opening: Opening) -> None:
    opened = opening(FIVE, threshold=0.7)
    assert names(register) == ["ann", "bob"]
    assert opened.above_threshold == 2


def test_nobody_above_the_threshold_is_a_batch_without_leads(register: Register, opening: Opening) -> None:
    opened = opening(FIVE, threshold=1.0)
    assert (opened.opened, opened.places_empty, opened.scored) == (0, 3, 5)
    assert names(register) == []


def test_a_lead_needs_a_reason_for_it_that_rests_on_records(register: Register, opening: Opening) -> None:
    reasons = [
        reason("ann", rests_on_records=False),
        reason("bob", direction="against", contribution=-0.3),
        reason("cyd"),
        # dee has no reason at all
    ]
    opened = opening(batch(FIVE, reasons=reasons))
    assert names(register) == ["cyd"]
    assert (opened.without_record, opened.places_empty) == (3, 2)


def test_records_that_cannot_be_shown_are_no_records(register: Register, opening: Opening) -> None:
    opened = opening(
        FIVE, evidence_of=lambda person, column: (no_rows if person == "ann" else rows_behind)(person, column)
    )
    assert names(register) == ["bob", "cyd", "dee"]
    assert opened.without_record == 1


def test_ties_at_the_end_of_the_list_do_not_depend_on_the_order_of_rows(tmp_path: Path) -> None:
    tied = batch(dict.fromkeys("fgabcde", 0.9))
    tied = type(tied)(tied.frame.with_columns(rank=pl.lit(1)), tied.reasons)
    turned = type(tied)(tied.frame.reverse(), tied.reasons)
    found = []
    for number, each in enumerate((tied, turned)):
        with open_register(tmp_path / f"{number}.db") as register:
            Opening(register)(each)
            found.append(sorted(names(register)))
    assert found[0] == found[1] == ["a", "b", "c"]


def test_running_the_same_batch_twice_changes_nothing(register: Register, opening: Opening) -> None:
    first = opening(FIVE, samples=Sizes(random=1))
    before = outcomes(register)
    again = opening(FIVE, samples=Sizes(random=1), scored_at=datetime(2024, 1, 1, 23))
    assert again.already_there
    assert not first.already_there
    assert again.lines() == first.lines()
    assert outcomes(register).equals(before)
    assert "nothing changed" in str(again)


def test_a_batch_stands_as_it_was_even_after_reviews(register: Register, opening: Opening) -> None:
    first = opening(FIVE)
    clear(register, first, "ann", at=datetime(2024, 1, 1, 10))
    again = opening(FIVE, scored_at=datetime(2024, 1, 1, 11))
    assert again.lines() == first.lines()


@pytest.mark.parametrize(
    "changed",
    [
        {"force": "other"},
        {"model": "conduct-leads/2"},
        {"fingerprints": {"overtime_claim": "decade"}},
        {"capacity": 4},
        {"threshold": 0.51},
        {"seed": 2},
        {"samples": Sizes(random=1)},
        {"samples": Sizes(by_band=1)},
    ],
)
def test_whatever_decides_a_batch_is_in_its_name(changed: dict[str, object]) -> None:
    other = Terms(**{**TERMS.__dict__, **changed})  # type: ignore[arg-type]  # names of Terms
    assert other.batch_id(AS_OF) != TERMS.batch_id(AS_OF)
    assert TERMS.batch_id(LATER) != TERMS.batch_id(AS_OF)


def test_someone_with_an_open_lead_is_not_opened_twice_and_takes_no_place(
    register: Register, opening: Opening
) -> None:
    opening(FIVE, capacity=1)
    second = opening(FIVE, as_of=LATER, capacity=2)
    assert listed(register) == [("2024-01-01", "ann"), ("2024-04-01", "bob"), ("2024-04-01", "cyd")]
    assert (second.already_open, second.opened, second.over_capacity) == (1, 2, 1)


def test_a_reviewed_lead_is_open_no_more(register: Register, opening: Opening) -> None:
    first = opening(FIVE, capacity=1)
    record_reviews(register, review_rows((lead_id(first.batch, "ann"), "inconclusive", datetime(2024, 2, 1))))
    second = opening(FIVE, as_of=LATER, capacity=1)
    assert listed(register)[-1] == ("2024-04-01", "ann")
    assert second.cleared == 0


def test_a_person_cleared_is_not_listed_again(register: Register, opening: Opening) -> None:
    first = opening(FIVE, capacity=1)
    clear(register, first, "ann", at=datetime(2024, 2, 1))
    second = opening(FIVE, as_of=LATER, capacity=1, rescored={"ann": 0.3})
    assert listed(register)[-1] == ("2024-04-01", "bob")
    assert (second.cleared, second.carried_by_new_records) == (1, 0)


def test_only_rows_recorded_after_the_review_are_scored_anew(register: Register, opening: Opening) -> None:
    first = opening(FIVE, capacity=1)
    clear(register, first, "ann", at=datetime(2024, 2, 1, 10, 30))
    opening(FIVE, as_of=LATER, rescored={})
    assert opening.asked[0].rows() == [("ann", datetime(2024, 2, 1, 10, 30, 0, 1))]


@on_either_database
def test_new_records_list_a_cleared_person_only_if_they_carry_the_score_by_themselves(
    register: Register, opening: Opening
) -> None:
    first = opening(FIVE, capacity=1)
    clear(register, first, "ann", at=datetime(2024, 2, 1))
    second = opening(FIVE, as_of=LATER, capacity=1, rescored={"ann": 0.51})
    assert listed(register)[-1] == ("2024-04-01", "ann")
    assert (second.cleared, second.carried_by_new_records, second.opened) == (0, 1, 1)


@pytest.mark.parametrize("rescored", [{}, {"ann": 0.5}, {"ann": float("nan")}])
def test_no_new_rows_or_a_score_at_the_threshold_do_not_suffice(
    register: Register, opening: Opening, rescored: dict[str, float]
) -> None:
    first = opening(FIVE, capacity=1)
    clear(register, first, "ann", at=datetime(2024, 2, 1))
    assert opening(FIVE, as_of=LATER, capacity=1, rescored=rescored).cleared == 1


def test_strong_new_records_do_not_help_a_score_below_the_threshold(
    register: Register, opening: Opening
) -> None:
    first = opening(FIVE, capacity=1)
    clear(register, first, "ann", at=datetime(2024, 2, 1))
    opened = opening(FIVE | {"ann": 0.4}, as_of=LATER, rescored={"ann": 0.99})
    assert "ann" not in [person for as_of, person in listed(register) if as_of == "2024-04-01"]
    assert (opened.cleared, opened.carried_by_new_records) == (0, 0)


def test_the_latest_review_decides(register: Register, opening: Opening) -> None:
    first = opening(FIVE, capacity=1)
    lead = lead_id(first.batch, "ann")
    record_reviews(
        register,
        review_rows((lead, "wrong", datetime(2024, 2, 1)), (lead, "inconclusive", datetime(2024, 3, 1))),
    )
    assert opening(FIVE, as_of=LATER, capacity=1).cleared == 0
    assert listed(register)[-1] == ("2024-04-01", "ann")


def test_a_review_that_is_still_to_come_clears_nobody(register: Register, opening: Opening) -> None:
    first = opening(FIVE, capacity=1)
    clear(register, first, "ann", at=datetime(2024, 5, 1))
    assert opening(FIVE, as_of=LATER, capacity=1).already_open == 1
    assert opening(FIVE, as_of=date(2024, 6, 1), capacity=1, rescored={}).cleared == 1


def test_people_of_one_force_do_not_stand_for_those_of_another(register: Register, opening: Opening) -> None:
    opening(FIVE, capacity=1)
    assert opening(FIVE, capacity=1, force="elsewhere").already_open == 0


def test_the_sample_is_drawn_from_those_not_listed(register: Register, opening: Opening) -> None:
    opened = opening(FIVE, capacity=2, samples=Sizes(random=10))
    assert sorted(names(register, "sample")) == ["cyd", "dee", "eve"]
    assert (opened.sample_from, opened.sampled) == (3, 3)


def test_the_sample_depends_on_its_seed_and_not_on_the_order_of_rows(tmp_path: Path) -> None:
    cohort = {f"p{number:03}": 0.1 for number in range(200)}
    drawn = []
    for number, (seed, people) in enumerate([(1, cohort), (1, dict(reversed(cohort.items()))), (2, cohort)]):
        with open_register(tmp_path / f"{number}.db") as register:
            Opening(register)(people, samples=Sizes(random=12), seed=seed)
            drawn.append(sorted(names(register, "sample")))
    assert drawn[0] == drawn[1] != drawn[2]


def test_every_person_is_as_likely_to_be_sampled() -> None:
    cohort = {f"p{number}": 0.1 for number in range(10)}
    with open_register("sqlite://") as register:
        for seed in range(100):
            Opening(register)(cohort, samples=Sizes(random=2), seed=seed, force=f"force {seed}")
        drawn = Counter(names(register, "sample"))
    # 100 draws of 2 from 10: 20 times each, and outside 5 to 38 about once in ten thousand people.
    assert set(drawn) == set(cohort)
    assert all(5 <= times <= 38 for times in drawn.values())


def test_neither_the_cleared_nor_those_with_an_open_file_are_sampled(
    register: Register, opening: Opening
) -> None:
    first = opening(FIVE, capacity=2)
    clear(register, first, "ann", at=datetime(2024, 2, 1))
    opening(FIVE, as_of=LATER, capacity=1, samples=Sizes(random=10), rescored={})
    assert names(register) == ["ann", "bob", "cyd"]
    assert sorted(names(register, "sample")) == ["dee", "eve"]
    assert opening(FIVE, as_of=date(2024, 5, 1), samples=Sizes(random=10), rescored={}).sample_from == 0


def test_each_file_tells_its_stratum_and_how_likely_it_was(register: Register, opening: Opening) -> None:
    cohort = {f"p{number:03}": 0.9 - number / 300 for number in range(203)}
    opened = opening(cohort, samples=Sizes(random=20, by_band=10, bands=(0.1, 0.5)))
    files = outcomes(register)
    assert opened.sampled == files.filter(pl.col("kind") == "sample").height
    assert 30 <= opened.sampled <= 50
    chances = dict(files.select("stratum", "inclusion").unique().iter_rows())
    assert chances == pytest.approx(
        {"lead": 1.0, "band 1": 1 - 0.9 * 0.5, "band 2": 1 - 0.9 * 0.875, "band 3": 1 - 0.9 * 0.9}
    )
    with register.reading() as session:
        strata = session.scalars(select(Batch.strata)).one()
    assert strata == {"lead": 3, "band 1": 20, "band 2": 80, "band 3": 100}


def test_leads_and_sampled_files_alike_keep_what_they_are_about_in_the_words_of_the_day(
    register: Register, opening: Opening
) -> None:
    kinds = {"ann": ("T4", 0.31), "dee": ("T4", 1.0), "eve": (None, None)}
    opening(about(batch(FIVE), kinds), samples=Sizes(random=2))
    kept = outcomes(register).sort("person_key").select("person_key", "kind", "concern", "concern_share")
    assert kept.rows() == [
        ("ann", "lead", "T4", 0.31), ("bob", "lead", "T2", 0.62), ("cyd", "lead", "T2", 0.62),
        ("dee", "sample", "T4", 1.0), ("eve", "sample", None, None),
    ]  # fmt: skip
    with register.reading() as session:
        assert session.scalars(select(Batch.typologies)).one() == TYPOLOGIES


def test_a_person_cleared_by_a_sampled_review_is_cleared(register: Register, opening: Opening) -> None:
    first = opening({"ann": 0.1, "bob": 0.9}, samples=Sizes(random=1))
    clear(register, first, "ann", at=datetime(2024, 2, 1))
    assert opening({"ann": 0.9, "bob": 0.1}, as_of=LATER, rescored={}).cleared == 1


@on_either_database
def test_evidence_is_kept_once_a_row_and_in_the_order_of_time(register: Register, opening: Opening) -> None:
    def both_sides(person: object, column: str) -> pl.DataFrame:
        return pl.concat(
            rows_behind(person, column).with_columns(
                part=pl.lit(side), value=pl.lit(1.0), minutes=pl.lit(90.5)
            )
            for side in ("top", "bottom")
        )

    opened = opening({"ann": 0.9}, evidence_of=both_sides)
    shown = show_lead(register, lead_id(opened.batch, "ann"))
    assert [(row.source_row, row.key) for row in shown.reasons[0].rows] == [
        (3, "claim_id ann-claims_90d-early, minutes 90.5"),
        (7, "claim_id ann-claims_90d-late, minutes 90.5"),
    ]
    assert shown.reasons[0].rows[0].known_at == datetime(2023, 11, 9)


@on_either_database
def test_evidence_with_dates_and_numbered_people_is_kept(register: Register, opening: Opening) -> None:
    def dated(person: object, column: str) -> pl.DataFrame:
        return rows_behind(person, column).with_columns(pl.col("occurred_at", "known_at").cast(pl.Date))

    numbered = batch({"1": 0.9})
    as_int = pl.col("person_key").cast(pl.Int64)
    numbered = type(numbered)(numbered.frame.with_columns(as_int), numbered.reasons.with_columns(as_int))
    asked: list[object] = []
    first = opening(
        numbered, evidence_of=lambda person, column: asked.append(person) or dated(person, column)
    )
    clear(register, first, "1", at=datetime(2024, 2, 1))
    assert names(register) == ["1"]
    assert asked == [1]


@on_either_database
def test_a_batch_that_fails_half_way_leaves_nothing(register: Register, opening: Opening) -> None:
    calls: list[str] = []

    def fails(column: str) -> tuple[str, ...]:
        calls.append(column)
        if len(calls) == 4:
            raise RuntimeError("the power went")
        return ()

    with pytest.raises(RuntimeError, match="power"):
        opening(FIVE, innocent_of=fails)
    assert outcomes(register).is_empty()
    assert batches(register) == []
    assert opening(FIVE).opened == 3


KILLED = """
import os, signal, sys
from tests.evenhand.leads.conftest import Opening
from evenhand.leads.register import open_register

written = []
def killed(column):
    written.append(column)
    if len(written) == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    return ()

Opening(open_register(sys.argv[1]))({"ann": 0.9, "bob": 0.8, "cyd": 0.7}, innocent_of=killed)
"""


@on_either_database
def test_a_process_killed_half_way_leaves_nothing(register: Register, opening: Opening) -> None:
    address = register.engine.url.render_as_string(hide_password=False)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, address], cwd=Path(__file__).parents[3], check=False
    )
    assert killed.returncode == -9
    assert batches(register) == []
    assert outcomes(register).is_empty()
    assert opening({"ann": 0.9, "bob": 0.8, "cyd": 0.7}).opened == 3


@on_either_database
def test_two_that_open_the_same_batch_at_once_write_it_once(register: Register, opening: Opening) -> None:
    together = threading.Barrier(2)
    found: list[Opened] = []

    def run() -> None:
        together.wait()
        found.append(Opening(register)(FIVE))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(each.already_there for each in found) == [False, True]
    assert len(names(register)) == 3


def test_records_are_asked_for_once_a_batch(opening: Opening) -> None:
    opened = opening(FIVE, samples=Sizes(random=1))
    assert (opened.opened, opened.sampled) == (3, 1)
    assert opening.times_records_were_asked_for == 1


def test_leave_to_score_is_for_its_own_day(opening: Opening) -> None:
    from evenhand.governance.gate import Permit
    from evenhand.leads.opening import open_leads

    with pytest.raises(ValueError, match="leave was given for 2023-12-31"):
        open_leads(
            opening.register,
            batch(FIVE),
            TERMS,
            permit=Permit(on=date(2023, 12, 31), purpose="a test", demo=False, simulated=True),
            rescore=lambda people: people,
            evidence_of=of_each(rows_behind),
            innocent_of=lambda column: (),
            typologies={},
            scored_at=datetime(2024, 1, 1, 9),
        )


def test_a_batch_has_one_date(opening: Opening) -> None:
    two = batch(FIVE)
    mixed = pl.concat([two.frame, batch({"zoe": 0.9}, as_of=LATER).frame])
    with pytest.raises(ValueError, match="one as-of date; found 2"):
        opening(type(two)(mixed, two.reasons))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"capacity": 0}, "capacity = 0"),
        ({"threshold": float("nan")}, "threshold = nan"),
    ],
)
def test_terms_that_cannot_be_meant_are_refused(changed: dict[str, object], said: str) -> None:
    with pytest.raises(WrongUsage, match=said):
        Terms(**{**TERMS.__dict__, **changed})  # type: ignore[arg-type]  # names of Terms


def test_a_demonstration_says_so(opening: Opening) -> None:
    opened = opening(FIVE, demo=True)
    assert "Demonstration" in str(opened)
    assert "Demonstration" in opened._repr_html_()
    assert "Demonstration" not in str(opening(FIVE, as_of=LATER))


people = st.dictionaries(
    st.sampled_from([f"p{number}" for number in range(12)]),
    st.tuples(st.sampled_from([0.1, 0.5, 0.6, 0.9]), st.booleans(), st.booleans()),
    min_size=1,
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    cohort=people,
    capacity=st.integers(1, 6),
    sample_size=st.integers(0, 6),
    found=st.lists(st.sampled_from(["wrong", "confirmed", "inconclusive", "open"]), min_size=12, max_size=12),
)
def test_everyone_above_the_threshold_is_accounted_for_once(
    cohort: dict[str, tuple[float, bool, bool]], capacity: int, sample_size: int, found: list[str]
) -> None:
    with open_register("sqlite://") as register:
        opening = Opening(register)
        first = opening(dict.fromkeys(cohort, 0.9), capacity=capacity)
        reviews = [
            (lead_id(first.batch, person), outcome, datetime(2024, 2, 1))
            for person, outcome in zip(sorted(names(register)), found, strict=False)
            if outcome != "open"
        ]
        cleared = {
            person
            for person, outcome in zip(sorted(names(register)), found, strict=False)
            if outcome == "wrong"
        }
        record_reviews(register, review_rows(*reviews))
        reasons = [reason(person, rests_on_records=rests) for person, (_, rests, _) in cohort.items()]
        scores = {person: score for person, (score, _, _) in cohort.items()}
        anew = {person: 0.9 for person, (_, _, again) in cohort.items() if again}
        second = opening(
            batch(scores, as_of=LATER, reasons=reasons), as_of=LATER, capacity=capacity,
            samples=Sizes(random=sample_size), rescored=anew,
        )  # fmt: skip
        assert second.above_threshold == (
            second.opened
            + second.already_open
            + second.cleared
            + second.without_record
            + second.over_capacity
        )
        assert second.opened <= capacity
        assert second.sampled == min(sample_size, second.sample_from)
        now = outcomes(register).filter(pl.col("as_of") == LATER)
        assert now.height == second.opened + second.sampled
        assert now["person_key"].is_unique().all()
        leads = now.filter(pl.col("kind") == "lead")["person_key"]
        assert all(scores[person] > 0.5 and cohort[person][1] for person in leads)
        assert not {person for person in leads if person in cleared and person not in anew}
