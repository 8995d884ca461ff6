"""Layers that depend on all samples of a batch, which several processes divide among them."""

from torch import nn

from adi.processes.group import ALONE, Processes


class Synchronised(nn.Module):
    """A layer with statistics of a batch. In training, they are those of the samples of all `processes` together."""

    processes: Processes = ALONE


def synchronise(model: nn.Module, processes: Processes) -> None:
    """Let the layers of a model share the statistics of their batches with those of other processes."""
    for module in model.modules():
        if isinstance(module, Synchronised):
            module.processes = processes
