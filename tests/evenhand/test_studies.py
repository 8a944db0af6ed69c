"""What `make prove` claims at size, held here on one small force each."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from evenhand.answers import beside, by_rules, told_the_answers, yields
from evenhand.config import load_config
from evenhand.force.kinds import KINDS
from evenhand.force.simulate import simulate
from evenhand.studies.firewall import compare_scores
from evenhand.studies.page import record, write_page
from evenhand.studies.planted import BEARERS_AT, CAPACITIES, RULES_BY_ANSWER_KEY, draw_planted
from evenhand.studies.prove import prove
from evenhand.studies.study import Finding, Study
from evenhand.workspace import Workspace
from features.errors import WrongUsage
from models.experiment import prepare, run_experiment
from models.ranker import Params

ROOT = Path(__file__).parents[2]
SEED = 77


def workspace(folder: Path, **how: object) -> Workspace:
    data = simulate(folder / "data", officers=400, months=60, seed=SEED, dense=True, **how)  # type: ignore[arg-type]  # as simulate takes
    return Workspace(load_config(None, data=str(data), out=folder / "out", suites=ROOT / "expectations"))


@pytest.fixture(scope="module")
def force(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return workspace(tmp_path_factory.mktemp("one"))


@pytest.fixture(scope="module")
def experiment(force: Workspace):
    dates = force.dates()
    planted = force.planted([*dates.tests, *dates.candidates])
    return run_experiment(
        force.force, force.accepted, test_as_ofs=dates.tests, train_candidates=dates.candidates,
        params=Params(threads=1), planted=planted, until=dates.end, draws=200,
    )  # fmt: skip


@pytest.mark.slow
def test_other_protected_histories_and_recoded_reasons_change_no_score_of_people_with_the_same_duties(
    force, experiment, tmp_path
):
    other = workspace(tmp_path, protected_seed=SEED + 1, recode_reasons=True)
    compared = compare_scores(force, other, model=experiment.model, as_of=force.dates().end)
    assert compared["people"] > 50
    assert compared["changed_duties"] > 50
    assert compared["differ"] == 0
    # Colleagues' own sickness changes whom a person is set beside, and that is not hidden.
    assert 0 < max(compared["moved"]) < 50


@pytest.mark.slow
def test_lightgbm_finds_more_planted_misconduct_than_chance_at_the_same_capacity(experiment):
    found = {row["method"]: row["planted.misconduct"] for row in experiment.counts.iter_rows(named=True)}
    assert found["lightgbm"] > 2 * found["random"]


@pytest.mark.slow
def test_trees_told_the_answers_and_rules_chosen_by_them_find_more_than_chance(force, experiment):
    dates = force.dates()
    study = prepare(
        force.force,
        force.accepted,
        test_as_ofs=dates.tests,
        train_candidates=dates.candidates,
        until=dates.end,
    )
    truth = force.planted([*dates.tests, *dates.candidates])
    lists = replace(experiment.backtest, capacity=20)
    references = {
        "told": told_the_answers(study, truth, Params(threads=1, leaves=8)),
        "by rule": by_rules(study, RULES_BY_ANSWER_KEY.values()),
    }
    found = yields(beside(lists, references))
    by_chance = yields(lists)["random"]["misconduct"]
    assert found["told"]["misconduct"] > 2 * by_chance
    assert found["by rule"]["misconduct"] > by_chance


def test_parts_measured_side_by_side_are_kept_as_those_measured_in_turn(tmp_path, monkeypatch):
    study = Study(
        name="made",
        about="a study of three seeds",
        parts=[7, 8, 9],
        run_part=partial(dict.fromkeys, ["seed"]),
        conclude=lambda parts: [
            Finding(claim="all", measured=str([each["seed"] for each in parts]), holds=True)
        ],
    )
    monkeypatch.setattr("evenhand.studies.prove._studies", lambda _: {"made": study})
    for jobs in (1, 2):
        prove(only=None, out=tmp_path / f"{jobs} at a time.md", chicago=tmp_path / "none", jobs=jobs)
    in_turn, side_by_side = ((tmp_path / f"{jobs} at a time" / "made.json").read_text() for jobs in (1, 2))
    assert json.loads(in_turn)["parts"] == {str(seed): {"seed": seed} for seed in (7, 8, 9)}
    assert side_by_side == in_turn
    assert "[7, 8, 9]" in (tmp_path / "2 at a time.md").read_text()
    with pytest.raises(WrongUsage, match="at least one part"):
        prove(only=None, out=tmp_path / "evidence.md", chicago=tmp_path / "none", jobs=0)


def test_a_study_that_does_not_exist_is_named_with_the_nearest(tmp_path):
    with pytest.raises(WrongUsage, match="Did you mean 'planted'"):
        prove(only=["plantd"], out=tmp_path / "evidence.md", chicago=tmp_path / "none")


def test_a_study_is_run_again_on_other_code_only_and_what_fails_stays_on_the_page(tmp_path, monkeypatch):
    ran: list[object] = []
    study = Study(
        name="made",
        about="a study of two parts",
        parts=[1, 2],
        run_part=lambda part: {"part": ran.append(part)},
        conclude=lambda parts: [Finding(claim="three parts", measured=f"{len(parts)} parts", holds=False)],
    )
    monkeypatch.setattr("evenhand.studies.prove._studies", lambda _: {"made": study})
    for code in ("abc", "abc", "def"):
        monkeypatch.setattr("evenhand.studies.prove.code_fingerprint", lambda code=code: code)
        prove(only=None, out=tmp_path / "evidence.md", chicago=tmp_path / "none")
    assert ran == [1, 2, 1, 2]
    assert json.loads((tmp_path / "evidence" / "made.json").read_text())["follows"]["source"] == "def"
    page = (tmp_path / "evidence.md").read_text()
    assert "| **no** | three parts | 2 parts |" in page
    assert "Command: `evenhand prove --only made`" in page


def test_parts_of_other_code_are_kept_only_where_those_made_again_come_out_the_same(tmp_path, monkeypatch):
    parts = [7, 8, 9, 10]

    def study(gives: str) -> Study:
        return Study(
            name="made",
            about="a study of four seeds",
            parts=parts,
            run_part=partial(_made_with, tmp_path / "ran", gives),
            conclude=lambda parts: [Finding(claim="all", measured=str(parts), holds=True)],
            measured_by=(_made_with,),
        )

    def proved(code: str, gives: str, recheck: int) -> tuple[list[str], dict]:
        monkeypatch.setattr("evenhand.studies.prove._studies", lambda _: {"made": study(gives)})
        monkeypatch.setattr("evenhand.studies.prove.code_fingerprint", lambda: code)
        (tmp_path / "ran").write_text("")
        prove(only=None, out=tmp_path / "evidence.md", chicago=tmp_path / "none", recheck=recheck)
        kept = json.loads((tmp_path / "evidence" / "made.json").read_text())
        return (tmp_path / "ran").read_text().split(), kept

    assert len(proved("abc", "a", 0)[0]) == 4
    ran, kept = proved("def", "a", 2)
    assert len(ran) == 2
    assert set(kept["parts"]) == {"7", "8", "9", "10"}
    assert kept["follows"]["source"] == "def"
    page = (tmp_path / "evidence.md").read_text()
    assert (
        f"4 parts were made on source abc; of these {', '.join(sorted(ran, key=int))}, drawn by lot" in page
    )
    assert proved("def", "a", 2)[0] == []
    assert proved("ghi", "a", 0)[0] != []
    ran, kept = proved("jkl", "b", 2)
    assert sorted(ran, key=int) == ["7", "8", "9", "10"]
    assert "carried" not in kept
    assert "drawn by lot" not in (tmp_path / "evidence.md").read_text()
    parts[:] = [11]
    ran, kept = proved("mno", "b", 2)
    assert (ran, "carried" in kept) == (["11"], False), "nothing of this study was there to be made again"
    with pytest.raises(WrongUsage, match="to be made again"):
        proved("jkl", "b", -1)


_calls = itertools.count()


def _made_with(ran: Path, gives: str, part: int) -> dict[str, object]:
    with ran.open("a") as lines:
        lines.write(f"{part}\n")
    # One more digit at every call, as another processor may give.
    return {"gives": gives, "figures": [0.1 + 1e-15 * next(_calls)]}


def test_a_study_of_which_only_the_first_parts_were_run_says_so(tmp_path, monkeypatch):
    study = Study(
        name="made",
        about="a study of three seeds",
        parts=[7, 8, 9],
        run_part=lambda part: {"part": part},
        conclude=lambda parts: [
            Finding(claim="all", measured=str([each["part"] for each in parts]), holds=True)
        ],
    )
    monkeypatch.setattr("evenhand.studies.prove._studies", lambda _: {"made": study})
    prove(only=None, out=tmp_path / "evidence.md", chicago=tmp_path / "none", parts=2)
    page = (tmp_path / "evidence.md").read_text()
    assert "A study of three seeds; only the first 2 of 3 seeds or parts." in page
    assert "Command: `evenhand prove --only made --parts 2`. Seeds or parts: 7 to 8." in page
    assert "[7, 8]" in page
    with pytest.raises(WrongUsage, match="at least one"):
        prove(only=None, out=tmp_path / "evidence.md", chicago=tmp_path / "none", parts=0)


def test_a_study_that_can_be_drawn_is_and_the_page_shows_the_picture_and_counts_what_holds(
    tmp_path, monkeypatch
):
    innocents = {kind: {"bearers": 90.0, "listed": 3.0, "expected": 2.0} for kind in KINDS}
    found = {
        method: {"misconduct": 5.0, "innocent": 5.0, "ours_innocent": 5.0}
        for method in ("lightgbm", "random")
    }
    part = {
        "yields": {str(share): found for share in CAPACITIES},
        "innocents": {str(share): innocents for share in BEARERS_AT},
    }
    study = Study(
        name="made",
        about="a study of two seeds",
        parts=[7, 8],
        run_part=lambda _: part,
        conclude=lambda _: [
            Finding(claim=claim, measured="1", holds=claim == "one") for claim in ("one", "other")
        ],
        draw=draw_planted,
    )
    monkeypatch.setattr("evenhand.studies.prove._studies", lambda _: {"made": study})
    prove(only=None, out=tmp_path / "evidence.md", chicago=tmp_path / "none")
    page = (tmp_path / "evidence.md").read_text()
    assert "| [made](#made) | 1 of 2 | 7 to 8 | this |" in page
    assert "![A study of two seeds.](evidence/made.svg)" in page
    drawn = (tmp_path / "evidence" / "made.svg").read_text()
    assert all(kind in drawn for kind in KINDS)


def test_a_study_run_again_leaves_the_others_on_the_page_and_tells_which_are_of_other_code(tmp_path):
    page = tmp_path / "evidence.md"
    for name, code in (("first", "abc"), ("second", "abc"), ("second", "def")):
        study = Study(name=name, about="one", parts=[1], run_part=lambda _: {}, conclude=lambda _: [])
        findings = [Finding(claim=f"{name} on {code}", measured="1", holds=True)]
        record(
            page, study, findings, command=f"evenhand prove --only {name}", commit=f"commit-{code}", code=code
        )
        write_page(page, code)
    first, second = page.read_text().split("## second")
    assert "Commit commit-abc, source abc; the source has changed since." in first
    assert "Commit commit-def, source def.\n" in second
    assert "second on abc" not in second
