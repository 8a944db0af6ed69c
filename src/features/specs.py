"""The vocabulary in which a force's catalogue declares features.

An *idea* is one thing worth knowing about a person, said in plain words. It is made of *terms*: aggregates
of events over a window, the latest value of a register, or ratios of these. Every term is written with
Polars expressions, so the columns it reads, and with them the marks it inherits, follow from the
declaration itself (`features.lineage`). An idea may also set a person beside others at the same date
(`Peers`, `Colleagues`): such a comparison reads nothing but terms of the people compared.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import polars as pl

from features.tables import Table

How = Literal["count", "sum", "mean", "lean", "min", "max", "days_since_last", "distinct", "most_common"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Events:
    """Rows of one table, read as events of one kind.

    Attributes:
        name: unique in the force.
        table: where the rows come from.
        says: what one event is.
        occurred_at, known_at: a column or an expression of the row; the table's own where None.
        where: which rows are events of this kind; its columns count towards lineage.
        derive: named values of a row, computed from its columns.
        screen: rows for which this is not true never leave the gate. The one place where a protected
            column may be read without marking what comes after it: a row that is protected is simply
            never seen, and changing it can change nothing.
        joined: other events that must exist for the same key, whose columns then stand beside the row's
            own. The pair is known when both are.
    """

    name: str
    table: Table
    says: str
    occurred_at: str | pl.Expr | None = None
    known_at: str | pl.Expr | None = None
    where: pl.Expr | None = None
    derive: Mapping[str, pl.Expr] = field(default_factory=dict)
    screen: pl.Expr | None = None
    joined: Joined | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Joined:
    """The other side of a pair: its columns appear as `"<events.name>.<column>"`."""

    events: Events
    on: tuple[str, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class Aggregate:
    """One number from a person's events in a window `[as_of - window, as_of)`, known before `as_of`.

    `count`, `sum`, `lean`, `distinct` and `most_common` of no events are 0; `mean`, `min`, `max` and
    `days_since_last` are null. `days_since_last` counts whole days from the last event's day to `as_of`.
    `distinct` counts the different values, `most_common` the events that share the commonest one; events
    without a value count for neither. `lean` is the sum over the root of one more than the events with a value: amounts
    that err either way add up to about the root of their number, so that whoever has many is set beside whoever has
    few, and one alone says little.
    """

    events: Events
    how: How
    value: pl.Expr | None = None
    where: pl.Expr | None = None

    def __post_init__(self) -> None:
        if (self.value is None) != (self.how in ("count", "days_since_last")):
            raise ValueError(f"{self.how} over {self.events.name!r}: wrong use of `value`")


@dataclass(frozen=True, eq=False, kw_only=True)
class Latest:
    """The value of the latest row known at `as_of` (last `occurred_at`, then last `known_at`).

    Attributes:
        key: the column that the row is looked up by.
        via: where the look-up value comes from; the person themself where None.
        how: `number`; `category` (stored as an int32 code of a list kept with the model); or `days_since`
            a date.
    """

    events: Events
    value: pl.Expr
    how: Literal["number", "category", "days_since"] = "number"
    key: str | None = None
    via: Latest | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Ratio:
    """`top / bottom`, null where `bottom` is below `bottom_at_least` (a rate over nothing says nothing)."""

    top: Term
    bottom: Term
    bottom_at_least: float


@dataclass(frozen=True, eq=False, kw_only=True)
class Product:
    """`left * right`; null where either is."""

    left: Term
    right: Term


@dataclass(frozen=True, eq=False, kw_only=True)
class Change:
    """An aggregate's daily rate in the window, less its daily rate in the `baseline_days` before it."""

    of: Aggregate
    baseline_days: int

    def __post_init__(self) -> None:
        if self.of.how not in ("count", "sum"):
            raise ValueError(f"a change is one of counts or sums by the day, not of {self.of.how}")


@dataclass(frozen=True, eq=False, kw_only=True)
class Trend:
    """How an aggregate's daily amount rises over the window, along the line of least squares.

    The slope by the day times the days of the window: 0.5 says that the fitted daily amount ends half a
    unit above where it began.
    """

    of: Aggregate

    def __post_init__(self) -> None:
        if self.of.how not in ("count", "sum"):
            raise ValueError(f"a trend is one of counts or sums by the day, not of {self.of.how}")


Term = Aggregate | Latest | Ratio | Product | Change | Trend


@dataclass(frozen=True, eq=False, kw_only=True)
class Colleagues:
    """The mean of a term over the other people of the same group (a team) at the same date.

    Nobody's own value is in it. Null where fewer than `at_least` others have a value, so that a team's
    figure never is one person's.
    """

    of: Term
    by: Latest
    at_least: int = 5


@dataclass(frozen=True, eq=False, kw_only=True)
class Banded:
    """A term cut into bands at fixed edges, so that people with about the same of it can be found.

    A value equal to an edge lies above it; no value is a band of its own.

    Attributes:
        window: days that the term looks through; 0 for one that looks through none.
    """

    of: Term | Colleagues
    edges: tuple[float, ...]
    window: int = 0

    def __post_init__(self) -> None:
        if not self.edges or list(self.edges) != sorted(set(self.edges)):
            raise ValueError(f"edges of bands rise, and there is at least one, not {self.edges}")


@dataclass(frozen=True, eq=False, kw_only=True)
class Alike:
    """Who counts as comparable: people who agree in everything of `by`.

    Where fewer than `at_least` people agree, the last of `by` is let go, and so on, until it is everybody
    of the cohort: a comparison with three people says little and gives them away.
    """

    says: str
    by: tuple[Latest | Banded, ...]
    at_least: int = 20


@dataclass(frozen=True, eq=False, kw_only=True)
class Peers:
    """An amount set beside that of comparable people who had as much occasion for it.

    The rate is `of / exposure`. `share_higher` is k / m: of the m comparable people with a rate, the share
    whose rate is higher (those equal count half). `robust_z` says how far the amount lies from what the
    peers' pooled rate would lead one to expect, on a scale where chance alone gives 1:
    `u = 2 (sqrt(of / unit + 3/8) - sqrt(expected / unit + 3/8))`, less the peers' median of u, divided by
    1.4826 times its median absolute deviation where that is above 1 (people differ by more than chance).
    Null where the exposure is below `exposure_at_least`.

    Attributes:
        unit: the size of one event in the unit of `of`, 1 for counts; 60 where minutes come by the hour.
    """

    of: Aggregate
    exposure: Term
    exposure_at_least: float
    among: Alike
    how: Literal["robust_z", "share_higher"]
    unit: float = 1.0

    def __post_init__(self) -> None:
        if self.of.how not in ("count", "sum", "distinct"):
            raise ValueError(f"peers are compared in amounts, not in {self.of.how}")


Across = Peers | Colleagues


def count(events: Events, where: pl.Expr | None = None) -> Aggregate:
    return Aggregate(events=events, how="count", where=where)


def total(events: Events, value: str | pl.Expr, where: pl.Expr | None = None) -> Aggregate:
    return Aggregate(events=events, how="sum", value=_expr(value), where=where)


def mean(events: Events, value: str | pl.Expr, where: pl.Expr | None = None) -> Aggregate:
    return Aggregate(events=events, how="mean", value=_expr(value), where=where)


def lean(events: Events, value: str | pl.Expr, where: pl.Expr | None = None) -> Aggregate:
    return Aggregate(events=events, how="lean", value=_expr(value), where=where)


def smallest(events: Events, value: str | pl.Expr, where: pl.Expr | None = None) -> Aggregate:
    return Aggregate(events=events, how="min", value=_expr(value), where=where)


def largest(events: Events, value: str | pl.Expr, where: pl.Expr | None = None) -> Aggregate:
    return Aggregate(events=events, how="max", value=_expr(value), where=where)


def days_since_last(events: Events, where: pl.Expr | None = None) -> Aggregate:
    return Aggregate(events=events, how="days_since_last", where=where)


def distinct(events: Events, value: str | pl.Expr, where: pl.Expr | None = None) -> Aggregate:
    return Aggregate(events=events, how="distinct", value=_expr(value), where=where)


def most_common(events: Events, value: str | pl.Expr, where: pl.Expr | None = None) -> Aggregate:
    return Aggregate(events=events, how="most_common", value=_expr(value), where=where)


def ratio(top: Term, bottom: Term, *, bottom_at_least: float = 1.0) -> Ratio:
    return Ratio(top=top, bottom=bottom, bottom_at_least=bottom_at_least)


def _expr(value: str | pl.Expr) -> pl.Expr:
    return pl.col(value) if isinstance(value, str) else value


# How much; against the person's own past; out of what; when; how much of it on one person or thing; against
# comparable people; and what surrounds it.
Aspect = Literal["level", "change", "share", "timing", "concentration", "peers", "circumstance"]


def _side(of: Term | Across) -> Aspect:
    match of:
        case Change() | Trend():
            return "change"
        case Ratio() | Aggregate(how="lean"):
            return "share"
        case Aggregate(how="days_since_last"):
            return "timing"
        case Peers():
            return "peers"
        case Latest() | Colleagues():
            return "circumstance"
        case _:
            return "level"


@dataclass(frozen=True, eq=False, kw_only=True)
class Idea:
    """One entry of the catalogue, in words a governance reviewer can read.

    Attributes:
        name: the column is `name` where there is no window, else `name_<days>d`, one a window.
        says: what the number is, so that it can stand in a sentence about a person.
        of: how it is computed.
        windows: lengths in days; empty for a value that has none.
        unit: what the number counts.
        family: reasons of one family are summed before they are ranked, so that five views of one fact
            are not five reasons.
        typologies: the codes of conduct it speaks to; empty for context (exposure, role, service).
        innocent: ordinary explanations a reviewer should look for first.
        tells_apart: False where an ordinary explanation raises it of which no record that may be read tells, so that
            misconduct and the explanation look alike in it. It is shown; what misconduct looks like is not learnt from it.
        at_heart_of: of the conduct it speaks to, that which consists of just this; with the others it only goes along.
        more_is_concern: True where a higher value can only ever mean more concern; None where it depends.
        research: the isolated study this belongs to; None for an ordinary feature.
        aspect: what side of the matter it shows; follows from how it is computed where None.
    """

    name: str
    says: str
    of: Term | Across
    unit: str
    family: str
    windows: tuple[int, ...] = ()
    typologies: tuple[str, ...] = ()
    innocent: tuple[str, ...] = ()
    tells_apart: bool = True
    at_heart_of: tuple[str, ...] = ()
    more_is_concern: bool | None = None
    research: str | None = None
    aspect: Aspect | None = None

    def __post_init__(self) -> None:
        if not set(self.at_heart_of) <= set(self.typologies):
            raise ValueError(
                f"{self.name} is at the heart of conduct it does not speak to: {self.at_heart_of}"
            )

    @property
    def side(self) -> Aspect:
        """What side of the matter the idea shows a reviewer."""
        return self.aspect or _side(self.of)

    @functools.cached_property
    def columns(self) -> tuple[str, ...]:
        """The feature columns this idea becomes, one a window."""
        return tuple(f"{self.name}_{days}d" for days in self.windows) or (self.name,)


@dataclass(frozen=True, eq=False)
class Catalogue:
    """Every idea of a force; names are unique."""

    ideas: tuple[Idea, ...]

    def __post_init__(self) -> None:
        for names in (
            [idea.name for idea in self.ideas],
            [column for idea in self.ideas for column in idea.columns],
        ):
            if twice := [name for name, times in Counter(names).items() if times > 1]:
                raise ValueError(f"the catalogue names twice: {', '.join(twice)}")

    def idea_of(self, column: str) -> Idea:
        """The idea that a feature column belongs to."""
        return self._idea_of_column[column]

    def ordinary(self) -> Catalogue:
        """The catalogue without research ideas."""
        return Catalogue(tuple(idea for idea in self.ideas if idea.research is None))

    def with_research(self, study: str) -> Catalogue:
        """The ordinary catalogue and the ideas of one research study."""
        return Catalogue(tuple(idea for idea in self.ideas if idea.research in (None, study)))

    def adopting(self, study: str) -> Catalogue:
        """The ordinary catalogue with the ideas of one study as ordinary ones; their marks stay."""
        return Catalogue(tuple(replace(idea, research=None) for idea in self.with_research(study).ideas))

    @functools.cached_property
    def columns(self) -> tuple[str, ...]:
        return tuple(self._idea_of_column)

    @functools.cached_property
    def _idea_of_column(self) -> dict[str, Idea]:
        return {column: idea for idea in self.ideas for column in idea.columns}
