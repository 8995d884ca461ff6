"""Algorithm 1 on the hand-written log: which pairs it offers, which it accepts, and what it leaves alone."""

import copy
import json
from itertools import pairwise

import numpy as np
import pytest
import torch

from adi.batch import tensors
from adi.data.corpora import Corpora
from adi.data.dataset import Dataset
from adi.errors import AdiError
from adi.losses import sampled_softmax
from adi.models.catalog import MODELS
from adi.training.loader import Loader, PseudoPositives, negative_sampler
from adi.training.self_training import SelfTraining, check_self_training, top_by_group
from adi.training.settings import settings_for
from adi.training.step import batch_loss
from adi.training.train import train

SEARCH, FEED, KIOSK = 0, 1, 2
SMALL = {"embedding_dim": 4, "dim": 3, "networks": (5,), "embedding_std": 1.0}
OFFERED = {
    (SEARCH, FEED): [6, 7, 10, 14, 18, 22, 25, 27, 29, 33, 35],
    (FEED, SEARCH): [4, 5, 16, 24, 34],
}
"""Training rows by (i, j) whose item is in j's corpus (feed has bag, mug and pen) and is not known of the user there.
Known is ana's pen, in search (row 0) and in feed (row 2). What éric or eve took there in the test is not."""


def towers(dataset, name="adi-se", **options):
    torch.manual_seed(0)
    return MODELS[name].build(dataset, settings_for(MODELS[name], SMALL | options).model).train()


def loader_of(dataset, **options):
    sampler = negative_sampler(dataset, in_batch=True, uniform=3)
    return Loader(dataset, batch_size=31, sampler=sampler, **options)


def self_training(dataset, model=None, *, start=0, **settings):
    chosen = {f"self_training_{name}": value for name, value in settings.items()}
    training = settings_for(MODELS["adi-se"], {"self_training": True, **chosen}).training
    return SelfTraining(model or towers(dataset), dataset, loader_of(dataset), training, start=start)


def by_group(sources, targets, rows):
    """Rows as {(i, j): rows}."""
    found = {}
    for source, target, row in zip(sources.tolist(), targets.tolist(), rows.tolist(), strict=True):
        found.setdefault((source, target), []).append(row)
    return found


def accepted(dataset, pseudo):
    return by_group(dataset.targets("train", pseudo.rows)[2], pseudo.domains, pseudo.rows)


@pytest.fixture
def scored_by_row(monkeypatch):
    """A pair's score is its row's number, whatever the model says."""
    monkeypatch.setattr(SelfTraining, "scores", lambda self, pairs: pairs.rows.astype(np.float32))


def test_the_top_by_group_group_by_hand():
    scores = np.array([0.3, 0.9, 0.1, 0.9, 0.5, 0.7, 0.9])
    groups = np.array([2, 0, 2, 0, 0, 1, 0])
    assert top_by_group(scores, groups, np.array([2, 0, 1])).tolist() == [True, True, False, True, False, False, False]
    assert top_by_group(scores, groups, np.array([4, 1, 2])).tolist() == [True] * 7
    assert top_by_group(scores[:0], groups[:0], np.array([0, 0, 0])).tolist() == []


def test_pairs_by_hand(dataset):
    made = self_training(dataset)
    rows = dataset.rows("train")
    pairs = made.pairs(np.random.default_rng(0).permutation(rows))
    assert {group: sorted(own) for group, own in by_group(pairs.sources, pairs.targets, pairs.rows).items()} == OFFERED
    assert (np.diff(pairs.targets) >= 0).all()
    users, items, sources = dataset.targets("train", pairs.rows)
    assert (pairs.users.tolist(), pairs.items.tolist()) == (users.tolist(), items.tolist())
    assert pairs.sources.tolist() == sources.tolist()
    counts = {name: made.audit.counts[name].reshape(3, 3).tolist() for name in ("samples", "eligible", "known")}
    assert counts == {
        "samples": [[0, 23, 23], [6, 0, 6], [2, 2, 0]],
        "eligible": [[0, 12, 0], [6, 0, 0], [0, 0, 0]],
        "known": [[0, 1, 0], [1, 0, 0], [0, 0, 0]],
    }


def test_items_that_are_no_longer_eligible_are_not_offered(dataset):
    """Pen stays in feed's corpus as a negative, but may not be retrieved there any more."""
    other = copy.copy(dataset)
    corpora = dataset.corpora
    eligible = [corpora.eligible[SEARCH], np.array([True, True, False]), corpora.eligible[KIOSK]]
    other.__dict__["corpora"] = Corpora(corpora.items, corpora.counts, eligible)
    pairs = self_training(other).pairs(dataset.rows("train"))
    found = by_group(pairs.sources, pairs.targets, pairs.rows)
    assert found == {(SEARCH, FEED): [7, 18, 25, 33], (FEED, SEARCH): OFFERED[FEED, SEARCH]}


@pytest.mark.parametrize(("name", "options"), [("adi-se", {"norm": "domain"}), ("dnn-single", {}), ("mind", {})])
def test_a_score_is_that_of_the_pair_in_the_other_domain(dataset, name, options):
    model = towers(dataset, name, dropout=0.5, **options)
    for module in model.modules():  # statistics that show if they are used
        if isinstance(module, torch.nn.Module) and hasattr(module, "running_mean"):
            torch.nn.init.normal_(module.running_mean)
    made = self_training(dataset, model)
    pairs = made.pairs(dataset.rows("train"))
    scores = made.scores(pairs)
    model.eval()
    assert len(scores) == 16
    for place, (row, item, target) in enumerate(zip(pairs.rows, pairs.items, pairs.targets, strict=True)):
        offsets = tuple(int(domain > target) for domain in range(4))
        queries = made.loader.queries(np.array([row]), np.array([target]))
        user = model.encode_users(tensors(made.loader.reader.user_bags(queries)), offsets)
        bags = tensors(made.loader.reader.item_bags(np.array([item]), np.array([target])))
        popularity = torch.from_numpy(dataset.corpora.log_popularity(target, np.array([item])))
        vector = model.encode_items(bags, offsets, popularity)
        expected = (model.queries(user, vector) * vector).sum().item()
        assert scores[place] == pytest.approx(expected, rel=1e-5)


def test_algorithm_1_by_hand(dataset, scored_by_row):
    """Half of 11 and of 5 pairs, the best: 5 and 2 with a half over each, which the next batch gets: 6 and 3."""
    made = self_training(dataset, share=0.5, growth=0.0, cap=0.5, limit=100)
    rows = dataset.rows("train")
    first, second = made.choose(rows, 0), made.choose(rows[::-1], 1)
    assert {group: sorted(own) for group, own in accepted(dataset, first).items()} == {
        (SEARCH, FEED): [25, 27, 29, 33, 35],
        (FEED, SEARCH): [24, 34],
    }
    assert {group: sorted(own) for group, own in accepted(dataset, second).items()} == {
        (SEARCH, FEED): [22, 25, 27, 29, 33, 35],
        (FEED, SEARCH): [16, 24, 34],
    }
    assert (np.diff(first.domains) >= 0).all()
    assert made.audit.counts["scored"].tolist() == [0, 22, 0, 10, 0, 0, 0, 0, 0]
    assert made.audit.counts["accepted"].tolist() == [0, 11, 0, 5, 0, 0, 0, 0, 0]


def test_the_share_holds_over_batches_of_a_few_pairs(dataset, scored_by_row):
    made = self_training(dataset, share=0.1, growth=0.0, limit=100)
    batches = [np.array([row, 2]) for row in OFFERED[SEARCH, FEED][:10] * 3]  # with ana's pen, of feed and known
    sizes = [len(made.choose(batch, 0)) for batch in batches]
    assert sum(sizes) == 3
    assert sizes.index(1) == 9  # the tenth pair completes the first whole one


def test_a_domain_gets_no_more_than_the_limit_for_each_of_its_own_samples(dataset, scored_by_row):
    """Feed has 6 samples: at half a pseudo-positive for each 3 of the 11 offered. Search has 23, which is no limit."""
    made = self_training(dataset, share=0.9, growth=0.0, cap=0.9, limit=0.5)
    found = accepted(dataset, made.choose(dataset.rows("train"), 0))
    assert {group: sorted(own) for group, own in found.items()} == {
        (SEARCH, FEED): [29, 33, 35],
        (FEED, SEARCH): [5, 16, 24, 34],
    }
    alone = self_training(dataset, share=1.0, cap=1.0)
    assert len(alone.choose(dataset.rows("train")[:1], 0)) == 0  # no sample of feed in the batch


def test_p_grows_from_the_end_of_the_warm_up_to_its_cap(dataset, scored_by_row):
    made = self_training(dataset, start=7, share=0.25, growth=0.125, cap=0.6, limit=100)
    assert [made.share(step) for step in (0, 6, 7, 8, 9, 10, 99)] == [0, 0, 0.25, 0.375, 0.5, 0.6, 0.6]
    assert [len(made.choose(dataset.rows("train"), step)) for step in (0, 6)] == [0, 0]
    assert not any(values.any() for values in made.audit.counts.values())  # nothing is scored in the warm-up
    assert len(made.choose(dataset.rows("train"), 7)) == 3  # of 11 and 5: 2.75 and 1.25 give 2 and 1


def test_choosing_changes_nothing_of_the_model(dataset):
    model = towers(dataset, dropout=0.5, norm="domain")
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    random = torch.get_rng_state()
    made = self_training(dataset, model, share=0.5, cap=0.5)
    assert len(made.choose(dataset.rows("train"), 0)) > 0
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert model.tables.touched == []
    assert torch.equal(torch.get_rng_state(), random)
    assert all(module.training for module in model.modules())


def gradients(model, loader, rows, pseudo):
    """Of the sum over the samples, by parameter; with the loss itself."""
    batch = loader.batch(rows, np.random.default_rng(0), pseudo)
    model.zero_grad()
    model.tables.touched.clear()
    loss = batch_loss(model, batch, sampled_softmax) * batch.size
    loss.backward()
    return loss.item(), {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def test_pseudo_positives_train_the_weights_of_their_domain_only(dataset):
    options = {"dropout": 0.0, "embedding_dropout": 0.0, "shrinkage": False, "norm": "none"}
    model, loader = towers(dataset, **options), loader_of(dataset)
    rows = dataset.rows("train")
    none = PseudoPositives(rows[:0], rows[:0])
    one = PseudoPositives(np.array([25]), np.array([FEED]))  # joe's mug, from search
    loss, plain = gradients(model, loader, rows, none)
    more, both = gradients(model, loader, rows, one)
    assert more > loss
    assert plain.keys() == both.keys()
    for name in plain:
        own = [part for part in name.split(".") if part.isdigit()][-1:] if ".values." in name else ()
        if own and int(own[0]) != FEED:
            torch.testing.assert_close(plain[name], both[name], msg=name)
    assert any(".values.1" in name and not torch.allclose(plain[name], both[name]) for name in plain)


def test_the_loss_of_a_pseudo_positive_by_hand(dataset):
    """Joe's mug as if in feed: against feed's whole corpus, of which joe knows nothing."""
    options = {"dropout": 0.0, "embedding_dropout": 0.0, "norm": "none"}
    model = towers(dataset, **options)
    loader = loader_of(dataset)
    rows, mug = dataset.rows("train"), np.array([25])
    plain, _ = gradients(model, loader, rows, PseudoPositives(mug[:0], mug[:0]))
    more, _ = gradients(model, loader, rows, PseudoPositives(mug, np.array([FEED])))
    offsets = (0, 0, 1, 1)
    with torch.no_grad():
        user = model.encode_users(tensors(loader.reader.user_bags(loader.queries(mug, np.array([FEED])))), offsets)
        items = dataset.corpora.items[FEED]  # bag, mug, pen; with 3 uniform negatives all of them, log Q = 0
        bags = tensors(loader.reader.item_bags(items, np.full(3, FEED)))
        popularity = torch.from_numpy(dataset.corpora.log_popularity(FEED, items))
        logits = (user @ model.encode_items(bags, (0, 0, 3, 3), popularity).T)[0] / model.temperature
    assert more - plain == pytest.approx(-float(logits.log_softmax(0)[1]), rel=1e-4)


def test_a_restored_self_training_goes_on_as_if_nothing_had_happened(dataset, scored_by_row):
    rows = dataset.rows("train")
    first, second = (self_training(dataset, share=0.3, cap=0.3, limit=100) for _ in range(2))
    first.choose(rows, 0)
    state = {name: tensor.clone() for name, tensor in first.state_dict().items()}
    second.choose(rows[:9], 0)
    second.load_state_dict(state)
    expected, found = first.choose(rows, 1), second.choose(rows, 1)
    assert found.rows.tolist() == expected.rows.tolist()
    assert second.audit.report(start=0, steps=2) == first.audit.report(start=0, steps=2)


def without_features_by_domain(dataset):
    other = copy.copy(dataset)
    kept = tuple(f for f in dataset.manifest.features if not (f.by_domain or f.same_domain))
    other.manifest = dataset.manifest.model_copy(update={"features": kept})
    return other


def test_what_self_training_cannot_do_is_refused(dataset):
    alone = copy.copy(dataset)
    alone.domains = ("search",)
    with pytest.raises(AdiError, match=r"pseudo-positives come from other domains, and .* has only one, 'search'"):
        check_self_training(towers(dataset), alone)

    blind = without_features_by_domain(dataset)
    with pytest.raises(AdiError, match=r"do not depend on the domain .*Set domain_indicator: true, or train without"):
        check_self_training(towers(blind, "dnn", domain_indicator=False), blind)
    check_self_training(towers(blind, "dnn"), blind)
    check_self_training(towers(blind, "dnn-single", domain_indicator=False), blind)  # has towers of each domain
    check_self_training(towers(blind, "adi-se", domain_indicator=False), blind)  # has weights of each domain
    check_self_training(towers(dataset, "dnn", domain_indicator=False), dataset)  # has features by domain

    apart = copy.copy(dataset)
    items = [np.array([0, 1]), np.array([2, 3]), np.array([4])]
    ones = [np.ones(len(own), dtype=np.int64) for own in items]
    apart.__dict__["corpora"] = Corpora(items, ones, [own > 0 for own in ones])
    with pytest.raises(AdiError, match=r"no item with training rows in one domain of .* can be retrieved in another"):
        check_self_training(towers(dataset), apart)
    items[FEED] = np.array([1, 3])  # search's 1 may be retrieved in feed, where nobody took it
    apart.__dict__["corpora"] = Corpora(items, [ones[0], np.array([0, 1]), ones[2]], [own > 0 for own in ones])
    check_self_training(towers(dataset), apart)


def test_refusals_come_before_anything_is_written(prepared, tmp_path, monkeypatch):
    monkeypatch.setattr("adi.training.train.Dataset", lambda folder: without_features_by_domain(Dataset(folder)))
    blind = SMALL | {"self_training": True, "domain_indicator": False}
    with pytest.raises(AdiError, match="self_training: the scores of this model do not depend on the domain"):
        train(prepared, "dnn", tmp_path / "run", settings=blind)
    with pytest.raises(
        AdiError, match=r"'self_training' belongs to training, and popularity is fitted without training"
    ):
        train(prepared, "popularity", tmp_path / "run", settings={"self_training": True})
    with pytest.raises(AdiError, match=r"self_training_share 0\.5 is above self_training_cap 0\.1"):
        train(prepared, "dnn", tmp_path / "run", settings={"self_training_share": 0.5})
    assert not (tmp_path / "run").exists()


def test_a_run_with_self_training(prepared, dataset, tmp_path):
    """Four epochs of one step, from the third on with self-training: twice what the tests above have once."""
    settings = SMALL | {
        "epochs": 4,
        "batch_size": 31,
        "patience": 9,
        "k": 2,
        "uniform": 3,
        "self_training": True,
        "self_training_share": 0.5,
        "self_training_cap": 0.5,
        "self_training_limit": 100,
        "refit": False,
    }
    train(prepared, "adi-se", tmp_path / "run", settings=settings)
    audit = json.loads((tmp_path / "run" / "self_training.json").read_text(encoding="utf-8"))
    assert (audit["start_step"], audit["steps"]) == (2, 4)
    assert 0 < audit["seconds"]["scoring"] < audit["seconds"]["total"]
    assert 0 < audit["seconds"]["training_extra"] < audit["seconds"]["total"] - audit["seconds"]["scoring"]
    groups = {(pair["from"], pair["to"]): pair for pair in audit["pairs"]}
    assert len(groups) == 6
    assert {
        name: groups["search", "feed"][name] for name in ("samples", "eligible", "known", "scored", "accepted")
    } == {
        "samples": 46,
        "eligible": 24,
        "known": 2,
        "scored": 22,
        "accepted": 11,
    }
    assert groups["feed", "search"]["accepted"] == 5
    assert groups["kiosk", "feed"]["accepted"] == groups["search", "kiosk"]["scored"] == 0
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(line["pseudo_positives"], line["samples"]) for line in lines] == [(0, 31), (0, 31), (7, 38), (9, 40)]
    edges = groups["search", "feed"]["score_histogram"]["edges"]
    assert all(low < high for low, high in pairwise(edges))
