"""Runs are read whole, or refused with the file at fault."""

import json
from pathlib import Path

import pytest

from adi.errors import AdiError
from adi.runs.run import read_runs


@pytest.fixture
def run(ranked_run) -> Path:
    folder: Path = ranked_run("run", {"search": [(0, 0.0)]})
    return folder


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("run.json", r"run: not a run \(no run\.json\)\. Make one with: adi train PREPARED"),
        ("metrics.json", r"run/metrics\.json: no such file\. 'adi evaluate "),
    ],
)
def test_a_missing_file_is_named_with_the_command_that_makes_it(run: Path, missing: str, message: str) -> None:
    (run / missing).unlink()
    with pytest.raises(AdiError, match=message):
        read_runs([run])


def test_a_missing_folder_and_a_run_given_twice_are_refused(tmp_path: Path, run: Path) -> None:
    with pytest.raises(AdiError, match="nowhere: not a run"):
        read_runs([tmp_path / "nowhere"])
    with pytest.raises(AdiError, match="run: this run is given twice"):
        read_runs([run, run / ".." / "run"])


def test_malformed_files_are_named_with_key_or_line(run: Path) -> None:
    first = {"epoch": 1, "step": 7, "seconds": 1.5, "samples": 700, "samples_per_second": 466.7, "loss": 3.0}
    lines = [json.dumps(first), json.dumps(first | {"epoch": "two"})]
    (run / "log.jsonl").write_text("\n".join(lines) + "\n")
    with pytest.raises(AdiError, match=r"log\.jsonl, line 2: epoch: .*'two'"):
        read_runs([run])
    (run / "run.json").write_text('{"model": "adi-se"')
    with pytest.raises(AdiError, match=r"run\.json: .*JSON"):
        read_runs([run])
