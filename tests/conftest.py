"""A small log written by hand, prepared once for all tests: unequal domains, one of a single item, awkward ids."""

import json
import shutil
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

from adi.data.dataset import Dataset
from adi.evaluation.breakdown import BREAKDOWNS
from adi.metrics import RECALL
from adi.preparation.prepare import prepare
from adi.runs.ranks import QueryRanks, write_ranks

pytest_plugins = [
    "browser",
    "cheaper",
    "displayed",
    "exhaustive",
    "later_data",
    "live_market",
    "servers",
    "trending",
    "workspace",
]

settings.register_profile("untimed", deadline=None)  # how fast a machine is, or how busy, is no test
settings.load_profile("untimed")

DOMAINS = {"s": "search", "f": "feed", "k": "kiosk"}

CLICKS = {  # each user's clicks in the order of time, as domain:item
    "ana": "s:pen s:ink f:pen s:cap f:mug s:jar k:map f:bag",
    "bo b": "f:bag s:pen s:mug s:été f:pen s:cap",
    "cy": "s:ink s:pen s:jar f:mug s:mug s:cap k:map",
    "dan": "k:map s:cap s:pen s:本 s:ink",
    "eve": "f:pen f:mug s:bag f:bag s:ink s:pen",
    "fay": "k:map",
    "gus": "k:map",
    "hal": "s:pen s:bag",
    "ida": "s:jar f:mug f:pen k:map s:ink",
    "joe": "s:mug s:été s:pen f:bag s:ink s:cap",
    "zoë": "s:pen s:cap f:mug s:ink s:本",
    "éric": "s:cap s:mug f:pen s:pen f:mug",
    "李": "f:mug s:pen s:ink s:jar",
}

USERS = [
    {"user": "ana", "age": "young", "langs": "en|fr"},
    {"user": "bo b", "age": "old", "langs": "en"},
    {"user": "cy", "age": "young", "langs": ""},
    {"user": "dan", "age": "young", "langs": "en|zh|fr"},
    {"user": "eve", "age": None, "langs": "zh"},
    {"user": "李", "age": "old", "langs": "zh|en"},
]
USER_DOMAIN = [
    {"user": "ana", "domain": "search", "level": "gold"},
    {"user": "ana", "domain": "feed", "level": "silver"},
    {"user": "cy", "domain": "search", "level": "gold"},
    {"user": "李", "domain": "kiosk", "level": "gold"},
]
ITEMS = [
    {"item": "pen", "price": 1.0, "tags": ["write", "blue"]},
    {"item": "ink", "price": 2.0, "tags": ["write"]},
    {"item": "cap", "price": 4.0, "tags": []},
    {"item": "mug", "price": 8.0, "tags": ["blue", "drink", "write"]},
    {"item": "été", "price": None, "tags": ["drink"]},
    {"item": "map", "price": 16.0, "tags": ["paper"]},
]
ITEM_DOMAIN = [
    {"item": "pen", "domain": "search", "bid": 1.0},
    {"item": "pen", "domain": "feed", "bid": 3.0},
    {"item": "mug", "domain": "feed", "bid": 1.0},
    {"item": "map", "domain": "kiosk", "bid": 3.0},
]
BIDS = {  # of every item that can be retrieved, as powers of two
    "search": {"bag": 6, "cap": 0, "ink": 3, "jar": 1.5, "mug": 2, "pen": -1, "été": 5, "本": 8},
    "feed": {"bag": 4, "mug": 0, "pen": 1},
    "kiosk": {"map": 3},
}
SCHEMA = """
domains: {column: domain, values: [search, feed, kiosk]}
interactions: {path: clicks.jsonl, user: user, item: item, time: time}
tables:
  users: {path: users.jsonl, key: user}
  user_domain: {path: user_domain.jsonl, key: [user, domain]}
  items: {path: items.jsonl, key: item}
  item_domain: {path: item_domain.jsonl, key: [item, domain]}
features:
  user:
    - {name: items, kind: behaviours, length: 4}
    - {name: items_here, kind: behaviours, length: 3, domain: same}
    - {name: age, kind: categorical, table: users}
    - {name: langs, kind: multi, separator: "|", table: users}
    - {name: level, kind: categorical, table: user_domain}
  item:
    - {name: item_id, kind: id}
    - {name: price, kind: numeric, buckets: 2, table: items}
    - {name: tags, kind: multi, table: items}
    - {name: bid, kind: numeric, buckets: 2, table: item_domain}
  context:
    - {name: device, kind: categorical}
    - {name: hour, kind: numeric, buckets: 3}
split: {kind: last, validation: 0.5, validation_least: 0}
"""


@pytest.fixture(scope="session", autouse=True)
def hears_ctrl_c() -> None:
    """Some tests send SIGINT, to themselves or a child; a shell ignores it for what it runs in the background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def clicks() -> list[tuple[str, str, str]]:
    """The log as (user, domain, item); those of one user in the order of time."""
    pairs = [(user, *click.split(":")) for user, row in CLICKS.items() for click in row.split()]
    return [(user, DOMAINS[domain], item) for user, domain, item in pairs]


@pytest.fixture(scope="session")
def tables(tmp_path_factory: pytest.TempPathFactory, clicks: list[tuple[str, str, str]]) -> Path:
    """The log, the feature tables and their schema; the log's lines are in no order."""
    folder = tmp_path_factory.mktemp("tables")
    log = [
        {
            "user": user,
            "item": item,
            "domain": domain,
            "time": place,
            "device": ("phone", "tablet", None)[place % 3],
            "hour": place % 24,
        }
        for place, (user, domain, item) in enumerate(clicks)
    ]
    log.sort(key=lambda row: row["time"] * 31 % 53)
    contents = {"clicks": log, "users": USERS, "user_domain": USER_DOMAIN, "items": ITEMS, "item_domain": ITEM_DOMAIN}
    for name, rows in contents.items():
        lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
        (folder / f"{name}.jsonl").write_text(lines + "\n", encoding="utf-8")
    (folder / "schema.yaml").write_text(SCHEMA, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def prepared(tables: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The hand-written log, prepared. Not to be written to."""
    out = tmp_path_factory.mktemp("prepared") / "dataset"
    prepare(tables / "schema.yaml", out)
    return out


@pytest.fixture(scope="session")
def prepared_with_bids(tables: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a bid for every item of each domain's corpus. Not to be written to."""
    folder = shutil.copytree(tables, tmp_path_factory.mktemp("bids") / "tables")
    rows = [
        {"item": item, "domain": domain, "bid": 2.0**power}
        for domain, own in BIDS.items()
        for item, power in own.items()
    ]
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    (folder / "item_domain.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    prepare(folder / "schema.yaml", folder.parent / "dataset")
    return folder.parent / "dataset"


@pytest.fixture(scope="session")
def dataset(prepared: Path) -> Dataset:
    return Dataset(prepared)


@pytest.fixture
def ranked_run(tmp_path: Path) -> Callable[..., Path]:
    """Makes an evaluated run from the test queries of each domain, as (user, rank) or (user, rank, history length).

    `evaluated` is the data of the evaluation in metrics.json, where it is not that of the training.
    """

    def make(
        name: str,
        queries: Mapping[str, Sequence[tuple[float, ...]]],
        *,
        model: str = "dnn",
        seed: int = 0,
        ks: tuple[int, ...] = (2, 10, 50),
        against: str = "corpus",
        history: str = "earlier",
        parameters: int | None = 4321,
        fingerprint: str = "f00d",
        prepared: str = "prepared",
        config: Mapping[str, Any] | None = None,
        evaluated: Mapping[str, Any] | None = None,
    ) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        query_ranks, first = {}, 0
        for domain, triples in queries.items():
            users, ranks, lengths = np.array([(*triple, 0)[:3] for triple in triples], dtype=float).reshape(-1, 3).T
            zeros = np.zeros(len(triples))
            by = dict.fromkeys(BREAKDOWNS, zeros) | {"history_length": lengths}
            rows = np.arange(first, first + len(triples))
            query_ranks[domain] = QueryRanks(rows, users.astype(np.int64), ranks, by)
            first += len(triples)
        measures = {
            domain: {"queries": len(part.ranks), "corpus": 99}
            | {f"recall@{k}": RECALL.mean(part.ranks, k) if len(part.ranks) else None for k in ks}
            for domain, part in query_ranks.items()
        }
        card = {"model": model, "seed": seed, "created": "2026-01-02", "domains": list(queries), "prepared": prepared}
        card |= {
            "status": "complete",
            "versions": {},
            "fingerprint": fingerprint,
            "parameters": parameters,
            "config": dict(config or {}),
        }
        metrics = {"part": "test", "against": against, "history": history, "ks": ks, "domains": measures}
        recalls = {f"recall@{k}": [part[f"recall@{k}"] for part in measures.values() if part["queries"]] for k in ks}
        metrics |= {"mean": {name: float(np.mean(values)) if values else None for name, values in recalls.items()}}
        metrics |= {"ranks": write_ranks(folder, query_ranks), **(evaluated or {})}
        (folder / "run.json").write_text(json.dumps(card), encoding="utf-8")
        (folder / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
        return folder

    return make
