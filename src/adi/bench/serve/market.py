"""A market as large as the paper's, and a model of it that needs no training.

Items belong to topics, topics to fields; most items are of few topics. A user likes a few topics and takes items from
them. The embeddings of items are drawn around their topic's, and the networks of an untrained ADI-SE are left as they
start, beside the weighted sum of the features that its towers return in any case. So the vectors of users and items lie
as those of a trained model do: in clusters of clusters of unequal size, with a user near items of a few of them. Every
item can be retrieved in every domain.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import yaml
from pydantic import Field

from adi.data.arrays import Array
from adi.data.dataset import Dataset
from adi.models.catalog import TrainedModel, build, model_named
from adi.preparation.prepare import prepare
from adi.schema import Strict
from adi.training.checkpoint import save_tensors
from adi.training.run import new_info, settings_for, weights_file, write_json

MODEL = "adi-se"
ITEMS_OF_A_TOPIC = 560
TOPICS_OF_A_FIELD = 60
LIKED = 3
CLICKS_OF_A_USER = 11
TESTS = 3000
"""Test rows of each domain; an index is tuned and checked by those whose users have a history."""


class MarketSize(Strict):
    """How large a market is, and the vectors of its items."""

    items: int = Field(2_240_000, ge=1000)
    domains: int = Field(3, ge=1, le=1000)
    dim: int = Field(64, ge=2)
    seed: int = 0

    @property
    def topics(self) -> int:
        return max(2, self.items // ITEMS_OF_A_TOPIC)

    @property
    def users(self) -> int:
        return max(100, self.items // CLICKS_OF_A_USER)


def build_market(folder: Path, size: MarketSize) -> Path:
    """Write tables, prepare them, and write the run of the untrained model; returns the run's folder."""
    rng = np.random.default_rng([size.seed, 0])
    weights = 1 / np.arange(1, size.topics + 1) ** 0.7
    topics = rng.choice(size.topics, size.items, p=weights / weights.sum())  # (items,)
    _write_tables(folder / "tables", size, topics, weights, rng)
    prepared = folder / "prepared"
    prepare(folder / "tables" / "schema.yaml", prepared)
    run = folder / "run"
    _write_run(run, Dataset(prepared), size, topics)
    return run


def _keys(letter: str, count: int) -> pa.Array:
    width = len(str(count - 1))
    return pa.array([f"{letter}{number:0{width}}" for number in range(count)])


def _write_tables(folder: Path, size: MarketSize, topics: Array, weights: Array, rng: np.random.Generator) -> None:
    """A click on each item, by one of the users that like its topic, in some domain; all items eligible everywhere.

    Later come a few more clicks, which are the test, so that every item is one of training.
    """
    folder.mkdir(parents=True)
    liked = rng.choice(size.topics, (size.users, LIKED), p=weights / weights.sum())
    order = np.argsort(liked, axis=None, kind="stable")  # users, times LIKED, by topic
    cuts = np.searchsorted(liked.ravel()[order], np.arange(size.topics + 1))
    clicked = np.concatenate([rng.permutation(size.items), rng.integers(size.items, size=TESTS * size.domains)])
    own = topics[clicked]
    place = cuts[own] + (rng.random(len(own)) * np.diff(cuts)[own]).astype(np.int64)
    fans = order[np.minimum(place, len(order) - 1)] // LIKED
    users = np.where(np.diff(cuts)[own] > 0, fans, rng.integers(size.users, size=len(own)))
    items, names = _keys("i", size.items), pa.array([f"d{number}" for number in range(size.domains)])
    log = {
        "user": _keys("u", size.users).take(pa.array(users)),
        "item": items.take(pa.array(clicked)),
        "domain": names.take(pa.array(rng.integers(size.domains, size=len(own)))),
        "ts": pa.array(np.arange(len(own))),
    }
    pq.write_table(pa.table(log), folder / "clicks.parquet")
    pq.write_table(
        pa.table({"item": items, "field": [f"f{topic // TOPICS_OF_A_FIELD}" for topic in topics]}),
        folder / "items.parquet",
    )
    pq.write_table(
        pa.table({
            "item": pa.concat_arrays([items] * size.domains),
            "domain": names.take(pa.array(np.repeat(np.arange(size.domains), size.items))),
        }),
        folder / "eligible.parquet",
    )  # fmt: skip
    schema = {
        "domains": {"column": "domain", "values": names.to_pylist()},
        "interactions": {"path": "clicks.parquet", "user": "user", "item": "item", "time": "ts"},
        "tables": {"items": {"path": "items.parquet", "key": "item"}},
        "features": {
            "user": [
                {"name": "history", "kind": "behaviours", "length": 50},
                {"name": "history_here", "kind": "behaviours", "length": 20, "domain": "same"},
            ],
            "item": [
                {"name": "item_id", "kind": "id"},
                {"name": "field", "kind": "categorical", "table": "items"},
            ],
        },
        "corpus": {"path": "eligible.parquet", "item": "item", "domain": "domain"},
        "split": {"kind": "time", "at": size.items, "validation": 0},
    }
    (folder / "schema.yaml").write_text(yaml.safe_dump(schema, sort_keys=False), encoding="utf-8")


def _write_run(run: Path, dataset: Dataset, size: MarketSize, topics: Array) -> None:
    """The run of a model as it starts, but for the items' embeddings."""
    chosen = settings_for(MODEL, {"embedding_dim": size.dim, "dim": size.dim, "popularity_prior": False})
    kind = model_named(MODEL)
    assert isinstance(kind, TrainedModel)
    torch.manual_seed(size.seed)
    model = build(kind, dataset, chosen.model)  # type: ignore[arg-type]
    codes = dataset.feature("item", "item_id")
    first = model.tables.first["item_id"]
    with torch.no_grad():
        model.tables.weight[first + torch.from_numpy(codes[: size.items].astype(np.int64))] = _embeddings(size, topics)
    run.mkdir()
    save_tensors(run / weights_file(run, "mean", 0).name, model.state_dict())
    info = new_info(MODEL, size.seed, chosen, dataset, run)
    write_json(run / "run.json", info.model_copy(update={"status": "complete"}).model_dump_json(indent=1))


def _embeddings(size: MarketSize, topics: Array) -> torch.Tensor:
    """Of each item, drawn around its topic's, which is drawn around its field's (items, dim)."""
    rng = np.random.default_rng([size.seed, 1])
    fields = rng.standard_normal((size.topics // TOPICS_OF_A_FIELD + 1, size.dim), dtype=np.float32)
    centres = rng.standard_normal((size.topics, size.dim), dtype=np.float32) * 0.7
    centres += fields[np.arange(size.topics) // TOPICS_OF_A_FIELD]
    vectors = rng.standard_normal((size.items, size.dim), dtype=np.float32)
    vectors *= 0.7
    vectors += centres[topics]
    return torch.from_numpy(vectors)
