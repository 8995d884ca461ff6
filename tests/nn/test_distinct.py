import pytest
import torch

from adi.nn.distinct import distinct, distinct_padded


@pytest.mark.parametrize("numbers", [[7, 2, 7, 7, 0, 2], [5], [4, 4, 4], [3, 1, 2]])
@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_padded_finds_the_same_and_repeats_the_largest(numbers, dtype):
    given = torch.tensor(numbers, dtype=dtype)
    (found, place), (padded, own) = distinct(given), distinct_padded(given)
    assert found.dtype == padded.dtype == dtype
    assert place.tolist() == own.tolist()
    assert padded.tolist() == found.tolist() + [max(numbers)] * (len(numbers) - len(found))
    assert padded[own].tolist() == numbers


@pytest.mark.parametrize("function", [distinct, distinct_padded])
def test_of_none_there_are_none(function):
    found, place = function(torch.empty(0, dtype=torch.int64))
    assert len(found) == len(place) == 0
