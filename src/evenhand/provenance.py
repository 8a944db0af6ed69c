"""What a run followed from and what it made, so that it can be done again and held to the same.

A recipe is what was asked. With it go the parts of the sources and the ideas that were read, the code and the
libraries; and hashes of the model and of the scores that came out.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from features.errors import DataRefused
from features.specs import Catalogue
from features.store import changes, rests_on

if TYPE_CHECKING:
    from features.accepted import Accepted
    from models.experiment import Experiment

PROVENANCE = "provenance.json"
SOURCE = Path(__file__).parents[1]
# What the numbers of a run come from.
LIBRARIES = ("lightgbm", "polars", "numpy", "numba", "scikit-learn", "scipy")
# Studies measure the code and are no part of it.
STUDIES = SOURCE / "evenhand" / "studies"


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What was asked of a run; see `models.experiment.run_experiment`.

    Attributes:
        with_health: whether sickness and absence levels were let in.
        tuned: run id of the tuning that chose the parameters, if one did.
    """

    test_as_ofs: tuple[date, ...]
    train_candidates: tuple[date, ...]
    until: date
    judged_by: date | None
    with_health: bool
    seed: int
    capacity: int
    min_lift: float
    draws: int
    params: Mapping[str, Any]
    tuned: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {field.name: _told(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Recipe:
        days = {
            name: tuple(map(date.fromisoformat, stored[name])) for name in ("test_as_ofs", "train_candidates")
        }
        judged_by = stored["judged_by"]
        return cls(
            **{
                **stored,
                **days,
                "until": date.fromisoformat(stored["until"]),
                "judged_by": None if judged_by is None else date.fromisoformat(judged_by),
            }
        )


def _told(value: object) -> object:
    match value:
        case date():
            return value.isoformat()
        case tuple():
            return [_told(one) for one in value]
        case Mapping():
            return dict(value)
        case _:
            return value


def provenance(
    recipe: Recipe, catalogue: Catalogue, accepted: Accepted, experiment: Experiment
) -> dict[str, Any]:
    """All of it, ready for JSON."""
    return {
        "recipe": recipe.to_dict(),
        "rests_on": rests_on(catalogue, accepted, None),
        "code": code_fingerprint(),
        "versions": versions(),
        "processor": processor(),
        "made": made(experiment),
    }


def made(experiment: Experiment) -> dict[str, str]:
    """Hashes of what came out: the model's text, every method's scores on the test dates, and the chances read off them."""
    backtest, calibration = experiment.backtest, experiment.model.calibration
    dates = list(backtest.test_as_ofs)
    scores = (
        backtest.scores.filter(backtest.scores["as_of"].is_in(dates))
        .select("person_key", "as_of", *backtest.methods)
        .sort("as_of", "person_key")
    )
    return {
        "model": experiment.model.fingerprint,
        # As text a number has all its digits, and is the same whatever wrote it.
        "scores": hashlib.sha256(scores.write_csv().encode()).hexdigest(),
        "chances": hashlib.sha256(json.dumps(calibration and calibration.to_dict()).encode()).hexdigest(),
    }


def refuse_changed(run: str, stored: Mapping[str, Any], catalogue: Catalogue, accepted: Accepted) -> None:
    """Hold the rows and ideas of today to those of a run.

    Raises:
        DataRefused: with what has changed, expired or gone.
    """
    changed = changes(stored["rests_on"], rests_on(catalogue, accepted, None))
    if changed:
        listed = "\n".join(f"- {line}" for line in changed)
        raise DataRefused(
            f"run {run} cannot be repeated, for what it was made from is not what is here:\n{listed}\n"
            "Restore the extracts (and the catalogue) of then, or train anew. Rows that their retention period "
            "has ended for are gone for good; the run's figures stand, and nobody can make them again."
        )


def other_tools(stored: Mapping[str, Any]) -> list[str]:
    """What else differs from then and may or may not matter: the code, the processor, Python, libraries."""
    lines = [] if stored["code"] == code_fingerprint() else ["the code of Evenhand is other than it was"]
    then_on = stored.get("processor", "not noted")
    if then_on != processor():
        lines.append(f"the processor is {processor()}, it was {then_on}; sums are taken in another order")
    then, now = stored["versions"], versions()
    return lines + [
        f"{name} {now[name]} is installed, it was {then.get(name, 'none')}"
        for name in now
        if now[name] != then.get(name)
    ]


def versions() -> dict[str, str]:
    """Of Python and of the libraries that a run's numbers come from."""
    return {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}}


def processor() -> str:
    """The kind of processor and the instructions that NumPy chooses its loops by.

    Sums end in other digits where they are taken over more or fewer numbers at a time.
    """
    found = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])  # type: ignore[index]  # a dict in this mode
    return f"{platform.machine()} with {' '.join(found) or 'its baseline'}"


@functools.cache
def code_fingerprint() -> str:
    """A hash of the code that figures are made by: all but the studies, without comments and docstrings."""
    digest = hashlib.sha256()
    for path in sorted(set(SOURCE.rglob("*.py")) - set(STUDIES.rglob("*.py"))):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
                and ast.get_docstring(node) is not None
            ):
                node.body = node.body[1:] or [ast.Pass()]
        digest.update(f"{path.relative_to(SOURCE).as_posix()}\n{outline(tree)}\n".encode())
    return digest.hexdigest()[:12]


def outline(node: object) -> str:
    """A syntax tree as text, the same under every Python we support.

    `ast.dump` is not: each Python has further fields, which stay empty where code does not use what is new in it.

    >>> outline(ast.parse("def f(): return 1"))
    "Module(body=[FunctionDef(name='f',args=arguments(),body=[Return(value=Constant(value=1))])])"
    """
    if isinstance(node, ast.AST):
        fields = (
            f"{name}={outline(value)}" for name, value in ast.iter_fields(node) if value not in (None, [])
        )
        return f"{type(node).__name__}({','.join(fields)})"
    return f"[{','.join(map(outline, node))}]" if isinstance(node, list) else repr(node)
