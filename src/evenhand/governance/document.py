"""The parts a governance document is made of: said once, rendered as HTML and as Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Cell:
    """A value and, beside it, what it may not be read without: an interval, a unit, a share."""

    value: str
    beside: str = ""

    def __str__(self) -> str:
        return f"{self.value} ({self.beside})" if self.beside else self.value


@dataclass(frozen=True)
class Paragraph:
    text: str


@dataclass(frozen=True)
class Items:
    """A list of sentences."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Terms:
    """Names with what stands for them."""

    terms: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Bar:
    """One line of a drawing: a value with its interval, all from 0 to 1 of the drawing's width."""

    name: str
    value: float
    low: float
    high: float
    label: str


@dataclass(frozen=True)
class Drawing:
    """Values with their intervals side by side; every number in it also stands in a table."""

    caption: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class Table:
    """A table; the first cell of a row names the row.

    Attributes:
        numeric: whether the other cells are figures, set to the right.
    """

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str | Cell, ...], ...]
    numeric: bool = False

    def __post_init__(self) -> None:
        if not self.rows:
            raise ValueError(f"table {self.caption!r} has no rows")
        if any(len(row) != len(self.head) for row in self.rows):
            raise ValueError(f"table {self.caption!r} has a row that does not fit its head")


Block = Paragraph | Items | Terms | Drawing | Table


@dataclass(frozen=True)
class Section:
    title: str
    blocks: Sequence[Block]
    sections: Sequence[Section] = field(default=())

    @property
    def anchor(self) -> str:
        return re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-")


def kind_of(block: Block) -> str:
    """The name by which a template chooses how to render a block."""
    return type(block).__name__.lower()
