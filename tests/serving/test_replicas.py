"""Three servers of one bundle and one Redis: one is killed under load, and neither a request nor an event is lost."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections import Counter
from contextlib import closing
from itertools import count

import pytest

REQUEST = json.dumps({"requests": [{"user": "ana", "domains": ["search"], "k": 5}]})


@pytest.fixture
def replicas(bundles, redis_server):
    """The processes of three servers, and their ports."""
    command = [
        sys.executable,
        "-m",
        "adi.cli.main",
        "serve",
        str(bundles[0]),
        "--port",
        "0",
        "--events",
        redis_server.url,
    ]
    processes = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
        for _ in range(3)
    ]
    try:
        yield [(process, int(re.search(r":(\d+)\. Ctrl-C", process.stdout.readline())[1])) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def ask(port, path, body):
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.request("POST", path, body)
        response = connection.getresponse()
        return response.status, response.read()


class Balancer:
    """Sends each request to the next server, and to another if that one does not answer, as a load balancer does."""

    def __init__(self, ports):
        self.ports, self.turn, self.answered, self.failures = ports, count(), Counter(), 0

    def send(self, path, body):
        for _ in self.ports:
            port = self.ports[next(self.turn) % len(self.ports)]
            try:
                status, content = ask(port, path, body)
            except (OSError, http.client.HTTPException):
                self.failures += 1
            else:
                self.answered[port] += 1
                return status, content
        raise AssertionError("no server answers")


def test_a_killed_replica_loses_nothing(replicas):
    balancer, killed = Balancer([port for _, port in replicas]), threading.Event()
    statuses, added = Counter(), []

    def load(worker):
        for number in count():
            if killed.is_set() and number >= 40:
                return
            statuses[balancer.send("/v1/retrieve", REQUEST)[0]] += 1
            user = f"user-{worker}-{number}"
            event = {"user": user, "events": [{"item": "pen", "domain": "search"}]}
            if balancer.send("/v1/events", json.dumps(event))[0] == 204:
                added.append(user)
            if (worker, number) == (0, 15):
                process, port = replicas[1]
                process.send_signal(signal.SIGKILL)
                process.wait()
                balancer.answered[port] = 0
                killed.set()

    workers = [threading.Thread(target=load, args=(worker,)) for worker in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert set(statuses) == {200}
    assert len(added) == sum(statuses.values())  # each event was kept
    assert balancer.failures > 0
    survivors = [port for process, port in replicas if process.poll() is None]
    assert len(survivors) == 2
    for port in survivors:  # both know every event, whoever took it in
        requests = [{"user": user, "domains": ["search"], "k": 1} for user in added]
        results = []
        for first in range(0, len(requests), 50):
            status, content = ask(port, "/v1/retrieve", json.dumps({"requests": requests[first : first + 50]}))
            assert status == 200
            results += json.loads(content)["results"]
        assert all(result["domains"]["search"]["items"] != ["pen"] for result in results)
        assert len(results) == len(added)
