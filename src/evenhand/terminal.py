"""How results look in a terminal: tables, progress, and JSON for programs."""

from __future__ import annotations

import atexit
import json
import sys
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    import polars as pl

# Progress goes to standard error, so that a result can be piped.
SCREEN = Console(highlight=False)
ASIDE = Console(stderr=True, highlight=False)
WIDEST = 160  # characters; a table may be wider than the terminal


def say(text: str = "") -> None:
    """A line for the reader."""
    SCREEN.print(text, markup=False, soft_wrap=True)


def aside(text: str) -> None:
    """A line on the way to a result, beside it."""
    ASIDE.print(text, markup=False, soft_wrap=True)


def heading(text: str) -> None:
    SCREEN.print(f"\n[bold]{text}[/bold]", soft_wrap=True)


def show(frame: pl.DataFrame, title: str | None = None) -> None:
    """A frame as a table: numbers to the right, no value cut short, empty for null."""
    table = Table(title=title, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for name, dtype in frame.schema.items():
        words = name.replace("_", " ")
        # A heading may break between words, never within one.
        widest = max(map(len, words.split()), default=1)
        table.add_column(
            words, justify="right" if dtype.is_numeric() else "left", min_width=widest, overflow="fold"
        )
    for row in frame.iter_rows():
        table.add_row(*(Text(_cell(value), no_wrap=True) for value in row))
    # A table wider than the terminal keeps its columns: the terminal wraps or scrolls, a pipe has no width.
    Console(highlight=False, width=max(SCREEN.width, WIDEST)).print(table)


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case float():
            return (
                f"{value:,.0f}"
                if abs(value) >= 1000
                else f"{value:.1f}"
                if abs(value) >= 10
                else f"{value:.3f}"
            )
        case bool():
            return "yes" if value else ""
        case int() if abs(value) >= 10_000:
            return f"{value:,}"
        case _:
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


def progress(*, verbose: bool = False) -> Callable[[str], None]:
    """A callable that tells what is being done: one changing line on a screen, silent where there is none.

    Args:
        verbose: a line a step instead, with the seconds since the last one.
    """
    if verbose:
        return _line_by_line(monotonic())
    # Started at the first step: a command that is done at once shows nothing.
    status = ASIDE.status("")

    def tell(step: str) -> None:
        status.update(step[:1].upper() + step[1:])
        status.start()

    atexit.register(status.stop)
    return tell


def _line_by_line(began: float) -> Callable[[str], None]:
    return lambda step: ASIDE.print(f"[dim]{monotonic() - began:7.1f} s[/dim]  {step}")
