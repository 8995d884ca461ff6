"""torch-rechub's two-tower models, by its own trainer: YouTubeDNN with sampled negatives, DSSM with in-batch ones.

Batches are gathered from arrays at once: the library's own loader joins them row by row, and takes longer than the
step. A history is pooled by its mean, and the domain is a feature of the user, as the library does it everywhere.
"""

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch_rechub.basic.features import SequenceFeature, SparseFeature
from torch_rechub.models.matching import DSSM, YoutubeDNN
from torch_rechub.trainers import MatchTrainer

EMBEDDING_DIM, NETWORKS = 64, [256, 128, 64]
NEGATIVES = 50
WARM_UP_STEPS = 3


class Batches:
    """The next `number` batches of an endless stream, each the inputs and labels that the trainer takes."""

    def __init__(self, arrays: dict[str, Any], batch_size: int, *, negatives: bool) -> None:
        self.arrays, self.batch_size, self.negatives = arrays, batch_size, negatives
        self.rng = np.random.default_rng(0)
        domains = range(int(arrays["domains"]))
        self.corpora = [np.unique(arrays["item"][arrays["domain"] == domain]) for domain in domains]
        self.number = 0
        self.shuffled_rows = np.empty(0, dtype=np.int64)

    def __len__(self) -> int:
        return self.number

    def __iter__(self) -> Iterator[tuple[dict[str, torch.Tensor], torch.Tensor]]:
        for _ in range(self.number):
            if len(self.shuffled_rows) < self.batch_size:
                self.shuffled_rows = self.rng.permutation(len(self.arrays["user"]))
            rows, self.shuffled_rows = self.shuffled_rows[: self.batch_size], self.shuffled_rows[self.batch_size :]
            yield self._inputs(rows), torch.zeros(self.batch_size)

    def _inputs(self, rows: Any) -> dict[str, torch.Tensor]:
        users, items, domains = (self.arrays[name][rows] for name in ("user", "item", "domain"))
        inputs = {"domain": domains, "item": items + 1}
        for name, codes in self.arrays.items():
            side, _, feature = name.partition(".")
            if side in ("user", "item") and feature:
                inputs[feature] = codes[users if side == "user" else items]
        if "history" in self.arrays:
            history = self.arrays["history"][users]
            inputs["history"] = np.where(history == items[:, None] + 1, 0, history)
        if self.negatives:
            drawn = np.empty((len(rows), NEGATIVES), dtype=np.int64)
            for domain, corpus in enumerate(self.corpora):
                in_domain = domains == domain
                drawn[in_domain] = corpus[self.rng.integers(len(corpus), size=(int(in_domain.sum()), NEGATIVES))]
            inputs["negatives"] = drawn + 1
        return {name: torch.from_numpy(np.ascontiguousarray(values)) for name, values in inputs.items()}


def build(arrays: dict[str, Any], kind: str) -> Any:
    """The model, on the features that are in the arrays."""
    num_items = int(max(arrays["item"].max(), arrays.get("history", arrays["item"]).max())) + 2
    item = SparseFeature("item", vocab_size=num_items, embed_dim=EMBEDDING_DIM)
    side_features: dict[str, list[Any]] = {"user": [], "item": [item]}
    for name in arrays:
        side, _, feature = name.partition(".")
        if side not in side_features or not feature:
            continue
        rows = int(arrays[f"rows.{feature}"])
        if side == "user" or rows < num_items - 1:  # an item's id is a feature already
            side_features[side].append(SparseFeature(feature, vocab_size=rows, embed_dim=EMBEDDING_DIM))
    domain = SparseFeature("domain", vocab_size=int(arrays["domains"]), embed_dim=EMBEDDING_DIM)
    user_features = [domain, *side_features["user"]]
    if "history" in arrays:
        user_features.append(_item_list("history", "mean", num_items, padding_idx=0))
    params = {"dims": NETWORKS, "activation": "relu", "dropout": 0.0}
    if kind == "dssm":
        towers = {"user_params": params, "item_params": dict(params)}
        return DSSM(user_features, side_features["item"], **towers, temperature=0.1)
    negatives = _item_list("negatives", "concat", num_items)
    return YoutubeDNN(user_features, [item], [negatives], user_params=params, temperature=0.1)


def _item_list(name: str, pooling: str, rows: int, **options: Any) -> Any:
    return SequenceFeature(
        name, vocab_size=rows, embed_dim=EMBEDDING_DIM, pooling=pooling, shared_with="item", **options
    )


def main() -> None:
    """``peer_rechub.py ARRAYS KIND BATCH_SIZE THREADS DEVICE``; KIND is youtubednn or dssm."""
    path, kind, batch_size, threads, device = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    with np.load(path) as stored:
        arrays = {name: stored[name] for name in stored.files}
    batches = Batches(arrays, batch_size, negatives=kind == "youtubednn")
    in_batch = {"in_batch_neg": True, "in_batch_neg_ratio": NEGATIVES, "sampler_seed": 0} if kind == "dssm" else {}
    trainer = MatchTrainer(
        build(arrays, kind),
        mode=0 if kind == "dssm" else 2,
        optimizer_params={"lr": 1e-3},
        device=device,
        **in_batch,
    )

    def do(number: int) -> None:
        batches.number = number
        trainer.train_one_epoch(batches, log_interval=1 << 30)
        if device != "cpu":
            torch.cuda.synchronize()

    do(WARM_UP_STEPS)
    print("ready", flush=True)
    for line in sys.stdin:
        do(int(line.split()[1]))
        print("done", flush=True)


if __name__ == "__main__":
    main()
