"""The training loss: a softmax over sampled candidates, corrected for the sampling.

`sampled_softmax` and `sampled_softmax_plain` compute the same. Training calls the first, which holds only a chunk of
the logits at a time; the second is the readable definition, and a test compares them.

Shapes: `n` samples and `m` candidates of one domain, `E` embedding_dim, `P` known pairs.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

Known = tuple[Tensor, Tensor]
"""The known positives of each row's user among the candidates, as (offsets, columns): those of row i are
``columns[offsets[i]:offsets[i + 1]]``. `offsets` (n + 1,) is on the CPU, so that a chunk of rows finds its pairs
without waiting for a GPU; `columns` (P,) is on the device of the logits."""


@dataclass(frozen=True)
class TrendScores:
    """Trend part of the scores of one domain's samples, which are sorted by moment.

    The last W columns of a sample's query are its weights of an item's W coordinates at the moment. Single pairs of a
    sample and a candidate have a score of their own, which is added.

    Attributes:
        cuts: g + 1 row numbers: samples ``cuts[i]:cuts[i + 1]`` have moment i.
        coordinates: of the candidates at each moment (g, m, W).
        pair_offsets: the pairs of sample i are ``pair_offsets[i]:pair_offsets[i + 1]`` (n + 1,), on the CPU.
        pair_columns: the candidate of each pair, each once for a sample (P,).
        pair_scores: (P,).
    """

    cuts: tuple[int, ...]
    coordinates: Tensor
    pair_offsets: Tensor
    pair_columns: Tensor
    pair_scores: Tensor

    @property
    def moments(self) -> Tensor:
        """The moment of each sample (n,)."""
        return torch.repeat_interleave(torch.tensor(self.cuts).diff()).to(self.coordinates.device)

    @property
    def pair_rows(self) -> Tensor:
        """The sample of each pair (P,)."""
        return torch.repeat_interleave(self.pair_offsets.diff()).to(self.pair_columns.device, non_blocking=True)


class Loss(Protocol):
    """A loss of n samples of one domain against its m candidates, with the arguments of `sampled_softmax`.

    It is called with `trends` only if the schema asks for trends.

    Returns the sum over the samples as a 0-d tensor with gradients.
    """

    def __call__(
        self,
        query: Tensor,
        candidates: Tensor,
        positive: Tensor,
        *,
        log_q: Tensor,
        positive_log_q: Tensor,
        known: Known | None = None,
        trends: TrendScores | None = None,
        temperature: float | Tensor,
    ) -> Tensor: ...


def sampled_softmax_plain(
    query: Tensor,
    candidates: Tensor,
    positive: Tensor,
    *,
    log_q: Tensor,
    positive_log_q: Tensor,
    known: Known | None = None,
    trends: TrendScores | None = None,
    temperature: float | Tensor,
) -> Tensor:
    """`sampled_softmax` with all (n, m) logits in memory, differentiated by autograd."""
    _check_shapes(query, candidates, positive, log_q, positive_log_q, known)
    scores = query[:, : candidates.shape[1]] @ candidates.T  # (n, m)
    if trends is not None:
        weights = query[:, candidates.shape[1] :]  # (n, W)
        scores = scores + torch.einsum("nw,nmw->nm", weights, trends.coordinates[trends.moments])
        scores = scores.index_put((trends.pair_rows, trends.pair_columns), trends.pair_scores, accumulate=True)
    scores = scores / temperature
    positive_logit = scores.gather(1, positive[:, None]) - positive_log_q[:, None]  # (n, 1)
    logits = scores - log_q  # (n, m)
    if known is not None:
        offsets, columns = known
        rows = torch.repeat_interleave(offsets.diff()).to(columns.device)  # (P,)
        logits = logits.index_put((rows, columns), logits.new_full((), -torch.inf))
    logits = logits.scatter(1, positive[:, None], positive_logit)
    return (logits.logsumexp(dim=1) - positive_logit.squeeze(1)).sum()


def sampled_softmax(
    query: Tensor,
    candidates: Tensor,
    positive: Tensor,
    *,
    log_q: Tensor,
    positive_log_q: Tensor,
    known: Known | None = None,
    trends: TrendScores | None = None,
    temperature: float | Tensor,
    chunk_logits: int = 1 << 20,
) -> Tensor:
    """Negative log-likelihood of each sample's positive among its candidates, summed over the samples (ADI eq. 4, 5).

    The softmax over the corpus (eq. 3) is approximated on a few candidates. The score of each candidate, including the
    positive, is reduced by the log of the probability that it was sampled::

        logit(i, v) = <query_i, candidate_v> / temperature - log_q(v)          -inf if v is masked
        logit(i, +) = <query_i, candidate_+> / temperature - positive_log_q(i)  + is the positive of row i
        loss = sum_i  log sum_v exp logit(i, v) - logit(i, +)

    The temperature belongs to the model: it scales the score whose softmax models P(v | u, d). The correction belongs
    to the sampler and applies to that probability at any scale of the score. If the correction were divided by the
    temperature, too, it would favour or penalise popular items by the power 1/temperature of the bias that it removes.

    With `trends`, ``<weights_i, coordinates_v at the moment of i>`` is added to a score, and that of a single pair.

    The pairs in `known` are masked: an item that the user is known to like must not serve as a negative (an accidental
    hit). A row's own positive may be among them and is never masked. A row without negatives has loss and gradient 0.

    Gradients are computed together with the loss, in chunks of rows, and saved for `backward`: (n + m) E numbers
    instead of a multiple of n m. Not differentiable twice.

    Args:
        query: (n, E) user vectors, fp32 or fp64; (n, E + W) with trends. Call the loss outside autocast: half precision
            is too coarse for logits.
        candidates: (m, E) item vectors, each item once.
        positive: (n,) int64, the column of each row's positive.
        log_q: (m,) natural log of the probability that the column is a negative of a row; +inf if it never is.
        positive_log_q: (n,) the same for each row's positive, finite.
        known: (offsets, columns) of the pairs to mask, see `Known`.
        trends: what is added at the moment of each sample, see `TrendScores`.
        temperature: positive, in the units of the score; a learned 0-d tensor gets its gradient.
        chunk_logits: approximate number of logits per chunk, for which two buffers of this size are allocated. The
            default (8 MiB in fp32) suits a CPU's cache; a GPU benefits from more.

    Returns:
        The sum as a 0-d tensor; the caller divides it by the number of samples. 0 if n is 0.

    Raises:
        ValueError: if shapes do not match.

    Example:
        >>> query, items = torch.eye(2), torch.eye(3, 2)
        >>> zeros, positive = torch.zeros(3), torch.tensor([0, 1])
        >>> sampled_softmax(query, items, positive, log_q=zeros, positive_log_q=zeros[:2], temperature=1.0)
        tensor(1.1029)
    """
    _check_shapes(query, candidates, positive, log_q, positive_log_q, known)
    loss: Tensor = _ChunkedSoftmax.apply(  # type: ignore[no-untyped-call]
        query,
        candidates,
        temperature,
        None if trends is None else trends.coordinates,
        None if trends is None else trends.pair_scores,
        positive,
        log_q,
        positive_log_q,
        known,
        trends,
        chunk_logits,
        torch.is_grad_enabled(),
    )
    return loss


class _ChunkedSoftmax(torch.autograd.Function):
    """Loss and gradients of `sampled_softmax` in one pass over chunks of rows."""

    @staticmethod
    def forward(
        ctx: Any,
        query: Tensor,
        candidates: Tensor,
        temperature: float | Tensor,
        coordinates: Tensor | None,
        pair_scores: Tensor | None,
        positive: Tensor,
        log_q: Tensor,
        positive_log_q: Tensor,
        known: Known | None,
        trends: TrendScores | None,
        chunk_logits: int,
        with_gradient: bool,
    ) -> Tensor:
        n, (m, dim) = len(query), candidates.shape
        chunk = max(1, min(n, chunk_logits // max(1, m)))
        scaled = query[:, :dim] / temperature  # (n, E)
        positive_logit = ((scaled * candidates[positive]).sum(dim=1) - positive_log_q)[:, None]  # (n, 1)
        added = None
        if trends is not None and coordinates is not None and pair_scores is not None:
            added = _AddedTrends(trends, query[:, dim:], coordinates, pair_scores, temperature)
            positive_logit += added.of_positives(positive)[:, None]
        positive, bias = positive[:, None], -log_q.to(query.dtype)  # (n, 1), (m,)
        loss = torch.empty_like(positive_logit)  # (n, 1)
        query_gradient, candidates_gradient = torch.empty_like(scaled), torch.zeros_like(candidates)
        buffers = query.new_empty(2, chunk, m)  # shared by all chunks: allocating fresh pages costs more than the math
        if known is not None:
            offsets, columns = known
            rows = torch.repeat_interleave(offsets.diff()).to(columns.device, non_blocking=True)  # (P,)
        for start in range(0, n, chunk):
            part = slice(start, min(start + chunk, n))
            used = buffers[:, : part.stop - start]  # (2, chunk, m)
            logits = torch.addmm(bias, scaled[part], candidates.T, out=used[0])  # (chunk, m)
            if added is not None:
                added.add(logits, part)
            if known is not None:
                pairs = slice(int(offsets[start]), int(offsets[part.stop]))
                logits[rows[pairs] - start, columns[pairs]] = -torch.inf
            logits.scatter_(1, positive[part], positive_logit[part])
            # The log of the sum is derived from the largest probability, which cannot underflow as the positive's may.
            # torch.softmax also avoids the slow path of exp on a CPU for values that underflow.
            share = torch.softmax(logits, dim=1, out=used[1])  # (chunk, m)
            log_sum = logits.amax(dim=1, keepdim=True) - share.amax(dim=1, keepdim=True).log()  # (chunk, 1)
            loss[part] = log_sum - positive_logit[part]
            if with_gradient:
                share.scatter_(1, positive[part], share.gather(1, positive[part]) - 1)  # gradient of the logits
                torch.mm(share, candidates, out=query_gradient[part])
                candidates_gradient.addmm_(share.T, scaled[part])
                if added is not None:
                    added.backward(share, part)
        if with_gradient:
            coordinates_gradient = pairs_gradient = None
            if added is not None:
                query_gradient = torch.cat([query_gradient, added.weights_gradient], dim=1)
                coordinates_gradient, pairs_gradient = added.coordinates_gradient, added.pairs_gradient / temperature
            query_gradient /= temperature
            temperature_gradient = None
            if ctx.needs_input_grad[2]:  # scores depend on (query, pair scores) / temperature, hence by the chain rule:
                temperature_gradient = -(query * query_gradient).sum() / temperature
                if pair_scores is not None and pairs_gradient is not None:
                    temperature_gradient -= (pair_scores * pairs_gradient).sum() / temperature
            ctx.save_for_backward(
                query_gradient, candidates_gradient, temperature_gradient, coordinates_gradient, pairs_gradient
            )
        return loss.sum()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        gradients = (None if saved is None else saved * gradient for saved in ctx.saved_tensors)
        return *gradients, None, None, None, None, None, None, None


class _AddedTrends:
    """The part of the logits that comes from trends, and its gradients, by chunks of rows.

    `weights_gradient` (n, W) and `pairs_gradient` (P,) are those of the logits, not yet divided by the temperature.
    """

    def __init__(
        self,
        trends: TrendScores,
        weights: Tensor,
        coordinates: Tensor,
        pair_scores: Tensor,
        temperature: float | Tensor,
    ) -> None:
        self.trends, self.coordinates = trends, coordinates
        self.weights, self.pair_scores = weights / temperature, pair_scores / temperature  # (n, W), (P,)
        self.pair_rows = trends.pair_rows
        self.weights_gradient, self.pairs_gradient = torch.empty_like(self.weights), torch.empty_like(pair_scores)
        self.coordinates_gradient = torch.zeros_like(coordinates)

    def of_positives(self, positive: Tensor) -> Tensor:
        """The part of the logits of each row's positive (n,)."""
        logits = (self.weights * self.coordinates[self.trends.moments, positive]).sum(dim=1)
        of_positive = torch.nonzero(self.trends.pair_columns == positive[self.pair_rows])[:, 0]
        return logits.index_put((self.pair_rows[of_positive],), self.pair_scores[of_positive], accumulate=True)

    def add(self, logits: Tensor, part: slice) -> None:
        """Add to the logits of a chunk of rows."""
        for moment, rows in self._moments(part):
            logits[rows.start - part.start : rows.stop - part.start].addmm_(
                self.weights[rows], self.coordinates[moment].T
            )
        pairs, at = self._pairs(part)
        logits[at] += self.pair_scores[pairs]

    def backward(self, gradient: Tensor, part: slice) -> None:
        """Derive the gradients from that of the logits of a chunk of rows."""
        for moment, rows in self._moments(part):
            of_moment = gradient[rows.start - part.start : rows.stop - part.start]
            torch.mm(of_moment, self.coordinates[moment], out=self.weights_gradient[rows])
            self.coordinates_gradient[moment].addmm_(of_moment.T, self.weights[rows])
        pairs, at = self._pairs(part)
        self.pairs_gradient[pairs] = gradient[at]

    def _moments(self, part: slice) -> Iterator[tuple[int, slice]]:
        """The moments of a chunk of rows, and the rows of the chunk that have each."""
        cuts = self.trends.cuts
        moment = bisect_right(cuts, part.start) - 1
        while moment < len(cuts) - 1 and cuts[moment] < part.stop:
            yield moment, slice(max(cuts[moment], part.start), min(cuts[moment + 1], part.stop))
            moment += 1

    def _pairs(self, part: slice) -> tuple[slice, tuple[Tensor, Tensor]]:
        """The pairs of a chunk of rows, and their positions in its logits."""
        pairs = slice(int(self.trends.pair_offsets[part.start]), int(self.trends.pair_offsets[part.stop]))
        return pairs, (self.pair_rows[pairs] - part.start, self.trends.pair_columns[pairs])


def _check_shapes(
    query: Tensor, candidates: Tensor, positive: Tensor, log_q: Tensor, positive_log_q: Tensor, known: Known | None
) -> None:
    """Check shapes explicitly, because sizes of 1 would be broadcast silently."""
    n, m = len(query), len(candidates)
    expected = {"positive": (positive, n), "log_q": (log_q, m), "positive_log_q": (positive_log_q, n)}
    if known is not None:
        expected["known offsets"] = (known[0], n + 1)
    for name, (tensor, size) in expected.items():
        if tensor.shape != (size,):
            raise ValueError(
                f"{name} has shape {tuple(tensor.shape)}, not ({size},): n = {n} samples, m = {m} candidates"
            )
