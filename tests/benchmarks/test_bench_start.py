"""The benchmark of a new process."""

from pathlib import Path

import pytest

from benchmarks.serving.market import MarketSize, market_run


def test_each_process_has_a_row(measure, tmp_path: Path) -> None:
    run = market_run(tmp_path, MarketSize(items=1000, domains=1, dim=4))
    report = measure("start --rounds 2 --bundle", run)
    names = ["python -c pass", "import adi", "adi --help", "adi serve --help", "open a bundle"]
    assert [row["process"] for row in report["rows"]] == names
    for row in report["rows"]:
        assert 0 < row["least"] <= row["seconds"] <= row["most"]
    python, _, shown, *_ = report["rows"]
    assert report["found"]["help_beside_python_s"] == pytest.approx(shown["seconds"] - python["seconds"], abs=2e-3)


def test_without_a_bundle_none_is_opened(measure) -> None:
    assert [row["process"] for row in measure("start --rounds 1")["rows"]][-1] == "adi serve --help"


def test_a_process_that_fails_is_named_with_its_error(benchmark, tmp_path: Path) -> None:
    done = benchmark("start --rounds 1 --bundle", tmp_path)
    assert done.returncode == 2
    assert "the process 'open a bundle' ended with 1: " in done.stderr
    assert "AdiError: " in done.stderr
    assert "not a run" in done.stderr
