from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from features.errors import WrongUsage
from models.backtest import Backtest
from models.compare import Comparison, compare, precision_chart
from models.experiment import Experiment
from models.metrics import Basis
from tests.models.small_force import TESTS


@pytest.fixture(scope="module")
def comparison(experiment: Experiment) -> Comparison:
    reviews = experiment.backtest.on(TESTS[0]).select(
        "person_key",
        "as_of",
        outcome=pl.when("confirmed").then(pl.lit("confirmed")).otherwise(pl.lit("wrong")),
    )
    return compare({"first": experiment}, reviews=reviews.head(200), draws=200)


def test_every_method_is_a_row_and_no_column_mixes_bases(comparison: Comparison):
    frame = comparison.frame()
    assert frame["method"].to_list() == [
        "lightgbm",
        "logistic",
        "exposure_glm",
        "per_typology_rules",
        "complaint_count",
        "threshold_rule",
        "random",
    ]
    bases = {name.split(".")[0] for name in frame.columns} - {"run", "method"}
    assert bases == {"backtest", "planted", "replay"}


def test_every_list_holds_as_many_people_as_there_are_places(comparison: Comparison):
    frame = comparison.frame()
    for fields in (
        ["backtest.leads_confirmed", "backtest.leads_not_confirmed", "backtest.leads_unsettled"],
        ["planted.misconduct", "planted.innocent", "planted.lookalike"],
    ):
        listed = frame.select(pl.sum_horizontal(fields)).to_series()
        assert listed.to_list() == pytest.approx([20.0] * 7)


def test_the_reference_finds_planted_misconduct_that_chance_does_not(comparison: Comparison):
    by_chance = next(
        each
        for each in comparison.differences
        if each.basis is Basis.PLANTED and each.ranking == "first/random"
    )
    assert by_chance.clear
    assert by_chance.interval.low <= by_chance.more <= by_chance.interval.high


def test_a_method_does_not_differ_from_itself(experiment: Experiment):
    twin = Backtest(
        scores=experiment.backtest.scores.with_columns(pl.col("lightgbm") * 2 + 1),
        methods=("lightgbm",),
        capacity=experiment.backtest.capacity,
    )
    found = compare({"first": experiment, "twin": twin}, draws=200)
    same = next(each for each in found.differences if each.ranking == "twin/lightgbm")
    assert (same.more, same.interval.low, same.interval.high) == (0, 0, 0)
    assert not same.clear


def test_baselines_that_score_alike_in_two_runs_are_shown_once(experiment: Experiment):
    second = Backtest(
        scores=experiment.backtest.scores.with_columns(
            lightgbm=pl.Series(np.arange(len(experiment.backtest.scores), dtype=float))
        ),
        methods=experiment.backtest.methods,
        capacity=experiment.backtest.capacity,
    )
    rows = compare({"first": experiment, "second": second}, draws=200).frame()
    assert rows.filter(pl.col("run") == "second")["method"].to_list() == ["lightgbm"]


def test_another_capacity_is_another_length_of_every_list(experiment: Experiment):
    frame = compare({"first": experiment}, capacity=3, draws=200).frame()
    listed = frame.select(pl.sum_horizontal("^planted.(misconduct|innocent|lookalike)$")).to_series()
    assert listed.to_list() == pytest.approx([6.0] * 7)


def test_runs_tested_on_different_dates_are_refused(experiment: Experiment):
    half = Backtest(
        scores=experiment.backtest.on(TESTS[0]), methods=("lightgbm",), capacity=experiment.backtest.capacity
    )
    with pytest.raises(WrongUsage, match="tested on different dates"):
        compare({"first": experiment, "half": half}, draws=200)


def test_nothing_to_compare_is_refused():
    with pytest.raises(WrongUsage, match="no run to compare"):
        compare({})


def test_people_on_one_list_alone_make_up_the_difference_of_the_two(comparison: Comparison):
    told = comparison.apart("lightgbm", "logistic")
    assert told["list"].to_list() == ["both", "only first/lightgbm", "only first/logistic"]
    both, ours, theirs = told["people"]
    assert both + ours == pytest.approx(20) == both + theirs
    counts = {row["method"]: row for row in comparison.frame().iter_rows(named=True)}
    for kind in (
        "backtest.leads_confirmed",
        "backtest.leads_not_confirmed",
        "planted.misconduct",
        "planted.innocent",
    ):
        gained = told[kind][1] - told[kind][2]
        assert gained == pytest.approx(counts["lightgbm"][kind] - counts["logistic"][kind])


def test_everyone_on_one_list_alone_is_named_with_what_became_of_them_and_why(comparison: Comparison):
    ours = comparison.only_on("first/lightgbm", "first/complaint_count")
    assert ours["surely"].sum() == pytest.approx(comparison.apart("lightgbm", "complaint_count")["people"][1])
    assert set(ours["backtest"]) <= {"confirmed", "not confirmed", "unsettled"}
    assert ours.filter(pl.col("place") > 10).is_empty()
    named = ours.row(0, named=True)
    assert "in the 365 days before" in named["listed_for"][0] or "claims" in named["listed_for"][0]
    assert named["passed_over_for"] is None  # a count of complaints gives no reasons


def test_whom_a_model_passes_over_it_says_why(comparison: Comparison):
    theirs = comparison.only_on("complaint_count", "lightgbm").filter(pl.col("surely") == 1)
    assert len(theirs)
    assert theirs["listed_for"].is_null().all()
    assert theirs["passed_over_for"].is_not_null().all()


def test_on_which_list_somebody_is_can_be_asked_of_two_runs(experiment: Experiment):
    second = replace(
        experiment.backtest, scores=experiment.backtest.scores.with_columns(lightgbm=-pl.col("lightgbm"))
    )
    found = compare({"first": experiment, "second": second}, draws=200)
    assert found.apart("first/lightgbm", "second/lightgbm")["people"].to_list() == [0.0, 20.0, 20.0]
    assert found.agreement()["kept"].to_list() == [0.0, 0.0]


def test_a_ranking_that_is_not_there_is_refused(comparison: Comparison):
    with pytest.raises(WrongUsage, match="Did you mean 'first/logistic'"):
        comparison.only_on("lightgbm", "first/logistics")


def test_stability_and_regret_stand_beside_the_counts(comparison: Comparison):
    assert comparison.stability()["method"].to_list() == comparison.frame()["method"].to_list()
    best = comparison.regret().group_by("as_of").agg(pl.col("regret").min())
    assert best["regret"].to_list() == [0.0, 0.0]


def test_the_chart_is_written_without_a_network(comparison: Comparison, tmp_path: Path):
    svg = comparison.write_chart(tmp_path / "charts" / "leads.svg").read_text(encoding="utf-8")
    assert svg.startswith("<svg")
    assert "replay: what reviewers found" in svg


def test_the_precision_chart_has_a_panel_a_test_date(experiment: Experiment):
    drawn = precision_chart(experiment.performance).to_dict()
    rows = next(iter(drawn["datasets"].values()))
    assert {row["as_of"] for row in rows} == {str(day) for day in TESTS}


def test_a_notebook_shows_the_table_and_says_the_differences(comparison: Comparison):
    html = comparison._repr_html_()
    assert "first/lightgbm found" in html
    assert "<table" in html
