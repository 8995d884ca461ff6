"""The same bits: a training that was stopped or killed after a step, and resumed, ends as one that was not, and one
that is done again with as many threads ends as before; each model of the catalog does.

`test_failing_disk.py` kills trainings in the middle of writing a file. tests/training has interruptions of trainings
with self-training and trends, and of several processes.
"""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from adi.data.dataset import Dataset
from adi.models.catalog import MODELS
from adi.runs.epochs import read_epochs
from adi.runs.info import read_info
from adi.training.loader import Loader, negative_sampler
from adi.training.settings import settings_for
from adi.training.step import Step
from adi.training.train import train
from adi.verification import verify

TRAINED = [name for name, model in MODELS.items() if model.trained]
SETTINGS = {
    "embedding_sets": 1, "embedding_dim": 4, "dim": 4, "uniform": 20, "epochs": 2, "batch_size": 128,
    "checkpoint_steps": 2, "refit": False, "blend": False, "k": 5,
}  # fmt: skip
STOP = (2, 3)
"""The epoch and step after which a training is stopped: a step after its last checkpoint."""
THREADS = (1, 2, 4)
STEPS = [(1, 1), (1, 3), (2, 2)]
"""Steps of a training, of three in each epoch, after which it is killed; before its first checkpoint and later."""


class Stop:
    """An observer that ends the training at a step, in one way or another."""

    def __init__(self, at, end):
        self.at, self.end = at, end

    def step(self, *, epoch, step, **_):
        if (epoch, step) == self.at:
            self.end()

    def validated(self, **_): ...

    def refitting(self, **_): ...

    def warned(self, **_): ...


def interrupt():
    raise KeyboardInterrupt


def trained(prepared, model, out, *, resume=False, observer=None, **settings):
    options = {"settings": SETTINGS | settings, "baselines": False, "progress": False, "verify": False}
    train(prepared, model, out, resume=resume, observer=observer, **options)
    return out


def check_same(run, other):
    """Compare the weights of two runs bit by bit, and all that their logs hold but times."""
    weights = [{path.name: path.read_bytes() for path in folder.glob("model*.safetensors")} for folder in (run, other)]
    assert weights[0]
    assert weights[0] == weights[1]
    timing = {"seconds": 0.0, "samples_per_second": 0.0}
    logs = [[epoch.model_copy(update=timing) for epoch in read_epochs(folder)] for folder in (run, other)]
    assert logs[0] == logs[1]
    infos = [read_info(folder).model_dump(exclude={"files", "created", "prepared"}) for folder in (run, other)]
    assert infos[0] == infos[1]
    assert not verify(run).faults
    assert not [path for path in run.rglob("*") if path.name.endswith(".partial")]


@pytest.mark.parametrize("model", TRAINED)
def test_a_stopped_training_ends_as_a_whole_one(market, tmp_path, model):
    whole = trained(market / "prepared", model, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        trained(market / "prepared", model, tmp_path / "run", observer=Stop(STOP, interrupt))
    check_same(trained(market / "prepared", model, tmp_path / "run", resume=True), whole)


KILLED = """
import os, signal, sys
import torch
sys.path[:0] = {path}
from test_same_bits import Stop, trained

torch.set_num_threads({threads})
kill = Stop({at}, lambda: os.kill(os.getpid(), signal.SIGKILL))
trained({prepared!r}, {model!r}, {out!r}, resume={resume}, observer=kill, **{settings!r})
"""


def in_a_process(prepared, model, out, *, at=None, threads=1, resume=False, **settings):
    """Train in a process of its own, which is killed after the step `at`; returns its exit code."""
    script = KILLED.format(
        path=[str(Path(__file__).parent)],
        prepared=str(prepared),
        model=model,
        out=str(out),
        at=at,
        threads=threads,
        resume=resume,
        settings=settings,
    )
    ended = subprocess.run([sys.executable, "-c", script], stderr=subprocess.PIPE, text=True, timeout=120)
    assert ended.returncode in (0, -signal.SIGKILL), ended.stderr
    return ended.returncode


@pytest.mark.slow
@pytest.mark.parametrize(("model", "at"), [("mind", STOP), ("dnn-single", (1, 1))], ids=str)
def test_a_killed_training_ends_as_a_whole_one(market, tmp_path, model, at):
    whole = trained(market / "prepared", model, tmp_path / "whole")
    assert in_a_process(market / "prepared", model, tmp_path / "run", at=at) == -signal.SIGKILL
    assert read_info(tmp_path / "run").status == "training"
    check_same(trained(market / "prepared", model, tmp_path / "run", resume=True), whole)


@pytest.fixture
def four_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("model", TRAINED)
@pytest.mark.usefixtures("four_threads")
def test_gradients_of_a_batch_are_the_same_again_with_several_threads(market, model):
    """Vectors are wide, so that PyTorch divides the work of a batch of this size among the threads."""
    dataset = Dataset(market / "prepared")
    settings = settings_for(MODELS[model], {"embedding_sets": 1, "embedding_dim": 8, "dim": 256}).for_data(
        dataset.manifest
    )
    sampler = negative_sampler(dataset, in_batch=True, uniform=20)
    batch = next(Loader(dataset, batch_size=1024, sampler=sampler).epoch(0))

    def gradients():
        torch.manual_seed(0)
        step = Step(MODELS[model].build(dataset, settings.model), settings.training, MODELS[model].loss)
        step.gradients(batch)
        return list(step.named_gradients())

    before = gradients()
    for _ in range(5):
        for (name, gradient), (_, again) in zip(before, gradients(), strict=True):
            assert torch.equal(gradient, again), name


@pytest.mark.exhaustive
@pytest.mark.parametrize("model", TRAINED)
def test_any_model_killed_ends_as_a_whole_one(market, tmp_path, record_property, model):
    """With each of several numbers of threads."""
    prepared, options = market / "prepared", {"dim": 32, "embedding_dim": 16, "batch_size": 256, "checkpoint_steps": 2}
    for threads in THREADS:
        whole = tmp_path / f"whole, {threads} threads"
        assert in_a_process(prepared, model, whole, threads=threads, **options) == 0
        for at in STEPS:
            run = tmp_path / f"{threads} threads, {at}"
            assert in_a_process(prepared, model, run, at=at, threads=threads, **options) == -signal.SIGKILL
            assert in_a_process(prepared, model, run, resume=True, threads=threads, **options) == 0
            check_same(run, whole)
    record_property("trials", len(THREADS) * len(STEPS))
