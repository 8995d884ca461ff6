"""The benchmark of training, on a log small enough for a test, and the processes that it starts."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from adi.bench.train.limit import Limit
from adi.bench.train.market import LogSize, prepare_log
from adi.bench.train.measure import Peers, bench_train
from adi.bench.train.rows import HISTORY, write_rows
from adi.bench.train.workers import started
from adi.data.dataset import Dataset
from adi.errors import AdiError

SIZE = LogSize(users=1000, items=1000, rows=3000, domains=2)

PEER = """
import sys
print("ready", flush=True)
for line in sys.stdin:
    work, number = line.split()
    if work == "die":
        sys.exit("a reason")
    print("done" if number == "2" else number, flush=True)
"""


def test_every_way_is_measured_and_compared() -> None:
    report = bench_train(None, size=SIZE, batch_size=256, rounds=1, steps=1).as_json()
    assert [row["way"] for row in report["rows"]] == ["adi-se", "dnn", "adi-se, masked", "adi-se, bare", "dnn, bare"]
    assert all(row["per_second"] > 0 for row in report["rows"])
    assert set(report["found"]) == {"adi-se_by_bare", "dnn_by_bare"}


def test_a_batch_larger_than_the_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AdiError, match=r"fewer training rows than a batch of 4,096"):
        bench_train(prepare_log(tmp_path / "log", SIZE.model_copy(update={"rows": 1000})))


@pytest.mark.parametrize(
    ("peers", "said"),
    [
        (Peers(rechub=Path(sys.executable)), r"--rechub: .* does not import torch_rechub .*docs/benchmarks.md"),
        (Peers(libreco=Path("nowhere/python")), r"--libreco: nowhere/python is no program to run"),
    ],
)
def test_an_environment_without_the_library_is_refused_before_any_work(peers: Peers, said: str) -> None:
    with pytest.raises(AdiError, match=said):
        bench_train(Path("nowhere"), peers=peers)


def test_a_worker_does_what_it_is_told_until_it_ends() -> None:
    with started("a peer", [sys.executable, "-c", PEER], threads=1) as worker:
        worker.do("steps", 2)
        worker.calls("steps", 2)(7)
        with pytest.raises(AdiError, match="a peer: the process ended, or said '3' for 'done'"):
            worker.do("steps", 3)
        with pytest.raises(AdiError, match="a peer: the process ended, or said '' for 'done'"):
            worker.do("die", 2)
    assert worker.process.poll() is not None


def test_a_worker_that_does_not_start_is_an_error() -> None:
    with pytest.raises(AdiError, match="for 'ready'"), started("a peer", [sys.executable, "-c", ""], threads=1):
        pass


def test_the_bare_operations_are_products_and_rows_of_tables() -> None:
    tables, other = torch.zeros(5, 3), torch.ones(5, 3)
    rows = torch.tensor([1, 1, 4])
    with Limit(tables) as watched:
        product = other @ other.T
        torch.relu(product)
        tables[rows], other[rows]
        tables.index_add_(0, rows, other[:3])
    assert [call[0].overloadpacket.__name__ for call in watched.calls] == ["mm", "index", "index_add_"]
    watched()
    assert tables[:, 0].tolist() == [0, 4, 0, 0, 2]  # what was written once is written again


def test_peers_get_the_training_rows(dataset: Dataset, tmp_path: Path) -> None:
    write_rows(dataset.folder, tmp_path / "rows.npz")
    with np.load(tmp_path / "rows.npz") as arrays:
        found = dict(arrays)
    rows = dataset.rows("train")
    users, items, domains = dataset.targets("train", rows)
    assert found["user"].tolist() == users.tolist()
    assert found["item"].tolist() == items.tolist()
    assert found["domain"].tolist() == domains.tolist()
    assert int(found["domains"]) == len(dataset.domains)
    assert found["item.item_id"].tolist() == dataset.feature("item", "item_id").tolist()
    assert found["user.age"].max() < int(found["rows.age"])
    histories = found["history"]
    assert histories.shape == (len(dataset.users), HISTORY + 1)
    for user, history in enumerate(histories):
        own = (items[users == user][::-1] + 1).tolist()[: HISTORY + 1]
        assert history.tolist() == own + [0] * (HISTORY + 1 - len(own))
