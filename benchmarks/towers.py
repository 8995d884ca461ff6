"""Models to measure, with fresh weights: the one module of the benchmarks that builds adi's models by name."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from adi.batch import Offsets
from adi.data.dataset import Dataset
from adi.data.sealed import files_in
from adi.models.catalog import MODELS
from adi.models.model import TrainedModel
from adi.models.tower import Feature
from adi.models.two_tower import TwoTower
from adi.processes.group import ALONE, Processes
from adi.runs.info import RunInfo, weights_file, write_info
from adi.training.device import device_named
from adi.training.optimizers import TableOptimizer
from adi.training.settings import TrainingSettings, as_config, settings_for
from adi.training.step import Step
from adi.training.tensor_file import save_tensors

ADI, DNN = "adi-se", "dnn"
NETWORKS = (256, 128, 64)
"""Layer widths of the networks in every training that is measured, of adi's models and of the other libraries'."""


def dataset_step(
    dataset: Dataset, model: str, training: TrainingSettings, *, masked: bool = False, device: str = "cpu"
) -> Step:
    """A training step of a model for a dataset, with the model's default settings but for `NETWORKS`.

    With `masked`, the backbones are `MaskedBackbone`.
    """
    kind = _trained_model(model, masked)
    torch.manual_seed(0)
    return _step(kind, kind.build(dataset, _settings(kind)), training, device)


def synthetic_step(
    user_features: Sequence[Feature],
    item_features: Sequence[Feature],
    num_domains: int,
    model: str,
    *,
    masked: bool = False,
    device: str = "cpu",
    processes: Processes = ALONE,
    tables: Callable[[TwoTower], TableOptimizer] | None = None,
) -> Step:
    """The same for features that are not a dataset's, with the default settings of a training.

    Of several `processes`, which divide the tables; `tables` makes the optimizer of these.
    """
    kind = _trained_model(model, masked)
    torch.manual_seed(0)
    towers = kind.build_towers(user_features, item_features, num_domains, _settings(kind))
    return _step(kind, towers, TrainingSettings(), device, processes, None if tables is None else tables(towers))


def write_untrained_run(
    run: Path, dataset: Dataset, model: str, settings: Mapping[str, Any], item_embeddings: Tensor, *, seed: int
) -> None:
    """Write the complete run of a model with fresh weights, but for the embeddings of the items' ids.

    Args:
        run: the folder to make.
        settings: those that are not the model's defaults.
        item_embeddings: one row for each item, in the order of their numbers in the dataset (items, embedding_dim).
        seed: of the fresh weights.
    """
    kind = _trained_model(model)
    chosen = settings_for(kind, settings)
    torch.manual_seed(seed)
    towers = kind.build(dataset, chosen.model)
    codes = dataset.feature("item", "item_id")[: len(item_embeddings)].astype(np.int64)
    with torch.no_grad():
        towers.tables.weight[towers.tables.first["item_id"] + torch.from_numpy(codes)] = item_embeddings
    run.mkdir()
    save_tensors(weights_file(run, by_domain=False, epoch=0), towers.state_dict())
    info = RunInfo(
        model=model,
        seed=seed,
        status="complete",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        domains=dataset.domains,
        prepared=os.path.relpath(dataset.folder.resolve(), run.resolve()),
        fingerprint=dataset.manifest.fingerprint,
        versions={},
        config=as_config(chosen.model_copy(update={"training": chosen.for_data(dataset.manifest).training})),
        files=files_in(run),
    )
    write_info(run, info)


def _trained_model(name: str, masked: bool = False) -> TrainedModel:
    kind = MODELS[name]
    assert isinstance(kind, TrainedModel)
    backbone = kind.backbone
    return replace(kind, backbone=lambda *sizes: MaskedBackbone(backbone(*sizes))) if masked else kind


def _settings(kind: TrainedModel) -> Any:
    return settings_for(kind, {"networks": NETWORKS}).model


def _step(
    kind: TrainedModel,
    towers: TwoTower,
    training: TrainingSettings,
    device: str,
    processes: Processes = ALONE,
    tables: TableOptimizer | None = None,
) -> Step:
    return Step(towers.to(device_named(device)).train(), training, kind.loss, processes, tables)


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
