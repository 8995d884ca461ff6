"""The feature tables of a simulated marketplace: what an engineer would know of its users and items.

Features reflect the truth with noise: a profile depends on the user's groups, an item's content on its cluster. Past
clicks come from a period before the log, so that they leak nothing from it.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from adi.marketplace.attention import Attention
from adi.marketplace.clock import FIRST_PEAK, LAST_PEAK
from adi.marketplace.facets import VALUES, facet_names
from adi.marketplace.settings import Marketplace
from adi.marketplace.truth import SIBLINGS, Truth
from adi.marketplace.users import UserBlock

TRAITS_STREAM, ITEMS_STREAM, PROFILES_STREAM = 3, 4, 5
"""This module's random streams in `Marketplace.rng`."""

AGE_BANDS = ("18-24", "25-34", "35-44", "45-54", "55-64", "65+")
CITIES = tuple(f"city_{number:02}" for number in range(40))
ADVERTISERS_PER_CATEGORY = 10
BASE_CTR = 0.03
PAST_IMPRESSIONS = 200
"""Impressions of an item of average popularity in a domain, in the period before the log."""


@dataclass(frozen=True)
class Traits:
    """Typical values of each group of users, (G,) each; `peak_hour` is the time of day of its visits."""

    age_band: np.ndarray
    city: np.ndarray
    peak_hour: np.ndarray


def draw_traits(settings: Marketplace) -> Traits:
    """Draw the traits of all groups."""
    rng = settings.rng(TRAITS_STREAM)
    return Traits(
        age_band=rng.integers(len(AGE_BANDS), size=settings.groups),
        city=rng.integers(len(CITIES), size=settings.groups),
        peak_hour=rng.uniform(FIRST_PEAK, LAST_PEAK, settings.groups),
    )


def user_tables(truth: Truth, traits: Traits, block: UserBlock, counts: np.ndarray) -> dict[str, pa.Table]:
    """A block's rows of ``users``, ``user_domain`` and ``truth/users``; `counts` (B, D) are its clicks in the log."""
    settings = truth.settings
    rng = settings.rng(PROFILES_STREAM, block.number)
    size = len(block.groups)
    user_id = pa.array(np.arange(block.first + 1, block.first + size + 1))
    main = block.groups[:, 0]
    segments = -(-settings.groups // SIBLINGS)
    informative = rng.random((size, 4)) < settings.profile_strength  # age, city, first and second segment
    age_band = np.where(informative[:, 0], traits.age_band[main], rng.integers(len(AGE_BANDS), size=size))
    city = np.where(informative[:, 1], traits.city[main], rng.integers(len(CITIES), size=size))
    segment = np.column_stack([block.groups // SIBLINGS, rng.integers(segments, size=size)])  # (B, 3)
    listed = np.column_stack([informative[:, 2:], np.ones(size, dtype=bool)])
    listed[:, 1] &= ~listed[:, 0] | (segment[:, 1] != segment[:, 0])
    listed[:, 2] &= ~((listed[:, :2] & (segment[:, :2] == segment[:, 2:])).any(axis=1))
    user, domain = np.nonzero(counts)
    # The interests were the same in the earlier period: its clicks follow the activity, not the clicks of the log.
    past = rng.poisson(block.activity[user, domain] * 5.0)
    facets = {}
    if truth.facets is not None:
        shape = (settings.facets, size)
        is_true = rng.random(shape) < settings.profile_strength
        values = np.where(is_true, truth.facets.of_groups[:, main], rng.integers(VALUES, size=shape))
        facets = dict(zip(facet_names(settings), values, strict=True))
    return {
        "users": pa.table(
            {
                "user_id": user_id,
                "age_band": named(AGE_BANDS, age_band),
                "city": named(CITIES, city),
                "segments": lists(tuple(f"segment_{number}" for number in range(segments)), segment, listed),
                **facets,
            }
        ),
        "user_domain": pa.table(
            {
                "user_id": user_id.take(pa.array(user)),
                "domain": named(settings.domain_names, domain),
                "past_clicks": past,
            }
        ),
        "truth/users": pa.table(
            {
                "user_id": user_id,
                "main_group": main,
                "side_group": block.groups[:, 1],
                "main_share": block.main_share,
            }
        ),
    }


def item_tables(truth: Truth, attention: Attention) -> dict[str, pa.Table]:
    """The tables ``items`` and ``item_domain``, the latter with a row for each domain in which an item is eligible.

    New items were not there in the earlier period: they have no impressions and no clicks.
    """
    settings = truth.settings
    rng = settings.rng(ITEMS_STREAM)
    size = settings.items
    item_id = pa.array(np.arange(1, size + 1))
    clusters = truth.cluster_vectors.shape[1]
    categories = -(-clusters // SIBLINGS)
    category = truth.item_cluster // SIBLINGS
    rank = np.minimum(rng.geometric(0.25, size), ADVERTISERS_PER_CATEGORY) - 1
    price = np.exp(rng.normal(3.0, 1.0, categories)[category] + 0.5 * rng.standard_normal(size))
    tag = np.column_stack([truth.item_cluster, rng.integers(clusters, size=size)])  # (I, 2)
    tagged = np.column_stack([rng.random(size) < 0.7, np.ones(size, dtype=bool)])
    tagged[:, 1] &= ~tagged[:, 0] | (tag[:, 0] != tag[:, 1])
    items = {
        "item_id": item_id,
        "category": named(tuple(f"category_{number}" for number in range(categories)), category),
        "advertiser": named(
            tuple(f"advertiser_{number}" for number in range(categories * ADVERTISERS_PER_CATEGORY)),
            category * ADVERTISERS_PER_CATEGORY + rank,
        ),
        "price": np.round(price, 2),
        "tags": lists(tuple(f"tag_{number}" for number in range(clusters)), tag, tagged),
    }
    if truth.facets is not None:
        items |= dict(zip(facet_names(settings), truth.facets.of_clusters[:, truth.item_cluster], strict=True))
    item, domain = np.nonzero(truth.eligible)
    level = np.exp(rng.normal(0.0, 0.5, settings.domains))  # what a click costs in the domain
    popularity = np.exp(truth.item_popularity)
    popularity[attention.is_new] = 0.0
    impressions = rng.poisson(PAST_IMPRESSIONS * (popularity / popularity.mean())[item])
    odds = BASE_CTR / (1.0 - BASE_CTR) * np.exp(0.5 * truth.quality[item, domain])
    clicks = rng.binomial(impressions, odds / (1.0 + odds))
    item_domain = {
        "item_id": item_id.take(pa.array(item)),
        "domain": named(settings.domain_names, domain),
        "bid": np.round(level[domain] * np.exp(0.5 * truth.bid[item, domain]), 4),
        "past_impressions": impressions,
        "past_clicks": clicks,
        "past_ctr": (clicks + 1.0) / (impressions + 1.0 / BASE_CTR),
    }
    return {"items": pa.table(items), "item_domain": pa.table(item_domain)}


def named(names: tuple[str, ...], codes: np.ndarray) -> pa.Array:
    """The names at the positions `codes`, as strings."""
    return pa.array(names).take(pa.array(codes))


def lists(names: tuple[str, ...], codes: np.ndarray, present: np.ndarray) -> pa.Array:
    """Lists of the names at the positions `codes` where `present`; both are (N, length)."""
    offsets = np.concatenate([[0], np.cumsum(present.sum(axis=1))]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), named(names, codes[present]))
