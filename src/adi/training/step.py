"""One step of training: the loss of a batch, its gradients, and what the optimizers make of them."""

import torch
from torch import Tensor

from adi.batch import Batch
from adi.errors import AdiError
from adi.losses import Loss
from adi.models.two_tower import TwoTower
from adi.nn.domain_parameter import split_by_domain
from adi.training.averaging import WeightAverage
from adi.training.optimizers import RowwiseAdagrad, dense_optimizer
from adi.training.settings import TrainingSettings


class Step:
    """Call it with a batch: one step of both optimizers, and of the average of the weights where there is one.

    Returns the mean loss of the batch's samples, detached. It happens where the model's weights are; with them on a
    GPU the call returns before the work is done, and whoever reads the loss waits for it.
    """

    def __init__(self, model: TwoTower, settings: TrainingSettings, loss: Loss) -> None:
        self.model, self.loss = model, loss
        self.tables = RowwiseAdagrad(model.tables, lr=settings.embedding_lr)
        self.dense = dense_optimizer(
            model, lr=settings.lr, weight_decay=settings.weight_decay, delta_decay=settings.delta_decay
        )
        self.average = WeightAverage(model, settings.average) if settings.average else None
        if self.average is not None:
            self.tables.before = self.average.rows_change

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
    """The mean loss of the samples, each domain's against that domain's candidates: a 0-d tensor.

    Raises `AdiError` for a loss that is not a 0-d tensor with a gradient.
    """
    users = model.encode_users(batch.user, batch.user_offsets)  # (B, dim)
    items = model.encode_items(batch.item, batch.item_offsets, batch.item_log_popularity)  # (N, dim)
    samples, corpora = split_by_domain(users, batch.user_offsets), split_by_domain(items, batch.item_offsets)
    losses = []
    for domain, candidates in batch.candidates.items():
        corpus = corpora[domain]  # (m, dim)
        queries = model.queries(samples[domain], corpus[candidates.positive])  # (n, dim)
        of_sets = [
            loss(
                set_queries,
                set_corpus,
                candidates.positive,
                log_q=candidates.log_q,
                positive_log_q=candidates.positive_log_q,
                known=candidates.known,
                temperature=model.temperature,
            )
            for set_queries, set_corpus in model.by_set(queries, corpus)
        ]
        _check_loss(of_sets[0])
        losses.append(torch.stack(of_sets).mean())
    return torch.stack(losses).sum() / batch.size


def _check_loss(value: object) -> None:
    if not isinstance(value, Tensor) or value.ndim or (torch.is_grad_enabled() and not value.requires_grad):
        shown = f"a tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
        gradient = " without a gradient" if isinstance(value, Tensor) and not value.ndim else ""
        raise AdiError(
            f"loss: gave {shown}{gradient}, not the sum over the samples as a 0-d tensor. See adi.losses.Loss."
        )
