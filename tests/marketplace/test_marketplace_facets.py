"""Facets: features that tell of what is taken in one domain, and of nothing in the others."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from adi.marketplace.facets import VALUES
from adi.marketplace.simulation import Marketplace, simulate
from adi.marketplace.truth import draw_truth, load_truth
from adi.preparation.prepare import prepare

MARKET = Marketplace(
    users=2000, items=800, interactions=20_000, groups=64, clusters=64, facets=5, facet_strength=2.0,
    shared_strength=0.0, specific_strength=0.0, profile_strength=1.0,
)  # fmt: skip


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    folder = tmp_path_factory.mktemp("facets") / "market"
    simulate(folder, MARKET)
    return folder


def facets_of(path) -> np.ndarray:
    table = pq.read_table(path)
    return np.column_stack([table[f"facet_{number}"] for number in range(1, MARKET.facets + 1)])


def test_the_truth_is_read_back_as_drawn(market):
    drawn, read = draw_truth(MARKET), load_truth(market / "truth")
    np.testing.assert_array_equal(read.affinity(), drawn.affinity())


def test_clicks_follow_the_facets_of_their_domain_alone(market):
    log, truth = pq.read_table(market / "interactions"), load_truth(market / "truth")
    users, items = facets_of(market / "users.parquet"), facets_of(market / "items.parquet")
    assert set(np.unique(users)) == set(np.unique(items)) == set(range(VALUES))
    of_user, of_item = users[log["user_id"].to_numpy() - 1], items[log["item_id"].to_numpy() - 1]
    domains = log["domain"].to_numpy(zero_copy_only=False)
    rng = np.random.default_rng(0)
    for facet, effects in enumerate(truth.facets.effects):
        for number, domain in enumerate(MARKET.domain_names):
            clicks = np.flatnonzero(domains == domain)
            effect = effects[of_user[clicks, facet], of_item[clicks, facet]].mean()
            at_random = effects[of_user[clicks, facet], of_item[rng.permutation(clicks), facet]].mean()
            # Each user takes some things by a second interest, which no feature tells.
            more = effect - at_random
            assert more > 0.3 if facet % MARKET.domains == number else abs(more) < 0.1, (facet, domain, more)


def test_facets_are_features_of_both_sides(market, tmp_path):
    manifest = prepare(market, tmp_path / "prepared")
    names = {(feature.side, feature.name) for feature in manifest.features}
    for number in range(1, MARKET.facets + 1):
        assert {("user", f"user_facet_{number}"), ("item", f"facet_{number}")} <= names


def test_a_market_without_facets_is_what_it_was(tmp_path):
    sizes = {"users": 100, "items": 60, "interactions": 900}
    simulate(tmp_path / "none", Marketplace(**sizes))
    simulate(tmp_path / "some", Marketplace(**sizes, facets=2, facet_strength=0.0))
    none, some = (pq.read_table(tmp_path / name / "interactions") for name in ("none", "some"))
    assert none.equals(some)
    assert "facet_1" not in pq.read_table(tmp_path / "none" / "users.parquet").column_names
