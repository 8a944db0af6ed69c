"""How results look in a terminal: tables, progress, and JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    import polars as pl

# Progress goes to standard error, so that a result can be piped.
SCREEN = Console(highlight=False)
ASIDE = Console(stderr=True, highlight=False)


def say(text: str = "") -> None:
    """A line for the reader."""
    SCREEN.print(text, markup=False, soft_wrap=True)


def heading(text: str) -> None:
    SCREEN.print(f"\n[bold]{text}[/bold]")


def show(frame: pl.DataFrame, title: str | None = None) -> None:
    """A frame as a table: numbers to the right, no value cut short, empty for null."""
    table = Table(title=title, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for name, dtype in frame.schema.items():
        table.add_column(name.replace("_", " "), justify="right" if dtype.is_numeric() else "left")
    for row in frame.iter_rows():
        table.add_row(*(_cell(value) for value in row))
    # A table wider than the terminal would be folded to unreadable words; a pipe has no width at all.
    wide = max(SCREEN.width, table.__rich_measure__(SCREEN, SCREEN.options.update(max_width=400)).maximum)
    SCREEN.print(table, width=wide, soft_wrap=True)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.3f}" if abs(value) < 1000 else f"{value:,.0f}"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10_000:
        return f"{value:,}"
    return str(value)


def show_json(result: Any) -> None:
    """The result as one JSON document; dates as ISO text, infinite and missing numbers as null."""
    json.dump(_plain(result), sys.stdout, indent=2, ensure_ascii=False, allow_nan=False)
    sys.stdout.write("\n")


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {str(key): _plain(each) for key, each in value.items()}
        case list() | tuple():
            return [_plain(each) for each in value]
        case float():
            return value if value == value and abs(value) != float("inf") else None
        case bool() | int() | str() | None:
            return value
        case _:
            return value.isoformat() if hasattr(value, "isoformat") else str(value)


@contextmanager
def progress(title: str) -> Iterator[Callable[[str], None]]:
    """A callable that tells what is being done; one changing line on a screen, silent where there is none."""
    with ASIDE.status(title) as status:
        yield lambda step: status.update(f"{title}: {step}")
