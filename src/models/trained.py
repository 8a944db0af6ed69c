"""A trained model as it is kept: three files that any process can read without the code that trained it.

`model.lgb.txt` is the Booster in LightGBM's own text, `schema.json` the features in order with their
category lists, `model.json` everything else: the words of its reasons, its threshold, what it learnt from,
and the marks it carries. Nothing in them is code.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from features.build import FeatureSchema
from features.errors import DataRefused
from models.calibration import Calibration
from models.explain import Wording
from models.splits import months_after

BOOSTER_FILE, SCHEMA_FILE, ABOUT_FILE = "model.lgb.txt", "schema.json", "model.json"


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """The score below which nobody is listed, and what it rests on.

    Attributes:
        raw: log-odds; infinite where no score was good enough.
        score: the same as a probability; 1.0, which nobody exceeds, where none was good enough.
        above_base: the same as log-odds above the base rate of what a model was trained on, the scale on
            which the scores of several folds are one.
        min_lift: what multiple of the base rate the confirmed rate had to be.
        base_rate: confirmed share of the settled people on the test dates.
        listed, confirmed: settled people at or above it on the test dates, and how many were confirmed.
    """

    raw: float
    score: float
    above_base: float
    min_lift: float
    base_rate: float
    listed: int
    confirmed: int

    @property
    def exists(self) -> bool:
        return math.isfinite(self.raw)

    @property
    def says(self) -> str:
        if not self.exists:
            return (
                f"No score qualified: nowhere was the confirmed rate {self.min_lift:g} times the base rate of "
                f"{self.base_rate:.2%} with its interval above it. This model lists nobody."
            )
        return (
            f"Scores above {self.score:.4f}: on the test dates {self.confirmed} of {self.listed} people there were "
            f"confirmed ({self.confirmed / self.listed:.1%}, base rate {self.base_rate:.2%}, asked for at least "
            f"{self.min_lift:g} times)."
        )

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it: what is infinite is null."""
        return {name: value if math.isfinite(value) else None for name, value in self.__dict__.items()}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Threshold:
        scales = {name: math.inf if stored[name] is None else stored[name] for name in ("raw", "above_base")}
        return cls(**{**stored, **scales})


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainedModel:
    """A model with all it needs to score and to give account of itself.

    Attributes:
        force: name of the force definition.
        booster: LightGBM's native text.
        words: by feature column, in the schema's order.
        capacity: configured places a batch; 0 for one in a hundred and at least ten.
        trained_as_ofs: the dates it learnt from.
        labels_seen_by: only findings made before this day were learnt from.
        horizon_months, settle_months: of the outcome it predicts.
        rows, confirmed, expected: people and dates it learnt from, how many were confirmed, and how many were
            expected to be in the end (the same number where it learnt from what was settled).
        params: the ranker's parameters.
        marks: protected or health lineage, with the reasons in words; empty for none.
        promotable: False for a research run, which no gate may let through.
        fingerprints: of the accepted tables and the feature table.
        calibration: the chance of being confirmed that a score stands for; None of models kept before there was one.
    """

    force: str
    booster: str = field(repr=False)
    schema: FeatureSchema
    words: Mapping[str, Wording]
    threshold: Threshold
    capacity: int
    trained_as_ofs: tuple[date, ...]
    labels_seen_by: date
    horizon_months: int
    settle_months: int
    rows: int
    confirmed: int
    expected: float
    params: Mapping[str, int | float | bool | str]
    marks: Mapping[str, tuple[str, ...]]
    promotable: bool
    fingerprints: Mapping[str, str]
    calibration: Calibration | None = None

    @property
    def base_rate(self) -> float:
        """Share of what it learnt from that is or will be confirmed."""
        return self.expected / self.rows

    @property
    def learnt_until(self) -> date:
        """The day up to which it has learnt what happened, and what was found."""
        settle = self.settle_months if self.params["labels"] == "settled" else 0
        return months_after(max(self.trained_as_ofs), self.horizon_months + settle)

    @property
    def fingerprint(self) -> str:
        """A hash of the booster's text."""
        return hashlib.sha256(self.booster.encode()).hexdigest()

    def about(self) -> dict[str, Any]:
        """The content of `model.json`."""
        return {
            "force": self.force,
            "booster_sha256": self.fingerprint,
            "features": list(self.schema.names),
            "words": {column: wording.to_dict() for column, wording in self.words.items()},
            "threshold": self.threshold.to_dict(),
            "capacity": self.capacity,
            "trained_as_ofs": [day.isoformat() for day in self.trained_as_ofs],
            "labels_seen_by": self.labels_seen_by.isoformat(),
            "horizon_months": self.horizon_months,
            "settle_months": self.settle_months,
            "rows": self.rows,
            "confirmed": self.confirmed,
            "expected": self.expected,
            "params": dict(self.params),
            "marks": {mark: list(why) for mark, why in self.marks.items()},
            "promotable": self.promotable,
            "fingerprints": dict(self.fingerprints),
            "calibration": None if self.calibration is None else self.calibration.to_dict(),
        }

    def write(self, directory: Path) -> None:
        """Write the three files."""
        directory.mkdir(parents=True, exist_ok=True)
        (directory / BOOSTER_FILE).write_text(self.booster, encoding="utf-8")
        (directory / SCHEMA_FILE).write_text(self.schema.to_json(), encoding="utf-8")
        (directory / ABOUT_FILE).write_text(json.dumps(self.about(), indent=1), encoding="utf-8")


def read_trained(directory: Path) -> TrainedModel:
    """The model in a folder.

    Raises:
        DataRefused: a file is missing, or the booster is not the one that was registered.
    """
    if missing := [
        name for name in (BOOSTER_FILE, SCHEMA_FILE, ABOUT_FILE) if not (directory / name).is_file()
    ]:
        raise DataRefused(
            f"{directory}: expected {BOOSTER_FILE}, {SCHEMA_FILE} and {ABOUT_FILE}; missing {', '.join(missing)}. "
            "Restore the folder, or train and register the model again."
        )
    about = json.loads((directory / ABOUT_FILE).read_text(encoding="utf-8"))
    model = TrainedModel(
        force=about["force"],
        booster=(directory / BOOSTER_FILE).read_text(encoding="utf-8"),
        schema=FeatureSchema.from_json((directory / SCHEMA_FILE).read_text(encoding="utf-8")),
        words={column: Wording.from_dict(stored) for column, stored in about["words"].items()},
        threshold=Threshold.from_dict(about["threshold"]),
        capacity=about["capacity"],
        trained_as_ofs=tuple(map(date.fromisoformat, about["trained_as_ofs"])),
        labels_seen_by=date.fromisoformat(about["labels_seen_by"]),
        horizon_months=about["horizon_months"],
        settle_months=about["settle_months"],
        rows=about["rows"],
        confirmed=about["confirmed"],
        expected=about["expected"],
        params=about["params"],
        marks={mark: tuple(why) for mark, why in about["marks"].items()},
        promotable=about["promotable"],
        fingerprints=about["fingerprints"],
        calibration=_calibration(about.get("calibration")),
    )
    if model.fingerprint != about["booster_sha256"]:
        raise DataRefused(
            f"{directory / BOOSTER_FILE} is not the model that was registered: its hash differs from the one in "
            f"{ABOUT_FILE}. Restore the file, or train and register the model again."
        )
    return model


def _calibration(stored: Mapping[str, Any] | None) -> Calibration | None:
    return None if stored is None else Calibration.from_dict(stored)
