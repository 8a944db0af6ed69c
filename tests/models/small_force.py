"""A force small enough to read: three tables, seven ideas, some hundred people with planted conduct.

Records are frames in memory; everything else (features, labels, lineage) is the real thing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache

import numpy as np
import polars as pl

from features.definition import (
    Baselines,
    Calendar,
    Cohort,
    Condition,
    ForceDefinition,
    Outcome,
    Precedents,
    ReadKnown,
)
from features.specs import Catalogue, Events, Idea, Latest, count, days_since_last, ratio, total
from features.tables import Column, Mark, Table


def _table(name: str, *columns: Column, mark: Mark | None = None) -> Table:
    return Table(
        name=name,
        says=name,
        source_system="TEST",
        key=(f"{name}_id",),
        mark=mark,
        columns=(
            Column(name=f"{name}_id", kind="integer", says="number of the row"),
            Column(name="person_key", kind="string", says="the person"),
            Column(name="occurred_at", kind="datetime", says="when it happened"),
            Column(name="known_at", kind="datetime", says="when it was recorded"),
            *columns,
        ),
    )


POST = _table("post", Column(name="role", kind="string", says="role"))
CLAIM = _table("claim", Column(name="minutes", kind="integer", says="minutes claimed"))
COMPLAINT = _table("complaint")
CASE = _table(
    "case",
    Column(name="finding_at", kind="datetime", says="when it was found", nullable=True),
    Column(name="finding", kind="string", says="what was found", nullable=True, known_from="finding_at"),
)
SPELL = _table("spell", mark=Mark.HEALTH)
LEAVE = _table("leave", mark=Mark.PROTECTED)
TABLES = (POST, CLAIM, COMPLAINT, CASE, SPELL, LEAVE)

POSTS = Events(name="posts", table=POST, says="a post")
CLAIMS = Events(name="claims", table=CLAIM, says="a claim")
COMPLAINTS = Events(name="complaints", table=COMPLAINT, says="a complaint")
CASES = Events(name="cases", table=CASE, says="a case")
SPELLS = Events(name="spells", table=SPELL, says="a spell of sickness")
LEAVES = Events(name="leaves", table=LEAVE, says="a leave")

CATALOGUE = Catalogue(
    (
        Idea(
            name="claims", says="claims made", of=count(CLAIMS), windows=(90, 365), unit="claims", family="claims",
            typologies=("T2",), innocent=("a busy team",), more_is_concern=True,
        ),
        Idea(
            name="minutes", says="minutes claimed", of=total(CLAIMS, "minutes"), windows=(365,), unit="minutes",
            family="claims", typologies=("T2",),
        ),
        Idea(
            name="minutes_a_claim", says="minutes claimed a claim", of=ratio(total(CLAIMS, "minutes"), count(CLAIMS)),
            windows=(365,), unit="minutes", family="claim size", typologies=("T2",),
        ),
        Idea(
            name="complaints", says="complaints received", of=count(COMPLAINTS), windows=(365,), unit="complaints",
            family="complaints", typologies=("C",),
        ),
        Idea(
            name="days_since_complaint", says="days since the last complaint", of=days_since_last(COMPLAINTS),
            windows=(365,), unit="days", family="complaints", typologies=("C",),
        ),
        Idea(
            name="role", says="role", of=Latest(events=POSTS, value=pl.col("role"), how="category"), unit="category",
            family="post",
        ),
        Idea(
            name="spells", says="spells of sickness", of=count(SPELLS), windows=(365,), unit="spells", family="sickness",
            research="sickness",
        ),
        Idea(
            name="leaves", says="leaves", of=count(LEAVES), windows=(365,), unit="leaves", family="leave", research="leave",
        ),
    )
)  # fmt: skip


def _members(read: ReadKnown, as_of: date) -> pl.DataFrame:
    return read(POSTS, datetime(as_of.year, as_of.month, as_of.day)).select("person_key", "role")


FORCE = ForceDefinition(
    name="small",
    title="A small force",
    tables=TABLES,
    catalogue=CATALOGUE,
    cohort=Cohort(says="everybody in post", members=_members, descriptors=("role",)),
    outcome=Outcome(
        says="a case that was confirmed",
        cases=CASES,
        confirmed=pl.col("finding") == "CONFIRMED",
        closed_at="finding_at",
        horizon_months=6,
        settle_months=6,
        precedents=Precedents(least_months=12, most_months=48),
    ),
    baselines=Baselines(
        complaint_count="complaints_365d",
        threshold_rule=(
            Condition(column="claims_90d", at_least=8),
            Condition(column="complaints_365d", at_least=3),
        ),
        rules={"T2": "claims_90d", "C": "complaints_365d"},
        exposure="claims_365d",
        studies={"sickness": "spells_365d"},
    ),
    calendar=Calendar(every_months=3),
    typologies={"T2": "overtime fraud", "C": "complaints"},
    people="post.person_key",
)

START = date(2020, 1, 1)
DAYS = 4 * 365 + 1
END = START + timedelta(days=DAYS)
CANDIDATES = (date(2021, 1, 1), date(2021, 4, 1), date(2021, 7, 1))
TESTS = (date(2022, 7, 1), date(2022, 10, 1))


@dataclass(frozen=True, eq=False)
class InMemory:
    """Accepted rows held as frames."""

    frames: Mapping[str, pl.DataFrame]
    last_date: date | None = END - timedelta(days=1)

    @property
    def fingerprints(self) -> Mapping[str, str]:
        return {name: str(frame.hash_rows(seed=1).sum()) for name, frame in self.frames.items()}

    def scan(self, name: str, /) -> pl.LazyFrame:
        return self.frames[name].lazy()


def known_late(events: pl.DataFrame) -> pl.DataFrame:
    return events.with_columns(known_at=pl.col("occurred_at") + timedelta(days=2))


@cache
def small_records(people: int = 400, seed: int = 3) -> InMemory:
    """Records in which every tenth person claims far more, and is found out more often than others."""
    rng = np.random.default_rng(seed)
    keys = np.array([f"P{number:04d}" for number in range(people)])
    fraud = np.arange(people) % 10 == 0

    def events(name: str, rate_a_year: np.ndarray, **columns: pl.Series) -> pl.DataFrame:
        n = rng.poisson(rate_a_year * DAYS / 365)
        days = np.sort(rng.uniform(0, DAYS, n.sum()))
        at = [datetime(2020, 1, 1) + timedelta(days=float(day)) for day in days]
        person = rng.permutation(np.repeat(keys, n))
        frame = pl.DataFrame(
            {f"{name}_id": np.arange(len(at)), "person_key": person, "occurred_at": at},
            schema_overrides={f"{name}_id": pl.Int64, "occurred_at": pl.Datetime("us")},
        )
        return known_late(frame).with_row_index("source_row", offset=1)

    claim = events("claim", np.where(fraud, 30.0, 8.0))
    case = events("case", np.where(fraud, 1.0, 0.03))
    waits = pl.Series(rng.uniform(20, 300, len(case)))
    case = case.with_columns(
        finding_at=pl.col("known_at") + pl.duration(days=pl.lit(waits).cast(pl.Int64)),
        finding=pl.Series(np.where(rng.uniform(size=len(case)) < 0.8, "CONFIRMED", "NONE")),
    )
    roles = pl.Series(np.array(["RESPONSE", "CUSTODY", "DESK"])[np.arange(people) % 3])
    hired = datetime(2019, 1, 1)
    frames = {
        "post": known_late(
            pl.DataFrame(
                {
                    "post_id": np.arange(people),
                    "person_key": keys,
                    "occurred_at": [hired] * people,
                    "role": roles,
                },
                schema_overrides={"post_id": pl.Int64, "occurred_at": pl.Datetime("us")},
            )
        ).with_row_index("source_row", offset=1),
        "claim": claim.with_columns(minutes=pl.Series(rng.integers(30, 300, len(claim)))),
        "complaint": events("complaint", np.full(people, 0.6)),
        "case": case,
        "spell": events("spell", np.full(people, 1.0)),
        "leave": events("leave", np.full(people, 0.1)),
    }
    # A finding after the extract's end is not in it: the case is still open there.
    open_still = pl.col("finding_at") >= datetime(END.year, END.month, END.day)
    frames["case"] = frames["case"].with_columns(
        pl.when(~open_still).then(pl.col(name)).alias(name) for name in ("finding", "finding_at")
    )
    return InMemory(frames)


def planted(as_ofs: tuple[date, ...], people: int = 400) -> pl.DataFrame:
    """The answer key of `small_records`: every tenth misconduct, every seventh of the rest a look-alike."""
    kinds = [
        "misconduct" if number % 10 == 0 else "lookalike" if number % 7 == 0 else "innocent"
        for number in range(people)
    ]
    return pl.concat(
        pl.DataFrame(
            {
                "person_key": [f"P{number:04d}" for number in range(people)],
                "as_of": [day] * people,
                "planted": kinds,
                "lookalike": [["busy team"] if kind == "lookalike" else [] for kind in kinds],
            },
            schema_overrides={"lookalike": pl.List(pl.String)},
        )
        for day in as_ofs
    )
