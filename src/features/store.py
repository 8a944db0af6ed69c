"""Values of as-of dates that were computed before, kept for as long as they would come out the same.

A value at a date rests on the rows known before it and on how the catalogue computes it. So a date is kept
with a note of both; new rows known at or after it leave it alone, and anything else that changes is named
when the date is computed again. A date is written as a whole or not at all, so a run that was killed goes on
with the dates that it had finished.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from features.describe import describe_term
from features.specs import Catalogue

if TYPE_CHECKING:
    from features.accepted import Accepted

NOTE = "evenhand.rests_on"


@dataclass(frozen=True, eq=False)
class FeatureStore:
    """A directory of one Parquet file a date and catalogue, over the rows of one workspace."""

    directory: Path
    accepted: Accepted

    def why_not(self, catalogue: Catalogue, as_of: date) -> str | None:
        """Why the values of a date are to be computed; None where those kept still stand."""
        path = self._path(catalogue, as_of)
        if not path.is_file():
            return "not computed before"
        then = json.loads(pl.read_parquet_metadata(path)[NOTE])
        changed = changes(then, rests_on(catalogue, self.accepted, as_of))
        return f"computed again, because {'; '.join(changed)}" if changed else None

    def get(self, catalogue: Catalogue, as_of: date) -> pl.DataFrame:
        """The values kept of a date."""
        return pl.read_parquet(self._path(catalogue, as_of))

    def put(self, catalogue: Catalogue, as_of: date, values: pl.DataFrame) -> None:
        """Keep the values of a date in place of older ones."""
        path = self._path(catalogue, as_of)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".unfinished")
        note = json.dumps(rests_on(catalogue, self.accepted, as_of), sort_keys=True)
        values.write_parquet(unfinished, compression="lz4", metadata={NOTE: note})
        unfinished.replace(path)

    def checkpoints(self) -> Checkpoints:
        """Where a run over these rows leaves what it has scanned, until its dates are kept."""
        return Checkpoints(
            self.directory / "unfinished", json.dumps(self.accepted.fingerprints, sort_keys=True)
        )

    def _path(self, catalogue: Catalogue, as_of: date) -> Path:
        # A study's catalogue lies beside the ordinary one instead of taking its place.
        names = hashlib.sha256("\n".join(catalogue.columns).encode()).hexdigest()[:12]
        return self.directory / names / f"{as_of.isoformat()}.parquet"


@dataclass(frozen=True, eq=False)
class Checkpoints:
    """What an unfinished run has scanned: each kind of events once, so that the next run need not."""

    directory: Path
    sources: str

    def arrays(self, asked: str, make: Callable[[], Mapping[str, np.ndarray]]) -> Mapping[str, np.ndarray]:
        """The arrays that `make` gives, from the unfinished run where it left them.

        Args:
            asked: everything the arrays follow from but the sources.
        """
        path = self.directory / f"{hashlib.sha256(f'{self.sources} {asked}'.encode()).hexdigest()}.npz"
        if path.is_file():
            with np.load(path) as stored:
                return dict(stored)
        made = make()
        self.directory.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".unfinished")
        with unfinished.open("wb") as file:
            np.savez(file, allow_pickle=False, **made)
        unfinished.replace(path)
        return made

    def clear(self) -> None:
        """Forget what was scanned: the dates it was for are kept."""
        shutil.rmtree(self.directory, ignore_errors=True)


def rests_on(catalogue: Catalogue, accepted: Accepted, as_of: date | None) -> dict[str, Any]:
    """What values follow from: how each idea is computed, and the parts with rows known before a date.

    Args:
        as_of: the date of the values; None for all rows, however late they were known.
    """
    midnight = datetime.max if as_of is None else datetime.combine(as_of, time())
    return {
        "ideas": {
            idea.name: hashlib.sha256(f"{describe_term(idea.of)} through {idea.windows}".encode()).hexdigest()
            for idea in catalogue.ideas
        },
        "parts": {
            table: {
                part.name: part.fingerprint
                for part in parts
                if part.first_known is None or part.first_known < midnight
            }
            for table, parts in sorted(accepted.parts.items())
            if not accepted.force.tables_by_name[table].enclave
        },
    }


def changes(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between two answers of `rests_on`, in words; a part with no row known before the date and none now is no difference."""
    changed = [f"the idea {name} is computed otherwise" for name in _differing(then["ideas"], now["ideas"])]
    for table in sorted(then["parts"].keys() | now["parts"].keys()):
        before, after = then["parts"].get(table, {}), now["parts"].get(table, {})
        for part in _differing(before, after):
            what = "is new" if part not in before else "is gone" if part not in after else "has changed"
            changed.append(f"{table}: part {part} {what}")
    return changed


def _differing(then: Mapping[str, str], now: Mapping[str, str]) -> Sequence[str]:
    return [name for name in sorted(then.keys() | now.keys()) if then.get(name) != now.get(name)]
