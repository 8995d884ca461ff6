"""Arrays streamed to disk equal those that numpy writes; a wrong length is an error."""

import numpy as np
import pyarrow as pa
import pytest

from adi.data.arrays import ArrayWriter, read_array, write_columns


def test_blocks_become_one_array(tmp_path):
    path = tmp_path / "inner" / "values.npy"
    with ArrayWriter(path, 5, np.int16) as writer:
        for block in ([1, 2], [], [3, 4, 5]):
            writer.append(np.array(block, dtype=np.int64))
    expected = tmp_path / "expected.npy"
    np.save(expected, np.array([1, 2, 3, 4, 5], dtype=np.int16))
    assert path.read_bytes() == expected.read_bytes()
    array = read_array(path)
    assert array.tolist() == [1, 2, 3, 4, 5]
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 9


@pytest.mark.parametrize(("count", "left"), [(2, 1), (4, -1)])
def test_a_wrong_length_is_an_error(tmp_path, count, left):
    path = tmp_path / "values.npy"
    with (
        pytest.raises(ValueError, match=rf"values\.npy: {left} values are missing"),
        ArrayWriter(path, 3, "i4") as writer,
    ):
        writer.append(np.zeros(count))


def test_an_error_inside_is_not_hidden_by_the_length(tmp_path):
    with pytest.raises(KeyError, match="inside"), ArrayWriter(tmp_path / "values.npy", 3, "i4"):
        raise KeyError("inside")


def test_columns_of_batches(tmp_path):
    batches = [
        pa.record_batch({"user": [1, 2], "price": [0.5, None], "kept": [True, False], "other": ["x", "y"]}),
        pa.record_batch({"user": [3], "price": [2.5], "kept": [True], "other": ["z"]}),
    ]
    advances = []
    length = write_columns(
        batches,
        tmp_path / "rows",
        {"user": np.int32, "price": np.float32, "kept": np.bool_},
        {"price": lambda numbers: np.nan_to_num(numbers, nan=-1) * 2},
        advances.append,
    )
    assert {path.stem: np.load(path).tolist() for path in (tmp_path / "rows").iterdir()} == {
        "user": [1, 2, 3], "price": [1.0, -2.0, 5.0], "kept": [True, False, True],
    }  # fmt: skip
    assert np.load(tmp_path / "rows" / "user.npy").dtype == np.int32
    assert advances == [2, 1]
    assert length == 3
    np.save(tmp_path / "saved.npy", np.array([1, 2, 3], dtype=np.int32))
    assert (tmp_path / "rows" / "user.npy").read_bytes() == (tmp_path / "saved.npy").read_bytes()
