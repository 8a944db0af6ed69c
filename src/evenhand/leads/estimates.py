"""What the reviews of leads and samples say of everybody: base rate, precision and recall by batch.

For counting, not for reviewers: it rests on who was drawn by lot.
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
from evenhand.leads.tables import Batch
from models.sampling import CELL, DECIDED, LEAD, Estimates, estimates

ALL_BATCHES = "all"


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
