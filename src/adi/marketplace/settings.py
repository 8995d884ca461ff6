"""The settings of a simulated marketplace, validated at construction."""

import math
from dataclasses import dataclass, fields

import numpy as np

from adi.errors import ArgumentError

PAPER_DOMAINS = {"search": 1365, "feed": 167, "cart": 610}
"""Three domains in the proportions of the paper's log (millions of records, ADI section 5.1.1)."""

PAPER_HALF_LIVES = {"search": 8.0, "feed": 2.0, "cart": 24.0}
"""Typical hours in which the attention of a new item halves: feed is like news, cart is slow."""

MAX_DOMAIN_DAYS = 500
"""Limit of days x domains with trends, of which the sampler has a table with a row for every ten minutes."""

MAX_ITEMS = 20_000_000
"""Beyond this number, the 64-bit keys that find a user's repeated items could overflow."""

SHARES = ("profile_strength", "user_overlap", "item_overlap")
"""Settings that are at most 1."""


@dataclass(frozen=True, kw_only=True)
class Marketplace:
    """The size and the strengths of a marketplace; `adi.marketplace.simulation` explains the model behind them.

    The sizes are numbers; strengths are factors of effects: 0 switches an effect off, and 1 gives a logit of standard
    deviation 1 over clusters or items.

    Args:
        users: number of users.
        items: number of items, at least 10 for each domain.
        interactions: number of rows of the log, at least 2 for each user. Rows for which a very active user had no new
            item left are missing: ``given_up`` in ``truth/domains.parquet`` counts them; 0 unless items are very few.
        domains: number of domains. Three are named search, feed and cart and have the paper's proportions; others are
            named d1 ... dD and have sizes in the ratio 1 : 1/2 : 1/3 ...
        days: number of days that the log covers.
        seed: the same settings and seed give the same bytes.
        shared_strength: strength of the interest that a user has in every domain.
        specific_strength: strength of the interest that holds in one domain only.
        facets: number of features of users, and of as many of items, whose effect on each other holds in one domain
            only; the domains have about the same number of them.
        facet_strength: strength of the interest that the facets of a domain make up.
        bid_strength, quality_strength: effect of an item's bid and quality in a domain, on that domain alone.
        popularity_skew: exponent of the Zipf law of the items' popularity, the same in every domain.
        trends: share of the attention that items which arrive and fade, and bursts of others, have at an average
            moment, from 0 to 0.9. More than 0 gives the hours of a day their rates, too; 0: nothing changes with time.
        profile_strength: probability that a profile feature depends on the user's interest and is not random.
        user_overlap, item_overlap: share of users active, of items eligible, in two or more domains; without effect
            where there is one domain.
        groups: number of kinds of interest.
        clusters: number of kinds of items, at most one for every 8 items.
        latent_dim: length of the vectors whose inner products are the interests.

    Raises:
        ArgumentError: for a value out of its range, and for too few items or interactions.
    """

    users: int = 20_000
    items: int = 5_000
    interactions: int = 300_000
    domains: int = 3
    days: int = 3
    seed: int = 0
    shared_strength: float = 2.5
    specific_strength: float = 1.5
    facets: int = 0
    facet_strength: float = 1.5
    bid_strength: float = 0.5
    quality_strength: float = 0.5
    popularity_skew: float = 0.6
    trends: float = 0.0
    profile_strength: float = 0.6
    user_overlap: float = 0.49
    item_overlap: float = 0.79
    groups: int = 256
    clusters: int = 256
    latent_dim: int = 16

    def __post_init__(self) -> None:
        lowest = {"users": 2, "items": 20, "interactions": 20, "seed": 0, "facets": 0}
        highest: dict[str, float] = {"items": MAX_ITEMS, "domains": 1000, "days": 36_500, "facets": 1000}
        highest |= {"groups": 4096, "clusters": 4096, "trends": 0.9} | dict.fromkeys(SHARES, 1)
        for field in fields(self):
            value = getattr(self, field.name)
            if field.type is int:
                low, high = lowest.get(field.name, 1), highest.get(field.name, 2**40)
            else:
                low, high = 0, highest.get(field.name, 10)
            number = "a whole number" if field.type is int else "a number"
            if isinstance(value, bool) or not isinstance(value, int if field.type is int else (int, float)):
                raise ArgumentError(field.name, f"{value!r}; give {number}.")
            if not math.isfinite(value) or not low <= value <= high:
                raise ArgumentError(field.name, f"{value}; give {number} from {low} to {high}.")
        if self.items < 10 * self.domains:
            raise ArgumentError(
                "items",
                f"{self.items} are too few for {self.domains} domains, 10 for each. "
                f"Give {10 * self.domains} or more, or fewer domains.",
            )
        if self.interactions < 2 * self.users:
            raise ArgumentError(
                "interactions",
                f"{self.interactions} are too few for {self.users} users, 2 for each. "
                f"Give {2 * self.users} or more, or at most {self.interactions // 2} users.",
            )
        if self.trends > 0 and self.days * self.domains > MAX_DOMAIN_DAYS:
            raise ArgumentError(
                "days",
                f"{self.days} are too many with trends in {self.domains} domains. Give fewer of either, so that "
                f"days x domains is at most {MAX_DOMAIN_DAYS}, or trends 0.",
            )

    @property
    def domain_names(self) -> tuple[str, ...]:
        """The domains in their fixed order."""
        if self.domains == len(PAPER_DOMAINS):
            return tuple(PAPER_DOMAINS)
        return tuple(f"d{number}" for number in range(1, self.domains + 1))

    @property
    def domain_shares(self) -> np.ndarray:
        """The share of each domain in the interactions, (D,); it sums to 1."""
        if self.domains == len(PAPER_DOMAINS):
            sizes = np.array(list(PAPER_DOMAINS.values()), dtype=np.float64)
        else:
            sizes = 1.0 / np.arange(1, self.domains + 1)
        return np.asarray(sizes / sizes.sum())

    @property
    def half_lives(self) -> np.ndarray:
        """The typical half-life of attention in each domain, (D,) hours; from 2 to 24 where there are not three."""
        if self.domains == len(PAPER_DOMAINS):
            return np.array([PAPER_HALF_LIVES[name] for name in self.domain_names])
        return np.geomspace(2.0, 24.0, self.domains)

    @property
    def domain_sizes(self) -> np.ndarray:
        """The interactions of each domain, (D,) int64, by largest remainders; they sum to `interactions`."""
        exact = self.domain_shares * self.interactions
        sizes: np.ndarray = np.floor(exact).astype(np.int64)
        remaining = self.interactions - int(sizes.sum())
        sizes[np.argsort(sizes - exact, kind="stable")[:remaining]] += 1
        return sizes

    def rng(self, *stream: int) -> np.random.Generator:
        """The random generator of a stream, so that no draw depends on how many others were made before."""
        return np.random.default_rng([self.seed, *stream])


def draw_memberships(
    rng: np.random.Generator, count: int, shares: np.ndarray, *, overlap: float, spread: float, evenness: float
) -> np.ndarray:
    """Draw the domains of `count` users or items: (count, D) bool, with one domain or more in each row.

    A share `overlap` of the rows has two domains or more, each further one with probability `spread`; domains are
    drawn without replacement with weights ``shares ** evenness`` (the Gumbel top-k rule).
    """
    domains = len(shares)
    several = rng.random(count) < overlap
    num_domains = np.where(several, np.minimum(1 + rng.geometric(1.0 - spread, count), domains), 1)
    keys = evenness * np.log(shares) + rng.gumbel(size=(count, domains))
    rank = np.argsort(np.argsort(-keys, axis=1, kind="stable"), axis=1, kind="stable")
    return np.asarray(rank < num_domains[:, None])
