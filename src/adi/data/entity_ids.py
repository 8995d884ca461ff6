"""The ids behind the numbers of users or items, as `adi prepare` has written them."""

from bisect import bisect_right
from itertools import accumulate
from pathlib import Path

import numpy as np
import pyarrow as pa

from adi.data.arrays import Array, arrow_numbers
from adi.errors import AdiError


class EntityIds:
    """Ids in ascending order of their UTF-8 bytes, by number. They stay on disk, and are found there by binary search.

    Raises `AdiError` for a file that is missing or no Arrow file.
    """

    def __init__(self, path: Path) -> None:
        try:
            table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        except (OSError, pa.ArrowInvalid) as error:
            raise AdiError(f"{path}: cannot be read ({error}). Prepare the dataset again.") from None
        self.keys: pa.ChunkedArray = table["key"]
        self._parts = [_views(chunk) for chunk in self.keys.chunks]
        self._starts = [0, *accumulate(len(chunk) for chunk in self.keys.chunks)]

    def __len__(self) -> int:
        return len(self.keys)

    def key(self, index: int) -> str:
        return self._bytes(index).decode()

    def keys_of(self, indices: Array) -> list[str]:
        """The ids of several numbers; of each part of the file at once, which is much faster than of all together."""
        if not len(indices):
            return []
        if self.keys.num_chunks == 1:
            return self._taken(0, indices).to_pylist()  # type: ignore[no-any-return]
        parts = np.searchsorted(self._starts, indices, side="right") - 1
        order = np.argsort(parts, kind="stable")
        found = [self._taken(part, indices[parts == part] - self._starts[part]) for part in np.unique(parts)]
        places = np.empty(len(indices), dtype=np.int64)
        places[order] = np.arange(len(indices))
        return pa.concat_arrays(found).take(arrow_numbers(places)).to_pylist()  # type: ignore[no-any-return]

    def _taken(self, part: int, places: Array) -> pa.StringArray:
        """The ids at some places of a part."""
        return self.keys.chunk(part).take(arrow_numbers(places))

    def find(self, key: str) -> int | None:
        """The number of an id, or None."""
        first = self._first(key)
        return first if first < len(self) and self._bytes(first) == key.encode() else None

    def starting(self, prefix: str, most: int) -> list[str]:
        """The first ids, at most `most`, that start with a text."""
        texts: list[str] = self.keys.slice(self._first(prefix), most).to_pylist()
        return [text for text in texts if text.startswith(prefix)]

    def _bytes(self, index: int) -> bytes:
        part = bisect_right(self._starts, index) - 1
        offsets, text = self._parts[part]
        own = index - self._starts[part]
        return text[offsets[own] : offsets[own + 1]].tobytes()

    def _first(self, key: str) -> int:
        """The number of the first id that does not come before `key`."""
        low, high = 0, len(self)
        wanted = key.encode()
        while low < high:
            middle = (low + high) // 2
            if self._bytes(middle) < wanted:
                low = middle + 1
            else:
                high = middle
        return low


def _views(chunk: pa.StringArray) -> tuple[memoryview, memoryview]:
    """Where each text of a part begins in its bytes, with the end of the last; and the bytes."""
    _, offsets, text = chunk.buffers()
    cuts = memoryview(offsets).cast("i")[chunk.offset : chunk.offset + len(chunk) + 1]
    return cuts, memoryview(b"" if text is None else text)
