"""Models that may be used: registered, named and promoted, in the same store as the runs.

What is registered is LightGBM's native text with its schema and words, never a pickle and never code. A
model is found by its place under the store's folder, so a folder that was moved or copied still serves.
Protected lineage and research runs end at this door, and nothing becomes champion but through the release
gate (`models.release`). Whoever asked, when, why and what the gate found stays with the version.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import polars as pl

from features import lineage
from features.definition import ForceDefinition
from features.errors import DataRefused, GateRefused, WrongUsage, did_you_mean
from features.specs import Catalogue
from features.tables import Mark
from models.booster import import_lightgbm
from models.monitoring import Reference
from models.release import ReleaseDecision
from models.tracking import ARTIFACTS, open_store
from models.trained import TrainedModel, read_trained

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

Alias = Literal["candidate", "champion"]
CANDIDATE: Alias = "candidate"
CHAMPION: Alias = "champion"
# Prefixes of a version's tags, one a request to promote it, with the time of it.
PROMOTED, REFUSED = "promoted.", "refused."
REFERENCE_FILE = "reference.json"


@dataclass(frozen=True, eq=False, kw_only=True)
class RegisteredModel:
    """A version in the registry, read from its files."""

    name: str
    version: int
    aliases: tuple[str, ...]
    run_id: str
    trained: TrainedModel

    @property
    def title(self) -> str:
        return f"{self.name} v{self.version}"

    def _repr_html_(self) -> str:
        model = self.trained
        return (
            f"<p>{self.title} ({', '.join(self.aliases) or 'no alias'}): {len(model.schema.columns)} features, "
            f"{model.confirmed:,} confirmed among {model.rows:,} people on {len(model.trained_as_ofs)} dates. "
            f"{model.threshold.says}</p>"
        )


def register(
    runs: Path,
    force: ForceDefinition,
    model: TrainedModel,
    *,
    run_id: str,
    name: str | None = None,
    health_permitted: bool = False,
    catalogue: Catalogue | None = None,
    reference: Reference | None = None,
) -> RegisteredModel:
    """Register the model of a run and make it the candidate.

    Args:
        name: the registered name; the force's where None.
        health_permitted: whether `governance.toml` records the basis for health features.
        catalogue: where the features are declared; the force's own where None.
        reference: what the model learnt from, as counts, for the monitor.

    Raises:
        GateRefused: the model descends from protected records, from health records without a basis, or
            from a research run.
    """
    lineage.refuse_marked(force, model.schema.names, health_permitted=health_permitted, catalogue=catalogue)
    if not model.promotable:
        raise GateRefused(
            "this model comes from a research run, which is isolated: it cannot be registered. "
            "Train without --research to get one that can."
        )
    client = open_store(runs, writing=True)
    name = name or force.name
    model_id = _log_model(client, model, run_id, reference)
    if name not in _names(client):
        client.create_registered_model(name)
    made = client.create_model_version(
        name,
        source=f"models:/{model_id}",
        run_id=run_id,
        model_id=model_id,
        tags={
            "force": model.force,
            "logged_model": model_id,
            "booster_sha256": model.fingerprint,
            "marks": ", ".join(model.marks) or "none",
            "promotable": "true",
            "trained_until": model.labels_seen_by.isoformat(),
            "threshold": model.threshold.says,
        },
    )
    client.set_registered_model_alias(name, CANDIDATE, str(made.version))
    return load(runs, name, int(made.version))


def load(runs: Path, name: str, which: int | str = CHAMPION) -> RegisteredModel:
    """A registered model, by version (3 or "3") or alias.

    Raises:
        WrongUsage: no such store, model, version or alias.
        DataRefused: its files are missing or were changed.
    """
    client = open_store(runs)
    version = _find(client, runs, name, str(which))
    return RegisteredModel(
        name=name,
        version=int(version.version),
        aliases=tuple(sorted(_aliases(client, name).get(str(version.version), ()))),
        run_id=str(version.run_id),
        trained=read_trained(_folder(runs, version)),
    )


def reference_of(runs: Path, registered: RegisteredModel) -> Reference | None:
    """What a version learnt from, as counts; None where it was registered without."""
    version = _find(open_store(runs), runs, registered.name, str(registered.version))
    path = _folder(runs, version) / REFERENCE_FILE
    return Reference.from_json(path.read_text(encoding="utf-8")) if path.is_file() else None


def champion(runs: Path, name: str) -> RegisteredModel | None:
    """The version that scores batches; None where none was promoted yet."""
    try:
        return load(runs, name, CHAMPION)
    except WrongUsage:
        return None


def forbidden_lineage(
    force: ForceDefinition, model: TrainedModel, *, health_permitted: bool
) -> tuple[str, ...]:
    """Why a model may not be used for what stands behind it, in words; empty where nothing forbids it.

    Marks count as they were when the model was made and as the declarations of today give them.
    """
    try:
        now = lineage.marks_of_set(force, model.schema.names)
    except GateRefused as error:
        return (str(error),)
    allowed = {str(Mark.HEALTH)} if health_permitted else set()
    found = [
        why
        for marks in (model.marks, now)
        for mark, reasons in marks.items()
        if str(mark) not in allowed
        for why in reasons
    ]
    return tuple(dict.fromkeys(found))


def promote(
    runs: Path, decision: ReleaseDecision, *, reason: str, at: datetime, who: str | None = None
) -> RegisteredModel:
    """Make the version that the gate let pass the champion; a refusal is recorded and raised.

    Either way it stays with the version who asked, when, for which reason, and what the gate found.

    Raises:
        WrongUsage: no such version, or no reason.
        GateRefused: with everything that did not hold.
    """
    if not reason.strip():
        raise WrongUsage('a promotion needs a reason that can be read later: --reason "...".')
    found = load(runs, decision.name, decision.version)
    client = open_store(runs)
    entry = json.dumps({"reason": reason, "who": who, "gate": decision.to_dict()})
    outcome = PROMOTED if decision.passes else REFUSED
    client.set_model_version_tag(found.name, str(found.version), f"{outcome}{at.isoformat()}", entry)
    if not decision.passes:
        raise GateRefused(decision.says)
    client.set_registered_model_alias(found.name, CHAMPION, str(found.version))
    return load(runs, found.name, found.version)


REQUESTS = pl.Schema(
    {
        "version": pl.Int64(), "at": pl.Datetime("us"), "who": pl.String(), "reason": pl.String(),
        "outcome": pl.String(), "found": pl.String(),
    }
)  # fmt: skip


def requests(runs: Path, name: str) -> pl.DataFrame:
    """Every request to promote a version, earliest first: version, at, who, reason, outcome, found.

    Outcome is promoted or refused; found says each figure that the gate went by, or each that did not hold,
    and is null for promotions from before there was a gate.
    """
    client = open_store(runs)
    rows = [
        (
            int(version.version),
            datetime.fromisoformat(tag.removeprefix(prefix)),
            entry["who"],
            entry["reason"],
            prefix.removesuffix("."),
            _found(entry["gate"]) if "gate" in entry else None,
        )
        for version in _versions(client, name)
        for tag, stored in version.tags.items()
        for prefix in (PROMOTED, REFUSED)
        if tag.startswith(prefix)
        for entry in [json.loads(stored)]
    ]
    return pl.DataFrame(rows, schema=REQUESTS, orient="row").sort("at", "version")


def _found(gate: Mapping[str, Any]) -> str:
    telling = [
        each
        for each in gate["requirements"]
        if (each["more"] is not None if gate["passes"] else each["holds"] is False)
    ]
    return "; ".join(f"{each['code'].replace('_', ' ')}: {each['found']}" for each in telling)


def promotions(runs: Path, name: str) -> pl.DataFrame:
    """Every promotion, earliest first: version, at, who, reason."""
    made = requests(runs, name).filter(pl.col("outcome") == "promoted")
    return made.select("version", "at", "who", "reason")


def live_on(runs: Path, name: str, day: date) -> int | None:
    """The version that was champion at the end of a day; None where none was yet."""
    made = promotions(runs, name).filter(pl.col("at").dt.date() <= day)
    return made["version"][-1] if len(made) else None


def model_versions(runs: Path, name: str | None = None) -> pl.DataFrame:
    """Every registered version, newest first: name, version, aliases, run_id, registered, trained_until,
    marks, threshold, and the last promotion's promoted_at, promoted_by, promoted_because."""
    client = open_store(runs)
    rows = []
    for known in [name] if name else sorted(_names(client)):
        last = {row["version"]: row for row in promotions(runs, known).iter_rows(named=True)}
        aliases = _aliases(client, known)
        for version in _versions(client, known):
            promoted = last.get(int(version.version), {})
            rows.append(
                {
                    "name": known,
                    "version": int(version.version),
                    "aliases": ", ".join(sorted(aliases.get(str(version.version), ()))),
                    "run_id": version.run_id,
                    "registered": version.creation_timestamp,
                    "trained_until": version.tags.get("trained_until"),
                    "marks": version.tags.get("marks"),
                    "threshold": version.tags.get("threshold"),
                    "promoted_at": promoted.get("at"),
                    "promoted_by": promoted.get("who"),
                    "promoted_because": promoted.get("reason"),
                }
            )
    schema = {
        "name": pl.String, "version": pl.Int64, "aliases": pl.String, "run_id": pl.String, "registered": pl.Int64,
        "trained_until": pl.String, "marks": pl.String, "threshold": pl.String,
        "promoted_at": pl.Datetime("us"), "promoted_by": pl.String, "promoted_because": pl.String,
    }  # fmt: skip
    return (
        pl.DataFrame(rows, schema=schema)
        .with_columns(
            pl.from_epoch("registered", time_unit="ms"), pl.col("trained_until").str.to_date("%Y-%m-%d")
        )
        .sort("name", "version", descending=[False, True])
    )


def _log_model(client: MlflowClient, model: TrainedModel, run_id: str, reference: Reference | None) -> str:
    """Write the model into the store as MLflow lays it out, our own files beside MLflow's."""
    from mlflow.entities import LoggedModelOutput
    from mlflow.lightgbm import save_model
    from mlflow.models import Model, ModelSignature
    from mlflow.types import ColSpec, DataType, Schema

    lightgbm = import_lightgbm()
    experiment_id = client.get_run(run_id).info.experiment_id
    logged = client.create_logged_model(
        experiment_id, name="ranker", source_run_id=run_id, model_type="lightgbm"
    )
    signature = ModelSignature(
        inputs=Schema([ColSpec(DataType.double, name, required=False) for name in model.schema.names]),
        outputs=Schema([ColSpec(DataType.double)]),
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model")
        save_model(
            lightgbm.Booster(model_str=model.booster),
            str(path),
            mlflow_model=Model(
                model_id=logged.model_id, run_id=run_id, artifact_path=logged.artifact_location
            ),
            signature=signature,
            # Given, because finding them out takes MLflow nine seconds.
            pip_requirements=[f"lightgbm=={lightgbm.__version__}"],
        )
        model.write(path)
        if reference is not None:
            (path / REFERENCE_FILE).write_text(reference.to_json(), encoding="utf-8")
        client.log_model_artifacts(logged.model_id, str(path))
    client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, 0)])
    client.finalize_logged_model(logged.model_id, "READY")
    return logged.model_id


def _folder(runs: Path, version: ModelVersion) -> Path:
    """Where a version's files lie under `runs`; the paths in the database are of where it was written."""
    pattern = f"{ARTIFACTS}/*/models/{version.tags['logged_model']}/artifacts"
    found = sorted(runs.glob(pattern))
    if not found:
        raise DataRefused(
            f"{runs}: the files of {version.name} v{version.version} are missing (expected {pattern}). "
            f"Restore the folder {ARTIFACTS} together with the database, or train the model again."
        )
    return found[0]


def _find(client: MlflowClient, runs: Path, name: str, which: str) -> ModelVersion:
    if name not in (names := _names(client)):
        nearest = did_you_mean(name, names) if names else "None is registered yet: evenhand train."
        raise WrongUsage(f"model {name!r} does not exist in {runs}. {nearest}")
    by_version = {str(version.version): version for version in _versions(client, name)}
    by_alias = {alias: number for number, aliases in _aliases(client, name).items() for alias in aliases}
    number = by_alias.get(which, which)
    if number not in by_version:
        hint = " Promote a version first: evenhand promote VERSION." if which == CHAMPION else ""
        raise WrongUsage(
            f"model {name!r} has no version or alias {which!r}.{hint} {did_you_mean(which, [*by_version, *by_alias])}"
        )
    return by_version[number]


def _names(client: MlflowClient) -> set[str]:
    return {model.name for model in client.search_registered_models(max_results=1000)}


def _versions(client: MlflowClient, name: str) -> list[ModelVersion]:
    return list(client.search_model_versions(f"name = '{name}'", max_results=1000))


def _aliases(client: MlflowClient, name: str) -> dict[str, list[str]]:
    """Aliases by version."""
    aliases: dict[str, list[str]] = {}
    for alias, version in client.get_registered_model(name).aliases.items():
        aliases.setdefault(str(version), []).append(alias)
    return aliases
