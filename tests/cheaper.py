"""Costs that tests pay once, not hundreds of times: traces of networks, waits for the disk, garbage collection."""

import gc
import io
import os
import pickle
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import Any

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slow tests are the first, so that at the end no process works on one while the others have nothing to do."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


class _Structure(pickle.Pickler):
    """Pickles a network with its settings and code, and of its weights the shapes alone."""

    def __init__(self, file: io.BytesIO, weights: Mapping[int, tuple[object, ...]]) -> None:
        super().__init__(file)
        self.weights = weights
        self.fast = True  # equal parts are written alike, whether they are one object or two

    def persistent_id(self, obj: Any) -> tuple[object, ...] | None:
        return self.weights.get(id(obj))


def structure_of(network: Any, inputs: Mapping[str, Any], output: str) -> bytes:
    """Everything about a network that its trace depends on."""
    weights = network.state_dict(keep_vars=True)
    named = {id(tensor): (name, tuple(tensor.shape), str(tensor.dtype)) for name, tensor in weights.items()}
    examples = [(name, tuple(tensor.shape), str(tensor.dtype)) for name, tensor in inputs.items()]
    _Structure(file := io.BytesIO(), named).dump((network, examples, output))
    return file.getvalue()


def trace_once(graphs: Any, patch: pytest.MonkeyPatch) -> dict[bytes, Any]:
    """Let the module `adi.exporting.graphs` trace each network once, and replace its weights, as it does for domains.

    Each export compares its graphs with the model. The operators that PyTorch's exporter knows are read once, too.
    Returns the traces; clear them to trace anew.
    """
    traced: dict[bytes, Any] = {}
    trace: Callable[..., Any] = graphs._trace

    def traced_once(network: Any, inputs: Mapping[str, Any], output: str) -> Any:
        structure = structure_of(network, inputs, output)
        if not traced:
            registry = import_module("torch.onnx._internal.exporter._registration").ONNXRegistry
            patch.setattr(registry, "from_torchlib", staticmethod(cache(registry.from_torchlib)))
        if structure not in traced:
            traced[structure] = trace(network, inputs, output)
        return traced[structure]

    patch.setattr(graphs, "_trace", traced_once)
    return traced


@pytest.fixture(scope="session", autouse=True)
def traces() -> Iterator[dict[bytes, Any]]:
    """Exports trace a network once for all tests of a process."""
    with pytest.MonkeyPatch.context() as patch:
        graphs = sys.modules.get("adi.exporting.graphs")  # None: no test exports
        yield {} if graphs is None else trace_once(graphs, patch)


@pytest.fixture(scope="session", autouse=True)
def _no_waiting_for_the_disk() -> Iterator[None]:
    """Skip fsync: files of tests need not survive a power cut. Tests of full disks replace this by a failure."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def _garbage_waits() -> Iterator[None]:
    """With every library loaded, a search for garbage among all objects takes a second; each file's tests begin one."""
    thresholds = gc.get_threshold()
    gc.set_threshold(*thresholds[:2], 1_000_000)
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


@pytest.fixture(scope="module", autouse=True)
def _garbage_of_the_last_file(_garbage_waits: None) -> None:
    """Search what came since the last search; what is left of that is passed over from now on."""
    gc.collect()
    gc.freeze()
