"""Clients that mean harm, or have gone wrong: heads without end, trickles, idle connections, pages of other sites."""

import json
import os
import socket
import stat
import time
from contextlib import ExitStack, closing, suppress

import pytest

from adi.data.folder import replace_file
from adi.serving import guarded_protocol
from adi.serving.events import SqliteEventStore
from adi.serving.guarded_protocol import MOST_HEAD, GuardedProtocol
from adi.serving.problems import BUSY, ProblemError
from adi.serving.server import serve


@pytest.fixture
def connect(served):
    """A function that opens a connection to the server."""
    with ExitStack() as stack:

        def connected() -> socket.socket:
            return stack.enter_context(closing(socket.create_connection(("127.0.0.1", served.port), timeout=20)))

        yield connected


def answer(connection: socket.socket) -> bytes:
    """All bytes from the server until it closes the connection."""
    parts = []
    with suppress(ConnectionResetError):  # what was still being sent is lost with the connection
        while part := connection.recv(1 << 16):
            parts.append(part)
    return b"".join(parts)


def send(connection: socket.socket, content: bytes) -> None:
    with suppress(BrokenPipeError, ConnectionResetError):
        connection.sendall(content)


@pytest.mark.parametrize(
    "head",
    [
        b"GET /healthz HTTP/1.1\r\n" + b"".join(b"x-%d: %s\r\n" % (n, b"y" * 1000) for n in range(4000)) + b"\r\n",
        b"GET /healthz HTTP/1.1\r\nx: " + b"y" * 4_000_000,
        b"GET /" + b"y" * 4_000_000,
        b"GET /healthz?" + b"y" * MOST_HEAD + b" HTTP/1.1\r\nhost: a\r\n\r\n",
    ],
    ids=["many headers", "a header without end", "a path without end", "a head that is just too large"],
)
def test_a_head_that_is_too_large_is_refused(served, connect, head) -> None:
    connection = connect()
    send(connection, head)
    said = answer(connection)
    assert not said or said.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
    assert served.ask("/healthz").status == 200


def test_a_large_head_within_the_limit_is_answered(served) -> None:
    assert served.ask("/healthz", headers={"x": "y" * (MOST_HEAD - 1000)}).status == 200


def test_requests_before_one_that_is_no_http_are_not_answered_on_a_closed_connection(served, connect, caplog) -> None:
    body = b'{"requests": 0}'
    request = b"POST /v1/items HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)
    for _ in range(5):
        connection = connect()
        send(connection, request + request + b"no request\r\n\r\n")
        assert answer(connection).startswith(b"HTTP/1.1 4")
    assert served.ask("/healthz").status == 200
    assert "Traceback" not in caplog.text


def test_heads_that_trickle_and_idle_connections_are_closed(served, connect, monkeypatch) -> None:
    monkeypatch.setattr(guarded_protocol, "HEAD_SECONDS", 0.5)
    idle, slow, kept = connect(), connect(), connect()
    slow.sendall(b"GET /healthz HTTP/1.1\r\n")
    kept.sendall(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n")
    assert kept.recv(1 << 16).startswith(b"HTTP/1.1 200")
    kept.sendall(b"GET /health")  # a second head, which never ends
    for connection in (idle, slow, kept):
        assert answer(connection).startswith(b"HTTP/1.1 408 Request Timeout")
    assert served.ask("/healthz").status == 200


def test_a_body_that_trickles_is_given_up(bundles, serving) -> None:
    server = serving(bundles[0], timeout=0.5)
    with closing(socket.create_connection(("127.0.0.1", server.port), timeout=20)) as connection:
        connection.sendall(b"POST /v1/retrieve HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\n{")
        assert answer(connection).startswith(b"HTTP/1.1 408 ")
    assert server.ask("/v1/retrieve", {"user": "ana"}).status == 200


def test_the_rest_of_a_body_that_was_answered_already_may_not_take_forever(bundles, serving, held, monkeypatch) -> None:
    monkeypatch.setattr(guarded_protocol, "HEAD_SECONDS", 0.5)
    server = serving(bundles[0], token="sesame", workers=1, waiting=0)
    head = b"POST /v1/retrieve HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n"
    held(server)
    with closing(socket.create_connection(("127.0.0.1", server.port), timeout=20)) as connection:
        connection.sendall(head + b"\r\n{")
        assert answer(connection).startswith(b"HTTP/1.1 401 ")
    monkeypatch.setattr(GuardedProtocol, "_problem", lambda self: ProblemError(BUSY, "no"))
    for sent in (b"{", b"{" * 1000):
        with closing(socket.create_connection(("127.0.0.1", server.port), timeout=20)) as connection:
            connection.sendall(head + b"\r\n" + sent)
            if len(sent) == 1000:  # it is whole, so the connection goes on
                connection.sendall(head + b"connection: close\r\n\r\n" + sent)
            assert answer(connection).count(b"HTTP/1.1 503 Service Unavailable\r\n") == 1 + (len(sent) == 1000)


def test_a_client_that_goes_away_during_its_body_is_counted_and_not_logged(bundles, serving, caplog) -> None:
    server = serving(bundles[0])
    with closing(socket.create_connection(("127.0.0.1", server.port), timeout=20)) as connection:
        connection.sendall(b"POST /v1/retrieve HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\n{")
        time.sleep(0.1)
    until = time.monotonic() + 10
    while 'adi_requests_total{status="499"} 1.0' not in server.ask("/metrics").body:
        assert time.monotonic() < until
    assert not caplog.records


def test_connections_beyond_the_limit_are_refused_and_said(served, connect, monkeypatch, caplog) -> None:
    monkeypatch.setattr(GuardedProtocol, "most", 2)
    monkeypatch.setattr(GuardedProtocol, "warned", 0.0)
    connections = [connect() for _ in range(6)]
    for connection in connections[2:]:
        assert answer(connection).startswith(b"HTTP/1.1 503 ")
    connections[0].sendall(b"GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
    assert answer(connections[0]).startswith(b"HTTP/1.1 200")
    assert [record.getMessage() for record in caplog.records] == ["2 connections are open, and more are refused."]


@pytest.mark.parametrize(
    "body",
    [
        {"requests": [{"user": 1, "exclude": [1] * 5400}] * 64},
        {"exclude": [1] * 300_000},
        {"context": {str(number): [] for number in range(60_000)}},
        {str(number): 1 for number in range(60_000)},
    ],
    ids=["requests", "a list", "context", "keys"],
)
def test_a_body_that_is_wrong_in_many_places_is_described_by_a_few(served, body) -> None:
    reply = served.ask("/v1/retrieve", json.dumps(body, separators=(",", ":")).encode())
    assert reply.status == 422
    assert len(reply.body["detail"]) < 2000


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 204),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://behind.a.proxy"}, 204),
        ({"Sec-Fetch-Site": "none"}, 204),
        ({"Origin": "http://localhost:1", "Host": "localhost:1"}, 204),
        ({"Sec-Fetch-Site": "cross-site", "Content-Type": "text/plain"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "https://example.com"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
def test_a_page_of_another_site_adds_no_events(bundles, serving, headers, status) -> None:
    server = serving(bundles[0])
    event = {"user": "ana", "events": [{"item": "pen", "domain": "feed"}]}
    assert server.ask("/v1/events", event, headers=headers).status == status
    events = [row for row in server.ask("/v1/users/ana").body["history"] if row["since"]]
    assert len(events) == (status == 204)


def test_a_token_may_have_any_letters(bundles, serving) -> None:
    server = serving(bundles[0], token="Schlüssel 鍵")
    header = {"Authorization": "Bearer Schlüssel 鍵".encode()}
    assert server.ask("/v1/domains", headers=header).status == 200
    assert server.ask("/v1/domains", headers={"Authorization": b"Bearer Schl\xfcssel"}).status == 401


def test_files_of_users_are_for_the_owner_alone(tmp_path) -> None:
    store = SqliteEventStore(tmp_path / "events")
    store.add("ana", [("pen", "feed")])
    replace_file(tmp_path / "private", b"x", mode=0o600)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert {stat.S_IMODE(os.stat(path).st_mode) & 0o077 for path in files} == {0}


@pytest.mark.parametrize(
    ("host", "token", "warns"), [("127.0.0.1", None, False), ("0.0.0.0", None, True), ("0.0.0.0", "secret", False)]
)
def test_an_open_address_without_a_token_is_warned_of(bundles, monkeypatch, host, token, warns) -> None:
    import uvicorn

    monkeypatch.setattr(uvicorn.Server, "run", lambda self, sockets: sockets[0].close())
    messages: list[str] = []
    serve(bundles[0], host=host, port=0, token=token, report=messages.append)
    assert any(message.startswith("WARNING: whoever reaches") for message in messages) == warns
