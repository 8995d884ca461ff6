"""Ids in order, each with its number; and tables written in those numbers."""

import ibis
import pyarrow as pa
import pytest

from adi.engines.duckdb_engine import DuckDBEngine
from adi.preparation.entities import Entities, in_numbers, number_entities


@pytest.fixture(scope="module")
def engine():
    database = ibis.duckdb.connect()
    yield DuckDBEngine(database)
    database.disconnect()


def test_numbers_follow_the_bytes_of_the_ids(engine, tmp_path):
    sources = [["b", "é", None, "B", "b"], ["10", "9", "b", "本"], [None]]
    tables = [
        ibis.memtable(pa.table({"other": range(len(keys)), "key": pa.array(keys, pa.string())})) for keys in sources
    ]
    entities = number_entities(engine, "item", tables, tmp_path / "entities")
    expected = ["10", "9", "B", "b", "é", "本"]
    assert entities.size == 6
    assert entities.table.order_by("index").to_pyarrow()["key"].to_pylist() == expected
    written = pa.ipc.open_file(tmp_path / "entities" / "item.arrow").read_all()
    assert written.to_pydict() == {"index": list(range(6)), "key": expected}
    assert written.schema.field("index").type == pa.int32()


def test_rows_with_something_unknown_fall_away():
    entities = {
        "user": Entities(ibis.memtable(pa.table({"index": [0, 1], "key": ["ann", "bo"]})), 2),
        "item": Entities(ibis.memtable(pa.table({"index": [0, 1, 2], "key": ["x", "y", "z"]})), 3),
    }
    rows = {
        "user": ["bo", "ann", "cy", "ann", "bo"],
        "item": ["z", "y", "x", "q", "x"],
        "domain": ["shop", "feed", "feed", "feed", "news"],
        "row": [1, 2, 3, 4, 5],
    }
    numbered = in_numbers(ibis.memtable(pa.table(rows)), entities, ("feed", "shop"))
    result = numbered.order_by("row").select("row", "user", "item", "domain").to_pyarrow()
    assert result.to_pydict() == {"row": [1, 2], "user": [1, 0], "item": [2, 1], "domain": [1, 0]}
    pairs = in_numbers(ibis.memtable(pa.table({"item": ["y"], "domain": ["shop"]})), entities, ("feed", "shop"))
    assert pairs.to_pyarrow().to_pylist() == [{"item": 1, "domain": 1}]
