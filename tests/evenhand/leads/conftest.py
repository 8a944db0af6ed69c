"""A small cohort with scores and reasons, and a register in a real SQLite file or on a real PostgreSQL server."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from glob import glob
from pathlib import Path
from pwd import getpwnam
from typing import Any

import polars as pl
import pytest
from sqlalchemy import create_engine

from evenhand.governance.gate import Permit
from evenhand.leads.opening import EvidenceOf, Opened, Terms, open_leads
from evenhand.leads.register import Register, open_register
from models.sampling import Sizes

AS_OF = date(2024, 1, 1)
SCORED_AT = datetime(2024, 1, 1, 9)
TERMS = Terms(
    force="simulated",
    model="conduct-leads/1",
    fingerprints={"overtime_claim": "c0ffee"},
    capacity=3,
    threshold=0.5,
    seed=1,
    samples=Sizes(),
)

TYPOLOGIES = {"T2": "overtime fraud", "T4": "misuse of systems"}

Rescored = Mapping[str, float]


@dataclass(frozen=True)
class Batch:
    """Scores and reasons of a cohort; the strongest reason comes first."""

    frame: pl.DataFrame
    reasons: pl.DataFrame


def reason(person: str, **changes: object) -> dict[str, object]:
    return {
        "person_key": person,
        "direction": "for",
        "family": "overtime",
        "words": "overtime claims beyond the tour in the 90 days before 2024-01-01: 4 claims",
        "value": 4.0,
        "unit": "claims",
        "window_days": 90,
        "contribution": 0.8,
        "rests_on_records": True,
        "column": "claims_90d",
        **changes,
    }


def batch(
    scores: Mapping[str, float], *, as_of: date = AS_OF, reasons: Sequence[Mapping[str, object]] | None = None
) -> Batch:
    """A cohort with these scores, mostly about overtime; everyone has one reason for and one against unless others are given."""
    ranked = sorted(scores, key=lambda person: (-scores[person], person))
    given = reasons
    if given is None:
        given = [
            each
            for person in ranked
            for each in (
                reason(person),
                reason(
                    person,
                    direction="against",
                    column="role",
                    words="role: planner",
                    value=None,
                    unit="role",
                    window_days=None,
                    contribution=-0.2,
                    family="role",
                    rests_on_records=False,
                ),
            )
        ]
    return Batch(
        frame=pl.DataFrame(
            {
                "person_key": ranked,
                "as_of": [as_of] * len(ranked),
                "score": [scores[person] for person in ranked],
                "raw": [0.0] * len(ranked),
                "rank": range(1, len(ranked) + 1),
                "concern": ["T2"] * len(ranked),
                "concern_share": [0.62] * len(ranked),
            }
        ),
        reasons=pl.DataFrame(given, schema_overrides={"window_days": pl.Int64, "value": pl.Float64}),
    )


def about(batch: Batch, concerns: Mapping[str, tuple[str | None, float | None]]) -> Batch:
    """The same cohort, with what the scores of some people are about, and how much of what raises them."""
    people = batch.frame["person_key"]
    named = [concerns.get(person, ("T2", 0.62)) for person in people]
    columns = {
        "concern": pl.Series([kind for kind, _ in named], dtype=pl.String),
        "concern_share": pl.Series([share for _, share in named], dtype=pl.Float64),
    }
    return Batch(frame=batch.frame.with_columns(**columns), reasons=batch.reasons)


def rows_behind(person: object, column: str) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "table": ["overtime_claim", "overtime_claim"],
            "source_row": [7, 3],
            "claim_id": [f"{person}-{column}-late", f"{person}-{column}-early"],
            "occurred_at": [datetime(2023, 12, 5), datetime(2023, 11, 2)],
            "known_at": [datetime(2023, 12, 6), datetime(2023, 11, 9)],
        }
    )


def no_rows(person: object, column: str) -> pl.DataFrame:
    return rows_behind(person, column).clear()


def of_each(rows: Callable[[object, str], pl.DataFrame]) -> EvidenceOf:
    """What is told of one person and column, told of many."""
    return lambda wanted: {(person, column): rows(person, column) for person, column in wanted}


def nobody_rescored(people: pl.DataFrame) -> pl.DataFrame:
    raise AssertionError(f"nobody had been cleared, yet {people.height} people are scored anew")


@dataclass
class Opening:
    """Opens batches in one register; every setting can be changed for one call."""

    register: Register
    asked: list[pl.DataFrame] = field(default_factory=list)
    times_records_were_asked_for: int = 0

    def __call__(
        self,
        scores: Mapping[str, float] | Batch,
        *,
        as_of: date = AS_OF,
        scored_at: datetime | None = None,
        rescored: Rescored | None = None,
        evidence_of: Callable[[object, str], pl.DataFrame] = rows_behind,
        innocent_of: Callable[[str], Sequence[str]] = lambda column: (f"ordinary {column}",),
        demo: bool = False,
        **terms: object,
    ) -> Opened:
        at = scored_at or datetime(as_of.year, as_of.month, as_of.day, 9)
        return open_leads(
            self.register,
            scores if isinstance(scores, Batch) else batch(scores, as_of=as_of),
            replace(TERMS, **terms),  # type: ignore[arg-type]  # names of Terms, as the test gives them
            permit=Permit(on=at.date(), purpose="a test", demo=demo, simulated=True),
            rescore=nobody_rescored if rescored is None else self._rescoring(rescored),
            evidence_of=self._counting(of_each(evidence_of)),
            innocent_of=innocent_of,
            typologies=TYPOLOGIES,
            scored_at=at,
        )

    def _counting(self, evidence_of: EvidenceOf) -> EvidenceOf:
        def counted(wanted: Sequence[tuple[object, str]]) -> Mapping[tuple[object, str], pl.DataFrame]:
            self.times_records_were_asked_for += 1
            return evidence_of(wanted)

        return counted

    def _rescoring(self, scores: Rescored) -> Callable[[pl.DataFrame], pl.DataFrame]:
        def rescore(people: pl.DataFrame) -> pl.DataFrame:
            self.asked.append(people)
            known = [key for key in people["person_key"] if key in scores]
            return pl.DataFrame(
                {"person_key": known, "score": [scores[key] for key in known]},
                schema={"person_key": pl.String, "score": pl.Float64},
            )

        return rescore


on_either_database = pytest.mark.parametrize("register", ["SQLite", "PostgreSQL"], indirect=True)


@pytest.fixture
def register(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Register]:
    on_server = getattr(request, "param", "SQLite") == "PostgreSQL"
    where = request.getfixturevalue("database") if on_server else tmp_path / "register.db"
    with open_register(where) as opened:
        yield opened


@pytest.fixture
def database(server: str) -> str:
    """The address of an empty database."""
    name = f"register_{uuid.uuid4().hex}"
    engine = create_engine(f"{server}/postgres", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    return f"{server}/{name}"


# The server ends when what started it lets go of the pipe, killed or not.
SERVE = """
set -e
"$0" init --silent --pgdata data --options "--auth=trust --username=evenhand --no-sync" >&2
"$0" start --silent --pgdata data --wait --log log --options \
  "-p $1 -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off" >&2
echo ready
cat
"$0" stop --silent --pgdata data --mode immediate
"""


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """A PostgreSQL server that only this machine reaches and that ends with the tests."""
    pg_ctl = shutil.which("pg_ctl") or max(glob("/usr/lib/postgresql/*/bin/pg_ctl"), default=None)
    if pg_ctl is None:
        pytest.skip("there is no PostgreSQL on this machine")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="evenhand-postgresql-"))
    as_somebody: dict[str, Any] = {}
    if os.geteuid() == 0:  # which a PostgreSQL server refuses to be
        nobody = getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        as_somebody = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    with subprocess.Popen(
        ["/bin/sh", "-c", SERVE, pg_ctl, str(port)],
        cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **as_somebody,
    ) as serving:  # fmt: skip
        assert serving.stdout is not None
        assert serving.stdout.readline() == b"ready\n", "the server did not start; see above"
        yield f"postgresql+psycopg://evenhand@127.0.0.1:{port}"
        serving.communicate()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def opening(register: Register) -> Opening:
    return Opening(register)


def review_rows(*rows: tuple[str, str, datetime]) -> pl.DataFrame:
    """Reviews of leads, with the texts that their outcomes need."""
    return pl.DataFrame(
        [
            {
                "lead": lead,
                "outcome": outcome,
                "reviewer": "R1",
                "reviewed_at": at,
                "reasons": "claims while off duty" if outcome == "confirmed" else None,
                "innocent_explanation": "public-order aid" if outcome == "wrong" else None,
            }
            for lead, outcome, at in rows
        ],
        schema={
            "lead": pl.String,
            "outcome": pl.String,
            "reviewer": pl.String,
            "reviewed_at": pl.Datetime("us"),
            "reasons": pl.String,
            "innocent_explanation": pl.String,
        },
    )
