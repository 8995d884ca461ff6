"""Vectors of equal length with the inner products of any vectors."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from adi.stores.lengths import of_equal_length, queries_of


@given(seed=st.integers(0, 1000), count=st.sampled_from([1, 2, 50]), spread=st.sampled_from([0.0, 0.1, 3.0]))
def test_lengths_are_equal_and_scores_stay(seed, count, spread):
    draw = np.random.default_rng(seed)
    vectors = (draw.normal(size=(count, 6)) * np.exp(draw.normal(size=(count, 1)) * spread)).astype(np.float32)
    users = draw.normal(size=(4, 6)).astype(np.float32)
    equal = of_equal_length(vectors)
    assert equal.shape == (count, 7)
    lengths = np.linalg.norm(equal, axis=1)
    np.testing.assert_allclose(lengths, np.linalg.norm(vectors, axis=1).max(), rtol=1e-5)
    np.testing.assert_array_equal(queries_of(users) @ equal.T, np.pad(users, ((0, 0), (0, 1))) @ equal.T)
    np.testing.assert_allclose(queries_of(users) @ equal.T, users @ vectors.T, rtol=1e-4, atol=1e-4)


def test_of_no_items_there_are_none():
    assert of_equal_length(np.empty((0, 3), dtype=np.float32)).shape == (0, 4)
