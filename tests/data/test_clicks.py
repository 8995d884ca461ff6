"""Counts and co-clicks at any moment, against a twin that counts every click anew."""

from collections import defaultdict

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adi.data import co_clicks, decayed_sums
from adi.data.dataset import Dataset
from adi.data.histories import Histories
from adi.errors import AdiError
from adi.preparation.prepare import prepare

HALF_LIVES, CO_HALF_LIVES, DELAY, LAST, WINDOW, LEAST_SHARE = (3.0, 20.0), (5.0, 40.0), 2.0, 3, 6, 0.05

logs = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 4), st.integers(0, 1), st.integers(0, 25)), min_size=12, max_size=40
)


def prepared(clicks, folder, *, split=None, trend=None):
    """The dataset of clicks (user, item, domain, time), most of them before the moment 1000 of the split."""
    both_domains = [(9, item, domain, time) for domain in (0, 1) for item, time in ((0, 0), (1, 1001))]
    users, items, domains, times = zip(*clicks, *both_domains, strict=True)
    table = pa.table(
        {"u": [f"u{u}" for u in users], "i": [f"i{i}" for i in items], "d": [f"d{d}" for d in domains], "t": times}
    )
    schema = {
        "domains": {"column": "d", "values": ["d0", "d1"]},
        "interactions": {"user": "u", "item": "i", "time": "t"},
        "features": {"user": [{"name": "uid", "kind": "id"}], "item": [{"name": "iid", "kind": "id"}]},
        "corpus": "all",
        "trend": {
            "half_lives": HALF_LIVES,
            "delay": DELAY,
            "co_clicks": {"half_lives": CO_HALF_LIVES, "last": LAST, "window": WINDOW, "least_share": LEAST_SHARE},
        },
        "split": split or {"kind": "time", "at": 1000, "validation": 0.0},
    }
    schema["trend"] |= trend or {}
    prepare(schema, folder, tables={"interactions": table}, progress=False)
    rows = [(f"u{u}", f"i{i}", d, t) for u, i, d, t in (*clicks, *both_domains)]
    return Dataset(folder), rows


class Twin:
    """The same by definition: every click of the log, in the order of time and then of its position."""

    def __init__(self, dataset, rows):
        items = {dataset.items.key(number): number for number in range(dataset.manifest.items)}
        ordered = sorted(enumerate(rows), key=lambda numbered: (numbered[1][3], numbered[0]))
        self.clicks = [(user, items[item], domain, time) for _, (user, item, domain, time) in ordered]
        self.followers = defaultdict(list)
        past = defaultdict(list)
        for user, item, _, time in self.clicks:
            for earlier in past[user][-co_clicks.FOLLOWING :][::-1]:
                self.followers[earlier].append((item, time))
            past[user].append(item)

    def count(self, moment, half_life, **wanted):
        known = moment - DELAY
        return sum(
            2 ** (-(known - time) / half_life)
            for _, item, domain, time in self.clicks
            if time < known and all({"item": item, "domain": domain}[name] == value for name, value in wanted.items())
        )

    def shares(self, source, moment, half_life):
        """The share and the decayed count of each follower of a source."""
        known = moment - DELAY
        followers = [
            (item, 2 ** (-(known - time) / half_life)) for item, time in self.followers[source] if time < known
        ]
        total, weights, seen = sum(weight for _, weight in followers), {}, {}
        for number, (item, weight) in enumerate(followers):
            forgotten = number - seen.get(item, -WINDOW - 1) > WINDOW
            weights[item] = weight + (0.0 if forgotten else weights[item])
            seen[item] = number
        in_window = {item for item, number in seen.items() if number >= len(followers) - WINDOW}
        return {item: (weights[item] / (total + co_clicks.SMOOTHING), weights[item]) for item in in_window}


@settings(max_examples=8)
@given(clicks=logs, moments=st.lists(st.integers(0, 40), min_size=1, max_size=4))
def test_counts_are_those_of_every_click_before_the_moment_less_the_delay(clicks, moments, tmp_path_factory):
    dataset, rows = prepared(clicks, tmp_path_factory.mktemp("log") / "prepared")
    log, twin = dataset.clicks("live"), Twin(dataset, rows)
    items = np.arange(dataset.manifest.items)
    for domain in (0, 1):
        counts = log.counts(domain, items, np.array(moments))
        for (number, moment), item, (life, half_life) in (
            (m, i, h) for m in enumerate(moments) for i in items for h in enumerate(HALF_LIVES)
        ):
            close = {"rel": 1e-5, "abs": 1e-6}
            assert counts.in_domain[number, item, life] == pytest.approx(
                twin.count(moment, half_life, item=item, domain=domain), **close
            )
            assert counts.overall[number, item, life] == pytest.approx(
                twin.count(moment, half_life, item=item), **close
            )
            assert counts.domain_total[number, life] == pytest.approx(
                twin.count(moment, half_life, domain=domain), **close
            )
            assert counts.overall_total[number, life] == pytest.approx(twin.count(moment, half_life), **close)
            first = min(time for _, other, _, time in twin.clicks if other == item)
            known = moment - DELAY
            age = (known - first) / min(HALF_LIVES) if first < known else -1
            assert counts.age[number, item] == pytest.approx(age)


@settings(max_examples=8)
@given(
    clicks=logs,
    histories=st.lists(st.lists(st.integers(0, 1), max_size=5), min_size=1, max_size=4),
    moment=st.integers(0, 40),
    asked=st.sets(st.integers(0, 1), min_size=1),
)
def test_co_clicks_are_shares_of_the_newest_followers(clicks, histories, moment, asked, tmp_path_factory):
    dataset, rows = prepared(clicks, tmp_path_factory.mktemp("log") / "prepared")
    twin, num_lives = Twin(dataset, rows), len(CO_HALF_LIVES)
    items = np.array([item for history in histories for item in history], dtype=np.int64)
    offsets = np.cumsum([0, *map(len, histories)])
    asked = np.array(sorted(asked))
    pairs = dataset.clicks("live").co_clicks(
        Histories(items, np.zeros_like(items), offsets), np.full(len(histories), moment), asked
    )
    for query, history in enumerate(histories):
        expected = defaultdict(lambda: np.zeros((2, num_lives + 1)))
        for age, source in enumerate(history[::-1][:LAST]):
            by_life = [twin.shares(source, moment, half_life) for half_life in CO_HALF_LIVES]
            for item in by_life[0]:
                shares = np.array([followers[item][0] for followers in by_life])
                if shares.max() >= LEAST_SHARE:
                    values = np.append(shares, by_life[-1][item][1] / 1000)
                    expected[item][min(age, 1)] += values * co_clicks.AGE_FACTOR ** max(age - 1, 0)
        found = slice(pairs.offsets[query], pairs.offsets[query + 1])
        found_items = asked[pairs.columns[found]]
        assert found_items.tolist() == sorted(set(expected) & set(asked))
        for item, values in zip(found_items, pairs.values[found], strict=True):
            assert values == pytest.approx(expected[item].ravel(), rel=1e-5)


def test_frozen_counters_stop_at_the_first_test_row(tmp_path):
    dataset, _ = prepared([(u, u % 3, u % 2, 990 + u % 5) for u in range(8)], tmp_path / "prepared")
    live, frozen = dataset.clicks("live"), dataset.clicks("frozen")
    items, moments = np.arange(dataset.manifest.items), np.array([995, 1003, 1500])
    first, second, third = (frozen.counts(0, items, moments).overall[number] for number in range(3))
    np.testing.assert_array_equal(second, third)
    np.testing.assert_array_equal(first, live.counts(0, items, moments[:1]).overall[0])
    clicked = live.counts(0, items, np.array([1005])).overall[0]
    assert (clicked > frozen.counts(0, items, np.array([1005])).overall[0]).any()


def test_a_split_not_by_time_has_frozen_counters_of_the_rows_that_are_not_for_the_test(tmp_path):
    clicks = [(u, item, 0, 10 * item + u) for u in range(4) for item in range(3)]
    dataset, _ = prepared(clicks, tmp_path / "prepared", split={"kind": "last"})
    items, end = np.arange(dataset.manifest.items), np.array([5000])
    tested = dataset.manifest.by_domain["d0"].test
    assert tested > 0
    assert dataset.clicks("live").times.shape[0] == dataset.num_rows + len(dataset.rows("test"))
    assert dataset.clicks("frozen").times.shape[0] == dataset.num_rows
    np.testing.assert_array_equal(dataset.clicks("frozen").counts(0, items, end).in_domain.shape, (1, len(items), 2))


def test_sums_are_the_same_whatever_the_blocks_they_are_written_in(tmp_path):
    rng = np.random.default_rng(0)
    times, half_lives = np.sort(rng.integers(0, 500, 60)), np.array([7.0, 90.0])
    keys = np.sort(decayed_sums.key_of(rng.integers(0, 3, 60), np.arange(60)))
    written = []
    for size in (60, 7, 1):
        folder = tmp_path / str(size)
        blocks = [keys[first : first + size] for first in range(0, 60, size)]
        decayed_sums.write_decayed_sums(folder, "item", iter(blocks), 60, times, half_lives)
        written.append(decayed_sums.read_decayed_sums(folder, "item", times, half_lives).sums)
    for sums in written[1:]:
        np.testing.assert_allclose(sums, written[0], rtol=1e-5)


def test_live_histories_hold_every_earlier_row_of_the_user(tmp_path):
    """Rows of the test, too, strictly before the moment; frozen histories hold those of training and validation."""
    clicks = [(1, 0, 0, 10), (1, 1, 0, 1005), (1, 2, 1, 1005), (1, 3, 0, 1009), (2, 4, 0, 1001), (3, 1, 1, 5)]
    dataset, _ = prepared([*clicks, *[(u, u % 5, u % 2, u) for u in range(10, 20)]], tmp_path / "prepared")
    rows = dataset.rows("test")
    users, items, _ = dataset.targets("test", rows)
    live, frozen = (dataset.queries("test", rows, known=known) for known in ("live", "frozen"))
    expected = {"i1": ["i0"], "i2": ["i0"], "i3": ["i0", "i1", "i2"]}
    for row, (user, item) in enumerate(zip(users, items, strict=True)):
        if dataset.users.key(int(user)) != "u1":
            continue
        histories = []
        for queries in (live, frozen):
            start, stop = queries.histories.offsets[row : row + 2]
            histories.append([dataset.items.key(int(number)) for number in queries.histories.items[start:stop]])
        assert histories == [expected[dataset.items.key(int(item))], ["i0"]]
    assert live.moments.tolist() == dataset.times("test")[rows].tolist()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"half_lives": []}, "half_lives: should not be empty"),
        ({"half_lives": [3, 3]}, "half-lives are distinct"),
        ({"half_lives": ["3x"]}, "not a duration"),
        ({"half_lives": [0]}, "above 0"),
        ({"half_lives": ["3h"]}, "whose time is a number"),
        ({"delay": None}, "delay"),
        ({"co_clicks": {"half_lives": [3], "window": 0}}, "window"),
        ({"co_clicks": {}}, "half_lives"),
    ],
)
def test_trends_that_cannot_be_counted(changes, message, tmp_path):
    with pytest.raises(AdiError, match=message):
        prepared([(u, u % 5, u % 2, u) for u in range(20)], tmp_path / "prepared", trend=changes)
    assert not (tmp_path / "prepared").exists()


def test_a_log_without_time_has_no_trends(tmp_path):
    schema = {
        "domains": {"column": "d"},
        "interactions": {"user": "u", "item": "i"},
        "features": {"user": [{"name": "uid", "kind": "id"}], "item": [{"name": "iid", "kind": "id"}]},
        "trend": {"half_lives": [1], "delay": 1},
    }
    table = pa.table({"u": ["a", "b"], "i": ["x", "y"], "d": ["s", "s"]})
    with pytest.raises(AdiError, match=r"trend: counters need interactions\.time"):
        prepare(schema, tmp_path / "prepared", tables={"interactions": table}, progress=False)
