import pytest
import torch

from adi.models.ple import PleBackbone, PleSettings

F, E, D, DIM = 3, 2, 4, 5
OFFSETS = (0, 2, 2, 3, 6)


@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize("shared_networks", [1, 2])
def test_equals_the_own_and_the_shared_experts_under_each_domains_gate_and_head(residual, shared_networks):
    torch.manual_seed(0)
    settings = PleSettings(embedding_dim=E, dim=DIM, networks=(7,), shared_networks=shared_networks, residual=residual)
    made = PleBackbone(F, D, settings).eval()
    x = torch.randn(6, F, E)
    expected = []
    for row, domain in enumerate((0, 0, 2, 3, 3, 3)):
        flat = x[row].flatten()
        own = made.specific.linears[0]
        outputs = [(own.weight(domain) @ flat + own.bias(domain)).relu()]
        outputs += [(one.linears[0].weight @ flat + one.linears[0].bias).relu() for one in made.shared]
        gate = (made.gate.linear.weight(domain) @ flat).softmax(0)
        assert len(gate) == 1 + shared_networks
        mixed = sum(weight * output for weight, output in zip(gate, outputs, strict=True))
        vector = made.output.weight(domain) @ mixed + made.output.bias(domain)
        expected.append(vector + made.residual.project.weight @ x[row].sum(0) if residual else vector)
    torch.testing.assert_close(made(x, torch.randn(6, E), OFFSETS), torch.stack(expected))
