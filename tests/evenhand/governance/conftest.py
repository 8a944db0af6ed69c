"""A complete set of facts, as a run would give them, and complete governance records."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from evenhand.governance.facts import figures_of
from evenhand.governance.records import Records, read_records

RECORDS = """
purpose = "To suggest whose records a reviewer looks at first."
regime = "UKGDPR"
owner = "Head of Professional Standards"
senior_responsible_owner = "Deputy Chief Officer"
lawful_basis = "Public task"
dpia_reference = "DPIA-77"
dpia_date = 2024-01-10
end_date = 2025-12-31
appeal_route = "Write to the reviews office; a person answers within ten working days."
contact = "reviews office"

[notice_to_officers]
date = 2024-02-01
reference = "Order 12"

[consultation]
date = 2024-01-20
summary = "Federation, unions and networks asked; the appeal route was added."
"""

HEALTH = """
[health]
lawful_basis = "Public task"
special_category_condition = "Employment condition"
dpia_reference = "DPIA-78"
consultation = "Asked in spring"
"""


@pytest.fixture
def records_file(tmp_path: Path) -> Path:
    file = tmp_path / "governance.toml"
    file.write_text(RECORDS, encoding="utf-8")
    return file


@pytest.fixture
def records(records_file: Path) -> Records:
    return read_records(records_file)


METRICS = pl.DataFrame(
    [
        ("lightgbm", "backtest", "backtest.leads_confirmed", 9.0, 4.0, 15.0, 40, 40, None),
        ("lightgbm", "backtest", "backtest.leads_not_confirmed", 28.5, None, None, 40, 40, None),
        ("lightgbm", "backtest", "backtest.leads_unsettled", 2.5, None, None, 40, 40, None),
        ("lightgbm", "backtest", "backtest.precision_at_capacity", 0.225, 0.123, 0.375, 40, 40, None),
        ("lightgbm", "backtest", "backtest.auc", 0.6541, 0.6012, 0.7043, None, 3998, None),
        ("random", "backtest", "backtest.leads_confirmed", 1.9, 0.4, 3.2, 40, 40, None),
        ("random", "backtest", "backtest.precision_at_capacity", 0.0475, 0.0133, 0.1576, 40, 40, None),
        ("lightgbm", "backtest", "backtest.precision_at_5pc", 0.117, 0.085, 0.162, 100, 1999, date(2023, 1, 1)),
        ("lightgbm", "live", "live.leads_wrong", 3.0, None, None, 20, 20, None),
        ("lightgbm", "live", "live.precision_at_capacity", None, None, None, 20, 0, None),
    ],
    schema=["method", "basis", "name", "value", "low", "high", "k", "n", "as_of"],
    orient="row",
)  # fmt: skip


@pytest.fixture
def run(records: Records) -> dict[str, Any]:
    return {
        "force": "A simulated force",
        "simulated": True,
        "written_at": datetime(2024, 7, 3, 9, 30),
        "details": {
            "name": "conduct-leads",
            "version": "4",
            "kind": "Gradient-boosted decision trees (LightGBM)",
            "run": "a81f",
            "trained_at": datetime(2024, 7, 2, 17, 45),
            "sha256": "ffab",
            "parameters": {"rounds": 300, "learning_rate": 0.05, "monotone": True},
            "libraries": {"lightgbm": "4.7.0"},
            "promotable": True,
        },
        "listing": {"threshold": 0.1432, "says": "Scores above 0.1432.", "capacity": 20},
        "figures": figures_of(METRICS),
        "evaluation": {
            "cohort": "Officers and staff in post on the date.",
            "outcome": "A finding of misconduct.",
            "horizon_months": 12,
            "settle_months": 9,
            "dates": [
                {
                    "as_of": date(2023, 1, 1),
                    "cohort": 1999,
                    "confirmed": 61,
                    "not_confirmed": 1925,
                    "unsettled": 13,
                }
            ],
            "time_to_finding": {
                "cases": 417,
                "endings": [
                    {"months": 6, "how": "confirmed", "share": 0.14, "low": 0.11, "high": 0.18},
                    {"months": 12, "how": "confirmed", "share": 0.27, "low": 0.23, "high": 0.32},
                    {"months": 6, "how": "left", "share": 0.04, "low": 0.02, "high": 0.07},
                    {"months": 12, "how": "left", "share": 0.09, "low": 0.06, "high": 0.13},
                ],
                "dates": [{"as_of": date(2023, 1, 1), "cases": 96, "made": 0.83}],
            },
        },
        "training": {
            "as_ofs": (date(2021, 1, 1), date(2021, 7, 1)),
            "labels": "findings on settled dates",
            "labels_seen_by": date(2023, 1, 1),
            "rows": 3876,
            "confirmed": 118,
            "fingerprints": {"overtime_claim": "c0ffee"},
            "tables": [
                {
                    "table": "overtime_claim",
                    "says": "a claim for overtime",
                    "read": 51234,
                    "accepted": 51200,
                    "quarantined": 34,
                    "not_joined": 7,
                }
            ],
        },
        "features": [
            {
                "name": "claims",
                "says": "overtime claims submitted",
                "unit": "claims",
                "windows": (90, 365),
                "family": "overtime",
                "typologies": ("Overtime fraud",),
                "innocent": ("public-order aid",),
                "reads": ("overtime_claim.claim_id",),
                "marks": (),
            }
        ],
        "factors": {"descriptors": ("rank", "team"), "audit_attributes": ("sex", "ethnicity")},
        "lookalikes": [
            {"kind": "short-staffed team", "people": 83, "listed": 2.5, "low": 0.0083, "high": 0.0921}
        ],
        "chances": {
            "says": "Of people scored like those listed, about 6 in 100 were later confirmed.",
            "chosen": "Chances are the score as it comes.",
            "left_out": "4,210 people on dates count.",
            "bins": [
                {
                    "bin": "2.1 % to 9.9 %",
                    "people": 310.0,
                    "expected": 9.4,
                    "confirmed": 8.0,
                    "share_expected": 0.0303,
                    "share_confirmed": 0.0258,
                    "low": 0.0131,
                    "high": 0.0501,
                }
            ],
            "errors": [
                {"name": "intercept", "value": -0.2113, "low": -0.8, "high": 0.4},
                {"name": "slope", "value": None, "low": None, "high": None},
            ],
            "error_by_chance": 0.0031,
        },
        "health": None,
        "caveats": ("One force, one period.",),
        "records": records,
    }
