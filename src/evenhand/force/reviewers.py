"""Simulated reviewers: they decide leads late and not always rightly, from what was planted."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from evenhand.force.draws import Draws, Flags, Floats, Ints
from evenhand.force.kinds import KINDS
from evenhand.force.truth import planted
from features.errors import WrongUsage

# DOMAIN 2.4, simulator settings; the share left inconclusive and the delay are guesses.
CONFIRMED_THOUGH_INNOCENT = 0.05
WRONG_THOUGH_MISCONDUCT = 0.20
INCONCLUSIVE = 0.08
# DOMAIN 2.4: 0 to 10 points more trust in what was shown; the middle of it.
AUTOMATION_BIAS = 0.05
MEDIAN_DAYS, DAYS_SPREAD = 40.0, 0.8

ORDINARY_EXPLANATIONS = (
    "the supervisor had asked for the work; the order was found with the tour's notes",
    "a clerical slip, put right by the person when it was noticed",
    "the look-ups belonged to an incident whose number had not been entered",
    "the change was agreed with the planner by telephone and entered afterwards",
)
CONFIRMED = "the records and the account given do not fit; the concern stands"
UNCLEAR = "the records allow either reading and could not be settled"
ROUTES = {
    "confirmed": (("assessment", 0.65), ("supervisor", 0.85), ("prevention", 1.0)),
    "wrong": (("no_action", 0.75), ("welfare", 0.90), ("supervisor", 1.0)),
    "inconclusive": (("supervisor", 0.45), ("prevention", 0.70), ("no_action", 1.0)),
}
LEAD_COLUMNS = ("lead_id", "person_key", "as_of", "opened_at")


def review(
    data: Path, leads: pl.DataFrame, *, seed: int, now: datetime, automation_bias: float = AUTOMATION_BIAS
) -> pl.DataFrame:
    """The leads that simulated reviewers have decided before `now`; the others are still open.

    A lead's decision depends on the seed and the lead alone, so asking again later adds decisions and
    changes none.

    Args:
        data: the simulated force whose answer key the reviewers more or less find out.
        leads: [lead_id, person_key, as_of, opened_at], and, where reviewers see how high a lead was ranked,
            `shown`: its place from 0 (lowest) to 1 (highest).
        automation_bias: how much likelier a reviewer is to confirm the lead shown highest than one shown lowest,
            right or wrong.

    Returns:
        [lead_id, reviewed_at, outcome, explanation, route], in order of `reviewed_at`; `outcome` is
        `confirmed`, `wrong` (an innocent explanation was found) or `inconclusive`.

    Raises:
        WrongUsage: `data` is not a simulated force, or a column of `leads` is missing.
    """
    if missing := [name for name in LEAD_COLUMNS if name not in leads.columns]:
        raise WrongUsage(
            f"leads to review need the columns {', '.join(LEAD_COLUMNS)}; missing: {', '.join(missing)}."
        )
    known = planted(data, leads["as_of"].unique().to_list())
    shown = leads["shown"] if "shown" in leads.columns else pl.zeros(len(leads), eager=True)
    asked = leads.select(*LEAD_COLUMNS, shown.alias("shown")).join(
        known, on=["person_key", "as_of"], how="left", maintain_order="left"
    )
    draws, codes = Draws(seed), codes_of(asked["lead_id"])
    trust = automation_bias * asked["shown"].to_numpy()
    is_misconduct = (asked["planted"] == "misconduct").fill_null(False).to_numpy()
    outcome = decided(is_misconduct, trust, codes, draws).tolist()
    seconds = _days(codes, draws) * 86_400
    reviewed = asked.with_columns(
        pl.Series("outcome", outcome, dtype=pl.String()),
        _explanations(asked["lookalike"], outcome, draws.of_row(codes, "explanation")),
        _routes(outcome, draws.of_row(codes, "route")),
        pl.Series("seconds", seconds.astype(np.int64)),
    ).with_columns(
        reviewed_at=pl.col("opened_at").cast(pl.Datetime("us")) + pl.duration(seconds=pl.col("seconds"))
    )
    return (
        reviewed.filter(pl.col("reviewed_at") < now)
        .select("lead_id", "reviewed_at", "outcome", "explanation", "route")
        .sort("reviewed_at", "lead_id")
    )


def codes_of(lead_ids: pl.Series) -> Ints:
    """A number for each lead that does not hang on its place in the list."""
    digests = (hashlib.sha256(str(lead).encode()).digest() for lead in lead_ids)
    return np.array([int.from_bytes(digest[:7], "little") for digest in digests], np.int64)


def decided(
    is_misconduct: Flags,
    trust: Floats,
    codes: Ints,
    draws: Draws,
    *,
    confirmed_though_innocent: float = CONFIRMED_THOUGH_INNOCENT,
    wrong_though_misconduct: float = WRONG_THOUGH_MISCONDUCT,
) -> NDArray[np.str_]:
    """What reviewers who err find of each: `confirmed`, `wrong` or `inconclusive`.

    Args:
        trust: how much likelier than usual each is confirmed, right or wrong.
        codes: a number that names each review; with the draws it decides the outcome.
    """
    errs = draws.of_row(codes, "error") < np.where(
        is_misconduct, wrong_though_misconduct - trust, confirmed_though_innocent + trust
    )
    unclear = draws.of_row(codes, "unclear") < INCONCLUSIVE
    return np.where(unclear, "inconclusive", np.where(is_misconduct ^ errs, "confirmed", "wrong"))


def _days(codes: Ints, draws: Draws) -> Floats:
    """Weeks to months: lognormal, by the Box-Muller transform of two of the lead's own draws."""
    one, other = draws.of_row(codes, "delay"), draws.of_row(codes, "delay, other")
    normal = np.sqrt(-2 * np.log1p(-one)) * np.cos(2 * np.pi * other)
    return 3 + MEDIAN_DAYS * np.exp(DAYS_SPREAD * normal)


def _explanations(lookalike: pl.Series, outcome: list[str], draw: Floats) -> pl.Series:
    """The look-alike's own explanation where the person bears one, else an ordinary one."""
    ordinary = pl.Series(ORDINARY_EXPLANATIONS).gather(
        pl.Series((draw * len(ORDINARY_EXPLANATIONS)).astype(np.uint32))
    )
    own = lookalike.list.first().replace_strict(KINDS, default=None, return_dtype=pl.String())
    text = pl.DataFrame(
        {"outcome": pl.Series(outcome, dtype=pl.String()), "innocent": own.fill_null(ordinary)}
    ).select(
        explanation=pl.when(pl.col("outcome") == "confirmed")
        .then(pl.lit(CONFIRMED))
        .when(pl.col("outcome") == "inconclusive")
        .then(pl.lit(UNCLEAR))
        .otherwise(pl.col("innocent"))
    )
    return text["explanation"]


def _routes(outcome: list[str], draw: Floats) -> pl.Series:
    chosen = [
        next(route for route, edge in ROUTES[decision] if chance < edge)
        for decision, chance in zip(outcome, draw, strict=True)
    ]
    return pl.Series("route", chosen, dtype=pl.String())
