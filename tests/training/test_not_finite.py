"""Numbers that are not finite, slipped into a training: it stops, names where, and keeps what it needs to go on."""

import dataclasses
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from small_trainings import DNN, trained

from adi.data.dataset import Dataset
from adi.errors import AdiError, DivergedError
from adi.losses import sampled_softmax
from adi.training.not_finite import not_finite_weight, table_of
from adi.training.optimizers import RowwiseAdagrad
from adi.verification import verify

GUARANTEES = Path(__file__).parents[2] / "docs" / "guarantees.md"


def spoiled(change):
    """The model dnn, with a loss that is changed at one call of a training: at step 5, in the last of 3 domains."""
    calls = iter(range(1, 1 << 30))

    def loss(query, candidates, positive, **options):
        value = sampled_softmax(query, candidates, positive, **options)
        return change(value, query) if next(calls) == 15 else value

    return dataclasses.replace(DNN, name="spoiled", loss=loss)


def stopped(prepared, out, **options):
    with pytest.raises(DivergedError) as raised:
        trained(prepared, out, **options)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_a_loss_that_is_not_finite_names_the_domain_the_step_and_the_file(market, tmp_path):
    message = stopped(market, tmp_path / "run", model=spoiled(lambda loss, _: loss * float("nan")))
    assert message.startswith("epoch 1, step 5: the loss is nan; the training has diverged. Domains: cart. The first")
    assert "is in the loss, of users' and items' vectors that are finite" in message
    assert message.endswith("failed-checkpoint.safetensors has the batch.")


def test_gradients_that_are_not_finite_name_the_domain_and_a_weight(market, tmp_path):
    """The square root of 0 has the value 0 and an infinite gradient; the loss stays finite."""
    sizes = {name: part.train for name, part in Dataset(market).manifest.by_domain.items()}
    corpora = Dataset(market).corpora

    def loss(query, candidates, positive, **options):
        value = sampled_softmax(query, candidates, positive, **options)
        is_feed = len(candidates) == len(corpora.items[1])
        return value + (query.sum() * 0).sqrt() if is_feed else value

    assert len({len(items) for items in corpora.items}) == len(sizes) == 3
    model = dataclasses.replace(DNN, name="infinite", loss=loss)
    message = stopped(market, tmp_path / "run", model=model, uniform=1000)
    assert "Domains: feed. The first value that is not finite is in the gradient of " in message


def test_weights_that_grow_without_bound_name_the_layer(market, tmp_path):
    message = stopped(market, tmp_path / "run", lr=1e30, embedding_lr=1e30)
    assert "epoch 1, step 2: the loss is nan" in message
    assert "Domains: search, feed, cart." in message
    assert "is in the output of user_tower.recency.of_history. Lower training.lr" in message


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # of the logarithm of a negative share
def test_numbers_that_are_not_finite_in_the_data_name_the_input(market, tmp_path):
    """Counts whose sum overflows; the digests would have told."""
    prepared = shutil.copytree(market, tmp_path / "prepared")
    counts = np.load(prepared / "corpus" / "count.npy")
    counts[2:4] = 1 << 62
    np.save(prepared / "corpus" / "count.npy", counts)
    message = stopped(prepared, tmp_path / "run", verify=False)
    assert "step 1: " in message
    assert "Domains: search. The first value that is not finite is in the input: the popularity of items." in message
    assert "The data is at fault" in message
    assert "Lower" not in message


def test_an_embedding_that_is_not_finite_names_feature_and_row(market, tmp_path, monkeypatch):
    update, calls = RowwiseAdagrad.step, iter(range(1, 1 << 30))

    def overflowing(self):
        rows = torch.cat([rows for rows, _ in self.tables.touched])
        update(self)
        if next(calls) == 4:
            self.tables.weight[rows.min()] = float("inf")

    monkeypatch.setattr(RowwiseAdagrad, "step", overflowing)
    with pytest.raises(DivergedError, match=r"step [5-9]: .* is in the embedding of row \d+ of feature '\w+'\. Lower"):
        trained(market, tmp_path / "run", checkpoint_steps=1000)


def test_no_checkpoint_has_a_weight_that_is_not_finite(market, tmp_path, monkeypatch):
    """The weights after step 4 are not finite, and a checkpoint is due."""
    update, calls = RowwiseAdagrad.step, iter(range(1, 1 << 30))

    def overflowing(self):
        update(self)
        if next(calls) == 4:
            self.tables.weight[self.tables.first["item_id"] + 7] = float("nan")

    monkeypatch.setattr(RowwiseAdagrad, "step", overflowing)
    message = r"after epoch 0, step 4: the embedding of row 7 of feature 'item_id' is not finite; the training has"
    with pytest.raises(DivergedError, match=message):
        trained(market, tmp_path / "run", checkpoint_steps=2)
    kept = load_file(tmp_path / "run" / "checkpoint.safetensors")
    assert all(tensor.isfinite().all() for tensor in kept.values() if tensor.is_floating_point())


def test_a_training_goes_on_from_the_last_good_checkpoint(market, tmp_path):
    """The fault does not come again: the run ends as one without it."""
    trained(market, tmp_path / "whole", model=dataclasses.replace(DNN, name="spoiled"))
    run = tmp_path / "run"
    stopped(market, run, model=spoiled(lambda loss, _: loss * float("inf")))
    assert not verify(run).faults
    trained(market, run, model=dataclasses.replace(DNN, name="spoiled"), resume=True)
    weights, others = (load_file(folder / "model.safetensors") for folder in (run, tmp_path / "whole"))
    assert all(torch.equal(weight, others[name]) for name, weight in weights.items())
    assert not list(run.glob("*checkpoint*"))
    assert not verify(run).faults


def test_the_batch_that_failed_is_kept_and_can_be_replayed(market, tmp_path, monkeypatch, capsys):
    """As docs/guarantees.md has it: rows with their domains, and a checkpoint of the state before the step."""
    run, model = tmp_path / "run", spoiled(lambda loss, _: loss * float("nan"))
    stopped(market, run, model=model)
    failed = load_file(run / "failed-checkpoint.safetensors")
    rows, domains = failed["part.batch.rows"].numpy(), failed["part.batch.domains"].numpy()
    dataset = Dataset(market)
    assert len(set(rows.tolist())) == 64
    assert dataset.is_training(rows).all()
    assert np.array_equal(dataset.targets("train", rows)[2], domains)
    assert all(tensor.isfinite().all() for tensor in failed.values() if tensor.is_floating_point())

    monkeypatch.chdir(tmp_path)
    (tmp_path / "prepared").symlink_to(market)
    (snippet,) = re.findall(r"```py\n(.*?)```", GUARANTEES.read_text(encoding="utf-8"), re.DOTALL)
    exec(compile(snippet, str(GUARANTEES), "exec"), {})
    shown = [line.split() for line in capsys.readouterr().out.splitlines()]
    users, items, _ = dataset.targets("train", rows)
    assert shown[7] == [dataset.users.key(users[7]), dataset.items.key(items[7]), dataset.domains[domains[7]]]
    assert len(shown) == 64

    (run / "failed-checkpoint.safetensors").replace(run / "checkpoint.safetensors")
    seen = []

    class Observer:
        def step(self, *, epoch, step, **_):
            seen.append((epoch, step))
            raise KeyboardInterrupt

        def warned(self, **_): ...

    with pytest.raises(KeyboardInterrupt):
        trained(market, run, model=dataclasses.replace(DNN, name="spoiled"), resume=True, observer=Observer())
    assert seen == [(1, 5)]  # the step that failed is the first


def test_a_damaged_file_of_the_batch_is_named_by_verify(market, tmp_path):
    run = tmp_path / "run"
    stopped(market, run, model=spoiled(lambda loss, _: loss * float("nan")))
    file = run / "failed-checkpoint.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(bytes(content))
    assert any("failed-checkpoint" in fault for fault in verify(run).faults)


def test_a_full_disk_does_not_hide_the_fault(market, tmp_path, monkeypatch):
    def full(path, *arguments, **options):
        raise AdiError(f"{path}: cannot be written (No space left on device).")

    monkeypatch.setattr("adi.training.loop.save_checkpoint", full)
    model = spoiled(lambda loss, _: loss * float("nan"))
    message = stopped(market, tmp_path / "run", model=model, checkpoint_steps=1000)
    assert "step 5: the loss is nan" in message
    assert "No space left on device" in message


def test_rows_of_the_packed_tables_have_a_feature(market):
    towers = DNN.build(Dataset(market), DNN.settings())
    first = towers.tables.first
    assert table_of(towers.tables, first["item_id"] + 3) == ("item_id", 3)
    assert table_of(towers.tables, towers.tables.num_rows - 1)[0] == list(first)[-1]
    assert not_finite_weight(towers) is None
    towers.user_tower.backbone.output.weight.data[0, 0] = float("inf")
    assert not_finite_weight(towers) == "the weight user_tower.backbone.output.weight"
