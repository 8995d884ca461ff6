import pytest
import torch
from pydantic import ValidationError

from adi.models.dnn import DnnBackbone, DnnSettings

F, E, D, DIM = 3, 2, 4, 5


def backbone(**options):
    torch.manual_seed(0)
    return DnnBackbone(F, D, DnnSettings(embedding_dim=E, dim=DIM, networks=(7,), dropout=0.0, **options)).eval()


@pytest.mark.parametrize("residual", [True, False])
def test_equals_one_network_for_all_domains(residual):
    made = backbone(residual=residual, norm="none")
    x = torch.randn(6, F, E)
    hidden = (x.flatten(1) @ made.network.linears[0].weight.T + made.network.linears[0].bias).relu()
    expected = hidden @ made.output.weight.T + made.output.bias
    if residual:
        expected = expected + x.sum(1) @ made.residual.project.weight.T
    assert expected.shape == (6, DIM)
    torch.testing.assert_close(made(x, torch.randn(6, E), (0, 2, 2, 3, 6)), expected)
    torch.testing.assert_close(made(x, torch.randn(6, E), (0, 0, 0, 0, 6)), expected)  # whatever the domains


def test_norm_by_domain_is_not_offered():
    with pytest.raises(ValidationError, match="'none' or 'batch'"):
        DnnSettings(norm="domain")
