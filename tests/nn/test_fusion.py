import math

import pytest
import torch

from adi.errors import AdiError
from adi.nn.fusion import ConcatFusion, SumFusion

OFFSETS = [0, 1, 1, 3]  # D = 3, B = 3, dim = 2, E = 4
SPECIFIC = [[1.0, -2.0], [3.0, 4.0], [0.5, 1.0]]
SHARED = [[5.0, 6.0], [-1.0, 2.0], [8.0, -4.0]]
F_DOMAIN = [[1.0, 0.0, 0.0, 2.0], [0.0, 1.0, 0.0, 0.0], [0.0, 1.0, 1.0, 0.0]]
LN3 = math.log(3.0)  # σ(ln 3) = 3/4, σ(-ln 3) = 1/4, σ(0) = 1/2


def fill(parameter, value):
    with torch.no_grad():
        parameter.copy_(torch.tensor(value))


def fuse(fusion):
    result = fusion(torch.tensor(SPECIFIC), torch.tensor(SHARED), torch.tensor(F_DOMAIN), OFFSETS)
    assert result.shape == (3, fusion.out_features)
    return result


def test_concat_with_one_gate_a_sample():
    fusion = ConcatFusion(2, 4, 3)
    fill(fusion.specific_gate.weight(0), [[LN3, 9.0, 9.0, 0.0]])  # row 0: 3/4
    fill(fusion.specific_gate.weight(1), [[9.0] * 4])
    fill(fusion.specific_gate.weight(2), [[9.0, -LN3, LN3, 9.0]])  # row 1: 1/4, row 2: 1/2
    fill(fusion.shared_gate.weight(0), [[-LN3, 9.0, 9.0, 0.0]])  # row 0: 1/4
    fill(fusion.shared_gate.weight(1), [[9.0] * 4])
    fill(fusion.shared_gate.weight(2), [[9.0, 0.0, LN3, 9.0]])  # row 1: 1/2, row 2: 3/4
    expected = [
        [0.75, -1.5, 0.75 * 1.25, -1.5 * 1.5, 1.25, 1.5],
        [0.75, 1.0, 0.75 * -0.5, 1.0 * 1.0, -0.5, 1.0],
        [0.25, 0.5, 0.25 * 6.0, 0.5 * -3.0, 6.0, -3.0],
    ]
    torch.testing.assert_close(fuse(fusion), torch.tensor(expected))


def test_concat_with_one_gate_an_output():
    fusion = ConcatFusion(2, 4, 3, gate="vector")
    fill(fusion.specific_gate.weight(0), [[LN3, 9.0, 9.0, 0.0], [-LN3, 9.0, 9.0, 0.0]])  # row 0: 3/4, 1/4
    fill(fusion.specific_gate.weight(2), [[9.0, 0.0, LN3, 9.0], [9.0, LN3, 0.0, 9.0]])  # 1/2, 3/4 and 3/4, 3/4
    fill(fusion.shared_gate.weight(0), [[0.0] * 4, [LN3, 0.0, 0.0, 0.0]])  # row 0: 1/2, 3/4
    fill(fusion.shared_gate.weight(2), [[0.0, LN3, 0.0, 0.0], [0.0, 0.0, -LN3, 0.0]])  # 3/4, 1/2 and 3/4, 1/4
    expected = [
        [0.75, -0.5, 0.75 * 2.5, -0.5 * 4.5, 2.5, 4.5],
        [1.5, 3.0, 1.5 * -0.75, 3.0 * 1.0, -0.75, 1.0],
        [0.375, 0.75, 0.375 * 6.0, 0.75 * -1.0, 6.0, -1.0],
    ]
    torch.testing.assert_close(fuse(fusion), torch.tensor(expected))


def test_sum_is_a_convex_mix_with_a_gate_of_the_domain_and_a_bias_of_all():
    fusion = SumFusion(2, 4, 3)
    fill(fusion.gate.weight(0), [[2 * LN3, 9.0, 9.0, 0.0]])  # row 0: ln 3 with the bias
    fill(fusion.gate.weight(1), [[9.0] * 4])
    fill(fusion.gate.weight(2), [[9.0, 0.0, LN3, 9.0]])  # row 1: -ln 3, row 2: 0
    fill(fusion.bias, [-LN3])
    expected = [[2.0, 0.0], [0.0, 2.5], [4.25, -1.5]]
    torch.testing.assert_close(fuse(fusion), torch.tensor(expected))


def test_gates_have_no_bias_in_concat_and_one_shared_by_all_in_sum():
    assert sorted(tuple(p.shape) for p in ConcatFusion(2, 4, 3).parameters()) == [(1, 4)] * 6
    assert sorted(tuple(p.shape) for p in ConcatFusion(2, 4, 3, gate="vector").parameters()) == [(2, 4)] * 6
    assert sorted(tuple(p.shape) for p in SumFusion(2, 4, 3).parameters()) == [(1,)] + [(1, 4)] * 3


@pytest.mark.parametrize("fusion", [ConcatFusion, SumFusion])
def test_shrinkage_makes_the_gates_shared_plus_a_delta(fusion):
    names = [name for name, _ in fusion(2, 4, 3, shrinkage=True).named_parameters() if "weight" in name]
    assert sum("delta" in name for name in names) == 3 * sum(name.endswith(".shared") for name in names) > 0


def test_an_unknown_gate_is_refused_with_the_known_ones():
    with pytest.raises(AdiError, match=r"'vektor' is not one of scalar, vector\. Did you mean 'vector'\?"):
        ConcatFusion(2, 4, 3, gate="vektor")
