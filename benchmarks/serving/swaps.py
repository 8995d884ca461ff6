"""Bundles that go live one after the other, and a spoiled one that is refused, while clients send requests.

The bundles are those of two models in turns, whose lists have few items in common, so that a list shows which of them
it is from. Each client asks for one user's lists in all domains, and again as soon as it has the response.
"""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from threading import Event
from time import perf_counter, sleep
from typing import Annotated, Any

import numpy as np
import typer

from adi.bundle.engine import BundleEngine
from adi.bundle.manifest import MANIFEST, read_bundle_info
from adi.data.sealed import write_sealed
from adi.errors import AdiError
from adi.index.build import IndexSettings
from benchmarks.options import AsJson, Items
from benchmarks.report import Report, Row, announce, show
from benchmarks.serving.market import MarketSize, market_bundle
from benchmarks.serving.server import Server, request, request_body, serving

DOMAINS, K = 3, 50
CLIENTS = 4
USERS = 64
INTERVALS = 4
"""Rows of the table: the time is shown in as many parts."""
MIN_OVERLAP = 0.9
"""Share of a bundle's list that a response has to hold: rounding may change an item at the end."""
LOOK_SECONDS = 0.02
"""Seconds between two looks at the live bundle."""

Lists = Mapping[tuple[str, str], frozenset[str]]
"""The items of a top-k, by user and domain."""


@dataclass
class ClientLog:
    """The record of a client: the time of each request, in seconds from the start, its duration, and all faults."""

    sent: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Look:
    """The live version and the server's memory, at a moment in seconds from the start."""

    moment: float
    version: str
    resident_mb: int | None


def swaps(
    folder: Annotated[Path, typer.Option(help="Keeps the two bundles for the next call.")],
    items: Items = 20_000,
    seconds: Annotated[float, typer.Option(min=1, help="How long clients send requests.")] = 60,
    swaps: Annotated[int, typer.Option(min=1, help="Bundles that go live meanwhile.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Faults, time and memory while bundles go live one after the other, and a bad one is refused, under requests.

    Example: [bold]python -m benchmarks swaps --folder markets[/]
    """
    bundles = [
        market_bundle(folder / name, MarketSize(items=items, domains=DOMAINS, seed=seed), IndexSettings(k=K))
        for seed, name in enumerate("ab")
    ]
    domains = read_bundle_info(bundles[0]).domains
    users = BundleEngine(bundles[0]).dataset.users.keys_of(np.arange(USERS))
    lists_by_version = {read_bundle_info(bundle).version: _lists(bundle, users) for bundle in bundles}
    bodies = {user: request_body([request(user, domain, K) for domain in domains]) for user in users}
    live = folder / "live"
    shutil.rmtree(live, ignore_errors=True)
    first = _publish(bundles[0], live, 0)
    with serving(first, workers=2, watch=live) as server, ThreadPoolExecutor(CLIENTS) as clients:
        announce(f"sending requests for {seconds:g} seconds")
        end, start = Event(), perf_counter()
        sending = [
            clients.submit(_send, server, bodies, lists_by_version, client, start, end) for client in range(CLIENTS)
        ]
        try:
            looks = _swap(server, bundles, live, start, seconds, swaps)
            with server.connect() as client:
                refused = _counter(client.get("/metrics").decode(), "adi_bundles_refused_total")
        finally:
            end.set()
        logs = [future.result() for future in sending]
    shutil.rmtree(live)
    faults = [fault for log in logs for fault in log.faults]
    summary: Row = {
        "requests": sum(len(log.seconds) for log in logs),
        "faults": len(faults),
        "first_fault": faults[0] if faults else None,
        "swaps": sum(before.version != after.version for before, after in pairwise(looks)),
        "refused": refused,
    }
    settings = {"items": items, "domains": DOMAINS, "k": K, "seconds": seconds, "swaps": swaps, "clients": CLIENTS}
    show(Report("swaps", settings, _rows(logs, looks, seconds), summary), as_json)


def _lists(bundle: Path, users: Sequence[str]) -> Lists:
    """The top-k that a bundle has for users in each domain."""
    engine = BundleEngine(bundle)
    lists = {}
    for domain, name in enumerate(engine.dataset.domains):
        queries = engine.dataset.latest(np.arange(len(users)), np.full(len(users), domain), {})
        tops = engine.search(domain, queries, K, excluded=[np.empty(0, dtype=np.int64)] * len(users))
        for user, top in zip(users, tops, strict=True):
            lists[user, name] = frozenset(engine.dataset.items.keys_of(engine.items(domain)[top.positions]))
    return lists


def _publish(bundle: Path, live: Path, number: int, *, spoiled: bool = False) -> Path:
    """Copy a bundle into the folder that the server watches, as if exported now; `spoiled` has a changed byte."""
    hidden = live / f".{number}"
    shutil.copytree(bundle, hidden)
    created = datetime.now(UTC).isoformat(timespec="microseconds")
    info = read_bundle_info(hidden).model_copy(update={"created": created})
    write_sealed(hidden / MANIFEST, info.model_dump_json(indent=1))
    if spoiled:
        graph = next(hidden.rglob("*.onnx"))
        content = graph.read_bytes()
        graph.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    return hidden.rename(live / str(number))


def _swap(server: Server, bundles: Sequence[Path], live: Path, start: float, seconds: float, swaps: int) -> list[Look]:
    """Publish `swaps` bundles in turns, and a spoiled one halfway, evenly over the time; returns what was live."""
    looks: list[Look] = []
    halfway = (swaps + 1) // 2 + 1
    good = 0
    for number, moment in enumerate(np.linspace(0, seconds, swaps + 3)[1:-1], 1):
        looks += _looks(server, start, float(moment))
        if number == halfway:
            _publish(bundles[(good + 1) % 2], live, number, spoiled=True)
        else:
            good += 1
            _publish(bundles[good % 2], live, number)
    return looks + list(_looks(server, start, seconds))


def _looks(server: Server, start: float, until: float) -> Iterator[Look]:
    """Look at what is live, again and again until a moment."""
    with server.connect() as client:
        while (moment := perf_counter() - start) < until:
            yield Look(moment, json.loads(client.get("/readyz"))["version"], server.resident_mb())
            sleep(LOOK_SECONDS)


def _send(
    server: Server,
    bodies: Mapping[str, bytes],
    lists_by_version: Mapping[str, Lists],
    first_user: int,
    start: float,
    end: Event,
) -> ClientLog:
    """Send a request for one user after the other, until the end."""
    log, users, number = ClientLog(), list(bodies), first_user
    with server.connect() as client:
        while not end.is_set():
            user = users[number % len(users)]
            number += 1
            sent = perf_counter()
            try:
                content = client.retrieve(bodies[user])
            except (AdiError, OSError) as error:
                log.faults.append(f"no answer: {error}")
                continue
            finally:
                log.sent.append(sent - start)
                log.seconds.append(perf_counter() - sent)
            log.faults += response_faults(user, json.loads(content)["results"], lists_by_version)
    return log


def response_faults(
    user: str, results: Sequence[Mapping[str, Any]], lists_by_version: Mapping[str, Lists]
) -> Iterator[str]:
    """A sentence for each fault of a response: results of several versions, or a list that is not of its version."""
    versions = {result["version"] for result in results}
    if len(versions) != 1:
        yield f"a body answered by {len(versions)} versions"
    for result in results:
        for domain, answer in result["domains"].items():
            expected = lists_by_version[result["version"]][user, domain]
            if len(expected.intersection(answer["items"])) < MIN_OVERLAP * len(expected):
                yield f"a list that is not of the version that it names, {result['version']}"


def _counter(text: str, name: str) -> int:
    """The value of a counter in Prometheus's text format."""
    return int(float(next(line for line in text.splitlines() if line.startswith(f"{name} ")).split()[1]))


def _rows(logs: Sequence[ClientLog], looks: Sequence[Look], seconds: float) -> list[Row]:
    """A row for each part of the time."""
    sent = np.concatenate([log.sent for log in logs])
    milliseconds = np.concatenate([log.seconds for log in logs]) * 1e3
    rows: list[Row] = []
    for begin, end in pairwise(np.linspace(0, seconds, INTERVALS + 1)):
        in_interval = milliseconds[(sent >= begin) & (sent < end)]
        rows.append(
            {
                "seconds": f"{begin:g} to {end:g}",
                "requests": len(in_interval),
                "p50_ms": round(float(np.percentile(in_interval, 50)), 2),
                "p99_ms": round(float(np.percentile(in_interval, 99)), 2),
                "most_ms": round(float(in_interval.max()), 1),
                "resident_mb": [look.resident_mb for look in looks if look.moment < end][-1],
            }
        )
    return rows
