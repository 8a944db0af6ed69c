"""Simulate a force and ingest it, so that what is measured afterwards pays for neither."""

from __future__ import annotations

import sys
from pathlib import Path

from evenhand.config import load_config
from evenhand.force.simulate import simulate
from evenhand.workspace import Workspace


def workspace_of(data: Path) -> Workspace:
    """The workspace beside some extracts."""
    return Workspace(load_config(None, data=str(data), out=data.parent / "out"))


def main(data: str, people: str, months: str, seed: str) -> None:
    simulate(Path(data), officers=int(people), months=int(months), seed=int(seed), dense=True)
    workspace_of(Path(data)).validate()


if __name__ == "__main__":
    main(*sys.argv[1:])
