"""The benchmark of swaps, on a small market for a short time, and the faults that it would see."""

from pathlib import Path

import pytest

from benchmarks.serving.swaps import response_faults

LISTS = {
    version: {("ana", name): frozenset(f"{version}{name}{number}" for number in range(20)) for name in ("feed", "cart")}
    for version in "xy"
}


def result(version: str, **lists: frozenset[str]) -> dict[str, object]:
    return {"version": version, "domains": {name: {"items": sorted(items)} for name, items in lists.items()}}


def items_of(version: str, name: str) -> frozenset[str]:
    return LISTS[version]["ana", name]


@pytest.mark.slow
def test_bundles_go_live_and_the_bad_one_does_not(measure, tmp_path: Path) -> None:
    report = measure("swaps --items 1000 --seconds 10 --swaps 1 --folder", tmp_path / "markets")
    summary, rows = report["found"], report["rows"]
    assert summary == {"requests": summary["requests"], "faults": 0, "first_fault": None, "swaps": 1, "refused": 1}
    assert sum(row["requests"] for row in rows) <= summary["requests"] < 1.1 * sum(row["requests"] for row in rows)
    for row in rows:
        assert 0 < row["p50_ms"] <= row["p99_ms"] <= row["most_ms"] + 0.1
        assert row["resident_mb"] > 50
    assert sorted(path.name for path in (tmp_path / "markets").iterdir()) == ["a", "b"]


@pytest.mark.parametrize(
    ("results", "faults"),
    [
        ([result("x", feed=items_of("x", "feed")), result("x", cart=items_of("x", "cart"))], []),
        ([result("y", feed=frozenset(sorted(items_of("y", "feed"))[1:]) | {"else"})], []),
        ([result("x", feed=items_of("x", "feed")), result("y", cart=items_of("y", "cart"))], ["by 2 versions"]),
        ([result("x", feed=items_of("y", "feed"))], ["not of the version that it names, x"]),
        (
            [result("x", feed=items_of("x", "cart"), cart=items_of("x", "cart"))],
            ["not of the version that it names, x"],
        ),
        ([result("x", feed=frozenset())], ["not of the version that it names, x"]),
    ],
)
def test_a_fault_in_a_response_is_seen(results, faults) -> None:
    found = list(response_faults("ana", results, LISTS))
    assert len(found) == len(faults)
    assert all(part in sentence for part, sentence in zip(faults, found, strict=True))
