"""The release gate: what lets a model pass, and what keeps it out."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest

from models.backtest import Backtest
from models.experiment import Experiment
from models.release import MUST_BEAT, Champion, ReleaseDecision, Requirement, release_findings

PEOPLE, PLACES = 400, 20
DAYS = (date(2022, 1, 1), date(2023, 1, 1))
METHODS = ("lightgbm", *MUST_BEAT)


def made_up(found: int, *, rules: int = 1, seed: int = 1) -> Backtest:
    """Lists of 20 on two dates: the model's holds `found` confirmed people on each, the rule's `rules`."""
    rng = np.random.default_rng(seed)
    frames = []
    for day in DAYS:
        confirmed = np.arange(PEOPLE) < 25
        listed = np.r_[np.arange(found), 100 + np.arange(PLACES - found)]
        flagged = np.r_[24 - np.arange(rules), 200 + np.arange(PLACES - rules)]
        frames.append(
            pl.DataFrame(
                {
                    "person_key": [f"P{number:03d}" for number in range(PEOPLE)],
                    "as_of": [day] * PEOPLE,
                    "confirmed": confirmed,
                    "pending": [False] * PEOPLE,
                    "settled": [True] * PEOPLE,
                    "lightgbm": np.isin(np.arange(PEOPLE), listed) + rng.uniform(0, 0.5, PEOPLE),
                    "complaint_count": rng.poisson(0.3, PEOPLE).astype(float),
                    "threshold_rule": np.isin(np.arange(PEOPLE), flagged).astype(float),
                    "random": np.zeros(PEOPLE),
                }
            )
        )
    return Backtest(scores=pl.concat(frames), methods=METHODS, capacity=PLACES)


def decide(backtest: Backtest, **other: object) -> ReleaseDecision:
    given = {"promotable": True, "forbidden": (), "champion": None, **other}
    return release_findings("small", 2, backtest, **given)  # type: ignore[arg-type]  # as the test gives them


def found(decision: ReleaseDecision, code: str) -> Requirement:
    return next(each for each in decision.requirements if each.code == code)


def test_a_model_that_clearly_beats_every_simple_method_passes():
    decision = decide(made_up(found=12))
    assert decision.passes
    beats = found(decision, "beats_threshold_rule")
    assert beats.more == 22.0
    assert beats.interval is not None
    assert beats.interval.low > 0
    assert found(decision, "not_worse").holds is None


@pytest.mark.parametrize("rival", MUST_BEAT)
def test_a_model_no_better_than_one_of_them_is_refused_whatever_it_does_to_the_others(rival: str):
    backtest = made_up(found=12)
    as_good = backtest.scores.with_columns(pl.col("lightgbm").alias(rival))
    decision = decide(replace(backtest, scores=as_good))
    assert [each.code for each in decision.refusals] == [f"beats_{rival}"]
    assert found(decision, f"beats_{rival}").more == 0.0


def test_a_lead_that_chance_may_have_given_is_not_enough():
    decision = decide(made_up(found=4, rules=1))
    assert found(decision, "beats_threshold_rule").more == 6.0
    assert found(decision, "beats_threshold_rule").holds is False


def test_a_finding_is_of_a_person_and_two_dates_do_not_make_it_two():
    """Three people found on both dates are three resampled persons, not six: that may be chance."""
    on_one_date = decide(made_up(found=3, rules=0).at_capacity(PLACES))
    assert found(on_one_date, "beats_threshold_rule").more == 6.0
    assert found(on_one_date, "beats_threshold_rule").holds is False


def test_a_model_that_finds_nobody_is_refused():
    assert not decide(made_up(found=0)).passes


def test_a_date_whose_findings_are_still_to_come_is_named():
    backtest = made_up(found=12)
    unsettled = backtest.scores.with_columns(settled=pl.col("as_of") != DAYS[1])
    decision = decide(replace(backtest, scores=unsettled))
    assert [each.code for each in decision.refusals] == ["settled"]
    assert "2023-01-01" in found(decision, "settled").found


def test_people_whose_cases_are_pending_on_a_settled_date_are_counted_in_the_open():
    backtest = made_up(found=12)
    pending = backtest.scores.with_columns(pending=pl.col("person_key") == "P300")
    assert "2 still pending" in found(decide(replace(backtest, scores=pending)), "settled").found


def test_without_a_test_date_nothing_is_released():
    backtest = made_up(found=12)
    decision = decide(replace(backtest, scores=backtest.scores.clear()))
    assert {each.code for each in decision.refusals} >= {"settled", "beats_random"}


def test_a_research_run_and_protected_lineage_are_refused_with_the_reason():
    decision = decide(made_up(found=12), promotable=False, forbidden=("feature leaves_365d reads leave",))
    assert [each.code for each in decision.refusals] == ["not_research", "lineage"]
    assert "leaves_365d" in decision.says


def test_a_baseline_that_was_not_run_cannot_have_been_beaten():
    backtest = made_up(found=12)
    without = replace(backtest, methods=("lightgbm", "complaint_count", "random"))
    assert found(decide(without), "beats_threshold_rule").holds is False


def champion_of(backtest: Backtest) -> Champion:
    own = backtest.scores.rename({"lightgbm": "champion"})
    return Champion(
        version=1, backtest=Backtest(scores=own, methods=("champion",), capacity=PLACES), how="its own run"
    )


@pytest.mark.parametrize(("champions", "holds"), [(18, False), (13, True), (12, True), (5, True)])
def test_only_a_model_clearly_worse_than_the_champion_is_refused_for_it(champions: int, holds: bool):
    decision = decide(made_up(found=12), champion=champion_of(made_up(found=champions)))
    assert found(decision, "not_worse").holds is holds
    assert decision.champion == 1


def test_a_champion_that_cannot_be_compared_keeps_the_candidate_out_and_says_what_to_do():
    rival = Champion(version=1, backtest=None, how="its features are gone", next_step="Train on its dates.")
    decision = decide(made_up(found=12), champion=rival)
    assert [each.code for each in decision.refusals] == ["not_worse"]
    assert "v1 cannot be compared: its features are gone. Train on its dates." in decision.says


def test_every_reason_is_listed_with_its_figures():
    said = decide(made_up(found=0), promotable=False).says
    assert said.count("\n- ") == 4
    assert "95 % interval" in said


def test_the_answer_is_the_same_each_time_it_is_asked_for():
    assert decide(made_up(found=6)).to_dict() == decide(made_up(found=6)).to_dict()


def test_the_answer_key_of_a_simulation_decides_nothing(experiment: Experiment):
    judged = experiment.backtest.at_capacity(40)
    assert judged.has_planted
    blind = replace(judged, scores=judged.scores.drop("planted"))
    assert decide(judged).to_dict() == decide(blind).to_dict()
    assert decide(judged).passes


@pytest.mark.slow
def test_at_most_one_in_twenty_forces_without_any_signal_passes():
    """Every list is drawn at random, and whoever is confirmed is so on both dates."""
    passed, forces, rng = 0, 60, np.random.default_rng(5)
    for _ in range(forces):
        backtest = made_up(found=0)
        confirmed = np.tile(rng.uniform(size=PEOPLE) < 0.05, len(DAYS))
        scores = {
            "lightgbm": rng.uniform(size=len(DAYS) * PEOPLE),
            "complaint_count": rng.poisson(0.3, len(DAYS) * PEOPLE).astype(float),
            "threshold_rule": rng.poisson(0.05, len(DAYS) * PEOPLE).astype(float),
        }
        drawn = backtest.scores.with_columns(
            pl.Series("confirmed", confirmed), *(pl.Series(name, values) for name, values in scores.items())
        )
        passed += decide(replace(backtest, scores=drawn)).passes
    assert passed <= forces / 20


def test_it_shows_itself_in_a_notebook():
    html = decide(made_up(found=0))._repr_html_()
    assert "small v2 may not be promoted" in html
    assert "does not hold" in html
