"""The champion on the test dates of a model that would replace it.

What it would have listed then is known in one of four ways, the first that there is: its own run tested it on
these dates, from the same rows; it has learnt nothing of what happened on them, so it can score them itself; its
recipe can be carried out anew for these dates; its own run tested it on them, from rows that have changed since.
Its model may not score dates it has learnt from: it would look better than it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl

from evenhand.provenance import PROVENANCE, Recipe, other_tools
from features.build import build
from features.errors import DataRefused, GateRefused, WrongUsage
from models import tracking
from models.backtest import KEYS, Backtest
from models.booster import matrix, raw_scores, read_booster
from models.ranker import Params
from models.release import CHAMPION, Champion
from models.scoring import catalogue_of

if TYPE_CHECKING:
    from evenhand.workspace import Workspace
    from models.registry import RegisteredModel


def champion_on(
    workspace: Workspace, champion: RegisteredModel, candidate: RegisteredModel, backtest: Backtest
) -> Champion:
    """The champion's scores of the people of a candidate's backtest, to be judged by the same outcomes."""
    stored = _scores_of_its_run(workspace, champion, backtest)
    if stored is not None and _tables(champion) == _tables(candidate):
        return _as_rival(champion, backtest, stored, "as its own run tested it on these dates")
    try:
        scores, how = _scored_anew(workspace, champion, candidate, backtest)
    except (DataRefused, GateRefused, WrongUsage) as error:
        if stored is not None:
            how = "as its own run tested it on these dates, from rows that have changed since"
            return _as_rival(champion, backtest, stored, how)
        return Champion(
            version=champion.version,
            backtest=None,
            how=str(error).splitlines()[0],
            next_step=_what_to_do(workspace, champion),
        )
    return _as_rival(champion, backtest, scores, how)


def _tables(model: RegisteredModel) -> Mapping[str, str]:
    """The state of the tables it was made from."""
    return {name: state for name, state in model.trained.fingerprints.items() if name != "features"}


def _scores_of_its_run(
    workspace: Workspace, champion: RegisteredModel, backtest: Backtest
) -> pl.DataFrame | None:
    """What its own run says of these people on these dates; None where it does not know them all."""
    try:
        own = tracking.read_backtest(workspace.config.runs, champion.run_id)
    except WrongUsage:
        return None
    scores = _scores(own)
    return scores if _covers(scores, backtest) else None


def _scores(backtest: Backtest) -> pl.DataFrame:
    return backtest.scores.select(*KEYS, pl.col(backtest.methods[0]).alias(CHAMPION))


def _covers(scores: pl.DataFrame, backtest: Backtest) -> bool:
    tested = backtest.scores.filter(pl.col("as_of").is_in(backtest.test_as_ofs))
    return tested.join(scores, on=list(KEYS), how="anti").is_empty()


def _scored_anew(
    workspace: Workspace, champion: RegisteredModel, candidate: RegisteredModel, backtest: Backtest
) -> tuple[pl.DataFrame, str]:
    dates = backtest.test_as_ofs
    model = champion.trained
    catalogue = catalogue_of(workspace.force, model)
    if model.learnt_until <= min(dates):
        table = build(
            workspace.force, workspace.accepted, dates, catalogue=catalogue, schema=model.schema,
            store=workspace.store, progress=workspace.progress,
        )  # fmt: skip
        booster = read_booster(model.booster, model.schema)
        raw = raw_scores(booster, matrix(table.frame, model.schema))
        scores = table.frame.select(KEYS).with_columns(pl.Series(CHAMPION, raw))
        how = "scored by itself, since it has learnt nothing of these dates"
    else:
        stored = tracking.read_json(workspace.config.runs, champion.run_id, PROVENANCE)
        asked = tracking.read_json(workspace.config.runs, candidate.run_id, PROVENANCE)["recipe"]
        _check_params(stored["recipe"]["params"])
        recipe = replace(
            Recipe.from_dict(asked),
            params=stored["recipe"]["params"],
            seed=stored["recipe"]["seed"],
            test_as_ofs=dates,
        )
        scores = _scores(workspace.carry_out(recipe, catalogue=catalogue).backtest)
        tools = ", with other tools than then" if other_tools(stored) else ""
        how = f"its recipe, carried out anew for these dates{tools}"
    if not _covers(scores, backtest):
        raise DataRefused("its features give no score for some of the people on these dates")
    return scores, how


def _check_params(params: Mapping[str, object]) -> None:
    known = {field.name for field in fields(Params)}
    if gone := sorted(set(params) - known):
        raise DataRefused(f"its recipe sets what models no longer have: {', '.join(gone)}")


def _as_rival(champion: RegisteredModel, backtest: Backtest, scores: pl.DataFrame, how: str) -> Champion:
    tested = backtest.scores.filter(pl.col("as_of").is_in(backtest.test_as_ofs)).drop(*backtest.methods)
    return Champion(
        version=champion.version,
        backtest=Backtest(
            scores=tested.join(scores, on=list(KEYS), how="left", maintain_order="left"),
            methods=(CHAMPION,),
            capacity=backtest.capacity,
        ),
        how=how,
    )


def _what_to_do(workspace: Workspace, champion: RegisteredModel) -> str:
    """Where the champion cannot come to the candidate's dates, the candidate must come to the champion's."""
    try:
        own = tracking.read_backtest(workspace.config.runs, champion.run_id)
    except WrongUsage:
        return f"Restore the run of v{champion.version} ({champion.run_id}) in {workspace.config.runs}."
    days = ",".join(str(day - timedelta(days=1)) for day in own.test_as_ofs)
    return f"Train the candidate on the champion's own test dates: evenhand train --test-dates {days}."
