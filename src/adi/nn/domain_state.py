"""Modules with weights for each domain, and the exchange of two domains' weights."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn


class DomainState(nn.Module, ABC):
    """A module that has a weight, or a statistic, for each domain."""

    @abstractmethod
    def exchange(self, first: int, second: int) -> None:
        """Exchange the weights of two domains, without writing into a tensor; one for all domains stays."""


def exchanged(rows: Tensor, first: int, second: int) -> Tensor:
    """A copy of the rows of all domains, two of which are exchanged; a single row is that of all domains."""
    if len(rows) == 1:
        return rows
    order = torch.arange(len(rows), device=rows.device)
    order[[first, second]] = order[[second, first]]
    return rows.detach()[order]
