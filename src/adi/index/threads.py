"""How many threads the library may use, for one block of code of one Python thread."""

from collections.abc import Iterator
from contextlib import contextmanager

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
