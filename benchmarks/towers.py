"""Models to measure, with fresh weights: the one module of the benchmarks that builds adi's models by name."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from adi.batch import Offsets
from adi.data.dataset import Dataset
from adi.models import catalog
from adi.models.catalog import TrainedModel
from adi.models.settings import TowerSettings
from adi.models.two_tower import Feature, TwoTower
from adi.training.checkpoint import save_tensors
from adi.training.run import new_info, settings_for, weights_file, write_json

ADI, DNN = "adi-se", "dnn"
NETWORKS = (256, 128, 64)
"""Layer widths of the networks in every training that is measured, of adi's models and of the other libraries'."""


def dataset_towers(dataset: Dataset, model: str, *, masked: bool = False) -> TwoTower:
    """The towers of a model for the features of a dataset, with default settings but for `NETWORKS`.

    With `masked`, the backbones are `MaskedBackbone`.
    """
    kind = _trained_model(model, masked)
    overrides: dict[str, Any] = {"networks": NETWORKS}
    fewest_features = min(len(dataset.manifest.side("user", "context")), len(dataset.manifest.side("item")))
    if fewest_features < 2 and "adaptation" in kind.settings.model_fields:
        overrides["adaptation"] = "none"  # a single feature leaves nothing to weigh, which the model refuses
    torch.manual_seed(0)
    return catalog.build(kind, dataset, _settings(kind, overrides))


def synthetic_towers(
    user_features: Sequence[Feature],
    item_features: Sequence[Feature],
    num_domains: int,
    model: str,
    *,
    masked: bool = False,
) -> TwoTower:
    """The same, for features that are not a dataset's."""
    kind = _trained_model(model, masked)
    torch.manual_seed(0)
    settings = _settings(kind, {"networks": NETWORKS})
    return catalog.build_towers(kind, user_features, item_features, num_domains, settings)


def write_untrained_run(
    run: Path, dataset: Dataset, model: str, settings: Mapping[str, Any], item_embeddings: Tensor, *, seed: int
) -> None:
    """Write the complete run of a model with fresh weights, but for the embeddings of the items' ids.

    Args:
        run: the folder to make.
        settings: those of the model that are not its defaults.
        item_embeddings: one row for each item, in the order of their numbers in the dataset (items, embedding_dim).
        seed: of the fresh weights.
    """
    chosen = settings_for(model, settings)
    torch.manual_seed(seed)
    towers = catalog.build(_trained_model(model), dataset, chosen.model)  # type: ignore[arg-type]
    codes = dataset.feature("item", "item_id")[: len(item_embeddings)].astype(np.int64)
    with torch.no_grad():
        towers.tables.weight[towers.tables.first["item_id"] + torch.from_numpy(codes)] = item_embeddings
    run.mkdir()
    save_tensors(weights_file(run, "mean", 0), towers.state_dict())
    info = new_info(model, seed, chosen, dataset, run)
    write_json(run / "run.json", info.model_copy(update={"status": "complete"}).model_dump_json(indent=1))


def _trained_model(name: str, masked: bool = False) -> TrainedModel:
    kind = catalog.model_named(name)
    assert isinstance(kind, TrainedModel)
    if not masked:
        return kind
    backbone: Callable[..., nn.Module] = kind.backbone
    return replace(kind, backbone=lambda *arguments: MaskedBackbone(backbone(*arguments)))


def _settings(kind: TrainedModel, overrides: Mapping[str, Any]) -> TowerSettings:
    return kind.settings(**{**kind.defaults, **overrides})


class MaskedBackbone(nn.Module):
    """A backbone as public multi-domain libraries compute it: for every domain of every sample, all but one discarded.

    The result is that of the backbone itself; the cost grows with the number of domains.

    Shapes:
        x (R, F, E), f_domain (R, E), D + 1 offsets -> (R, dim)
    """

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, x: Tensor, f_domain: Tensor, offsets: Offsets) -> Tensor:
        sizes = torch.tensor([end - start for start, end in pairwise(offsets)], device=x.device)
        num_domains = len(sizes)
        domains = torch.repeat_interleave(torch.arange(num_domains, device=x.device), sizes)  # (R,)
        chosen: Tensor | None = None
        for domain in range(num_domains):
            all_in_domain = (*[0] * (domain + 1), *[len(x)] * (num_domains - domain))
            output = self.backbone(x, f_domain, all_in_domain)  # (R, dim)
            chosen = output if chosen is None else torch.where((domains == domain)[:, None], output, chosen)
        assert chosen is not None
        return chosen
