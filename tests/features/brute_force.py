"""Features by plain loops over rows: slow, and simple enough to be believed.

Polars evaluates the expressions of a single row here, nothing else: windows, versions, pairs and aggregates
are Python.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from math import fsum, sqrt
from statistics import median
from typing import Any

import polars as pl

from features.specs import (
    Across,
    Aggregate,
    Alike,
    Banded,
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

Row = dict[str, Any]


class BruteForce:
    """The value of any term for any person and date over accepted frames.

    `cohort` tells who else there is at a date, for terms that compare people.
    """

    def __init__(
        self, frames: Mapping[str, pl.DataFrame], cohort: Mapping[date, Sequence[str]] | None = None
    ) -> None:
        self.frames = frames
        self.cohort = cohort or {}
        self._values: dict[tuple[int, str, date, int], Any] = {}
        self._events: dict[int, tuple[list[Row], pl.Schema]] = {}
        self._columns: dict[tuple[int, int], list[Any]] = {}

    def value(self, term: Term | Across, who: str, as_of: date, window: int) -> Any:
        place = (id(term), who, as_of, window)
        if place not in self._values:
            self._values[place] = self._computed(term, who, as_of, window)
        return self._values[place]

    def _computed(self, term: Term | Across, who: str, as_of: date, window: int) -> Any:
        match term:
            case Trend():
                return self._trend(term.of, who, as_of, window)
            case Colleagues():
                return self._colleagues(term, who, as_of, window)
            case Peers():
                return self._peers(term, who, as_of, window)
            case Aggregate():
                return self._aggregate(term, who, as_of, window)
            case Latest():
                value = self._latest(term, who, as_of)
                if term.how == "days_since" and value is not None:
                    return (as_of - _date(value)).days
                return value
            case Ratio():
                top, bottom = (
                    self.value(term.top, who, as_of, window),
                    self.value(term.bottom, who, as_of, window),
                )
                if top is None or bottom is None or bottom < term.bottom_at_least:
                    return None
                return top / bottom
            case Product():
                left, right = (
                    self.value(term.left, who, as_of, window),
                    self.value(term.right, who, as_of, window),
                )
                return None if left is None or right is None else left * right
            case Change():
                recent = self._aggregate(term.of, who, as_of, window)
                both = self._aggregate(term.of, who, as_of, window + term.baseline_days)
                return recent / window - (both - recent) / term.baseline_days

    def _trend(self, aggregate: Aggregate, who: str, as_of: date, window: int) -> float:
        """The slope of the daily amounts by the textbook, times the days."""
        days = [as_of - timedelta(days=window - i) for i in range(window)]
        counted = self._counted(aggregate, who, as_of, window)
        amounts = [
            fsum((1 if aggregate.value is None else value or 0) for row, value in counted if row["_occurred"].date() == day)
            for day in days
        ]  # fmt: skip
        middle, mean = (window - 1) / 2, fsum(amounts) / window
        slope = fsum((i - middle) * (v - mean) for i, v in enumerate(amounts)) / fsum(
            (i - middle) ** 2 for i in range(window)
        )
        return slope * window

    def _colleagues(self, term: Colleagues, who: str, as_of: date, window: int) -> float | None:
        team = self.value(term.by, who, as_of, 0)
        values = [
            self.value(term.of, other, as_of, window)
            for other in self.cohort[as_of]
            if other != who and team is not None and self.value(term.by, other, as_of, 0) == team
        ]
        known = [value for value in values if value is not None]
        return fsum(known) / len(known) if len(known) >= max(term.at_least, 1) else None

    def _peers(self, term: Peers, who: str, as_of: date, window: int) -> float | None:
        def exposed(person: str) -> bool:
            exposure = self.value(term.exposure, person, as_of, window)
            return exposure is not None and exposure >= term.exposure_at_least and exposure > 0

        if not exposed(who):
            return None
        group = self._alike(term.among, who, as_of, [one for one in self.cohort[as_of] if exposed(one)])
        amount = {one: max(self.value(term.of, one, as_of, window), 0) for one in group}
        exposure = {one: self.value(term.exposure, one, as_of, window) for one in group}
        if term.how == "share_higher":
            rate = {one: amount[one] / exposure[one] for one in group}
            others = [one for one in group if one != who]
            more = sum((rate[one] > rate[who]) + (rate[one] == rate[who]) / 2 for one in others)
            return more / len(others) if others else None
        pooled = fsum(amount.values()) / fsum(exposure.values())
        u = {
            one: 2
            * (sqrt(amount[one] / term.unit + 0.375) - sqrt(pooled * exposure[one] / term.unit + 0.375))
            for one in group
        }
        middle = median(u.values())
        return (u[who] - middle) / max(1.4826 * median(abs(x - middle) for x in u.values()), 1)

    def _alike(self, among: Alike, who: str, as_of: date, people: Sequence[str]) -> list[str]:
        for n in range(len(among.by), -1, -1):
            mine = self._likeness(among, n, who, as_of)
            found = [one for one in people if self._likeness(among, n, one, as_of) == mine]
            if len(found) >= among.at_least:
                return found
        return list(people)

    def _likeness(self, among: Alike, n: int, who: str, as_of: date) -> list[Any]:
        said = []
        for one in among.by[:n]:
            value = self.value(
                one.of if isinstance(one, Banded) else one, who, as_of, getattr(one, "window", 0)
            )
            if isinstance(one, Banded) and value is not None:
                value = bisect_right(one.edges, value)
            said.append(value)
        return said

    def _counted(self, aggregate: Aggregate, who: str, as_of: date, window: int) -> list[tuple[Row, Any]]:
        rows, hits = self.rows(aggregate.events), self._evaluated(aggregate.events, aggregate.where, True)
        values = self._evaluated(aggregate.events, aggregate.value, None)
        until = _midnight(as_of)
        return [
            (row, value)
            for row, hit, value in zip(rows, hits, values, strict=True)
            if hit
            and row["person_key"] == who
            and until - timedelta(days=window) <= row["_occurred"] < until
            and _stands(row, until)
        ]

    def _aggregate(self, aggregate: Aggregate, who: str, as_of: date, window: int) -> Any:
        counted = self._counted(aggregate, who, as_of, window)
        named = Counter(value for _, value in counted if value is not None)
        match aggregate.how:
            case "distinct":
                return len(named)
            case "most_common":
                return max(named.values(), default=0)
        numbers = [float(value) for _, value in counted if value is not None]
        match aggregate.how:
            case "count":
                return len(counted)
            case "sum":
                return fsum(numbers)
            case "mean":
                return fsum(numbers) / len(numbers) if numbers else None
            case "lean":
                return fsum(numbers) / sqrt(len(numbers) + 1)
            case "min":
                return min(numbers, default=None)
            case "max":
                return max(numbers, default=None)
            case "days_since_last":
                return min(((as_of - row["_occurred"].date()).days for row, _ in counted), default=None)

    def _latest(self, latest: Latest, who: str, as_of: date) -> Any:
        looked_up: Any = who if latest.via is None else self._latest(latest.via, who, as_of)
        rows, values = self.rows(latest.events), self._evaluated(latest.events, latest.value, None)
        until = _midnight(as_of)
        found = None
        for row, value in zip(rows, values, strict=True):
            known_then = row["_occurred"] < until and _stands(row, until)
            if row[latest.key or "person_key"] != looked_up or looked_up is None or not known_then:
                continue
            key = tuple(str(row.get(name)) for name in latest.events.table.key)
            order = (row["_occurred"], row["_known"], key, value is not None, value)
            if found is None or order > found[0]:
                found = (order, value)
        return None if found is None else found[1]

    def rows(self, events: Events) -> list[Row]:
        if id(events) not in self._events:
            self._events[id(events)] = self._read(events)
        return self._events[id(events)][0]

    def _read(self, events: Events) -> tuple[list[Row], pl.Schema]:
        frame = self.frames[events.table.name]
        frame = frame.with_columns(
            _screen=pl.lit(True) if events.screen is None else events.screen,
            _occurred=_expr(events.occurred_at, events.table.occurred_at),
            _known=_expr(events.known_at, events.table.known_at),
            _recorded=_expr(None, events.table.known_at),
        )
        rows = []
        for row in frame.to_dicts():
            times = [row["_occurred"], row["_known"], row["_recorded"]]
            if row.get("withdrawn") or not row["_screen"] or None in times:
                continue
            occurred, known, recorded = (_instant(value) for value in times)
            rows.append(
                row
                | {"_occurred": occurred, "_known": max(known, recorded), "_ends": row.get("superseded_at")}
            )
        schema = {name: dtype for name, dtype in frame.schema.items() if not name.startswith("_")}
        if events.joined is not None:
            rows, schema = self._pairs(rows, schema, events)
        derived = pl.DataFrame(
            [{name: row.get(name) for name in schema} for row in rows], schema=schema, strict=False
        )
        derived = derived.with_columns(**events.derive)
        extra = derived.select(events.derive.keys()).to_dicts() if events.derive else [{} for _ in rows]
        rows = [row | more for row, more in zip(rows, extra, strict=True)]
        if events.where is not None:
            kept = derived.select(_where=events.where)["_where"].to_list()
            rows = [row for row, keep in zip(rows, kept, strict=True) if keep]
        return rows, derived.schema

    def _pairs(
        self, rows: list[Row], schema: dict[str, Any], events: Events
    ) -> tuple[list[Row], dict[str, Any]]:
        assert events.joined is not None
        partner, on = events.joined.events, events.joined.on
        pairs = []
        for row in rows:
            for other in self.rows(partner):
                if all(row[name] is not None and row[name] == other[name] for name in on):
                    ends = [end for end in (row["_ends"], other["_ends"]) if end is not None]
                    pairs.append(
                        row
                        | {f"{partner.name}.{name}": value for name, value in other.items()}
                        | {
                            "_known": max(row["_known"], other["_known"], other["_occurred"]),
                            "_ends": min(ends, default=None),
                        }
                    )
        beside = {f"{partner.name}.{name}": dtype for name, dtype in self._events[id(partner)][1].items()}
        return pairs, schema | beside

    def _evaluated(self, events: Events, expression: pl.Expr | None, otherwise: Any) -> list[Any]:
        rows = self.rows(events)
        if expression is None:
            return [otherwise] * len(rows)
        place = (id(events), id(expression))
        if place not in self._columns:
            schema = self._events[id(events)][1]
            frame = pl.DataFrame(
                [{name: row.get(name) for name in schema} for row in rows], schema=schema, strict=False
            )
            self._columns[place] = frame.select(pl.lit(0).alias("_"), expression.alias("_value"))[
                "_value"
            ].to_list()
        return self._columns[place]


def _expr(declared: str | pl.Expr | None, of_table: str | None) -> pl.Expr:
    time = declared if declared is not None else of_table
    assert time is not None
    return pl.col(time) if isinstance(time, str) else time


def _stands(row: Row, until: datetime) -> bool:
    return row["_known"] < until and (row["_ends"] is None or row["_ends"] >= until)


def _instant(value: date | datetime) -> datetime:
    return value if isinstance(value, datetime) else _midnight(value)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time())


def _date(value: date | datetime) -> date:
    return value.date() if isinstance(value, datetime) else value
