"""`adi bench swaps`: bundles go live one after the other, and a bad one is refused, while clients ask."""

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

import numpy as np

from adi.bench.report import Report, Value
from adi.bench.serve.market import MarketSize
from adi.bench.serve.measure import Tell, prepare_bundle
from adi.bench.serve.server import Server, asked, body_of, serving
from adi.bundle.engine import BundleEngine
from adi.bundle.manifest import MANIFEST, read_bundle_info
from adi.errors import AdiError
from adi.index.build import IndexSettings

CLIENTS = 4
USERS = 64
PARTS = 4
"""The time is shown in so many parts."""
MOSTLY = 0.9
"""Of the items that its bundle has to have found, those that are in a list: rounding may change one at the end."""
LOOK = 0.02
"""Seconds between two looks at which bundle is live."""

Lists = Mapping[tuple[str, str], frozenset[str]]
"""The items of a list, by user and domain."""


@dataclass
class Seen:
    """What a client saw: when it asked, in seconds from the start, how long each answer took, and what was wrong."""

    asked: list[float] = field(default_factory=list)
    took: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Look:
    """The version that was live at a moment, and the server's memory."""

    moment: float
    version: str
    resident: int | None


def bench_swaps(
    folder: Path,
    *,
    items: int = 20_000,
    domains: int = 3,
    seconds: float = 60.0,
    swaps: int = 10,
    k: int = 50,
    tell: Tell = lambda text: None,
) -> Report:
    """Put `swaps` bundles, and a bad one amid them, into a folder that a server follows, evenly over `seconds`.

    Meanwhile clients ask for a user's lists in all domains, each again when it has its answer. The bundles are those of
    two models in turns, whose lists have little in common, so that a list tells which of them it is from. `folder`
    keeps them for the next call.
    """
    bundles = [
        prepare_bundle(folder / name, MarketSize(items=items, domains=domains, seed=seed), IndexSettings(k=k), tell)
        for seed, name in enumerate("ab")
    ]
    names = read_bundle_info(bundles[0]).domains
    users = BundleEngine(bundles[0]).dataset.users.keys_of(np.arange(USERS))
    expected = {read_bundle_info(bundle).version: _lists(bundle, users, k) for bundle in bundles}
    live = folder / "live"
    shutil.rmtree(live, ignore_errors=True)
    bodies = {user: body_of([asked(user, name, k) for name in names]) for user in users}
    with serving(_placed(bundles[0], live, 0), workers=2, watch=live) as server, ThreadPoolExecutor(CLIENTS) as clients:
        tell(f"asking for {seconds:g} seconds")
        end, started, looks = Event(), perf_counter(), list[Look]()
        asking = [clients.submit(_ask, server, bodies, expected, number, started, end) for number in range(CLIENTS)]
        try:
            moments = np.linspace(0, seconds, swaps + 3)[1:-1]
            for number, moment in enumerate(moments, 1):
                looks += _looks(server, started, float(moment))
                spoiled = number == len(moments) // 2 + 1
                turn = number - (number > len(moments) // 2 + 1)
                _placed(bundles[turn % 2], live, number, spoiled=spoiled)
            looks += _looks(server, started, seconds)
            with server.connect() as client:
                refused = _counted(client.get("/metrics").decode(), "adi_bundles_refused_total")
        finally:
            end.set()
        seen = [one.result() for one in asking]
    shutil.rmtree(live)
    faults = [fault for one in seen for fault in one.faults]
    found: dict[str, Value] = {
        "requests": sum(len(one.took) for one in seen),
        "faults": len(faults),
        "first_fault": faults[0] if faults else None,
        "swaps": sum(before.version != after.version for before, after in pairwise(looks)),
        "refused": refused,
    }
    settings = {"items": items, "domains": domains, "k": k, "seconds": seconds, "swaps": swaps, "clients": CLIENTS}
    return Report("swaps", settings, _rows(seen, looks, seconds), found)


def _lists(bundle: Path, users: Sequence[str], k: int) -> Lists:
    """What a bundle finds for users in each domain."""
    engine = BundleEngine(bundle)
    found = {}
    for domain, name in enumerate(engine.dataset.domains):
        queries = engine.dataset.latest(np.arange(len(users)), np.full(len(users), domain), {})
        tops = engine.search(domain, queries, k, excluded=[np.empty(0, dtype=np.int64)] * len(users))
        for user, top in zip(users, tops, strict=True):
            found[user, name] = frozenset(engine.dataset.items.keys_of(engine.items(domain)[top.positions]))
    return found


def _placed(bundle: Path, live: Path, number: int, *, spoiled: bool = False) -> Path:
    """A copy of a bundle in the folder that is followed, as if exported now; `spoiled`, with one byte of it changed."""
    hidden, place = live / f".{number}", live / str(number)
    shutil.copytree(bundle, hidden)
    manifest = hidden / MANIFEST
    now = datetime.now(UTC).isoformat(timespec="microseconds")
    manifest.write_text(json.dumps(json.loads(manifest.read_text("utf-8")) | {"created": now}), encoding="utf-8")
    if spoiled:
        graph = next(hidden.rglob("*.onnx"))
        content = graph.read_bytes()
        graph.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    return hidden.rename(place)


def _ask(
    server: Server,
    bodies: Mapping[str, bytes],
    expected: Mapping[str, Lists],
    first: int,
    started: float,
    end: Event,
) -> Seen:
    """Ask for one user after the other, until the end."""
    seen, users, number = Seen(), list(bodies), first
    with server.connect() as client:
        while not end.is_set():
            user = users[number % len(users)]
            number += 1
            sent = perf_counter()
            try:
                content = client.post(bodies[user])
            except (AdiError, OSError) as error:
                seen.faults.append(f"no answer: {error}")
                continue
            finally:
                seen.asked.append(sent - started)
                seen.took.append(perf_counter() - sent)
            seen.faults += faults_of(user, json.loads(content)["results"], expected)
    return seen


def faults_of(user: str, results: Sequence[Mapping[str, object]], expected: Mapping[str, Lists]) -> Iterator[str]:
    """What is wrong with the results of a body."""
    versions = {str(result["version"]) for result in results}
    if len(versions) != 1:
        yield f"a body answered by {len(versions)} versions"
    for result in results:
        for name, answer in result["domains"].items():  # type: ignore[attr-defined]
            own = expected[str(result["version"])][user, name]
            if len(own.intersection(answer["items"])) < MOSTLY * len(own):
                yield f"a list that is not of the version that it names, {result['version']}"


def _looks(server: Server, started: float, until: float) -> Iterator[Look]:
    """What is live, again and again until a moment."""
    with server.connect() as client:
        while (moment := perf_counter() - started) < until:
            yield Look(moment, json.loads(client.get("/readyz"))["version"], server.resident())
            sleep(LOOK)


def _counted(text: str, name: str) -> int:
    """The value of a counter in Prometheus's text format."""
    return int(float(next(line for line in text.splitlines() if line.startswith(f"{name} ")).split()[1]))


def _rows(seen: Sequence[Seen], looks: Sequence[Look], seconds: float) -> list[dict[str, Value]]:
    """A row for each part of the time."""
    sent = np.concatenate([one.asked for one in seen])
    took = np.concatenate([one.took for one in seen]) * 1e3
    rows: list[dict[str, Value]] = []
    for begin, end in pairwise(np.linspace(0, seconds, PARTS + 1)):
        own = took[(sent >= begin) & (sent < end)]
        resident = [look.resident for look in looks if look.moment < end][-1]
        rows.append(
            {
                "seconds": f"{begin:g} to {end:g}",
                "requests": len(own),
                "p50_ms": round(float(np.percentile(own, 50)), 2),
                "p99_ms": round(float(np.percentile(own, 99)), 2),
                "most_ms": round(float(own.max()), 1),
                "resident_mb": None if resident is None else round(resident / 1e6),
            }
        )
    return rows
