"""Which versions may open leads about whom."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from evenhand.config import load_config
from evenhand.workspace import PUBLIC_RECORDS, Workspace


def workspace(folder: Path, *, use: Any) -> Workspace:
    opened = Workspace(load_config(None, force="simulated", data=str(folder), out=folder))
    opened.force = replace(opened.force, use=use)
    return opened


def version(*aliases: str) -> Any:
    """As much of a registered version as is asked."""
    return SimpleNamespace(title="force v2", version=2, aliases=aliases)


@pytest.mark.parametrize(
    ("use", "aliases", "says"),
    [
        ("live", ("champion",), None),
        ("live", ("candidate",), "not the champion"),
        ("live", (), "evenhand promote 2"),
        ("simulated", ("candidate",), None),
        ("validation", ("champion",), PUBLIC_RECORDS),
    ],
)
def test_about_people_who_can_be_affected_only_the_champion_opens_leads(
    tmp_path: Path, use: str, aliases: tuple[str, ...], says: str | None
):
    why_not = workspace(tmp_path, use=use).no_leads_because(version(*aliases))
    assert why_not is None if says is None else says in (why_not or "")
