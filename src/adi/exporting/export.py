"""From a run to a bundle: a folder that answers requests without the run, checked against it before it is published."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from adi.bundle.engine import NOTHING, BundleEngine, best
from adi.bundle.manifest import DATA, FORMAT, MANIFEST, BidsInfo, BundleInfo, DomainInfo, Parity, files_in, version_of
from adi.bundle.provenance import keep_origin
from adi.bundle.user_tower import TowerInfo, UserTower
from adi.data.arrays import Array
from adi.data.bids import MOST_WEIGHT, log_bids
from adi.data.dataset import Dataset, Queries
from adi.data.folder import new_folder, replace_text
from adi.data.manifest import NULL_ROW
from adi.errors import AdiError
from adi.exporting.graph import PaddedTower, export_graph
from adi.exporting.packing import PackedTables, slots_of
from adi.index.bids import Bids
from adi.index.build import build_index
from adi.index.settings import IndexSettings
from adi.index.vector_index import VectorIndex
from adi.models.model import Model
from adi.models.two_tower import TwoTower
from adi.models.vectors import VectorScorer
from adi.runs.info import RunInfo
from adi.training.fitted import open_run

NOT_SERVED = ("test", "candidates", "set_aside.parquet")
"""What of a prepared dataset a bundle does without."""

TOLERANCE = 1e-5
"""How far a vector of the graph may be from the model's, as a share of the largest component."""

SCORES_AT_ONCE = 1 << 26

WEIGHTS, WEIGHED = (0.25, 1.0, 4.0), 256
"""Bid weights that are checked, in terms of the one at which bids spread scores as far as the model does; on how many
queries."""

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Planned:
    """What the vectors of a bundle will take: those of `items` of all `domains`, of `dim` numbers each."""

    domains: int
    items: int
    dim: int
    bytes: int


def planned_size(run: Path, settings: IndexSettings, *, model: str | Model | None = None) -> Planned:
    """How large the indexes of a bundle of a run will be; raises `AdiError` as `export` does for the run."""
    _, dataset, scorers = _open(run, model)
    items = [len(dataset.corpora.retrievable(domain)) for domain in range(len(dataset.domains))]
    dim = scorers[0].item_vectors(0, dataset.corpora.retrievable(0)[:1]).shape[1]
    size = sum(count * dim * (4 if count < settings.exact_below else 2) for count in items)  # float32, or fp16
    return Planned(len(items), sum(items), dim, size)


def export(
    run: Path,
    out: Path,
    *,
    settings: IndexSettings | None = None,
    queries: int = 2000,
    bid: str | None = None,
    model: str | Model | None = None,
    progress: Progress | None = None,
) -> BundleInfo:
    """Write a bundle of a run to the new folder `out`, which is complete, checked and published, or absent.

    Args:
        settings: of the indexes.
        queries: how many of each domain's test rows, or of its users where it has none, an index is tuned by and the
            domain is checked on.
        bid: the items' attribute that holds their bids, for requests with a bid weight.
        model: the model, where it is not one of adi's own.
        progress: told (stage, done, of).

    Raises `AdiError` for a run of a model without vectors, an item without a bid (`adi.data.bids.log_bids`), an index
    under its target, and a bundle that does not answer as the run does.
    """
    info, dataset, scorers = _open(run, model)
    bids = [None if bid is None else log_bids(dataset, domain, bid) for domain in range(len(dataset.domains))]
    settings, tell = settings or IndexSettings(), progress or (lambda stage, done, total: None)
    with new_folder(out) as folder:
        shutil.copytree(dataset.folder, folder / DATA, ignore=_not_served(dataset.folder))
        keep_origin(run, folder)
        tables = PackedTables(folder, dataset)
        domains = {}
        for domain, (name, scorer) in enumerate(zip(dataset.domains, scorers, strict=True)):
            tell("exporting domains", domain, len(scorers))
            try:
                domains[name] = _export_domain(
                    folder, tables, scorer, domain, _sample(dataset, domain, queries), settings, bids[domain]
                )
            except AdiError as error:
                raise AdiError(f"domain '{name}': {error}") from None
        tell("exporting domains", len(scorers), len(scorers))
        files = files_in(folder)
        bundle = BundleInfo(
            format=FORMAT,
            version=version_of(files),
            adi=version("adi-retrieval"),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            model=info.model,
            fingerprint=info.fingerprint,
            bid=bid,
            domains=domains,
            versions={name: version(name) for name in ("faiss-cpu", "numpy", "onnxruntime", "torch")},
            files=files,
        )
        replace_text(folder / MANIFEST, bundle.model_dump_json(indent=1))
        BundleEngine(folder)  # refuses what could not be opened
    return bundle


def _open(run: Path, model: str | Model | None) -> tuple[RunInfo, Dataset, list[VectorScorer]]:
    info, dataset, scorer = open_run(run, model)
    scorers = [own for own in scorer.scorers if isinstance(own, VectorScorer)]
    if len(scorers) < len(scorer.scorers):
        raise AdiError(
            f"{run}: a run of {info.model}, which has no vectors that an index could find. "
            "Export a run of a two-tower model, such as adi-se."
        )
    return info, dataset, scorers


def _not_served(root: Path) -> Callable[[str, list[str]], list[str]]:
    return lambda folder, names: [name for name in names if Path(folder) == root and name in NOT_SERVED]


def _sample(dataset: Dataset, domain: int, most: int) -> Queries:
    """Real queries of a domain: some of its test rows, spread evenly; where there are none, of all users."""
    rows = dataset.rows("test")
    rows = rows[dataset.targets("test", rows)[2] == domain]
    if len(rows):
        return dataset.queries("test", rows[_spread(len(rows), most)])
    users = _spread(dataset.manifest.users, most)
    context = {feature.name: np.full(len(users), NULL_ROW) for feature in dataset.manifest.side("context")}
    return dataset.latest(users, np.full(len(users), domain), context)


def _spread(count: int, most: int) -> Array:
    return np.linspace(0, count - 1, min(count, most)).astype(np.int64)


def _export_domain(
    folder: Path,
    tables: PackedTables,
    scorer: VectorScorer,
    domain: int,
    sample: Queries,
    settings: IndexSettings,
    logs: Array | None,
) -> DomainInfo:
    """Write a domain's user tower, index and log bids; raises `AdiError` where they do not answer as the model does."""
    one = scorer.model.of_one_domain(domain)
    file, first = tables.write(scorer.model, one.first)
    slots = slots_of(scorer.reader.user_features, first, tables.dataset)
    tower = TowerInfo(tables=file, graph=f"towers/{domain}.onnx", slots=slots)
    export_graph(PaddedTower(one, slots), scorer.model.tables.embedding_dim, folder / tower.graph)
    users = UserTower(folder, tower).vectors(scorer.reader.user_bags(sample))  # (n, interests, dim)
    expected = scorer.user_vectors(domain, sample)
    difference = float(np.abs(users - expected.numpy().reshape(users.shape)).max() / expected.abs().max())
    if not difference <= TOLERANCE:
        raise AdiError(
            f"the exported user tower differs from the model by {difference:.2g} of the largest component, and "
            f"{TOLERANCE:g} is the most. Nothing was published; this is a fault of adi, please report it."
        )
    items = scorer.item_vectors(domain, tables.dataset.corpora.retrievable(domain)).numpy()
    place = f"indexes/{domain}"
    index = build_index(folder / place, items, users.reshape(-1, users.shape[2]), settings)
    parity = Parity(
        queries=len(sample),
        k=min(settings.k, len(items)),
        vectors=difference,
        recall=_recall(index, users, scorer.model, expected, items, min(settings.k, len(items))),
    )
    if not parity.recall >= settings.target:
        raise AdiError(
            f"the index finds {parity.recall:.4f} of the model's own top {parity.k}, and {settings.target} is the "
            "target. Raise index settings, or lower --target. Nothing was published."
        )
    bids = None
    if logs is not None:
        file = f"bids/{domain}.npy"
        bids = _export_bids(folder, file, logs, index, users, scorer.model, expected, items, settings)
    return DomainInfo(items=len(items), kind=index.card.kind, tower=tower, index=place, parity=parity, bids=bids)


def _export_bids(
    folder: Path,
    file: str,
    logs: Array,
    index: VectorIndex,
    users: Array,
    model: TwoTower,
    expected: Tensor,
    items: Array,
    settings: IndexSettings,
) -> BidsInfo:
    """Write a domain's log bids (m,); raises `AdiError` where with them the index misses its target."""
    (folder / file).parent.mkdir(exist_ok=True)
    np.save(folder / file, logs)
    rows, k = _spread(len(users), WEIGHED), min(settings.k, len(items))
    some = _spread(len(users), min(WEIGHED, max(1, SCORES_AT_ONCE // len(items))))
    scores = model.scores(expected[torch.from_numpy(some)], torch.from_numpy(items))
    spreads = float(scores.std(dim=1, correction=0).mean()), float(logs.std(dtype=np.float64))
    even = spreads[0] / spreads[1] if min(spreads) else 1.0
    weights, recalls, bids = [min(share * even, MOST_WEIGHT) for share in WEIGHTS], [], Bids(logs)
    for weight in weights:
        asked = users[rows], model, expected[torch.from_numpy(rows)], items, k
        recalls.append(_recall(index, *asked, bids=bids, weight=weight))
        if not recalls[-1] >= settings.target:
            raise AdiError(
                f"with a bid weight of {weight:.3g} the index finds {recalls[-1]:.4f} of the exact top {k}, and "
                f"{settings.target} is the target. Raise index settings, or lower --target. Nothing was published."
            )
    return BidsInfo(file=file, queries=len(rows), weights=tuple(weights), recalls=tuple(recalls))


def _recall(
    index: VectorIndex,
    users: Array,
    model: TwoTower,
    expected: Tensor,
    items: Array,
    k: int,
    *,
    bids: Bids | None = None,
    weight: float = 0.0,
) -> float:
    """The mean share of the model's top k of each query that the index finds, a few queries at a time.

    An item that the index returned counts if its score is not below the k-th best, but for the rounding of one.
    """
    block = max(1, SCORES_AT_ONCE // len(items))
    hits = 0
    for first in range(0, len(users), block):
        scores = model.scores(expected[first : first + block], torch.from_numpy(items))  # (block, m)
        if bids is not None:
            scores += weight * torch.from_numpy(bids.logs)
        kth = scores.topk(k, dim=1).values[:, -1:]
        enough = kth - TOLERANCE * kth.abs().clamp(min=1.0)
        for own, row, least in zip(users[first : first + block], scores, enough, strict=True):
            top, places = index.search(own, k, bids=bids, bid_weight=weight)
            found = torch.from_numpy(best(top, places, NOTHING, k).positions)
            hits += int((row[found] >= least).sum())
    return hits / (len(users) * k)
