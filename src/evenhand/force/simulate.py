"""Write a whole simulated force to disk."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from evenhand.force import absence, access, complaints, conduct, health, overtime, posts, roster
from evenhand.force.defects import spoiled
from evenhand.force.draws import DAYS_LIMIT, PEOPLE_LIMIT, Draws, derived_seed
from evenhand.force.extracts import Rows, known_before, recoded, write
from evenhand.force.lookalikes import lookalikes
from evenhand.force.parameters import Parameters, Preset, drawn
from evenhand.force.people import Calendar, recruited
from features.errors import WrongUsage, did_you_mean
from features.tables import Table
from features.tables.uk import TABLES

ANSWER_KEY = "answer_key"
MARKER = "parameters.json"
CODES_THAT_REVEAL = {
    "duty_amendment": ("reason_code",),
    "other_absence": ("absence_type",),
    "sickness_spell": ("category", "disability_related"),
}
BY_NAME: Mapping[str, Table] = {table.name: table for table in TABLES}


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to be simulated; cannot be built wrong."""

    officers: int
    months: int
    seed: int
    preset: Preset
    null: bool
    protected_seed: int | None
    recode_reasons: bool
    start: date

    def __post_init__(self) -> None:
        if not 150 <= self.officers <= 60_000:
            raise WrongUsage(f"a simulated force has 150 to 60,000 officers, not {self.officers:,}.")
        if not 12 <= self.months <= 120:
            raise WrongUsage(f"a simulated force covers 12 to 120 months, not {self.months}.")
        if min(self.seed, self.protected_seed or 0) < 0:
            raise WrongUsage(
                f"a seed is a whole number from 0 up, not {min(self.seed, self.protected_seed or 0)}."
            )

    @property
    def histories_seed(self) -> int:
        """The seed of the protected histories."""
        if self.protected_seed is None:
            return derived_seed(self.seed, "protected histories")
        return self.protected_seed

    @property
    def calendar(self) -> Calendar:
        month = self.start.month - 1 + self.months
        end = self.start.replace(year=self.start.year + month // 12, month=month % 12 + 1, day=1)
        return Calendar(self.start, (end - self.start).days)


def simulate(
    out: Path,
    *,
    officers: int,
    months: int,
    seed: int,
    preset: str = "casey",
    null: bool = False,
    protected_seed: int | None = None,
    recode_reasons: bool = False,
    start: date = date(2020, 1, 1),
    progress: Callable[[str], None] | None = None,
) -> Path:
    """Write a simulated force's extracts, its enclave and its answer key under `out`; returns `out`.

    The same arguments give the same bytes. A force written here before is replaced as a whole.

    Args:
        officers: posts; people who come and go make about a third more over five years.
        months: length of the extracts from `start`, a first of a month; nothing known later is in them.
        null: nobody's conduct leaves a trace, and findings fall on people at random.
        protected_seed: draws sickness for protected reasons, maternity, union duty, adjustments and
            protected characteristics; follows from `seed` where it is None.
        recode_reasons: exchange amendment reasons, absence types and sickness causes for others.
        progress: told the name of each finished table.

    Raises:
        WrongUsage: an argument out of range, or `out` holds something that was not written here.
    """
    if preset not in set(Preset):
        raise WrongUsage(f"no preset {preset!r}. " + did_you_mean(preset, list(Preset)))
    order = Order(
        officers=officers,
        months=months,
        seed=seed,
        preset=Preset(preset),
        null=null,
        protected_seed=protected_seed,
        recode_reasons=recode_reasons,
        start=start.replace(day=1),
    )
    out = Path(out)
    _refuse_foreign(out)
    unfinished = out.with_name(f".{out.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        _write_force(order, unfinished, progress or (lambda _: None))
        if out.exists():
            shutil.rmtree(out)
        unfinished.rename(out)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return out


def _refuse_foreign(out: Path) -> None:
    if out.is_file():
        raise WrongUsage(f"{out} is a file; a simulated force needs a directory of its own.")
    if out.is_dir() and any(out.iterdir()) and not (out / ANSWER_KEY / MARKER).is_file():
        raise WrongUsage(
            f"{out} holds something that no simulation wrote, and would be replaced. Name another directory."
        )


def _write_force(order: Order, directory: Path, progress: Callable[[str], None]) -> None:
    draws, protected = Draws(order.seed), Draws(order.histories_seed)
    parameters = drawn(draws, order.preset)
    permutations = _permutations(protected) if order.recode_reasons else {}
    key = _AnswerKey(directory / ANSWER_KEY)
    ends = order.start + timedelta(days=order.calendar.days)
    for name, rows in _tables(order, parameters, draws, protected, key):
        table = BY_NAME[name]
        frame, defects = spoiled(table, rows, parameters["bad_row_share"], draws)
        del rows  # the largest tables take a gigabyte; hold no second copy
        write(recoded(known_before(ends, frame.lazy(), table), permutations.get(name, {})), table, directory)
        del frame
        key.defects.append(defects)
        progress(name)
    key.write(order, parameters)


def _permutations(protected: Draws) -> dict[str, dict[str, dict[str, str]]]:
    """For each column that reveals a reason, every code's replacement."""
    permutations: dict[str, dict[str, dict[str, str]]] = {}
    for table, columns in CODES_THAT_REVEAL.items():
        for column in columns:
            codes = list(BY_NAME[table].by_name[column].allowed or ())
            shift = int(protected.stream(f"recode {column}").integers(1, len(codes)))
            permutations.setdefault(table, {})[column] = dict(
                zip(codes, codes[shift:] + codes[:shift], strict=True)
            )
    return permutations


def _tables(
    order: Order, parameters: Parameters, draws: Draws, protected: Draws, key: _AnswerKey
) -> Iterator[tuple[str, Rows]]:
    """Every table of the force, one at a time so that memory holds one."""
    calendar = order.calendar
    people, teams = recruited(order.officers, calendar, parameters, draws)
    if len(people) >= PEOPLE_LIMIT or calendar.days >= DAYS_LIMIT:
        raise WrongUsage(
            f"{len(people):,} people over {calendar.days:,} days are more than row codes can name."
        )
    episodes, frailty = conduct.planted(people, teams, calendar, parameters, draws)
    people, episodes, cases = conduct.noticed(
        people, teams, episodes, frailty, calendar, parameters, draws, null=order.null
    )
    has = absence.conditions(people, calendar, parameters, protected)
    away = absence.absences(people, has, calendar, parameters, draws, protected)
    ops = roster.operations(calendar, draws)
    pool = roster.aid_pool(people, teams, parameters, draws)
    key.planted = _planted(people.key, episodes, calendar)
    key.lookalikes = lookalikes(people, teams, pool, has, calendar)

    yield "establishment", posts.establishment(people, teams, calendar, draws, protected)
    yield "identity_map", posts.identity_map(people, calendar, parameters, draws)
    yield "conduct_matter", complaints.conduct_matter(cases, people, calendar, draws)
    yield "sickness_spell", health.sickness_spell(away.sickness, people, calendar, draws)
    yield "other_absence", health.other_absence(away.other, people, calendar, draws)
    yield "protected_characteristics", health.protected_characteristics(people, has, calendar, protected)
    yield "adjustments", health.adjustments(people, has, away.sickness, calendar, protected)
    absent = away.unplanned | (away.cancelled > 0)
    yield "team_strength", posts.team_strength(people, teams, absent, calendar, draws)
    yield "role_expectation", Rows(posts.role_expectation(calendar), np.zeros(0, np.int64))

    tours = roster.tours(people, teams, episodes, away, ops, pool, calendar, parameters, draws)
    yield "duty_plan", roster.duty_plan(tours, people, calendar, draws)
    yield "duty_worked", roster.duty_worked(tours, people, ops, calendar, draws)
    yield "duty_amendment", roster.duty_amendment(tours, people, teams, away, calendar, parameters, draws)
    yield "event_deployment", roster.event_deployment(tours, people, ops, calendar, draws)
    yield (
        "overtime_claim",
        overtime.overtime_claim(tours, people, teams, episodes, ops, calendar, parameters, draws),
    )
    yield "complaint", complaints.complaint(tours, people, teams, frailty, calendar, parameters, draws)
    yield "system_access", access.system_access(tours, people, teams, episodes, calendar, parameters, draws)


def _planted(keys: pl.Series, episodes: conduct.Episodes, calendar: Calendar) -> pl.DataFrame:
    """[person_key, typology, severity, started, ended], half-open; nobody outside the answer key sees it."""
    row, person = np.nonzero(episodes.starts < conduct.NEVER)
    return pl.DataFrame(
        {
            "person_key": keys.gather(pl.Series(person.astype(np.uint32))),
            "typology": pl.Series(conduct.TYPOLOGIES).gather(pl.Series(row.astype(np.uint32))),
            "severity": pl.Series(["mild", "serious"]).gather(
                pl.Series(episodes.serious[row, person].astype(np.uint32))
            ),
            "started": calendar.dates(episodes.starts[row, person]),
            "ended": calendar.dates(episodes.ends[row, person]),
        }
    ).sort("person_key", "typology")


class _AnswerKey:
    """What was planted, gathered while the tables are written."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.planted = pl.DataFrame()
        self.lookalikes = pl.DataFrame()
        self.defects: list[pl.DataFrame] = []

    def write(self, order: Order, parameters: Parameters) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        self.planted.write_parquet(self.directory / "planted.parquet")
        self.lookalikes.write_parquet(self.directory / "lookalikes.parquet")
        pl.concat(self.defects).write_parquet(self.directory / "defects.parquet")
        record = {
            "officers": order.officers,
            "months": order.months,
            "seed": order.seed,
            "protected_seed": order.histories_seed,
            "preset": order.preset.value,
            "null": order.null,
            "recode_reasons": order.recode_reasons,
            "start": order.start.isoformat(),
            "parameters": parameters.record(),
        }
        (self.directory / MARKER).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
