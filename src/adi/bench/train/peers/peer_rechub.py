"""torch-rechub's two-tower models: YouTubeDNN with sampled negatives, DSSM with those of the batch; its own trainer.

Batches are gathered from the arrays at once: the library's own loader joins them row by row, and takes longer than the
step. With a history it is pooled by its mean. Weights of the domain are a feature of the user, as everywhere in it.
"""

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch_rechub.basic.features import SequenceFeature, SparseFeature
from torch_rechub.models.matching import DSSM, YoutubeDNN
from torch_rechub.trainers import MatchTrainer

EMBEDDING, NETWORKS = 64, [256, 128, 64]
NEGATIVES = 50
WARM = 3


class Steps:
    """So many batches, of an endless stream of them, each the inputs and labels that the trainer wants."""

    def __init__(self, arrays: dict[str, Any], batch_size: int, *, negatives: bool) -> None:
        self.arrays, self.batch_size, self.negatives = arrays, batch_size, negatives
        self.rng = np.random.default_rng(0)
        self.corpora = [np.unique(arrays["item"][arrays["domain"] == d]) for d in range(int(arrays["domains"]))]
        self.number = 0
        self.order = np.empty(0, dtype=np.int64)

    def __len__(self) -> int:
        return self.number

    def __iter__(self) -> Iterator[tuple[dict[str, torch.Tensor], torch.Tensor]]:
        for _ in range(self.number):
            if len(self.order) < self.batch_size:
                self.order = self.rng.permutation(len(self.arrays["user"]))
            rows, self.order = self.order[: self.batch_size], self.order[self.batch_size :]
            yield self._inputs(rows), torch.zeros(self.batch_size)

    def _inputs(self, rows: Any) -> dict[str, torch.Tensor]:
        users, items, domains = (self.arrays[name][rows] for name in ("user", "item", "domain"))
        found = {"domain": domains, "item": items + 1}
        for name, own in self.arrays.items():
            side, _, feature = name.partition(".")
            if side in ("user", "item") and feature:
                found[feature] = own[users if side == "user" else items]
        if "history" in self.arrays:
            history = self.arrays["history"][users]
            found["history"] = np.where(history == items[:, None] + 1, 0, history)
        if self.negatives:
            drawn = np.empty((len(rows), NEGATIVES), dtype=np.int64)
            for domain, corpus in enumerate(self.corpora):
                own = domains == domain
                drawn[own] = corpus[self.rng.integers(len(corpus), size=(int(own.sum()), NEGATIVES))]
            found["negatives"] = drawn + 1
        return {name: torch.from_numpy(np.ascontiguousarray(own)) for name, own in found.items()}


def build(arrays: dict[str, Any], kind: str) -> Any:
    """The model, on the features that the arrays have."""
    items = int(max(arrays["item"].max(), arrays.get("history", arrays["item"]).max())) + 2
    item = SparseFeature("item", vocab_size=items, embed_dim=EMBEDDING)
    sides: dict[str, list[Any]] = {"user": [], "item": [item]}
    for name in arrays:
        side, _, feature = name.partition(".")
        # An item's own id is a feature already, as every item has.
        if side in sides and feature and not (side == "item" and int(arrays[f"rows.{feature}"]) >= items - 1):
            rows = int(arrays[f"rows.{feature}"])
            sides[side].append(SparseFeature(feature, vocab_size=rows, embed_dim=EMBEDDING))
    users = [SparseFeature("domain", vocab_size=int(arrays["domains"]), embed_dim=EMBEDDING), *sides["user"]]
    if "history" in arrays:
        users.append(_items("history", "mean", items, padding_idx=0))
    params = {"dims": NETWORKS, "activation": "relu", "dropout": 0.0}
    if kind == "dssm":
        return DSSM(users, sides["item"], user_params=params, item_params=dict(params), temperature=0.1)
    negatives = _items("negatives", "concat", items)
    return YoutubeDNN(users, [item], [negatives], user_params=params, temperature=0.1)


def _items(name: str, pooling: str, rows: int, **more: Any) -> Any:
    return SequenceFeature(
        name, vocab_size=rows, embed_dim=EMBEDDING, pooling=pooling, shared_with="item", **more
    )  # fmt: skip


def main() -> None:
    """``peer_rechub.py ARRAYS KIND BATCH_SIZE THREADS DEVICE``, KIND being youtubednn or dssm."""
    path, kind, batch_size, threads, device = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    with np.load(path) as stored:
        arrays = {name: stored[name] for name in stored.files}
    steps = Steps(arrays, batch_size, negatives=kind == "youtubednn")
    in_batch = {"in_batch_neg": True, "in_batch_neg_ratio": NEGATIVES, "sampler_seed": 0} if kind == "dssm" else {}
    trainer = MatchTrainer(
        build(arrays, kind),
        mode=0 if kind == "dssm" else 2,
        optimizer_params={"lr": 1e-3},
        device=device,
        **in_batch,
    )

    def do(number: int) -> None:
        steps.number = number
        trainer.train_one_epoch(steps, log_interval=1 << 30)
        if device != "cpu":
            torch.cuda.synchronize()

    do(WARM)
    print("ready", flush=True)
    for line in sys.stdin:
        do(int(line.split()[1]))
        print("done", flush=True)


if __name__ == "__main__":
    main()
