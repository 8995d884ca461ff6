"""The data set of a peer's process, written as an .npz file (`process.data.Data` reads it)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from adi.data.arrays import Array
from adi.data.dataset import Dataset, Part
from adi.errors import AdiError
from adi.evaluation.evaluate import spread
from adi.training.settings import TrainingSettings

CRITERION = TrainingSettings()
"""Peers choose by the NDCG@`k` on as many validation rows as a training of adi does."""


def write_data(dataset: Dataset, path: Path, *, ks: Sequence[int]) -> None:
    """Write the rows, queries and corpora of a dataset.

    Rows are those of training and validation, by user and time. A query has the history that adi's evaluation gives it:
    a validation query the training rows before it, a test query also the validation rows.

    Raises `AdiError` for a dataset with trends, whose test queries know other test rows, and for one without
    validation rows.
    """
    if dataset.manifest.trend is not None:
        raise AdiError(f"{dataset.folder}: has trends, and its test is live. Peers know the rows of training alone.")
    validation = _validation_rows(dataset)
    if not len(validation):
        raise AdiError(f"{dataset.folder}: no validation rows to choose settings by.")
    rows = np.arange(dataset.num_rows)
    users, items, domains = dataset.targets("train", rows)
    corpora = [dataset.corpora.retrievable(domain) for domain in range(len(dataset.domains))]
    arrays: dict[str, Array] = {
        "user": users.astype(np.int64),
        "item": items,
        "domain": domains,
        "is_validation": ~dataset.is_training(rows),
        "num_users": np.array(dataset.manifest.users),
        "num_items": np.array(dataset.manifest.items),
        "repeats": np.array(dataset.manifest.repeats),
        "corpus_item": np.concatenate(corpora),
        "corpus_offsets": np.cumsum([0, *map(len, corpora)]),
        "k": np.array(CRITERION.k),
        "ks": np.array(ks),
    }
    arrays |= _queries(dataset, "validation", validation) | _queries(dataset, "test", dataset.rows("test"))
    np.savez(path, allow_pickle=False, **arrays)


def _validation_rows(dataset: Dataset) -> Array:
    """The validation rows, of each domain at most as many as adi takes."""
    rows = dataset.rows("validation")
    domains, most = dataset.targets("validation", rows)[2], CRITERION.validation_rows
    by_domain = [rows[domains == domain] for domain in range(len(dataset.domains))]
    return np.concatenate([rows if len(rows) <= most else spread(rows, most) for rows in by_domain])


def _queries(dataset: Dataset, part: Part, rows: Array) -> dict[str, Array]:
    """The columns of the queries for some rows of a part."""
    histories = dataset.queries(part, rows).histories
    users, items, domains = dataset.targets(part, rows)
    columns = {
        "user": users,
        "domain": domains,
        "target": items,
        "history_item": histories.items,
        "history_domain": histories.domains,
        "history_offsets": histories.offsets,
    }
    return {f"{part}_{name}": np.asarray(column, dtype=np.int64) for name, column in columns.items()}
