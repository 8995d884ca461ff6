"""Exact ranks against a plain sort, for every row of the hand-written log."""

import copy

import numpy as np
import pytest
import torch

import adi.evaluation.ranking as ranking
from adi.data.corpora import Corpora
from adi.errors import AdiError
from adi.evaluation.ranking import positions_in, rank

KS = (1, 3, 50)


class Table:
    """A scorer with a fixed score for each domain, user and item."""

    def __init__(self, values):
        self.values = torch.as_tensor(values)

    def against(self, domain, items):
        return lambda queries: self.values[domain][torch.from_numpy(queries.users).long()][:, torch.from_numpy(items)]


def random_table(dataset, *, tied=False, seed=0):
    shape = (len(dataset.domains), dataset.manifest.users, dataset.manifest.items)
    random = np.random.default_rng(seed)
    return Table(random.integers(0, 3, shape).astype(np.float32) if tied else random.standard_normal(shape))


def rows_of(dataset, part, domain):
    rows = dataset.rows(part)
    return rows[dataset.targets(part, rows)[2] == domain]


def unseen(dataset, part, row, *, corpus, causal):
    """The items of the corpus that are not in the history of a row."""
    seen = set(dataset.queries(part, np.array([row]), causal=causal).histories.items.tolist())
    return [item for item in corpus.tolist() if item not in seen]


def sorted_rank(scores, target, among):
    """The mean position, from 0, of the target's score in a sort of the scores; infinite where it is not among them."""
    if target not in among:
        return np.inf
    ordered = np.sort(-scores[among])
    return float(np.flatnonzero(ordered == -scores[target]).mean())


def check(rankings, scorer, dataset, part, domain, rows, among):
    """Compare rankings with plain sorts; `among` has the items of each row. Returns the scores."""
    users, targets, _ = dataset.targets(part, rows)
    scores = scorer.values[domain].numpy()[users]
    expected = [sorted_rank(row, target, items) for row, target, items in zip(scores, targets, among, strict=True)]
    assert rankings.ranks.tolist() == expected
    assert rankings.by["history_length"].tolist() == [
        len(dataset.queries(part, rows[i : i + 1]).histories.items) for i in range(len(rows))
    ]
    assert rankings.by["item_popularity"].tolist() == dataset.corpora.counts_of(domain, targets).tolist()
    assert rankings.by["item_in_history"].tolist() == [
        dataset.queries(part, rows[i : i + 1]).histories.items.tolist().count(target)
        for i, target in enumerate(targets)
    ]
    return scores


@pytest.mark.parametrize("part", ["test", "validation"])
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("exclude_seen", [False, True])
def test_ranks_in_the_corpus_are_those_of_a_sort(dataset, exclude_seen, part, tied):
    scorer = random_table(dataset, tied=tied)
    halves = 0
    for domain in range(len(dataset.domains)):
        rows, corpus = rows_of(dataset, part, domain), dataset.corpora.retrievable(domain)
        options = {"candidates": None, "causal": True, "exclude_seen": exclude_seen, "ks": KS}
        rankings = rank(scorer, dataset, part, domain, rows, **options)
        among = [
            unseen(dataset, part, row, corpus=corpus, causal=True) if exclude_seen else corpus.tolist() for row in rows
        ]
        scores = check(rankings, scorer, dataset, part, domain, rows, among)
        assert rankings.num_items == len(corpus)
        halves += int((rankings.ranks[np.isfinite(rankings.ranks)] % 1 == 0.5).sum())
        if not tied:
            for k in KS:
                lists = [
                    sorted(items, key=lambda item: -row[item])[:k] for row, items in zip(scores, among, strict=True)
                ]
                assert rankings.covered[k] == len({item for best in lists for item in best})
    assert (halves > 0) == tied


def test_a_query_for_an_item_of_the_history_is_a_miss_where_lists_leave_it_out(dataset):
    rows = rows_of(dataset, "test", 0)
    users, targets, _ = dataset.targets("test", rows)
    excluded, ranked = (
        rank(
            random_table(dataset), dataset, "test", 0, rows,
            candidates=None, causal=True, exclude_seen=exclude_seen, ks=KS,
        )
        for exclude_seen in (True, False)
    )  # fmt: skip
    # eve and éric clicked the pen in feed, then in search
    again = [row for row, user in enumerate(users) if dataset.users.key(user) in ("eve", "éric")]
    assert {dataset.items.key(item) for item in targets[again]} == {"pen"}
    assert np.flatnonzero(np.isinf(excluded.ranks)).tolist() == again
    assert np.isfinite(ranked.ranks).all()
    others = np.setdiff1d(np.arange(len(rows)), again)
    assert (excluded.ranks[others] <= ranked.ranks[others]).all()
    assert (excluded.ranks < ranked.ranks).sum() > 3
    for rankings in (excluded, ranked):
        assert np.flatnonzero(rankings.by["item_in_history"]).tolist() == again


def test_later_items_of_the_user_are_left_out_when_the_history_is_not_causal(dataset):
    scorer, domain = random_table(dataset), 1
    rows, corpus = rows_of(dataset, "test", domain), dataset.corpora.retrievable(domain)
    users, targets, _ = dataset.targets("test", rows)
    results = []
    for causal in (True, False):
        rankings = rank(scorer, dataset, "test", domain, rows, candidates=None, causal=causal, exclude_seen=True, ks=KS)
        among = [unseen(dataset, "test", row, corpus=corpus, causal=causal) for row in rows]
        scores = scorer.values[domain].numpy()[users]
        assert rankings.ranks.tolist() == [sorted_rank(*each) for each in zip(scores, targets, among, strict=True)]
        results.append(rankings.by["history_length"].sum())
    assert results[0] < results[1]


def test_only_eligible_items_are_ranked(dataset):
    corpora = dataset.corpora
    eligible = [np.arange(len(items)) % 2 == 0 for items in corpora.items]
    changed = copy.copy(dataset)
    changed.corpora = Corpora(corpora.items, corpora.counts, eligible)
    scorer, rows = random_table(changed), rows_of(changed, "test", 0)
    rankings = rank(scorer, changed, "test", 0, rows, candidates=None, causal=True, exclude_seen=True, ks=KS)
    corpus = corpora.items[0][::2]
    among = [unseen(changed, "test", row, corpus=corpus, causal=True) for row in rows]
    check(rankings, scorer, changed, "test", 0, rows, among)
    assert rankings.num_items == len(corpus) < len(corpora.items[0])
    assert 0 < np.isinf(rankings.ranks).sum() < len(rows)
    assert rankings.by["item_popularity"][np.isinf(rankings.ranks)].max() > 0


@pytest.mark.parametrize("tied", [False, True])
def test_ranks_among_candidates_of_unequal_numbers(dataset, tied):
    random, scorer = np.random.default_rng(3), random_table(dataset, tied=tied)
    rows = rows_of(dataset, "test", 0)
    targets = dataset.targets("test", rows)[1]
    among = []
    for position, target in enumerate(targets):
        others = random.permutation(np.setdiff1d(np.arange(dataset.manifest.items), target))[: position % 5 + 1]
        among.append(sorted({*others.tolist(), *([int(target)] if position % 3 else [])}))
    offsets = np.cumsum([0, *map(len, among)])
    candidates = np.concatenate(among), offsets
    rankings = rank(scorer, dataset, "test", 0, rows, candidates=candidates, causal=True, exclude_seen=False, ks=KS)
    scores = check(rankings, scorer, dataset, "test", 0, rows, among)
    assert np.isinf(rankings.ranks).tolist() == [position % 3 == 0 for position in range(len(rows))]
    assert rankings.num_items == len({item for items in among for item in items})
    assert rankings.covered[50] == rankings.num_items
    if not tied:
        best = {max(items, key=lambda item: row[item]) for row, items in zip(scores, among, strict=True)}
        assert rankings.covered[1] == len(best)


@pytest.mark.parametrize(("queries", "logits", "cached"), [(1, 1, 1), (1000, 20, 1), (3, 1000, 10), (1000, 1000, 17)])
@pytest.mark.parametrize("among_candidates", [False, True])
def test_results_do_not_depend_on_the_sizes_of_the_blocks(
    dataset, monkeypatch, queries, logits, cached, among_candidates
):
    rows, scorer = rows_of(dataset, "test", 0), random_table(dataset, tied=True)
    candidates = np.tile(np.array([0, 2, 3, 5]), len(rows)), np.arange(len(rows) + 1) * 4
    options = {
        "candidates": candidates if among_candidates else None,
        "causal": True,
        "exclude_seen": not among_candidates,
        "ks": (1, 2),
    }
    full = rank(scorer, dataset, "test", 0, rows, **options)
    sizes = []
    against = scorer.against
    monkeypatch.setattr(
        scorer, "against", lambda *given: lambda queries: sizes.append(len(queries)) or against(*given)(queries)
    )
    monkeypatch.setattr(ranking, "QUERIES_AT_ONCE", queries)
    monkeypatch.setattr(ranking, "LOGITS_AT_ONCE", logits)
    monkeypatch.setattr(ranking, "CACHED_AT_ONCE", cached)
    parts = rank(scorer, dataset, "test", 0, rows, **options)
    assert parts.ranks.tolist() == full.ranks.tolist()
    for by, values in full.by.items():
        assert parts.by[by].tolist() == values.tolist()
    assert (parts.covered, parts.num_items) == (full.covered, full.num_items)
    assert max(sizes) <= queries
    assert max(sizes) * full.num_items <= max(logits, full.num_items)


def test_scores_that_differ_in_double_precision_alone_do_not_tie(dataset):
    shape = (3, dataset.manifest.users, dataset.manifest.items)
    scorer = Table(np.broadcast_to(0.5 + 1e-12 * np.arange(shape[2]), shape).copy())
    rows = rows_of(dataset, "test", 0)
    rankings = rank(scorer, dataset, "test", 0, rows, candidates=None, causal=True, exclude_seen=False, ks=KS)
    assert (rankings.ranks[np.isfinite(rankings.ranks)] % 1 == 0).all()
    assert len(set(rankings.ranks)) > 3


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_refused(dataset, wrong):
    scorer, rows = random_table(dataset), rows_of(dataset, "test", 0)
    scorer.values[0, dataset.targets("test", rows)[0][-1], dataset.corpora.retrievable(0)[1]] = wrong
    with pytest.raises(AdiError, match="scores are not finite: its training has diverged"):
        rank(scorer, dataset, "test", 0, rows, candidates=None, causal=True, exclude_seen=True, ks=KS)


def test_no_rows_need_no_scores(dataset):
    none = np.empty(0, dtype=np.int64)
    options = {"causal": True, "exclude_seen": False}
    rankings = rank(None, dataset, "test", 0, none, candidates=None, ks=(1, 2), **options)
    assert [len(values) for values in (rankings.ranks, *rankings.by.values())] == [0, 0, 0, 0, 0]
    assert (rankings.covered, rankings.num_items) == ({1: 0, 2: 0}, len(dataset.corpora.retrievable(0)))
    candidates = none, np.zeros(1, int)
    assert rank(None, dataset, "test", 0, none, candidates=candidates, ks=(1,), **options).num_items == 0


def test_positions_by_hand():
    positions, known = positions_in(np.array([2, 5, 9]), np.array([9, 0, 5, 12, 6]))
    assert known.tolist() == [True, False, True, False, False]
    assert positions[known].tolist() == [2, 1]
    assert positions.max() <= 2
