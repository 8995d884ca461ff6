"""Results as frames: their columns, their one line, and their table for a notebook."""

import pyarrow as pa

import adi
from adi.frames import html_of
from adi.runs.metrics import Metrics

METRICS = Metrics(
    model="dnn",
    part="test",
    against="corpus",
    history="earlier",
    ks=(10,),
    domains={"a": {"queries": 1200, "recall@10": 0.5}, "b<c": {"queries": 0, "recall@10": None}},
    mean={"recall@10": 0.5},
)


def test_html_has_a_row_for_each_row_and_escapes_names() -> None:
    frame = pa.table({"domain": ["a", "b<c"], "queries": [1200, 0], "recall@10": [0.5, None]})
    assert html_of(frame) == (
        "<table><thead><tr><th>domain</th><th>queries</th><th>recall@10</th></tr></thead><tbody>"
        "<tr><td>a</td><td>1,200</td><td>0.5000</td></tr><tr><td>b&lt;c</td><td>0</td><td>–</td></tr></tbody></table>"
    )


def test_metrics_are_a_frame_with_the_mean_last() -> None:
    assert METRICS.to_frame().to_pylist() == [
        {"domain": "a", "queries": 1200, "recall@10": 0.5},
        {"domain": "b<c", "queries": 0, "recall@10": None},
        {"domain": "mean", "queries": None, "recall@10": 0.5},
    ]
    assert repr(METRICS) == str(METRICS) == "<Metrics of dnn on test, 2 domains: mean recall@10 0.5000>"
    assert METRICS._repr_html_().count("<tr>") == 4


def test_the_mean_over_queries_is_below_that_over_domains() -> None:
    both = METRICS.model_copy(update={"mean_over_queries": {"recall@10": 0.25}})
    assert both.to_frame().to_pylist()[2:] == [
        {"domain": "mean", "queries": None, "recall@10": 0.5},
        {"domain": "mean over queries", "queries": None, "recall@10": 0.25},
    ]


def test_a_run_and_a_study_have_a_line(prepared, tmp_path) -> None:
    small = {"epochs": 1, "embedding_dim": 4, "dim": 4, "networks": (4,), "batch_size": 16, "uniform": 3}
    info = adi.train(str(prepared), "dnn", str(tmp_path / "run"), settings=small, seed=3)
    assert repr(info) == f"<Run of dnn, seed 3, complete: 3 domains, {info.parameters:,} parameters, epoch 1 kept>"
    study = adi.tune(str(prepared), "item-knn", str(tmp_path / "study"), trials=2, k=3)
    frame = study.to_frame()
    assert frame.column_names[:4] == ["trial", "state", "mean", "seconds"]
    assert frame["trial"].to_pylist() == [0, 1]
    assert repr(study).startswith("<Study of item-knn: 2 trials, best trial ")


def test_the_package_shows_its_public_names() -> None:
    assert dir(adi) == sorted(adi.__all__)
    assert {"Dataset", "export", "retrieve_all", "nn", "losses", "metrics", "__version__"} <= set(dir(adi))
    for name in dir(adi):
        assert getattr(adi, name) is not None


def test_a_manifest_has_a_row_for_each_domain(dataset) -> None:
    frame = dataset.manifest.to_frame()
    assert frame["domain"].to_pylist() == list(dataset.domains)
    counts = ["train", "validation", "test", "users", "items", "corpus", "duplicates", "seen", "outside"]
    assert frame.column_names[1:] == counts
    assert repr(dataset.manifest).startswith("<Prepared dataset of 3 domains: ")
