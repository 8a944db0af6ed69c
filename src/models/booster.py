"""The one door between feature tables and LightGBM.

LightGBM ends the whole process on a String or Date column, and predicts without a word on columns in
another order. So nothing is trained or scored but a matrix that came through `matrix`.
"""

from __future__ import annotations

import os
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from features.build import FeatureSchema
from features.errors import DataRefused

if TYPE_CHECKING:
    from lightgbm import Booster


def matrix(frame: pl.DataFrame, schema: FeatureSchema) -> np.ndarray:
    """The features of `frame` as float64 `[people, features]` in the schema's order; unknown is nan.

    Raises:
        DataRefused: a column is missing, unexpected, out of order or of another type.
    """
    if difference := schema.difference(frame):
        raise DataRefused(
            "the feature table is not the one the model was trained on:\n"
            f"{difference}\n"
            "Build the features with the catalogue the model was trained with, or train a new model."
        )
    numbers = frame.select(
        pl.when(pl.col(column.name) >= 0).then(pl.col(column.name))
        if column.kind == "category"
        else column.name
        for column in schema.columns
    )
    return numbers.cast(pl.Float64).to_numpy(order="fortran")


def import_lightgbm() -> ModuleType:
    """LightGBM, with threads that wait asleep.

    They spin by default; on two busy cores that made training thirty times slower. OpenMP reads the variable
    when it is loaded, so this must come before.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    import lightgbm

    return lightgbm


def read_booster(text: str, schema: FeatureSchema) -> Booster:
    """The LightGBM model of a text, checked to be a model over exactly these features.

    Raises:
        DataRefused: the text is no model, or a model of other features.
    """
    lightgbm = import_lightgbm()
    try:
        booster = lightgbm.Booster(model_str=text)
    except lightgbm.basic.LightGBMError as error:
        raise DataRefused(
            f"model.lgb.txt is not a LightGBM model: {error}. Train and register it again."
        ) from error
    if booster.feature_name() != list(schema.names):
        raise DataRefused(
            "model.lgb.txt and schema.json do not belong together: the features they name differ. "
            "Train and register the model again."
        )
    return booster


def raw_scores(booster: Booster, features: np.ndarray) -> np.ndarray:
    """Log-odds `[people]`."""
    return np.asarray(booster.predict(features, raw_score=True), dtype=np.float64)


def probability(raw: np.ndarray) -> np.ndarray:
    """Scores between 0 and 1 from log-odds.

    >>> probability(np.array([0.0, -1e9])).round(3).tolist()
    [0.5, 0.0]
    """
    return 1.0 / (1.0 + np.exp(np.clip(-raw, -700.0, 700.0)))


def log_odds(share: float) -> float:
    """The raw score of a share strictly between 0 and 1."""
    return float(np.log(share / (1.0 - share)))
