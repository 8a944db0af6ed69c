"""Validation of an access log with 16 rules, three ways: ours, plain Polars by hand, Great Expectations on pandas.

    python -m benchmarks.validation ROWS [ROUNDS]

Each reads one Parquet file, sets every row that breaks a rule aside with all the rules it broke, and writes both
files, in a process of its own; the answers must be the same to the row and the reason. Ours is the whole
ingestion: it also takes the source's fingerprint, asks for types and columns, and writes the account.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import polars as pl

from benchmarks.access_rows import (
    ACCESS,
    ACTIONS,
    NUMBERS,
    REASONS,
    RELATIONS,
    SYSTEMS,
    write_access,
    write_numbers,
)
from benchmarks.measure import Measured, apart, in_turns, once, told

SEED, ROUNDS = 5, 3
# Great Expectations needs minutes: once is enough to know it by.
ROUNDS_OF_THE_SLOW = 1
DATA, SUITES = "data", "suites"


# --- the three ways ---------------------------------------------------------------------------------


def ours(folder: Path, out: Path) -> None:
    from features.ingest import ingest

    ingest(_force(), folder / DATA, out=out, suites=folder / SUITES)


def plain_polars(folder: Path, out: Path) -> None:
    """What one would write by hand for these rules, in memory."""
    numbers = pl.read_parquet(folder / DATA / "numbers.parquet")["user_no"]
    rows = pl.read_parquet(folder / DATA / "access.parquet").with_row_index("source_row", offset=1)
    there = {f"{name}_is_present": pl.col(name).is_not_null() for name in _never_empty()}
    holds = rows.select(
        event_id_is_unique=pl.col("event_id").is_unique() | pl.col("event_id").is_null(),
        event_id_is_present=there["event_id_is_present"],
        user_no_is_present=there["user_no_is_present"],
        user_no_has_its_form=pl.col("user_no").str.contains(r"^U\d{6}$").fill_null(True),
        user_no_is_in_numbers=pl.col("user_no").is_in(numbers.implode()).fill_null(True),
        occurred_at_is_present=there["occurred_at_is_present"],
        known_at_is_present=there["known_at_is_present"],
        known_at_is_not_before_occurred_at=(pl.col("known_at") >= pl.col("occurred_at")).fill_null(True),
        system_is_present=there["system_is_present"],
        system_is_in_list=pl.col("system").is_in(SYSTEMS).fill_null(True),
        action_is_present=there["action_is_present"],
        action_is_in_list=pl.col("action").is_in(ACTIONS).fill_null(True),
        subject_relation_is_present=there["subject_relation_is_present"],
        subject_relation_is_in_list=pl.col("subject_relation").is_in(RELATIONS).fill_null(True),
        reason_code_is_present=there["reason_code_is_present"],
        reason_code_is_in_list=pl.col("reason_code").is_in(REASONS).fill_null(True),
    )
    good = holds.select(pl.all_horizontal(pl.all())).to_series()
    reasons = [pl.when(~pl.col(rule)).then(pl.lit(rule)) for rule in holds.columns]
    broken = holds.filter(~good).select(broken_rules=pl.concat_list(reasons).list.drop_nulls())
    _write(rows.filter(good), rows.filter(~good).hstack(broken), out)


def great_expectations(folder: Path, out: Path) -> None:
    """The same suite in Great Expectations on pandas, every failing row named."""
    import great_expectations as gx
    import pandas as pd
    from great_expectations.data_context.types.base import ProgressBarsConfig

    numbers = pd.read_parquet(folder / DATA / "numbers.parquet", columns=["user_no"])["user_no"].tolist()
    rows = pd.read_parquet(folder / DATA / "access.parquet")
    rows.index = pd.RangeIndex(1, len(rows) + 1)
    suite = gx.ExpectationSuite(**json.loads((folder / SUITES / "access.json").read_text("utf-8")))
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("pandas").add_dataframe_asset("access")
    batch = asset.add_batch_definition_whole_dataframe("whole").get_batch({"dataframe": rows})
    results = batch.validate(
        suite,
        expectation_parameters={"numbers_user_no": numbers},
        result_format={"result_format": "COMPLETE"},
    ).results
    assert len(results) == 16
    broken: dict[int, list[str]] = {}
    for result in results:
        for row in result.result["unexpected_index_list"] or ():
            broken.setdefault(row, []).append(result.expectation_config.meta["rule"])  # type: ignore[union-attr]  # they have one
    aside = rows.index.isin(list(broken))
    out.mkdir(parents=True)
    rows.insert(0, "source_row", rows.index)
    rows[~aside].to_parquet(out / "accepted.parquet", compression="zstd")
    quarantined = rows[aside]
    quarantined.assign(broken_rules=[broken[row] for row in quarantined.index]).to_parquet(
        out / "quarantine.parquet"
    )


WAYS: dict[str, tuple[Callable[[Path, Path], None], int]] = {
    "ours": (ours, ROUNDS),
    "plain Polars": (plain_polars, ROUNDS),
    "Great Expectations on pandas": (great_expectations, ROUNDS_OF_THE_SLOW),
}

IMPORTS: dict[str, tuple[str, ...]] = {
    "ours": ("features.ingest",),
    "plain Polars": (),
    "Great Expectations on pandas": ("great_expectations", "great_expectations.expectations.core"),
}


def _never_empty() -> list[str]:
    return [column.name for column in ACCESS.columns if not column.nullable]


def _write(accepted: pl.DataFrame, quarantined: pl.DataFrame, out: Path) -> None:
    out.mkdir(parents=True)
    accepted.write_parquet(out / "accepted.parquet", compression="zstd", compression_level=1)
    quarantined.write_parquet(out / "quarantine.parquet", compression="zstd", compression_level=1)


def _force():  # type: ignore[no-untyped-def]  # a ForceDefinition, imported late
    from features.definition import Baselines, Calendar, Cohort, ForceDefinition, Outcome
    from features.specs import Catalogue, Events

    events = Events(name="uses", table=ACCESS, says="a use")
    return ForceDefinition(
        name="access log",
        title="An access log",
        tables=(NUMBERS, ACCESS),
        catalogue=Catalogue(()),
        cohort=Cohort(says="Nobody.", members=lambda read, as_of: read(events, as_of)),  # type: ignore[arg-type]  # never called
        outcome=Outcome(
            says="None.", cases=events, confirmed=pl.lit(False), closed_at="known_at", horizon_months=12, settle_months=9
        ),
        baselines=Baselines(complaint_count="none", threshold_rule=()),
        calendar=Calendar(every_months=1),
        typologies={},
        people="numbers.person_key",
    )  # fmt: skip


# --- side by side -----------------------------------------------------------------------------------


def prepare(folder: Path, rows: int) -> None:
    """Writes the log and the suites; of the log's only the 16 rules about rows are asked for."""
    from features.contracts import suite_as_text, suite_for, write_suites

    write_numbers(folder / DATA / "numbers.parquet")
    write_access(folder / DATA / "access.parquet", rows, seed=SEED)
    write_suites(_force(), folder / SUITES)
    suite = suite_for(ACCESS)
    suite["expectations"] = [one for one in suite["expectations"] if one["severity"] == "warning"]
    assert len(suite["expectations"]) == 16
    (folder / SUITES / "access.json").write_text(suite_as_text(suite), "utf-8")


def run(rows: int, rounds: int = ROUNDS, *, ways: tuple[str, ...] = tuple(WAYS)) -> list[Measured]:
    """Each way's best time and its peak memory, once their answers are found to be the same."""
    with tempfile.TemporaryDirectory() as name:
        apart("benchmarks.validation", "prepare", name, str(rows))
        times = {way: min(rounds, WAYS[way][1]) for way in ways}
        measured = in_turns("benchmarks.validation", ways, ["run", name], times)
        _assert_same(Path(name), ways)
    return measured


def _assert_same(folder: Path, ways: tuple[str, ...]) -> None:
    first, *others = (_answer(folder / way, way) for way in ways)
    for other in others:
        assert other == first, "the ways disagree on what is accepted, or why it is not"


def _answer(out: Path, way: str) -> tuple[object, ...]:
    """Rows accepted, a hash of all they hold, and the rows set aside with their reasons."""
    own = way == "ours"
    accepted = pl.scan_parquet(out / "accepted" / "access.parquet" if own else out / "accepted.parquet")
    aside = pl.scan_parquet(out / "quarantine" / "access.parquet" if own else out / "quarantine.parquet")
    named = accepted.rename({"person_key": "user_no"}) if own else accepted
    values = pl.struct(
        pl.col("source_row").cast(pl.Int64),
        *(pl.col(name).cast(dtype) for name, dtype in ACCESS.schema.items()),
    )
    rows, content = (
        named.select(pl.len(), values.hash().sum().alias("content")).collect(engine="streaming").row(0)
    )
    reasons = aside.select(
        pl.col("source_row").cast(pl.Int64), pl.col("broken_rules").list.sort().list.join(",")
    )
    return rows, content, tuple(reasons.sort("source_row").collect().iter_rows())


def main(rows: int = 10_000_000, rounds: int = ROUNDS) -> None:
    """One line a way, and how many times as long as ours each took."""
    measured = run(rows, rounds)
    told(f"validation of {rows:,} rows with 16 rules", measured, "plain Polars")
    own, _, slow = (each.seconds for each in measured)
    print(f"  Great Expectations / ours {slow / own:.2f}")


def _once(way: str, folder: Path) -> None:
    out = folder / way
    shutil.rmtree(out, ignore_errors=True)
    once(lambda: WAYS[way][0](folder, out), IMPORTS[way])


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["prepare", folder, rows]:
            prepare(Path(folder), int(rows))
        case [way, "run", folder]:
            _once(way, Path(folder))
        case numbers:
            main(*map(int, numbers))
