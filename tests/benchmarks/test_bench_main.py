"""The command line of the benchmarks: tables, JSON, help and what it refuses. Each command's own test runs it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from typer.main import get_command

from benchmarks.__main__ import COMMANDS, command_line

SMALL = "tables --rows 1000,2000 --batch-size 64 --rounds 1 --calls 1"


def test_a_report_is_a_table_or_json(benchmark, measure) -> None:
    done = benchmark(SMALL)
    assert done.returncode == 0, done.stderr
    header, _rule, first, second, growth = filter(str.strip, done.stdout.splitlines())
    assert header.split() == ["rows", "step", "ms", "step", "least", "step", "most"]
    assert (first.split()[0], second.split()[0]) == ("1,000", "2,000")
    assert re.fullmatch(r"step at 2000 by 1000: [\d.]+", growth)
    assert "building tables of 1,000 rows ..." in done.stderr
    report = measure(SMALL)
    assert report["benchmark"] == "tables"
    assert report["settings"]["samples"] == 64
    assert {"seed", "machine", "versions", "found", "rows"} < set(report)


@pytest.mark.parametrize("command", ["train", "domains", "tables"])
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU, so that nothing is skipped")
def test_a_missing_gpu_is_named_and_the_benchmark_skipped(benchmark, command: str) -> None:
    done = benchmark(command, "--device cuda")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("skipped: ")


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        ("tables --device gpu", "device: 'gpu' is not a device; give cpu, cuda, or cuda:N"),
        ("domains --device cuda:x", "device: 'cuda:x' is not a device; give cpu, cuda, or cuda:N"),
        ("train --rechub nowhere/python", "--rechub: nowhere/python is no program to run"),
        ("train --libreco nowhere/python", "--libreco: nowhere/python is no program to run"),
        (f"train --rechub {sys.executable}", "does not import torch_rechub"),
        ("portfolio --out nowhere --peers nowhere/python", "--peers: nowhere/python is no program to run"),
        (f"portfolio --out nowhere --peers {sys.executable}", "does not import rectools"),
        ("train --prepared nowhere", "nowhere"),
        (
            "domains --numbers 3,0",
            "--numbers: '3,0' is not of the form 1,3,10,30,100,300, in whole numbers of at least 1",
        ),
        ("tables --rows 10", "--rows: '10' is not of the form 200000,"),
        ("prepare --rows 1e6", "--rows: '1e6' is not of the form 1000000,10000000, in whole numbers of at least 1,000"),
        ("prepare --rows 2000,999", "--rows: '2000,999' is not of the form"),
        ("prepare --threads 999", "--threads: 999; this process may use"),
        ("prepare --folder /dev/null/logs --alone", "/dev/null"),
        ("start --bundle nowhere", "nowhere: no such folder"),
        ("loader --rows 1000 --batch-size 500 --batches 3", "--batches: 3 of 500 rows, and an epoch has 1000 rows"),
        ("loss --sizes 512", "--sizes: '512' is not of the form 512x1536,"),
        ("loss --sizes 512x0", "--sizes: '512x0' is not of the form 512x1536,"),
        ("serve --folder market --items 10", "--items"),
        ("nothing", "No such command 'nothing'"),
    ],
)
def test_a_wrong_option_is_refused_before_any_work(benchmark, words: str, fault: str) -> None:
    done = benchmark(words)
    assert (done.returncode, done.stdout) == (2, "")
    assert fault in done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_shows_an_example_and_every_default(benchmark, name: str) -> None:
    page = " ".join(re.sub("[─│╭╮╰╯]", " ", benchmark(name, "--help").stdout).split())
    assert f"Example: python -m benchmarks {name}" in page
    for parameter in get_command(command_line([name])).commands[name].params:  # type: ignore[attr-defined]
        assert parameter.help, parameter.name  # type: ignore[attr-defined]
        if parameter.default is not None and not parameter.is_flag and not parameter.required:
            assert f"[default: {parameter.default}]" in page, parameter.name


def test_it_runs_from_the_root_of_a_checkout() -> None:
    words = [sys.executable, "-m", "benchmarks", "--help"]
    done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    assert [name for name in COMMANDS if f" {name} " not in done.stdout] == []
