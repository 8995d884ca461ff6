import pytest
import torch

from adi.models.mmoe import MmoeBackbone, MmoeSettings

F, E, D, DIM = 3, 2, 4, 5
OFFSETS = (0, 2, 2, 3, 6)


def backbone(**options):
    torch.manual_seed(0)
    return MmoeBackbone(F, D, MmoeSettings(embedding_dim=E, dim=DIM, networks=(7,), **options)).eval()


@pytest.mark.parametrize("residual", [True, False])
def test_equals_the_experts_under_each_domains_gate_and_head(residual):
    made = backbone(residual=residual, experts=3)
    x = torch.randn(6, F, E)
    expected = []
    for row, domain in enumerate((0, 0, 2, 3, 3, 3)):
        flat = x[row].flatten()
        outputs = [(one.linears[0].weight @ flat + one.linears[0].bias).relu() for one in made.experts]
        gate = (made.gate.linear.weight(domain) @ flat).softmax(0)
        mixed = gate[0] * outputs[0] + gate[1] * outputs[1] + gate[2] * outputs[2]
        vector = made.output.weight(domain) @ mixed + made.output.bias(domain)
        expected.append(vector + made.residual.project.weight @ x[row].sum(0) if residual else vector)
    torch.testing.assert_close(made(x, torch.randn(6, E), OFFSETS), torch.stack(expected))


def test_has_one_expert_more_than_domains_unless_told():
    assert len(backbone().experts) == D + 1
    assert len(backbone(experts=2).experts) == 2
