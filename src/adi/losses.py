"""The training loss: a softmax over sampled candidates, corrected for how they were sampled.

`sampled_softmax` and `sampled_softmax_plain` are the same function. The first never holds more than a chunk of the
logits and is what training calls; the second says in a few lines what is meant, and the first is tested against it.

Shapes: `n` samples and `m` candidates of one domain, `E` embedding_dim, `P` known pairs.
"""

from typing import Any, Protocol

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

Known = tuple[Tensor, Tensor]
"""Known positives of the rows' users among the candidates, as (offsets, columns): those of row i are
``columns[offsets[i]:offsets[i + 1]]``. `offsets` (n + 1,) is on the CPU, so that a chunk of rows finds its pairs
without waiting for the device; `columns` (P,) is on the device of the logits."""


class Loss(Protocol):
    """A loss of n samples of one domain against its m candidates; `sampled_softmax` says what each argument is.

    Returns the sum over the samples, a 0-d tensor that has gradients.
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
    temperature: float | Tensor,
) -> Tensor:
    """`sampled_softmax` with all (n, m) logits in memory and autograd's gradients."""
    _check_shapes(query, candidates, positive, log_q, positive_log_q, known)
    scores = query @ candidates.T / temperature  # (n, m)
    own = scores.gather(1, positive[:, None]) - positive_log_q[:, None]  # (n, 1)
    logits = scores - log_q  # (n, m)
    if known is not None:
        offsets, columns = known
        rows = torch.repeat_interleave(offsets.diff()).to(columns.device)  # (P,)
        logits = logits.index_put((rows, columns), logits.new_full((), -torch.inf))
    logits = logits.scatter(1, positive[:, None], own)
    return (logits.logsumexp(dim=1) - own.squeeze(1)).sum()


def sampled_softmax(
    query: Tensor,
    candidates: Tensor,
    positive: Tensor,
    *,
    log_q: Tensor,
    positive_log_q: Tensor,
    known: Known | None = None,
    temperature: float | Tensor,
    chunk_logits: int = 1 << 20,
) -> Tensor:
    """Sum over the samples of minus the log-probability of each one's positive among its candidates (ADI eq. 4, 5).

    The softmax over the corpus (eq. 3) is learned from few candidates, each with its score lowered by the log of how
    likely it was to become one, the positive's too::

        logit(i, v) = <query_i, candidate_v> / temperature - log_q(v)          -inf where v is masked
        logit(i, +) = <query_i, candidate_+> / temperature - positive_log_q(i)  + is row i's own positive
        loss = sum_i  log sum_v exp logit(i, v) - logit(i, +)

    The temperature is part of the model: it scales the score whose softmax is meant to be P(v | u, d). The correction
    is a property of the sampler and belongs to that probability, whatever scale the score has. Divided by the
    temperature as well, it would favour or punish popular items by the power 1/temperature of what it should undo.

    Masked are the pairs in `known`: an item the user is known to like is no negative (an accidental hit). A row's own
    positive may be among them and is never masked. A row left without negatives has loss and gradient 0.

    The gradients are computed along with the loss, chunk by chunk of rows, and kept for `backward`: (n + m) E numbers
    instead of several times n m. Not differentiable twice.

    Args:
        query: (n, E) user vectors, fp32 or fp64. Call it outside autocast: half precision is too coarse for logits.
        candidates: (m, E) item vectors, each item once.
        positive: (n,) int64, the column of each row's own positive.
        log_q: (m,) natural log of the probability that the column is a negative of a row; +inf: it is never one.
        positive_log_q: (n,) the same for each row's own positive, finite.
        known: (offsets, columns) of the pairs to mask, see `Known`.
        temperature: positive, in the score's units; a 0-d tensor may be learned and gets its gradient.
        chunk_logits: about how many logits are worked on at once, in two buffers of this size. The default (8 MiB in
            fp32) suits a CPU's cache; a GPU likes more.

    Returns:
        0-d tensor, the sum; the caller divides it by what it averages over. 0 if n is 0.

    Raises:
        ValueError: shapes that do not go together.

    Example:
        >>> query, items = torch.eye(2), torch.eye(3, 2)
        >>> zeros, positive = torch.zeros(3), torch.tensor([0, 1])
        >>> sampled_softmax(query, items, positive, log_q=zeros, positive_log_q=zeros[:2], temperature=1.0)
        tensor(1.1029)
    """
    _check_shapes(query, candidates, positive, log_q, positive_log_q, known)
    loss: Tensor = _ChunkedSoftmax.apply(  # type: ignore[no-untyped-call]
        query, candidates, temperature, positive, log_q, positive_log_q, known, chunk_logits, torch.is_grad_enabled()
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
        positive: Tensor,
        log_q: Tensor,
        positive_log_q: Tensor,
        known: Known | None,
        chunk_logits: int,
        with_gradient: bool,
    ) -> Tensor:
        n, m = len(query), len(candidates)
        chunk = max(1, min(n, chunk_logits // max(1, m)))
        scaled = query / temperature  # (n, E)
        own = ((scaled * candidates[positive]).sum(dim=1) - positive_log_q)[:, None]  # (n, 1)
        positive, bias = positive[:, None], -log_q.to(query.dtype)  # (n, 1), (m,)
        loss = torch.empty_like(own)  # (n, 1)
        query_gradient, candidates_gradient = torch.empty_like(query), torch.zeros_like(candidates)
        buffers = query.new_empty(2, chunk, m)  # shared by all chunks: fresh pages for each cost more than the sums
        if known is not None:
            offsets, columns = known
            rows = torch.repeat_interleave(offsets.diff()).to(columns.device, non_blocking=True)  # (P,)
        for start in range(0, n, chunk):
            part = slice(start, min(start + chunk, n))
            used = buffers[:, : part.stop - start]  # (2, chunk, m)
            logits = torch.addmm(bias, scaled[part], candidates.T, out=used[0])  # (chunk, m)
            if known is not None:
                pairs = slice(int(offsets[start]), int(offsets[part.stop]))
                logits[rows[pairs] - start, columns[pairs]] = -torch.inf
            logits.scatter_(1, positive[part], own[part])
            # The largest share gives the log of the sum without the underflow that the positive's own might have, and
            # softmax is spared the slow path that exp takes on a CPU where it underflows.
            share = torch.softmax(logits, dim=1, out=used[1])  # (chunk, m)
            log_sum = logits.amax(dim=1, keepdim=True) - share.amax(dim=1, keepdim=True).log()  # (chunk, 1)
            loss[part] = log_sum - own[part]
            if with_gradient:
                share.scatter_(1, positive[part], share.gather(1, positive[part]) - 1)  # now the loss by the logits
                torch.mm(share, candidates, out=query_gradient[part])
                candidates_gradient.addmm_(share.T, scaled[part])
        if with_gradient:
            query_gradient /= temperature
            learned = ctx.needs_input_grad[2]  # the scores are a function of query / temperature, so by the chain rule:
            temperature_gradient = -(query * query_gradient).sum() / temperature if learned else None
            ctx.save_for_backward(query_gradient, candidates_gradient, temperature_gradient)
        return loss.sum()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        kept = (None if own is None else own * gradient for own in ctx.saved_tensors)
        return *kept, None, None, None, None, None, None


def _check_shapes(
    query: Tensor, candidates: Tensor, positive: Tensor, log_q: Tensor, positive_log_q: Tensor, known: Known | None
) -> None:
    """Sizes of 1 would be broadcast in silence."""
    n, m = len(query), len(candidates)
    wanted = {"positive": (positive, n), "log_q": (log_q, m), "positive_log_q": (positive_log_q, n)}
    if known is not None:
        wanted["known offsets"] = (known[0], n + 1)
    for name, (tensor, size) in wanted.items():
        if tensor.shape != (size,):
            raise ValueError(
                f"{name} has shape {tuple(tensor.shape)}, not ({size},): n = {n} samples, m = {m} candidates"
            )
