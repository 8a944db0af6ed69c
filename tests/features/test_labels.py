"""Who is in the cohort and what became of them, as tables: cases in, labels out."""

from __future__ import annotations

from datetime import date, datetime

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from features.definition import Cohort, ForceDefinition
from features.labels import cohort, labels
from tests.features.small_force import CASES, COMPLAINT, FORCE, TWO_PEOPLE, records, small_force
from tests.features.tables_as_text import frame

SCHEMA = {
    "person_key": pl.String(), "as_of": pl.Date(), "confirmed": pl.Boolean(), "pending": pl.Boolean(), "settled": pl.Boolean(),
}  # fmt: skip
ONE = """
    person_key | occurred_at | known_at   | rank | team
    P1         | 2010-01-01  | 2010-01-01 | PC   | A
"""
AS_OF = [date(2022, 1, 1)]


def becomes(expected: str, cases: str, seen_by: datetime | None, posts: str = ONE) -> None:
    drawn = frame(expected, SCHEMA)
    found = labels(FORCE, records(post=posts, case=cases), drawn["as_of"].unique().to_list(), seen_by=seen_by)
    assert_frame_equal(found.sort("person_key", "as_of"), drawn)


def test_a_finding_about_conduct_in_the_horizon_confirms():
    becomes(
        """
        person_key | as_of      | confirmed | pending | settled
        P1         | 2022-01-01 | yes       | no      | yes
        P2         | 2022-01-01 | no        | no      | yes
        """,
        """
        person_key | case | occurred_at | known_at   | finding | closed_at
        P1         | A    | 2022-06-01  | 2022-07-01 | -       | -
        P1         | A    | 2022-06-01  | 2023-02-01 | PROVEN  | 2023-02-01
        P2         | B    | 2022-06-01  | 2022-07-01 | CLEARED | 2022-09-01
        """,
        datetime(2024, 1, 1),
        TWO_PEOPLE,
    )


@pytest.mark.parametrize(
    ("occurred", "confirmed"),
    [
        ("2021-12-31T23:59:59.999999", "no"),
        ("2022-01-01", "yes"),
        ("2022-12-31T23:59:59.999999", "yes"),
        ("2023-01-01", "no"),
    ],
)
def test_the_horizon_begins_at_as_of_and_ends_before_its_last_midnight(occurred: str, confirmed: str):
    becomes(
        f"""
        person_key | as_of      | confirmed | pending | settled
        P1         | 2022-01-01 | {confirmed} | no    | yes
        """,
        f"""
        person_key | case | occurred_at | known_at   | finding | closed_at
        P1         | A    | {occurred}  | 2023-02-01 | PROVEN  | 2023-02-01
        """,
        datetime(2024, 1, 1),
    )


def test_a_finding_exists_only_from_the_date_it_was_made():
    cases = """
        person_key | case | occurred_at | known_at   | finding | closed_at
        P1         | A    | 2022-06-01  | 2022-07-01 | PROVEN  | 2023-11-01
    """
    expected = """
        person_key | as_of      | confirmed | pending | settled
        P1         | 2022-01-01 | {}        | {}      | yes
    """
    becomes(expected.format("no", "yes"), cases, datetime(2023, 11, 1))
    becomes(expected.format("yes", "no"), cases, datetime(2023, 11, 1, 0, 0, 1))


def test_a_case_not_known_yet_is_not_even_pending():
    becomes(
        """
        person_key | as_of      | confirmed | pending | settled
        P1         | 2022-01-01 | no        | no      | no
        """,
        """
        person_key | case | occurred_at | known_at   | finding | closed_at
        P1         | A    | 2022-06-01  | 2022-07-01 | -       | -
        """,
        datetime(2022, 7, 1),
    )


def test_an_open_case_is_pending_and_a_second_one_that_is_proven_confirms():
    becomes(
        """
        person_key | as_of      | confirmed | pending | settled
        P1         | 2022-01-01 | no        | yes     | yes
        P2         | 2022-01-01 | yes       | no      | yes
        """,
        """
        person_key | case | occurred_at | known_at   | finding | closed_at
        P1         | A    | 2022-06-01  | 2022-07-01 | -       | -
        P1         | B    | 2022-06-01  | 2022-07-01 | CLEARED | 2022-08-01
        P2         | C    | 2022-06-01  | 2022-07-01 | -       | -
        P2         | D    | 2022-06-01  | 2022-07-01 | PROVEN  | 2022-08-01
        """,
        datetime(2024, 1, 1),
        TWO_PEOPLE,
    )


def test_the_version_of_a_case_that_stood_when_it_was_seen_counts():
    cases = """
        person_key | case | occurred_at | known_at   | finding | closed_at  | withdrawn
        P1         | A    | 2022-06-01  | 2022-07-01 | PROVEN  | 2022-07-01 | no
        P1         | A    | 2022-06-01  | 2023-11-01 | CLEARED | 2022-07-01 | no
        P2         | B    | 2022-06-01  | 2022-07-01 | PROVEN  | 2022-07-01 | no
        P2         | B    | 2022-06-01  | 2023-11-01 | PROVEN  | 2022-07-01 | yes
    """
    expected = """
        person_key | as_of      | confirmed | pending | settled
        P1         | 2022-01-01 | {0}       | no      | yes
        P2         | 2022-01-01 | {0}       | no      | yes
    """
    becomes(expected.format("yes"), cases, datetime(2023, 11, 1), TWO_PEOPLE)
    becomes(expected.format("no"), cases, datetime(2023, 11, 2), TWO_PEOPLE)
    becomes(expected.format("no"), cases, None, TWO_PEOPLE)


def test_a_label_settles_horizon_and_waiting_time_after_as_of():
    expected = """
        person_key | as_of      | confirmed | pending | settled
        P1         | 2022-01-31 | no        | no      | {}
    """
    no_cases = "person_key | case"
    becomes(expected.format("no"), no_cases, datetime(2023, 10, 30, 23, 59))
    becomes(expected.format("yes"), no_cases, datetime(2023, 10, 31))
    becomes(expected.format("yes"), no_cases, None)


def test_as_released_a_finding_counts_whatever_its_date_and_a_case_without_one_is_pending():
    becomes(
        """
        person_key | as_of      | confirmed | pending | settled
        P1         | 2022-01-01 | yes       | no      | yes
        P2         | 2022-01-01 | no        | yes     | yes
        """,
        """
        person_key | case | occurred_at | known_at   | finding | closed_at
        P1         | A    | 2022-06-01  | 2022-07-01 | PROVEN  | -
        P2         | B    | 2022-06-01  | 2022-07-01 | -       | -
        """,
        None,
        TWO_PEOPLE,
    )


def test_everyone_in_the_cohort_of_each_date_has_one_label():
    posts = """
        person_key | occurred_at | known_at   | rank | team
        P1         | 2021-01-01  | 2021-01-01 | PC   | A
        P2         | 2022-06-01  | 2022-06-01 | PC   | A
    """
    dates = [date(2022, 1, 1), date(2023, 1, 1)]
    found = labels(FORCE, records(post=posts), dates, seen_by=None)
    assert found.select("person_key", "as_of").rows() == [
        ("P1", dates[0]),
        ("P1", dates[1]),
        ("P2", dates[1]),
    ]
    assert not found["confirmed"].any()


def test_the_cohort_is_read_as_it_stood():
    posts = """
        person_key | occurred_at | known_at         | rank | team | withdrawn
        P1         | 2021-01-01  | 2021-01-01       | PC   | A    | no
        P1         | 2021-06-01  | 2021-12-31T23:59 | PC   | B    | no
        P1         | 2021-07-01  | 2022-01-01       | PC   | C    | no
        P2         | 2021-01-01  | 2021-01-01       | PC   | A    | no
        P2         | 2021-01-01  | 2021-03-01       | PC   | A    | yes
    """
    accepted = records(post=posts)
    assert cohort(FORCE, accepted, AS_OF[0]).rows() == [("P1", "B")]
    assert cohort(FORCE, accepted, date(2021, 2, 1)).rows() == [("P1", "A"), ("P2", "A")]
    assert cohort(FORCE, accepted, date(2022, 1, 2)).rows() == [("P1", "C")]


def _with_cohort(members) -> ForceDefinition:  # type: ignore[no-untyped-def]  # a test's function
    force = small_force()
    parts = {
        name: getattr(force, name)
        for name in (
            "name",
            "title",
            "tables",
            "catalogue",
            "outcome",
            "baselines",
            "calendar",
            "typologies",
            "people",
        )
    }
    return ForceDefinition(**parts, cohort=Cohort(says="", members=members, descriptors=("complaint",)))  # fmt: skip


def test_a_cohort_reads_nothing_that_became_known_later_though_it_stands_in_the_row():
    seen: list[pl.DataFrame] = []

    def members(read, as_of):
        seen.append(read(COMPLAINT, datetime(2022, 1, 1)))
        return seen[-1].select("person_key", "complaint")

    accepted = records(
        complaint="""
        person_key | complaint | happened_on | received_on | closed_on  | upheld
        P1         | K1        | 2021-01-01  | 2021-02-01  | 2021-12-31 | yes
        P2         | K2        | 2021-01-01  | 2021-02-01  | 2022-01-01 | yes
        P3         | K3        | 2021-01-01  | 2022-01-01  | 2022-01-01 | yes
        """
    )
    cohort(_with_cohort(members), accepted, AS_OF[0])
    assert seen[0].select("person_key", "closed_on", "upheld").rows() == [
        ("P1", date(2021, 12, 31), True),
        ("P2", None, None),
    ]


def test_a_cohort_that_names_a_person_twice_is_a_mistake_in_the_definition():
    force = _with_cohort(
        lambda read, as_of: read(COMPLAINT, datetime(2022, 1, 1)).select("person_key", "complaint")
    )
    twice = """
        person_key | complaint | happened_on | received_on
        P1         | K1        | 2021-01-01  | 2021-02-01
        P1         | K2        | 2021-01-01  | 2021-02-01
    """
    with pytest.raises(ValueError, match="names P1 more than once"):
        cohort(force, records(complaint=twice), AS_OF[0])


def test_cases_are_dated_by_the_conduct():
    assert FORCE.outcome.cases.table is CASES
    assert FORCE.outcome.cases.occurred_at is None
