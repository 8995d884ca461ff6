"""A prepared dataset read back: by hand on the small log, and against a plain Python oracle on random logs."""

import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adi.data.dataset import Dataset
from adi.data.histories import Histories
from adi.data.ranges import ranges
from adi.errors import AdiError

DOMAINS = ("search", "feed", "kiosk")
MAX_USERS, MAX_ITEMS = 4, 6


def named(dataset, part, rows=None):
    """Rows as (user, domain, item) in words."""
    rows = dataset.rows(part) if rows is None else rows
    users, items, domains = dataset.targets(part, rows)
    return [
        (dataset.users.key(u), dataset.domains[d], dataset.items.key(i))
        for u, i, d in zip(users, items, domains, strict=True)
    ]


def listed(items, offsets):
    """Values and offsets as a list of lists."""
    return [items[start:stop].tolist() for start, stop in pairwise(offsets)]


def row_of(dataset, part, user, domain, item):
    rows = dataset.rows(part)
    return rows[named(dataset, part).index((user, domain, item))]


def history_of(dataset, part, user, domain, item, **options):
    """The history of one row as domain:item."""
    queries = dataset.queries(part, np.array([row_of(dataset, part, user, domain, item)]), **options)
    pairs = zip(queries.histories.domains, queries.histories.items, strict=True)
    return [f"{dataset.domains[d][0]}:{dataset.items.key(i)}" for d, i in pairs]


def test_every_click_is_in_one_part(dataset, clicks):
    parts = [row for part in ("train", "validation", "test") for row in named(dataset, part)]
    assert sorted(parts) == sorted(clicks)
    assert dataset.num_rows == len(dataset.rows("train")) + len(dataset.rows("validation"))
    assert len(dataset.rows("validation")) >= 3
    counts = dataset.manifest.by_domain
    assert [counts[d].train for d in DOMAINS] == np.bincount(
        dataset.targets("train", dataset.rows("train"))[2]
    ).tolist()
    assert dataset.is_training(np.arange(dataset.num_rows)).sum() == len(dataset.rows("train"))


def test_the_history_of_a_row_by_hand(dataset):
    # ana: s:pen s:ink f:pen s:cap f:mug s:jar k:map f:bag, of which the last of each domain are the test
    earlier = ["s:pen", "s:ink", "f:pen"]
    assert history_of(dataset, "train", "ana", "search", "cap") == earlier
    assert history_of(dataset, "train", "ana", "search", "pen") == []
    assert history_of(dataset, "train", "ana", "search", "cap", lookback=2) == earlier[1:]
    assert history_of(dataset, "train", "ana", "search", "cap", causal=False) == [*earlier, "f:mug"]
    assert history_of(dataset, "train", "ana", "feed", "mug", causal=False, lookback=2) == ["f:pen", "s:cap"]
    assert history_of(dataset, "train", "ana", "search", "pen", causal=False, lookback=2) == ["s:ink", "f:pen"]
    # other test rows are never in a history
    assert history_of(dataset, "test", "ana", "feed", "bag") == [*earlier, "s:cap", "f:mug"]
    # cy: s:ink s:pen s:jar f:mug(test) s:mug(validation) s:cap(test) k:map(test)
    assert history_of(dataset, "validation", "cy", "search", "mug") == ["s:ink", "s:pen", "s:jar"]
    assert history_of(dataset, "test", "cy", "search", "cap") == ["s:ink", "s:pen", "s:jar", "s:mug"]
    # what the user did after the test row is not seen, unless all is asked for
    assert history_of(dataset, "test", "cy", "feed", "mug") == ["s:ink", "s:pen", "s:jar"]
    assert history_of(dataset, "test", "cy", "feed", "mug", causal=False) == ["s:ink", "s:pen", "s:jar", "s:mug"]
    assert history_of(dataset, "test", "cy", "feed", "mug", causal=False, lookback=1) == ["s:mug"]


def test_validation_rows_are_in_no_training_history(dataset):
    # eve: f:pen f:mug(validation) s:bag f:bag(test) s:ink(validation) s:pen(test)
    assert history_of(dataset, "train", "eve", "search", "bag") == ["f:pen"]
    assert history_of(dataset, "train", "eve", "search", "bag", causal=False) == ["f:pen"]
    assert history_of(dataset, "validation", "eve", "search", "ink") == ["f:pen", "s:bag"]
    assert history_of(dataset, "test", "eve", "feed", "bag") == ["f:pen", "f:mug", "s:bag"]


def test_latest_is_all_that_is_known_and_nothing_of_an_unknown_user(dataset):
    ana, fay = dataset.users.find("ana"), dataset.users.find("fay")
    queries = dataset.latest(np.array([ana, -1, fay]), np.array([1, 0, 2]), {})
    assert [len(items) for items in listed(queries.histories.items, queries.histories.offsets)] == [5, 0, 1]
    assert dataset.items.key(queries.histories.items[-1]) == "map"


def test_last_of_histories_by_hand():
    histories = Histories(np.array([4, 5, 6, 7, 8]), np.array([0, 1, 0, 2, 0]), np.array([0, 3, 3, 5]))
    last = histories.last(2)
    assert (last.items.tolist(), last.domains.tolist()) == ([5, 6, 7, 8], [1, 0, 2, 0])
    assert last.offsets.tolist() == [0, 2, 2, 4]


def test_newest_of_histories_by_hand():
    histories = Histories(np.array([4, 5, 6, 7, 8]), np.array([0, 1, 0, 1, 0]), np.array([0, 3, 3, 5]))
    assert histories.lengths.tolist() == [3, 0, 2]
    assert histories.lengths_in(np.array([0, 1, 1])).tolist() == [2, 0, 1]
    assert histories.lengths_in(np.array([2, 0, 0])).tolist() == [0, 0, 1]
    assert listed(*histories.newest(2)) == [[5, 6], [], [7, 8]]
    assert listed(*histories.newest(9)) == [[4, 5, 6], [], [7, 8]]
    assert listed(*histories.newest(1, np.array([1, 0, 0]))) == [[5], [], [8]]
    assert listed(*histories.newest(2, np.array([0, 0, 2]))) == [[4, 6], [], []]


def test_how_often_an_item_is_in_each_history():
    items, domains = np.array([4, 7, 4, 7, 7]), np.zeros(5, dtype=np.int16)
    histories = Histories(items, domains, np.array([0, 3, 3, 5]))
    assert histories.counts_of(np.array([4, 4, 7])).tolist() == [2, 0, 2]
    assert histories.counts_of(np.array([7, 7, 4])).tolist() == [1, 0, 0]


def test_known_positives_are_the_training_items_of_the_domain(dataset):
    users = np.array([dataset.users.find(user) for user in ("éric", "ana", "fay", "eve")])
    items, offsets = dataset.known_positives(users, np.array([0, 1, 0, 0]))
    words = [[dataset.items.key(item) for item in group] for group in listed(items, offsets)]
    assert words == [["cap", "mug"], ["pen", "mug"], [], ["bag"]]


def test_corpora_and_counts_by_hand(dataset):
    corpora = dataset.corpora
    words = [[dataset.items.key(item) for item in items] for items in corpora.items]
    assert words == [["bag", "cap", "ink", "jar", "mug", "pen", "été", "本"], ["bag", "mug", "pen"], ["map"]]
    assert [counts.tolist() for counts in corpora.counts] == [[1, 4, 2, 2, 3, 8, 2, 1], [1, 2, 3], [2]]
    pen, map_, cap = (dataset.items.find(item) for item in ("pen", "map", "cap"))
    assert corpora.counts_of(1, np.array([pen, map_, cap])).tolist() == [3, 0, 0]
    assert corpora.counts_of(0, np.array([pen, map_, cap])).tolist() == [8, 0, 4]
    expected = np.log([4 / 9, 1 / 9])  # six training rows of feed, and one more for each of its three items
    np.testing.assert_allclose(corpora.log_popularity(1, np.array([pen, cap])), expected, rtol=1e-6)


def test_entities_are_found_by_their_id(dataset):
    for entities in (dataset.users, dataset.items):
        keys = [entities.key(number) for number in range(len(entities))]
        assert keys == sorted(keys, key=str.encode)
        assert [entities.find(key) for key in keys] == list(range(len(keys)))
    for unknown in ("", "an", "ana ", "zoe", "zoé", "Éric", "\U0010ffff"):
        assert dataset.users.find(unknown) is None


def test_ranges_by_hand():
    values, offsets = ranges(np.array([5, 2, 9, 4]), np.array([7, 2, 3, 5]))
    assert (values.tolist(), offsets.tolist()) == ([5, 6, 4], [0, 2, 2, 2, 3])


def test_a_missing_array_is_named(dataset):
    with pytest.raises(AdiError, match=r"features/item/prize\.npy: the file is missing from the prepared dataset"):
        dataset.feature("item", "prize")


def write(folder, manifest, log, tests, candidates=None):
    """A prepared dataset with the given rows, log as (user, item, domain, held_out), tests as (…, before)."""
    for part, rows, extra in (("interactions", log, "held_out"), ("test", tests, "before")):
        (folder / part).mkdir()
        for column, name in enumerate(("user", "item", "domain", extra)):
            np.save(folder / part / f"{name}.npy", np.array([row[column] for row in rows], dtype=np.int32))
        np.save(folder / part / "time.npy", np.arange(len(rows)))
    counts = np.bincount([row[0] for row in log], minlength=MAX_USERS)
    np.save(folder / "interactions" / "user_offsets.npy", np.concatenate([[0], np.cumsum(counts)]))
    if candidates is not None:
        (folder / "candidates").mkdir()
        np.save(folder / "candidates" / "item.npy", np.concatenate(candidates).astype(np.int32))
        np.save(folder / "candidates" / "offsets.npy", np.cumsum([0, *map(len, candidates)]))
    (folder / "manifest.json").write_text(manifest.model_dump_json(), encoding="utf-8")
    return Dataset(folder)


rows = st.lists(
    st.tuples(
        st.integers(0, MAX_USERS - 1), st.integers(0, MAX_ITEMS - 1), st.integers(0, 2), st.sampled_from([0, 0, 0, 1])
    ),
    min_size=1,
    max_size=24,
)


@pytest.fixture(scope="session")
def plain(dataset):
    """The manifest of a dataset without features."""
    return dataset.manifest.model_copy(update={"features": (), "users": MAX_USERS, "items": MAX_ITEMS, "files": {}})


def oracle(log, own_row, part, *, user, before, causal, lookback):
    """The history as (item, domain), as `Dataset.queries` documents it."""
    positions = [position for position, row in enumerate(log) if row[0] == user]
    if part == "test":
        positions = positions[:before] if causal else positions
        positions = positions[max(0, len(positions) - lookback) :] if lookback is not None else positions
        return [log[position][1:3] for position in positions]
    if causal:
        positions = [position for position in positions if position < own_row]
        positions = positions[max(0, len(positions) - lookback) :] if lookback is not None else positions
    elif lookback is not None:
        newest = positions[-lookback - 1 :]
        positions = newest if own_row in newest else [p for p in positions if own_row <= p <= own_row + lookback]
    return [log[p][1:3] for p in positions if p != own_row and not log[p][3]]


@settings(max_examples=100)
@given(
    log=rows.map(lambda rows: sorted(rows, key=lambda row: row[0])),
    tests=st.lists(
        st.tuples(st.integers(0, MAX_USERS - 1), st.integers(0, MAX_ITEMS - 1), st.integers(0, 2), st.integers(0, 24)),
        max_size=5,
    ),
    causal=st.booleans(),
    timed=st.booleans(),
    lookback=st.none() | st.integers(0, 5),
    length=st.integers(0, 5),
)
def test_histories_equal_the_oracle(plain, log, tests, causal, timed, lookback, length):
    lengths = np.bincount([row[0] for row in log], minlength=MAX_USERS)
    tests = [(user, item, domain, min(before, int(lengths[user]))) for user, item, domain, before in tests]
    with tempfile.TemporaryDirectory() as folder:
        dataset = write(Path(folder), plain.model_copy(update={"time": "number" if timed else None}), log, tests)
        for part in ("train", "validation", "test"):
            rows_of_part = dataset.rows(part)[::-1]  # in another order than stored
            queries = dataset.queries(part, rows_of_part, causal=causal, lookback=lookback)
            known = listed(*dataset.known_positives(queries.users, queries.domains))
            newest = listed(*queries.histories.newest(length))
            here = listed(*queries.histories.newest(length, queries.domains))
            histories = queries.histories
            for query, row in enumerate(rows_of_part):
                user, item, domain, last = (tests if part == "test" else log)[row]
                expected = oracle(log, row, part, user=user, before=last, causal=causal and timed, lookback=lookback)
                of_query = slice(histories.offsets[query], histories.offsets[query + 1])
                assert list(zip(histories.items[of_query], histories.domains[of_query], strict=True)) == expected
                assert [column[query] for column in dataset.targets(part, rows_of_part)] == [user, item, domain]
                assert (queries.users[query], queries.domains[query]) == (user, domain)
                assert newest[query] == [i for i, _ in expected][max(0, len(expected) - length) :]
                same = [i for i, d in expected if d == domain]
                assert here[query] == same[max(0, len(same) - length) :]
                assert known[query] == [row[1] for row in log if row[0] == user and row[2] == domain and not row[3]]


def test_candidates_of_test_rows(plain, tmp_path):
    tests = [(0, 1, 0, 0), (1, 2, 0, 0), (3, 5, 1, 0)]
    log = [(0, 0, 0, 0)]
    lists = [[3, 1], [], [5, 0, 2]]
    dataset = write(tmp_path, plain.model_copy(update={"candidates": True}), log, tests, lists)
    assert listed(*dataset.candidates(np.array([2, 0, 1]))) == [[5, 0, 2], [3, 1], []]
    (tmp_path / "without").mkdir()
    assert write(tmp_path / "without", plain, log, tests).candidates(np.array([0])) is None
