from __future__ import annotations

from dataclasses import replace
from datetime import date

import polars as pl
import pytest

from features.definition import Precedents
from models.choices import MEASURES, Variant, measure_choices
from models.ranker import Params
from tests.models.conftest import QUICK
from tests.models.small_force import CANDIDATES, FORCE, TESTS, small_records

EXPECTED = replace(QUICK, labels="expected")


def measured(
    *variants: Variant, tests: tuple[date, ...] = TESTS, reference: Params = EXPECTED
) -> pl.DataFrame:
    return measure_choices(
        FORCE, small_records(), variants, reference=reference, test_as_ofs=tests, candidates=CANDIDATES, draws=200,
        seed=1,
    )  # fmt: skip


def test_what_is_done_alike_makes_no_difference_and_what_is_done_otherwise_does():
    found = measured(
        Variant(says="the same", params=EXPECTED),
        Variant(says="without claims", params=EXPECTED, without=lambda idea: idea.family.startswith("claim")),
    )
    assert found["measure"].to_list() == [*MEASURES, *MEASURES]
    same, without = found.head(len(MEASURES)), found.tail(len(MEASURES))
    assert same.select("more", "low", "high").sum().row(0) == (0, 0, 0)
    assert same["value"].equals(without["value"])
    assert without.filter(pl.col("measure") == "auc")["low"].item() > 0.1


def test_averaged_seeds_are_other_models_than_the_first_of_them():
    found = measured(Variant(says="three seeds", params=EXPECTED, seeds=3), tests=TESTS[:1])
    assert found["more"].to_list() != [0, 0, 0]


def test_what_is_expected_of_open_cases_may_be_told_by_other_precedents():
    none_so_old = Precedents(least_months=200, most_months=201)
    found = measured(
        Variant(says="the same", params=EXPECTED, precedents=FORCE.outcome.precedents),
        Variant(says="no precedent", params=EXPECTED, precedents=none_so_old),
        tests=TESTS[:1],
    )
    assert [more == 0 for more in found.filter(pl.col("measure") == "auc")["more"]] == [True, False]


def test_settled_labels_are_compared_on_the_dates_that_had_a_settled_one():
    early = date(2021, 10, 1)  # nothing was settled by then, and two horizons had passed
    settled = Variant(says="settled", params=QUICK)
    found = measured(settled, Variant(says="the same", params=EXPECTED), tests=(early, *TESTS))
    assert found["dates"].to_list() == [2, 2, 2, 3, 3, 3]


def test_a_test_date_before_which_no_horizon_had_passed_is_refused():
    with pytest.raises(ValueError, match="has no date to train on"):
        measured(tests=(CANDIDATES[0],))
