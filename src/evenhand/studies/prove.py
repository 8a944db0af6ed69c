"""Run studies, side by side where asked, and keep every part as soon as it is made.

Every part is kept in a folder beside the page with a fingerprint of the code that made it, so that a run that was
stopped goes on where it was, on another machine too, and anyone can look at a claim seed by seed. Parts that other code
made are made anew, unless some of them, drawn by lot, are made again and come out the same to nine digits.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import random
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from evenhand.provenance import SOURCE, code_fingerprint
from evenhand.studies.chicago import studies_of
from evenhand.studies.confounders import CONFOUNDING
from evenhand.studies.feedback import FEEDBACK
from evenhand.studies.firewall import FIREWALL
from evenhand.studies.null import NULL
from evenhand.studies.page import drawn, record, write_page
from evenhand.studies.planted import ADVERSARIAL, PLANTED
from evenhand.studies.samples import SAMPLES
from evenhand.studies.study import Part, Study
from evenhand.terminal import heading, say
from features.errors import WrongUsage, did_you_mean
from models.charts import write_chart


def prove(
    *,
    only: Sequence[str] | None,
    out: Path,
    chicago: Path,
    parts: int | None = None,
    jobs: int = 1,
    recheck: int = 0,
) -> None:
    """Run the studies and write the page of evidence; what was measured on this very code is not run again.

    Args:
        parts: only the first so many parts of each study, where there is no time for all; the page says so.
        jobs: how many parts are measured at a time, each in a process of its own; the figures are the same.
        recheck: where other code made the parts, how many of them are made again, drawn by lot from the code's
            fingerprint. The others are kept where these come out the same to nine digits, which the page says;
            otherwise all are made anew, as they are where this is 0.
    """
    studies = _studies(chicago)
    if unknown := [name for name in only or () if name not in studies]:
        raise WrongUsage(f"--only {unknown[0]}: there is no such study. {did_you_mean(unknown[0], studies)}")
    if parts is not None and parts < 1:
        raise WrongUsage(f"--parts {parts}: at least one seed or part must be measured.")
    if jobs < 1:
        raise WrongUsage(f"--jobs {jobs}: at least one part must be measured at a time.")
    if recheck < 0:
        raise WrongUsage(f"--recheck {recheck}: as many parts as are to be made again, or 0.")
    code = code_fingerprint()
    for name, study in studies.items():
        if only is None or name in only:
            command = f"evenhand prove --only {name}"
            if parts is not None and parts < len(study.parts):
                command += f" --parts {parts}"
                study = replace(
                    study,
                    about=f"{study.about}; only the first {parts} of {len(study.parts)} seeds or parts",
                    parts=study.parts[:parts],
                )
            heading(f"{name}: {study.about}")
            kept = _kept(out, study, code)
            if recheck and kept.of_other_code:
                _recheck(study, kept, jobs, recheck)
            measured = _measured(study, kept, jobs)
            findings = study.conclude(measured)
            if study.draw is not None:
                write_chart(study.draw(measured), drawn(out, name))
            for finding in findings:
                say(f"{'holds ' if finding.holds else 'FAILS '} {finding.claim}: {finding.measured}")
            record(out, study, findings, command=command, commit=_commit(), code=code, carried=kept.carried)
    write_page(out, code)
    say(f"\nWritten to {out}")


def _studies(chicago: Path) -> dict[str, Study]:
    here = [PLANTED, ADVERSARIAL, NULL, FIREWALL, CONFOUNDING, SAMPLES, FEEDBACK]
    return {study.name: study for study in here + (studies_of(chicago) if chicago.is_dir() else [])}


class _Kept:
    """The parts of a study measured so far, in one file beside the page; those of other code are not taken for them.

    Attributes:
        source, made_by: fingerprint of this code, and of the code that made what is there.
        parts: by name, what each gave.
        of_other_code: parts of the same measurement that another source made.
        carried: for each source whose parts were kept, in words, which of them were made again alike.
    """

    def __init__(self, path: Path, follows: Mapping[str, str]) -> None:
        self._path, self._follows = path, dict(follows)
        stored = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        self.source = follows["source"]
        stored_follows = stored.get("follows", {})
        self.made_by: str = stored_follows.get("source", "")
        these = stored_follows == self._follows
        self.parts: dict[str, Part] = stored["parts"] if these else {}
        self.carried: list[str] = stored.get("carried", []) if these else []
        alike = stored_follows.get("measured_by") == self._follows["measured_by"]
        self.of_other_code: dict[str, Part] = stored["parts"] if alike and not these else {}
        self._carried_before: list[str] = stored.get("carried", [])

    def carry(self, made_again: Sequence[str]) -> None:
        """Take the parts of other code for this code's, since those made again came out the same."""
        self.carried = [
            *self._carried_before,
            f"{len(self.of_other_code)} parts were made on source {self.made_by}; of these "
            f"{', '.join(made_again)}, drawn by lot, came out the same to nine digits on {self.source}",
        ]
        self.parts = dict(self.of_other_code)
        self._write()

    def keep(self, part: int | str, made: Part) -> None:
        self.parts[str(part)] = made
        self._write()

    def _write(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self._path.with_suffix(".partial")
        lines = ",\n".join(
            f"  {json.dumps(name, ensure_ascii=False)}: {json.dumps(self.parts[name])}"
            for name in sorted(self.parts)
        )
        carried = f' "carried": {json.dumps(self.carried)},\n' if self.carried else ""
        unfinished.write_text(
            f'{{"follows": {json.dumps(self._follows)},\n{carried} "parts": {{\n{lines}\n }}}}\n',
            encoding="utf-8",
        )
        unfinished.replace(self._path)


def _kept(page: Path, study: Study, code: str) -> _Kept:
    measured_by = "".join(inspect.getsource(function) for function in study.measured_by)
    if isinstance(study.run_part, partial):
        measured_by += repr(sorted(study.run_part.keywords.items()))
    follows = {"source": code, "measured_by": hashlib.sha256(measured_by.encode()).hexdigest()[:8]}
    return _Kept(page.with_suffix("") / f"{study.name}.json", follows)


def _recheck(study: Study, kept: _Kept, jobs: int, n_parts: int) -> None:
    """Make some parts of other code again, drawn by lot, and keep the others where these come out the same."""
    there = sorted(part for part in study.parts if str(part) in kept.of_other_code)
    if not there:
        return
    by_lot = random.Random(f"{study.name} {kept.source}").sample(there, min(n_parts, len(there)))
    again = dict(_made(study, sorted(by_lot), jobs))
    differ = [part for part in again if _in_digits(again[part]) != _in_digits(kept.of_other_code[str(part)])]
    if not differ:
        kept.carry([str(part) for part in sorted(again)])
        say(f"  {kept.carried[-1]}")
        return
    say(f"  {', '.join(map(str, differ))} came out otherwise than on {kept.made_by}: all are made anew")
    for part, made in again.items():
        kept.keep(part, made)


def _in_digits(value: Any) -> Any:
    """As JSON holds it, numbers to nine digits: the last ones hang on the processor and on how many threads there are."""
    match value:
        case float():
            return f"{value:.9g}"
        case Mapping():
            return {str(name): _in_digits(one) for name, one in value.items()}
        case list() | tuple():
            return [_in_digits(one) for one in value]
        case _:
            return value


def _measured(study: Study, kept: _Kept, jobs: int) -> list[Part]:
    """Every part of a study, each kept as soon as it is made."""
    missing = [part for part in study.parts if str(part) not in kept.parts]
    for n_made, (part, found) in enumerate(_made(study, missing, jobs), start=1):
        kept.keep(part, found)
        say(f"  {part} ({len(study.parts) - len(missing) + n_made} of {len(study.parts)})")
    return [kept.parts[str(part)] for part in study.parts]


def _made(study: Study, parts: Sequence[int | str], jobs: int) -> Iterator[tuple[int | str, Part]]:
    if jobs == 1:
        return ((part, study.run_part(part)) for part in parts)
    return _side_by_side(study.run_part, parts, jobs)


def _side_by_side(
    run_part: Callable[[Any], Part], parts: Sequence[int | str], jobs: int
) -> Iterator[tuple[int | str, Part]]:
    """Parts in the order in which they are done, so many at a time."""
    # Read when Polars is imported, which a spawned process does anew. Parts that each ask for every core wait for
    # each other.
    os.environ.setdefault("POLARS_MAX_THREADS", "1")
    # A process a part, so that the memory of one is given back before the next begins.
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        under_way = {pool.submit(run_part, part): part for part in parts}
        try:
            for done in as_completed(under_way):
                yield under_way[done], done.result()
        finally:
            # Where one part failed, those not begun would be measured for nobody.
            pool.shutdown(wait=False, cancel_futures=True)


def _commit() -> str:
    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=SOURCE, capture_output=True, text=True, check=False
        ).stdout.strip()

    changed = " with uncommitted changes" if git("status", "--porcelain", "--", ".") else ""
    return f"{git('rev-parse', '--short', 'HEAD') or 'unknown'}{changed}"
