"""The benchmark of training steps with trends, on a log small enough for a test."""

import pytest

from adi.marketplace.settings import Marketplace
from adi.marketplace.simulation import simulate


def test_each_part_of_the_trends_has_a_row(measure, benchmark, tmp_path) -> None:
    simulate(tmp_path / "live", Marketplace(users=200, items=100, interactions=3000, trends=0.5))
    report = measure("live-steps --batch-size 256 --rounds 1 --calls 2 --schema", tmp_path / "live")
    rows = {row["trends"]: row for row in report["rows"]}
    assert list(rows) == ["no trends", "counters", "and co_clicks", "and audience"]
    alone = rows["no trends"]["batch_ms"] + rows["no trends"]["step_ms"]
    for row in rows.values():
        assert row["by_no_trends"] == pytest.approx((row["batch_ms"] + row["step_ms"]) / alone, rel=0.05)
    simulate(tmp_path / "still", Marketplace(users=200, items=100, interactions=3000))
    done = benchmark("live-steps --schema", tmp_path / "still")
    assert done.returncode == 2
    assert "has no trend. Give a schema that has one." in done.stderr
