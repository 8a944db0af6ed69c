"""Bad rows, planted on purpose and written down."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import polars as pl

from evenhand.force.columns import Column, Labels, Rows, Times, joined
from evenhand.force.draws import Draws, Flags
from evenhand.force.people import MINUTES_A_DAY
from features.tables import Column as Declared
from features.tables import Table

# A spoiled row here would take many good rows of other tables with it, or there are too few to spoil.
SPARED = frozenset({"establishment", "identity_map", "role_expectation", "hybrid_policy", "major_incident"})
RECORD = {name: pl.String() for name in ("table", "defect", "column", "key")}

# A defect: its name, the column it spoils, and how.
Plan = tuple[str, str, Callable[[Rows, Flags], Column]]


def spoiled(table: Table, rows: Rows, share: float, draws: Draws) -> tuple[Rows, pl.DataFrame]:
    """The rows with about `share` of them spoiled, and a record [table, defect, column, key]."""
    if table.name in SPARED or len(rows.code) == 0:
        return rows, pl.DataFrame(schema=RECORD)
    plans = list(_plans(table))
    chance = draws.of_row(rows.code, f"bad {table.name}")
    bad = np.flatnonzero(chance < share)
    chosen = np.minimum((chance[bad] / share * (len(plans) + 1)).astype(np.int64), len(plans))
    columns, records = dict(rows.columns), []
    for number, (defect, column, spoil) in enumerate(plans):
        hit = np.zeros(len(rows.code), bool)
        hit[bad[chosen == number]] = True
        if hit.any():
            records.append(_noted(table, rows.taken(np.flatnonzero(hit)), defect, column))
            columns[column] = spoil(Rows(columns, rows.code), hit)
    twice = bad[chosen == len(plans)]
    every = Rows(columns, rows.code)
    copies = every.taken(twice)
    records.append(_noted(table, copies, "duplicate_key", table.key[0]))
    return (
        Rows(joined([every.columns, copies.columns]), np.concatenate([every.code, copies.code])),
        pl.concat([pl.DataFrame(schema=RECORD), *records]),
    )


def _plans(table: Table) -> Iterator[Plan]:
    """What can be spoiled in a row of the table."""
    yield "null_key", table.key[0], _emptied(table.key[0])
    if table.person == "person_key":
        yield "unknown_person", table.person, _labelled(table.person, "P999999")
    if table.person_number and table.person is not None:
        yield "malformed_number", table.person, _labelled(table.person, "U??")
    for column in table.columns:
        yield from _plans_of(column)


def _plans_of(column: Declared) -> Iterator[Plan]:
    if column.allowed is not None and column.mark is None:
        yield "unknown_code", column.name, _labelled(column.name, "??")
    if column.minimum is not None and column.mark is None and column.kind == "integer":
        yield "below_minimum", column.name, _set(column.name, int(column.minimum) - 60)
    if column.at_least is not None:
        yield (
            f"{column.name}_before_{column.at_least}",
            column.name,
            _two_days_before(column.name, column.at_least),
        )


def _emptied(name: str) -> Callable[[Rows, Flags], Column]:
    return lambda rows, hit: rows.columns[name].emptied(hit)


def _set(name: str, value: int) -> Callable[[Rows, Flags], Column]:
    return lambda rows, hit: rows.columns[name].with_values(hit, np.int64(value))  # type: ignore[arg-type]  # one for all


def _labelled(name: str, text: str) -> Callable[[Rows, Flags], Column]:
    def spoil(rows: Rows, hit: Flags) -> Column:
        column = rows.columns[name]
        assert isinstance(column, Labels)  # keys of people and closed lists are labels
        return column.labelled(hit, text)

    return spoil


def _two_days_before(name: str, other: str) -> Callable[[Rows, Flags], Column]:
    def spoil(rows: Rows, hit: Flags) -> Column:
        column, earlier = rows.columns[name], rows.columns[other]
        assert isinstance(column, Times)  # only times have an order declared
        return column.with_values(hit, earlier.values[hit] - 2 * MINUTES_A_DAY)

    return spoil


def _noted(table: Table, hit: Rows, defect: str, column: str) -> pl.DataFrame:
    keys = pl.DataFrame({name: pl.Series(hit.columns[name].arrow()).cast(pl.String) for name in table.key})
    return keys.select(
        table=pl.lit(table.name),
        defect=pl.lit(defect),
        column=pl.lit(column),
        key=pl.concat_str(table.key, separator="|"),
    )
