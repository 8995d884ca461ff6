"""SASRec and eSASRec by RecTools: transformers over the sequence of a user's items.

eSASRec has LiGR layers. Its sampled softmax is the full one here, as in SASRec, where a catalogue has at most
`FULL_SOFTMAX` items: that is both stronger and quicker.
"""

import logging
import math
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from pytorch_lightning import Callback, LightningModule, Trainer, seed_everything
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel
from rectools.models.nn.transformers.ligr import LiGRLayers
from rectools.models.nn.transformers.sasrec import SASRecTransformerLayers

from benchmarks.portfolio.peers.process.data import Array, Queries, Rows
from benchmarks.portfolio.peers.process.ranking import Model
from benchmarks.portfolio.peers.process.sessions import sessions_of
from benchmarks.portfolio.peers.process.tuning import Peer, Settings, Watch

LONGEST = 50
"""Items of a session at most."""
BATCH, SMALLEST_BATCH = 128, 32
PERIOD_STEPS, PERIODS = 50, 40
"""Validations are so many steps apart, or an epoch if that is more; batches are smaller where sessions are few."""
FULL_SOFTMAX, NEGATIVES = 20_000, 256

LAYERS = {"sasrec": SASRecTransformerLayers, "ligr": LiGRLayers}


class SessionModel:
    """A transformer that scores items by the last items of the history."""

    def __init__(self, module: LightningModule, codes: Array, length: int) -> None:
        self.backbone, self.codes, self.length = module.torch_model, codes, length
        self.known_items = codes > 0
        self.parameters = sum(parameter.numel() for parameter in self.backbone.parameters())
        with torch.no_grad():
            self.vectors = self.backbone.item_model.get_all_embeddings()

    def can_score(self, queries: Queries) -> Array:
        known = self.known_items[queries.items]
        return np.bincount(queries.history_rows[known], minlength=len(queries)) > 0

    @torch.no_grad()
    def scores(self, queries: Queries, items: Array) -> Array:
        queries = queries.with_histories_where(self.known_items[queries.items])
        positions = queries.offsets[1:, None] - np.arange(self.length, 0, -1)  # (n, length), newest last
        held = positions >= queries.offsets[:-1, None]
        sessions = np.where(held, self.codes[queries.items[np.where(held, positions, 0)]], 0)
        batch = {"x": torch.from_numpy(sessions).to(self.vectors.device)}
        users = self.backbone.encode_sessions(batch, self.vectors)[:, -1]  # (n, factors)
        scores: Array = (users @ self.vectors[torch.from_numpy(self.codes[items])].T).cpu().numpy()
        return scores


class Nothing:
    """The model of rows without a session of two items: it knows no item."""

    parameters = 0

    def __init__(self, num_items: int) -> None:
        self.known_items = np.zeros(num_items, dtype=bool)

    def can_score(self, queries: Queries) -> Array:
        return np.zeros(len(queries), dtype=bool)

    def scores(self, queries: Queries, items: Array) -> Array:
        return np.zeros((len(queries), len(items)), dtype=np.float32)


class EachPeriod(Callback):  # type: ignore[misc]
    """Calls a function after every so many epochs, with the module set to evaluate; stops if it returns False."""

    def __init__(self, every: int, call: Callable[[int, LightningModule], bool]) -> None:
        self.every, self.call = every, call

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        epochs = trainer.current_epoch + 1
        if epochs % self.every == 0:
            pl_module.eval()
            trainer.should_stop = not self.call(epochs, pl_module)
            pl_module.train()


def fit(rows: Rows, settings: Settings, *, epochs: int | None, seed: int, watch: Watch | None) -> Model:
    lengths = np.bincount(rows.users, minlength=1)
    lengths = lengths[lengths > 1]
    if not len(lengths):
        return Nothing(rows.num_items)
    length = int(np.clip(np.percentile(lengths, 90) - 1, 2, LONGEST))
    frame = _frame(rows, length)
    num_sessions = int((frame[Columns.User].value_counts() > 1).sum())
    batch = int(np.clip(num_sessions // PERIOD_STEPS, SMALLEST_BATCH, BATCH))
    every = math.ceil(PERIOD_STEPS / math.ceil(num_sessions / batch))
    model: SASRecModel

    def validate(epochs: int, module: LightningModule) -> bool:
        return watch is None or watch(epochs, SessionModel(module, _codes(model, rows.num_items), length))

    def trainer() -> Trainer:
        return Trainer(
            max_epochs=epochs or PERIODS * every,
            callbacks=[EachPeriod(every, validate)],
            devices=1,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )

    chosen = dict(settings)
    model = SASRecModel(
        **chosen | {"transformer_layers_type": LAYERS[chosen["transformer_layers_type"]]},
        loss="softmax" if rows.num_items <= FULL_SOFTMAX else "sampled_softmax",
        n_negatives=NEGATIVES,
        session_max_len=length,
        batch_size=batch,
        get_trainer_func=trainer,
    )
    seed_everything(seed, verbose=False)
    model.fit(Dataset.construct(frame))
    module = model.lightning_model
    module.eval()
    return SessionModel(module, _codes(model, rows.num_items), length)


def _frame(rows: Rows, length: int) -> pd.DataFrame:
    """The rows as RecTools takes them: of each user it trains on the last `length` + 1, so that a session is a user."""
    positions, sessions = sessions_of(rows, length)
    columns = {Columns.User: sessions, Columns.Item: rows.items[positions], Columns.Weight: 1.0}
    return pd.DataFrame(columns | {Columns.Datetime: pd.to_datetime(positions, unit="s")})


def _codes(model: SASRecModel, num_items: int) -> Array:
    """The row of each item in the model's table (num_items,), 0 for an item that it does not know."""
    codes = np.zeros(num_items, dtype=np.int64)
    items = model.data_preparator.get_known_item_ids().astype(np.int64)
    codes[items] = model.data_preparator.get_known_items_sorted_internal_ids()
    return codes


def _peer(layers: str) -> Peer:
    settings = [
        {
            "transformer_layers_type": layers,
            "n_factors": factors,
            "n_heads": factors // 32,
            "n_blocks": 2,
            "dropout_rate": dropout,
            "lr": 0.128 / factors,
        }
        for factors, dropout in ((64, 0.5), (64, 0.2), (128, 0.2))
    ]
    return Peer(fit=fit, settings=settings, patience=3, packages=("RecTools", "torch", "pytorch-lightning", "numpy"))


SASREC, ESASREC = _peer("sasrec"), _peer("ligr")

warnings.filterwarnings("ignore")
logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
