"""The settings of a simulated marketplace, checked when they are made."""

import math
from dataclasses import dataclass, fields

import numpy as np

from adi.errors import AdiError

PAPER_DOMAINS = {"search": 1365, "feed": 167, "cart": 610}
"""Three domains in the proportions of the paper's log (millions of records, ADI section 5.1.1)."""

MAX_ITEMS = 20_000_000
"""Above this, the 64-bit keys that find a user's repeated items could overflow."""


@dataclass(frozen=True, kw_only=True)
class Marketplace:
    """Size and strengths of a marketplace; the model behind them is in `adi.marketplace.simulation`.

    Sizes:
        users, items, interactions: how many. The log holds `interactions` rows, less those for which a very active
            user had no new item left (``given_up`` in ``truth/domains.parquet``; 0 unless items are very few).
        domains: how many; 3 are named search, feed and cart in the paper's proportions, otherwise d1 ... dD with
            sizes 1, 1/2, 1/3 ...
        days: over how many days the log spreads.
        seed: the same settings and seed give the same bytes.
    Strengths (0 switches an effect off; 1 gives a logit of standard deviation 1 over clusters or items):
        shared_strength: interest that a user carries through every domain.
        specific_strength: interest that holds in one domain only.
        bid_strength, quality_strength: an item's bid and quality in a domain, felt in that domain only.
        popularity_skew: exponent of the Zipf law of the items' popularity, the same in every domain.
        profile_strength: probability that a profile feature tells of the user's interest and is not random.
    Overlap (no meaning when there is one domain):
        user_overlap, item_overlap: share of users active, of items eligible, in two or more domains.
    Grain:
        groups, clusters: how many kinds of interest and of item there are; at most one cluster per 8 items.
        latent_dim: length of the vectors whose inner products are the interests.
    """

    users: int = 20_000
    items: int = 5_000
    interactions: int = 300_000
    domains: int = 3
    days: int = 3
    seed: int = 0
    shared_strength: float = 2.5
    specific_strength: float = 1.5
    bid_strength: float = 0.5
    quality_strength: float = 0.5
    popularity_skew: float = 0.6
    profile_strength: float = 0.6
    user_overlap: float = 0.49
    item_overlap: float = 0.79
    groups: int = 256
    clusters: int = 256
    latent_dim: int = 16

    def __post_init__(self) -> None:
        lowest = {"users": 2, "items": 20, "interactions": 20, "seed": 0}
        highest = {"items": MAX_ITEMS, "domains": 1000, "days": 36_500, "groups": 4096, "clusters": 4096}
        for field in fields(self):
            value = getattr(self, field.name)
            if field.type is int:
                low, high = lowest.get(field.name, 1), highest.get(field.name, 2**40)
            else:
                low, high = 0, 1 if field.name in ("profile_strength", "user_overlap", "item_overlap") else 10
            kind = "a whole number" if field.type is int else "a number"
            if isinstance(value, bool) or not isinstance(value, int if field.type is int else (int, float)):
                raise AdiError(f"marketplace: {field.name} is {value!r}; it must be {kind}.")
            if not math.isfinite(value) or not low <= value <= high:
                raise AdiError(f"marketplace: {field.name} is {value}; it must be {kind} from {low} to {high}.")
        if self.items < 10 * self.domains:
            raise AdiError(
                f"marketplace: {self.items} items are too few for {self.domains} domains (10 for each). "
                f"Raise --items to {10 * self.domains} or more, or lower --domains."
            )
        if self.interactions < 2 * self.users:
            raise AdiError(
                f"marketplace: {self.interactions} interactions are too few for {self.users} users (2 for each). "
                f"Raise --interactions to {2 * self.users} or more, or lower --users to {self.interactions // 2}."
            )

    @property
    def domain_names(self) -> tuple[str, ...]:
        """The domains in their fixed order."""
        if self.domains == len(PAPER_DOMAINS):
            return tuple(PAPER_DOMAINS)
        return tuple(f"d{number}" for number in range(1, self.domains + 1))

    @property
    def domain_shares(self) -> np.ndarray:
        """Share of each domain in the interactions; (D,), sums to 1."""
        if self.domains == len(PAPER_DOMAINS):
            sizes = np.array(list(PAPER_DOMAINS.values()), dtype=np.float64)
        else:
            sizes = 1.0 / np.arange(1, self.domains + 1)
        return np.asarray(sizes / sizes.sum())

    @property
    def domain_sizes(self) -> np.ndarray:
        """Interactions of each domain; (D,) int64, sums to `interactions` (largest remainders)."""
        exact = self.domain_shares * self.interactions
        sizes: np.ndarray = np.floor(exact).astype(np.int64)
        short = self.interactions - int(sizes.sum())
        sizes[np.argsort(sizes - exact, kind="stable")[:short]] += 1
        return sizes

    def rng(self, *place: int) -> np.random.Generator:
        """A generator of its own for each `place`, so that no draw depends on how many others came before."""
        return np.random.default_rng([self.seed, *place])


def draw_memberships(
    rng: np.random.Generator, count: int, shares: np.ndarray, *, overlap: float, spread: float, evenness: float
) -> np.ndarray:
    """Which domains each of `count` users or items belongs to; (count, D) bool with one or more in each row.

    A share `overlap` of the rows has two domains or more, each further one with probability `spread`; domains are
    drawn without replacement with weights ``shares ** evenness`` (the Gumbel top-k rule).
    """
    domains = len(shares)
    several = rng.random(count) < overlap
    wanted = np.where(several, np.minimum(1 + rng.geometric(1.0 - spread, count), domains), 1)
    keys = evenness * np.log(shares) + rng.gumbel(size=(count, domains))
    rank = np.argsort(np.argsort(-keys, axis=1, kind="stable"), axis=1, kind="stable")
    return np.asarray(rank < wanted[:, None])
