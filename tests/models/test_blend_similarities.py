"""The similarities that a blend can have: linear weights as EASE solves for them, and the catalogues they are for."""

import numpy as np
import pytest

from adi.data.blend import BlendWeights
from adi.errors import AdiError
from adi.models import blend as module
from adi.models.blend import counted_blend, similarity_for
from adi.models.ease import item_weights
from adi.models.profiles import fit_by_scope

BOTH = dict.fromkeys(range(3), BlendWeights(1.0, 1.0))


def test_linear_weights_are_the_largest_of_ease(dataset, monkeypatch):
    """Against a dense twin, of all domains and of each; some weights are below 0."""
    monkeypatch.setattr(module, "NEAREST", 2)
    monkeypatch.setattr(module, "ROWS_AT_ONCE", 3)
    monkeypatch.setattr(module, "L2", 0.1)
    monkeypatch.setattr(module, "DROPOUT", 0.2)
    blend = counted_blend(dataset, "linear", BOTH)
    below = 0
    for scope, neighbours in (("all", [blend.similar.everywhere] * 3), ("domain", blend.similar.here.values())):
        solved = fit_by_scope(dataset, scope, lambda interactions: item_weights(interactions, 0.1, 0.2))
        for (known, weights), found in zip(solved, neighbours, strict=True):
            below += int((weights < 0).sum())
            dense = np.zeros((len(dataset.items), len(dataset.items)), np.float32)
            for row, item in enumerate(known):
                for column in np.argsort(-weights[row])[:2]:
                    dense[item, known[column]] = max(weights[row, column], 0.0)
            np.testing.assert_array_equal(found.similarities.toarray(), dense)
            assert (found.similarities.data > 0).all()
    assert below


def test_similarities_are_linear_weights_for_small_catalogues(dataset, monkeypatch):
    with_rows = len(np.unique(dataset.targets("train", dataset.rows("train"))[1]))
    monkeypatch.setattr(module, "MOST_LINEAR", with_rows)
    assert similarity_for(dataset) == "linear"
    monkeypatch.setattr(module, "MOST_LINEAR", with_rows - 1)
    assert similarity_for(dataset) == "cosine"


def test_linear_weights_of_much_larger_data_are_refused(dataset, monkeypatch):
    monkeypatch.setattr(module, "MOST_COUNTED_AGAIN", 3)
    counted_blend(dataset, "cosine", BOTH)
    with pytest.raises(AdiError, match=r"\d items have training rows.*solved for up to 3\. Train again on this data"):
        counted_blend(dataset, "linear", BOTH)


def test_what_has_no_weight_is_not_counted(dataset):
    whole = counted_blend(dataset, "cosine", BOTH)
    for weights, everywhere, here in (((2.0, 0.0), True, False), ((0.0, 2.0), False, True), ((0.0, 0.0), False, False)):
        blend = counted_blend(dataset, "cosine", {0: BlendWeights(0.0, 0.0), 1: BlendWeights(*weights)})
        assert blend.similar.everywhere.similarities.nnz == (
            whole.similar.everywhere.similarities.nnz if everywhere else 0
        )
        assert list(blend.similar.here) == ([0, 1, 2] if here else [])
        assert blend.weights[1] == BlendWeights(*weights)
