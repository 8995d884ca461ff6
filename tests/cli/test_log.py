"""The log of a command: as JSON, one object on each line of standard error; and under --quiet, errors alone."""

import json
import logging
import warnings
from pathlib import Path
from typing import Any

import pytest

from adi.cli.log import LOG
from adi.cli.progress import CellEvents, TrialEvents
from adi.grid.cells import Cell, CellRecord


@pytest.fixture(autouse=True)
def every_step(monkeypatch) -> None:
    """No event is left out because the last was a moment ago."""
    monkeypatch.setattr("adi.cli.progress.PERIOD", 0.0)


def lines(text: str) -> list[dict[str, Any]]:
    """The objects of a log in JSON, each of which has the five keys."""
    logged = [json.loads(line) for line in text.splitlines()]
    assert all(list(line) == ["time", "level", "command", "event", "fields"] for line in logged)
    return logged


def of(logged: list[dict[str, Any]], event: str) -> list[dict[str, Any]]:
    return [line["fields"] for line in logged if line["event"] == event]


def test_a_training_logs_its_steps_epochs_and_end(adi, pipeline, tiny: list[str], tmp_path: Path) -> None:
    words = ["train", pipeline.folder / "prepared", "--model", "dnn", "--out", tmp_path / "run", "--set=epochs=2"]
    done = adi(*words, "--set=refit=false", *tiny, "--log-format", "json")
    assert done.stdout.splitlines()[-1].startswith("Trained dnn ")
    logged = lines(done.stderr)
    assert {line["command"] for line in logged} == {"train"}
    steps, epochs = of(logged, "progress"), of(logged, "epoch")
    assert [step["done"] for step in steps if step["stage"] == "epoch 1"] == [*range(1, steps[0]["total"] + 1)]
    records = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [epoch["epoch"] for epoch in epochs] == [1, 2]
    assert [epoch["measure"] for epoch in epochs] == ["recall@50", "recall@50"]
    expected = [record["validation"]["mean"]["recall@50"] for record in records]
    assert [epoch["mean"] for epoch in epochs] == pytest.approx(expected)
    assert [(epoch["compared_by"], epoch["value"]) for epoch in epochs] == [
        ("ndcg@50", pytest.approx(record["validation"]["mean"]["ndcg@50"])) for record in records
    ]
    assert set(epochs[0]["domains"]) == {"search", "feed", "cart"}
    assert (logged[-1]["event"], logged[-1]["fields"]["exit_code"]) == ("end", 0)


def test_the_environment_chooses_the_format_and_an_option_wins(adi, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("ADI_LOG_FORMAT", "json")
    error, end = lines(adi("prepare", tmp_path, "--out", tmp_path / "new").stderr)
    assert (error["level"], error["event"], error["fields"]["exit_code"]) == ("error", "error", 2)
    assert error["fields"]["message"].startswith(f"{tmp_path}/schema.yaml: no such file.")
    assert end["fields"]["exit_code"] == 2
    text = adi("prepare", tmp_path, "--out", tmp_path / "new", "--log-format", "text").stderr
    assert text.startswith(f"adi: {tmp_path}/schema.yaml: no such file.")
    assert text.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["models", "--log-format=json", "--prepare"], "No such option: --prepare"),
        (["train", "p", "--log-format", "json"], "Missing option '--model'."),
        (["train", "p", "--log-format", "json", "--model", "dnn", "--seed", "x"], "Invalid value for '--seed'"),
    ],
)
def test_an_error_in_the_arguments_is_json_too(adi, words: list[str], message: str) -> None:
    done = adi(*words)
    assert (done.returncode, done.stdout) == (2, "")
    error, _ = lines(done.stderr)
    assert (error["command"], error["event"]) == (words[0], "error")
    assert error["fields"]["message"].startswith(message)


def test_an_unknown_command_is_json_too(adi, monkeypatch) -> None:
    monkeypatch.setenv("ADI_LOG_FORMAT", "json")
    error, _ = lines(adi("trian").stderr)
    assert error["fields"] == {"message": "No such command 'trian'. Did you mean 'train'?", "exit_code": 2}


def test_an_error_that_nobody_expected_has_its_traceback(adi, monkeypatch) -> None:
    def fail(*_: object, **__: object) -> None:
        logging.getLogger("library").warning("half full")
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("old", UserWarning, stacklevel=1)
        raise RuntimeError("shape")

    monkeypatch.setattr("adi.report.page.write_report", fail)
    done = adi("report", "run", "--log-format", "json")
    assert done.returncode == 1
    first, second, error, end = lines(done.stderr)
    assert (first["level"], first["fields"]) == ("warning", {"message": "half full", "logger": "library"})
    assert "UserWarning: old" in second["fields"]["message"]
    assert (error["fields"]["message"], error["fields"]["exit_code"]) == ("shape", 1)
    assert "in fail" in error["fields"]["traceback"]
    assert end["fields"]["exit_code"] == 1
    assert not any(type(handler).__module__.startswith("adi.") for handler in logging.getLogger().handlers)


def test_quiet_writes_the_result_and_no_progress(adi, pipeline, tiny: list[str], tmp_path: Path) -> None:
    words = ["train", pipeline.folder / "prepared", "--model", "dnn", "--set=epochs=1", *tiny, "--quiet"]
    done = adi(*words, "--out", tmp_path / "run")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1].startswith("Trained dnn ")
    assert adi("retrieve", tmp_path / "run", "--domain", "feed", "--quiet", "--user", "3").stderr == ""
    done = adi(*words, "--out", tmp_path / "run2", "--log-format", "json")
    assert (done.returncode, done.stderr) == (0, "")
    done = adi(*words, "--out", tmp_path / "run")  # which is there
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"adi: {tmp_path}/run: exists and is not empty.")


def test_a_server_reports_to_the_log(adi, monkeypatch) -> None:
    def serve(*_: object, report: Any, **__: object) -> None:
        report("Serving b on http://127.0.0.1:1.")
        report("WARNING: open to all.")

    monkeypatch.setattr("adi.serving.server.serve", serve)
    assert adi("serve", "b").stdout.splitlines() == ["Serving b on http://127.0.0.1:1.", "WARNING: open to all."]
    done = adi("serve", "b", "--log-format", "json")
    assert done.stdout == ""
    said = [(line["level"], line["event"], line["fields"]) for line in lines(done.stderr)][:2]
    assert said == [
        ("info", "server", {"message": "Serving b on http://127.0.0.1:1."}),
        ("warning", "server", {"message": "open to all."}),
    ]


def test_cells_and_trials(capsys) -> None:
    cell = Cell("market", "dnn", 1, "dnn", {})
    record = CellRecord(code="", torch="", fingerprint="", config={}, status="failed", reason="no rows", seconds=1.5)
    with LOG.running({"ADI_LOG_FORMAT": "json"}):
        observer = CellEvents()
        observer.planned(cells=[cell], left=1)
        observer.training(cell).step(epoch=1, step=1, steps=2, loss=float("nan"), samples_per_second=7.06)
        observer.finished(cell, record, None)
        TrialEvents(3).step(trial=2, epoch=1, step=4, steps=5)
    cells, step, failed, trial, _ = lines(capsys.readouterr().err)
    names = {"dataset": "market", "cell": "dnn", "seed": 1}
    assert cells["fields"] == {"stage": "cells", "done": 0, "total": 1}
    assert step["fields"] == {
        "stage": "epoch 1",
        "done": 1,
        "total": 2,
        "loss": None,
        "samples_per_second": 7.1,
        **names,
    }
    outcome = {"done": 1, "total": 1, "state": "failed", "reason": "no rows", "seconds": 1.5, "mean": None, **names}
    assert (failed["level"], failed["event"], failed["fields"]) == ("warning", "cell", outcome)
    assert trial["fields"] == {"stage": "trial 2, epoch 1", "done": 4, "total": 5}


def test_under_quiet_messages_are_those_of_errors(capsys) -> None:
    with LOG.running({}):
        LOG.quiet = True
        LOG.message("The run knows all values.")
        LOG.message("gate: feed is worse", level="error")
    assert capsys.readouterr().err == "gate: feed is worse\n"
