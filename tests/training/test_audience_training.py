"""Training with audiences: what only they can know, and how it goes on after an interruption."""

import shutil

import numpy as np
import pyarrow as pa
import pytest
import torch
from safetensors.torch import load_file

from adi.data.dataset import Dataset
from adi.errors import AdiError
from adi.preparation.prepare import prepare
from adi.runs.epochs import read_epochs
from adi.training.evaluation import evaluate_run
from adi.training.train import train
from trending import HOUR, trending_schema

NUM_HOURS, NUM_GROUPS, TEST_FROM = 12, 4, 10


def news_of_groups(per_hour):
    """Every hour has eight new items, two for each of four groups of users, who click nothing else.

    All items get as many clicks. Nothing names the groups: they show in who clicks the same.
    """
    rng = np.random.default_rng(0)
    hour = np.repeat(np.arange(NUM_HOURS), per_hour)
    group = rng.integers(0, NUM_GROUPS, len(hour))
    user, item = group + NUM_GROUPS * rng.integers(0, 10, len(hour)), 2 * (hour * NUM_GROUPS + group)
    return pa.table(
        {
            "user": [f"u{number}" for number in user],
            "item": [f"i{number}" for number in item + rng.integers(0, 2, len(hour))],
            "domain": [("big", "small")[number] for number in rng.integers(0, 2, len(hour))],
            "time": np.sort(hour * HOUR + rng.integers(0, HOUR, len(hour))),
        }
    )


def schema_of_news(audience, **split):
    """Users are told apart by their ids alone, and nothing is known of an item but its clicks."""
    schema = trending_schema(co_clicks=None, audience=audience)
    schema["features"]["user"] = [{"name": "user_id", "kind": "id"}]
    return schema | {"split": split}


def test_audiences_tell_who_likes_an_item_that_no_training_row_has(tmp_path):
    """Recall of the two items of the user's group, of the hour's eight: counters find the hour, audiences the group."""
    settings = {"embedding_dim": 8, "dim": 8, "networks": [16], "epochs": 8, "batch_size": 128, "lr": 0.02, "k": 2}
    recalls = {}
    for name, audience in (("counters", None), ("audiences", {"half_lives": [1800]})):
        schema = schema_of_news(audience, kind="time", at=TEST_FROM * HOUR)
        prepare(schema, tmp_path / name, tables={"interactions": news_of_groups(per_hour=160)}, progress=False)
        dataset, run = Dataset(tmp_path / name), tmp_path / f"{name}-run"
        test, trained = (dataset.targets(part, dataset.rows(part))[1] for part in ("test", "train"))
        assert not set(test) & set(trained)
        train(dataset.folder, "adi-se", run, settings=settings | {"refit": False}, progress=False)
        recalls[name] = evaluate_run(run, ks=(2,), progress=False).live.mean["recall@2"]
    assert 0.15 < recalls["counters"] < 0.35  # two of the hour's eight by chance
    assert recalls["audiences"] > 0.85


SMALL = {
    "embedding_dim": 8,
    "dim": 8,
    "networks": (8,),
    "epochs": 2,
    "batch_size": 48,
    "lr": 0.01,
    "k": 2,
    "uniform": 5,
    "checkpoint_steps": 3,
}

SPLITS = {
    "time": {"kind": "time", "at": TEST_FROM * HOUR},
    "last": {"kind": "last", "validation": 0.5},
}


@pytest.fixture(scope="module", params=SPLITS)
def prepared(request, tmp_path_factory):
    """The log of news with audiences, in both kinds of split."""
    folder = tmp_path_factory.mktemp("audiences") / request.param
    schema = schema_of_news({"half_lives": [1800, 3600]}, **SPLITS[request.param])
    prepare(schema, folder, tables={"interactions": news_of_groups(per_hour=100)}, progress=False)
    return folder


class Stop:
    """An observer that interrupts a training at a step of an epoch, or at its validation."""

    def __init__(self, stop=None):
        self.stop, self.steps = stop, []

    def refitting(self, *, epochs): ...

    def step(self, *, epoch, step, steps, loss, samples_per_second):
        self.steps.append((epoch, step))
        if (epoch, step) == self.stop:
            raise KeyboardInterrupt

    def validated(self, *, epoch, metrics, best):
        if (epoch, "validation") == self.stop:
            raise KeyboardInterrupt

    def warned(self, *, warning): ...


@pytest.mark.parametrize(("prepared", "average"), [("time", 0.5), ("last", 0.0)], indirect=["prepared"])
def test_an_interrupted_training_ends_as_an_uninterrupted_one(prepared, tmp_path, average):
    """In the middle of an epoch, at a validation, and in the middle of the second epoch of a refit."""
    settings = SMALL | {"average": average, "refit": True}
    info = train(prepared, "adi-se", tmp_path / "whole", settings=settings, observer=(whole := Stop()))
    assert info.kept == {"big": 2, "small": 2}  # a refit of one epoch has no audiences
    expected = load_file(tmp_path / "whole" / "model.safetensors")
    for number, stop in enumerate([(2, 5), (2, "validation"), (4, 5)]):
        run = tmp_path / str(number)
        with pytest.raises(KeyboardInterrupt):
            train(prepared, "adi-se", run, settings=settings, observer=Stop(stop))
        assert (run / "audiences").is_dir()
        train(prepared, "adi-se", run, settings=settings, observer=(rest := Stop()), resume=True)
        assert rest.steps == whole.steps[-len(rest.steps) :]
        assert len(rest.steps) < len(whole.steps)
        weights = load_file(run / "model.safetensors")
        assert weights.keys() == expected.keys()
        assert all(torch.equal(weights[name], expected[name]) for name in weights)
    for run in tmp_path.iterdir():
        assert not (run / "audiences").exists()
        assert not list(run.glob("checkpoint*"))


@pytest.mark.parametrize("prepared", ["time"], indirect=True)
def test_audiences_that_are_missing_in_the_middle_of_an_epoch(prepared, tmp_path):
    run, settings = tmp_path / "run", SMALL | {"refit": False}
    with pytest.raises(KeyboardInterrupt):
        train(prepared, "dnn", run, settings=settings, observer=Stop((2, 4)))
    assert [folder.name for folder in (run / "audiences").iterdir()] == ["1"]
    shutil.rmtree(run / "audiences")
    with pytest.raises(AdiError, match=r"audiences/1: missing, so the training cannot be resumed\. Train into another"):
        train(prepared, "dnn", run, settings=settings, resume=True)


@pytest.mark.parametrize("prepared", ["last"], indirect=True)
def test_training_knows_no_click_of_the_test(prepared, tmp_path):
    """The same losses whatever the test's rows are, where they are not later than the others."""
    other = tmp_path / "other"
    shutil.copytree(prepared, other)
    items = np.load(other / "test" / "item.npy")
    np.save(other / "test" / "item.npy", items[::-1].copy())
    assert (items != items[::-1]).any()
    losses = []
    for number, data in enumerate((prepared, other)):
        train(data, "dnn", tmp_path / f"run{number}", settings=SMALL | {"refit": False}, verify=False, progress=False)
        losses.append([epoch.loss for epoch in read_epochs(tmp_path / f"run{number}")])
    assert losses[0] == losses[1]
