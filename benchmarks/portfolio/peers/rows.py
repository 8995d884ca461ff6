"""The peers: models of other libraries with a few settings to choose from, trained on all domains or on each alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import adi
from adi.grid.cells import Cell
from adi.grid.versions import code_digest

PROCESS = "benchmarks.portfolio.peers.process"
MODULES = ("rectools", "implicit")
"""Packages that the Python of the peers imports."""


@dataclass(frozen=True)
class PeerRow:
    """A peer: its name, and the ``module:NAME`` of what its process runs (`process.tuning.Peer`).

    With `by_domain`, it is trained on the rows of each domain separately.
    """

    name: str
    path: str
    by_domain: bool

    def cells(self, dataset: str, seeds: int) -> list[Cell]:
        """The cells of the peer on a data set, one for each seed."""
        config: Mapping[str, Any] = {"peer": {"path": self.path, "by_domain": self.by_domain}}
        return [Cell(dataset, self.name, seed, self.name, config) for seed in range(seeds)]


PEERS = tuple(
    PeerRow(f"{name}{'-domain' * by_domain}", f"{PROCESS}.{path}", by_domain)
    for name, path in (
        ("ials", "factors:IALS"),
        ("bpr", "factors:BPR"),
        ("sasrec", "sasrec:SASREC"),
        ("esasrec", "sasrec:ESASREC"),
    )
    for by_domain in (False, True)
)


def cells_of_peers(dataset: str, seeds: int) -> list[Cell]:
    """The cells of all peers on a data set."""
    return [cell for row in PEERS for cell in row.cells(dataset, seeds)]


def peers_code() -> str:
    """The digest of the code that makes a peer's results: that of its process, and that of adi's evaluation.

    It changes less often than adi itself, so that a peer, which takes longer, is not run again with every change.
    """
    parts = (Path(__file__).parent, Path(adi.__file__).parent / "evaluation")
    return blake2b("".join(map(code_digest, parts)).encode(), digest_size=8).hexdigest()
