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


def test_runs_are_of_the_data_on_which_they_were_evaluated(ranked_run) -> None:
    today = {"prepared": "../today", "fingerprint": "beef"}
    queries = {"search": [(0, 0.0)], "feed": [(1, 1.0)]}
    own = ranked_run("own", queries)
    other = ranked_run("other", queries, model="adi-se", evaluated=today)
    trained = ranked_run("trained", queries, model="mind", prepared="../today", fingerprint="beef")
    with pytest.raises(AdiError, match=r"other: fingerprint of the data and its split: beef, but in .*--prepared"):
        read_runs([own, other])
    first, second = read_runs([other, trained])
    assert first.prepared == second.prepared == other.parent / "today"
    assert (first.info.fingerprint, first.fingerprint, second.fingerprint) == ("f00d", "beef", "beef")


def test_other_data_may_lack_a_domain(ranked_run) -> None:
    queries = {"search": [(0, 0.0)], "feed": [(1, 1.0)]}
    runs = [ranked_run(name, queries, model=name, evaluated={"prepared": "../x", "fingerprint": "x"}) for name in "ab"]
    for folder in runs:
        metrics = json.loads((folder / "metrics.json").read_text())
        del metrics["domains"]["search"]
        (folder / "metrics.json").write_text(json.dumps(metrics))
    assert [run.domains for run in read_runs(runs)] == [("feed",), ("feed",)]
    (runs[0] / "metrics.json").write_text(json.dumps(metrics | {"prepared": None}))
    with pytest.raises(AdiError, match=r"metrics\.json: domains: 'search' of run\.json is missing"):
        read_runs(runs[:1])
