import pytest
import torch

from adi.models.cross_stitch import CrossStitchBackbone
from adi.models.settings import TowerSettings

F, E, D, DIM = 3, 2, 4, 5
OFFSETS = (0, 2, 2, 3, 6)


@pytest.mark.parametrize("residual", [True, False])
def test_equals_all_domains_networks_mixed_after_each_layer(residual):
    torch.manual_seed(0)
    settings = TowerSettings(embedding_dim=E, dim=DIM, networks=(7, 8), residual=residual)
    made = CrossStitchBackbone(F, D, settings).eval()
    with torch.no_grad():
        for layer in made.layers:
            layer.stitch.weight.copy_(torch.randn(D, D))
    x = torch.randn(6, F, E)
    expected = []
    for row, domain in enumerate((0, 0, 2, 3, 3, 3)):
        hidden = [x[row].flatten()] * D
        for layer in made.layers:
            linears, stitch = [network.linears[0] for network in layer.networks], layer.stitch
            outputs = [(one.weight @ h + one.bias).relu() for one, h in zip(linears, hidden, strict=True)]
            hidden = [sum(stitch.weight[i, j] * outputs[j] for j in range(D)) for i in range(D)]
        vector = made.output.weight(domain) @ hidden[domain] + made.output.bias(domain)
        expected.append(vector + made.residual.project.weight @ x[row].sum(0) if residual else vector)
    torch.testing.assert_close(made(x, torch.randn(6, E), OFFSETS), torch.stack(expected))


def test_one_domains_samples_run_and_train_the_networks_of_all():
    """The exception among the models: a domain keeps only its head from the others' samples."""
    made = CrossStitchBackbone(F, D, TowerSettings(embedding_dim=E, dim=DIM, networks=(7, 8)))
    made(torch.randn(6, F, E), torch.randn(6, E), (0, 0, 0, 6, 6)).sum().backward()
    assert all(parameter.grad is not None for parameter in made.layers.parameters())
    assert [made.output.weight(domain).grad is None for domain in range(D)] == [True, True, False, True]
