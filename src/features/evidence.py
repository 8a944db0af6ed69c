"""The exact source rows behind a feature's value, for the person who has to judge it.

Reads through the same `rows_of` as the engine, with plain filters in place of cells, so that a reviewer sees
what was counted and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta

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


def rows_behind(
    force: ForceDefinition,
    accepted: Records,
    column: str,
    *,
    person_key: str | int,
    as_of: date,
    catalogue: Catalogue | None = None,
) -> pl.DataFrame:
    """The source rows that made the value of a feature column for a person at `as_of`.

    Args:
        catalogue: the force's whole catalogue where None.

    Returns:
        One row a source row and part: `part` (which side of a ratio or product, `window` or `baseline` of a
        change, `latest`, `via`; `value` where there is one part only; a partner row ends in the name of its
        events), `table`, `source_row` (in the extract's file), `occurred_at`, `known_at` (of a pair: when both
        were), `value` (what the row adds; 1 where rows are counted), then the key and the columns the
        feature reads. A part that is a count or a sum is the sum of its `value`.

    Raises:
        WrongUsage: the catalogue has no such column.
    """
    catalogue = catalogue or force.catalogue
    if column not in catalogue.columns:
        raise WrongUsage(
            f"Expected a feature of {force.name}, found {column!r}. {did_you_mean(column, catalogue.columns)}"
        )
    idea = catalogue.idea_of(column)
    window = dict(zip(idea.columns, idea.windows, strict=False)).get(column, 0)
    midnight = datetime.combine(as_of, time())
    found = [_FIRST.to_frame(), *_rows(accepted, idea.of, person_key, midnight, 0, window, "")]
    return pl.concat(found, how="diagonal_relaxed").select(*_FIRST, pl.exclude(*_FIRST))


def _rows(
    accepted: Records,
    term: Term | Across,
    who: str | int | None,
    as_of: datetime,
    skip: int,
    window: int,
    part: str,
) -> Iterator[pl.DataFrame]:
    """The rows of each part of a term; `skip` days before `as_of` are left out (a change's own window).

    Of a comparison, the person's own rows: what stands behind other people's values is not theirs to see.
    """

    def of(inner: Term, name: str, *, skip: int = 0, window: int = window) -> Iterator[pl.DataFrame]:
        return _rows(accepted, inner, who, as_of, skip, window, f"{part} / {name}" if part else name)

    match term:
        case Aggregate():
            yield from _aggregated(accepted, term, who, as_of, skip, window, part or "value")
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
            yield from _latest(accepted, term, who, as_of, part or "latest")


def _aggregated(
    accepted: Records,
    aggregate: Aggregate,
    who: str | int | None,
    as_of: datetime,
    skip: int,
    window: int,
    part: str,
) -> Iterator[pl.DataFrame]:
    until = as_of - timedelta(days=skip)
    rows = rows_of(accepted, aggregate.events).filter(
        pl.col("person_key") == who,
        pl.col(OCCURRED) >= until - timedelta(days=window),
        pl.col(OCCURRED) < until,
        stands_at(pl.lit(as_of, dtype=pl.Datetime("us"))),
    )
    if aggregate.where is not None:
        rows = rows.filter(aggregate.where)
    value = aggregate.value
    if value is None or aggregate.how in ("distinct", "most_common"):
        value = pl.lit(1)
    rows = rows.with_columns(value.cast(pl.Float64).alias("event.value")).sort(
        *order_in_time(aggregate.events)
    )
    yield from _shown(rows.collect(), aggregate.events, aggregate, part)


def _latest(
    accepted: Records, latest: Latest, who: str | int | None, as_of: datetime, part: str
) -> Iterator[pl.DataFrame]:
    if latest.via is not None:
        yield from _latest(accepted, latest.via, who, as_of, f"{part} / via")
    value = latest.value if latest.how == "number" else pl.lit(None)
    row = _latest_row(accepted, latest, who, as_of).with_columns(value.cast(pl.Float64).alias("event.value"))
    yield from _shown(row, latest.events, latest, part)


def _latest_row(accepted: Records, latest: Latest, who: str | int | None, as_of: datetime) -> pl.DataFrame:
    """The one row that is the latest, if there is one."""
    looked_up = who
    if latest.via is not None:
        via = _latest_row(accepted, latest.via, who, as_of)
        looked_up = via.select(latest.via.value)[0, 0] if len(via) else None
    instant = pl.lit(as_of, dtype=pl.Datetime("us"))
    return (
        rows_of(accepted, latest.events)
        .filter(
            pl.col(latest.key or "person_key") == pl.lit(looked_up),
            pl.col(OCCURRED) < instant,
            stands_at(instant),
        )
        .with_columns(latest.value.alias("event.latest"))
        .sort(*order_in_time(latest.events), "event.latest")
        .tail(1)
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
        pl.lit(part).alias("part"),
        pl.lit(table.name).alias("table"),
        pl.col(f"{prefix}source_row").cast(pl.Int64).alias("source_row"),
        pl.col(occurred).alias("occurred_at"),
        pl.col(known).alias("known_at"),
        pl.col("event.value").alias("value"),
        *(pl.col(prefix + name).alias(name) for name in names),
    )
