"""What must hold of the project itself: packages, lock, words, notebooks."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "src").rglob("*.py"))
PROSE = [ROOT / "README.md", ROOT / "GLOSSARY.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("package", ["features", "models", "evenhand"])
def test_each_package_is_ours_and_not_a_foreign_one_of_the_same_name(package):
    found = importlib.import_module(package).__file__
    assert found is not None
    assert Path(found).resolve() == ROOT / "src" / package / "__init__.py"


def test_every_folder_of_tests_is_a_package():
    folders = {path.parent for path in (ROOT / "tests").rglob("test_*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []


def test_lock_pins_every_version_with_hashes_and_names_no_address():
    lock = (ROOT / "requirements.lock").read_text()
    pinned = re.findall(r"^\S+==\S+", lock, flags=re.MULTILINE)
    assert len(pinned) > 100
    assert lock.count("--hash=sha256:") > len(pinned)
    assert "://" not in lock


def test_no_source_reads_or_writes_pickles():
    assert [
        path
        for path in SOURCES
        if re.search(r"^\s*(import|from) (pickle|cloudpickle|joblib|dill)", path.read_text(), re.MULTILINE)
    ] == []


def test_nothing_public_uses_a_word_that_judges_a_person():
    judging = re.compile(r"\b(suspects?|offenders?|guilty|culprits?|bad apples?)\b", re.IGNORECASE)
    found = [(path.name, match) for path in [*SOURCES, *PROSE] for match in judging.findall(path.read_text())]
    assert found == []


def test_notebooks_are_committed_without_outputs():
    notebooks = [json.loads(path.read_text()) for path in (ROOT / "notebooks").glob("*.ipynb")]
    assert [cell for book in notebooks for cell in book["cells"] if cell.get("outputs")] == []


def test_only_the_command_line_reads_the_clock():
    clock = re.compile(r"\b(datetime\.now|date\.today|time\.time)\(")
    assert [path.name for path in SOURCES if clock.search(path.read_text())] == ["cli.py"]


def test_the_command_line_imports_nothing_heavy_before_a_command_runs():
    heavy = [
        "polars",
        "numpy",
        "lightgbm",
        "mlflow",
        "great_expectations",
        "sklearn",
        "altair",
        "sqlalchemy",
        "pydantic",
    ]
    code = f"import sys, evenhand.cli; print([name for name in {heavy!r} if name in sys.modules])"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"
