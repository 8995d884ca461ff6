"""The coding of a run, ``RUN/coding``: the manifest and the vocabularies of its training data.

By it a run reads data that was prepared later, and needs its training data no more.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from adi.data.coding import VOCABULARY, Coding
from adi.data.dataset import Dataset
from adi.data.folder import flush, flush_all
from adi.data.manifest import FILE as MANIFEST
from adi.data.manifest import write_manifest
from adi.errors import AdiError
from adi.runs.info import RunInfo
from adi.runs.run import prepared_of

FOLDER = "coding"


def write_coding(folder: Path, dataset: Dataset, *, refit: bool = False) -> None:
    """Write the coding of the training data into a run's folder, the manifest last.

    Without a `refit`, ids that only validation rows have leave their place in the vocabulary empty: their rows of the
    tables are not trained.
    """
    dataset.coding.copy_vocabularies(folder / FOLDER)
    for feature in dataset.manifest.side("user", "item"):
        if not refit and len(entities := dataset.held_out_ids(feature.name)):
            vocabulary = dataset.coding.vocabulary(feature.name)
            codes = dataset.array(f"features/{feature.side}/{feature.name}")[entities]
            untrained = pa.array(np.isin(vocabulary["code"].to_numpy(), codes))
            values = pc.if_else(untrained, pa.scalar(None, pa.string()), vocabulary["value"])
            position = vocabulary.schema.get_field_index("value")
            path = folder / FOLDER / VOCABULARY / f"{feature.name}.parquet"
            pq.write_table(vocabulary.set_column(position, "value", values), path)
    flush_all(folder / FOLDER)
    flush(folder)
    write_manifest(folder / FOLDER, dataset.manifest.model_copy(update={"files": {}}))  # run.json has the run's files


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
