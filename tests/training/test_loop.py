"""Trainings of seconds on the hand-written log: what they learn, and that a resumed one ends where it would have."""

import dataclasses
import json
import math

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from adi.data.dataset import Dataset
from adi.errors import AdiError
from adi.losses import sampled_softmax, sampled_softmax_plain
from adi.models.catalog import MODELS
from adi.runs.epochs import read_epochs
from adi.runs.info import read_info, write_info
from adi.runs.metrics import Metrics
from adi.training.fitted import open_run
from adi.training.loader import Loader, negative_sampler
from adi.training.settings import settings_for
from adi.training.step import batch_loss
from adi.training.train import train

SETTINGS = {
    "embedding_sets": 1,
    "embedding_dim": 8,
    "dim": 8,
    "networks": (8,),
    "dropout": 0.3,
    "norm": "domain",
    "epochs": 3,
    "batch_size": 8,  # four steps an epoch
    "patience": 3,
    "k": 2,
    "uniform": 3,
    "checkpoint_steps": 3,
    "refit": False,
}


class Recorder:
    """An observer that keeps what it is told, and interrupts where it is asked to."""

    def __init__(self, stop=None):
        self.stop, self.steps, self.validations, self.warnings = stop, [], [], []

    def step(self, *, epoch, step, steps, loss, samples_per_second):
        assert samples_per_second > 0
        self.steps.append((epoch, step, steps, loss))
        if (epoch, step) == self.stop:
            raise KeyboardInterrupt

    def validated(self, *, epoch, metrics, best):
        self.validations.append((epoch, metrics.mean["ndcg@2"], best))

    def warned(self, *, warning):
        self.warnings.append((warning.kind, warning.domain))


def weights(run):
    return load_file(run / "model.safetensors")


def same_weights(one, other):
    mine, theirs = weights(one), weights(other)
    return mine.keys() == theirs.keys() and all(torch.equal(mine[name], theirs[name]) for name in mine)


@pytest.fixture(scope="module")
def whole(prepared, tmp_path_factory):
    """An uninterrupted run and what its observer was told."""
    out, recorder = tmp_path_factory.mktemp("runs") / "whole", Recorder()
    train(prepared, "adi-se", out, settings=SETTINGS, seed=5, observer=recorder)
    return out, recorder


def test_the_observer_is_told_every_step_and_epoch(whole):
    _, recorder = whole
    assert [told[:3] for told in recorder.steps] == [(e, s, 4) for e in (1, 2, 3) for s in (1, 2, 3, 4)]
    assert [epoch for epoch, *_ in recorder.validations] == [1, 2, 3]
    best, marks = -1.0, []
    for _, value, _ in recorder.validations:
        marks.append(value > best)
        best = max(best, value)
    assert [mark for *_, mark in recorder.validations] == marks


def test_the_loss_falls(prepared, tmp_path):
    quick = {
        "epochs": 15,
        "patience": 15,
        "dropout": 0.0,
        "embedding_dropout": 0.0,
        "lr": 0.01,
        "uniform": 99,
        "weight_decay": 0.0,
    }
    train(prepared, "adi-se", tmp_path / "run", settings=SETTINGS | quick)
    losses = [epoch.loss for epoch in read_epochs(tmp_path / "run")]
    assert len(losses) == 15
    assert losses[-1] < 0.5 * losses[0]


def test_the_same_seed_gives_the_same_weights_and_another_one_others(whole, prepared, tmp_path):
    out, _ = whole
    train(prepared, "adi-se", tmp_path / "again", settings=SETTINGS, seed=5)
    train(prepared, "adi-se", tmp_path / "other", settings=SETTINGS, seed=6)
    assert same_weights(tmp_path / "again", out)
    assert not same_weights(tmp_path / "other", out)


@pytest.mark.parametrize(
    "stop",
    [(1, 2), (2, 3), (3, 4)],
    ids=["before the first checkpoint", "in the middle of an epoch", "before the last validation"],
)
def test_an_interrupted_run_ends_with_the_weights_of_an_uninterrupted_one(whole, prepared, tmp_path, stop):
    out, complete = whole
    run = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        train(prepared, "adi-se", run, settings=SETTINGS, seed=5, observer=Recorder(stop))
    assert read_info(run).status == "training"
    assert (run / "checkpoint.safetensors").exists() == (stop != (1, 2))
    recorder = Recorder()
    train(prepared, "adi-se", run, settings=SETTINGS, seed=5, resume=True, observer=recorder)
    assert same_weights(run, out)
    assert len(recorder.steps) < 12 or stop == (1, 2)
    assert recorder.steps == complete.steps[-len(recorder.steps) :]
    for mine, theirs in zip(read_epochs(run), read_epochs(out), strict=True):
        timing = {"seconds": 0.0, "samples_per_second": 0.0}
        assert mine.model_copy(update=timing) == theirs.model_copy(update=timing)
    assert not (run / "checkpoint.safetensors").exists()
    assert read_info(run).status == "complete"


QUICK = {
    "embedding_dim": 2,
    "dim": 2,
    "networks": (),
    "epochs": 8,
    "batch_size": 8,
    "patience": 1,
    "k": 2,
    "refit": False,
}
SELF_TRAINING = {
    "self_training": True,
    "self_training_start": 0.1,  # step 1.2 of 12: in the first epoch, which may be the best
    "self_training_share": 0.3,
    "self_training_growth": 0.01,
    "self_training_cap": 0.35,
}


def test_an_interrupted_run_with_self_training_ends_like_an_uninterrupted_one(prepared, tmp_path):
    settings = SETTINGS | SELF_TRAINING
    train(prepared, "adi-se", tmp_path / "whole", settings=settings, seed=5)
    for stop in ((2, 3), (3, 2)):  # a checkpoint is at step 3 of each epoch
        run = tmp_path / f"stopped in epoch {stop[0]}"
        with pytest.raises(KeyboardInterrupt):
            train(prepared, "adi-se", run, settings=settings, seed=5, observer=Recorder(stop))
        train(prepared, "adi-se", run, settings=settings, seed=5, resume=True)
        assert same_weights(run, tmp_path / "whole")
        audits = [json.loads((out / "self_training.json").read_text()) for out in (run, tmp_path / "whole")]
        for audit in audits:
            del audit["seconds"], audit["digest"]
        assert audits[0] == audits[1]
        assert audits[0]["start_step"] == 1
        losses = [[epoch.loss for epoch in read_epochs(out)] for out in (run, tmp_path / "whole")]
        assert losses[0] == losses[1]
        assert sum(pair["accepted"] for pair in audits[0]["pairs"]) > 5
    plain = {name: value for name, value in settings.items() if not name.startswith("self_training")}
    train(prepared, "adi-se", tmp_path / "plain", settings=plain, seed=5)
    assert not same_weights(tmp_path / "plain", tmp_path / "whole")


def test_a_run_cut_off_after_its_last_epoch_trains_no_other(prepared, tmp_path, monkeypatch):
    settings = SETTINGS | {"patience": 1, "lr": 1e-9, "embedding_lr": 1e-9, "epochs": 9}  # no epoch betters the first

    def cut_off(folder, info):
        if info.status == "complete":
            raise KeyboardInterrupt
        write_info(folder, info)

    monkeypatch.setattr("adi.training.train.write_info", cut_off)
    with pytest.raises(KeyboardInterrupt):
        train(prepared, "dnn", tmp_path / "run", settings=settings | {"norm": "none"})
    monkeypatch.undo()
    recorder = Recorder()
    train(prepared, "dnn", tmp_path / "run", settings=settings | {"norm": "none"}, resume=True, observer=recorder)
    assert recorder.steps == []
    assert len(read_epochs(tmp_path / "run")) == 2
    assert read_info(tmp_path / "run").status == "complete"


def validated(ndcg, mean):
    """The metrics of a validation with this NDCG by domain. Recall falls as it rises: epochs are not compared by it."""

    def measures(value):
        return {"recall@2": None if value is None else 1.0 - value, "ndcg@2": value}

    counts = {"queries": 9, "corpus": 9, "coverage@2": 1.0}
    domains = {name: counts | measures(value) for name, value in ndcg.items()}
    return Metrics(
        part="validation", against="corpus", history="earlier", ks=(2,), domains=domains, mean=measures(mean)
    )


def test_early_stopping_keeps_the_best_epoch(prepared, tmp_path, monkeypatch):
    values = iter([0.2, 0.5, 0.4, 0.5, 0.9])  # the fourth equals the best, which is not better
    snapshots = []

    def validate(scorer, dataset, **options):
        assert options["part"] == "validation"
        snapshots.append({name: tensor.clone() for name, tensor in scorer.model.state_dict().items()})
        return validated({}, next(values))

    monkeypatch.setattr("adi.training.loop.evaluate", validate)
    recorder = Recorder()
    train(prepared, "adi-se", tmp_path / "run", settings=SETTINGS | {"epochs": 9, "patience": 2}, observer=recorder)
    assert recorder.validations == [(1, 0.2, True), (2, 0.5, True), (3, 0.4, False), (4, 0.5, False)]
    kept = weights(tmp_path / "run")
    assert all(torch.equal(kept[name], snapshots[1][name]) for name in kept)
    assert not torch.equal(kept["tables.weight"], snapshots[3]["tables.weight"])


@pytest.mark.parametrize(("start", "epochs"), [(0.0, 2), (0.25, 3), (0.3, 4), (0.9, 8), (None, 2)])
def test_patience_begins_when_self_training_has_its_first_whole_epoch(prepared, tmp_path, monkeypatch, start, epochs):
    """Of 8 epochs of 4 steps the first is the best, and patience is 1: two epochs without self-training."""
    values = iter([0.9] + [0.1] * 7)
    monkeypatch.setattr("adi.training.loop.evaluate", lambda *_, **__: validated({}, next(values)))
    recorder = Recorder()
    on = {"self_training": start is not None, "self_training_start": start or 0.0}
    train(prepared, "dnn", tmp_path / "run", settings=QUICK | on, observer=recorder)
    assert len(recorder.validations) == epochs


def test_each_domain_keeps_its_best_epoch(prepared, dataset, tmp_path, monkeypatch):
    """Kiosk has no validation rows and goes by the mean of the others."""
    told = iter(
        [  # search, feed: mean
            (0.2, 0.9),  # .55  best for feed
            (0.4, 0.3),  # .35
            (0.3, 0.9),  # .6   best for kiosk; feed is not better
            (0.5, 0.1),  # .3   best for search
            (0.5, 0.6),  # .55
            (0.1, 0.8),  # .45  two epochs that better nothing
        ]
    )
    snapshots = []

    def validate(scorer, dataset, **options):
        snapshots.append({name: tensor.clone() for name, tensor in scorer.model.state_dict().items()})
        search, feed = next(told)
        values = {"search": search, "feed": feed, "kiosk": None}
        return validated(values, (search + feed) / 2)

    monkeypatch.setattr("adi.training.loop.evaluate", validate)
    run, recorder = tmp_path / "run", Recorder()
    settings = SETTINGS | {"epochs": 9, "patience": 2, "keep": "domain", "blend": False}
    info = train(prepared, "adi-se", run, settings=settings, observer=recorder)
    assert [best for *_, best in recorder.validations] == [True, True, True, True, False, False]
    assert info.kept == read_info(run).kept == {"search": 4, "feed": 1, "kiosk": 3}
    files = {path.name: load_file(path) for path in run.glob("model*")}
    assert set(files) == {"model-1.safetensors", "model-3.safetensors", "model-4.safetensors"}
    _, _, scorer = open_run(run)
    for domain, epoch in enumerate((4, 1, 3)):
        assert all(torch.equal(files[f"model-{epoch}.safetensors"][n], snapshots[epoch - 1][n]) for n in snapshots[0])
        own = scorer.scorers[domain].model.state_dict()
        assert all(torch.equal(own[name], snapshots[epoch - 1][name]) for name in own)
    queries = dataset.queries("validation", dataset.rows("validation")[:1])
    feed = dataclasses.replace(queries, domains=np.array([1]))
    items = dataset.corpora.retrievable(1)
    assert torch.equal(scorer.against(1, items)(feed), scorer.scorers[1].against(1, items)(feed))


def test_one_epoch_that_is_best_everywhere_is_one_model(prepared, tmp_path, monkeypatch):
    metrics = validated({"search": 0.3, "feed": 0.2, "kiosk": None}, 0.25)
    monkeypatch.setattr("adi.training.loop.evaluate", lambda *_, **__: metrics)
    info = train(prepared, "adi-se", tmp_path / "run", settings=SETTINGS | {"keep": "domain", "patience": 1})
    assert info.kept == {"search": 1, "feed": 1, "kiosk": 1}
    assert [path.name for path in (tmp_path / "run").glob("model*")] == ["model-1.safetensors"]
    assert len(set(open_run(tmp_path / "run").scorer.scorers)) == 1


def test_an_interrupted_run_keeps_the_same_epochs_of_each_domain(prepared, tmp_path):
    settings = SETTINGS | {"keep": "domain", "lr": 0.02}
    infos = {}
    for name in ("whole", "stopped"):
        observer = Recorder((3, 2) if name == "stopped" else None)
        try:
            infos[name] = train(prepared, "adi-se", tmp_path / name, settings=settings, seed=5, observer=observer)
        except KeyboardInterrupt:
            infos[name] = train(prepared, "adi-se", tmp_path / name, settings=settings, seed=5, resume=True)
    assert infos["whole"].kept == infos["stopped"].kept
    files = {name: {path.name: load_file(path) for path in (tmp_path / name).glob("model*")} for name in infos}
    assert files["whole"].keys() == files["stopped"].keys()
    for file, tensors in files["whole"].items():
        assert all(torch.equal(tensor, files["stopped"][file][name]) for name, tensor in tensors.items())


def test_validation_sees_the_validation_rows_only(whole):
    out, _ = whole
    for epoch in read_epochs(out):
        queries = {name: measures["queries"] for name, measures in epoch.validation.domains.items()}
        assert queries == {"search": 5, "feed": 1, "kiosk": 0}
        assert epoch.validation.domains["kiosk"]["recall@2"] is None


def test_resume_is_refused_with_anything_else_than_before(whole, prepared, tmp_path):
    run = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        train(prepared, "adi-se", run, settings=SETTINGS, observer=Recorder((1, 1)))
    for change, message in (
        (
            {"settings": SETTINGS | {"lr": 0.5}},
            r"with another training\.lr \(started with 0\.003, now 0\.5\)\. Give",
        ),
        ({"model": "adi-va"}, r"cannot resume with another model \(started with adi-se, now adi-va\)"),
        ({"seed": 1}, r"cannot resume with another seed \(started with 0, now 1\)"),
    ):
        options = {"model": "adi-se", "settings": SETTINGS} | change
        with pytest.raises(AdiError, match=message):
            train(prepared, options.pop("model"), run, resume=True, **options)
    with pytest.raises(AdiError, match="this run is complete; there is nothing to resume"):
        train(prepared, "adi-se", whole[0], settings=SETTINGS, seed=5, resume=True)
    with pytest.raises(AdiError, match=r"not a run \(no run\.json\)"):
        train(prepared, "adi-se", tmp_path / "nowhere", settings=SETTINGS, resume=True)
    assert not (tmp_path / "nowhere").exists()


def test_a_diverging_loss_names_its_place_and_the_remedy(prepared, tmp_path):
    wild = SETTINGS | {"lr": 1e30, "embedding_lr": 1e30, "norm": "none"}
    with pytest.raises(AdiError, match=r"epoch 1, step [2-4]: the loss is (nan|inf); .*Lower training\.lr") as caught:
        train(prepared, "adi-se", tmp_path / "run", settings=wild)
    assert "\n" not in str(caught.value)
    assert read_info(tmp_path / "run").status == "training"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"settings": {"epoch": 3}}, "setting 'epoch' does not exist .*Did you mean 'epochs'"),
        ({"settings": {"epochs": 0}}, r"training\.epochs: .*1 or more \(got 0\)"),
        ({"model": "adi-sse"}, "'adi-sse' is not a model. Did you mean 'adi-se'"),
        ({"seed": -1}, "seed: -1; give a whole number from 0"),
        ({"seed": 1 << 70}, "seed: 1180591620717411303424; give"),
    ],
)
def test_user_faults_are_told_before_anything_is_written(prepared, tmp_path, change, message):
    options = {"model": "adi-se", "settings": SETTINGS} | change
    with pytest.raises(AdiError, match=message):
        train(prepared, options.pop("model"), tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


def test_a_place_that_is_taken_is_refused(prepared, tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "mine.txt").write_text("x")
    (tmp_path / "empty").mkdir()
    for name in ("file", "folder"):
        with pytest.raises(AdiError, match=f"{name}: exists and is not empty"):
            train(prepared, "popularity", tmp_path / name)
    assert train(prepared, "popularity", tmp_path / "empty").status == "complete"


def test_data_without_validation_rows_is_refused_for_models_that_are_trained(prepared, tmp_path, monkeypatch):
    def without(folder, **options):
        dataset = Dataset(folder, **options)
        counts = {name: c.model_copy(update={"validation": 0}) for name, c in dataset.manifest.by_domain.items()}
        dataset.manifest = dataset.manifest.model_copy(update={"by_domain": counts})
        return dataset

    monkeypatch.setattr("adi.training.train.Dataset", without)
    with pytest.raises(AdiError, match="no validation rows to choose the best epoch by"):
        train(prepared, "dnn", tmp_path / "run")
    assert not (tmp_path / "run").exists()
    assert train(prepared, "item-knn", tmp_path / "run").status == "complete"


@pytest.mark.parametrize("options", [{}, {"popularity_prior": True, "similarity": "cosine", "temperature": 0.2}])
def test_the_loss_of_a_batch_is_the_mean_over_its_samples(dataset, options):
    torch.manual_seed(0)
    small = {"embedding_dim": 4, "dim": 3, "networks": (5,), "dropout": 0.0, "embedding_dropout": 0.0}
    model = MODELS["adi-se"].build(dataset, settings_for(MODELS["adi-se"], small | options).model)
    sampler = negative_sampler(dataset, in_batch=True, uniform=3)
    batch = next(Loader(dataset, batch_size=31, sampler=sampler).epoch(0))
    users = model.encode_users(batch.user, batch.user_offsets)
    items = model.encode_items(batch.item, batch.item_offsets, batch.item_log_popularity)
    total = 0.0
    for domain, own in batch.candidates.items():
        scores = users[slice(*batch.user_offsets[domain : domain + 2])]
        scores = scores @ items[slice(*batch.item_offsets[domain : domain + 2])].T / model.temperature
        for row, positive in enumerate(own.positive.tolist()):
            masked = own.known[1][own.known[0][row] : own.known[0][row + 1]].tolist()
            logits = scores[row] - own.log_q
            logits[[column for column in masked if column != positive]] = -math.inf
            logits[positive] = scores[row, positive] - own.positive_log_q[row]
            total = total - logits.log_softmax(0)[positive]
    torch.testing.assert_close(batch_loss(model, batch, sampled_softmax), total / 31)
    assert list(batch.candidates) == [0, 1, 2]
    kiosk = batch.candidates[2]
    lone = sampled_softmax_plain(
        users[-2:], items[-1:], kiosk.positive, log_q=kiosk.log_q, positive_log_q=kiosk.positive_log_q, temperature=1.0
    )
    assert lone.item() == 0.0  # a corpus of one item: nothing to learn, and no NaN


def test_the_log_of_a_run_is_one_line_for_each_epoch(whole):
    out, recorder = whole
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(line["epoch"], line["step"], line["samples"]) for line in lines] == [(1, 4, 31), (2, 8, 31), (3, 12, 31)]
    assert [line["loss"] for line in lines] == [loss for _, step, _, loss in recorder.steps if step == 4]
    values = [line["validation"]["mean"]["ndcg@2"] for line in lines]
    assert values == [value for _, value, _ in recorder.validations]


def test_the_kept_weights_are_those_that_open_again(whole):
    out, _ = whole
    _, _, scorer = open_run(out)
    assert all(torch.equal(tensor, weights(out)[name]) for name, tensor in scorer.scorers[0].model.state_dict().items())
