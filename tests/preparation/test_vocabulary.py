"""Values to codes by hand: counts and order of a vocabulary, hashing the same in and out of the engine, buckets."""

import math

import ibis
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adi.data.codes import bucket, hash_one
from adi.errors import AdiError
from adi.preparation.vocabulary import bucket_edges, count_values, hash_values, look_up, looked_up_in


@pytest.fixture(scope="module")
def engine():
    connection = ibis.duckdb.connect()
    yield connection
    connection.disconnect()


def table(values, kind=None):
    return ibis.memtable(pa.table({"value": pa.array(values, kind), "place": range(len(values))}))


def codes(engine, coded):
    return engine.to_pyarrow(coded.order_by("place"))["code"].to_pylist()


def vocabulary_of(engine, values, min_count, name):
    return count_values(engine, ibis.memtable(values), min_count, name)


class TestVocabulary:
    VALUES = ("b", "a", None, "c", "b", "é", "a", "c", "c", "Z", None)

    def test_the_frequent_first_then_by_value(self, engine):
        vocabulary = vocabulary_of(engine, pa.table({"value": self.VALUES}), 1, "all_values")
        assert engine.to_pyarrow(vocabulary.order_by("code")).to_pydict() == {
            "value": ["c", "a", "b", "Z", "é"],
            "count": [3, 2, 2, 1, 1],
            "code": [2, 3, 4, 5, 6],
        }
        values = ["é", None, "new", "c", "z"]
        assert codes(engine, look_up(table(values), vocabulary)) == [6, 0, 1, 2, 1]
        encode = looked_up_in(engine.to_pyarrow(vocabulary.order_by("code"))["value"])
        assert encode(pa.array(values)).tolist() == [6, 0, 1, 2, 1]
        assert encode(pa.array([None, None], pa.string())).tolist() == [0, 0]
        assert looked_up_in(pa.array([], pa.string()))(pa.array(["c", None])).tolist() == [1, 0]

    def test_the_rare_are_left_to_the_row_of_unseen_values(self, engine):
        vocabulary = vocabulary_of(engine, pa.table({"value": self.VALUES}), 2, "frequent_values")
        assert engine.to_pyarrow(vocabulary.order_by("code"))["value"].to_pylist() == ["c", "a", "b"]
        assert codes(engine, look_up(table(["Z", "b", None]), vocabulary)) == [1, 4, 0]

    def test_a_row_counts_as_often_as_its_weight(self, engine):
        weighted = pa.table({"value": ["a", "b", "a"], "weight": [1, 5, 2]})
        vocabulary = engine.to_pyarrow(vocabulary_of(engine, weighted, 3, "weighted_values").order_by("code"))
        assert vocabulary["value"].to_pylist() == ["b", "a"]
        assert vocabulary["count"].to_pylist() == [5, 3]


class TestHash:
    def test_by_hand(self):
        # md5("a") ends in 31c399e269772661, as a little-endian number 0x61267769e299c331
        assert hash_one("a", 10) == 0x61267769E299C331 % 10 + 2

    @settings(max_examples=30)
    @given(
        st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))), st.integers(1, 2**31 - 3)
    )
    def test_the_engine_agrees(self, engine, values, size):
        values = [*values, "", "x" * 10_000, "本 é"]
        assert codes(engine, hash_values(table(values), size)) == [hash_one(value, size) for value in values]

    def test_a_missing_value_is_row_0_and_no_other_is(self, engine):
        assert codes(engine, hash_values(table([None, "a", "b", None], pa.string()), 1)) == [0, 2, 2, 0]


class TestBuckets:
    def edges(self, engine, values, buckets, scale="quantile"):
        numbers = engine.create_table(f"numbers_{len(engine.list_tables())}", table(values, pa.float64()))
        return bucket_edges(numbers, buckets, scale, "items.csv, column 'price'")

    def test_quantiles_hold_equally_many_rows(self, engine):
        numbers = [9.0, 1.0, 5.0, 3.0, 7.0, None, math.nan, math.inf, -math.inf]
        assert self.edges(engine, numbers, 2) == (5.0,)
        assert self.edges(engine, numbers, 4) == (3.0, 5.0, 7.0)

    def test_repeated_values_have_fewer_buckets(self, engine):
        assert self.edges(engine, [0.0] * 4 + [1.0] * 4, 4) == (0.5, 1.0)
        assert self.edges(engine, [3.0], 5) == ()
        assert self.edges(engine, [3.0, 3.0], 3, "log") == ()

    def test_a_lowest_value_of_many_rows_is_apart_from_the_others(self, engine):
        assert self.edges(engine, [0.0] * 8 + [2.0, 1.0], 4) == (1.0,)  # every quartile is the lowest value
        assert self.edges(engine, [0.0] * 5 + [4.0, 2.0, 8.0], 4) == (2.0, 2.5)  # quartiles 0, 0, 2.5

    def test_log_steps_are_equal_in_the_logarithm(self, engine):
        assert self.edges(engine, [0.0, 7.0, 2.0], 3, "log") == pytest.approx((1.0, 3.0))  # 1 + x: 1, 2, 4, 8

    def test_log_is_for_counts(self, engine):
        message = r"items\.csv, column 'price': the value -0\.5 is negative, and scale: log .*Use scale: quantile"
        with pytest.raises(AdiError, match=message):
            self.edges(engine, [-0.5, 3.0], 3, "log")

    def test_no_finite_number(self, engine):
        with pytest.raises(AdiError, match=r"items\.csv, column 'price': no value is a finite number"):
            self.edges(engine, [math.nan, None, math.inf], 3)

    def test_a_number_on_an_edge_is_above_it(self):
        encode = bucket((1.0, 3.0))
        numbers = np.array([0.9, 1.0, 2.9, 3.0, -1e300, 1e300, np.nan, np.inf, -np.inf])
        assert encode(numbers).tolist() == [2, 3, 3, 4, 2, 4, 0, 0, 0]
        assert bucket(())(np.array([5.0, np.nan])).tolist() == [2, 0]
