"""The world of a live marketplace: users, items, bids and the hidden truth, from a folder of `adi simulate`.

**Clicks.** Of the items that a list shows, and of doing something else, a user takes one by the softmax of the true
score f(v | u, d) of `adi.marketplace.simulation`, where lower slots are looked at less:

    P(v | list) = g(slot) exp f(v | u, d) / ( outside · M(u, d) + sum over the list of g(slot) exp f )

M(u, d) is the sum of exp f over all items of the domain, so that `outside` is the attraction of doing something else as
a multiple of that of the whole corpus: a list has a high CTR if it holds much of what the user could want. g(slot) is 1
/ log2(1 + slot). What a user has clicked before, in the log or since, is not wanted again.

**Items come and go.** Each day an item is on line or away; absences last `absence` days on average.

**Advertisers** have a budget for each day, log-normal around what their items are expected to cost. Each arm has its
share of each budget (Liu, Mao and Kang, "Trustworthy and Powerful Online Marketplace Experimentation with Budget-split
Design", KDD 2021), so that what one arm spends takes nothing from another: the arms do not interfere.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from adi.data.arrays import Array
from adi.errors import AdiError
from adi.marketplace.settings import Marketplace
from adi.marketplace.truth import Truth, load_truth
from adi.marketplace.users import draw_users
from adi.online.settings import Online

WORLD_STREAM, TRAFFIC_STREAM, REQUESTS_STREAM = 20, 21, 22
"""The random streams of this package, beside those of `adi.marketplace`."""

EXPECTED_CTR = 0.1
"""The CTR by which budgets are scaled; what is spent depends on the arms."""

BUDGET_SPREAD = 1.0
"""Standard deviation of the logarithm of budgets."""


@dataclass(frozen=True, kw_only=True)
class World:
    """All that is true. U users, I items, D domains, A advertisers, G groups, C clusters.

    Shapes:
        groups: (U, 2), main_share: (U,), activity: (U, D); see `adi.marketplace.users.UserBlock`.
        attraction: exp of the interests, (D, G, C). weight: exp of the items' effects, 0 if not eligible, (D, I).
        mass: the sum of exp f over the domain's items for a user of one group, (D, G).
        bid: (D, I), advertiser: (I,), budget: (A,) for a day and all arms.
        on_line: (days, I) bool. seen: keys user · I + item, ascending.
    """

    truth: Truth
    groups: Array
    main_share: Array
    activity: Array
    attraction: Array
    weight: Array
    mass: Array
    bid: Array
    advertiser: Array
    budget: Array
    on_line: Array
    seen: Array

    @property
    def settings(self) -> Marketplace:
        return self.truth.settings

    def attractions(self, domain: Array, user: Array, items: Array) -> Array:
        """exp f of `items` (B, K) for users (B,) in domains (B,); 0 where an item is not eligible."""
        cluster = self.truth.item_cluster[items]
        main, side = (self.attraction[domain, self.groups[user, side]] for side in (0, 1))  # (B, C)
        rows = np.arange(len(user))[:, None]
        share = self.main_share[user][:, None]
        interest = share * main[rows, cluster] + (1.0 - share) * side[rows, cluster]
        return np.asarray(interest * self.weight[domain[:, None], items])

    def masses(self, domain: Array, user: Array) -> Array:
        """M(u, d): the sum of exp f over all items of the domains (B,) for users (B,)."""
        main, side = (self.mass[domain, self.groups[user, side]] for side in (0, 1))
        share = self.main_share[user]
        return np.asarray(share * main + (1.0 - share) * side)


def open_world(market: Path, online: Online) -> World:
    """Read a simulated marketplace and draw what a log does not have: absences and budgets.

    Raises `AdiError` for a folder that `adi simulate` has not written, and for a marketplace with trends, whose
    attention ends with its log.
    """
    if not (market / "truth" / "settings.json").exists():
        raise AdiError(f"{market}: holds no truth/settings.json. Name the folder that adi simulate wrote.")
    truth = load_truth(market / "truth")
    settings = truth.settings
    if settings.trends:
        raise AdiError(f"{market}: has trends, and the attention of its items ends with its log. Simulate one without.")
    blocks = list(draw_users(settings))
    attraction = np.exp(truth.affinity())
    weight = np.where(truth.eligible, np.exp(truth.item_effects()), 0.0).T.copy()  # (D, I)
    clusters = attraction.shape[2]
    by_cluster = np.stack([np.bincount(truth.item_cluster, row, minlength=clusters) for row in weight])  # (D, C)
    bid, advertiser = _bids(market, truth)
    rng = settings.rng(WORLD_STREAM, online.seed)
    return World(
        truth=truth,
        groups=np.concatenate([block.groups for block in blocks]),
        main_share=np.concatenate([block.main_share for block in blocks]),
        activity=np.concatenate([block.activity for block in blocks]),
        attraction=attraction,
        weight=weight,
        mass=np.einsum("dgc,dc->dg", attraction, by_cluster),
        bid=bid,
        advertiser=advertiser,
        budget=_budgets(rng, settings, weight, bid, advertiser, online),
        on_line=_on_line(rng, settings.items, online),
        seen=_seen(market, settings),
    )


def _bids(market: Path, truth: Truth) -> tuple[Array, Array]:
    """The bids of items in domains (D, I), 0 if not eligible, and the number of each item's advertiser (I,)."""
    settings = truth.settings
    table = pq.read_table(market / "item_domain.parquet", columns=["item_id", "domain", "bid"])
    domain = pc.index_in(table["domain"], value_set=pa.array(settings.domain_names)).to_numpy()
    bid = np.zeros((settings.domains, settings.items))
    bid[domain, table["item_id"].to_numpy() - 1] = table["bid"].to_numpy()
    names = pq.read_table(market / "items.parquet", columns=["advertiser"])["advertiser"].combine_chunks()
    return bid, names.dictionary_encode().indices.to_numpy()


def _budgets(
    rng: np.random.Generator, settings: Marketplace, weight: Array, bid: Array, advertiser: Array, online: Online
) -> Array:
    """Draw each advertiser's budget of a day (A,)."""
    share = weight / weight.sum(axis=1, keepdims=True) * settings.domain_shares[:, None]  # of clicks, (D, I)
    cost = (share * bid).sum(axis=0) * online.requests * EXPECTED_CTR * 0.5  # second prices are below bids
    expected = np.bincount(advertiser, cost)
    return np.asarray(online.budgets * expected * np.exp(BUDGET_SPREAD * rng.standard_normal(len(expected))))


def _on_line(rng: np.random.Generator, items: int, online: Online) -> Array:
    """Draw the days on which items are on line (days, I): a chain of two states whose share away is `away`."""
    returns = 1.0 / online.absence
    leaves = min(1.0, returns * online.away / (1.0 - online.away))
    state = rng.random(items) >= online.away
    days = []
    for _ in range(online.days):
        days.append(state)
        chance = rng.random(items)
        state = np.where(state, chance >= leaves, chance < returns)
    return np.stack(days)


def _seen(market: Path, settings: Marketplace) -> Array:
    """The clicks of the log as keys user · I + item, ascending."""
    log = pq.read_table(market / "interactions", columns=["user_id", "item_id"])
    keys = (log["user_id"].to_numpy() - 1) * settings.items + log["item_id"].to_numpy() - 1
    return np.unique(keys)
