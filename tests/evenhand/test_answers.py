"""Lists by the answer key, on lists one can count by hand."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from evenhand.answers import beside, innocents_until, listed_innocents, yields
from models.backtest import Backtest

DAY = date(2024, 1, 1)


def backtest(planted: str, *, ours: list[float], theirs: list[float], capacity: int) -> Backtest:
    """One person a letter: m for misconduct, i for innocent."""
    kinds = {"m": "misconduct", "i": "innocent"}
    scores = pl.DataFrame(
        {
            "person_key": [f"P{place}" for place in range(len(planted))], "as_of": [DAY] * len(planted),
            "confirmed": [False] * len(planted), "pending": [False] * len(planted), "settled": [True] * len(planted),
            "lightgbm": ours, "logistic": theirs, "planted": [kinds[letter] for letter in planted],
        }
    )  # fmt: skip
    return Backtest(scores=scores, methods=("lightgbm", "logistic"), capacity=capacity)


def test_lists_of_the_same_length_are_counted_by_what_they_hold():
    found = yields(backtest("mmii", ours=[4, 3, 2, 1], theirs=[4, 1, 3, 2], capacity=2))
    assert found["lightgbm"] == {"misconduct": 2, "innocent": 0, "ours_innocent": 0}
    assert found["logistic"] == {"misconduct": 1, "innocent": 1, "ours_innocent": 0}


def test_for_as_much_misconduct_our_list_goes_as_far_down_as_it_must():
    found = yields(backtest("mmii", ours=[4, 1, 3, 2], theirs=[4, 3, 2, 1], capacity=2))
    assert found["logistic"]["ours_innocent"] == 2


def test_where_scores_tie_the_innocent_are_listed_first():
    people = backtest("mii", ours=[1, 1, 0], theirs=[0, 0, 0], capacity=1).scores
    bears = (people["planted"] == "misconduct").to_numpy()
    assert innocents_until(people["lightgbm"].to_numpy(), bears, 1) == 1


def test_other_scores_are_given_lists_as_long_as_ours():
    lists = backtest("mmiim", ours=[5, 4, 3, 2, 1], theirs=[0, 0, 0, 0, 0], capacity=2)
    other = lists.scores.select("person_key", "as_of", score=pl.Series([1.0, 0, 5, 4, 2])).sample(
        fraction=1, shuffle=True, seed=1
    )
    found = yields(beside(lists, {"other": other}).at_capacity(3))
    assert found["lightgbm"]["misconduct"] == 2
    assert (found["other"]["misconduct"], found["other"]["innocent"]) == (1, 2)


def explained(roles: str, bears: str, *, listed: int) -> dict[str, float]:
    """Of innocent people, listed from the left: those with a role each, who bear the explanation or not (y or n)."""
    n = len(roles)
    lists = backtest(
        "i" * n, ours=[float(n - place) for place in range(n)], theirs=[0.0] * n, capacity=listed
    )
    people = lists.scores.select("person_key")
    truth = lists.scores.select("person_key", "as_of").with_columns(
        lookalike=pl.Series([["aid"] if letter == "y" else [] for letter in bears], dtype=pl.List(pl.String))
    )
    cohort = people.with_columns(role_code=pl.Series(list(roles)), rank=pl.lit("PC"))
    return listed_innocents(lists, truth, {DAY: cohort}, ["aid"])["aid"]


def test_bearers_are_set_beside_others_of_their_role_and_rank():
    """Both bearers in role A are listed, and half of the others of that role; role B does not count."""
    found = explained("AAAABBBB", "yynnnnnn", listed=3)
    assert found == {"bearers": 2, "listed": 2, "expected": pytest.approx(2 * 0.5)}


def test_bearers_in_a_role_of_their_own_are_set_beside_everybody_else():
    found = explained("AABBBB", "yynnnn", listed=3)
    assert found["expected"] == pytest.approx(2 * 0.25)


def test_without_bearers_nothing_is_expected():
    assert explained("AABB", "nnnn", listed=2) == {"bearers": 0, "listed": 0, "expected": 0}
