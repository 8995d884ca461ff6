"""A simulated market as large as the paper's, and the bundle of a model of it that needs no training.

Items belong to topics and topics to fields; most items are of a few topics. A user likes a few topics and clicks on
their items. The embeddings of items are drawn around those of their topic, and the networks are those of an untrained
ADI-SE, whose towers return a weighted sum of the features in any case. Vectors therefore lie as those of a trained
model do: in clusters of clusters of unequal size, each user near the items of a few topics. Every item can be retrieved
in every domain.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import yaml
from pydantic import Field

from adi.bundle.manifest import MANIFEST
from adi.data.arrays import Array
from adi.data.dataset import Dataset
from adi.errors import ArgumentError
from adi.exporting.export import export
from adi.features.trends import LEAST_COUNT
from adi.index.build import IndexSettings
from adi.preparation.prepare import prepare
from adi.strict import Strict
from benchmarks.report import announce
from benchmarks.towers import ADI, write_untrained_run

BUNDLE, SIZE_FILE = "bundle", "market.json"
ITEMS_PER_TOPIC = 560
TOPICS_PER_FIELD = 60
TOPICS_PER_USER = 3
CLICKS_PER_USER = 11
TEST_ROWS = 3000
"""Test rows in each domain; an index is tuned and checked with those whose users have a history."""


class MarketSize(Strict):
    """The items of each domain, the domains, the dimension of the items' vectors, and the items that are clicked now.

    With `active` above 0 the model has trends, and about that many items are active at the end of the log.
    """

    items: int = Field(2_240_000, ge=1000)
    domains: int = Field(3, ge=1, le=1000)
    dim: int = Field(64, ge=2)
    active: int = Field(0, ge=0)
    seed: int = 0

    @property
    def topics(self) -> int:
        return max(2, self.items // ITEMS_PER_TOPIC)

    @property
    def users(self) -> int:
        return max(100, self.items // CLICKS_PER_USER)


def market_bundle(folder: Path, size: MarketSize, settings: IndexSettings) -> Path:
    """The bundle of a market in `folder`; made unless an earlier call has left it there.

    Raises `ArgumentError` for a folder with another market or anything else in it.
    """
    bundle, wanted = folder / BUNDLE, {**size.model_dump(), "k": settings.k}
    if (bundle / MANIFEST).exists():
        stored = json.loads((folder / SIZE_FILE).read_text(encoding="utf-8"))
        if stored != wanted:
            raise ArgumentError("folder", f"{folder} holds a market of {stored}, not of {wanted}. Give another.")
        return bundle
    if folder.exists() and any(folder.iterdir()):
        raise ArgumentError("folder", f"{folder} is not empty. Give another.")
    announce(f"simulating {size.items:,} items in {size.domains} domains")
    run = market_run(folder, size)
    announce("exporting the bundle, with an index for each domain that is built and tuned")
    export(run, bundle, settings=settings)
    for leftover in ("tables", "prepared", "run"):
        shutil.rmtree(folder / leftover)
    (folder / SIZE_FILE).write_text(json.dumps(wanted), encoding="utf-8")
    return bundle


def market_run(folder: Path, size: MarketSize) -> Path:
    """Write a market's tables, prepare them, and write the run of the untrained model; returns the run's folder."""
    rng = np.random.default_rng([size.seed, 0])
    popularity = 1 / np.arange(1, size.topics + 1) ** 0.7
    popularity /= popularity.sum()
    item_topics = rng.choice(size.topics, size.items, p=popularity)  # (items,)
    _write_tables(folder / "tables", size, item_topics, popularity, rng)
    prepare(folder / "tables" / "schema.yaml", folder / "prepared")
    settings = {"embedding_dim": size.dim, "dim": size.dim, "popularity_prior": False}
    embeddings = _item_embeddings(size, item_topics)
    write_untrained_run(folder / "run", Dataset(folder / "prepared"), ADI, settings, embeddings, seed=size.seed)
    return folder / "run"


def _write_tables(
    folder: Path, size: MarketSize, item_topics: Array, popularity: Array, rng: np.random.Generator
) -> None:
    """Write a click on each item in a random domain, and later a few more, which are the test.

    So every item is in the training rows. All items are eligible in all domains.
    """
    folder.mkdir(parents=True)
    user_topics = rng.choice(size.topics, (size.users, TOPICS_PER_USER), p=popularity)
    clicked = np.concatenate([rng.permutation(size.items), rng.integers(size.items, size=TEST_ROWS * size.domains)])
    users = _clicking_users(item_topics[clicked], user_topics, size, rng)
    items, domains = _ids("i", size.items), pa.array([f"d{number}" for number in range(size.domains)])
    log = {
        "user": _ids("u", size.users).take(pa.array(users)),
        "item": items.take(pa.array(clicked)),
        "domain": domains.take(pa.array(rng.integers(size.domains, size=len(clicked)))),
        "ts": pa.array(np.arange(len(clicked))),
    }
    fields = [f"f{topic // TOPICS_PER_FIELD}" for topic in item_topics]
    eligible = {
        "item": pa.concat_arrays([items] * size.domains),
        "domain": domains.take(pa.array(np.repeat(np.arange(size.domains), size.items))),
    }
    pq.write_table(pa.table(log), folder / "clicks.parquet")
    pq.write_table(pa.table({"item": items, "field": fields}), folder / "items.parquet")
    pq.write_table(pa.table(eligible), folder / "eligible.parquet")
    schema = {
        "domains": {"column": "domain", "values": domains.to_pylist()},
        "interactions": {"path": "clicks.parquet", "user": "user", "item": "item", "time": "ts"},
        "tables": {"items": {"path": "items.parquet", "key": "item"}},
        "features": {
            "user": [
                {"name": "history", "kind": "behaviours", "length": 50},
                {"name": "history_here", "kind": "behaviours", "length": 20, "domain": "same"},
            ],
            "item": [{"name": "item_id", "kind": "id"}, {"name": "field", "kind": "categorical", "table": "items"}],
        },
        "corpus": {"path": "eligible.parquet", "item": "item", "domain": "domain"},
        "split": {"kind": "time", "at": size.items, "validation": 0},
    }
    if size.active:
        # The log has a click at each unit of time, on an item of its own; each is heard for the logarithm below.
        longest = size.active / -np.log2(LEAST_COUNT)
        lives = [float(longest / 2**halvings) for halvings in (6, 5, 4, 3, 1, 0)]
        others = {name: {"half_lives": lives[-2:]} for name in ("co_clicks", "audience")}
        schema["trend"] = {"half_lives": lives, "delay": 1, **others}
    (folder / "schema.yaml").write_text(yaml.safe_dump(schema, sort_keys=False), encoding="utf-8")


def _clicking_users(click_topics: Array, user_topics: Array, size: MarketSize, rng: np.random.Generator) -> Array:
    """A random user for each click (clicks,): one of those who like the topic, where there are any."""
    by_topic = np.argsort(user_topics, axis=None, kind="stable")  # positions in user_topics.ravel()
    offsets = np.searchsorted(user_topics.ravel()[by_topic], np.arange(size.topics + 1))
    num_fans = np.diff(offsets)[click_topics]
    positions = offsets[click_topics] + (rng.random(len(click_topics)) * num_fans).astype(np.int64)
    fans = by_topic[np.minimum(positions, len(by_topic) - 1)] // TOPICS_PER_USER
    return np.where(num_fans > 0, fans, rng.integers(size.users, size=len(click_topics)))


def _ids(prefix: str, count: int) -> pa.Array:
    width = len(str(count - 1))
    return pa.array([f"{prefix}{number:0{width}}" for number in range(count)])


def _item_embeddings(size: MarketSize, item_topics: Array) -> torch.Tensor:
    """Embeddings drawn around those of the items' topics, which are drawn around those of their fields (items, dim)."""
    rng = np.random.default_rng([size.seed, 1])
    fields = rng.standard_normal((size.topics // TOPICS_PER_FIELD + 1, size.dim), dtype=np.float32)
    topics = rng.standard_normal((size.topics, size.dim), dtype=np.float32) * 0.7
    topics += fields[np.arange(size.topics) // TOPICS_PER_FIELD]
    items = rng.standard_normal((size.items, size.dim), dtype=np.float32)
    items *= 0.7
    items += topics[item_topics]
    return torch.from_numpy(items)
