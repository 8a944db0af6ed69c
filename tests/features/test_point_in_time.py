"""Whatever is recorded later, lies outside a window or stands in another order: no feature moves.

Held over the whole catalogue, on random records that are late, corrected, withdrawn and often a microsecond
from an edge, and against plain loops over the rows.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from random import Random

import polars as pl
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from features.build import FeatureTable, build
from features.catalogue import uk
from features.definition import ForceDefinition
from features.specs import Catalogue, Latest
from features.tables import Table
from tests.features import small_force
from tests.features.brute_force import BruteForce
from tests.features.random_records import AS_OFS, AWKWARD, accepted, random_rows

SEEDS = st.integers(min_value=0, max_value=2**32 - 1)
CATALOGUE = uk.CATALOGUE.with_research("sickness")
TABLES = tuple(table for table in uk.FORCE.tables if not table.enclave)
SMALL_TABLES = tuple(table for table in small_force.TABLES if not table.enclave)
# A seed shrinks to nothing simpler.
few = settings(max_examples=5, derandomize=True, deadline=None, phases=[Phase.explicit, Phase.generate])


def uk_features(rows: dict[str, pl.DataFrame], *as_ofs) -> FeatureTable:
    return build(uk.FORCE, accepted(TABLES, rows), as_ofs or AS_OFS, catalogue=CATALOGUE)


def _known(table: Table) -> pl.Expr:
    assert table.known_at is not None
    return pl.col(table.known_at)


@few
@given(SEEDS, st.sampled_from(AS_OFS))
def test_nothing_recorded_at_or_after_as_of_changes_any_value(seed, as_of):
    then = datetime.combine(as_of, time())
    mine, other = random_rows(TABLES, seed), random_rows(TABLES, seed + 1)
    known = {table.name: mine[table.name].filter(_known(table) < then) for table in TABLES}
    later = {
        table.name: pl.concat([known[table.name], other[table.name].filter(_known(table) >= then)])
        for table in TABLES
    }
    expected = uk_features(known, as_of)
    assert len(expected.frame) > 0
    for rows in (mine, later):
        found = uk_features(rows, as_of)
        assert_frame_equal(found.frame, expected.frame, check_exact=True)
        assert_frame_equal(found.descriptors, expected.descriptors)


@few
@given(SEEDS, st.sampled_from(AS_OFS))
def test_nothing_outside_the_windows_changes_any_value(seed, as_of):
    midnight = datetime.combine(as_of, time())
    longest = max(days for idea in CATALOGUE.ideas for days in idea.windows)
    mine = random_rows(TABLES, seed)
    registers = {"establishment", "team_strength", "role_expectation", "identity_map"}
    rows = dict(mine)
    for table in TABLES:
        if table.name in registers:
            continue
        before = midnight - timedelta(days=longest, microseconds=1)
        outside = random_rows([table], seed + 1)[table.name].with_columns(
            pl.col(table.key[0]) + "-outside",
            # every time of the row, so that results and findings lie outside too
            (pl.col(pl.Datetime) - timedelta(days=1500)).clip(upper_bound=before),
        )
        ahead = outside.with_columns(pl.col(table.key[0]) + "-ahead", occurred_at=pl.lit(midnight))
        rows[table.name] = pl.concat([mine[table.name], outside, ahead], how="vertical_relaxed")
    assert_frame_equal(uk_features(rows, as_of).frame, uk_features(mine, as_of).frame, check_exact=True)


@few
@given(SEEDS)
def test_the_order_of_rows_changes_nothing(seed):
    rows = random_rows(TABLES, seed)
    shuffled = {name: frame.sample(fraction=1, shuffle=True, seed=seed) for name, frame in rows.items()}
    assert_frame_equal(uk_features(shuffled).frame, uk_features(rows).frame, check_exact=True)


def agrees(
    force: ForceDefinition,
    catalogue: Catalogue,
    tables: tuple[Table, ...],
    seed: int,
    as_ofs: tuple[date, ...] = AS_OFS,
) -> int:
    """Compare a built table with plain loops; how many values were neither zero nor nothing."""
    records = accepted(tables, random_rows(tables, seed, rows_a_table=150, edges=as_ofs))
    table = build(force, records, as_ofs, catalogue=catalogue)
    by_date = table.frame.group_by("as_of").agg("person_key").iter_rows()
    brute = BruteForce(records.frames, dict(by_date))
    telling = 0
    for row in table.frame.iter_rows(named=True):
        for column in table.schema.columns:
            idea = catalogue.idea_of(column.name)
            window = dict(zip(idea.columns, idea.windows, strict=False)).get(column.name, 0)
            expected = brute.value(idea.of, row["person_key"], row["as_of"], window)
            found = row[column.name]
            if column.categories is not None:
                found = column.categories[found] if found >= 0 else None
                assert found == expected, (column.name, row["person_key"], row["as_of"])
            elif expected is None or found is None:
                assert found is None, (column.name, row["person_key"], row["as_of"], found)
                assert expected is None, (column.name, row["person_key"], row["as_of"], expected)
            else:
                assert found == pytest.approx(expected, rel=1e-6, abs=1e-4), (
                    column.name,
                    row["person_key"],
                    row["as_of"],
                )
            telling += expected not in (None, 0)
    return telling


@few
@given(SEEDS)
def test_brute_force_agrees_over_the_whole_catalogue(seed):
    assert agrees(uk.FORCE, CATALOGUE, TABLES, seed) > 300


@few
@given(SEEDS)
def test_brute_force_agrees_on_every_way_to_aggregate(seed):
    assert agrees(small_force.FORCE, small_force.FORCE.catalogue, SMALL_TABLES, seed) > 60


@few
@given(SEEDS)
def test_brute_force_agrees_at_month_ends_leap_days_and_clock_changes(seed):
    assert agrees(small_force.FORCE, small_force.FORCE.catalogue, SMALL_TABLES, seed, AWKWARD) > 120


def test_every_kind_of_term_and_aggregate_is_among_those_compared():
    hows = {getattr(idea.of, "how", type(idea.of).__name__) for idea in small_force.IDEAS}
    assert hows >= {
        "count",
        "sum",
        "mean",
        "lean",
        "min",
        "max",
        "days_since_last",
        "Ratio",
        "Product",
        "Change",
        "category",
        "days_since",
        "distinct",
        "most_common",
        "Trend",
        "Colleagues",
        "robust_z",
        "share_higher",
    }
    assert any(isinstance(idea.of, Latest) and idea.of.via is not None for idea in small_force.IDEAS)


def test_random_records_are_late_corrected_withdrawn_and_on_edges():
    rows = random_rows(TABLES, Random(1).randrange(100), rows_a_table=200)["overtime_claim"]
    assert rows["withdrawn"].any()
    assert rows["claim_id"].is_duplicated().any()
    assert (rows["known_at"] - rows["occurred_at"] > timedelta(days=90)).any()
    assert rows["occurred_at"].is_in([datetime.combine(as_of, time()) for as_of in AS_OFS]).any()
