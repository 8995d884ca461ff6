"""The candidate sets: what is in them, and that log_q is the log of how often it really is."""

import math

import numpy as np
import pytest

from adi.negatives import Candidates, DomainCorpus, NegativeSampler, log_inclusion

OTHER = DomainCorpus(items=np.array([1, 2, 3]), counts=np.array([1, 1, 1]))
CORPUS = DomainCorpus(  # total 40, one item never seen in training
    items=np.array([3, 4, 8, 15, 16, 23, 42, 50, 61]), counts=np.array([0, 1, 1, 2, 3, 4, 7, 10, 12])
)
SAMPLERS = {
    "in-batch": {"in_batch": True, "uniform": 0},
    "uniform": {"in_batch": False, "uniform": 4},
    "mixture": {"in_batch": True, "uniform": 4},
}


def sampler(**options: bool | int) -> NegativeSampler:
    return NegativeSampler([OTHER, CORPUS], **options)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20220906)


def test_in_batch_alone_by_hand(rng: np.random.Generator) -> None:
    candidates = sampler(in_batch=True, uniform=0).draw(1, np.array([50, 8, 50, 15]), rng)
    np.testing.assert_array_equal(candidates.items, [8, 15, 50])
    np.testing.assert_array_equal(candidates.positive, [2, 0, 2, 1])
    expected = np.log([1 - (39 / 40) ** 3, 1 - (38 / 40) ** 3, 1 - (30 / 40) ** 3])
    np.testing.assert_allclose(candidates.log_q, expected, rtol=1e-6)
    np.testing.assert_allclose(candidates.positive_log_q, expected[[2, 0, 2, 1]], rtol=1e-6)
    assert (candidates.log_q.dtype, candidates.positive_log_q.dtype) == (np.float32, np.float32)


def test_uniform_alone_keeps_a_mere_positive_out_of_the_negatives(rng: np.random.Generator) -> None:
    positives = np.array([61, 3, 61])
    for _ in range(20):
        candidates = sampler(in_batch=False, uniform=4).draw(1, positives, rng)
        finite = np.isfinite(candidates.log_q)
        assert finite.sum() == 4
        np.testing.assert_allclose(candidates.log_q[finite], np.log(4 / 9), rtol=1e-6)
        assert (candidates.log_q[~finite] == np.inf).all()
        assert set(candidates.items[~finite]) <= {3, 61}
        np.testing.assert_allclose(candidates.positive_log_q, np.log(4 / 9), rtol=1e-6)
        np.testing.assert_array_equal(candidates.items[candidates.positive], positives)


def test_pseudo_positives_by_hand(rng: np.random.Generator) -> None:
    """8 is a row's positive, too, and so a negative; 61 and 3 serve nobody but their own samples."""
    candidates = sampler(in_batch=True, uniform=0).draw(1, np.array([50, 8]), rng, pseudo=np.array([61, 8, 3]))
    np.testing.assert_array_equal(candidates.items, [3, 8, 50, 61])
    np.testing.assert_array_equal(candidates.positive, [2, 1, 3, 1, 0])
    log_q = np.log([1 / 40, 1 / 40, 10 / 40, 12 / 40])  # 3 was never seen: taken as once
    np.testing.assert_allclose(candidates.log_q, [np.inf, log_q[1], log_q[2], np.inf], rtol=1e-6)
    np.testing.assert_allclose(candidates.positive_log_q, log_q[[2, 1, 3, 1, 0]], rtol=1e-6)


@pytest.mark.parametrize("kind", SAMPLERS)
def test_pseudo_positives_change_nothing_for_the_others(kind: str) -> None:
    positives, pseudo = np.array([42, 3, 15]), np.array([61, 3, 4, 61])
    drawing = sampler(**SAMPLERS[kind])
    for seed in range(20):
        plain = drawing.draw(1, positives, np.random.default_rng(seed))
        both = drawing.draw(1, positives, np.random.default_rng(seed), pseudo=pseudo)
        kept = np.isin(both.items, plain.items)
        np.testing.assert_array_equal(both.items[kept], plain.items)
        np.testing.assert_array_equal(both.log_q[kept], plain.log_q)
        assert (both.log_q[~kept] == np.inf).all()
        assert set(both.items[~kept]) <= {4, 61}
        np.testing.assert_array_equal(both.items[both.positive], [*positives, *pseudo])
        np.testing.assert_array_equal(both.positive_log_q[:3], plain.positive_log_q)
        assert np.isfinite(both.positive_log_q).all()


@pytest.mark.parametrize("in_batch", [True, False])
@pytest.mark.parametrize("uniform", [9, 1000])
def test_uniform_over_the_corpus_is_the_whole_corpus_without_correction(
    in_batch: bool, uniform: int, rng: np.random.Generator
) -> None:
    candidates = sampler(in_batch=in_batch, uniform=uniform).draw(1, np.array([42, 3]), rng)
    np.testing.assert_array_equal(candidates.items, CORPUS.items)
    np.testing.assert_array_equal(candidates.positive, [6, 0])
    np.testing.assert_array_equal(candidates.log_q, np.zeros(9))
    np.testing.assert_array_equal(candidates.positive_log_q, np.zeros(2))


@pytest.mark.parametrize("kind", SAMPLERS)
def test_inclusion_frequency_is_q(kind: str, rng: np.random.Generator) -> None:
    """Also: the estimate of the partition function without the positive is unbiased, where every item can be drawn."""
    draws, others, own = 20_000, 5, 16
    scores = np.linspace(-1.0, 1.5, len(CORPUS.items))
    positives = rng.choice(CORPUS.items, size=(draws, others + 1), p=CORPUS.counts / CORPUS.counts.sum())
    positives[:, 0] = own  # the first sample is the one looked at: the rest are independent of its positive
    frequency, log_q, estimates = np.zeros(9), np.full(9, np.nan), np.zeros(draws)
    drawing = sampler(**SAMPLERS[kind])
    for draw in range(draws):
        candidates = drawing.draw(1, positives[draw], rng)
        negatives = (candidates.items != own) & np.isfinite(candidates.log_q)
        places = np.searchsorted(CORPUS.items, candidates.items[negatives])
        frequency[places] += 1 / draws
        log_q[places] = candidates.log_q[negatives]
        estimates[draw] = np.exp(scores[places] - candidates.log_q[negatives]).sum()

    drawable = CORPUS.items != own
    if kind == "in-batch":
        drawable &= CORPUS.counts > 0
        assert frequency[0] == 0
    expected = np.exp(log_q[drawable])
    deviation = (frequency[drawable] - expected) / np.sqrt(expected * (1 - expected) / draws)
    assert np.abs(deviation).max() < 4  # in standard errors; of 8 normal values, by chance 1 time in 2000
    error = estimates.mean() - np.exp(scores[drawable]).sum()
    assert abs(error) < 4 * estimates.std() / math.sqrt(draws)


def test_tiny_probabilities_are_not_clipped() -> None:
    log_q = log_inclusion(share=np.array([1e-12, 1e-300]), others=3, uniform=0.0)
    np.testing.assert_allclose(log_q, [math.log(3) - 12 * math.log(10), math.log(3) - 300 * math.log(10)], rtol=1e-6)
    np.testing.assert_allclose(
        log_inclusion(share=np.array([1e-14, 0.0]), others=2, uniform=1e-14), np.log([3e-14, 1e-14]), rtol=1e-6
    )


def test_an_item_that_cannot_be_missed_has_q_one() -> None:
    np.testing.assert_array_equal(log_inclusion(share=np.array([1.0, 0.0]), others=2, uniform=1.0), [0, 0])
    np.testing.assert_array_equal(log_inclusion(share=np.array([1.0]), others=1, uniform=0.0), [0])


def test_without_other_samples_only_the_uniform_draw_counts() -> None:
    log_q = log_inclusion(share=np.array([1.0, 0.0]), others=0, uniform=0.25)
    np.testing.assert_allclose(log_q, np.log([0.25, 0.25]), rtol=1e-6)


def test_a_lone_sample_without_uniform_negatives_is_its_only_candidate(rng: np.random.Generator) -> None:
    candidates = sampler(in_batch=True, uniform=0).draw(1, np.array([23]), rng)
    np.testing.assert_array_equal(candidates.items, [23])
    np.testing.assert_array_equal(candidates.log_q, [0])
    np.testing.assert_array_equal(candidates.positive_log_q, [0])


def test_a_positive_without_training_count_counts_once(rng: np.random.Generator) -> None:
    candidates = sampler(in_batch=True, uniform=0).draw(1, np.array([3, 61]), rng)
    np.testing.assert_allclose(candidates.log_q, np.log([1 / 40, 12 / 40]), rtol=1e-6)
    unseen = NegativeSampler([DomainCorpus(items=np.array([7, 9]), counts=np.array([0, 0]))], in_batch=True, uniform=0)
    np.testing.assert_array_equal(unseen.draw(0, np.array([9, 7, 7]), rng).log_q, [0, 0])


@pytest.mark.parametrize("kind", SAMPLERS)
def test_a_domain_without_samples_has_the_uniform_draw_alone(kind: str, rng: np.random.Generator) -> None:
    options = SAMPLERS[kind]
    candidates = sampler(**options).draw(1, np.array([], dtype=np.int64), rng)
    assert candidates.positive_log_q.shape == candidates.positive.shape == (0,)
    np.testing.assert_allclose(candidates.log_q, np.full(options["uniform"], np.log(4 / 9)), rtol=1e-6)


def test_each_domain_draws_from_its_own_corpus(rng: np.random.Generator) -> None:
    drawing = sampler(in_batch=True, uniform=2)
    for domain, corpus in enumerate([OTHER, CORPUS]):
        drawn = np.concatenate([drawing.draw(domain, np.array([3]), rng).items for _ in range(60)])
        np.testing.assert_array_equal(np.unique(drawn), corpus.items)


def test_same_seed_same_candidates_and_distinct_items() -> None:
    first, second, third = (
        sampler(in_batch=True, uniform=4).draw(1, np.array([4, 61]), np.random.default_rng(seed)) for seed in (5, 5, 6)
    )
    np.testing.assert_array_equal(first.items, second.items)
    assert not np.array_equal(first.items, third.items)
    assert (np.diff(first.items) > 0).all()


@pytest.mark.parametrize("item", [-1, 9, 70])
def test_a_positive_outside_the_corpus_is_refused(item: int, rng: np.random.Generator) -> None:
    with pytest.raises(ValueError, match=f"1 positives are not in the domain's corpus, the first of them item {item}"):
        sampler(in_batch=True, uniform=1).draw(1, np.array([61, item, 3]), rng)


@pytest.mark.parametrize(("in_batch", "uniform"), [(False, 0), (True, -1)])
def test_no_negatives_are_refused(in_batch: bool, uniform: int) -> None:
    with pytest.raises(ValueError, match=f"in_batch={in_batch} and uniform={uniform}"):
        sampler(in_batch=in_batch, uniform=uniform)


@pytest.mark.parametrize(
    ("items", "counts", "message"),
    [
        ([], [], r"\(0,\) items"),
        ([1, 2], [1, 2, 3], r"\(2,\) items and \(3,\) counts"),
        ([2, 1], [1, 1], "ascending"),
        ([1, 1], [1, 1], "each once"),
        ([1, 2], [1, -1], "at least 0"),
    ],
)
def test_an_impossible_corpus_is_refused(items: list[int], counts: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DomainCorpus(items=np.array(items), counts=np.array(counts))


def test_known_items_are_found_among_the_candidates() -> None:
    candidates = Candidates(
        items=np.array([4, 8, 15, 42]),
        positive=np.array([0, 3, 2]),
        log_q=np.zeros(4, np.float32),
        positive_log_q=np.zeros(3, np.float32),
    )
    offsets, columns = candidates.known(items=np.array([42, 1, 4, 99, 16, 15, 8]), offsets=np.array([0, 4, 5, 7]))
    np.testing.assert_array_equal(offsets, [0, 2, 2, 4])  # user 0: 42 and 4; user 1: none; user 2: 15 and 8
    np.testing.assert_array_equal(columns, [3, 0, 2, 1])
