"""The user tower of a domain without its tables, as a module on padded rows and as an ONNX graph of that."""

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from adi.bundle.padding import Slots
from adi.models.tower import DOMAIN, feature_key
from adi.models.two_tower import OneDomain
from adi.nn.behaviours import padded_mean


class PaddedTower(nn.Module):
    """A domain's user tower on rows of the tables, by slot, as `adi.bundle.padding.fill` places them.

    Shapes:
        rows (R, S, E), those of empty slots of any value; given (R, S) -> vectors (R, I, dim), of I interests
    """

    def __init__(self, one: OneDomain, slots: Sequence[Slots]) -> None:
        super().__init__()
        self.one, self.towers = one, one.towers
        self.widths = [own.width for own in slots]

    def forward(self, rows: Tensor, given: Tensor) -> Tensor:
        tower = self.towers.user_tower
        rows = rows * given[:, :, None]
        by_feature, kept = (torch.split(whole, self.widths, dim=1) for whole in (rows, given))
        parts = list(zip(tower.names, by_feature, kept, strict=True))
        own = parts[-1][1].sum(dim=1)  # (R, E)
        f_domain = own if tower.names[-1] == DOMAIN else torch.zeros_like(own)
        columns = [self._column(*part, f_domain) for part in parts]
        vectors = self.towers.finish_users(tower.from_columns(columns, self.one.offsets(rows.shape[0])))
        return vectors if vectors.ndim == 3 else vectors[:, None]

    def _column(self, name: str, rows: Tensor, given: Tensor, f_domain: Tensor) -> Tensor:
        """A feature's embedding (R, 1, E), that of encoded behaviours (R, heads, E)."""
        tower, key = self.towers.user_tower, feature_key(name)
        encoder = tower.encoder_of(name)
        column = padded_mean(rows, given) if encoder is None else encoder.padded(rows, given, f_domain)
        if key in tower.histories:
            column = column * given.sum(dim=1)[:, None, None] ** tower.power
        return column


def export_graph(tower: PaddedTower, embedding_dim: int, path: Path) -> None:
    """Write the graph of a tower: inputs `rows` and `given`, output `vectors`, for any number of queries."""
    slots = sum(tower.widths)
    example = torch.zeros(4, slots, embedding_dim), torch.ones(4, slots)
    queries = torch.export.Dim("queries", min=1)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # names packages that are not needed
    with warnings.catch_warnings():
        # From within torch 2.13's exporter, of torch's own classes.
        warnings.filterwarnings("ignore", r"# The axis name: queries will not be used", UserWarning)
        warnings.filterwarnings("ignore", r"`isinstance\(treespec, LeafSpec\)` is deprecated", FutureWarning)
        program = torch.onnx.export(
            tower.eval(),
            example,
            dynamo=True,
            verbose=False,
            dynamic_shapes={"rows": {0: queries}, "given": {0: queries}},
            input_names=["rows", "given"],
            output_names=["vectors"],
        )
        assert program is not None
        program.save(path)
