"""Scores with reasons, from a registered model and nothing that trains one.

This module, and whatever it imports, can run where `models.ranker`, `models.experiment` and sklearn cannot.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date
from html import escape
from pathlib import Path

import numpy as np
import polars as pl

from features.build import FeatureTable, build
from features.definition import ForceDefinition
from features.describe import describe_term
from features.errors import DataRefused, WrongUsage
from features.events import Records
from features.specs import Catalogue
from features.store import FeatureStore
from models.booster import log_odds, matrix, probability, raw_scores, read_booster
from models.explain import Wording, by_family, contributions, families, kind_of_concern, reasons
from models.metrics import places
from models.trained import Threshold, TrainedModel

Progress = Callable[[str], None]
CHANCES = ("chance", "chance_low", "chance_high")


@dataclass(frozen=True, eq=False, kw_only=True)
class ScoreBatch:
    """Everyone in the cohort on one date, scored by one model.

    Attributes:
        frame: person_key, as_of, score (probability), chance, chance_low and chance_high, raw (log-odds), rank (1 is
            highest; who ties shares it), above_threshold, concern and concern_share (see
            `models.explain.kind_of_concern`); highest first. The chance is that of being confirmed among people
            scored alike, with the 95 % interval of the map learnt again from resampled persons (see
            `models.calibration`), and is null where nobody can tell. It is for those who answer for the tool;
            reviewers do not see it.
        contributions: person_key, as_of, base, and one column a feature; log-odds that add up to raw.
        families: person_key, as_of, and one column a reason family: its features' contributions summed.
        reasons: the strongest reasons for and against (see `models.explain.reasons`), in the frame's order
            of people.
        descriptors: what a reviewer may see of each person.
        words: of each feature, as kept with the model.
        capacity: how many leads the batch may open, a ceiling.
    """

    model: str
    as_of: date
    threshold: Threshold
    capacity: int
    frame: pl.DataFrame
    contributions: pl.DataFrame
    families: pl.DataFrame
    reasons: pl.DataFrame
    descriptors: pl.DataFrame
    words: Mapping[str, Wording]
    fingerprint: str

    def reasons_of(self, person_key: object) -> pl.DataFrame:
        """One person's reasons, strongest first."""
        return self.reasons.filter(pl.col("person_key") == person_key)

    def write(self, directory: Path) -> Path:
        """Write scores, contributions, families and reasons as Parquet into a folder: all of them or none."""
        partial = directory.with_name(directory.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for name in ("scores", "contributions", "families", "reasons"):
            frame: pl.DataFrame = self.frame if name == "scores" else getattr(self, name)
            frame.write_parquet(partial / f"{name}.parquet")
        if directory.exists():
            shutil.rmtree(directory)
        partial.rename(directory)
        return directory

    def _repr_html_(self) -> str:
        above = int(self.frame["above_threshold"].sum())
        return (
            f"<p>{escape(self.model)}, as of {self.as_of}: {len(self.frame):,} people scored, {above:,} above the "
            f"threshold, {self.capacity:,} places. {escape(self.threshold.says)}</p>{self.frame.head(10)._repr_html_()}"
        )


def score(
    force: ForceDefinition,
    accepted: Records,
    model: TrainedModel,
    as_of: date,
    *,
    name: str | None = None,
    capacity: int | None = None,
    people: pl.Series | None = None,
    rows_known_from: pl.DataFrame | None = None,
    top: int = 4,
    store: FeatureStore | None = None,
    progress: Progress | None = None,
) -> ScoreBatch:
    """Build the model's features on a date and score everyone in the cohort.

    Args:
        name: what to call the model; its force's name where None.
        capacity: places; the model's own where None.
        people, rows_known_from: passed on to `features.build.build`, to score some people, or from newer
            rows alone.
        top: how many reasons in each direction.
        store: where features of earlier runs are kept.

    Raises:
        WrongUsage: another force's model, or a date whose outcomes the model has learnt from.
        DataRefused: the force's catalogue no longer makes the features the model was trained on.
    """
    check_force_and_date(force, model, as_of)
    table = build(
        force,
        accepted,
        [as_of],
        catalogue=catalogue_of(force, model),
        schema=model.schema,
        people=people,
        rows_known_from=rows_known_from,
        store=store,
        progress=progress,
    )
    return score_table(
        model, table, name=name, capacity=capacity, top=top, only_alone=force.outcome.before_any
    )


def score_table(
    model: TrainedModel,
    table: FeatureTable,
    *,
    name: str | None = None,
    capacity: int | None = None,
    top: int = 4,
    only_alone: Collection[str] = (),
) -> ScoreBatch:
    """Score a feature table of one date.

    Args:
        only_alone: kinds that name a concern only where no other does (see `models.explain.kind_of_concern`).

    Raises:
        DataRefused: its columns are not the ones the model was trained on; the message shows the difference.
        WrongUsage: it holds no date, or several.
    """
    if difference := model.schema.difference(table.schema):
        raise DataRefused(_other_columns(difference))
    dates = table.frame["as_of"].unique().to_list()
    if len(dates) != 1:
        raise WrongUsage(
            f"a batch is of one as-of date; the feature table holds {len(dates)}. Build one date."
        )
    booster = read_booster(model.booster, model.schema)
    ordered = _by_raw_score(table.frame, raw_scores(booster, matrix(table.frame, model.schema)))
    features, raw = matrix(ordered.drop("raw"), model.schema), ordered["raw"].to_numpy()
    found = contributions(booster, features, raw)
    people = ordered.select("person_key", "as_of")
    wanted = model.capacity if capacity is None else capacity
    return ScoreBatch(
        model=name or model.force,
        as_of=dates[0],
        threshold=model.threshold,
        capacity=places(len(people), wanted),
        frame=people.with_columns(
            pl.Series("score", probability(raw)),
            *_chances(model, raw),
            raw=pl.Series(raw),
            rank=pl.Series(raw).rank("min", descending=True).cast(pl.Int64),
            above_threshold=pl.Series(raw >= model.threshold.raw),
        ).hstack(kind_of_concern(found.by_feature, model.words, only_alone=only_alone)),
        contributions=people.with_columns(pl.lit(found.base).alias("base")).hstack(
            pl.DataFrame(found.by_feature, schema=list(model.schema.names), orient="row")
        ),
        families=people.hstack(
            pl.DataFrame(
                by_family(found.by_feature, model.words), schema=list(families(model.words)), orient="row"
            )
        ),
        reasons=reasons(people, features, found, model.schema, model.words, top=top),
        descriptors=table.descriptors,
        words=model.words,
        fingerprint=table.fingerprint,
    )


def _chances(model: TrainedModel, raw: np.ndarray) -> list[pl.Series]:
    """chance, chance_low, chance_high of raw scores; null where nothing was calibrated or nobody can tell."""
    if model.calibration is None:
        return [pl.repeat(None, len(raw), dtype=pl.Float64, eager=True).alias(name) for name in CHANCES]
    return model.calibration.columns(raw - log_odds(model.base_rate)).select(CHANCES).get_columns()


def _by_raw_score(frame: pl.DataFrame, raw: np.ndarray) -> pl.DataFrame:
    return frame.with_columns(raw=pl.Series(raw)).sort("raw", "person_key", descending=[True, False])


def check_force_and_date(force: ForceDefinition, model: TrainedModel, as_of: date) -> None:
    """Refuse another force's model, and a date whose outcomes the model has learnt from."""
    if model.force != force.name:
        raise WrongUsage(
            f"the model was trained for force {model.force!r}, the records are of {force.name!r}. "
            f"Choose a model of {force.name}, or --force {model.force}."
        )
    if as_of < model.learnt_until:
        raise WrongUsage(
            f"--as-of {as_of}: the model has learnt what happened up to {model.learnt_until} and would be scoring its "
            f"own lessons. Score {model.learnt_until} or later, or train a model on earlier dates."
        )


def catalogue_of(force: ForceDefinition, model: TrainedModel) -> Catalogue:
    """The ideas the model was trained on, in its order.

    Raises:
        DataRefused: an idea is gone, has other windows, or is computed in another way than it was.
    """
    names = list(dict.fromkeys(column.idea for column in model.schema.columns))
    known = {idea.name: idea for idea in force.catalogue.ideas}
    ideas = [known[name] for name in names if name in known]
    columns = [column for idea in ideas for column in idea.columns]
    gone = [f"- {name}" for name in model.schema.names if name not in columns]
    come = [f"+ {name}" for name in columns if name not in model.schema.names]
    if gone or come:
        raise DataRefused(_other_columns("\n".join([*gone, *come])))
    catalogue = Catalogue(tuple(ideas))
    if changed := [
        f"~ {column}: {model.words[column].computed} was learnt, {describe_term(catalogue.idea_of(column).of)} is declared"
        for column in model.schema.names
        if model.words[column].computed != describe_term(catalogue.idea_of(column).of)
    ]:
        raise DataRefused(_other_columns("\n".join(changed)))
    return catalogue


def _other_columns(difference: str) -> str:
    return (
        "the features are not the ones the model was trained on (- expected, + found):\n"
        f"{difference}\n"
        "Score with the catalogue the model was trained with, or train and register a new model."
    )
