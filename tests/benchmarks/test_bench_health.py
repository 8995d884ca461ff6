"""The benchmark of the health checks of a training, on a log small enough for a test."""

import pytest

from adi.marketplace.settings import Marketplace
from adi.marketplace.simulation import simulate
from adi.preparation.prepare import prepare


def test_each_model_has_a_row(measure, tmp_path) -> None:
    simulate(tmp_path / "market", Marketplace(users=200, items=100, interactions=3000), progress=False)
    prepare(tmp_path / "market", tmp_path / "prepared", progress=False)
    options = "health --models dnn,mind --batch-size 256 --rounds 1 --steps 2 --prepared"
    report = measure(options, tmp_path / "prepared")
    assert [row["model"] for row in report["rows"]] == ["dnn", "mind"]
    for row in report["rows"]:
        assert row["share"] == pytest.approx(row["checks_ms"] / row["step_ms"], rel=0.2)
