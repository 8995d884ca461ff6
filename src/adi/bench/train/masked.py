"""A multi-domain network as public libraries build one: every domain's on the whole batch, then a choice by sample."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import torch
from torch import Tensor, nn

from adi.batch import Offsets
from adi.models.catalog import TrainedModel


class MaskedBackbone(nn.Module):
    """What a backbone makes of a batch, computed for every domain of every sample; its cost grows with the domains.

    Shapes:
        x (R, F, E), f_domain (R, E), D + 1 offsets -> (R, dim)
    """

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, x: Tensor, f_domain: Tensor, offsets: Offsets) -> Tensor:
        sizes = [end - start for start, end in pairwise(offsets)]
        own = torch.repeat_interleave(torch.arange(len(sizes), device=x.device), torch.tensor(sizes, device=x.device))
        chosen: Tensor | None = None
        for domain in range(len(sizes)):
            whole = (*[0] * (domain + 1), *[len(x)] * (len(sizes) - domain))  # all rows, as if of this domain
            output = self.backbone(x, f_domain, whole)
            chosen = output if chosen is None else torch.where((own == domain)[:, None], output, chosen)
        assert chosen is not None
        return chosen


def masked(model: TrainedModel) -> TrainedModel:
    """The same model with its backbone in this form."""
    build: Callable[..., nn.Module] = model.backbone
    return replace(model, backbone=lambda *given: MaskedBackbone(build(*given)))
