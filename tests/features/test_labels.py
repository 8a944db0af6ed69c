"""Who is in the cohort and what became of them, as tables: cases in, labels out."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from random import Random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from features.definition import Alleged, Cohort, ForceDefinition, Leaving, Precedents
from features.labels import ages, cohort, followed, labels
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
    assert_frame_equal(found.drop("expected", "own_lead").sort("person_key", "as_of"), drawn)


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


PARTS = (
    "name", "title", "tables", "catalogue", "cohort", "outcome", "baselines", "calendar", "typologies", "people",
)  # fmt: skip


def _with(**parts) -> ForceDefinition:  # type: ignore[no-untyped-def]  # ForceDefinition checks
    force = small_force()
    return ForceDefinition(**{**{name: getattr(force, name) for name in PARTS}, **parts})


def _with_cohort(members) -> ForceDefinition:  # type: ignore[no-untyped-def]  # a test's function
    return _with(cohort=Cohort(says="", members=members, descriptors=("complaint",)))


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


# --- what is expected of open cases --------------------------------------------------------------------------

TODAY = datetime(2024, 1, 1)
# Cases of two to four years ago tell what becomes of open ones.
PRECEDENTS = Precedents(kinds=("topic", "field"), least_months=24, most_months=48, pull=2.0)


def _expecting(precedents: Precedents = PRECEDENTS) -> ForceDefinition:
    return _with(outcome=replace(FORCE.outcome, precedents=precedents))


def expected_of(cases: str, *, precedents: Precedents = PRECEDENTS) -> float | None:
    """What is expected of P1 for 2022, when these cases are looked at on New Year's day of 2024."""
    found = labels(_expecting(precedents), records(post=ONE, case=cases), AS_OF, seen_by=TODAY)
    return found["expected"].item()


HEAD = "person_key | case | occurred_at | known_at | finding | closed_at | topic | field"
OPEN_SINCE_200_DAYS = "P1 | A | 2022-06-01 | 2023-06-15 | - | - | lies | honesty"
# One of three that lasted 200 days and more was proven; what ended sooner tells nothing of one that old.
OVERALL = """
    P9 | X1 | 2020-01-01 | 2020-06-01 | PROVEN  | 2020-07-01 | rows | manners
    P9 | X2 | 2020-01-01 | 2020-06-01 | PROVEN  | 2021-07-01 | rows | manners
    P9 | X3 | 2020-01-01 | 2020-06-01 | CLEARED | 2021-07-01 | rows | manners
    P9 | X4 | 2020-01-01 | 2020-06-01 | -       | -          | rows | manners
"""


def test_a_person_without_cases_is_expected_to_stay_unconfirmed():
    assert expected_of(HEAD) == 0


def test_an_open_case_counts_with_the_share_of_past_ones_open_as_long_that_were_confirmed():
    assert expected_of(f"{HEAD}\n{OPEN_SINCE_200_DAYS}\n{OVERALL}") == pytest.approx(1 / 3)


def test_a_kind_of_case_counts_for_more_the_more_there_are_of_it():
    """Two of two in the topic, pulled by two towards its field, which is pulled towards the whole (3 of 6)."""
    cases = f"""{HEAD}
    {OPEN_SINCE_200_DAYS}
    {OVERALL}
    P9 | Y1 | 2020-01-01 | 2020-06-01 | PROVEN  | 2021-07-01 | lies  | honesty
    P9 | Y2 | 2020-01-01 | 2020-06-01 | PROVEN  | 2021-07-01 | lies  | honesty
    P9 | Y3 | 2020-01-01 | 2020-06-01 | CLEARED | 2021-07-01 | theft | honesty
    """
    field = (2 + 2 * (3 / 6)) / (3 + 2)
    assert expected_of(cases) == pytest.approx((2 + 2 * field) / (2 + 2))


def test_cases_too_recent_or_too_old_are_no_precedents():
    cases = f"""{HEAD}
    {OPEN_SINCE_200_DAYS}
    {OVERALL}
    P9 | Z1 | 2019-01-01 | 2019-12-31T23:59 | PROVEN | 2021-07-01 | lies | honesty
    P9 | Z2 | 2021-01-01 | 2022-01-01       | PROVEN | 2023-07-01 | lies | honesty
    """
    assert expected_of(cases) == pytest.approx(1 / 3)


def test_with_several_cases_it_is_the_probability_that_any_is_confirmed():
    two_open = f"{OPEN_SINCE_200_DAYS}\n P1 | B | 2022-06-02 | 2023-06-15 | - | - | lies | honesty"
    cleared = "P1 | C | 2022-06-03 | 2023-06-15 | CLEARED | 2023-09-01 | lies | honesty"
    proven = "P1 | D | 2022-06-03 | 2023-06-15 | PROVEN | 2023-09-01 | lies | honesty"
    either = 1 - (2 / 3) ** 2
    assert expected_of(f"{HEAD}\n{two_open}\n{OVERALL}") == pytest.approx(either)
    assert expected_of(f"{HEAD}\n{two_open}\n{cleared}\n{OVERALL}") == pytest.approx(either)
    assert expected_of(f"{HEAD}\n{two_open}\n{proven}\n{OVERALL}") == 1


def test_of_an_open_case_without_precedents_nothing_is_expected():
    proven = "P1 | D | 2022-06-03 | 2023-06-15 | PROVEN | 2023-09-01 | lies | honesty"
    assert expected_of(f"{HEAD}\n{OPEN_SINCE_200_DAYS}") is None
    assert expected_of(f"{HEAD}\n{OPEN_SINCE_200_DAYS}\n{proven}") == 1


def test_what_is_expected_is_told_by_kind_of_conduct():
    """An allegation may be about two kinds, and one that is about none counts for neither."""
    alleged = Alleged(column="topic", beside=("team",), speaks_to={"lies": ("T1", "T2"), "theft": ("T2",)})
    outcome = replace(FORCE.outcome, precedents=PRECEDENTS, alleged=alleged)
    cases = f"""{HEAD}
    {OPEN_SINCE_200_DAYS}
    P1 | B | 2022-06-02 | 2023-06-15 | PROVEN | 2023-09-01 | theft | honesty
    P1 | C | 2022-06-02 | 2023-06-15 | PROVEN | 2023-09-01 | rows  | manners
    {OVERALL}
    """
    found = labels(_with(outcome=outcome), records(post=ONE, case=cases), AS_OF, seen_by=TODAY)
    assert found["about.T1"].item() == pytest.approx(1 / 3)
    assert found["about.T2"].item() == 1
    nobody = labels(_with(outcome=outcome), records(post=ONE, case=HEAD), AS_OF, seen_by=TODAY)
    assert nobody["about.T1"].item() == nobody["about.T2"].item() == 0


def test_an_open_case_without_precedents_counts_for_no_kind_of_conduct():
    alleged = Alleged(column="topic", beside=("team",), speaks_to={"lies": ("T1",)})
    outcome = replace(FORCE.outcome, precedents=PRECEDENTS, alleged=alleged)
    cases = f"{HEAD}\n{OPEN_SINCE_200_DAYS}"
    assert (
        labels(_with(outcome=outcome), records(post=ONE, case=cases), AS_OF, seen_by=TODAY)["about.T1"].item()
        == 0
    )


def test_a_case_is_as_old_as_its_first_version():
    """Both versions of the open case and of the precedent are one case, 200 days old and ended after 395."""
    cases = f"""{HEAD}
    {OPEN_SINCE_200_DAYS}
    P1 | A | 2022-06-01 | 2023-12-30 | - | - | lies | honesty
    P9 | X | 2020-01-01 | 2020-06-01 | -      | -          | rows | manners
    P9 | X | 2020-01-01 | 2021-07-01 | PROVEN | 2021-07-01 | rows | manners
    P9 | Y | 2020-01-01 | 2020-06-01 | CLEARED| 2020-12-01 | rows | manners
    """
    assert expected_of(cases) == 1


def test_as_released_an_open_case_leaves_nothing_to_expect():
    cases = f"{HEAD}\n{OPEN_SINCE_200_DAYS}\n{OVERALL}"
    found = labels(_expecting(), records(post=ONE, case=cases), AS_OF, seen_by=None)
    assert found["expected"].item() is None


def test_a_kind_that_becomes_known_with_the_finding_is_refused():
    outcome = replace(
        FORCE.outcome, cases=COMPLAINT, confirmed=pl.col("upheld"), closed_at="closed_on",
        precedents=Precedents(kinds=("upheld",)),
    )  # fmt: skip
    with pytest.raises(ValueError, match="'upheld' of a case is known only from closed_on"):
        labels(_with(outcome=outcome), records(post=ONE), AS_OF, seen_by=TODAY)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"least_months": 24, "most_months": 24}, "came in between"),
        ({"pull": 0.0}, "pull must be positive"),
    ],
)
def test_precedents_cannot_be_declared_wrong(wrong: dict[str, float], says: str):
    with pytest.raises(ValueError, match=says):
        Precedents(**wrong)  # type: ignore[arg-type]  # what the test is about


def _random_cases(seed: int, n: int = 150) -> list[dict[str, object]]:
    random = Random(seed)
    cases = []
    for number in range(n):
        known = datetime(2019, 6, 1) + timedelta(days=random.randrange(1800))
        closed = known + timedelta(days=random.randrange(700)) if random.random() < 0.8 else None
        topic = random.choice(["lies", "theft", "rows", None])
        cases.append(
            {
                "person_key": random.choice(["P1", "P2"]), "case": str(number), "known_at": known,
                "occurred_at": known - timedelta(days=random.randrange(900)),
                "finding": random.choice(["PROVEN", "CLEARED", "CLEARED"]) if closed else None, "closed_at": closed,
                "topic": topic, "field": {"lies": "honesty", "theft": "honesty"}.get(topic or ""),
            }
        )  # fmt: skip
    return cases


def _frame_of(cases: list[dict[str, object]]) -> pl.DataFrame:
    return pl.DataFrame(cases, schema={name: CASES.schema[name] for name in cases[0]})


def _by_hand(person: str, cases: list[dict], seen_by: datetime) -> float | None:  # type: ignore[type-arg]  # rows
    """What is expected of a person for 2022, by loops over the cases."""
    oldest, latest = datetime(seen_by.year - 4, 1, 1), datetime(seen_by.year - 2, 1, 1)
    known = [case for case in cases if case["known_at"] < seen_by]

    def ended(case: dict) -> bool:  # type: ignore[type-arg]
        return case["closed_at"] is not None and case["closed_at"] < seen_by

    def share(age: timedelta, kinds: dict[str, object]) -> tuple[int, int]:
        like = [
            case
            for case in known
            if oldest <= case["known_at"] < latest
            and all(case[kind] == of for kind, of in kinds.items())
            and not (ended(case) and case["closed_at"] - case["known_at"] < age)
        ]
        return sum(ended(case) and case["finding"] == "PROVEN" for case in like), len(like)

    stays = 1.0
    hopes: list[float | None] = []
    for case in known:
        if case["person_key"] != person or not datetime(2022, 1, 1) <= case["occurred_at"] < datetime(
            2023, 1, 1
        ):
            continue
        if ended(case):
            hopes.append(float(case["finding"] == "PROVEN"))
            continue
        age = seen_by - case["known_at"]
        found, of = share(age, {})
        hope = found / of if of else None
        for kind in ("field", "topic"):
            found, of = share(age, {kind: case[kind]})
            hope = None if hope is None else (found + 2 * hope) / (of + 2)
        hopes.append(hope)
    if 1.0 in hopes:
        return 1.0
    for hope in hopes:
        if hope is None:
            return None
        stays *= 1 - hope
    return 1 - stays


@settings(max_examples=20, derandomize=True, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([TODAY, datetime(2023, 1, 1)]))
def test_what_is_expected_equals_loops_over_the_cases(seed: int, seen_by: datetime):
    cases = _random_cases(seed)
    found = labels(_expecting(), records(post=TWO_PEOPLE, case=_frame_of(cases)), AS_OF, seen_by=seen_by)
    expected = [_by_hand(person, cases, seen_by) for person in found["person_key"]]
    assert found["expected"].to_list() == pytest.approx(expected)


@settings(max_examples=20, derandomize=True, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_nothing_recorded_or_found_at_or_after_the_day_of_looking_moves_what_is_expected(seed: int):
    random = Random(seed)
    cases = _random_cases(seed)
    later = [
        {
            **case,
            "finding": random.choice(["PROVEN", "CLEARED", None]),
            "closed_at": random.choice([None, TODAY, TODAY + timedelta(days=random.randrange(900))]),
        }
        if case["closed_at"] is None or case["closed_at"] >= TODAY  # type: ignore[operator]  # a date
        else case
        for case in cases
        if case["known_at"] < TODAY  # type: ignore[operator]
    ]
    later += [
        {**case, "case": f"{case['case']} later", "known_at": TODAY + timedelta(days=random.randrange(900))}
        for case in _random_cases(seed + 1)
    ]
    found, moved = (
        labels(_expecting(), records(post=TWO_PEOPLE, case=_frame_of(rows)), AS_OF, seen_by=TODAY)
        for rows in (cases, later)
    )
    assert_frame_equal(found, moved, check_exact=True)


FOLLOWED = """
    person_key | case | occurred_at | known_at   | finding | closed_at
    P1         | A    | 2022-01-01  | 2022-02-01 | -       | -
    P1         | A    | 2022-01-01  | 2022-05-12 | PROVEN  | 2022-05-12
    P1         | B    | 2022-01-01  | 2022-02-01 | CLEARED | 2022-02-11
    P1         | C    | 2022-01-01  | 2022-02-01 | -       | -
    P1         | D    | 2022-01-01  | 2023-02-01 | -       | -
"""


def test_a_case_is_followed_from_the_day_it_came_in_until_its_finding_or_until_it_was_last_seen():
    found = followed(FORCE, records(post=ONE, case=FOLLOWED), seen_by=datetime(2022, 6, 1))
    assert sorted(found.rows(), key=str) == [(10, "not confirmed"), (100, "confirmed"), (120, None)]


def test_leaving_ends_a_case_that_was_open_and_no_other():
    resigned = Leaving(events=COMPLAINT, last_day="happened_on")
    force = _with(cohort=replace(FORCE.cohort, leaving=resigned))
    accepted = records(
        post=ONE,
        case=FOLLOWED,
        complaint="""
        person_key | complaint | happened_on | received_on | closed_on | upheld
        P1         | L         | 2022-03-03  | 2022-03-03  | -         | -
        """,
    )
    found = followed(force, accepted, seen_by=datetime(2022, 6, 1))
    assert sorted(found.rows(), key=str) == [(10, "not confirmed"), (30, "left"), (30, "left")]
    earlier = followed(force, accepted, seen_by=datetime(2022, 3, 1))
    assert sorted(earlier.rows(), key=str) == [(10, "not confirmed"), (28, None), (28, None)]


def test_the_cases_of_a_date_have_the_age_they_had_when_looked_at():
    found = ages(
        FORCE,
        records(post=ONE, case=FOLLOWED),
        [date(2021, 6, 1), date(2022, 2, 1)],
        seen_by=datetime(2022, 2, 11),
    )
    assert found.rows() == [(date(2021, 6, 1), 10)] * 3


@pytest.mark.parametrize(
    ("cases", "own_lead"),
    [
        ("P1 | A | 2022-06-01 | 2022-07-01 | PROVEN  | 2022-09-01 | lead", True),
        ("P1 | A | 2022-06-01 | 2022-07-01 | -       | -          | lead", True),
        ("P1 | A | 2022-06-01 | 2022-07-01 | CLEARED | 2022-09-01 | lead", False),
        ("P1 | A | 2022-06-01 | 2022-07-01 | PROVEN  | 2022-09-01 | other", False),
        ("P1 | A | 2021-06-01 | 2021-07-01 | PROVEN  | 2021-09-01 | lead", False),
    ],
)
def test_what_our_own_lead_alone_confirms_or_may_yet_is_marked(cases: str, own_lead: bool):
    assert _own_lead(cases) is own_lead


def test_what_another_case_confirms_too_is_not_our_own():
    both = """P1 | A | 2022-06-01 | 2022-07-01 | PROVEN | 2022-09-01 | lead
              P1 | B | 2022-06-01 | 2022-07-01 | {}     | {}         | other"""
    assert not _own_lead(both.format("PROVEN", "2022-10-01"))
    assert _own_lead(both.format("-", "-"))
    assert _own_lead(both.format("CLEARED", "2022-10-01"))


def _own_lead(cases: str) -> bool:
    force = _with(outcome=replace(FORCE.outcome, own_leads=pl.col("topic") == "lead"))
    text = f"person_key | case | occurred_at | known_at | finding | closed_at | topic\n{cases}"
    found = labels(force, records(post=ONE, case=text), AS_OF, seen_by=datetime(2024, 1, 1))
    return found["own_lead"].item()
