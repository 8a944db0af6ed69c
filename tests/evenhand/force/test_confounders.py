"""Innocent explanations: each raises a simple count of its bearers, leaves the rows that tell why, and can be left out."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from evenhand.force import CONFOUNDERS, simulate
from evenhand.force.kinds import KINDS, NEUTRAL

ORDER = {"officers": 1000, "months": 24, "seed": 21, "dense": True}
SMALL = {"officers": 200, "months": 12, "seed": 8, "dense": True}


@pytest.fixture(scope="module")
def every(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate(tmp_path_factory.mktemp("every") / "data", **ORDER)


@pytest.fixture(scope="module")
def none(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate(tmp_path_factory.mktemp("none") / "data", **ORDER, confounders=())


def extract(data: Path, table: str) -> pl.DataFrame:
    apart = data / "enclave" / f"{table}.parquet"
    return pl.read_parquet(apart if apart.is_file() else data / f"{table}.parquet")


def uses_of(data: Path) -> pl.DataFrame:
    return extract(data, "system_access").join(
        extract(data, "identity_map").select("user_no", "person_key"), on="user_no"
    )


def spans(data: Path, kind: str) -> pl.DataFrame:
    return pl.read_parquet(data / "answer_key" / "lookalikes.parquet").filter(pl.col("kind") == kind)


def bearers(data: Path, kind: str) -> list[str]:
    return spans(data, kind)["person_key"].unique().to_list()


def counts(data: Path) -> pl.DataFrame:
    """[person_key, measure, n]: simple counts of the sort a threshold would be set on."""
    tours = extract(data, "duty_worked").unique("duty_id")
    changes = extract(data, "duty_amendment").filter(pl.col("field") != "CANCEL")
    late = (pl.col("amended_by_key") == pl.col("person_key")) & (
        pl.col("occurred_at") >= pl.col("duty_start")
    )
    own_rest_day = (pl.col("amended_by_key") == pl.col("person_key")) & (pl.col("field") == "REST_DAY")
    claims = extract(data, "overtime_claim").unique("claim_id")
    beyond = claims.join(tours.select("duty_id", "minutes_over", "rest_day"), on="duty_id").filter(
        ~pl.col("rest_day") & (pl.col("minutes") - pl.col("minutes_over") >= 30)
    )
    uses = uses_of(data)
    measures = {
        "tours": tours,
        "changes": changes,
        "own_late_changes": changes.filter(late),
        "own_rest_days": changes.filter(own_rest_day),
        "claims": claims,
        "rest_day_claims": claims.filter(pl.col("claim_type").is_in(["REST_DAY", "AID"])),
        "claims_beyond_work": beyond,
        "searches": uses,
        "on_behalf": uses.filter(pl.col("on_behalf_of").is_not_null()),
        "off_duty": uses.filter(~pl.col("on_duty")),
        "sickness_spells": extract(data, "sickness_spell").unique("spell_id"),
        "absences": extract(data, "other_absence"),
        "complaints": extract(data, "complaint").unique("allegation_id"),
    }
    return pl.concat(
        rows.group_by("person_key").agg(n=pl.len()).select("person_key", pl.lit(name).alias("measure"), "n")
        for name, rows in measures.items()
    )


@pytest.fixture(scope="module")
def counted(every: Path, none: Path) -> pl.DataFrame:
    """[person_key, measure, n, without]: with every confounder, and with none."""
    return (
        counts(every)
        .join(counts(none).rename({"n": "without"}), on=["person_key", "measure"], how="full", coalesce=True)
        .fill_null(0)
    )


@pytest.mark.parametrize(
    ("kind", "measure", "at_least"),
    [
        ("short_staffed_team", "changes", 1.2),
        ("disability_sickness", "sickness_spells", 2.0),
        ("pregnancy_maternity", "absences", 1.02),
        ("part_time", "own_rest_days", 1.5),
        ("public_order_aid", "rest_day_claims", 3.0),
        ("major_investigation", "searches", 1.1),
        ("many_searches_role", "searches", 3.0),
        ("supervisor_on_behalf", "on_behalf", 3.0),
        ("federation_rep", "absences", 1.8),
        ("clock_change", "off_duty", 3.0),
        ("injury_on_duty", "sickness_spells", 1.3),
        ("probationer", "own_late_changes", 1.3),
        ("late_authoriser", "own_late_changes", 2.0),
        ("high_contact_role", "complaints", 1.3),
        ("whistleblower", "complaints", 2.0),
        ("self_kept_roster", "own_late_changes", 5.0),
        ("handover_claims", "claims_beyond_work", 2.0),
    ],
)
def test_a_confounder_raises_a_simple_count_of_its_bearers_against_the_same_people_without_it(
    every: Path, counted: pl.DataFrame, kind: str, measure: str, at_least: float
):
    theirs = counted.filter(pl.col("person_key").is_in(bearers(every, kind)), pl.col("measure") == measure)
    assert int(theirs["n"].sum()) > at_least * int(theirs["without"].sum())


def test_there_are_fifteen_confounders_and_each_is_told_in_plain_words_and_can_be_neutral():
    assert len(CONFOUNDERS) == len(set(CONFOUNDERS)) == 15
    assert set(CONFOUNDERS) < KINDS.keys() == NEUTRAL.keys()


def test_each_confounder_has_bearers_and_without_confounders_nobody_bears_any(every: Path, none: Path):
    assert {kind for kind in KINDS if bearers(every, kind)} == set(KINDS)
    assert extract(none / "answer_key", "lookalikes").is_empty()


@pytest.mark.parametrize("kind", ["part_time", "supervisor_on_behalf", "whistleblower"])
def test_a_force_with_one_confounder_names_its_bearers_only(tmp_path: Path, kind: str):
    data = simulate(tmp_path / "data", **SMALL, confounders=[kind])
    assert set(extract(data / "answer_key", "lookalikes")["kind"]) == {kind}


@pytest.mark.parametrize(
    ("kind", "tables"),
    [
        ("whistleblower", ["duty_worked", "overtime_claim", "system_access", "badge_event"]),
        ("clock_change", ["duty_worked", "overtime_claim", "duty_amendment", "complaint"]),
        ("handover_claims", ["duty_worked", "system_access", "duty_amendment", "expense_claim"]),
        ("public_order_aid", ["sickness_spell", "conduct_matter", "establishment"]),
    ],
)
def test_a_confounder_leaves_the_rows_of_other_tables_as_they_are_without_it(
    tmp_path: Path, kind: str, tables: list[str]
):
    one = simulate(tmp_path / "one", **SMALL, confounders=[kind])
    without = simulate(tmp_path / "without", **SMALL, confounders=())
    for table in tables:
        assert extract(one, table).equals(extract(without, table))


def test_whoever_bears_no_confounder_has_the_same_rows_without_any(every: Path, none: Path):
    # Vacancies of short-staffed teams end some people's service; whoever serves alike in both is compared.
    service = ["person_key", "service_start", "leaver_date"]
    posts = [extract(data, "establishment").select(service).unique() for data in (every, none)]
    joined = posts[0].join(posts[1], on=service, how="inner", nulls_equal=True)
    changed = pl.concat([part.join(joined, on=service, how="anti", nulls_equal=True) for part in posts])
    spared = joined["person_key"].unique()
    spared = spared.filter(~spared.is_in(changed["person_key"].implode()))
    marked = extract(every / "answer_key", "lookalikes")["person_key"].unique()
    spared = spared.filter(~spared.is_in(marked.implode()))
    assert len(spared) > 50
    for table in ("duty_plan", "badge_event", "expense_claim", "sickness_spell"):
        of_spared = [
            extract(data, table).filter(pl.col("person_key").is_in(spared.implode())).sort(pl.all())
            for data in (every, none)
        ]
        same = of_spared[0].join(of_spared[1], on=of_spared[0].columns, how="semi", nulls_equal=True)
        # Vacancies take some colleagues away, and with them a few supervisors who sign or are moved.
        assert len(same) > 0.97 * max(len(part) for part in of_spared)


# --- The rows that tell why ---------------------------------------------------------------------------


def test_shortage_shows_in_team_strength(every: Path):
    posts = extract(every, "establishment")
    teams = posts.filter(pl.col("person_key").is_in(bearers(every, "short_staffed_team")))[
        "team_code"
    ].unique()
    strength = extract(every, "team_strength").with_columns(
        vacant=1 - pl.col("filled_posts") / pl.col("established_posts"),
        short=pl.col("team_code").is_in(teams.implode()),
    )
    vacant = dict(strength.group_by("short").agg(pl.col("vacant").mean()).iter_rows())
    assert vacant[True] > 2 * vacant[False]


@pytest.mark.parametrize(
    ("kind", "table"),
    [
        ("disability_sickness", "adjustments"),
        ("part_time", "flexible_working"),
        ("federation_rep", "union_duty_time"),
        ("public_order_aid", "event_deployment"),
    ],
)
def test_most_bearers_have_a_row_where_the_explanation_is_kept(every: Path, kind: str, table: str):
    told = set(extract(every, table)["person_key"])
    borne = set(bearers(every, kind))
    assert len(borne & told) > 0.85 * len(borne)


def test_pregnancy_and_injury_are_recorded_as_such(every: Path):
    sick = extract(every, "sickness_spell")
    away = extract(every, "other_absence").filter(pl.col("absence_type") == "MATERNITY")
    pregnant = set(sick.filter(pl.col("category") == "PREGNANCY_RELATED")["person_key"]) | set(
        away["person_key"]
    )
    hurt = set(sick.filter(pl.col("category") == "INJURY_ON_DUTY")["person_key"])
    for kind, told in (("pregnancy_maternity", pregnant), ("injury_on_duty", hurt)):
        borne = set(bearers(every, kind))
        assert len(borne & told) > 0.8 * len(borne)


def test_work_on_a_major_inquiry_carries_its_code(every: Path):
    codes = extract(every, "major_incident")["project_code"]
    tours = extract(every, "duty_worked").filter(pl.col("project_code").is_in(codes.implode()))
    assert set(tours["person_key"].drop_nulls()) <= set(bearers(every, "major_investigation")) | {"P999999"}
    claims = extract(every, "overtime_claim").filter(pl.col("project_code").is_in(codes.implode()))
    assert len(claims) > 20


def test_off_duty_uses_of_old_terminals_are_told_by_the_clock_or_by_the_tour(every: Path):
    uses = uses_of(every).filter(
        pl.col("person_key").is_in(bearers(every, "clock_change")), ~pl.col("on_duty"),
        pl.col("on_behalf_of").is_null(),
    )  # fmt: skip
    told = (pl.col("time_basis") == "UTC") | (pl.col("occurred_at").dt.hour() < 8)
    assert uses.select(told.mean()).item() > 0.75


def test_changes_entered_in_a_batch_were_asked_for_within_a_day_of_the_tour(every: Path):
    changes = extract(every, "duty_amendment").filter(
        pl.col("person_key").is_in(bearers(every, "late_authoriser")), pl.col("field") == "BOOK_OFF",
        pl.col("occurred_at") >= pl.col("pay_closes_at"), pl.col("requested_at").is_not_null(),
    )  # fmt: skip
    assert len(changes) > 20
    assert (changes["requested_at"] - changes["duty_start"] < timedelta(days=2)).all()
    others = extract(every, "overtime_claim")
    late = others.filter(pl.col("authorised_at") > pl.col("pay_closes_at"))
    assert set(bearers(every, "late_authoriser")) & set(late["person_key"])


def test_uses_at_a_shared_terminal_name_whoever_asked_for_them(every: Path):
    shared = uses_of(every).filter(pl.col("terminal_id").str.ends_with("SHARED"))
    assert len(shared) > 20
    assert shared["on_behalf_of"].null_count() == 0


def test_complaints_against_whoever_reported_wrongdoing_say_so(every: Path):
    of_colleagues = extract(every, "complaint").filter(
        pl.col("source").is_in(["COLLEAGUE", "SUPERVISOR", "ANONYMOUS"])
    )
    assert len(of_colleagues) > 5
    assert of_colleagues["victimisation_risk"].mean() > 0.95  # type: ignore[operator]  # a share
