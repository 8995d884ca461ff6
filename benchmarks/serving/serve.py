"""A bundle of the paper's size served over HTTP, beside faiss alone and other ways to find items.

A request is timed on the client's clock, one after the other over a connection that stays open. Rates are those of as
many requests at once as there are cores or more, the clients' work on the same machine included.
"""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Annotated

import numpy as np
import typer

from adi.bundle.engine import BundleEngine
from adi.data.arrays import Array
from adi.index.build import IndexSettings
from adi.index.searchers import faiss_threads
from benchmarks.options import AsJson, Calls, Dim, Domains, Items, K, MarketFolder, Rounds
from benchmarks.report import Report, Row, announce, show
from benchmarks.serving.market import MarketSize, market_bundle
from benchmarks.serving.peers import BundleIndexes, ExactScans, OneFilteredIndex, Peer, recall, recalls
from benchmarks.serving.server import Client, Server, request, request_body, serving
from benchmarks.timing import Task, Times, in_turns

RECALL_USERS = 100
"""Users in each domain whose exact top-k is known, for recall."""
BODY_REQUESTS = 64
FEW_CLIENTS, MANY_CLIENTS = 4, 64
RATE_REQUESTS = 1024
"""Requests in each round that measures rates."""
SCAN_CALLS = 10
"""An exact scan is called this many times less often than the others."""

SERVED, FEW, MANY = "served over HTTP", f"served, {FEW_CLIENTS} clients", f"served, {MANY_CLIENTS} clients"
BODIES = f"served, {FEW_CLIENTS} clients, {BODY_REQUESTS} in a body"
FAISS, FILTERED, SCAN = "faiss alone, the same index", "one index, filtered by domain", "exact scan"
WAYS = (SERVED, FEW, MANY, BODIES, FAISS, FILTERED, SCAN)


def serve(
    folder: MarketFolder,
    items: Items = 2_240_000,
    domains: Domains = 3,
    dim: Dim = 64,
    active: Annotated[
        int, typer.Option(min=0, help="Items that are clicked now, of a model with trends; 0: a model without.")
    ] = 0,
    k: K = 500,
    rounds: Rounds = 5,
    calls: Calls = 256,
    as_json: AsJson = False,
) -> None:
    """Time, recall and memory of a simulated market as large as the paper's, served over HTTP, beside faiss alone.

    Example: [bold]python -m benchmarks serve --folder market --items 200000[/]
    """
    size = MarketSize(items=items, domains=domains, dim=dim, active=active)
    bundle = market_bundle(folder, size, IndexSettings(k=k, exact_below=min(100_000, items)))
    engine = BundleEngine(bundle)
    sample = _sample(engine, max(RECALL_USERS, calls * rounds), k)
    peers, recall_by_way, exact = _peers(bundle, engine, sample)
    with serving(bundle, workers=2) as server, server.connect() as client, faiss_threads(1):
        announce("sending one request after the other")
        positions = [_served_positions(client, engine, domain, sample) for domain in range(domains)]
        if not active:  # else lists are not those of the index alone; the export has compared them with the model's
            recall_by_way[SERVED] = [recall(*pair) for pair in zip(positions, exact, strict=True)]
        times = _times(client, peers, sample, rounds, calls)
        announce("sending as many requests as the server can take")
        rates = _rates(server, peers[FAISS], sample, rounds)
        resident_mb = server.resident_mb()
    if engine.trends is not None:
        active = len(engine.trends.trending[0].active.positions)
    vectors_mb = 2 * dim * items * domains / 1e6
    summary: Row = {
        "ready_s": round(server.start_seconds, 2),
        "resident_mb": resident_mb,
        "vectors_mb": round(vectors_mb),
        "resident_by_vectors": None if resident_mb is None else round(resident_mb / vectors_mb, 2),
        "active": active,
        "rate_few_by_alone": round(rates[FEW] / rates[FAISS], 3),
        "rate_many_by_alone": round(rates[MANY] / rates[FAISS], 3),
        "rate_bodies_by_alone": round(rates[BODIES] / rates[FAISS], 3),
        "recall_at_export": min(domain.parity.recall for domain in engine.info.domains.values()),
    }
    rows = [_row(way, times.get(way), rates.get(way), recall_by_way.get(way)) for way in WAYS]
    settings = {**size.model_dump(), "k": k, "rounds": rounds, "calls": calls}
    show(Report("serve", settings, rows, summary), as_json)


def _row(way: str, times: Times | None, rate: float | None, recalls: Sequence[float] | None) -> Row:
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


@dataclass(frozen=True)
class Sample:
    """n users and their vectors in each domain (n, dim). Request i is of user i mod n in domain i mod D."""

    users: Sequence[str]
    domains: Sequence[str]
    vectors: Sequence[Array]
    k: int

    def body(self, *numbers: int) -> bytes:
        """The body of requests by number."""
        return request_body([
            request(self.users[number % len(self.users)], self.domains[number % len(self.domains)], self.k)
            for number in numbers
        ])  # fmt: skip

    def search(self, peer: Peer, number: int) -> Array:
        """The positions that a peer finds for a request (1, k)."""
        domain = number % len(self.domains)
        return peer.top(self.vectors[domain][[number % len(self.users)]], self.k, domain)


def _sample(engine: BundleEngine, count: int, k: int) -> Sample:
    """Random users, as they are in the log."""
    dataset = engine.dataset
    users = np.random.default_rng(0).choice(len(dataset.users), count)
    vectors = []
    for domain in range(len(dataset.domains)):
        queries = dataset.latest(users, np.full(count, domain), {})
        dim = engine.indexes[domain].card.dim  # without the weights of trends
        vectors.append(engine.vectors(domain, queries)[:, 0, :dim])  # (n, 1, dim) -> (n, dim)
    return Sample(dataset.users.keys_of(users), dataset.domains, vectors, k)


def _peers(
    bundle: Path, engine: BundleEngine, sample: Sample
) -> tuple[dict[str, Peer], dict[str, list[float]], list[Array]]:
    """The other ways to find items, the recall of each by domain, and the exact positions for the first users."""
    queries, k = [vectors[:RECALL_USERS] for vectors in sample.vectors], sample.k
    indexes = BundleIndexes(bundle, engine.info)
    vectors = indexes.vectors()
    scans = ExactScans(vectors)
    with faiss_threads(2):
        announce("finding the exact results")
        exact = [scans.top(domain_queries, k, domain) for domain, domain_queries in enumerate(queries)]
        recall_by_way = {FAISS: recalls(indexes, queries, exact, k), SCAN: [1.0] * len(queries)}
        announce("building one index for all domains")
        filtered = OneFilteredIndex(vectors, IndexSettings(k=k))
        filtered.tune(queries, exact, k, min(recall_by_way[FAISS]))
        recall_by_way[FILTERED] = recalls(filtered, queries, exact, k)
    return {FAISS: indexes, FILTERED: filtered, SCAN: scans}, recall_by_way, exact


def _served_positions(client: Client, engine: BundleEngine, domain: int, sample: Sample) -> Array:
    """The positions, in a domain's index, of what the server finds for the first users (n, k)."""
    name = sample.domains[domain]
    rows = []
    for user in sample.users[:RECALL_USERS]:
        response = json.loads(client.retrieve(request_body([request(user, name, sample.k)])))
        ids = response["results"][0]["domains"][name]["items"]
        items = np.asarray([engine.dataset.items.find(item) for item in ids], dtype=np.int32)
        rows.append(np.searchsorted(engine.items(domain), items))
    return np.stack(rows)


def _times(client: Client, peers: Mapping[str, Peer], sample: Sample, rounds: int, calls: int) -> dict[str, Times]:
    """Times of single requests: served, and searched for by each peer."""
    bodies = [sample.body(number) for number in range(len(sample.users))]

    def search(way: str) -> Task:
        return lambda call: sample.search(peers[way], call)

    tasks: dict[str, Task] = {
        SERVED: lambda call: client.retrieve(bodies[call % len(bodies)]),
        FAISS: search(FAISS),
        FILTERED: search(FILTERED),
    }
    in_turns({SERVED: tasks[SERVED], FAISS: tasks[FAISS]}, rounds=1, calls=calls)  # not counted
    times = in_turns(tasks, rounds=rounds, calls=calls)
    return times | in_turns({SCAN: search(SCAN)}, rounds=rounds, calls=max(1, calls // SCAN_CALLS))


def _rates(server: Server, faiss_alone: Peer, sample: Sample, rounds: int) -> dict[str, float]:
    """Requests per second of a server with few clients, with many, and with few that send several in a body.

    Beside them stands the rate of faiss alone, searching in two threads.
    """
    bodies = [sample.body(number) for number in range(RATE_REQUESTS)]
    large_bodies = [
        sample.body(*range(first, first + BODY_REQUESTS)) for first in range(0, RATE_REQUESTS, BODY_REQUESTS)
    ]
    idle_clients: SimpleQueue[Client] = SimpleQueue()

    def send(body: bytes) -> None:
        client = idle_clients.get()
        client.retrieve(body)
        idle_clients.put(client)

    def search(number: int) -> None:
        with faiss_threads(1):
            sample.search(faiss_alone, number)

    with (
        ExitStack() as connections,
        ThreadPoolExecutor(FEW_CLIENTS) as few,
        ThreadPoolExecutor(MANY_CLIENTS) as many,
        ThreadPoolExecutor(2) as searchers,
    ):
        for _ in range(MANY_CLIENTS):
            idle_clients.put(connections.enter_context(server.connect()))
        tasks: dict[str, Task] = {
            FEW: lambda call: list(few.map(send, bodies)),
            MANY: lambda call: list(many.map(send, bodies)),
            BODIES: lambda call: list(few.map(send, large_bodies)),
            FAISS: lambda call: list(searchers.map(search, range(RATE_REQUESTS))),
        }
        times = in_turns(tasks, rounds=rounds, calls=1)
    return {way: way_times.per_second(RATE_REQUESTS) for way, way_times in times.items()}
