"""A value has the same code in a table, in a column and alone, whatever the kind of its feature."""

import math
from typing import get_args

import ibis
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adi.data.histories import Histories
from adi.data.manifest import FeatureInfo
from adi.engines.duckdb_engine import DuckDBEngine
from adi.features.kinds import KINDS
from adi.features.multi import parts_of
from adi.schema import CategoricalFeature, IdFeature, MultiFeature, NumericFeature

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5) | st.just("x" * 10_000)
FLOATS = st.floats(width=64) | st.sampled_from([0.0, -0.0, 1.0, 2.5])
TABLE_SIZES = st.none() | st.integers(1, 2**31 - 3)


def codes_of(encoding, rows):
    """The codes of a table's `value` in the order of its `index`, as a preparation computes them."""
    codes = encoding.lookup(rows).order_by("index").to_pyarrow()["code"].combine_chunks()
    return (codes if encoding.finish is None else encoding.finish(codes)).tolist()


def new_engine():
    return DuckDBEngine(ibis.duckdb.connect())


def three_ways(encoding, rows, values):
    """The codes of a table's `value` in the order of its `index`, of the column `values`, and of each value alone."""
    streamed = codes_of(encoding, rows)
    alone = [0 if value is None else encoding.encode_value(str(value)) for value in values.to_pylist()]
    return streamed, encoding.encode_column(values).tolist(), alone


def numbered(values):
    return ibis.memtable(pa.table({"value": values, "index": range(len(values))}))


@settings(max_examples=20)
@given(st.data(), st.lists(st.none() | TEXTS, max_size=20), st.lists(TEXTS, max_size=5), TABLE_SIZES, st.integers(1, 3))
@pytest.mark.parametrize(("kind", "settings_class"), [("id", IdFeature), ("categorical", CategoricalFeature)])
def test_texts(tmp_path_factory, kind, settings_class, data, values, unseen, hash_size, min_count):
    feature = settings_class(name="f", kind=kind, hash_size=hash_size, min_count=min_count)
    column = pa.array(values, pa.string())
    encoding = KINDS[kind].fit(new_engine(), feature, numbered(column), "", tmp_path_factory.getbasetemp())
    values_to_encode = pa.array(data.draw(st.permutations(values + unseen)), pa.string())
    streamed, in_column, alone = three_ways(encoding, numbered(values_to_encode), values_to_encode)
    assert streamed == in_column == alone
    assert [code == 0 for code in alone] == [value is None for value in values_to_encode.to_pylist()]
    assert max(alone, default=0) < encoding.rows


@settings(max_examples=20)
@given(st.lists(st.none() | st.lists(st.none() | TEXTS, max_size=4), min_size=1, max_size=10), TABLE_SIZES)
def test_lists(tmp_path_factory, lists, hash_size):
    feature = MultiFeature(name="f", kind="multi", hash_size=hash_size, min_count=2)
    rows = ibis.memtable(pa.table({"index": range(len(lists)), "value": pa.array(lists, pa.list_(pa.string()))}))
    parts = parts_of(rows)
    encoding = KINDS["multi"].fit(new_engine(), feature, parts, "", tmp_path_factory.getbasetemp())
    values = pa.array([value for parts in lists for value in parts or () if value], pa.string())
    streamed = codes_of(encoding, parts.order_by("index", "part").mutate(index=ibis.row_number()))
    _, in_column, alone = three_ways(encoding, numbered(values), values)
    assert streamed == in_column == alone


@settings(max_examples=30)
@given(
    st.lists(FLOATS, min_size=1), st.lists(st.none() | FLOATS), st.integers(2, 9), st.sampled_from(["quantile", "log"])
)
def test_numbers(tmp_path_factory, fitted, others, buckets, scale):
    fitted = [1.0, *(abs(value) if scale == "log" else value for value in fitted)]
    fitted = [value for value in fitted if abs(value) < 1e150]  # the width of the buckets overflows beyond
    feature = NumericFeature(name="f", kind="numeric", buckets=buckets, scale=scale)
    column = pa.array(fitted, pa.float64())
    encoding = KINDS["numeric"].fit(new_engine(), feature, numbered(column), "", tmp_path_factory.getbasetemp())
    values_to_encode = pa.array([*fitted, *others, *encoding.edges], pa.float64())
    streamed, in_column, alone = three_ways(encoding, numbered(values_to_encode), values_to_encode)
    assert streamed == in_column == alone
    finite = [value is not None and math.isfinite(value) for value in values_to_encode.to_pylist()]
    assert [code >= 2 for code in alone] == finite
    assert max(alone) < encoding.rows


class TestStored:
    """The encodings of a prepared dataset give a value alone the code that its array has."""

    def feature(self, dataset, name):
        feature = next(feature for feature in dataset.manifest.features if feature.name == name)
        return feature, KINDS[feature.kind].encoding(feature, dataset.coding)

    def test_ids_and_behaviours(self, dataset):
        codes = dataset.feature("item", "item_id")
        for name in ("item_id", "items", "items_here"):
            feature, encoding = self.feature(dataset, name)
            alone = [encoding.encode_value(dataset.items.key(item)) for item in range(len(codes))]
            assert alone == codes.tolist()
        histories = Histories(np.array([3, 0, 1]), np.array([0, 0, 0]), np.array([0, 3]))
        bags = KINDS["behaviours"].reader(feature, dataset)(np.array([-1]), np.array([0]), histories)
        assert bags.values.tolist() == codes[[3, 0, 1]].tolist()

    @pytest.mark.parametrize(
        ("name", "values"),
        [
            ("age", {"ana": "young", "bo b": "old", "eve": None, "fay": None}),
            ("tags", {"pen": ["write", "blue"], "cap": [], "mug": ["blue", "drink", "write"]}),
            ("price", {"pen": 1.0, "cap": 4.0, "map": 16.0, "été": None}),
        ],
    )
    def test_columns(self, dataset, name, values):
        feature, encoding = self.feature(dataset, name)
        ids = dataset.users if feature.side == "user" else dataset.items
        numbers = np.array([ids.find(key) for key in values])
        bags = KINDS[feature.kind].reader(feature, dataset)(numbers, np.zeros(len(numbers), dtype=np.int64), None)
        lists = [value if isinstance(value, list) else [value] for value in values.values()]
        expected = [0 if value is None else encoding.encode_value(str(value)) for parts in lists for value in parts]
        assert bags.values.tolist() == expected
        assert encoding.rows == feature.rows

    def test_the_widest_bag(self, dataset):
        widths = {f.name: KINDS[f.kind].width(f, dataset) for f in dataset.manifest.features}
        assert {name: widths[name] for name in ("items", "langs", "tags", "age", "item_id", "hour")} == {
            "items": 4, "langs": 3, "tags": 3, "age": 1, "item_id": 1, "hour": 1,
        }  # fmt: skip


def test_every_kind_of_the_manifest_is_there():
    assert set(KINDS) == set(get_args(FeatureInfo.model_fields["kind"].annotation))
