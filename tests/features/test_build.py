"""What "point in time" means, as tables: records in, feature rows out.

A feature at a date uses records of the window before that date, as far as the force knew them before that
date, in the version that stood then. Times without an hour are midnights; `-` is nothing.
"""

from __future__ import annotations

from datetime import date, datetime

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from features.build import FeatureColumn, FeatureSchema, FeatureTable, build
from features.definition import ForceDefinition
from features.errors import WrongUsage
from tests.features.small_force import FORCE, TWO_PEOPLE, InMemory, count, idea, records, small_force
from tests.features.tables_as_text import frame

SCHEMA: dict[str, pl.DataType] = dict.fromkeys(FORCE.catalogue.columns, pl.Float64())
SCHEMA |= {"person_key": pl.String(), "as_of": pl.Date(), "rank": pl.Int32(), "team": pl.String()}


def features(expected: str, accepted: InMemory, force: ForceDefinition = FORCE) -> None:
    """Build the dates that `expected` draws and compare the columns and people that it draws."""
    drawn = frame(expected, SCHEMA)
    built = build(force, accepted, drawn["as_of"].unique().to_list()).frame
    found = drawn.select("person_key", "as_of").join(
        built, on=["person_key", "as_of"], how="left", maintain_order="left"
    )
    assert_frame_equal(found.select(drawn.columns), drawn, check_exact=True)


# --- The window --------------------------------------------------------------------------------------


def test_window_begins_with_its_first_midnight_and_ends_before_the_as_of_date():
    features(
        """
        person_key | as_of      | claims_30d | minutes_30d
        P1         | 2024-03-31 | 2          | 6
        """,
        records(
            post=TWO_PEOPLE,
            claim="""
            person_key | claim | minutes | occurred_at                | known_at
            P1         | C1    | 1       | 2024-02-29T23:59:59.999999 | 2024-03-02
            P1         | C2    | 2       | 2024-03-01                 | 2024-03-02
            P1         | C3    | 4       | 2024-03-30T23:59:59.999999 | 2024-03-30T23:59:59.999999
            P1         | C4    | 8       | 2024-03-31                 | 2024-03-30
            """,
        ),
    )


def test_one_scan_answers_every_window_and_date():
    features(
        """
        person_key | as_of      | claims_30d | claims_60d | minutes_60d
        P1         | 2024-02-01 | 1          | 1          | 1
        P1         | 2024-03-01 | 1          | 2          | 3
        P1         | 2024-04-01 | 0          | 1          | 2
        P2         | 2024-02-01 | 0          | 0          | 0
        P2         | 2024-03-01 | 1          | 1          | 4
        P2         | 2024-04-01 | 0          | 1          | 4
        """,
        records(
            post=TWO_PEOPLE,
            claim="""
            person_key | claim | minutes | occurred_at      | known_at
            P1         | C1    | 1       | 2024-01-15T10:00 | 2024-01-16
            P1         | C2    | 2       | 2024-02-15T10:00 | 2024-02-16
            P2         | C3    | 4       | 2024-02-20T22:30 | 2024-02-21
            """,
        ),
    )


def test_thirty_days_before_the_first_of_march_depend_on_the_leap_day():
    claims = """
        person_key | claim | minutes | occurred_at | known_at
        P1         | C1    | 1       | 2023-01-29  | 2023-01-29
        P1         | C2    | 2       | 2023-01-30  | 2023-01-30
        P1         | C3    | 4       | 2024-01-30  | 2024-01-30
        P1         | C4    | 8       | 2024-01-31  | 2024-01-31
        P1         | C5    | 16      | 2024-02-29  | 2024-02-29T18:00
    """
    features(
        """
        person_key | as_of      | minutes_30d
        P1         | 2023-03-01 | 2
        P1         | 2024-02-29 | 12
        P1         | 2024-03-01 | 24
        P1         | 2024-03-30 | 16
        P1         | 2024-03-31 | 0
        """,
        records(post=TWO_PEOPLE, claim=claims),
    )


def test_records_of_long_ago_lie_in_no_window_but_still_make_a_register():
    features(
        """
        person_key | as_of      | complaints_30d | complaints_3650d | days_in_service
        P1         | 2024-01-01 | 0              | 1                | 21915
        """,
        records(
            post="""
            person_key | occurred_at | known_at   | rank | team | joined_on
            P1         | 1919-05-25  | 1919-05-25 | PC   | A    | 1964-01-01
            """,
            complaint="""
            person_key | complaint | happened_on | received_on
            P1         | K1        | 1919-05-25  | 1919-05-26
            P1         | K2        | 2014-01-02  | 2014-01-03
            P1         | K3        | 2014-01-03  | 2014-01-05
            """,
        ),
    )


# --- What was known ----------------------------------------------------------------------------------


def test_event_known_at_or_after_as_of_is_invisible():
    features(
        """
        person_key | as_of      | minutes_30d
        P1         | 2024-03-10 | 1
        P1         | 2024-03-11 | 7
        """,
        records(
            post=TWO_PEOPLE,
            claim="""
            person_key | claim | minutes | occurred_at | known_at
            P1         | C1    | 1       | 2024-03-05  | 2024-03-09T23:59:59.999999
            P1         | C2    | 2       | 2024-03-05  | 2024-03-10
            P1         | C3    | 4       | 2024-03-05  | 2024-03-10T09:00
            """,
        ),
    )


def test_late_record_counts_from_the_date_it_was_known_and_leaves_with_its_window():
    features(
        """
        person_key | as_of      | claims_30d | claims_60d | days_since_claim_30d
        P1         | 2024-02-15 | 0          | 0          | -
        P1         | 2024-02-20 | 0          | 0          | -
        P1         | 2024-02-21 | 1          | 1          | 20
        P1         | 2024-03-02 | 1          | 1          | 30
        P1         | 2024-03-03 | 0          | 1          | -
        P1         | 2024-04-01 | 0          | 1          | -
        P1         | 2024-04-02 | 0          | 0          | -
        """,
        records(
            post=TWO_PEOPLE,
            claim="""
            person_key | claim | minutes | occurred_at      | known_at
            P1         | C1    | 1       | 2024-02-01T08:00 | 2024-02-20T12:00
            """,
        ),
    )


def test_a_date_is_its_midnight():
    features(
        """
        person_key | as_of      | complaints_30d
        P1         | 2024-03-10 | 0
        P1         | 2024-03-11 | 1
        P1         | 2024-04-08 | 1
        P1         | 2024-04-09 | 0
        """,
        records(
            post=TWO_PEOPLE,
            complaint="""
            person_key | complaint | happened_on | received_on
            P1         | K1        | 2024-03-09  | 2024-03-10
            """,
        ),
    )


def test_a_finding_counts_from_the_day_it_was_made_though_it_stands_in_an_older_row():
    features(
        """
        person_key | as_of      | complaints_30d | upheld_30d
        P1         | 2024-03-20 | 2              | 0
        P1         | 2024-03-21 | 2              | 1
        """,
        records(
            post=TWO_PEOPLE,
            complaint="""
            person_key | complaint | happened_on | received_on | closed_on  | upheld
            P1         | K1        | 2024-03-09  | 2024-03-10  | 2024-03-20 | yes
            P1         | K2        | 2024-03-09  | 2024-03-10  | 2024-03-20 | no
            """,
        ),
    )


def test_a_row_declared_known_before_its_table_recorded_it_counts_from_the_later_time():
    features(
        """
        person_key | as_of      | upheld_30d
        P1         | 2024-03-15 | 0
        P1         | 2024-03-16 | 1
        """,
        records(
            post=TWO_PEOPLE,
            complaint="""
            person_key | complaint | happened_on | received_on | closed_on  | upheld
            P1         | K1        | 2024-03-09  | 2024-03-15  | 2024-03-10 | yes
            """,
        ),
    )


def test_a_record_without_one_of_its_times_is_no_event():
    features(
        """
        person_key | as_of      | claims_30d
        P1         | 2024-03-31 | 0
        """,
        records(
            post=TWO_PEOPLE,
            claim="""
            person_key | claim | minutes | occurred_at | known_at
            P1         | C1    | 1       | -           | 2024-03-20
            P1         | C2    | 2       | 2024-03-20  | -
            """,
        ),
    )


# --- Corrections -------------------------------------------------------------------------------------


def test_a_correction_counts_from_when_it_was_known_and_changes_nothing_before():
    features(
        """
        person_key | as_of      | claims_30d | minutes_30d | mean_30d | least_30d | most_30d
        P1         | 2024-03-10 | 2          | 110         | 55       | 10        | 100
        P1         | 2024-03-15 | 2          | 110         | 55       | 10        | 100
        P1         | 2024-03-16 | 2          | 30          | 15       | 10        | 20
        """,
        records(
            post=TWO_PEOPLE,
            claim="""
            person_key | claim | minutes | occurred_at | known_at
            P1         | C1    | 100     | 2024-03-05  | 2024-03-06
            P1         | C2    | 10      | 2024-03-06  | 2024-03-07
            P1         | C1    | 20      | 2024-03-05  | 2024-03-15
            """,
        ),
    )


def test_a_correction_may_move_an_event_into_or_out_of_a_window_or_to_another_person():
    features(
        """
        person_key | as_of      | minutes_30d | days_since_claim_30d
        P1         | 2024-03-10 | 7           | 2
        P2         | 2024-03-10 | 0           | -
        P1         | 2024-03-20 | 0           | -
        P2         | 2024-03-20 | 2           | 14
        """,
        records(
            post=TWO_PEOPLE,
            claim="""
            person_key | claim | minutes | occurred_at | known_at
            P1         | C1    | 1       | 2024-03-08  | 2024-03-09
            P1         | C1    | 1       | 2023-03-08  | 2024-03-15
            P1         | C2    | 2       | 2024-03-06  | 2024-03-07
            P2         | C2    | 2       | 2024-03-06  | 2024-03-15
            P1         | C3    | 4       | 2024-03-07  | 2024-03-08
            P1         | C3    | 4       | 2024-03-21  | 2024-03-15
            """,
        ),
    )


def test_a_withdrawn_record_is_gone_from_when_that_was_known():
    features(
        """
        person_key | as_of      | claims_30d | most_30d | days_since_claim_30d
        P1         | 2024-03-10 | 2          | 100      | 4
        P1         | 2024-03-12 | 1          | 10       | 7
        P1         | 2024-03-20 | 2          | 30       | 14
        """,
        records(
            post=TWO_PEOPLE,
            claim="""
            person_key | claim | minutes | occurred_at | known_at         | withdrawn
            P1         | C1    | 10      | 2024-03-05  | 2024-03-06       | no
            P1         | C2    | 100     | 2024-03-06  | 2024-03-07       | no
            P1         | C2    | 100     | 2024-03-06  | 2024-03-11T10:00 | yes
            P1         | C2    | 30      | 2024-03-06  | 2024-03-15       | no
            """,
        ),
    )


def test_several_corrections_between_two_dates_leave_only_the_last():
    features(
        """
        person_key | as_of      | minutes_30d | most_30d
        P1         | 2024-03-31 | 4           | 4
        """,
        records(
            post=TWO_PEOPLE,
            claim="""
            person_key | claim | minutes | occurred_at | known_at
            P1         | C1    | 1       | 2024-03-05  | 2024-03-06T10:00
            P1         | C1    | 200     | 2024-03-05  | 2024-03-06T11:00
            P1         | C1    | 4       | 2024-03-05  | 2024-03-06T12:00
            """,
        ),
    )


# --- What is counted ---------------------------------------------------------------------------------


def test_nothing_counts_as_zero_but_has_no_mean_no_extremes_and_no_last_time():
    features(
        """
        person_key | as_of      | claims_30d | minutes_30d | mean_30d | least_30d | most_30d | days_since_claim_30d
        P1         | 2024-03-31 | 0          | 0           | -        | -         | -        | -
        """,
        records(post=TWO_PEOPLE),
    )


def test_a_missing_value_is_counted_as_an_event_and_left_out_of_the_mean():
    features(
        """
        person_key | as_of      | claims_30d | long_claims_30d | minutes_30d | mean_30d | least_30d
        P1         | 2024-03-31 | 3          | 1               | 90          | 45       | 30
        P2         | 2024-03-31 | 1          | 0               | 0           | -        | -
        """,
        records(
            post=TWO_PEOPLE,
            claim="""
            person_key | claim | minutes | occurred_at | known_at
            P1         | C1    | 30      | 2024-03-05  | 2024-03-06
            P1         | C2    | 60      | 2024-03-05  | 2024-03-06
            P1         | C3    | -       | 2024-03-05  | 2024-03-06
            P2         | C4    | -       | 2024-03-05  | 2024-03-06
            """,
        ),
    )


def test_two_different_records_of_the_same_instant_count_twice():
    features(
        """
        person_key | as_of      | claims_30d | minutes_30d
        P1         | 2024-03-31 | 2          | 60
        """,
        records(
            post=TWO_PEOPLE,
            claim="""
            person_key | claim | minutes | occurred_at      | known_at
            P1         | C1    | 30      | 2024-03-05T10:00 | 2024-03-06T10:00
            P1         | C2    | 30      | 2024-03-05T10:00 | 2024-03-06T10:00
            """,
        ),
    )


def test_days_since_the_last_event_are_whole_days_from_its_day():
    features(
        """
        person_key | as_of      | days_since_claim_30d
        P1         | 2024-03-06 | 1
        P1         | 2024-03-07 | 2
        P2         | 2024-03-07 | 2
        """,
        records(
            post=TWO_PEOPLE,
            claim="""
            person_key | claim | minutes | occurred_at      | known_at
            P1         | C1    | 30      | 2024-03-05T00:00 | 2024-03-05
            P2         | C2    | 30      | 2024-03-05T23:59 | 2024-03-06
            """,
        ),
    )


def test_a_rate_over_too_little_says_nothing():
    features(
        """
        person_key | as_of      | claims_per_tour_30d
        P1         | 2024-03-31 | 0.5
        P2         | 2024-03-31 | -
        """,
        records(
            post=TWO_PEOPLE,
            claim="""
            person_key | claim | minutes | occurred_at | known_at
            P1         | C1    | 30      | 2024-03-05  | 2024-03-06
            P2         | C2    | 30      | 2024-03-05  | 2024-03-06
            """,
            tour="""
            person_key | tour | over | occurred_at | known_at
            P1         | T1   | 0    | 2024-03-05  | 2024-03-06
            P1         | T2   | 0    | 2024-03-06  | 2024-03-07
            P2         | T3   | 0    | 2024-03-05  | 2024-03-06
            """,
        ),
    )


def test_a_change_is_the_daily_rate_less_the_daily_rate_of_the_days_before():
    features(
        """
        person_key | as_of      | trend_30d
        P1         | 2024-03-31 | 0.03333333333333333
        P2         | 2024-03-31 | -0.03333333333333333
        """,
        records(
            post=TWO_PEOPLE,
            claim="""
            person_key | claim | minutes | occurred_at | known_at
            P1         | C1    | 30      | 2024-01-01  | 2024-01-01
            P1         | C2    | 30      | 2024-02-29  | 2024-03-02
            P1         | C3    | 30      | 2024-03-01  | 2024-03-02
            P1         | C4    | 30      | 2024-03-30  | 2024-03-30
            P2         | C5    | 30      | 2023-12-31  | 2024-01-02
            P2         | C6    | 30      | 2024-01-31  | 2024-02-02
            P2         | C7    | 30      | 2024-02-01  | 2024-03-30
            """,
        ),
    )


# --- Pairs -------------------------------------------------------------------------------------------


def test_a_pair_counts_once_both_records_are_known():
    features(
        """
        person_key | as_of      | claims_30d | pairs_30d | minutes_beyond_30d
        P1         | 2024-03-07 | 1          | 0         | 0
        P1         | 2024-03-09 | 1          | 1         | 50
        P2         | 2024-03-07 | 0          | 0         | 0
        P2         | 2024-03-09 | 1          | 1         | 10
        """,
        records(
            post=TWO_PEOPLE,
            claim="""
            person_key | claim | minutes | tour | occurred_at | known_at
            P1         | C1    | 60      | T1   | 2024-03-05  | 2024-03-06
            P2         | C2    | 60      | T2   | 2024-03-05  | 2024-03-08
            P2         | C3    | 60      | -    | 2024-01-05  | 2024-01-05
            """,
            tour="""
            person_key | tour | over | occurred_at | known_at
            P1         | T1   | 10   | 2024-03-05  | 2024-03-08T06:00
            P2         | T2   | 50   | 2024-03-05  | 2024-03-06
            """,
        ),
    )


def test_a_pair_follows_the_corrections_of_both_sides():
    features(
        """
        person_key | as_of      | pairs_30d | minutes_beyond_30d
        P1         | 2024-03-08 | 1         | 50
        P1         | 2024-03-10 | 1         | 20
        P1         | 2024-03-12 | 1         | 5
        P1         | 2024-03-14 | 0         | 0
        """,
        records(
            post=TWO_PEOPLE,
            claim="""
            person_key | claim | minutes | tour | occurred_at | known_at
            P1         | C1    | 60      | T1   | 2024-03-05  | 2024-03-06
            P1         | C1    | 45      | T1   | 2024-03-05  | 2024-03-11
            """,
            tour="""
            person_key | tour | over | occurred_at | known_at   | withdrawn
            P1         | T1   | 10   | 2024-03-05  | 2024-03-07 | no
            P1         | T1   | 40   | 2024-03-05  | 2024-03-09 | no
            P1         | T1   | 40   | 2024-03-05  | 2024-03-13 | yes
            """,
        ),
    )


def test_a_pair_waits_for_a_partner_that_was_published_ahead():
    features(
        """
        person_key | as_of      | pairs_30d
        P1         | 2024-03-20 | 0
        P1         | 2024-03-21 | 1
        """,
        records(
            post=TWO_PEOPLE,
            claim="""
            person_key | claim | minutes | tour | occurred_at | known_at
            P1         | C1    | 60      | T1   | 2024-03-05  | 2024-03-06
            """,
            tour="""
            person_key | tour | over | occurred_at | known_at
            P1         | T1   | 10   | 2024-03-20  | 2024-01-01
            """,
        ),
    )


# --- Registers and people ----------------------------------------------------------------------------


def test_a_register_gives_the_latest_value_in_effect_as_far_as_it_was_known():
    features(
        """
        person_key | as_of      | rank | days_in_service
        P1         | 2024-03-01 | 0    | 60
        P1         | 2024-03-11 | 1    | 70
        P1         | 2024-03-13 | 1    | 72
        P1         | 2024-03-15 | 0    | 74
        P2         | 2024-03-01 | -1   | -
        """,
        records(
            post="""
            person_key | occurred_at | known_at   | rank | team | joined_on
            P1         | 2024-01-01  | 2024-01-01 | PC   | A    | 2024-01-01
            P1         | 2024-03-10  | 2024-02-01 | PS   | A    | 2024-01-01
            P1         | 2024-03-12  | 2024-03-13 | PC   | A    | 2024-01-01
            P2         | 2024-01-01  | 2024-01-01 | -    | A    | -
            """
        ),
    )


def test_of_two_register_rows_in_effect_from_one_instant_the_later_known_counts():
    features(
        """
        person_key | as_of      | team_posts
        P1         | 2024-02-15 | 10
        P1         | 2024-03-15 | 12
        """,
        records(
            post=TWO_PEOPLE,
            team="""
            team | posts | occurred_at | known_at
            A    | 12    | 2024-02-01  | 2024-03-01
            A    | 10    | 2024-02-01  | 2024-02-02
            """,
        ),
    )


def test_a_register_looked_up_through_another_follows_both():
    features(
        """
        person_key | as_of      | team_posts | claims_times_posts_30d
        P1         | 2024-03-01 | 10         | 20
        P1         | 2024-03-15 | 30         | 60
        P2         | 2024-03-01 | -          | -
        P2         | 2024-03-15 | -          | -
        """,
        records(
            post="""
            person_key | occurred_at | known_at   | rank | team | joined_on
            P1         | 2024-01-01  | 2024-01-01 | PC   | A    | 2024-01-01
            P1         | 2024-03-10  | 2024-03-10 | PC   | B    | 2024-01-01
            P2         | 2024-01-01  | 2024-01-01 | PC   | C    | 2024-01-01
            """,
            team="""
            team | posts | occurred_at | known_at
            A    | 10    | 2024-01-01  | 2024-01-05
            B    | 20    | 2024-01-01  | 2024-01-05
            B    | 30    | 2024-03-01  | 2024-03-05
            """,
            claim="""
            person_key | claim | minutes | occurred_at | known_at
            P1         | C1    | 30      | 2024-02-25  | 2024-02-26
            P1         | C2    | 30      | 2024-02-26  | 2024-02-26
            """,
        ),
    )


def test_a_person_is_built_on_the_dates_they_are_in_the_cohort():
    accepted = records(
        post="""
        person_key | occurred_at | known_at   | rank | team | joined_on
        P1         | 2024-01-01  | 2024-01-01 | PC   | A    | 2024-01-01
        P2         | 2024-03-01  | 2024-02-01 | PC   | B    | 2024-01-01
        """
    )
    table = build(FORCE, accepted, [date(2024, 3, 2), date(2024, 3, 1)])
    expected = frame(
        """
        person_key | as_of      | team
        P1         | 2024-03-01 | A
        P1         | 2024-03-02 | A
        P2         | 2024-03-02 | B
        """,
        SCHEMA,
    )
    assert_frame_equal(table.descriptors, expected)
    assert_frame_equal(table.frame.select("person_key", "as_of"), expected.select("person_key", "as_of"))


def test_only_the_people_asked_for_are_built():
    built = build(FORCE, records(post=TWO_PEOPLE), [date(2024, 1, 1)], people=pl.Series(["P2", "P9"]))
    assert built.frame["person_key"].to_list() == ["P2"]


def test_nobody_in_the_cohort_makes_an_empty_table_with_every_column():
    built = build(FORCE, records(), [date(2024, 1, 1)])
    assert built.frame.shape == (0, 2 + len(FORCE.catalogue.ordinary().columns))
    assert built.frame.columns[2:] == list(built.schema.names)


def test_only_rows_known_since_a_review_count_for_those_reviewed():
    accepted = records(
        post=TWO_PEOPLE,
        claim="""
        person_key | claim | minutes | occurred_at | known_at
        P1         | C1    | 1       | 2024-03-01  | 2024-03-02
        P1         | C2    | 2       | 2024-03-01  | 2024-03-10T11:59
        P1         | C3    | 4       | 2024-03-01  | 2024-03-10T12:00
        P1         | C4    | 8       | 2024-03-11  | 2024-03-12
        P2         | C5    | 16      | 2024-03-11  | 2024-03-12
        """,
    )
    reviews = pl.DataFrame({"person_key": ["P1"], "known_from": [datetime(2024, 3, 10, 12)]})
    built = build(FORCE, accepted, [date(2024, 3, 31)], rows_known_from=reviews)
    assert built.frame.select("person_key", "minutes_30d", "rank").rows() == [("P1", 12.0, 0)]


def test_person_keys_keep_their_type():
    accepted = records(post=TWO_PEOPLE)
    accepted.frames = {
        name: rows.with_columns(pl.col("person_key").str.strip_prefix("P").cast(pl.Int64))
        if "person_key" in rows.columns
        else rows
        for name, rows in accepted.frames.items()
    }
    assert build(FORCE, accepted, [date(2024, 1, 1)]).frame["person_key"].to_list() == [1, 2]


# --- Dates, categories, schema -----------------------------------------------------------------------


def test_an_as_of_date_is_a_date():
    with pytest.raises(WrongUsage, match="at least one as-of date"):
        build(FORCE, records(), [])
    with pytest.raises(WrongUsage, match="midnight: pass a date"):
        build(FORCE, records(), [datetime(2024, 1, 1, 12)])


def test_categories_keep_the_codes_a_model_was_trained_with_and_unknown_ones_get_none():
    first = build(FORCE, records(post=TWO_PEOPLE), [date(2024, 1, 1)])
    assert first.schema.categories_of("rank") == ("PC", "PS")
    later = records(
        post="""
        person_key | occurred_at | known_at   | rank | team | joined_on
        P1         | 2010-01-01  | 2010-01-01 | CI   | A    | 2010-01-01
        P2         | 2010-01-01  | 2010-01-01 | PS   | A    | 2010-01-01
        """
    )
    second = build(FORCE, later, [date(2024, 1, 1)], schema=first.schema)
    assert second.frame["rank"].to_list() == [-1, 1]
    assert second.schema == first.schema


def test_columns_are_numbers_and_int32_codes_in_the_catalogues_order():
    table = build(FORCE, records(post=TWO_PEOPLE), [date(2024, 1, 1)])
    assert table.frame.columns == ["person_key", "as_of", *FORCE.catalogue.ordinary().columns]
    assert table.frame.schema["rank"] == pl.Int32()
    others = set(table.frame.columns[2:]) - {"rank"}
    assert {table.frame.schema[name] for name in others} == {pl.Float64()}
    assert table.schema.difference(table.frame) is None


def test_a_schema_survives_being_written_down():
    schema = build(FORCE, records(post=TWO_PEOPLE), [date(2024, 1, 1)]).schema
    assert FeatureSchema.from_json(schema.to_json()) == schema


def _schema(*columns: tuple[str, str, tuple[str, ...] | None]) -> FeatureSchema:
    return FeatureSchema(tuple(FeatureColumn(name, kind, list_, name) for name, kind, list_ in columns))  # type: ignore[arg-type]  # two kinds only


def test_two_schemas_are_compared_line_by_line():
    trained = _schema(("a", "number", None), ("b", "number", None), ("rank", "category", ("PC", "PS")))
    found = _schema(("b", "category", ()), ("rank", "category", ("PC",)), ("c", "number", None))
    assert trained.difference(found) == "\n".join(
        [
            "- a (number)",
            "+ c (number)",
            "~ b: number expected, category found",
            "~ b: categories none expected, none found",
            "~ rank: categories PC, PS expected, PC found",
        ]
    )


def test_a_frame_in_another_order_or_of_other_types_differs():
    trained = _schema(("a", "number", None), ("b", "number", None))
    same = pl.DataFrame({"person_key": ["P1"], "as_of": [date(2024, 1, 1)], "a": [1.0], "b": [1.0]})
    assert trained.difference(same) is None
    assert trained.difference(same.select("b", "a")) == "~ order: b where a was expected, and 1 more"
    assert (
        trained.difference(same.with_columns(pl.col("b").cast(pl.String)))
        == "~ b: Float64 expected, String found"
    )


def test_the_fingerprint_tells_declarations_sources_dates_and_people_apart():
    accepted, dates = records(post=TWO_PEOPLE), [date(2024, 1, 1)]
    first = build(FORCE, accepted, dates)
    assert build(FORCE, accepted, dates).fingerprint == first.fingerprint
    changed = records(post=TWO_PEOPLE.replace("PS", "PC"))
    same_name = small_force(*(idea(i.name, count(i.of.events), i.windows) if i.name == "minutes" else i for i in FORCE.catalogue.ideas))  # type: ignore[union-attr]  # minutes is an aggregate  # fmt: skip
    others: list[FeatureTable] = [
        build(FORCE, changed, dates),
        build(FORCE, accepted, [date(2024, 1, 2)]),
        build(FORCE, accepted, dates, people=pl.Series(["P1"])),
        build(same_name, accepted, dates),
    ]
    assert len({first.fingerprint, *(table.fingerprint for table in others)}) == 5


def test_a_feature_table_shows_itself_in_a_notebook():
    shown = build(FORCE, records(post=TWO_PEOPLE), [date(2024, 1, 1)])._repr_html_()
    assert "2 rows" in shown
    assert "claims_30d" in shown


def test_progress_tells_what_is_being_read():
    said: list[str] = []
    build(FORCE, records(post=TWO_PEOPLE), [date(2024, 1, 1)], progress=said.append)
    assert "reading claim: a claim" in said
    assert len(said) == len(set(said))
