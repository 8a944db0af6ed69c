"""What a study is, whatever it is about.

Seeds of studies are used nowhere else: nothing was chosen by looking at them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import altair

DRAWS = 4000

Part = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One claim of a study, what was measured, and whether it holds."""

    claim: str
    measured: str
    holds: bool


@dataclass(frozen=True, kw_only=True)
class Study:
    """A study in parts that can be run apart, and what they say together.

    Attributes:
        run_part: a function of a module or a partial of one, so that another process can run it.
        measured_by: the functions of this package that make a part. A part is kept for as long as they, what
            `run_part` gives them and all the source outside this package stay as they are.
        draw: a picture of what they say together, where people would rather look than read.
    """

    name: str
    about: str
    parts: Sequence[int] | Sequence[str]
    run_part: Callable[[Any], Part]  # given a seed or a name, as its parts are
    conclude: Callable[[Sequence[Part]], Sequence[Finding]]
    measured_by: tuple[Callable[..., object], ...] = ()
    draw: Callable[[Sequence[Part]], altair.VConcatChart] | None = None
