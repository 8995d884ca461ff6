"""Spark prepares what DuckDB prepares, bit by bit, with nothing that grows with the log in one process or partition."""

import gc
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from pyspark.errors import PythonException
from pyspark.sql import SparkSession

from adi.engines.spark import reading
from adi.engines.spark.faults import faults
from adi.errors import AdiError, ArgumentError
from adi.preparation.prepare import prepare

pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # PySpark leaves its to the garbage

PARTITIONS = 3
ROWS = 400


@pytest.fixture(scope="module")
def spark(tmp_path_factory) -> Iterator[SparkSession]:
    """A session whose stages are as divided on little data as on much, with a record of what ran."""
    events = tmp_path_factory.mktemp("events")
    settings = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.shuffle.partitions": str(PARTITIONS),
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.codegen.wholeStage": "false",  # compiling takes longer than to read some hundred rows
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        "spark.sql.warehouse.dir": str(tmp_path_factory.mktemp("warehouse")),
        "spark.eventLog.enabled": "true",
        "spark.eventLog.rolling.enabled": "false",
        "spark.eventLog.compress": "false",
        "spark.eventLog.dir": events.as_uri(),
        "spark.driver.memory": "1g",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
    }
    builder = SparkSession.builder.master("local[2]").appName("tests")
    for name, value in settings.items():
        builder = builder.config(name, value)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PYSPARK_PYTHON", sys.executable)
        session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    session.events = events
    yield session
    session.stop()
    gc.collect()


def log_of(rng: np.random.Generator, count: int = ROWS) -> pa.Table:
    """A log with ids that sort otherwise as numbers, missing values, and rows that cannot be used."""
    users = np.array(["10", "9", "é", "B", "b", "本", *(f"u{number}" for number in range(40))])
    return pa.table({
        "user": pa.array(users[rng.integers(len(users), size=count)], mask=rng.random(count) < 0.02),
        "item": [f"i{number}" for number in rng.integers(30, size=count)],
        "shop": np.array(["a", "b", "c"])[rng.integers(3, size=count)],
        "time": rng.integers(1000, size=count),
        "device": pa.array(np.array(["phone", "tv", ""])[rng.integers(3, size=count)]),
        "age": pa.array(rng.normal(size=count), mask=rng.random(count) < 0.1),
        "stars": rng.integers(1, 6, size=count).astype(np.uint8),
    })  # fmt: skip


@pytest.fixture(scope="module")
def tables(tmp_path_factory) -> Path:
    """Tables of all kinds of features, the log in two Parquet files of several row groups."""
    folder, rng = tmp_path_factory.mktemp("tables"), np.random.default_rng(0)
    log = log_of(rng)
    (folder / "log").mkdir()
    pq.write_table(log.slice(0, 300), folder / "log" / "a.parquet", row_group_size=100)
    pq.write_table(log.slice(300), folder / "log" / "b.parquet", row_group_size=60)
    users = [*dict.fromkeys(value for value in log["user"].to_pylist() if value), "new"]
    tags = [None, [], ["red"], ["blue", "", "red"], ["red", None, "green"]]
    items = {
        "item": [f"i{number}" for number in range(33)],
        "tags": pa.array([tags[number % 5] for number in range(33)], pa.list_(pa.string())),
        "words": [None if number % 7 == 0 else "|".join("abc"[: number % 4]) for number in range(33)],
        "price": pa.array([float("nan") if number == 3 else number**1.5 for number in range(33)]),
        "made": pa.array(np.arange(33) * 86_400_000_000, pa.timestamp("us")),
    }
    pq.write_table(pa.table({"user": users, "city": [f"c{len(user) % 3}" for user in users]}), folder / "users.parquet")
    pq.write_table(pa.table(items), folder / "items.parquet")
    pairs = [(f"i{number}", shop, number / 7) for number in range(0, 33, 2) for shop in "abc"]
    bids = dict(zip(("item", "shop", "bid"), zip(*pairs, strict=True), strict=True))
    pq.write_table(pa.table(bids), folder / "bids.parquet")
    return folder


SCHEMA = {
    "domains": {"column": "shop"},
    "interactions": {"path": "log", "user": "user", "item": "item", "time": "time", "positive": "stars > 1"},
    "tables": {
        "users": {"path": "users.parquet", "key": "user"},
        "items": {"path": "items.parquet", "key": "item"},
        "bids": {"path": "bids.parquet", "key": ["item", "shop"]},
    },
    "features": {
        "user": [
            {"name": "history", "kind": "behaviours"},
            {"name": "user_id", "kind": "id", "hash_size": 20},
            {"name": "city", "kind": "categorical", "table": "users"},
        ],
        "item": [
            {"name": "item_id", "kind": "id", "min_count": 2},
            {"name": "tags", "kind": "multi", "table": "items"},
            {"name": "words", "kind": "multi", "separator": "|", "hash_size": 5, "table": "items"},
            {"name": "price", "kind": "numeric", "table": "items", "buckets": 5},
            {"name": "bid", "kind": "numeric", "table": "bids", "buckets": 3},
        ],
        "context": [{"name": "device", "kind": "categorical"}, {"name": "age", "kind": "numeric", "buckets": 4}],
    },
}


def schema_with(folder: Path, **keys) -> Path:
    path = folder / "schema.yaml"
    path.write_text(json.dumps(SCHEMA | keys), encoding="utf-8")
    return path


def require_same_files(left: Path, right: Path) -> None:
    """All files of two prepared datasets have the same bytes, but for the time in the manifest."""
    names = [
        sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
        for folder in (left, right)
    ]
    assert names[0] == names[1]
    for name in names[0]:
        if name == "manifest.json":
            manifests = [json.loads((folder / name).read_text()) for folder in (left, right)]
            for manifest in manifests:
                del manifest["created"], manifest["digest"], manifest["files"]["set_aside.parquet"]
            assert manifests[0] == manifests[1]
        elif name == "set_aside.parquet":  # DuckDB knows files by number, a dictionary in Parquet
            rows = [pq.read_table(folder / name) for folder in (left, right)]
            assert rows[0].cast(rows[1].schema).equals(rows[1])
        else:
            assert (left / name).read_bytes() == (right / name).read_bytes(), name


def narrow_stages(events: Path) -> list[tuple[str, int]]:
    """The stages of one task and the rows that each read, where they are more than counts of partitions.

    A stage that streams through this process takes one partition after the other and is left out.
    """
    tasks: dict[int, int] = {}
    names: dict[int, str] = {}
    rows: dict[int, int] = {}
    for line in next(events.iterdir()).read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        if event["Event"] == "SparkListenerStageCompleted":
            tasks[event["Stage Info"]["Stage ID"]] = event["Stage Info"]["Number of Tasks"]
            names[event["Stage Info"]["Stage ID"]] = event["Stage Info"]["Stage Name"]
        elif event["Event"] == "SparkListenerTaskEnd":
            metrics = event["Task Metrics"]
            read = metrics["Shuffle Read Metrics"]["Total Records Read"] + metrics["Input Metrics"]["Records Read"]
            rows[event["Stage ID"]] = rows.get(event["Stage ID"], 0) + read
    return [
        (names[stage], rows[stage])
        for stage, number in tasks.items()
        if number == 1 and rows[stage] > 10 * PARTITIONS and "toLocalIterator" not in names[stage]
    ]


@pytest.mark.slow
def test_a_timed_log_with_trends(spark, tables, tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "ROWS_PER_TASK", 100)
    split = {"kind": "time", "at": 800, "validation": 0.2}
    schema = schema_with(
        tables, split=split, trend={"half_lives": [10, 100], "delay": 1, "co_clicks": {"half_lives": [50]}}
    )
    prepare(schema, tmp_path / "duckdb", progress=False)
    prepare(schema, tmp_path / "spark", engine="spark", progress=False)
    require_same_files(tmp_path / "duckdb", tmp_path / "spark")
    assert narrow_stages(spark.events) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["duckdb", "spark"]


@pytest.mark.slow
def test_strict_refuses_the_same(spark, tables, tmp_path):
    messages = []
    for engine in ("duckdb", "spark"):
        with pytest.raises(ArgumentError, match=r"log: \d+ no user\n.*a\.parquet, row \d+, column 'user'") as refused:
            prepare(schema_with(tables), tmp_path / engine, engine=engine, strict=True, progress=False)
        messages.append(str(refused.value))
    assert messages[0] == messages[1]
    assert list(tmp_path.iterdir()) == []


PLAIN = {
    "domains": {"column": "shop"},
    "interactions": {"path": "log.csv", "user": "user", "item": "item", "positive": "stars > 1"},
    "features": {"user": [{"name": "history", "kind": "behaviours"}], "item": [{"name": "item_id", "kind": "id"}]},
}


def written(folder: Path, schema: dict[str, object], **tables: pa.Table) -> Path:
    """A schema and its tables as CSV."""
    folder.mkdir()
    for name, table in tables.items():
        pa.csv.write_csv(table, folder / f"{name}.csv")
    (folder / "schema.yaml").write_text(json.dumps(schema), encoding="utf-8")
    return folder / "schema.yaml"


@pytest.mark.slow
def test_files_of_text_with_test_rows_and_candidates(spark, tmp_path):
    rng = np.random.default_rng(1)
    log, test = log_of(rng).select(["user", "item", "shop", "stars"]), log_of(rng, 60)
    split = {"kind": "files", "test": "test.csv", "candidates": "candidates.csv", "validation": 0.5}
    candidates = log_of(rng, 300).select(["user", "shop", "item"])
    schema = written(tmp_path / "t", PLAIN | {"split": split}, log=log, test=test, candidates=candidates)
    prepare(schema, tmp_path / "duckdb", progress=False)
    prepare(schema, tmp_path / "spark", engine="spark", progress=False)
    require_same_files(tmp_path / "duckdb", tmp_path / "spark")


@pytest.mark.slow
def test_duplicates_and_more_validation_rows_in_small_domains(spark, tmp_path):
    log = log_of(np.random.default_rng(4))
    others = log.slice(0, 50).set_column(4, "device", pa.array(["radio"] * 50))  # another context
    interactions = PLAIN["interactions"] | {"time": "time", "duplicates": "drop"}
    features = PLAIN["features"] | {"context": [{"name": "device", "kind": "categorical"}]}
    split = {"kind": "last", "validation": 0.1, "validation_least": 30}
    schema = PLAIN | {"interactions": interactions, "features": features, "split": split}
    path = written(tmp_path / "t", schema, log=pa.concat_tables([log, others, log.slice(100, 90), others.slice(0, 9)]))
    manifest = prepare(path, tmp_path / "duckdb", progress=False)
    prepare(path, tmp_path / "spark", engine="spark", progress=False)
    require_same_files(tmp_path / "duckdb", tmp_path / "spark")
    usable = [row["user"] is not None and row["stars"] > 1 for row in log.to_pylist()]
    assert manifest.rows.set_aside["duplicate"] == sum(usable[100:190]) + sum(usable[:9])
    assert sum(counts.duplicates for counts in manifest.by_domain.values()) == sum(usable[:50])
    path.write_text(json.dumps(schema | {"split": split | {"validation_least": 0}}), encoding="utf-8")
    fewer = prepare(path, tmp_path / "fewer", progress=False)
    for name, counts in manifest.by_domain.items():
        assert counts.validation > fewer.by_domain[name].validation


@pytest.mark.slow
def test_frames_and_tables_of_the_catalogue(spark, tmp_path):
    log = log_of(np.random.default_rng(2))
    users = pa.table({"user": ["9", "10", "b"], "city": ["x", "y", "x"]})
    features = PLAIN["features"] | {
        "user": [*PLAIN["features"]["user"], {"name": "city", "kind": "categorical", "table": "users"}]
    }
    changes = {"features": features, "split": {"kind": "random", "share": 0.2, "seed": 3}}
    schema = written(tmp_path / "t", PLAIN | changes | {"tables": {"users": {"path": "users.csv", "key": "user"}}})
    prepare(schema, tmp_path / "duckdb", tables={"interactions": log, "users": users}, progress=False)
    spark.createDataFrame(users).write.saveAsTable("people")
    of_catalogue = {"tables": {"users": {"path": "catalogue://people", "key": "user"}}}
    schema.write_text(json.dumps(PLAIN | changes | of_catalogue), encoding="utf-8")
    log = log.set_column(6, "stars", log["stars"].cast(pa.int32()))  # Spark has no unsigned numbers
    frame = spark.createDataFrame(log).coalesce(1)  # else its rows have the order of its parts
    spark.createDataFrame(users).createTempView("rows")
    prepare(schema, tmp_path / "spark", tables={"interactions": frame}, engine="spark", progress=False)
    assert spark.table("rows").count() == 3
    assert [view["viewName"] for view in spark.sql("SHOW VIEWS LIKE 'adi_*'").collect()] == []
    for name in ("manifest.json", "schema.yaml", "set_aside.parquet"):  # these name the tables
        (tmp_path / "duckdb" / name).unlink()
        (tmp_path / "spark" / name).unlink()
    require_same_files(tmp_path / "duckdb", tmp_path / "spark")


class TestFaults:
    def prepare(self, tmp_path, engine="spark", tables=None, **changes):
        log = pa.table({"user": ["a", "b"], "item": ["x", "y"], "shop": ["s", "s"], "stars": ["5", "many"]})
        schema = written(tmp_path / "t", PLAIN | {"split": {"kind": "last"}} | changes, log=log)
        prepare(schema, tmp_path / "out", engine=engine, tables=tables, progress=False)

    def test_an_expression_that_fails_on_some_row(self, spark, tmp_path):
        changed = PLAIN["interactions"] | {"positive": "stars::INTEGER > 1"}
        with pytest.raises(AdiError, match=r"interactions\.positive: 'stars::INTEGER > 1' cannot be .*many"):
            self.prepare(tmp_path, interactions=changed)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["t"]

    def test_a_file_that_is_damaged_where_only_a_task_reads(self, spark, tmp_path):
        path = tmp_path / "log.parquet"
        pq.write_table(log_of(np.random.default_rng(3), 5000), path, compression="none")
        content = bytearray(path.read_bytes())
        content[4:200] = bytes(196)
        path.write_bytes(content)
        with pytest.raises(AdiError, match=r"log\.parquet: cannot be read as Parquet"):
            self.prepare(tmp_path, interactions=PLAIN["interactions"] | {"path": str(path)})

    def test_a_table_that_the_catalogue_lacks(self, spark, tmp_path):
        with pytest.raises(AdiError, match=r"catalogue://sales\.none: Spark's catalogue has no such table"):
            self.prepare(tmp_path, interactions=PLAIN["interactions"] | {"path": "catalogue://sales.none"})

    def test_a_table_that_is_no_frame_of_spark(self, spark, tmp_path):
        with pytest.raises(ArgumentError, match=r"Table is no DataFrame of Spark"):
            self.prepare(tmp_path, tables={"interactions": pa.table({"user": ["a"]})})

    def test_a_catalogue_without_spark(self, tmp_path):
        with pytest.raises(AdiError, match=r"catalogue://clicks: DuckDB has no catalogue"):
            self.prepare(tmp_path, engine="duckdb", interactions=PLAIN["interactions"] | {"path": "catalogue://clicks"})

    def test_a_cluster_without_adi(self):
        lines = "Traceback (most recent call last):\nModuleNotFoundError: No module named 'adi'\n"
        with pytest.raises(AdiError, match=r"Spark's Python has no package 'adi'.*PYSPARK_PYTHON"), faults():
            raise PythonException(lines)

    def test_an_unknown_engine(self, tmp_path):
        with pytest.raises(ArgumentError, match=r"'spork' is no engine: duckdb, spark, or a Spark master"):
            self.prepare(tmp_path, engine="spork")

    def test_without_pyspark(self, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "pyspark.sql", None)
        with pytest.raises(AdiError, match=r"pip install 'adi-retrieval\[spark\]'"):
            self.prepare(tmp_path)

    def test_without_java(self, tmp_path, monkeypatch):
        monkeypatch.setattr(SparkSession, "getActiveSession", lambda: None)
        monkeypatch.setattr("adi.engines.spark.session.which", lambda name: None)
        monkeypatch.delenv("JAVA_HOME", raising=False)
        with pytest.raises(AdiError, match=r"Spark needs Java, version 17 or newer"):
            self.prepare(tmp_path)
