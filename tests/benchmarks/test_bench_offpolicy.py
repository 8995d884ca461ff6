"""The benchmark of off-policy estimates, at a size that a test has time for, and what it counts."""

import json
from pathlib import Path

import pytest

from adi.online import simulate
from benchmarks.abtest.offpolicy import agrees_with_live, coverage_by_trust, covers_truth, summary_rows


def test_every_pair_has_a_row_for_each_estimator_and_seeds_are_kept(
    benchmark, measure, live_market: Path, live_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both arms serve the same run, so that all weights between them are 1."""
    monkeypatch.setattr(simulate, "available_cores", lambda: 1)
    run, out = live_bundle.parent / "run", tmp_path / "out"
    command = f"offpolicy --market {live_market} --logging {run} --other {run} --out {out} --requests 2000"
    command += " --candidates 20 --explore 1"
    report = measure(f"{command} --seeds 1")
    rows = {(row["pair"], row["metric"], row["estimator"]): row for row in report["rows"]}
    pairs = ("other from logging", "random from other", "logging from random")
    assert set(rows) == {
        (pair, metric, name)
        for pair in pairs
        for metric in ("ctr", "rpm")
        for name in ("measured", "ips", "snips", "dr")
    }
    assert rows[pairs[0], "ctr", "ips"]["estimate"] == rows[pairs[0], "ctr", "measured"]["estimate"]
    assert rows[pairs[0], "ctr", "ips"]["supported"] == 1.0
    for far in pairs[1:]:
        assert rows[far, "ctr", "ips"]["trusted"] == "0 of 1"
    kept = json.loads((out / "seed-000.json").read_text())
    (cell,) = [
        each for each in kept if (each["pair"], each["domain"]) == (pairs[0], "all domains")
        and (each["metric"], each["estimator"]) == ("rpm", "dr")
    ]  # fmt: skip
    cell["estimate"] = 1000.0
    (out / "seed-000.json").write_text(json.dumps([cell]))
    again = measure(f"{command} --seeds 1")
    assert [row["estimate"] for row in again["rows"]] == [1000.0]
    other = benchmark(f"{command} --seeds 1 --days 2")
    assert other.returncode == 2
    assert "days (started with 1, now 2). Choose another folder." in other.stderr


def cell(estimate: float, **more: object) -> dict[str, object]:
    values = {"pair": "b from a", "domain": "all domains", "metric": "ctr", "estimator": "ips", "supported": 1.0}
    values |= {"effective": 900.0, "trusted": True, "truth": 0.1, "live": 0.12, "live_error": 0.01}
    return values | {"estimate": estimate, "estimate_error": 0.01} | more


def test_errors_and_coverage_are_those_counted_by_hand() -> None:
    cells = [cell(0.11), cell(0.13), cell(0.08, trusted=False, domain="feed")]
    (row,) = summary_rows(cells)
    assert (row["trusted"], row["estimate"], row["bias"]) == ("2 of 2", 0.12, 0.2)
    assert row["error"] == pytest.approx(((0.1**2 + 0.3**2) / 2) ** 0.5, abs=1e-4)
    assert (row["holds_truth"], row["agrees_with_live"]) == ("1 of 2", "2 of 2")
    summary = coverage_by_trust(cells)
    assert (summary["trusted_ips_holds_truth"], summary["not_trusted_ips_holds_truth"]) == ("1 of 2", "0 of 1")


def test_an_estimate_without_an_interval_is_not_counted() -> None:
    assert covers_truth(cell(0.1, estimate_error=None)) is None
    assert agrees_with_live(cell(0.1, live_error=None)) is None
    assert agrees_with_live(cell(0.09)) is False
    assert agrees_with_live(cell(0.1)) is True
