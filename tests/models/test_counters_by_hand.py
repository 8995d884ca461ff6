"""Counters as models, by hand: what is clicked now, and what follows what."""

import pytest

from adi.training.evaluation import evaluate_run
from adi.training.train import train

NEWS = """
09:00 news third cal
10:00 news old ann
10:00 news old bob
10:00 news old cal
11:30 news new ann
11:30 news new bob
12:00 news new dee
12:00 news third ann
12:01 news late eve
12:02 news late fay
12:03 news late gus
11:40 shop x hal
11:40 shop x ida
11:40 shop x jim
11:40 shop x kay
11:41 shop y hal
11:41 shop y ida
11:41 shop y jim
11:50 shop z lea
11:50 shop z mia
11:50 shop z ned
11:50 shop z pam
12:05 shop y kay
"""
"""Time, domain, item and user of clicks; those from 12:00 on are the test."""


@pytest.fixture
def live(empty):
    """A function that trains a model on the news and returns its recall@1 by domain, live and frozen."""
    rows = [line.split() for line in NEWS.strip().splitlines()]
    log = [{"time": f"2024-05-01T{time}:00", "domain": d, "item": item, "user": user} for time, d, item, user in rows]
    empty.write("log.jsonl", log)
    empty.schema |= {
        "split": {"kind": "time", "at": "2024-05-01T12:00:00", "validation": 0.0},
        "corpus": "all",
        "trend": {"half_lives": ["30m", "100h"], "delay": "30s", "co_clicks": {"half_lives": ["1h"]}},
    }
    empty.prepare()

    def recall(model: str, **settings: str):
        run = empty.out.parent / model
        train(empty.out, model, run, settings=settings)
        metrics = evaluate_run(run, ks=(1,))
        assert metrics.frozen is not None
        return [
            {name: measures["recall@1"] for name, measures in measured.domains.items()}
            for measured in (metrics, metrics.frozen)
        ]

    return recall


def test_counters_with_a_short_half_life_know_what_is_new(live) -> None:
    """Live counts rank `late` first once two clicks on it outweigh the decayed `new`; frozen ones never see it."""
    now, frozen = live("popularity", half_life="30m")
    assert now["news"] == pytest.approx(0.6)
    assert frozen["news"] == pytest.approx(0.4)


def test_almost_without_decay_the_oldest_item_stays_first(live) -> None:
    now, _ = live("popularity", half_life="100h")
    assert now["news"] == pytest.approx(0.2)


def test_only_co_clicks_know_what_follows_what(live) -> None:
    """In shop, y follows x, and z is clicked most."""
    assert live("popularity", half_life="30m")[0]["shop"] == 0.0
    assert live("co-clicks", half_life="30m")[0]["shop"] == 1.0
