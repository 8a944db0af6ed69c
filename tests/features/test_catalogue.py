"""The UK catalogue as a document: complete, plain, fair, and without what must never be asked."""

from __future__ import annotations

import re
from datetime import date, datetime
from pathlib import Path

import polars as pl
import pytest

from features.catalogue import uk
from features.catalogue.uk import events, parts
from features.definition import SHIPPED, load_force
from features.describe import SIDES, describe, describe_events, describe_term
from features.lineage import columns_read, marks_of
from features.specs import Catalogue, Colleagues, Idea, Peers, count
from tests.features import small_force

ORDINARY = uk.CATALOGUE.ordinary().ideas
READ = {column for one in ORDINARY for column in columns_read(one)}
each_idea = pytest.mark.parametrize("one", uk.CATALOGUE.ideas, ids=lambda one: one.name)


def test_it_asks_at_least_sixty_different_questions():
    # Another window, a rate, a share, a change or a comparison of a thing that is asked anyway is no question
    # of its own, and neither is a circumstance.
    questions = [one for one in ORDINARY if one.side in ("level", "timing", "concentration")]
    assert len({describe_term(one.of) for one in questions}) >= 60


def test_neither_an_idea_nor_a_column_is_named_twice():
    def idea(name: str, *windows: int) -> Idea:
        return Idea(name=name, says=name, unit="", family="", of=count(events.CLAIM), windows=windows)

    with pytest.raises(ValueError, match=r"names twice: claims$"):
        Catalogue((idea("claims", 90), idea("claims", 30)))
    with pytest.raises(ValueError, match=r"names twice: claims_90d$"):
        Catalogue((idea("claims", 90), idea("claims_90d")))


def test_every_kind_of_conduct_is_seen_from_several_sides():
    for code in ("T1", "T2", "T3", "T4", "T5", "T7", "T9"):
        sides = {one.side for one in ORDINARY if code in one.typologies}
        assert {"level", "share", "timing", "peers"} <= sides, code
    assert {one.side for one in ORDINARY} == set(SIDES)


def test_every_table_that_should_speak_does():
    tables = {column.partition(".")[0] for column in READ}
    assert tables == {
        "duty_worked", "duty_amendment", "overtime_claim", "system_access", "complaint", "conduct_matter",
        "event_deployment", "team_strength", "role_expectation", "establishment", "declaration", "register_match",
        "vetting", "expense_claim", "badge_event", "vpn_session", "attendance_return", "bwv_event", "hybrid_policy",
    }  # fmt: skip


def test_what_is_said_of_a_team_is_context_and_makes_no_lead_alone():
    of_teams = [one for one in ORDINARY if isinstance(one.of, Colleagues)]
    assert of_teams
    assert not [one.name for one in of_teams if one.typologies or one.more_is_concern]


def test_comparable_people_are_found_without_what_is_protected():
    for one in ORDINARY:
        if isinstance(one.of, Peers):
            assert not marks_of(one)
            assert one.of.among.at_least >= 20


@each_idea
def test_an_idea_says_what_it_is_in_plain_words(one: Idea):
    assert one.says[0].islower()
    assert not one.says.endswith(".")
    assert "_" not in one.says
    assert one.unit
    assert one.family
    assert set(one.typologies) <= uk.FORCE.typologies.keys()


@each_idea
def test_a_concern_comes_with_its_innocent_explanations_and_a_context_is_never_a_concern(one: Idea):
    if one.typologies and one.name != "days_since_conduct_matter":
        assert one.innocent
    if not one.typologies:
        assert one.more_is_concern is None


@each_idea
def test_what_a_pattern_that_may_not_be_read_or_a_wrong_clock_raises_is_not_told_apart(one: Idea):
    unread = {parts.PATTERN, parts.AGREED_PATTERN, parts.WRONG_CLOCK}
    assert not (one.typologies and one.tells_apart and unread & set(one.innocent))


@each_idea
def test_no_idea_judges(one: Idea):
    said = " ".join((one.says, one.family, *one.innocent)).lower()
    assert not re.search(r"suspect|guilt|offend|culprit|bad apple|risk score", said)


def test_nothing_protected_planned_or_contracted_is_read():
    assert not [
        column for column in READ if column.startswith(("duty_plan.", "sickness_spell.", "other_absence."))
    ]
    for never in (
        "duty_amendment.reason_code", "team_strength.available", "establishment.fte",
        "establishment.working_pattern", "establishment.leaver_reason",
    ):  # fmt: skip
        assert never not in READ


def test_cancelled_tours_and_matters_from_our_own_leads_are_left_out():
    assert 'col("field")) != ("CANCEL")' in describe_term(parts.CHANGES)
    assert 'col("source")) != ("TOOL_LEAD")' in describe_term(count(events.MATTER))
    assert 'col("source")) != ("TOOL_LEAD")' in describe_term(count(events.FINDING))


def test_baselines_are_raw_counts_of_the_catalogue():
    columns = uk.CATALOGUE.ordinary().columns
    baselines = uk.FORCE.baselines
    assert baselines.complaint_count in columns
    assert 4 <= len(baselines.threshold_rule) <= 5
    for condition in baselines.threshold_rule:
        assert condition.column in columns
        assert getattr(uk.CATALOGUE.idea_of(condition.column).of, "how", None) in ("count", "sum")


def test_every_kind_of_conduct_that_a_finding_may_be_about_has_a_rule_in_a_column_that_speaks_to_it():
    rules, alleged = uk.FORCE.baselines.rules, uk.FORCE.outcome.alleged
    assert alleged is not None
    assert set(rules) == set(alleged.allegations())
    ordinary = uk.CATALOGUE.ordinary()
    for kind, column in rules.items():
        assert kind in ordinary.idea_of(column).typologies


def test_complaints_against_whoever_reported_wrongdoing_count_only_if_the_public_made_them():
    complaints = pl.DataFrame(
        {
            "of": [
                "retaliation",
                "retaliation without a name",
                "a real complaint by the public",
                "a colleague's",
                "a colleague's, unmarked",
            ],
            "victimisation_risk": [True, True, True, False, None],
            "source": ["COLLEAGUE", "ANONYMOUS", "PUBLIC", "COLLEAGUE", "COLLEAGUE"],
        }
    )
    assert events.ALLEGATION.where is not None
    assert complaints.filter(events.ALLEGATION.where)["of"].to_list() == complaints["of"].to_list()[2:]
    every = describe_events(events.EVERY_ALLEGATION)
    assert not any(
        every in describe_term(idea.of) for idea in uk.CATALOGUE.ordinary().ideas if idea.typologies
    )


@pytest.mark.parametrize("name", SHIPPED)
def test_counts_and_exposure_of_the_baselines_are_ordinary_features(name: str):
    force = load_force(name)
    columns = force.catalogue.ordinary().columns
    assert {*force.baselines.counts, force.baselines.exposure} <= set(columns)


def test_what_a_study_is_ranked_by_belongs_to_the_study():
    for study, column in uk.FORCE.baselines.studies.items():
        assert uk.CATALOGUE.idea_of(column).research == study


def test_every_name_the_definition_gives_is_declared():
    for name in (*uk.FORCE.audit_attributes, uk.FORCE.people):
        table, column = name.split(".")
        assert column in uk.FORCE.tables_by_name[table].by_name
    assert uk.FORCE.identity_map in uk.FORCE.tables_by_name
    for reveal in uk.FORCE.reveals:
        for name in reveal.columns:
            table, column = name.split(".")
            assert column in uk.FORCE.tables_by_name[table].by_name


@pytest.mark.parametrize("name", SHIPPED)
def test_a_force_that_ships_loads_by_its_name(name: str):
    assert load_force(name).name == name


def test_names_are_unique_and_no_column_is_another_ideas():
    columns = uk.CATALOGUE.columns
    assert len(set(columns)) == len(columns)


def test_the_catalogue_renders_by_kind_of_conduct_with_sides_bases_sources_and_marks():
    document = describe(uk.FORCE)
    for one in uk.CATALOGUE.ideas:
        assert f"| `{one.name}` | {SIDES[one.side]} | {one.says}" in document
    for code, name in uk.FORCE.typologies.items():
        assert f"## {code}: {name}" in document or code == "T8"
    assert "`duty_amendment.amended_by_key`" in document
    assert "spells of sickness (marked health)" in document
    ordinary, _, study = document.partition("## Study of sickness")
    assert "marked" not in ordinary
    assert "| P, C |" in ordinary
    assert "| P, S |" in study
    cells = {line.count(" | ") for line in document.splitlines() if line.startswith("| `")}
    assert cells == {8}


def test_the_page_of_the_catalogue_is_the_catalogue_as_it_is():
    page = Path(__file__).parents[2] / "docs" / "catalogue.md"
    assert page.read_text("utf-8") == describe(uk.FORCE), (
        "write it anew: evenhand features --describe > docs/catalogue.md"
    )


def test_a_term_is_told_in_full_so_that_any_change_shows():
    told = [describe_term(one.of) for one in (*uk.CATALOGUE.ideas, *small_force.IDEAS)]
    assert len(set(told)) == len(told)
    letters = [pl.col("category").is_in(list(f"ABC{middle}EFG")) for middle in "DX"]
    assert len({describe_term(count(events.ALLEGATION, where)) for where in letters}) == 2
    assert "joined on person_key, duty_id with [tour in duty_worked" in describe_term(
        count(events.CLAIM_ON_TOUR)
    )
    assert "by team_code from (latest category" in describe_term(uk.CATALOGUE.idea_of("team_vacancy").of)


def test_whoever_came_to_a_post_from_another_is_told_from_the_new_and_from_those_whose_supervisor_changed():
    post = events.POST
    rows = pl.DataFrame(
        {
            "who": ["new in service", "moved", "moved, told late", "another supervisor"],
            "service_start": [date(2023, 3, 1), date(2015, 1, 1), date(2015, 1, 1), date(2015, 1, 1)],
            "role_start": [date(2023, 3, 1), date(2023, 3, 1), date(2023, 3, 1), date(2019, 6, 1)],
            "occurred_at": [
                datetime(2023, 3, 1),
                datetime(2023, 3, 1),
                datetime(2023, 3, 20),
                datetime(2023, 3, 1),
            ],
        }
    )
    moved = rows.filter(post.derive["moved_to"].is_not_null())["who"].to_list()
    assert moved == ["moved", "moved, told late"]
