"""What is demanded of each table, as Great Expectations suites, and how it is checked at size.

The suites are generated from the table declarations and kept as JSON, so that they can be read, reviewed
and tightened. Each expectation is compiled to Polars, because Great Expectations has no Polars engine and
needs minutes and gigabytes where this needs seconds; a property test holds the two equal, type by type. An
expectation the compiler does not know runs in Great Expectations on pandas.

The only module that speaks to Great Expectations, which takes ten seconds to import: only what needs it
imports it.
"""

from __future__ import annotations

import html
import importlib
import json
import re
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from features.account import Check
from features.definition import ForceDefinition
from features.errors import WrongUsage
from features.keys import Hashing, sharing_rows
from features.rules import COMPILERS, EXAMPLES, TYPE_NAMES, Applied, Rule
from features.sources import KIND_IN_WORDS, SOURCE_ROW
from features.tables import POLARS_TYPES, Column, Kind, Table

if TYPE_CHECKING:
    import pandas as pd
    from great_expectations.core import ExpectationSuiteValidationResult, ExpectationValidationResult

ROWS_A_PART = 100_000
# Suite parameters: the numbers of the identity map, and the instant an extract must reach.
IDENTITY_MAP = "identity_map"
FRESH_FROM = "fresh_from"

Suite = dict[str, Any]
Parameter = pl.Series | datetime  # values to be among, or an instant to reach


# --- suites from declarations -----------------------------------------------------------------------


def suite_for(table: Table) -> Suite:
    """The Great Expectations suite of a table, as plain values ready for JSON.

    `severity` tells the two faces apart: a `critical` expectation that fails refuses the table, a
    `warning` sets the rows that break it aside.
    """
    return {
        "name": table.name,
        "expectations": list(_expectations(table)),
        "meta": {"source_system": table.source_system, "max_bad_share": table.max_bad_share},
        "notes": table.says,
    }


def _expectations(table: Table) -> Iterator[dict[str, Any]]:
    yield _expectation(
        "expect_table_columns_to_match_set",
        {"column_set": list(table.by_name), "exact_match": False},
        rule="has_every_declared_column",
        notes="Every declared column is there. Other columns may be; they are listed and not read.",
    )
    yield _expectation(
        "expect_table_row_count_to_be_between",
        {"min_value": 1},
        rule="has_rows",
        notes="At least one row: an empty table would pass every other rule.",
    )
    for column in table.columns:
        yield _expectation(
            "expect_column_values_to_be_of_type",
            {"column": column.name, "type_": TYPE_NAMES[column.kind]},
            rule=f"{column.name}_is_{_a(column.kind)}",
            notes=f"{column.name}: {column.says}. It is {KIND_IN_WORDS[column.kind]}.",
        )
    if table.stale_after_days is not None and table.known_at is not None:
        yield _expectation(
            "expect_column_max_to_be_between",
            {"column": table.known_at, "min_value": {"$PARAMETER": FRESH_FROM}},
            rule=f"{table.known_at}_is_fresh",
            notes=f"The latest {table.known_at} is at most {table.stale_after_days} days behind that of the "
            "other tables; otherwise the extract is an old one.",
        )
    yield _key_expectation(table)
    for column in table.columns:
        yield from _value_expectations(table, column)


def _a(kind: Kind) -> str:
    return f"an_{kind}" if kind == "integer" else f"a_{kind}"


def _key_expectation(table: Table) -> dict[str, Any]:
    key = list(table.key)
    if table.correctable and table.known_at is not None and table.known_at not in key:
        return _expectation(
            "expect_compound_columns_to_be_unique",
            {"column_list": [*key, table.known_at], "ignore_row_if": "never"},
            rule="version_is_unique",
            notes=f"A row is named by {', '.join(key)}; a later {table.known_at} makes a new version of it, "
            "and no two versions are of one instant. Every copy is set aside.",
            severity="warning",
        )
    notes = f"{', '.join(key)} name{'s' * (len(key) == 1)} one row. Every copy is set aside."
    if len(key) == 1:
        return _expectation(
            "expect_column_values_to_be_unique",
            {"column": key[0]},
            rule=f"{key[0]}_is_unique",
            notes=notes,
            severity="warning",
        )
    return _expectation(
        "expect_compound_columns_to_be_unique",
        {"column_list": key, "ignore_row_if": "never"},
        rule="key_is_unique",
        notes=notes,
        severity="warning",
    )


def _value_expectations(table: Table, column: Column) -> Iterator[dict[str, Any]]:
    def quarantine(kind: str, kwargs: dict[str, Any], rule: str, notes: str) -> dict[str, Any]:
        return _expectation(kind, kwargs, rule=f"{column.name}_{rule}", notes=notes, severity="warning")

    name = column.name
    if not column.nullable:
        yield quarantine(
            "expect_column_values_to_not_be_null", {"column": name}, "is_present", f"{name} is never empty."
        )
    if column.allowed is not None:
        yield quarantine(
            "expect_column_values_to_be_in_set",
            {"column": name, "value_set": list(column.allowed)},
            "is_in_list",
            f"{name} is one of {', '.join(column.allowed)}.",
        )
    if column.minimum is not None or column.maximum is not None:
        limits = {"min_value": column.minimum, "max_value": column.maximum}
        yield quarantine(
            "expect_column_values_to_be_between",
            {"column": name, **{limit: value for limit, value in limits.items() if value is not None}},
            "is_in_range",
            f"{name} is {_range_in_words(column)}.",
        )
    if column.pattern is not None:
        yield quarantine(
            "expect_column_values_to_match_regex",
            {"column": name, "regex": rf"^(?:{column.pattern})\Z"},
            "has_its_form",
            f"The whole of {name} matches {column.pattern}.",
        )
    if column.at_least is not None:
        yield quarantine(
            "expect_column_pair_values_a_to_be_greater_than_b",
            {
                "column_A": name,
                "column_B": column.at_least,
                "or_equal": True,
                "ignore_row_if": "either_value_is_missing",
            },
            f"is_not_before_{column.at_least}"
            if column.kind in ("date", "datetime")
            else f"is_not_below_{column.at_least}",
            f"{name} does not come before {column.at_least}; where either is empty nothing is asked.",
        )
    if column.refers_to is not None:
        other, _, key = column.refers_to.partition(".")
        yield quarantine(
            "expect_column_values_to_be_in_set",
            {"column": name, "value_set": {"$PARAMETER": parameter_of(column.refers_to)}},
            f"is_in_{other}",
            f"{name} is the {key} of an accepted row of {other}.",
        )
    if table.person_number and name == table.person:
        yield quarantine(
            "expect_column_values_to_be_in_set",
            {"column": name, "value_set": {"$PARAMETER": IDENTITY_MAP}},
            f"is_in_{IDENTITY_MAP}",
            f"{name} is in an accepted row of the identity map, so that the row can be joined to a person.",
        )


def _range_in_words(column: Column) -> str:
    match column.minimum, column.maximum:
        case minimum, None:
            return f"at least {minimum:g}"
        case None, maximum:
            return f"at most {maximum:g}"
        case minimum, maximum:
            return f"from {minimum:g} to {maximum:g}"


def _expectation(
    kind: str, kwargs: dict[str, Any], *, rule: str, notes: str, severity: str = "critical"
) -> dict[str, Any]:
    return {"type": kind, "kwargs": kwargs, "meta": {"rule": rule}, "notes": notes, "severity": severity}


def parameter_of(refers_to: str) -> str:
    """The suite parameter that holds the values a column may refer to.

    >>> parameter_of("establishment.person_key")
    'establishment_person_key'
    """
    return refers_to.replace(".", "_")


def write_suites(force: ForceDefinition, directory: str | Path) -> tuple[Path, ...]:
    """Writes one suite a table; returns the files. A file that would not change is not touched."""
    written = []
    Path(directory).mkdir(parents=True, exist_ok=True)
    for table in force.tables:
        path = Path(directory) / f"{table.name}.json"
        text = suite_as_text(suite_for(table))
        if not path.is_file() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
        written.append(path)
    return tuple(written)


def suite_as_text(suite: Suite) -> str:
    """The suite as it stands in its file."""
    return json.dumps(suite, indent=2, ensure_ascii=False) + "\n"


def load_suite(path: str | Path) -> Suite:
    """The suite in a file, with nothing of it lost.

    Raises:
        WrongUsage: no such file; not a suite; no expectation in it; an expectation of a type that neither
            the compiler nor Great Expectations knows (which Great Expectations would drop in silence).
    """
    path = Path(path)
    if not path.is_file():
        raise WrongUsage(
            f"{path} was expected to hold the rules of a table, and is not there.\n"
            "Write the suites from the declarations (features.contracts.write_suites) and commit them."
        )
    try:
        suite = json.loads(path.read_text("utf-8"))
        expectations = [(one["type"], dict(one["kwargs"])) for one in suite["expectations"]]
    except (json.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise WrongUsage(
            f"{path} is not a Great Expectations suite: {error!r}.\n"
            "Restore it from version control, or write it again from the declarations."
        ) from error
    if not expectations:
        raise WrongUsage(f"{path} holds no expectation, and would let every row pass. Restore it.")
    for kind, _ in expectations:
        if kind not in COMPILERS and not _great_expectations_knows(kind):
            raise WrongUsage(
                f"{path} asks for {kind!r}, which Great Expectations does not know. Mend the name, or remove it."
            )
    return suite


def _great_expectations_knows(kind: str) -> bool:
    quiet_great_expectations()
    from great_expectations.exceptions.exceptions import ExpectationNotFoundError
    from great_expectations.expectations.registry import get_expectation_impl

    try:
        get_expectation_impl(kind)
    except ExpectationNotFoundError:
        return False
    return True


# --- from a suite to rules, and from rules to a table ----------------------------------------------


def compile_suite(suite: Suite, parameters: Mapping[str, Parameter] | None = None) -> tuple[Rule, ...]:
    """The rules of a suite, its `{"$PARAMETER": name}` values filled in from `parameters`.

    Raises:
        WrongUsage: a parameter is not given, or two rules bear one name.
    """
    rules = tuple(
        _rule(expectation, parameters or {}, suite["name"]) for expectation in suite["expectations"]
    )
    names = [rule.name for rule in rules]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise WrongUsage(
            f"suite {suite['name']!r} has two rules named {', '.join(twice)}; give each its own meta.rule."
        )
    return rules


def _rule(expectation: Mapping[str, Any], parameters: Mapping[str, Parameter], suite: str) -> Rule:
    kwargs = {key: _filled(value, parameters, suite) for key, value in expectation["kwargs"].items()}
    compiler = COMPILERS.get(expectation["type"])
    known = compiler is not None and kwargs.keys() <= compiler.takes and compiler.can(kwargs)
    name = expectation.get("meta", {}).get("rule") or _default_name(expectation)
    return Rule(name, expectation, kwargs, compiler.shape if compiler is not None and known else "foreign")


def _filled(value: Any, parameters: Mapping[str, Parameter], suite: str) -> Any:
    if not (isinstance(value, Mapping) and "$PARAMETER" in value):
        return value
    if value["$PARAMETER"] not in parameters:
        raise WrongUsage(
            f"suite {suite!r} asks for the parameter {value['$PARAMETER']!r}, which nothing fills in. "
            f"Known: {', '.join(sorted(parameters)) or 'none'}."
        )
    return parameters[value["$PARAMETER"]]


def _default_name(expectation: Mapping[str, Any]) -> str:
    kwargs = expectation["kwargs"]
    columns = [kwargs[key] for key in ("column", "column_A", "column_B") if key in kwargs]
    what = expectation["type"].removeprefix("expect_").removeprefix("column_").removeprefix("values_")
    return "_".join([*columns, *kwargs.get("column_list", ()), what])


def apply(
    rules: Sequence[Rule],
    frame: pl.LazyFrame,
    *,
    not_read: Sequence[str] = (),
    failing: Mapping[str, pl.Series] | None = None,
) -> Applied:
    """Brings rules to a frame with a `source_row`; reads it for what only all rows can tell.

    Args:
        failing: the rows that break a rule, by name, where that is known already. Where the frame is one
            part of a table, it must be for every rule that looks at all rows.

    Raises:
        WrongUsage: a rule names a column that the frame does not have, or Great Expectations cannot
            evaluate it.
    """
    known, schema = failing or {}, frame.collect_schema()
    fitted = fitted_to(rules, schema)
    asked = [rule for rule in fitted if rule.name not in known]
    repeated = {
        rule.name: repeated_rows(rule, {"": frame}, schema)[SOURCE_ROW]
        for rule in asked
        if rule.shape == "unique"
    }
    foreign = {rule.name: by_great_expectations(rule, frame) for rule in asked if rule.shape == "foreign"}
    return Applied(
        rules=fitted,
        frame=frame,
        schema=schema,
        not_read=tuple(not_read),
        failing={
            **known,
            **repeated,
            **{name: rows for name, (_, rows) in foreign.items() if rows is not None},
        },
        by_great_expectations={name: check for name, (check, _) in foreign.items()},
    )


def fitted_to(rules: Sequence[Rule], schema: pl.Schema) -> tuple[Rule, ...]:
    """The rules, left to Great Expectations where a column's type is none that the compiler knows them for.

    Raises:
        WrongUsage: a rule names a column that is not there.
    """
    for rule in rules:
        if unknown := [column for column in rule.columns if column not in schema]:
            raise WrongUsage(
                f"rule {rule.name!r} reads {', '.join(unknown)}, which the table does not declare. "
                "Declare the column, or remove the expectation from the suite."
            )
    return tuple(_fitted(rule, schema) for rule in rules)


def _fitted(rule: Rule, schema: pl.Schema) -> Rule:
    compiler = COMPILERS.get(rule.kind)
    fits = compiler is not None and all(compiler.fits(schema[column]) for column in rule.columns)
    return rule if fits else replace(rule, shape="foreign")


def repeated_rows(
    rule: Rule,
    judged: Mapping[str, pl.LazyFrame],
    schema: pl.Schema,
    *,
    kept: Mapping[str, pl.LazyFrame] | None = None,
    known: pl.DataFrame | None = None,
    by: Sequence[str] | None = None,
    hashing: Hashing | None = None,
) -> pl.DataFrame:
    """The rows that break a rule of uniqueness, over all parts; see `keys.sharing_rows`."""
    applies = COMPILERS[rule.kind].applies(rule.kwargs, schema)
    return sharing_rows(judged, rule.columns, applies=applies, kept=kept, known=known, by=by, hashing=hashing)


def looks_at_all_rows(rule: Rule) -> bool:
    """Whether Great Expectations has to be given the whole of a table to judge a row by this rule."""
    return rule.shape == "foreign" and rule.kind not in ROW_LOCAL


# --- Great Expectations itself ----------------------------------------------------------------------

# Map expectations of Great Expectations' core whose answer for a row depends on that row alone, so that a
# table can be brought to them in parts. Any other type is given the whole of its columns at once.
ROW_LOCAL = frozenset(
    f"expect_column_values_to_{what}"
    for what in (
        "be_between", "be_dateutil_parseable", "be_in_set", "be_json_parseable", "be_null", "match_json_schema",
        "match_regex", "match_regex_list", "match_strftime_format", "not_be_in_set", "not_be_null",
        "not_match_regex", "not_match_regex_list",
    )
) | {
    "expect_column_pair_values_a_to_be_greater_than_b",
    "expect_column_pair_values_to_be_equal",
    "expect_column_pair_values_to_be_in_set",
    "expect_column_value_lengths_to_be_between",
    "expect_column_value_lengths_to_equal",
    "expect_multicolumn_sum_to_equal",
    "expect_select_column_values_to_be_unique_within_record",
}  # fmt: skip


@cache
def quiet_great_expectations() -> None:
    """Imports Great Expectations (about ten seconds) without the warnings of its own dependencies."""
    with warnings.catch_warnings(), _as_if_missing("pyspark"):
        warnings.simplefilter("ignore")
        importlib.import_module("great_expectations.expectations.core")


@contextmanager
def _as_if_missing(package: str) -> Iterator[None]:
    """Let an optional dependency look absent: Great Expectations would import Spark for an engine not used here.

    Spark's own client even ends the process where parts of it are missing while doctests run.
    """
    there = {name: sys.modules[name] for name in list(sys.modules) if name.partition(".")[0] == package}
    for name in there:
        del sys.modules[name]
    sys.modules[package] = None  # type: ignore[assignment]  # how importing is told that there is none
    try:
        yield
    finally:
        del sys.modules[package]
        sys.modules.update(there)


@cache
def _batch_definition() -> Any:  # a BatchDefinition, whose type parameters are theirs alone
    quiet_great_expectations()
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    source = context.data_sources.add_pandas("accepted in parts")
    return source.add_dataframe_asset("part").add_batch_definition_whole_dataframe("part")


def validate_in_great_expectations(
    expectation: Mapping[str, Any], frame: pl.DataFrame
) -> ExpectationValidationResult:
    """Great Expectations' own complete result for one expectation on a frame with a `source_row`.

    Rows are named by their `source_row`.

    Raises:
        WrongUsage: Great Expectations cannot evaluate the expectation on this table.
    """
    batch = _batch_definition().get_batch({"dataframe": _as_pandas(frame)})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # theirs and pandas', about how they do it
        result = batch.validate(
            _configuration(expectation).to_domain_obj(), result_format={"result_format": "COMPLETE"}
        )
    if raised := _raised(result.exception_info or {}):
        raise WrongUsage(
            f"the expectation {expectation['type']} cannot be evaluated on this table: {raised}\n"
            f"Arguments: {dict(expectation['kwargs'])}. Mend it in its suite."
        )
    return result


def _raised(exception_info: Mapping[str, Any]) -> str | None:
    # One dictionary, or one a metric.
    nested = [exception_info] if "raised_exception" in exception_info else list(exception_info.values())
    return next((str(one["exception_message"]) for one in nested if one["raised_exception"]), None)


def _configuration(expectation: Mapping[str, Any], description: str | None = None) -> Any:
    quiet_great_expectations()
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    return ExpectationConfiguration(
        type=expectation["type"],
        kwargs=dict(expectation["kwargs"]),
        meta=dict(expectation.get("meta", {})),
        notes=expectation.get("notes"),
        description=description,
        severity=expectation.get("severity", "critical"),
    )


def _as_pandas(frame: pl.DataFrame) -> pd.DataFrame:
    import pandas as pd

    dtypes = {name: _pandas_dtype(dtype) for name, dtype in frame.schema.items() if name != SOURCE_ROW}
    return pd.DataFrame(
        {name: pd.Series(frame[name].to_list(), dtype=dtype) for name, dtype in dtypes.items()},  # type: ignore[arg-type]  # the stubs list fewer names
    ).set_axis(frame[SOURCE_ROW].to_list(), axis="index")


def _pandas_dtype(dtype: pl.DataType) -> str:
    match dtype:
        case pl.Int64():
            return "Int64"  # with missing values
        case pl.Boolean():
            return "boolean"  # with missing values
        case _:
            return next(TYPE_NAMES[kind] for kind, known in POLARS_TYPES.items() if known == dtype)


def by_great_expectations(rule: Rule, frame: pl.LazyFrame) -> tuple[Check, pl.Series | None]:
    """The check of a rule the compiler does not know, and the rows that break it (None where it is not
    about rows)."""
    kwargs = {
        key: value.to_list() if isinstance(value, pl.Series) else value for key, value in rule.kwargs.items()
    }
    filled = {**rule.expectation, "kwargs": kwargs}
    asked = list(rule.columns) or [name for name in frame.collect_schema() if name != SOURCE_ROW]
    narrow = frame.select(SOURCE_ROW, *asked)
    results = [
        validate_in_great_expectations(filled, part) for part in _parts(narrow, rule.kind in ROW_LOCAL)
    ]
    if any("unexpected_index_list" not in result.result for result in results):
        return rule.check(bool(results[0].success), observed=results[0].result.get("observed_value")), None
    elements, missing, unexpected = (
        sum(result.result.get(count) or 0 for result in results)
        for count in ("element_count", "missing_count", "unexpected_count")
    )
    rows = [row for result in results for row in result.result["unexpected_index_list"] or ()]
    values = [value for result in results for value in result.result["unexpected_list"] or ()]
    applies = elements - missing
    check = rule.check(
        applies == 0 or (applies - unexpected) / applies >= rule.mostly,
        elements=elements,
        missing=missing,
        unexpected=unexpected,
        examples=tuple((row, str(value)) for row, value in zip(rows, values, strict=True))[:EXAMPLES],
    )
    return check, pl.Series(SOURCE_ROW, rows, pl.Int64())


def _parts(frame: pl.LazyFrame, in_parts: bool) -> Iterable[pl.DataFrame]:
    if not in_parts:
        return [frame.collect(engine="streaming")]
    rows = frame.select(pl.len()).collect().item()
    starts = range(0, max(rows, 1), ROWS_A_PART)
    return (frame.slice(start, ROWS_A_PART).collect(engine="streaming") for start in starts)


def validation_result(name: str, checks: Sequence[Check]) -> ExpectationSuiteValidationResult:
    """Great Expectations' own result object for the checks of one table.

    Parameters stand by name: forty thousand person numbers would say less.
    """
    quiet_great_expectations()
    from great_expectations.core import ExpectationSuiteValidationResult

    succeeded = sum(check.success for check in checks)
    return ExpectationSuiteValidationResult(
        success=succeeded == len(checks),
        results=[_result(check) for check in checks],
        suite_name=name,
        statistics={
            "evaluated_expectations": len(checks),
            "successful_expectations": succeeded,
            "unsuccessful_expectations": len(checks) - succeeded,
            "success_percent": 100 * succeeded / len(checks) if checks else None,
        },
        meta={"active_batch_definition": {"data_asset_name": name}},
    )


def _result(check: Check) -> ExpectationValidationResult:
    from great_expectations.core import ExpectationValidationResult

    notes = check.expectation.get("notes")
    return ExpectationValidationResult(
        success=check.success,
        expectation_config=_configuration(check.expectation, f"{check.rule}: {notes}" if notes else None),
        result=_result_details(check),
        exception_info={"raised_exception": False, "exception_traceback": None, "exception_message": None},
    )


def _result_details(check: Check) -> dict[str, Any]:
    if check.elements is None or check.unexpected is None or check.missing is None:
        return {} if check.observed is None else {"observed_value": check.observed}
    applies = check.elements - check.missing
    rows, values = [row for row, _ in check.examples], [value for _, value in check.examples]
    return {
        "element_count": check.elements,
        "missing_count": check.missing,
        "missing_percent": _percent(check.missing, check.elements),
        "unexpected_count": check.unexpected,
        "unexpected_percent": _percent(check.unexpected, applies),
        "unexpected_percent_nonmissing": _percent(check.unexpected, applies),
        "unexpected_percent_total": _percent(check.unexpected, check.elements),
        "partial_unexpected_list": values,
        "partial_unexpected_index_list": rows,
        "partial_unexpected_counts": [
            {"value": value, "count": values.count(value)} for value in dict.fromkeys(values)
        ],
    }


def _percent(part: int, whole: int) -> float | None:
    return 100 * part / whole if whole else None


def rendered_sections(name: str, checks: Sequence[Check]) -> str:
    """The sections of Great Expectations' validation page for one table, as HTML.

    Without the page around them, which loads its styles and scripts from elsewhere, and without links to
    pages that are not written.
    """
    quiet_great_expectations()
    from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer
    from great_expectations.render.view.view import DefaultJinjaSectionView

    result = validation_result(name, [_as_markup(check) for check in checks])
    document: Any = ValidationResultsPageRenderer().render(result).to_json_dict()
    view = DefaultJinjaSectionView()
    sections = "".join(
        view.render({"section": section, "section_loop": {"index": index}})
        for index, section in enumerate(document["sections"], start=1)
    )
    return re.sub(r'<a href="[^"#]*"\s*>(.*?)</a>', r"\1", sections)


def _as_markup(check: Check) -> Check:
    # Great Expectations puts values into its tables as they are: what an extract holds would be markup.
    return replace(check, examples=tuple((row, html.escape(value)) for row, value in check.examples))
