"""Clicks as they come, against the clicks of a log on disk: the numbers are those of the evaluator."""

from itertools import count

import ibis
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adi.data import last_clicks, live_clicks, live_followers
from adi.data.audiences import SMOOTHING, read_audiences, write_audiences
from adi.data.clicks import ClickLog
from adi.data.histories import Histories
from adi.data.last_clicks import Click, nobody_clicked
from adi.data.live_audiences import LiveAudiences
from adi.data.live_clicks import LiveClicks
from adi.data.manifest import CoClickInfo, TrendInfo
from adi.engines.duckdb_engine import DuckDBEngine
from adi.preparation.trends import write_trends

HALF_LIVES, CO_HALF_LIVES, DELAY, LAST, WINDOW = (3.0, 20.0), (5.0, 40.0), 2.0, 3, 6
AUDIENCE, DIM = (4.0, 15.0), 3

logs = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 4), st.integers(0, 1), st.integers(0, 25)), min_size=12, max_size=40
)


INFO = TrendInfo(
    half_lives=HALF_LIVES,
    delay=DELAY,
    co_clicks=CoClickInfo(half_lives=CO_HALF_LIVES, last=LAST, window=WINDOW, least_share=0.01),
    audience=AUDIENCE,
)
NUM_ITEMS, NUM_DOMAINS = 5, 2


@pytest.fixture(scope="module")
def log_of(tmp_path_factory):
    """A function that writes clicks as `adi prepare` does and opens them."""
    connection, numbers = ibis.duckdb.connect(), count()

    def write(clicks, until=None):
        rows = [
            {"user": int(click.user[1:]), "item": click.item, "domain": click.domain, "time": click.time, "row": row}
            for row, click in enumerate(clicks)
        ]
        folder = tmp_path_factory.mktemp("logs") / "trends"
        name = f"rows{next(numbers)}"
        connection.con.register(name, pa.Table.from_pylist(rows))
        write_trends(DuckDBEngine(connection), connection.table(name), INFO, NUM_ITEMS, NUM_DOMAINS, folder)
        log = ClickLog(folder, INFO, NUM_ITEMS, NUM_DOMAINS, has_test=True, until=until)
        log.folder = folder
        return log

    yield write
    connection.disconnect()


def clicks_of(rows):
    """Rows (user, item, domain, time) as clicks, in the order of time; the context of each is its number."""
    ordered = sorted(rows, key=lambda row: row[3])
    return [Click(f"u{u}", i, d, float(t), (number,)) for number, (u, i, d, t) in enumerate(ordered)]


TASTES = np.random.default_rng(0).normal(size=(100, DIM)).astype(np.float32)
"""The taste of the clicker of each click, by its number."""


def live_audiences(by_domain):
    def tastes(clickers):
        return TASTES[[clicker.context[0] for clicker in clickers]]

    return LiveAudiences(AUDIENCE, NUM_ITEMS, dim=DIM, by_domain=by_domain, tastes=tastes)


def live(last_items=nobody_clicked, *, by_domain=False):
    return LiveClicks(INFO, NUM_ITEMS, NUM_DOMAINS, last_items, live_audiences(by_domain))


def audience_log(log, clicks, *, by_domain):
    """The audiences of a log, from the tastes of the clickers of its clicks."""
    folder = log.folder / f"audiences{by_domain}"
    columns = tuple(np.array([click[column] for click in clicks]) for column in (1, 2, 3))
    write_audiences(folder, log, columns, lambda rows: TASTES[rows], DIM, by_domain=by_domain)
    return read_audiences(folder, log, by_domain=by_domain)


def histories_of(lists):
    items = np.array([item for history in lists for item in history], dtype=np.int64)
    return Histories(items, np.zeros_like(items), np.cumsum([0, *map(len, lists)]))


def assert_same(counters, log, moment, audiences=None, lists=((0, 1, 0), (), (1,))):
    items, at = np.arange(NUM_ITEMS), np.array([moment])
    for domain in range(NUM_DOMAINS):
        counts, expected = counters.counts(domain, items, at), log.counts(domain, items, at)
        for name in ("in_domain", "overall", "domain_total", "overall_total", "age"):
            np.testing.assert_allclose(getattr(counts, name), getattr(expected, name), rtol=1e-5, atol=2e-6)
        assert counts.num_items == expected.num_items
        if audiences is not None:
            (expected,) = audiences.at(domain, items, at)
            np.testing.assert_allclose(counters.audiences(domain, items), expected, rtol=1e-4, atol=1e-5)
    moments = np.full(len(lists), moment)
    pairs, expected = (clicks.co_clicks(histories_of(lists), moments, items) for clicks in (counters, log))
    np.testing.assert_array_equal(pairs.columns, expected.columns)
    np.testing.assert_array_equal(pairs.offsets, expected.offsets)
    np.testing.assert_allclose(pairs.values, expected.values, rtol=1e-4)


@settings(max_examples=15)
@given(rows=logs, moments=st.lists(st.integers(0, 40), min_size=1, max_size=5).map(sorted))
def test_counts_are_those_of_a_log_with_the_same_clicks(rows, moments, log_of):
    clicks, counters = clicks_of(rows), live()
    log = log_of(clicks)
    counters.add(clicks)
    for moment in moments:
        assert_same(counters, log, moment)


@settings(max_examples=15)
@given(rows=logs, order=st.randoms(use_true_random=False), by_domain=st.booleans())
def test_clicks_may_come_in_any_order_before_they_are_known(rows, order, by_domain, log_of):
    clicks = clicks_of((*row[:3], number) for number, row in enumerate(rows))
    log, counters = log_of(clicks), live(by_domain=by_domain)
    audiences = audience_log(log, clicks, by_domain=by_domain)
    arrivals = sorted((click.time + order.uniform(0, DELAY), click) for click in clicks)
    for moment in range(0, 60, 3):
        counters.add(click for arrival, click in arrivals if moment - 3 < arrival <= moment)
        assert_same(counters, log, moment, audiences)


def test_counts_and_audiences_are_exact_however_late_a_click_comes():
    late, punctual = live(), live()
    clicks = [Click("u", 0, 0, 1.0, (0,)), Click("v", 2, 1, 4.0, (1,)), Click("u", 0, 1, 6.0, (2,))]
    punctual.add(clicks)
    late.add(clicks[1:])
    late.advance(30.0)
    late.add(clicks[:1])
    counts, expected = (counters.counts(0, np.arange(3), np.array([31.0])) for counters in (late, punctual))
    assert expected.in_domain[0, 0, 1] == pytest.approx(2 ** (-(31 - DELAY - 1) / 20))
    for name in ("in_domain", "overall", "domain_total", "overall_total", "age"):
        np.testing.assert_allclose(getattr(counts, name), getattr(expected, name), rtol=1e-6)
    audience, expected = (counters.audiences(0, np.arange(3)) for counters in (late, punctual))
    np.testing.assert_allclose(audience, expected, rtol=1e-5)
    weights = [2 ** (-(31 - DELAY - time) / 15) for time in (1, 6)]
    by_hand = (weights[0] * TASTES[0] + weights[1] * TASTES[2]) / (sum(weights) + SMOOTHING)
    np.testing.assert_allclose(expected[0, 1], by_hand, rtol=1e-5)
    assert not expected[1].any()


@settings(max_examples=10)
@given(rows=logs, cut=st.integers(5, 20), by_domain=st.booleans())
def test_counters_go_on_from_the_end_of_a_log(rows, cut, by_domain, log_of, tmp_path_factory):
    path, clicks = tmp_path_factory.mktemp("counters") / "counters.npz", clicks_of(rows)
    log = log_of(clicks, until=cut)
    audiences = audience_log(log, clicks, by_domain=by_domain)
    ended = LiveClicks.of_log(log, [audiences] * NUM_DOMAINS)
    ended.save(path)
    earlier, later = ([click for click in clicks if (click.time < ended.known) == early] for early in (True, False))

    def last_items(user):
        return [(click.item, click.domain) for click in earlier if click.user == user]

    counters = live(last_items, by_domain=by_domain)
    counters.load(path)
    assert counters.known <= cut
    counters.add(later)
    log.until = None
    for moment in (30, 31, 60):
        assert_same(counters, log, moment, audiences)


@pytest.mark.parametrize("by_domain", [False, True])
def test_items_whose_counts_decayed_to_nothing_are_dropped(by_domain):
    def tastes(clickers):
        return np.ones((len(clickers), 2), dtype=np.float32)

    audiences = LiveAudiences(AUDIENCE, 1000, dim=2, by_domain=by_domain, tastes=tastes)
    counters = LiveClicks(INFO, num_items=1000, num_domains=2, audiences=audiences)
    for number in range(1000):
        counters.add([Click("u", number, number % 2, 10.0 * number)])
        counters.advance(10.0 * number + 5)
    assert (audiences.sums.segments % 1000).tolist() == sorted(
        counters.items, key=lambda item: (by_domain * item % 2, item)
    )
    in_memory = 20.0 * -np.log2(live_clicks.FORGOTTEN) / 10
    assert len(counters.items) == pytest.approx(in_memory, abs=2)
    followers_in_memory = live_followers.FORGOTTEN_AFTER * max(CO_HALF_LIVES) / 10
    assert len(counters._followers._of) <= followers_in_memory + 2 * max(CO_HALF_LIVES) / 10
    # The oldest click is remembered as the first, for the age.
    (age,) = counters.counts(0, np.array([0]), np.array([10_000.0])).age[0]
    assert age == pytest.approx((10_000 - DELAY) / 3)


def test_the_users_who_clicked_latest_are_remembered(monkeypatch):
    monkeypatch.setattr(last_clicks, "MOST_USERS", 2)
    counters = LiveClicks(INFO, num_items=9, num_domains=1)
    counters.add(
        Click(user, item, 0, float(time)) for time, (user, item) in enumerate(zip("abca", range(4), strict=True))
    )
    counters.advance(100.0)
    assert counters._last_clicks.users == ["c", "a"]
    assert (
        len(counters.co_clicks(histories_of([[0]]), None, np.arange(9)).columns) == 0
    )  # a's first click was forgotten with a


def test_a_moment_before_an_earlier_one_is_refused():
    counters = LiveClicks(INFO, num_items=2, num_domains=1)
    counters.advance(50.0)
    with pytest.raises(ValueError, match=r"moment 49.0: the clicks before 50.0 are counted already"):
        counters.counts(0, np.arange(2), np.array([49.0]))
