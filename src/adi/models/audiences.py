"""The audiences of a trained model: the tastes of all clickers of a log, as the model sees them."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from adi.data.arrays import Array
from adi.data.audiences import LAST, AudienceLog, read_audiences, tastes_of, write_audiences
from adi.data.clicks import ClickLog
from adi.data.dataset import Dataset
from adi.data.folder import new_folder
from adi.data.queries import Queries
from adi.processes.group import ALONE, Processes

Encode = Callable[[int, Queries], Array]
"""The vectors of queries, all of one domain (n, dim + W) or (n, interests, dim + W)."""


def build_audiences(
    folder: Path,
    dataset: Dataset,
    clicks: ClickLog,
    encode: Encode,
    dim: int,
    *,
    by_domain: bool,
    processes: Processes = ALONE,
) -> AudienceLog:
    """Write the audiences of a log into a folder, or open those that are there.

    Of several processes, each encodes a part of the users, and the first writes.
    """
    if not processes.objects((folder / "sum.npy").exists())[0]:
        parts = ("interactions", "test") if clicks.has_test else ("interactions",)
        item, domain, time = (
            np.concatenate([dataset.array(f"{part}/{name}") for part in parts]) for name in ("item", "domain", "time")
        )

        def tastes(rows: Array) -> Array:
            tastes = np.empty((len(rows), dim), dtype=np.float32)
            codes = 2 * domain[rows] + (rows >= dataset.num_rows)
            for code in np.unique(codes):
                chosen = np.flatnonzero(codes == code)
                share = rows[chosen[processes.shares(len(chosen))]]
                queries = dataset.clickers(share, in_test=bool(code % 2), last=LAST, with_test=clicks.has_test)
                of_own = torch.from_numpy(tastes_of(encode(int(code // 2), queries), dim))
                tastes[chosen] = processes.rejoined(of_own, len(chosen)).numpy()
            return tastes

        with new_folder(folder) if processes.first else TemporaryDirectory() as written:
            write_audiences(Path(written), clicks, (item, domain, time), tastes, dim, by_domain=by_domain)
        processes.wait()
    return read_audiences(folder, clicks, by_domain=by_domain)
