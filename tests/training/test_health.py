"""Faults of a training that do not stop it, provoked for real: it warns and names where; healthy trainings do not."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from small_trainings import DNN, trained

from adi.data.dataset import Dataset
from adi.losses import sampled_softmax
from adi.marketplace.settings import Marketplace
from adi.marketplace.simulation import simulate
from adi.preparation.prepare import prepare
from adi.runs.epochs import read_epochs
from adi.runs.metrics import Metrics
from adi.training.checkpoint import Progress
from adi.training.health import EXPLODING, FIRST, WINDOW, collapsed_domains, few_rows, nearly_equal
from adi.training.health import exploding_norms as warnings_of_norms
from adi.training.loader import Loader, negative_sampler
from adi.training.optimizers import RowwiseAdagrad
from adi.training.settings import TrainingSettings
from adi.training.step import Step
from adi.training.train import train


def warnings_in(run):
    return [warning for epoch in read_epochs(run) for warning in epoch.warnings]


def test_a_gradient_that_explodes_is_warned_of_once(market, tmp_path):
    """The loss of two steps is 100 times as large."""

    class Louder:
        """An observer by which the loss knows the step that comes next."""

        last = (0, 0)

        def loss(self, query, candidates, positive, **options):
            value = sampled_softmax(query, candidates, positive, **options)
            return value * 100 if self.last in ((3, 4), (3, 5)) else value

        def step(self, *, epoch, step, **_):
            self.last = (epoch, step)

        def validated(self, **_): ...

        def warned(self, **_): ...

    louder = Louder()
    model = dataclasses.replace(DNN, name="louder", loss=louder.loss)
    trained(market, tmp_path / "run", model=model, epochs=4, observer=louder)
    (warning,) = warnings_in(tmp_path / "run")
    assert (warning.kind, warning.epoch, warning.step) == ("exploding gradients", 3, 5)
    assert warning.message.startswith("exploding gradients: their norm is ")
    assert warning.where in warning.message


def test_embeddings_that_explode_are_warned_of_with_their_feature(market, tmp_path, monkeypatch):
    update, calls = RowwiseAdagrad.step, iter(range(1, 1 << 30))

    def jump(self):
        update(self)
        if next(calls) == 30:
            first = self.tables.first["item_id"]
            self.tables.weight[first + 2 : first + 50] *= 30

    monkeypatch.setattr(RowwiseAdagrad, "step", jump)
    trained(market, tmp_path / "run", epochs=4)
    warning = next(warning for warning in warnings_in(tmp_path / "run") if warning.kind == "exploding embeddings")
    assert "of feature 'item_id' (" in warning.where


def test_norms_are_compared_with_the_running_median():
    step = type("Step", (), {"named_gradients": lambda self: iter([("a", torch.ones(2)), ("b", torch.ones(9))])})()
    progress = Progress()

    def warnings(gradients):
        return list(warnings_of_norms(progress, step, gradients=gradients, embeddings=1.0, epoch=1))

    factor = EXPLODING["exploding gradients"]
    for norm in range(1, FIRST + 1):
        assert not warnings(1e6 if norm == 1 else 2.0)  # too few for a median
    assert not warnings(2.0 * factor)
    (warning,) = warnings(2.1 * factor)
    assert warning.where == "b"
    for _ in range(WINDOW):
        warnings(200.0)
    assert not warnings(4.0 * factor)  # the median has moved on
    assert len(progress.norms["exploding gradients"]) == WINDOW


def test_networks_whose_units_are_all_zero_are_warned_of(market, tmp_path):
    """A learning rate of 1 pushes all biases of a ReLU layer far below 0."""
    trained(market, tmp_path / "run", lr=1.0)
    dead = {(warning.domain, warning.where) for warning in warnings_in(tmp_path / "run")}
    assert {warning.kind for warning in warnings_in(tmp_path / "run")} == {"dead network"}
    assert ("feed", "item_tower.backbone.network") in dead


def test_a_tower_that_gives_all_users_the_same_vector_is_warned_of(market, tmp_path):
    """Without the residual path, a dead network is a dead tower, which alone is named."""
    trained(market, tmp_path / "run", lr=1.0, residual=False)
    warnings = [warning for warning in warnings_in(tmp_path / "run") if warning.kind != "collapsed domain"]
    assert {(warning.kind, warning.where) for warning in warnings} <= {
        ("dead tower", "user_tower"), ("dead tower", "item_tower"),
    }  # fmt: skip
    assert "dead tower in domain 'feed': the outputs of user_tower are nearly the same" in str(warnings)


def test_a_domain_whose_items_are_all_alike_is_warned_of(workspace, tmp_path):
    """Items have one feature, which is the same for all items of domain a."""
    rng = np.random.default_rng(0)
    log = [
        {"user": f"u{user}", "item": f"{domain}{rng.integers(30)}", "domain": domain, "time": time}
        for time, (user, domain) in enumerate((user, "ab"[user % 2]) for user in rng.integers(0, 40, 800))
    ]
    workspace.write("log.jsonl", log)
    items = [{"item": f"{domain}{n}", "sort": "x" if domain == "a" else f"s{n}"} for domain in "ab" for n in range(30)]
    workspace.table("items", items, "item")
    workspace.add("item", name="sort", kind="categorical", table="items")
    workspace.schema["features"]["item"] = [
        feature for feature in workspace.schema["features"]["item"] if feature["name"] == "sort"
    ]
    workspace.schema["features"]["user"] = [{"name": "user_id", "kind": "id"}]
    workspace.schema["split"]["validation"] = 0.5
    workspace.prepare()
    trained(workspace.out, tmp_path / "run", domain_indicator=False, popularity_prior=False)
    dead = {
        (warning.domain, warning.where) for warning in warnings_in(tmp_path / "run") if warning.kind == "dead tower"
    }
    assert dead == {("a", "item_tower")}


def validation(**coverage):
    domains = {
        name: {"queries": queries, "corpus": corpus, "coverage@10": covered, "recall@10": 0.1}
        for name, (queries, corpus, covered) in coverage.items()
    }
    return Metrics(part="validation", against="corpus", history="earlier", ks=(10,), domains=domains, mean={})


def test_a_domain_with_one_list_for_all_has_collapsed():
    metrics = validation(
        same=(200, 100, 0.12), varied=(200, 100, 0.15), few=(99, 100, 0.12), small=(200, 39, 10 / 39), none=(0, 0, None)
    )
    (warning,) = collapsed_domains(metrics, k=10, epoch=3)
    assert (warning.kind, warning.domain, warning.epoch) == ("collapsed domain", "same", 3)
    assert warning.message == (
        "domain 'same' has collapsed: all 200 users get nearly the same list, of 12 items of 100 in lists of 10."
    )


def test_a_collapsed_domain_is_warned_of_after_validation(tmp_path):
    """Dead towers give all users the list of popular items."""
    simulate(
        tmp_path / "market", Marketplace(users=900, items=90, interactions=6000, groups=4, clusters=4), progress=False
    )
    schema = tmp_path / "market" / "schema.yaml"
    schema.write_text(schema.read_text() + "\nrepeats: true\n")  # lists have what the user has had
    prepare(schema, tmp_path / "prepared", progress=False)
    trained(
        tmp_path / "prepared", tmp_path / "run", lr=1.0, residual=False, domain_indicator=False, k=5, batch_size=512,
        epochs=1,
    )  # fmt: skip
    kinds = {(warning.kind, warning.domain) for warning in warnings_in(tmp_path / "run")}
    assert ("collapsed domain", "search") in kinds


def test_an_empty_domain_is_named_at_the_start_and_in_the_log(prepared, tmp_path):
    warned = []

    class Observer:
        def step(self, **_):
            assert len(warned) == 1

        def validated(self, **_): ...

        def refitting(self, **_): ...

        def warned(self, *, warning):
            warned.append(warning)

    trained(prepared, tmp_path / "run", observer=Observer(), batch_size=8)
    message = "domain 'kiosk' has no validation rows: it has no say in which epoch is kept."
    assert [warning.message for warning in warned] == [message]
    first, second = (json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines())
    assert [warning["message"] for warning in first["warnings"]] == [message]
    assert second["warnings"] == []


def test_a_late_row_that_pushes_all_others_out_is_warned_of(workspace, tmp_path):
    """The row at 5000 is a validation row, which only the refit trains on; the row at 6000 is the test."""
    rng = np.random.default_rng(0)
    rows = [
        {"user": f"u{rng.integers(15)}", "item": f"i{rng.integers(9)}", "domain": "ab"[time % 2], "time": time}
        for time in (*range(299), 5000, 6000)
    ]
    workspace.write("log.jsonl", rows)
    workspace.schema["split"] = {"kind": "time", "at": 5500}
    workspace.prepare()
    trained(workspace.out, tmp_path / "run", epochs=1, row_half_life=400, refit=True)
    (warning,) = (warning for warning in warnings_in(tmp_path / "run") if warning.kind == "few rows")
    assert warning.epoch == 2
    assert "the newest row comes 65 times in an epoch, and all rows are worth 1," in warning.message


def test_weights_of_even_rows_are_no_reason_to_warn():
    assert not list(few_rows(None, epoch=1))
    assert not list(few_rows(2 * np.exp2((np.arange(1000) - 999) / 50), epoch=1))


def test_a_resumed_training_warns_of_nothing_again_and_logs_the_same(prepared, tmp_path):
    trained(prepared, tmp_path / "whole", batch_size=8)
    warned = []

    class Observer:
        stop = True

        def step(self, *, step, **_):
            if self.stop and step == 4:
                raise KeyboardInterrupt

        def validated(self, **_): ...

        def warned(self, *, warning):
            warned.append(warning)

    with pytest.raises(KeyboardInterrupt):
        trained(prepared, tmp_path / "run", batch_size=8, observer=Observer())
    going_on = Observer()
    going_on.stop = False
    trained(prepared, tmp_path / "run", batch_size=8, resume=True, observer=going_on)
    assert len(warned) == 1
    assert warnings_in(tmp_path / "run") == warnings_in(tmp_path / "whole")


@pytest.mark.parametrize("model", ["dnn", "dnn-single", "mind", "adi-se", "adi-va"])
def test_a_healthy_training_has_no_warning(market, tmp_path, model):
    settings = {} if model.startswith("adi") else {"norm": "none"}
    train(market, model, tmp_path / "run", settings={"epochs": 3, "embedding_sets": 1} | settings, progress=False)
    assert warnings_in(tmp_path / "run") == []


@pytest.mark.parametrize("data", ["trending", "trending_audience", "trending_context"])
def test_a_healthy_training_with_trends_has_no_warning(data, tmp_path, request):
    dataset = request.getfixturevalue(data)
    settings = {"epochs": 2, "embedding_sets": 1, "batch_size": 128, "refit": False}
    train(dataset.folder, "adi-se", tmp_path / "run", settings=settings, progress=False)
    assert warnings_in(tmp_path / "run") == []


def test_vectors_are_nearly_equal_but_for_rounding():
    same = torch.full((20, 3), 0.7) * (1 + 1e-6 * torch.arange(20)[:, None])
    assert nearly_equal(same)
    assert nearly_equal(torch.zeros(20, 3))
    assert not nearly_equal(same + torch.arange(20)[:, None] * 1e-3)


def test_numbers_of_a_step(market):
    """The norm of all gradients and the mean norm of embeddings, from the tensors themselves."""
    dataset = Dataset(market)
    towers = DNN.build(dataset, DNN.settings(embedding_dim=4, dim=4, dropout=0.0))
    step = Step(towers, TrainingSettings(), sampled_softmax)
    batch = next(Loader(dataset, batch_size=64, sampler=negative_sampler(dataset, in_batch=True, uniform=9)).epoch(0))
    before = {name: weight.clone() for name, weight in towers.state_dict().items()}
    loss, gradients, embeddings = step.gradients(batch)
    assert all(torch.equal(weight, before[name]) for name, weight in towers.state_dict().items())
    all_gradients = [weight.grad for weight in towers.parameters() if weight.grad is not None]
    all_gradients += [source.grad for _, source in towers.tables.touched]
    squares = sum(float(gradient.square().sum()) for gradient in all_gradients)
    assert float(gradients) == pytest.approx(squares**0.5, rel=1e-5)
    looked_up = torch.cat([towers.tables.weight[rows] for rows, _ in towers.tables.touched])
    assert float(embeddings) == pytest.approx(float(looked_up.square().sum(dim=1).mean().sqrt()), rel=1e-5)
    assert float(loss) == pytest.approx(sum(map(float, step.losses.values())) / 64, rel=1e-5)
