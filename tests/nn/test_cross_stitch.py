import pytest
import torch

from adi.nn.cross_stitch import CrossStitch

OUTPUTS = [  # n = 3, B = 2, dim = 4
    [[1.0, 2.0, 3.0, 4.0], [0.0, 1.0, 0.0, 1.0]],
    [[1.0, 0.0, 1.0, 0.0], [2.0, 2.0, 4.0, 4.0]],
    [[0.0, 5.0, 0.0, 5.0], [1.0, 1.0, 1.0, 1.0]],
]


def test_each_output_is_its_rows_mix_of_all():
    stitch = CrossStitch(3)
    with torch.no_grad():
        stitch.weight.copy_(torch.tensor([[1.0, 0.0, 2.0], [0.5, 0.5, 0.0], [-1.0, 0.0, 1.0]]))
    mixed = stitch([torch.tensor(output) for output in OUTPUTS])
    assert [one.tolist() for one in mixed] == [
        [[1.0, 12.0, 3.0, 14.0], [2.0, 3.0, 2.0, 3.0]],
        [[1.0, 1.0, 2.0, 2.0], [1.0, 1.5, 2.0, 2.5]],
        [[-1.0, 3.0, -3.0, 1.0], [1.0, 0.0, 1.0, 0.0]],
    ]


@pytest.mark.parametrize(("networks", "own", "other"), [(1, 1.0, 0.0), (2, 0.9, 0.1), (4, 0.85, 0.05)])
def test_starts_as_mostly_the_networks_own_output(networks, own, other):
    expected = torch.full((networks, networks), other).fill_diagonal_(own)
    torch.testing.assert_close(CrossStitch(networks).weight.detach(), expected)
    alone = CrossStitch(networks, self_weight=1.0)([torch.tensor(OUTPUTS[0])] * networks)
    torch.testing.assert_close(alone[0], torch.tensor(OUTPUTS[0]))
