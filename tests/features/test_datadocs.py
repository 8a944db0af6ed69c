"""Data Docs open without a network, and show nothing of the enclave."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from features.datadocs import write_data_docs
from tests.features.conftest import GATE_FORCE, Frames, changed

LOADS = {
    ("script", "src"),
    ("link", "href"),
    ("img", "src"),
    ("iframe", "src"),
    ("source", "src"),
    ("object", "data"),
}


class _Loaded(HTMLParser):
    """What a browser would fetch to show the page, and where its links lead."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if (tag, name) in LOADS or name in ("srcset", "background"):
                self.loaded.append(f"{tag} {name}={value}")
            if tag == "a" and name == "href" and value:
                self.links.append(value)
        if tag == "script":
            self.loaded.append("script")


@pytest.fixture
def gate_docs(gate_ingest: Callable, gate_frames: Frames, tmp_path: Path) -> Path:
    gate_frames["duty_worked"] = changed(
        gate_frames["duty_worked"], 7, minutes_worked=-5, book_on_method="<script>alert(1)</script>"
    )
    gate_frames["protected_characteristics"] = changed(
        gate_frames["protected_characteristics"], 1, ethnicity="VALUE-NOBODY-MAY-SEE"
    )
    gate_ingest(gate_frames, docs=tmp_path / "docs")
    return tmp_path / "docs"


def test_there_is_a_page_a_table_and_an_index_that_leads_to_each(
    gate_docs: Path, gate_frames: Frames
) -> None:
    names = set(gate_frames)
    assert {path.stem for path in gate_docs.iterdir()} == names | {"index"}
    page = _Loaded()
    page.feed((gate_docs / "index.html").read_text("utf-8"))
    assert set(page.links) == {f"{name}.html" for name in names}


def test_no_page_loads_anything(gate_docs: Path) -> None:
    for path in gate_docs.iterdir():
        text = path.read_text("utf-8")
        page = _Loaded()
        page.feed(text)
        assert page.loaded == [], path.name
        assert "@import" not in text
        assert "url(" not in text
        assert "http:" not in text
        assert "https:" not in text
        assert "<script" not in text, "a value of the records is text, never markup"


def test_every_link_leads_somewhere(gate_docs: Path) -> None:
    for path in gate_docs.iterdir():
        page = _Loaded()
        page.feed(path.read_text("utf-8"))
        broken = [
            link for link in page.links if not link.startswith("#") and not (gate_docs / link).is_file()
        ]
        assert broken == [], path.name


def test_a_page_says_what_was_demanded_and_what_was_found(gate_docs: Path) -> None:
    page = (gate_docs / "duty_worked.html").read_text("utf-8")
    assert "200 rows read = 199 accepted + 1 quarantined" in page
    assert "minutes_worked_is_in_range: minutes_worked is from 0 to 1440." in page
    assert "-5" in page


def test_no_value_of_the_enclave_is_shown(gate_docs: Path) -> None:
    pages = "".join(path.read_text("utf-8") for path in gate_docs.iterdir())
    assert "ethnicity_is_in_list" in pages
    assert "VALUE-NOBODY-MAY-SEE" not in pages


def test_pages_that_tell_the_account_already_are_left_alone(
    gate_ingest: Callable, gate_frames: Frames, tmp_path: Path
) -> None:
    _, account = gate_ingest(gate_frames)
    index = write_data_docs(GATE_FORCE, account, tmp_path / "docs")
    written = {path: path.stat().st_mtime_ns for path in index.parent.iterdir()}
    write_data_docs(GATE_FORCE, account, tmp_path / "docs")
    assert {path: path.stat().st_mtime_ns for path in index.parent.iterdir()} == written
