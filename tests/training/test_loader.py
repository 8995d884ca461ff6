"""Batches of the hand-written log: which rows they hold, in which order, and their candidates."""

from collections import Counter
from dataclasses import fields, is_dataclass
from itertools import chain

import numpy as np
import pytest
import torch

from adi.batch import tensors
from adi.features.reader import FeatureReader
from adi.training.loader import Loader, PseudoPositives, negative_sampler, shuffled


def loader(dataset, batch_size=7, *, in_batch=True, uniform=3, **options):
    sampler = negative_sampler(dataset, in_batch=in_batch, uniform=uniform)
    return Loader(dataset, batch_size=batch_size, sampler=sampler, **options)


def rows_of(dataset, epoch=0, start=0, batch_size=7, **options):
    """The training rows of each batch of an epoch."""
    made = loader(dataset, batch_size, **options)
    made.batch = lambda rows, rng: rows.tolist()
    return list(made.epoch(epoch, start))


def same(one, other):
    """Whether two batches hold the same tensors."""
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if is_dataclass(one):
        return all(same(getattr(one, field.name), getattr(other, field.name)) for field in fields(one))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def candidate_items(dataset, batch):
    """The item numbers of a batch's candidates, from their codes."""
    codes = dataset.feature("item", "item_id").tolist()
    return np.array([codes.index(code) for code in batch.item["item_id"].values.tolist()])


def test_an_epoch_holds_every_training_row_once_and_no_other(dataset):
    rows = dataset.rows("train").tolist()
    assert len(rows) == 31
    batches = rows_of(dataset)
    assert [len(batch) for batch in batches] == [7, 7, 7, 7, 3]
    assert len(loader(dataset)) == 5
    assert sorted(chain(*batches)) == rows
    assert list(chain(*batches)) != rows
    assert [len(batch) for batch in rows_of(dataset, batch_size=31)] == [31] == [31] * len(loader(dataset, 31))
    assert [len(batch) for batch in rows_of(dataset, batch_size=100)] == [31] == [31] * len(loader(dataset, 100))


def test_epochs_and_seeds_have_orders_of_their_own(dataset):
    orders = [list(chain(*rows_of(dataset, epoch, seed=seed))) for epoch, seed in ((0, 0), (1, 0), (0, 1))]
    assert len({tuple(order) for order in orders}) == 3
    assert orders[0] == list(chain(*rows_of(dataset, 0, seed=0)))


def test_a_step_is_the_same_wherever_the_epoch_starts(dataset):
    whole = list(loader(dataset, seed=3).epoch(2))
    again = list(loader(dataset, seed=3).epoch(2))
    late = list(loader(dataset, seed=3).epoch(2, start=3))
    assert len(whole) == 5
    assert all(map(same, whole, again))
    assert len(late) == 2
    assert all(map(same, whole[3:], late))
    assert not same(whole[0], next(loader(dataset, seed=4).epoch(2)))
    assert list(loader(dataset, seed=3).epoch(2, start=5)) == []


def test_small_windows_hold_every_row_once_and_start_late_alike(dataset, monkeypatch):
    monkeypatch.setattr("adi.training.loader.CHUNK", 4)
    monkeypatch.setattr("adi.training.loader.WINDOW", 12)
    batches = rows_of(dataset)
    assert sorted(chain(*batches)) == dataset.rows("train").tolist()
    assert [len(batch) for batch in batches] == [7, 7, 7, 7, 3]
    assert rows_of(dataset, start=2) == batches[2:]
    assert rows_of(dataset, epoch=1) != batches


@pytest.mark.parametrize("num_rows", [1, 4, 5, 36, 37, 50])
def test_shuffled_windows(monkeypatch, num_rows):
    monkeypatch.setattr("adi.training.loader.CHUNK", 4)
    monkeypatch.setattr("adi.training.loader.WINDOW", 12)
    blocks = [block.tolist() for block in shuffled(num_rows, np.random.default_rng(0))]
    assert sorted(chain(*blocks)) == list(range(num_rows))
    assert len(blocks) == -(-num_rows // 12)
    for block in blocks:  # each window is of whole chunks, up to the last one's end
        chunks = {row // 4 for row in block}
        assert len(chunks) <= 3
        assert sorted(block) == [
            row for chunk in sorted(chunks) for row in range(4 * chunk, min(4 * chunk + 4, num_rows))
        ]


def test_shuffling_is_even():
    """Each of 4 rows at each of 4 places: 400 expected, standard deviation 17.3."""
    counts = np.zeros((4, 4))
    rng = np.random.default_rng(0)
    for _ in range(1600):
        counts[np.arange(4), next(iter(shuffled(4, rng)))] += 1
    assert np.abs(counts - 400).max() < 5 * 17.3


def test_samples_are_sorted_by_domain_and_keep_their_features(dataset):
    rows = dataset.rows("train")[[30, 2, 17, 5, 19, 0, 18]]
    batch = loader(dataset).batch(rows, np.random.default_rng(0))
    domains = dataset.targets("train", rows)[2]
    order = np.argsort(domains, kind="stable")
    assert domains.tolist() != sorted(domains)
    assert batch.size == 7
    assert batch.user_offsets == (0, *np.cumsum(np.bincount(domains, minlength=3)).tolist())
    assert batch.user["domain"].values.tolist() == sorted(domains)
    queries = dataset.queries("train", rows[order])
    assert same(batch.user, tensors(FeatureReader(dataset).user_bags(queries)))
    items = candidate_items(dataset, batch)
    expected = dataset.targets("train", rows[order])[1]
    for domain, own in batch.candidates.items():
        columns = batch.item_offsets[domain] + own.positive.numpy()
        assert items[columns].tolist() == expected[slice(*batch.user_offsets[domain : domain + 2])].tolist()


@pytest.mark.parametrize(("in_batch", "uniform"), [(True, 0), (False, 3), (True, 3), (True, 99)])
def test_candidates_are_of_the_own_corpus_and_hold_every_positive(dataset, in_batch, uniform):
    corpora = dataset.corpora
    for batch in loader(dataset, in_batch=in_batch, uniform=uniform).epoch(0):
        items = candidate_items(dataset, batch)
        assert batch.item_offsets[-1] == len(items) == len(batch.item_log_popularity)
        present = [d for d in range(3) if batch.user_offsets[d] < batch.user_offsets[d + 1]]
        assert list(batch.candidates) == present
        for domain in range(3):
            own = items[slice(*batch.item_offsets[domain : domain + 2])]
            assert set(own) <= set(corpora.items[domain])
            assert len(set(own)) == len(own)
            assert (len(own) > 0) == (domain in present)
            rows = slice(*batch.item_offsets[domain : domain + 2])
            assert set(batch.item["domain"].values[rows].tolist()) <= {domain}
            expected = corpora.log_popularity(domain, own)
            np.testing.assert_array_equal(batch.item_log_popularity[rows].numpy(), expected)
            if domain in present:
                assert batch.candidates[domain].log_q.shape == (len(own),)
                assert batch.candidates[domain].positive_log_q.isfinite().all()
                if uniform == 99:
                    assert own.tolist() == corpora.items[domain].tolist()


def test_known_positives_are_masked_and_nothing_else(dataset):
    seen = Counter()
    made = loader(dataset, uniform=99)
    rows = dataset.rows("train")[::-1]
    batch = made.batch(rows, np.random.default_rng(0))
    rows = rows[np.argsort(dataset.targets("train", rows)[2], kind="stable")]
    users, _, domains = dataset.targets("train", rows)
    log = [dataset.targets("train", dataset.rows("train"))[place].tolist() for place in (0, 1, 2)]
    taken = {(u, d): set() for u, d in zip(log[0], log[2], strict=True)}
    for u, i, d in zip(*log, strict=True):
        taken[u, d].add(i)
    items = candidate_items(dataset, batch)
    for place, (user, domain) in enumerate(zip(users, domains, strict=True)):
        own = items[slice(*batch.item_offsets[domain : domain + 2])]
        offsets, columns = batch.candidates[domain].known
        within = place - batch.user_offsets[domain]
        masked = own[columns[offsets[within] : offsets[within + 1]].numpy()]
        assert set(masked) == taken[user, domain]
        assert len(masked) == len(set(masked))
        seen[len(masked)] += 1
    assert len(seen) > 2


def test_pseudo_positives_follow_the_rows_of_their_domain(dataset):
    """Bo b's bag (row 5) is of feed, the other rows of search; joe's mug, ana's pen go to feed, eve's pen to search."""
    made = loader(dataset, uniform=1)
    rows, pseudo = np.array([35, 5, 1, 22]), PseudoPositives(np.array([0, 25, 16]), np.array([1, 1, 0]))
    batch = made.batch(rows, np.random.default_rng(4), pseudo)
    assert (batch.size, batch.user_offsets) == (7, (0, 4, 7, 7))
    order = np.array([35, 1, 22, 16, 5, 0, 25])
    queries = made.queries(order, np.array([0, 0, 0, 0, 1, 1, 1]))
    assert same(batch.user, tensors(FeatureReader(dataset).user_bags(queries)))
    assert batch.user["domain"].values.tolist() == [0, 0, 0, 0, 1, 1, 1]
    items, positives = candidate_items(dataset, batch), dataset.targets("train", order)[1]
    for domain, own in batch.candidates.items():
        columns = batch.item_offsets[domain] + own.positive.numpy()
        assert items[columns].tolist() == positives[slice(*batch.user_offsets[domain : domain + 2])].tolist()
        assert set(batch.item["domain"].values[slice(*batch.item_offsets[domain : domain + 2])].tolist()) == {domain}


def test_own_domain_behaviours_of_a_pseudo_positive_are_those_of_its_domain(dataset):
    """Before ana's mug of feed (row 4): search's pen, ink and cap, feed's pen."""
    made = loader(dataset)
    row = np.array([4])
    own = made.batch(row, np.random.default_rng(0)).user
    both = made.batch(row, np.random.default_rng(0), PseudoPositives(row, np.array([0]))).user
    codes = {name: dataset.feature("item", "item_id")[number] for name, number in (("pen", 6), ("ink", 2), ("cap", 1))}
    assert own["items_here"].values.tolist() == [codes["pen"]]
    assert both["items_here"].values.tolist() == [codes["pen"], codes["ink"], codes["cap"], codes["pen"]]
    assert both["items_here"].offsets.tolist() == [0, 3, 4]
    assert both["items"].offsets.diff().tolist() == [4, 4]
    assert (
        both["level"].values[1] == own["level"].values[0] != both["level"].values[0]
    )  # silver in feed, gold in search
    assert both["device"].values[0] == both["device"].values[1]


def test_pseudo_positives_are_no_negatives_and_leave_those_of_the_rows_alone(dataset):
    made = loader(dataset, uniform=2)
    rows = dataset.rows("train")[[0, 10, 16, 24]]  # positives of search alone
    plain = made.batch(rows, np.random.default_rng(1))
    batch = made.batch(rows, np.random.default_rng(1), PseudoPositives(np.array([4, 34]), np.array([0, 0])))
    before, after = (candidate_items(dataset, b)[: b.item_offsets[1]] for b in (plain, batch))
    log_q = dict(zip(after.tolist(), batch.candidates[0].log_q.tolist(), strict=True))
    expected = dict(zip(before.tolist(), plain.candidates[0].log_q.tolist(), strict=True))
    assert {item: value for item, value in log_q.items() if value < np.inf} == expected
    assert set(log_q) == set(expected) | {5, 6}
    assert batch.candidates[0].positive_log_q.isfinite().all()
    assert batch.candidates[0].positive_log_q[:4].tolist() == plain.candidates[0].positive_log_q.tolist()


def test_histories_are_causal_unless_told_otherwise(dataset):
    rows = dataset.rows("train")[:5]  # all of ana's
    causal, whole = (
        loader(dataset, causal=causal).batch(rows, np.random.default_rng(0)).user["items"] for causal in (True, False)
    )
    # s:pen s:ink f:pen s:cap f:mug, at most the newest four, samples of search first
    assert causal.offsets.diff().tolist() == [0, 1, 3, 2, 4]
    assert whole.offsets.diff().tolist() == [4, 4, 4, 4, 4]


def test_the_sampler_knows_each_domains_corpus_and_counts(dataset):
    sampler = negative_sampler(dataset, in_batch=True, uniform=2)
    assert [corpus.items.tolist() for corpus in sampler.corpora] == [items.tolist() for items in dataset.corpora.items]
    assert [corpus.total for corpus in sampler.corpora] == [23, 6, 2]
