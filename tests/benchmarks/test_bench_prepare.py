"""The benchmark of prepare on a small log; the arrays show that pandas does the same work."""

import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from adi.errors import AdiError
from adi.schema import load_schema
from benchmarks.preparation import prepare
from benchmarks.preparation.in_pandas import prepare_in_pandas
from benchmarks.preparation.log import LogSize, simulated_log

SIZE = LogSize(rows=3000)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("prepare") / "logs"


@pytest.fixture(scope="module")
def tables(folder: Path) -> Path:
    return simulated_log(folder, SIZE)


def test_the_log_has_its_size_and_ten_features(tables: Path) -> None:
    log, users, items = (pq.read_table(tables / f"{name}.parquet") for name in ("clicks", "users", "items"))
    assert (log.num_rows, users.num_rows, items.num_rows) == (3000, 600, 150)
    assert log["ts"].to_numpy().tolist() == sorted(log["ts"].to_numpy().tolist())
    assert 0 < log["device"].null_count < 100
    features = load_schema(tables).features
    assert len(features.user) + len(features.item) + len(features.context) == 10


def test_each_way_has_a_row_for_each_size(measure, folder: Path, tables: Path) -> None:
    report = measure("prepare --rows 3000,1000 --rounds 1 --folder", folder)
    assert [(row["rows"], row["way"]) for row in report["rows"]] == [
        (rows, way) for rows in (3000, 1000) for way in ("adi prepare", "pandas in memory", "duckdb sort alone")
    ]
    for row in report["rows"]:
        assert row["least"] == row["rows_per_second"] == row["most"] > 0
        assert row["peak_mb"] > 50
    adi, pandas, duckdb = report["rows"][3:]
    assert report["found"] == {
        "rate_by_pandas": pytest.approx(adi["rows_per_second"] / pandas["rows_per_second"], abs=2e-3),
        "rate_by_duckdb": pytest.approx(adi["rows_per_second"] / duckdb["rows_per_second"], abs=2e-3),
    }
    assert sorted(path.name for path in folder.iterdir()) == ["log-1000", "log-3000"]  # nothing else is left there


def test_pandas_writes_the_arrays_that_adi_writes(tables: Path, tmp_path: Path) -> None:
    """With no row held out for validation, for which each draws users in its own way.

    adi writes more: the live histories of test rows, and the numbers behind numeric codes.
    """
    schema = yaml.safe_load((tables / "schema.yaml").read_text())
    schema["split"]["validation"] = 0
    for path in tables.glob("*.parquet"):
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "schema.yaml").write_text(yaml.safe_dump(schema))
    adi, pandas = tmp_path / "adi", tmp_path / "pandas"
    prepare.adi_prepare(str(tmp_path), str(adi), "1GB")()
    prepare_in_pandas(tmp_path, pandas, validation=0)
    names = {path.relative_to(adi) for path in adi.rglob("*.npy")}
    names = {name for name in names if name.parts[0] != "timeline" and not name.name.endswith(".number.npy")}
    assert names == {path.relative_to(pandas) for path in pandas.rglob("*.npy")}
    assert len(names) == 29
    for name in names:
        expected, array = np.load(adi / name), np.load(pandas / name)
        assert array.dtype == expected.dtype, name
        np.testing.assert_array_equal(array, expected, err_msg=str(name))


def test_pandas_validates_as_many_users_as_adi(tables: Path, tmp_path: Path) -> None:
    prepare.adi_prepare(str(tables), str(tmp_path / "adi"), "1GB")()
    prepare.pandas_in_memory(str(tables), str(tmp_path / "pandas"), "1GB")()
    adi, pandas = (np.load(tmp_path / name / "interactions" / "held_out.npy") for name in ("adi", "pandas"))
    assert len(adi) == len(pandas)
    assert 0.5 < adi.sum() / pandas.sum() < 2


def test_duckdb_writes_the_log_by_user_and_time(tables: Path, tmp_path: Path) -> None:
    prepare.duckdb_sort(str(tables), str(tmp_path / "out"), "1GB")()
    log = pq.read_table(tmp_path / "out" / "clicks.parquet").select(["user", "ts"]).to_pylist()
    assert [(row["user"], row["ts"]) for row in log] == sorted((row["user"], row["ts"]) for row in log)
    assert len(log) == SIZE.rows


def test_without_pandas_nothing_is_begun(benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    done = benchmark("prepare --folder", tmp_path / "logs")
    assert done.returncode == 2
    assert "pandas is not installed" in done.stderr
    assert "--alone" in done.stderr
    assert not (tmp_path / "logs").exists()


def test_alone_needs_no_pandas(measure, folder: Path, tables: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    report = measure("prepare --rows 3000 --alone --rounds 1 --threads 1 --folder", folder)
    assert [row["way"] for row in report["rows"]] == ["adi prepare"]
    assert report["found"] == {}


def test_an_error_in_a_process_is_shown(benchmark, folder: Path, tables: Path) -> None:
    done = benchmark("prepare --rows 3000 --alone --memory much --folder", folder)
    assert done.returncode == 2
    assert "memory: 'much' is no size" in done.stderr


def test_another_log_in_the_folder_is_refused(folder: Path, tables: Path) -> None:
    message = r"log-3000: holds a log of \{'rows': 3000, 'seed': 0\}, not of .*'seed': 7.*Remove it"
    with pytest.raises(AdiError, match=message):
        simulated_log(folder, LogSize(rows=3000, seed=7))
