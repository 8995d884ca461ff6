"""Hostile input: requests made from the OpenAPI document, right and wrong ones, and bytes that are hardly HTTP.

Each is answered as the document says, and nothing but the documented 503 is a server's error. The exhaustive tests send
thousands to a server in a process of its own, whose memory must stay flat.
"""

import json
import random
from collections import Counter
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from raw_requests import each_kind, exchange, raw_request
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks

from benchmarks.process import status_bytes
from benchmarks.serving.server import serving as in_a_process

GROWTH = 30e6
"""Bytes that a server may grow by after the first third of the requests: for events, kept in memory, and caches."""

HOLDS = [
    *("status_code_conformance", "content_type_conformance", "response_headers_conformance"),
    *("response_schema_conformance", "negative_data_rejection"),
]
"""Checks of schemathesis. That what fits the schema is accepted is not one: names must be those of the bundle."""


@pytest.fixture(scope="module")
def port(serving, bundles) -> int:
    """A server for these tests alone, since they add events."""
    return int(serving(bundles[0]).port)


def document_of(port: int) -> dict[str, Any]:
    """The OpenAPI document of a server."""
    document: dict[str, Any] = httpx.get(f"http://127.0.0.1:{port}/openapi.json").json()
    return document


def document_with_names(port: int) -> dict[str, Any]:
    """The same, with names that the bundle knows beside one that it does not, so that much is answered."""
    document = document_of(port)
    domains = httpx.get(f"http://127.0.0.1:{port}/readyz").json()["domains"]
    users = httpx.get(f"http://127.0.0.1:{port}/v1/users?limit=3").json()["users"]
    items = httpx.get(f"http://127.0.0.1:{port}/v1/items?limit=3").json()["items"]
    schemas = document["components"]["schemas"]
    domain, user, item = ({"enum": [*names, "unknown"]} for names in (domains, users, items))
    for schema in ("UserEvent", "ItemsRequest"):
        schemas[schema]["properties"]["domain"] = domain
    request = schemas["RetrieveRequest"]["properties"]
    request["domains"] = {"type": "array", "minItems": 1, "maxItems": 5, "items": domain}
    request["user"] = schemas["EventsRequest"]["properties"]["user"] = user
    request["history"] = request["exclude"] = {"type": "array", "maxItems": 5, "items": item}
    return document


def send_cases(port: int, examples: int) -> Counter[int]:
    """Send so many requests of each operation that fit its schema, and as many that do not; returns the statuses."""
    statuses = Counter[int]()
    load_all_checks()
    checks = CHECKS.get_by_names(HOLDS)
    documents = {GenerationMode.POSITIVE: document_with_names(port), GenerationMode.NEGATIVE: document_of(port)}
    for mode, document in documents.items():
        for operation in (result.ok() for result in schemathesis.openapi.from_dict(document).get_all_operations()):
            if mode is GenerationMode.NEGATIVE and not (operation.body or operation.query):
                continue  # nothing could be wrong

            @seed(0)
            @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
            @given(case=operation.as_strategy(generation_mode=mode))
            def send(case: schemathesis.Case) -> None:
                response = case.call(base_url=f"http://127.0.0.1:{port}")
                assert response.status_code < 500 or response.status_code == 503, response.text
                case.validate_response(response, checks=checks)
                statuses[response.status_code] += 1

            send()
    return statuses


def send_raw(port: int, number: int, first: int = 0) -> Counter[int]:
    """Send each kind of raw request, and so many at random; returns the statuses."""
    statuses = Counter[int]()
    for content in each_kind() + [raw_request(random.Random(each)) for each in range(first, first + number)]:
        got = exchange(port, content)
        assert all(status < 500 or status == 503 for status in got), (got, content[:2000])
        statuses.update(got)
    return statuses


def is_well(port: int) -> bool:
    """True for a server that answers and has nothing left to do."""
    response = httpx.post(f"http://127.0.0.1:{port}/v1/retrieve", content=json.dumps({"history": [], "k": 2}))
    return (
        response.status_code == 200
        and "adi_requests_in_flight 0.0" in httpx.get(f"http://127.0.0.1:{port}/metrics").text
    )


def test_requests_made_from_the_openapi_document(port: int) -> None:
    statuses = send_cases(port, 10)
    assert set(statuses) >= {200, 204, 422}
    assert statuses.total() >= 150
    assert is_well(port)


def test_bytes_that_are_hardly_http(port: int, caplog) -> None:
    statuses = send_raw(port, 100)
    assert set(statuses) >= {200, 400, 422}
    assert "Traceback" not in caplog.text
    assert is_well(port)


@pytest.mark.exhaustive
def test_thousands_of_each_and_memory_stays_flat(bundles, capsys) -> None:
    with in_a_process(bundles[0], workers=2) as server:
        statuses, resident = Counter[int](), list[int]()
        for part in range(3):
            statuses += send_cases(server.port, 250)
            statuses += send_raw(server.port, 4000, 4000 * part)
            assert is_well(server.port)
            resident.append(status_bytes("VmRSS", server.process.pid) or 0)
    with capsys.disabled():
        megabytes = [round(each / 1e6) for each in resident]
        print(f"\n{statuses.total():,} answers {dict(sorted(statuses.items()))}, {megabytes} MB")
    assert statuses.total() >= 20_000
    assert resident[-1] - resident[0] < GROWTH
