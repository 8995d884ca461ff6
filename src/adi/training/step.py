"""One training step: the loss of a batch, its gradients, and the update of the weights."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils import get_total_norm

from adi.batch import Batch, DomainCandidates, DomainTrends
from adi.errors import AdiError
from adi.losses import Loss, TrendScores
from adi.models.two_tower import TwoTower
from adi.nn.domain_parameter import split_by_domain
from adi.nn.synchronised import synchronise
from adi.processes.group import ALONE, Processes
from adi.training.averaging import WeightAverage
from adi.training.optimizers import RowwiseAdagrad, TableOptimizer, dense_optimizer
from adi.training.settings import TrainingSettings

EMBEDDINGS = "embeddings"


class Vitals(NamedTuple):
    """Numbers of a step (0-d tensors), all finite in a healthy training.

    Attributes:
        loss: the mean loss of the batch's samples.
        gradients: the norm of all gradients; of several processes, that of the norms of their parts.
        embeddings: the root mean square of the norms of the embeddings that the step has looked up.
    """

    loss: Tensor
    gradients: Tensor
    embeddings: Tensor


class Step:
    """Trains on one batch: `gradients`, then `update` of both optimizers, and of the averaged weights if there are any.

    A call does both, and returns the mean loss of the batch's samples, detached. It runs on the device of the model's
    weights; on a GPU, it returns before the work is done, and reading a number waits for it. Several processes call it
    together, each with its part of the batch.

    Args:
        tables: the optimizer of the embedding tables; by default `RowwiseAdagrad`.
        users: the number of users of each domain (D,), for `delta_users`; by default, the differences of all domains
            from shared weights learn at `lr`.
    """

    def __init__(
        self,
        model: TwoTower,
        settings: TrainingSettings,
        loss: Loss,
        processes: Processes = ALONE,
        tables: TableOptimizer | None = None,
        users: Sequence[int] | None = None,
    ) -> None:
        self.model, self.loss, self.processes = model, loss, processes
        synchronise(model, processes)
        self.tables = tables or RowwiseAdagrad(model.tables, lr=settings.embedding_lr)
        delta_lr = None if users is None else [settings.lr * min(1.0, n / settings.delta_users) for n in users]
        self.dense = dense_optimizer(model, lr=settings.lr, weight_decay=settings.weight_decay, delta_lr=delta_lr)
        self.average = WeightAverage(model, settings.average) if settings.average else None
        if self.average is not None:
            self.tables.before_update = self.average.catch_up
        self.losses: dict[int, Tensor] = {}
        """The loss of each domain of the last batch, summed over its samples."""
        self._parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]

    def __call__(self, batch: Batch) -> Tensor:
        vitals = self.gradients(batch)
        self.update()
        return vitals.loss

    def gradients(self, batch: Batch) -> Vitals:
        """Compute the loss and the gradients of a batch; the weights stay as they are until `update`."""
        losses = domain_losses(self.model, batch.to(self.model.tables.device), self.loss, self.processes)
        loss = mean_loss(self.model, losses, batch.size, self.processes)
        self.losses = {domain: of_domain.detach() for domain, of_domain in losses.items()}
        self.dense.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        return self.vitals(loss.detach())

    def update(self) -> None:
        """Apply the gradients of the last batch."""
        self.tables.step()
        self.processes.sum_gradients(self._parameters)
        self.dense.step()
        if self.average is not None:
            self.average.step()

    def named_gradients(self) -> Iterator[tuple[str, Tensor]]:
        """The gradients of the networks by name, and of the embeddings, by `EMBEDDINGS`, for each lookup."""
        for name, parameter in self.model.named_parameters():
            if parameter.grad is not None:
                yield name, parameter.grad
        for _, source in self.model.tables.touched:
            if source.grad is not None:
                yield EMBEDDINGS, source.grad

    @torch.no_grad()
    def vitals(self, loss: Tensor) -> Vitals:
        """The numbers of the last batch, of which `loss` is the detached loss; cleared by `update`."""
        gradients = [gradient for _, gradient in self.named_gradients()]
        sources = [source.detach() for _, source in self.model.tables.touched]
        squares = [get_total_norm(tensors).to(loss).square() for tensors in (gradients, sources)]
        rows = loss.new_full((), sum(map(len, sources)))
        loss, gradient, embedding, rows = self.processes.total(torch.stack([loss, *squares, rows])).unbind()
        return Vitals(loss, gradient.sqrt(), (embedding / rows).sqrt())


def batch_loss(model: TwoTower, batch: Batch, loss: Loss, processes: Processes = ALONE) -> Tensor:
    """The mean loss of a batch's samples, each against the candidates of its domain, as a 0-d tensor.

    Of several processes, each computes its part: the mean loss is the sum of theirs.

    Raises `AdiError` if the loss function does not return a 0-d tensor with a gradient.
    """
    return mean_loss(model, domain_losses(model, batch, loss, processes), batch.size, processes)


def mean_loss(model: TwoTower, losses: Mapping[int, Tensor], size: int, processes: Processes = ALONE) -> Tensor:
    """The mean loss of the samples of a batch, from the losses of its domains."""
    total = torch.stack(list(losses.values())).sum() if losses else torch.zeros((), device=model.tables.device)
    return processes.joined(total / size)


def domain_losses(model: TwoTower, batch: Batch, loss: Loss, processes: Processes = ALONE) -> dict[int, Tensor]:
    """The loss of each domain of a batch, summed over its samples, as 0-d tensors."""
    users = model.encode_users(batch.user, batch.user_offsets)  # (B, dim)
    items = model.encode_items(batch.item, batch.item_offsets, batch.item_log_popularity)  # (N, dim)
    item_offsets = batch.item_offsets
    if batch.all_candidates is not None:
        joined, item_offsets = batch.all_candidates, batch.all_candidates.offsets
        items = processes.gather(items, joined.sizes)[joined.order]
    samples, corpora = split_by_domain(users, batch.user_offsets), split_by_domain(items, item_offsets)
    losses = {}
    for domain, candidates in batch.candidates.items():
        trends = trend_scores(model, domain, batch.trends[domain]) if domain in batch.trends else None
        losses[domain] = domain_loss(model, samples[domain], corpora[domain], candidates, trends, loss)
    return losses


def trend_scores(model: TwoTower, domain: int, trends: DomainTrends) -> TrendScores:
    """The coordinates and the scores of co-clicks of a domain's candidates, at the moments of its samples."""
    moment = torch.repeat_interleave(torch.tensor(trends.cuts).diff())  # (n,)
    moment_of_pair = torch.repeat_interleave(moment, trends.pair_offsets.diff()).to(trends.features.device)  # (P,)
    features = trends.features[moment_of_pair, trends.pair_columns]
    return TrendScores(
        cuts=trends.cuts,
        coordinates=model.trend_coordinates(trends.features, domain, trends.audiences),
        pair_offsets=trends.pair_offsets,
        pair_columns=trends.pair_columns,
        pair_scores=model.co_click_scores(trends.co_clicks, features, domain),
    )


def domain_loss(
    model: TwoTower,
    users: Tensor,
    corpus: Tensor,
    candidates: DomainCandidates,
    trends: TrendScores | None,
    loss: Loss,
) -> Tensor:
    """The loss of one domain's samples (n, dim) against its candidates (m, dim): a sum, the mean of embedding sets."""
    # Not by indexing: its gradient is summed by threads in any order, so that runs would not be reproducible.
    positives = corpus.index_select(0, candidates.positive)  # (n, dim)
    if trends is not None:
        at_moments = trends.moments * len(corpus) + candidates.positive  # (n,), rows of (g * m, W)
        positives = torch.cat([positives, trends.coordinates.flatten(0, 1).index_select(0, at_moments)], dim=1)
    queries = model.queries(users, positives)  # (n, dim)
    set_losses = [
        loss(
            set_queries,
            set_corpus,
            candidates.positive,
            log_q=candidates.log_q,
            positive_log_q=candidates.positive_log_q,
            known=candidates.known,
            temperature=model.temperature,
            **({} if trends is None else {"trends": trends}),
        )
        for set_queries, set_corpus in model.by_set(queries, corpus)
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
