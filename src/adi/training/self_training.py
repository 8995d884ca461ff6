"""Self-training: what a user took in one domain serves as pseudo-positives of the others (ADI Algorithm 1, eq. 27)."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from adi.data.arrays import Array
from adi.data.dataset import Dataset
from adi.errors import AdiError
from adi.evaluation.ranking import positions_in
from adi.models.two_tower import TwoTower
from adi.models.vectors import VectorScorer
from adi.training.loader import NO_PSEUDO, Loader, PseudoPositives
from adi.training.pseudo_audit import PseudoAudit
from adi.training.settings import TrainingSettings


@dataclass(frozen=True)
class Pairs:
    """P pairs of a user and an item, taken in the domain `sources` and now asked about in `targets`, sorted by target.

    `rows` are the training rows they come from.
    """

    rows: Array
    users: Array
    items: Array
    sources: Array
    targets: Array

    def __len__(self) -> int:
        return len(self.rows)

    def groups(self, num_domains: int) -> Array:
        """The number of each pair's (i, j), source and target: i D + j."""
        groups: Array = self.sources * num_domains + self.targets
        return groups

    def where(self, keep: Array) -> "Pairs":
        return Pairs(self.rows[keep], self.users[keep], self.items[keep], self.sources[keep], self.targets[keep])


class SelfTraining:
    """Chooses the pseudo-positives of each batch, with the model as it stands.

    Every training row of a batch is asked about in every other domain j than its own i: the same user and history, the
    same item and context, both towers in j. Left out are items that cannot be retrieved in j, and pairs that are known
    positives of the user in j anyway. Of the others, the share p with the highest scores becomes pseudo-positives of j.
    Scores are compared among the pairs of one batch and one (i, j) only. The model scores in evaluation mode, without
    dropout and with the running statistics of its norms, and without gradients.

    p starts at `self_training_share` and grows by `self_training_growth` each step to `self_training_cap`. It is lower
    for a domain j that would otherwise get more than `self_training_limit` pseudo-positives for each of its own samples
    in the batch: p of a large domain's pairs can be many times a small domain's rows (ours; the paper has no limit).
    With n pairs of (i, j) in the batch, p n need not be whole: the rest is carried to the next batch, so that p also
    holds where there are a few pairs a batch.

    Args:
        loader: of the batches; gives the queries, and whether histories are causal.
        start: the first step, counted from the first of the training, that has pseudo-positives.
    """

    def __init__(
        self, model: TwoTower, dataset: Dataset, loader: Loader, settings: TrainingSettings, *, start: int
    ) -> None:
        self.model, self.dataset, self.loader, self.settings, self.start = model, dataset, loader, settings, start
        self.scorer = VectorScorer(model, dataset)
        self.num_domains = len(dataset.domains)
        self.retrievable = [dataset.corpora.retrievable(domain) for domain in range(self.num_domains)]
        self.audit = PseudoAudit(dataset)
        self.due = np.zeros((self.num_domains, self.num_domains))
        """Pseudo-positives of (i, j) that p times the pairs so far would make, beyond those chosen; below 1."""

    def share(self, step: int) -> float:
        """p at a step, counted from the first of the training; 0 in the warm-up."""
        settings = self.settings
        if step < self.start:
            return 0.0
        return min(
            settings.self_training_share + settings.self_training_growth * (step - self.start),
            settings.self_training_cap,
        )

    def choose(self, rows: Array, step: int) -> PseudoPositives:
        """The pseudo-positives that the training rows of a batch make, sorted by domain; none in the warm-up."""
        share = self.share(step)
        if not share:
            return NO_PSEUDO
        pairs = self.pairs(rows)
        scores = self.scores(pairs)
        groups = pairs.groups(self.num_domains)
        offered = np.bincount(groups, minlength=self.due.size).reshape(self.due.shape)  # (D, D)
        own = np.bincount(self.dataset.targets("train", rows)[2], minlength=self.num_domains)  # (D,)
        limit = self.settings.self_training_limit * own / np.maximum(offered.sum(axis=0), 1)  # (D,), of each target
        self.due += np.minimum(share, limit) * offered
        quota = np.floor(self.due + 1e-9).astype(np.int64)  # a sum that should be whole may fall short by rounding
        self.due -= quota
        accepted = best_of_each(scores, groups, quota.reshape(-1))
        self.audit.add(pairs.users, pairs.items, groups, scores, accepted)
        return PseudoPositives(pairs.rows[accepted], pairs.targets[accepted])

    def pairs(self, rows: Array) -> Pairs:
        """The pairs that rows offer to other domains; what is left out is counted in the audit."""
        users, items, sources = self.dataset.targets("train", rows)
        targets = np.repeat(np.arange(self.num_domains), len(rows))
        rows, users, items, sources = (np.tile(column, self.num_domains) for column in (rows, users, items, sources))
        everywhere = Pairs(rows, users, items, sources, targets)
        others = everywhere.where(sources != targets)
        inside = [
            positions_in(self.retrievable[domain], others.items[others.targets == domain])[1]
            for domain in range(self.num_domains)
        ]
        eligible = others.where(np.concatenate(inside))
        taken, offsets = self.dataset.known_positives(eligible.users, eligible.targets)
        pair_of = np.repeat(np.arange(len(eligible)), np.diff(offsets))
        known = np.zeros(len(eligible), dtype=bool)
        known[pair_of[taken == eligible.items[pair_of]]] = True
        for name, counted in (("samples", others), ("eligible", eligible), ("known", eligible.where(known))):
            self.audit.count(name, counted.groups(self.num_domains))
        return eligible.where(~known)

    @torch.no_grad()
    def scores(self, pairs: Pairs) -> Array:
        """The score of each pair in its target domain (P,); each item is encoded once in a domain."""
        scores = np.empty(len(pairs), dtype=np.float32)
        for domain in np.unique(pairs.targets):
            own = slice(*np.searchsorted(pairs.targets, [domain, domain + 1]))
            items, places = np.unique(pairs.items[own], return_inverse=True)
            queries = self.loader.queries(pairs.rows[own], pairs.targets[own])
            item_vectors = self.scorer.item_vectors(domain, items)[torch.from_numpy(places)]  # (n, dim)
            user_vectors = self.model.queries(self.scorer.user_vectors(domain, queries), item_vectors)
            scores[own] = (user_vectors * item_vectors).sum(dim=1).numpy()
        self.model.train()
        return scores

    def state_dict(self) -> dict[str, Tensor]:
        """What a checkpoint needs beside the model."""
        return {"due": torch.from_numpy(self.due), **self.audit.state_dict()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        self.due = state["due"].numpy()
        self.audit.load_state_dict(state)


def best_of_each(scores: Array, groups: Array, quota: Array) -> Array:
    """Marks the ``quota[g]`` highest of the scores in each group g; of equal scores the earlier wins.

    Example:
        >>> best_of_each(np.array([0.1, 0.9, 0.5, 0.7]), np.array([0, 0, 0, 1]), quota=np.array([2, 0])).tolist()
        [False, True, True, False]
    """
    order = np.lexsort((-scores, groups))
    sizes = np.bincount(groups, minlength=len(quota))
    place = np.arange(len(scores)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    best = np.zeros(len(scores), dtype=bool)
    best[order] = place < np.repeat(quota, sizes)
    return best


def check_self_training(model: TwoTower, dataset: Dataset) -> None:
    """Raises `AdiError` where no pseudo-positive could come about, or would say nothing about its domain."""
    if len(dataset.domains) < 2:
        raise AdiError(
            f"self_training: {dataset.folder} has one domain, '{dataset.domains[0]}', and pseudo-positives come from "
            "other domains. Train without it."
        )
    features = dataset.manifest.side("user", "context", "item")
    if not (model.knows_domain or any(feature.by_domain or feature.same_domain for feature in features)):
        raise AdiError(
            "self_training: this model does not know the domain (domain_indicator: false, no domain-specific weights, "
            "no features by domain), so that a pair is the same in all domains. Set domain_indicator: true, or train "
            "without self-training."
        )
    corpora = dataset.corpora
    taken = [items[counts > 0].astype(np.int64) for items, counts in zip(corpora.items, corpora.counts, strict=True)]
    shared = [
        len(np.intersect1d(taken[source], corpora.retrievable(target), assume_unique=True))
        for source in range(len(taken))
        for target in range(len(taken))
        if source != target
    ]
    if not any(shared):
        raise AdiError(
            f"self_training: no item that was taken in one domain of {dataset.folder} can be retrieved in another, so "
            "that no pair is eligible. Train without it."
        )
