"""A bundle of a run with trends: its lists are those of the model at the end of the log, and go on with new clicks."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import small
from adi.bundle.engine import BundleEngine
from adi.data.last_clicks import Click
from adi.errors import AdiError
from adi.exporting import trends as exporting_trends
from adi.exporting.export import export
from adi.models.vectors import VectorScorer
from adi.training.fitted import open_run
from adi.training.train import train

SMALL = {**small.SMALL, "epochs": 2, "batch_size": 64}
RUNS = {
    "trends-dnn": ("trending", "dnn", {}),
    "audiences-dnn": ("trending_context", "dnn", {}),
    "audiences-dnn-single": ("trending_context", "dnn-single", {"keep": "domain"}),
    "audiences-mind": ("trending_context", "mind", {"interests": 2}),
}
"""Runs by name: the fixture of their dataset, their model and its settings."""
NUM_ROWS = 30
NONE = np.empty(0, dtype=np.int64)


@pytest.fixture(scope="module", params=RUNS)
def run(request, tmp_path_factory):
    dataset, model, settings = RUNS[request.param]
    folder = tmp_path_factory.mktemp("runs") / request.param
    train(request.getfixturevalue(dataset).folder, model, folder, settings=SMALL | settings)
    return folder


@pytest.fixture(scope="module")
def bundle(run):
    export(run, run.parent / "bundle")
    return run.parent / "bundle"


def assert_lists_of_the_model(engine, scorer, dataset, domain, queries, known):
    items = dataset.corpora.retrievable(domain)
    expected = scorer.against(domain, items)(replace(queries, clicks=dataset.clicks(known)))
    for top, scores in zip(
        engine.search(domain, queries, len(items), excluded=[NONE] * len(queries)), expected, strict=True
    ):
        assert sorted(top.positions) == list(range(len(items)))
        np.testing.assert_allclose(top.scores, scores[torch.from_numpy(top.positions)], rtol=2e-4, atol=2e-4)
        np.testing.assert_allclose(sum(top.parts.values()), top.scores, rtol=1e-4, atol=1e-4)


def test_a_fresh_bundle_knows_the_end_of_the_log(run, bundle):
    _, dataset, scorer = open_run(run)
    engine = BundleEngine(bundle)
    clicks = dataset.clicks("frozen")
    for domain in range(2):
        rows = dataset.rows("test")
        queries = dataset.queries("test", rows[dataset.targets("test", rows)[2] == domain])
        queries = replace(queries, moments=np.full(len(queries), clicks.end)).part(0, NUM_ROWS)
        assert_lists_of_the_model(engine, scorer, dataset, domain, queries, "frozen")


def test_with_the_test_rows_as_clicks_it_answers_as_the_evaluator_live(run, bundle):
    _, dataset, scorer = open_run(run)
    trends = (engine := BundleEngine(bundle)).trends
    users, items, domains = dataset.targets("test", dataset.rows("test"))
    times = dataset.times("test")
    for row in np.argsort(times, kind="stable")[:NUM_ROWS]:
        query = dataset.queries("test", np.array([row]), known="live")
        trends.refresh(float(times[row]))
        if times[row] >= trends.start + dataset.manifest.trend.delay:  # all clicks of the log are known from here on
            assert_lists_of_the_model(engine, scorer, dataset, int(domains[row]), query, "live")
        user, context = dataset.users.key(int(users[row])), tuple(int(codes[0]) for codes in query.context.values())
        trends.clicks.add([Click(user, int(items[row]), int(domains[row]), float(times[row]), context)])


def test_without_counters_lists_are_by_taste(run, bundle):
    _, dataset, scorer = open_run(run)
    engine, of_domain = BundleEngine(bundle), scorer.scorers[0]
    engine.trends.available = False
    queries = dataset.queries("test", dataset.rows("test")[:1])
    vectors = of_domain.item_vectors(0, engine.items(0).astype(np.int64))
    tastes = of_domain.user_vectors(0, queries)[..., : vectors.shape[1]]
    (top,) = engine.search(0, queries, 5, excluded=[NONE])
    expected = of_domain.model.scores(tastes, vectors)[0].sort(descending=True)
    np.testing.assert_allclose(top.scores, expected.values[:5], rtol=1e-4)
    assert top.parts is None


def test_trends_that_differ_from_the_model_are_refused(run, tmp_path, monkeypatch):
    coordinates = exporting_trends.TrendGraphs.coordinates
    monkeypatch.setattr(
        exporting_trends.TrendGraphs, "coordinates", lambda self, *inputs: coordinates(self, *inputs) + 0.1
    )
    with pytest.raises(AdiError, match=r"domain 'big': the exported trends differ from the model by 0\.\d+"):
        export(run, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_domains_with_weights_of_their_own_have_no_common_audiences(trending_context, tmp_path):
    train(trending_context.folder, "dnn", tmp_path / "run", settings=SMALL)
    _, dataset, scorer = open_run(tmp_path / "run")
    scorers = [VectorScorer(scorer.scorers[0].model, dataset) for _ in range(2)]
    with pytest.raises(AdiError, match=r"with keep: domain each domain has weights of its own"):
        exporting_trends.check_audiences(scorers)
    exporting_trends.check_audiences(scorers[:1] * 2)
