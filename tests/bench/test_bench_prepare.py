"""The benchmark of prepare on a log small enough for a test; that pandas does the same work is shown by the arrays."""

import re
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from adi.bench.prepare import in_pandas, ways
from adi.bench.prepare.log import LogSize, simulated_log
from adi.bench.prepare.measure import bench_prepare
from adi.errors import AdiError
from adi.schema import load_schema

SIZE = LogSize(rows=3000)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("prepare") / "logs"


@pytest.fixture(scope="module")
def tables(folder: Path) -> Path:
    return simulated_log(folder, SIZE)


def test_the_log_is_of_its_size_and_has_ten_features(tables: Path) -> None:
    log, users, items = (pq.read_table(tables / f"{name}.parquet") for name in ("clicks", "users", "items"))
    assert (log.num_rows, users.num_rows, items.num_rows) == (3000, 600, 150)
    assert log["ts"].to_numpy().tolist() == sorted(log["ts"].to_numpy().tolist())
    assert 0 < log["device"].null_count < 100
    features = load_schema(tables).features
    assert len(features.user) + len(features.item) + len(features.context) == 10


def test_each_way_has_a_row_for_each_size(folder: Path, tables: Path) -> None:
    report = bench_prepare([SIZE, LogSize(rows=1000)], folder, rounds=1).as_json()
    assert [(row["rows"], row["way"]) for row in report["rows"]] == [
        (rows, way) for rows in (3000, 1000) for way in ("adi prepare", "pandas in memory", "duckdb sort alone")
    ]
    for row in report["rows"]:
        assert row["least"] == row["rows_per_second"] == row["most"] > 0
        assert row["peak_mb"] > 50
    ours, pandas, duckdb = report["rows"][3:]
    assert report["found"] == {
        "rate_by_pandas": pytest.approx(ours["rows_per_second"] / pandas["rows_per_second"], abs=2e-3),
        "rate_by_duckdb": pytest.approx(ours["rows_per_second"] / duckdb["rows_per_second"], abs=2e-3),
    }
    assert sorted(path.name for path in folder.iterdir()) == ["log-1000", "log-3000"]  # nothing else is left there


def test_pandas_writes_the_arrays_that_adi_writes(
    tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With no row held out for validation, which the two draw in ways of their own."""
    schema = yaml.safe_load((tables / "schema.yaml").read_text())
    schema["split"]["validation"] = 0
    for path in tables.glob("*.parquet"):
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "schema.yaml").write_text(yaml.safe_dump(schema))
    monkeypatch.setattr(in_pandas, "VALIDATED", 0)
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ways.in_adi(str(tmp_path), str(ours), "1GB")()
    ways.in_pandas(str(tmp_path), str(theirs), "1GB")()
    written = {path.relative_to(ours) for path in ours.rglob("*.npy")}
    assert written == {path.relative_to(theirs) for path in theirs.rglob("*.npy")}
    assert len(written) == 29
    for path in written:
        own, other = np.load(ours / path), np.load(theirs / path)
        assert own.dtype == other.dtype, path
        np.testing.assert_array_equal(own, other, err_msg=str(path))


def test_pandas_validates_as_many_users_as_adi(tables: Path, tmp_path: Path) -> None:
    ways.in_adi(str(tables), str(tmp_path / "ours"), "1GB")()
    ways.in_pandas(str(tables), str(tmp_path / "theirs"), "1GB")()
    ours, theirs = (np.load(tmp_path / way / "interactions" / "held_out.npy") for way in ("ours", "theirs"))
    assert len(ours) == len(theirs)
    assert 0.5 < ours.sum() / theirs.sum() < 2


def test_duckdb_writes_the_log_by_user_and_time(tables: Path, tmp_path: Path) -> None:
    ways.in_duckdb(str(tables), str(tmp_path / "out"), "1GB")()
    log = pq.read_table(tmp_path / "out" / "clicks.parquet").select(["user", "ts"]).to_pylist()
    assert [(row["user"], row["ts"]) for row in log] == sorted((row["user"], row["ts"]) for row in log)
    assert len(log) == SIZE.rows


def test_without_pandas_nothing_is_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ways, "find_spec", lambda name: None)
    with pytest.raises(AdiError, match=r"pandas is not installed.*'pip install pandas'.*--alone"):
        bench_prepare([SIZE], tmp_path / "logs")
    assert not (tmp_path / "logs").exists()


def test_alone_needs_no_pandas(folder: Path, tables: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ways, "find_spec", lambda name: None)
    report = bench_prepare([SIZE], folder, alone=True, rounds=1, threads=1)
    assert [row["way"] for row in report.rows] == ["adi prepare"]
    assert report.found == {}


def test_what_is_at_fault_in_a_process_is_said(folder: Path, tables: Path) -> None:
    with pytest.raises(AdiError, match="--memory: 'much' is no size"):
        bench_prepare([SIZE], folder, alone=True, memory="much")


def test_another_log_in_the_folder_is_refused(folder: Path, tables: Path) -> None:
    with pytest.raises(AdiError, match=r"log-3000: holds a log of \{'rows': 3000, 'seed': 0\}.*'seed': 7.*Remove it"):
        simulated_log(folder, LogSize(rows=3000, seed=7))


def test_pandas_is_no_dependency() -> None:
    """It is there for benchmarks alone, and only in the processes that measure it and a peer that needs it."""
    importers = [
        path.name
        for path in (Path(__file__).parents[2] / "src" / "adi").rglob("*.py")
        if re.search(r"^\s*(import|from) pandas", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert sorted(importers) == ["in_pandas.py", "peer_libreco.py"]
