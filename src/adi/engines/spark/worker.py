"""Functions as they run in Spark's Python processes."""

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from zipimport import zipimporter

import pyarrow as pa

Batches = Iterable[pa.RecordBatch]


@dataclass(frozen=True)
class InWorker:
    """A function of batches for `mapInArrow`.

    Before each task PySpark reads the directories of all archives anew that modules were imported from, such as its own
    two, which takes .3 s in Python 3.11. They are forgotten once their modules are imported.
    """

    function: Callable[[Batches], Batches]

    def __call__(self, batches: Batches) -> Iterator[pa.RecordBatch]:
        yield from self.function(batches)
        for path, finder in list(sys.path_importer_cache.items()):
            if isinstance(finder, zipimporter):
                del sys.path_importer_cache[path]
