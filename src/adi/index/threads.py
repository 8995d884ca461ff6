"""How many threads the library may use, for one block of code of one Python thread."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import faiss


@contextmanager
def faiss_threads(count: int) -> Iterator[None]:
    """Let faiss use `count` threads in the block; OpenMP keeps a number for each thread, so others are left alone."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(count)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


class Cores:
    """The cores that searches at work share: one alone gets all, several get equal parts, at least one each.

    So a request has its answer sooner where there is room, and a busy server does no worse than with one each.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._at_work = 0
        self._lock = Lock()

    @contextmanager
    def share(self) -> Iterator[int]:
        """How many threads the block may use."""
        with self._lock:
            self._at_work += 1
            threads = max(1, self.count // self._at_work)
        try:
            yield threads
        finally:
            with self._lock:
                self._at_work -= 1
