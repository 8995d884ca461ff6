"""Blends of trained models: weights that validation rows ask for, runs that keep them, and lists that follow."""

import json

import numpy as np
import pytest
import torch

from adi.bundle.portion import Portion, Shard
from adi.data.blend import BlendWeights, ItemNeighbours
from adi.data.dataset import Dataset
from adi.errors import AdiError
from adi.exporting.export import export
from adi.models import blend as models_module
from adi.models.blend import counted_blend
from adi.models.scorer import ScorerByDomain
from adi.retrieval.retriever import Retriever
from adi.runs.baselines import read_baselines
from adi.runs.info import read_info
from adi.training import blend as blend_module
from adi.training import train as module
from adi.training.baselines import beside
from adi.training.blend import fit_blend
from adi.training.evaluation import evaluate_run
from adi.training.fitted import open_run
from adi.training.train import train

UNTRAINED = {
    "embedding_dim": 4,
    "dim": 4,
    "networks": (4,),
    "epochs": 1,
    "lr": 1e-6,
    "embedding_lr": 1e-6,
    "k": 2,
    "blend": ["similar"],
}
"""A model that has learned nothing."""


def series_rows(user, domain):
    """Clicks of a user on any item, and then on the three of a series, of which any is the first."""
    first = user // 60 % 3
    series = [f"{user // 2 % 30}{part}" for part in "abcab"[first : first + 3]]
    names = [f"{np.random.default_rng(user).integers(30)}x", *series]
    return [{"user": f"u{user}", "item": name, "domain": domain, "time": 10 * user + n} for n, name in enumerate(names)]


def series_log(users):
    """Item-kNN knows what comes next, and popularity does not. In domain z nothing can be held out."""
    rows = [row for user in users for row in series_rows(user, "xy"[user % 2])]
    return [*rows, {"user": "lone", "item": "0a", "domain": "z", "time": 0}]


@pytest.fixture
def series(workspace):
    workspace.write("log.jsonl", series_log(range(240)))
    workspace.schema["split"] = {"kind": "last", "validation": 0.5}
    workspace.schema["corpus"] = "all"
    workspace.prepare()
    return workspace


class Noise:
    """A scorer that tells nothing."""

    def __init__(self, scale=1.0):
        self.scale = scale

    def against(self, domain, items):
        def score(queries):
            generator = torch.Generator().manual_seed(domain)
            return self.scale * torch.randn(len(queries), len(items), generator=generator)

        return score


class Oracle:
    """A scorer that knows the item of each row of a part, and is sure of it."""

    def __init__(self, dataset, part):
        self.dataset, self.part = dataset, part
        rows = dataset.rows(part)
        users, items, domains = dataset.targets(part, rows)
        self.item_of = dict(zip(zip(users.tolist(), domains.tolist(), strict=True), items.tolist(), strict=True))

    def against(self, domain, items):
        def score(queries):
            wanted = np.array([self.item_of[user, domain] for user in queries.users.tolist()])
            return torch.from_numpy(2.0 * (wanted[:, None] == items)).float()

        return score


def test_neighbours_get_weight_where_the_model_knows_nothing(series):
    fitted = fit_blend(ScorerByDomain([Noise()] * 3), Dataset(series.out), 0.5, 2, ("similar",))
    assert list(fitted.weights) == ["x", "y", "z"]
    for of_domain in fitted.weights.values():
        assert max(of_domain) > 2


def test_weights_are_in_units_of_the_temperature(series):
    dataset = Dataset(series.out)
    fitted, cold = (
        fit_blend(ScorerByDomain([Noise(scale)] * 3), dataset, scale, 2, ("similar",)) for scale in (1.0, 0.25)
    )
    assert cold.similarity == fitted.similarity
    for name, weights in fitted.weights.items():
        assert cold.weights[name] == tuple(weight / 4 for weight in weights)


def test_neighbours_get_no_weight_where_the_model_knows_all(series):
    dataset = Dataset(series.out)
    fitted = fit_blend(ScorerByDomain([Oracle(dataset, "validation")] * 3), dataset, 1.0, 2, ("similar",))
    assert set(fitted.weights.values()) == {BlendWeights(0.0, 0.0)}


def test_a_domain_goes_its_own_way_with_many_rows_of_its_own(series, monkeypatch):
    """The model knows all in x, and nothing in y; z has no validation rows, and the weights of all rows."""
    dataset = Dataset(series.out)
    assert dataset.manifest.by_domain["z"].validation == 0
    scorer = ScorerByDomain([Oracle(dataset, "validation"), Noise(), Noise()])
    monkeypatch.setattr(blend_module, "SHARED_ROWS", 1_000_000)
    weights = fit_blend(scorer, dataset, 1.0, 2, ("similar",)).weights
    assert weights["x"] == weights["y"] == weights["z"]  # beside some dozens of its own
    monkeypatch.setattr(blend_module, "SHARED_ROWS", 1)
    own = fit_blend(scorer, dataset, 1.0, 2, ("similar",)).weights
    assert own["z"] == weights["z"]
    assert max(own["x"]) < max(own["y"])


def test_a_model_that_shares_nothing_has_a_blend_that_shares_nothing(series, tmp_path):
    """In z, which has no validation rows, all weights are 0."""
    settings = UNTRAINED | {"blend": ["similar", "follows"]}
    info = train(series.out, "dnn-single", tmp_path / "run", settings=settings, baselines=False)
    assert all(weights.everywhere == weights.follows == 0 for weights in info.blend.values())
    assert all(info.blend[name].here + info.blend[name].follows_here > 0 for name in "xy")
    assert not any(info.blend["z"])


class Parity:
    """A scorer that knows all of users of even numbers, and nothing of the others."""

    def __init__(self, dataset):
        self.oracle, self.noise = Oracle(dataset, "validation"), Noise()

    def against(self, domain, items):
        knowing, guessing = self.oracle.against(domain, items), self.noise.against(domain, items)

        def score(queries):
            even = torch.from_numpy(queries.users % 2 == 0)
            return torch.where(even[:, None], knowing(queries), guessing(queries))

        return score


def test_each_half_of_the_users_has_weights_chosen_on_the_other(series):
    """Numbers of users are by their ids as text, so that both halves are in both domains."""
    dataset = Dataset(series.out)
    even, odd = fit_blend(ScorerByDomain([Parity(dataset)] * 3), dataset, 1.0, 2, ("similar",)).halves
    for domain in (0, 1):
        assert max(even.weights[domain]) > 2  # chosen where nothing is known
        assert max(odd.weights[domain]) == 0


def test_each_user_is_compared_by_the_scorer_of_its_half(series):
    dataset = Dataset(series.out)
    users = dataset.targets("validation", dataset.rows("validation"))[0]
    domains = dataset.targets("validation", dataset.rows("validation"))[2]
    compared = beside("both", [Oracle(dataset, "validation"), Noise()], dataset, 1).domains
    reverse = beside("both", [Noise(), Oracle(dataset, "validation")], dataset, 1).domains
    for number, name in enumerate("xy"):
        even = (users[domains == number] % 2 == 0).mean()
        assert 0.3 < even < 0.7
        assert compared[name].model == pytest.approx(even, abs=0.05)  # noise, too, can be right
        assert reverse[name].model == pytest.approx(1 - even, abs=0.05)


def test_of_equal_weights_the_smallest_are_chosen(series):
    """An item without neighbours ranks by the model alone, whatever the weights: they are 0."""
    dataset = Dataset(series.out)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            models_module, "fit_by_scope", lambda _, scope, fit: [ItemNeighbours.none(len(dataset.items))] * 3
        )
        fitted = fit_blend(ScorerByDomain([Noise()] * 3), dataset, 1.0, 2, ("similar",))
    assert set(fitted.weights.values()) == {BlendWeights(0.0, 0.0)}


@pytest.mark.parametrize(("most", "similarity"), [(0, "cosine"), (12_000, "linear")])
def test_the_similarity_is_kept(series, tmp_path, monkeypatch, most, similarity):
    monkeypatch.setattr(models_module, "MOST_LINEAR", most)
    info = train(series.out, "dnn", tmp_path / "run", settings=UNTRAINED)
    assert info.blend_similarity == read_info(tmp_path / "run").blend_similarity == similarity
    matrix = open_run(tmp_path / "run").scorer.blend().similar.everywhere.similarities
    both = dict.fromkeys(range(3), BlendWeights(1.0, 1.0))
    expected = counted_blend(Dataset(series.out, all_rows=info.refit), similarity, both).similar.everywhere.similarities
    assert (matrix != expected).nnz == 0


def test_a_record_of_an_older_adi_has_the_cosine(series, tmp_path):
    train(series.out, "dnn", tmp_path / "run", settings=UNTRAINED)
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    del record["blend_similarity"]
    (tmp_path / "run" / "run.json").write_text(json.dumps(record))
    info = read_info(tmp_path / "run")
    assert info.blend_similarity == "cosine"
    assert info.blend is not None


@pytest.mark.parametrize("refit", [True, False])
def test_a_run_keeps_its_blend_and_evaluation_uses_it(series, tmp_path, refit):
    with_blend, without = (tmp_path / name for name in ("with", "without"))
    info = train(series.out, "dnn", with_blend, settings={**UNTRAINED, "refit": refit})
    train(series.out, "dnn", without, settings={**UNTRAINED, "refit": refit, "blend": False})
    assert info.blend == read_info(with_blend).blend
    assert read_info(without).blend is None
    blended, plain = (evaluate_run(run, ks=(1,)).mean["recall@1"] for run in (with_blend, without))
    assert blended > 0.6
    assert plain < 0.3


def test_the_blend_of_other_data_counts_its_rows(series, tmp_path):
    train(series.out, "dnn", tmp_path / "run", settings=UNTRAINED)
    renamed = [{**row, "item": row["item"].replace("c", "d")} for row in series_log(range(240))]
    series.write("log.jsonl", renamed)
    series.prepare("other")
    assert evaluate_run(tmp_path / "run", ks=(1,), prepared=series.out).mean["recall@1"] > 0.9


@pytest.mark.parametrize("baselines", [True, False])
def test_a_training_that_goes_on_in_its_refit_has_the_same_blend(series, tmp_path, monkeypatch, baselines):
    options = {"settings": {**UNTRAINED, "refit": True}, "baselines": baselines}
    whole = train(series.out, "dnn", tmp_path / "whole", **options)

    def stopped(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(module.Training, "refit", stopped)
        with pytest.raises(KeyboardInterrupt):
            train(series.out, "dnn", tmp_path / "cut", **options)
    assert read_info(tmp_path / "cut").blend == whole.blend
    monkeypatch.setattr(module, "fit_blend", stopped)  # the weights that it was fitted to may be gone
    resumed = train(series.out, "dnn", tmp_path / "cut", **options, resume=True)
    assert resumed.blend == whole.blend
    assert read_baselines(tmp_path / "cut") == read_baselines(tmp_path / "whole")


def test_a_training_cut_between_baselines_and_record_fits_both_again(series, tmp_path, monkeypatch):
    whole = train(series.out, "dnn", tmp_path / "whole", settings=UNTRAINED)

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        write = module.write_baselines
        patched.setattr(module, "write_baselines", lambda *given: (write(*given), full_disk()))
        with pytest.raises(OSError, match="No space left"):
            train(series.out, "dnn", tmp_path / "cut", settings=UNTRAINED)
    assert read_baselines(tmp_path / "cut") is not None
    assert read_info(tmp_path / "cut").blend is None
    assert train(series.out, "dnn", tmp_path / "cut", settings=UNTRAINED, resume=True).blend == whole.blend


@pytest.mark.parametrize("model", ["adi-se", "mind"])
def test_a_bundle_gives_the_lists_of_its_run(series, tmp_path, model):
    train(series.out, model, tmp_path / "run", settings={**UNTRAINED, "embedding_std": 1.0})
    info = export(tmp_path / "run", tmp_path / "bundle", progress=False)
    assert info.blend == read_info(tmp_path / "run").blend
    run, bundle = Retriever(tmp_path / "run"), Retriever(tmp_path / "bundle")
    for domain in run.domains:
        for history in (["0a"], ["3b", "0a", "0a"], []):
            for options in ({}, {"exclude_seen": False}, {"exclude": ["0b"], "k": 3}, {"k": 50}):
                expected, top = (retriever.retrieve(domain, history=history, **options) for retriever in (run, bundle))
                assert top.ids == expected.ids
                np.testing.assert_allclose(top.scores, expected.scores, rtol=1e-5, atol=1e-5)
    top = bundle.retrieve("x", history=["0a", "0b"])
    assert top.ids[0] == "0c"
    assert list(top.parts) == ["taste", "neighbours", "bid"]
    np.testing.assert_allclose(np.sum([*top.parts.values()], axis=0), top.scores, rtol=1e-5)
    assert top.parts["neighbours"][0] > 0
    assert len(top.ids) == 10


def test_a_shard_adds_to_its_own_items(series, tmp_path):
    train(series.out, "dnn", tmp_path / "run", settings=UNTRAINED)
    export(tmp_path / "run", tmp_path / "bundle", progress=False)
    whole = Retriever(tmp_path / "bundle").retrieve("x", history=["0a", "3b"], k=20)
    shards = [
        Retriever(tmp_path / "bundle", portion=Portion(shard=Shard(number, 2))).retrieve(
            "x", history=["0a", "3b"], k=20
        )
        for number in (1, 2)
    ]
    merged = sorted(
        ((score, item) for shard in shards for item, score in zip(shard.ids, shard.scores, strict=True)),
        key=lambda pair: (-pair[0], int(Dataset(series.out).items.find(pair[1]))),
    )
    assert [item for _, item in merged[:20]] == list(whole.ids)


def test_keep_domain_fits_each_domain_to_its_own_epoch(series, tmp_path):
    settings = {**UNTRAINED, "epochs": 2, "keep": "domain"}
    info = train(series.out, "dnn", tmp_path / "run", settings=settings)
    assert set(info.blend) == {"x", "y", "z"}
    assert open_run(tmp_path / "run").scorer.blend is not None


@pytest.mark.parametrize("kind", ["similar", "repeats", "follows"])
def test_a_blend_with_trends_is_refused(series, tmp_path, kind):
    series.schema["trend"] = {"half_lives": [50], "delay": 1}
    series.prepare("with_trends")
    with pytest.raises(AdiError, match=r"training\.blend: data with trends has co-clicks"):
        train(series.out, "dnn", tmp_path / "run", settings={**UNTRAINED, "blend": [kind]})


def test_baselines_that_are_ahead_are_named(series, tmp_path):
    train(series.out, "dnn", tmp_path / "run", settings={**UNTRAINED, "blend": False})
    baselines = read_baselines(tmp_path / "run")
    assert list(baselines.domains) == ["x", "y"]
    for domain in baselines.domains.values():
        assert set(domain.ahead) == {"sequential-rules", "item-knn", "item-knn by domain", "ease"}
        assert domain.baselines["item-knn"] > 0.4
        assert domain.model < 0.3
    text = "\n".join(baselines.sentences())
    assert "significantly BEHIND: x (" in text
    assert "take the baseline's lists" in text


def test_without_baselines_there_are_none(series, tmp_path):
    train(series.out, "dnn", tmp_path / "run", settings=UNTRAINED, baselines=False)
    assert read_baselines(tmp_path / "run") is None


@pytest.mark.parametrize("weight", [0.1, 20.0])
def test_bids_and_filters_count_for_added_scores(prepared_with_bids, tmp_path, weight):
    train(
        prepared_with_bids,
        "adi-se",
        tmp_path / "run",
        settings={**UNTRAINED, "embedding_std": 1.0, "blend": ["similar"]},
    )
    export(tmp_path / "run", tmp_path / "bundle", bid="bid", progress=False)
    run, bundle = Retriever(tmp_path / "run", bid="bid"), Retriever(tmp_path / "bundle")
    assert any(max(weights) > 0 for weights in bundle.engine.info.blend.values())
    for domain in run.domains:
        for number in range(len(run.dataset.users)):
            for options in ({}, {"exclude_seen": False, "k": 3}, {"filter": "bid < 64"}):
                arguments = {"user": run.dataset.users.key(number), "bid_weight": weight, **options}
                expected, top = (retriever.retrieve(domain, **arguments) for retriever in (run, bundle))
                assert top.ids == expected.ids
                np.testing.assert_allclose(top.scores, expected.scores, rtol=1e-5, atol=1e-5)
