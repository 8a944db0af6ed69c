"""What a run followed from, told apart: what keeps it from being repeated and what may only change its digits."""

from __future__ import annotations

from datetime import date

from evenhand.provenance import Recipe, code_fingerprint, other_tools, processor, versions

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
HERE = {"code": code_fingerprint(), "versions": versions(), "processor": processor()}


def test_a_recipe_is_read_back_as_it_was_written():
    assert Recipe.from_dict(RECIPE.to_dict()) == RECIPE


def test_the_same_tools_are_no_difference():
    assert other_tools(HERE) == []


def test_other_code_and_other_libraries_are_each_told():
    then = versions() | {"lightgbm": "3.0.0"}
    del then["numba"]
    code, lightgbm, numba = other_tools(HERE | {"code": "another", "versions": then})
    assert code == "the code of Evenhand is other than it was"
    assert lightgbm.startswith("lightgbm ")
    assert lightgbm.endswith("it was 3.0.0")
    assert numba.endswith("it was none")


def test_another_processor_is_told_since_sums_end_in_other_digits():
    (told,) = other_tools(HERE | {"processor": "abacus with beads"})
    assert told.startswith(f"the processor is {processor()}, it was abacus with beads")
