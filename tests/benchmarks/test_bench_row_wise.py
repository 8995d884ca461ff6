"""The row-wise loader makes the batches of the real one."""

import dataclasses
from itertools import islice

import pytest
import torch

from adi.batch import Batch
from adi.data.dataset import Dataset
from adi.training.loader import Loader, negative_sampler
from benchmarks.row_wise import row_wise_batches


def assert_equal(left: object, right: object, where: str = "batch") -> None:
    """Equal tensors of one type, and all else equal, all the way down."""
    assert type(left) is type(right), where
    if isinstance(left, torch.Tensor):
        assert left.dtype == right.dtype, where
        assert torch.equal(left, right), where
    elif dataclasses.is_dataclass(left):
        for field in dataclasses.fields(left):
            assert_equal(getattr(left, field.name), getattr(right, field.name), f"{where}.{field.name}")
    elif isinstance(left, dict):
        assert list(left) == list(right), where
        for key in left:
            assert_equal(left[key], right[key], f"{where}[{key!r}]")
    elif isinstance(left, tuple):
        assert len(left) == len(right), where
        for number, pair in enumerate(zip(left, right, strict=True)):
            assert_equal(*pair, f"{where}[{number}]")
    else:
        assert left == right, where


@pytest.mark.parametrize("uniform", [0, 2])
def test_row_by_row_gives_the_same_batches(dataset: Dataset, uniform: int) -> None:
    """Of a dataset with every kind of feature, of users, items and context, some of them by domain."""
    sampler = negative_sampler(dataset, in_batch=True, uniform=uniform)
    loader = Loader(dataset, batch_size=7, sampler=sampler, seed=3)
    batches: list[Batch] = list(loader.epoch(1))
    assert len(batches) > 2
    kinds = {feature.kind for feature in loader.reader.user_features}
    assert kinds == {"behaviours", "categorical", "multi", "numeric"}
    assert_equal(tuple(row_wise_batches(loader, 1, len(batches))), tuple(batches))


def test_only_the_first_batches_are_made(dataset: Dataset) -> None:
    loader = Loader(dataset, batch_size=7, sampler=negative_sampler(dataset, in_batch=True, uniform=2))
    assert_equal(tuple(row_wise_batches(loader, 0, 2)), tuple(islice(loader.epoch(0), 2)))
