"""Audiences at any moment, against a twin that sums over every click anew."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adi.data import audiences
from adi.data.audiences import audiences_of, read_audiences, tastes_of, write_audiences
from adi.data.dataset import Dataset
from adi.data.decayed_sums import RunningSums
from adi.preparation.prepare import prepare

HALF_LIVES, DELAY, CUT, DIM = (3.0, 20.0), 2, 20, 3
TASTES = np.random.default_rng(0).normal(size=(200, DIM)).astype(np.float32)
"""The taste of the click at each position of the log."""

logs = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 4), st.integers(0, 1), st.integers(0, 25)), min_size=12, max_size=40
)


def prepared(clicks, folder, **split):
    """The dataset of clicks (user, item, domain, time), and of two in each domain on both sides of the moment `CUT`."""
    both_sides = [(8 + domain, 0, domain, time) for domain in (0, 1) for time in (0, 1, CUT, CUT + 1)]
    users, items, domains, times = zip(*clicks, *both_sides, strict=True)
    table = pa.table(
        {"u": [f"u{u}" for u in users], "i": [f"i{i}" for i in items], "d": [f"d{d}" for d in domains], "t": times}
    )
    schema = {
        "domains": {"column": "d", "values": ["d0", "d1"]},
        "interactions": {"user": "u", "item": "i", "time": "t"},
        "features": {"user": [{"name": "uid", "kind": "id"}], "item": [{"name": "iid", "kind": "id"}]},
        "corpus": "all",
        "repeats": True,
        "trend": {"half_lives": [40.0], "delay": DELAY, "audience": {"half_lives": HALF_LIVES}},
        "split": split or {"kind": "time", "at": CUT, "validation": 0.0},
    }
    prepare(schema, folder, tables={"interactions": table}, progress=False)
    return Dataset(folder)


def columns_of(dataset, *, with_test=True):
    parts = ("interactions", "test") if with_test else ("interactions",)
    return tuple(
        np.concatenate([dataset.array(f"{part}/{name}") for part in parts]) for name in ("item", "domain", "time")
    )


def written(folder, dataset, log, *, by_domain, columns=None):
    """The audiences of a log, whose clicks have the tastes `TASTES`, as they are written and read."""
    columns = columns or columns_of(dataset, with_test=log.has_test)
    write_audiences(folder, log, columns, lambda rows: TASTES[rows], DIM, by_domain=by_domain)
    return read_audiences(folder, log, by_domain=by_domain)


def twin(columns, domain, item, moment, *, by_domain, until=np.inf):
    """The audiences (K, DIM) of an item by definition."""
    known, expected = min(moment - DELAY, until), []
    for half_life in HALF_LIVES:
        total, clickers = np.zeros(DIM), 0.0
        for position, (of_item, of_domain, time) in enumerate(zip(*columns, strict=True)):
            if time < known and of_item == item and (of_domain == domain or not by_domain):
                weight = 2.0 ** (-(known - time) / half_life)
                total, clickers = total + weight * TASTES[position], clickers + weight
        expected.append(total / (clickers + 1.0))
    return expected


@pytest.mark.parametrize("by_domain", [False, True])
@settings(max_examples=6)
@given(clicks=logs, moments=st.lists(st.integers(0, 40), min_size=1, max_size=4), block=st.integers(1, 60))
def test_they_are_the_mean_tastes_of_all_earlier_clickers(clicks, moments, block, by_domain, tmp_path_factory):
    """With the clicks of one item in several blocks, and with moments in any order."""
    folder = tmp_path_factory.mktemp("log")
    dataset = prepared(clicks, folder / "prepared")
    columns, items = columns_of(dataset), np.arange(dataset.manifest.items)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(audiences, "CLICKS_AT_ONCE", block)
        log = written(folder / "live", dataset, dataset.clicks("live"), by_domain=by_domain)
        frozen = written(folder / "frozen", dataset, dataset.clicks("frozen"), by_domain=by_domain)
    for domain in (0, 1):
        found = log.at(domain, items, np.array(moments, dtype=np.float64))
        until_cut = frozen.at(domain, items, np.array(moments, dtype=np.float64))
        assert found.shape == (len(moments), len(items), len(HALF_LIVES), DIM)
        assert found.dtype == np.float32
        for number, moment in enumerate(moments):
            for item in items:
                at = {"columns": columns, "domain": domain, "item": item, "moment": moment, "by_domain": by_domain}
                np.testing.assert_allclose(found[number, item], twin(**at), rtol=1e-5, atol=1e-6)
                np.testing.assert_allclose(until_cut[number, item], twin(**at, until=CUT), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("by_domain", [False, True])
def test_many_moments_have_the_audiences_of_each_alone(tmp_path, by_domain):
    """Few clicks lie between two of them, so that most items are looked up once; also for some items, and backwards."""
    rng = np.random.default_rng(2)
    clicks = np.stack([rng.integers(0, high, 60) for high in (9, 15, 2, 26)], axis=1).tolist()
    dataset = prepared(clicks, tmp_path / "prepared")
    log = written(tmp_path / "audiences", dataset, dataset.clicks("live"), by_domain=by_domain)
    for items in (np.arange(dataset.manifest.items), np.arange(1, dataset.manifest.items, 2)):
        for moments in (np.arange(0.0, 40.0, 0.5), np.array([9.0, 9.0, 3.0, 3.5, 30.0, 28.0])):
            for domain in (0, 1):
                alone = [log.at(domain, items, moments[[number]]) for number in range(len(moments))]
                assert np.any(alone)
                np.testing.assert_array_equal(log.at(domain, items, moments), np.concatenate(alone))


@pytest.mark.parametrize("by_domain", [False, True])
@pytest.mark.parametrize("interests", [(), (2,)])
def test_products_are_those_of_users_with_the_audiences_at_their_moments(tmp_path, interests, by_domain):
    rng = np.random.default_rng(3)
    clicks = np.stack([rng.integers(0, high, 60) for high in (9, 15, 2, 26)], axis=1).tolist()
    dataset = prepared(clicks, tmp_path / "prepared")
    log = written(tmp_path / "audiences", dataset, dataset.clicks("live"), by_domain=by_domain)
    moments, moment_of = np.array([0.0, 9.0, 9.0, 11.0, 35.0, 28.0]), np.array([5, 0, 2, 2, 1, 3, 4, 0])
    users = rng.normal(size=(len(moment_of), *interests, DIM)).astype(np.float32)
    for items in (np.arange(dataset.manifest.items), np.arange(1, dataset.manifest.items, 2)):
        for domain in (0, 1):
            audiences_then = log.at(domain, items, moments)[moment_of]  # (n, m, K, DIM)
            assert audiences_then.any()
            found = log.products(domain, items, moments, users, moment_of)
            expected = np.einsum("n...d,nmkd->n...mk", users, audiences_then)
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_clicks_of_equal_time_are_known_together(tmp_path):
    """All of them one instant after their time and the delay, and none before, whatever their order in the log."""
    dataset = prepared([(user, 1, user % 2, 7) for user in range(4)], tmp_path / "prepared")
    log = written(tmp_path / "audiences", dataset, dataset.clicks("live"), by_domain=False)
    (item,) = (number for number in range(2) if dataset.items.key(number) == "i1")
    of_item = np.flatnonzero(columns_of(dataset)[0] == item)
    assert len(of_item) == 4
    before, after = log.at(0, np.array([item]), np.array([7.0 + DELAY, 7.0 + DELAY + 1e-9]))
    assert not before.any()
    np.testing.assert_allclose(after[0], [TASTES[of_item].sum(axis=0) / 5] * 2, rtol=1e-5)


def test_a_log_without_the_test_has_the_clicks_of_training_and_validation(tmp_path):
    clicks = [(user, item, item % 2, 5 * item + user) for user in range(4) for item in range(4)]
    dataset = prepared(clicks, tmp_path / "prepared", kind="last", validation=0.5)
    log, items = dataset.clicks("frozen"), np.arange(dataset.manifest.items)
    assert not log.has_test
    assert len(dataset.rows("validation"))
    known, domains = columns_of(dataset, with_test=False), (0, 1)
    found = written(tmp_path / "audiences", dataset, log, by_domain=True)
    for domain in domains:
        of_domain = found.at(domain, items, np.array([60.0]))[0]
        for item in items:
            expected = twin(known, domain, item, 60.0, by_domain=True)
            np.testing.assert_allclose(of_domain[item], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("block", [7, 500])
def test_sums_of_long_segments_stay_exact(tmp_path, monkeypatch, block):
    """A thousand clicks of an item, one after the other: errors of float32 do not add up."""
    rng = np.random.default_rng(1)
    times = np.sort(rng.integers(0, 400, 1000)).astype(np.float64)
    values = np.abs(rng.normal(size=(1000, 4))).astype(np.float32)  # of one sign, so that nothing cancels
    half_lives, running = np.array([0.5, 60.0, 1e6]), RunningSums(np.array([0.5, 60.0, 1e6]))
    segments = np.repeat([3, 9], [900, 100])
    parts = [slice(first, first + block) for first in range(0, 1000, block)]
    found = np.concatenate([running.add(segments[part], times[part], values[part]) for part in parts])
    expected, total = np.empty((1000, 3, 4)), np.zeros((3, 4))
    for number in range(1000):
        if number in (0, 900):
            total = np.zeros((3, 4))
        else:
            total = total * np.exp2(-(times[number] - times[number - 1]) / half_lives)[:, None]
        total = expected[number] = total + values[number]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_sums_of_ones_are_counts():
    times, segments = np.array([1.0, 2.0, 4.0, 4.0, 5.0]), np.array([0, 0, 0, 2, 2])
    half_lives = np.array([1.0, 2.0])
    counts = RunningSums(half_lives).add(segments, times)
    sums = RunningSums(half_lives).add(segments, times, np.ones((5, 3)))
    np.testing.assert_allclose(counts[:, 0], [1, 1.5, 1.375, 1, 1.5])
    np.testing.assert_array_equal(sums, np.repeat(counts[:, :, None], 3, axis=2))


def test_tastes_by_hand():
    """The first values of a vector, of length 1; of several interests their mean; nothing stays nothing."""
    users = np.array([[3, 4, 9], [0, 0, 7], [-5, 0, 1]], dtype=np.float32)
    np.testing.assert_allclose(tastes_of(users, 2), [[0.6, 0.8], [0, 0], [-1, 0]])
    interests = np.array([[[1, 4, 9, 9], [5, 4, 9, 9]], [[2, -2, 1, 1], [-2, 2, 1, 1]]], dtype=np.float32)
    np.testing.assert_allclose(tastes_of(interests, 2), [[0.6, 0.8], [0, 0]])


def test_audiences_by_hand():
    """Sums of tastes over the number of clickers and one more."""
    sums = np.array([[[2.0, 4.0, 1.0], [0.0, 0.0, 0.0]], [[3.0, -1.0, 3.0], [0.5, 0.25, 0.25]]])
    np.testing.assert_allclose(audiences_of(sums), [[[1, 2], [0, 0]], [[0.75, -0.25], [0.4, 0.2]]])
