"""A test asks what serving answers: the same lists, of which the items of the history are left out or not."""

from pathlib import Path

import numpy as np
import pytest

import adi
from adi.runs.ranks import read_ranks
from adi.runs.run import read_run
from workspace import Workspace

USERS, ITEMS, LOG, TEST = 30, 14, 240, 60
SETTINGS = {"embedding_dim": 4, "dim": 4, "networks": (8,), "epochs": 2, "batch_size": 32, "uniform": 5}


@pytest.fixture(params=[False, True], ids=["no repeats", "repeats"])
def run(request: pytest.FixtureRequest, empty: Workspace) -> Path:
    """A run on a log in which users come back to what they had, all of it earlier than every test row."""
    rng = np.random.default_rng(0)
    rows = [
        {
            "user": f"u{rng.integers(USERS)}",
            "item": f"i{rng.integers(ITEMS)}",
            "domain": "ab"[rng.integers(2)],
            "time": time,
        }
        for time in range(LOG + TEST)
    ]
    empty.write("log.jsonl", rows)
    empty.schema |= {"split": {"kind": "time", "at": LOG}, "repeats": request.param}
    empty.prepare()
    adi.train(empty.out, "dnn", empty.out.parent / "run", settings=SETTINGS, progress=False)
    return empty.out.parent / "run"


@pytest.mark.parametrize("exclude_seen", [None, True, False])
def test_the_item_of_a_query_is_in_the_list_exactly_when_its_rank_says_so(run: Path, exclude_seen: bool | None) -> None:
    metrics = adi.evaluate(run, ks=(1, 3, 10), exclude_seen=exclude_seen, progress=False)
    retriever, ranks = adi.Retriever(run), read_ranks(read_run(run))
    data, seen = retriever.dataset, 0
    for name, queries in ranks.items():
        users, items, _ = data.targets("test", queries.rows)
        for user, item, rank in zip(users, items, queries.ranks, strict=True):
            for k in (1, 3, 10, ITEMS):
                top = retriever.retrieve(name, user=data.users.key(int(user)), k=k, exclude_seen=exclude_seen)
                assert (data.items.key(int(item)) in top.ids) == (rank < k)
        again = queries.by["item_in_history"] > 0
        assert np.isinf(queries.ranks[again]).all() == metrics.exclude_seen
        seen += np.count_nonzero(again)
    default = not data.manifest.repeats
    assert metrics.exclude_seen is (default if exclude_seen is None else exclude_seen)
    assert 5 < seen < TEST - 5
