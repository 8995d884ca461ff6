"""The drift of a log: measured where validation rows are the newest, by hand, and what depends on it."""

import math
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest

import adi
from adi.cli.show import drift
from adi.data.blend import BlendWeights
from adi.data.dataset import Dataset
from adi.data.manifest import read_manifest
from adi.errors import AdiError
from adi.models.blend import counted_blend
from adi.models.catalog import MODELS
from adi.models.decay import decay, decayed_corpora
from adi.models.popularity import Popularity
from adi.preparation.drift import _Log
from adi.training import blend as blend_module
from adi.training.baselines import baselines_of
from adi.training.fitted import blend_of, open_run
from adi.training.loader import Loader
from adi.training.settings import settings_for
from adi.training.train import train

ITEMS, HOURS, CLICKS = 400, 64, 400
HOUR = 3600
FOLLOWING = BlendWeights(0.0, 0.0, follows=1.0)
POOL = 100
"""Items that are clicked within one hour of a drifting log, whose next hour has ten others in place of ten."""


def clicks(*, drifts: bool) -> pa.Table:
    """Clicks of 64 hours, on `POOL` items of each hour or on all; a fifth is in domain b."""
    rng = np.random.default_rng(0)
    hour = np.repeat(np.arange(HOURS), CLICKS)
    size = len(hour)
    first = hour * 10 if drifts else 0
    return pa.table(
        {
            "user": rng.integers(3000, size=size),
            "item": (first + rng.integers(POOL, size=size)) % ITEMS if drifts else rng.integers(ITEMS, size=size),
            "domain": np.where(rng.random(size) < 0.2, "b", "a"),
            "time": hour * HOUR + rng.integers(HOUR, size=size),
        }
    )


def schema(**split) -> dict[str, object]:
    return {
        "interactions": {"path": "log.parquet", "user": "user", "item": "item", "time": "time"},
        "domains": {"column": "domain"},
        "features": {
            "user": [{"name": "history", "kind": "behaviours", "length": 5}],
            "item": [{"name": "item", "kind": "id"}],
        },
        "split": {"kind": "time", "at": 60 * HOUR} | split,
    }


def prepared(path, *, drifts: bool = True, every: int = 1, **split):
    """The clicks, or one in `every`, prepared."""
    table = clicks(drifts=drifts)
    table = table.take(np.arange(0, len(table), every))
    adi.prepare(schema(**split), path, tables={"interactions": table}, progress=False)
    return path


@pytest.fixture(scope="module")
def drifting(tmp_path_factory):
    return prepared(tmp_path_factory.mktemp("drift") / "prepared")


def clicks_by_hand(dataset: Dataset, half_life: float | None) -> list[dict[int, float]]:
    """The clicks of each item of each domain."""
    train_rows = dataset.rows("train")
    _, items, domains = dataset.targets("train", train_rows)
    times = dataset.times("train")[train_rows].astype(float)
    clicks = [dict.fromkeys(corpus.tolist(), 0.0) for corpus in dataset.corpora.items]
    for item, domain, time in zip(items.tolist(), domains.tolist(), times, strict=True):
        clicks[domain][item] += 1 if half_life is None else 0.5 ** ((times.max() - time) / half_life)
    return clicks


def of_validation(dataset: Dataset, values: list[dict[int, float]]) -> float:
    """The mean over the domains of the values of the items of validation rows."""
    _, wanted, wanted_in = dataset.targets("validation", dataset.rows("validation"))
    of_domains = [[of[item] for item in wanted[wanted_in == number].tolist()] for number, of in enumerate(values)]
    return float(np.mean([np.mean(of_domain) for of_domain in of_domains]))


def recall_by_hand(dataset: Dataset, half_life: float | None) -> float:
    """Recall@50 of popularity on the validation rows, the mean of the domains."""
    hits = []
    for clicks in clicks_by_hand(dataset, half_life):
        listed = sorted(clicks, key=lambda item: (-clicks[item], item))[:50]
        hits.append({item: item in listed for item in clicks})
    return of_validation(dataset, hits)


def likelihood_by_hand(dataset: Dataset, half_life: float) -> float:
    """The mean log of the items' shares of 100 clicks like those of all domains, their own, and one each."""
    clicks = clicks_by_hand(dataset, half_life)
    everywhere = {item: sum(of.get(item, 0) for of in clicks) for of in clicks for item in of}
    logs = []
    for of_domain in clicks:
        shared = 100 / sum(everywhere[item] for item in of_domain)
        counted = {item: number + everywhere[item] * shared + 1 for item, number in of_domain.items()}
        logs.append({item: math.log(number / sum(counted.values())) for item, number in counted.items()})
    return of_validation(dataset, logs)


def test_the_half_life_by_which_validation_rows_are_most_likely_is_in_the_manifest(drifting):
    dataset = Dataset(drifting)
    found = read_manifest(drifting).drift
    times = dataset.times("train")[dataset.rows("train")]
    span = float(times.max() - times.min())
    lives = [float(f"{span / fraction:.2g}") for fraction in (4, 16, 64, 256)]
    likelihoods = {life: likelihood_by_hand(dataset, life) for life in lives}
    assert found.half_life == max(likelihoods, key=likelihoods.get)
    assert found.recall == pytest.approx(recall_by_hand(dataset, found.half_life))
    assert found.recall_of_all == pytest.approx(recall_by_hand(dataset, None))
    assert found.recall > 2 * found.recall_of_all
    log = _Log(drifting)
    clicks = log.clicks((float(times.max()), lives[2]))
    assert log.likelihood(clicks) == pytest.approx(likelihoods[lives[2]])


@pytest.mark.parametrize(
    "case",
    [{"drifts": False}, {"drifts": False, "every": 40}, {"validation_by": "users"}, {"every": 400}],
    ids=["same items", "few rows of same items", "by users", "a handful of rows"],
)
def test_without_drift_or_where_it_is_not_known_there_is_none(tmp_path, case):
    manifest = read_manifest(prepared(tmp_path / "prepared", **case))
    assert manifest.drift is None
    assert drift(manifest) is None
    assert settings_for(MODELS["dnn"]).for_data(manifest).training.row_half_life == "off"


def test_a_drift_that_is_far_from_chance_shows_on_a_hundred_rows(tmp_path):
    folder = prepared(tmp_path / "prepared", every=20)
    assert 50 < len(Dataset(folder).rows("validation")) < 150
    assert read_manifest(folder).drift.recall > 2 * read_manifest(folder).drift.recall_of_all


def test_a_training_weighs_newer_rows_more_and_says_why(drifting):
    manifest = read_manifest(drifting)
    settings = settings_for(MODELS["dnn"])
    assert settings.for_data(manifest).training.row_half_life == manifest.drift.half_life
    reasons = {default.name: default.reason for default in settings.by_data(manifest)}
    assert reasons["row_half_life"] == (
        f"with it popularity finds {manifest.drift.recall:.0%} of the validation rows, without it "
        f"{manifest.drift.recall_of_all:.0%}"
    )
    off = settings_for(MODELS["dnn"], {"row_half_life": "off"})
    assert off.for_data(manifest).training.row_half_life == "off"


def test_the_rows_that_weighted_rows_are_worth_decide_the_steps(drifting):
    """Of a log of many rows of which few count by their age."""
    manifest = read_manifest(drifting)
    found, counts = manifest.drift, manifest.by_domain["a"]
    times = Dataset(drifting).times("train")[Dataset(drifting).rows("train")]
    share = 2 * found.half_life / math.log(2) / (times.max() - times.min())
    rows = sum(domain.train for domain in manifest.by_domain.values())
    assert found.rows == round(rows * share) < rows / 2
    large = manifest.model_copy(update={"by_domain": {"a": counts.model_copy(update={"train": 300_000})}})
    settings = settings_for(MODELS["dnn"])

    def steps(manifest, **given):
        found = settings_for(MODELS["dnn"], given).for_data(manifest)
        return found.training.batch_size, found.training.uniform, found.model.embedding_sets, found.training.patience

    assert steps(large) == (1024, 250, 4, 4)
    assert steps(large, row_half_life="off") == (4096, 1000, 1, 4)
    older = large.model_copy(update={"drift": found.model_copy(update={"rows": None})})
    assert steps(older) == (4096, 1000, 1, 4)
    reasons = {default.name: default.reason for default in settings.by_data(large)}
    assert reasons["batch_size"].startswith(
        f"{300_000 + counts.validation:,} rows, worth {found.rows:,} as newer ones count more: "
    )


def test_prepare_says_it(drifting):
    found = read_manifest(drifting).drift
    assert drift(read_manifest(drifting)) == (
        f"Drift: popularity with a half-life of {found.half_life} finds {found.recall:.0%} of the validation rows in "
        f"lists of 50, of all time {found.recall_of_all:.0%}. So newer rows count more in trainings (row_half_life). "
        "Lists are better still if they know the clicks before each query: trend in the schema (docs/trends.md)."
    )


def test_popularity_counts_by_age_by_default_where_the_log_drifts(drifting):
    dataset = Dataset(drifting)
    life = dataset.manifest.drift.half_life
    rows = dataset.rows("train")
    _, items, domains = dataset.targets("train", rows)
    times = dataset.times("train")[rows]
    weights = 0.5 ** ((times.max() - times) / life)
    queries = dataset.queries("test", dataset.rows("test")[:2])

    def scores(half_life):
        model = MODELS["popularity"]
        fitted = model.fit(dataset, settings_for(model, {"half_life": half_life}).model)
        return fitted.against(1, np.arange(3))(queries).numpy()

    scale = 3 * len(dataset.corpora.items[1]) / weights[domains == 1].sum()
    assert scale > 1
    expected = [scale * weights[(items == item) & (domains == 1)].sum() for item in range(3)]
    np.testing.assert_allclose(scores(None), [expected] * 2)
    np.testing.assert_allclose(scores(life), [expected] * 2)
    np.testing.assert_array_equal(scores("off"), Popularity(dataset).against(1, np.arange(3))(queries))
    assert (scores("off") % 1 == 0).all()


def test_the_prior_of_an_item_that_is_clicked_no_more_is_far_below_that_of_a_new_one(tmp_path):
    """However few the rows are that still count: one row for each item, added to them, would level all."""
    folder = prepared(tmp_path / "prepared", every=20)
    dataset = Dataset(folder)
    corpora = decayed_corpora(dataset, dataset.manifest.drift.half_life)
    prior = corpora.log_popularity(0, dataset.corpora.retrievable(0))
    of_all_time = dataset.corpora.log_popularity(0, dataset.corpora.retrievable(0))
    assert prior.max() - prior.min() > 4
    assert of_all_time.max() - of_all_time.min() < 3


def test_all_domains_have_a_say_in_the_prior_of_each(drifting):
    """A hundred rows, shared out by what counts anywhere, before the counts of domain b are scaled up."""
    dataset = Dataset(drifting)
    life = dataset.manifest.drift.half_life
    _, items, domains = dataset.targets("train", dataset.rows("train"))
    weights = decay(dataset, life)
    everywhere, in_b = (
        np.bincount(items[of], weights=weights[of], minlength=ITEMS) for of in (domains >= 0, domains == 1)
    )
    corpus = dataset.corpora.items[1]
    expected = in_b[corpus] + 100 * everywhere[corpus] / everywhere[corpus].sum()
    expected *= 3 * len(corpus) / expected.sum()
    np.testing.assert_allclose(decayed_corpora(dataset, life, pooled=True).counts[1], expected)
    alone = decayed_corpora(dataset, life).counts[1]
    np.testing.assert_allclose(alone, in_b[corpus] * 3 * len(corpus) / in_b.sum())


def test_a_domain_whose_rows_count_nothing_any_more_has_an_even_prior(drifting):
    dataset = Dataset(drifting)
    counts = decayed_corpora(dataset, 1e-3)
    priors = [counts.log_popularity(domain, dataset.corpora.items[domain]) for domain in (0, 1)]
    assert all(np.isfinite(prior).all() for prior in priors)
    assert min(np.ptp(prior) for prior in priors) == 0


def test_sequential_rules_count_by_age_by_default_where_the_log_drifts(drifting):
    dataset = Dataset(drifting)
    queries = dataset.queries("test", dataset.rows("test")[:50])

    def scores(half_life):
        model = MODELS["sequential-rules"]
        fitted = model.fit(dataset, settings_for(model, {"half_life": half_life}).model)
        return fitted.against(1, np.arange(dataset.manifest.items))(queries).numpy()

    np.testing.assert_array_equal(scores(None), scores(dataset.manifest.drift.half_life))
    assert (scores(None) != scores("off")).any()


def test_a_blend_counts_what_follows_by_age_where_the_log_drifts(drifting, tmp_path, monkeypatch):
    """In the choice of its weights and afterwards."""
    life, half_lives = read_manifest(drifting).drift.half_life, []

    def counted(dataset, similarity, weights, half_life):
        half_lives.append(half_life)
        return counted_blend(dataset, similarity, weights, half_life)

    monkeypatch.setattr(blend_module, "counted_blend", counted)
    small = {"embedding_dim": 4, "dim": 4, "networks": (4,), "epochs": 1, "neighbours": 0, "blend": ["follows"]}
    info = train(drifting, "dnn", tmp_path / "run", settings=small, baselines=False, progress=False)
    assert half_lives == [life]
    dataset = Dataset(drifting)
    of_run = blend_of(info.model_copy(update={"blend": dict.fromkeys(info.domains, FOLLOWING)}), dataset)()
    by_age, of_all_time = (counted_blend(dataset, "none", {0: FOLLOWING}, half_life) for half_life in (life, "off"))
    counts, expected, others = (blend.followers.everywhere.similarities for blend in (of_run, by_age, of_all_time))
    assert (counts != expected).nnz == 0
    assert (counts != others).nnz > 0


@pytest.mark.parametrize(("model", "pooled"), [("dnn", True), ("dnn-single", False)])
def test_the_popularity_of_items_counts_by_age_where_the_log_drifts(drifting, tmp_path, monkeypatch, model, pooled):
    """In the batches of a training and in the scorer of the run; `dnn-single` knows nothing of other domains."""
    batches, batch = [], Loader.batch
    monkeypatch.setattr(Loader, "batch", lambda *args: batches.append(batch(*args)) or batches[-1])
    small = {"embedding_dim": 4, "dim": 4, "networks": (4,), "epochs": 1, "neighbours": 0, "blend": False}
    settings = small | {"refit": False, "in_batch": False, "uniform": ITEMS}  # candidates are all items
    train(drifting, model, tmp_path / "run", settings=settings, baselines=False, progress=False)
    dataset = Dataset(drifting)
    counts = decayed_corpora(dataset, dataset.manifest.drift.half_life, pooled=pooled).counts
    expected = [np.log((of_domain + 1) / (of_domain.sum() + len(of_domain))) for of_domain in counts]
    first, popularity = batches[0], batches[0].item_log_popularity.numpy()
    for domain, (start, stop) in enumerate(pairwise(first.item_offsets)):
        assert set(popularity[start:stop].tolist()) <= set(expected[domain].astype(np.float32).tolist())
    scorer = open_run(tmp_path / "run").scorer.scorers[0]
    for domain, of_domain in enumerate(counts):
        np.testing.assert_array_equal(scorer.corpora.counts[domain], of_domain)


def test_popularity_of_late_is_a_baseline_of_a_training(drifting):
    assert "popularity of late" in [name for name, _ in baselines_of(Dataset(drifting))]


def test_a_half_life_of_popularity_needs_time(tmp_path):
    table = clicks(drifts=True).drop_columns("time")
    content = schema() | {"split": {"kind": "random", "share": 0.1}}
    del content["interactions"]["time"]
    adi.prepare(content, tmp_path / "prepared", tables={"interactions": table}, progress=False)
    with pytest.raises(AdiError, match="half_life: 3 needs a log with time"):
        train(tmp_path / "prepared", "popularity", tmp_path / "run", settings={"half_life": 3})
    assert not (tmp_path / "run").exists()
