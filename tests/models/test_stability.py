from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from models.backtest import Backtest
from models.metrics import Basis
from models.stability import over_batches, over_dates, over_runs, overlap, regret

DAYS = [date(2022, 1, 1), date(2022, 4, 1), date(2022, 7, 1)]
PEOPLE = ["A", "B", "C", "D"]


def backtest(
    *by_date: dict[str, list[float]], confirmed: tuple[str, ...] = ("A",), places: int = 2
) -> Backtest:
    """Scores of A, B, C and D by method, one mapping a date."""
    scores = pl.concat(
        pl.DataFrame({"person_key": PEOPLE, "as_of": [day] * 4, **scores}).with_columns(
            confirmed=pl.col("person_key").is_in(confirmed), pending=pl.lit(False), settled=pl.lit(True)
        )
        for day, scores in zip(DAYS, by_date, strict=False)
    )
    return Backtest(scores=scores, methods=tuple(by_date[0]), capacity=places)


def chances(**people: float) -> pl.DataFrame:
    return pl.DataFrame({"person_key": list(people), "chance": list(people.values())})


def test_what_two_lists_share_is_told_of_the_first_and_of_both():
    found = overlap(chances(A=1.0, B=1.0), chances(B=1.0, C=1.0, D=1.0))
    assert (found["on_both"], found["kept"], found["jaccard"]) == (1.0, 0.5, 0.25)


def test_two_draws_between_people_who_tie_agree_as_often_as_chance_has_it():
    everyone = chances(A=0.5, B=0.5, C=0.5, D=0.5)
    assert overlap(everyone, everyone)["kept"] == 0.5


def test_lists_that_nobody_is_on_have_no_share():
    empty = chances(A=0.0)
    assert overlap(empty, empty)["kept"] != overlap(empty, empty)["kept"]


def test_of_each_method_a_list_is_held_to_that_of_the_next_test_date():
    run = backtest(
        {"lightgbm": [4, 3, 2, 1], "random": [0, 0, 0, 0]},
        {"lightgbm": [4, 1, 2, 3], "random": [0, 0, 0, 0]},
        {"lightgbm": [4, 1, 2, 3], "random": [0, 0, 0, 0]},
    )
    found = over_dates({"first": run})
    assert found.select("method", "as_of", "then", "kept").rows() == [
        ("lightgbm", DAYS[0], DAYS[1], 0.5),
        ("lightgbm", DAYS[1], DAYS[2], 1.0),
        ("random", DAYS[0], DAYS[1], 0.5),
        ("random", DAYS[1], DAYS[2], 0.5),
    ]


def test_who_has_left_by_the_next_date_is_not_kept():
    run = backtest({"lightgbm": [4, 3, 2, 1]}, {"lightgbm": [4, 3, 2, 1]})
    gone = (pl.col("person_key") == "A") & (pl.col("as_of") == DAYS[1])
    left = Backtest(scores=run.scores.filter(~gone), methods=run.methods, capacity=2)
    assert over_dates({"first": left})["on_both"].to_list() == [1.0]


def test_runs_with_other_seeds_are_held_to_each_other_date_by_date():
    one, other = backtest({"lightgbm": [4, 3, 2, 1]}), backtest({"lightgbm": [1, 2, 3, 4]})
    found = over_runs({"seed 1": one, "seed 2": other, "same": one})
    assert found.select("run", "other", "kept").rows() == [
        ("seed 1", "seed 2", 0.0), ("seed 1", "same", 1.0), ("seed 2", "same", 0.0),
    ]  # fmt: skip
    assert over_runs({"seed 1": one}).is_empty()


def test_batches_of_leads_are_held_to_the_next_batch():
    leads = pl.DataFrame(
        {"person_key": ["A", "B", "B", "C", "C"], "as_of": [*DAYS[:1] * 2, *DAYS[1:2] * 2, DAYS[2]]}
    )
    assert over_batches(leads).select("as_of", "listed", "kept").rows() == [
        (DAYS[0], 2.0, 0.5),
        (DAYS[1], 2.0, 0.5),
    ]
    assert over_batches(leads.head(2)).is_empty()


def test_regret_is_what_the_best_list_of_a_date_found_more_and_adds_up():
    run = backtest(
        {"lightgbm": [4, 3, 2, 1], "logistic": [1, 2, 3, 4]},
        {"lightgbm": [1, 2, 3, 4], "logistic": [4, 3, 2, 1]},
        {"lightgbm": [1, 2, 3, 4], "logistic": [4, 3, 2, 1]},
    )
    found = regret({"first": run})
    by_method = {method: rows["in_all"].to_list() for (method,), rows in found.group_by("method")}
    assert by_method == {"lightgbm": [0.0, 1.0, 2.0], "logistic": [1.0, 1.0, 1.0]}
    assert found["best"].to_list() == [1.0] * 6


def test_regret_of_planted_cases_is_counted_apart_from_that_of_findings():
    run = backtest({"lightgbm": [4, 3, 2, 1], "logistic": [1, 2, 3, 4]})
    planted = Backtest(
        scores=run.scores.with_columns(
            planted=pl.Series(["innocent", "innocent", "misconduct", "misconduct"])
        ),
        methods=run.methods,
        capacity=2,
    )
    assert regret({"first": planted}, Basis.PLANTED)["regret"].to_list() == pytest.approx([2.0, 0.0])
    assert regret({"first": planted})["regret"].to_list() == pytest.approx([0.0, 1.0])
