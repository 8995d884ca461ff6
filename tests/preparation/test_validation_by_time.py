"""Validation by time: the newest share of the training rows, worked by hand, with ties, and where it is refused."""

import ibis
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adi.data.dataset import Dataset
from adi.engines.duckdb_engine import DuckDBEngine
from adi.errors import AdiError
from adi.preparation.splitting import TEST, TRAIN, VALIDATION, assign_parts
from adi.schema import FilesSplit, LastSplit, RandomSplit, TimeSplit


@pytest.fixture(scope="module")
def engine():
    database = ibis.duckdb.connect()
    yield DuckDBEngine(database)
    database.disconnect()


def parts_of(engine, rows, split):
    """The part of each row (user, domain, time), in the order given."""
    coded = [
        {"user": user, "domain": "ab".index(domain), "time": time, "row": position + 1, "given_test": False}
        for position, (user, domain, time) in enumerate(rows)
    ]
    kinds = {
        "user": pa.int32(),
        "domain": pa.int16(),
        "time": pa.float64(),
        "row": pa.int64(),
        "given_test": pa.bool_(),
    }
    table = ibis.memtable(pa.Table.from_pylist(coded, pa.schema(kinds)))
    parts = assign_parts(engine, table, split, "number").order_by("row").select("part").to_pyarrow()
    engine.drop("rows")
    return parts["part"].to_pylist()


def by_time(share, **changes):
    return TimeSplit(kind="time", at=20, validation=share, **changes)


TEN = [(user, "a", time) for time in range(10) for user in (time % 3,)] + [(0, "a", 20), (5, "b", 25)]


@pytest.mark.parametrize(("share", "count"), [(0, 0), (0.01, 1), (0.1, 1), (0.3, 3), (0.5, 5)])
def test_the_newest_share_of_the_training_rows(engine, share, count):
    parts = parts_of(engine, TEN, by_time(share))
    assert parts == [TRAIN] * (10 - count) + [VALIDATION] * count + [TEST] * 2


@pytest.mark.parametrize(("share", "count"), [(0.1, 3), (0.3, 3), (0.4, 5), (0.5, 5)])
def test_rows_of_equal_time_are_on_one_side(engine, share, count):
    times = [1, 2, 2, 3, 4, 7, 7, 8.5, 8.5, 8.5]
    parts = parts_of(engine, [(number, "a", time) for number, time in enumerate(times)], by_time(share))
    assert parts.count(VALIDATION) == count
    assert parts == sorted(parts)


@pytest.mark.parametrize("time", [0.19051259766823758, 1.9812249622776583, 0.9905312017015423])
def test_a_time_with_all_digits_of_a_float_is_not_rounded(engine, time):
    """DuckDB takes these for decimals, which are larger floats afterwards."""
    assert parts_of(engine, [(0, "a", time)], by_time(0.5)) == [VALIDATION]
    assert parts_of(engine, [(0, "a", time)], TimeSplit(kind="time", at=time)) == [TEST]


def test_by_users_it_is_as_for_the_other_splits(engine):
    rows = [(user, "a", time) for user in range(4) for time in (1, 2, 3)]
    users = parts_of(engine, rows, by_time(0.5, validation_by="users"))
    assert users == parts_of(engine, rows, FilesSplit(kind="files", test="t", validation=0.5))
    assert [position for position, part in enumerate(users) if part == VALIDATION] == [8]  # user 2 alone is drawn


def test_the_other_splits_take_it_too(engine):
    rows = [(user, "a", time) for user in (0, 1) for time in (1, 2, 3, 4)]
    split = LastSplit(kind="last", validation=0.3, validation_by="time")  # 2 of the 6 rows before the last ones
    assert parts_of(engine, rows, split) == [TRAIN, TRAIN, VALIDATION, TEST] * 2


rows_strategy = st.lists(
    st.tuples(st.integers(0, 4), st.sampled_from("ab"), st.integers(0, 6) | st.floats(0, 30)), min_size=1, max_size=25
)
splits = st.sampled_from(
    [
        LastSplit(kind="last", validation_by="time"),
        RandomSplit(kind="random", share=0.3, validation_by="time"),
        FilesSplit(kind="files", test="t", validation_by="time"),
        TimeSplit(kind="time", at=5),
    ]
)


@settings(max_examples=40)
@given(rows_strategy, splits, st.sampled_from([0.05, 0.3, 0.5]))
def test_no_validation_row_is_earlier_than_a_training_row(engine, rows, split, share):
    parts = parts_of(engine, rows, split.model_copy(update={"validation": share}))
    assert [part == TEST for part in parts] == [
        part == TEST for part in parts_of(engine, rows, split.model_copy(update={"validation": 0.0}))
    ]
    times = {
        name: [row[2] for row, part in zip(rows, parts, strict=True) if part == name] for name in (TRAIN, VALIDATION)
    }
    known = times[TRAIN] + times[VALIDATION]
    assert max(times[TRAIN], default=-1) < min(times[VALIDATION], default=31)
    least = max(round(share * len(known)), 1) if known else 0
    newest = sorted(known)[-least] if least else None
    assert times[VALIDATION] == [time for time in known if newest is not None and time >= newest]


def test_a_domain_may_be_without_validation_rows(workspace, log):
    workspace.schema["split"] = {"kind": "time", "at": 40, "validation": 0.1}
    workspace.write("log.jsonl", log)
    manifest = workspace.prepare()
    assert manifest.validation_by == "time"
    assert {name: (counts.train, counts.validation) for name, counts in manifest.by_domain.items()} == {
        "a": (4, 1),
        "b": (6, 0),
    }


def test_a_domain_that_only_validation_has(workspace, log):
    new = [{"user": "ann", "item": "x", "domain": "c", "time": time} for time in (31, 35, 50)]
    workspace.write("log.jsonl", [*log, *new])
    workspace.schema["split"] = {"kind": "time", "at": 40, "validation": 0.3}
    with pytest.raises(
        AdiError,
        match=r"with validation 0\.3 leaves domain 'c' no row for training; it has 1 test rows, and 2 validation rows.*"
        r"Lower split\.validation, or choose validation_by: users",
    ):
        workspace.prepare()
    assert workspace.left_behind() == []


def test_a_log_of_one_moment(workspace, log):
    workspace.write("log.jsonl", [{**row, "time": 39} for row in log] + [{**log[0], "time": 41}])
    workspace.schema["split"] = {"kind": "time", "at": 40}
    with pytest.raises(AdiError, match=r"domain 'a' no row for training; it has 1 test rows, and 6 validation rows"):
        workspace.prepare()
    workspace.schema["split"]["validation"] = 0
    assert workspace.prepare().by_domain["a"].train == 6


def test_a_log_without_time(workspace):
    workspace.schema["split"] = {"kind": "last", "validation_by": "time"}
    del workspace.schema["interactions"]["time"]
    with pytest.raises(AdiError, match=r"split: validation_by 'time' needs interactions\.time"):
        workspace.prepare()


class TestHeldOutIds:
    """Items by time: x 1, y 2, x 3 (training), z 8, y 9 (validation), z 20 (test)."""

    @pytest.fixture
    def prepare_ids(self, empty):
        def prepare_ids(**item_id):
            clicks = [("ann", "x", 1), ("bo", "y", 2), ("bo", "x", 3), ("ann", "z", 8), ("cy", "y", 9), ("cy", "z", 20)]
            rows = [{"user": user, "item": item, "domain": "a", "time": time} for user, item, time in clicks]
            empty.write("log.jsonl", rows)
            empty.schema["features"]["item"] = [{"name": "item_id", "kind": "id", **item_id}]
            empty.add("user", name="user_id", kind="id")
            empty.schema["split"] = {"kind": "time", "at": 10, "validation": 0.4}
            empty.prepare()
            return Dataset(empty.out), Dataset(empty.out, all_rows=True)

        return prepare_ids

    def test_an_id_of_validation_rows_alone_is_unseen_until_the_refit(self, prepare_ids):
        dataset, refit = prepare_ids()
        assert dataset.feature("item", "item_id").tolist() == [2, 3, 1]  # x, y, z: two rows each of x and y
        assert refit.feature("item", "item_id").tolist() == [2, 3, 4]
        assert dataset.feature("user", "user_id").tolist() == [2, 3, 1]  # ann, bo, cy
        assert refit.feature("user", "user_id").tolist() == [2, 3, 4]

    def test_min_count_counts_the_rows_of_each(self, prepare_ids):
        dataset, refit = prepare_ids(min_count=2)
        assert dataset.feature("item", "item_id").tolist() == [2, 1, 1]  # y has one training row
        assert refit.feature("item", "item_id").tolist() == [2, 3, 1]

    def test_a_hash_has_no_unseen_id(self, prepare_ids):
        dataset, refit = prepare_ids(hash_size=5)
        assert dataset.feature("item", "item_id").tolist() == refit.feature("item", "item_id").tolist()
        assert min(dataset.feature("item", "item_id")) >= 2

    def test_all_rows_count_as_training_rows(self, prepare_ids):
        dataset, refit = prepare_ids()
        assert [count.tolist() for count in dataset.corpora.counts] == [[2, 1, 0]]
        assert [count.tolist() for count in refit.corpora.counts] == [[2, 2, 1]]
        assert (dataset.manifest.by_domain["a"].train, refit.manifest.by_domain["a"].train) == (3, 5)
        assert refit.manifest.by_domain["a"].validation == len(refit.rows("validation")) == 0
        assert refit.rows("train").tolist() == [0, 1, 2, 3, 4]
        assert refit.is_training(np.arange(5)).all()
        users, domains = np.array([0]), np.array([0])  # ann
        assert dataset.known_positives(users, domains)[0].tolist() == [0]
        assert refit.known_positives(users, domains)[0].tolist() == [0, 2]

    def test_a_validation_row_knows_the_training_rows_alone(self, prepare_ids):
        dataset, _ = prepare_ids()
        rows = dataset.rows("validation")
        queries = dataset.queries("validation", rows)
        assert queries.users.tolist() == [0, 2]
        assert np.split(queries.histories.items, queries.histories.offsets[1:-1])[0].tolist() == [0]
        assert queries.histories.lengths.tolist() == [1, 0]
        # a test row knows the validation row too
        assert dataset.queries("test", dataset.rows("test")).histories.items.tolist() == [1]
