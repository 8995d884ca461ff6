"""Cross-Stitch: a network per domain, with their outputs mixed after each layer (CVPR 2016; ADI section 5.1.2)."""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from adi.batch import Offsets
from adi.models.model import TrainedModel
from adi.models.settings import TowerSettings
from adi.nn.cross_stitch import CrossStitch
from adi.nn.domain_linear import DomainLinear
from adi.nn.domain_parameter import by_domain, split_by_domain
from adi.nn.domain_state import DomainState, exchanged
from adi.nn.feature_sum import FeatureSum
from adi.nn.mlp import MLP


class StitchedLayer(DomainState):
    """One layer of every domain's network, then the unit that mixes them: D tensors (R, before) -> D of (R, after)."""

    def __init__(self, before: int, after: int, num_domains: int, settings: TowerSettings) -> None:
        super().__init__()
        self.networks = nn.ModuleList(
            MLP(before, (after,), norm=settings.norm, dropout=settings.dropout, num_domains=num_domains)
            for _ in range(num_domains)
        )
        self.stitch = CrossStitch(num_domains)

    def forward(self, hidden: Sequence[Tensor], offsets: Offsets) -> Sequence[Tensor]:
        outputs = [network(h, offsets) for network, h in zip(self.networks, hidden, strict=True)]
        mixed: tuple[Tensor, ...] = self.stitch(outputs)
        return mixed

    def exchange(self, first: int, second: int) -> None:
        networks = self.networks
        networks[first], networks[second] = networks[second], networks[first]
        mixed_by_row = exchanged(self.stitch.weight, first, second)
        self.stitch.weight = nn.Parameter(exchanged(mixed_by_row.T, first, second).T)


class CrossStitchBackbone(nn.Module):
    """The network of one tower: embedded features x (R, F, E) -> vectors (R, dim).

        h_i = sum_j A_ij layer_j(h_j) after each layer, from h_i = F
        E = W^(d) h_d    (+ the sum of the features)

    Every sample runs the networks of all D domains, because a domain's output mixes all of theirs. The cost therefore
    grows with D, unlike that of the other models, which run a sample through its own domain's network only.
    """

    def __init__(self, num_features: int, num_domains: int, settings: TowerSettings) -> None:
        super().__init__()
        widths = (num_features * settings.embedding_dim, *settings.networks)
        self.layers = nn.ModuleList(
            StitchedLayer(before, after, num_domains, settings) for before, after in pairwise(widths)
        )
        self.output = DomainLinear(widths[-1], settings.dim, num_domains)
        self.residual = FeatureSum(num_features, settings.embedding_dim, settings.dim) if settings.residual else None

    def forward(self, x: Tensor, f_domain: Tensor, offsets: Offsets) -> Tensor:
        hidden: Sequence[Tensor] = [x.flatten(1)] * (len(offsets) - 1)  # D of (R, F E)
        for layer in self.layers:
            hidden = layer(hidden, offsets)  # D of (R, H)
        routed = by_domain(offsets, lambda d, _: split_by_domain(hidden[d], offsets)[d])  # (R, H)
        output: Tensor = self.output(routed, offsets)  # (R, dim)
        return output if self.residual is None else output + self.residual(x, offsets)


CROSS_STITCH = TrainedModel(
    name="cross-stitch",
    summary="a network per domain, mixed after each layer; cost grows with D",
    settings=TowerSettings,
    backbone=CrossStitchBackbone,
)
