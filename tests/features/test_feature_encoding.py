"""Texts to codes by hand: counts and order of a vocabulary, and the hash."""

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adi.engines.duckdb_engine import DuckDBEngine
from adi.features.counted_vocabulary import count_values
from adi.features.encoding import Hash, Vocabulary


def table(values):
    return ibis.memtable(pa.table({"value": pa.array(values, pa.string()), "place": range(len(values))}))


def in_order(encoding, values):
    """The codes of a table's values in their order, as a preparation computes them."""
    codes = encoding.lookup(table(values)).order_by("place").to_pyarrow()["code"].combine_chunks()
    finished = codes.to_numpy() if encoding.finish is None else encoding.finish(codes)
    assert finished.dtype == np.int32
    return finished.tolist()


@pytest.fixture
def counted(tmp_path):
    """Counts the values of a table."""

    def count(values, min_count):
        engine = DuckDBEngine(ibis.duckdb.connect())
        return count_values(engine, "brand", values, min_count, tmp_path / "vocabulary" / "brand.parquet")

    return count


class TestVocabulary:
    VALUES = ("b", "a", None, "c", "b", "é", "a", "c", "c", "Z", None)

    def test_the_most_frequent_first_then_by_value(self, counted):
        encoding = counted(table(self.VALUES), 1)
        assert pq.read_table(encoding.path).to_pydict() == {
            "value": ["c", "a", "b", "Z", "é"],
            "count": [3, 2, 2, 1, 1],
            "code": [2, 3, 4, 5, 6],
        }
        values = ["é", None, "new", "c", "z"]
        assert encoding.rows == 7
        assert in_order(encoding, values) == [6, 0, 1, 2, 1]
        assert encoding.encode_column(pa.array(values)).tolist() == [6, 0, 1, 2, 1]
        assert [encoding.encode_value(value) for value in ("é", "new", "c")] == [6, 1, 2]
        assert encoding.encode_column(pa.array([None, None], pa.string())).tolist() == [0, 0]
        assert encoding.first_values(2) == ["c", "a"]

    def test_without_a_value(self):
        encoding = Vocabulary(pa.chunked_array([], pa.string()))
        assert encoding.encode_column(pa.array(["c", None])).tolist() == [1, 0]
        assert encoding.encode_value("c") == 1

    def test_rare_values_are_left_out(self, counted):
        encoding = counted(table(self.VALUES), 2)
        assert encoding.first_values(9) == ["c", "a", "b"]
        assert encoding.rows == 5
        assert in_order(encoding, ["Z", "b", None]) == [1, 4, 0]

    def test_no_value_is_frequent_enough(self, counted):
        encoding = counted(table(self.VALUES), 9)
        assert encoding.rows == 2
        assert in_order(encoding, ["c", None]) == [1, 0]

    def test_a_row_counts_as_often_as_its_weight(self, counted):
        weighted = ibis.memtable(pa.table({"value": ["a", "b", "a"], "weight": [1, 5, 2]}))
        vocabulary = pq.read_table(counted(weighted, 3).path)
        assert vocabulary["value"].to_pylist() == ["b", "a"]
        assert vocabulary["count"].to_pylist() == [5, 3]


class TestHash:
    def test_by_hand(self):
        # md5("a") ends in 31c399e269772661, as a little-endian number 0x61267769e299c331
        assert Hash(10).encode_value("a") == 0x61267769E299C331 % 10 + 2
        assert Hash(10).rows == 12

    def test_a_missing_value_has_code_0_and_no_other_has(self):
        values = [None, "a", "", None]
        assert in_order(Hash(1), values) == [0, 2, 2, 0]
        assert Hash(1).encode_column(pa.array(values)).tolist() == [0, 2, 2, 0]
        assert Hash(1).encode_column(pa.array([None], pa.string())).tolist() == [0]
