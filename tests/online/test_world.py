"""The world against the marketplace's own truth, its traffic, and the clicks that follow the law."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import adi
from adi.errors import AdiError
from adi.marketplace.clock import DAY, HOUR, HOURLY_RATES
from adi.online.live import choice
from adi.online.settings import Online
from adi.online.traffic import draw_requests, rates, updated_loyalty
from adi.online.world import World, open_world

EVERY = np.arange(200)


def test_attractions_are_the_exponentials_of_the_true_scores(live_world: World, live_market: Path) -> None:
    users = pq.read_table(live_market / "truth" / "users.parquet").slice(0, 5)
    groups = np.column_stack([users["main_group"], users["side_group"]])
    for number, name in enumerate(live_world.settings.domain_names):
        scores = live_world.truth.scores(groups, users["main_share"].to_numpy(), name)
        user, domain = np.arange(5), np.full(5, number)
        attraction = live_world.attractions(domain, user, np.broadcast_to(EVERY, (5, 200)))
        np.testing.assert_allclose(attraction, np.exp(scores))
        np.testing.assert_allclose(live_world.masses(domain, user), np.exp(scores).sum(axis=1))


def test_bids_advertisers_and_clicks_are_those_of_the_tables(live_world: World, live_market: Path) -> None:
    bids = pq.read_table(live_market / "item_domain.parquet").to_pylist()
    names = live_world.settings.domain_names
    assert all(live_world.bid[names.index(row["domain"]), row["item_id"] - 1] == row["bid"] for row in bids)
    assert np.count_nonzero(live_world.bid) == len(bids)
    advertiser = pq.read_table(live_market / "items.parquet")["advertiser"].to_pylist()
    assert (
        len(set(zip(advertiser, live_world.advertiser.tolist(), strict=True)))
        == len(set(advertiser))
        == len(live_world.budget)
    )
    log = pq.read_table(live_market / "interactions").to_pylist()
    assert set(live_world.seen.tolist()) == {(row["user_id"] - 1) * 200 + row["item_id"] - 1 for row in log}


def test_items_are_away_for_the_share_and_the_time_that_is_asked(live_market: Path) -> None:
    on_line = open_world(live_market, Online(days=200, away=0.2, absence=4.0)).on_line
    assert on_line.mean() == pytest.approx(0.8, abs=0.02)
    away = ~on_line
    ends = (away[:-1] & ~away[1:]).sum()
    assert away[:-1].sum() / ends == pytest.approx(4.0, rel=0.1)
    assert open_world(live_market, Online(days=3, away=0.0)).on_line.all()


def test_requests_follow_activity_domains_and_hours(live_world: World) -> None:
    rate = rates(live_world, 50_000)
    assert rate.sum() == pytest.approx(50_000)
    assert ((rate > 0) == (live_world.activity > 0)).all()
    np.testing.assert_allclose(rate.sum(axis=0) / 50_000, live_world.settings.domain_shares)
    requests = draw_requests(np.random.default_rng(0), rate)
    assert (np.diff(requests.time) >= 0).all()
    assert (requests.time >= 0).all()
    assert (requests.time < DAY).all()
    hours = np.bincount(requests.time // HOUR, minlength=24) / len(requests.time)
    np.testing.assert_allclose(hours, HOURLY_RATES / HOURLY_RATES.sum(), atol=0.005)
    counts = np.zeros(rate.shape)
    np.add.at(counts, (requests.user, requests.domain), 1)
    assert counts.sum() == pytest.approx(50_000, rel=0.02)
    assert counts[rate == 0].sum() == 0


def test_who_found_something_comes_more_often_and_who_did_not_less() -> None:
    loyalty = updated_loyalty(np.array([1.0, 1.0, 1.0, 1.99, 0.5]), np.array([0, 1, 3, 4]), np.array([1, 3]))
    np.testing.assert_allclose(loyalty, [0.97, 1.2, 1.0, 2.0, 0.5])


def test_clicks_follow_the_law_of_choice() -> None:
    """Weights 1, 2 and 0 beside 3 of doing something else: a sixth, a third, never; half of all lists have no click."""
    lists = 60_000
    weight = np.tile([1.0, 2.0, 0.0], (lists, 1))
    slots = choice(weight, np.full(lists, 3.0), 1.0, np.random.default_rng(0))
    shares = np.bincount(slots + 1, minlength=4) / lists
    np.testing.assert_allclose(shares, [1 / 2, 1 / 6, 1 / 3, 0.0], atol=0.01)
    planted = choice(weight, np.full(lists, 3.0), 1.2, np.random.default_rng(1))
    assert (planted >= 0).mean() == pytest.approx(0.6, abs=0.01)
    assert (choice(np.zeros((9, 2)), np.ones(9), 1.0, np.random.default_rng(0)) == -1).all()


def test_markets_that_are_refused(live_market: Path, tmp_path: Path) -> None:
    with pytest.raises(AdiError, match=r"holds no truth/settings.json"):
        open_world(tmp_path, Online())
    adi.simulate(
        tmp_path / "trends", adi.Marketplace(users=270, items=200, interactions=4000, trends=0.3), progress=False
    )
    with pytest.raises(AdiError, match="has trends"):
        open_world(tmp_path / "trends", Online())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"days": 0}, "days: 0; give a number from 1 to 365"),
        ({"slots": 60}, "slots: 60 are more than the 50 candidates"),
        ({"away": 1.0}, "away: 1.0; give a number from 0 to 0.9"),
        ({"planted": {"control": -1.0}}, "planted: control=-1.0; give an uplift above -1"),
    ],
)
def test_settings_that_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(AdiError, match=message):
        Online(**settings)  # type: ignore[arg-type]
