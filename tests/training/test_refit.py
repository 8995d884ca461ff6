"""Refits: equal to a plain training on all rows, resumed where they stopped, and what a run then is evaluated with."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from adi.data.dataset import Dataset
from adi.evaluation.evaluate import evaluate
from adi.exporting.export import export
from adi.models.catalog import MODELS
from adi.retrieval.retriever import Retriever
from adi.runs.epochs import read_epochs
from adi.runs.info import read_info
from adi.runs.self_training import read_audit
from adi.training.evaluation import evaluate_run
from adi.training.fitted import open_run
from adi.training.loader import Loader, negative_sampler
from adi.training.settings import settings_for
from adi.training.step import Step
from adi.training.train import train
from adi.tuning.tune import tune

SETTINGS = {
    "embedding_sets": 1,
    "embedding_dim": 8,
    "dim": 8,
    "networks": (8,),
    "epochs": 4,
    "batch_size": 40,
    "patience": 4,
    "k": 3,
    "uniform": 5,
    "checkpoint_steps": 3,
}


@pytest.fixture
def by_time(workspace):
    """A log of 300 clicks in which items come and go: the newest tenth has items that no earlier click has."""
    rng = np.random.default_rng(0)
    rows = [
        {
            "user": f"u{rng.integers(15)}",
            "item": f"i{(time // 20 + rng.integers(8)) % 30}",
            "domain": "ab"[rng.integers(2)],
            "time": time,
        }
        for time in range(300)
    ]
    workspace.write("log.jsonl", rows)
    workspace.schema["split"] = {"kind": "time", "at": 270}
    workspace.prepare()
    return workspace


def whole_training(prepared, model, settings, epochs, seed):
    """The averaged weights after so many epochs of a training that is written out here."""
    dataset = Dataset(prepared)
    chosen = settings_for(MODELS[model], settings).for_data(dataset.manifest)
    rules = chosen.training
    torch.manual_seed(seed)
    towers = MODELS[model].build(dataset, chosen.model)
    sampler = negative_sampler(dataset, in_batch=rules.in_batch, uniform=rules.uniform)
    loader = Loader(dataset, batch_size=rules.batch_size, sampler=sampler, seed=seed)
    users = [domain.users for domain in dataset.manifest.by_domain.values()]
    step = Step(towers, rules, MODELS[model].loss, users=users)
    states = []
    for epoch in range(epochs):
        towers.train()
        for batch in loader.epoch(epoch):
            step(batch)
        with step.average.applied():
            states.append({name: weight.clone() for name, weight in towers.state_dict().items()})
    return states


def equal(weights, state):
    return weights.keys() == state.keys() and all(torch.equal(weights[name], state[name]) for name in weights)


def test_it_is_a_training_on_all_rows_to_the_bit(by_time, tmp_path):
    info = train(by_time.out, "adi-se", tmp_path / "run", settings=SETTINGS, seed=3)
    assert info.refit
    (best,) = set(info.kept.values())
    by_time.schema["split"]["validation"] = 0
    by_time.prepare("all")  # the same log, prepared without validation rows
    states = whole_training(by_time.out, "adi-se", SETTINGS, best, seed=3)
    assert equal(load_file(tmp_path / "run" / "model.safetensors"), states[-1])


def test_each_domain_keeps_the_weights_of_its_own_epoch(by_time, tmp_path):
    settings = SETTINGS | {"keep": "domain", "lr": 0.03, "epochs": 6}
    info = train(by_time.out, "dnn", tmp_path / "run", settings=settings, seed=1)
    assert set(info.kept) == {"a", "b"}
    by_time.schema["split"]["validation"] = 0
    by_time.prepare("all")
    states = whole_training(by_time.out, "dnn", settings, max(info.kept.values()), seed=1)
    assert sorted(path.name for path in (tmp_path / "run").glob("model*")) == sorted(
        {f"model-{epoch}.safetensors" for epoch in info.kept.values()}
    )
    for epoch in info.kept.values():
        assert equal(load_file(tmp_path / "run" / f"model-{epoch}.safetensors"), states[epoch - 1])


class Stop:
    """An observer that interrupts a training at a step of an epoch."""

    def __init__(self, stop=None):
        self.stop, self.steps, self.refits = stop, [], []

    def refitting(self, *, epochs):
        self.refits.append(epochs)

    def step(self, *, epoch, step, steps, loss, samples_per_second):
        self.steps.append((epoch, step))
        if (epoch, step) == self.stop:
            raise KeyboardInterrupt

    def validated(self, **_): ...

    def warned(self, **_): ...


def test_an_interrupted_refit_ends_as_an_uninterrupted_one(by_time, tmp_path):
    settings = SETTINGS | {"epochs": 3}
    whole = Stop()
    info = train(by_time.out, "adi-se", tmp_path / "whole", settings=settings, observer=whole)
    best = info.kept["a"]
    assert whole.refits == [best]
    for number, stop in enumerate([(2, 1), (4, 2), (3 + best, 7)]):
        run = tmp_path / str(number)
        with pytest.raises(KeyboardInterrupt):
            train(by_time.out, "adi-se", run, settings=settings, observer=Stop(stop))
        rest = Stop()
        train(by_time.out, "adi-se", run, settings=settings, observer=rest, resume=True)
        assert rest.steps == whole.steps[-len(rest.steps) :]
        assert len(rest.steps) < len(whole.steps)
        assert equal(load_file(run / "model.safetensors"), load_file(tmp_path / "whole" / "model.safetensors"))
        losses = [
            [(epoch.epoch, epoch.loss, epoch.refit) for epoch in read_epochs(f)] for f in (run, tmp_path / "whole")
        ]
        assert losses[0] == losses[1]
        assert not list(run.glob("checkpoint*"))
        resumed, uninterrupted = (
            read_info(f).model_dump(exclude={"created", "files", "prepared"}) for f in (run, tmp_path / "whole")
        )
        assert resumed == uninterrupted
        assert resumed["blend_similarity"] == "linear"


def test_the_run_says_so(by_time, tmp_path):
    train(by_time.out, "dnn", tmp_path / "run", settings=SETTINGS | {"epochs": 2})
    info, epochs = read_info(tmp_path / "run"), read_epochs(tmp_path / "run")
    assert info.refit
    best = info.kept["a"]
    assert [epoch.epoch for epoch in epochs] == [*range(1, 3 + best)]
    assert [epoch.refit for epoch in epochs] == [False] * 2 + [True] * best
    assert [epoch.samples for epoch in epochs] == [243] * 2 + [270] * best
    assert all((epoch.validation is None) == epoch.refit for epoch in epochs)


def test_it_is_evaluated_with_the_counts_and_ids_it_was_trained_on(by_time, tmp_path):
    train(by_time.out, "dnn", tmp_path / "run", settings=SETTINGS | {"epochs": 1})
    _, dataset, _ = open_run(tmp_path / "run")
    assert dataset.all_rows
    assert sum(count.sum() for count in dataset.corpora.counts) == 270
    assert (Dataset(by_time.out).feature("item", "item_id") == 1).sum() > 0
    assert (dataset.feature("item", "item_id")[dataset.targets("train", np.arange(270))[1]] > 1).all()
    train(by_time.out, "dnn", tmp_path / "once", settings=SETTINGS | {"epochs": 1, "refit": False})
    _, dataset, _ = open_run(tmp_path / "once")
    assert not dataset.all_rows
    assert sum(count.sum() for count in dataset.corpora.counts) == 243


@pytest.mark.parametrize("refit", [True, False])
def test_a_bundle_answers_as_its_run(by_time, tmp_path, refit):
    train(by_time.out, "dnn", tmp_path / "run", settings=SETTINGS | {"epochs": 1, "refit": refit})
    export(tmp_path / "run", tmp_path / "bundle", progress=False)
    assert (tmp_path / "bundle" / "data" / "held_out_ids").exists() != refit
    run, bundle = Retriever(tmp_path / "run"), Retriever(tmp_path / "bundle")
    for user in range(15):
        for domain in "ab":
            exact, served = (opened.retrieve(domain, user=f"u{user}", k=5) for opened in (run, bundle))
            assert [hit.item for hit in served.items] == [hit.item for hit in exact.items]
            np.testing.assert_allclose(
                [hit.score for hit in served.items], [hit.score for hit in exact.items], rtol=1e-4
            )


def manifest_with(manifest, rows, validation_by="users"):
    """The manifest with these training and validation rows in its domains."""
    by_domain = {
        name: counts.model_copy(update={"train": train, "validation": validation})
        for (name, counts), (train, validation) in zip(manifest.by_domain.items(), rows, strict=True)
    }
    return manifest.model_copy(update={"by_domain": by_domain, "validation_by": validation_by})


@pytest.mark.parametrize(
    ("rows", "validation_by", "refits"),
    [
        ([(98, 2), (980, 20)], "users", False),  # 2 % of each
        ([(97, 3), (1000, 0)], "users", True),
        ([(1000, 0), (97, 3)], "users", True),
        ([(100, 0), (1000, 0)], "users", False),
        ([(98, 2), (980, 20)], "time", True),
    ],
)
def test_by_default_it_is_where_validation_is_by_time_or_holds_much_of_a_domain(by_time, rows, validation_by, refits):
    manifest = manifest_with(by_time.manifest, rows, validation_by)
    for model in ("dnn", "popularity"):
        assert settings_for(MODELS[model]).refits(manifest) is refits
    for refit in (False, True):
        assert settings_for(MODELS["dnn"], {"refit": refit}).refits(manifest) is refit


@pytest.mark.parametrize(("least", "held_out", "refits"), [(0, [1, 1], False), (1000, [35, 43], True)])
def test_the_default_of_a_run_is_that_of_its_data(by_time, tmp_path, least, held_out, refits):
    """Of 15 users with some 120 rows in each domain, one draws below a tenth, and nine below a half: up to ten rows."""
    by_users = {"validation": 0.1, "validation_by": "users", "validation_least": least}
    by_time.schema["split"] = {"kind": "time", "at": 270, **by_users}
    manifest = by_time.prepare("by_users")
    assert [counts.validation for counts in manifest.by_domain.values()] == held_out
    assert train(by_time.out, "dnn", tmp_path / "default", settings=SETTINGS | {"epochs": 1}).refit is refits
    assert train(by_time.out, "popularity", tmp_path / "popularity").refit is refits
    for refit in (False, True):
        settings = SETTINGS | {"epochs": 1, "refit": refit}
        assert train(by_time.out, "dnn", tmp_path / str(refit), settings=settings).refit is refit


def test_a_fitted_model_counts_all_rows(by_time, tmp_path):
    assert train(by_time.out, "popularity", tmp_path / "run").refit
    measured = evaluate_run(tmp_path / "run", ks=(3,), progress=False)
    settings = settings_for(MODELS["popularity"]).model
    all_rows = Dataset(by_time.out, all_rows=True)
    by_hand = evaluate(MODELS["popularity"].fit(all_rows, settings), all_rows, ks=(3,))
    assert measured.mean == by_hand.mean
    once = Dataset(by_time.out)
    assert measured.mean != evaluate(MODELS["popularity"].fit(once, settings), once, ks=(3,)).mean


def test_trials_of_a_tuning_have_no_refit(by_time, tmp_path):
    study = tune(
        by_time.out,
        "dnn",
        tmp_path / "study",
        trials=2,
        settings=SETTINGS | {"epochs": 2, "refit": True},
        space={"lr": {"low": 0.001, "high": 0.01}},
        progress=False,
    )
    assert [len(trial.validations) for trial in study.trials] == [2, 2]
    assert "refit: true" in (tmp_path / "study" / "best.yaml").read_text()


def test_self_training_is_audited_on_the_validation_rows_that_the_refit_learns_from(by_time, tmp_path):
    settings = SETTINGS | {"epochs": 2, "self_training": True, "self_training_start": 0.1}
    train(by_time.out, "adi-se", tmp_path / "run", settings=settings)
    audit, epochs = read_audit(tmp_path / "run"), read_epochs(tmp_path / "run")
    assert audit.steps == 2 * 7  # of the training with validation, and not of the refit
    assert sum(pair.checked for pair in audit.pairs) > 0
    assert epochs[-1].refit
    assert epochs[-1].pseudo_positives > 0
