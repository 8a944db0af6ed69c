"""How often intervals from review samples cover the truth, on populations whose truth is known.

A population is drawn: who misconducted themself, a model's score and, apart from it, another method's. Leads
are the highest scores, samples are drawn beside them by `models.sampling.draw`, simulated reviewers decide.
The truth is the rate behind the people there are: the mean of each one's chance given both scores. How often
the very share of these people is covered stands beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

import numpy as np
import polars as pl

from evenhand.force.draws import Draws
from evenhand.force.reviewers import CONFIRMED_THOUGH_INNOCENT, WRONG_THOUGH_MISCONDUCT, decided
from models.sampling import LEAD, NO_ERRORS, Cells, ReviewErrors, Sizes, draw, rate, recall

CAPACITY, WIDER = 0.01, 0.05  # of everyone
OTHER_SEPARATION = 1.0
TOLD = ReviewErrors(
    confirmed_though_innocent=CONFIRMED_THOUGH_INNOCENT, wrong_though_misconduct=WRONG_THOUGH_MISCONDUCT
)
REVIEWERS = {"who never err": NO_ERRORS, "who err as told": TOLD}
LISTS = ("leads", "wider", "other")
MEASURES = ("base rate", *(f"{what} of the {which}" for which in LISTS for what in ("precision", "recall")))
Limits = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One kind of population and how it is sampled.

    Attributes:
        separation: by how many standard deviations the score of those who misconduct themselves is higher.
    """

    people: int
    base_rate: float
    separation: float
    sizes: Sizes

    @property
    def name(self) -> str:
        kind = "informative" if self.separation > 1 else "weak"
        return f"{self.people} people, base rate {self.base_rate:.1%}, {kind} score"


SCENES = {
    scene.name: scene
    for people, sizes in (
        (46_000, Sizes(random=300, by_band=100)),
        (10_000, Sizes(random=150, by_band=50)),
    )
    for base_rate in (0.005, 0.01, 0.02, 0.05)
    for separation in (2.0, 0.7)
    for scene in [Scene(people=people, base_rate=base_rate, separation=separation, sizes=sizes)]
}


def coverage(scene: Scene, *, replicates: int, seed: int) -> dict[str, dict[str, dict[str, float]]]:
    """By reviewers and measure: how often the interval covers the rate (`covers`) and the share of these very
    people (`covers_share`), how often the naive one covers the rate (`naive`), and its mean width."""
    rngs = np.random.default_rng(seed).spawn(replicates)
    found: dict[str, dict[str, dict[str, float]]] = {}
    drawn = [_replicate(scene, rng) for rng in rngs]
    rates = np.array([each.rates for each in drawn])
    shares = np.array([each.shares for each in drawn])
    for reviewers, errors in REVIEWERS.items():
        counts = {
            which: Cells(
                people=np.array([each.counts[reviewers, which].people for each in drawn]),
                decided=np.array([each.counts[reviewers, which].decided for each in drawn]),
                confirmed=np.array([each.counts[reviewers, which].confirmed for each in drawn]),
                listed=drawn[0].counts[reviewers, which].listed,
            )
            for which in LISTS
        }
        found[reviewers] = {
            measure: {
                "covers": _covered(limits, rates[:, place]),
                "covers_share": _covered(limits, shares[:, place]),
                "naive": _covered(naive, rates[:, place]),
                "width": float(np.mean(limits[1] - limits[0])),
            }
            for place, (measure, limits, naive) in enumerate(_limits(counts, errors))
        }
    return found


def _covered(limits: Limits, truth: np.ndarray) -> float:
    return float(np.mean((limits[0] <= truth) & (truth <= limits[1])))


def _limits(counts: Mapping[str, Cells], errors: ReviewErrors) -> Iterator[tuple[str, Limits, Limits]]:
    """Each measure in order, with its limits and the naive ones, for all replicates at once."""
    yield (
        "base rate",
        rate(counts["leads"], errors)[1:],
        rate(_reviewed_leads(counts["leads"], of_all=False, listed=False), errors)[1:],
    )
    for which in LISTS:
        cells = counts[which]
        yield (
            f"precision of the {which}",
            rate(cells.only(cells.listed), errors)[1:],
            rate(_reviewed_leads(cells, of_all=False, listed=True), errors)[1:],
        )
        yield (
            f"recall of the {which}",
            recall(cells, errors)[1:],
            rate(_reviewed_leads(cells, of_all=True, listed=True))[1:],
        )


def _reviewed_leads(cells: Cells, *, of_all: bool, listed: bool) -> Cells:
    """The reviewed leads as one cell, as if there were nobody else.

    Args:
        of_all: count confirmed ones on the list among all confirmed ones, else among those decided.
        listed: only those on the list.
    """
    lead = _is_lead()
    some = lead & cells.listed if listed else lead
    confirmed = cells.confirmed[..., some].sum(axis=-1, keepdims=True)
    among = cells.confirmed[..., lead] if of_all else cells.decided[..., some]
    total = among.sum(axis=-1, keepdims=True)
    return Cells(people=np.ones_like(total), decided=total, confirmed=confirmed, listed=np.array([True]))


@dataclass(frozen=True, eq=False)
class _Replicate:
    """Of one population: the truth of each measure, and counts by reviewers and list."""

    rates: list[float]
    shares: list[float]
    counts: Mapping[tuple[str, str], Cells]


def _replicate(scene: Scene, rng: np.random.Generator) -> _Replicate:
    n = scene.people
    misconduct = rng.random(n) < scene.base_rate
    score, other = (
        rng.standard_normal(n) + separation * misconduct
        for separation in (scene.separation, OTHER_SEPARATION)
    )
    chance = _chance(scene, score, other)
    lists = {
        "leads": _highest(score, CAPACITY),
        "wider": _highest(score, WIDER),
        "other": _highest(other, WIDER),
    }
    design = draw(
        pl.DataFrame({"person_key": np.arange(n), "score": score}),
        np.flatnonzero(lists["leads"]).tolist(),
        scene.sizes,
        [int(rng.integers(2**31))],
    )
    stratum = (
        design["stratum"].replace_strict({name: place for place, name in enumerate(_strata())}).to_numpy()
    )
    reviewed = np.flatnonzero(design["reviewed"].to_numpy())
    draws = Draws(int(rng.integers(2**31)))
    counts = {}
    for reviewers, errors in REVIEWERS.items():
        outcome = decided(misconduct[reviewed], np.zeros(len(reviewed)), reviewed, draws, **asdict(errors))
        for which, listed in lists.items():
            cell = 2 * stratum + listed
            counts[reviewers, which] = Cells(
                people=np.bincount(cell, minlength=2 * len(_strata())),
                decided=np.bincount(cell[reviewed], outcome != "inconclusive", minlength=2 * len(_strata())),
                confirmed=np.bincount(cell[reviewed], outcome == "confirmed", minlength=2 * len(_strata())),
                listed=np.arange(2 * len(_strata())) % 2 == 1,
            )
    return _Replicate(_truth(chance, lists), _truth(misconduct, lists), counts)


def _strata() -> tuple[str, ...]:
    return (LEAD, "band 1", "band 2", "band 3")


def _is_lead() -> np.ndarray:
    return np.arange(2 * len(_strata())) // 2 == 0


def _chance(scene: Scene, score: np.ndarray, other: np.ndarray) -> np.ndarray:
    """How likely misconduct is given both scores, which are normal and apart from each other given it."""
    log_odds = np.log(scene.base_rate / (1 - scene.base_rate))
    for value, separation in ((score, scene.separation), (other, OTHER_SEPARATION)):
        log_odds = log_odds + separation * value - separation**2 / 2
    return 1 / (1 + np.exp(-log_odds))


def _highest(score: np.ndarray, share: float) -> np.ndarray:
    highest = np.zeros(len(score), bool)
    highest[np.argsort(-score)[: round(share * len(score))]] = True
    return highest


def _truth(of_kind: np.ndarray, lists: Mapping[str, np.ndarray]) -> list[float]:
    """Base rate, then precision and recall of each list."""
    by_list = [
        value
        for which in LISTS
        for value in (of_kind[lists[which]].mean(), of_kind[lists[which]].sum() / max(of_kind.sum(), 1e-12))
    ]
    return [float(value) for value in (of_kind.mean(), *by_list)]
