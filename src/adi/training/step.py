"""One training step: the loss of a batch, its gradients, and the update of the weights."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from adi.batch import Batch, DomainCandidates, DomainTrends
from adi.errors import AdiError
from adi.losses import Loss, Pairs
from adi.models.two_tower import TwoTower
from adi.nn.domain_parameter import split_by_domain
from adi.training.averaging import WeightAverage
from adi.training.optimizers import RowwiseAdagrad, dense_optimizer
from adi.training.settings import TrainingSettings


class Step:
    """Trains on one batch per call: updates both optimizers, and the average of the weights if there is one.

    A call returns the mean loss of the batch's samples, detached. It runs on the device of the model's weights; on a
    GPU, it returns before the work is done, and reading the loss waits for it.
    """

    def __init__(self, model: TwoTower, settings: TrainingSettings, loss: Loss) -> None:
        self.model, self.loss = model, loss
        self.tables = RowwiseAdagrad(model.tables, lr=settings.embedding_lr)
        self.dense = dense_optimizer(
            model, lr=settings.lr, weight_decay=settings.weight_decay, delta_decay=settings.delta_decay
        )
        self.average = WeightAverage(model, settings.average) if settings.average else None
        if self.average is not None:
            self.tables.before_update = self.average.catch_up

    def __call__(self, batch: Batch) -> Tensor:
        loss = batch_loss(self.model, batch.to(self.model.tables.weight.device), self.loss)
        self.dense.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.tables.step()
        self.dense.step()
        if self.average is not None:
            self.average.step()
        return loss.detach()


def batch_loss(model: TwoTower, batch: Batch, loss: Loss) -> Tensor:
    """The mean loss of a batch's samples, each against the candidates of its domain, as a 0-d tensor.

    Raises `AdiError` if the loss function does not return a 0-d tensor with a gradient.
    """
    users = model.encode_users(batch.user, batch.user_offsets)  # (B, dim)
    items = model.encode_items(batch.item, batch.item_offsets, batch.item_log_popularity)  # (N, dim)
    samples, corpora = split_by_domain(users, batch.user_offsets), split_by_domain(items, batch.item_offsets)
    losses = []
    for domain, candidates in batch.candidates.items():
        block = Block(samples[domain], corpora[domain], candidates)
        blocks = by_moment(model, domain, block, batch.trends[domain]) if domain in batch.trends else [block]
        losses += [block_loss(model, block, loss) for block in blocks]
    return torch.stack(losses).sum() / batch.size


@dataclass(frozen=True)
class Block:
    """Samples of one domain that have the same item vectors.

    Attributes:
        users: (n, dim).
        corpus: (m, dim).
        candidates: the columns of the samples' logits.
        pairs: scores of single pairs, if there are any.
    """

    users: Tensor
    corpus: Tensor
    candidates: DomainCandidates
    pairs: Pairs | None = None


def by_moment(model: TwoTower, domain: int, block: Block, trends: DomainTrends) -> Iterator[Block]:
    """Split a domain's samples by moment; each block has the items' coordinates and the co-clicks of its moment."""
    coordinates = model.trend_coordinates(trends.features, domain)  # (g, m, W)
    moment = torch.repeat_interleave(torch.tensor(trends.cuts).diff())  # (n,)
    moment_of_pair = torch.repeat_interleave(moment, trends.pair_offsets.diff()).to(coordinates.device)  # (P,)
    scores = model.co_click_scores(trends.shares, trends.features[moment_of_pair, trends.pair_columns], domain)
    sizes = [stop - start for start, stop in pairwise(trends.cuts)]
    pair_cuts = trends.pair_offsets[list(trends.cuts)].tolist()
    pair_sizes = [stop - start for start, stop in pairwise(pair_cuts)]
    parts = zip(
        block.users.split_with_sizes(sizes), coordinates.unbind(), scores.split_with_sizes(pair_sizes), strict=True
    )
    for number, (users, of_moment, pair_scores) in enumerate(parts):
        start, stop = trends.cuts[number], trends.cuts[number + 1]
        offsets = trends.pair_offsets[start : stop + 1] - pair_cuts[number]
        columns = trends.pair_columns[pair_cuts[number] : pair_cuts[number + 1]]
        yield Block(
            users,
            torch.cat([block.corpus, of_moment], dim=1),
            block.candidates.part(start, stop),
            (offsets, columns, pair_scores),
        )


def block_loss(model: TwoTower, block: Block, loss: Loss) -> Tensor:
    """The summed loss of a block's samples, the mean of the embedding sets."""
    candidates = block.candidates
    queries = model.queries(block.users, block.corpus[candidates.positive])  # (n, dim)
    set_losses = [
        loss(
            set_queries,
            set_corpus,
            candidates.positive,
            log_q=candidates.log_q,
            positive_log_q=candidates.positive_log_q,
            known=candidates.known,
            temperature=model.temperature,
            **({} if block.pairs is None else {"pairs": block.pairs}),
        )
        for set_queries, set_corpus in model.by_set(queries, block.corpus)
    ]
    _check_loss(set_losses[0])
    return torch.stack(set_losses).mean()


def _check_loss(value: object) -> None:
    if not isinstance(value, Tensor) or value.ndim or (torch.is_grad_enabled() and not value.requires_grad):
        shown = f"a tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
        gradient = " without a gradient" if isinstance(value, Tensor) and not value.ndim else ""
        raise AdiError(
            f"loss: returned {shown}{gradient}, not the sum over the samples as a 0-d tensor. See adi.losses.Loss."
        )
