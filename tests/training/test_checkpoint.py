import errno

import pytest
import torch
from safetensors.torch import load_file

from adi.errors import AdiError
from adi.losses import sampled_softmax
from adi.models.catalog import MODELS
from adi.training.checkpoint import Progress, load_checkpoint, save_checkpoint
from adi.training.loader import Loader, negative_sampler
from adi.training.optimizers import RowwiseAdagrad, dense_optimizer
from adi.training.settings import settings_for
from adi.training.step import batch_loss
from adi.training.tensor_file import save_tensors


class State:
    """A model with its optimizers and a loader, all small."""

    def __init__(self, dataset, seed):
        torch.manual_seed(seed)
        small = {"embedding_dim": 4, "dim": 3, "networks": (5,), "dropout": 0.3, "norm": "domain"}
        self.model = MODELS["adi-se"].build(dataset, settings_for(MODELS["adi-se"], small).model).train()
        self.tables = RowwiseAdagrad(self.model.tables, lr=0.1)
        self.dense = dense_optimizer(self.model, lr=0.01, weight_decay=0.1)
        sampler = negative_sampler(dataset, in_batch=True, uniform=2)
        self.loader = Loader(dataset, batch_size=8, sampler=sampler)

    def train(self, start, stop):
        for step, batch in enumerate(self.loader.epoch(0, start=start), start):
            if step == stop:
                break
            self.dense.zero_grad()
            batch_loss(self.model, batch, sampled_softmax).backward()
            self.tables.step()
            self.dense.step()


def test_a_restored_training_goes_on_as_if_nothing_had_happened(dataset, tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    first = State(dataset, seed=0)
    first.train(0, 2)
    best = {"best_ndcg": {"mean": 0.25}, "best_epoch": {"mean": 1}}
    saved = Progress(epoch=1, step=2, **best, loss_sum=3.5, samples=16, pseudo=3, seconds=0.1)
    save_checkpoint(path, first.model, first.tables, first.dense, saved)
    first.train(2, 4)

    second = State(dataset, seed=1)
    torch.rand(5)  # the random state is put back too: dropout depends on it
    assert load_checkpoint(path, second.model, second.tables, second.dense) == saved
    second.train(2, 4)

    for (name, mine), theirs in zip(first.model.state_dict().items(), second.model.state_dict().values(), strict=True):
        assert torch.equal(mine, theirs), name
    assert torch.equal(first.tables.state, second.tables.state)
    one, other = first.dense.state_dict(), second.dense.state_dict()
    assert one["param_groups"] == other["param_groups"]
    assert one["state"].keys() == other["state"].keys()
    assert one["state"]
    for number, state in one["state"].items():
        assert state.keys() == {"step", "exp_avg", "exp_avg_sq"}
        assert all(torch.equal(value, other["state"][number][key]) for key, value in state.items())


class Counter:
    """A part of a training with a state of its own."""

    def __init__(self, value):
        self.value = value

    def state_dict(self):
        return {"some.value": torch.tensor([self.value])}

    def load_state_dict(self, state):
        assert list(state) == ["some.value"]
        self.value = int(state["some.value"])


def test_parts_are_put_back_by_their_names(dataset, tmp_path):
    path, state = tmp_path / "checkpoint.safetensors", State(dataset, seed=0)
    kept = {"one": Counter(3), "other": Counter(4)}
    save_checkpoint(path, state.model, state.tables, state.dense, Progress(), kept)
    found = {"other": Counter(0), "one": Counter(0)}
    load_checkpoint(path, state.model, state.tables, state.dense, found)
    assert {name: part.value for name, part in found.items()} == {"one": 3, "other": 4}


def test_a_missing_checkpoint_is_named(dataset, tmp_path):
    state = State(dataset, seed=0)
    with pytest.raises(AdiError, match=r"nothing\.safetensors: there is no checkpoint to resume from"):
        load_checkpoint(tmp_path / "nothing.safetensors", state.model, state.tables, state.dense)


def test_a_checkpoint_of_another_version_is_refused(dataset, tmp_path, monkeypatch):
    """Its progress has another measure of the best epoch, with which new epochs cannot be compared."""
    path, state = tmp_path / "checkpoint.safetensors", State(dataset, seed=0)
    older = {"epoch": 1, "step": 2, "best": {"mean": 0.25}, "best_epoch": {"mean": 1}}
    monkeypatch.setattr("adi.training.checkpoint.asdict", lambda _: older)
    save_checkpoint(path, state.model, state.tables, state.dense, Progress())
    with pytest.raises(AdiError, match=r"checkpoint\.safetensors: a checkpoint of another version of adi\."):
        load_checkpoint(path, state.model, state.tables, state.dense)


def test_a_failed_write_leaves_the_former_file(tmp_path, monkeypatch):
    path = tmp_path / "weights.safetensors"
    save_tensors(path, {"a": torch.zeros(3)})
    before = path.read_bytes()

    def full(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr("adi.training.tensor_file.os.fsync", full)
    with pytest.raises(AdiError, match="No space left"):
        save_tensors(path, {"a": torch.ones(3)})
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_a_full_disk_ends_in_a_message_and_leaves_the_last_file(tmp_path, monkeypatch):
    path = tmp_path / "model.safetensors"
    save_tensors(path, {"weight": torch.ones(2)})

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("adi.training.tensor_file.os.posix_fallocate", full)
    with pytest.raises(AdiError, match=r"model\.safetensors: cannot be written .*No space left.*--resume"):
        save_tensors(path, {"weight": torch.zeros(2)})
    assert [file.name for file in tmp_path.iterdir()] == ["model.safetensors"]
    assert load_file(path)["weight"].tolist() == [1.0, 1.0]
