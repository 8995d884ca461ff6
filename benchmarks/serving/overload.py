"""Goodput, the answers in time per second, of a server that is asked for more than it can answer.

The capacity is that of clients which each wait for their answers. Then as many bodies, twice and ten times as many come
in open loop: light ones, a request each, and heavy ones, 64 requests each with a filter that no request had before.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from time import perf_counter, sleep
from typing import Annotated, Any

import numpy as np
import typer
import uvloop

from adi.bundle.engine import BundleEngine
from adi.errors import AdiError
from adi.index.build import IndexSettings
from benchmarks.options import AsJson, Items, MarketFolder
from benchmarks.report import Report, Row, announce, show
from benchmarks.serving.market import MarketSize, market_bundle
from benchmarks.serving.open_loop import Outcomes, send_at_rate
from benchmarks.serving.server import Server, request, request_body, serving

K = 100
BODY_REQUESTS = 64
NUM_BODIES = {"light": 2000, "heavy": 200}
CLIENTS = {"light": 64, "heavy": 2}
"""Clients that wait for their answers, of which the capacity is measured."""
LOADS = (1, 2, 10)
PATIENCE = 5.0
"""Seconds within which an answer is in time: the server's `--timeout` by default."""


def overload(
    folder: MarketFolder,
    items: Items = 100_000,
    seconds: Annotated[float, typer.Option(min=1, help="How long each load lasts.")] = 15,
    as_json: AsJson = False,
) -> None:
    """Answers in time per second at 1, 2 and 10 times the load that a server can take, by light and heavy bodies.

    Example: [bold]python -m benchmarks overload --folder market[/]
    """
    bundle = market_bundle(folder, MarketSize(items=items), IndexSettings(k=K, exact_below=min(100_000, items)))
    bodies = _bodies(BundleEngine(bundle))
    rows: list[Row] = []
    with serving(bundle, workers=2) as server:
        for kind in bodies:
            announce(f"measuring the capacity for {kind} bodies")
            _settle(server)
            capacity = _capacity(server, bodies[kind], CLIENTS[kind], seconds)
            for load in LOADS:
                announce(f"sending {load * capacity:,.1f} {kind} bodies per second")
                sending = send_at_rate(server.port, bodies[kind], load * capacity, seconds, PATIENCE)
                _settle(server)
                outcomes = uvloop.run(sending)
                rows.append(_row(kind, load, capacity, outcomes, seconds, rows))
    settings = {"items": items, "k": K, "seconds": seconds, "patience": PATIENCE}
    least = min(float(row["by_1x"] or 0) for row in rows)
    show(Report("overload", settings, rows, {"least_by_1x": least}), as_json)


def _bodies(engine: BundleEngine) -> dict[str, list[bytes]]:
    """Bodies of each kind, for random users and domains."""
    rng = np.random.default_rng(0)
    users = engine.dataset.users.keys_of(rng.choice(len(engine.dataset.users), 1000))
    domains, items = engine.dataset.domains, engine.dataset.items

    def requests(number: int, count: int) -> list[dict[str, Any]]:
        domain = domains[number % len(domains)]
        return [request(users[(number + each) % len(users)], domain, K) for each in range(count)]

    def filtered(number: int) -> bytes:
        skipped = items.keys_of(rng.choice(len(items), BODY_REQUESTS))
        pairs = zip(requests(number, BODY_REQUESTS), skipped, strict=True)
        return request_body([each | {"filter": f"item != '{item}'"} for each, item in pairs])

    return {
        "light": [request_body(requests(number, 1)) for number in range(NUM_BODIES["light"])],
        "heavy": [filtered(number) for number in range(NUM_BODIES["heavy"])],
    }


def _settle(server: Server) -> None:
    """Wait until the server has ended all that it began."""
    with server.connect() as client:
        while "adi_requests_in_flight 0.0" not in client.get("/metrics").decode():
            sleep(0.1)


def _capacity(server: Server, bodies: Sequence[bytes], clients: int, seconds: float) -> float:
    """Bodies per second of clients that each wait for an answer before they ask again."""

    def send(first: int) -> int:
        answered, end = 0, perf_counter() + seconds
        with server.connect() as client:
            while perf_counter() < end:
                with suppress(AdiError):  # of a body that took too long
                    client.retrieve(bodies[(first + answered * clients) % len(bodies)])
                    answered += 1
        return answered

    start = perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        answered = sum(pool.map(send, range(clients)))
    return answered / (perf_counter() - start)


def _row(kind: str, load: int, capacity: float, outcomes: Outcomes, seconds: float, rows: Sequence[Row]) -> Row:
    goodput = len(outcomes.seconds) / seconds
    first = next((row["per_second"] for row in rows if row["bodies"] == kind), goodput)
    times = np.asarray(outcomes.seconds or [np.nan])
    others = dict(outcomes.others)
    return {
        "bodies": kind,
        "load": load,
        "sent_per_second": round(load * capacity, 1),
        "per_second": round(goodput, 1),
        "by_1x": round(goodput / float(first or np.nan), 3),
        "p50_ms": None if not outcomes.seconds else round(float(np.percentile(times, 50)) * 1e3, 1),
        "p99_ms": None if not outcomes.seconds else round(float(np.percentile(times, 99)) * 1e3, 1),
        "refused": others.pop("503", 0),
        "late": others.pop("late", 0),
        "other": sum(others.values()),
    }
