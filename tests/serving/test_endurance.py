"""Minutes at load: a server that is asked for more than it can do, of every kind, answers on in flat memory."""

import json
import random
import threading
import time
from collections import Counter
from contextlib import suppress

import pytest

from adi.errors import AdiError
from benchmarks.process import status_bytes
from benchmarks.serving.server import Server, serving

CLIENTS = 24
PARTS = 6
"""Memory is looked at so many times; the first is the start."""
GROWTH = 20e6


def body(rng: random.Random) -> bytes:
    """A body of one kind or another: light, heavy, for a stranger, or wrong."""
    request = {"user": rng.choice(["ana", "eve", "nobody"]), "k": rng.choice([1, 10, 1000])}
    filtered = [request | {"filter": f"price > {rng.random()}"} for _ in range(64)]
    history = {"history": rng.choices(["pen", "mug", "gold", "ink"], k=200), "exclude": ["pen"] * 1000}
    return json.dumps(rng.choice([request, request, {"requests": filtered}, history, {"k": 0}])).encode()


@pytest.mark.exhaustive
@pytest.mark.parametrize("seconds", [180, 600])
def test_memory_is_flat_at_load(bundles, capsys, seconds: int) -> None:
    outcomes, resident, end = Counter[str](), list[int](), time.monotonic() + seconds

    def send(server: Server, number: int) -> None:
        rng = random.Random(number)
        while time.monotonic() < end:
            with server.connect() as client, suppress(OSError):
                for _ in range(50):
                    try:
                        client.retrieve(body(rng))
                        outcomes["200"] += 1
                    except AdiError as error:
                        outcomes[str(error).split()[3].rstrip(":")] += 1

    with serving(bundles[0], workers=2) as server:
        threads = [threading.Thread(target=send, args=(server, number)) for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for part in range(PARTS):
            time.sleep(max(0.0, end - time.monotonic()) / (PARTS - part))
            resident.append(status_bytes("VmRSS", server.process.pid) or 0)
        for thread in threads:
            thread.join()
        with server.connect() as client:
            while "adi_requests_in_flight 0.0" not in client.get("/metrics").decode():
                time.sleep(0.1)  # what was given up, but is at work
            assert json.loads(client.retrieve(b'{"user": "ana"}'))
    with capsys.disabled():
        print(f"\n{outcomes.total():,} answers {dict(outcomes)}, {[round(each / 1e6) for each in resident]} MB")
    assert set(outcomes) <= {"200", "422", "503"}
    assert outcomes["200"] > 0
    assert resident[-1] - resident[0] < GROWTH
