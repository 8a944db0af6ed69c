"""What an innocent explanation does to a score is a difference within each person it concerns."""

from __future__ import annotations

import polars as pl

from evenhand.confounding import ADJUSTED, NAIVE, raised
from features.lineage import check


def places(**naive: float) -> pl.DataFrame:
    return pl.DataFrame({"person_key": list(naive), "naive": list(naive.values()), "adjusted": 50.0})


def test_only_the_people_concerned_and_only_those_in_both_forces_are_counted():
    moved = raised(
        places(A=90.0, B=70.0, C=10.0), places(A=50.0, B=65.0, D=10.0), pl.Series(["A", "C", "D", "A"])
    )
    assert moved == {"bearers": 1, "naive": 40.0, "adjusted": 0.0}


def test_the_naive_score_reads_what_no_catalogue_may_and_the_other_reads_none_of_it():
    check(NAIVE)
    naive_names, adjusted_names = set(NAIVE.columns), set(ADJUSTED.columns)
    assert any(name.startswith("Bradford factor") for name in naive_names)
    assert len(adjusted_names) >= 10
    assert not naive_names & adjusted_names
