from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from features.errors import DataRefused, WrongUsage
from models.backtest import Backtest
from models.baselines import METHODS
from models.experiment import (
    Experiment,
    Study,
    find_threshold,
    fit,
    labels_to_judge_by,
    lesson,
    live_counts,
    prepare,
    run_experiment,
)
from models.metrics import LiveCounts, ReplayCounts
from models.splits import months_after
from tests.models.conftest import QUICK
from tests.models.small_force import CANDIDATES, FORCE, TESTS, InMemory, small_records

AS_OF = CANDIDATES[0]


def with_cases(cases: pl.DataFrame) -> InMemory:
    return InMemory({**small_records().frames, "case": cases})


def case_of(person: str, *, known: datetime, found: datetime | None) -> pl.DataFrame:
    """One case about conduct in the horizon of `AS_OF`, in the shape of the table."""
    return pl.DataFrame(
        {
            "source_row": [1], "case_id": [1], "person_key": [person], "occurred_at": [datetime(2021, 2, 1)],
            "known_at": [known], "finding_at": [found], "finding": ["CONFIRMED" if found else None],
        },
        schema=small_records().frames["case"].select(
            "source_row", "case_id", "person_key", "occurred_at", "known_at", "finding_at", "finding"
        ).schema,
    )  # fmt: skip


def learnt(cases: pl.DataFrame, seen_by: date) -> tuple[set[str], set[str]]:
    """Who is learnt from at `AS_OF`, and who of them as confirmed."""
    accepted = with_cases(cases)
    study = prepare(FORCE, accepted, test_as_ofs=TESTS, train_candidates=CANDIDATES)
    learnt = lesson(study, [AS_OF], seen_by=seen_by, labels="settled")
    people = learnt.rows["person_key"]
    return set(people), set(people.filter(pl.Series(learnt.targets == 1)))


def test_a_person_whose_case_is_open_is_not_learnt_from():
    settled = months_after(AS_OF, 12)
    people, confirmed = learnt(case_of("P0001", known=datetime(2021, 2, 5), found=None), settled)
    assert "P0001" not in people
    assert confirmed == set()
    assert len(people) == 399


def test_a_finding_is_learnt_from_only_after_the_day_it_was_made():
    case = case_of("P0001", known=datetime(2021, 2, 5), found=datetime(2022, 3, 1))
    assert "P0001" not in learnt(case, date(2022, 3, 1))[0]
    assert learnt(case, date(2022, 3, 2))[1] == {"P0001"}


def test_whom_one_of_our_own_leads_alone_confirms_is_not_learnt_from():
    case = case_of("P0001", known=datetime(2021, 2, 5), found=datetime(2021, 3, 1))
    study = prepare(
        replace(FORCE, outcome=replace(FORCE.outcome, own_leads=pl.col("case_id") == case["case_id"][0])),
        with_cases(case),
        test_as_ofs=TESTS,
        train_candidates=CANDIDATES,
    )
    for kind in ("settled", "expected"):
        learnt = lesson(study, [AS_OF], seen_by=months_after(AS_OF, 12), labels=kind)
        assert "P0001" not in set(learnt.rows["person_key"])
        assert len(learnt.rows) == 399


def test_whom_one_of_our_own_leads_alone_confirms_is_judged_as_pending():
    case = case_of("P0001", known=datetime(2023, 2, 5), found=datetime(2023, 3, 1)).with_columns(
        occurred_at=datetime(2023, 2, 1)
    )
    accepted = with_cases(pl.concat([small_records().frames["case"], case], how="diagonal_relaxed"))
    tested = date(2023, 1, 1)
    became = {}
    for own, force in (
        (False, FORCE),
        (
            True,
            replace(FORCE, outcome=replace(FORCE.outcome, own_leads=pl.col("case_id") == case["case_id"][0])),
        ),
    ):
        study = prepare(force, accepted, test_as_ofs=[tested], train_candidates=CANDIDATES)
        known = labels_to_judge_by(study, tested).filter(person_key="P0001")
        became[own] = known.select("confirmed", "pending").row(0)
    assert became == {False: (True, False), True: (False, True)}


def test_a_case_not_yet_recorded_leaves_the_person_unconfirmed():
    case = case_of("P0001", known=datetime(2022, 6, 1), found=datetime(2022, 7, 1))
    people, confirmed = learnt(case, date(2022, 2, 1))
    assert "P0001" in people
    assert confirmed == set()


def test_a_date_that_is_not_settled_is_not_learnt_from(study: Study):
    too_early = months_after(AS_OF, 12) - timedelta(days=1)
    assert len(lesson(study, [AS_OF], seen_by=too_early, labels="settled").rows) == 0


def test_with_expected_labels_it_is_learnt_from_once_its_horizon_has_passed(study: Study):
    passed = months_after(AS_OF, 6)
    learnt = lesson(study, [AS_OF], seen_by=passed, labels="expected")
    assert len(learnt.rows) == 400
    assert len(lesson(study, [AS_OF], seen_by=passed - timedelta(days=1), labels="expected").rows) == 0


def test_a_person_whose_case_is_open_counts_with_what_became_of_cases_like_it():
    """Two of three cases of a year and more ago were confirmed, and all three were open for sixty days."""
    past = [
        case_of(f"P{n:04d}", known=datetime(2020, 2, 1), found=datetime(2020, 5, 1)).with_columns(
            occurred_at=datetime(2020, 1, 15), case_id=pl.lit(n, pl.Int64), finding=pl.lit(finding)
        )
        for n, finding in enumerate(["CONFIRMED", "CONFIRMED", "NONE"], 10)
    ]
    known = datetime(2021, 5, 15)
    study = prepare(
        FORCE,
        with_cases(pl.concat([*past, case_of("P0001", known=known, found=None)])),
        test_as_ofs=TESTS,
        train_candidates=CANDIDATES,
        labels="expected",
    )
    learnt = lesson(study, [AS_OF], seen_by=date(2021, 7, 1), labels="expected")
    target = dict(zip(learnt.rows["person_key"], learnt.targets, strict=True))
    assert target["P0001"] == pytest.approx(2 / 3)
    assert sum(target.values()) == pytest.approx(2 / 3)
    assert learnt.confirmed == 0


def test_a_person_whose_open_case_has_no_like_is_not_learnt_from():
    accepted = with_cases(case_of("P0001", known=datetime(2021, 2, 5), found=None))
    study = prepare(FORCE, accepted, test_as_ofs=TESTS, train_candidates=CANDIDATES, labels="expected")
    learnt = lesson(study, [AS_OF], seen_by=date(2021, 7, 1), labels="expected")
    assert "P0001" not in set(learnt.rows["person_key"])
    assert len(learnt.rows) == 399


def test_a_study_of_settled_dates_cannot_fit_expected_labels(study: Study):
    with pytest.raises(ValueError, match="chosen for settled labels, not expected ones"):
        fit(study, CANDIDATES, seen_by=TESTS[0], params=replace(QUICK, labels="expected"))


def test_with_expected_labels_the_facts_name_the_dates_learnt_from_and_the_logistic_stays_with_the_settled(
    experiment: Experiment,
):
    expected = run_experiment(
        FORCE, small_records(), test_as_ofs=TESTS, train_candidates=CANDIDATES,
        params=replace(QUICK, labels="expected"), until=months_after(TESTS[-1], 6), draws=200,
    )  # fmt: skip
    for fold, settled in zip(expected.folds, experiment.folds, strict=True):
        assert fold.settled_as_ofs == settled.train_as_ofs
        assert set(fold.train_as_ofs) >= set(settled.train_as_ofs)
        assert all(months_after(day, 6) <= fold.test_as_of for day in fold.train_as_ofs)
    for method in METHODS[1:]:
        assert expected.backtest.scores[method].equals(experiment.backtest.scores[method])
    assert expected.model.confirmed < expected.model.expected
    assert expected.model.learnt_until == months_after(max(expected.model.trained_as_ofs), 6)
    assert expected.model.params["labels"] == "expected"


def test_no_fold_learns_from_a_date_whose_outcome_reaches_its_test(experiment: Experiment):
    for fold in experiment.folds:
        assert all(months_after(day, 12) <= fold.test_as_of for day in fold.train_as_ofs)


def test_the_final_model_learns_from_every_settled_date_tests_among_them(experiment: Experiment):
    assert experiment.model.trained_as_ofs == (*CANDIDATES, *TESTS)


def test_what_was_found_after_a_test_date_does_not_change_its_scores(experiment: Experiment):
    cases = small_records().frames["case"]
    later = pl.col("finding_at") >= datetime(2022, 7, 1)
    changed = cases.with_columns(finding=pl.when(later).then(pl.lit("NONE")).otherwise("finding")).filter(
        pl.col("known_at") < datetime(2022, 7, 1)
    )
    again = run_experiment(
        FORCE,
        with_cases(changed),
        test_as_ofs=TESTS[:1],
        train_candidates=CANDIDATES,
        params=QUICK,
        draws=200,
    )
    for method in ("lightgbm", "logistic"):
        assert again.backtest.on(TESTS[0])[method].equals(experiment.backtest.on(TESTS[0])[method])


def test_the_same_seed_gives_the_same_experiment(experiment: Experiment):
    again = run_experiment(
        FORCE, small_records(), test_as_ofs=TESTS, train_candidates=CANDIDATES, params=QUICK, draws=200
    )
    assert again.model.fingerprint == experiment.model.fingerprint
    assert again.backtest.scores.equals(experiment.backtest.scores.drop("planted"))
    assert again.performance.equals(experiment.performance)


def test_lightgbm_beats_chance_on_conduct_that_was_planted(experiment: Experiment):
    auc = experiment.performance.filter(
        (pl.col("method") == "lightgbm") & (pl.col("measure") == "auc") & pl.col("as_of").is_null()
    )
    assert auc["low"][0] > 0.5


def test_a_test_before_which_nothing_was_settled_is_refused():
    with pytest.raises(WrongUsage, match="no outcome was settled by then"):
        run_experiment(FORCE, small_records(), test_as_ofs=[date(2021, 10, 1)], train_candidates=CANDIDATES)


def test_reviews_of_a_date_that_is_no_test_are_replayed_by_a_model_of_that_time():
    reviewed = date(2022, 4, 1)
    reviews = pl.DataFrame(
        {"person_key": ["P0000", "P0001"], "as_of": [reviewed, reviewed], "outcome": ["confirmed", "wrong"]}
    )
    found = run_experiment(
        FORCE,
        small_records(),
        test_as_ofs=TESTS[:1],
        train_candidates=CANDIDATES,
        params=QUICK,
        reviews=reviews,
        draws=200,
    )
    assert found.backtest.replay_only == (reviewed,)
    assert found.backtest.test_as_ofs == TESTS[:1]
    replayed = [line for line in found.lines if isinstance(line.counts, ReplayCounts)]
    assert {line.as_of for line in replayed} == {reviewed, None}
    assert all(line.counts.listed == pytest.approx(10) for line in replayed)
    assert found.live == LiveCounts(leads_confirmed=1, leads_wrong=1, leads_inconclusive=0, leads_open=0)


def test_a_route_is_not_an_outcome():
    reviews = pl.DataFrame({"person_key": ["P0000"], "as_of": [TESTS[0]], "outcome": ["welfare"]})
    with pytest.raises(DataRefused, match="found welfare"):
        run_experiment(
            FORCE, small_records(), test_as_ofs=TESTS, train_candidates=CANDIDATES, reviews=reviews
        )


def test_a_review_without_an_outcome_is_open():
    reviews = pl.DataFrame({"outcome": [None, "inconclusive"]}, schema={"outcome": pl.String})
    assert live_counts(reviews) == LiveCounts(
        leads_confirmed=0, leads_wrong=0, leads_inconclusive=1, leads_open=1
    )


# --- The published threshold ---------------------------------------------------------------------------


def scored(confirmed: list[bool], *, pending: list[bool] | None = None) -> Backtest:
    """People in descending order of score, from n down to 1."""
    n = len(confirmed)
    return Backtest(
        scores=pl.DataFrame(
            {
                "person_key": list(range(n)),
                "as_of": [TESTS[0]] * n,
                "confirmed": confirmed,
                "pending": pending or [False] * n,
                "settled": [True] * n,
                "lightgbm": [float(n - i) for i in range(n)],
            }
        ),
        methods=("lightgbm",),
        capacity=0,
    )


def test_the_threshold_is_the_lowest_score_above_which_enough_were_confirmed():
    found = find_threshold(
        scored([True] * 10 + [False] * 20 + [True, *[False] * 69]), base_rate=0.5, min_lift=3
    )
    # 11 of 100 are confirmed; at 30 people 10/30 is still three times that, at 31 (11/31) too, at 33 too.
    assert (found.listed, found.confirmed) == (33, 11)
    assert found.base_rate == pytest.approx(0.11)
    assert found.above_base == pytest.approx(100 - 33 + 0.5)
    assert found.raw == pytest.approx(found.above_base)
    assert "11 of 33" in found.says


def test_a_threshold_is_carried_to_the_base_rate_of_the_final_model():
    backtest = scored([True] * 10 + [False] * 90)
    rare, common = (find_threshold(backtest, base_rate=rate, min_lift=3) for rate in (0.01, 0.5))
    assert rare.above_base == common.above_base
    assert rare.raw < common.raw


def test_where_no_score_is_good_enough_nobody_is_listed_and_it_says_so():
    found = find_threshold(scored([False] * 50 + [True] * 10 + [False] * 40), base_rate=0.1, min_lift=3)
    assert not found.exists
    assert found.raw == np.inf
    assert "lists nobody" in found.says


def test_a_high_rate_among_very_few_is_not_enough():
    found = find_threshold(
        scored([True, *[False] * 30, *[True, False, False] * 23]), base_rate=0.24, min_lift=2
    )
    assert not found.exists


def test_people_whose_case_is_open_neither_raise_nor_lower_the_threshold():
    confirmed = [True] * 10 + [False] * 90
    plain = find_threshold(scored(confirmed), base_rate=0.1, min_lift=3)
    pending = [False] * 10 + [True] * 40 + [False] * 50
    spared = find_threshold(scored(confirmed, pending=pending), base_rate=0.1, min_lift=3)
    assert spared.base_rate == pytest.approx(10 / 60)
    assert plain.listed == 33
    assert spared.listed == 20


def test_people_who_tie_are_all_above_the_threshold_or_none():
    backtest = scored([True] * 4 + [False] * 16)
    tied = replace(
        backtest,
        scores=backtest.scores.with_columns(
            lightgbm=pl.when(pl.col("lightgbm") > 12).then(1.0).otherwise(0.0)
        ),
    )
    assert find_threshold(tied, base_rate=0.2, min_lift=2).listed == 8
