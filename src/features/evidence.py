"""The exact source rows behind a feature's value, for the person who has to judge it.

Reads through the same `rows_of` as the engine, with plain filters in place of cells, so that a reviewer sees
what was counted and nothing else. Each kind of events is read once for everybody asked about, since a table of
the largest forces takes seconds to go through.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

import polars as pl

from features.definition import ForceDefinition
from features.errors import WrongUsage, did_you_mean
from features.events import KNOWN, OCCURRED, Records, order_in_time, rows_of, stands_at
from features.lineage import columns_read
from features.specs import (
    Across,
    Aggregate,
    Catalogue,
    Change,
    Colleagues,
    Events,
    Latest,
    Peers,
    Product,
    Ratio,
    Term,
    Trend,
)

# The person for whom a row is shown; a register's row (a team's return) names none.
_FOR = "event.for"

_FIRST = pl.Schema(
    {
        "part": pl.String(),
        "table": pl.String(),
        "source_row": pl.Int64(),
        "occurred_at": pl.Datetime("us"),
        "known_at": pl.Datetime("us"),
        "value": pl.Float64(),
    }
)


@dataclass(frozen=True, eq=False)
class _Piece:
    """Where some of the rows of a feature come from: one aggregate or register of its term.

    Attributes:
        part: what its rows are to the value.
        window: days; None for a register.
        skip: the days before the date that are left out (a change's own window).
    """

    of: Aggregate | Latest
    part: str
    window: int | None
    skip: int


@dataclass(frozen=True, eq=False)
class _Asked:
    """One piece of one feature, and for whom."""

    column: str
    place: int
    piece: _Piece
    people: pl.Series


def rows_behind(
    force: ForceDefinition,
    accepted: Records,
    column: str,
    *,
    person_key: str | int,
    as_of: date,
    catalogue: Catalogue | None = None,
) -> pl.DataFrame:
    """The source rows that made the value of one feature column for one person at `as_of`.

    For the arguments, the rows and the errors see `rows_behind_each`, which answers for many at once.
    """
    wanted = [(person_key, column)]
    return rows_behind_each(force, accepted, wanted, as_of=as_of, catalogue=catalogue)[person_key, column]


def rows_behind_each(
    force: ForceDefinition,
    accepted: Records,
    wanted: Iterable[tuple[Any, str]],
    *,
    as_of: date,
    catalogue: Catalogue | None = None,
) -> Mapping[tuple[Any, str], pl.DataFrame]:
    """The source rows that made the values of feature columns at `as_of`, for each person and column wanted.

    Args:
        wanted: person and column.
        catalogue: the force's whole catalogue where None.

    Returns:
        For each person and column, one row a source row and part: `part` (which side of a ratio or product,
        `window` or `baseline` of a change, `latest`, `via`; `value` where there is one part only; a partner
        row ends in the name of its events), `table`, `source_row` (in the extract's file), `occurred_at`,
        `known_at` (of a pair: when both were), `value` (what the row adds; 1 where rows are counted), then
        the key and the columns the feature reads. A part that is a count or a sum is the sum of its `value`.
        Of a comparison, the person's own rows: what stands behind other people's values is not theirs to see.

    Raises:
        WrongUsage: the catalogue has no such column.
    """
    catalogue = catalogue or force.catalogue
    columns, people = set(catalogue.columns), defaultdict[str, list[Any]](list)
    for person, column in dict.fromkeys(wanted):
        if column not in columns:
            raise WrongUsage(
                f"Expected a feature of {force.name}, found {column!r}. {did_you_mean(column, catalogue.columns)}"
            )
        people[column].append(person)
    by_events: dict[Events, list[_Asked]] = defaultdict(list)
    for column, who in people.items():
        idea = catalogue.idea_of(column)
        window = dict(zip(idea.columns, idea.windows, strict=False)).get(column, 0)
        for place, piece in enumerate(_pieces(idea.of, window, "")):
            by_events[piece.of.events].append(_Asked(column, place, piece, pl.Series(who)))
    midnight = datetime.combine(as_of, time())
    found: dict[str, dict[int, list[pl.DataFrame]]] = defaultdict(lambda: defaultdict(list))
    for events, asked in by_events.items():
        for one, rows in _read(accepted, events, asked, midnight):
            found[one.column][one.place] += _shown(rows, events, one.piece.of, one.piece.part)
    return {
        (person, column): rows
        for column, who in people.items()
        for person, rows in _by_person(who, found[column]).items()
    }


def _by_person(who: Iterable[Any], pieces: Mapping[int, list[pl.DataFrame]]) -> dict[Any, pl.DataFrame]:
    frames = [_FIRST.to_frame(), *(frame for place in sorted(pieces) for frame in pieces[place])]
    rows = pl.concat(frames, how="diagonal_relaxed").select(_FOR, *_FIRST, pl.exclude(_FOR, *_FIRST))
    of_each = rows.partition_by(_FOR, as_dict=True, include_key=False, maintain_order=True)
    nothing = rows.clear().drop(_FOR)
    return {person: of_each.get((person,), nothing) for person in who}


def _pieces(term: Term | Across, window: int, part: str, skip: int = 0) -> Iterator[_Piece]:
    def of(inner: Term, name: str, *, skip: int = skip, window: int = window) -> Iterator[_Piece]:
        return _pieces(inner, window, f"{part} / {name}" if part else name, skip)

    match term:
        case Aggregate():
            yield _Piece(term, part or "value", window, skip)
        case Change():
            yield from of(term.of, "window")
            yield from of(term.of, "baseline", skip=window, window=term.baseline_days)
        case Trend():
            yield from of(term.of, "window")
        case Peers():
            yield from of(term.of, "own amount")
            yield from of(term.exposure, "own exposure")
        case Colleagues():
            yield from of(term.by, "team")
        case Ratio():
            yield from of(term.top, "top")
            yield from of(term.bottom, "bottom")
        case Product():
            yield from of(term.left, "left")
            yield from of(term.right, "right")
        case Latest():
            part = part or "latest"
            if term.via is not None:
                yield from _pieces(term.via, window, f"{part} / via", skip)
            yield _Piece(term, part, None, skip)


def _read(
    accepted: Records, events: Events, asked: Iterable[_Asked], as_of: datetime
) -> Iterator[tuple[_Asked, pl.DataFrame]]:
    """The rows of each piece, in order of time, with whom they are shown for and what they add."""
    counted = [one for one in asked if one.piece.window is not None]
    if counted:
        rows = _rows_of_people(accepted, events, counted, as_of)
        for one in counted:
            yield one, _aggregated(rows, one, as_of)
    for one in asked:
        if isinstance(latest := one.piece.of, Latest):
            value = latest.value if latest.how == "number" else pl.lit(None)
            row = _latest_rows(accepted, latest, one.people, as_of)
            yield one, row.with_columns(value.cast(pl.Float64).alias("event.value"))


def _rows_of_people(
    accepted: Records, events: Events, counted: Iterable[_Asked], as_of: datetime
) -> pl.DataFrame:
    """The events of everybody asked about that stand at `as_of`, as far back as anything reaches."""
    people = pl.concat([one.people for one in counted]).unique()
    reach = max(one.piece.skip + (one.piece.window or 0) for one in counted)
    rows = rows_of(accepted, events, of_people=people).filter(
        pl.col(OCCURRED) >= as_of - timedelta(days=reach),
        pl.col(OCCURRED) < as_of,
        stands_at(pl.lit(as_of, dtype=pl.Datetime("us"))),
    )
    return rows.collect(engine="streaming").sort(*order_in_time(events))


def _aggregated(rows: pl.DataFrame, one: _Asked, as_of: datetime) -> pl.DataFrame:
    aggregate, window = one.piece.of, one.piece.window
    assert isinstance(aggregate, Aggregate)
    assert window is not None
    until = as_of - timedelta(days=one.piece.skip)
    rows = rows.filter(
        pl.col("person_key").is_in(one.people.implode()),
        pl.col(OCCURRED) >= until - timedelta(days=window),
        pl.col(OCCURRED) < until,
    )
    if aggregate.where is not None:
        rows = rows.filter(aggregate.where)
    value = aggregate.value
    if value is None or aggregate.how in ("distinct", "most_common"):
        value = pl.lit(1)
    return rows.with_columns(pl.col("person_key").alias(_FOR), value.cast(pl.Float64).alias("event.value"))


def _latest_rows(accepted: Records, latest: Latest, people: pl.Series, as_of: datetime) -> pl.DataFrame:
    """Of each person the one row that is the latest, where there is one."""
    if latest.via is None:
        by = pl.DataFrame({_FOR: people, "event.by": people})
    else:
        via = _latest_rows(accepted, latest.via, people, as_of)
        by = via.select(_FOR, latest.via.value.alias("event.by"))
    instant = pl.lit(as_of, dtype=pl.Datetime("us"))
    return (
        rows_of(accepted, latest.events)
        .join(by.lazy(), left_on=latest.key or "person_key", right_on="event.by", how="inner")
        .filter(pl.col(OCCURRED) < instant, stands_at(instant))
        .with_columns(latest.value.alias("event.latest"))
        .sort(*order_in_time(latest.events), "event.latest")
        .unique(_FOR, keep="last", maintain_order=True)
        .collect()
    )


def _shown(rows: pl.DataFrame, events: Events, term: Term, part: str) -> Iterator[pl.DataFrame]:
    """Rows as a reviewer reads them, then those of the partner they were paired with."""
    yield _one_table(rows, events, term, part, prefix="", occurred=OCCURRED, known=KNOWN)
    if events.joined is not None:
        partner = events.joined.events
        prefix = f"{partner.name}."
        paired = rows.with_columns(pl.lit(None, dtype=pl.Float64).alias("event.value"))
        yield _one_table(
            paired, partner, term, f"{part} / {partner.name}", prefix=prefix, occurred=prefix + OCCURRED, known=prefix + KNOWN
        ).unique(maintain_order=True)  # fmt: skip


def _one_table(
    rows: pl.DataFrame, events: Events, term: Term, part: str, *, prefix: str, occurred: str, known: str
) -> pl.DataFrame:
    table = events.table
    read = {label.partition(".")[2] for label in columns_read(term) if label.partition(".")[0] == table.name}
    apart = {table.person, table.occurred_at, table.known_at, "withdrawn"}
    names = [name for name in table.by_name if name in {*table.key, *read} - apart]
    return rows.select(
        _FOR,
        pl.lit(part).alias("part"),
        pl.lit(table.name).alias("table"),
        pl.col(f"{prefix}source_row").cast(pl.Int64).alias("source_row"),
        pl.col(occurred).alias("occurred_at"),
        pl.col(known).alias("known_at"),
        pl.col("event.value").alias("value"),
        *(pl.col(prefix + name).alias(name) for name in names),
    )
