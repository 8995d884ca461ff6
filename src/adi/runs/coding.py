"""The coding of a run, ``RUN/coding``: the manifest and the vocabularies of its training data.

By it a run reads data that was prepared later, and needs its training data no more.
"""

from pathlib import Path

from adi.data.coding import Coding
from adi.data.dataset import Dataset
from adi.data.folder import replace_text
from adi.data.manifest import FILE as MANIFEST
from adi.errors import AdiError
from adi.runs.info import RunInfo
from adi.runs.run import prepared_of

FOLDER = "coding"


def write_coding(folder: Path, dataset: Dataset) -> None:
    """Write the coding of the training data into a run's folder, the manifest last."""
    dataset.coding.copy_vocabularies(folder / FOLDER)
    replace_text(folder / FOLDER / MANIFEST, dataset.manifest.model_dump_json(indent=1))


def read_coding(folder: Path, info: RunInfo) -> Coding:
    """Read the coding of a run: its own copy, or, for a run of an adi that kept none, that of its training data.

    Raises `AdiError` if it is missing, or of other data than the run was trained on.
    """
    path = folder / FOLDER
    coding = Coding.read(path if (path / MANIFEST).exists() else prepared_of(folder, info))
    if coding.manifest.fingerprint != info.fingerprint:
        raise AdiError(
            f"{coding.folder}: of other data than {folder} was trained on (fingerprint {coding.manifest.fingerprint}, "
            f"in run.json {info.fingerprint}), and the run is to be read by the vocabularies of its training data. "
            "Train the run again: it then keeps a copy of them."
        )
    return coding
