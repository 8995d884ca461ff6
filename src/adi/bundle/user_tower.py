"""The user tower of a domain, opened from a bundle: rows of the packed tables in, vectors out. Needs no torch."""

from pathlib import Path

import numpy as np
import onnxruntime

from adi.bundle.padding import Slots, fill
from adi.bundle.row_file import RowFile
from adi.data.arrays import Array
from adi.features.bags import FeatureArrays
from adi.schema import Strict


class TowerInfo(Strict):
    """A domain's user tower in a bundle: the files of its tables and of its graph, and its slots."""

    tables: str
    graph: str
    slots: tuple[Slots, ...]


class UserTower:
    """The user tower of one domain, opened: the packed tables, on disk, and the graph."""

    def __init__(self, folder: Path, info: TowerInfo) -> None:
        self.slots = info.slots
        self.tables = RowFile(folder / info.tables)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # one query is too little work to share
        options.inter_op_num_threads = 1
        self.graph = onnxruntime.InferenceSession(folder / info.graph, options, providers=["CPUExecutionProvider"])

    def vectors(self, bags: FeatureArrays) -> Array:
        """The vectors of queries, all of this domain (R, I, dim)."""
        filled = fill(bags, self.slots)
        rows = np.zeros((*filled.rows.shape, self.tables.shape[1]), dtype=np.float32)
        given = filled.given > 0
        distinct, places = np.unique(filled.rows[given], return_inverse=True)
        rows[given] = self.tables.rows(distinct)[places]
        (vectors,) = self.graph.run(None, {"rows": rows, "given": filled.given})
        return np.asarray(vectors)
