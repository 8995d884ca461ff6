"""Items as Parquet files, a folder for each domain: for a store of another kind, or a job that reads vectors."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from adi.data.arrays import Array
from adi.data.folder import new_folder
from adi.stores.scan import best_of
from adi.stores.store import ID, NUMBER, VECTOR, Answer, Items


class ParquetFiles:
    """Files ``domain=NAME/FIRST.parquet`` of numbers, ids, vectors and attributes, in a new folder."""

    efforts = (0,)

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def create(self, dim: int, attributes: pa.Schema) -> None:
        self.vector = pa.list_(pa.float32(), dim)

    def add(self, items: Items) -> None:
        count, folder = len(items.ids), self._of(items.domain)
        folder.mkdir(exist_ok=True)
        columns = {
            NUMBER: pa.array(np.arange(items.first, items.first + count)),
            ID: pa.array(items.ids, pa.string()),
            VECTOR: pa.FixedSizeListArray.from_arrays(pa.array(items.vectors.ravel()), type=self.vector),
        }
        columns |= dict(zip(items.attributes.column_names, items.attributes.columns, strict=True))
        pq.write_table(pa.table(columns), folder / f"{items.first}.parquet")

    def finish(self) -> None:
        return

    def search(self, domain: str, queries: Array, k: int, effort: int) -> list[Answer]:
        """Scan all files of a domain."""
        return best_of(self._blocks(domain), queries, k)

    def _blocks(self, domain: str) -> Iterator[tuple[Sequence[str], Array]]:
        for path in sorted(self._of(domain).glob("*.parquet")):
            table = pq.read_table(path, columns=[ID, VECTOR])
            yield table[ID].to_pylist(), table[VECTOR].combine_chunks().flatten().to_numpy().reshape(len(table), -1)

    def _of(self, domain: str) -> Path:
        return self.folder / f"domain={quote(domain, safe='')}"  # as Hive writes the value of a partition


@contextmanager
def parquet_files(out: str, alias: str, name: str) -> Iterator[ParquetFiles]:
    """Parquet files in the new folder `out`, or none if the block fails."""
    with new_folder(Path(out)) as folder:
        yield ParquetFiles(folder)
