"""The average of the weights, against one that is kept of every weight at every step."""

import pytest
import torch

from adi.errors import AdiError
from adi.losses import sampled_softmax
from adi.models.catalog import MODELS
from adi.training.averaging import WeightAverage
from adi.training.fitted import open_run
from adi.training.loader import Loader, negative_sampler
from adi.training.optimizers import RowwiseAdagrad, dense_optimizer
from adi.training.settings import settings_for
from adi.training.step import batch_loss
from adi.training.train import train

SMALL = {"embedding_dim": 4, "dim": 3, "networks": (5,), "dropout": 0.0, "embedding_dropout": 0.0}


def training(dataset, decay, batch_size=3):
    """A model, its average, and its steps as an iterator."""
    torch.manual_seed(0)
    model = MODELS["adi-se"].build(dataset, settings_for(MODELS["adi-se"], SMALL).model).train()
    tables = RowwiseAdagrad(model.tables, lr=0.3)
    dense = dense_optimizer(model, lr=0.05, weight_decay=0.0)
    average = WeightAverage(model, decay)
    tables.before_update = average.catch_up
    loader = Loader(dataset, batch_size=batch_size, sampler=negative_sampler(dataset, in_batch=True, uniform=1))

    def steps():
        for batch in loader.epoch(0):
            dense.zero_grad()
            batch_loss(model, batch, sampled_softmax).backward()
            tables.step()
            dense.step()
            average.step()
            yield

    return model, average, steps()


def copy_of(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


@pytest.mark.parametrize("decay", [0.3, 0.95])
def test_the_average_is_that_of_all_weights_at_all_steps(dataset, decay):
    model, average, steps = training(dataset, decay)
    expected, untouched = copy_of(model), copy_of(model)["tables.weight"]
    for step, _ in enumerate(steps, 1):
        d = min(decay, step / (9 + step))
        expected = {name: d * expected[name] + (1 - d) * tensor for name, tensor in model.state_dict().items()}
        if step in (4, 5, 11):  # looked at on the way, which must not show in what follows
            before = copy_of(model)
            with average.applied():
                for name, tensor in model.state_dict().items():
                    torch.testing.assert_close(tensor, expected[name], msg=lambda text, name=name: f"{name}: {text}")
            assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    same = (model.tables.weight == untouched).all(dim=1)
    assert 0 < same.sum() < len(same)
    assert torch.equal(average.shards[0].average[same], untouched[same])


def test_a_step_touches_the_averages_of_its_rows_only(dataset):
    model, average, steps = training(dataset, 0.9, batch_size=1)
    next(steps)
    before, weights = average.shards[0].average.clone(), model.tables.weight.clone()
    next(steps)
    changed = (model.tables.weight != weights).any(dim=1)
    assert 0 < changed.sum() < len(changed) / 2
    assert torch.equal(average.shards[0].average[~changed], before[~changed])


def test_the_weights_are_back_after_an_error(dataset):
    model, average, steps = training(dataset, 0.9)
    next(steps)
    before = copy_of(model)

    def fail():
        with average.applied():
            assert not torch.equal(model.tables.weight, before["tables.weight"])
            raise AdiError("stop")

    with pytest.raises(AdiError, match="stop"):
        fail()
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_a_run_keeps_the_average_and_goes_on_from_the_weights(prepared, tmp_path):
    """Also after an interruption, between two checkpoints of the first epoch."""
    settings = SMALL | {"epochs": 2, "batch_size": 8, "uniform": 3, "k": 2, "checkpoint_steps": 3, "dropout": 0.3}

    class Stop:
        def step(self, *, epoch, step, **_):
            if (epoch, step) == (1, 4):
                raise KeyboardInterrupt

        def validated(self, **_): ...

        def warned(self, **_): ...

    train(prepared, "dnn", tmp_path / "plain", settings=settings | {"average": 0.0})
    settings |= {"average": 0.9}
    train(prepared, "dnn", tmp_path / "whole", settings=settings)
    with pytest.raises(KeyboardInterrupt):
        train(prepared, "dnn", tmp_path / "stopped", settings=settings, observer=Stop())
    train(prepared, "dnn", tmp_path / "stopped", settings=settings, resume=True)
    plain, whole, stopped = (
        open_run(tmp_path / name).scorer.scorers[0].model.state_dict() for name in ("plain", "whole", "stopped")
    )
    assert all(torch.equal(tensor, stopped[name]) for name, tensor in whole.items())
    assert not torch.equal(whole["tables.weight"], plain["tables.weight"])
