"""What the simulated world is like: base rates, planted signal, innocent look-alikes, and a world without signal."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from evenhand.force import conduct, simulate
from evenhand.force.conduct import NEVER, Cases, Episodes
from evenhand.force.draws import Draws
from evenhand.force.parameters import Preset, Range, drawn
from evenhand.force.people import PC, Calendar, People, Teams, recruited

OFFICERS, MONTHS, SEED = 700, 24, 5
TELL_TALES = [("T1", "own_late_minutes"), ("T2", "claims_beyond_work"), ("T4", "odd_look_ups")]


@pytest.fixture(scope="module")
def force(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate(tmp_path_factory.mktemp("world") / "data", officers=OFFICERS, months=MONTHS, seed=SEED)


@pytest.fixture(scope="module")
def null_force(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("null") / "data"
    return simulate(out, officers=OFFICERS, months=MONTHS, seed=SEED, null=True)


@pytest.fixture(scope="module")
def counts(force: Path) -> pl.DataFrame:
    return naive_counts(force)


def current(data: Path, table: str, key: str) -> pl.DataFrame:
    rows = pl.read_parquet(data / f"{table}.parquet").sort("known_at")
    return rows.unique(key, keep="last", maintain_order=True)


def naive_counts(data: Path) -> pl.DataFrame:
    """Simple counts a person over the whole time, the sort of thing a threshold would be set on."""
    people = pl.read_parquet(data / "identity_map.parquet").select("user_no", "person_key")
    tours = current(data, "duty_worked", "duty_id")
    changes = pl.read_parquet(data / "duty_amendment.parquet").filter(pl.col("field") != "CANCEL")
    own = pl.col("amended_by_key") == pl.col("person_key")
    late = pl.col("occurred_at") >= pl.col("duty_start")
    claims = current(data, "overtime_claim", "claim_id").join(
        tours.select("duty_id", "minutes_over", "rest_day"), on="duty_id"
    )
    uses = pl.read_parquet(data / "system_access.parquet").join(people, on="user_no")
    unlinked = pl.col("linked_incident_id").is_null() & pl.col("on_behalf_of").is_null()
    casual = pl.col("claim_type").is_in(["CASUAL", "PREPLANNED"]) & ~pl.col("rest_day")
    counted = [
        changes.group_by("person_key").agg(
            changes=pl.len(),
            own_late=(own & late).sum(),
            own_late_minutes=pl.col("minutes_changed").filter(own & late & (pl.col("minutes_changed") > 0)).sum(),
            own_rest_days=(own & (pl.col("field") == "REST_DAY")).sum(),
        ),
        claims.group_by("person_key").agg(
            claims=pl.len(),
            rest_day_claims=pl.col("rest_day").sum(),
            claims_beyond_work=(casual & (pl.col("minutes") - pl.col("minutes_over") >= 30)).sum(),
        ),
        uses.group_by("person_key").agg(
            searches=pl.len(),
            on_behalf=pl.col("on_behalf_of").is_not_null().sum(),
            odd_look_ups=(unlinked & ((pl.col("subject_relation") != "NONE") | (pl.col("reason_code") == "OTHER"))).sum(),
        ),
        current(data, "sickness_spell", "spell_id").group_by("person_key").agg(sickness_spells=pl.len()),
        tours.group_by("person_key").agg(tours=pl.len()),
    ]  # fmt: skip
    every = people.select("person_key")
    for part in counted:
        every = every.join(part, on="person_key", how="left")
    return every.fill_null(0).filter(pl.col("tours") > 100)


def bearing(data: Path, kind: str, *, days: int = 200) -> pl.Series:
    """People who bear a look-alike for at least so many days."""
    spans = pl.read_parquet(data / "answer_key" / "lookalikes.parquet").filter(pl.col("kind") == kind)
    return spans.filter((pl.col("to") - pl.col("from")).dt.total_days() >= days)["person_key"].unique()


def planted_of(data: Path, typology: str) -> pl.Series:
    """People in an episode for at least half a year of the time covered."""
    episodes = pl.read_parquet(data / "answer_key" / "planted.parquet").filter(pl.col("typology") == typology)
    inside = pl.min_horizontal("ended", pl.lit(date(2022, 1, 1))) - pl.max_horizontal(
        "started", pl.lit(date(2020, 1, 1))
    )
    return episodes.filter(inside.dt.total_days() >= 180)["person_key"].unique()


def times_the_others(counts: pl.DataFrame, people: pl.Series, column: str) -> float:
    """The mean count a tour of some people, over that of everybody else."""
    bears = counts["person_key"].is_in(people.implode())
    rate = counts[column] / counts["tours"]
    return float(rate.filter(bears).mean() / rate.filter(~bears).mean())  # type: ignore[operator,arg-type]  # numbers


# --- Planted signal ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("typology", "tell_tale"), TELL_TALES)
def test_planted_misconduct_shows_in_its_tell_tale(
    force: Path, counts: pl.DataFrame, typology: str, tell_tale: str
):
    ordinary = counts.filter(~pl.col("person_key").is_in(explained_by_role(force).implode()))
    assert times_the_others(ordinary, planted_of(force, typology), tell_tale) > 2


def explained_by_role(data: Path) -> pl.Series:
    kinds = ("many_searches_role", "self_kept_roster", "handover_claims")
    return pl.concat([bearing(data, kind, days=1) for kind in kinds]).unique()


@pytest.mark.parametrize("volume", ["changes", "claims", "searches"])
def test_most_of_those_with_the_highest_volumes_are_innocent(force: Path, counts: pl.DataFrame, volume: str):
    planted = pl.read_parquet(force / "answer_key" / "planted.parquet")["person_key"].unique()
    top = counts.sort(volume, descending=True).head(20)
    assert top["person_key"].is_in(planted.implode()).sum() <= 8


def test_no_number_outside_the_answer_key_tells_what_was_planted(force: Path):
    planted = pl.read_parquet(force / "answer_key" / "planted.parquet")["person_key"].unique()
    for table, column in (("establishment", "person_key"), ("identity_map", "user_no"), ("overtime_claim", "claim_id"),
                          ("duty_amendment", "amendment_id")):  # fmt: skip
        rows = pl.read_parquet(force / f"{table}.parquet").drop_nulls([column, "person_key"])
        number = rows[column].str.slice(1).cast(pl.Float64, strict=False).rank()
        share = number.filter(rows["person_key"].is_in(planted.implode())).mean()
        assert float(share) / len(rows) == pytest.approx(0.5, abs=0.08)  # type: ignore[arg-type]  # a number


# --- A world without signal --------------------------------------------------------------------------


@pytest.mark.parametrize(("typology", "tell_tale"), TELL_TALES)
def test_in_a_null_force_those_said_to_be_planted_are_like_the_others(
    null_force: Path, typology: str, tell_tale: str
):
    rate = naive_counts(null_force).select("person_key", rate=pl.col(tell_tale) / pl.col("tours"))
    bears = rate["person_key"].is_in(planted_of(null_force, typology).implode()).to_numpy()
    values = rate["rate"].rank().to_numpy()
    spread = values.std() / np.sqrt(bears.sum())
    assert bears.sum() >= 10
    assert abs(values[bears].mean() - values.mean()) < 3.5 * spread


def test_a_null_force_has_as_much_planted_and_as_many_findings(force: Path, null_force: Path):
    def sizes(data: Path) -> tuple[int, int]:
        matters = pl.read_parquet(data / "conduct_matter.parquet")
        planted = pl.read_parquet(data / "answer_key" / "planted.parquet")
        return len(planted), matters.filter(pl.col("finding").is_in(["MISCONDUCT", "GROSS"])).n_unique(
            "case_id"
        )

    one, null = sizes(force), sizes(null_force)
    assert null[0] == pytest.approx(one[0], rel=0.15)
    assert null[1] == pytest.approx(one[1], rel=0.35)


# --- Innocent look-alikes ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "column", "at_least"),
    [
        ("short_staffed_team", "changes", 1.5),
        ("disability_sickness", "sickness_spells", 3.0),
        ("part_time", "own_rest_days", 2.0),
        ("public_order_aid", "rest_day_claims", 3.0),
        ("many_searches_role", "searches", 4.0),
        ("probationer", "own_late", 1.2),
        ("self_kept_roster", "own_late", 4.0),
        ("handover_claims", "claims_beyond_work", 2.0),
        ("supervisor_on_behalf", "on_behalf", 1.0),
    ],
)
def test_a_look_alike_raises_its_naive_count(
    force: Path, counts: pl.DataFrame, kind: str, column: str, at_least: float
):
    people = bearing(force, kind)
    kept = counts
    if masked_by := {"supervisor_on_behalf": "many_searches_role", "probationer": "self_kept_roster"}.get(
        kind
    ):
        # A louder explanation of the same count would drown this one.
        kept = counts.filter(~pl.col("person_key").is_in(bearing(force, masked_by, days=1).implode()))
    assert times_the_others(kept, people, column) > at_least


def test_the_rows_that_explain_look_alikes_are_there(force: Path):
    posts = pl.read_parquet(force / "establishment.parquet")
    short = bearing(force, "short_staffed_team")
    teams = posts.filter(pl.col("person_key").is_in(short.implode()))["team_code"].unique()
    strength = pl.read_parquet(force / "team_strength.parquet").with_columns(
        vacant=1 - pl.col("filled_posts") / pl.col("established_posts"),
        short=pl.col("team_code").is_in(teams.implode()),
    )
    by_short = dict(strength.group_by("short").agg(pl.col("vacant").mean()).iter_rows())
    assert by_short[True] > 2 * by_short[False]
    adjusted = pl.read_parquet(force / "enclave" / "adjustments.parquet")["person_key"]
    assert bearing(force, "disability_sickness").is_in(adjusted.implode()).mean() > 0.9  # type: ignore[operator]  # a share
    deployed = pl.read_parquet(force / "event_deployment.parquet")["person_key"]
    assert bearing(force, "public_order_aid").is_in(deployed.implode()).mean() > 0.9  # type: ignore[operator]  # a share
    part_time = posts.filter(pl.col("person_key").is_in(bearing(force, "part_time").implode()))
    assert set(part_time["working_pattern"]) == {"PART"}


# --- Base rates --------------------------------------------------------------------------------------


def world(
    seed: int, preset: Preset = Preset.CASEY, *, null: bool = False
) -> tuple[People, Teams, Episodes, Cases]:
    draws, calendar = Draws(seed), Calendar(date(2020, 1, 1), 1827)
    parameters = drawn(draws, preset)
    people, teams = recruited(2000, calendar, parameters, draws)
    episodes, frailty = conduct.planted(people, teams, calendar, parameters, draws)
    people, episodes, cases = conduct.noticed(
        people, teams, episodes, frailty, calendar, parameters, draws, null=null
    )
    return people, teams, episodes, cases


def yearly_rates(seed: int, *, null: bool) -> dict[str, float]:
    """Rates of one world for the year from day 731, as they stand when everything is settled."""
    people, _, episodes, cases = world(seed, null=null)
    day, year = 731, 365
    cohort = (people.begins < day) & (people.ends > day)
    active = ((episodes.starts < day) & (episodes.ends > day - year)).any(axis=0) & cohort
    ahead = (cases.happened >= day) & (cases.happened < day + year) & cohort[cases.person]
    confirmed = ahead & (cases.finding >= 3)
    own = cases.person[confirmed]
    during = (episodes.starts[:, own] <= cases.happened[confirmed]) & (
        cases.happened[confirmed] < episodes.ends[:, own] + 1
    )
    settled = cases.found < NEVER
    return {
        "active": active.sum() / cohort.sum(),
        "confirmed": len(np.unique(own)) / cohort.sum(),
        "planted_share": during.any(axis=0).mean(),
        "known_in_nine_months": (cases.found[confirmed] < day + year + 274).mean(),
        "cases": ahead.sum() / cohort.sum(),
        "confirmed_of_cases": confirmed.sum() / ahead.sum(),
        "days_to_finding": (cases.found - cases.opened)[settled].mean(),
        "over_two_years": ((cases.found - cases.opened)[settled] > 730).mean(),
    }


@pytest.mark.parametrize("null", [False, True], ids=["ordinary", "null"])
def test_base_rates_are_those_claimed(null: bool):
    every = pl.DataFrame([yearly_rates(seed, null=null) for seed in range(6)])
    mean = every.mean().row(0, named=True)
    claimed = {
        "active": (0.06, 0.09),
        "confirmed": (0.019, 0.030),
        "planted_share": (0.60, 0.85),
        "known_in_nine_months": (0.45, 0.70),
        "cases": (0.03, 0.09),
        "confirmed_of_cases": (0.25, 0.42),  # DOMAIN 2.4: 33 % have a case to answer
        "days_to_finding": (370, 430),  # DOMAIN 2.4: mean 400 days
        "over_two_years": (0.16, 0.23),  # DOMAIN 2.4: about 20 %
    }
    assert {
        name: round(mean[name], 3) for name, (low, high) in claimed.items() if not low <= mean[name] <= high
    } == {}


def test_two_in_a_hundred_people_hold_a_sixth_of_the_frailty():
    draws, calendar = Draws(3), Calendar(date(2020, 1, 1), 1827)
    parameters = drawn(draws, Preset.CASEY)
    people, teams = recruited(5000, calendar, parameters, draws)
    _, frailty = conduct.planted(people, teams, calendar, parameters, draws)
    top = np.sort(frailty)[::-1][: len(frailty) // 50]
    assert 0.10 < top.sum() / frailty.sum() < 0.22


def test_detection_is_biased_only_where_the_preset_says_so():
    def detected_ratio(preset: Preset) -> float:
        """Detected share of planted people seen as a minority, over that of the others; PCs only."""
        found, borne = np.zeros(2), np.zeros(2)
        for seed in range(12):
            people, _, episodes, cases = world(seed, preset)
            bears = (episodes.starts < NEVER).any(axis=0) & (people.rank == PC)
            hit = np.isin(np.arange(len(people)), cases.person[np.isin(cases.breach, [0, 3])])
            for group in (0, 1):
                chosen = bears & (people.perceived_minority == bool(group))
                found[group] += (chosen & hit).sum()
                borne[group] += chosen.sum()
        return float((found[1] / borne[1]) / (found[0] / borne[0]))

    assert detected_ratio(Preset.BENIGN) == pytest.approx(1.0, abs=0.13)
    assert detected_ratio(Preset.CASEY) > 1.1


def test_a_range_must_be_a_range():
    with pytest.raises(ValueError, match="must be 0 < low <= high"):
        Range("wrong", 2.0, 1.0, "upside down")
