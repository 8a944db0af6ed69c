from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from features.build import FeatureColumn, FeatureSchema
from features.catalogue import uk
from features.definition import Precedents
from features.errors import DataRefused
from models.booster import matrix, probability, raw_scores, read_booster
from models.experiment import Study
from models.experiment import lesson as learn
from models.ranker import WORK_ROUNDS, Params, askable, concerns, directions, train, usual_params
from models.teacher import opinion
from tests.models.conftest import QUICK
from tests.models.small_force import CANDIDATES, CATALOGUE, FORCE, TESTS


@pytest.fixture(scope="module")
def lesson(study: Study) -> tuple[np.ndarray, np.ndarray]:
    learnt = learn(study, CANDIDATES, seen_by=TESTS[0], labels="settled")
    return matrix(learnt.rows, study.table.schema), learnt.targets


def hash_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_the_same_seed_gives_the_same_text_and_another_seed_another(
    study: Study, lesson: tuple[np.ndarray, np.ndarray]
):
    texts = [train(*lesson, study.table.schema, params) for params in (QUICK, QUICK, replace(QUICK, seed=2))]
    assert hash_of(texts[0]) == hash_of(texts[1])
    assert hash_of(texts[0]) != hash_of(texts[2])


def test_what_speaks_to_conduct_counts_one_way_and_context_either_way():
    ways = directions(CATALOGUE.ordinary())
    assert ways == {
        "claims_90d": 1, "claims_365d": 1, "minutes_365d": 1, "minutes_a_claim_365d": 1, "complaints_365d": 1,
        "days_since_complaint_365d": -1,
    }  # fmt: skip


@pytest.mark.parametrize(("column", "change"), [("claims_90d", 3), ("days_since_complaint_365d", -30)])
def test_more_of_what_speaks_to_conduct_never_lowers_the_score(
    study: Study, lesson: tuple[np.ndarray, np.ndarray], column: str, change: float
):
    schema = study.table.schema
    booster = read_booster(train(*lesson, schema, QUICK, ways=directions(CATALOGUE)), schema)
    features = lesson[0].copy()
    raised = features.copy()
    raised[:, schema.names.index(column)] += change
    assert (raw_scores(booster, raised) >= raw_scores(booster, features)).all()


def test_the_teacher_counts_nothing_that_speaks_to_conduct_in_a_persons_favour(study: Study):
    """Whoever claims most is confirmed least, and still more claims do not lower the opinion."""
    schema = study.table.schema
    rng = np.random.default_rng(0)
    features = np.full((400, len(schema.names)), 1.0)
    claims = rng.poisson(5, 400).astype(float)
    features[:, schema.names.index("claims_90d")] = claims
    confirmed = (rng.random(400) < np.where(claims < 5, 0.4, 0.1)).astype(int)
    free, held = (opinion(features, confirmed, schema, ways) for ways in ({}, {"claims_90d": 1}))
    assert np.corrcoef(claims, free)[0, 1] < -0.9
    assert np.ptp(held) < 1e-3
    assert held.mean() == pytest.approx(confirmed.mean(), abs=1e-3)


@pytest.mark.parametrize("share", [0, 1])
def test_a_lesson_in_which_nobody_or_everybody_is_confirmed_is_refused(
    study: Study, lesson: tuple[np.ndarray, np.ndarray], share: int
):
    with pytest.raises(DataRefused, match="confirmed and unconfirmed"):
        train(lesson[0], np.full(len(lesson[0]), share), study.table.schema, QUICK)


def test_probabilities_are_learnt_from_as_well_as_findings(
    study: Study, lesson: tuple[np.ndarray, np.ndarray]
):
    features, confirmed = lesson
    schema = study.table.schema
    certain = raw_scores(read_booster(train(features, confirmed, schema, QUICK), schema), features)
    hoped_for = 0.1 + 0.5 * confirmed
    likely = raw_scores(read_booster(train(features, hoped_for, schema, QUICK), schema), features)
    assert probability(likely).mean() == pytest.approx(hoped_for.mean(), abs=0.01)
    assert np.corrcoef(certain, likely)[0, 1] > 0.9


def test_a_force_that_tells_what_cases_are_about_learns_what_is_expected_and_another_what_is_settled():
    assert FORCE.outcome.precedents.kinds == ()
    assert usual_params(FORCE).labels == "settled"
    told = replace(FORCE.outcome, precedents=Precedents(kinds=("case_id",)))
    assert usual_params(replace(FORCE, outcome=told), threads=1).labels == "expected"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"rounds": 0}, "rounds must be at least 1, not 0"),
        ({"leaves": 1}, "a tree needs at least 2 leaves, not 1"),
        ({"feature_share": 1.5}, r"feature_share must lie in \(0, 1\], not 1.5"),
        ({"teacher_share": 1.5}, r"teacher_share must lie in \[0, 1\], not 1.5"),
        ({"l2_share": -1.0}, "must not be negative"),
        ({"labels": "hoped for"}, "labels must be one of settled, expected"),
    ],
)
def test_parameters_cannot_be_built_wrong(wrong: dict[str, float], says: str):
    with pytest.raises(ValueError, match=says):
        Params(**wrong)  # type: ignore[arg-type]  # what the test is about


UK = uk.FORCE.catalogue.ordinary()
UK_SCHEMA = FeatureSchema(
    tuple(FeatureColumn(c, "number", None, c) for idea in UK.ideas for c in idea.columns)
)


def columns_heard(*, even_handed: bool) -> dict[str, set[str]]:
    """By kind of conduct, the columns that its head is given."""
    kinds = {kind: np.zeros(1) for kind in uk.FORCE.typologies}
    found = concerns(UK, UK_SCHEMA, kinds, even_handed=even_handed)
    return {
        kind: {UK_SCHEMA.names[place] for columns in concern.ideas for place in columns}
        for kind, concern in zip(kinds, found, strict=True)
    }


def test_each_planted_kind_of_conduct_has_something_at_its_heart():
    kinds = {kind: np.zeros(1) for kind in uk.FORCE.typologies if kind.startswith("T")}
    assert all(concern.at_heart for concern in concerns(UK, UK_SCHEMA, kinds))


def test_what_only_goes_with_conduct_begins_with_nothing_and_counts_findings_by_its_share():
    """Three findings: of M alone, of T1 or M, and, as likely as not, of T1, T2 or M."""
    kinds = {"T1": np.array([0, 1, 0.5]), "T2": np.array([0, 0, 0.5]), "M": np.array([1, 1, 0.5])}
    found = concerns(UK, UK_SCHEMA, kinds)
    assert [concern.counting for concern in found] == [None, None, pytest.approx(1 + 1 / 2 + 0.5 / 3)]
    assert [concern.shown for concern in found] == [True, True, False]
    assert not found[-1].beginning().any()


def test_where_no_kind_has_a_heart_all_are_heard_from_the_beginning():
    kinds = {"C": np.array([0.0, 1.0]), "M": np.array([1.0, 1.0])}
    for concern in concerns(UK, UK_SCHEMA, kinds):
        assert concern.counting is None
        assert concern.beginning() == pytest.approx(1 / len(concern.ideas))


def test_an_even_handed_head_hears_no_column_in_which_an_ordinary_explanation_looks_the_same():
    unclear = {column for idea in UK.ideas if not idea.tells_apart for column in idea.columns}
    assert unclear
    assert not any(columns & unclear for columns in columns_heard(even_handed=True).values())
    assert unclear <= set.union(*columns_heard(even_handed=False).values())


def test_trees_ask_for_nothing_else_than_they_may(study: Study, lesson: tuple[np.ndarray, np.ndarray]):
    schema = study.table.schema
    assert asked_for(train(*lesson, schema, QUICK), schema) > {"claims_90d", "claims_365d"}
    held = train(*lesson, schema, QUICK, asking={"claims_90d", "complaints_365d"})
    assert asked_for(held, schema) == {"claims_90d", "complaints_365d"}


def test_last_trees_ask_for_the_work_alone_and_list_a_busy_role_as_often_as_was_taught():
    """Of each role the same share was taught to stand out; trees that do not see the role list the busy one instead."""
    import lightgbm

    schema = FeatureSchema(
        (
            FeatureColumn("searches", "number", None, "searches"),
            FeatureColumn("role", "category", ("STREET", "DESK"), "role"),
        )
    )
    rng = np.random.default_rng(5)
    desk = np.arange(4000) % 10 == 0
    usual = np.where(desk, 40, 10)
    searches = rng.poisson(usual).astype(float)
    taught = probability(2 * ((searches - usual) / np.sqrt(usual) - 2))
    features = np.column_stack([searches, desk.astype(float)])
    params = replace(QUICK, teacher_share=1.0)
    plain, evened = (
        train(
            features,
            taught,
            schema,
            params,
            ways={"searches": 1},
            taught=taught,
            asking={"searches"},
            work=work,
        )
        for work in ((), ("role",))
    )
    first, last = (
        lightgbm.Booster(model_str=evened).feature_importance("split", iteration=rounds)
        for rounds in (params.rounds, params.rounds + WORK_ROUNDS)
    )
    assert first[schema.names.index("role")] == 0 < last[schema.names.index("role")]
    assert first[schema.names.index("searches")] == last[schema.names.index("searches")]
    listed = {
        text: raw_scores(read_booster(text, schema), features).argsort()[-200:] for text in (plain, evened)
    }
    assert desk[listed[plain]].mean() > 0.5
    assert desk[listed[evened]].mean() < 0.25


def asked_for(text: str, schema: FeatureSchema) -> set[str]:
    import lightgbm

    splits = lightgbm.Booster(model_str=text).feature_importance("split")
    return {name for name, n_splits in zip(schema.names, splits, strict=True) if n_splits}


def test_trees_taught_by_heads_may_ask_for_what_these_hear_and_who_does_the_same_work():
    alleged = uk.FORCE.outcome.alleged
    assert alleged is not None
    found = {kind: np.array([0.0, kind == "T1"]) for kind in alleged.allegations()}
    kinds = concerns(UK, UK_SCHEMA, found)
    may = askable(UK, UK_SCHEMA, kinds, alleged.beside)
    assert may >= {
        "role",
        "rank",
        "moved_post_365d",
        "moved_to_major_inquiry_365d",
        "own_book_offs_lean_365d",
        "team_overtime_365d",
    }
    not_heard = {
        "own_late_changes_365d": "an ordinary explanation looks the same",
        "matters_not_proven_730d": "the person was cleared",
        "complaints_after_reporting_730d": "they spoke up",
        "tours_365d": "how much somebody works is no conduct",
        "short_visits_365d": "of such conduct nothing was found",
    }
    assert set(not_heard) <= set(UK_SCHEMA.names)
    assert not may & set(not_heard)
