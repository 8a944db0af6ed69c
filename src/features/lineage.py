"""What a feature descends from, and what that forbids.

A mark on a column (or a whole table) is inherited by every expression that reads it. Lineage is read off
the Polars expressions of a declaration, so it cannot be forgotten or declared away; expressions whose
columns cannot be told by name, or that look beyond their own row, are refused.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator

import polars as pl

from features.definition import ForceDefinition
from features.errors import GateRefused, did_you_mean
from features.events import KNOWN, OCCURRED, known_expr, occurred_expr, order_in_time
from features.specs import (
    Across,
    Aggregate,
    Banded,
    Catalogue,
    Change,
    Colleagues,
    Events,
    Idea,
    Latest,
    Peers,
    Product,
    Ratio,
    Term,
    Trend,
)
from features.tables import Column, Mark, Sensitivity, Table

Read = tuple[Table, Column]


def columns_read(of: Term | Across | Idea) -> frozenset[str]:
    """Every `"table.column"` that a term or an idea descends from; screens are left out."""
    return frozenset(_label(read) for read in _reads(of.of if isinstance(of, Idea) else of))


def marks_of(idea: Idea) -> frozenset[Mark]:
    """The marks an idea inherits from what it reads."""
    return frozenset(mark for table, column in _reads(idea.of) for mark in table.marks_of(column.name))


def sensitivity_of(idea: Idea) -> Sensitivity:
    """The strictest handling that any table an idea descends from calls for."""
    found = {table.sensitivity for table, _ in _reads(idea.of)}
    return next(
        one for one in (Sensitivity.SPECIAL, Sensitivity.CRIMINAL, Sensitivity.STANDARD) if one in found
    )


def marks_of_set(
    force: ForceDefinition, feature_columns: Iterable[str], catalogue: Catalogue | None = None
) -> dict[Mark, tuple[str, ...]]:
    """The marks that a set of feature columns inherits together, each with its reasons in words.

    Raises:
        GateRefused: a column belongs to no idea of the catalogue, so nobody can say what it descends from.
    """
    catalogue = catalogue or force.catalogue
    by_column = {column: idea for idea in catalogue.ideas for column in idea.columns}
    reasons: dict[Mark, list[str]] = {}
    union: set[str] = set()
    for feature in feature_columns:
        if feature not in by_column:
            raise GateRefused(
                f"Expected features of {force.name}'s catalogue, found {feature!r}: what it descends from cannot be "
                f"told, so it may not enter a model. Declare it as an idea. {did_you_mean(feature, by_column)}"
            )
        reads = dict(sorted((_label(read), read) for read in _reads(by_column[feature].of)))
        union |= reads.keys()
        for label, (table, column) in reads.items():
            for mark in sorted(table.marks_of(column.name)):
                reasons.setdefault(mark, []).append(
                    f"feature {feature} reads {label} ({column.says}), marked {mark}"
                )
    for reveal in force.reveals:
        if reveal.columns <= union:
            together = " and ".join(sorted(reveal.columns))
            reasons.setdefault(reveal.mark, []).append(
                f"features read {together}, which together give away {reveal.says}, marked {reveal.mark}"
            )
    return {mark: tuple(found) for mark, found in reasons.items()}


def refuse_marked(
    force: ForceDefinition,
    columns: Iterable[str],
    *,
    health_permitted: bool,
    catalogue: Catalogue | None = None,
) -> None:
    """Let a set of feature columns pass only if nothing in it descends from what may not be used.

    Raises:
        GateRefused: naming each feature, column and mark, and what to do.
    """
    marks = marks_of_set(force, columns, catalogue)
    if reasons := marks.get(Mark.PROTECTED):
        raise GateRefused(
            "Protected records may never stand behind a score, whatever is configured; found:\n"
            + _listed(reasons)
            + "\nLeave these features out, or read what they mean from columns that carry no mark."
        )
    if (reasons := marks.get(Mark.HEALTH)) and not health_permitted:
        raise GateRefused(
            "Sickness and absence levels stand behind a score only where governance.toml records the basis for it; "
            "found:\n"
            + _listed(reasons)
            + "\nLeave these features out, study them apart with `evenhand train --research "
            "sickness`, or record lawful basis, special-category condition, DPIA and consultation under [health]."
        )


def check(catalogue: Catalogue) -> None:
    """Hold a catalogue to what lineage and time need.

    Raises:
        ValueError: a declaration reads a column its table lacks, an enclave, a value before it is known,
            or is written with an expression that cannot be traced.
    """
    for idea in catalogue.ideas:
        _check_idea(idea)


@functools.lru_cache(maxsize=1024)  # ideas never change
def _check_idea(idea: Idea) -> None:
    _check_windows(idea)
    for events, expressions in _expressions(idea.of):
        _check_events(events)
        for expression in expressions:
            _check_expression(events, expression)


def _check_windows(idea: Idea) -> None:
    windowed = _looks_through_a_window(idea.of)
    if windowed != bool(idea.windows):
        needs = "needs `windows`" if windowed else "has windows, and nothing in it looks through one"
        raise ValueError(f"idea {idea.name!r} {needs}")
    if bad := [days for days in idea.windows if days < 1]:
        raise ValueError(f"idea {idea.name!r}: a window is at least a day, not {bad[0]}")


def _check_events(events: Events) -> None:
    if events.table.enclave:
        raise ValueError(
            f"events {events.name!r}: table {events.table.name!r} is an enclave and makes no features"
        )
    times = (occurred_expr(events), known_expr(events))
    for expression in (*times, events.where, events.screen, *events.derive.values()):
        if expression is not None:
            _check_expression(events, expression)
    if events.joined is not None:
        _check_events(events.joined.events)
        for side in (events, events.joined.events):
            for name in events.joined.on:
                _check_expression(side, pl.col(name))


def _check_expression(events: Events, expression: pl.Expr) -> None:
    """An expression of a row may look at that row alone, at columns it names, at what was known by then."""
    for part in _parts(expression):
        if part.meta.has_multiple_outputs() or not part.meta.is_row_separable():
            raise ValueError(
                f"events {events.name!r}: {expression} must name its columns and look at one row alone, so that its "
                "lineage is exact and no other row, earlier or later, moves it"
            )
    for table, column, owner in _row_columns(events, expression.meta.root_names()):
        if column.known_from is not None and not _known_then(owner, column.known_from):
            raise ValueError(
                f"events {owner.name!r} reads {table.name}.{column.name} before it is known: it is known from "
                f"{column.known_from}, so declare the events with known_at={column.known_from!r}"
            )


def _known_then(events: Events, known_from: str) -> bool:
    return known_expr(events).meta.eq(pl.col(known_from))


def _parts(expression: pl.Expr) -> Iterator[pl.Expr]:
    yield expression
    for part in expression.meta.pop():
        yield from _parts(part)


def parts_of(of: Term | Across | Banded) -> tuple[Term | Across | Banded, ...]:
    """The terms that a term is directly made of; none for one that reads events itself."""
    match of:
        case Aggregate():
            return ()
        case Latest(via=via):
            return () if via is None else (via,)
        case Change(of=inner) | Trend(of=inner) | Banded(of=inner):
            return (inner,)
        case Ratio(top=one, bottom=other) | Product(left=one, right=other):
            return one, other
        case Colleagues(of=inner, by=by):
            return inner, by
        case Peers(of=amount, exposure=exposure, among=among):
            return amount, exposure, *among.by


def _looks_through_a_window(of: Term | Across | Banded) -> bool:
    # The bands of comparable people have windows of their own.
    parts = (of.of, of.exposure) if isinstance(of, Peers) else parts_of(of)
    return isinstance(of, Aggregate) or any(_looks_through_a_window(part) for part in parts)


def _expressions(of: Term | Across | Banded) -> Iterator[tuple[Events, list[pl.Expr]]]:
    """The events a term is made of, with the expressions the term adds to their own."""
    match of:
        case Aggregate():
            yield of.events, [part for part in (of.value, of.where) if part is not None]
        case Latest():
            # Rows of one instant are told apart by their key, so the key decides too.
            keys = [of.key] if of.key is not None else []
            keys += [name for name in order_in_time(of.events) if name not in (OCCURRED, KNOWN)]
            yield of.events, [of.value, *map(pl.col, keys)]
    for part in parts_of(of):
        yield from _expressions(part)


def _reads(term: Term | Across) -> Iterator[Read]:
    for events, expressions in _expressions(term):
        yield from _existence(events)
        for expression in expressions:
            for table, column, _ in _row_columns(events, expression.meta.root_names()):
                yield table, column


def _existence(events: Events) -> Iterator[Read]:
    """What decides that a row is such an event of a person, and when: counting rows reads all of it."""
    table = events.table
    names = [*occurred_expr(events).meta.root_names(), *known_expr(events).meta.root_names()]
    names += [name for name in (table.person, table.known_at) if name is not None]
    if table.correctable:
        names += [*table.key, *(name for name in ("withdrawn",) if name in table.by_name)]
    yield from ((table, _column(events, name)) for name in names)
    if events.where is not None:
        yield from ((t, c) for t, c, _ in _row_columns(events, events.where.meta.root_names()))
    if events.joined is not None:
        partner = events.joined.events
        yield from ((table, _column(events, name)) for name in events.joined.on)
        yield from ((partner.table, _column(partner, name)) for name in events.joined.on)
        yield from _existence(partner)


def _row_columns(
    events: Events, names: Iterable[str], *, derived: bool = True
) -> Iterator[tuple[Table, Column, Events]]:
    """The source columns behind names of an event row, each with the events that read it."""
    for name in names:
        if derived and name in events.derive:
            yield from _row_columns(events, events.derive[name].meta.root_names(), derived=False)
        elif events.joined is not None and name.startswith(f"{events.joined.events.name}."):
            partner = events.joined.events
            yield from _row_columns(partner, [name.removeprefix(f"{partner.name}.")])
        else:
            yield events.table, _column(events, name), events


def _column(events: Events, name: str) -> Column:
    table = events.table
    name = table.person if name == "person_key" and table.person is not None else name
    if name not in table.by_name:
        raise ValueError(
            f"events {events.name!r} reads {name!r}, which table {table.name!r} does not declare. "
            + did_you_mean(name, table.by_name)
        )
    return table.by_name[name]


def _label(read: Read) -> str:
    table, column = read
    return f"{table.name}.{column.name}"


def _listed(reasons: Iterable[str]) -> str:
    return "\n".join(f"  - {reason}" for reason in reasons)
