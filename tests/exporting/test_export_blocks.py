"""An export in small blocks of items: the same bundle, and no step that has all items at once."""

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch

import small
from adi.bundle.manifest import BundleInfo
from adi.exporting import item_vectors, packing, recall
from adi.exporting.export import export
from adi.index import build, vectors
from adi.models import vectors as models_vectors
from adi.models.two_tower import SharedTowers
from adi.models.vectors import VectorScorer
from adi.training.fitted import open_run
from adi.training.train import train
from benchmarks.anonymous import AnonymousPeak

SMALL = {**small.SMALL, "epochs": 2}
BLOCK = 3
DIM = 128


@pytest.fixture(scope="module")
def run(prepared_with_bids: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("blocks") / "run"
    train(prepared_with_bids, "adi-se", out, settings=SMALL)
    return out


@pytest.fixture(scope="module")
def at_once(run: Path) -> BundleInfo:
    """The bundle of all items in one block."""
    return export(run, run.parent / "bundle", bid="bid")


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in ((recall, "ITEMS_AT_ONCE"), (vectors, "BLOCK"), (packing, "ROWS_AT_ONCE")):
        monkeypatch.setattr(module, name, BLOCK)


@pytest.fixture
def items_at_once(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of items that the model and the index were given at a time."""
    numbers: list[int] = []
    encode, scores, blocks = SharedTowers.encode_items, SharedTowers.scores, build.blocks

    def encode_items(self, bags, offsets, log_popularity):
        numbers.append(len(log_popularity))
        return encode(self, bags, offsets, log_popularity)

    def scores_of(self, users, items, added=None):
        numbers.append(len(items))
        return scores(self, users, items, added)

    def blocks_of(array):
        for first, block in blocks(array):
            numbers.append(len(block))
            yield first, block

    monkeypatch.setattr(SharedTowers, "encode_items", encode_items)
    monkeypatch.setattr(SharedTowers, "scores", scores_of)
    monkeypatch.setattr(build, "blocks", blocks_of)
    return numbers


def test_a_bundle_made_in_small_blocks_is_the_same_to_the_bit(
    run: Path, at_once: BundleInfo, tmp_path: Path, small_blocks: None
) -> None:
    in_blocks = export(run, tmp_path / "blocks", bid="bid")
    assert (in_blocks.files, in_blocks.version) == (at_once.files, at_once.version)
    assert {name.partition("/")[0] for name in in_blocks.files} == {
        "bids",
        "data",
        "followers",
        "indexes",
        "neighbours",
        "run",
        "towers",
    }
    for name, domain in in_blocks.domains.items():
        other = at_once.domains[name]
        assert (domain.parity, domain.tower) == (other.parity, other.tower)
        assert domain.bids is not None
        assert other.bids is not None
        assert domain.bids.recalls == other.bids.recalls
        assert domain.bids.weights == pytest.approx(other.bids.weights, rel=1e-6)


def test_no_step_has_more_items_than_a_block(
    run: Path,
    tmp_path: Path,
    small_blocks: None,
    items_at_once: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(models_vectors, "ITEMS_AT_ONCE", BLOCK)  # rounds the vectors in another way
    in_blocks = export(run, tmp_path / "blocks", bid="bid")
    assert max(domain.items for domain in in_blocks.domains.values()) > 2 * BLOCK
    assert max(items_at_once) == BLOCK
    first = in_blocks.domains["search"].bids
    assert first is not None
    assert first.recalls == (1.0, 1.0, 1.0)


def test_vectors_are_in_a_file_while_they_are_used(run: Path, tmp_path: Path, small_blocks: None) -> None:
    _, dataset, scorer = open_run(run)
    of_domain = scorer.scorers[0]
    assert isinstance(of_domain, VectorScorer)
    with item_vectors.stored_item_vectors(of_domain, 0, tmp_path) as stored:
        (file,) = tmp_path.iterdir()
        assert file.stat().st_size >= stored.nbytes
        assert not stored.flags.writeable
        np.testing.assert_array_equal(stored, of_domain.item_vectors(0, dataset.corpora.retrievable(0)))
    assert not list(tmp_path.iterdir())


def test_an_export_that_is_interrupted_leaves_nothing(
    run: Path, tmp_path: Path, small_blocks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        assert [path.name for path in tmp_path.rglob("item_vectors-*.npy")] == ["item_vectors-0.npy"]
        raise KeyboardInterrupt

    monkeypatch.setattr(build, "_write_exact", interrupted)
    with pytest.raises(KeyboardInterrupt):
        export(run, tmp_path / "bundle")
    assert not list(tmp_path.iterdir())


class SimulatedItems:
    """A scorer whose item vectors are random numbers, made when they are asked for."""

    def __init__(self, num_items: int) -> None:
        self.corpora, self.num_items, self.made = self, num_items, 0

    def stored_retrievable(self, domain: int) -> np.ndarray:
        return np.broadcast_to(np.int32(0), self.num_items)

    def item_blocks(self, domain: int, items: np.ndarray) -> Iterator[torch.Tensor]:
        for first in range(0, len(items), models_vectors.ITEMS_AT_ONCE):
            self.made += len(items[first : first + models_vectors.ITEMS_AT_ONCE])
            yield torch.rand(len(items[first : first + models_vectors.ITEMS_AT_ONCE]), DIM)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc")
def test_memory_does_not_grow_with_the_vectors(tmp_path: Path) -> None:
    """Items are encoded, ranked for an index and compared in less memory than half of their vectors."""
    scorer, queries = SimulatedItems(800_000), torch.rand(40, DIM)
    gc.collect()  # of earlier tests
    with AnonymousPeak() as memory:
        before = memory.peak
        with item_vectors.stored_item_vectors(cast("VectorScorer", scorer), 0, tmp_path) as stored:
            _, lists = vectors.exact_top(stored, queries.numpy(), 10, lambda _: None)

            def scores(rows: slice, items: slice) -> torch.Tensor:
                return queries[rows] @ torch.from_numpy(np.array(stored[items])).T

            assert recall.recall(scores, lists, len(stored), 1e-5) == 1.0
    assert scorer.made == len(stored) == 800_000
    assert before is not None
    assert memory.peak is not None
    assert memory.peak - before < stored.nbytes / 2
