"""ONNX graphs of a bundle: each network is traced once, and written with the weights of each domain."""

import logging
import warnings
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import onnx_ir
import torch
from torch import Tensor, nn

from adi.models.two_tower import OneDomain
from adi.nn.domain_state import DomainState


def leading(domain: OneDomain) -> OneDomain:
    """The same towers with this domain as the first of all, which shares its tensors with them.

    Networks that lead so are of one structure, whatever their domain, and differ in their weights.
    """
    if not domain.number:
        return domain
    tensors = chain(domain.towers.parameters(), domain.towers.buffers())
    towers = deepcopy(domain.towers, {id(tensor): tensor for tensor in tensors})
    for module in towers.modules():
        if isinstance(module, DomainState):
            module.exchange(0, domain.number)
    return replace(domain, towers=towers, number=0)


class Graphs:
    """Writes networks as graphs. One of the structure of an earlier one is not traced again, which takes seconds."""

    def __init__(self) -> None:
        self._traced: dict[tuple[object, ...], Any] = {}

    def write(self, network: nn.Module, inputs: Mapping[str, Tensor], output: str, path: Path) -> None:
        """Write a network with inputs and an output of the given names, of any length of the first axis.

        Args:
            network: of a domain that is `leading`.
            inputs: an example of each input, in the order of the network's.
        """
        state = network.state_dict()
        shapes = ((name, tensor.shape) for name, tensor in chain(state.items(), inputs.items()))
        structure = (type(network), output, *shapes)
        if structure not in self._traced:
            self._traced[structure] = _trace(network, inputs, output)
        program = self._traced[structure]
        for name, value in program.model.graph.initializers.items():
            if name in state:
                value.const_value = onnx_ir.tensor(state[name].detach().cpu().numpy(), name=name)
        path.parent.mkdir(exist_ok=True)
        program.save(path)


def _trace(network: nn.Module, inputs: Mapping[str, Tensor], output: str) -> Any:
    count = torch.export.Dim("count", min=1)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # else it names packages that are not needed
    with warnings.catch_warnings():
        # Raised within torch 2.13's exporter, about torch's own classes.
        warnings.filterwarnings("ignore", r"# The axis name: count will not be used", UserWarning)
        warnings.filterwarnings("ignore", r"`isinstance\(treespec, LeafSpec\)` is deprecated", FutureWarning)
        program = torch.onnx.export(
            network.eval(),
            tuple(inputs.values()),
            dynamo=True,
            optimize=False,  # else what depends on weights alone is computed now; a session does so when it opens
            verbose=False,
            dynamic_shapes={name: {0: count} for name in inputs},
            input_names=list(inputs),
            output_names=[output],
        )
    assert program is not None
    for node in program.model.graph:  # torch notes the lines of code, with the path of this installation
        node.metadata_props.clear()
    return program
