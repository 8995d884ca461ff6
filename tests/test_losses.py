"""The fused loss against the plain one, against torch's cross entropy, and against numbers worked out by hand."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from adi.losses import TrendScores, sampled_softmax, sampled_softmax_plain
from adi.negatives import DomainCorpus, NegativeSampler

LOSSES = [sampled_softmax, sampled_softmax_plain]
both = pytest.mark.parametrize("loss", LOSSES)


def csr(known: list[list[int]]) -> tuple[Tensor, Tensor]:
    offsets = torch.tensor([0, *(len(columns) for columns in known)]).cumsum(0)
    return offsets, torch.tensor([column for columns in known for column in columns], dtype=torch.int64)


def with_trends(arguments: dict[str, Any], cuts: tuple[int, ...], width: int = 3) -> dict[str, Any]:
    """The same problem at several moments, with scores of pairs, among them some masked and some of positives."""
    generator = torch.Generator().manual_seed(1)
    n, m = len(arguments["query"]), len(arguments["candidates"])
    chosen = [[column for column in range(m) if torch.rand((), generator=generator) < 0.4] for _ in range(n)]
    chosen[0] = sorted({*chosen[0], int(arguments["positive"][0])})
    offsets, columns = csr(chosen)
    weights, coordinates, scores = (
        torch.randn(shape, dtype=torch.float64, generator=generator)
        for shape in ((n, width), (len(cuts) - 1, m, width), (len(columns),))
    )
    trends = TrendScores(cuts, coordinates, offsets, columns, scores)
    return {**arguments, "query": torch.cat([arguments["query"], weights], dim=1), "trends": trends}


def problem(n: int = 7, m: int = 11, *, embedding_dim: int = 5, known: bool = True, seed: int = 0) -> dict[str, Any]:
    """Random arguments with every case in them: repeated positives, +inf columns, rows with no, some and all masked."""
    generator = torch.Generator().manual_seed(seed)
    positive = torch.randint(m, (n,), generator=generator)
    log_q = -5 * torch.rand(m, generator=generator)
    log_q[torch.rand(m, generator=generator) < 0.2] = torch.inf
    pairs = [[column for column in range(m) if torch.rand((), generator=generator) < 0.3] for _ in range(n)]
    pairs[0] = list(range(m))
    pairs[-1] = [] if n > 1 else pairs[0]
    return {
        "query": torch.randn(n, embedding_dim, dtype=torch.float64, generator=generator),
        "candidates": torch.randn(m, embedding_dim, dtype=torch.float64, generator=generator),
        "positive": positive,
        "log_q": log_q,
        "positive_log_q": -5 * torch.rand(n, generator=generator),
        "known": csr(pairs) if known else None,
        "temperature": torch.tensor(0.3, dtype=torch.float64),
    }


def value_and_gradients(loss: Any, arguments: dict[str, Any], scale: float = 1.0, **options: Any) -> list[Tensor]:
    names = ["query", "candidates", "temperature"]
    leaves = {name: arguments[name].clone().requires_grad_() for name in names}
    differentiated = list(leaves.values())
    if "trends" in arguments:
        trends = arguments["trends"]
        changing = {name: getattr(trends, name).clone().requires_grad_() for name in ("coordinates", "pair_scores")}
        differentiated += changing.values()
        leaves["trends"] = replace(trends, **changing)
    value = loss(**{**arguments, **leaves}, **options)
    return [value.detach(), *torch.autograd.grad(value * scale, differentiated)]


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("rows", [1, 2, 3, 7, 100])
@pytest.mark.parametrize(("n", "m"), [(7, 11), (6, 2), (1, 4), (3, 1), (1, 1)])
def test_fused_is_plain_in_value_and_gradient(n: int, m: int, rows: int, known: bool) -> None:
    arguments = problem(n, m, known=known, seed=n + 10 * m)
    fused = value_and_gradients(sampled_softmax, arguments, scale=-1.7, chunk_logits=rows * m)
    torch.testing.assert_close(fused, value_and_gradients(sampled_softmax_plain, arguments, scale=-1.7))


@pytest.mark.parametrize("cuts", [(0, 7), (0, 2, 5, 7), (0, 1, 2, 6, 7)])
@pytest.mark.parametrize("rows", [1, 3, 100])
def test_fused_is_plain_with_trends(rows: int, cuts: tuple[int, ...]) -> None:
    arguments = with_trends(problem(), cuts)
    fused = value_and_gradients(sampled_softmax, arguments, chunk_logits=rows * 11)
    torch.testing.assert_close(fused, value_and_gradients(sampled_softmax_plain, arguments))
    assert not torch.isclose(fused[0], sampled_softmax(**problem()))


@both
def test_a_coordinate_at_a_moment_is_one_more_column_of_a_vector(loss: Any) -> None:
    """Samples of two moments have the loss of two calls, each with the items' coordinates of its moment."""
    arguments = with_trends(problem(known=False), (0, 3, 7))
    trends = replace(arguments["trends"], pair_scores=torch.zeros_like(arguments["trends"].pair_scores))
    losses = []
    for moment, part in enumerate((slice(0, 3), slice(3, 7))):
        rows = {name: arguments[name][part] for name in ("query", "positive", "positive_log_q")}
        corpus = torch.cat([arguments["candidates"], trends.coordinates[moment]], dim=1)
        losses.append(loss(**{**arguments, **rows, "candidates": corpus, "trends": None}))
    torch.testing.assert_close(loss(**{**arguments, "trends": trends}), sum(losses))


@both
def test_scores_of_single_pairs_are_part_of_the_score(loss: Any) -> None:
    """Adding a number to every pair of a row changes nothing; adding it to the positive alone is worth that much."""
    arguments = problem(known=False) | {"log_q": torch.zeros(11), "positive_log_q": torch.zeros(7)}
    nothing = torch.zeros(1, 11, 0, dtype=torch.float64)

    def loss_with(pairs: list[list[int]], score: float) -> Tensor:
        offsets, columns = csr(pairs)
        scores = torch.full((len(columns),), score, dtype=torch.float64)
        return loss(**arguments, trends=TrendScores((0, 7), nothing, offsets, columns, scores))

    torch.testing.assert_close(loss_with([list(range(11))] * 7, 0.6), loss(**arguments))
    assert float(loss_with([[int(column)] for column in arguments["positive"]], 300.0)) < 1e-6


@both
def test_gradients_are_the_slopes_of_the_value(loss: Any) -> None:
    arguments = problem()
    leaves = [arguments.pop(name).requires_grad_() for name in ("query", "candidates", "temperature")]
    assert torch.autograd.gradcheck(lambda q, c, t: loss(q, c, temperature=t, **arguments), leaves)


@both
def test_value_by_hand(loss: Any) -> None:
    """Two rows, three columns, scores 1 2 3 and 2 0 -1, temperature .5, Q of 1/2, 1/4, 1/8, own Q of 1/10 and 1/5."""
    value = loss(
        torch.tensor([[1.0, 0.0], [0.0, 1.0]]),
        torch.tensor([[1.0, 2.0], [2.0, 0.0], [3.0, -1.0]]),
        torch.tensor([1, 0]),
        log_q=torch.log(torch.tensor([1 / 2, 1 / 4, 1 / 8])),
        positive_log_q=torch.log(torch.tensor([1 / 10, 1 / 5])),
        known=csr([[0], []]),
        temperature=0.5,
    )
    first = math.log1p(8 * math.exp(6) / (10 * math.exp(4)))  # column 0 is masked
    second = math.log1p((4 * math.exp(0) + 8 * math.exp(-2)) / (5 * math.exp(4)))
    assert value.item() == pytest.approx(first + second, rel=1e-6)


@both
@pytest.mark.parametrize("in_batch", [True, False])
def test_full_corpus_sampled_softmax_is_full_softmax(loss: Any, in_batch: bool) -> None:
    generator = torch.Generator().manual_seed(3)
    items = torch.randn(30, 4, dtype=torch.float64, generator=generator).requires_grad_()  # some are in no corpus
    query = torch.randn(6, 4, dtype=torch.float64, generator=generator).requires_grad_()
    corpus = DomainCorpus(items=np.arange(2, 28, 2), counts=np.arange(13))
    positives = np.array([4, 26, 2, 8, 8, 12])
    sampler = NegativeSampler([corpus], in_batch=in_batch, uniform=13)
    drawn = sampler.draw(0, positives, np.random.default_rng(0))
    sampled = loss(
        query,
        items[torch.from_numpy(drawn.items)],
        torch.from_numpy(drawn.positive),
        log_q=torch.from_numpy(drawn.log_q),
        positive_log_q=torch.from_numpy(drawn.positive_log_q),
        temperature=0.7,
    )
    logits = query @ items.T / 0.7
    eligible = logits[:, torch.from_numpy(corpus.items)]
    full = (eligible.logsumexp(1) - logits[torch.arange(6), torch.from_numpy(positives)]).sum()
    torch.testing.assert_close(sampled, full)
    torch.testing.assert_close(torch.autograd.grad(sampled, [query, items]), torch.autograd.grad(full, [query, items]))
    torch.testing.assert_close(full, F.cross_entropy(eligible, torch.tensor([1, 12, 0, 3, 3, 5]), reduction="sum"))


@both
def test_in_batch_is_cross_entropy_with_a_bias(loss: Any) -> None:
    arguments = problem(known=False)
    arguments["log_q"] = torch.linspace(-4, 0, 11, dtype=torch.float64)
    arguments["positive_log_q"] = arguments["log_q"][arguments["positive"]]
    query, candidates = (arguments[name].clone().requires_grad_() for name in ("query", "candidates"))
    if hasattr(F, "linear_cross_entropy"):  # since torch 2.13
        expected = F.linear_cross_entropy(
            query / 0.3, candidates, arguments["positive"], linear_bias=-arguments["log_q"], reduction="sum"
        )
    else:
        logits = F.linear(query / 0.3, candidates, -arguments["log_q"])
        expected = F.cross_entropy(logits, arguments["positive"], reduction="sum")
    value, *gradients = value_and_gradients(loss, arguments)
    torch.testing.assert_close(value, expected.detach())
    torch.testing.assert_close(gradients[:2], list(torch.autograd.grad(expected, [query, candidates])))


@both
def test_temperature_scales_the_score_and_not_the_correction(loss: Any) -> None:
    """Scaling vectors and temperature alike changes nothing; a correction divided by the temperature would differ."""
    arguments = problem(known=False)
    wider = {**arguments, "query": arguments["query"] * 4, "temperature": arguments["temperature"] * 4}
    torch.testing.assert_close(loss(**arguments), loss(**wider))


@both
def test_accidental_hits_change_the_loss(loss: Any) -> None:
    arguments = problem(known=False)
    arguments["log_q"] = torch.zeros(11)
    arguments["positive"] = torch.arange(7)
    plain = loss(**arguments)
    masked = loss(**{**arguments, "known": csr([[10], [], [9, 8], [], [], [], []])})
    assert plain - masked > 0.01
    own = loss(**{**arguments, "known": csr([[row] for row in range(7)])})
    torch.testing.assert_close(own, plain)


@both
def test_a_row_without_negatives_has_loss_and_gradient_zero(loss: Any) -> None:
    arguments = problem(n=2, m=3)
    arguments.update(positive=torch.tensor([1, 2]), log_q=torch.tensor([0.0, torch.inf, torch.inf]))
    arguments["known"] = csr([[0, 1, 2], [0]])
    for result in value_and_gradients(loss, arguments):
        torch.testing.assert_close(result, torch.zeros_like(result))


@both
def test_no_samples_have_loss_and_gradient_zero(loss: Any) -> None:
    arguments = problem()
    arguments.update(
        query=arguments["query"][:0], positive=arguments["positive"][:0], positive_log_q=torch.empty(0), known=csr([])
    )
    for result in value_and_gradients(loss, arguments):
        torch.testing.assert_close(result, torch.zeros_like(result))


@both
def test_huge_scores_stay_finite(loss: Any) -> None:
    arguments = problem()
    for name in ("query", "candidates"):
        arguments[name] = (arguments[name] * 1e3).float()
    arguments["temperature"] = arguments["temperature"].float()
    for result in value_and_gradients(loss, arguments):
        assert result.isfinite().all()


def test_without_gradients_the_value_is_the_same_and_nothing_is_kept() -> None:
    arguments = problem()
    arguments["query"].requires_grad_()
    with torch.no_grad():
        value = sampled_softmax(**arguments)
    assert not value.requires_grad
    torch.testing.assert_close(value, sampled_softmax(**arguments).detach())


def test_a_fixed_temperature_and_fixed_candidates() -> None:
    arguments = problem()
    arguments["temperature"] = 0.3
    gradients = []
    for loss in LOSSES:
        query = arguments["query"].clone().requires_grad_()
        gradients += torch.autograd.grad(loss(**{**arguments, "query": query}), [query])
    torch.testing.assert_close(*gradients)


def test_never_waits_for_the_device() -> None:
    """On the meta device there are no values: whatever would read one, or a size that depends on one, raises."""
    arguments = problem()
    offsets, columns = arguments.pop("known")
    meta = {name: tensor.to("meta") for name, tensor in arguments.items()}
    meta["query"].requires_grad_()
    value = sampled_softmax(**meta, known=(offsets, columns.to("meta")), chunk_logits=22)
    value.backward()
    assert meta["query"].grad.shape == (7, 5)


@both
@pytest.mark.parametrize("name", ["positive", "log_q", "positive_log_q", "known offsets"])
def test_a_shape_that_would_be_broadcast_is_refused(loss: Any, name: str) -> None:
    arguments = problem()
    if name == "known offsets":
        arguments["known"] = (arguments["known"][0][:1], arguments["known"][1])
    else:
        arguments[name] = arguments[name][:1]
    with pytest.raises(
        ValueError, match=rf"^{name} has shape \(1,\), not \({8 if name == 'known offsets' else '7|11'}"
    ):
        loss(**arguments)
