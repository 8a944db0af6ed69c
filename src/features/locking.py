"""One writer at a time in a folder: a lock that the operating system releases when its holder ends."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from features.errors import WrongUsage

LOCK = ".lock"


@contextmanager
def sole_writer(folder: Path) -> Iterator[None]:
    """Holds a folder for this process, making it where it is not there; an empty one is left behind by nobody.

    Raises:
        WrongUsage: another process holds it.
    """
    held = _hold(folder)
    try:
        yield
    finally:
        # Taken away while it is still held: whoever opened it meanwhile sees that it is gone, and asks anew.
        (folder / LOCK).unlink()
        os.close(held)
        with suppress(OSError):  # not empty
            folder.rmdir()


def _hold(folder: Path) -> int:
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            opened = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        except FileNotFoundError:  # the folder was taken away in between
            continue
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(opened, 200, 0).decode("utf-8", "replace") or "another process"
            os.close(opened)
            raise WrongUsage(
                f"{folder} is being written by {holder}.\n"
                "Two writers of one folder would spoil each other. Wait until it has ended (or end it, if it "
                "hangs), or use another workspace."
            ) from error
        if _is_still_there(folder / LOCK, opened):
            os.ftruncate(opened, 0)
            os.pwrite(opened, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)
            return opened
        os.close(opened)


def _is_still_there(path: Path, opened: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(opened))
    except FileNotFoundError:
        return False
