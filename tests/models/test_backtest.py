from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from features.errors import WrongUsage
from models.backtest import Backtest, Line, lines, measure_rankings, performance
from models.experiment import Experiment
from models.metrics import BacktestCounts, PlantedCounts, ReplayCounts

FIRST, SECOND = date(2022, 1, 1), date(2022, 7, 1)


def backtest_of(rows: list[tuple[str, date, bool, bool, bool, float]], capacity: int = 2) -> Backtest:
    columns = ["person_key", "as_of", "confirmed", "pending", "settled", "lightgbm"]
    return Backtest(
        scores=pl.DataFrame(rows, schema=columns, orient="row"), methods=("lightgbm",), capacity=capacity
    )


def line_of(found: tuple[Line, ...], kind: type, as_of: date | None = None) -> Line:
    return next(line for line in found if isinstance(line.counts, kind) and line.as_of == as_of)


MIXED = backtest_of(
    [
        # person, date, confirmed, pending, settled, score
        ("P1", FIRST, True, False, True, 9.0),
        ("P2", FIRST, False, False, True, 8.0),
        ("P3", FIRST, False, True, True, 7.0),
        ("P4", FIRST, True, False, True, 1.0),
        ("P1", SECOND, False, False, False, 9.0),
        ("P2", SECOND, True, False, False, 8.0),
        ("P3", SECOND, False, True, False, 7.0),
    ],
    capacity=3,
)


def test_confirmed_not_confirmed_and_unsettled_are_told_apart():
    found = lines(MIXED)
    assert line_of(found, BacktestCounts, FIRST).counts == BacktestCounts(
        leads_confirmed=1, leads_not_confirmed=1, leads_unsettled=1
    )


def test_on_a_date_that_is_not_settled_only_a_confirmed_case_tells_anything():
    found = lines(MIXED)
    assert line_of(found, BacktestCounts, SECOND).counts == BacktestCounts(
        leads_confirmed=1, leads_not_confirmed=0, leads_unsettled=2
    )


def test_all_dates_together_are_the_sum_of_the_dates():
    total = line_of(lines(MIXED), BacktestCounts)
    assert total.counts == BacktestCounts(leads_confirmed=2, leads_not_confirmed=1, leads_unsettled=3)
    assert total.share == pytest.approx(1 / 3)
    assert total.interval.low < 1 / 3 < total.interval.high


def test_planted_counts_stand_apart_from_what_was_confirmed():
    kinds = pl.Series("planted", ["innocent", "misconduct", "lookalike", "misconduct"] + ["innocent"] * 3)
    found = lines(Backtest(scores=MIXED.scores.with_columns(kinds), methods=("lightgbm",), capacity=3))
    assert line_of(found, PlantedCounts, FIRST).counts == PlantedCounts(misconduct=1, innocent=1, lookalike=1)


def test_replay_counts_the_reviews_of_those_this_run_lists_and_calls_the_rest_open():
    reviews = pl.DataFrame(
        {
            "person_key": ["P1", "P2", "P4"],
            "as_of": [FIRST, FIRST, FIRST],
            "outcome": ["wrong", "confirmed", "confirmed"],
        }
    )
    found = lines(MIXED, reviews)
    assert line_of(found, ReplayCounts).counts == ReplayCounts(
        leads_confirmed=1, leads_wrong=1, leads_inconclusive=0, leads_open=1
    )
    assert not any(isinstance(line.counts, ReplayCounts) and line.as_of == SECOND for line in found)


def test_a_date_of_replay_alone_is_no_test_date():
    replayed = Backtest(scores=MIXED.scores, methods=("lightgbm",), capacity=3, replay_only=(SECOND,))
    assert replayed.test_as_ofs == (FIRST,)
    reviews = pl.DataFrame({"person_key": ["P2"], "as_of": [SECOND], "outcome": ["wrong"]})
    found = lines(replayed, reviews)
    assert line_of(found, ReplayCounts, SECOND).counts.metrics()["replay.leads_wrong"] == 1
    assert not any(isinstance(line.counts, BacktestCounts) and line.as_of == SECOND for line in found)


def test_who_ties_at_the_end_of_the_list_is_on_it_by_halves():
    tied = backtest_of(
        [
            ("P1", FIRST, False, False, True, 2.0),
            ("P2", FIRST, True, False, True, 1.0),
            ("P3", FIRST, False, False, True, 1.0),
        ]
    )
    line = line_of(lines(tied), BacktestCounts)
    assert line.counts == BacktestCounts(leads_confirmed=0.5, leads_not_confirmed=1.5, leads_unsettled=0)
    assert (line.bounds.worst, line.bounds.best) == (0, 1)


def test_a_list_of_another_length_needs_no_other_scores():
    assert line_of(lines(MIXED.at_capacity(1)), BacktestCounts, FIRST).counts.listed == 1


def test_performance_has_every_measure_by_date_and_in_all_inside_its_interval(experiment: Experiment):
    table = experiment.performance
    assert table["as_of"].n_unique() == 3
    assert set(table["measure"]) == {
        "auc",
        *(
            f"{what}_at_{end}"
            for what in ("precision", "recall", "lift")
            for end in ("1pc", "2pc", "5pc", "10pc", "capacity", "rule")
        ),
    }
    inside = table.drop_nulls().filter(pl.col("measure") == "auc")
    assert (inside["low"] <= inside["value"]).all()
    assert (inside["value"] <= inside["high"]).all()


def test_at_random_everything_is_as_often_confirmed_as_everybody(experiment: Experiment):
    drawn = experiment.performance.filter(
        (pl.col("method") == "random") & pl.col("measure").is_in(["lift_at_5pc", "auc"])
    )
    expected = pl.when(pl.col("measure") == "auc").then(0.5).otherwise(1.0)
    assert (drawn.select((pl.col("value") - expected).abs()).to_series() < 1e-9).all()


def test_too_few_draws_for_an_interval_are_refused():
    with pytest.raises(WrongUsage, match="at least 200"):
        performance(MIXED, draws=50, seed=1)


def test_a_person_on_two_dates_is_drawn_for_both_or_neither():
    rankings = measure_rankings({"run": MIXED}, draws=200, seed=1)
    people = rankings.measured["run/lightgbm"]
    three, four = people[SECOND].people, people[FIRST].people
    assert (four - three).max() <= 4
    assert (three <= four).all()
