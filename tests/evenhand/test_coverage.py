"""What the study of review samples does, on few replicates of a small population."""

from __future__ import annotations

import pytest

from evenhand.coverage import MEASURES, REVIEWERS, Scene, coverage
from models.sampling import Sizes

SMALL = Scene(people=3000, base_rate=0.05, separation=1.5, sizes=Sizes(random=150, by_band=50))


@pytest.fixture(scope="module")
def found():
    return coverage(SMALL, replicates=60, seed=1)


def test_every_measure_is_there_for_reviewers_who_err_and_who_do_not(found):
    assert list(found) == list(REVIEWERS)
    assert all(list(measures) == list(MEASURES) for measures in found.values())


def test_intervals_by_design_weights_cover_and_naive_ones_do_not(found):
    for measures in found.values():
        for measure in ("base rate", "recall of the leads"):
            assert measures[measure]["covers"] > 0.85
            assert measures[measure]["naive"] < 0.2


def test_a_replicate_follows_its_seed():
    assert coverage(SMALL, replicates=2, seed=3) == coverage(SMALL, replicates=2, seed=3)


def test_a_scene_is_named_by_what_it_is():
    assert SMALL.name == "3000 people, base rate 5.0%, informative score"
