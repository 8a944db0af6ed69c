"""A Spark session, and frames that lie on its executors.

Needs the extra `spark` (pyspark and narwhals) and Java 17 or later on the machine that starts it. Every
executor needs this package with its dependencies, in the versions of the driver: declarations travel to them
as they are.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import narwhals as nw
import polars as pl
import pyarrow as pa

from features.cells import ROWS_IN_BATCH
from features.cluster.frames import GroupWork, PartWork, Spread, numbered
from features.errors import WrongUsage

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

OLDEST_JAVA = 17
_LOG_SETTINGS = Path(__file__).with_name("log4j2.properties")

# Without these, times would shift and results differ from machine to machine.
_ALWAYS = {"spark.sql.session.timeZone": "UTC", "spark.sql.timestampType": "TIMESTAMP_NTZ"}
_UNLESS_SET = {
    "spark.sql.execution.arrow.maxRecordsPerBatch": str(ROWS_IN_BATCH),
    # A task has a worker process of its own, so one thread is its share.
    "spark.executorEnv.POLARS_MAX_THREADS": "1",
    # The feature table that comes back may be larger than the gigabyte that Spark allows.
    "spark.driver.maxResultSize": "0",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}
_ON_ONE_MACHINE = {
    "spark.master": "local[2]",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.memory": "2g",
    "spark.sql.shuffle.partitions": "8",
}

# How each type travels, in Arrow and in Spark.
_TYPES: Mapping[pl.DataType, tuple[pa.DataType, str]] = {
    pl.String(): (pa.string(), "string"),
    pl.Boolean(): (pa.bool_(), "boolean"),
    pl.Int8(): (pa.int8(), "tinyint"),
    pl.Int16(): (pa.int16(), "smallint"),
    pl.Int32(): (pa.int32(), "int"),
    pl.Int64(): (pa.int64(), "bigint"),
    pl.Float32(): (pa.float32(), "float"),
    pl.Float64(): (pa.float64(), "double"),
    pl.Date(): (pa.date32(), "date"),
    pl.Datetime("us"): (pa.timestamp("us"), "timestamp_ntz"),
}


@contextmanager
def workers_on_spark(settings: Mapping[str, str]) -> Iterator[OnSpark]:
    """Workers of a session that ends with the block.

    Args:
        settings: keys of Spark's configuration (`spark.master`, `spark.executor.memory`). Without a master,
            and where no `spark-submit` has chosen one, it is two threads of this machine.

    Raises:
        WrongUsage: pyspark, narwhals or Java is missing or too old.
    """
    session = _session(settings)
    try:
        yield OnSpark(session)
    finally:
        session.stop()


@dataclass(frozen=True, eq=False)
class OnSpark:
    """Spark's executors as workers (`features.cluster.frames.Workers`)."""

    session: SparkSession

    def read(self, files: Sequence[Path], schema: pl.Schema, /) -> Spread:
        if not files:
            return self.spread(pl.DataFrame(schema=schema))
        from pyspark.sql import functions

        rows = self.session.read.parquet(*(f"file://{file.absolute()}" for file in files))
        named = [functions.col(f"`{name}`").alias(number) for name, number in numbered(schema).items()]
        return Spread(nw.from_native(rows.select(*named)), schema)

    def spread(self, frame: pl.DataFrame, /) -> Spread:
        rows = self.session.createDataFrame(_arrow(frame, frame.schema), _spark_schema(frame.schema))
        return Spread(nw.from_native(rows), frame.schema)

    def by_part(self, rows: Spread, work: PartWork, schema: pl.Schema, /) -> Spread:
        function = partial(_part_in_arrow, work, rows.schema.names(), schema)
        made = _native(rows).mapInArrow(function, _spark_schema(schema))
        return Spread(nw.from_native(made), schema)

    def by_group(self, rows: Spread, key: str, work: GroupWork, schema: pl.Schema, /) -> Spread:
        # Spark reads off a function's signature what to call it with, and a partial has a longer one.
        def function(table: pa.Table) -> pa.Table:
            return _group_in_arrow(work, rows_names, schema, table)

        rows_names = rows.schema.names()
        made = _native(rows).groupBy(rows.number(key)).applyInArrow(function, _spark_schema(schema))
        return Spread(nw.from_native(made), schema)

    def gathered(self, rows: Spread, /) -> pl.DataFrame:
        found = rows.frame.collect(backend="polars").to_native()
        return _named(found, rows.schema.names()).cast(rows.schema)


def _session(settings: Mapping[str, str]) -> SparkSession:
    _refuse_without_packages()
    # Spark says so of every function it is given, whether or not pandas has to do with it.
    warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
    submitted = "PYSPARK_GATEWAY_PORT" in os.environ
    alone = not submitted and settings.get("spark.master", "local").startswith("local")
    if not submitted:
        _refuse_without_java()
        # A worker is started by name, and another Python of that name may come first.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    if alone:
        os.environ.setdefault("SPARK_LOCAL_IP", _ON_ONE_MACHINE["spark.driver.host"])
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.appName("evenhand")
    quiet = {"spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile=file://{_LOG_SETTINGS}"}
    chosen = {**_UNLESS_SET, **(_ON_ONE_MACHINE | quiet if alone else {}), **settings, **_ALWAYS}
    for key, value in chosen.items():
        builder = builder.config(key, value)
    return builder.getOrCreate()


def _refuse_without_packages() -> None:
    for package in ("pyspark", "narwhals"):
        if importlib.util.find_spec(package) is None:
            raise WrongUsage(
                f"--engine spark needs {package}, which is not installed here.\n"
                "Install it with `pip install 'evenhand[spark]'`, or leave --engine out: the local engine needs "
                "no cluster."
            )


def _refuse_without_java() -> None:
    java = shutil.which(
        "java", path=os.path.join(os.environ["JAVA_HOME"], "bin") if "JAVA_HOME" in os.environ else None
    )
    version = _java_version(java) if java else None
    if version is None or version < OLDEST_JAVA:
        found = "none was found" if version is None else f"{java} is Java {version}"
        raise WrongUsage(
            f"--engine spark needs Java {OLDEST_JAVA} or later; {found}.\n"
            "Install one (`apt-get install openjdk-17-jre-headless`) or point JAVA_HOME to it, or leave --engine "
            "out: the local engine needs no Java."
        )


def _java_version(java: str) -> int | None:
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    found = re.search(r'version "(?:1\.)?(\d+)', said.stderr + said.stdout)
    return int(found[1]) if found else None


def _native(rows: Spread) -> DataFrame:
    return rows.frame.to_native()


def _spark_schema(schema: pl.Schema) -> str:
    return ", ".join(f"{number} {_TYPES[schema[name]][1]}" for name, number in numbered(schema).items())


def _named(frame: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    return frame.rename(dict(zip(frame.columns, names, strict=True)))


def _arrow(frame: pl.DataFrame, schema: pl.Schema) -> pa.Table:
    fields = [(number, _TYPES[schema[name]][0]) for name, number in numbered(schema).items()]
    cast = frame.select(schema.names()).cast(schema).rename(numbered(schema))
    return cast.to_arrow().cast(pa.schema(fields))


def _part_in_arrow(
    work: PartWork, names: Sequence[str], schema: pl.Schema, batches: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    frames = (_named(pl.DataFrame(batch), names) for batch in batches)
    for made in work(frames):
        yield from _arrow(made, schema).to_batches()


def _group_in_arrow(work: GroupWork, names: Sequence[str], schema: pl.Schema, table: pa.Table) -> pa.Table:
    return _arrow(work(_named(pl.DataFrame(table), names)), schema)
