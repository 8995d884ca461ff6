"""Tuning of a peer: settings and epochs are chosen on the validation queries, then it is fitted to all rows.

The criterion is that of adi: NDCG@50, averaged over the domains. A peer that is fitted to each domain separately has
the same settings in all domains, and in each domain the epochs that were best there.
"""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from benchmarks.portfolio.peers.process.data import Array, Data, Queries, Rows
from benchmarks.portfolio.peers.process.ranking import Model, rank

Settings = Mapping[str, Any]
Watch = Callable[[int, Model], bool]
"""Called with the epochs done and the model so far; returns whether to train on."""


class Fit(Protocol):
    """Fits a model to rows.

    It trains for so many `epochs`; if that is None, until `watch` returns False or it has done the most that it would.
    """

    def __call__(
        self, rows: Rows, settings: Settings, *, epochs: int | None, seed: int, watch: Watch | None
    ) -> Model: ...


@dataclass(frozen=True)
class Peer:
    """A model of another library: the `settings` to choose from, and how long to train on without a better epoch.

    `patience` counts calls of `Watch`. `packages` are those whose versions are recorded.
    """

    fit: Fit
    settings: Sequence[Settings]
    patience: int
    packages: tuple[str, ...]


@dataclass
class Best:
    """The best NDCG on validation queries so far, and the epochs that it took."""

    ndcg: float = -1.0
    epochs: int = 0
    calls: int = 0

    def improves(self, ndcg: float, epochs: int) -> bool:
        """Note an NDCG; returns whether it is the best so far."""
        self.calls += 1
        if ndcg <= self.ndcg:
            return False
        self.ndcg, self.epochs, self.calls = ndcg, epochs, 0
        return True


@dataclass(frozen=True)
class Tuned:
    """The ranks (n,) of the test queries, the items covered by domain and k, and a report of the choice."""

    ranks: Array
    covered: Array
    report: dict[str, Any] = field(default_factory=dict)


def tune(peer: Peer, data: Data, *, by_domain: bool, seed: int) -> Tuned:
    """Choose settings and epochs, fit the peer to all rows, and rank the test queries."""
    started, num_domains = time.perf_counter(), len(data.corpora)
    scopes = [(domain,) for domain in range(num_domains)] if by_domain else [tuple(range(num_domains))]
    train = data.rows.where(~data.is_validation)
    trials: list[dict[str, Any]] = []
    for settings in peer.settings:
        bests = [_trial(peer, settings, train, data, scope, seed) for scope in scopes]
        ndcg = float(np.mean([best.ndcg for best in bests if best is not None]))
        trials.append({"settings": dict(settings), "ndcg": ndcg, "epochs": _epochs(bests)})
        _say(f"{settings}: validation NDCG@{data.k} {ndcg:.4f} after {trials[-1]['epochs']} epochs")
    chosen = max(trials, key=lambda trial: trial["ndcg"])
    seconds = time.perf_counter() - started
    ranks, covered = np.full(len(data.test), np.inf), np.zeros((num_domains, len(data.ks)), dtype=np.int64)
    parameters = 0
    for scope, epochs in zip(scopes, chosen["epochs"], strict=True):
        model = peer.fit(data.rows.of(scope), chosen["settings"], epochs=epochs, seed=seed, watch=None)
        parameters += model.parameters
        for domain in scope:
            ranked = rank(model, data.test.in_domain(domain), data, data.rows.counts(domain), scope=scope, ks=data.ks)
            ranks[data.test.domains == domain], covered[domain] = ranked.ranks, ranked.covered
    report = {"chosen": chosen, "trials": trials, "parameters": parameters, "tuning_seconds": round(seconds, 1)}
    return Tuned(ranks, covered, report | {"seconds": round(time.perf_counter() - started, 1)})


def _trial(peer: Peer, settings: Settings, train: Rows, data: Data, scope: Sequence[int], seed: int) -> Best | None:
    """Train on the training rows of some domains until their validation NDCG falls; None without validation rows."""
    queries = {domain: data.validation.in_domain(domain) for domain in scope}
    queries = {domain: of_domain for domain, of_domain in queries.items() if len(of_domain)}
    if not queries:
        return None
    counts, best = {domain: train.counts(domain) for domain in queries}, Best()

    def watch(epochs: int, model: Model) -> bool:
        ndcg = _ndcg(model, queries, data, counts, scope)
        best.improves(ndcg, epochs)
        _say(f"  epoch {epochs}: {ndcg:.4f}")
        return best.calls < peer.patience

    peer.fit(train.of(scope), settings, epochs=None, seed=seed, watch=watch)
    return best


def _ndcg(
    model: Model, queries: Mapping[int, Queries], data: Data, counts: Mapping[int, Array], scope: Sequence[int]
) -> float:
    """NDCG@k, averaged over domains."""
    ranks = [rank(model, of_domain, data, counts[domain], scope=scope).ranks for domain, of_domain in queries.items()]
    return float(np.mean([np.where(of < data.k, 1 / np.log2(of + 2), 0.0).mean() for of in ranks]))


def _epochs(bests: Sequence[Best | None]) -> list[int]:
    """The epochs of each scope; where there are no validation rows, the median of the others."""
    median = int(np.median([best.epochs for best in bests if best is not None]))
    return [median if best is None else best.epochs for best in bests]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
