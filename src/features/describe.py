"""The catalogue in words and tables, for a model card and for those who must answer for it."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import polars as pl

from features.definition import ForceDefinition
from features.lineage import columns_read, marks_of, sensitivity_of
from features.specs import (
    Across,
    Aggregate,
    Alike,
    Aspect,
    Banded,
    Change,
    Colleagues,
    Events,
    Idea,
    Latest,
    Peers,
    Product,
    Ratio,
    Term,
    Trend,
)
from features.tables import LAWFUL_BASES, Sensitivity

SIDES: Mapping[Aspect, str] = {
    "level": "level",
    "change": "change against the own past",
    "share": "share",
    "timing": "timing",
    "concentration": "concentration",
    "peers": "beside peers",
    "circumstance": "circumstance",
}
HEAD = (
    "idea", "side", "what it says", "unit", "windows (days)", "also speaks to", "innocent explanations", "basis", "reads",
)  # fmt: skip
BASIS_TAGS = {Sensitivity.STANDARD: "P", Sensitivity.CRIMINAL: "P, C", Sensitivity.SPECIAL: "P, S"}


def describe(force: ForceDefinition) -> str:
    """A Markdown document of a force's catalogue, by kind of conduct and side of it.

    What each idea counts, from where, on which basis, and the ordinary explanations to look for first.
    """
    ideas = force.catalogue.ideas
    ordinary = [idea for idea in ideas if idea.research is None]
    parts = [
        f"# What is asked of the records: {force.title}",
        f"{len(ordinary)} ideas, {sum(len(idea.columns) for idea in ordinary)} columns with their windows. Written by "
        "`evenhand features --describe`; the declarations are in `features.catalogue`.",
        _legend(ideas),
    ]
    for code, name in (*force.typologies.items(), (None, "context, no concern in itself")):
        chosen = [idea for idea in ordinary if (idea.typologies[:1] or (None,))[0] == code]
        parts += _section(f"{code}: {name}" if code else name[0].upper() + name[1:], chosen)
    for study in dict.fromkeys(idea.research for idea in ideas if idea.research is not None):
        title = f"Study of {study}, apart from every ordinary run"
        parts += _section(title, [idea for idea in ideas if idea.research == study])
    return "\n\n".join(parts) + "\n"


def _legend(ideas: Sequence[Idea]) -> str:
    bases = [f"- {tag}: {LAWFUL_BASES[kind]}" for kind, tag in BASIS_TAGS.items()]
    among = dict.fromkeys(idea.of.among for idea in ideas if isinstance(idea.of, Peers))
    peers = [
        f"- Beside peers: {one.says}; at least {one.at_least} people, else the likeness is widened."
        for one in among
    ]
    return "\n".join(
        ["Basis, as proposed to the controller, who records it in `governance.toml`:", "", *bases, *peers]
    )


def _section(title: str, ideas: Sequence[Idea]) -> list[str]:
    if not ideas:
        return []
    order = list(SIDES)
    rows = [_line(idea) for idea in sorted(ideas, key=lambda idea: order.index(idea.side))]
    return [f"## {title}", "\n".join([_row(HEAD), "|---" * len(HEAD) + "|", *rows])]


def _line(idea: Idea) -> str:
    marks = "".join(f" (marked {mark})" for mark in sorted(marks_of(idea)))
    return _row(
        (
            f"`{idea.name}`",
            SIDES[idea.side],
            idea.says + marks,
            idea.unit,
            ", ".join(map(str, idea.windows)) or "as it stands",
            ", ".join(idea.typologies[1:]),
            "; ".join(idea.innocent),
            BASIS_TAGS[sensitivity_of(idea)],
            ", ".join(f"`{column}`" for column in sorted(columns_read(idea))),
        )
    )


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


# Declarations never change, and an expression takes a millisecond to tell.
@functools.lru_cache(maxsize=4096)
def describe_term(term: Term | Across) -> str:
    """How a term is computed, in one line that changes whenever the declaration does."""
    match term:
        case Aggregate():
            value = "" if term.value is None else f" of {told(term.value)}"
            where = "" if term.where is None else f" where {told(term.where)}"
            return f"{term.how}{value} over {describe_events(term.events)}{where}"
        case Latest():
            via = "" if term.via is None else f" by {term.key} from ({describe_term(term.via)})"
            return f"latest {term.how} {told(term.value)} of {describe_events(term.events)}{via}"
        case Ratio():
            return f"({describe_term(term.top)}) / ({describe_term(term.bottom)}), bottom at least {term.bottom_at_least:g}"
        case Product():
            return f"({describe_term(term.left)}) * ({describe_term(term.right)})"
        case Change():
            return f"daily change of ({describe_term(term.of)}) against the {term.baseline_days} days before"
        case Trend():
            return f"rise over the window of the daily amount of ({describe_term(term.of)})"
        case Colleagues():
            return f"mean of ({describe_term(term.of)}) over at least {term.at_least} others of the same ({describe_term(term.by)})"
        case Peers():
            return (
                f"{term.how} of ({describe_term(term.of)}) by {term.unit:g} for ({describe_term(term.exposure)}), at least "
                f"{term.exposure_at_least:g}, among {_describe_alike(term.among)}"
            )


def told(expression: pl.Expr | str) -> str:
    """An expression in full; Polars shortens long lists, and two that differ in the middle would look alike."""
    with pl.Config(fmt_table_cell_list_len=-1):
        return str(expression)


def _describe_alike(among: Alike) -> str:
    by = "; ".join(_describe_likeness(one) for one in among.by)
    return f"at least {among.at_least} people alike in [{by}]"


def _describe_likeness(one: Latest | Banded) -> str:
    if isinstance(one, Latest):
        return describe_term(one)
    edges = ", ".join(f"{edge:g}" for edge in one.edges)
    over = f" over {one.window} days" if one.window else ""
    return f"bands of ({describe_term(one.of)}){over} cut at {edges}"


@functools.lru_cache(maxsize=1024)
def describe_events(events: Events) -> str:
    """Which rows are such events, in one line that changes whenever the declaration does."""
    declared = {name: getattr(events, name) for name in ("occurred_at", "known_at", "where", "screen")}
    said = [f"{events.name} in {events.table.name}"]
    said += [f"{name} {told(value)}" for name, value in declared.items() if value is not None]
    said += [f"{name} = {told(value)}" for name, value in events.derive.items()]
    if events.joined is not None:
        said.append(f"joined on {', '.join(events.joined.on)} with {describe_events(events.joined.events)}")
    return f"[{'; '.join(said)}]"
