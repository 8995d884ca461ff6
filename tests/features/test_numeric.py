"""Numbers to codes by hand: the edges of buckets, and the types that are numbers."""

import math

import ibis
import pyarrow as pa
import pytest

from adi.engines.duckdb_engine import DuckDBEngine
from adi.errors import AdiError
from adi.features.numeric import Buckets, bucket_edges, is_number


class TestBuckets:
    def edges(self, values, buckets, scale="quantile"):
        numbers = ibis.memtable(pa.table({"value": pa.array(values, pa.float64())}))
        return bucket_edges(DuckDBEngine(ibis.duckdb.connect()), numbers, buckets, scale, "items.csv, column 'price'")

    def test_quantiles_hold_equally_many_rows(self):
        numbers = [9.0, 1.0, 5.0, 3.0, 7.0, None, math.nan, math.inf, -math.inf]
        assert self.edges(numbers, 2) == (5.0,)
        assert self.edges(numbers, 4) == (3.0, 5.0, 7.0)

    def test_repeated_values_have_fewer_buckets(self):
        assert self.edges([0.0] * 4 + [1.0] * 4, 4) == (0.5, 1.0)
        assert self.edges([3.0], 5) == ()
        assert self.edges([3.0, 3.0], 3, "log") == ()

    def test_a_lowest_value_of_many_rows_is_apart_from_the_others(self):
        assert self.edges([0.0] * 8 + [2.0, 1.0], 4) == (1.0,)  # every quartile is the lowest value
        assert self.edges([0.0] * 5 + [4.0, 2.0, 8.0], 4) == (2.0, 2.5)  # quartiles 0, 0, 2.5

    def test_log_steps_are_equal_in_the_logarithm(self):
        assert self.edges([0.0, 7.0, 2.0], 3, "log") == pytest.approx((1.0, 3.0))  # 1 + x: 1, 2, 4, 8

    def test_numbers_further_apart_than_the_largest(self):
        assert self.edges([-1.5e308, 1.5e308], 4) == (-0.75e308, 0.0, 0.75e308)

    def test_log_is_for_counts(self):
        message = r"items\.csv, column 'price': the value -0\.5 is negative, and scale: log .*Use scale: quantile"
        with pytest.raises(AdiError, match=message):
            self.edges([-0.5, 3.0], 3, "log")

    def test_no_finite_number(self):
        with pytest.raises(AdiError, match=r"items\.csv, column 'price': no value is a finite number"):
            self.edges([math.nan, None, math.inf], 3)

    def test_a_number_on_an_edge_is_above_it(self):
        numbers = pa.array([0.9, 1.0, 2.9, 3.0, -1e300, 1e300, math.nan, math.inf, -math.inf, None])
        assert Buckets((1.0, 3.0)).encode_column(numbers).tolist() == [2, 3, 3, 4, 2, 4, 0, 0, 0, 0]
        assert Buckets((1.0, 3.0)).rows == 5
        assert Buckets(()).encode_column(pa.array([5.0, None])).tolist() == [2, 0]


@pytest.mark.parametrize(
    ("column_type", "number"),
    [
        ("TINYINT", True), ("INTEGER", True), ("UBIGINT", True), ("HUGEINT", True), ("UHUGEINT", True),
        ("DECIMAL(18,3)", True), ("DOUBLE", True), ("FLOAT", True), ("BOOLEAN", True),
        ("DOUBLE[]", False), ("DECIMAL(18,3)[]", False), ("INTEGER[3]", False), ("VARCHAR", False), ("DATE", False),
        ("STRUCT(a INTEGER)", False), ("MAP(VARCHAR, INTEGER)", False), ("INTERVAL", False), ("POINT", False),
    ],
)  # fmt: skip
def test_what_is_a_number(column_type, number):
    assert is_number(column_type) == number
