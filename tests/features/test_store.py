"""What was computed is kept exactly for as long as it would come out the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from polars.testing import assert_frame_equal

from features import engine
from features.accepted import Part
from features.build import build
from features.specs import Catalogue, count
from features.store import FeatureStore
from tests.features.random_records import accepted as in_memory
from tests.features.random_records import random_rows
from tests.features.small_force import CLAIM, FORCE, TABLES, InMemory, idea

JANUARY, FEBRUARY, MARCH = date(2024, 1, 1), date(2024, 2, 1), date(2024, 3, 1)


class InParts(InMemory):
    """Rows in frames that say which parts they stand in, as accepted rows on disk do."""

    force = FORCE

    def __init__(self, frames, **known_from: datetime) -> None:  # type: ignore[no-untyped-def]  # as InMemory
        super().__init__(frames)
        self.parts = {
            name: (Part(name, self.fingerprints[name], len(frame), len(frame), known_from.get(name), None),)
            for name, frame in self.frames.items()
        }


@pytest.fixture
def rows() -> InParts:
    open_tables = tuple(table for table in TABLES if not table.enclave)
    return InParts(in_memory(open_tables, random_rows(open_tables, seed=3, rows_a_table=150)).frames)


def built(rows: InParts, folder: Path, dates: Sequence[date], told: list[str], catalogue=None):  # type: ignore[no-untyped-def]  # as build
    store = FeatureStore(folder, rows)  # type: ignore[arg-type]  # the part of Accepted that a store reads
    return build(FORCE, rows, dates, store=store, progress=told.append, catalogue=catalogue)


def test_a_date_more_reads_nothing_of_the_others_and_the_table_is_as_if_built_at_once(rows, tmp_path):
    told: list[str] = []
    built(rows, tmp_path, [JANUARY, FEBRUARY], told)
    told.clear()
    found = built(rows, tmp_path, [JANUARY, FEBRUARY, MARCH], told)
    assert [line for line in told if "computed" in line] == ["2024-03-01: not computed before"]
    expected = build(FORCE, rows, [JANUARY, FEBRUARY, MARCH])
    assert_frame_equal(found.frame, expected.frame, check_exact=True)
    assert_frame_equal(found.descriptors, expected.descriptors)
    assert found.schema == expected.schema
    assert found.fingerprint == expected.fingerprint


def test_the_same_dates_again_read_nothing_at_all(rows, tmp_path):
    built(rows, tmp_path, [JANUARY, FEBRUARY], [])
    told: list[str] = []
    built(rows, tmp_path, [FEBRUARY, JANUARY], told)
    assert told == []


def test_a_changed_source_computes_the_date_again_and_says_why(rows, tmp_path):
    built(rows, tmp_path, [JANUARY], [])
    claims = rows.frames["claim"]
    changed = InParts({**rows.frames, "claim": claims.head(len(claims) // 2)})
    told: list[str] = []
    found = built(changed, tmp_path, [JANUARY], told)
    assert told[0] == "2024-01-01: computed again, because claim: part claim has changed"
    assert_frame_equal(found.frame, build(FORCE, changed, [JANUARY]).frame, check_exact=True)


def test_a_part_known_only_later_leaves_a_date_alone(rows, tmp_path):
    built(rows, tmp_path, [JANUARY], [])
    after = datetime(2024, 1, 1)
    newer = Part("2024-01", "another", 1, 1, after, after)
    rows.parts["claim"] = (*rows.parts["claim"], newer)
    told: list[str] = []
    built(rows, tmp_path, [JANUARY], told)
    assert told == []
    rows.parts["claim"] = (
        *rows.parts["claim"][:1],
        replace(newer, first_known=after - timedelta(microseconds=1)),
    )
    built(rows, tmp_path, [JANUARY], told)
    assert told[0] == "2024-01-01: computed again, because claim: part 2024-01 is new"


def test_an_idea_computed_otherwise_is_computed_again(rows, tmp_path):
    ideas = {one.name: one for one in FORCE.catalogue.ordinary().ideas}
    built(rows, tmp_path, [JANUARY], [], Catalogue(tuple(ideas.values())))
    ideas["claims"] = idea("claims", count(CLAIM), (30, 60))
    told: list[str] = []
    built(rows, tmp_path, [JANUARY], told, Catalogue(tuple(ideas.values())))
    assert told == []  # written anew, and the same
    ideas["claims"] = idea("claims", ideas["long_claims"].of, (30, 60))
    built(rows, tmp_path, [JANUARY], told, Catalogue(tuple(ideas.values())))
    assert told[0] == "2024-01-01: computed again, because the idea claims is computed otherwise"


class Killed(BaseException):
    """As a process ends: nothing catches it."""


def test_a_killed_run_goes_on_after_the_last_kind_of_events_it_had_read(rows, tmp_path, monkeypatch):
    read: list[str] = []
    collect = engine.collect

    def counting(*args, **kwargs):  # type: ignore[no-untyped-def]  # as collect
        read.append("scan")
        return collect(*args, **kwargs)

    monkeypatch.setattr(engine, "collect", counting)
    lines: list[str] = []

    def kill(line: str) -> None:
        lines.append(line)
        if len([one for one in lines if one.startswith("reading")]) == 4:
            raise Killed

    store = FeatureStore(tmp_path, rows)  # type: ignore[arg-type]  # as above
    with pytest.raises(Killed):
        build(FORCE, rows, [JANUARY], store=store, progress=kill)
    before, read[:] = len(read), []
    assert before >= 2
    found = build(FORCE, rows, [JANUARY], store=store)
    whole = len(read) + before
    read.clear()
    expected = build(FORCE, rows, [JANUARY])
    assert len(read) == whole
    assert_frame_equal(found.frame, expected.frame, check_exact=True)
    assert not list(tmp_path.rglob("*.npz"))
    assert not list(tmp_path.rglob("*.unfinished"))
