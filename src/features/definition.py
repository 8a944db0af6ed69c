"""A force is a declaration: tables, catalogue, cohort, outcome, audit attributes.

Two ship with the project, `simulated` and `chicago`. Another force is a Python file that ends in
`FORCE = ForceDefinition(...)` and needs no code in the engine.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Literal

import polars as pl

from features.errors import WrongUsage, did_you_mean
from features.specs import Catalogue, Events
from features.tables import Mark, Table

SHIPPED = {"simulated": "features.catalogue.uk", "chicago": "features.catalogue.chicago"}

# Reads an accepted table as it stood: the caller names the instant before which rows must have been known.
ReadKnown = Callable[[Events, datetime], pl.DataFrame]


@dataclass(frozen=True, kw_only=True)
class Leaving:
    """Where it is recorded that somebody has left: the events, and their column with the last day of service."""

    events: Events
    last_day: str


@dataclass(frozen=True, eq=False, kw_only=True)
class Cohort:
    """Who is scored on a date.

    `members(read, as_of)` returns one row a person: `person_key` and the descriptors a reviewer may see
    (rank, team, role). `read(events, as_of)` gives the latest version of each row known before `as_of`.
    `leaving` tells who left and when, where that is recorded.
    """

    says: str
    members: Callable[[ReadKnown, date], pl.DataFrame]
    descriptors: tuple[str, ...] = ()
    leaving: Leaving | None = None


@dataclass(frozen=True, kw_only=True)
class Precedents:
    """Which past cases tell how a case that is still open may end.

    Attributes:
        kinds: columns that say what a case is about, finest first; each lies within the next. All are known
            with the case itself.
        least_months, most_months: how long ago a past case came in; less, and many of its like are still
            open; more, and cases were dealt with otherwise.
        pull: a kind's own share is mixed with that of the next coarser kind as if so many cases more had
            ended as those did.
    """

    kinds: tuple[str, ...] = ()
    least_months: int = 24
    most_months: int = 120
    pull: float = 20.0

    def __post_init__(self) -> None:
        if not 0 < self.least_months < self.most_months:
            raise ValueError(
                f"precedents came in between least_months and most_months ago, not {self.least_months} to {self.most_months}"
            )
        if self.pull <= 0:
            raise ValueError(f"pull must be positive, not {self.pull}")


@dataclass(frozen=True, eq=False, kw_only=True)
class Alleged:
    """What a case is about, as far as the force records it when the case is opened.

    Attributes:
        column: of a case's row, what was alleged.
        speaks_to: by value of it, the kinds of conduct (codes of typologies) that such an allegation may be about.
        beside: the features that say who does the same work, that of most weight first: what is much for one is usual
            for another.
        colleagues: the cohort's descriptor that colleagues have in common: what all of them show is no one's conduct.
            None where none says so.
    """

    column: str
    speaks_to: Mapping[str, tuple[str, ...]]
    beside: tuple[str, ...]
    colleagues: str | None = None

    def allegations(self) -> dict[str, list[str]]:
        """By kind of conduct, the values that may be about it."""
        kinds = sorted({kind for kinds in self.speaks_to.values() for kind in kinds})
        return {kind: [value for value, about in self.speaks_to.items() if kind in about] for kind in kinds}


@dataclass(frozen=True, eq=False, kw_only=True)
class Outcome:
    """What counts as confirmed by the force's own procedure, and when it can be known.

    Attributes:
        cases: the events that may end in a finding; `occurred_at` is when the conduct happened.
        watched: columns of a case whose mix is watched over time, such as how it came to notice.
        confirmed: of a case's row, whether the finding confirms it.
        closed_at: the column with the date of the finding; null while the case is open.
        horizon_months: a label asks about cases in `[as_of, as_of + horizon)`.
        settle_months: how long after the horizon most findings have been made.
        precedents: the past cases that tell how one still open may end.
        own_leads: of a case's row, whether one of our own leads opened it.
        alleged: what a case is about; None where the records do not tell kinds of conduct apart.
    """

    says: str
    cases: Events
    watched: tuple[str, ...] = ()
    confirmed: pl.Expr
    closed_at: str
    horizon_months: int
    settle_months: int
    precedents: Precedents = Precedents()
    own_leads: pl.Expr = field(default_factory=lambda: pl.lit(False))
    alleged: Alleged | None = None

    @property
    def before_any(self) -> frozenset[str]:
        """The kinds of conduct that every allegation may be about: what comes before conduct of all kinds."""
        about = [frozenset(kinds) for kinds in self.alleged.speaks_to.values()] if self.alleged else []
        return frozenset.intersection(*about) if about else frozenset()


@dataclass(frozen=True, kw_only=True)
class Condition:
    """One line of a threshold rule: the feature column is at least this much."""

    column: str
    at_least: float


@dataclass(frozen=True, kw_only=True)
class Baselines:
    """The simple methods that a model must beat at the same capacity, by feature columns in which more is more concern.

    Attributes:
        complaint_count: how many complaints there were.
        threshold_rule: what raises a flag in an early-intervention system.
        rules: by kind of conduct, the column that a supervisor would sort by to look for that kind alone; empty
            where the force has no such rules.
        exposure: how much there was to complain of or to find, such as tours worked; None where nothing tells.
        studies: by research study, the column by which such records are commonly ranked.
    """

    complaint_count: str
    threshold_rule: tuple[Condition, ...]
    rules: Mapping[str, str] = field(default_factory=dict)
    exposure: str | None = None
    studies: Mapping[str, str] = field(default_factory=dict)

    @property
    def counts(self) -> tuple[str, ...]:
        """The columns of the rules and the complaint count, each once."""
        return tuple(dict.fromkeys((self.complaint_count, *self.rules.values())))


@dataclass(frozen=True, kw_only=True)
class Calendar:
    """Which as-of dates a force is studied on.

    Attributes:
        every_months: step between as-of dates, counted from the first of January.
        first: the earliest as-of date worth building; None where `history_months` decides.
        history_months: how much of the extract must lie before the first as-of date.
        tests: how many of the last dates are tests.
        tests_settle: whether a test date must be settled within the extract. False where findings in
            the extract come from releases long after its last event.
    """

    every_months: int
    first: date | None = None
    history_months: int = 6
    tests: int = 3
    tests_settle: bool = True

    def __post_init__(self) -> None:
        if 12 % self.every_months:
            raise ValueError(f"every_months must divide a year, not {self.every_months}")


@dataclass(frozen=True, kw_only=True)
class Reveals:
    """Columns that are harmless alone and together give a marked fact away (planned less worked tours)."""

    columns: frozenset[str]
    mark: Mark
    says: str


@dataclass(frozen=True, eq=False, kw_only=True)
class ForceDefinition:
    """Everything Evenhand knows about a force.

    Attributes:
        people: `"table.column"` that names everyone the force knows.
        identity_map: the table that translates other systems' person numbers.
        use: `live` leads are about people who can be affected, and need every governance record;
            `simulated` people do not exist; `validation` records are public and historical: they are scored
            to prove the method, and no lead is ever opened.
        reveals: columns that may not stand together in one model.
        audit_attributes: `"table.column"` of what fairness is audited by, and never modelled.
    """

    name: str
    title: str
    tables: tuple[Table, ...]
    catalogue: Catalogue
    cohort: Cohort
    outcome: Outcome
    baselines: Baselines
    calendar: Calendar
    typologies: Mapping[str, str]
    people: str
    identity_map: str | None = None
    use: Literal["live", "simulated", "validation"] = "live"
    reveals: tuple[Reveals, ...] = ()
    audit_attributes: tuple[str, ...] = ()
    tables_by_name: Mapping[str, Table] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "tables_by_name", {table.name: table for table in self.tables})


def load_force(name_or_path: str) -> ForceDefinition:
    """The force definition shipped under a name, or the `FORCE` of a Python file.

    Raises:
        WrongUsage: no such name or file, or the file defines no `FORCE`.
    """
    if name_or_path in SHIPPED:
        return importlib.import_module(SHIPPED[name_or_path]).FORCE
    path = Path(name_or_path)
    if path.suffix != ".py" or not path.is_file():
        raise WrongUsage(
            f"--force {name_or_path!r} is neither a force that ships nor a Python file. "
            + did_you_mean(name_or_path, SHIPPED)
        )
    spec = importlib.util.spec_from_file_location(f"force_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not isinstance(getattr(module, "FORCE", None), ForceDefinition):
        raise WrongUsage(f"{path} must end in `FORCE = ForceDefinition(...)`; it defines no such name.")
    return module.FORCE
