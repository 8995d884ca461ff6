"""The benchmark of training, on a small log, and the processes that it starts."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from adi.data.dataset import Dataset
from adi.errors import AdiError
from benchmarks.training.log import HISTORY, prepare_log, write_arrays
from benchmarks.training.processes import worker
from benchmarks.training.worker import BareOperations

PEER = """
import sys
print("ready", flush=True)
for line in sys.stdin:
    work, number = line.split()
    if work == "die":
        sys.exit("a reason")
    print("done" if number == "2" else number, flush=True)
"""


def test_every_training_is_measured_and_compared(measure) -> None:
    report = measure("train --users 1000 --items 1000 --rows 3000 --batch-size 256 --rounds 1 --steps 1")
    assert [row["way"] for row in report["rows"]] == ["adi-se", "dnn", "adi-se, masked", "adi-se, bare", "dnn, bare"]
    assert all(row["per_second"] > 0 for row in report["rows"])
    assert set(report["found"]) == {"adi-se_by_bare", "dnn_by_bare"}


def test_a_batch_larger_than_the_data_is_refused(benchmark, tmp_path: Path) -> None:
    done = benchmark("train --prepared", prepare_log(tmp_path, users=1000, items=1000, rows=1000))
    assert done.returncode == 2
    assert "fewer training rows than a batch of 4,096" in done.stderr


def test_a_worker_does_its_work_until_it_ends() -> None:
    with worker("a peer", [sys.executable, "-c", PEER], threads=1) as peer:
        peer.do("steps", 2)
        peer.task("steps", 2)(7)
        with pytest.raises(AdiError, match="a peer: the process ended, or wrote '3' for 'done'"):
            peer.do("steps", 3)
        with pytest.raises(AdiError, match="a peer: the process ended, or wrote '' for 'done'"):
            peer.do("die", 2)
    assert peer.process.poll() is not None


def test_a_worker_that_does_not_start_is_an_error() -> None:
    with pytest.raises(AdiError, match="for 'ready'"), worker("a peer", [sys.executable, "-c", ""], threads=1):
        pass


def test_bare_operations_are_products_and_rows_of_tables() -> None:
    tables, other = torch.zeros(5, 3), torch.ones(5, 3)
    rows = torch.tensor([1, 1, 4])
    with BareOperations(tables) as bare:
        product = other @ other.T
        torch.relu(product)
        tables[rows], other[rows]
        tables.index_add_(0, rows, other[:3])
    assert [function.overloadpacket.__name__ for function, _, _ in bare.operations] == ["mm", "index", "index_add_"]
    bare()
    assert tables[:, 0].tolist() == [0, 4, 0, 0, 2]  # rows that were written once are written again


def test_peers_get_the_training_rows(dataset: Dataset, tmp_path: Path) -> None:
    write_arrays(dataset, tmp_path / "rows.npz")
    with np.load(tmp_path / "rows.npz") as stored:
        arrays = dict(stored)
    users, items, domains = dataset.targets("train", dataset.rows("train"))
    assert arrays["user"].tolist() == users.tolist()
    assert arrays["item"].tolist() == items.tolist()
    assert arrays["domain"].tolist() == domains.tolist()
    assert int(arrays["domains"]) == len(dataset.domains)
    assert arrays["item.item_id"].tolist() == dataset.feature("item", "item_id").tolist()
    assert arrays["user.age"].max() < int(arrays["rows.age"])
    assert arrays["history"].shape == (len(dataset.users), HISTORY + 1)
    for user, history in enumerate(arrays["history"]):
        newest = (items[users == user][::-1] + 1).tolist()[: HISTORY + 1]
        assert history.tolist() == newest + [0] * (HISTORY + 1 - len(newest))
