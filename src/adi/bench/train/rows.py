"""The training rows of a prepared dataset as plain arrays, for libraries that know nothing of it."""

from pathlib import Path

import numpy as np

from adi.data.arrays import Array
from adi.data.dataset import Dataset

HISTORY = 20
"""The newest items of a user's history that a peer gets."""


def write_rows(prepared: Path, path: Path) -> None:
    """Write an .npz file.

    `user`, `item`, `domain` (n,) of each row; `domains`, how many there are; for every feature of one value
    ``user.NAME`` (users,) or ``item.NAME`` (items,), its codes, and ``rows.NAME``, how many codes there are. If the
    users have behaviours, also `history` (users, `HISTORY` + 1): their newest items, each plus 1, then 0; the row's
    own item is to be left out of it.
    """
    dataset = Dataset(prepared)
    rows = dataset.rows("train")
    users, items, domains = dataset.targets("train", rows)
    arrays: dict[str, Array] = {
        "user": users.astype(np.int64),
        "item": items,
        "domain": domains,
        "domains": np.asarray(len(dataset.domains)),
    }
    for feature in dataset.manifest.features:
        if feature.kind in ("id", "categorical", "numeric") and feature.side != "context" and not feature.by_domain:
            arrays[f"{feature.side}.{feature.name}"] = dataset.feature(feature.side, feature.name).astype(np.int64)
            arrays[f"rows.{feature.name}"] = np.asarray(feature.rows)
    if any(feature.kind == "behaviours" for feature in dataset.manifest.features):
        arrays["history"] = _histories(users, items, len(dataset.users))
    np.savez(path, allow_pickle=False, **arrays)


def _histories(users: Array, items: Array, num_users: int) -> Array:
    """Rows are sorted by user, so each user's are a slice; the newest come first."""
    ends = np.searchsorted(users, np.arange(1, num_users + 1))
    begins = np.concatenate([[0], ends[:-1]])
    places = ends[:, None] - 1 - np.arange(HISTORY + 1)
    kept = places >= begins[:, None]
    return np.where(kept, items[np.where(kept, places, 0)] + 1, 0)
