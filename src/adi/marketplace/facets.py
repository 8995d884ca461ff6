"""Facets: features of users and items whose worth differs by domain, since each has an effect in one domain alone.

In a log of many features, some tell of what a user takes in search, and others of what they take in the feed. A facet
is such a pair: one categorical feature of users, by their group, and one of items, by their cluster.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from adi.marketplace.settings import Marketplace

FACETS_STREAM = 7
"""This module's random stream in `Marketplace.rng`."""

VALUES = 8
"""The number V of values of a facet, on both sides."""


@dataclass(frozen=True)
class Facets:
    """The facets of a marketplace, of which there may be none. The f-th has its effect in domain ``f % D``.

    Shapes, with F facets:
        of_groups: (F, G) int, the value of each group's users. of_clusters: (F, C) int, that of each cluster's items.
        effects: (F, V, V), standard normal: of a user's value on an item's.
    """

    of_groups: np.ndarray
    of_clusters: np.ndarray
    effects: np.ndarray

    def affinity(self, domain: int, num_domains: int) -> np.ndarray:
        """The effect of all facets of a domain on each group and cluster, of variance 1, (G, C); 0 without facets."""
        total = np.zeros((self.of_groups.shape[1], self.of_clusters.shape[1]))
        here = range(domain, len(self.effects), num_domains)
        for facet in here:
            total += self.effects[facet][self.of_groups[facet][:, None], self.of_clusters[facet]]
        return np.asarray(total / np.sqrt(max(1, len(here))))


def facet_names(settings: Marketplace) -> tuple[str, ...]:
    """The columns of the facets, in the tables of users and of items alike."""
    return tuple(f"facet_{facet}" for facet in range(1, settings.facets + 1))


def draw_facets(settings: Marketplace, clusters: int) -> Facets:
    """Draw the facets of a marketplace from its seed."""
    rng = settings.rng(FACETS_STREAM)
    return Facets(
        of_groups=rng.integers(VALUES, size=(settings.facets, settings.groups)),
        of_clusters=rng.integers(VALUES, size=(settings.facets, clusters)),
        effects=rng.standard_normal((settings.facets, VALUES, VALUES)),
    )


def save_facets(facets: Facets, settings: Marketplace, folder: Path) -> None:
    """Write ``facets.parquet``: a row for each facet, its `effects` with the user's value first."""
    columns = {
        "facet": facet_names(settings),
        "domain": [settings.domain_names[facet % settings.domains] for facet in range(settings.facets)],
        "of_groups": list(facets.of_groups),
        "of_clusters": list(facets.of_clusters),
        "effects": list(facets.effects.reshape(settings.facets, -1)),
    }
    pq.write_table(pa.table(columns), folder / "facets.parquet")


def load_facets(settings: Marketplace, folder: Path) -> Facets:
    """Read what `save_facets` wrote."""
    table = pq.read_table(folder / "facets.parquet")
    read = {name: table[name].combine_chunks().flatten().to_numpy() for name in ("of_groups", "of_clusters", "effects")}
    return Facets(
        of_groups=read["of_groups"].reshape(settings.facets, -1),
        of_clusters=read["of_clusters"].reshape(settings.facets, -1),
        effects=read["effects"].reshape(settings.facets, VALUES, VALUES),
    )
