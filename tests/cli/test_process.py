"""`adi` as a process: exit codes, standard output and error apart, Ctrl-C, a reader that goes away."""

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from adi.cli.screen import Screen

ADI = [sys.executable, "-m", "adi"]


def start(words: Sequence[object], **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [*ADI, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    )


def test_a_users_fault_is_one_line_and_code_2(tmp_path: Path) -> None:
    process = start(["prepare", tmp_path, "--out", tmp_path / "new"])
    out, err = process.communicate()
    assert (process.returncode, out) == (2, "")
    expected = (
        f"adi: {tmp_path}/schema.yaml: no such file. 'adi init TABLE...' writes a first schema for your tables.\n"
    )
    assert err == expected


def test_json_is_alone_on_standard_output_of_a_narrow_terminal(pipeline) -> None:
    words = ["retrieve", pipeline.folder / "run", "--domain", "feed", "--user", "3", "-k", "30", "--json"]
    process = start(words, COLUMNS="40", NO_COLOR="1", FORCE_COLOR="1")
    out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    assert len(json.loads(out)["items"]) == 30
    assert out.count("\n") == 1


def test_a_table_keeps_its_numbers_on_a_narrow_terminal(adi, pipeline, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr("adi.cli.show.OUT", Screen())
    done = adi("evaluate", pipeline.folder / "run", "--k", "5,20")
    metrics = json.loads((pipeline.folder / "run" / "metrics.json").read_text())
    assert done.returncode == 0
    assert "…" not in done.stdout
    for values in (*metrics["domains"].values(), metrics["mean_over_queries"]):
        assert f"{values['recall@5']:.4f}" in done.stdout


def test_ctrl_c_stops_a_training_and_resume_ends_it(pipeline, tiny: list[str], tmp_path: Path, adi) -> None:
    run = tmp_path / "run"
    words = ["train", pipeline.folder / "prepared", "--model", "dnn", "--out", run, "--seed", 3, *tiny]
    process = start([*words, "--set=epochs=1000", "--set=patience=1000"])
    assert process.stderr is not None
    while process.stderr.readline().split()[:1] != ["1"]:  # the line of epoch 1
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert (process.returncode, out) == (130, "")
    assert err.endswith(f"{run}: not finished; the same command with --resume goes on.\nadi: interrupted\n")
    assert "Traceback" not in err
    assert "the training did not finish" in adi("evaluate", run).stderr
    other = adi(*words, "--set=epochs=1000", "--resume")
    assert other.returncode == 2
    assert "cannot resume with another training.patience (started with 1000, now " in other.stderr


def test_resume_goes_on_from_the_epochs_that_are_done(
    pipeline, tiny: list[str], tmp_path: Path, adi, monkeypatch
) -> None:
    from adi.training.loop import Training

    run = tmp_path / "run"
    words = ["train", pipeline.folder / "prepared", "--model", "dnn", "--out", run, *tiny]
    words += ["--set=epochs=3", "--set=refit=false"]
    validate = Training._validate

    def interrupted(training: Training) -> None:
        if training.progress.epoch == 2:
            raise KeyboardInterrupt
        validate(training)

    monkeypatch.setattr(Training, "_validate", interrupted)
    done = adi(*words)
    assert (done.returncode, done.stderr.count("adi: interrupted")) == (130, 1)
    monkeypatch.undo()
    done = adi(*words, "--resume")
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stderr.splitlines()[2:]] == ["3"]
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in log] == [1, 2, 3]
    assert adi("evaluate", run).returncode == 0


def test_a_reader_that_goes_away_is_no_fault() -> None:
    read, write = os.pipe()
    os.close(read)
    process = subprocess.run([*ADI, "models"], stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert (process.returncode, process.stderr) == (141, "")


@pytest.mark.parametrize(
    ("raised", "code", "message"),
    [
        (KeyboardInterrupt(), 130, "adi: interrupted\n"),
        (RuntimeError("Query interrupted"), 130, "adi: interrupted\n"),
        (OSError(errno.ENOSPC, "No space left on device", "run/run.json"), 2, "adi: run/run.json: No space left on "),
        (PermissionError(errno.EACCES, "Permission denied", "runs"), 2, "adi: runs: Permission denied.\n"),
    ],
)
def test_what_the_machine_says_ends_in_one_message(
    adi, monkeypatch, raised: BaseException, code: int, message: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise raised

    monkeypatch.setattr("adi.report.page.write_report", fail)
    done = adi("report", "run")
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("raised", [RuntimeError("shape"), OSError(errno.EIO, "I/O error"), ZeroDivisionError()])
def test_a_fault_of_ours_keeps_its_traceback(adi, monkeypatch, raised: Exception) -> None:
    def fail(*_: object, **__: object) -> None:
        raise raised

    monkeypatch.setattr("adi.report.page.write_report", fail)
    with pytest.raises(type(raised)):
        adi("report", "run")
