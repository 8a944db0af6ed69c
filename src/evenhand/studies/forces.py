"""Forces made for the occasion, gone with their folder."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

from evenhand.config import load_config
from evenhand.force.simulate import simulate
from evenhand.provenance import SOURCE
from evenhand.workspace import Workspace
from models.splits import months_after

MONTHS = 60


@contextmanager
def simulated(seed: int, *, people: int, months: int, dense: bool = True, **how: Any) -> Iterator[Workspace]:
    """A workspace on a simulated force of its own; `how` is what else `evenhand.force.simulate.simulate` takes."""
    with _folder() as folder:
        data = simulate(folder / "data", officers=people, months=months, seed=seed, dense=dense, **how)
        yield _workspace(folder, force="simulated", data=data)


@contextmanager
def workspace_on(*, force: str, data: Path) -> Iterator[Workspace]:
    """A workspace on records that are there already; what it writes goes elsewhere."""
    with _folder() as folder:
        yield _workspace(folder, force=force, data=data)


def _workspace(folder: Path, *, force: str, data: Path) -> Workspace:
    return Workspace(
        load_config(
            None, out=folder / "out", runs=folder / "mlruns", register_url=f"sqlite:///{folder}/register.db",
            suites=SOURCE.parent / "expectations", force=force, data=str(data),
        )
    )  # fmt: skip


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="evenhand-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def half_years(workspace: Workspace) -> list[date]:
    """The last three half-years: what is planted is known at once, so no test has to wait for findings."""
    return [months_after(workspace.dates().end, -months) for months in (18, 12, 6)]
