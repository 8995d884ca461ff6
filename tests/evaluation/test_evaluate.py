"""Evaluation: golden numbers on a log of a few lines, and properties on the hand-written log."""

import json
from math import log2

import numpy as np
import pytest
import torch

from adi.data.dataset import Dataset
from adi.errors import AdiError
from adi.evaluation.breakdown import BREAKDOWNS
from adi.evaluation.evaluate import evaluate, is_small
from adi.metrics import RECALL
from adi.models.popularity import Popularity
from adi.preparation.prepare import prepare
from adi.runs.metrics import Metrics
from adi.runs.run import read_metrics
from adi.training.evaluation import evaluate_run
from adi.training.train import train

# Training rows: in `a` x 3, y 2, z 1, v 1; in `b` z 2, x 1. The item w is in the test alone.
LOG = "u1,x,a u1,y,a u1,z,b u2,x,a u2,z,b u3,x,a u3,y,a u4,z,a u4,x,b u5,v,a"
TEST = "u1,z,a u2,y,a u4,x,a u3,z,b u4,w,b"
CANDIDATES = "u1,x,a u1,y,a u1,z,a u2,y,a u2,z,a u4,y,a u4,z,a u3,x,b u3,y,b u3,z,b u4,w,b u4,y,b u4,x,b u5,v,a"
SCHEMA = """
domains: {column: domain, values: [a, b]}
interactions: {path: log.csv, user: user, item: item}
features:
  user: [{name: items, kind: behaviours}]
  item: [{name: item_id, kind: id}]
split: {kind: files, test: test.csv, candidates: candidates.csv, validation: 0.0}
"""


def prepared_with(folder, candidates):
    for name, rows in (("log", LOG), ("test", TEST), ("candidates", candidates)):
        (folder / f"{name}.csv").write_text("\n".join(["user,item,domain", *rows.split()]) + "\n", encoding="utf-8")
    (folder / "schema.yaml").write_text(SCHEMA, encoding="utf-8")
    prepare(folder / "schema.yaml", folder / "prepared")
    return folder / "prepared"


@pytest.fixture(scope="module")
def listed(tmp_path_factory):
    return prepared_with(tmp_path_factory.mktemp("listed"), CANDIDATES)


@pytest.fixture
def popularity(dataset):
    return Popularity(dataset)


def at(k, *values):
    return dict(zip([f"{name}@{k}" for name in ("recall", "ndcg", "mrr", "coverage")], values, strict=True))


def test_candidates_by_hand(listed):
    data = Dataset(listed)
    result = evaluate(Popularity(data), data, against="candidates", ks=(2, 1, 3))
    assert result.ks == (1, 2, 3)
    # Ranks in a: z 2, after x and y; y 0, before z; x is no candidate. In b: z 0; w 1.5, after x and tied with y.
    assert result.domains["a"] == pytest.approx(
        {"queries": 3, "corpus": 3}
        | at(1, 1 / 3, 1 / 3, 1 / 3, 2 / 3)
        | at(2, 1 / 3, 1 / 3, 1 / 3, 1.0)
        | at(3, 2 / 3, (1 + 1 / 2) / 3, (1 + 1 / 3) / 3, 1.0)
    )
    assert result.domains["b"] == pytest.approx(
        {"queries": 2, "corpus": 4}
        | at(1, 1 / 2, 1 / 2, 1 / 2, 2 / 4)
        | at(2, 1.0, (1 + 1 / log2(3.5)) / 2, (1 + 1 / 2.5) / 2, 3 / 4)
        | at(3, 1.0, (1 + 1 / log2(3.5)) / 2, (1 + 1 / 2.5) / 2, 1.0)
    )
    assert result.mean["recall@1"] == pytest.approx(5 / 12)
    assert result.mean["coverage@2"] == pytest.approx(7 / 8)
    assert result.mean_over_queries["recall@1"] == pytest.approx(2 / 5)
    assert result.mean_over_queries["mrr@3"] == pytest.approx((1 + 1 / 3 + 1 + 1 / 2.5) / 5)
    assert result.exclude_seen is False


def test_the_corpus_by_hand(listed):
    data = Dataset(listed)
    result = evaluate(Popularity(data), data, ks=(1, 2))
    # Ranks without what the user has in any domain. In a: y 0, before v; u1 has z in b, and u4 x. In b: z 0; no w.
    assert [result.domains[name]["queries"] for name in "ab"] == [3, 2]
    assert [result.domains[name]["corpus"] for name in "ab"] == [4, 2]
    assert [result.domains[name]["recall@1"] for name in "ab"] == [1 / 3, 1 / 2]
    assert result.mean["recall@1"] == pytest.approx(5 / 12)
    assert result.mean_over_queries["recall@1"] == pytest.approx(2 / 5)
    assert result.exclude_seen
    parts = result.model_dump()["breakdown"]
    history, in_domain, popular, seen = (parts[by] for by in BREAKDOWNS)
    assert history["a"] == (
        {"group": "1–2", "queries": 2, "recall@1": 1 / 2, "recall@2": 1 / 2},
        {"group": "3–5", "queries": 1, "recall@1": 0.0, "recall@2": 0.0},
    )
    # Of histories of 3, 2 and 2 items, those in a: u1 x and y, u2 x, u4 z. In b, u3 has none and u4 one.
    assert in_domain["a"] == ({"group": "1–2", "queries": 3, "recall@1": 1 / 3, "recall@2": 1 / 3},)
    assert in_domain["b"] == (
        {"group": "0", "queries": 1, "recall@1": 1.0, "recall@2": 1.0},
        {"group": "1–2", "queries": 1, "recall@1": 0.0, "recall@2": 0.0},
    )
    assert seen["a"] == (
        {"group": "0", "queries": 1, "recall@1": 1.0, "recall@2": 1.0},
        {"group": "1+", "queries": 2, "recall@1": 0.0, "recall@2": 0.0},
    )
    assert seen["b"] == ({"group": "0", "queries": 2, "recall@1": 1 / 2, "recall@2": 1 / 2},)
    assert popular["b"] == (
        {"group": "0", "queries": 1, "recall@1": 0.0, "recall@2": 0.0},
        {"group": "1–9", "queries": 1, "recall@1": 1.0, "recall@2": 1.0},
    )
    assert result.history == "all others"  # the log has no time


def test_the_corpus_with_the_items_of_the_history_by_hand(listed):
    data = Dataset(listed)
    result = evaluate(Popularity(data), data, ks=(1, 2), exclude_seen=False)
    # In a: z 2.5, tied with v after x and y; y 1; x 0. In b: z 0; w is missed.
    assert result.domains["a"]["recall@1"] == pytest.approx(1 / 3)
    assert result.domains["a"]["mrr@2"] == pytest.approx((1 / 2 + 1) / 3)
    assert result.domains["a"]["recall@2"] == pytest.approx(2 / 3)
    assert result.domains["b"]["recall@1"] == 1 / 2
    assert [group.measures["recall@2"] for group in result.breakdown["item_in_history"]["a"]] == [1.0, 1 / 2]
    assert result.exclude_seen is False


@pytest.mark.parametrize("repeats", [False, True])
def test_seen_items_are_left_out_unless_the_data_has_repeats_and_never_of_candidates(listed, repeats):
    data = Dataset(listed)
    data.manifest = data.manifest.model_copy(update={"repeats": repeats})
    result = evaluate(Popularity(data), data, ks=(2,))
    assert result.exclude_seen is not repeats
    assert result.domains["a"]["recall@2"] == pytest.approx(2 / 3 if repeats else 1 / 3)
    assert evaluate(Popularity(data), data, ks=(2,), exclude_seen=True).domains["a"]["recall@2"] == 1 / 3
    assert evaluate(Popularity(data), data, ks=(2,), against="candidates").exclude_seen is False
    with pytest.raises(AdiError, match=r"exclude_seen: candidates are all ranked\. Evaluate against the corpus"):
        evaluate(Popularity(data), data, against="candidates", exclude_seen=True)


@pytest.mark.parametrize(
    ("few", "ks", "small"),
    [
        (3, (1,), ("b",)),  # a has 3 queries, b 2
        (2, (1,), ()),
        (2, (2,), ("b",)),  # b has a corpus of 2 items
        (2, (2, 1), ()),
        (4, (1,), ("a", "b")),
        (1, (4,), ("a", "b")),
    ],
)
def test_small_domains_are_left_out_of_the_mean_on_demand(listed, monkeypatch, few, ks, small):
    monkeypatch.setattr("adi.evaluation.evaluate.FEW_QUERIES", few)
    data = Dataset(listed)
    everything, large = (
        evaluate(Popularity(data), data, ks=ks, leave_out_small=leave_out_small) for leave_out_small in (False, True)
    )
    assert (everything.small, everything.left_out) == (small, ())
    assert (large.small, large.left_out) == (small, small)
    assert large.domains == everything.domains
    assert large.mean_over_queries == everything.mean_over_queries
    name = f"recall@{min(ks)}"
    by_domain = {domain: measures[name] for domain, measures in everything.domains.items()}
    kept = [value for domain, value in by_domain.items() if domain not in small]
    assert everything.mean[name] == pytest.approx(np.mean(list(by_domain.values())))
    assert large.mean[name] == (pytest.approx(np.mean(kept)) if kept else None)


def test_a_hundred_queries_are_not_few():
    assert is_small({"queries": 99, "corpus": 51}, (100, 50))
    assert not is_small({"queries": 100, "corpus": 51}, (100, 50))
    assert is_small({"queries": 100, "corpus": 50}, (100, 50))


def test_the_result_is_json_of_a_fixed_form(dataset, popularity):
    result = evaluate(popularity, dataset, ks=(10,))
    content = json.loads(result.as_json())
    assert Metrics.model_validate(content) == result
    assert list(content) == list(Metrics.model_fields)
    assert {name for name, value in content.items() if value is None} == {
        "model",
        "ranks",
        "lists",
        "prepared",
        "frozen",
        "live",
    }
    assert (result.part, result.against, result.history, result.ks) == ("test", "corpus", "earlier", (10,))
    measures = ["recall@10", "ndcg@10", "mrr@10", "coverage@10"]
    assert list(result.domains) == list(result.breakdown["item_popularity"]) == ["search", "feed", "kiosk"]
    assert all(list(values) == ["queries", "corpus", *measures] for values in result.domains.values())
    assert list(result.mean) == measures
    # the kiosk has one item, which is first for every query
    assert result.domains["kiosk"] == {"queries": 4, "corpus": 1} | dict.fromkeys(measures, 1.0)


def test_the_mean_is_over_domains_and_skips_one_without_rows(dataset, popularity):
    result = evaluate(popularity, dataset, part="validation", ks=(1, 3))
    search, feed, kiosk = (result.domains[name] for name in dataset.domains)
    assert kiosk["queries"] == 0 < feed["queries"] < search["queries"]
    assert kiosk["corpus"] == 1
    assert {value for key, value in kiosk.items() if "@" in key} == {None}
    for key, value in result.mean.items():
        assert value == pytest.approx((search[key] + feed[key]) / 2)
    weights = [feed["queries"], search["queries"]]
    assert list(result.mean_over_queries) == [name for name in result.mean if not name.startswith("coverage@")]
    for key, value in result.mean_over_queries.items():
        assert value == pytest.approx(np.average([feed[key], search[key]], weights=weights))
    assert result.breakdown["history_length"]["kiosk"] == ()


def test_means_over_no_query_are_none(dataset, popularity):
    result = evaluate(popularity, dataset, ks=(1,), between=(-2.0, -1.0))
    assert set(result.mean.values()) == set(result.mean_over_queries.values()) == {None}
    assert list(result.mean_over_queries) == ["recall@1", "ndcg@1", "mrr@1"]
    assert result.small == dataset.domains


@pytest.mark.parametrize("breakdown", list(BREAKDOWNS))
def test_the_groups_of_a_breakdown_add_up_to_the_domain(dataset, popularity, monkeypatch, breakdown):
    monkeypatch.setitem(BREAKDOWNS, "item_popularity", (0, 2, 3, 4))
    result = evaluate(popularity, dataset, ks=(1, 3))
    for name, groups in result.breakdown[breakdown].items():
        domain = result.domains[name]
        sizes = [group.queries for group in groups]
        assert sum(sizes) == domain["queries"]
        assert min(sizes) > 0
        assert np.average([group.measures["recall@3"] for group in groups], weights=sizes) == pytest.approx(
            domain["recall@3"]
        )
    assert max(len(groups) for groups in result.breakdown[breakdown].values()) > 1


@pytest.mark.parametrize("most", [1, 3, 100])
def test_at_most_some_rows_of_each_domain(dataset, monkeypatch, popularity, most):
    all_rows = evaluate(popularity, dataset, ks=(1,)).domains
    evaluated = []
    queries = dataset.queries
    monkeypatch.setattr(
        dataset, "queries", lambda part, rows, **options: evaluated.append(rows) or queries(part, rows, **options)
    )
    some = evaluate(popularity, dataset, ks=(1,), rows_per_domain=most).domains
    assert [some[name]["queries"] for name in some] == [min(all_rows[name]["queries"], most) for name in all_rows]
    rows = np.concatenate(evaluated)
    assert len(set(rows.tolist())) == len(rows)
    if most == 3:  # from the first row of a domain to its last
        assert [rows[0], rows[2]] == [0, all_rows["search"]["queries"] - 1]


def test_rows_between_two_moments_and_the_others_are_all_rows(dataset, popularity):
    times = dataset.times("test")
    cuts = (times.min(), np.median(times), times.max() + 1)
    parts = [evaluate(popularity, dataset, ks=[2], between=(cuts[n], cuts[n + 1])) for n in range(2)]
    whole = evaluate(popularity, dataset, ks=[2])
    for domain, measures in whole.domains.items():
        queries = [part.domains[domain]["queries"] for part in parts]
        recalls = [part.domains[domain]["recall@2"] or 0 for part in parts]
        assert sum(queries) == measures["queries"]
        assert np.dot(queries, recalls) / sum(queries) == pytest.approx(measures["recall@2"])
    first = sum(part["queries"] for part in parts[0].domains.values())
    assert first == np.count_nonzero(times < cuts[1]) > 0


def test_the_history_of_the_queries_is_recorded(dataset, popularity):
    earlier, every = (evaluate(popularity, dataset, ks=(1, 3), causal=causal) for causal in (True, False))
    assert (earlier.history, every.history) == ("earlier", "all others")
    assert every.breakdown["history_length"]["feed"] != earlier.breakdown["history_length"]["feed"]


def test_a_model_that_scores_all_alike_gains_nothing(dataset):
    class Alike:
        def against(self, domain, items):
            return lambda queries: torch.zeros(len(queries), len(items))

    domains = evaluate(Alike(), dataset, ks=(1,)).domains
    assert domains["search"]["recall@1"] == 0
    assert domains["kiosk"]["recall@1"] == 1


def test_done_is_called_with_each_domain_and_its_rankings(dataset, popularity):
    rankings = {}
    result = evaluate(popularity, dataset, ks=(1,), done=rankings.__setitem__)
    assert list(rankings) == ["search", "feed", "kiosk"]
    assert {name: RECALL.mean(part.ranks, 1) for name, part in rankings.items()} == {
        name: measures["recall@1"] for name, measures in result.domains.items()
    }


def test_candidates_that_the_split_does_not_have_are_refused(dataset, popularity, listed):
    with pytest.raises(AdiError, match=r"the split has no candidates \(split.candidates in schema.yaml\)"):
        evaluate(popularity, dataset, against="candidates")
    with pytest.raises(
        AdiError, match="against: the split has candidates of test rows only; evaluate validation against corpus"
    ):
        evaluate(popularity, dataset, part="validation", against="candidates")
    with pytest.raises(AdiError, match="against: 'pool' is not one of corpus, candidates"):
        evaluate(popularity, dataset, against="pool")


def test_a_row_without_candidates_is_named(tmp_path):
    data = Dataset(prepared_with(tmp_path, CANDIDATES.replace("u2,y,a u2,z,a ", "")))
    with pytest.raises(
        AdiError, match=r"1 of the 3 test rows of domain 'a' have no candidates, such as a row of user 'u2'"
    ):
        evaluate(Popularity(data), data, against="candidates")


def test_a_run_is_evaluated_against_its_candidates_and_keeps_the_result(listed, tmp_path):
    train(listed, "popularity", tmp_path / "run")
    result = evaluate_run(tmp_path / "run", ks=(1, 2))
    data = Dataset(listed)
    expected = evaluate(Popularity(data), data, against="candidates", ks=(1, 2))
    assert result == expected.model_copy(update={"model": "popularity", "ranks": result.ranks, "lists": result.lists})
    assert read_metrics(tmp_path / "run") == result
    corpus = evaluate_run(tmp_path / "run", ks=(1,), against="corpus", causal=False)
    assert (corpus.against, corpus.domains["a"]["recall@1"]) == ("corpus", 1 / 3)
    assert read_metrics(tmp_path / "run") == corpus


def test_a_run_is_evaluated_against_the_corpus_where_there_are_no_candidates(prepared, tmp_path):
    train(prepared, "popularity", tmp_path / "run")
    earlier, every = (evaluate_run(tmp_path / "run", ks=(3,), causal=causal) for causal in (True, False))
    assert (earlier.against, every.against) == ("corpus", "corpus")
    assert (earlier.history, every.history) == ("earlier", "all others")


@pytest.mark.parametrize("ks", [(), (10, 0), (-1,)])
def test_a_list_holds_an_item_or_more(tmp_path, ks):
    with pytest.raises(AdiError, match=r"ks: \[.*\]; give one or more list lengths of at least 1"):
        evaluate_run(tmp_path / "run", ks=ks)
