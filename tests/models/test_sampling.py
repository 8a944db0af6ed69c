"""Who is drawn for review, how likely each was, and what the reviews then say of everybody."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest

from features.errors import WrongUsage
from models.metrics import wilson
from models.sampling import LEAD, ReviewErrors, Sizes, cells, draw, estimates

SIZES = Sizes(random=30, by_band=10, bands=(0.1, 0.4))


def cohort(people: int, *, seed: int = 1) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    return pl.DataFrame(
        {"person_key": [f"p{number:05}" for number in range(people)], "score": rng.random(people)}
    )


def leads_of(scores: pl.DataFrame, size: int) -> list[object]:
    return scores.sort("score", descending=True)["person_key"].head(size).to_list()


def cell_rows(*rows: tuple[str, bool, int, int, int]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["stratum", "listed", "people", "decided", "confirmed"], orient="row")


def test_the_draw_follows_people_and_seed_and_not_the_order_of_rows() -> None:
    scores = cohort(500)
    leads = leads_of(scores, 20)
    first = draw(scores, leads, SIZES, [1, date(2024, 1, 1).toordinal()])
    assert draw(scores.reverse(), leads, SIZES, [1, date(2024, 1, 1).toordinal()]).equals(first)
    assert not draw(scores, leads, SIZES, [2, date(2024, 1, 1).toordinal()]).equals(first)
    assert not draw(scores, leads, SIZES, [1, date(2024, 4, 1).toordinal()]).equals(first)


def test_bands_lie_below_the_leads_in_order_of_score() -> None:
    scores = cohort(520)
    found = draw(scores, leads_of(scores, 20), SIZES, [1]).join(scores, on="person_key")
    spans = found.group_by("stratum").agg(
        pl.len(), low=pl.col("score").min(), high=pl.col("score").max()
    ).sort("high", descending=True)  # fmt: skip
    assert spans["stratum"].to_list() == [LEAD, "band 1", "band 2", "band 3"]
    assert spans["len"].to_list() == [20, 50, 150, 300]
    assert all(low > high for low, high in zip(spans["low"], spans["high"][1:], strict=False))


def test_everybody_is_reviewed_as_often_as_their_inclusion_says() -> None:
    scores = cohort(120)
    leads = leads_of(scores, 10)
    drawn = [draw(scores, leads, SIZES, [seed]) for seed in range(2000)]
    often = np.mean([each["reviewed"].to_numpy() for each in drawn], axis=0)
    told = drawn[0]["inclusion"].to_numpy()
    error = np.sqrt(told * (1 - told) / len(drawn))
    assert (np.abs(often - told) <= 4.5 * error).all()
    assert drawn[0].filter(pl.col("stratum") == LEAD)["reviewed"].all()


def test_more_places_than_people_draws_everybody() -> None:
    scores = cohort(12)
    found = draw(scores, leads_of(scores, 2), Sizes(random=50, by_band=50), [1])
    assert found["reviewed"].all()
    assert found["inclusion"].to_list() == [1.0] * 12


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ({"random": -1}, "random = -1"),
        ({"by_band": -2}, "by_band = -2"),
        ({"bands": (0.5, 0.2)}, "each above the one before"),
        ({"bands": (0.5, 1.0)}, "each above the one before"),
    ],
)
def test_sizes_that_cannot_be_meant_are_refused(sizes: dict[str, object], said: str) -> None:
    with pytest.raises(WrongUsage, match=said):
        Sizes(**sizes)  # type: ignore[arg-type]  # names of Sizes


def test_a_stratum_weighs_as_many_as_it_stands_for() -> None:
    found = estimates(
        cell_rows((LEAD, True, 100, 100, 40), ("band 1", False, 900, 90, 9), ("band 2", False, 9000, 100, 1))
    )
    assert found.base_rate.value == pytest.approx((40 + 90 + 90) / 10_000)
    assert found.precision.value == pytest.approx(0.40)
    assert found.recall.value == pytest.approx(40 / 220)
    assert (found.people, found.listed, found.decided, found.sampled) == (10_000, 100, 290, 190)


def test_the_interval_of_one_stratum_is_wilsons() -> None:
    found = estimates(cell_rows((LEAD, True, 60, 60, 21), ("band 1", False, 900, 90, 9)))
    assert found.precision.interval.low == pytest.approx(wilson(21, 60).low, abs=1e-9)
    assert found.precision.interval.high == pytest.approx(wilson(21, 60).high, abs=1e-9)
    none = estimates(cell_rows((LEAD, True, 60, 60, 0), ("band 1", False, 900, 90, 0)))
    assert none.precision.interval.low == 0
    assert none.precision.interval.high == pytest.approx(wilson(0, 60).high, abs=1e-9)


def test_naive_takes_the_reviewed_leads_for_all_there_is() -> None:
    found = estimates(cell_rows((LEAD, True, 100, 80, 40), ("band 1", False, 900, 90, 9)))
    base_rate, precision, recall = found.naive
    assert (base_rate.value, precision.value, recall.value) == (0.5, 0.5, 1.0)
    assert base_rate.interval == wilson(40, 80)


def test_undecided_reviews_count_for_neither_side() -> None:
    people = pl.DataFrame(
        {
            "stratum": [LEAD] * 4 + ["band 1"] * 4,
            "outcome": ["confirmed", "wrong", "inconclusive", "open", "wrong", None, None, "inconclusive"],
        }
    )
    counted = cells(people, pl.col("stratum") == LEAD)
    assert counted.rows() == [("band 1", False, 4, 1, 0), (LEAD, True, 4, 2, 1)]
    assert estimates(counted).precision.value == 0.5


def test_a_list_across_strata_is_estimated_from_those_on_it() -> None:
    found = estimates(
        cell_rows(
            (LEAD, True, 50, 50, 20), (LEAD, False, 50, 50, 10), ("band 1", True, 50, 10, 1), ("band 1", False, 850, 85, 0)
        )
    )  # fmt: skip
    assert found.precision.value == pytest.approx(25 / 100)
    assert found.recall.value == pytest.approx(25 / 35)


def test_a_stratum_nobody_looked_at_leaves_the_estimate_open() -> None:
    found = estimates(cell_rows((LEAD, True, 100, 100, 40), ("band 1", False, 900, 0, 0)))
    assert found.base_rate.value is None
    assert found.base_rate.interval.low < 0.05
    assert found.base_rate.interval.high > 0.9
    assert found.recall.value is None
    assert found.recall.interval.high == pytest.approx(1.0)
    assert found.precision.value == 0.4


def test_nobody_confirmed_leaves_recall_open_and_bounds_the_base_rate() -> None:
    found = estimates(cell_rows((LEAD, True, 10, 10, 0), ("band 1", False, 90, 45, 0)))
    assert found.recall.value is None
    assert (found.recall.interval.low, found.recall.interval.high) == pytest.approx((0.0, 1.0), abs=1e-6)
    assert found.base_rate.value == 0
    assert 0 < found.base_rate.interval.high < 0.2


def test_errors_that_are_told_are_taken_out() -> None:
    errors = ReviewErrors(confirmed_though_innocent=0.05, wrong_though_misconduct=0.2)
    # 100 of 400 would be confirmed: 80 of them are, and 15 of the 300 others.
    found = estimates(cell_rows((LEAD, True, 400, 400, 95), ("band 1", False, 4000, 400, 20)), errors)
    assert found.precision.value == pytest.approx(0.25)
    assert found.recall.value == pytest.approx(1.0)
    assert found.recall.interval.low < 0.9


def test_reviews_that_tell_nothing_are_refused() -> None:
    with pytest.raises(WrongUsage, match="tell nothing"):
        estimates(
            cell_rows((LEAD, True, 4, 4, 1)),
            ReviewErrors(confirmed_though_innocent=0.5, wrong_though_misconduct=0.5),
        )


def test_an_estimate_shows_the_naive_one_beside_it() -> None:
    found = estimates(cell_rows((LEAD, True, 100, 80, 40), ("band 1", False, 900, 90, 9)))
    assert found.frame()["measure"].to_list() == ["base rate", "precision", "recall"]
    assert "naive" in found._repr_html_()
    assert "90 of them of people drawn by lot" in found._repr_html_()
