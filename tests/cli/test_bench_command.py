import json
from pathlib import Path

import pytest
import torch


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


@pytest.mark.parametrize(
    ("words", "first", "found"),
    [
        (
            "train --users 1000 --items 1000 --rows 2000 --batch-size 64 --rounds 1 --steps 1",
            "adi-se",
            {"adi-se_by_bare", "dnn_by_bare"},
        ),
        ("domains --numbers 2,3 --batch-size 64 --rounds 1 --calls 1", 2, {"step_at_2_by_3"}),
        ("tables --rows 1000,2000 --batch-size 64 --rounds 1 --calls 1", 1000, {"step_at_2000_by_1000"}),
        ("prepare --rows 1000 --alone --rounds 1 --threads 1", "adi prepare", set()),
        ("evaluate --items 1000 --users 20 --dim 4 --rounds 1", "adi evaluate, exact ranks", {"rate_by_bare"}),
        ("start --rounds 1", "python -c pass", {"help_beside_python_s"}),
        ("loader --rows 1000 --batch-size 50 --batches 2 --rounds 1", "adi, whole batches", {"rate_by_row_wise"}),
        (
            "loss --sizes 16x20,8x30 --dim 4 --rounds 1 --calls 1",
            "in chunks",
            {"plain_time_by_chunked", "plain_memory_by_chunked"},
        ),
    ],
)
def test_a_measure_is_a_table_or_json(adi, words: str, first: str | int, found: set[str]) -> None:
    table = adi("bench", *words.split())
    assert table.returncode == 0, table.stderr
    assert table.stdout.count("\n") > 3
    assert (first if isinstance(first, str) else f"{first:,}") in table.stdout
    answer = json.loads(adi("bench", *words.split(), "--json").stdout)
    assert answer["benchmark"] == words.split()[0]
    assert first in answer["rows"][0].values()
    assert answer["found"].keys() == found


@pytest.mark.parametrize("benchmark", ["train", "domains", "tables"])
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU, so that nothing is skipped")
def test_a_gpu_that_is_not_there_is_told_and_skipped(adi, benchmark: str) -> None:
    answer = adi("bench", benchmark, "--device", "cuda")
    assert answer.returncode == 0
    assert answer.stdout == ""
    assert answer.stderr.startswith("skipped: ")


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        ("tables --device gpu", "--device: 'gpu' is none; give cpu, cuda, or cuda:N"),
        ("domains --device cuda:x", "--device: 'cuda:x' is none; give cpu, cuda, or cuda:N"),
        ("train --rechub nowhere/python", "--rechub: nowhere/python is no program to run"),
        (
            "domains --numbers 3,0",
            "--numbers: '3,0' is not of the form 1,3,10,30,100,300, in whole numbers of at least 1",
        ),
        ("tables --rows 10", "--rows: '10' is not of the form 200000,"),
        ("prepare --rows 1e6", "--rows: '1e6' is not of the form 1000000,10000000, in whole numbers of at least 1,000"),
        ("prepare --rows 2000,999", "--rows: '2000,999' is not of the form"),
        ("prepare --threads 999", "--threads: 999; this process may use"),
        ("start --bundle nowhere", "nowhere: no such folder"),
        ("loader --rows 1000 --batch-size 500 --batches 3", "--batches: 3 of 500 rows, and an epoch has 1000 rows"),
        ("loss --sizes 512", "--sizes: '512' is not of the form 512x1536,"),
        ("loss --sizes 512x0", "--sizes: '512x0' is not of the form 512x1536,"),
    ],
)
def test_a_wrong_option_is_refused_before_any_work(adi, words: str, fault: str) -> None:
    answer = adi("bench", *words.split())
    assert (answer.returncode, answer.stdout) == (2, "")
    assert fault in answer.stderr
