import pytest
import torch

from adi.models.shared_bottom import SharedBottomBackbone, SharedBottomSettings

F, E, D, DIM = 3, 2, 4, 5
OFFSETS = (0, 2, 2, 3, 6)


@pytest.mark.parametrize("residual", [True, False])
def test_equals_the_shared_network_under_each_domains_own(residual):
    torch.manual_seed(0)
    settings = SharedBottomSettings(embedding_dim=E, dim=DIM, networks=(7,), head=(8,), residual=residual)
    made = SharedBottomBackbone(F, D, settings).eval()
    x = torch.randn(6, F, E)
    expected = []
    for row, domain in enumerate((0, 0, 2, 3, 3, 3)):
        bottom = (made.bottom.linears[0].weight @ x[row].flatten() + made.bottom.linears[0].bias).relu()
        head = made.head.linears[0]
        hidden = (head.weight(domain) @ bottom + head.bias(domain)).relu()
        vector = made.output.weight(domain) @ hidden + made.output.bias(domain)
        expected.append(vector + made.residual.project.weight @ x[row].sum(0) if residual else vector)
    torch.testing.assert_close(made(x, torch.randn(6, E), OFFSETS), torch.stack(expected))


def test_without_a_head_of_its_own_a_domain_has_the_last_layer():
    settings = SharedBottomSettings(embedding_dim=E, dim=DIM, networks=(7,), head=())
    made = SharedBottomBackbone(F, D, settings)
    assert not list(made.head.parameters())
    assert made.output.weight(0).shape == (DIM, 7)
