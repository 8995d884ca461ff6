"""Exact ranking of a whole corpus, beside the bare matrix product of the same vectors and a top-k.

Vectors of users and items are simulated, so that no tower is measured. `adi.evaluation.ranking.rank` gives the exact
rank of each test row's item, without the items of the user's history, and counts the different items in the lists. The
bare product multiplies the same vectors in blocks of the same size and takes the top 100.
"""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import typer
import yaml
from torch import Tensor

from adi.data.arrays import Array, arrow_numbers
from adi.data.dataset import Dataset
from adi.data.queries import Queries
from adi.evaluation.ranking import LOGITS_AT_ONCE, QUERIES_AT_ONCE, rank
from adi.machine import tune_allocator
from adi.models.scorer import Score
from adi.preparation.prepare import prepare
from benchmarks.options import AsJson, Rounds, Threads
from benchmarks.report import Report, Row, announce, show
from benchmarks.timing import Task, Times, in_turns, torch_threads

KS = (10, 50, 100)
ADI, BARE = "adi evaluate, exact ranks", f"product and top {max(KS)} alone"
ITEMS_PER_TOPIC = 560
HISTORY_LENGTH = 50


def evaluate(
    items: Annotated[int, typer.Option(min=1000, help="Items of the corpus.")] = 500_000,
    users: Annotated[int, typer.Option(min=1, help="Users to rank them for.")] = 4096,
    dim: Annotated[int, typer.Option(min=2, help="Dimension of the vectors.")] = 64,
    threads: Threads = 1,
    rounds: Rounds = 3,
    as_json: AsJson = False,
) -> None:
    """Users per second in exact rankings of a whole corpus, beside the product of the vectors and a top 100 alone.

    Example: [bold]python -m benchmarks evaluate --items 100000[/]
    """
    with TemporaryDirectory() as folder:
        announce(f"simulating {items:,} items and {users:,} users")
        dataset, vectors = simulated_dataset(Path(folder), items, users), simulated_vectors(items, users, dim)
        test_rows = dataset.rows("test")
        block = max(1, min(QUERIES_AT_ONCE, LOGITS_AT_ONCE // items))

        def exact_ranks(call: int) -> None:
            rank(vectors, dataset, "test", 0, test_rows, candidates=None, causal=True, exclude_seen=True, ks=KS)

        def bare_product(call: int) -> None:
            for first in range(0, users, block):
                (vectors.users[first : first + block] @ vectors.items.T).topk(max(KS), dim=1)

        tasks: dict[str, Task] = {ADI: exact_ranks, BARE: bare_product}
        tune_allocator()  # as an evaluation does
        announce("ranking")
        with torch_threads(threads), torch.no_grad():
            in_turns(tasks, rounds=1, calls=1)  # touches memory for the first time
            times = in_turns(tasks, rounds=rounds, calls=1)
    settings = {
        "items": items, "users": users, "dim": dim, "ks": list(KS), "threads": threads, "rounds": rounds,
        "users_at_once": block,
    }  # fmt: skip
    summary: Row = {"rate_by_bare": round(times[ADI].per_second() / times[BARE].per_second(), 3)}
    show(Report("evaluate", settings, [_row(name, times[name], users) for name in tasks], summary), as_json)


def _row(name: str, times: Times, users: int) -> Row:
    least, most = times.spread_per_second(users)
    return {
        "way": name,
        "users_per_second": round(times.per_second(users), 1),
        "least": round(least, 1),
        "most": round(most, 1),
    }


@dataclass(frozen=True)
class StoredVectors:
    """A scorer that has the vectors of all users (n, dim) and items (m, dim), so that no tower is needed."""

    users: Tensor
    items: Tensor

    def against(self, domain: int, items: Array) -> Score:
        candidates = self.items if len(items) == len(self.items) else self.items[torch.from_numpy(items)]
        return lambda queries: self.scores(queries, candidates)

    def scores(self, queries: Queries, candidates: Tensor) -> Tensor:
        """Scores of n queries for the vectors of m candidates (n, m)."""
        return self.users[torch.from_numpy(queries.users.astype(np.int64))] @ candidates.T


def simulated_dataset(folder: Path, items: int, users: int) -> Dataset:
    """A log in which each user takes `HISTORY_LENGTH` items and then one more, the test; all items can be retrieved."""
    rng = np.random.default_rng([0, 0])
    log_users = np.tile(np.arange(users), HISTORY_LENGTH + 1)
    log = {"user": log_users, "item": rng.integers(items, size=len(log_users)), "time": np.arange(len(log_users))}
    for name, columns in (("log", log), ("corpus", {"item": np.arange(items)})):
        table = pa.table({column: arrow_numbers(values) for column, values in columns.items()})
        pq.write_table(table.append_column("domain", pa.repeat("all", len(table))), folder / f"{name}.parquet")
    schema = {
        "domains": {"column": "domain"},
        "interactions": {"path": "log.parquet", "user": "user", "item": "item", "time": "time"},
        "features": {
            "user": [{"name": "history", "kind": "behaviours"}],
            "item": [{"name": "item_id", "kind": "id"}],
        },
        "corpus": {"path": "corpus.parquet", "item": "item", "domain": "domain"},
        "split": {"kind": "time", "at": HISTORY_LENGTH * users, "validation": 0},
    }
    (folder / "schema.yaml").write_text(yaml.safe_dump(schema), encoding="utf-8")
    prepare(folder, folder / "prepared")
    return Dataset(folder / "prepared")


def simulated_vectors(items: int, users: int, dim: int) -> StoredVectors:
    """Vectors around the centres of topics, as those of a trained model are."""
    rng = np.random.default_rng([0, 1])
    centres = rng.standard_normal((max(2, items // ITEMS_PER_TOPIC), dim), dtype=np.float32)

    def around_centres(count: int) -> Tensor:
        offsets = rng.standard_normal((count, dim), dtype=np.float32)
        return torch.from_numpy(offsets + centres[rng.integers(len(centres), size=count)])

    return StoredVectors(around_centres(users), around_centres(items))
