"""Blocks of rows that hold all rows of a value."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from adi.engines.blocks import tables_of


@given(users=st.lists(st.integers(0, 5), max_size=20).map(sorted), size=st.integers(1, 7))
def test_blocks_hold_all_rows_of_their_users(users, size):
    rows = pa.table({"user": pa.array(users, pa.int64()), "position": pa.array(range(len(users)), pa.int64())})
    blocks = [table.to_pydict() for table in tables_of(rows.to_batches(max_chunksize=size), "user")]
    assert [number for block in blocks for number in block["position"]] == list(range(len(users)))
    held = [set(block["user"]) for block in blocks]
    assert sum(map(len, held)) == len(set(users))
