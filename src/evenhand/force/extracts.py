"""Extracts as a source system would export them: a file a table, or a folder of one part a month."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from evenhand.force.columns import Labels, Rows
from evenhand.force.people import MINUTES_A_DAY, Calendar
from features.tables import Table

# Past this many rows a group ends; fixed, so that the file's bytes do not hang on the machine.
ROW_GROUP = 250_000
_FIELDS = {
    "string": pa.string(), "integer": pa.int64(), "number": pa.float64(), "boolean": pa.bool_(),
    "date": pa.date32(), "datetime": pa.timestamp("us"),
}  # fmt: skip


def in_order_of_arrival(table: Table, rows: Rows, calendar: Calendar) -> Rows:
    """The rows known before the data end, by `known_at`."""
    if table.known_at is None or len(rows.code) == 0:
        return rows
    known = rows.columns[table.known_at].values.astype(np.int64)
    kept = np.flatnonzero(known < calendar.days * MINUTES_A_DAY)
    # Time and place in one number sort several times faster than an indirect sort.
    packed = ((known[kept] - known.min()) << 32) | kept
    packed.sort()
    return rows.taken(packed & (2**32 - 1))


class Extract:
    """One table's file or folder of monthly parts, written block by block."""

    def __init__(self, table: Table, directory: Path, calendar: Calendar, *, by_month: bool) -> None:
        self._table, self._calendar = table, calendar
        self._folder = directory / "enclave" if table.enclave else directory
        self._by_month = by_month and table.known_at is not None
        self._writers: dict[str, pq.ParquetWriter] = {}
        self._schema = pa.schema([(column.name, _FIELDS[column.kind]) for column in table.columns])

    def append(self, rows: Sequence[tuple[str, pa.Table]]) -> None:
        """Write a block's rows, each beside the name of the part it goes to."""
        for part, batch in rows:
            if part not in self._writers:
                self._writers[part] = self._opened(part, batch.schema)
            self._writers[part].write_table(batch, row_group_size=ROW_GROUP)

    def _opened(self, part: str, schema: pa.Schema) -> pq.ParquetWriter:
        path = (
            self._folder / self._table.name / f"{part}.parquet"
            if part
            else self._folder / f"{self._table.name}.parquet"
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        # Without the Arrow schema a dictionary is a way to write text quickly, and is read as text.
        return pq.ParquetWriter(path, schema, compression="zstd", compression_level=1, store_schema=False)

    def parts_of(self, rows: Rows) -> list[tuple[str, pa.Table]]:
        """The rows as Arrow tables with the declared columns, by the part they belong to."""
        batch = pa.table({name: rows.columns[name].arrow() for name in self._table.by_name})
        if not len(rows.code):
            return []
        if not self._by_month:
            return [("", batch)]
        known = rows.columns[self._table.known_at or ""].values // MINUTES_A_DAY
        starts = self._calendar.month_starts
        # What was known before the data begin goes into the first part.
        edges = [0, *np.searchsorted(known, starts[1:]).tolist(), len(known)]
        names = self._calendar.month_names
        return [
            (name, batch.slice(begin, end - begin))
            for name, begin, end in zip(names, edges[:-1], edges[1:], strict=True)
            if end > begin
        ]

    def close(self) -> None:
        for writer in self._writers.values():
            writer.close()


def recoded(rows: Rows, permutations: Mapping[str, Mapping[str, str]]) -> Rows:
    """The rows with some columns' codes exchanged for others."""
    columns = dict(rows.columns)
    for name, codes in permutations.items():
        column = columns[name]
        assert isinstance(column, Labels)  # a column that reveals a reason holds codes
        names = pa.array([codes.get(one, one) for one in column.names.to_pylist()], pa.string())
        columns[name] = Labels(column.values, column.empty, names)
    return Rows(columns, rows.code)
