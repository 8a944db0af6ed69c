"""Every person's exact contributions, ours and LightGBM's own, for a large model and for one of our size.

    python -m benchmarks.contributions [PEOPLE [ROUNDS]]

`ours` is what scoring runs: quadrature, the first rows against LightGBM, and whether all rows add up. `quadrature`
is the first of these alone.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from benchmarks.measure import Measured, in_turns, once, told
from models.booster import import_lightgbm, raw_scores
from models.ranker import Params

if TYPE_CHECKING:
    from lightgbm import Booster

SEED, ROUNDS = 7, 3
# LightGBM's own takes minutes.
SLOW = {"pred_contrib": 1}
LARGE = (150, Params(rounds=500, leaves=63, learning_rate=0.05, feature_share=1.0, l2_share=0.0))
OF_OUR_SIZE = (242, Params())
SAME_WITHIN = 1e-9


def people(n_people: int, n_features: int) -> np.ndarray:
    """Counts, amounts and shares, a tenth of them unknown: float64 [people, features]."""
    rng = np.random.default_rng(SEED)
    rows = rng.normal(size=(n_people, n_features))
    rows[:, ::3] = rng.poisson(2, rows[:, ::3].shape)
    rows[:, 1::3] = np.exp(rows[:, 1::3])
    rows[rng.random(rows.shape) < 0.1] = np.nan
    return np.asfortranarray(rows)


def written(folder: Path, n_people: int, n_features: int, params: Params) -> None:
    """A model and the people it was trained on."""
    rows = people(n_people, n_features)
    rng = np.random.default_rng(SEED)
    known = np.nan_to_num(rows)
    tells = known @ rng.normal(size=n_features) + 3 * known[:, 0] * known[:, -1]
    noise = rng.logistic(size=n_people)
    labels = (tells + tells.std() * noise > np.quantile(tells, 0.9)).astype(float)
    lightgbm = import_lightgbm()
    booster = lightgbm.train(params.for_lightgbm(labels), lightgbm.Dataset(rows, labels), params.rounds)
    booster.save_model(folder / "model.txt")
    np.save(folder / "rows.npy", rows)


def ours(booster: Booster, rows: np.ndarray, raw: np.ndarray) -> np.ndarray:
    from models.explain import contributions

    return contributions(booster, rows, raw).by_feature


def by_quadrature(booster: Booster, rows: np.ndarray, raw: np.ndarray) -> np.ndarray:
    from models.quadrature import contributions, lay_out
    from models.trees import read_trees

    return contributions(lay_out(read_trees(booster)), rows, threads=pl.thread_pool_size())


def pred_contrib(booster: Booster, rows: np.ndarray, raw: np.ndarray) -> np.ndarray:
    return np.asarray(booster.predict(rows, pred_contrib=True))[:, :-1]


WAYS: dict[str, Callable[[Booster, np.ndarray, np.ndarray], np.ndarray]] = {
    "ours": ours,
    "quadrature": by_quadrature,
    "pred_contrib": pred_contrib,
}


def explain(way: str, folder: Path) -> None:
    """Print what it takes to find everybody's contributions and write them down, the raw scores being known."""
    rows = np.load(folder / "rows.npy")
    booster = import_lightgbm().Booster(model_file=folder / "model.txt")
    raw = raw_scores(booster, rows)
    once(
        lambda: np.save(folder / f"{way}.npy", WAYS[way](booster, rows, raw)),
        ["models.explain", "models.quadrature"],
    )


def run(folder: Path, n_people: int, n_features: int, params: Params, rounds: int) -> list[Measured]:
    """Each way's best time, once all are found to say the same."""
    written(folder, n_people, n_features, params)
    times = {way: min(rounds, SLOW.get(way, rounds)) for way in WAYS}
    measured = in_turns("benchmarks.contributions", list(WAYS), ["run", str(folder)], times)
    apart = furthest_apart(folder)
    assert apart <= SAME_WITHIN, f"the ways differ by {apart:.1e}"
    return measured


def furthest_apart(folder: Path) -> float:
    """The largest difference of any contribution from LightGBM's own."""
    reference = np.load(folder / "pred_contrib.npy")
    return max(float(np.abs(np.load(folder / f"{way}.npy") - reference).max()) for way in WAYS)


def main(n_people: int = 46_000, rounds: int = ROUNDS) -> None:
    """Both models."""
    for n_features, params in (LARGE, OF_OUR_SIZE):
        title = f"{n_people:,} people, {n_features} features, {params.rounds} trees of {params.leaves} leaves"
        with tempfile.TemporaryDirectory() as folder:
            measured = run(Path(folder), n_people, n_features, params, rounds)
            told(f"contributions of {title}", measured, "ours")
            print(f"  at most {furthest_apart(Path(folder)):.0e} apart")


if __name__ == "__main__":
    match sys.argv[1:]:
        case [way, "run", folder]:
            explain(way, Path(folder))
        case sizes:
            main(*map(int, sizes))
