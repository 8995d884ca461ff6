"""Packing of the embedding tables that user towers read: one file, each row as a lookup in the model returns it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from adi.bundle.manifest import PaddedFeature
from adi.data.arrays import Array, mapped_array
from adi.data.dataset import Dataset
from adi.data.manifest import FeatureInfo
from adi.features.kinds import KINDS
from adi.models.tower import DOMAIN
from adi.models.two_tower import TwoTower

ROWS_AT_ONCE = 1 << 16


class PackedTables:
    """Writes ``towers/tables-N.npy`` into a bundle: one file for all domains that share their tables.

    Args:
        writes: whether this process writes the files; of several, all have the same names for them, and one writes.
    """

    def __init__(self, bundle: Path, dataset: Dataset, *, writes: bool = True) -> None:
        self.bundle, self.dataset, self.writes = bundle, dataset, writes
        rows = {feature.name: np.arange(feature.rows) for feature in dataset.manifest.features}
        self.rows = {feature.name: rows[feature.embedded_by or feature.name] for feature in dataset.manifest.features}
        self.rows[DOMAIN] = dataset.domain_codes
        self.written: dict[tuple[int, tuple[int, ...]], str] = {}

    def write(self, model: TwoTower, first: Mapping[str, int]) -> tuple[str, dict[str, int]]:
        """Write the tables of some features, unless they are written already.

        Args:
            first: the first row of each feature's table in the model's tables.

        Returns the file, and the first row of each feature's table in it. Rows are smoothed if the model smooths them.
        """
        tables = dict(sorted({start: self.rows[name] for name, start in first.items()}.items()))
        packed_first = dict(zip(tables, np.cumsum([0, *map(len, tables.values())]).tolist(), strict=False))
        key = id(model), tuple(tables)
        if key not in self.written:
            self.written[key] = f"towers/tables-{len(self.written)}.npy"
            if self.writes:
                self._write(model, tables, self.bundle / self.written[key])
        return self.written[key], {name: packed_first[start] for name, start in first.items()}

    def _write(self, model: TwoTower, tables: Mapping[int, Array], path: Path) -> None:
        """Write tables one after the other, given by their first row in the model and by their rows, from there on."""
        shape = sum(map(len, tables.values())), model.tables.embedding_dim
        packed = mapped_array(path, np.float32, shape)
        written = 0
        for start, rows in tables.items():
            for begin in range(0, len(rows), ROWS_AT_ONCE):
                block = torch.from_numpy(start + rows[begin : begin + ROWS_AT_ONCE])
                packed[written : written + len(block)] = model.tables.lookup(block).numpy()
                written += len(block)
        packed.flush()


def padding_of(
    features: Sequence[FeatureInfo], first: Mapping[str, int], dataset: Dataset
) -> tuple[PaddedFeature, ...]:
    """Return the padding of a tower's features, whose packed tables begin at `first`: wide enough for any query."""
    widths = {feature.name: KINDS[feature.kind].width(feature, dataset) for feature in features} | {DOMAIN: 1}
    return tuple(PaddedFeature(feature=name, first=start, width=widths[name]) for name, start in first.items())
