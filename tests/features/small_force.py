"""A force small enough to be read whole: posts, claims that can be corrected, tours, team returns, a case file."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time

import polars as pl

from features.definition import Baselines, Calendar, Cohort, ForceDefinition, Outcome, ReadKnown, Reveals
from features.specs import (
    Alike,
    Banded,
    Catalogue,
    Change,
    Colleagues,
    Events,
    Idea,
    Joined,
    Latest,
    Peers,
    Product,
    Trend,
    count,
    days_since_last,
    distinct,
    largest,
    lean,
    mean,
    most_common,
    ratio,
    smallest,
    total,
)
from features.tables import Column, Kind, Mark, Table
from tests.features.tables_as_text import frame


def column(name: str, kind: Kind, *, mark: Mark | None = None, known_from: str | None = None) -> Column:
    return Column(
        name=name, kind=kind, says=name.replace("_", " "), nullable=True, mark=mark, known_from=known_from
    )


def table(name: str, *columns: Column, key: tuple[str, ...], **more) -> Table:  # type: ignore[no-untyped-def]  # Table checks
    times = (column("occurred_at", "datetime"), column("known_at", "datetime"))
    return Table(name=name, says=name, source_system="TEST", key=key, columns=(*times, *columns), **more)


PERSON = column("person_key", "string")
POSTS = table(
    "post", PERSON, column("rank", "string"), column("team", "string"), column("joined_on", "date"),
    column("withdrawn", "boolean"), key=("person_key", "occurred_at"), correctable=True,
)  # fmt: skip
CLAIMS = table(
    "claim", PERSON, column("claim", "string"), column("minutes", "integer"), column("tour", "string"),
    column("reason", "string", mark=Mark.PROTECTED), column("withdrawn", "boolean"), key=("claim",), correctable=True,
)  # fmt: skip
TOURS = table(
    "tour", PERSON, column("tour", "string"), column("over", "integer"), column("withdrawn", "boolean"),
    key=("tour",), correctable=True,
)  # fmt: skip
PLANS = table("plan", PERSON, column("tour", "string"), key=("tour",))
TEAMS = table(
    "team", column("team", "string"), column("posts", "integer"), key=("team", "occurred_at"), person=None
)
SPELLS = table(
    "spell", PERSON, column("kind", "string", mark=Mark.PROTECTED), key=("occurred_at",), mark=Mark.HEALTH
)
CASES = table(
    "case", PERSON, column("case", "string"), column("finding", "string"), column("closed_at", "datetime"),
    column("topic", "string"), column("field", "string"), column("withdrawn", "boolean"), key=("case",), correctable=True,
)  # fmt: skip
# As the Chicago records are: dates only, and a finding in the row of the complaint that preceded it.
COMPLAINTS = Table(
    name="complaint", says="complaint", source_system="TEST", key=("complaint",), occurred_at="happened_on", known_at="received_on",
    columns=(
        PERSON, column("complaint", "string"), column("happened_on", "date"), column("received_on", "date"),
        column("closed_on", "date", known_from="closed_on"), column("upheld", "boolean", known_from="closed_on"),
    ),
)  # fmt: skip
ENCLAVE = table(
    "belief", PERSON, column("belief", "string"), key=("person_key",), enclave=True, mark=Mark.PROTECTED
)
TABLES = (POSTS, CLAIMS, TOURS, PLANS, TEAMS, SPELLS, CASES, COMPLAINTS, ENCLAVE)

POST = Events(name="post", table=POSTS, says="a post")
CLAIM = Events(name="claim", table=CLAIMS, says="a claim")
TOUR = Events(name="tour", table=TOURS, says="a tour")
PLAN = Events(name="plan", table=PLANS, says="a planned tour")
TEAM = Events(name="team", table=TEAMS, says="a team's return")
SPELL = Events(name="spell", table=SPELLS, says="a spell", screen=pl.col("kind") == "OTHER")
CLAIM_ON_TOUR = Events(
    name="claim_on_tour", table=CLAIMS, says="a claim beside its tour", joined=Joined(events=TOUR, on=("tour",)),
    derive={"beyond": pl.col("minutes") - pl.col("tour.over")},
)  # fmt: skip
COMPLAINT = Events(name="complaint", table=COMPLAINTS, says="a complaint")
UPHELD = Events(
    name="upheld", table=COMPLAINTS, says="a complaint upheld", known_at="closed_on", where=pl.col("upheld")
)

TEAM_OF_POST = Latest(events=POST, value=pl.col("team"), how="category")
RANK = Latest(events=POST, value=pl.col("rank"), how="category")
CLAIM_COUNT = count(CLAIM)
TEAM_CLAIMS = Colleagues(of=CLAIM_COUNT, by=TEAM_OF_POST, at_least=1)
SAME_WORK = Alike(
    says="the same rank, in a team with about as many claims",
    by=(RANK, Banded(of=TEAM_CLAIMS, edges=(1.0, 4.0), window=60)),
    at_least=2,
)


def peers(how: str, of=CLAIM_COUNT, **more) -> Peers:  # type: ignore[no-untyped-def]  # Peers checks
    return Peers(
        **{"of": of, "exposure": count(TOUR), "exposure_at_least": 1, "among": SAME_WORK, "how": how, **more}
    )


def idea(name: str, of, windows: tuple[int, ...] = (), **more) -> Idea:  # type: ignore[no-untyped-def]  # Idea checks
    return Idea(name=name, says=name, of=of, windows=windows, unit="things", family="things", **more)


IDEAS = (
    idea("claims", CLAIM_COUNT, (30, 60)),
    idea("long_claims", count(CLAIM, pl.col("minutes") >= 60), (30,)),
    idea("minutes", total(CLAIM, "minutes"), (30, 60)),
    idea("mean", mean(CLAIM, "minutes"), (30,)),
    idea("lean", lean(CLAIM, pl.col("minutes") - 60), (30,)),
    idea("least", smallest(CLAIM, "minutes"), (30,)),
    idea("most", largest(CLAIM, "minutes"), (30,)),
    idea("days_since_claim", days_since_last(CLAIM), (30,)),
    idea("claims_per_tour", ratio(CLAIM_COUNT, count(TOUR), bottom_at_least=2), (30,)),
    idea("trend", Change(of=CLAIM_COUNT, baseline_days=60), (30,)),
    idea("minutes_beyond", total(CLAIM_ON_TOUR, "beyond"), (30,)),
    idea("pairs", count(CLAIM_ON_TOUR), (30,)),
    idea("complaints", count(COMPLAINT), (30, 3650)),
    idea("upheld", count(UPHELD), (30,)),
    idea("claims_times_posts", Product(left=CLAIM_COUNT, right=Latest(events=TEAM, value=pl.col("posts"), key="team", via=TEAM_OF_POST)), (30,)),
    idea("rank", RANK),
    idea("days_in_service", Latest(events=POST, value=pl.col("joined_on"), how="days_since")),
    idea("team_posts", Latest(events=TEAM, value=pl.col("posts"), key="team", via=TEAM_OF_POST)),
    idea("spells", count(SPELL), (30,), research="sickness"),
    idea("tours_claimed_for", distinct(CLAIM, "tour"), (30, 60)),
    idea("claims_on_one_tour", most_common(CLAIM, "tour", pl.col("minutes") >= 30), (30, 60)),
    idea("claims_rise", Trend(of=CLAIM_COUNT), (30, 60)),
    idea("minutes_rise", Trend(of=total(CLAIM, "minutes")), (60,)),
    idea("team_claims", TEAM_CLAIMS, (60,)),
    idea("claims_beside_peers", peers("robust_z"), (30, 60)),
    idea("peers_with_more", peers("share_higher"), (30, 60)),
    idea("minutes_beside_peers", peers("robust_z", total(CLAIM, "minutes"), unit=60.0), (60,)),
)  # fmt: skip


def _members(read: ReadKnown, as_of: date) -> pl.DataFrame:
    posts = read(POST, datetime.combine(as_of, time())).filter(pl.col("occurred_at") < as_of)
    return (
        posts.sort("occurred_at", "known_at").unique("person_key", keep="last").select("person_key", "team")
    )


def small_force(*ideas: Idea) -> ForceDefinition:
    """The force with other ideas than its own."""
    return ForceDefinition(
        name="small", title="A small force", tables=TABLES, catalogue=Catalogue(ideas or IDEAS),
        cohort=Cohort(says="everyone with a post", members=_members, descriptors=("team",)),
        outcome=Outcome(
            says="a case with a finding", cases=Events(name="case", table=CASES, says="a case"),
            confirmed=pl.col("finding") == "PROVEN", closed_at="closed_at", horizon_months=12, settle_months=9,
        ),
        baselines=Baselines(complaint_count="complaints_30d", threshold_rule=()),
        calendar=Calendar(every_months=1), typologies={}, people="post.person_key",
        reveals=(
            Reveals(columns=frozenset({"plan.person_key", "tour.person_key"}), mark=Mark.PROTECTED, says="absence"),
        ),
    )  # fmt: skip


FORCE = small_force()


class InMemory:
    """Accepted rows that live in frames, with the interface of `features.accepted.Accepted`."""

    def __init__(self, frames: Mapping[str, pl.DataFrame]) -> None:
        self.frames = dict(frames)
        self.fingerprints = {name: str(frame.hash_rows(seed=0).sum()) for name, frame in self.frames.items()}

    def scan(self, name: str, /) -> pl.LazyFrame:
        return self.frames[name].lazy()


def records(tables: tuple[Table, ...] = TABLES, /, **drawn: str | pl.DataFrame) -> InMemory:
    """Accepted rows from drawn tables; a table that is not drawn is empty, a column not drawn holds nothing."""
    frames = {}
    for declared in tables:
        given = drawn.get(declared.name, declared.columns[0].name)
        rows = frame(given, declared.schema) if isinstance(given, str) else given
        frames[declared.name] = as_accepted(declared, rows)
    return InMemory(frames)


def as_accepted(declared: Table, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows as ingestion leaves them: every declared column, the file's row number, `superseded_at`."""
    missing = [
        pl.lit(None, dtype=dtype).alias(name)
        for name, dtype in declared.schema.items()
        if name not in rows.columns
    ]
    rows = rows.with_columns(missing).select(declared.schema.names()).with_row_index("source_row", 1)
    if declared.person is not None:
        rows = rows.rename({declared.person: "person_key"})
    if "withdrawn" in declared.schema:
        rows = rows.with_columns(pl.col("withdrawn").fill_null(False))
    if not declared.correctable:
        return rows
    key = ["person_key" if name == declared.person else name for name in declared.key]
    return (
        rows.sort("known_at")
        .with_columns(superseded_at=pl.col("known_at").shift(-1).over(key))
        .sort("source_row")
    )


# Two people in one team, since long ago: enough where a test is not about posts.
TWO_PEOPLE = """
    person_key | occurred_at | known_at   | rank | team | joined_on
    P1         | 2010-01-01  | 2010-01-01 | PC   | A    | 2010-01-01
    P2         | 2010-01-01  | 2010-01-01 | PS   | A    | 2010-01-01
"""
