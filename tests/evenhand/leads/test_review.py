"""Routes say where a lead went, reviews what was found, and nothing written is ever changed."""

from __future__ import annotations

from datetime import datetime

import polars as pl
import pytest

from evenhand.leads.opening import lead_id
from evenhand.leads.reading import leads_frame
from evenhand.leads.register import Register
from evenhand.leads.review import Recorded, outcomes, record_reviews, record_routes
from features.errors import DataRefused
from models.sampling import Sizes
from tests.evenhand.leads.conftest import Opening, on_either_database, review_rows

FEBRUARY, MARCH = datetime(2024, 2, 1), datetime(2024, 3, 1)


@pytest.fixture
def ann(opening: Opening) -> str:
    """The lead about ann; bob's is beside it."""
    return lead_id(opening({"ann": 0.9, "bob": 0.8, "cyd": 0.1}, samples=Sizes(random=1)).batch, "ann")


def routes(*rows: tuple[str, str, datetime]) -> pl.DataFrame:
    return pl.DataFrame(
        [{"lead": lead, "route": route, "decided_by": "sgt", "decided_at": at} for lead, route, at in rows]
    )


def found(register: Register) -> dict[str, str]:
    frame = outcomes(register)
    return dict(zip(frame["person_key"], frame["outcome"], strict=True))


@on_either_database
def test_a_lead_is_open_until_it_is_reviewed(register: Register, ann: str) -> None:
    assert found(register) == {"ann": "open", "bob": "open", "cyd": "open"}
    assert record_reviews(register, review_rows((ann, "confirmed", FEBRUARY))) == Recorded(1, 0)
    assert found(register) == {"ann": "confirmed", "bob": "open", "cyd": "open"}


@on_either_database
def test_importing_reviews_twice_changes_nothing(register: Register, ann: str) -> None:
    reviews = review_rows((ann, "wrong", FEBRUARY))
    record_reviews(register, reviews)
    before = outcomes(register)
    assert record_reviews(register, pl.concat([reviews, reviews])) == Recorded(0, 2)
    assert outcomes(register).equals(before)


@on_either_database
def test_the_latest_review_counts_and_the_earlier_one_stays(register: Register, ann: str) -> None:
    record_reviews(register, review_rows((ann, "confirmed", MARCH), (ann, "wrong", FEBRUARY)))
    assert found(register)["ann"] == "confirmed"
    early = outcomes(register, known_before=MARCH).filter(pl.col("person_key") == "ann").row(0, named=True)
    assert (early["outcome"], early["innocent_explanation"]) == ("wrong", "public-order aid")
    assert outcomes(register, known_before=datetime(2023, 12, 1)).is_empty()


def test_wrong_needs_the_innocent_explanation(register: Register, ann: str) -> None:
    lacking = review_rows((ann, "wrong", FEBRUARY)).with_columns(innocent_explanation=pl.lit("  "))
    with pytest.raises(DataRefused, match="wrong needs innocent_explanation"):
        record_reviews(register, lacking)
    assert found(register)["ann"] == "open"


def test_confirmed_needs_reasons(register: Register, ann: str) -> None:
    lacking = review_rows((ann, "confirmed", FEBRUARY)).with_columns(reasons=pl.lit(None, pl.String))
    with pytest.raises(DataRefused, match="confirmed needs reasons"):
        record_reviews(register, lacking)


@on_either_database
def test_what_was_written_is_not_changed(register: Register, ann: str) -> None:
    record_reviews(register, review_rows((ann, "wrong", FEBRUARY)))
    with pytest.raises(DataRefused, match="what was written stays: add a later one"):
        record_reviews(register, review_rows((ann, "confirmed", FEBRUARY)))
    assert found(register)["ann"] == "wrong"


def test_one_bad_row_and_nothing_is_recorded(register: Register, ann: str) -> None:
    with pytest.raises(DataRefused) as refused:
        record_reviews(
            register,
            review_rows((ann, "wrong", FEBRUARY), ("ffff", "wrong", FEBRUARY), (ann, "guilt", MARCH)),
            origin="reviews.csv",
        )
    said = str(refused.value)
    assert said.startswith("reviews.csv: nothing was recorded.")
    assert "row 2, lead ffff: no such lead" in said
    assert "row 3" in said
    assert found(register)["ann"] == "open"


def test_many_bad_rows_stay_on_one_screen(register: Register, ann: str) -> None:
    with pytest.raises(DataRefused) as refused:
        record_reviews(register, review_rows(*((f"none{n}", "wrong", FEBRUARY) for n in range(50))))
    assert "and 40 more" in str(refused.value)
    assert len(str(refused.value).splitlines()) < 20


@pytest.mark.parametrize("route", ["welfare", "supervisor", "prevention", "assessment", "no_action"])
def test_a_route_is_no_outcome(register: Register, ann: str, route: str) -> None:
    assert record_routes(register, routes((ann, route, FEBRUARY))) == Recorded(1, 0)
    assert found(register)["ann"] == "open"
    assert leads_frame(register).filter(pl.col("lead") == ann)["route"].to_list() == [route]
    with pytest.raises(DataRefused, match="a route is never an outcome"):
        record_reviews(register, review_rows((ann, route, FEBRUARY)))


def test_an_outcome_is_no_route(register: Register, ann: str) -> None:
    with pytest.raises(DataRefused, match="a route is never an outcome"):
        record_routes(register, routes((ann, "confirmed", FEBRUARY)))


def test_importing_routes_twice_changes_nothing(register: Register, ann: str) -> None:
    record_routes(register, routes((ann, "welfare", FEBRUARY)))
    again = record_routes(register, routes((ann, "welfare", FEBRUARY), (ann, "supervisor", MARCH)))
    assert again == Recorded(1, 1)
    assert leads_frame(register).filter(pl.col("lead") == ann)["route"].to_list() == ["supervisor"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"reviewed_at": pl.lit(datetime(2023, 12, 31))}, "before the lead's own date, 2024-01-01"),
        ({"reviewed_at": pl.lit(None, pl.Datetime("us"))}, "reviewed_at is empty"),
        ({"reviewer": pl.lit("")}, "reviewer is empty"),
        ({"outcome": pl.lit("rong")}, "Did you mean 'wrong'"),
        ({"outcome": pl.lit(None, pl.String)}, "Known: confirmed, inconclusive, wrong"),
        ({"reviewed_at": pl.lit("2024-02-01")}, "column reviewed_at: expected Datetime"),
        (
            {"reviewed_at": pl.col("reviewed_at").dt.replace_time_zone("UTC")},
            "Times are without a zone",
        ),
    ],
)
def test_a_row_that_cannot_be_a_review_is_refused(
    register: Register, ann: str, changed: dict[str, pl.Expr], said: str
) -> None:
    with pytest.raises(DataRefused, match=said):
        record_reviews(register, review_rows((ann, "wrong", FEBRUARY)).with_columns(**changed))


def test_a_missing_column_is_named(register: Register) -> None:
    with pytest.raises(
        DataRefused, match=r"missing innocent_explanation\. Expected the columns lead, outcome"
    ):
        record_reviews(register, review_rows().drop("innocent_explanation"))


def test_a_route_needs_somebody_who_took_it(register: Register, ann: str) -> None:
    with pytest.raises(DataRefused, match="decided_by is empty"):
        record_routes(register, routes((ann, "welfare", FEBRUARY)).with_columns(decided_by=pl.lit(" ")))


def test_outcomes_tell_lead_from_sample_for_those_who_count(register: Register, ann: str) -> None:
    frame = outcomes(register).sort("person_key")
    assert frame.select("person_key", "kind", "rank").rows() == [
        ("ann", "lead", 1),
        ("bob", "lead", 2),
        ("cyd", "sample", 3),
    ]
