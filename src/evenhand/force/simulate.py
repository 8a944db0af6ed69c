"""Write a whole simulated force to disk, block of people by block of people."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
import polars as pl
import pyarrow as pa

from evenhand.force import (
    access,
    attendance,
    complaints,
    conduct,
    expenses,
    health,
    interests,
    operations,
    overtime,
    posts,
    roster,
)
from evenhand.force.columns import Rows
from evenhand.force.defects import RECORD, spoiled
from evenhand.force.draws import Draws, derived_seed
from evenhand.force.extracts import Extract, in_order_of_arrival, recoded
from evenhand.force.kinds import KINDS
from evenhand.force.lookalikes import lookalikes
from evenhand.force.parameters import Preset, drawn
from evenhand.force.people import Calendar
from evenhand.force.world import World, simulated
from features.errors import WrongUsage, did_you_mean
from features.tables import Table
from features.tables.uk import TABLES

T = TypeVar("T")
R = TypeVar("R")

ANSWER_KEY = "answer_key"
MARKER = "parameters.json"
USES_PER_TOUR, USES_PER_TOUR_DENSE = 4.8, 0.75
CODES_THAT_REVEAL = {
    "duty_amendment": ("reason_code",),
    "other_absence": ("absence_type",),
    "sickness_spell": ("category", "disability_related"),
}
BY_NAME: Mapping[str, Table] = {table.name: table for table in TABLES}

# Tables that fit in memory whole, and tables written block by block.
WHOLE: Mapping[str, Callable[[World], Rows]] = {
    "establishment": posts.establishment,
    "identity_map": posts.identity_map,
    "conduct_matter": complaints.conduct_matter,
    "sickness_spell": health.sickness_spell,
    "other_absence": health.other_absence,
    "protected_characteristics": health.protected_characteristics,
    "adjustments": health.adjustments,
    "flexible_working": health.flexible_working,
    "union_duty_time": health.union_duty_time,
    "membership_declaration": health.membership_declaration,
    "team_strength": posts.team_strength,
    "role_expectation": access.role_expectation,
    "hybrid_policy": posts.hybrid_policy,
    "major_incident": lambda world: operations.major_incident(world.ops, world.calendar, world.draws),
    "declaration": interests.declaration,
    "register_match": interests.register_match,
    "vetting": interests.vetting,
    "corruption_intel": interests.corruption_intel,
}
OF_TOURS: Mapping[str, Callable[[roster.Tours, World], Rows]] = {
    "duty_plan": roster.duty_plan,
    "duty_worked": roster.duty_worked,
    "duty_amendment": roster.duty_amendment,
    "event_deployment": roster.event_deployment,
    "overtime_claim": overtime.overtime_claim,
    "expense_claim": expenses.expense_claim,
    "complaint": complaints.complaint,
    "badge_event": attendance.badge_event,
    "bwv_event": attendance.bwv_event,
    "system_access": access.system_access,
}
IN_BLOCKS = (*OF_TOURS, "vpn_session", "attendance_return")


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to be simulated; cannot be built wrong."""

    officers: int
    months: int
    seed: int
    preset: Preset
    dense: bool
    kinds: tuple[str, ...]
    conduct: bool
    uses_per_tour: float
    by_month: bool
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
        if not 0 < self.uses_per_tour <= 20:
            raise WrongUsage(
                f"a tour brings more than 0 and at most 20 uses of systems, not {self.uses_per_tour}."
            )
        for kind in self.kinds:
            if kind not in KINDS:
                raise WrongUsage(f"no confounder {kind!r}. " + did_you_mean(kind, list(KINDS)))

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
    dense: bool = False,
    confounders: Sequence[str] | None = None,
    conduct: bool = True,
    uses_per_tour: float | None = None,
    by_month: bool = False,
    protected_seed: int | None = None,
    recode_reasons: bool = False,
    start: date = date(2020, 1, 1),
    threads: int = 2,
    progress: Callable[[str], None] | None = None,
) -> Path:
    """Write a simulated force's extracts, its enclave and its answer key under `out`; returns `out`.

    The same arguments give the same bytes, whatever the machine and `threads`. Rows lie in order of arrival
    within each block of people. An optional table of which there is no row is not written. A force written
    here before is replaced as a whole.

    Args:
        officers: posts; people who come and go make about a third more over five years.
        months: length of the extracts from `start`, a first of a month; nothing known later is in them.
        preset: one of `Preset`.
        dense: more conduct and more of it noticed than published rates have, for forces of a few thousand.
        confounders: the innocent explanations present, by name (`evenhand.force.kinds.KINDS`); all where it is
            None. Nobody's other rows change with them, but for what hangs on a tour, a post or a claim that
            an explanation brings or takes.
        conduct: whether anybody is in an episode of misconduct.
        uses_per_tour: routine uses of information systems a tour, on average; 4.8 where it is None, and 0.75
            in a dense force, whose rows are few.
        by_month: write each table as a folder of parts, one for each month of `known_at`.
        protected_seed: draws sickness for protected reasons, maternity, union duty, adjustments and
            protected characteristics; follows from `seed` where it is None.
        recode_reasons: exchange amendment reasons, absence types and sickness causes for others.
        threads: blocks made at a time; each takes some 0.5 GB at full size.
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
        dense=dense,
        kinds=tuple(KINDS) if confounders is None else tuple(confounders),
        conduct=conduct,
        uses_per_tour=uses_per_tour or (USES_PER_TOUR_DENSE if dense else USES_PER_TOUR),
        by_month=by_month,
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
        _write_force(order, unfinished, threads, progress or (lambda _: None))
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


@dataclass(frozen=True)
class _Written:
    """Rows of one table on their way into its parts, and the defects planted in them."""

    table: str
    parts: list[tuple[str, pa.Table]]
    defects: pl.DataFrame


class _Office:
    """Turns rows into what the extract holds of them: defects planted, in order, nothing from after the end."""

    def __init__(self, order: Order, world: World, directory: Path) -> None:
        self._world = world
        self._permutations = _permutations(world.protected) if order.recode_reasons else {}
        self._extracts = {
            name: Extract(table, directory, world.calendar, by_month=order.by_month)
            for name, table in BY_NAME.items()
        }
        self.defects: list[pl.DataFrame] = []

    def prepared(self, name: str, rows: Rows) -> _Written:
        table = BY_NAME[name]
        rows, defects = spoiled(table, rows, self._world.parameters["bad_row_share"], self._world.draws)
        rows = in_order_of_arrival(table, rows, self._world.calendar)
        rows = recoded(rows, self._permutations.get(name, {}))
        return _Written(name, self._extracts[name].parts_of(rows), defects)

    def write(self, written: _Written) -> None:
        self._extracts[written.table].append(written.parts)
        self.defects.append(written.defects)

    def close(self, name: str) -> None:
        self._extracts[name].close()


def _write_force(order: Order, directory: Path, threads: int, progress: Callable[[str], None]) -> None:
    draws, protected = Draws(order.seed), Draws(order.histories_seed)
    parameters = drawn(draws, order.preset, dense=order.dense, kinds=order.kinds, conduct=order.conduct)
    world = simulated(
        order.officers, order.calendar, parameters, draws, protected, uses_per_tour=order.uses_per_tour
    )
    office = _Office(order, world, directory)
    for name, rows in WHOLE.items():
        office.write(office.prepared(name, rows(world)))
        office.close(name)
        progress(name)
    for block in _in_turn(lambda block: list(_block(*block, world, office)), world.blocks, threads):
        for written in block:
            office.write(written)
    for name in IN_BLOCKS:
        office.close(name)
        progress(name)
    _write_answer_key(order, world, office, directory / ANSWER_KEY)


def _block(first: int, end: int, world: World, office: _Office) -> Iterator[_Written]:
    """The rows of the people `[first, end)` in every table that is written block by block."""
    tours, away = roster.tours(world, first, end)
    for name, rows in OF_TOURS.items():
        yield office.prepared(name, rows(tours, world))
    yield office.prepared("vpn_session", attendance.vpn_session(tours, away, first, world))
    yield office.prepared("attendance_return", attendance.attendance_return(tours, first, end, world))


def _in_turn(make: Callable[[T], R], given: Sequence[T], threads: int) -> Iterator[R]:
    """What `make` makes of each, in the order given, with no more under way than there are threads."""
    waiting: list[Future[R]] = []
    left = iter(given)
    with ThreadPoolExecutor(max_workers=threads) as pool:
        waiting.extend(pool.submit(make, one) for one in islice(left, threads))
        while waiting:
            done = waiting.pop(0).result()
            waiting.extend(pool.submit(make, one) for one in islice(left, 1))
            yield done


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


def _planted(world: World) -> pl.DataFrame:
    """[person_key, typology, severity, started, ended], half-open; nobody outside the answer key sees it."""
    episodes, calendar = world.episodes, world.calendar
    row, person = np.nonzero(episodes.starts < conduct.NEVER)
    return pl.DataFrame(
        {
            "person_key": pl.Series(world.people.key).gather(pl.Series(person.astype(np.uint32))),
            "typology": pl.Series(conduct.TYPOLOGIES).gather(pl.Series(row.astype(np.uint32))),
            "severity": pl.Series(["mild", "serious"]).gather(
                pl.Series(episodes.serious[row, person].astype(np.uint32))
            ),
            "started": pl.Series(calendar.days_column(episodes.starts[row, person]).arrow()),
            "ended": pl.Series(calendar.days_column(episodes.ends[row, person]).arrow()),
        }
    ).sort("person_key", "typology")


def _write_answer_key(order: Order, world: World, office: _Office, directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    _planted(world).write_parquet(directory / "planted.parquet")
    lookalikes(world).write_parquet(directory / "lookalikes.parquet")
    pl.concat([pl.DataFrame(schema=RECORD), *office.defects]).write_parquet(directory / "defects.parquet")
    record = {
        "officers": order.officers,
        "months": order.months,
        "seed": order.seed,
        "protected_seed": order.histories_seed,
        "preset": order.preset.value,
        "dense": order.dense,
        "confounders": [kind for kind in KINDS if kind in order.kinds],
        "conduct": order.conduct,
        "uses_per_tour": order.uses_per_tour,
        "by_month": order.by_month,
        "recode_reasons": order.recode_reasons,
        "start": order.start.isoformat(),
        "parameters": world.parameters.record(),
    }
    (directory / MARKER).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
