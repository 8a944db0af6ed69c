"""How far innocent explanations raise a naive score, and how far comparable people take that back.

Two simulated forces with one seed are the same person by person, but for one explanation that one of them has.
So what it does to the scores of those whom it concerns is a difference within each person.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from features.build import build
from features.catalogue.uk import CATALOGUE
from features.catalogue.uk.events import ACCESS, CLAIM, EVERY_ALLEGATION, ROSTER_CHANGE, TOUR
from features.definition import ForceDefinition
from features.events import Records
from features.specs import Aggregate, Catalogue, Events, Idea, Peers, Product, count, total
from features.tables.uk import OTHER_ABSENCE, SICKNESS_SPELL

ALL_SPELLS = Events(name="all_spells", table=SICKNESS_SPELL, says="a spell of sickness of whatever cause")
ALL_ABSENCES = Events(name="all_absences", table=OTHER_ABSENCE, says="an absence of whatever kind")
SPELLS = count(ALL_SPELLS)
YEAR = 365


def _naive(name: str, of: Aggregate | Product) -> Idea:
    return Idea(name=name, says=name, of=of, windows=(YEAR,), unit="", family="", research="confounding")


# What a tool counts that asks no further: no exposure, no role, no reason, and sickness as it stands. It is
# written to be wrong, so it lives in this study and in no catalogue.
NAIVE = Catalogue(
    (
        _naive("changes", count(ROSTER_CHANGE)),
        _naive("changes under the own log-on", count(ROSTER_CHANGE, pl.col("own"))),
        _naive("changes after the tour", count(ROSTER_CHANGE, pl.col("after_start"))),
        _naive("overtime", total(CLAIM, "minutes")),
        _naive("rest-day working", count(TOUR, pl.col("rest_day"))),
        _naive("late claims", count(CLAIM, pl.col("known_at") >= pl.col("pay_closes_at"))),
        _naive("searches", count(ACCESS, pl.col("action") == "SEARCH")),
        _naive("searches without an incident", count(ACCESS, pl.col("linked_incident_id").is_null())),
        _naive("uses off duty", count(ACCESS, ~pl.col("on_duty"))),
        _naive("complaints", count(EVERY_ALLEGATION)),
        _naive(
            "Bradford factor", Product(left=Product(left=SPELLS, right=SPELLS), right=total(ALL_SPELLS, "hours_lost"))
        ),
        _naive("absences", count(ALL_ABSENCES)),
    )
)  # fmt: skip
ADJUSTED = Catalogue(
    tuple(
        idea
        for idea in CATALOGUE.ordinary().ideas
        if isinstance(idea.of, Peers) and idea.of.how == "robust_z"
    )
)


def scores(force: ForceDefinition, accepted: Records, as_of: date) -> pl.DataFrame:
    """[person_key, naive, adjusted]: each person's place among all at a date, 0 to 100.

    A score is the column in which somebody stands out most, in spreads from the middle: of everybody for the
    naive score, of comparable people for the adjusted one. So do systems flag that raise an alarm wherever one
    count is high.
    """
    naive = build(force, accepted, [as_of], catalogue=NAIVE).frame
    adjusted = build(force, accepted, [as_of], catalogue=ADJUSTED).frame
    spreads = [
        (pl.col(name) - pl.col(name).mean()) / pl.max_horizontal(pl.col(name).std(), 1e-9)
        for name in NAIVE.columns
    ]
    one = naive.select("person_key", naive=_place(spreads))
    other = adjusted.select("person_key", adjusted=_place([pl.col(name) for name in ADJUSTED.columns]))
    return one.join(other, on="person_key")


def _place(columns: list[pl.Expr]) -> pl.Expr:
    known = [column.fill_nan(None).fill_null(0.0) for column in columns]
    score = pl.max_horizontal(known)
    return (score.rank("average") - 0.5) / pl.len() * 100


def raised(with_it: pl.DataFrame, without: pl.DataFrame, bearers: pl.Series) -> dict[str, float]:
    """By how many places of a hundred an explanation moves the people it concerns, under either score.

    Args:
        with_it, without: from `scores`, of the force with the explanation and of the one with none.
        bearers: whom it concerns.
    """
    both = with_it.join(without, on="person_key", suffix="_without").filter(
        pl.col("person_key").is_in(bearers.unique().implode())
    )
    return {
        "bearers": len(both),
        "naive": float(np.sum((both["naive"] - both["naive_without"]).to_numpy())),
        "adjusted": float(np.sum((both["adjusted"] - both["adjusted_without"]).to_numpy())),
    }


def bearers_of(data: Path, kind: str, as_of: date) -> pl.Series:
    """Whom an explanation concerned in the year before a date, from the answer key of a simulated force."""
    from evenhand.force.truth import planted

    people = planted(data, [as_of])
    return people.filter(pl.col("lookalike").list.contains(kind))["person_key"]
