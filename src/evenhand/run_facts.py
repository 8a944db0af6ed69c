"""What a run tells its model card: every figure measured once, kept with the run, and read back for the card."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import polars as pl

from evenhand.governance.facts import features_of, tables_of
from evenhand.governance.records import Records
from features.account import Account
from features.definition import ForceDefinition
from features.specs import Catalogue
from models.backtest import Backtest, Line
from models.calibration import Calibration
from models.experiment import Experiment, live_counts
from models.incidence import Incidence
from models.metrics import Basis, chance_of_listing, wilson
from models.registry import RegisteredModel
from models.research import StudyResult

LIBRARIES = ("lightgbm", "polars", "great-expectations", "mlflow", "scikit-learn")
NOT_SIMULATED = {
    "because": "who is an innocent look-alike is known in a simulation only; on real records, from reviews"
}

NOT_CALIBRATED = {
    "because": "the model is older than the measurement; train anew, or repeat the run, to have them"
}

LABELS = {
    "settled": "findings on dates that were settled, of people none of whose cases was open",
    "expected": "findings on dates whose horizon had passed, and for cases still open the share of past cases like "
    "them that were confirmed",
}


def facts_of_run(
    force: ForceDefinition,
    experiment: Experiment,
    account: Account,
    *,
    run_id: str,
    started_ms: int,
    catalogue: Catalogue,
    planted: pl.DataFrame | None,
    health: StudyResult | None,
    incidence: Incidence,
    findings_made: pl.DataFrame,
) -> dict[str, Any]:
    """Everything about a run that its card will say and that does not change afterwards, ready for JSON.

    Args:
        planted: person_key, as_of, planted, lookalike (a list of kinds), in a simulation.
        health: the same run with and without health features, where the model has them.
        incidence: how cases ended, as far as the model may know.
        findings_made: as_of, cases, made, of the dates learnt from and tested on.
    """
    model, backtest = experiment.model, experiment.backtest
    return {
        "force": force.title,
        "simulated": force.use == "simulated",
        "details": {
            "kind": f"LightGBM, {model.params['rounds']} trees of {model.params['leaves']} leaves, ranked by log-odds",
            "run": run_id,
            "trained_at": datetime.fromtimestamp(started_ms / 1000, UTC).replace(tzinfo=None).isoformat(timespec="seconds"),
            "sha256": model.fingerprint,
            "parameters": dict(model.params),
            "libraries": {name: version(name) for name in LIBRARIES},
            "promotable": model.promotable,
        },
        "listing": {
            "threshold": model.threshold.score,
            "says": model.threshold.says,
            "capacity": backtest.places_on(backtest.test_as_ofs[-1]),
        },
        "figures": [*_counts(experiment.lines), *_rates(experiment)],
        "evaluation": {
            "cohort": force.cohort.says,
            "outcome": force.outcome.says,
            "horizon_months": model.horizon_months,
            "settle_months": model.settle_months,
            "dates": [_test_date(backtest, day) for day in backtest.test_as_ofs],
            "time_to_finding": {
                "cases": incidence.cases,
                "endings": incidence.frame().to_dicts(),
                "dates": findings_made.with_columns(pl.col("as_of").cast(pl.String)).to_dicts(),
            },
        },
        "training": {
            "as_ofs": [day.isoformat() for day in model.trained_as_ofs],
            "labels": LABELS[str(model.params["labels"])],
            "labels_seen_by": model.labels_seen_by.isoformat(),
            "rows": model.rows,
            "confirmed": model.confirmed,
            "fingerprints": dict(model.fingerprints),
            "tables": list(tables_of(force, account)),
        },
        "features": list(features_of(force, model.schema.names, catalogue)),
        "factors": {
            "descriptors": list(force.cohort.descriptors),
            "audit_attributes": list(force.audit_attributes),
        },
        "lookalikes": _lookalikes(backtest, planted) if planted is not None else NOT_SIMULATED,
        "chances": NOT_CALIBRATED if model.calibration is None else _chances(model.calibration),
        "health": None if health is None else _with_and_without(health),
        "caveats": _caveats(force, experiment),
    }  # fmt: skip


def complete(
    facts: Mapping[str, Any],
    registered: RegisteredModel,
    records: Records,
    reviews: pl.DataFrame | None,
    *,
    written_at: datetime,
) -> dict[str, Any]:
    """A run's facts with what is known only when the card is asked for: version, records, live reviews."""
    return {
        "chances": NOT_CALIBRATED,  # of runs kept before chances were
        **facts,
        "written_at": written_at,
        "details": {**facts["details"], "name": registered.name, "version": str(registered.version)},
        "figures": [*facts["figures"], *([] if reviews is None else _live(registered.title, reviews))],
        "records": records,
    }


def _figure(
    method: str, basis: str, name: str, value: float | None, as_of: object, **more: float | None
) -> dict[str, Any]:
    return {
        "method": method, "basis": str(basis), "name": name, "value": value, "low": None, "high": None, "k": None, "n": None,
        "as_of": "all" if as_of is None else str(as_of), **more,
    }  # fmt: skip


def _counts(lines: Iterable[Line]) -> list[dict[str, Any]]:
    """Each line's counts, and the share of its first with Wilson's interval."""
    figures = []
    for line in lines:
        basis, listed = line.counts.basis, line.counts.listed
        for name, value in line.counts.metrics().items():
            figures.append(
                _figure(
                    line.method, basis, name.removeprefix(f"{basis}."), value, line.as_of, k=listed, n=listed
                )
            )
        first = next(iter(line.counts.metrics())).removeprefix(f"{basis}.").removeprefix("leads_")
        share = line.share if listed else None
        figures.append(
            _figure(
                line.method, basis, f"share_{first}", share, line.as_of,
                low=line.interval.low if listed else None, high=line.interval.high if listed else None, k=listed, n=listed,
            )
        )  # fmt: skip
    return figures


def _rates(experiment: Experiment) -> list[dict[str, Any]]:
    backtest = experiment.backtest
    people = {day: len(backtest.on(day)) for day in backtest.test_as_ofs}
    return [
        _figure(
            row["method"], Basis.BACKTEST, row["measure"], row["value"], row["as_of"],
            low=row["low"], high=row["high"], n=people[row["as_of"]] if row["as_of"] else sum(people.values()),
        )
        for row in experiment.performance.drop_nulls(["value", "low", "high"]).iter_rows(named=True)
    ]  # fmt: skip


def _live(model: str, reviews: pl.DataFrame) -> list[dict[str, Any]]:
    counts = live_counts(reviews)
    return [
        _figure(model, Basis.LIVE, name.removeprefix("live."), value, None, k=counts.listed, n=counts.listed)
        for name, value in counts.metrics().items()
    ]


def _test_date(backtest: Backtest, day: Any) -> dict[str, Any]:
    people = backtest.on(day)
    confirmed = int(people["confirmed"].sum())
    unsettled = int(
        people.select((~pl.col("confirmed") & (pl.col("pending") | ~pl.col("settled"))).sum()).item()
    )
    return {
        "as_of": day.isoformat(), "cohort": people.height, "confirmed": confirmed, "unsettled": unsettled,
        "not_confirmed": people.height - confirmed - unsettled,
    }  # fmt: skip


def _lookalikes(backtest: Backtest, planted: pl.DataFrame) -> list[dict[str, Any]]:
    """By kind, how many innocent look-alikes there were on the test dates and how many LightGBM listed."""
    chances = pl.concat(
        people.select("person_key", "as_of").with_columns(
            listed=pl.Series(chance_of_listing(people["lightgbm"].to_numpy(), backtest.places_on(day)))
        )
        for day in backtest.test_as_ofs
        for people in [backtest.on(day)]
    )
    innocent = planted.filter(pl.col("planted") == "lookalike")
    by_kind = (
        chances.join(innocent.explode("lookalike"), on=["person_key", "as_of"])
        .group_by(kind="lookalike")
        .agg(people=pl.len(), listed=pl.col("listed").sum())
        .sort("kind")
    )
    return [
        {**row, "low": interval.low, "high": interval.high}
        for row in by_kind.iter_rows(named=True)
        for interval in [wilson(row["listed"], row["people"])]
    ]


def _chances(calibration: Calibration) -> dict[str, Any]:
    stored = calibration.to_dict()
    return {
        "says": calibration.says,
        "chosen": calibration.chosen,
        "left_out": calibration.left_out,
        "bins": calibration.frame().to_dicts(),
        "errors": [{"name": name, **measure} for name, measure in stored["errors"].items()],
        "error_by_chance": calibration.error_by_chance,
    }


def _with_and_without(study: StudyResult) -> dict[str, Any]:
    figures = {ranking.rsplit("/", 1)[0]: _counts(lines) for ranking, lines in study.comparison.lines.items()}
    return {"with_health": figures["with"], "without_health": figures["without"]}


def _caveats(force: ForceDefinition, experiment: Experiment) -> list[str]:
    last = experiment.backtest.test_as_ofs[-1]
    said = [
        "A finding exists only where somebody looked: people who were not confirmed were mostly never reviewed, "
        "so no figure on the backtest basis counts anyone as wrong.",
        f"The figures are of lists made up to {last}; conduct, recording and detection change.",
    ]
    if force.use == "simulated":
        said.append(
            "The people are simulated. Figures show that the method works as described, not how it would do on a force."
        )
    if not experiment.model.threshold.exists:
        said.append(experiment.model.threshold.says)
    return said
