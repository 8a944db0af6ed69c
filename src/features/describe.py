"""The catalogue in words and tables, for a model card and for those who must answer for it."""

from __future__ import annotations

from features.lineage import columns_read, marks_of
from features.specs import (
    Across,
    Aggregate,
    Alike,
    Banded,
    Catalogue,
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


def describe(catalogue: Catalogue) -> str:
    """A Markdown document: one table a family, with what each idea counts, from where, and its innocent sides."""
    families = dict.fromkeys(idea.family for idea in catalogue.ideas)
    head = (
        "| idea | what it says | unit | windows (days) | speaks to | innocent explanations | reads |\n"
        + "|---" * 7
        + "|"
    )
    parts = []
    for family in families:
        lines = [_line(idea) for idea in catalogue.ideas if idea.family == family]
        parts.append("\n".join([f"### {family[0].upper()}{family[1:]}", "", head, *lines]))
    return "\n\n".join(parts) + "\n"


def _line(idea: Idea) -> str:
    marks = "".join(f" (marked {mark})" for mark in sorted(marks_of(idea)))
    cells = (
        f"`{idea.name}`",
        idea.says + marks,
        idea.unit,
        ", ".join(map(str, idea.windows)) or "as it stands",
        ", ".join(idea.typologies) or "context",
        "; ".join(idea.innocent),
        ", ".join(f"`{column}`" for column in sorted(columns_read(idea))),
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def describe_term(term: Term | Across) -> str:
    """How a term is computed, in one line that changes whenever the declaration does."""
    match term:
        case Aggregate():
            value = "" if term.value is None else f" of {term.value}"
            where = "" if term.where is None else f" where {term.where}"
            return f"{term.how}{value} over {describe_events(term.events)}{where}"
        case Latest():
            via = "" if term.via is None else f" by {term.key} from ({describe_term(term.via)})"
            return f"latest {term.how} {term.value} of {describe_events(term.events)}{via}"
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


def _describe_alike(among: Alike) -> str:
    by = "; ".join(_describe_likeness(one) for one in among.by)
    return f"at least {among.at_least} people alike in [{by}]"


def _describe_likeness(one: Latest | Banded) -> str:
    if isinstance(one, Latest):
        return describe_term(one)
    edges = ", ".join(f"{edge:g}" for edge in one.edges)
    return f"bands of ({describe_term(one.of)}) over {one.window} days cut at {edges}"


def describe_events(events: Events) -> str:
    """Which rows are such events, in one line that changes whenever the declaration does."""
    declared = {name: getattr(events, name) for name in ("occurred_at", "known_at", "where", "screen")}
    said = [f"{events.name} in {events.table.name}"]
    said += [f"{name} {value}" for name, value in declared.items() if value is not None]
    said += [f"{name} = {value}" for name, value in events.derive.items()]
    if events.joined is not None:
        said.append(f"joined on {', '.join(events.joined.on)} with {describe_events(events.joined.events)}")
    return f"[{'; '.join(said)}]"
