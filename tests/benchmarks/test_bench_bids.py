"""The benchmark of RPM against CTR by the weight of bids, at a size that a test has time for."""

import csv
import json
from pathlib import Path

import pytest

from adi.online import simulate


def test_every_domain_has_a_row_for_each_weight(
    measure, live_market: Path, live_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulate, "available_cores", lambda: 1)
    out = tmp_path / "bids"
    report = measure(f"bids --market {live_market} --bundle {live_bundle} --days 1 --requests 3000 --out", out)
    rows = report["rows"]
    assert [row["weight"] for row in rows] == [0, 0.25, 0.5, 1, 2, 4] * 4
    assert [row["domain"] for row in rows[::6]] == ["all domains", "cart", "feed", "search"]
    counts = json.loads((out / "live" / "simulation.json").read_text())["arms"]
    for row, (name, arm) in zip(rows, counts.items(), strict=False):
        assert float(name) == row["weight"]
        assert row["rpm"] == pytest.approx(1000 * arm["revenue"] / arm["requests"], abs=1e-4)
        assert row["ctr"] == pytest.approx(arm["clicks"] / arm["requests"], abs=1e-4)
        assert row["ppc"] == pytest.approx(arm["revenue"] / arm["clicks"], abs=1e-4)
        if row["ctr_uplift"] is not None:
            assert row["ctr_uplift"] == pytest.approx(row["ctr"] / rows[0]["ctr"] - 1, abs=1e-2)
    assert [rows[0][f"rpm_{name}"] for name in ("uplift", "low", "high")] == [0, 0, 0]
    with (out / "bids.csv").open() as file:
        assert [float(row["rpm"]) for row in csv.DictReader(file)] == [row["rpm"] for row in rows]
    assert (out / "bids.png").read_bytes().startswith(b"\x89PNG")
