"""The rows behind a value: those that made it, and no others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from features.build import build
from features.catalogue import uk
from features.errors import WrongUsage
from features.events import Records
from features.evidence import rows_behind, rows_behind_each
from features.specs import Aggregate
from tests.features.random_records import AS_OFS, PEOPLE, accepted, random_rows
from tests.features.small_force import FORCE, TWO_PEOPLE, InMemory, records

AS_OF = date(2024, 3, 31)
ACCEPTED = records(
    post=TWO_PEOPLE,
    claim="""
    person_key | claim | minutes | tour | occurred_at | known_at   | withdrawn
    P1         | C0    | 5       | T0   | 2024-02-29  | 2024-03-02 | no
    P1         | C1    | 90      | T1   | 2024-03-01  | 2024-03-02 | no
    P1         | C1    | 60      | T1   | 2024-03-01  | 2024-03-20 | no
    P1         | C2    | 30      | -    | 2024-03-05  | 2024-03-06 | no
    P1         | C3    | 7       | -    | 2024-03-05  | 2024-03-31 | no
    P1         | C4    | 9       | -    | 2024-03-05  | 2024-03-06 | no
    P1         | C4    | 9       | -    | 2024-03-05  | 2024-03-07 | yes
    P2         | C5    | 11      | -    | 2024-03-05  | 2024-03-06 | no
    """,
    tour="""
    person_key | tour | over | occurred_at | known_at
    P1         | T1   | 10   | 2024-03-01  | 2024-03-04
    P1         | T2   | 0    | 2024-03-02  | 2024-03-04
    """,
    team="""
    team | posts | occurred_at | known_at
    A    | 10    | 2024-01-01  | 2024-01-05
    A    | 12    | 2024-02-01  | 2024-02-05
    """,
)


def evidence(column: str, accepted: InMemory = ACCEPTED) -> pl.DataFrame:
    return rows_behind(FORCE, accepted, column, person_key="P1", as_of=AS_OF)


def test_a_count_leads_to_the_rows_that_were_counted_in_the_version_that_stood():
    found = evidence("claims_30d")
    assert found.select("part", "table", "source_row", "value", "claim").rows() == [
        ("value", "claim", 3, 1.0, "C1"),
        ("value", "claim", 4, 1.0, "C2"),
    ]


def test_a_sum_leads_to_the_rows_and_what_each_adds():
    assert evidence("minutes_30d").select("source_row", "value", "minutes").rows() == [
        (3, 60.0, 60),
        (4, 30.0, 30),
    ]


def test_a_condition_of_the_feature_is_a_condition_of_its_rows():
    assert evidence("long_claims_30d")["claim"].to_list() == ["C1"]


def test_both_sides_of_a_ratio_are_shown():
    rows = evidence("claims_per_tour_30d").select("part", "table", "source_row").rows()
    assert rows == [("top", "claim", 3), ("top", "claim", 4), ("bottom", "tour", 1), ("bottom", "tour", 2)]


def test_a_pair_shows_both_of_its_rows():
    rows = (
        evidence("minutes_beyond_30d")
        .select("part", "table", "source_row", "value", "minutes", "over")
        .rows()
    )
    assert rows == [("value", "claim", 3, 50.0, 60, None), ("value / tour", "tour", 1, None, None, 10)]


def test_a_change_shows_its_window_and_what_it_is_set_against():
    rows = evidence("trend_30d").select("part", "claim").rows()
    assert rows == [("window", "C1"), ("window", "C2"), ("baseline", "C0")]


def test_a_register_shows_the_one_row_that_counts_and_the_row_it_was_looked_up_by():
    rows = evidence("team_posts").select("part", "table", "source_row", "value").rows()
    assert rows == [("latest / via", "post", 1, None), ("latest", "team", 2, 12.0)]
    assert evidence("rank").select("part", "source_row", "rank").rows() == [("latest", 1, "PC")]


def test_no_rows_stand_behind_nothing():
    assert evidence("complaints_30d").height == 0
    stranger = rows_behind(FORCE, ACCEPTED, "team_posts", person_key="P9", as_of=AS_OF)
    assert stranger.height == 0


def test_an_unknown_feature_is_named_with_its_nearest():
    with pytest.raises(WrongUsage, match=r"found 'claim_30d'.*'claims_30d'"):
        evidence("claim_30d")


def test_a_screened_row_is_never_shown_and_its_type_neither():
    accepted_rows = records(
        post=TWO_PEOPLE,
        spell="""
        person_key | kind      | occurred_at | known_at
        P1         | OTHER     | 2024-03-05  | 2024-03-06
        P1         | PREGNANCY | 2024-03-07  | 2024-03-08
        """,
    )
    found = evidence("spells_30d", accepted_rows)
    assert found["source_row"].to_list() == [1]
    assert "kind" not in found.columns


def test_over_the_whole_catalogue_the_rows_add_up_to_the_value():
    tables = tuple(table for table in uk.FORCE.tables if not table.enclave)
    given = accepted(tables, random_rows(tables, 5, rows_a_table=80))
    built = build(uk.FORCE, given, AS_OFS[1:2], catalogue=uk.CATALOGUE)
    row = next(built.frame.iter_rows(named=True))
    compared = 0
    for one in uk.CATALOGUE.ideas:
        if not isinstance(one.of, Aggregate) or one.of.how not in ("count", "sum"):
            continue
        for name in one.columns:
            rows = rows_behind(uk.FORCE, given, name, person_key=row["person_key"], as_of=row["as_of"])
            assert rows.filter(part="value")["value"].sum() == pytest.approx(row[name], abs=1e-4), name
            compared += row[name] != 0
    assert compared > 20


class _Counting:
    """Accepted rows that count how often each table is read."""

    def __init__(self, given: Records) -> None:
        self.given, self.read = given, Counter[str]()

    @property
    def fingerprints(self) -> Mapping[str, str]:
        return self.given.fingerprints

    def scan(self, name: str) -> pl.LazyFrame:
        self.read[name] += 1
        return self.given.scan(name)


def test_asked_for_many_at_once_each_person_and_feature_has_the_rows_it_has_alone():
    tables = tuple(table for table in uk.FORCE.tables if not table.enclave)
    given = accepted(tables, random_rows(tables, 6, rows_a_table=60))
    as_of = AS_OFS[1]
    wanted = [(person, column) for column in uk.CATALOGUE.columns[::3] for person in PEOPLE]
    together = rows_behind_each(uk.FORCE, given, wanted, as_of=as_of)
    assert list(together) == wanted
    shown = 0
    for (person, column), rows in together.items():
        alone = rows_behind(uk.FORCE, given, column, person_key=person, as_of=as_of)
        assert_frame_equal(rows, alone)
        shown += len(rows)
    assert shown > 1000


def test_a_table_is_gone_through_once_however_many_ask_for_its_rows():
    counting = _Counting(ACCEPTED)
    wanted = [(person, column) for person in ("P1", "P2") for column in ("claims_30d", "minutes_30d")]
    rows_behind_each(FORCE, counting, wanted, as_of=AS_OF)
    assert counting.read == {"claim": 1}
