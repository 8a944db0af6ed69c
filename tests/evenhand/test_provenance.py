"""What a run followed from, told apart: what keeps it from being repeated and what may only change its digits."""

from __future__ import annotations

from datetime import date

from evenhand.provenance import Recipe, code_fingerprint, other_tools, versions

RECIPE = Recipe(
    test_as_ofs=(date(2023, 4, 1), date(2023, 10, 1)),
    train_candidates=(date(2021, 4, 1),),
    until=date(2024, 1, 1),
    judged_by=None,
    with_health=False,
    seed=7,
    capacity=0,
    min_lift=3.0,
    draws=200,
    params={"rounds": 300, "learning_rate": 0.05, "threads": 1},
)


def test_a_recipe_is_read_back_as_it_was_written():
    assert Recipe.from_dict(RECIPE.to_dict()) == RECIPE


def test_the_same_tools_are_no_difference():
    assert other_tools({"code": code_fingerprint(), "versions": versions()}) == []


def test_other_code_and_other_libraries_are_each_told():
    then = versions() | {"lightgbm": "3.0.0"}
    del then["numba"]
    code, lightgbm, numba = other_tools({"code": "another", "versions": then})
    assert code == "the code of Evenhand is other than it was"
    assert lightgbm.startswith("lightgbm ")
    assert lightgbm.endswith("it was 3.0.0")
    assert numba.endswith("it was none")
