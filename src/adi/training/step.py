"""One step of training: the loss of a batch, its gradients, and what the optimizers make of them."""

import torch
from torch import Tensor

from adi.batch import Batch
from adi.losses import sampled_softmax
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

    def __init__(self, model: TwoTower, settings: TrainingSettings) -> None:
        self.model = model
        self.tables = RowwiseAdagrad(model.tables, lr=settings.embedding_lr)
        self.dense = dense_optimizer(
            model, lr=settings.lr, weight_decay=settings.weight_decay, delta_decay=settings.delta_decay
        )
        self.average = WeightAverage(model, settings.average) if settings.average else None
        if self.average is not None:
            self.tables.before = self.average.rows_change

    def __call__(self, batch: Batch) -> Tensor:
        loss = batch_loss(self.model, batch.to(self.model.tables.weight.device))
        self.dense.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.tables.step()
        self.dense.step()
        if self.average is not None:
            self.average.step()
        return loss.detach()


def batch_loss(model: TwoTower, batch: Batch) -> Tensor:
    """The mean over the samples of the sampled softmax, each domain's samples against that domain's candidates."""
    users = model.encode_users(batch.user, batch.user_offsets)  # (B, dim)
    items = model.encode_items(batch.item, batch.item_offsets, batch.item_log_popularity)  # (N, dim)
    samples, corpora = split_by_domain(users, batch.user_offsets), split_by_domain(items, batch.item_offsets)
    losses = []
    for domain, candidates in batch.candidates.items():
        own = corpora[domain]  # (m, dim)
        sets = [
            sampled_softmax(
                query,  # (n, dim)
                corpus,
                candidates.positive,
                log_q=candidates.log_q,
                positive_log_q=candidates.positive_log_q,
                known=candidates.known,
                temperature=model.temperature,
            )
            for query, corpus in model.by_set(model.queries(samples[domain], own[candidates.positive]), own)
        ]
        losses.append(torch.stack(sets).mean())
    return torch.stack(losses).sum() / batch.size
