"""The health of a training: signs that it learns nothing, or soon will not, as warnings (`adi.runs.health`).

Warnings never change a training. What makes it stop is in `adi.training.not_finite`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

import torch
from torch import Tensor, nn

from adi.data.arrays import Array
from adi.data.dataset import Dataset
from adi.evaluation.evaluate import FEW_QUERIES, spread
from adi.models.tower import Tower
from adi.models.two_tower import TwoTower
from adi.models.vectors import VectorScorer
from adi.nn.mlp import MLP, DomainMLP
from adi.runs.health import HealthWarning, Kind
from adi.runs.metrics import Metrics
from adi.training.checkpoint import Progress
from adi.training.not_finite import table_of
from adi.training.step import EMBEDDINGS, Step

FEW = 0.1
"""The share of an epoch's rows that weighted rows are worth at least. Globo by time, whose newest hours are those of a
night, has .23."""

WINDOW = 100
"""Steps of which the median of a norm is that of the last `WINDOW`, once there are `FIRST`."""
FIRST = 20
EXPLODING: dict[Kind, float] = {"exploding gradients": 30.0, "exploding embeddings": 3.0}
"""Multiples of the running median from which on a norm explodes. In healthy trainings of all models, in batches of 4 to
4,096, norms of gradients stayed below 3 medians, and those of embeddings, a mean over the batch, below 1.25."""

SAMPLE = 256
"""Users and items of a domain whose vectors are compared."""
LEAST = 10
"""With fewer users or items, their vectors may well be equal: new users without any feature."""
EQUAL = 1e-4
"""Vectors are nearly equal if their standard deviation is below this share of their length. Rounding makes 1e-6."""

ONE_LIST = 1.5
"""Lists are nearly the same if all lists of a domain together have fewer items than so many lists."""


def empty_domains(dataset: Dataset) -> Iterator[HealthWarning]:
    """Warn of domains that have nothing to learn from, or nothing to choose the best epoch by."""
    for name, counts in dataset.manifest.by_domain.items():
        for part, number, effect in (
            ("training", counts.train, "the model learns nothing of it"),
            ("validation", counts.validation, "it has no say in which epoch is kept"),
        ):
            if not number:
                yield HealthWarning(
                    kind="empty domain",
                    epoch=1,
                    domain=name,
                    where=part,
                    message=f"domain '{name}' has no {part} rows: {effect}.",
                )


def few_rows(weights: Array | None, *, epoch: int) -> Iterator[HealthWarning]:
    """Warn of weights of rows (`adi.training.row_weights`) with which a few rows take the place of the others."""
    if weights is None:
        return
    worth = weights.sum() ** 2 / (weights**2).sum()
    if worth < FEW * weights.sum():
        yield HealthWarning(
            kind="few rows",
            epoch=epoch,
            message=f"the newest row comes {weights.max():,.0f} times in an epoch, and all rows are worth "
            f"{worth:,.0f}, where evenly spread ones would be worth {weights.sum():,.0f}: the log has few rows at its "
            "end. Check its newest times, or set training.row_half_life: off.",
        )


def exploding_norms(
    progress: Progress, step: Step, *, gradients: float, embeddings: float, epoch: int
) -> Iterator[HealthWarning]:
    """Warn of a norm of this step that is far above the median of the steps before, and note it in the progress."""
    for kind, norm in zip(EXPLODING, (gradients, embeddings), strict=True):
        before = progress.norms.setdefault(kind, [])
        usual = median(before) if len(before) >= FIRST else 0.0
        before.append(norm)
        del before[:-WINDOW]
        if usual and norm > EXPLODING[kind] * usual and kind not in progress.warned:
            where = largest_gradient(step) if kind == "exploding gradients" else largest_embedding(step.model)
            yield HealthWarning(
                kind=kind,
                epoch=epoch,
                step=progress.step + 1,
                where=where,
                message=f"{kind}: their norm is {norm:.3g}, {norm / usual:,.0f} times that of the steps before, the "
                f"largest in {where}. Lower training.lr or training.embedding_lr if the validation gets worse.",
            )


def largest_gradient(step: Step) -> str:
    """The weight whose gradient has the largest norm."""
    name, _ = max(step.named_gradients(), key=lambda pair: float(pair[1].norm()))
    return "the embeddings" if name == EMBEDDINGS else name


def largest_embedding(model: TwoTower) -> str:
    """The embedding with the largest norm of those that the last step has looked up."""
    norm, row = max(
        (float(norms.max()), int(rows[norms.argmax()]))
        for norms, rows in ((source.detach().norm(dim=1), rows) for rows, source in model.tables.touched)
        if len(rows)
    )
    name, number = table_of(model.tables, row)
    return f"row {number} of feature '{name}' ({norm:.3g})"


def collapsed_domains(metrics: Metrics, *, k: int, epoch: int) -> Iterator[HealthWarning]:
    """Warn of domains in which all users get nearly the same list, though there are many other items."""
    for name, measures in metrics.domains.items():
        coverage, corpus, queries = measures[f"coverage@{k}"], measures["corpus"], measures["queries"]
        if coverage is None or corpus is None or queries is None or queries < FEW_QUERIES or corpus < 4 * k:
            continue
        listed = round(coverage * corpus)
        if listed < ONE_LIST * k:
            yield HealthWarning(
                kind="collapsed domain",
                epoch=epoch,
                domain=name,
                message=f"domain '{name}' has collapsed: all {queries:,} users get nearly the same list, of "
                f"{listed:,} items of {corpus:,} in lists of {k}.",
            )


@torch.no_grad()
def dead_towers(scorer: VectorScorer, dataset: Dataset, *, epoch: int) -> Iterator[HealthWarning]:
    """Warn of towers, and of networks in them, that give all users or all items of a domain nearly the same output.

    Each domain is looked at by a sample of its validation rows and of its items.
    """
    rows = dataset.rows("validation")
    domains = dataset.targets("validation", rows)[2]
    for domain, name in enumerate(dataset.domains):
        users, items = rows[domains == domain], dataset.corpora.retrievable(domain)
        with _constant_outputs(scorer.model) as constant:
            if len(users) >= LEAST:
                sample = spread(users, min(SAMPLE, len(users)))
                scorer.user_vectors(domain, dataset.queries("validation", sample))
            if len(items) >= LEAST:
                list(scorer.item_blocks(domain, spread(items, min(SAMPLE, len(items)))))
        for where, kind in constant.items():
            yield HealthWarning(
                kind=kind,
                epoch=epoch,
                domain=name,
                where=where,
                message=f"{kind} in domain '{name}': the outputs of {where} are nearly the same for all "
                "that it encodes. Lower training.lr, or look at the features that it gets.",
            )


@contextmanager
def _constant_outputs(model: TwoTower) -> Iterator[dict[str, Kind]]:
    """The towers whose outputs are nearly the same in all rows, and networks of the other towers; at the end."""
    constant: dict[str, Kind] = {}

    def look(name: str, module: nn.Module, output: Tensor) -> None:
        if isinstance(module, Tower):  # without the weights of trends, which are linear in the features
            output = output[..., : output.shape[-1] - (0 if module.weights is None else module.weights.out_features)]
        if len(output) >= LEAST and nearly_equal(output.flatten(1)):
            constant[name] = "dead tower" if isinstance(module, Tower) else "dead network"

    hooks = [
        module.register_forward_hook(lambda module, _, output, name=name: look(name, module, output))
        for name, module in model.named_modules()
        if isinstance(module, Tower | MLP | DomainMLP)
    ]
    try:
        yield constant
    finally:
        for hook in hooks:
            hook.remove()
    towers = [name for name, kind in constant.items() if kind == "dead tower"]
    for name in list(constant):
        if any(name.startswith(f"{tower}.") for tower in towers):
            del constant[name]


def nearly_equal(vectors: Tensor) -> bool:
    """True for vectors (n, E) that are the same but for `EQUAL` of their length, or all 0."""
    vectors = vectors.double()
    return bool(vectors.var(dim=0, correction=0).sum() <= EQUAL**2 * vectors.square().mean(dim=0).sum())
