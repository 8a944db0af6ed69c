"""What each kind of misconduct leaves in the records: people in an episode against themselves outside it."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from evenhand.force import parameters, simulate
from evenhand.force.conduct import TYPOLOGIES
from features.tables.uk import RANKS

# Enough of the rare kinds for a force of this size to show them.
OFTEN = {
    "t1_prevalence": 3.0, "t2_prevalence": 20.0, "t3_senior_prevalence": 10.0, "t3_other_prevalence": 150.0,
    "t4_prevalence": 3.0, "t5_prevalence": 60.0, "t6_prevalence": 8.0, "t7_prevalence": 30.0, "t8_prevalence": 40.0,
    "t9_prevalence": 80.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def force(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parameters, "DENSE", OFTEN)
        return simulate(
            tmp_path_factory.mktemp("force") / "data",
            officers=900,
            months=24,
            seed=17,
            dense=True,
            confounders=(),
        )


def extract(data: Path, table: str) -> pl.DataFrame:
    return pl.read_parquet(data / f"{table}.parquet")


def of_people(data: Path, table: str) -> pl.DataFrame:
    return extract(data, table).join(
        extract(data, "identity_map").select("user_no", "person_key"), on="user_no"
    )


def planted(data: Path, typology: str) -> pl.DataFrame:
    return extract(data / "answer_key", "planted").filter(pl.col("typology") == typology)


def in_and_out(data: Path, typology: str, rows: pl.DataFrame, at: str = "occurred_at") -> tuple[int, int]:
    """How many of the bearers' rows fall into their episode, and how many outside it."""
    theirs = rows.join(planted(data, typology), on="person_key").with_columns(
        inside=pl.col(at).dt.date().is_between(pl.col("started"), pl.col("ended"), closed="left")
    )
    return int(theirs["inside"].sum()), int((~theirs["inside"]).sum())


def times_as_often(data: Path, typology: str, rows: pl.DataFrame, at: str = "occurred_at") -> float:
    """Rows a tour inside the episode, over rows a tour of the same people outside it."""
    inside, outside = in_and_out(data, typology, rows, at)
    tours_in, tours_out = in_and_out(data, typology, extract(data, "duty_worked").unique("duty_id"))
    return (inside / tours_in) / ((outside + 0.5) / tours_out)


def signal(data: Path, name: str) -> pl.DataFrame:
    """The rows of one signal of DOMAIN 2.2."""
    changes = extract(data, "duty_amendment")
    own = pl.col("amended_by_key") == pl.col("person_key")
    claims = extract(data, "overtime_claim").unique("claim_id")
    tours = extract(data, "duty_worked").unique("duty_id", keep="last")
    expenses = extract(data, "expense_claim")
    match name:
        case "own change after the tour":
            return changes.filter(own & (pl.col("occurred_at") >= pl.col("duty_start")))
        case "own change after the pay period closed":
            return changes.filter(own & (pl.col("occurred_at") >= pl.col("pay_closes_at")))
        case "own swap into a rest day less than a day before":
            soon = pl.col("duty_start") - pl.col("occurred_at") < pl.duration(hours=24)
            return changes.filter(own & soon & (pl.col("field") == "REST_DAY"))
        case "minutes beyond the work":
            joined = claims.join(tours.select("duty_id", "minutes_over", "rest_day"), on="duty_id")
            return joined.filter(~pl.col("rest_day") & (pl.col("minutes") - pl.col("minutes_over") >= 30))
        case "claim that hangs on no tour":
            return claims.filter(pl.col("duty_id").is_null())
        case "remote tour":
            return tours.filter(pl.col("site").is_null())
        case "visit of minutes":
            return extract(data, "badge_event").filter(pl.col("minutes_inside") < 60)
        case "look-up without a purpose":
            odd = pl.col("linked_incident_id").is_null() & pl.col("subject_relation").is_in(
                ["SELF", "ADDRESS"]
            )
            return of_people(data, "system_access").filter(odd)
        case "vulnerable person outside any case of one's own":
            return of_people(data, "system_access").filter(pl.col("subject_vulnerable") & ~pl.col("own_case"))
        case "complaint of abuse of position or sexual conduct":
            return extract(data, "complaint").filter(pl.col("category").is_in(["G", "J"]))
        case "recording":
            return extract(data, "bwv_event")
        case "request for a change":
            return changes.filter(
                pl.col("on_behalf_of") == pl.col("person_key"), pl.col("reason_code") == "SWAP"
            )
        case "look-up of an undeclared associate":
            hidden = extract(data, "register_match").filter(~pl.col("declared"))
            return of_people(data, "system_access").join(
                hidden.select("person_key", subject_key="associate_key").unique(),
                on=["person_key", "subject_key"],
            )
        case "receipt used before":
            return expenses.filter(pl.col("receipt_hash").is_not_null()).filter(
                pl.col("expense_id").n_unique().over("receipt_hash") > 1
            )
        case "expense on a day off":
            return expenses.filter(pl.col("on_leave_or_off"))
        case "session on a day off sick":
            sick = extract(data, "sickness_spell").drop_nulls("end_at").select(
                "person_key", first="occurred_at", last="end_at"
            )  # fmt: skip
            sessions = of_people(data, "vpn_session").join(sick, on="person_key")
            return sessions.filter(pl.col("occurred_at").is_between("first", "last"))
        case "print or export":
            return of_people(data, "system_access").filter(pl.col("action").is_in(["PRINT", "EXPORT"]))
    raise ValueError(name)


@pytest.mark.parametrize(
    ("typology", "name", "at_least"),
    [
        ("T1", "own change after the tour", 5),
        ("T1", "own change after the pay period closed", 5),
        ("T1", "own swap into a rest day less than a day before", 3),
        ("T2", "minutes beyond the work", 3),
        ("T2", "claim that hangs on no tour", 1.5),
        ("T3", "remote tour", 2.5),
        ("T3", "visit of minutes", 10),
        ("T4", "look-up without a purpose", 4),
        ("T5", "vulnerable person outside any case of one's own", 4),
        ("T5", "complaint of abuse of position or sexual conduct", 3),
        ("T6", "request for a change", 4),
        ("T6", "look-up of an undeclared associate", 10),
        ("T7", "receipt used before", 10),
        ("T7", "expense on a day off", 10),
        ("T8", "session on a day off sick", 5),
        ("T9", "print or export", 3),
    ],
)
def test_an_episode_leaves_its_signal(force: Path, typology: str, name: str, at_least: float):
    assert times_as_often(force, typology, signal(force, name)) > at_least


def test_cameras_stay_off_more_often_in_an_episode_of_t5(force: Path):
    assert times_as_often(force, "T5", signal(force, "recording")) < 0.7


@pytest.mark.parametrize(("typology", "register"), [("T6", {"COMPANIES", "LICENCES"}), ("T8", {"PAYROLL"})])
def test_undeclared_interests_are_matched_in_a_register_for_most(
    force: Path, typology: str, register: set[str]
):
    matches = extract(force, "register_match").filter(~pl.col("declared"), pl.col("register").is_in(register))
    bearers = planted(force, typology)["person_key"]
    found = bearers.is_in(matches["person_key"].drop_nulls().implode()).mean()
    assert 0.4 < found < 0.95  # type: ignore[operator]  # a share


def test_authorisers_of_a_bearer_of_t2_are_fewer_inside_the_episode(force: Path):
    claims = (
        extract(force, "overtime_claim")
        .drop_nulls("authoriser_key")
        .join(planted(force, "T2"), on="person_key")
    )
    inside = pl.col("occurred_at").dt.date().is_between(pl.col("started"), pl.col("ended"), closed="left")
    share = (
        claims.group_by("person_key", inside.alias("inside"), "authoriser_key").len()
        .group_by("person_key", "inside").agg(top=pl.col("len").max() / pl.col("len").sum(), n=pl.col("len").sum())
        .filter(pl.col("n") >= 8).group_by("inside").agg(pl.col("top").mean())
    )  # fmt: skip
    top = dict(share.iter_rows())
    # Outside it most claims go to the one line supervisor, who is not a person's own choice.
    line = extract(force, "establishment").select("person_key", authoriser_key="supervisor_key").unique()
    elsewhere = claims.join(line, on=["person_key", "authoriser_key"], how="anti")
    shares = dict(elsewhere.group_by(inside.alias("inside")).agg(pl.len()).iter_rows())
    assert shares[True] / claims.filter(inside).height > 1.3 * shares[False] / claims.filter(~inside).height
    assert top[True] > 0.3


def test_only_senior_officers_and_hybrid_staff_posts_bear_t3(force: Path):
    posts = extract(force, "establishment").unique("person_key")
    bearers = posts.join(planted(force, "T3"), on="person_key", how="semi")
    assert len(bearers) > 5
    senior = pl.col("rank").is_in(RANKS[RANKS.index("CI") :])
    assert bearers.select(
        (pl.col("hybrid_post") & (senior | (pl.col("employee_type") == "STAFF"))).all()
    ).item()


def test_a_force_can_be_without_any_misconduct(tmp_path: Path):
    data = simulate(tmp_path / "data", officers=300, months=12, seed=2, dense=True, conduct=False)
    assert extract(data / "answer_key", "planted").is_empty()
    assert extract(data, "conduct_matter").height > 0


def test_every_typology_is_planted(force: Path):
    assert set(extract(force / "answer_key", "planted")["typology"]) == set(TYPOLOGIES)
