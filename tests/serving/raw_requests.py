"""Bytes that are hardly HTTP, and what a server says to them."""

import random
import re
import socket
from collections.abc import Callable
from contextlib import closing, suppress

BODY = b'{"requests": [{"user": "ana", "k": 3, "filter": "price > 0", "history": ["pen", "mug"]}]}'

HEADS = [
    b"GET /v1/users?prefix=%FF%00&limit=3 HTTP/1.1\r\nhost: a",
    b"GET /v1/users/..%2f..%2f%00 HTTP/1.1\r\nhost: a",
    b"GET //v1//domains HTTP/1.0",
    b"GET http://elsewhere/v1/domains HTTP/1.1\r\nhost: a",
    b"OPTIONS * HTTP/1.1\r\nhost: a",
    b"CONNECT a:80 HTTP/1.1\r\nhost: a",
    b"PRI * HTTP/2.0",
    b"GET /healthz HTTP/9.9\r\nhost: a",
    b"GET /healthz\r\nhost: a",
    b"GET /\xff\xfe HTTP/1.1\r\nhost: a",
    b"GET /healthz HTTP/1.1\r\n folded: a",
    b"GET /healthz HTTP/1.1\r\nhost: a\r\nno colon",
    b"GET /healthz HTTP/1.1\r\nhost: a\r\n: no name",
    b"GET /healthz HTTP/1.1\r\nhost: a\x00b",
    b"GET /healthz HTTP/1.1\nhost: a",
    b"GET /healthz HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-key: x",
    b"GET /healthz HTTP/1.1\r\nhost: a\r\nupgrade: h2c\r\nconnection: upgrade, http2-settings",
    b"HEAD /openapi.json HTTP/1.1\r\nhost: a",
    b"DELETE /v1/retrieve HTTP/1.1\r\nhost: a",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
    b"",
]

POST = b"POST /v1/%b HTTP/1.1\r\nhost: a\r\n%b\r\n\r\n%b"

PATHS = [b"retrieve", b"events", b"items"]

LENGTHS = [
    b"content-length: %d",
    b"content-length: -1",
    b"content-length: 1e3",
    b"content-length: 99999999999999999999",
    b"content-length: %d\r\ncontent-length: 1",
    b"content-length: 5\r\ntransfer-encoding: chunked",
    b"transfer-encoding: chunked",
    b"transfer-encoding: gzip, chunked",
    b"transfer-encoding: chunked, chunked",
    b"content-encoding: gzip\r\ncontent-length: %d",
    b"expect: 100-continue\r\ncontent-length: %d",
    b"content-type: application/xml; charset=utf-16\r\ncontent-length: %d",
    b"authorization: Bearer a\r\nauthorization: Bearer b\r\nx-adi-arm: a\r\nx-adi-arm: \xff\r\ncontent-length: %d",
    b"origin: null\r\nsec-fetch-site: \xe9\r\ncontent-length: %d",
    b"x-forwarded-for: , \x01, 1.2.3.4.5\r\nx-forwarded-proto: \xff\r\ncontent-length: %d",
]

BODIES: list[bytes] = [
    BODY,
    BODY[:-7],
    BODY.decode().encode("utf-16"),
    b"\xef\xbb\xbf" + BODY,
    BODY.replace(b"ana", b"\xff\xfe"),
    BODY.replace(b"ana", b"\\ud800"),
    BODY.replace(b"ana", b"\\u0000"),
    BODY.replace(b"3", b"1" + b"0" * 5000),
    BODY.replace(b"3", b"1e999"),
    BODY.replace(b"3", b"-0.0"),
    BODY.replace(b"3", b"NaN"),
    BODY.replace(b'"k": 3', b'"k": 3, "k": 4'),
    BODY.replace(b'"k": 3', b'"bid_weight": 1e308'),
    BODY.replace(b"price > 0", b"price > " + b"9" * 1000),
    BODY.replace(b"price > 0", b"(" * 1500),
    BODY.replace(b"price > 0", b"not " * 450 + b"price > 0"),
    BODY.replace(b"price > 0", b"name = '\\u0000'' or 1=1 --"),
    b'{"user": "ana", "context": {"a": 1e999, "b": null, "c": []}}',
    b'{"user": "ana", "events": [{"item": "pen", "domain": "feed", "time": 1e308}]}',
    b'{"user": "ana", "events": [{"item": "pen", "domain": "feed", "time": "9999-12-31T23:59:59+14:00"}]}',
    b'{"user": "ana", "events": [{"item": "pen", "domain": "feed", "time": "0001-01-01T00:00:00+14:00"}]}',
    b'{"domain": "feed", "items": ["' + b"x" * 500 + b'"]}',
    b"[" * 100_000,
    b'{"a":' * 50_000,
    b"null",
    b"",
]

CHUNKS: list[Callable[[bytes], bytes]] = [
    lambda body: b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body),
    lambda body: b"%x;a=b\r\n%b\r\n0\r\ntrailer: x\r\n\r\n" % (len(body), body),
    lambda body: b"-1\r\n%b\r\n0\r\n\r\n" % body,
    lambda body: b"fffffffffffffffff\r\n%b" % body,
    lambda body: b"%x\r\n%b" % (len(body) + 10, body),
    lambda body: b"zz\r\n%b\r\n" % body,
    lambda body: b"".join(b"1\r\n%c\r\n" % byte for byte in body[:300]) + b"0\r\n\r\n",
    lambda body: b"%x\n%b\n0\n\n" % (len(body), body),
]


def each_kind() -> list[bytes]:
    """Each head, each body to each path, each length and each way of chunks, and nothing else wrong with it."""
    heads = [head + b"\r\n\r\n" for head in HEADS]
    bodies = [POST % (path, b"content-length: %d" % len(body), body) for path in PATHS for body in BODIES]
    lengths = [POST % (PATHS[0], length.replace(b"%d", b"%d" % len(BODY)), BODY) for length in LENGTHS]
    chunks = [POST % (PATHS[0], b"transfer-encoding: chunked", chunk(BODY)) for chunk in CHUNKS]
    return heads + bodies + lengths + chunks


def raw_request(rng: random.Random) -> bytes:
    """A request of one kind or another, of which bytes may have been changed, lost or repeated."""
    if rng.random() < 0.2:
        content = rng.choice(HEADS) + rng.choice([b"\r\n\r\n", b"\r\n\r\n", b"\r\n", b""])
    else:
        body, length = rng.choice(BODIES), rng.choice(LENGTHS)
        head = length.replace(b"%d", b"%d" % len(body))
        content = POST % (rng.choice(PATHS), head, rng.choice(CHUNKS)(body) if b"chunked" in length else body)
    for _ in range(rng.choice([0, 0, 1, 1, 2, 5])):
        start = rng.randrange(min(len(content), 400) + 1)
        end = start + rng.choice([0, 1, 1, 5, 50])
        content = content[:start] + rng.choice([b"", rng.randbytes(3), content[start:end] * 2]) + content[end:]
    return content * rng.choice([1, 1, 1, 2])  # pipelined


def exchange(port: int, content: bytes) -> list[int]:
    """Send bytes and then no more; returns the statuses of the answers until the server closes the connection."""
    received = bytearray()
    with closing(socket.create_connection(("127.0.0.1", port), timeout=20)) as connection:
        with suppress(ConnectionError):
            connection.sendall(content)
        connection.settimeout(0.05)  # to an unfinished request nothing comes
        with suppress(ConnectionError, TimeoutError):
            while part := connection.recv(1 << 16):
                received += part
    return [int(status) for status in re.findall(rb"^HTTP/1\.1 (\d{3}) ", received, re.MULTILINE)]
