"""Texts to codes by hand: counts and order of a vocabulary, and the hash."""

import ibis
import numpy as np
import pyarrow as pa

from adi.features.encoding import Hash, Vocabulary, count_values


def table(values):
    return ibis.memtable(pa.table({"value": pa.array(values, pa.string()), "place": range(len(values))}))


def in_order(batches):
    """The codes of a table's rows by their place."""
    (batch,) = batches
    assert set(batch) == {"place", "code"}
    assert batch["code"].dtype == np.int32
    return batch["code"][np.argsort(batch["place"])].tolist()


class TestVocabulary:
    VALUES = ("b", "a", None, "c", "b", "é", "a", "c", "c", "Z", None)

    def test_the_most_frequent_first_then_by_value(self):
        vocabulary = count_values(table(self.VALUES), 1)
        assert vocabulary.to_pydict() == {
            "value": ["c", "a", "b", "Z", "é"],
            "count": [3, 2, 2, 1, 1],
            "code": [2, 3, 4, 5, 6],
        }
        encoding = Vocabulary(vocabulary["value"])
        values = ["é", None, "new", "c", "z"]
        assert encoding.rows == 7
        assert in_order(encoding.encode_table(table(values))) == [6, 0, 1, 2, 1]
        assert encoding.encode_column(pa.array(values)).tolist() == [6, 0, 1, 2, 1]
        assert [encoding.encode_value(value) for value in ("é", "new", "c")] == [6, 1, 2]
        assert encoding.encode_column(pa.array([None, None], pa.string())).tolist() == [0, 0]
        assert encoding.first_values(2) == ["c", "a"]

    def test_without_a_value(self):
        encoding = Vocabulary(pa.chunked_array([], pa.string()))
        assert encoding.encode_column(pa.array(["c", None])).tolist() == [1, 0]
        assert in_order(encoding.encode_table(table(["c", None]))) == [1, 0]
        assert encoding.encode_value("c") == 1

    def test_rare_values_are_left_out(self):
        vocabulary = count_values(table(self.VALUES), 2)
        assert vocabulary["value"].to_pylist() == ["c", "a", "b"]
        assert in_order(Vocabulary(vocabulary["value"]).encode_table(table(["Z", "b", None]))) == [1, 4, 0]

    def test_a_row_counts_as_often_as_its_weight(self):
        weighted = ibis.memtable(pa.table({"value": ["a", "b", "a"], "weight": [1, 5, 2]}))
        vocabulary = count_values(weighted, 3)
        assert vocabulary["value"].to_pylist() == ["b", "a"]
        assert vocabulary["count"].to_pylist() == [5, 3]


class TestHash:
    def test_by_hand(self):
        # md5("a") ends in 31c399e269772661, as a little-endian number 0x61267769e299c331
        assert Hash(10).encode_value("a") == 0x61267769E299C331 % 10 + 2
        assert Hash(10).rows == 12

    def test_a_missing_value_has_code_0_and_no_other_has(self):
        values = [None, "a", "", None]
        assert in_order(Hash(1).encode_table(table(values))) == [0, 2, 2, 0]
        assert Hash(1).encode_column(pa.array(values)).tolist() == [0, 2, 2, 0]
        assert Hash(1).encode_column(pa.array([None], pa.string())).tolist() == [0]
