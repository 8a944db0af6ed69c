from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from evenhand.cli import main
from evenhand.force.simulate import simulate

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Told:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The extracts of a force that is large enough to train on."""
    return simulate(tmp_path_factory.mktemp("force") / "data", officers=400, months=60, seed=11, dense=True)


@pytest.fixture(scope="session")
def few_records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The extracts of a force of a hundred and fifty people over a year, for spoiling."""
    return simulate(tmp_path_factory.mktemp("few") / "data", officers=150, months=12, seed=3, dense=True)


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a workspace that tests share, where a first model is trained and promoted."""
    return tmp_path_factory.mktemp("workspace")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    """Runs a command as its user would, in a folder of a workspace."""

    def _run(folder: Path, *arguments: str) -> Told:
        (folder / "evenhand.toml").write_text(
            f'suites = "{ROOT / "expectations"}"\ngovernance = "{ROOT / "governance.toml"}"\n'
            "[study]\ndraws = 200\nthreads = 1\n"
        )
        monkeypatch.chdir(folder)
        capsys.readouterr()
        code = main(list(arguments))
        captured = capsys.readouterr()
        return Told(code, captured.out, captured.err)

    return _run
