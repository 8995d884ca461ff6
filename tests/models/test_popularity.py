import numpy as np

from adi.models.popularity import Popularity


def test_scores_are_training_counts_in_the_domain(dataset):
    items = np.array([dataset.items.find(word) for word in ("pen", "map", "mug", "cap")])
    queries = dataset.queries("test", dataset.rows("test")[:3])
    model = Popularity(dataset)
    assert model.against(0, items)(queries).tolist() == [[8, 0, 3, 4]] * 3
    assert model.against(1, items)(queries).tolist() == [[3, 0, 2, 0]] * 3
    assert model.against(2, items[1:2])(queries).tolist() == [[2]] * 3
