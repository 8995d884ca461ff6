"""The benchmark of overload, on a small market for a short time, and its clients in open loop."""

import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvloop

from benchmarks.serving.open_loop import send_at_rate


@pytest.mark.slow
def test_every_body_that_is_sent_is_counted(measure, tmp_path: Path) -> None:
    report = measure("overload --items 1000 --seconds 1 --folder", tmp_path / "market")
    rows = report["rows"]
    assert [(row["bodies"], row["load"]) for row in rows] == [
        (kind, n) for kind in ("light", "heavy") for n in (1, 2, 10)
    ]
    for row in rows:
        answered = row["per_second"] * report["settings"]["seconds"]
        assert answered > 0
        assert answered + row["refused"] + row["late"] + row["other"] == pytest.approx(row["sent_per_second"], abs=1)
        assert 0 < row["p50_ms"] <= row["p99_ms"] < 5000
    assert report["found"]["least_by_1x"] == min(row["by_1x"] for row in rows)


class _Replies(socketserver.StreamRequestHandler):
    """Answers each request of a connection with the next of some statuses; 0 for none."""

    statuses: Iterator[int]

    def handle(self) -> None:
        while line := self.rfile.readline():
            if line != b"\r\n":
                continue
            self.rfile.read(2)
            if status := next(self.statuses):
                self.wfile.write(b"HTTP/1.1 %d OK\r\nContent-Length: 3\r\n\r\nyes" % status)


def test_outcomes_are_told_apart() -> None:
    _Replies.statuses = iter([200, 503, 0, 200, 200])
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Replies) as server:
        threading.Thread(target=server.serve_forever).start()
        outcomes = uvloop.run(send_at_rate(server.server_address[1], [b"{}"], 50, 0.1, 1.0))
        server.shutdown()
    assert len(outcomes.seconds) == 3
    assert all(0 < seconds < 1 for seconds in outcomes.seconds)
    assert outcomes.others == {"503": 1, "late": 1}
