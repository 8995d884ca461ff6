"""The input of a user tower: padding of features, and rows read from a file."""

import threading

import numpy as np
import pytest

from adi.bundle.manifest import PaddedFeature
from adi.bundle.user_tower import RowFile, pad
from adi.errors import AdiError
from adi.features.bags import ArrayBags


def test_values_are_padded_on_the_left_and_the_first_of_too_many_dropped() -> None:
    bags = {
        "age": ArrayBags(np.array([2, 5, 3])),
        "past": ArrayBags(np.array([7, 8, 9, 6]), np.array([0, 3, 3, 4])),  # 7 8 9, none, 6
    }
    padding = [PaddedFeature(feature="past", first=100, width=2), PaddedFeature(feature="age", first=10, width=1)]
    padded = pad(bags, padding)
    assert padded.rows.tolist() == [[108, 109, 12], [0, 0, 15], [0, 106, 13]]
    assert padded.given.tolist() == [[1, 1, 1], [0, 0, 1], [0, 1, 1]]


@pytest.fixture
def stored(tmp_path):
    matrix = np.arange(15, dtype=np.float32).reshape(5, 3)
    np.save(tmp_path / "rows.npy", matrix)
    return tmp_path / "rows.npy", matrix


def test_rows_come_in_the_requested_order(stored) -> None:
    path, matrix = stored
    file = RowFile(path)
    assert file.shape == (5, 3)
    assert file.rows(np.array([4, 0, 4, 2])).tolist() == matrix[[4, 0, 4, 2]].tolist()
    assert file.rows(np.array([], dtype=np.int64)).shape == (0, 3)


def test_several_threads_read_at_once(stored) -> None:
    path, matrix = stored
    file, wrong = RowFile(path), []

    def read(number: int) -> None:
        for _ in range(300):
            if file.rows(np.array([number]))[0].tolist() != matrix[number].tolist():
                wrong.append(number)

    threads = [threading.Thread(target=read, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("matrix", [np.zeros(4, dtype=np.float32), np.zeros((2, 2)), np.zeros((2, 2), np.float32, "F")])
def test_a_file_of_anything_else_is_refused(tmp_path, matrix) -> None:
    np.save(tmp_path / "rows.npy", matrix)
    with pytest.raises(AdiError, match="not rows of float32"):
        RowFile(tmp_path / "rows.npy")
