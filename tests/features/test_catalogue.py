"""The UK catalogue as a document: complete, plain, fair, and without what must never be asked."""

from __future__ import annotations

import re

import pytest

from features.catalogue import uk
from features.definition import SHIPPED, load_force
from features.describe import describe, describe_term
from features.lineage import columns_read
from features.specs import Idea, count
from tests.features import small_force

ORDINARY = uk.CATALOGUE.ordinary().ideas
READ = {column for one in ORDINARY for column in columns_read(one)}
each_idea = pytest.mark.parametrize("one", uk.CATALOGUE.ideas, ids=lambda one: one.name)


def test_it_asks_at_least_thirty_four_different_questions():
    # Rates, shares, trends and other windows of a thing that is asked anyway are not questions of their own.
    again = re.compile(
        r"(_per_tour|_per_expected|_share|_trend)$|^(days_since|largest|mean|own_largest|beyond_worked)_"
    )
    assert len([one for one in ORDINARY if not again.search(one.name)]) >= 34


def test_every_table_that_should_speak_does():
    tables = {column.partition(".")[0] for column in READ}
    assert tables == {
        "duty_worked", "duty_amendment", "overtime_claim", "system_access", "complaint", "conduct_matter",
        "event_deployment", "team_strength", "role_expectation", "establishment",
    }  # fmt: skip


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
    assert 'col("field")) != ("CANCEL")' in describe_term(uk.CHANGES)
    assert 'col("source")) != ("TOOL_LEAD")' in describe_term(count(uk.MATTER))
    assert 'col("source")) != ("TOOL_LEAD")' in describe_term(count(uk.FINDING))


def test_baselines_are_raw_counts_of_the_catalogue():
    columns = uk.CATALOGUE.ordinary().columns
    baselines = uk.FORCE.baselines
    assert baselines.complaint_count in columns
    assert 4 <= len(baselines.threshold_rule) <= 5
    for condition in baselines.threshold_rule:
        assert condition.column in columns
        assert getattr(uk.CATALOGUE.idea_of(condition.column).of, "how", None) in ("count", "sum")


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


def test_the_catalogue_renders_as_tables_by_family_with_sources_and_marks():
    document = describe(uk.CATALOGUE)
    for one in uk.CATALOGUE.ideas:
        assert f"| `{one.name}` | {one.says}" in document
    assert "### Own roster changes" in document
    assert "`duty_amendment.amended_by_key`" in document
    assert "spells of sickness (marked health)" in document
    assert "marked" not in describe(uk.CATALOGUE.ordinary())
    cells = {line.count(" | ") for line in document.splitlines() if line.startswith("| `")}
    assert cells == {6}


def test_a_term_is_told_in_full_so_that_any_change_shows():
    told = [describe_term(one.of) for one in (*uk.CATALOGUE.ideas, *small_force.IDEAS)]
    assert len(set(told)) == len(told)
    assert "joined on person_key, duty_id with [tour in duty_worked" in describe_term(count(uk.CLAIM_ON_TOUR))
    assert "by team_code from (latest category" in describe_term(uk.CATALOGUE.idea_of("team_vacancy").of)
