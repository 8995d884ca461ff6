from math import sqrt

import numpy as np
import pytest
import scipy.sparse as sp

from adi.errors import AdiError
from adi.models.similarity import SHRINK, cosine_similarity, item_neighbours

# users 0 … 4 took: 0: a b; 1: a b c; 2: b; 3: b c (c twice); 4: d
USERS, ITEMS = [0, 0, 1, 1, 1, 2, 3, 3, 3, 4], [0, 1, 0, 1, 2, 1, 1, 2, 2, 3]


def taken():
    return sp.csr_array((np.full(10, 7.0, np.float32), (USERS, ITEMS)), shape=(6, 5))


def test_similarity_by_hand():
    ab, ac, bc = 2 / (sqrt(2 * 4) + 3), 1 / (sqrt(2 * 2) + 3), 2 / (sqrt(4 * 2) + 3)
    expected = np.zeros((5, 5))
    expected[0, 1], expected[0, 2], expected[1, 2] = ab, ac, bc
    found = cosine_similarity(taken(), shrink=3, neighbours=9)
    np.testing.assert_allclose(found.toarray(), expected + expected.T, rtol=1e-6)


def test_the_most_similar_are_kept():
    found = cosine_similarity(taken(), shrink=0, neighbours=1).toarray()
    assert (found > 0).sum(axis=1).tolist() == [1, 1, 1, 0, 0]
    assert found[0, 1] == pytest.approx(2 / sqrt(8))  # b, not c


def test_neighbours_of_a_dataset_are_those_of_the_training_rows(dataset):
    feature = next(f for f in dataset.manifest.side("item") if f.kind == "id")
    codes = dataset.feature("item", feature.name)
    users, items, _ = dataset.targets("train", dataset.rows("train"))
    sets = {code: set(users[codes[items] == code].tolist()) for code in range(feature.rows)}
    found = item_neighbours(dataset, 2)
    assert found.table == feature.name
    assert found.rows.shape == found.weights.shape == (feature.rows, 2)
    np.testing.assert_allclose(found.weights.sum(dim=1), 1, rtol=1e-6)
    for code, mine in sets.items():
        similar = {
            other: len(mine & theirs) / (sqrt(len(mine) * len(theirs)) + SHRINK)
            for other, theirs in sets.items()
            if other != code and mine & theirs
        }
        best = sorted(similar.values(), reverse=True)[:2]
        rows, weights = found.rows[code].tolist(), found.weights[code].numpy()
        if not best:
            assert rows[0] == code
            assert weights.tolist() == [1, 0]
            continue
        np.testing.assert_allclose(sorted(weights, reverse=True)[: len(best)], np.array(best) / sum(best), rtol=1e-5)
        for row, weight in zip(rows, weights, strict=True):
            assert weight == 0 or similar[row] / sum(best) == pytest.approx(weight, rel=1e-5)


def test_by_domain_a_copy_of_the_table_has_its_own_domains_neighbours(dataset):
    feature = next(f for f in dataset.manifest.side("item") if f.kind == "id")
    found = item_neighbours(dataset, 3, by_domain=True)
    copies = len(dataset.domains)
    assert found.rows.shape == (copies * feature.rows, 3)
    owners = np.arange(copies * feature.rows) // feature.rows
    np.testing.assert_array_equal(found.rows.numpy() // feature.rows, owners[:, None].repeat(3, axis=1))
    _, items, domains = dataset.targets("train", dataset.rows("train"))
    codes = dataset.feature("item", feature.name)[items]
    for row, weight in zip(*(part[owners == 1].numpy() for part in (found.rows, found.weights)), strict=True):
        for other in row[(weight > 0) & (weight < 1)] - feature.rows:
            assert other in codes[domains == 1]


def test_without_an_item_id_there_is_nothing_to_smooth(dataset, monkeypatch):
    monkeypatch.setattr(type(dataset.manifest), "side", lambda *_: ())
    with pytest.raises(
        AdiError, match=r"neighbours 2: .* of kind id, and .* has none\. Add one to the schema, or set neighbours to 0"
    ):
        item_neighbours(dataset, 2)
