"""Item vectors in clusters of unequal size and length, and indexes of them, built once. Tests must not change them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from adi.index.allowed import AllowedItems
from adi.index.build import IndexSettings, build_index
from adi.index.vector_index import VectorIndex

ITEMS, DIM, CLUSTERS = 5000, 12, 60


@dataclass(frozen=True)
class Catalog:
    """Items (m, dim) that fp16 represents exactly, the cluster of each, and queries near clusters."""

    vectors: np.ndarray
    cluster: np.ndarray
    queries: np.ndarray

    def best(self, query, k, allowed=None):
        """The top k by numpy, equal scores by position: scores and positions."""
        positions = np.arange(len(self.vectors)) if allowed is None else allowed
        scores = self.vectors[positions].astype(np.float64) @ query
        order = np.argsort(-scores, kind="stable")[:k]
        return scores[order], positions[order]

    def recall(self, index, k, allowed=None, queries=None):
        """The mean share of the exact top k that the index finds, among the allowed positions."""
        items = None if allowed is None else AllowedItems(allowed, len(self.vectors))
        shares = []
        for query in self.queries if queries is None else queries:
            _, (positions,) = index.search(query[None], k, allowed=items)
            shares.append(np.isin(self.best(query, k, allowed)[1], positions).mean())
        return float(np.mean(shares))


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    draw = np.random.default_rng(7)
    centres = draw.normal(size=(CLUSTERS, DIM)) * draw.uniform(0.5, 2.0, size=(CLUSTERS, 1))
    weight = draw.dirichlet(np.ones(CLUSTERS))
    cluster = draw.choice(CLUSTERS, ITEMS, p=weight)
    vectors = (centres[cluster] + draw.normal(size=(ITEMS, DIM)) * 0.4).astype(np.float16)
    near = centres[draw.choice(CLUSTERS, 200, p=weight)]
    return Catalog(vectors, cluster, (near + draw.normal(size=near.shape) * 0.4).astype(np.float32))


@pytest.fixture(scope="session")
def ivf_folder(catalog: Catalog, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ivf") / "index"
    build_index(folder, catalog.vectors, catalog.queries, IndexSettings(k=20, target=0.95, exact_below=0, seed=3))
    return folder


@pytest.fixture(scope="session")
def exact_folder(catalog: Catalog, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exact") / "index"
    build_index(folder, catalog.vectors, catalog.queries[:0], IndexSettings(k=20))
    return folder


@pytest.fixture(scope="session")
def ivf(ivf_folder: Path) -> VectorIndex:
    return VectorIndex.open(ivf_folder)


@pytest.fixture(scope="session")
def exact(exact_folder: Path) -> VectorIndex:
    return VectorIndex.open(exact_folder)


@pytest.fixture(params=["exact", "ivf"])
def either(request: pytest.FixtureRequest) -> VectorIndex:
    index: VectorIndex = request.getfixturevalue(request.param)
    return index
