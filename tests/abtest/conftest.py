"""A function that writes logs."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from abtest_logs import Logs, Row, WriteLogs
from adi.serving.exposures import SCHEMA


@pytest.fixture
def write_logs(tmp_path: Path) -> WriteLogs:
    def write(exposures: Sequence[Row], clicks: Sequence[Row]) -> Logs:
        folder = tmp_path / "exposures"
        folder.mkdir(exist_ok=True)
        pq.write_table(pa.Table.from_pylist(list(exposures), schema=SCHEMA), folder / "a.parquet")
        table = pa.table({name: [row[name] for row in clicks] for name in ("user", "item", "domain", "time", "charge")})
        pq.write_table(table, tmp_path / "clicks.parquet")
        return Logs(folder, tmp_path / "clicks.parquet")

    return write
