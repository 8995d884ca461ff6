"""Runs with audiences: on their own data, on data that was prepared later or otherwise, and by domain."""

import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from adi.backtesting.backtest import backtest
from adi.backtesting.result import WAYS
from adi.errors import AdiError
from adi.preparation.prepare import prepare
from adi.runs.info import read_info
from adi.training.evaluation import evaluate_run
from adi.training.fitted import open_run
from adi.training.train import train
from trending import HOUR, clicks, trending_schema

AUDIENCE = {"half_lives": [1800]}
SMALL = {
    "embedding_sets": 1,
    "embedding_dim": 4,
    "dim": 4,
    "networks": (4,),
    "epochs": 2,
    "batch_size": 256,
    "lr": 0.01,
    "uniform": 5,
    "k": 3,
    "refit": False,
}


@pytest.fixture(scope="module")
def run(trending_audience, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "run"
    train(trending_audience.folder, "dnn", folder, settings=SMALL, progress=False)
    return folder


def prepared(folder, table=None, **trend):
    schema = trending_schema(**trend)
    prepare(schema, folder, tables={"interactions": clicks() if table is None else table}, progress=False)
    return folder


def more_clicks():
    """The log with an hour more, of old and new users and items."""
    rng = np.random.default_rng(1)
    hour = pa.table(
        {
            "user": [f"u{number}" for number in rng.integers(50, 70, 100)],
            "item": [f"i{number}" for number in rng.integers(20, 28, 100)],
            "domain": [("big", "small")[number] for number in rng.integers(0, 2, 100)],
            "time": np.sort(12 * HOUR + rng.integers(0, HOUR, 100)),
        }
    )
    return pa.concat_tables([clicks().select(hour.column_names), hour])


def test_on_a_log_that_has_gone_on(run, tmp_path):
    """Frozen and live, with audiences of the new clicks, too, whether or not its schema asks for audiences."""
    own = evaluate_run(run, ks=(3,), progress=False)
    for name, trend in (("with", {"audience": AUDIENCE}), ("without", {})):
        later = prepared(tmp_path / name, more_clicks(), **trend)
        measured = evaluate_run(run, prepared=later, ks=(3,), progress=False)
        assert measured.live.domains["small"]["queries"] > own.live.domains["small"]["queries"]
        assert measured.known == "live"
        _, dataset, scorer = open_run(run, prepared=later)
        items = np.array([dataset.items.find(f"i{number}") for number in range(20, 28)])
        audiences = scorer.scorers[0].audiences(dataset.clicks("live"))
        found = audiences.at(0, items, np.array([13.0 * HOUR]))
        assert np.abs(found).sum(axis=(0, 2, 3)).all()


def test_the_same_log_otherwise_numbered_gives_the_same_scores(run, tmp_path):
    """A run's audiences are by ids: those of a copy whose items and domains have other numbers."""
    schema = trending_schema(audience=AUDIENCE)
    schema["domains"]["values"] = ["small", "big"]
    prepare(schema, tmp_path / "other", tables={"interactions": clicks()}, progress=False)
    own, other = (
        evaluate_run(run, ks=(3,), progress=False, **given) for given in ({}, {"prepared": tmp_path / "other"})
    )
    for known in ("live", "frozen"):
        for domain in ("big", "small"):
            expected, found = (getattr(metrics, known).domains[domain] for metrics in (own, other))
            assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("trend", "is_read"),
    [
        ({}, True),
        ({"audience": {"half_lives": [900]}}, True),
        ({"audience": {"half_lives": [900, 1800]}}, True),
        ({"audience": AUDIENCE, "delay": 30}, False),
    ],
)
def test_data_that_was_prepared_anew_with_other_trends(tmp_path, trend, is_read):
    """No array of the data says so; a run whose data were exchanged for others is neither opened nor resumed."""
    data, run = prepared(tmp_path / "data", audience=AUDIENCE), tmp_path / "run"
    stopped = tmp_path / "stopped"
    train(data, "dnn", run, settings=SMALL | {"epochs": 1}, progress=False)

    class Stop:
        def step(self, **_):
            raise KeyboardInterrupt

        def warned(self, **_): ...

    with pytest.raises(KeyboardInterrupt):
        train(data, "dnn", stopped, settings=SMALL, observer=Stop())
    shutil.rmtree(data)
    prepared(data, **trend)
    with pytest.raises(
        AdiError, match=r"data: trend is .*, and it was .*audience=\(1800.0,\).* Give the schema the trend"
    ):
        open_run(run)
    with pytest.raises(AdiError, match=r"data: trend is .*, and it was .*audience=\(1800.0,\)"):
        train(data, "dnn", stopped, settings=SMALL, progress=False, resume=True)
    if is_read:  # by the coding of the run
        assert open_run(run, prepared=data).dataset.manifest.trend.audience == (1800,)


def test_each_domain_has_the_audiences_of_its_own_epoch(trending_audience, tmp_path):
    run, settings = tmp_path / "run", SMALL | {"keep": "domain", "epochs": 3}
    train(trending_audience.folder, "adi-se", run, settings=settings, seed=1, progress=False)
    assert len(set(read_info(run).kept.values())) == 2
    opened = open_run(run)
    clicks, items, moments = opened.dataset.clicks("live"), np.arange(24), np.array([10.5 * HOUR])
    big, small = (scorer.audiences(clicks).at(0, items, moments) for scorer in opened.scorer.scorers)
    assert (big != small).any()
    measured = evaluate_run(run, ks=(3,), progress=False)
    assert all(measures["recall@3"] > 0 for measures in measured.live.domains.values())


def test_a_walk_forward(tmp_path):
    """Each window's model has audiences; live, those of the clicks since it was trained."""
    folder = tmp_path / "tables"
    folder.mkdir()
    pq.write_table(clicks(), folder / "log.parquet")
    schema = trending_schema(audience=AUDIENCE)
    schema["interactions"]["path"] = "log.parquet"
    (folder / "schema.yaml").write_text(yaml.safe_dump(schema))
    settings = SMALL | {"networks": [4], "epochs": 2, "validation_rows": 50}
    walked = backtest(
        folder,
        tmp_path / "out",
        models=["dnn"],
        every=HOUR,
        windows=2,
        settings=settings,
        measure="recall@10",
        progress=False,
    )
    assert walked.failed == {}
    assert {(score.way, score.window) for score in walked.scores} == {
        (way, window) for way in WAYS for window in (1, 2)
    }
    of = {(score.way, score.window): score.mean["recall@10"] for score in walked.scores}
    assert of["live", 2] > of["frozen", 2]
