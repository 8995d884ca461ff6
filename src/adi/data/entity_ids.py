"""The ids of users or items by number, as `adi prepare` wrote them."""

from bisect import bisect_right
from itertools import accumulate
from pathlib import Path

import numpy as np
import pyarrow as pa

from adi.data.arrays import Array, arrow_numbers
from adi.errors import AdiError


class EntityIds:
    """Ids in ascending order of their UTF-8 bytes. They stay on disk; an id is looked up there by binary search.

    Raises `AdiError` for a file that is missing or not an Arrow file.
    """

    def __init__(self, path: Path) -> None:
        try:
            table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        except (OSError, pa.ArrowInvalid) as error:
            raise AdiError(f"{path}: cannot be read ({error}). Prepare the dataset again.") from None
        self.keys: pa.ChunkedArray = table["key"]
        self._chunks = [_views(chunk) for chunk in self.keys.chunks]
        self._starts = [0, *accumulate(len(chunk) for chunk in self.keys.chunks)]

    def __len__(self) -> int:
        return len(self.keys)

    def key(self, index: int) -> str:
        """The id of a number."""
        return self._bytes(index).decode()

    def keys_of(self, indices: Array) -> list[str]:
        """The ids of several numbers. Each chunk of the file is read on its own: `ChunkedArray.take` is much slower."""
        if not len(indices):
            return []
        if self.keys.num_chunks == 1:
            return self._take(0, indices).to_pylist()  # type: ignore[no-any-return]
        chunks = np.searchsorted(self._starts, indices, side="right") - 1
        order = np.argsort(chunks, kind="stable")
        by_chunk = [self._take(chunk, indices[chunks == chunk] - self._starts[chunk]) for chunk in np.unique(chunks)]
        positions = np.empty(len(indices), dtype=np.int64)
        positions[order] = np.arange(len(indices))
        return pa.concat_arrays(by_chunk).take(arrow_numbers(positions)).to_pylist()  # type: ignore[no-any-return]

    def _take(self, chunk: int, positions: Array) -> pa.StringArray:
        return self.keys.chunk(chunk).take(arrow_numbers(positions))

    def find(self, key: str) -> int | None:
        """The number of an id; None for an unknown one."""
        first = self._first(key)
        return first if first < len(self) and self._bytes(first) == key.encode() else None

    def starting(self, prefix: str, most: int) -> list[str]:
        """The first ids that start with `prefix`, at most `most`."""
        texts: list[str] = self.keys.slice(self._first(prefix), most).to_pylist()
        return [text for text in texts if text.startswith(prefix)]

    def _bytes(self, index: int) -> bytes:
        chunk = bisect_right(self._starts, index) - 1
        offsets, text = self._chunks[chunk]
        position = index - self._starts[chunk]
        return text[offsets[position] : offsets[position + 1]].tobytes()

    def _first(self, key: str) -> int:
        """The number of the first id that is not less than `key`."""
        low, high = 0, len(self)
        target = key.encode()
        while low < high:
            middle = (low + high) // 2
            if self._bytes(middle) < target:
                low = middle + 1
            else:
                high = middle
        return low


def _views(chunk: pa.StringArray) -> tuple[memoryview, memoryview]:
    """The offsets (n + 1) of a chunk's texts, and the bytes of all texts."""
    _, offsets, text = chunk.buffers()
    text_offsets = memoryview(offsets).cast("i")[chunk.offset : chunk.offset + len(chunk) + 1]
    return text_offsets, memoryview(b"" if text is None else text)
