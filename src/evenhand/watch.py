"""What the monitor measures in a workspace: features, scores, cases and leads of a model, then and now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from evenhand.leads import audit
from evenhand.leads.review import outcomes
from features.build import build
from features.definition import ForceDefinition
from features.events import OCCURRED, Records, rows_of, stands_at
from features.specs import Peers
from models import registry, tracking
from models.booster import matrix, raw_scores, read_booster
from models.metrics import chance_of_listing
from models.monitoring import (
    Check,
    Limits,
    Monitored,
    Reference,
    confirmed_rates,
    drift,
    label_mix,
    take_reference,
    with_known,
)
from models.scoring import catalogue_of

if TYPE_CHECKING:
    from evenhand.leads.register import Register
    from evenhand.workspace import Workspace
    from features.specs import Catalogue
    from models.registry import RegisteredModel
    from models.trained import TrainedModel

YEAR = timedelta(days=365)
MONITOR = "monitor"  # who suspends
Mix = dict[str, dict[str, int]]


def reference_of(workspace: Workspace, model: TrainedModel, catalogue: Catalogue) -> Reference:
    """What a model learnt from in its last year, which holds every season once.

    How people stand beside each other jumps where ties break, though nothing drifts; so such a feature is only shown.
    What it is made of is watched.
    """
    last = max(model.trained_as_ofs)
    days = [day for day in model.trained_as_ofs if last - day < YEAR]
    gains = read_booster(model.booster, model.schema).feature_importance("gain")
    alone = [not isinstance(catalogue.idea_of(name).of, Peers) for name in model.schema.names]
    return take_reference(
        model.schema.names,
        np.asarray(gains, dtype=np.float64) * alone,
        ((day, *_met(workspace, model, catalogue, day)) for day in days),
        case_mix(workspace.force, workspace.accepted, before=model.labels_seen_by),
    )


def _met(
    workspace: Workspace, model: TrainedModel, catalogue: Catalogue, as_of: date
) -> tuple[np.ndarray, np.ndarray]:
    """Features and raw scores of the cohort on a date, in the model's order."""
    table = build(
        workspace.force, workspace.accepted, [as_of], catalogue=catalogue, schema=model.schema, store=workspace.store
    )  # fmt: skip
    features = matrix(table.frame, model.schema)
    return features, raw_scores(read_booster(model.booster, model.schema), features)


def case_mix(force: ForceDefinition, accepted: Records, *, before: date) -> Mix:
    """Cases about conduct in the year before a day, as known then: how many of each kind, by watched column."""
    instant = pl.lit(datetime.combine(before, time()), dtype=pl.Datetime("us"))
    recent = (pl.col(OCCURRED) >= instant - YEAR) & (pl.col(OCCURRED) < instant)
    columns = force.outcome.watched
    cases = (
        rows_of(accepted, force.outcome.cases).filter(stands_at(instant) & recent).select(columns).collect()
    )
    return {column: _tally(cases[column]) for column in columns}


def _tally(values: pl.Series) -> dict[str, int]:
    counted = values.cast(pl.String).fill_null("unknown").value_counts(sort=True)
    return dict(counted.iter_rows())


def drift_of(workspace: Workspace, registered: RegisteredModel, as_of: date) -> tuple[Check, ...]:
    """The checks of inputs and scores; none for a model that was registered without a reference."""
    reference = registry.reference_of(workspace.config.runs, registered)
    if reference is None:
        return ()
    model = registered.trained
    features, raw = _met(workspace, model, catalogue_of(workspace.force, model), as_of)
    return drift(reference, features, raw, limits_of(workspace))


def monitored(
    workspace: Workspace, register: Register | None, registered: RegisteredModel, as_of: date
) -> Monitored:
    """Everything that is watched, on a date.

    Args:
        register: None on a force that opens no leads.
    """
    limits = limits_of(workspace)
    reference = registry.reference_of(workspace.config.runs, registered)
    now = case_mix(workspace.force, workspace.accepted, before=as_of)
    mixed, mix = label_mix(reference.mix if reference else {}, now, limits)
    rated, rates = _rates(workspace, register, registered, as_of, limits)
    return Monitored(
        model=registered.title,
        as_of=as_of,
        checks=with_known(
            [*drift_of(workspace, registered, as_of), *mixed, *rated], known_to(workspace, register, registered)
        ),
        mix=mix,
        rates=rates,
    )  # fmt: skip


def known_to(
    workspace: Workspace, register: Register | None, registered: RegisteredModel
) -> dict[str, float]:
    """The breaches that a person knew of when they let this model score again."""
    if register is None:
        return {}
    return audit.known_breaches(register, force=workspace.force.name, model=registered.title)


def limits_of(workspace: Workspace) -> Limits:
    return Limits(**workspace.config.monitor.model_dump())


def _rates(
    workspace: Workspace, register: Register | None, registered: RegisteredModel, as_of: date, limits: Limits
) -> tuple[Sequence[Check], pl.DataFrame]:
    expected, of = _expected(workspace, registered)
    leads = pl.DataFrame(schema={"as_of": pl.Date, "outcome": pl.String})
    if register is not None:
        leads = outcomes(register).filter(
            pl.col("force") == workspace.force.name,
            pl.col("model") == registered.title,
            pl.col("kind") == "lead",
            pl.col("as_of") <= as_of,
        )
    return confirmed_rates(leads.select("as_of", "outcome"), expected=expected, of=of, limits=limits)


def _expected(workspace: Workspace, registered: RegisteredModel) -> tuple[float, float]:
    """How many of how many people on the model's own lists its backtest found confirmed."""
    backtest = tracking.read_backtest(workspace.config.runs, registered.run_id)
    backtest = backtest.at_capacity(workspace.config.review.capacity)

    def found() -> Iterator[tuple[float, float]]:
        for day in backtest.test_as_ofs:
            people = backtest.on(day)
            chance = chance_of_listing(people[backtest.methods[0]].to_numpy(), backtest.places_on(day))
            yield float(chance @ people["confirmed"].to_numpy()), float(chance.sum())

    confirmed, listed = zip(*found(), strict=True)
    return sum(confirmed), sum(listed)
