"""What the simulated world is like: base rates, planted signal, innocent look-alikes, and a world without signal."""

from __future__ import annotations

from datetime import date
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import evenhand.force
from evenhand.force import conduct
from evenhand.force.complaints import CATEGORIES, CATEGORY_COUNTS
from evenhand.force.conduct import NEVER, TYPOLOGIES, Cases, Episodes, catching
from evenhand.force.draws import Draws
from evenhand.force.parameters import Preset, Range, drawn
from evenhand.force.people import CI, PC, Calendar, People, Teams, recruited

OFFICERS, MONTHS, SEED = 700, 24, 5
simulate = partial(evenhand.force.simulate, dense=True)
TELL_TALES = [("T1", "own_late_minutes"), ("T2", "claims_beyond_work"), ("T4", "odd_look_ups")]


@pytest.fixture(scope="module")
def force(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate(tmp_path_factory.mktemp("world") / "data", officers=OFFICERS, months=MONTHS, seed=SEED)


@pytest.fixture(scope="module")
def null_force(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("null") / "data"
    return simulate(out, officers=OFFICERS, months=MONTHS, seed=SEED, preset="null")


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
    kinds = ["many_searches_role", "self_kept_roster", "handover_claims", "late_authoriser"]
    spans = pl.read_parquet(data / "answer_key" / "lookalikes.parquet")
    return spans.filter(pl.col("kind").is_in(kinds))["person_key"].unique()


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
    assert bears.sum() >= 5
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


# --- Base rates --------------------------------------------------------------------------------------


def world(
    seed: int, preset: Preset = Preset.CASEY, *, officers: int = 2000, dense: bool = True
) -> tuple[People, Teams, Episodes, Cases]:
    draws, calendar = Draws(seed), Calendar(date(2020, 1, 1), 1827)
    parameters = drawn(draws, preset, dense=dense)
    people, teams = recruited(officers, calendar, parameters, draws)
    episodes, frailty = conduct.planted(people, teams, calendar, parameters, draws)
    people, episodes, cases = conduct.noticed(people, teams, episodes, frailty, calendar, parameters, draws)
    return people, teams, episodes, cases


def yearly_rates(people: People, episodes: Episodes, cases: Cases) -> dict[str, float]:
    """Rates of one world for the year from day 731, as they stand when everything is settled."""
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
    early = cases.happened < 1100
    return {
        "left_before_outcome": (people.ends[cases.person] < cases.found)[early].mean(),
        "active": active.sum() / cohort.sum(),
        "confirmed": len(np.unique(own)) / cohort.sum(),
        "planted_share": during.any(axis=0).mean(),
        "known_in_nine_months": (cases.found[confirmed] < day + year + 274).mean(),
        "cases": ahead.sum() / cohort.sum(),
        "confirmed_of_cases": confirmed.sum() / ahead.sum(),
        "days_to_finding": (cases.found - cases.opened)[settled].mean(),
        "over_two_years": ((cases.found - cases.opened)[settled] > 730).mean(),
    }


def outside(mean: dict[str, float], claimed: dict[str, tuple[float, float]]) -> dict[str, float]:
    return {
        name: round(mean[name], 4) for name, (low, high) in claimed.items() if not low <= mean[name] <= high
    }


@pytest.mark.parametrize("preset", [Preset.CASEY, Preset.NULL])
def test_base_rates_of_a_dense_force_are_those_claimed(preset: Preset):
    worlds = [world(seed, preset) for seed in range(6)]
    every = pl.DataFrame([yearly_rates(people, episodes, cases) for people, _, episodes, cases in worlds])
    claimed = {
        "active": (0.06, 0.10),
        "confirmed": (0.019, 0.030),
        "planted_share": (0.60, 0.85),
        "known_in_nine_months": (0.45, 0.70),
        "cases": (0.05, 0.09),
        "confirmed_of_cases": (0.25, 0.42),
        "days_to_finding": (370, 430),
        "over_two_years": (0.16, 0.23),
    }
    assert outside(every.mean().row(0, named=True), claimed) == {}


# --- Published rates ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def published() -> tuple[People, Teams, Episodes, Cases]:
    """Forty thousand posts at published rates."""
    return world(3, officers=40_000, dense=False)


def test_cases_findings_delays_and_leavers_are_at_published_rates(published):
    people, _, episodes, cases = published
    claimed = {
        "cases": (0.028, 0.036),  # DOMAIN 2.4: 3.2 % have an involvement in a year
        "confirmed": (0.0055, 0.0088),  # DOMAIN 2.4: 0.88 % referred to proceedings, 80 % of these proven
        "days_to_finding": (380, 420),  # DOMAIN 2.4: mean 400 days
        "over_two_years": (0.16, 0.23),  # DOMAIN 2.4: about 20 %
        "left_before_outcome": (0.12, 0.18),  # DOMAIN 2.4: 15 %
    }
    assert outside(yearly_rates(people, episodes, cases), claimed) == {}


@pytest.mark.parametrize(
    ("typology", "claimed"),
    [
        ("T1", 0.0175),
        ("T2", 0.0030),
        ("T4", 0.0225),
        ("T5", 0.0008),
        ("T6", 0.0060),
        ("T7", 0.0015),
        ("T9", 0.0005),
    ],
)
def test_prevalence_is_as_published(published, typology: str, claimed: float):
    people, _, episodes, _ = published
    shares, sizes = [], []
    for day in (700, 1300):
        serves = (people.begins < day) & (people.ends > day)
        row = TYPOLOGIES.index(typology)
        active = (episodes.starts[row] < day) & (episodes.ends[row] > day - 365) & serves
        shares.append(active.sum() / serves.sum())
        sizes.append(serves.sum())
    error = 3 * np.sqrt(claimed / np.mean(sizes))
    # Episodes end early where they are noticed, and whoever joined late has had less time for one.
    assert 0.72 * claimed - error < np.mean(shares) < 1.1 * claimed + error


def test_attendance_is_a_matter_of_senior_ranks(published):
    people, _, episodes, _ = published
    row = TYPOLOGIES.index("T3")
    active = (episodes.starts[row] < 900) & (episodes.ends[row] > 900 - 365)
    serves = (people.begins < 900) & (people.ends > 900)
    senior = active[serves & (people.rank >= CI)].mean()
    other = active[serves & people.hybrid & (people.rank < CI)].mean()
    assert senior == pytest.approx(0.04, abs=0.02)
    assert other < 0.008


def test_serious_conduct_is_noticed_about_five_times_as_often_as_mild(published):
    _, _, episodes, cases = published
    noticed = {}
    for serious in (True, False):
        years = found = 0.0
        for row in range(len(TYPOLOGIES)):
            some = (episodes.starts[row] < NEVER) & (episodes.serious[row] == serious)
            begins, ends = (
                np.clip(episodes.starts[row, some], 0, 1827),
                np.clip(episodes.ends[row, some], 0, 1827),
            )
            years += (ends - begins).sum() / 365.25
            who = np.flatnonzero(some)
            during = np.isin(cases.person, who)
            hit = cases.person[during]
            inside = (episodes.starts[row, hit] <= cases.happened[during]) & (
                cases.happened[during] <= episodes.ends[row, hit]
            )
            found += len(np.unique(hit[inside]))
        noticed[serious] = found / years
    assert 0.15 < noticed[True] < 0.55
    assert 0.03 < noticed[False] < 0.13


def test_ten_percent_more_misconduct_among_peers_brings_eight_percent_more_of_ones_own():
    assert catching(np.array([1.0, 1.1]), 0.8).tolist() == pytest.approx([1.0, 1.08])


def test_misconduct_gathers_in_teams_beyond_what_frailty_makes_of_it(published):
    people, _, episodes, _ = published
    bears = (episodes.starts < NEVER).any(axis=0)
    by_team = np.bincount(people.team, bears)
    size = np.bincount(people.team)
    share = bears.mean()
    spread = ((by_team - size * share) ** 2).sum() / (size * share * (1 - share)).sum()
    assert spread > 1.2


def test_allegations_fall_on_categories_as_published(tmp_path: Path):
    data = evenhand.force.simulate(
        tmp_path / "data", officers=1200, months=24, seed=2, confounders=(), conduct=False, uses_per_tour=0.1
    )
    rows = pl.read_parquet(data / "complaint.parquet").unique("allegation_id")
    shares = dict(rows["category"].value_counts(normalize=True).iter_rows())
    for letter, count in zip(CATEGORIES, CATEGORY_COUNTS, strict=True):
        published_share = count / CATEGORY_COUNTS.sum()
        assert shares.get(letter, 0.0) == pytest.approx(
            published_share, abs=4 * np.sqrt(published_share / len(rows)) + 0.003
        )


# --- Pay, rank and clocks ----------------------------------------------------------------------------


def test_nobody_above_sergeant_claims_overtime_and_a_rest_day_counts_four_hours_at_least(force: Path):
    ranks = (
        pl.read_parquet(force / "establishment.parquet")
        .select("person_key", "rank", "employee_type")
        .unique()
    )
    claims = pl.read_parquet(force / "overtime_claim.parquet").join(ranks, on="person_key")
    assert set(claims["rank"]) <= {"PC", "PS"}
    assert "SPECIAL" not in set(claims["employee_type"])
    rest_days = claims.filter(pl.col("claim_type") == "REST_DAY", pl.col("minutes") >= 0)
    # A claim put right later may stand a quarter of an hour below what was claimed first.
    assert (rest_days["minutes"] >= 225).all()


def test_staff_answer_to_their_contract_and_officers_to_the_conduct_regulations(force: Path):
    kinds = pl.read_parquet(force / "establishment.parquet").select("person_key", "employee_type").unique()
    matters = pl.read_parquet(force / "conduct_matter.parquet").join(kinds, on="person_key")
    matters = matters.filter(pl.col("regime") != "??", pl.col("forum").is_null() | (pl.col("forum") != "??"))
    officer = pl.col("employee_type").is_in(["OFFICER", "SPECIAL"])
    regulated = pl.col("regime") == "CONDUCT_REGULATIONS"
    assert matters.select((officer == regulated).all()).item()
    hearings = pl.col("forum").is_in(["MEETING", "HEARING", "ACCELERATED"])
    assert matters.filter(~regulated & hearings).is_empty()
    assert matters.filter(regulated & (pl.col("forum") == "STAFF_DISCIPLINARY")).is_empty()


def test_night_tours_run_past_midnight_and_the_change_of_clocks_shows_in_the_minutes(force: Path):
    nights = pl.read_parquet(force / "duty_plan.parquet").filter(pl.col("shift_code") == "N").drop_nulls()
    past = nights.filter(pl.col("planned_end") > pl.col("occurred_at"))
    assert (past["planned_end"].dt.date() > past["occurred_at"].dt.date()).all()
    worked = pl.read_parquet(force / "duty_worked.parquet").drop_nulls(["duty_id", "occurred_at"])
    # Clocks went forward at 01:00 on 29 March 2020 and back at 02:00 on 25 October 2020.
    for evening, hour in ((date(2020, 3, 28), -60), (date(2020, 10, 24), 60), (date(2020, 6, 6), 0)):
        over = worked.filter(
            pl.col("occurred_at").dt.date() == evening, pl.col("occurred_at").dt.hour() >= 20,
            pl.col("book_off").dt.hour().is_between(3, 12), pl.col("minutes_worked") > 0,
            pl.col("book_off") > pl.col("occurred_at"),
        )  # fmt: skip
        wall = (over["book_off"] - over["occurred_at"]).dt.total_minutes()
        assert len(over) > 5
        assert (over["minutes_worked"] - wall == hour).all()


@pytest.mark.parametrize("table", ["duty_worked", "overtime_claim", "system_access", "duty_amendment"])
def test_nothing_is_written_in_the_hour_that_is_missing(force: Path, table: str):
    rows = pl.read_parquet(force / f"{table}.parquet")
    for name, dtype in rows.schema.items():
        if isinstance(dtype, pl.Datetime):
            times = rows[name].drop_nulls()
            assert not ((times.dt.date() == date(2020, 3, 29)) & (times.dt.hour() == 1)).any()


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
        people, _, episodes, cases = world(4, preset, officers=40_000, dense=False)
        bears = (episodes.starts < NEVER).any(axis=0) & (people.rank == PC)
        inside = (episodes.starts[:, cases.person] <= cases.happened) & (
            cases.happened <= episodes.ends[:, cases.person]
        )
        hit = np.isin(np.arange(len(people)), cases.person[inside.any(axis=0)])
        minority, others = (
            hit[bears & (people.perceived_minority == group)].mean() for group in (True, False)
        )
        return float(minority / others)

    # The same people and the same chances in both, so that the two are compared and not the luck of one.
    assert detected_ratio(Preset.CASEY) > 1.15 * detected_ratio(Preset.BENIGN)
    assert drawn(Draws(4), Preset.BENIGN)["bias_minority"] == pytest.approx(1.0)


def test_a_range_must_be_a_range():
    with pytest.raises(ValueError, match="must be 0 < low <= high"):
        Range("wrong", 2.0, 1.0, "upside down")
