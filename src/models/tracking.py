"""What is kept of every run, in an MLflow store that is one folder.

`<runs>/mlflow.db` is SQLite, `<runs>/artifacts` holds the files. A run is tagged started, then completed or
failed. LightGBM's figures are the run's own; each baseline is a child run under the same metric names, so
that MLflow's compare page puts `backtest.leads_confirmed` beside `backtest.leads_not_confirmed` for all.

The backtest's scores are kept with the run, person by person under the force's own key, because paired
comparison needs them; the folder is as sensitive as the extracts, and git ignores it.
"""

from __future__ import annotations

import json
import logging
import math
import os
import sqlite3
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from features.errors import WrongUsage, did_you_mean
from models import stability
from models.backtest import Backtest, Line
from models.charts import write_chart
from models.compare import compare, precision_chart
from models.metrics import Counts
from models.splits import folds_chart

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from models.experiment import Experiment
    from models.research import StudyResult
    from models.tuning import Trial, Tuned

DATABASE, ARTIFACTS = "mlflow.db", "artifacts"
STATE = "evenhand.state"
REFERENCE = "lightgbm"
SCORES_FILE, BACKTEST_FILE = "backtest/scores.parquet", "backtest/backtest.json"
REASONS_FILE = "backtest/reasons.parquet"
CALIBRATION_FILE = "calibration"  # .json, .csv; the chart lies with the others
HEADLINE = ("backtest.leads_confirmed", "backtest.leads_not_confirmed", "backtest.leads_unsettled", "auc")
# Where MLflow's database keeps absolute paths.
PLACES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "storage_location"),
)
METRICS_A_CALL = MOST_RUNS = 1000  # MLflow takes, and gives, no more
# Of the experiment that keeps a force's tunings, and of the run that is the same tuning going on.
TUNING, TUNING_KEY = "-tuning", "evenhand.tuning"
TUNED_FILE = "tuning.json"

# Nothing leaves the machine and nothing is printed beside what we say ourselves.
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "GIT_PYTHON_REFRESH": "quiet",
}


@dataclass(frozen=True, eq=False)
class Run:
    """A run under way."""

    client: MlflowClient
    run_id: str
    experiment_id: str
    started_ms: int

    def log_metrics(self, metrics: Mapping[str, float], *, step: int = 0) -> None:
        """Keep what is a number; an interval that cannot be computed is left out.

        Args:
            step: of a run that goes on, later than when the same was logged before.
        """
        from mlflow.entities import Metric

        kept = [
            Metric(name, float(value), self.started_ms, step)
            for name, value in metrics.items()
            if value is not None and math.isfinite(value)
        ]
        for start in range(0, len(kept), METRICS_A_CALL):
            self.client.log_batch(self.run_id, metrics=kept[start : start + METRICS_A_CALL])

    def log_params(self, params: Mapping[str, object]) -> None:
        from mlflow.entities import Param

        self.client.log_batch(self.run_id, params=[Param(name, str(value)) for name, value in params.items()])

    def log_tags(self, tags: Mapping[str, object]) -> None:
        from mlflow.entities import RunTag

        self.client.log_batch(self.run_id, tags=[RunTag(name, str(value)) for name, value in tags.items()])

    def log_folder(self, folder: Path) -> None:
        self.client.log_artifacts(self.run_id, str(folder))


def open_store(runs: Path, *, writing: bool = False) -> MlflowClient:
    """A client of the store in a folder, with MLflow kept quiet and off the network.

    Args:
        writing: make the store if there is none; if the folder was moved, let MLflow know before it writes.

    Raises:
        WrongUsage: there is no store to read.
    """
    exists = (runs / DATABASE).is_file()
    if not writing and not exists:
        raise WrongUsage(
            f"{runs}: there is no model store here ({DATABASE}). Train a model first: evenhand train."
        )
    runs.mkdir(parents=True, exist_ok=True)
    if writing and exists:
        _tell_where_it_lies(runs)
    os.environ.update({name: os.environ.get(name, value) for name, value in QUIET.items()})
    logging.getLogger("alembic").setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations between MLflow and SQLAlchemy, raised at import
        import mlflow
        from mlflow import MlflowClient

        logging.getLogger("mlflow").setLevel(logging.WARNING)
        uri = f"sqlite:///{(runs / DATABASE).resolve()}"
        # Registering a logged model looks it up through a client of MLflow's own, which asks the global address.
        mlflow.set_tracking_uri(uri)
        return MlflowClient(tracking_uri=uri, registry_uri=uri)


@contextmanager
def tracked(
    runs: Path, experiment: str, *, name: str | None = None, tags: Mapping[str, object] | None = None
) -> Iterator[Run]:
    """A run that is tagged started on entry, completed on leaving, and failed where an error leaves it.

    Args:
        experiment: the MLflow experiment; the force's name, or `<force>-research`.
    """
    client = open_store(runs, writing=True)
    run = _create(client, _experiment_id(client, runs, experiment), name, {STATE: "started", **(tags or {})})
    with _ended(run):
        yield run


@contextmanager
def tracked_tuning(runs: Path, force: str, *, name: str, key: str) -> Iterator[Run]:
    """The run of a tuning, found again by its key where it was begun before; else as `tracked`.

    It lies in an experiment of its own, `<force>-tuning`, and is no run to compare.
    """
    client = open_store(runs, writing=True)
    experiment_id = _experiment_id(client, runs, f"{force}{TUNING}")
    begun = client.search_runs([experiment_id], f"tags.`{TUNING_KEY}` = '{key}'", max_results=1)
    if begun:
        info = begun[0].info
        run = Run(client, info.run_id, experiment_id, info.start_time)
        client.update_run(run.run_id, status="RUNNING")
        run.log_tags({STATE: "started"})
    else:
        tags = {STATE: "started", "kind": "tuning", TUNING_KEY: key}
        run = _create(client, experiment_id, name, tags)
    with _ended(run):
        yield run


@contextmanager
def _ended(run: Run) -> Iterator[None]:
    """Tag a run completed on leaving, and failed where an error leaves it."""
    try:
        yield
    except BaseException:
        _end(run, "failed", "FAILED")
        raise
    _end(run, "completed", "FINISHED")


def log_experiment(run: Run, experiment: Experiment, *, account: Mapping[str, Any] | None = None) -> None:
    """Keep an experiment: parameters, fingerprints, the validation account, figures, charts and scores.

    Args:
        account: what validation accepted, set aside and refused (`Account.to_dict()`).
    """
    model = experiment.model
    run.log_params(
        {
            **model.params,
            "force": model.force,
            "capacity": model.capacity,
            "draws": experiment.draws,
            "min_lift": model.threshold.min_lift,
            "test_as_ofs": ", ".join(map(str, experiment.backtest.test_as_ofs)),
            "trained_as_ofs": ", ".join(map(str, model.trained_as_ofs)),
            "labels_seen_by": model.labels_seen_by,
            "n_features": len(model.schema.columns),
        }
    )
    run.log_tags(
        {
            "promotable": str(model.promotable).lower(),
            "marks": ", ".join(model.marks) or "none",
            "threshold": model.threshold.says,
            **{f"fingerprint.{source}": value for source, value in model.fingerprints.items()},
        }
    )
    comparison = compare({"run": experiment}, draws=experiment.draws, seed=experiment.seed)
    steady = stability.metrics(experiment.backtest)
    run.log_metrics(
        metrics_of(experiment, REFERENCE)
        | steady[REFERENCE]
        | {
            f"{difference.basis}.more_than_{difference.ranking.rsplit('/', 1)[1]}{end}": value
            for difference in comparison.differences
            for end, value in (
                ("", difference.more),
                ("_low", difference.interval.low),
                ("_high", difference.interval.high),
            )
        }
        | ({} if experiment.live is None else experiment.live.metrics())
        | ({} if model.calibration is None else model.calibration.metrics())
    )
    for method in experiment.backtest.methods:
        if method != REFERENCE:
            _log_method(run, experiment, method, steady[method])
    with tempfile.TemporaryDirectory() as folder:
        _write_files(Path(folder), experiment, account)
        comparison.write_chart(Path(folder, "charts/leads.svg"))
        comparison.write_chart(Path(folder, "charts/leads.json"))
        write_chart(precision_chart(experiment.performance), Path(folder, "charts/precision.svg"))
        folds = folds_chart(experiment.folds, horizon_months=model.horizon_months)
        write_chart(folds, Path(folder, "charts/folds.svg"))
        if model.calibration is not None and model.calibration.bins:
            write_chart(model.calibration.chart(), Path(folder, "charts/calibration.svg"))
        run.log_folder(Path(folder))


def log_research(run: Run, result: StudyResult, *, account: Mapping[str, Any] | None = None) -> None:
    """Keep a research study: its figures and what it says. No model is kept, so none can be promoted."""
    run.log_tags({"promotable": "false", "research": result.study})
    run.log_params({**result.params, "test_as_ofs": ", ".join(map(str, result.test_as_ofs))})
    run.log_metrics(result.metrics())
    with tempfile.TemporaryDirectory() as folder:
        _write_json(Path(folder, "study.json"), result.to_dict())
        _write_json(Path(folder, "validation.json"), account or {})
        run.log_folder(Path(folder))


def log_trial(run: Run, trial: Trial) -> None:
    """A trial as a child run of its tuning, written in three calls: trials are many."""
    from mlflow.entities import Metric, Param

    tags = {
        STATE: "completed", "kind": "trial", "mlflow.parentRunId": run.run_id, "trial": str(trial.number), "state": trial.state,
    }  # fmt: skip
    created = run.client.create_run(
        run.experiment_id, start_time=trial.began_ms, run_name=f"trial {trial.number}", tags=tags
    )
    metrics = {**trial.metrics(), "seconds": trial.seconds}
    run.client.log_batch(
        created.info.run_id,
        metrics=[Metric(name, value, trial.ended_ms, 0) for name, value in metrics.items()],
        params=[Param(name, str(value)) for name, value in trial.params.to_dict().items()],
    )
    run.client.set_terminated(created.info.run_id, end_time=trial.ended_ms)


def log_tuning(run: Run, tuned: Tuned) -> None:
    """Keep what came of a tuning: the trials that were not logged yet, the best, what is recommended, a chart."""
    logged = {
        child.data.tags["trial"]
        for child in run.client.search_runs(
            [run.experiment_id], f"tags.`mlflow.parentRunId` = '{run.run_id}'", max_results=MOST_RUNS
        )
        if "trial" in child.data.tags
    }
    for trial in tuned.trials:
        if str(trial.number) not in logged:
            log_trial(run, trial)
    run.log_params(
        {
            "force": tuned.force,
            "seed": tuned.seed,
            "tuning_dates": ", ".join(map(str, tuned.tuning_dates)),
            "before": tuned.before,
            "listed": tuned.listed,
            **{f"space.{name}": f"{range_.low} to {range_.high}" for name, range_ in tuned.space.items()},
        }
    )
    run.log_tags(
        {
            "trials": len(tuned.trials),
            "best": tuned.best.number,
            "says": tuned.says,
            **{f"recommended.{name}": getattr(tuned.recommended, name) for name in tuned.space},
        }
    )
    more = {"more": tuned.more, "more_low": tuned.interval.low, "more_high": tuned.interval.high}
    run.log_metrics(
        tuned.best.metrics() | {f"tuning.{name}": value for name, value in more.items()},
        step=len(tuned.trials),
    )
    with tempfile.TemporaryDirectory() as folder:
        _write_json(Path(folder, TUNED_FILE), tuned.to_dict())
        write_chart(tuned.chart(), Path(folder, "trials.svg"))
        run.log_folder(Path(folder))


def read_tuned(runs: Path, force: str, tuning: str) -> tuple[str, dict[str, Any]]:
    """The run id of a completed tuning and what came of it, as `models.tuning.Tuned.to_dict` tells it.

    Args:
        tuning: its id or its name (the latest of that name).

    Raises:
        WrongUsage: there is no such completed tuning.
    """
    client = open_store(runs)
    experiment = client.get_experiment_by_name(f"{force}{TUNING}")
    known = (
        []
        if experiment is None
        else client.search_runs(
            [experiment.experiment_id],
            f"tags.`{STATE}` = 'completed' AND tags.kind = 'tuning'",
            max_results=MOST_RUNS,
            order_by=["attributes.end_time DESC"],
        )
    )
    found = [run for run in known if tuning in (run.info.run_id, run.info.run_name)]
    if not found:
        names = {run.info.run_name for run in known if run.info.run_name}
        remedy = did_you_mean(tuning, names) if names else "Tune first: evenhand tune."
        raise WrongUsage(f"tuning {tuning!r} does not exist in {runs}. {remedy}")
    return found[0].info.run_id, read_json(runs, found[0].info.run_id, TUNED_FILE)


def metrics_of(experiment: Experiment, method: str) -> dict[str, float]:
    """A method's figures by metric name: in all, and for each test date under its date."""
    metrics: dict[str, float] = {}
    for line in experiment.lines:
        if line.method == method:
            metrics |= {f"{_prefix(line.as_of)}{name}": value for name, value in _line_metrics(line).items()}
    for row in experiment.performance.filter(pl.col("method") == method).iter_rows(named=True):
        name = f"{_prefix(row['as_of'])}{row['measure']}"
        metrics |= {name: row["value"], f"{name}_low": row["low"], f"{name}_high": row["high"]}
    return metrics


def run_id_of(runs: Path, run: str, *, force: str | None = None) -> str:
    """The id of a completed run, found by its id or its name (the latest of that name).

    Args:
        force: whose runs alone are looked through.

    Raises:
        WrongUsage: there is no such completed run.
    """
    known = list_runs(runs, force)
    found = known.filter((pl.col("run_id") == run) | (pl.col("name") == run))
    if not len(found):
        raise WrongUsage(f"run {run!r} does not exist in {runs}. {did_you_mean(run, known['name'].unique())}")
    return found["run_id"][0]


def read_backtest(runs: Path, run: str) -> Backtest:
    """The backtest of a run, found as `run_id_of` finds it.

    Raises:
        WrongUsage: there is no such completed run.
    """
    folder = artifacts_folder(open_store(runs), runs, run_id_of(runs, run))
    about = json.loads((folder / BACKTEST_FILE).read_text(encoding="utf-8"))
    return Backtest(
        scores=pl.read_parquet(folder / SCORES_FILE),
        methods=tuple(about["methods"]),
        capacity=about["capacity"],
        replay_only=tuple(map(date.fromisoformat, about["replay_only"])),
        reasons=pl.read_parquet(folder / REASONS_FILE) if (folder / REASONS_FILE).is_file() else None,
    )


def list_runs(runs: Path, force: str | None = None) -> pl.DataFrame:
    """Completed runs that can be compared, latest first: experiment, name, run_id, started, and what
    LightGBM's lists held in the backtest."""
    client = open_store(runs)
    experiments = [each for each in client.search_experiments() if force is None or each.name == force]
    rows = []
    for each in experiments:
        for run in client.search_runs(
            [each.experiment_id], f"tags.`{STATE}` = 'completed'", max_results=MOST_RUNS
        ):
            if "kind" in run.data.tags:
                continue
            metrics = run.data.metrics
            rows.append(
                {
                    "experiment": each.name,
                    "name": run.info.run_name,
                    "run_id": run.info.run_id,
                    "started": run.info.start_time,
                    **{name: metrics.get(name) for name in HEADLINE},
                }
            )
    schema = {
        "experiment": pl.String, "name": pl.String, "run_id": pl.String, "started": pl.Int64,
        **dict.fromkeys(HEADLINE, pl.Float64),
    }  # fmt: skip
    return (
        pl.DataFrame(rows, schema=schema)
        .with_columns(pl.from_epoch("started", time_unit="ms"))
        .sort("started", descending=True)
    )


def artifacts_folder(client: MlflowClient, runs: Path, run_id: str) -> Path:
    """Where a run's files lie under `runs`, wherever the folder was when they were written."""
    run = client.get_run(run_id)
    experiment = client.get_experiment(run.info.experiment_id)
    return runs / ARTIFACTS / experiment.name / run_id / "artifacts"


def _tell_where_it_lies(runs: Path) -> None:
    """Rewrite the places in the database of a store that was moved.

    MLflow keeps absolute paths and has no call to change them: a run begun in a moved store would write its
    files into the old folder, and the pages of MLflow would look for them there.
    """
    here = (runs / ARTIFACTS).resolve().as_uri()
    with closing(sqlite3.connect(runs / DATABASE)) as database, database:
        known = database.execute("SELECT name, artifact_location FROM experiments").fetchall()
        ends = [
            (f"/{name}", place) for name, place in known if place and place.endswith(f"/{ARTIFACTS}/{name}")
        ]
        for there in {place.removesuffix(end) for end, place in ends} - {here}:
            for table, column in PLACES:
                database.execute(
                    f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE {column} LIKE ? || '/%'",
                    (here, len(there) + 1, there),
                )


def _experiment_id(client: MlflowClient, runs: Path, name: str) -> str:
    if found := client.get_experiment_by_name(name):
        return found.experiment_id
    return client.create_experiment(name, artifact_location=(runs / ARTIFACTS / name).resolve().as_uri())


def _create(client: MlflowClient, experiment_id: str, name: str | None, tags: Mapping[str, object]) -> Run:
    created = client.create_run(
        experiment_id, run_name=name, tags={key: str(value) for key, value in tags.items()}
    )
    return Run(client, created.info.run_id, experiment_id, created.info.start_time)


def _end(run: Run, state: str, status: str) -> None:
    run.log_tags({STATE: state})
    run.client.set_terminated(run.run_id, status)


def _log_method(run: Run, experiment: Experiment, method: str, steady: Mapping[str, float]) -> None:
    """A baseline as a child run, under the metric names of its parent."""
    tags = {STATE: "started", "mlflow.parentRunId": run.run_id, "kind": "baseline"}
    child = _create(run.client, run.experiment_id, method, tags)
    child.log_params({"method": method, "capacity": experiment.model.capacity})
    child.log_metrics({**metrics_of(experiment, method), **steady})
    _end(child, "completed", "FINISHED")


def _prefix(as_of: object) -> str:
    return "" if as_of is None else f"{as_of}/"


def _line_metrics(line: Line) -> dict[str, float]:
    """Counts of a line, and of their first field the interval and the luckiest and unluckiest draw."""
    counts: Counts = line.counts
    first, listed = next(iter(counts.metrics())), counts.listed
    return {
        **counts.metrics(),
        f"{first}_low": line.interval.low * listed,
        f"{first}_high": line.interval.high * listed,
        f"{first}_best": line.bounds.best,
        f"{first}_worst": line.bounds.worst,
    }


def _write_files(folder: Path, experiment: Experiment, account: Mapping[str, Any] | None) -> None:
    backtest = experiment.backtest
    (folder / SCORES_FILE).parent.mkdir(parents=True)
    backtest.scores.write_parquet(folder / SCORES_FILE)
    if backtest.reasons is not None:
        backtest.reasons.write_parquet(folder / REASONS_FILE)
    about = {
        "methods": backtest.methods,
        "capacity": backtest.capacity,
        "replay_only": [day.isoformat() for day in backtest.replay_only],
    }
    _write_json(folder / BACKTEST_FILE, about)
    _write_json(folder / "validation.json", account or {})
    _write_json(folder / "fingerprints.json", dict(experiment.model.fingerprints))
    _write_json(folder / "model.json", experiment.model.about())
    _write_json(
        folder / "folds.json",
        [
            {"test": fold.test_as_of.isoformat(), "trained": [day.isoformat() for day in fold.train_as_ofs]}
            for fold in experiment.folds
        ],
    )
    if (calibration := experiment.model.calibration) is not None:
        _write_json(folder / f"{CALIBRATION_FILE}.json", calibration.to_dict())
        calibration.frame().write_csv(folder / f"{CALIBRATION_FILE}.csv")
    experiment.performance.write_csv(folder / "performance.csv")
    experiment.spread.write_csv(folder / "spread.csv")


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")


def log_json(run: Run, file: str, value: object) -> None:
    """Keep a JSON document with the run, under `file` in its artifacts."""
    with tempfile.TemporaryDirectory() as folder:
        _write_json(Path(folder, file), value)
        run.log_folder(Path(folder))


def read_json(runs: Path, run_id: str, file: str) -> Any:
    """A JSON document kept with a run.

    Raises:
        WrongUsage: the run kept no such document.
    """
    path = artifacts_folder(open_store(runs), runs, run_id) / file
    if not path.is_file():
        raise WrongUsage(f"run {run_id} kept no {file}. Train the model again: evenhand train.")
    return json.loads(path.read_text(encoding="utf-8"))
