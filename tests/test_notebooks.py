"""The notebooks run from top to bottom, each by itself, and are committed as they were written."""

from __future__ import annotations

import ast
import shutil
import time
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def _read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def _code(path: Path) -> list[str]:
    return [cell.source for cell in _read(path).cells if cell.cell_type == "code"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A project with nothing but what a notebook needs to find: suites and governance records."""
    # The kernel is this environment's, whatever else a machine calls python3.
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "1")
    monkeypatch.delenv("JUPYTER_PATH", raising=False)
    (tmp_path / "notebooks").mkdir()
    shutil.copytree(ROOT / "expectations", tmp_path / "expectations")
    shutil.copy(ROOT / "governance.toml", tmp_path)
    return tmp_path / "notebooks"


def _executed(path: Path, folder: Path) -> nbformat.NotebookNode:
    client = NotebookClient(_read(path), timeout=120, resources={"metadata": {"path": str(folder)}})
    return client.execute()


def test_there_are_five_numbered_stories():
    assert [path.name[:2] for path in NOTEBOOKS] == ["01", "02", "03", "04", "05"]


@each_notebook
def test_notebook_is_committed_without_outputs(path):
    cells = [cell for cell in _read(path).cells if cell.cell_type == "code"]
    assert [cell for cell in cells if cell.outputs or cell.execution_count is not None] == []


@each_notebook
def test_notebook_defines_nothing_and_asks_for_nothing(path):
    nodes = [node for source in _code(path) for node in ast.walk(ast.parse(source))]
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    assert [ast.unparse(node) for node in nodes if isinstance(node, definitions)] == []
    assert [node for node in nodes if isinstance(node, ast.Name) and node.id == "input"] == []


@pytest.mark.slow
@each_notebook
def test_notebook_runs_top_to_bottom_by_itself(path, folder, capsys):
    started = time.perf_counter()
    cells = [cell for cell in _executed(path, folder).cells if cell.cell_type == "code"]
    with capsys.disabled():
        print(f"\n{path.name}: {time.perf_counter() - started:.1f} s")
    outputs = [output for cell in cells for output in cell.outputs]
    assert [output for output in outputs if output.output_type == "error"] == []
    assert [output.text for output in outputs if output.get("name") == "stderr"] == []
    assert [cell.source for cell in cells if cell.execution_count is None] == []
