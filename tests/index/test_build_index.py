"""Building an index, tuning it, and opening it again."""

import json
import shutil

import numpy as np
import pytest
from pydantic import ValidationError

from adi.errors import AdiError
from adi.index import tuning
from adi.index.build import IndexSettings, build_index
from adi.index.vector_index import VectorIndex

LISTS = IndexSettings(k=20, target=0.95, exact_below=0, seed=3)


@pytest.fixture
def copied(ivf_folder, tmp_path):
    """A copy of the index with lists, for a test to damage."""
    return shutil.copytree(ivf_folder, tmp_path / "copy")


class TestKinds:
    def test_exact_below_the_setting(self, tmp_path, catalog):
        few = catalog.vectors[:300]
        below = build_index(tmp_path / "a", few, catalog.queries, IndexSettings(k=5, exact_below=301))
        at = build_index(tmp_path / "b", few, catalog.queries, IndexSettings(k=5, exact_below=300, target=0.9))
        assert (below.card.kind, below.card.nlist, below.card.recall) == ("exact", None, 1.0)
        assert (at.card.kind, at.card.nlist) == ("ivf", int(4 * 300**0.5))

    def test_same_seed_same_index(self, tmp_path, catalog):
        few_points = LISTS.model_copy(update={"training_points": 4})
        for name, seed in (("one", 3), ("again", 3), ("other", 4)):
            settings = few_points.model_copy(update={"seed": seed})
            build_index(tmp_path / name, catalog.vectors, catalog.queries, settings)
        one, again, other = ((tmp_path / name / "vectors.faiss").read_bytes() for name in ("one", "again", "other"))
        assert one == again
        assert one != other

    def test_float32_of_the_same_values(self, tmp_path, catalog, ivf_folder):
        build_index(tmp_path / "i", catalog.vectors.astype(np.float32), catalog.queries, LISTS)
        assert (tmp_path / "i" / "vectors.faiss").read_bytes() == (ivf_folder / "vectors.faiss").read_bytes()

    def test_memory_mapped(self, tmp_path, catalog, exact):
        np.save(tmp_path / "vectors.npy", catalog.vectors)
        mapped = np.load(tmp_path / "vectors.npy", mmap_mode="r")
        index = build_index(tmp_path / "i", mapped, catalog.queries[:0])
        np.testing.assert_array_equal(index.search(catalog.queries, 8), exact.search(catalog.queries, 8))

    def test_progress(self, tmp_path, catalog):
        calls = []
        build_index(tmp_path / "i", catalog.vectors, catalog.queries, LISTS, progress=lambda *call: calls.append(call))
        assert list(dict.fromkeys(stage for stage, _, _ in calls)) == [
            "finding the lists",
            "filling the lists",
            "searching exactly",
        ]
        assert calls[-1] == ("searching exactly", 5000, 5000)


class TestTuning:
    def test_curve_and_choice(self, ivf):
        card = ivf.card
        probes = [point.nprobe for point in card.curve]
        recalls = [point.recall for point in card.curve]
        assert probes == sorted(set(probes))
        assert (np.diff(recalls) >= 0).all()
        assert all(0 < point.p50_ms <= point.p99_ms for point in card.curve)
        (chosen,) = [point.recall for point in card.curve if point.nprobe == card.nprobe]
        assert chosen >= card.target
        assert card.nprobe == 1 or card.nprobe - 1 in probes  # so that a smaller one was tried
        assert card.nprobe < card.nlist

    def test_recall_is_of_other_queries(self, ivf, catalog):
        shuffled = catalog.queries[np.random.default_rng(3).permutation(200)]
        assert (ivf.card.tuned_on, ivf.card.confirmed_on) == (100, 100)
        assert ivf.card.recall == pytest.approx(catalog.recall(ivf, 20, queries=shuffled[100:]), abs=2e-3)

    def test_no_query_is_both_tuned_and_confirmed(self, tmp_path, catalog, monkeypatch):
        seen = {}

        class Recorded(tuning.HeldOut):
            def recalls(self, vectors, positions):
                seen.setdefault(id(self), self.queries)
                return super().recalls(vectors, positions)

        monkeypatch.setattr(tuning, "HeldOut", Recorded)
        build_index(tmp_path / "i", catalog.vectors, catalog.queries, LISTS)
        tuned, confirmed = ({row.tobytes() for row in rows} for rows in seen.values())
        assert tuned.isdisjoint(confirmed)
        assert len(tuned | confirmed) == 200

    def test_no_more_queries_than_set(self, tmp_path, catalog):
        index = build_index(tmp_path / "i", catalog.vectors, catalog.queries, LISTS.model_copy(update={"held_out": 51}))
        assert (index.card.tuned_on, index.card.confirmed_on) == (25, 26)

    def test_target_out_of_reach(self, tmp_path):
        """Around 1000 the step of fp16 is a half, too coarse to distinguish these items."""
        draw = np.random.default_rng(0)
        vectors = (1000 + draw.normal(size=(400, 8)) * 0.1).astype(np.float32)
        queries = draw.normal(size=(40, 8)).astype(np.float32)
        message = (
            r"recall@10 on held-out queries is 0\.\d+ at best, reading all 80 lists, and the target is 0\.9 .*above"
        )
        with pytest.raises(AdiError, match=message):
            build_index(tmp_path / "i", vectors, queries, IndexSettings(k=10, target=0.9, exact_below=0))
        with pytest.raises(AdiError, match=r"not an index"):
            VectorIndex.open(tmp_path / "i")

    def test_not_confirmed(self, tmp_path, catalog, monkeypatch):
        """The tuning queries are near clusters, the confirming ones are not: the former choose too small an nprobe."""
        half = np.random.default_rng(3).permutation(200)[:100]
        queries = np.random.default_rng(1).normal(size=catalog.queries.shape).astype(np.float32)
        queries[half] = catalog.queries[half]
        with pytest.raises(AdiError, match=r"100 queries that confirm nprobe \d+, below the target 0\.95.*drawn alike"):
            build_index(tmp_path / "i", catalog.vectors, queries, LISTS)

    def test_equal_items_count_as_found(self, tmp_path):
        """New items often share one vector; any of them may be in the top k."""
        draw = np.random.default_rng(0)
        vectors = np.repeat(draw.normal(size=(20, 4)), 50, axis=0).astype(np.float16)
        index = build_index(
            tmp_path / "i", vectors, draw.normal(size=(40, 4)).astype(np.float32),
            IndexSettings(k=10, target=0.99, exact_below=0, nlist=20),
        )  # fmt: skip
        assert index.card.recall == 1.0


class TestOpening:
    def test_gives_the_same(self, tmp_path, catalog):
        built = build_index(tmp_path / "i", catalog.vectors, catalog.queries, LISTS)
        opened = VectorIndex.open(tmp_path / "i")
        assert opened.card == built.card
        np.testing.assert_array_equal(opened.search(catalog.queries, 25), built.search(catalog.queries, 25))

    @pytest.mark.parametrize("size", [0, 10, 100_000])
    def test_cut_file(self, copied, size):
        file = copied / "vectors.faiss"
        whole = file.stat().st_size
        file.write_bytes(file.read_bytes()[:size])
        with pytest.raises(AdiError, match=rf"vectors\.faiss: has {size} bytes, and index\.json says {whole}\. Copy"):
            VectorIndex.open(copied)

    def test_missing_file(self, copied):
        (copied / "vectors.faiss").unlink()
        with pytest.raises(AdiError, match=r"vectors\.faiss: is missing, and index\.json says"):
            VectorIndex.open(copied)

    def test_other_bytes(self, copied):
        file = copied / "vectors.faiss"
        file.write_bytes(bytes(file.stat().st_size))
        with pytest.raises(AdiError, match=r"vectors\.faiss: faiss \S+ cannot read it .*Build the index again"):
            VectorIndex.open(copied)

    def test_vectors_of_another_index(self, copied, exact_folder):
        vectors = (exact_folder / "vectors.faiss").read_bytes()
        (copied / "vectors.faiss").write_bytes(vectors)
        self.change(copied, bytes=len(vectors))
        with pytest.raises(AdiError, match=r"5000 items of 12 dimensions \(exact\), and the card .* of 12 \(ivf\)"):
            VectorIndex.open(copied)

    def change(self, folder, **values):
        card = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        (folder / "index.json").write_text(json.dumps(card | values), encoding="utf-8")

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            ({"format": 99}, r"format 99, and this adi reads format 2"),
            ({"items": 4999}, r"5000 items of 12 dimensions \(ivf\), and the card beside it says 4999 of 12"),
            ({"nprobes": 3}, r"index\.json: not a card of format 2.*nprobes.*Did you mean 'nprobe'"),
            ({"kind": "hnsw"}, r"index\.json: not a card of format 2.*kind"),
        ],
    )
    def test_card_at_fault(self, copied, values, message):
        self.change(copied, **values)
        with pytest.raises(AdiError, match=message):
            VectorIndex.open(copied)

    def test_no_index(self, tmp_path):
        with pytest.raises(AdiError, match=r"nowhere: not an index \(no index\.json\)"):
            VectorIndex.open(tmp_path / "nowhere")


class TestFaults:
    def nan(self, vectors):
        wrong = vectors.copy()
        wrong[4321, 5] = np.nan
        return wrong

    def test_vectors(self, tmp_path, catalog):
        vectors, queries = catalog.vectors, catalog.queries
        cases = {
            r"shape \(5000,\)": (vectors[:, 0], LISTS),
            r"shape \(0, 12\)": (vectors[:0], LISTS),
            r"type float64": (vectors.astype(np.float64), LISTS),
            r"row 4321: nan": (self.nan(vectors), LISTS),
            r"item vectors, row 4321: nan": (self.nan(vectors), IndexSettings()),
            r"row 0: .* exceeds the range of fp16 \(65504\)": (vectors.astype(np.float32) * 1e6, LISTS),
        }
        for message, (wrong, settings) in cases.items():
            with pytest.raises(AdiError, match=message):
                build_index(tmp_path / "i", wrong, queries, settings)

    def test_queries(self, tmp_path, catalog):
        with pytest.raises(AdiError, match=r"queries of shape \(200, 11\)"):
            build_index(tmp_path / "i", catalog.vectors, catalog.queries[:, :11], LISTS)
        with pytest.raises(AdiError, match=r"19 held-out queries: give at least 20"):
            build_index(tmp_path / "i", catalog.vectors, catalog.queries[:19], LISTS)

    def test_a_folder_with_an_index(self, exact_folder, catalog):
        with pytest.raises(AdiError, match=r"index: contains an index already"):
            build_index(exact_folder, catalog.vectors, catalog.queries)

    @pytest.mark.parametrize("wrong", [{"k": 0}, {"target": 1.1}, {"nlist": 0}, {"exact_bellow": 3}])
    def test_settings(self, wrong):
        with pytest.raises(ValidationError, match=next(iter(wrong))):
            IndexSettings(**wrong)
