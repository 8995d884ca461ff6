from pathlib import Path

import pytest

from adi.bench.serve.market import MarketSize, build_market
from adi.bench.start import bench_start
from adi.errors import AdiError


def test_each_process_has_a_row(tmp_path: Path) -> None:
    run = build_market(tmp_path, MarketSize(items=1000, domains=1, dim=4))
    report = bench_start(run, rounds=2).as_json()
    names = ["python -c pass", "import adi", "adi --help", "adi serve --help", "open a bundle"]
    assert [row["process"] for row in report["rows"]] == names
    for row in report["rows"]:
        assert 0 < row["least"] <= row["seconds"] <= row["most"]
    python, _, shown, *_ = report["rows"]
    assert report["found"]["help_beside_python_s"] == pytest.approx(shown["seconds"] - python["seconds"], abs=2e-3)


def test_without_a_bundle_none_is_opened() -> None:
    assert [row["process"] for row in bench_start(rounds=1).rows][-1] == "adi serve --help"


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AdiError, match=r"nothing: no such folder.*adi export"):
        bench_start(tmp_path / "nothing")


def test_a_process_that_fails_is_told_with_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(AdiError, match=r"the process 'open a bundle' ended with 1: .*AdiError: .* not a run"):
        bench_start(tmp_path, rounds=1)
