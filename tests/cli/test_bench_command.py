import json
from pathlib import Path


def test_serving_is_measured_as_a_table_and_as_json(adi, tmp_path: Path) -> None:
    words = ["bench", "serve", "--folder", tmp_path / "market", "--items", 1000, "--domains", 2, "--dim", 8, "-k", 20]
    table = adi(*words, "--rounds", 1, "--calls", 4).stdout
    assert "served over HTTP" in table
    assert "resident by vectors" in table
    found = json.loads(adi(*words, "--rounds", 1, "--calls", 4, "--json").stdout)
    assert {"rows", "machine", "versions"} <= found.keys()


def test_a_market_too_small_is_refused(adi, tmp_path: Path) -> None:
    answer = adi("bench", "serve", "--folder", tmp_path / "market", "--items", 10)
    assert answer.returncode == 2
    assert "--items" in answer.stderr
