"""What the README tells a newcomer to type works, in the order it is told, on a smaller force."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SMALLER = {"--officers 2000": "--officers 500"}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)


@pytest.mark.slow
def test_every_command_and_the_python_of_the_readme_run_in_order(tmp_path):
    for name in ("expectations", "governance.toml", "evenhand.toml"):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    script = "\n".join(blocks("bash"))
    for full, smaller in SMALLER.items():
        assert full in script
        script = script.replace(full, smaller)
    for command in (["bash", "-euc", script], [sys.executable, "-c", "\n".join(blocks("python"))]):
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert (tmp_path / "build/compare.svg").is_file()
    assert list((tmp_path / "build/card").glob("*.html"))
