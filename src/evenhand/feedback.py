"""Ten cycles of scoring, reviewing and learning again, on one simulated force: does a tool come to follow itself?

Leads that reviewers confirm become conduct cases with the source TOOL_LEAD, and a case that a lead opened takes
the place of one that would have come. Three ways to learn from that are set side by side, each living with its
own leads: as shipped, where such cases do not teach; naively, as if the force had found them by itself; and
with no tool at all, whose records only the force's own procedure has written. What is shown of a list is who
would stand on it by score alone.

Features are built once: the catalogue never reads what a lead of ours brought about, in either way of learning.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from evenhand.force.conduct import BREACHES, BREACHES_OF, WRONGLY_HELD_TO
from evenhand.force.draws import Draws
from evenhand.force.reviewers import codes_of, review
from evenhand.force.truth import planted
from evenhand.workspace import Workspace
from features.build import FeatureTable, build
from features.definition import ForceDefinition
from features.labels import cohort
from models.booster import matrix, raw_scores, read_booster
from models.experiment import AcceptedRecords, Study, fit
from models.ranker import Params
from models.sampling import LEAD, Sizes, draw
from models.splits import months_after, settled_as_ofs

Learning = Literal["as shipped", "naive", "no tool"]
LEARNING: tuple[Learning, ...] = ("as shipped", "naive", "no tool")
CYCLES, EVERY_MONTHS = 10, 3
CAPACITY = 0.02  # of the cohort, twice the default, so that a small force has leads to learn from
SIZES = Sizes(random=10, by_band=5)
# A confirmed lead goes to assessment as the reviewers' routes have it, and most findings follow the review.
FINDING_FOLLOWS = 0.8
MEDIAN_DAYS_TO_FINDING, DAYS_SPREAD = 120.0, 0.6
CONDUCT_WITHIN_DAYS = 180
REPLACES_WITHIN = timedelta(days=365)


@dataclass(frozen=True, eq=False)
class _Written:
    """The force's records, with the cases that leads opened in place of those that would have come."""

    accepted: AcceptedRecords
    table: str
    opened: pl.DataFrame
    replaced: pl.Series

    @property
    def fingerprints(self) -> Mapping[str, str]:
        return self.accepted.fingerprints

    @property
    def last_date(self) -> date | None:
        return self.accepted.last_date

    def scan(self, name: str) -> pl.LazyFrame:
        rows = self.accepted.scan(name)
        if name != self.table or self.opened.is_empty():
            return rows
        kept = rows.filter(~pl.col("case_id").is_in(self.replaced.implode()))
        return pl.concat([kept, self.opened.lazy()], how="diagonal_relaxed")


def cycles(
    workspace: Workspace, *, seed: int, params: Params, progress: Callable[[str], None] | None = None
) -> dict[str, list[dict[str, float]]]:
    """For each way of learning, a row a cycle: who stands on the list by score alone.

    Returns:
        by way: `listed`, and of these `misconduct`, `innocent`, `constable`, `minority` (groups that detection
        leans to), `innocent_in_group` (innocent and in either), `before` (a lead of an earlier cycle) and
        `innocent_before`. Then mean chances that the model gives: `chance_of_listed`, and of all innocent people
        `chance_in_group` and `chance_of_others`.
    """
    end = workspace.extent[1]
    dates = [months_after(end, -EVERY_MONTHS * back) for back in range(CYCLES, 0, -1)]
    earlier = [day for day in workspace.dates().candidates if day < dates[-1]]
    table = build(workspace.force, workspace.accepted, sorted({*earlier, *dates}))
    return {
        way: _lived(workspace, table, dates, earlier, way, seed=seed, params=params, progress=progress)
        for way in LEARNING
    }


def _lived(
    workspace: Workspace,
    table: FeatureTable,
    dates: Sequence[date],
    earlier: Sequence[date],
    way: Learning,
    *,
    seed: int,
    params: Params,
    progress: Callable[[str], None] | None,
) -> list[dict[str, float]]:
    force, data = workspace.force, Path(workspace.config.data)
    if way == "naive":
        force = replace(force, outcome=replace(force.outcome, own_leads=pl.lit(False)))
    files = pl.DataFrame(schema=_FILES)
    rows = []
    for cycle, day in enumerate(dates):
        if progress:
            progress(f"{way}, cycle {cycle + 1}")
        records = _written(workspace, files) if way != "no tool" else workspace.accepted
        scores = _scores(force, records, table, day, earlier, params)
        places = round(CAPACITY * len(scores))
        rows.append(_listed(workspace, scores, places, day, files))
        files = pl.concat([files, _reviewed(scores, files, day, places, data, seed)])
    return rows


def _scores(
    force: ForceDefinition,
    records: AcceptedRecords,
    table: FeatureTable,
    day: date,
    candidates: Sequence[date],
    params: Params,
) -> pl.DataFrame:
    """person_key and score of the cohort, highest first, by a model of what was known by then."""
    outcome = force.outcome
    settled = settled_as_ofs(
        candidates, by=day, horizon_months=outcome.horizon_months, settle_months=outcome.settle_months
    )
    study = Study(
        force=force, accepted=records, catalogue=force.catalogue.ordinary(), table=table, folds=(), replay_only=(),
        until=day, judged_by=None, labels=params.labels, final_as_ofs=settled,
    )  # fmt: skip
    fitted = fit(study, settled, seen_by=day, params=params)
    people = table.frame.filter(pl.col("as_of") == day)
    raw = raw_scores(read_booster(fitted.booster, table.schema), matrix(people, table.schema))
    return people.select("person_key", score=pl.Series(raw)).sort(
        "score", "person_key", descending=[True, False]
    )


_FILES = {
    "person_key": pl.String, "as_of": pl.Date, "lead": pl.Boolean, "outcome": pl.String, "reviewed_at": pl.Datetime("us"),
    "occurred_at": pl.Datetime("us"), "breach": pl.String, "finding": pl.String, "finding_at": pl.Datetime("us"),
}  # fmt: skip


def _reviewed(
    scores: pl.DataFrame, files: pl.DataFrame, day: date, places: int, data: Path, seed: int
) -> pl.DataFrame:
    """The leads and samples of a cycle with what their reviews will find, and the cases that follow."""
    now = datetime.combine(day, time())
    standing = files.filter((pl.col("reviewed_at") >= now) | (pl.col("outcome") == "wrong"))
    eligible = scores.join(standing, on="person_key", how="anti", maintain_order="left")
    leads = eligible["person_key"].head(places).to_list()
    design = draw(eligible, leads, SIZES, [seed, day.toordinal()]).filter("reviewed")
    shown = eligible.with_columns(shown=1 - (pl.col("score").rank(descending=True) - 1) / pl.len())
    opened = design.join(shown, on="person_key").select(
        pl.concat_str(pl.lit(f"{day}/"), "person_key").alias("lead_id"),
        "person_key", as_of=pl.lit(day), opened_at=pl.lit(now), shown="shown", lead=pl.col("stratum") == LEAD,
    ).sort("lead_id")  # fmt: skip
    found = review(data, opened, seed=seed, now=datetime.max)
    files_now = opened.join(found, on="lead_id")
    draws, codes = Draws(seed), codes_of(files_now["lead_id"])
    wait = 5 + MEDIAN_DAYS_TO_FINDING * np.exp(DAYS_SPREAD * draws.normal_of_row(codes, "time to finding"))
    before = 1 + CONDUCT_WITHIN_DAYS * draws.of_row(codes, "day of conduct")
    follows = draws.of_row(codes, "finding") < FINDING_FOLLOWS
    becomes_case = (pl.col("outcome") == "confirmed") & (pl.col("route") == "assessment")
    kinds = planted(data, [day]).select("person_key", kind=pl.col("typologies").list.first())
    files_now = files_now.join(kinds, on="person_key", how="left", maintain_order="left")
    return files_now.with_columns(
        breach=pl.Series(_breaches(files_now["kind"].to_list(), draws.of_row(codes, "breach"))),
        occurred_at=pl.lit(now) - pl.duration(days=pl.lit(pl.Series(before.astype(int)))),
        finding=pl.when(becomes_case).then(
            pl.when(pl.lit(pl.Series(follows))).then(pl.lit("MISCONDUCT")).otherwise(pl.lit("NOT_PROVEN"))
        ),
        finding_at=pl.col("reviewed_at") + pl.duration(days=pl.lit(pl.Series(wait.astype(int)))),
    ).select(pl.col(name).cast(dtype) for name, dtype in _FILES.items())  # fmt: skip


def _breaches(kinds: Sequence[str | None], draws: np.ndarray) -> list[str]:
    """What each case is said to breach: what the kind of conduct does, or what an innocent person is wrongly held to."""
    of_kinds = [BREACHES_OF.get(kind or "", WRONGLY_HELD_TO) for kind in kinds]
    return [
        BREACHES[breaches[int(draw * len(breaches))]] for breaches, draw in zip(of_kinds, draws, strict=True)
    ]


def _written(workspace: Workspace, files: pl.DataFrame) -> _Written:
    cases = workspace.force.outcome.cases.table.name
    led = files.filter(pl.col("finding").is_not_null()).with_row_index("number")
    named = led.with_columns(
        case_id=pl.format("OWN{}", "number"), source=pl.lit("TOOL_LEAD"), withdrawn=pl.lit(False)
    )
    columns = [
        "case_id",
        "person_key",
        "occurred_at",
        "known_at",
        "source",
        "withdrawn",
        "breach",
        "finding",
        "finding_at",
        "superseded_at",
    ]
    nothing = {"finding": pl.lit(None, pl.String), "finding_at": pl.lit(None, pl.Datetime("us"))}
    opened = (
        named.with_columns(known_at="reviewed_at", superseded_at="finding_at")
        .with_columns(**nothing)
        .select(columns)
    )
    closed = named.with_columns(
        known_at="finding_at", superseded_at=pl.lit(None, pl.Datetime("us"))
    ).select(columns)  # fmt: skip
    came = (
        workspace.accepted.scan(cases)
        .group_by("person_key", "case_id")
        .agg(pl.col("known_at").min())
        .collect()
    )
    replaced = led.select("person_key", "reviewed_at").join(came, on="person_key").filter(
        (pl.col("known_at") > pl.col("reviewed_at")) & (pl.col("known_at") <= pl.col("reviewed_at") + REPLACES_WITHIN)
    )["case_id"]  # fmt: skip
    return _Written(workspace.accepted, cases, pl.concat([opened, closed]), replaced)


def _listed(
    workspace: Workspace, scores: pl.DataFrame, places: int, day: date, files: pl.DataFrame
) -> dict[str, float]:
    data = Path(workspace.config.data)
    known = planted(data, [day]).select("person_key", misconduct=pl.col("planted") == "misconduct")
    ethnicity = pl.read_parquet(data / "enclave" / "protected_characteristics.parquet").select(
        "person_key", minority=~pl.col("ethnicity").str.starts_with("WHITE")
    )
    posts = cohort(workspace.force, workspace.accepted, day).select(
        "person_key", constable=pl.col("rank") == "PC"
    )
    before = files.filter("lead").select("person_key", before=pl.lit(True)).unique()
    people = scores.with_row_index("place")
    for each in (known, ethnicity.unique("person_key"), posts, before):
        people = people.join(each, on="person_key", how="left")
    flags = people.with_columns(pl.col("misconduct", "minority", "constable", "before").fill_null(False))
    top, innocent = pl.col("place") < places, ~pl.col("misconduct")
    in_group, chance = pl.col("minority") | pl.col("constable"), 1 / (1 + (-pl.col("score")).exp())
    return flags.select(
        listed=top.sum(),
        misconduct=(top & pl.col("misconduct")).sum(),
        innocent=(top & innocent).sum(),
        constable=(top & pl.col("constable")).sum(),
        minority=(top & pl.col("minority")).sum(),
        innocent_in_group=(top & innocent & in_group).sum(),
        before=(top & pl.col("before")).sum(),
        innocent_before=(top & innocent & pl.col("before")).sum(),
        chance_of_listed=chance.filter(top).mean(),
        chance_in_group=chance.filter(innocent & in_group).mean(),
        chance_of_others=chance.filter(innocent & ~in_group).mean(),
    ).row(0, named=True)
