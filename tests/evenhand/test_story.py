"""The story as a user tells it with commands: train, promote, score, review, compare, card."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from evenhand.cli import app, main
from evenhand.force.truth import planted
from models.baselines import METHODS
from tests.evenhand.conftest import open_a_case_about_everybody

AS_OF = "2025-01-01"
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("story")]


@pytest.fixture
def champion(run, home, records) -> Path:
    """The shared workspace, with a promoted model in it."""
    if not (home / "mlruns").exists():
        trained = run(home, "train", "--data", str(records), "--name", "first", "--json")
        assert trained.code == 0, trained.err
        (home / "trained.json").write_text(trained.out)
        promoted = run(
            home, "promote", "candidate", "--reason", "the first", "--by", "R", "--data", str(records)
        )
        assert promoted.code == 0, promoted.err
    return home


def test_training_tells_every_method_on_every_date_and_every_count_with_its_basis(champion):
    told = json.loads((champion / "trained.json").read_text())
    assert {row["method"] for row in told["performance"]} == set(METHODS)
    assert {row["test_date"] for row in told["performance"]} >= {"all", "2023-03-31"}
    counted = {name.split(".")[0] for name in told["counts"][0] if "." in name}
    assert counted == {"backtest", "planted"}


def test_scoring_twice_changes_nothing(run, champion, records):
    first = run(champion, "score", "--as-of", AS_OF, "--data", str(records))
    assert first.code == 0, first.err
    folder = champion / "build/simulated/scores" / f"{AS_OF}-v1"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    second = run(champion, "score", "--as-of", AS_OF, "--data", str(records))
    assert second.code == 0
    assert "in the register already: nothing changed" in second.out
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_batch_tells_its_empty_places_and_that_it_is_a_demonstration(run, champion, records):
    told = run(champion, "score", "--as-of", AS_OF, "--data", str(records))
    assert "places left empty" in told.out
    assert "Demonstration" in told.out


def test_contributions_add_up_to_the_score_of_everyone(run, champion, records):
    run(champion, "score", "--as-of", AS_OF, "--data", str(records))
    folder = champion / "build/simulated/scores" / f"{AS_OF}-v1"
    scores = pl.read_parquet(folder / "scores.parquet")
    given = pl.read_parquet(folder / "contributions.parquet").select(
        "person_key", total=pl.sum_horizontal(pl.exclude("person_key", "as_of"))
    )
    gap = scores.join(given, on="person_key").select((pl.col("raw") - pl.col("total")).abs().max()).item()
    assert gap <= 1e-9


def test_a_listed_score_is_mostly_about_a_kind_that_was_planted(run, champion, records):
    """Though this force has an earlier case for every episode, and those raise scores most."""
    run(champion, "score", "--as-of", AS_OF, "--data", str(records))
    truth = planted(records, [date.fromisoformat(AS_OF)]).filter(pl.col("planted") == "misconduct")
    named = pl.read_parquet(champion / "build/simulated/scores" / f"{AS_OF}-v1" / "scores.parquet")
    listed = named.head(len(named) // 10).join(truth, on="person_key")
    right = pl.col("typologies").list.contains(pl.col("concern")).mean()
    anybodys = listed.select("concern").join(listed.select("typologies"), how="cross")
    assert len(listed) >= 8
    assert listed.select(right).item() > 1.4 * anybodys.select(right).item()


def test_a_file_can_be_looked_at_reviewed_and_counted(run, champion, records, tmp_path):
    run(champion, "score", "--as-of", AS_OF, "--data", str(records))
    listed = json.loads(run(champion, "leads", "list", "--json").out)
    name = listed[0]["lead"]
    shown = run(champion, "leads", "show", name[:8])
    assert "Look first for an ordinary explanation" in shown.out
    assert f"{listed[0]['concern']} (" in shown.out
    assert not re.search(r"\b(kind|sample|rank)\b", shown.out)
    refused = run(
        champion, "leads", "review", name, "--outcome", "wrong", "--reasons", " ", "--reviewer", "R", "--route", "no_action"
    )  # fmt: skip
    assert refused.code == 3
    recorded = run(
        champion, "leads", "review", name, "--outcome", "wrong", "--reasons", "aid, claims match", "--reviewer", "R",
        "--route", "no_action",
    )  # fmt: skip
    assert recorded.code == 0, recorded.err
    after = json.loads(run(champion, "leads", "list", "--as-of", AS_OF, "--json").out)
    assert next(row for row in after if row["lead"] == name)["outcome"] == "wrong"
    assert run(champion, "leads", "export", "--out", str(tmp_path / "leads.csv")).code == 0
    assert name in (tmp_path / "leads.csv").read_text()


def test_runs_are_compared_and_drawn(run, champion, records):
    told = run(champion, "compare", "first", "--chart", "compare.svg", "--data", str(records))
    assert told.code == 0, told.err
    assert "backtest: what the records later said" in told.out
    assert "<svg" in (champion / "compare.svg").read_text()
    assert "the share kept on the list of the next test date" in told.out


def test_who_is_on_one_list_and_not_on_another_is_told_with_reasons(run, champion, records):
    asked = ["compare", "first", "--only", "lightgbm", "complaint_count", "--data", str(records)]
    told = run(champion, *asked, "--json")
    assert told.code == 0, told.err
    found = json.loads(told.out)
    both, ours, theirs = (row["people"] for row in found["counts"])
    assert both + ours == pytest.approx(both + theirs)
    assert sum(person["surely"] for person in found["only"][0]) == pytest.approx(ours)
    assert all(person["listed_for"] for person in found["only"][0])
    shown = run(champion, *asked)
    assert "only first/complaint_count" in shown.out
    assert "passed over for" in shown.out
    assert run(champion, *asked[:-3], "nobody", *asked[-2:]).code == 2


def test_the_card_and_the_list_of_models_tell_who_promoted_what(run, champion, records):
    assert "the first" in run(champion, "models").out
    assert json.loads(run(champion, "models", "--live-on", "2001-01-01", "--json").out) == []
    told = run(champion, "card", "--out", "card", "--data", str(records), "--json")
    assert told.code == 0, told.err
    assert Path(json.loads(told.out)["html"]).is_file() or (champion / json.loads(told.out)["html"]).is_file()


def test_features_are_written_for_each_date(run, champion, records):
    told = run(
        champion, "features", "--from", "2024-01-01", "--to", "2024-03-01", "--every", "1mo", "--data", str(records), "--json"
    )  # fmt: skip
    written = json.loads(told.out)
    assert pl.read_parquet(champion / written["path"])["as_of"].n_unique() == 3


def test_the_sickness_study_is_apart_and_cannot_be_promoted(run, champion, records):
    told = run(champion, "train", "--research", "sickness", "--data", str(records))
    assert told.code == 0, told.err
    assert "none can be promoted" in told.out
    versions = json.loads(run(champion, "models", "--json").out)
    assert [row["version"] for row in versions] == [1]


def test_health_records_enter_an_ordinary_run_only_with_their_basis_and_then_the_card_shows_both(
    run, champion, records, tmp_path
):
    """And such a run has the champion beside it, with the very lists that it had in its own run."""
    refused = run(champion, "train", "--with-health", "--data", str(records))
    assert refused.code == 4
    assert "health.lawful_basis" in refused.err
    given = (Path(__file__).parents[2] / "governance.toml").read_text()
    keys = ("lawful_basis", "special_category_condition", "dpia_reference", "consultation")
    (tmp_path / "governance.toml").write_text(
        given + "\n[health]\n" + "".join(f'{key} = "Demonstration"\n' for key in keys)
    )
    common = ["--data", str(records), "--config", "health.toml"]
    run(champion, "models")
    (champion / "health.toml").write_text(
        (champion / "evenhand.toml").read_text().replace(
            str(Path(__file__).parents[2] / "governance.toml"), str(tmp_path / "governance.toml")
        )
    )  # fmt: skip
    trained = run(champion, "train", "--with-health", "--name", "health", *common)
    assert trained.code == 0, trained.err
    written = run(champion, "card", "candidate", "--out", "card-health", *common)
    assert written.code == 0, written.err
    card = next((champion / "card-health").glob("*.md")).read_text().lower()
    assert "without" in card
    compared = run(champion, "compare", "health", "--data", str(records), "--json")
    ranked = {(row["run"], row["method"]): row for row in json.loads(compared.out)["rankings"]}
    own = run(champion, "compare", "first", "--data", str(records), "--json")
    first = {row["method"]: row for row in json.loads(own.out)["rankings"]}
    for count in ("backtest.leads_confirmed", "planted.misconduct"):
        assert ranked["v1", "champion"][count] == first["lightgbm"][count]


def test_live_scoring_needs_the_records_that_software_cannot_know(run, champion, records, tmp_path):
    (tmp_path / "governance.toml").write_text('purpose = "to try"\n')
    run(champion, "models")
    (champion / "bare.toml").write_text(
        (champion / "evenhand.toml").read_text().replace(
            str(Path(__file__).parents[2] / "governance.toml"), str(tmp_path / "governance.toml")
        )
    )  # fmt: skip
    told = run(champion, "score", "--as-of", AS_OF, "--data", str(records), "--config", "bare.toml")
    assert told.code == 4
    for missing in ("end_date", "dpia_reference", "notice_to_officers", "consultation"):
        assert missing in told.err


def test_every_command_has_an_example_in_its_help(capsys):
    commands = [[name] for name in app if not name.startswith("-")]
    commands += [[of, name] for of in ("leads", "audit") for name in app[of] if not name.startswith("-")]
    for command in commands:
        main([*command, "--help"])
        assert "Example: evenhand" in capsys.readouterr().out, command


def provenance_of(home: Path) -> tuple[Path, dict]:
    run = json.loads((home / "trained.json").read_text())["run"]
    path = next((home / "mlruns/artifacts/simulated" / run).rglob("provenance.json"))
    return path, json.loads(path.read_text())


def test_a_run_is_repeated_to_the_last_bit(run, champion, records):
    versions = run(champion, "models", "--json").out
    repeated = run(champion, "train", "--repeat", "first", "--data", str(records))
    assert repeated.code == 0, repeated.err
    assert "the same to the last bit: model, scores, chances" in repeated.out
    assert run(champion, "models", "--json").out == versions, "what is repeated is not registered again"


def test_a_run_whose_records_are_gone_is_not_repeated_but_told_which(run, champion, records):
    path, stored = provenance_of(champion)
    other = json.loads(path.read_text())
    other["rests_on"]["parts"]["overtime_claim"] |= {"2019-01": "since expired"}
    other["rests_on"]["parts"]["complaint"]["complaint"] = "another"
    path.write_text(json.dumps(other))
    refused = run(champion, "train", "--repeat", "first", "--data", str(records))
    path.write_text(json.dumps(stored))
    assert refused.code == 3
    assert "overtime_claim: part 2019-01 is gone" in refused.err
    assert "complaint: part complaint has changed" in refused.err


def test_a_run_is_repeated_as_it_was_or_not_at_all(run, champion, records):
    refused = run(champion, "train", "--repeat", "first", "--seed", "5", "--data", str(records))
    assert refused.code == 2
    assert "leave out what would make it another" in refused.err


def test_the_release_gate_can_be_asked_without_promoting_and_a_refusal_stays_with_the_version(
    run, champion, records
):
    """A candidate that was tested on other dates is compared with the champion on its own."""
    common = ["--data", str(records)]
    trained = run(champion, "train", "--name", "other dates", "--test-dates", "2022-06-30", *common, "--json")
    version = str(json.loads(trained.out)["version"])
    asked = run(champion, "promote", version, "--check", "--json", *common)
    told = json.loads(asked.out)
    assert asked.code == (0 if told["passes"] else 4)
    rival = next(each for each in told["requirements"] if each["code"] == "not_worse")
    assert "its recipe, carried out anew for these dates" in rival["found"]
    assert rival["more"] == 0.0, "the same recipe on the same dates lists the same people"
    before = json.loads(run(champion, "models", "--json", *common).out)
    assert [row["requests"] for row in before if str(row["version"]) == version] == [[]]

    narrow = champion / "narrow.toml"
    narrow.write_text((champion / "evenhand.toml").read_text().replace("capacity = 20", "capacity = 1"))
    refused = run(
        champion, "promote", version, "--reason", "one place", "--by", "H", "--config", str(narrow), *common
    )
    assert refused.code == 4
    assert "95 % interval" in refused.err
    after = json.loads(run(champion, "models", "--json", *common).out)
    (request,) = next(row["requests"] for row in after if str(row["version"]) == version)
    assert (request["who"], request["reason"], request["outcome"]) == ("H", "one place", "refused")
    first = next(row for row in after if row["version"] == 1)
    assert "champion" in first["aliases"]
    assert first["requests"][0]["outcome"] == "promoted"
    assert "one place" in run(champion, "models", *common).out


def test_a_promotion_needs_a_reason_and_looking_does_not(run, champion, records):
    assert run(champion, "promote", "1", "--data", str(records)).code == 2
    assert run(champion, "promote", "1", "--check", "--data", str(records)).code == 0


def test_a_force_that_stays_as_it_was_breaches_nothing(run, champion, records):
    told = run(champion, "monitor", "--as-of", AS_OF, "--data", str(records), "--json")
    assert told.code == 0, told.err
    found = json.loads(told.out)
    assert found["breaches"] == []
    assert {row["check"].split(":")[0] for row in found["checks"]} >= {"input", "missing", "score", "labels"}
    assert found["label_mix"]
    early = run(champion, "monitor", "--as-of", "2024-01-01", "--data", str(records))
    assert early.code == 2
    assert "learnt what happened up to" in early.err


def test_drift_suspends_scoring_until_a_person_resumes_it_with_a_reason(run, champion, records, tmp_path):
    other = open_a_case_about_everybody(records, tmp_path / "data")
    common = ["--data", str(other)]
    before = run(champion, "leads", "list", "--json").out
    refused = run(champion, "score", "--as-of", AS_OF, *common)
    assert refused.code == 4
    assert "is suspended since" in refused.err
    assert "input: " in refused.err
    assert "evenhand resume" in refused.err
    assert run(champion, "leads", "list", "--json").out == before, "no lead was opened"
    assert run(champion, "score", "--as-of", AS_OF, "--data", str(records)).code == 4, "it stands suspended"
    drawn = run(champion, "monitor", "--as-of", AS_OF, "--chart", "monitor.svg", *common)
    assert drawn.code == 4
    assert "<svg" in (champion / "monitor.svg").read_text()
    assert "is suspended since" in run(champion, "models", *common).out

    assert run(champion, "resume", "--by", "O", "--reason", " ", *common).code == 2
    resumed = run(
        champion, "resume", "--by", "O", "--reason", "every case was moved to a new system", *common
    )
    assert resumed.code == 0, resumed.err
    assert run(champion, "score", "--as-of", AS_OF, *common).code == 0, "what a person knows is no breach"
    assert run(champion, "resume", "--by", "O", "--reason", "again", *common).code == 2

    trail = json.loads(run(champion, "audit", "show", "--json", *common).out)
    assert [(row["who"], row["what"]) for row in trail if row["model"] == "simulated v1"] == [
        ("R", "promoted"), ("monitor", "suspended"), ("O", "resumed"),
    ]  # fmt: skip
    assert "every case was moved" in run(champion, "audit", "show", *common).out
    assert "holds" in run(champion, "audit", "verify", *common).out
