"""The model card as two files: HTML that needs nothing but a browser, and Markdown for a repository."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from evenhand.governance.document import Cell, kind_of
from evenhand.governance.facts import CardFacts
from evenhand.governance.sections import sections, warnings


@dataclass(frozen=True)
class WrittenCard:
    html: Path
    markdown: Path


def write_card(facts: CardFacts, out: Path) -> WrittenCard:
    """Writes `<name>-<version>.html` and `.md` into a folder; each is there whole or not at all.

    A card of the same model is replaced.
    """
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{facts.details.name}-{facts.details.version}")
    written = WrittenCard(html=out / f"{stem}.html", markdown=out / f"{stem}.md")
    rendered = {written.html: card_html(facts), written.markdown: card_markdown(facts)}
    out.mkdir(parents=True, exist_ok=True)
    _replace_all(rendered)
    return written


def card_html(facts: CardFacts) -> str:
    return _render("card.html.jinja", facts, autoescape=True)


def card_markdown(facts: CardFacts) -> str:
    return _render("card.md.jinja", facts, autoescape=False)


def _render(template: str, facts: CardFacts, *, autoescape: bool) -> str:
    environment = Environment(
        loader=PackageLoader("evenhand.governance"),
        undefined=StrictUndefined,
        autoescape=autoescape,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["kind"] = kind_of
    environment.filters["cell_html"] = _cell_html
    environment.filters["cell_markdown"] = _cell_markdown
    return environment.get_template(template).render(
        facts=facts, sections=sections(facts), warnings=list(warnings(facts))
    )


def _cell_html(cell: str | Cell) -> Markup:
    if isinstance(cell, str):
        return escape(cell)
    beside = Markup(' <span class="beside">{}</span>').format(cell.beside) if cell.beside else Markup()
    return escape(cell.value) + beside


def _cell_markdown(cell: str | Cell) -> str:
    return str(cell).replace("|", "\\|").replace("\n", " ")


def _replace_all(rendered: Mapping[Path, str]) -> None:
    """All files are written in full beside their places before the first one is moved there."""
    waiting: dict[Path, Path] = {}
    try:
        for path, text in rendered.items():
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=".card-")
            waiting[Path(name)] = path
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
        for temporary, path in waiting.items():
            temporary.replace(path)
    finally:
        for temporary in waiting:
            temporary.unlink(missing_ok=True)
