"""The data of a bundle: the parts of a prepared dataset that answers need, in the coding of the run."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from adi.data.arrays import ROWS_PER_BATCH, mapped_array
from adi.data.coding import NUMBERS, Codes
from adi.data.dataset import Dataset
from adi.data.manifest import read_manifest, write_manifest

NOT_SERVED = ("test", "candidates", "set_aside.parquet", "timeline", "trends")
"""Parts of a prepared dataset that a bundle does not need."""


def write_data(dataset: Dataset, out: Path) -> None:
    """Write a dataset into a new folder of a bundle, where its codes are those by which it is read."""
    shutil.copytree(dataset.folder, out, ignore=_not_served(dataset))
    manifest = dataset.manifest if dataset.is_recoded else read_manifest(dataset.folder)
    write_manifest(out, manifest.model_copy(update={"files": {}}))  # the bundle's own manifest has its files
    if not dataset.is_recoded:
        return
    for name, codes in dataset.recoded.items():
        if (path := out / f"{name}.npy").exists():
            _write_codes(path, codes)
    dataset.coding.copy_vocabularies(out)


def _not_served(dataset: Dataset) -> Callable[[str, list[str]], list[str]]:
    """Names to leave out of the copy of a prepared dataset. After a refit, and by a run's coding, no id is held out."""
    left_out = {*NOT_SERVED, "held_out_ids"} if dataset.all_rows or dataset.is_recoded else {*NOT_SERVED}

    def ignored(folder: str, names: list[str]) -> list[str]:
        at_root = Path(folder) == dataset.folder
        return [name for name in names if (at_root and name in left_out) or name.endswith(f"{NUMBERS}.npy")]

    return ignored


def _write_codes(path: Path, codes: Codes) -> None:
    """Replace an array of codes, block by block."""
    shape = len(codes), *codes[:0].shape[1:]
    array = mapped_array(path, np.int32, shape)
    for first in range(0, len(codes), ROWS_PER_BATCH):
        array[first : first + ROWS_PER_BATCH] = codes[first : first + ROWS_PER_BATCH]
    array.flush()
