"""The suites in `expectations/` say what the declarations say, and compiled they mean what they say.

Great Expectations itself is the judge: on random frames with empty values, duplicates and values at the
edges, the compiled form of each type finds the same rows.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features import contracts
from features.contracts import (
    FRESH_FROM,
    IDENTITY_MAP,
    apply,
    compile_suite,
    load_suite,
    suite_as_text,
    suite_for,
    validate_in_great_expectations,
    validation_result,
)
from features.errors import WrongUsage
from features.rules import COMPILERS
from features.sources import SOURCE_ROW
from features.tables import Column, Table, chicago, uk
from tests.features.conftest import START

EXPECTATIONS = Path(__file__).parents[2] / "expectations"
FORCES = {"simulated": uk.TABLES, "chicago": chicago.TABLES}
EVERY_TABLE = [(force, table) for force, tables in FORCES.items() for table in tables]


# --- suites -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("force", "table"), EVERY_TABLE, ids=lambda value: getattr(value, "name", value))
def test_the_committed_suite_is_the_one_the_declaration_gives(force: str, table: Table) -> None:
    committed = (EXPECTATIONS / force / f"{table.name}.json").read_text("utf-8")
    assert committed == suite_as_text(suite_for(table))


@pytest.mark.parametrize("force", FORCES)
def test_there_is_one_suite_a_table_and_no_other(force: str) -> None:
    files = {path.stem for path in (EXPECTATIONS / force).iterdir()}
    assert files == {table.name for table in FORCES[force]}


@pytest.mark.parametrize(("force", "table"), EVERY_TABLE, ids=lambda value: getattr(value, "name", value))
def test_great_expectations_loads_every_expectation_of_a_suite(force: str, table: Table) -> None:
    contracts.quiet_great_expectations()  # PySpark, where it is installed, warns of pandas
    from great_expectations.core.expectation_suite import ExpectationSuite

    written = load_suite(EXPECTATIONS / force / f"{table.name}.json")
    loaded = ExpectationSuite(**written).to_json_dict()["expectations"]
    assert len(loaded) == len(written["expectations"]) > 0  # type: ignore[arg-type]  # a list, in their JSON
    assert loaded == written["expectations"]


@pytest.mark.parametrize(("force", "table"), EVERY_TABLE, ids=lambda value: getattr(value, "name", value))
def test_every_expectation_we_write_has_a_name_and_plain_words(force: str, table: Table) -> None:
    expectations = suite_for(table)["expectations"]
    assert all(one["notes"].endswith(".") for one in expectations)
    assert len({one["meta"]["rule"] for one in expectations}) == len(expectations)
    assert {one["type"] for one in expectations} <= COMPILERS.keys()


def _rules(table: Table) -> set[str]:
    return {one["meta"]["rule"] for one in suite_for(table)["expectations"]}


def test_a_correctable_table_is_unique_by_key_and_time_known() -> None:
    assert "version_is_unique" in _rules(uk.DUTY_WORKED)
    assert "duty_id_is_unique" in _rules(uk.DUTY_PLAN)
    assert "key_is_unique" in _rules(uk.TEAM_STRENGTH)


def test_a_number_of_another_system_is_asked_for_in_the_identity_map() -> None:
    assert "user_no_is_in_identity_map" in _rules(uk.SYSTEM_ACCESS)
    assert "person_key_is_in_establishment" in _rules(uk.IDENTITY_MAP)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"name": "x", "expectations": [], "meta": {}}', "no expectation"),
        ("{not json", "not a Great Expectations suite"),
        ('{"name": "x"}', "not a Great Expectations suite"),
        (
            '{"name": "x", "expectations": [{"type": "expect_the_unheard_of", "kwargs": {}}]}',
            "does not know",
        ),
    ],
)
def test_a_suite_that_would_lose_an_expectation_is_not_loaded(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text, "utf-8")
    with pytest.raises(WrongUsage, match=reason):
        load_suite(path)


def test_a_missing_suite_is_named(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match=r"duty_plan\.json"):
        load_suite(tmp_path / "duty_plan.json")


def test_a_parameter_that_nothing_fills_in_is_named() -> None:
    with pytest.raises(WrongUsage, match=IDENTITY_MAP):
        compile_suite(suite_for(uk.SYSTEM_ACCESS), {FRESH_FROM: START})


def test_two_rules_of_one_name_are_refused() -> None:
    suite = suite_for(uk.TEAM_STRENGTH)
    suite["expectations"].append(suite["expectations"][-1])
    with pytest.raises(WrongUsage, match="two rules named"):
        compile_suite(suite)


def test_a_rule_about_an_undeclared_column_is_refused() -> None:
    with pytest.raises(WrongUsage, match="does not declare"):
        _applied(
            {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "nowhere"}},
            pl.DataFrame({"a": [1]}),
        )


# --- compiled equals Great Expectations -------------------------------------------------------------


def _applied(expectation: dict[str, Any], frame: pl.DataFrame, **parameters: pl.Series):
    rules = compile_suite({"name": "one", "expectations": [expectation]}, parameters)
    return apply(rules, _numbered(frame).lazy())


def _numbered(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_row_index(SOURCE_ROW, offset=1).with_columns(pl.col(SOURCE_ROW).cast(pl.Int64()))


def _agrees(kind: str, kwargs: dict[str, Any], frame: pl.DataFrame) -> None:
    """The compiled form and Great Expectations find the same rows and say the same of them."""
    expectation = {"type": kind, "kwargs": kwargs}
    applied = _applied(expectation, frame)
    assert applied.rules[0].shape != "foreign", "compiled, so that it is the compiler that is compared"
    (check,) = applied.checks(applied.quarantined)
    theirs = validate_in_great_expectations(expectation, _numbered(frame))
    assert check.success == theirs.success
    if check.unexpected is None:
        return
    details = theirs.result
    assert check.elements == details["element_count"]
    assert check.missing == details.get("missing_count", 0)
    assert check.unexpected == details["unexpected_count"]
    broken = applied.quarantined.collect()[SOURCE_ROW].to_list()
    assert sorted(broken) == sorted(details["unexpected_index_list"] or [])
    assert applied.accepted.collect().height + len(broken) == frame.height


@dataclass(frozen=True)
class Tried:
    """Frames to try a type of expectation on: columns `a`, `b`, ... of few rows, null here and there."""

    columns: tuple[tuple[st.SearchStrategy[Any], pl.DataType], ...]
    never_empty: bool = False

    def frames(self) -> st.SearchStrategy[pl.DataFrame]:
        schema = {name: dtype for name, (_, dtype) in zip("abcd", self.columns, strict=False)}
        row = st.tuples(*(st.none() | values for values, _ in self.columns))
        frames = st.lists(row, max_size=12).map(lambda rows: pl.DataFrame(rows, schema=schema, orient="row"))
        return frames.filter(_has_a_value) if self.never_empty else frames


def _column(values: st.SearchStrategy[Any], dtype: pl.DataType) -> Tried:
    return Tried(((values, dtype),))


def _two_columns(values: st.SearchStrategy[Any], dtype: pl.DataType) -> Tried:
    return Tried(((values, dtype),) * 2)


def _has_a_value(frame: pl.DataFrame) -> bool:
    return frame["a"].count() > 0


# Few distinct values, so that duplicates and equal pairs are common; the awkward ones among them.
TEXTS = st.sampled_from(
    ["P000001", "P000001\n", " P000001", "P00000٣", "p000001", "", "é", "None", "nan", "a b"]
)
WHOLE = st.sampled_from([-1, 0, 1, 2, 1440, 1441, 2**53, -(2**53)])
NUMBERS = st.sampled_from([0.0, -0.0, 0.1, 1.0, 1.0000000001, -1.5, math.inf, -math.inf])
INSTANTS = st.sampled_from(
    [datetime(2020, 1, 1), datetime(2020, 1, 1, 0, 0, 0, 1), datetime(1970, 1, 1), datetime(2200, 1, 1)]
)
DAYS = st.sampled_from([date(2020, 1, 1), date(2020, 1, 2), date(1919, 5, 25)])

TEXT, INT, FLOAT, INSTANT, DAY = pl.String(), pl.Int64(), pl.Float64(), pl.Datetime("us"), pl.Date()
TRUTH = pl.Boolean()
EVERY_TYPE = [
    (TEXTS, TEXT),
    (WHOLE, INT),
    (NUMBERS, FLOAT),
    (st.booleans(), TRUTH),
    (INSTANTS, INSTANT),
    (DAYS, DAY),
]
PATTERNS = [r"^(?:P\d{6})\Z", r"^(?:P\d{6})$", r"P\d", r"^[^A-Z]*\d+$", r"^$", r"a.b|nan", r"^P0{5}\d?$|\."]
PAIR = "expect_column_pair_values_a_to_be_greater_than_b"
AB = {"column_A": "a", "column_B": "b", "ignore_row_if": "either_value_is_missing"}

# type, its arguments, frames to try it on
CASES: dict[str, tuple[str, list[dict[str, Any]], Tried]] = {
    **{
        f"present_{dtype}": ("expect_column_values_to_not_be_null", [{"column": "a"}, {"column": "a", "mostly": 0.5}], _column(values, dtype))
        for values, dtype in EVERY_TYPE
    },
    "unique": ("expect_column_values_to_be_unique", [{"column": "a"}], _column(TEXTS, TEXT)),
    "unique_number": ("expect_column_values_to_be_unique", [{"column": "a"}], _column(NUMBERS, FLOAT)),
    "compound": (
        "expect_compound_columns_to_be_unique",
        [{"column_list": ["a", "b"], "ignore_row_if": missing} for missing in ("never", "any_value_is_missing", "all_values_are_missing")],
        _two_columns(TEXTS, TEXT),
    ),
    "unique_whole": ("expect_column_values_to_be_unique", [{"column": "a"}], _column(WHOLE, INT)),
    "compound_of_types": (
        "expect_compound_columns_to_be_unique",
        [{"column_list": ["a", "b"], "ignore_row_if": "never"}, {"column_list": ["a", "b", "c", "d"], "ignore_row_if": "never"}],
        Tried(((st.sampled_from(["P000001", ""]), TEXT), (INSTANTS, INSTANT), (st.sampled_from([0, 1]), INT), (st.sampled_from([0.5, -0.0, 0.0]), FLOAT))),
    ),
    "compound_of_days": ("expect_compound_columns_to_be_unique", [{"column_list": ["a", "b"], "ignore_row_if": "never"}], Tried(((st.sampled_from([1, 2]), INT), (DAYS, DAY)))),
    "in_set": ("expect_column_values_to_be_in_set", [{"column": "a", "value_set": ["P000001", "é"]}, {"column": "a", "value_set": []}, {"column": "a", "value_set": [""], "mostly": 0.3}], _column(TEXTS, TEXT)),
    "in_set_of_numbers": ("expect_column_values_to_be_in_set", [{"column": "a", "value_set": [0, 1440]}, {"column": "a", "value_set": ["x"]}], _column(WHOLE, INT)),
    "between": (
        "expect_column_values_to_be_between",
        [{"column": "a", "min_value": 0, "max_value": 1440}, {"column": "a", "min_value": 1}, {"column": "a", "max_value": 1, "strict_max": True}, {"column": "a", "min_value": 0, "max_value": 2, "strict_min": True}],
        _column(WHOLE, INT),
    ),
    "between_numbers": ("expect_column_values_to_be_between", [{"column": "a", "min_value": 0.1, "max_value": 1.0}, {"column": "a", "min_value": 0}], _column(NUMBERS, FLOAT)),
    "regex": ("expect_column_values_to_match_regex", [{"column": "a", "regex": pattern} for pattern in PATTERNS], _column(TEXTS, TEXT)),
    "pair_of_instants": (PAIR, [{**AB, "or_equal": True}, {**AB, "or_equal": False}, AB], _two_columns(INSTANTS, INSTANT)),
    "pair_of_days": (PAIR, [{**AB, "or_equal": True}], _two_columns(DAYS, DAY)),
    "pair_of_numbers": (PAIR, [{**AB, "or_equal": True, "mostly": 0.5}], _two_columns(NUMBERS, FLOAT)),
    "rows": ("expect_table_row_count_to_be_between", [{"min_value": 1}, {"min_value": 2, "max_value": 4}], _column(TEXTS, TEXT)),
    "columns": ("expect_table_columns_to_match_set", [{"column_set": ["a", "b"], "exact_match": False}, {"column_set": ["a"], "exact_match": True}, {"column_set": ["a", "z"], "exact_match": False}], _two_columns(TEXTS, TEXT)),
    "column": ("expect_column_to_exist", [{"column": "a"}, {"column": "z"}], _column(TEXTS, TEXT)),
    "latest": ("expect_column_max_to_be_between", [{"column": "a", "min_value": datetime(2020, 1, 1)}], replace(_column(INSTANTS, INSTANT), never_empty=True)),
    "type_text": ("expect_column_values_to_be_of_type", [{"column": "a", "type_": "str"}, {"column": "a", "type_": "int64"}], _column(TEXTS, TEXT)),
    "type_whole": ("expect_column_values_to_be_of_type", [{"column": "a", "type_": "int64"}, {"column": "a", "type_": "float64"}], _column(WHOLE, INT)),
    "type_number": ("expect_column_values_to_be_of_type", [{"column": "a", "type_": "float64"}, {"column": "a", "type_": "str"}], _column(NUMBERS, FLOAT)),
    "type_truth": ("expect_column_values_to_be_of_type", [{"column": "a", "type_": "bool"}, {"column": "a", "type_": "int64"}], _column(st.booleans(), pl.Boolean())),
    "type_instant": ("expect_column_values_to_be_of_type", [{"column": "a", "type_": "datetime64[us]"}, {"column": "a", "type_": "str"}], _column(INSTANTS, INSTANT)),
    "type_day": ("expect_column_values_to_be_of_type", [{"column": "a", "type_": "datetime64[s]"}, {"column": "a", "type_": "str"}], _column(DAYS, DAY)),
}  # fmt: skip


def test_every_compiled_type_is_held_against_great_expectations() -> None:
    assert {kind for kind, _, _ in CASES.values()} == COMPILERS.keys()


def _every_committed_suite() -> Iterator[tuple[Table, dict[str, Any]]]:
    for force, table in EVERY_TABLE:
        yield from (
            (table, one) for one in load_suite(EXPECTATIONS / force / f"{table.name}.json")["expectations"]
        )


def test_every_type_that_a_suite_uses_is_tried_on_the_types_of_its_columns() -> None:
    used = {
        (one["type"], table.by_name[column].dtype)
        for table, one in _every_committed_suite()
        for column in _columns_of(one["kwargs"])
    }
    tried = {(kind, dtype) for kind, _, frames in CASES.values() for _, dtype in frames.columns}
    assert used <= tried, "add a case for each"
    kinds = {one["type"] for _, one in _every_committed_suite()}
    assert kinds <= {kind for kind, _, _ in CASES.values()}


def test_every_argument_that_a_suite_gives_is_tried() -> None:
    used = {(one["type"], key) for _, one in _every_committed_suite() for key in one["kwargs"]}
    tried = {(kind, key) for kind, arguments, _ in CASES.values() for kwargs in arguments for key in kwargs}
    assert used <= tried, "add a case for each"


def _columns_of(kwargs: dict[str, Any]) -> list[str]:
    return [kwargs[key] for key in ("column", "column_A", "column_B") if key in kwargs] + list(
        kwargs.get("column_list", ())
    )


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_compiled_finds_what_great_expectations_finds(case: str) -> None:
    kind, arguments, tried = CASES[case]

    @settings(
        max_examples=30,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(frame=tried.frames(), kwargs=st.sampled_from(arguments))
    def agrees(frame: pl.DataFrame, kwargs: dict[str, Any]) -> None:
        _agrees(kind, kwargs, frame)

    agrees()


EDGES: dict[pl.DataType, list[Any]] = {
    TEXT: [None, "P000001", "P000001", "P000001\n", "P00000٣", "", "é", "nan", None],
    INT: [None, 0, 0, -1, 1, 2, 1440, 1441, 2**53],
    FLOAT: [None, 0.0, -0.0, 0.1, 1.0, 1.0000000001, math.inf, -math.inf, None],
    INSTANT: [None, datetime(2020, 1, 1), datetime(2020, 1, 1), datetime(2020, 1, 1, 0, 0, 0, 1), None],
    DAY: [None, date(2020, 1, 1), date(2020, 1, 1), date(2020, 1, 2), None],
    pl.Boolean(): [None, True, False],
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_compiled_agrees_with_great_expectations_at_the_edges(case: str) -> None:
    kind, arguments, _ = CASES[case]
    for dtype, values in EDGES.items():
        frame = pl.DataFrame({"a": pl.Series(values, dtype=dtype), "b": pl.Series(values[::-1], dtype=dtype)})
        for kwargs in arguments:
            if (
                not {"c", "d"} & set(_columns_of(kwargs))
                and _is_compiled(kind, kwargs, frame)
                and _can_be_compared(kwargs, dtype)
            ):
                _agrees(kind, kwargs, frame)


def _is_compiled(kind: str, kwargs: dict[str, Any], frame: pl.DataFrame) -> bool:
    return all(
        COMPILERS[kind].fits(frame.schema[column])
        for column in _columns_of(kwargs)
        if column in frame.columns
    )


def _can_be_compared(kwargs: dict[str, Any], dtype: pl.DataType) -> bool:
    # Pandas has no dates, so Great Expectations cannot tell one from an instant; the compiled form can.
    tells_days_from_instants = "datetime64" in kwargs.get("type_", "")
    return not (dtype.is_temporal() and tells_days_from_instants)


def test_a_date_is_no_date_and_time() -> None:
    days = pl.DataFrame({"a": [date(2020, 1, 1)]})
    applied = _applied({"type": "expect_column_values_to_be_of_type", "kwargs": {"column": "a", "type_": "datetime64[us]"}}, days)  # fmt: skip
    (check,) = applied.checks(applied.quarantined)
    assert not check.success


def test_a_parameter_is_filled_in_and_stays_by_name_in_the_outcome() -> None:
    named = {"type": "expect_column_values_to_be_in_set", "kwargs": {"column": "a", "value_set": {"$PARAMETER": "people"}}}  # fmt: skip
    applied = _applied(named, pl.DataFrame({"a": ["P1", "P2", None]}), people=pl.Series(["P1"]))
    assert applied.quarantined.collect()["a"].to_list() == ["P2"]
    (check,) = applied.checks(applied.quarantined)
    assert check.expectation["kwargs"]["value_set"] == {"$PARAMETER": "people"}


def test_rows_that_break_a_rule_are_set_aside_even_where_mostly_forgives_them() -> None:
    applied = _applied(
        {
            "type": "expect_column_values_to_be_between",
            "kwargs": {"column": "a", "min_value": 0, "mostly": 0.5},
        },
        pl.DataFrame({"a": [1, 2, -1]}),
    )
    (check,) = applied.checks(applied.quarantined)
    assert check.success
    assert applied.quarantined.collect()["a"].to_list() == [-1]


# --- what the compiler does not know ----------------------------------------------------------------

LENGTHS = {"type": "expect_column_value_lengths_to_be_between", "kwargs": {"column": "a", "min_value": 2, "max_value": 3}}  # fmt: skip


def test_a_type_the_compiler_does_not_know_runs_in_great_expectations_in_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(contracts, "ROWS_A_PART", 2)
    applied = _applied(LENGTHS, pl.DataFrame({"a": ["ab", "a", "abc", None, "abcd"]}))
    assert applied.quarantined.collect().select(SOURCE_ROW, "a").rows() == [(2, "a"), (5, "abcd")]
    assert applied.accepted.collect()["a"].to_list() == ["ab", "abc", None]
    (check,) = applied.checks(applied.quarantined)
    assert (check.success, check.elements, check.missing, check.unexpected) == (False, 5, 1, 2)
    assert check.examples == ((2, "a"), (5, "abcd"))


def test_a_type_that_looks_at_all_rows_is_not_run_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contracts, "ROWS_A_PART", 2)
    rising = {"type": "expect_column_values_to_be_increasing", "kwargs": {"column": "a"}}
    applied = _applied(rising, pl.DataFrame({"a": [1, 5, 2, 6]}))
    assert applied.quarantined.collect()["a"].to_list() == [2]


def test_an_expectation_about_a_whole_column_is_judged_and_sets_no_row_aside() -> None:
    mean = {"type": "expect_column_mean_to_be_between", "kwargs": {"column": "a", "max_value": 1}}
    applied = _applied(mean, pl.DataFrame({"a": [1, 5]}))
    (check,) = applied.checks(applied.quarantined)
    assert (check.success, check.observed, applied.accepted.collect().height) == (False, 3.0, 2)


def test_an_argument_the_compiler_does_not_know_leaves_the_rule_to_great_expectations() -> None:
    lookahead = {"type": "expect_column_values_to_match_regex", "kwargs": {"column": "a", "regex": "^(?!x)"}}
    applied = _applied(lookahead, pl.DataFrame({"a": ["x", "y"]}))
    assert applied.rules[0].shape == "foreign"
    assert applied.quarantined.collect()["a"].to_list() == ["x"]


def test_an_expectation_that_cannot_be_evaluated_is_not_taken_for_a_success() -> None:
    broken = {"type": "expect_column_values_to_match_regex", "kwargs": {"column": "a", "regex": r"(?P<x"}}
    with pytest.raises(WrongUsage, match="cannot be evaluated"):
        _applied(broken, pl.DataFrame({"a": ["b"]}))


def test_the_outcome_becomes_great_expectations_own_result() -> None:
    applied = _applied(
        {"type": "expect_column_values_to_be_between", "kwargs": {"column": "a", "min_value": 0}, "meta": {"rule": "a_is_positive"}},
        pl.DataFrame({"a": [1, None, -1, -1]}),
    )  # fmt: skip
    result = validation_result("one", applied.checks(applied.quarantined))
    assert not result.success
    details = result.results[0].result
    assert details["unexpected_count"] == 2
    assert details["unexpected_percent"] == pytest.approx(200 / 3)
    assert details["partial_unexpected_index_list"] == [3, 4]
    assert json.dumps(result.to_json_dict())


def test_a_tightened_suite_tightens_the_gate(tmp_path: Path) -> None:
    table = Table(name="t", says="One.", source_system="S", key=("a",), person=None, occurred_at=None, known_at=None,
                  columns=(Column(name="a", kind="integer", says="a number"),))  # fmt: skip
    path = tmp_path / "t.json"
    suite = suite_for(table)
    suite["expectations"].append(
        {"type": "expect_column_values_to_be_between", "kwargs": {"column": "a", "max_value": 9}, "severity": "critical"}
    )  # fmt: skip
    path.write_text(suite_as_text(suite), "utf-8")
    applied = apply(compile_suite(load_suite(path)), _numbered(pl.DataFrame({"a": [8, 9, 10]})).lazy())
    assert applied.quarantined.collect()["broken_rules"].to_list() == [["a_to_be_between"]]
    assert "a_to_be_between" in applied.refusing


def test_a_table_without_person_numbers_asks_for_no_identity_map() -> None:
    assert f"user_no_is_in_{IDENTITY_MAP}" not in _rules(replace(uk.SYSTEM_ACCESS, person_number=False))
