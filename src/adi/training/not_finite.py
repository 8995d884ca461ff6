"""The first value of a step that is not finite: in which weight, input, layer or gradient it is, and in which domain.

Looking for it repeats the step, which costs nothing while all is well.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from adi.batch import Batch
from adi.losses import Loss
from adi.models.two_tower import TwoTower
from adi.nn.embedding import EmbeddingTables
from adi.processes.group import Processes
from adi.training.step import EMBEDDINGS, Step, domain_losses

RandomState = Mapping[str, Tensor]


def random_state(device: torch.device) -> RandomState:
    """The state of the random numbers, by the name of its device."""
    state = {"cpu": torch.get_rng_state()}
    return state if device.type != "cuda" else state | {str(device): torch.cuda.get_rng_state(device)}


def set_random_state(state: RandomState) -> None:
    """Go back to a state of the random numbers, so that a step that is repeated drops out the same."""
    for device, numbers in state.items():
        torch.set_rng_state(numbers) if device == "cpu" else torch.cuda.set_rng_state(numbers, device)


@dataclass(frozen=True)
class NotFinite:
    """A value that is not finite, in words, the domains whose loss it spoils, and the remedy in a sentence."""

    domains: tuple[int, ...]
    where: str
    remedy: str

    def sentences(self, names: Sequence[str]) -> str:
        """All of it in words, with the names of the domains."""
        domains = ", ".join(names[domain] for domain in self.domains)
        sentence = f"The first value that is not finite is in {self.where}. {self.remedy}"
        return f"Domains: {domains}. {sentence}" if domains else sentence


LOWER = "Lower training.lr or training.embedding_lr."
REPAIR = "The data is at fault, not the training: compare it with its digests (adi verify), or prepare it again."


def first_not_finite(step: Step, batch: Batch, state: RandomState, processes: Processes) -> NotFinite:
    """The first value that is not finite in a step that began with a random state, and was not applied.

    Several processes call it together.
    """
    batch = batch.to(step.model.tables.device)
    domains = tuple(domain for domain, loss in step.losses.items() if not loss.isfinite())
    weight, data, gradient = not_finite_weight(step.model), _input(batch), _gradient(step)
    set_random_state(state)
    with torch.no_grad(), _outputs(step.model) as outputs:
        domain_losses(step.model, batch, step.loss, processes)
    where = weight or data or next(iter(outputs), None)
    if where is None and domains:
        where = "the loss, of users' and items' vectors that are finite"
    elif where is None:
        where = gradient or "the norm of the gradients, which are finite"
        if gradient and not processes.several:
            domains = _domains_of_gradients(step.model, batch, step.loss, state)
    reports = processes.objects((domains, where, weight is None and data is not None))
    all_domains = tuple(sorted({domain for of_process, *_ in reports for domain in of_process}))
    _, where, of_data = next((part for part in reports if part[0]), reports[0])
    return NotFinite(all_domains, where, REPAIR if of_data else LOWER)


def not_finite_weight(model: TwoTower) -> str | None:
    """The first of this process's weights and statistics that is not finite, in words; None if all are."""
    for shard in model.tables.shards:
        if not shard.weight.isfinite().all():
            row = int((~shard.weight.isfinite().all(dim=1)).nonzero()[0])
            table, number = table_of(model.tables, shard.first + row)
            return f"the embedding of row {number} of feature '{table}'"
    shards = {shard.weight.data_ptr() for shard in model.tables.shards}
    for name, weight in model.named_parameters():
        if weight.data_ptr() not in shards and not weight.isfinite().all():
            return f"the weight {name}"
    return None


def table_of(tables: EmbeddingTables, row: int) -> tuple[str, int]:
    """The feature of a row of the packed tables, and its number in the table of the feature."""
    name = max((name for name, first in tables.first.items() if first <= row), key=lambda name: tables.first[name])
    return name, row - tables.first[name]


def _input(batch: Batch) -> str | None:
    """The first number of a batch that is not finite and should be, in words."""
    if not batch.item_log_popularity.isfinite().all():
        return "the input: the popularity of items"
    for domain, candidates in batch.candidates.items():
        if candidates.log_q.isnan().any() or not candidates.positive_log_q.isfinite().all():
            return "the input: the probabilities of negatives"
        trends = batch.trends.get(domain)
        parts = [] if trends is None else [("trend features", trends.features), ("co-clicks", trends.co_clicks)]
        if trends is not None and trends.audiences is not None:
            parts.append(("audiences", trends.audiences))
        for name, numbers in parts:
            if not numbers.isfinite().all():
                return f"the input: the {name} of items"
    return None


@contextmanager
def _outputs(model: nn.Module) -> Iterator[list[str]]:
    """A list that gets, in the order of the computation, the modules whose output is not finite."""
    names: list[str] = []

    def look(name: str, output: object) -> None:
        if isinstance(output, Tensor) and output.is_floating_point() and not output.isfinite().all():
            names.append(f"the output of {name}")

    hooks = [
        module.register_forward_hook(lambda module, inputs, output, name=name: look(name, output))
        for name, module in model.named_modules()
        if name
    ]
    try:
        yield names
    finally:
        for hook in hooks:
            hook.remove()


def _gradient(step: Step) -> str | None:
    """The gradient of the last backward pass that is not finite, in words: the last of the model, where it began."""
    spoilt = [name for name, gradient in step.named_gradients() if not gradient.isfinite().all()]
    networks = [name for name in spoilt if name != EMBEDDINGS]
    if networks:
        return f"the gradient of {networks[-1]}"
    return "the gradient of the embeddings" if spoilt else None


def _domains_of_gradients(model: TwoTower, batch: Batch, loss: Loss, state: RandomState) -> tuple[int, ...]:
    """The domains whose losses are finite and have gradients that are not."""
    model.tables.touched.clear()
    set_random_state(state)
    losses = domain_losses(model, batch, loss)
    weights: list[Tensor] = [parameter for parameter in model.parameters() if parameter.requires_grad]
    weights += [source for _, source in model.tables.touched]
    domains = []
    for domain, of_domain in losses.items():
        gradients = torch.autograd.grad(of_domain, weights, retain_graph=True, allow_unused=True)
        if not all(gradient is None or bool(gradient.isfinite().all()) for gradient in gradients):
            domains.append(domain)
    return tuple(domains)
