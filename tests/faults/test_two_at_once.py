"""Two processes that would write one folder: one does, and the other says so."""

import subprocess
import sys

import pytest

from adi.data.folder import locked
from adi.errors import AdiError
from adi.runs.info import read_info
from adi.training.train import train
from adi.tuning.tune import tune
from adi.verification import verify

SETTINGS = {"epochs": 1, "embedding_dim": 4, "dim": 4, "networks": (4,), "embedding_sets": 1, "uniform": 20}
AT_WORK = "another adi process is at work here"


def test_a_training_keeps_others_out_of_its_folder(market, tmp_path):
    run = tmp_path / "run"

    class Second:
        """Starts another training of the same folder during the first step."""

        refused = 0

        def step(self, **_):
            with pytest.raises(AdiError, match=r"is not empty|another adi process"):
                train(market / "prepared", "dnn", run, settings=SETTINGS, progress=False)
            with pytest.raises(AdiError, match=AT_WORK):
                train(market / "prepared", "dnn", run, settings=SETTINGS, progress=False, resume=True)
            self.refused += 1

        def validated(self, **_): ...

        def warned(self, **_): ...

        def refitting(self, **_): ...

    second = Second()
    train(market / "prepared", "dnn", run, settings=SETTINGS, observer=second, baselines=False)
    assert second.refused
    assert not verify(run).faults
    assert not list(run.glob(".*"))


def test_a_tuning_keeps_others_out_of_its_folder(market, tmp_path):
    options = {"trials": 1, "settings": SETTINGS, "progress": False}
    with locked(tmp_path / "study"), pytest.raises(AdiError, match=AT_WORK):
        tune(market / "prepared", "dnn", tmp_path / "study", **options)
    assert len(tune(market / "prepared", "dnn", tmp_path / "study", **options).trials) == 1


def test_a_folder_that_was_made_for_nothing_is_removed(market, tmp_path):
    with pytest.raises(AdiError, match="half_life"):
        train(market / "prepared", "dnn", tmp_path / "run", settings={"row_half_life": 3}, progress=False)
    assert not (tmp_path / "run").exists()


def test_a_training_that_was_killed_before_it_named_a_file_starts_anew(market, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / ".lock").touch()
    (run / ".run.json.partial").write_text("{")
    train(market / "prepared", "dnn", run, settings=SETTINGS, progress=False, baselines=False)
    assert read_info(run).status == "complete"
    assert not verify(run).faults


def test_of_two_commands_one_trains(market, tmp_path):
    command = [sys.executable, "-m", "adi", "train", str(market / "prepared"), "--model", "dnn"]
    command += ["--out", str(tmp_path / "run"), "--no-baselines"]
    command += [f"--set={name}={list(value) if name == 'networks' else value}" for name, value in SETTINGS.items()]
    two = [subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=120)[1] for process in two]
    assert sorted(process.returncode for process in two) == [0, 2], said
    (refused,) = (text for process, text in zip(two, said, strict=True) if process.returncode)
    assert AT_WORK in refused or "exists and is not empty" in refused
    assert not verify(tmp_path / "run").faults
