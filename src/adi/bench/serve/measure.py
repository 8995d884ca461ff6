"""`adi bench serve`: a bundle of the paper's size over HTTP, beside faiss alone and other ways to find items."""

import json
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue

import numpy as np

from adi.bench.report import Report, Value
from adi.bench.serve.market import MarketSize, build_market
from adi.bench.serve.peers import FlatScan, OneDomainAlone, OneIndexForAll, recall
from adi.bench.serve.server import Client, Server, asked, body_of, serving
from adi.bench.timing import Times, in_turns
from adi.bundle.engine import BundleEngine
from adi.bundle.manifest import MANIFEST, read_bundle_info
from adi.data.arrays import Array
from adi.errors import AdiError
from adi.index.build import IndexSettings
from adi.index.searchers import faiss_threads

BUNDLE, SIZE = "bundle", "market.json"
TRUTH = 100
"""Queries of each domain whose exact top k is found, for recall."""
AT_ONCE = 64
"""Requests in one body, where several are sent at once."""
FEW, MANY = 4, 64
"""Clients at work at once, for the rates."""
RATED = 1024
"""Requests of each round in which rates are measured."""
SLOW = 10
"""An exact scan is called so many times less."""

Tell = Callable[[str], None]


def prepare_bundle(folder: Path, size: MarketSize, settings: IndexSettings, tell: Tell) -> Path:
    """The bundle in a folder of earlier calls, or a new one; raises `AdiError` for a folder of something else."""
    from adi.exporting.export import export

    bundle, wanted = folder / BUNDLE, {**size.model_dump(), "k": settings.k}
    if (bundle / MANIFEST).exists():
        made = json.loads((folder / SIZE).read_text(encoding="utf-8"))
        if made != wanted:
            raise AdiError(f"{folder}: holds a market of {made}, and {wanted} is asked for. Give another --folder.")
        return bundle
    if folder.exists() and any(folder.iterdir()):
        raise AdiError(f"{folder}: exists, and is not empty. Give another --folder.")
    tell(f"simulating {size.items:,} items in {size.domains} domains")
    run = build_market(folder, size)
    tell("exporting the bundle; an index of each domain is built and tuned")
    export(run, bundle, settings=settings)
    for done in ("tables", "prepared", "run"):
        shutil.rmtree(folder / done)
    (folder / SIZE).write_text(json.dumps(wanted), encoding="utf-8")
    return bundle


def bench_serve(
    folder: Path, size: MarketSize, *, k: int = 500, rounds: int = 5, calls: int = 256, tell: Tell = lambda text: None
) -> Report:
    """Measure it; `folder` keeps the bundle for the next call.

    The time of a request is that of one after the other, over a connection that stays open, on the client's clock.
    What is done in a second is with as many at work as there are cores, all on this machine, the client's share too.
    """
    bundle = prepare_bundle(folder, size, IndexSettings(k=k, exact_below=min(100_000, size.items)), tell)
    engine = BundleEngine(bundle)
    names = engine.dataset.domains
    users = np.random.default_rng(size.seed).choice(len(engine.dataset.users), max(TRUTH, calls * rounds))
    keys = engine.dataset.users.keys_of(users)
    vectors = [_vectors(engine, domain, users) for domain in range(len(names))]
    alone = [OneDomainAlone(bundle, own.index) for own in engine.info.domains.values()]
    stored = [own.vectors() for own in alone]
    scans = [FlatScan(own) for own in stored]
    tell("finding the exact answers")
    with faiss_threads(2):
        truth = [scan.top(own[:TRUTH], k) for scan, own in zip(scans, vectors, strict=True)]
        recalls = [
            recall(own.top(asking[:TRUTH], k), exact) for own, asking, exact in zip(alone, vectors, truth, strict=True)
        ]
        tell("building one index for all domains")
        single = OneIndexForAll(stored, IndexSettings(k=k))
        single.tune([own[:TRUTH] for own in vectors], truth, k, min(recalls))
        in_single = [
            recall(single.top(own[:TRUTH], k, domain), exact)
            for domain, (own, exact) in enumerate(zip(vectors, truth, strict=True))
        ]
    with serving(bundle, workers=2) as server, server.connect() as client, faiss_threads(1):
        tell("asking")
        bodies = [body_of([asked(key, names[call % len(names)], k)]) for call, key in enumerate(keys)]
        served = [_served(client, engine, domain, keys[:TRUTH], k) for domain in range(len(names))]

        def ask(call: int) -> None:
            client.post(bodies[call % len(bodies)])

        def search(tops: Sequence[OneDomainAlone] | Sequence[FlatScan]) -> Callable[[int], object]:
            return lambda call: tops[call % len(tops)].top(vectors[call % len(tops)][[call % len(keys)]], k)

        def search_single(call: int) -> None:
            domain = call % len(names)
            single.top(vectors[domain][[call % len(keys)]], k, domain)

        in_turns({"warm": ask, "too": search(alone)}, rounds=1, calls=calls)
        times = in_turns(
            {"served": ask, "alone": search(alone), "single": search_single}, rounds=rounds, calls=calls
        ) | in_turns({"scan": search(scans)}, rounds=rounds, calls=max(1, calls // SLOW))
        tell("asking as much as it can take")
        rates = _rates(server, alone, vectors, keys, names, k, rounds)
        resident = server.resident()
    sizes = 2 * size.dim * size.items * size.domains
    rows = [
        _row(
            "served over HTTP",
            times["served"],
            None,
            [recall(*pair) for pair in zip(served, truth, strict=True)],
        ),
        _row(f"served, {FEW} clients", None, rates["few"], None),
        _row(f"served, {MANY} clients", None, rates["many"], None),
        _row(f"served, {FEW} clients, {AT_ONCE} in a body", None, rates["bodies"], None),
        _row(OneDomainAlone.name, times["alone"], rates["alone"], recalls),
        _row(OneIndexForAll.name, times["single"], None, in_single),
        _row(FlatScan.name, times["scan"], None, [1.0] * len(names)),
    ]
    found: dict[str, Value] = {
        "ready_s": round(server.ready, 2),
        "resident_mb": None if resident is None else round(resident / 1e6),
        "vectors_mb": round(sizes / 1e6),
        "resident_by_vectors": None if resident is None else round(resident / sizes, 2),
        **{f"rate_{name}_by_alone": round(rates[name] / rates["alone"], 3) for name in ("few", "many", "bodies")},
        "recall_at_export": min(own.parity.recall for own in read_bundle_info(bundle).domains.values()),
    }
    settings = {**size.model_dump(), "k": k, "rounds": rounds, "calls": calls}
    return Report("serve", settings, rows, found, seed=size.seed)


def _row(way: str, times: Times | None, rate: float | None, recalls: Sequence[float] | None) -> dict[str, Value]:
    least, most = (None, None) if times is None else times.spread_ms(50)
    return {
        "way": way,
        "p50_ms": None if times is None else round(times.percentile_ms(50), 3),
        "p50_least": None if least is None else round(least, 3),
        "p50_most": None if most is None else round(most, 3),
        "p99_ms": None if times is None else round(times.percentile_ms(99), 3),
        "per_second": None if rate is None else round(rate, 1),
        "recall": None if recalls is None else round(min(recalls), 4),
    }


def _vectors(engine: BundleEngine, domain: int, users: Array) -> Array:
    """What the domain's tower makes of users as they are in the log (n, dim)."""
    queries = engine.dataset.latest(users, np.full(len(users), domain), {})
    made = engine.vectors(domain, queries)  # (n, interests, dim)
    return made.reshape(len(users), -1)


def _served(client: Client, engine: BundleEngine, domain: int, keys: Sequence[str], k: int) -> Array:
    """The places, in the domain's index, of what the server finds for users (n, k)."""
    name = engine.dataset.domains[domain]
    places = []
    for key in keys:
        answer = json.loads(client.post(body_of([asked(key, name, k)])))
        items = answer["results"][0]["domains"][name]["items"]
        numbers = np.asarray([engine.dataset.items.find(item) for item in items], dtype=np.int32)
        places.append(np.searchsorted(engine.items(domain), numbers))
    return np.stack(places)


def _rates(
    server: Server,
    alone: Sequence[OneDomainAlone],
    vectors: Sequence[Array],
    keys: Sequence[str],
    names: Sequence[str],
    k: int,
    rounds: int,
) -> dict[str, float]:
    """How many top-Ks in a second: by the server, asked by few clients, many, or few with several requests in a body;
    and by faiss alone in two threads."""
    numbers = [number % len(keys) for number in range(RATED)]
    asks = [asked(keys[number], names[number % len(names)], k) for number in numbers]
    one = [body_of([ask]) for ask in asks]
    several = [body_of(asks[first : first + AT_ONCE]) for first in range(0, RATED, AT_ONCE)]
    free: SimpleQueue[Client] = SimpleQueue()

    def post(body: bytes) -> None:
        client = free.get()
        client.post(body)
        free.put(client)

    def search(number: int) -> None:
        with faiss_threads(1):
            domain = number % len(names)
            alone[domain].top(vectors[domain][[number]], k)

    with (
        ExitStack() as open_clients,
        ThreadPoolExecutor(FEW) as few,
        ThreadPoolExecutor(MANY) as many,
        ThreadPoolExecutor(2) as searchers,
    ):
        for _ in range(MANY):
            free.put(open_clients.enter_context(server.connect()))
        times = in_turns(
            {
                "few": lambda call: list(few.map(post, one)),
                "many": lambda call: list(many.map(post, one)),
                "bodies": lambda call: list(few.map(post, several)),
                "alone": lambda call: list(searchers.map(search, numbers)),
            },
            rounds=rounds,
            calls=1,
        )
    return {name: own.per_second(RATED) for name, own in times.items()}
