"""The truth of a simulated marketplace: interests, clusters of items, and the score of each user, item and domain.

Shapes: `D` domains, `G` groups (kinds of interest), `C` clusters (kinds of items), `I` items, `L` latent_dim.
"""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from adi.marketplace.facets import Facets, draw_facets, load_facets, save_facets
from adi.marketplace.settings import Marketplace, draw_memberships

SIBLINGS = 8
"""Groups in a segment, and clusters in a category: siblings share half of their latent variance."""

TRUTH_STREAM = 0
"""This module's random stream in `Marketplace.rng`."""


@dataclass(frozen=True)
class Truth:
    """The parameters of the model in `adi.marketplace.simulation`, without its users.

    Shapes:
        group_vectors: (1 + D, G, L); 0 is the shared part, 1 + d that of domain d. cluster_vectors: (1 + D, C, L).
        item_cluster: (I,) int. item_popularity: (I,), the logarithm of the Zipf weight.
        eligible: (I, D) bool. bid, quality: (I, D), standard normal.
    """

    settings: Marketplace
    group_vectors: np.ndarray
    cluster_vectors: np.ndarray
    item_cluster: np.ndarray
    item_popularity: np.ndarray
    eligible: np.ndarray
    bid: np.ndarray
    quality: np.ndarray
    facets: Facets | None = None

    def affinity(self) -> np.ndarray:
        """The interest of each group in each cluster of each domain, `a_d(g, c)`, (D, G, C)."""
        scale = 1.0 / np.sqrt(self.settings.latent_dim)
        # einsum's own loops instead of BLAS, whose sums can depend on the number of threads
        inner = np.einsum("pgl,pcl->pgc", self.group_vectors, self.cluster_vectors) * scale  # (1 + D, G, C)
        affinity = self.settings.shared_strength * inner[:1] + self.settings.specific_strength * inner[1:]
        if self.facets is not None:
            for domain in range(self.settings.domains):
                affinity[domain] += self.settings.facet_strength * self.facets.affinity(domain, self.settings.domains)
        return np.asarray(affinity)

    def item_effects(self) -> np.ndarray:
        """The part of an item's score in each domain that is the same for all users, `w_d(v)`, (I, D)."""
        in_domain = self.settings.bid_strength * self.bid + self.settings.quality_strength * self.quality
        return np.asarray(self.item_popularity[:, None] + in_domain)

    def scores(self, groups: np.ndarray, main_share: np.ndarray, domain: str) -> np.ndarray:
        """The true scores `f(v | u, d)` of all items (B, I) for users with given interests; -inf if not eligible.

        `groups` (B, 2) and `main_share` (B,) are as in ``truth/users.parquet``.
        """
        d = self.settings.domain_names.index(domain)
        affinity = self.affinity()[d]  # (G, C)
        main = np.log(main_share)[:, None] + affinity[groups[:, 0]]
        side = np.log1p(-main_share)[:, None] + affinity[groups[:, 1]]
        interest = np.logaddexp(main, side)[:, self.item_cluster]  # (B, I)
        return np.where(self.eligible[:, d], interest + self.item_effects()[:, d], -np.inf)


def draw_truth(settings: Marketplace) -> Truth:
    """Draw the parameters of a marketplace from its seed."""
    rng = settings.rng(TRUTH_STREAM)
    clusters = max(1, min(settings.clusters, settings.items // 8))
    group_vectors = _sibling_vectors(rng, settings, settings.groups)
    cluster_vectors = _sibling_vectors(rng, settings, clusters)
    item_cluster = rng.permutation(np.arange(settings.items) % clusters)  # clusters of equal size
    rank = 1 + rng.permutation(settings.items)
    eligible = draw_memberships(
        rng, settings.items, settings.domain_shares, overlap=settings.item_overlap, spread=0.5, evenness=0.25
    )
    shape = (settings.items, settings.domains)
    return Truth(
        settings=settings,
        group_vectors=group_vectors,
        cluster_vectors=cluster_vectors,
        item_cluster=item_cluster,
        item_popularity=-settings.popularity_skew * np.log(rank),
        eligible=eligible,
        bid=rng.standard_normal(shape),
        quality=rng.standard_normal(shape),
        facets=draw_facets(settings, clusters) if settings.facets else None,
    )


def _sibling_vectors(rng: np.random.Generator, settings: Marketplace, count: int) -> np.ndarray:
    """Standard normal vectors of the shared part and of each domain, siblings alike, (1 + D, count, L)."""
    families = -(-count // SIBLINGS)
    shape = (1 + settings.domains, families, settings.latent_dim)
    family = np.repeat(rng.standard_normal(shape), SIBLINGS, axis=1)[:, :count]
    individual = rng.standard_normal((1 + settings.domains, count, settings.latent_dim))
    return np.asarray((family + individual) / np.sqrt(2.0))


def save_truth(truth: Truth, folder: Path) -> None:
    """Write all parameters except those of users into `folder`, as Parquet and JSON."""
    settings = truth.settings
    (folder / "settings.json").write_text(json.dumps(dataclasses.asdict(settings), indent=2) + "\n", encoding="utf-8")
    parts = ("shared", *settings.domain_names)
    for name, vectors in (("group", truth.group_vectors), ("cluster", truth.cluster_vectors)):
        count = vectors.shape[1]
        flat = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), settings.latent_dim)
        columns = {"part": np.repeat(parts, count), name: np.tile(np.arange(count), len(parts)), "vector": flat}
        pq.write_table(pa.table(columns), folder / f"{name}s.parquet")
    items = np.arange(1, settings.items + 1)
    columns = {"item_id": items, "cluster": truth.item_cluster, "popularity": truth.item_popularity}
    pq.write_table(pa.table(columns), folder / "items.parquet")
    item, domain = np.nonzero(truth.eligible)
    columns = {
        "item_id": items[item],
        "domain": pa.array(settings.domain_names).take(pa.array(domain)),
        "bid": truth.bid[item, domain],
        "quality": truth.quality[item, domain],
    }
    pq.write_table(pa.table(columns), folder / "item_domain.parquet")
    if truth.facets is not None:
        save_facets(truth.facets, settings, folder)


def load_truth(folder: Path) -> Truth:
    """Read what `save_truth` wrote; `bid` and `quality` are 0 where an item is not eligible."""
    settings = Marketplace(**json.loads((folder / "settings.json").read_text(encoding="utf-8")))
    vectors = {}
    for name in ("group", "cluster"):
        column = pq.read_table(folder / f"{name}s.parquet")["vector"].combine_chunks()
        vectors[name] = column.flatten().to_numpy().reshape(1 + settings.domains, -1, settings.latent_dim)
    items = pq.read_table(folder / "items.parquet")
    pairs = pq.read_table(folder / "item_domain.parquet")
    domain = pc.index_in(pairs["domain"], value_set=pa.array(settings.domain_names)).to_numpy()
    cell = pairs["item_id"].to_numpy() - 1, domain
    shape = (settings.items, settings.domains)
    eligible, bid, quality = np.zeros(shape, dtype=bool), np.zeros(shape), np.zeros(shape)
    eligible[cell], bid[cell], quality[cell] = True, pairs["bid"].to_numpy(), pairs["quality"].to_numpy()
    return Truth(
        settings=settings,
        group_vectors=vectors["group"],
        cluster_vectors=vectors["cluster"],
        item_cluster=items["cluster"].to_numpy(),
        item_popularity=items["popularity"].to_numpy(),
        eligible=eligible,
        bid=bid,
        quality=quality,
        facets=load_facets(settings, folder) if settings.facets else None,
    )
