"""What the reviews say: of everybody by leads and samples (base rate, precision, recall), and of leads by kind of concern.

For counting, not for reviewers: it tells leads from those who were drawn by lot.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from html import escape

import polars as pl
from sqlalchemy import select

from evenhand.leads.register import Register
from evenhand.leads.review import outcomes
from evenhand.leads.tables import OUTCOMES, Batch
from models.metrics import wilson
from models.sampling import CELL, DECIDED, LEAD, Estimates, estimates

ALL_BATCHES = "all"
# Of fewer decided leads nobody can tell what share is confirmed.
DECIDED_TO_TELL = 10
NOT_NAMED = "not named"


@dataclass(frozen=True, eq=False)
class SampleEstimates:
    """Estimates of each batch of which something was decided, and of all of them together (first).

    Attributes:
        by_batch: batch, as_of (None for all together), model, and the estimates.
    """

    by_batch: Sequence[tuple[str, date | None, str, Estimates]]

    def frame(self) -> pl.DataFrame:
        """One row a batch and measure: batch, as_of, model, measure, the estimate with its interval, the naive one beside it."""
        return pl.DataFrame(
            [
                {"batch": batch, "as_of": as_of, "model": model, **row}
                for batch, as_of, model, found in self.by_batch
                for row in found.rows()
            ],
            schema_overrides={"as_of": pl.Date, "estimate": pl.Float64, "naive": pl.Float64},
        )

    @property
    def says(self) -> str:
        together = self.by_batch[0][-1]
        return (
            f"{together.says} Naive: as if the reviewed leads were all there is. An estimate is empty where a "
            "stratum has no decided review."
        )

    def _repr_html_(self) -> str:
        return f"<p>{escape(self.says)}</p>{self.frame()._repr_html_()}"


def sample_estimates(
    register: Register, *, force: str, known_before: datetime | None = None
) -> SampleEstimates | None:
    """What reviews made before an instant (all where None) say of the batches of a force.

    All batches together are weighed as one: people, decided and confirmed of a stratum are summed over them.
    None where no batch that drew samples has a decided review.
    """
    cells = _cells(register, force=force, known_before=known_before)
    if cells.is_empty():
        return None
    named = [
        (str(batch), as_of, model, estimates(of_batch))
        for (batch, as_of, model), of_batch in cells.group_by("batch", "as_of", "model", maintain_order=True)
    ]
    together = cells.group_by("stratum", "listed").agg(pl.col("people", "decided", "confirmed").sum())
    models = cells["model"].unique(maintain_order=True).to_list()
    everything = (ALL_BATCHES, None, ", ".join(models), estimates(together.select(CELL).sort("stratum")))
    return SampleEstimates([everything, *named])


def _cells(register: Register, *, force: str, known_before: datetime | None) -> pl.DataFrame:
    """batch, as_of, model and the columns of a cell, a row a stratum of each batch with a decided review."""
    with register.reading() as session:
        batches = session.scalars(
            select(Batch).where(Batch.force == force).order_by(Batch.as_of, Batch.id)
        ).all()
        strata = [
            (batch.id, batch.as_of, batch.model, stratum, people)
            for batch in batches
            for stratum, people in sorted((batch.strata or {}).items())
        ]
    reviewed = (
        outcomes(register, known_before=known_before)
        .group_by("batch", "stratum")
        .agg(
            decided=pl.col("outcome").is_in(DECIDED).sum(),
            confirmed=(pl.col("outcome") == "confirmed").sum(),
        )
    )
    schema = {
        "batch": pl.String, "as_of": pl.Date, "model": pl.String, "stratum": pl.String, "people": pl.Int64
    }  # fmt: skip
    return (
        pl.DataFrame(strata, schema=schema, orient="row")
        .join(reviewed, on=["batch", "stratum"], how="left", maintain_order="left")
        .with_columns(pl.col("decided", "confirmed").fill_null(0), listed=pl.col("stratum") == LEAD)
        .filter(pl.col("decided").sum().over("batch") > 0)
        .select("batch", "as_of", "model", *CELL)
    )


CONCERNS = pl.Schema(
    {
        "concern": pl.String(), "leads": pl.Int64(), "confirmed": pl.Int64(), "wrong": pl.Int64(),
        "inconclusive": pl.Int64(), "open": pl.Int64(), "share": pl.Float64(), "low": pl.Float64(), "high": pl.Float64(),
    }
)  # fmt: skip


def by_concern(register: Register, *, force: str, known_before: datetime | None = None) -> pl.DataFrame:
    """What became of the leads of a force, by the kind of conduct each is mostly about; samples have no part in it.

    Args:
        known_before: only batches and reviews made before this instant; all of them where None.

    Returns:
        A row a kind, that of most leads first: `concern` (in the words of its latest batch), how many `leads` were
        opened, and of these `confirmed`, `wrong`, `inconclusive` and `open`. `share` is that of the confirmed among
        confirmed and wrong with Wilson's 95 % interval `low` to `high`; null where fewer than `DECIDED_TO_TELL` are
        decided, for nobody can tell.
    """
    with register.reading() as session:
        batches = session.scalars(
            select(Batch).where(Batch.force == force).order_by(Batch.scored_at, Batch.id)
        )
        words = {code: says for batch in batches for code, says in (batch.typologies or {}).items()}
    leads = outcomes(register, known_before=known_before).filter(
        pl.col("force") == force, pl.col("kind") == "lead"
    )
    counted = (
        leads.with_columns(pl.col("concern").replace(words).fill_null(NOT_NAMED))
        .group_by("concern")
        .agg(
            pl.len().cast(pl.Int64).alias("leads"),
            *((pl.col("outcome") == name).sum().cast(pl.Int64).alias(name) for name in (*OUTCOMES, "open")),
        )
        .sort("leads", "concern", descending=[True, False])
    )
    rows = [{**row, **_confirmed_share(row["confirmed"], row["wrong"])} for row in counted.to_dicts()]
    return pl.DataFrame(rows, schema=CONCERNS)


def _confirmed_share(confirmed: int, wrong: int) -> dict[str, float | None]:
    decided = confirmed + wrong
    if decided < DECIDED_TO_TELL:
        return {"share": None, "low": None, "high": None}
    interval = wilson(confirmed, decided)
    return {"share": confirmed / decided, "low": interval.low, "high": interval.high}
