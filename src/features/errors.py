"""What a user can mend, by kind. Anything else that is raised is a bug and keeps its traceback.

The command line prints the message of a `Mendable` and exits with a code per kind; nothing else here
knows about exit codes.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class Mendable(Exception):
    """A failure the user can mend. The message says what was expected, what was found, what to do next."""


class WrongUsage(Mendable):
    """A command, option, date or configuration key that cannot be what was meant."""


class DataRefused(Mendable):
    """Source records that cannot be used as they are."""


class GateRefused(Mendable):
    """A rule of governance stands in the way: protected lineage, the release gate, a missing record."""


class NotPermitted(Mendable):
    """The person or purpose has no right to do this."""


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """A closing sentence with the nearest known names, or all of them where none is near.

    >>> did_you_mean("capcity", ["capacity", "horizon"])
    "Did you mean 'capacity'?"
    >>> did_you_mean("zzz", ["capacity", "horizon"])
    'Known: capacity, horizon.'
    """
    names = sorted(known)
    near = difflib.get_close_matches(given, names, n=3, cutoff=0.6)
    if near:
        return "Did you mean " + " or ".join(f"'{name}'" for name in near) + "?"
    return f"Known: {', '.join(names)}."
