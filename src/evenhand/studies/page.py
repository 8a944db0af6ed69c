"""The page of evidence: what each study found, and on which commit.

What a study found is kept beside the page, so that running one study again leaves the others' figures standing and tells
how old they are.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from evenhand.studies.study import Finding, Study


def record(
    page: Path,
    study: Study,
    findings: Sequence[Finding],
    *,
    command: str,
    commit: str,
    code: str,
    carried: Sequence[str] = (),
) -> None:
    """Keep what a study found, in place of what it found before, in the JSON file beside the page.

    Args:
        carried: in words, which parts other code made and what was done to take them for this code's.
    """
    found = _recorded(page) | {
        study.name: {
            "about": f"{study.about[0].upper()}{study.about[1:]}.",
            "parts": _span(study.parts),
            "command": command,
            "commit": commit,
            "source": code,
            "carried": list(carried),
            "findings": [asdict(finding) for finding in findings],
        }
    }
    page.parent.mkdir(parents=True, exist_ok=True)
    unfinished = page.with_suffix(".partial")
    unfinished.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    unfinished.replace(page.with_suffix(".json"))


def _recorded(page: Path) -> dict[str, Any]:
    path = page.with_suffix(".json")
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def write_page(page: Path, code: str) -> None:
    """Render every study's findings, each with the commit it was found on.

    Args:
        code: fingerprint of the source as it stands.
    """
    lines = [
        "# Evidence",
        "",
        "Written by `make prove`. Seeds were used for nothing else; a claim that does not hold stays on the page. What each "
        f"seed or part gave is in `{page.stem}/`.",
        "",
        "| study | claims that hold | seeds or parts | source |",
        "|---|---|---|---|",
    ]
    for name, study in _recorded(page).items():
        held = sum(finding["holds"] for finding in study["findings"])
        lines.append(
            f"| [{name}](#{name}) | {held} of {len(study['findings'])} | {study['parts']} | "
            f"{'this' if study['source'] == code else 'an earlier one'} |"
        )
    for name, study in _recorded(page).items():
        since = "" if study["source"] == code else "; the source has changed since"
        lines += [
            "",
            f"## {name}",
            "",
            study["about"],
            "",
            f"Command: `{study['command']}`. Seeds or parts: {study['parts']}. "
            f"Commit {study['commit']}, source {study['source']}{since}.",
            *(f"{said}." for said in study.get("carried", ())),
            "",
            *([f"![{study['about']}]({page.stem}/{name}.svg)", ""] if drawn(page, name).is_file() else []),
            "| holds | claim | measured |",
            "|---|---|---|",
        ]
        for finding in study["findings"]:
            holds = "yes" if finding["holds"] else "**no**"
            lines.append(f"| {holds} | {finding['claim']} | {finding['measured']} |")
    page.write_text("\n".join(lines) + "\n", encoding="utf-8")


def drawn(page: Path, name: str) -> Path:
    return page.with_suffix("") / f"{name}.svg"


def _span(parts: Iterable[int | str]) -> str:
    names = [str(part) for part in parts]
    return names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"
