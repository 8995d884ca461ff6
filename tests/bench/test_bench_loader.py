"""The benchmark of the loader; that the row-wise way gathers the same is shown by its batches."""

import dataclasses
from itertools import islice

import pytest
import torch

from adi.batch import Batch
from adi.bench.loader.measure import bench_loader
from adi.bench.loader.row_wise import row_wise_batches
from adi.data.dataset import Dataset
from adi.errors import AdiError
from adi.training.loader import Loader, negative_sampler


def assert_same(one: object, other: object, place: str = "batch") -> None:
    """Equal tensors of one type, and all else equal, all the way down."""
    assert type(one) is type(other), place
    if isinstance(one, torch.Tensor):
        assert one.dtype == other.dtype, place
        assert torch.equal(one, other), place
    elif dataclasses.is_dataclass(one):
        for field in dataclasses.fields(one):
            assert_same(getattr(one, field.name), getattr(other, field.name), f"{place}.{field.name}")
    elif isinstance(one, dict):
        assert list(one) == list(other), place
        for key in one:
            assert_same(one[key], other[key], f"{place}[{key!r}]")
    elif isinstance(one, tuple):
        assert len(one) == len(other), place
        for number, pair in enumerate(zip(one, other, strict=True)):
            assert_same(*pair, f"{place}[{number}]")
    else:
        assert one == other, place


@pytest.mark.parametrize("uniform", [0, 2])
def test_row_by_row_gives_the_same_batches(dataset: Dataset, uniform: int) -> None:
    """Of a dataset with every kind of feature, of users, items and context, some of them by domain."""
    sampler = negative_sampler(dataset, in_batch=True, uniform=uniform)
    loader = Loader(dataset, batch_size=7, sampler=sampler, seed=3)
    whole: list[Batch] = list(loader.epoch(1))
    assert len(whole) > 2
    assert {feature.kind for feature in loader.reader.user_features} == {
        "behaviours",
        "categorical",
        "multi",
        "numeric",
    }
    assert_same(tuple(row_wise_batches(loader, 1, len(whole))), tuple(whole))


def test_only_so_many_batches_are_made(dataset: Dataset) -> None:
    loader = Loader(dataset, batch_size=7, sampler=negative_sampler(dataset, in_batch=True, uniform=2))
    assert_same(tuple(row_wise_batches(loader, 0, 2)), tuple(islice(loader.epoch(0), 2)))


def test_both_ways_are_measured() -> None:
    report = bench_loader(rows=2000, batch_size=100, uniform=10, batches=3, rounds=2).as_json()
    ours, row_wise = report["rows"]
    assert (ours["way"], row_wise["way"]) == ("adi, whole batches", "torch DataLoader, row by row")
    for row in report["rows"]:
        assert 0 < row["least"] <= row["rows_per_second"] <= row["most"]
    ratio = ours["rows_per_second"] / row_wise["rows_per_second"]
    assert report["found"]["rate_by_row_wise"] == pytest.approx(ratio, abs=0.06)


@pytest.mark.parametrize(("batches", "of"), [(21, 2000), (20, r"1\d\d\d")])
def test_more_batches_than_an_epoch_has_are_refused(batches: int, of: str) -> None:
    """Those beyond the log before it is simulated, those of its test rows after."""
    with pytest.raises(AdiError, match=f"--batches: {batches} of 100 rows, and an epoch has {of} rows"):
        bench_loader(rows=2000, batch_size=100, batches=batches)
