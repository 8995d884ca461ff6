"""Two replicas in processes of their own behind a router: one is killed under load, and no request is lost."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections import Counter

import pytest

BODY = {"requests": [{"user": "ana", "k": 5}, {"user": "cy", "domains": ["feed"]}]}


@pytest.fixture
def replicas(bundles):
    """The processes of two servers, and their addresses."""
    command = [sys.executable, "-m", "adi", "serve", str(bundles[0]), "--port", "0"]
    processes = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
        for _ in range(2)
    ]
    try:
        yield [
            (process, re.search(r"(http://\S+:\d+)\. Ctrl-C", process.stdout.readline())[1]) for process in processes
        ]
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def test_a_killed_replica_loses_no_request(replicas, routing) -> None:
    router = routing({name: [[address for _, address in replicas]] for name in ("search", "feed", "kiosk")})
    expected = router.ask("/v1/retrieve", BODY).body
    statuses, killed = Counter(), threading.Event()

    def load(worker: int) -> None:
        for number in range(60):
            answer = router.ask("/v1/retrieve", BODY)
            statuses[answer.status] += 1
            assert answer.body == expected
            if (worker, number) == (0, 20):
                replicas[0][0].send_signal(signal.SIGKILL)
                killed.set()

    workers = [threading.Thread(target=load, args=(worker,)) for worker in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert killed.is_set()
    assert statuses == {200: 240}
    shown = router.ask("/metrics").body
    tries = {
        (outcome, server): float(count)
        for outcome, server, count in re.findall(
            r'adi_router_tries_total\{outcome="(\w+)",server="(\S+)"\} (\S+)', shown
        )
    }
    (_, dead), (_, alive) = replicas
    assert tries["failed", dead] >= 1
    assert tries["answered", dead] > 0
    assert tries["answered", alive] > 100
    assert tries["answered", dead] + tries["answered", alive] == 241
    assert f'adi_router_server_aside{{server="{dead}"}} 1.0' in shown
    assert router.ask("/readyz").status == 200
