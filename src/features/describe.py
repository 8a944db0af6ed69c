"""The catalogue in words and tables, for a model card and for those who must answer for it."""

from __future__ import annotations

from features.lineage import columns_read, marks_of
from features.specs import Aggregate, Catalogue, Change, Events, Idea, Latest, Product, Ratio, Term


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


def describe_term(term: Term) -> str:
    """How a term is computed, in one line that changes whenever the declaration does."""
    match term:
        case Aggregate():
            value = "" if term.value is None else f" of {term.value}"
            where = "" if term.where is None else f" where {term.where}"
            return f"{term.how}{value} over {_describe_events(term.events)}{where}"
        case Latest():
            via = "" if term.via is None else f" by {term.key} from ({describe_term(term.via)})"
            return f"latest {term.how} {term.value} of {_describe_events(term.events)}{via}"
        case Ratio():
            return f"({describe_term(term.top)}) / ({describe_term(term.bottom)}), bottom at least {term.bottom_at_least:g}"
        case Product():
            return f"({describe_term(term.left)}) * ({describe_term(term.right)})"
        case Change():
            return f"daily change of ({describe_term(term.of)}) against the {term.baseline_days} days before"


def _describe_events(events: Events) -> str:
    declared = {name: getattr(events, name) for name in ("occurred_at", "known_at", "where", "screen")}
    said = [f"{events.name} in {events.table.name}"]
    said += [f"{name} {value}" for name, value in declared.items() if value is not None]
    said += [f"{name} = {value}" for name, value in events.derive.items()]
    if events.joined is not None:
        said.append(f"joined on {', '.join(events.joined.on)} with {_describe_events(events.joined.events)}")
    return f"[{'; '.join(said)}]"
