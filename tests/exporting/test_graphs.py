"""Networks of one structure are traced once, and each graph has the weights of its own."""

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from adi.exporting import graphs as graphs_module
from adi.exporting.graphs import Graphs
from adi.nn.domain_state import exchanged


class Layer(nn.Module):
    def __init__(self, width=3):
        super().__init__()
        self.linear = nn.Linear(width, 2)
        self.register_buffer("scale", torch.rand(2))

    def forward(self, x):
        return self.linear(x).relu() * (self.scale + 1.0)


@pytest.fixture
def traced(monkeypatch):
    """The networks that were traced."""
    networks, trace = [], graphs_module._trace

    def counted(network, inputs, output):
        networks.append(network)
        return trace(network, inputs, output)

    monkeypatch.setattr(graphs_module, "_trace", counted)
    return networks


def answer(path, x):
    (found,) = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"x": x.numpy()})
    return found


def test_each_graph_has_its_own_weights(tmp_path, traced):
    graphs, layers, x = Graphs(), [Layer().eval() for _ in range(3)], torch.randn(5, 3)
    for number, layer in enumerate(layers):
        graphs.write(layer, {"x": torch.zeros(4, 3)}, "y", tmp_path / f"{number}.onnx")
    for number, layer in enumerate(layers):
        np.testing.assert_allclose(
            answer(tmp_path / f"{number}.onnx", x), layer(x).detach().numpy(), rtol=1e-5, atol=1e-6
        )
    assert traced == layers[:1]


def test_another_structure_is_traced_anew(tmp_path, traced):
    graphs, layers = Graphs(), [Layer().eval(), Layer(4).eval()]
    for number, layer in enumerate(layers):
        width = layer.linear.in_features
        graphs.write(layer, {"x": torch.zeros(4, width)}, "y", tmp_path / f"{number}.onnx")
        x = torch.randn(5, width)
        np.testing.assert_allclose(
            answer(tmp_path / f"{number}.onnx", x), layer(x).detach().numpy(), rtol=1e-5, atol=1e-6
        )
    assert traced == layers


def test_two_rows_are_exchanged_in_a_copy():
    rows = torch.arange(4.0)[:, None]
    assert exchanged(rows, 0, 2).tolist() == [[2.0], [1.0], [0.0], [3.0]]
    assert rows.tolist() == [[0.0], [1.0], [2.0], [3.0]]
    single = torch.ones(1, 2)
    assert exchanged(single, 0, 2) is single
