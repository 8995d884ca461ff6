"""The embedding tables that user towers read, packed into one file, each row as a lookup in the model finds it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from adi.bundle.padding import Slots
from adi.data.dataset import Dataset
from adi.data.manifest import FeatureInfo
from adi.models.tower import DOMAIN
from adi.models.two_tower import TwoTower

ROWS_AT_ONCE = 1 << 16


class PackedTables:
    """Writes ``towers/tables-N.npy`` into a folder: once for all domains that share their tables, else one for each."""

    def __init__(self, folder: Path, dataset: Dataset) -> None:
        self.folder, self.dataset = folder, dataset
        rows = {feature.name: feature.rows for feature in dataset.manifest.features}
        self.rows = {feature.name: rows[feature.embedded_by or feature.name] for feature in dataset.manifest.features}
        self.rows[DOMAIN] = len(dataset.domains)
        self.written: dict[tuple[int, tuple[int, ...]], str] = {}

    def write(self, model: TwoTower, first: Mapping[str, int]) -> tuple[str, dict[str, int]]:
        """Write the tables of features, by where they begin in the model's.

        Returns the file and where the features' tables begin in it. Rows are smoothed where the model smooths them.
        """
        sizes = dict(sorted({start: self.rows[name] for name, start in first.items()}.items()))
        begin = dict(zip(sizes, np.cumsum([0, *sizes.values()]).tolist(), strict=False))
        key = id(model), tuple(sizes)
        if key not in self.written:
            self.written[key] = f"towers/tables-{len(self.written)}.npy"
            self._write(model, sizes, self.folder / self.written[key])
        return self.written[key], {name: begin[start] for name, start in first.items()}

    def _write(self, model: TwoTower, sizes: Mapping[int, int], path: Path) -> None:
        path.parent.mkdir(exist_ok=True)
        shape = sum(sizes.values()), model.tables.embedding_dim
        packed = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
        written = 0
        for start, size in sizes.items():
            for block in torch.arange(start, start + size).split(ROWS_AT_ONCE):  # type: ignore[no-untyped-call]
                packed[written : written + len(block)] = model.tables.lookup(block).numpy()
                written += len(block)
        packed.flush()


def slots_of(features: Sequence[FeatureInfo], first: Mapping[str, int], dataset: Dataset) -> tuple[Slots, ...]:
    """The slots of a tower's features, whose tables begin at `first`: as many as any query can fill."""
    by_name = {feature.name: feature for feature in features}
    return tuple(
        Slots(feature=name, first=start, width=1 if name == DOMAIN else _width(by_name[name], dataset))
        for name, start in first.items()
    )


def _width(feature: FeatureInfo, dataset: Dataset) -> int:
    if feature.kind == "multi":
        return max(1, int(np.diff(dataset.feature("user", f"{feature.name}.offsets")).max(initial=1)))
    return feature.length or 1
