"""What software cannot know, as the force recorded it in `governance.toml`.

Every key may be missing from the file: it is the gates (`evenhand.governance.gate`) that say what each
purpose needs. A key nobody knows is an error, since a misspelt record is a missing record.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from features.errors import GateRefused, WrongUsage, did_you_mean

# Words that hold a place in a form. What they stand for has not been recorded.
PLACEHOLDERS = frozenset({"", "-", "...", "n/a", "none", "tba", "tbc", "tbd", "todo", "to do", "xxx"})


class Regime(StrEnum):
    """The law a purpose stands under. One purpose has one regime; switching it is a new purpose."""

    UK_GDPR = "UKGDPR"
    LAW_ENFORCEMENT = "LED"


def _said(value: Any) -> Any:
    """The text without its margins; nothing where it only holds a place."""
    if not isinstance(value, str):
        return value
    return None if value.strip().rstrip(".").casefold() in PLACEHOLDERS else value.strip()


Text = Annotated[str | None, BeforeValidator(_said)]
Day = Annotated[date | None, BeforeValidator(_said)]
Law = Annotated[Regime | None, BeforeValidator(_said)]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Notice(Section):
    """The notice given to officers and staff that their records are used in this way."""

    date: Day = Field(default=None, description="the day officers and staff were told")
    reference: Text = Field(default=None, description="where the notice can be read, or its text")


class Consultation(Section):
    """The consultation of staff associations, unions and networks."""

    date: Day = Field(default=None, description="the day it was concluded")
    summary: Text = Field(
        default=None, description="who was asked, what they said, and what changed because of it"
    )


class DecisionNotToConsult(Section):
    """The reasoned decision not to consult."""

    date: Day = Field(default=None, description="the day it was decided")
    decided_by: Text = Field(default=None, description="the role that decided it")
    reasons: Text = Field(default=None, description="why representatives were not consulted")


class Health(Section):
    """What must be recorded before general sickness and absence levels may enter a score."""

    lawful_basis: Text = Field(default=None, description="the lawful basis for using absence levels")
    special_category_condition: Text = Field(default=None, description="the Article 9 condition relied on")
    dpia_reference: Text = Field(default=None, description="the DPIA that covers absence levels")
    consultation: Text = Field(default=None, description="what representatives said about absence levels")


class Records(Section):
    """The records of one purpose. `origin` is the file they were read from."""

    origin: str = Field(default="governance.toml", exclude=True)
    demo: bool = Field(default=False, description="true only for records made up for a demonstration")
    purpose: Text = Field(default=None, description="what the scores are for, in a sentence")
    regime: Law = Field(default=None, description="UKGDPR (employment) or LED (law enforcement)")
    owner: Text = Field(default=None, description="the role that owns the tool")
    senior_responsible_owner: Text = Field(default=None, description="the role that answers for it")
    lawful_basis: Text = Field(default=None, description="the lawful basis of the processing")
    dpia_reference: Text = Field(
        default=None, description="where the data protection impact assessment stands"
    )
    dpia_date: Day = Field(default=None, description="the day it was approved")
    end_date: Day = Field(default=None, description="the last day on which scores may be made")
    appeal_route: Text = Field(default=None, description="how an officer asks for a human to look again")
    contact: Text = Field(default=None, description="whom an officer or a representative can ask")
    notice_to_officers: Notice = Notice()
    consultation: Consultation = Consultation()
    decision_not_to_consult: DecisionNotToConsult = DecisionNotToConsult()
    health: Health = Health()


def read_records(path: Path) -> Records:
    """The records in a `governance.toml`.

    Raises:
        GateRefused: there is no such file; the message says what to write.
        WrongUsage: the file is not TOML, holds a key nobody knows, or a value of the wrong kind.
    """
    if not path.is_file():
        raise GateRefused(
            f"{path} does not exist. It records what software cannot know, and nothing may be scored "
            f"without it. Write it with these records:\n\n{skeleton()}"
        )
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise WrongUsage(f"{path} is not TOML: {error}. Mend the line it names.") from error
    try:
        return Records.model_validate({**given, "origin": str(path)})
    except ValidationError as error:
        found = "\n".join(f"- {line}" for line in _said_plainly(error))
        raise WrongUsage(f"{path} cannot be read as governance records:\n{found}") from error


def skeleton() -> str:
    """An empty `governance.toml`, each key with what it asks for."""
    top = "\n".join(_lines(Records))
    notice = "\n".join(_lines(Notice))
    consultation = "\n".join(_lines(Consultation))
    decision = "\n".join(f"# {line}" for line in _lines(DecisionNotToConsult))
    return (
        f"{top}\n\n[notice_to_officers]\n{notice}\n\n[consultation]\n{consultation}\n"
        f"\n# or, instead of [consultation]:\n# [decision_not_to_consult]\n{decision}\n"
    )


def _lines(section: type[Section]) -> Iterator[str]:
    for name, field in section.model_fields.items():
        if field.description and name != "demo":
            yield f'{name} = ""  # {field.description}'


def _said_plainly(error: ValidationError) -> Iterator[str]:
    for problem in error.errors(include_url=False):
        key = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            yield f"{key} is not a key. {did_you_mean(str(problem['loc'][-1]), _keys(problem['loc'][:-1]))}"
        else:
            yield f"{key} = {problem['input']!r}: {problem['msg']}"


def _keys(inside: tuple[int | str, ...]) -> list[str]:
    section: type[BaseModel] = Records
    for name in inside:
        section = type(section.model_fields[str(name)].default)
    return [name for name in section.model_fields if name != "origin"]
