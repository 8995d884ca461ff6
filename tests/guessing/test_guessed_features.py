"""A column's kind as a feature, from its type and values."""

from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adi.engines.tables import TableFiles
from adi.guessing.features import guess_feature, is_outcome
from adi.guessing.profiles import Column, read_profile


def column(values: list, name: str = "x", kind: pa.DataType | None = None) -> Column:
    """The profile of a column with these values."""
    with TemporaryDirectory() as folder, duckdb.connect() as connection:
        file = Path(folder, "table.parquet")
        pq.write_table(pa.table({name: pa.array(values, kind)}), file)
        return read_profile(connection, TableFiles([file]), path="table.parquet", sample="sample").columns[name]


class TestGuessFeature:
    @pytest.mark.parametrize(
        ("values", "name", "kind", "seen"),
        [
            (
                [0.5, 1.25, 1234567.0, None],
                "price",
                "numeric",
                "3 values: 0.5 33 %, 1.25 33 %, 1234567.0 33 %, 25 % missing",
            ),
            ([n * 1234.5678 for n in range(13)], "price", "numeric", "13 values, 0 to 14815"),
            (list(range(13)), "level", "numeric", "13 values, 0 to 12"),
            ([1, 2, 2, 2], "level", "categorical", "2 values: 2 75 %, 1 25 %"),
            (list(range(80)) * 2, "age", "numeric", "80 values, 0 to 79"),
            (list(range(80)) * 2, "brand_id", "categorical", "80 values, 0 to 79"),
            ([True, False, True, None], "member", "categorical", "2 values: true 67 %, false 33 %, 25 % missing"),
            (["a", "b", "b", "b"], "color", "categorical", "2 values: b 75 %, a 25 %"),
            ([["a", "b"], ["b"], []], "tags", "multi", "lists of 2 values"),
            ([[1, 2], [2], None], "tags", "multi", "lists of 2 values, 33 % missing"),
            (["Action|Comedy", "Comedy", "Drama", "Action", "Drama|Action"], "genres", "multi", "lists of 3 values"),
        ],
    )
    def test_kinds(self, values, name, kind, seen):
        guess = guess_feature(column(values, name))
        assert (guess.kind, guess.column.summary(), guess.doubt) == (kind, seen, None)

    @pytest.mark.parametrize(
        ("values", "doubt"),
        [
            ([None, None], "nothing to learn from"),
            (["a", "a", None], "the same everywhere"),
            ([{"a": 1}, {"a": 2}], "not a type"),
            ([[{"a": 1}], []], "not a type"),
            ([1_600_000_000 + 7 * n for n in range(80)], "a time since 1970"),
            ([1_600_000_000_000 + 7 * n for n in range(80)], "a time since 1970"),
            ([f"text {n}" for n in range(80)] * 1, "nearly a value of its own for each of 80 rows"),
        ],
    )
    def test_doubts(self, values, doubt):
        kind = pa.string() if values[0] is None else None
        assert doubt in guess_feature(column(values, kind=kind)).doubt

    def test_times_are_doubted_and_numbers_near_them_are_not(self):
        assert "a time is no feature" in guess_feature(column([0, 1], kind=pa.timestamp("s"))).doubt
        assert guess_feature(column([5 + 7 * n for n in range(80)])).doubt is None

    def test_very_many_values(self):
        many = Column("x", "VARCHAR", 10**6, 10**6, 100_001, {}, "", "")
        assert "hash_size" in guess_feature(many).doubt
        assert guess_feature(Column("x", "VARCHAR", 10**6, 10**6, 100_000, {}, "", "")).doubt is None

    @pytest.mark.parametrize(
        "name", ["rating", "isClicked", "event_type", "watch_time_ms", "purchases", "total_amount"]
    )
    def test_outcomes_by_name(self, name):
        assert is_outcome(name)

    @pytest.mark.parametrize("name", ["click_os", "device", "hour", "order_channel"])
    def test_no_outcomes(self, name):
        assert not is_outcome(name)
