"""What a feature descends from follows from its expressions, and marks travel with it."""

from __future__ import annotations

import polars as pl
import pytest

from features.catalogue import chicago, uk
from features.catalogue.uk import research as uk_research
from features.catalogue.uk.parts import SEARCHES
from features.errors import GateRefused
from features.lineage import check, columns_read, marks_of, marks_of_set, refuse_marked
from features.specs import Catalogue, Change, Events, Joined, Latest, Product, Term, count, mean, ratio, total
from features.tables import Mark
from features.tables.uk import SICKNESS_SPELL
from tests.features.small_force import (
    CLAIM,
    CLAIM_ON_TOUR,
    CLAIMS,
    COMPLAINT,
    COMPLAINTS,
    ENCLAVE,
    PLAN,
    POST,
    SPELL,
    SPELLS,
    TEAM,
    TEAM_OF_POST,
    TOUR,
    UPHELD,
    idea,
    small_force,
)

EXISTENCE = {"claim.person_key", "claim.occurred_at", "claim.known_at", "claim.claim", "claim.withdrawn"}
EXISTENCE_OF_TOUR = {"tour.person_key", "tour.occurred_at", "tour.known_at", "tour.tour", "tour.withdrawn"}


@pytest.mark.parametrize(
    ("term", "read"),
    [
        (count(CLAIM), EXISTENCE),
        (total(CLAIM, "minutes"), EXISTENCE | {"claim.minutes"}),
        (count(CLAIM, pl.col("tour").is_null() & (pl.col("minutes") > 3)), EXISTENCE | {"claim.tour", "claim.minutes"}),
        (total(CLAIM_ON_TOUR, "beyond"), EXISTENCE | EXISTENCE_OF_TOUR | {"claim.tour", "claim.minutes", "tour.over"}),
        (count(CLAIM_ON_TOUR), EXISTENCE | EXISTENCE_OF_TOUR | {"claim.tour"}),
        (count(UPHELD), {"complaint.person_key", "complaint.happened_on", "complaint.received_on", "complaint.closed_on", "complaint.upheld"}),
        (ratio(count(CLAIM), count(TOUR)), EXISTENCE | EXISTENCE_OF_TOUR),
        (Product(left=count(CLAIM), right=count(TOUR)), EXISTENCE | EXISTENCE_OF_TOUR),
        (Change(of=count(CLAIM), baseline_days=9), EXISTENCE),
        (
            Latest(events=TEAM, value=pl.col("posts"), key="team", via=TEAM_OF_POST),
            {"team.team", "team.posts", "team.occurred_at", "team.known_at"}
            | {f"post.{name}" for name in ("person_key", "occurred_at", "known_at", "withdrawn", "team")},
        ),
    ],
)  # fmt: skip
def test_a_term_reads_what_it_names_and_what_makes_its_rows_events(term: Term, read: set[str]):
    assert columns_read(term) == read
    assert columns_read(idea("x", term)) == read


def test_the_partners_conditions_count_too():
    long_tour = Events(name="tour", table=TOUR.table, says="a long tour", where=pl.col("over") > 60)
    pair = Events(name="pair", table=CLAIMS, says="a pair", joined=Joined(events=long_tour, on=("tour",)))
    assert "tour.over" in columns_read(count(pair))


def test_a_person_number_is_named_as_the_source_names_it():
    assert "system_access.user_no" in columns_read(SEARCHES)
    assert "system_access.person_key" not in columns_read(SEARCHES)


@pytest.mark.parametrize(
    "term",
    [
        count(CLAIM, pl.col("reason") == "SICK"),
        total(CLAIM, pl.when(pl.col("reason").is_null()).then("minutes").otherwise(0)),
        count(Events(name="e", table=CLAIMS, says="e", where=pl.col("reason") != "SICK")),
        count(
            Events(name="e", table=CLAIMS, says="e", derive={"ill": pl.col("reason") == "SICK"}),
            pl.col("ill"),
        ),
        ratio(count(CLAIM), count(CLAIM, pl.col("reason") == "SICK")),
        count(CLAIM_ON_TOUR, pl.col("reason").is_not_null()),
        Latest(events=CLAIM, value=pl.col("reason"), how="category"),
    ],
)
def test_a_mark_travels_through_every_expression(term: Term):
    assert marks_of(idea("x", term)) == {Mark.PROTECTED}


def test_a_screen_marks_nothing_but_the_table_it_stands_before_does():
    assert marks_of(idea("x", count(SPELL))) == {Mark.HEALTH}
    assert "spell.kind" not in columns_read(count(SPELL))
    unscreened = Events(name="s", table=SPELLS, says="s", where=pl.col("kind") == "OTHER")
    assert marks_of(idea("x", count(unscreened))) == {Mark.HEALTH, Mark.PROTECTED}


def test_two_harmless_features_that_reveal_absence_together_are_protected_together():
    force = small_force(idea("planned", count(PLAN), (30,)), idea("worked", count(TOUR), (30,)))
    assert marks_of_set(force, ["planned_30d"]) == {}
    assert marks_of_set(force, ["worked_30d"]) == {}
    reasons = marks_of_set(force, ["planned_30d", "worked_30d"])[Mark.PROTECTED]
    assert reasons == (
        "features read plan.person_key and tour.person_key, which together give away absence, marked protected",
    )
    with pytest.raises(GateRefused, match="together give away absence"):
        refuse_marked(force, ["planned_30d", "worked_30d"], health_permitted=True)


def test_the_gate_names_feature_column_and_mark_and_what_to_do():
    force = small_force(
        idea("ill", count(CLAIM, pl.col("reason") == "SICK"), (30,)), idea("claims", count(CLAIM), (30,))
    )
    refuse_marked(force, ["claims_30d"], health_permitted=False)
    with pytest.raises(GateRefused) as refused:
        refuse_marked(force, ["claims_30d", "ill_30d"], health_permitted=True)
    assert "feature ill_30d reads claim.reason (reason), marked protected" in str(refused.value)
    assert "Leave these features out" in str(refused.value)
    assert "claims_30d" not in str(refused.value)


def test_health_passes_only_where_its_basis_is_recorded():
    force = small_force(idea("spells", count(SPELL), (30,), research="sickness"))
    with pytest.raises(
        GateRefused, match=r"feature spells_30d reads spell\.occurred_at .*marked health"
    ) as refused:
        refuse_marked(force, ["spells_30d"], health_permitted=False)
    assert "governance.toml" in str(refused.value)
    refuse_marked(force, ["spells_30d"], health_permitted=True)


def test_a_feature_the_catalogue_does_not_know_may_not_enter():
    force = small_force(idea("claims", count(CLAIM), (30,)))
    with pytest.raises(GateRefused, match=r"found 'claims_31d'.*Did you mean 'claims_30d'"):
        refuse_marked(force, ["claims_31d"], health_permitted=True)


@pytest.mark.parametrize(
    "expression",
    [
        pl.col("minutes") - pl.col("minutes").mean(),
        pl.col("minutes").rank(),
        pl.col("minutes").sum().over("person_key"),
        pl.col("minutes").shift(-1),
        pl.sum_horizontal(pl.all()),
        pl.col("^min.*$"),
        pl.nth(3),
    ],
)
def test_an_expression_that_looks_beyond_its_row_or_names_no_columns_is_refused(expression: pl.Expr):
    with pytest.raises(ValueError, match="look at one row alone"):
        check(Catalogue((idea("x", total(CLAIM, expression), (30,)),)))
    with pytest.raises(ValueError, match="look at one row alone"):
        check(
            Catalogue(
                (idea("x", count(Events(name="e", table=CLAIMS, says="e", where=expression > 1)), (30,)),)
            )
        )


def test_a_value_that_became_known_after_its_row_is_refused_where_it_would_be_read_too_early():
    for early in (
        count(COMPLAINT, pl.col("upheld")),
        count(Events(name="e", table=COMPLAINTS, says="e", screen=pl.col("upheld"))),
        count(Events(name="e", table=COMPLAINTS, says="e", derive={"u": pl.col("upheld")}), pl.col("u")),
        count(Events(name="e", table=COMPLAINTS, says="e", occurred_at="closed_on")),
        Latest(events=COMPLAINT, value=pl.col("closed_on"), how="days_since"),
        count(Events(name="p", table=CLAIMS, says="p", joined=Joined(events=COMPLAINT, on=("person_key",))), pl.col("complaint.upheld")),
        count(Events(name="e", table=COMPLAINTS, says="e", known_at=pl.col("closed_on").dt.offset_by("-1y")), pl.col("upheld")),
    ):  # fmt: skip
        windows = () if isinstance(early, Latest) else (30,)
        with pytest.raises(ValueError, match="before it is known"):
            check(Catalogue((idea("x", early, windows),)))
    check(Catalogue((idea("x", count(UPHELD), (30,)),)))


@pytest.mark.parametrize(
    ("catalogued", "message"),
    [
        (idea("x", count(Events(name="e", table=ENCLAVE, says="e")), (30,)), "is an enclave"),
        (idea("x", total(CLAIM, "minuts"), (30,)), "'minuts'.*Did you mean 'minutes'"),
        (idea("x", count(CLAIM)), "needs `windows`"),
        (idea("x", Latest(events=POST, value=pl.col("rank")), (30,)), "nothing in it looks through one"),
        (idea("x", count(CLAIM), (0,)), "at least a day, not 0"),
        (idea("x", mean(Events(name="e", table=CLAIMS, says="e", joined=Joined(events=TOUR, on=("shift",))), "minutes"), (30,)), "'shift'"),
    ],
)  # fmt: skip
def test_a_declaration_that_cannot_be_is_refused_by_name(catalogued, message: str):
    with pytest.raises(ValueError, match=message):
        check(Catalogue((catalogued,)))


def test_a_table_without_times_needs_them_declared():
    timeless = Events(name="officer", table=chicago.OFFICERS, says="a profile")
    with pytest.raises(ValueError, match="has no occurred_at, so say how to read it"):
        check(Catalogue((idea("x", count(timeless), (30,)),)))


@pytest.mark.parametrize("force", [uk.FORCE, chicago.FORCE], ids=["simulated", "chicago"])
def test_the_ordinary_catalogues_that_ship_carry_no_mark(force):
    check(force.catalogue)
    refuse_marked(force, force.catalogue.ordinary().columns, health_permitted=False)


def test_research_over_sickness_is_health_and_nothing_protected_gets_past_its_screens():
    research = [one for one in uk.CATALOGUE.ideas if one.research == "sickness"]
    assert research
    assert {mark for one in research for mark in marks_of(one)} == {Mark.HEALTH}
    assert uk_research.SPELL.screen is not None
    screened = set(uk_research.SPELL.screen.meta.root_names())
    assert {SICKNESS_SPELL.by_name[name].mark for name in screened} == {Mark.PROTECTED}
