"""The coding of a run, ``RUN/coding``: the manifest and the vocabularies of its training data.

By it a run reads data that was prepared later, and needs its training data no more.
"""

from pathlib import Path

from adi.data.coding import Coding
from adi.data.dataset import Dataset
from adi.data.folder import replace_text
from adi.errors import AdiError
from adi.runs.info import RunInfo
from adi.runs.run import open_dataset_of

FOLDER = "coding"


def write_coding(folder: Path, dataset: Dataset) -> None:
    """Write the coding of the training data into a run's folder, the manifest last."""
    dataset.coding.copy_vocabularies(folder / FOLDER)
    replace_text(folder / FOLDER / "manifest.json", dataset.manifest.model_dump_json(indent=1))


def read_coding(folder: Path, info: RunInfo) -> Coding:
    """Read the coding of a run: its own copy, or that of its training data, for a run of an adi that kept no copy.

    Raises `AdiError` for a copy of other data, and if there is no copy and the training data is missing or has changed.
    """
    path = folder / FOLDER
    if not (path / "manifest.json").exists():
        return open_dataset_of(folder, info).coding
    coding = Coding.read(path)
    if coding.manifest.fingerprint != info.fingerprint:
        raise AdiError(
            f"{path}: of other data than the run's (fingerprint {coding.manifest.fingerprint}, in run.json "
            f"{info.fingerprint}). Copy the run again, or train it again."
        )
    return coding
