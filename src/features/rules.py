"""Expectations compiled to Polars: which rows of a table keep every rule, and which break which.

A rule about one row becomes an expression; a rule about all rows (uniqueness) is brought back to the rows
that break it. Tables are streamed: at no time are more than a few numbers a row in memory.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from types import UnionType
from typing import Any, Literal

import polars as pl

from features.account import Check
from features.sources import SOURCE_ROW, as_written
from features.tables import POLARS_TYPES, Kind

BROKEN = "broken_rules"
EXAMPLES = 20  # as many as Great Expectations shows

# The names by which Great Expectations knows the types on pandas, which has no dates of its own.
TYPE_NAMES: Mapping[Kind, str] = {
    "string": "str",
    "integer": "int64",
    "number": "float64",
    "boolean": "bool",
    "date": "datetime64[s]",
    "datetime": "datetime64[us]",
}
KINDS: Mapping[str, Kind] = {name: kind for kind, name in TYPE_NAMES.items()}

Kwargs = Mapping[str, Any]
Shape = Literal["table", "row", "unique", "foreign"]
Expressed = Callable[[Kwargs, pl.Schema], pl.Expr]


@dataclass(frozen=True, eq=False)
class Rule:
    """One expectation, ready to be applied.

    Attributes:
        name: what is true where it holds.
        expectation: as it stands in the suite, parameters by name.
        kwargs: its arguments, parameters filled in.
        shape: about the `table` as a whole; about one `row`; `unique` over all rows; or `foreign`, left to
            Great Expectations.
    """

    name: str
    expectation: Mapping[str, Any]
    kwargs: Kwargs
    shape: Shape

    @property
    def kind(self) -> str:
        return self.expectation["type"]

    @property
    def refuses(self) -> bool:
        """Whether the table cannot be used where the expectation fails."""
        return self.expectation.get("severity", "critical") == "critical"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it reads; none where it only asks whether one is there."""
        if self.kind == "expect_column_to_exist":
            return ()
        named = [self.kwargs.get(key) for key in ("column", "column_A", "column_B")]
        return tuple(dict.fromkeys(one for one in (*named, *self.kwargs.get("column_list", ())) if one))

    @property
    def mostly(self) -> float:
        return self.kwargs.get("mostly", 1.0)

    def check(self, success: bool, **seen: Any) -> Check:
        return Check(rule=self.name, expectation=self.expectation, success=success, **seen)


@dataclass(frozen=True)
class Compiler:
    """How one type of expectation becomes Polars.

    `takes` are the arguments it understands, `can` whether it understands their values, `fits` whether it
    understands the type of a column it reads; anything else is left to Great Expectations.
    """

    shape: Shape
    takes: frozenset[str]
    holds: Expressed
    applies: Expressed
    can: Callable[[Kwargs], bool] = lambda kwargs: True
    fits: Callable[[pl.DataType], bool] = lambda dtype: True


def _is_text(dtype: pl.DataType) -> bool:
    return dtype == pl.String()


def _is_number(dtype: pl.DataType) -> bool:
    return dtype.is_numeric()


def _is_ordered(dtype: pl.DataType) -> bool:
    return dtype.is_numeric() or dtype.is_temporal() or dtype == pl.String()


def _value_is_there(kwargs: Kwargs, schema: pl.Schema) -> pl.Expr:
    return pl.col(kwargs["column"]).is_not_null()


def _every_row(kwargs: Kwargs, schema: pl.Schema) -> pl.Expr:
    return pl.lit(True)


def _is_present(kwargs: Kwargs, schema: pl.Schema) -> pl.Expr:
    there = _value_is_there(kwargs, schema)
    written = as_written(kwargs["column"])
    # A text that cannot be read is not an empty one; that it cannot be read is another rule's business.
    return there | pl.col(written).is_not_null() if written in schema else there


def _can_be_read(kwargs: Kwargs, schema: pl.Schema) -> pl.Expr:
    written = as_written(kwargs["column"])
    if written not in schema:
        return pl.lit(True)
    return pl.col(kwargs["column"]).is_not_null() | pl.col(written).is_null()


def _is_in_set(kwargs: Kwargs, schema: pl.Schema) -> pl.Expr:
    given, dtype = kwargs["value_set"], schema[kwargs["column"]]
    values = given if isinstance(given, pl.Series) else pl.Series(given)
    if values.is_empty() or _is_text(values.dtype) != _is_text(dtype):
        return pl.lit(False)
    if values.dtype != dtype:  # whole numbers against numbers
        return pl.col(kwargs["column"]).cast(pl.Float64()).is_in(values.cast(pl.Float64()).implode())
    return pl.col(kwargs["column"]).is_in(values.implode())


def _is_between(kwargs: Kwargs, schema: pl.Schema) -> pl.Expr:
    value = pl.col(kwargs["column"])
    sides = []
    if (minimum := kwargs.get("min_value")) is not None:
        sides.append(value > minimum if kwargs.get("strict_min") else value >= minimum)
    if (maximum := kwargs.get("max_value")) is not None:
        sides.append(value < maximum if kwargs.get("strict_max") else value <= maximum)
    return pl.all_horizontal(sides)


def _has_plain_limits(kwargs: Kwargs) -> bool:
    return _limits_are(int | float, kwargs)


def _has_instants_as_limits(kwargs: Kwargs) -> bool:
    return _limits_are(datetime, kwargs)


def _limits_are(kind: type | UnionType, kwargs: Kwargs) -> bool:
    limits = [kwargs.get("min_value"), kwargs.get("max_value")]
    return limits != [None, None] and all(isinstance(limit, kind) for limit in limits if limit is not None)


def _matches(kwargs: Kwargs, schema: pl.Schema) -> pl.Expr:
    return pl.col(kwargs["column"]).str.contains(_polars_pattern(kwargs["regex"]))


# Great Expectations searches as Python does; only what Polars' engine reads alike, or can be told, is compiled.
_PLAIN_PATTERN = re.compile(
    r"""(?: \\[dZ.\-/+*?()\[\]{}|^$] | \(\?: | \((?!\?) | \[\^?[A-Za-z0-9_\- ]+\] | \{\d+(?:,\d*)?\}
          | [A-Za-z0-9_\-/:;,@\#&=<>!%"'~ .^$|)+*?] )*""",
    re.VERBOSE,
)
_ENDS = {r"\Z": r"\z", "$": r"(?:\n?\z)"}  # Python's `$` stands before a closing line break too


def _is_plain_pattern(kwargs: Kwargs) -> bool:
    """Whether a pattern uses only what both regular expression engines understand."""
    return isinstance(kwargs["regex"], str) and _PLAIN_PATTERN.fullmatch(kwargs["regex"]) is not None


def _polars_pattern(pattern: str) -> str:
    return re.sub(r"\\.|\[.*?\]|\$", lambda part: _ENDS.get(part.group(), part.group()), pattern)


def _is_not_below(kwargs: Kwargs, schema: pl.Schema) -> pl.Expr:
    left, right = pl.col(kwargs["column_A"]), pl.col(kwargs["column_B"])
    return left >= right if kwargs.get("or_equal") else left > right


def _pair_is_there(kwargs: Kwargs, schema: pl.Schema) -> pl.Expr:
    return pl.col(kwargs["column_A"]).is_not_null() & pl.col(kwargs["column_B"]).is_not_null()


def _compound_is_there(kwargs: Kwargs, schema: pl.Schema) -> pl.Expr:
    there = [pl.col(column).is_not_null() for column in kwargs["column_list"]]
    match kwargs.get("ignore_row_if", "all_values_are_missing"):
        case "all_values_are_missing":
            return pl.any_horizontal(there)
        case "any_value_is_missing":
            return pl.all_horizontal(there)
        case _:
            return pl.lit(True)


def _is_plain_set(kwargs: Kwargs) -> bool:
    values = kwargs["value_set"]
    if isinstance(values, pl.Series):
        return True
    return isinstance(values, list) and (
        all(isinstance(value, str) for value in values)
        or all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    )


_COLUMN = frozenset({"column", "mostly"})
COMPILERS: Mapping[str, Compiler] = {
    "expect_table_columns_to_match_set": Compiler(
        "table", frozenset({"column_set", "exact_match"}), _every_row, _every_row
    ),
    "expect_table_row_count_to_be_between": Compiler(
        "table", frozenset({"min_value", "max_value"}), _every_row, _every_row
    ),
    "expect_column_to_exist": Compiler("table", frozenset({"column"}), _every_row, _every_row),
    "expect_column_max_to_be_between": Compiler(
        "table",
        frozenset({"column", "min_value", "max_value"}),
        _every_row,
        _every_row,
        can=_has_instants_as_limits,
        fits=lambda dtype: dtype == pl.Datetime("us"),
    ),
    "expect_column_values_to_be_of_type": Compiler(
        "row",
        frozenset({"column", "type_"}),
        _can_be_read,
        _every_row,
        can=lambda kwargs: kwargs["type_"] in KINDS,
    ),
    "expect_column_values_to_not_be_null": Compiler("row", _COLUMN, _is_present, _every_row),
    "expect_column_values_to_be_unique": Compiler("unique", _COLUMN, _every_row, _value_is_there),
    "expect_compound_columns_to_be_unique": Compiler(
        "unique", frozenset({"column_list", "ignore_row_if", "mostly"}), _every_row, _compound_is_there
    ),
    "expect_column_values_to_be_in_set": Compiler(
        "row",
        _COLUMN | {"value_set"},
        _is_in_set,
        _value_is_there,
        can=_is_plain_set,
        fits=lambda dtype: _is_text(dtype) or _is_number(dtype),
    ),
    "expect_column_values_to_be_between": Compiler(
        "row",
        _COLUMN | {"min_value", "max_value", "strict_min", "strict_max"},
        _is_between,
        _value_is_there,
        can=_has_plain_limits,
        fits=_is_number,
    ),
    "expect_column_values_to_match_regex": Compiler(
        "row", _COLUMN | {"regex"}, _matches, _value_is_there, can=_is_plain_pattern, fits=_is_text
    ),
    "expect_column_pair_values_a_to_be_greater_than_b": Compiler(
        "row",
        frozenset({"column_A", "column_B", "or_equal", "ignore_row_if", "mostly"}),
        _is_not_below,
        _pair_is_there,
        can=lambda kwargs: kwargs.get("ignore_row_if") == "either_value_is_missing",
        fits=_is_ordered,
    ),
}


@dataclass(frozen=True)
class Tally:
    """What one part of a table told of each rule, by the rule's name; parts add up to the checks of the table.

    Attributes:
        part: its name.
        rows: rows read.
        applies: rows that the rule applies to.
        broken: rows that break it; rules that none breaks are left out.
        largest: the largest value of the column, of a rule that asks for it.
        examples: the first rows that break it: 1-based row and value as text.
    """

    part: str
    rows: int
    applies: Mapping[str, int]
    broken: Mapping[str, int]
    largest: Mapping[str, datetime | None]
    examples: Mapping[str, Sequence[tuple[int, str]]]

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Tally:
        largest = {rule: value and datetime.fromisoformat(value) for rule, value in stored["largest"].items()}
        examples = {rule: [(row, value) for row, value in rows] for rule, rows in stored["examples"].items()}
        return cls(**{**stored, "largest": largest, "examples": examples})


@dataclass(frozen=True, eq=False)
class Applied:
    """Rules brought to one part of a table: what could only be known from all rows is known.

    `frame` has a `source_row`; `not_read` are columns of the source that it leaves out; `failing` are the
    rows that break each rule that is not about one row alone.
    """

    rules: tuple[Rule, ...]
    frame: pl.LazyFrame
    schema: pl.Schema
    not_read: tuple[str, ...]
    failing: Mapping[str, pl.Series]
    by_great_expectations: Mapping[str, Check]

    def _row_rules(self) -> list[tuple[str, pl.Expr]]:
        return [
            (rule.name, holds)
            for rule in self.rules
            if rule.shape != "table" and (holds := self._holds(rule)) is not None
        ]

    def _holds(self, rule: Rule) -> pl.Expr | None:
        """An expression that is false where the rule is broken and never null; None where no row breaks it."""
        if rule.name in self.failing:
            failing = self.failing[rule.name]
            return None if failing.is_empty() else ~pl.col(SOURCE_ROW).is_in(failing.implode())
        if rule.shape != "row" or self._is_about_the_stored_type(rule):
            return None
        compiler = COMPILERS[rule.kind]
        holds = compiler.holds(rule.kwargs, self.schema)
        return holds.fill_null(False) | ~compiler.applies(rule.kwargs, self.schema)

    def _is_about_the_stored_type(self, rule: Rule) -> bool:
        return is_about_the_stored_type(rule, self.schema)

    @property
    def refusing(self) -> frozenset[str]:
        """The rules for which the whole table is refused where they fail."""
        return refusing(self.rules, self.schema)

    @property
    def accepted(self) -> pl.LazyFrame:
        """The rows that break no rule."""
        holds = [holds for _, holds in self._row_rules()]
        return self.frame.filter(pl.all_horizontal(holds)) if holds else self.frame

    @property
    def quarantined(self) -> pl.LazyFrame:
        """The rows that break a rule, with every rule they break in `broken_rules`."""
        rules = self._row_rules()
        if not rules:
            return self.frame.clear().with_columns(pl.lit(None, pl.List(pl.String())).alias(BROKEN))
        broken = [pl.when(~holds).then(pl.lit(name)) for name, holds in rules]
        return self.frame.filter(~pl.all_horizontal([holds for _, holds in rules])).with_columns(
            pl.concat_list(broken).list.drop_nulls().alias(BROKEN)
        )

    def tally(self, quarantined: pl.DataFrame | pl.LazyFrame, part: str = "") -> Tally:
        """What the rows told of every rule, given those that were set aside."""
        aside = quarantined.lazy()
        counted = [rule for rule in self.rules if rule.shape in ("row", "unique")]
        largest = [rule for rule in self.rules if rule.kind == "expect_column_max_to_be_between"]
        sizes = (
            self.frame.select(
                pl.len().alias("rows"),
                *(pl.col(rule.columns[0]).max().alias(f"largest {i}") for i, rule in enumerate(largest)),
                *(self._applies(rule).sum().alias(f"applies to {i}") for i, rule in enumerate(counted)),
            )
            .collect(engine="streaming")
            .row(0, named=True)
        )
        applies = {rule.name: sizes[f"applies to {i}"] for i, rule in enumerate(counted)}
        foreign = {
            name: (check.elements - check.missing, check.unexpected, check.examples)
            for name, check in self.by_great_expectations.items()
            if check.elements is not None and check.missing is not None
        }
        broken = aside.select(SOURCE_ROW, BROKEN).explode(BROKEN).group_by(BROKEN)
        told = broken.agg(pl.len(), pl.col(SOURCE_ROW).bottom_k(EXAMPLES).sort()).collect(engine="streaming")
        first = {rule: rows for rule, _, rows in told.iter_rows()}
        return Tally(
            part=part,
            rows=sizes["rows"],
            applies=applies | {name: seen for name, (seen, _, _) in foreign.items()},
            broken={rule: rows for rule, rows, _ in sorted(told.iter_rows())},
            largest={rule.name: sizes[f"largest {i}"] for i, rule in enumerate(largest)},
            examples=_examples(self.rules, first, aside)
            | {
                name: [(int(row), value) for row, value in rows]
                for name, (_, broken, rows) in foreign.items()
                if broken
            },
        )

    def checks(self, quarantined: pl.DataFrame | pl.LazyFrame) -> tuple[Check, ...]:
        """The outcome of every expectation, given the rows that were set aside."""
        whole = {name: check for name, check in self.by_great_expectations.items() if check.elements is None}
        return checks(self.rules, [self.schema], self.not_read, [self.tally(quarantined)], whole)

    def _applies(self, rule: Rule) -> pl.Expr:
        # With the row number, because a literal alone has one row, whatever the frame has.
        return COMPILERS[rule.kind].applies(rule.kwargs, self.schema) & pl.col(SOURCE_ROW).is_not_null()


def is_about_the_stored_type(rule: Rule, schema: pl.Schema) -> bool:
    """Whether a rule asks for a type of a source that has types, where all rows have the one type."""
    of_type = rule.kind == "expect_column_values_to_be_of_type"
    return of_type and rule.shape != "foreign" and as_written(rule.columns[0]) not in schema


def refusing(rules: Sequence[Rule], *schemas: pl.Schema) -> frozenset[str]:
    """The rules for which a table is refused where they fail, given the schema of each of its parts.

    A text that cannot be read as its type is a bad row; only a source with types can have a wrong one.
    """
    return frozenset(
        rule.name
        for rule in rules
        if rule.refuses
        and (
            rule.kind != "expect_column_values_to_be_of_type"
            or all(is_about_the_stored_type(rule, schema) for schema in schemas)
        )
    )


def checks(
    rules: Sequence[Rule],
    schemas: Sequence[pl.Schema],
    not_read: Sequence[str],
    tallies: Sequence[Tally],
    whole: Mapping[str, Check],
) -> tuple[Check, ...]:
    """The outcome of every expectation on a table, from what its parts told.

    Args:
        schemas: the columns of each part as they were read.
        whole: outcomes that only the whole table could tell, by rule.
    """
    columns = {*not_read, *(name for schema in schemas for name in schema)}

    def check(rule: Rule) -> Check:
        if rule.name in whole:
            return replace(whole[rule.name], examples=_examples_over(rule, tallies))
        if rule.shape == "table":
            return _table_check(rule, columns, tallies)
        if all(is_about_the_stored_type(rule, schema) for schema in schemas):
            return _type_check(rule, schemas[0])
        return _row_check(rule, tallies)

    return tuple(check(rule) for rule in rules)


def _type_check(rule: Rule, schema: pl.Schema) -> Check:
    dtype = schema[rule.columns[0]]
    return rule.check(dtype == POLARS_TYPES[KINDS[rule.kwargs["type_"]]], observed=str(dtype))


def _row_check(rule: Rule, tallies: Sequence[Tally]) -> Check:
    elements = sum(tally.rows for tally in tallies)
    # A part with types tells nothing of a rule that asks for one; it holds there for every row.
    applies = sum(tally.applies.get(rule.name, tally.rows) for tally in tallies)
    broken = sum(tally.broken.get(rule.name, 0) for tally in tallies)
    return rule.check(
        # As Great Expectations has it: where the rule applies to no row, it holds.
        applies == 0 or (applies - broken) / applies >= rule.mostly,
        elements=elements,
        missing=elements - applies,
        unexpected=broken,
        examples=_examples_over(rule, tallies),
    )


def _examples_over(rule: Rule, tallies: Sequence[Tally]) -> tuple[tuple[int | str, str], ...]:
    several = len(tallies) > 1
    examples = (
        (f"{tally.part} row {row}" if several else row, value)
        for tally in tallies
        for row, value in tally.examples.get(rule.name, ())
    )
    return tuple(itertools.islice(examples, EXAMPLES))


def _table_check(rule: Rule, columns: Set[str], tallies: Sequence[Tally]) -> Check:
    kwargs, present = rule.kwargs, columns - {SOURCE_ROW, *map(as_written, columns)}
    match rule.kind:
        case "expect_table_row_count_to_be_between":
            rows = sum(tally.rows for tally in tallies)
            return rule.check(_within(rows, kwargs), observed=rows)
        case "expect_column_max_to_be_between":
            seen = [value for tally in tallies if (value := tally.largest[rule.name]) is not None]
            largest = max(seen, default=None)
            return rule.check(largest is not None and _within(largest, kwargs), observed=str(largest))
        case "expect_column_to_exist":
            return rule.check(kwargs["column"] in present)
        case _:
            asked = set(kwargs["column_set"] or ())
            success = asked == present if kwargs.get("exact_match", True) else asked <= present
            return rule.check(success, observed=sorted(present))


def _within(value: Any, kwargs: Kwargs) -> bool:
    low, high = kwargs.get("min_value"), kwargs.get("max_value")
    return (low is None or value >= low) and (high is None or value <= high)


def _examples(
    rules: Sequence[Rule], first: Mapping[str, Sequence[int]], aside: pl.LazyFrame
) -> dict[str, list[tuple[int, str]]]:
    """The values that broke each rule in its first rows."""
    shown = sorted({row for rows in first.values() for row in rows})
    if not shown:
        return {}
    picked = aside.filter(pl.col(SOURCE_ROW).is_in(pl.Series(shown, dtype=pl.Int64()).implode())).collect()
    values = {row[SOURCE_ROW]: row for row in picked.iter_rows(named=True)}
    return {
        rule.name: [(row, _in_words(rule, values[row])) for row in first[rule.name]]
        for rule in rules
        if rule.name in first
    }


def _in_words(rule: Rule, values: Mapping[str, Any]) -> str:
    seen = [values[as_written(column) if as_written(column) in values else column] for column in rule.columns]
    return ", ".join("empty" if value is None else str(value) for value in seen)
