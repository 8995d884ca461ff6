"""Top-K of a user in a domain, from a run: the Python side of `adi retrieve`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from adi.data.arrays import Array
from adi.data.context import context_codes
from adi.data.dataset import Histories, Queries
from adi.errors import AdiError, suggestion
from adi.models.scorer import Score, finite
from adi.training.run import open_run


@dataclass(frozen=True)
class Retrieved:
    """One item of a top-K; scores compare items of the same request only."""

    item: str
    score: float


@dataclass(frozen=True)
class TopK:
    """The answer to a request, best first; `ignored` are the items of the given history that the data does not know."""

    domain: str
    items: tuple[Retrieved, ...]
    ignored: tuple[str, ...] = ()


class Retriever:
    """Opens a run and answers requests exactly, over the whole corpus of the domain.

    A domain's first request prepares the scores of its corpus (with a two-tower model: every item's vector), which stay
    in memory for the later ones.

    retriever = Retriever(Path("runs/adi-se"))
    retriever.retrieve("search", user="u17", k=10)
    retriever.retrieve("feed", history=["i3", "i99"], k=10)    # a user never seen
    """

    def __init__(self, run: Path) -> None:
        self.info, self.dataset, self.scorer = open_run(run)
        self._corpora: dict[int, tuple[Array, Score]] = {}

    def retrieve(
        self,
        domain: str,
        *,
        user: str | None = None,
        history: Sequence[str] | None = None,
        context: Mapping[str, str] | None = None,
        k: int = 10,
    ) -> TopK:
        """The `k` best items of the domain's corpus for a user.

        A known user brings features and history from the prepared dataset; `history` (oldest first, taken as behaviours
        in `domain`) replaces the latter, or describes a user who is not known. Items of the history are left out unless
        the data has repeats. `context` has the values of context features, as text; those not given are missing.

        Raises `AdiError` for an unknown domain or context feature, a context value that is no number where the feature
        is one, k below 1, an unknown user without a history, and scores that are not finite.
        """
        if domain not in self.dataset.domains:
            known = ", ".join(self.dataset.domains)
            raise AdiError(f"domain '{domain}' is not one of {known}.{suggestion(domain, self.dataset.domains)}")
        if k < 1:
            raise AdiError(f"k = {k}: ask for at least one item.")
        index = self.dataset.domains.index(domain)
        queries, ignored = self._queries(index, user, history, context or {})
        corpus, score = self._corpus(index)
        scores = finite(score(queries))[0]  # (m,)
        if not self.dataset.manifest.repeats:
            scores[torch.from_numpy(np.isin(corpus, queries.histories.items))] = -torch.inf
        best = scores.topk(min(k, len(corpus)))
        items = tuple(
            Retrieved(self.dataset.items.key(int(corpus[position])), score)
            for position, score in zip(best.indices.tolist(), best.values.tolist(), strict=True)
            if score > -np.inf
        )
        return TopK(domain, items, ignored)

    def _corpus(self, domain: int) -> tuple[Array, Score]:
        """The items that can be retrieved in a domain, and the function that scores them."""
        if domain not in self._corpora:
            items = self.dataset.corpora.retrievable(domain)
            self._corpora[domain] = items, self.scorer.against(domain, items)
        return self._corpora[domain]

    def _queries(
        self, domain: int, user: str | None, history: Sequence[str] | None, context: Mapping[str, str]
    ) -> tuple[Queries, tuple[str, ...]]:
        if isinstance(history, str):
            raise AdiError(f"history: '{history}' is one text; give a list of item ids, oldest first.")
        number = None if user is None else self.dataset.users.find(user)
        if number is None and history is None:
            who = "no user" if user is None else f"user '{user}' is not in the prepared dataset"
            raise AdiError(f"{who}: give the history of a new user, such as --history ITEM,ITEM.")
        users = np.asarray([-1 if number is None else number])
        domains = np.asarray([domain])
        queries = self.dataset.latest(users, domains, context_codes(self.dataset, context))
        if history is None:
            return queries, ()
        found = [self.dataset.items.find(item) for item in history]
        items = np.asarray([item for item in found if item is not None], dtype=np.int64)
        given = Histories(items, np.full(len(items), domain), np.asarray([0, len(items)]))
        ignored = tuple(item for item, known in zip(history, found, strict=True) if known is None)
        return Queries(users, domains, given, queries.context), ignored
