"""The command of a peer's process: ``python -m benchmarks.portfolio.peers.process MODULE:NAME DATA RESULT SCOPE SEED``.

DATA is what `benchmarks.portfolio.peers.exchange.write_data` wrote; SCOPE is ``all`` or ``domain``. RESULT is an .npz
file with `ranks` (n,) of the test queries, the items `covered` (domains, ks), and `report` as JSON.
"""

import json
import platform
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import numpy as np

from benchmarks.portfolio.peers.process.data import read_data
from benchmarks.portfolio.peers.process.tuning import Peer, tune


def main() -> None:
    module, _, name = sys.argv[1].partition(":")
    peer: Peer = getattr(import_module(module), name)
    tuned = tune(peer, read_data(Path(sys.argv[2])), by_domain=sys.argv[4] == "domain", seed=int(sys.argv[5]))
    versions = {"python": platform.python_version()} | {package: version(package) for package in peer.packages}
    report = json.dumps(tuned.report | {"versions": versions})
    np.savez(sys.argv[3], ranks=tuned.ranks, covered=tuned.covered, report=np.array(report))


if __name__ == "__main__":
    main()
