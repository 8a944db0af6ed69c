"""Two ingestions into one folder at one time do not meet, and a dead one holds nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from features.errors import WrongUsage
from features.locking import LOCK, sole_writer
from tests.features.conftest import Frames, changed

HOLD = """
import sys, time
from pathlib import Path
from features.locking import sole_writer
with sole_writer(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_folder_held_by_another_process_is_refused_with_who_holds_it(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(WrongUsage, match=f"process {holder.pid} on") as refused, sole_writer(tmp_path):
            pass
        assert "Wait until it has ended" in str(refused.value)
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
        assert (tmp_path / LOCK).is_file(), "it had no time to clear up"
        with sole_writer(tmp_path):
            pass


def test_a_lock_leaves_nothing_behind(tmp_path: Path) -> None:
    with sole_writer(tmp_path / "new"):
        assert (tmp_path / "new" / LOCK).is_file()
    assert not (tmp_path / "new").exists()
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "rows").touch()
    with pytest.raises(KeyError), sole_writer(tmp_path / "old"):
        raise KeyError
    assert [path.name for path in (tmp_path / "old").iterdir()] == ["rows"]


def test_an_ingestion_waits_for_no_other_and_spoils_none(
    gate_ingest: Callable, gate_frames: Frames, tmp_path: Path
) -> None:
    first, _ = gate_ingest(gate_frames)
    with sole_writer(tmp_path / "out"):
        again, _ = gate_ingest(gate_frames)  # what is there already may be read meanwhile
        assert again.parts == first.parts
        gate_frames["duty_worked"] = changed(gate_frames["duty_worked"], 1, minutes_over=61)
        with pytest.raises(WrongUsage, match="is being written by process"):
            gate_ingest(gate_frames)
    second, _ = gate_ingest(gate_frames)
    assert second.parts["duty_worked"] != first.parts["duty_worked"]
