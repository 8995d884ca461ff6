"""`adi bench swaps`, on a small market for a short time, and that it would see what is wrong."""

import json
from pathlib import Path

import pytest

from adi.bench.serve.swaps import bench_swaps, faults_of

LISTS = {
    version: {("ana", name): frozenset(f"{version}{name}{number}" for number in range(20)) for name in ("feed", "cart")}
    for version in "xy"
}


def result(version: str, **lists: frozenset[str]) -> dict[str, object]:
    return {"version": version, "domains": {name: {"items": sorted(own)} for name, own in lists.items()}}


def own(version: str, name: str) -> frozenset[str]:
    return LISTS[version]["ana", name]


def test_bundles_go_live_and_the_bad_one_does_not(tmp_path: Path) -> None:
    told: list[str] = []
    report = bench_swaps(tmp_path / "markets", items=1000, domains=2, seconds=10, swaps=1, k=20, tell=told.append)
    found = json.loads(json.dumps(report.as_json()))["found"]
    assert found == {"requests": found["requests"], "faults": 0, "first_fault": None, "swaps": 1, "refused": 1}
    rows = report.rows
    assert sum(row["requests"] for row in rows) <= found["requests"] < 1.1 * sum(row["requests"] for row in rows)
    for row in rows:
        assert 0 < row["p50_ms"] <= row["p99_ms"] <= row["most_ms"] + 0.1
        assert row["resident_mb"] > 50
    assert told[-1] == "asking for 10 seconds"
    assert sorted(path.name for path in (tmp_path / "markets").iterdir()) == ["a", "b"]


@pytest.mark.parametrize(
    ("results", "faults"),
    [
        ([result("x", feed=own("x", "feed")), result("x", cart=own("x", "cart"))], []),
        ([result("y", feed=frozenset(sorted(own("y", "feed"))[1:]) | {"else"})], []),
        ([result("x", feed=own("x", "feed")), result("y", cart=own("y", "cart"))], ["answered by 2 versions"]),
        ([result("x", feed=own("y", "feed"))], ["not of the version that it names, x"]),
        ([result("x", feed=own("x", "cart"), cart=own("x", "cart"))], ["not of the version that it names, x"]),
        ([result("x", feed=frozenset())], ["not of the version that it names, x"]),
    ],
)
def test_what_is_wrong_is_seen(results, faults) -> None:
    found = list(faults_of("ana", results, LISTS))
    assert len(found) == len(faults)
    assert all(part in whole for part, whole in zip(faults, found, strict=True))
