"""Clickers become queries: their number, the context of the click, and their last items."""

import numpy as np
import pytest

from adi.bundle import tastes as tastes_module
from adi.bundle.tastes import ClickerTastes
from adi.data.live_audiences import Clicker

CLICKERS = [
    Clicker("u3", 1, [(4, 0), (7, 1)], (2, 3)),
    Clicker("nobody", 0, [(5, 0)], (3, 0)),
    Clicker("u3", 1, []),
]


@pytest.mark.parametrize("at_once", [1, 100])
def test_clickers_are_encoded_by_domain_as_users_of_it(trending_context, at_once, monkeypatch):
    monkeypatch.setattr(tastes_module, "CLICKS_AT_ONCE", at_once)
    asked = []

    def encode(domain, queries):
        for row, user in enumerate(queries.users):
            cut = slice(*queries.histories.offsets[row : row + 2])
            history = list(zip(queries.histories.items[cut], queries.histories.domains[cut], strict=True))
            codes = [int(codes[row]) for codes in queries.context.values()]
            assert list(queries.context) == ["device", "charge"]
            asked.append((domain, int(queries.domains[row]), int(user), history, codes))
        interests = np.array([[3.0, 0.0, 9.0], [3.0, 8.0, 9.0]])  # the last column is no part of the taste
        return np.stack([interests * (domain + 1)] * len(queries))

    tastes = ClickerTastes(trending_context, encode, 2)(CLICKERS)
    number = trending_context.users.find("u3")
    assert asked == [
        (0, 0, -1, [(5, 0)], [3, 0]),
        (1, 1, number, [(4, 0), (7, 1)], [2, 3]),
        (1, 1, number, [], [0, 0]),  # without its context
    ]
    np.testing.assert_allclose(tastes, [[0.6, 0.8]] * 3, rtol=1e-6)
