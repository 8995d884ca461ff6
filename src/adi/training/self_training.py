"""Self-training: training rows of one domain as pseudo-positives of the others (ADI Algorithm 1, eq. 27)."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from adi.data.arrays import Array
from adi.data.dataset import Dataset
from adi.data.queries import Queries
from adi.errors import AdiError
from adi.evaluation.ranking import positions_in
from adi.losses import TrendScores
from adi.models.two_tower import TwoTower
from adi.models.vectors import VectorScorer
from adi.training.loader import NO_PSEUDO, Loader, PseudoPositives
from adi.training.pseudo_audit import PseudoAudit
from adi.training.settings import TrainingSettings
from adi.training.step import trend_scores


@dataclass(frozen=True)
class Pairs:
    """P pairs of a user and an item, from training rows of the domains `sources`, as candidates for `targets`.

    They are sorted by target. `rows` are their training rows.
    """

    rows: Array
    users: Array
    items: Array
    sources: Array
    targets: Array

    def __len__(self) -> int:
        return len(self.rows)

    def groups(self, num_domains: int) -> Array:
        """The number of each pair's group (i, j) of source and target: i D + j."""
        groups: Array = self.sources * num_domains + self.targets
        return groups

    def where(self, keep: Array) -> "Pairs":
        """The pairs that the mask `keep` (P,) selects."""
        return Pairs(self.rows[keep], self.users[keep], self.items[keep], self.sources[keep], self.targets[keep])


class SelfTraining:
    """Chooses the pseudo-positives of each batch with the current model.

    Every training row of a batch in domain i is scored in every other domain j: the same user, history, item and
    context, with both towers in j, and with trends also what is known of clicks in j at the row's moment. Items that
    cannot be retrieved in j, and known positives of the user in j, are left out. Of the remaining pairs, the share p
    with the highest scores become pseudo-positives of j. Scores are compared only among pairs of the same batch and the
    same (i, j). The model scores in evaluation mode, without dropout and with the running statistics of its norms, and
    without gradients.

    p starts at `self_training_share` and grows by `self_training_growth` per step to `self_training_cap`. It is lowered
    for a domain j that would otherwise get more than `self_training_limit` pseudo-positives per sample of its own in
    the batch, because p of a large domain's pairs can be many times the rows of a small domain. This limit is ours; the
    paper has none. With n pairs of (i, j) in the batch, p n may be fractional: the fraction is carried over to the next
    batch, so that p also holds with few pairs per batch.

    Args:
        loader: the loader of the batches; builds the queries, with causal histories or not.
        start: the first step of the training, counted from 0, with pseudo-positives.
    """

    def __init__(
        self, model: TwoTower, dataset: Dataset, loader: Loader, settings: TrainingSettings, *, start: int
    ) -> None:
        self.model, self.dataset, self.loader, self.settings, self.start = model, dataset, loader, settings, start
        self.scorer = VectorScorer(model, dataset, processes=loader.processes, corpora=loader.corpora)
        self.num_domains = len(dataset.domains)
        self.retrievable = [dataset.corpora.retrievable(domain) for domain in range(self.num_domains)]
        self.audit = PseudoAudit(dataset)
        self.carry = np.zeros((self.num_domains, self.num_domains))
        """The fraction of a pseudo-positive of each (i, j) that is carried over to the next batch; below 1."""

    def share(self, step: int) -> float:
        """The share p at a step of the training; 0 during the warm-up."""
        settings = self.settings
        if step < self.start:
            return 0.0
        return min(
            settings.self_training_share + settings.self_training_growth * (step - self.start),
            settings.self_training_cap,
        )

    def choose(self, rows: Array, step: int) -> PseudoPositives:
        """Choose the pseudo-positives of a batch of training rows, sorted by domain; none during the warm-up."""
        share = self.share(step)
        if not share:
            return NO_PSEUDO
        pairs = self.pairs(rows)
        scores = self.scores(pairs)
        groups = pairs.groups(self.num_domains)
        num_pairs = np.bincount(groups, minlength=self.carry.size).reshape(self.carry.shape)  # (D, D)
        num_samples = np.bincount(self.dataset.targets("train", rows)[2], minlength=self.num_domains)  # (D,)
        limit = self.settings.self_training_limit * num_samples / np.maximum(num_pairs.sum(axis=0), 1)  # (D,) by target
        self.carry += np.minimum(share, limit) * num_pairs
        quota = np.floor(self.carry + 1e-9).astype(np.int64)  # rounding may leave a whole number slightly too small
        self.carry -= quota
        accepted = top_by_group(scores, groups, quota.reshape(-1))
        self.audit.add(pairs.users, pairs.items, groups, scores, accepted)
        return PseudoPositives(pairs.rows[accepted], pairs.targets[accepted])

    def pairs(self, rows: Array) -> Pairs:
        """The pairs of training rows and other domains that are to be scored; the audit counts those left out."""
        users, items, sources = self.dataset.targets("train", rows)
        targets = np.repeat(np.arange(self.num_domains), len(rows))
        rows, users, items, sources = (np.tile(column, self.num_domains) for column in (rows, users, items, sources))
        all_pairs = Pairs(rows, users, items, sources, targets)
        cross_domain = all_pairs.where(sources != targets)
        retrievable = [
            positions_in(self.retrievable[domain], cross_domain.items[cross_domain.targets == domain])[1]
            for domain in range(self.num_domains)
        ]
        eligible = cross_domain.where(np.concatenate(retrievable))
        known_items, offsets = self.dataset.known_positives(eligible.users, eligible.targets)
        pair_of = np.repeat(np.arange(len(eligible)), np.diff(offsets))
        known = np.zeros(len(eligible), dtype=bool)
        known[pair_of[known_items == eligible.items[pair_of]]] = True
        for name, pairs in (("samples", cross_domain), ("eligible", eligible), ("known", eligible.where(known))):
            self.audit.count(name, pairs.groups(self.num_domains))
        return eligible.where(~known)

    @torch.no_grad()
    def scores(self, pairs: Pairs) -> Array:
        """Score each pair in its target domain (P,), encoding each item once per domain."""
        scores = np.empty(len(pairs), dtype=np.float32)
        for domain in np.unique(pairs.targets):
            part = np.arange(*np.searchsorted(pairs.targets, [domain, domain + 1]))
            if self.loader.moments is not None:
                part = part[np.argsort(self.loader.moments.group_of[pairs.rows[part]], kind="stable")]
            items, columns = np.unique(pairs.items[part], return_inverse=True)
            queries = self.loader.queries(pairs.rows[part], pairs.targets[part])
            item_vectors = self.scorer.item_vectors(domain, items)[torch.from_numpy(columns)]  # (n, dim)
            trends = self._trends(domain, pairs.rows[part], queries, items)
            added = np.zeros(len(part), dtype=np.float32)
            if trends is not None:
                coordinates = trends.coordinates[trends.moments, torch.from_numpy(columns)]
                item_vectors = torch.cat([item_vectors, coordinates.cpu()], dim=1)  # (n, dim + W)
                added = _of_columns(trends, columns)
            user_vectors = self.model.queries(self.scorer.user_vectors(domain, queries), item_vectors)
            scores[part] = (user_vectors * item_vectors).sum(dim=1).numpy() + added
        self.model.train()
        return scores

    def _trends(self, domain: int, rows: Array, queries: Queries, items: Array) -> TrendScores | None:
        """Trend scores of items at the moments of training rows, sorted by group; None without trends."""
        moments = self.loader.moments
        if moments is None:
            return None
        known = moments.of_samples(domain, rows).trends(items, queries.histories)
        return trend_scores(self.model, int(self.dataset.domain_codes[domain]), known.to(self.scorer.device))

    def state_dict(self) -> dict[str, Tensor]:
        """The state that a checkpoint saves in addition to the model's weights."""
        return {"due": torch.from_numpy(self.carry), **self.audit.state_dict()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        self.carry = state["due"].numpy()
        self.audit.load_state_dict(state)


def _of_columns(trends: TrendScores, columns: Array) -> Array:
    """The co-click score of each sample with the item of its column (n,), 0 without co-clicks."""
    rows = trends.pair_rows.cpu().numpy()
    (chosen,) = np.nonzero(trends.pair_columns.cpu().numpy() == columns[rows])
    scores = np.zeros(len(columns), dtype=np.float32)
    scores[rows[chosen]] = trends.pair_scores.cpu().numpy()[chosen]
    return scores


def top_by_group(scores: Array, groups: Array, quota: Array) -> Array:
    """Mark the ``quota[g]`` highest scores of each group g; of equal scores, the earlier is marked.

    Example:
        >>> top_by_group(np.array([0.1, 0.9, 0.5, 0.7]), np.array([0, 0, 0, 1]), quota=np.array([2, 0])).tolist()
        [False, True, True, False]
    """
    order = np.lexsort((-scores, groups))
    sizes = np.bincount(groups, minlength=len(quota))
    rank = np.arange(len(scores)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    top = np.zeros(len(scores), dtype=bool)
    top[order] = rank < np.repeat(quota, sizes)
    return top


def check_self_training(model: TwoTower, dataset: Dataset) -> None:
    """Raise `AdiError` if self-training is impossible or pointless for a model and a dataset.

    It needs two domains, a model whose scores depend on the domain, and items that have training rows in one domain and
    can be retrieved in another.
    """
    if len(dataset.domains) < 2:
        raise AdiError(
            f"self_training: pseudo-positives come from other domains, and {dataset.folder} has only one, "
            f"'{dataset.domains[0]}'. Train without it."
        )
    features = dataset.manifest.side("user", "context", "item")
    if not (model.knows_domain or any(feature.by_domain or feature.same_domain for feature in features)):
        raise AdiError(
            "self_training: the scores of this model do not depend on the domain (domain_indicator: false, no "
            "domain-specific weights, no features by domain). Set domain_indicator: true, or train without "
            "self-training."
        )
    corpora = dataset.corpora
    seen = [items[counts > 0].astype(np.int64) for items, counts in zip(corpora.items, corpora.counts, strict=True)]
    shared = [
        len(np.intersect1d(seen[source], corpora.retrievable(target), assume_unique=True))
        for source in range(len(seen))
        for target in range(len(seen))
        if source != target
    ]
    if not any(shared):
        raise AdiError(
            f"self_training: no item with training rows in one domain of {dataset.folder} can be retrieved in another, "
            "so that there are no pseudo-positives. Train without it."
        )
