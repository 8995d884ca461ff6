"""`adi bench evaluate`: exact ranking of a whole corpus, beside the bare product of the same vectors and a top k."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import yaml
from pydantic import Field
from torch import Tensor

from adi.bench.report import Report, Value
from adi.bench.threads import torch_threads
from adi.bench.timing import Times, in_turns
from adi.data.arrays import Array, arrow_numbers
from adi.data.dataset import Dataset, Queries
from adi.evaluation.ranking import LOGITS_AT_ONCE, QUERIES_AT_ONCE, rank
from adi.machine import tune_allocator
from adi.models.scorer import Score
from adi.preparation.prepare import prepare
from adi.schema import Strict

KS = (10, 50, 100)
ITEMS_OF_A_TOPIC = 560
HISTORY = 50
DOMAIN = "all"

Tell = Callable[[str], None]


class CorpusSize(Strict):
    """How many items are ranked for how many users, by vectors of which size."""

    items: int = Field(500_000, ge=1000)
    users: int = Field(4096, ge=1)
    dim: int = Field(64, ge=2)
    seed: int = 0


@dataclass(frozen=True)
class StoredVectors:
    """A scorer with the vectors of all users (n, dim) and all items (m, dim) at hand: a ranking without towers."""

    users: Tensor
    items: Tensor

    def against(self, domain: int, items: Array) -> Score:
        own = self.items if len(items) == len(self.items) else self.items[torch.from_numpy(items)]
        return lambda queries: self.scores(queries, own)

    def scores(self, queries: Queries, items: Tensor) -> Tensor:
        """Of queries and the vectors of the items that are asked for (n, m)."""
        return self.users[torch.from_numpy(queries.users.astype(np.int64))] @ items.T


def bench_evaluate(size: CorpusSize, *, threads: int = 1, rounds: int = 3, tell: Tell = lambda text: None) -> Report:
    """Measure it: one test row of each user, with a history of some items.

    `adi.evaluation.ranking.rank` gives each row's exact rank without the items of the user's history, and how many
    items the lists show. The bare way multiplies the same vectors in blocks of the same size and takes the best 100.
    """
    with TemporaryDirectory() as folder:
        tell(f"simulating {size.items:,} items and {size.users:,} users")
        dataset = simulated_dataset(Path(folder), size)
        vectors = simulated_vectors(size)
        rows = dataset.rows("test")
        block = max(1, min(QUERIES_AT_ONCE, LOGITS_AT_ONCE // size.items))

        def ranking(call: int) -> None:
            rank(vectors, dataset, "test", 0, rows, candidates=None, causal=True, ks=KS)

        def bare(call: int) -> None:
            for first in range(0, size.users, block):
                (vectors.users[first : first + block] @ vectors.items.T).topk(max(KS), dim=1)

        tune_allocator()  # as an evaluation does
        tell("ranking")
        with torch_threads(threads), torch.no_grad():
            works = {"adi evaluate, exact ranks": ranking, f"product and top {max(KS)} alone": bare}
            in_turns(works, rounds=1, calls=1)  # the first call touches memory for the first time
            times = in_turns(works, rounds=rounds, calls=1)
    ours, alone = times.values()
    settings = {**size.model_dump(), "ks": list(KS), "threads": threads, "rounds": rounds, "users_at_once": block}
    found = {"rate_by_bare": round(ours.per_second() / alone.per_second(), 3)}
    table = [_row(way, own, size.users) for way, own in times.items()]
    return Report("evaluate", settings, table, found, seed=size.seed)


def _row(way: str, times: Times, users: int) -> dict[str, Value]:
    least, most = times.spread_per_second(users)
    return {
        "way": way,
        "users_per_second": round(times.per_second(users), 1),
        "least": round(least, 1),
        "most": round(most, 1),
    }


def simulated_dataset(folder: Path, size: CorpusSize) -> Dataset:
    """A log in which each user takes some items, and then one more, which is the test; all items may be retrieved."""
    rng = np.random.default_rng([size.seed, 0])
    users = np.tile(np.arange(size.users), HISTORY + 1)
    log = {"user": users, "item": rng.integers(size.items, size=len(users)), "time": np.arange(len(users))}
    for name, columns in (("log", log), ("corpus", {"item": np.arange(size.items)})):
        table = pa.table({column: arrow_numbers(values) for column, values in columns.items()})
        pq.write_table(table.append_column("domain", pa.repeat(DOMAIN, len(table))), folder / f"{name}.parquet")
    schema = {
        "domains": {"column": "domain"},
        "interactions": {"path": "log.parquet", "user": "user", "item": "item", "time": "time"},
        "features": {
            "user": [{"name": "history", "kind": "behaviours"}],
            "item": [{"name": "item_id", "kind": "id"}],
        },
        "corpus": {"path": "corpus.parquet", "item": "item", "domain": "domain"},
        "split": {"kind": "time", "at": HISTORY * size.users, "validation": 0},
    }
    (folder / "schema.yaml").write_text(yaml.safe_dump(schema), encoding="utf-8")
    prepare(folder, folder / "prepared")
    return Dataset(folder / "prepared")


def simulated_vectors(size: CorpusSize) -> StoredVectors:
    """Users and items near the centres of topics, as those of a trained model are."""
    rng = np.random.default_rng([size.seed, 1])
    centres = rng.standard_normal((max(2, size.items // ITEMS_OF_A_TOPIC), size.dim), dtype=np.float32)

    def drawn(count: int) -> Tensor:
        vectors = rng.standard_normal((count, size.dim), dtype=np.float32)
        return torch.from_numpy(vectors + centres[rng.integers(len(centres), size=count)])

    return StoredVectors(drawn(size.users), drawn(size.items))
