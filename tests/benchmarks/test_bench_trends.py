"""The benchmark of lists with trends, on a market small enough for a test."""

import pytest


def test_each_number_of_active_items_has_a_row(measure, tmp_path) -> None:
    report = measure(
        "trends --items 3000 --domains 2 --dim 16 -k 20 --active 100",
        "--rounds 2 --calls 6 --folder",
        tmp_path / "market",
    )
    most, *fewer = (row["active"] for row in report["rows"])
    assert most > 0
    assert fewer == [min(most, number) for number in (50, 20, 5)]
    for row in report["rows"]:
        assert 0 < row["p50_ms"] <= row["p99_ms"]
        assert 0 < row["alone_p50_ms"] <= row["alone_p99_ms"]
        assert row["p50_by_alone"] == pytest.approx(row["p50_ms"] / row["alone_p50_ms"], abs=0.01)
