import threading

import numpy as np
import pytest

from adi.bundle.row_file import RowFile
from adi.errors import AdiError


@pytest.fixture
def stored(tmp_path):
    matrix = np.arange(15, dtype=np.float32).reshape(5, 3)
    np.save(tmp_path / "rows.npy", matrix)
    return tmp_path / "rows.npy", matrix


def test_rows_are_those_of_the_matrix_in_the_order_asked(stored) -> None:
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
