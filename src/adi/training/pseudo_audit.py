"""An audit of self-training: counts, scores and precision of the pseudo-positives of each pair of domains."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from adi.data.arrays import Array
from adi.data.dataset import Dataset
from adi.evaluation.ranking import positions_in
from adi.runs.self_training import Audit, DomainPair, Histogram

BINS = 40
COUNTS = ("samples", "eligible", "known", "scored", "accepted", "scored_checked", "scored_true", "checked", "true")


class PseudoAudit:
    """Counts over the steps with pseudo-positives, for each of the D * D groups (i, j) of domains, numbered i D + j.

    A training row of i counts once per batch that contains it::

        samples    rows of i, each a possible positive of j
        eligible   samples whose item can be retrieved in j
        known      eligible samples whose item is a known positive of the user in j; they are left out
        scored     eligible - known
        accepted   scored samples among the top p of their batch

    **Precision.** Some users have validation rows in j, which are not trained on. `checked` are the accepted pairs of
    these users. `precision` is the share of them whose item is that of one of these rows, and `base_rate` the same
    share among all their scored pairs, as a random choice would give. Both are low by nature, because few future rows
    of each user are known. If no user has the same item in two domains, both are 0, however good the pseudo-positives
    are. Known pairs cannot serve as a check, because the model was trained on them. Test rows are not used.

    **Histograms** have `BINS` bins of equal width over the range of the first scores. Later scores outside that range
    count in the first or the last bin.
    """

    def __init__(self, dataset: Dataset) -> None:
        self.domains = dataset.domains
        size = len(self.domains) ** 2
        self.counts = {name: np.zeros(size, dtype=np.int64) for name in COUNTS}
        self.histograms = {name: np.zeros((size, BINS), dtype=np.int64) for name in ("scored", "accepted")}
        self.edges = np.full(BINS + 1, np.nan)
        self.seconds = {"scoring": 0.0, "training_extra": 0.0, "total": 0.0}
        users, items, domains = dataset.targets("validation", dataset.rows("validation"))
        self.num_items = dataset.manifest.items
        self.held_out, positions = np.unique(self._keys(users, domains), return_inverse=True)
        """The (user, domain) keys of the validation rows, sorted."""
        self.held_out_pairs = np.sort(positions * self.num_items + items)
        """For each validation row, the position of its key times the number of items, plus its item, sorted."""

    def count(self, name: str, groups: Array) -> None:
        """Add pairs to a count, by their groups."""
        self.counts[name] += np.bincount(groups, minlength=len(self.counts[name]))

    def add(self, users: Array, items: Array, groups: Array, scores: Array, accepted: Array) -> None:
        """Count the scored pairs of a batch (P,); `accepted` (P,) marks those that became pseudo-positives."""
        self.count("scored", groups)
        self.count("accepted", groups[accepted])
        self._add_scores(groups, scores, accepted)
        if not len(self.held_out):
            return
        positions, checked = positions_in(self.held_out, self._keys(users, groups % len(self.domains)))
        true = checked & positions_in(self.held_out_pairs, positions * self.num_items + items)[1]
        self.count("scored_checked", groups[checked])
        self.count("scored_true", groups[true])
        self.count("checked", groups[checked & accepted])
        self.count("true", groups[true & accepted])

    def add_seconds(self, *, scoring: float, training: float, pseudo: float) -> None:
        """Add the seconds of a step; `pseudo` is the share of pseudo-positives among its samples."""
        self.seconds["scoring"] += scoring
        self.seconds["training_extra"] += training * pseudo
        self.seconds["total"] += scoring + training

    def _add_scores(self, groups: Array, scores: Array, accepted: Array) -> None:
        if not len(scores):
            return
        if np.isnan(self.edges[0]):
            self.edges = np.histogram_bin_edges(scores.astype(np.float64), BINS)
        bins = np.clip(np.searchsorted(self.edges, scores, side="right") - 1, 0, BINS - 1)
        for name, selected in (("scored", slice(None)), ("accepted", accepted)):
            np.add.at(self.histograms[name], (groups[selected], bins[selected]), 1)

    def _keys(self, users: Array, domains: Array) -> Array:
        """A unique number for each (user, domain)."""
        keys: Array = users.astype(np.int64) * len(self.domains) + domains
        return keys

    def report(self, *, start: int, steps: int) -> Audit:
        """Report the counts so far; `start` is the first step with pseudo-positives, `steps` the number of steps.

        In the seconds, `scoring` is the time to score and choose pairs; `training_extra` is the remaining time of each
        step times the share of pseudo-positives among its samples; `total` is the time of all steps.
        """
        num_domains = len(self.domains)
        groups = [group for group in range(num_domains**2) if group // num_domains != group % num_domains]
        pairs = tuple(self._pair(group) for group in groups)
        return Audit(start_step=start, steps=steps, seconds=dict(self.seconds), pairs=pairs)

    def _pair(self, group: int) -> DomainPair:
        """The counts of one group (i, j)."""
        source, target = divmod(group, len(self.domains))
        counts = {name: int(values[group]) for name, values in self.counts.items()}
        return DomainPair(
            source=self.domains[source],
            target=self.domains[target],
            samples=counts["samples"],
            eligible=counts["eligible"],
            known=counts["known"],
            scored=counts["scored"],
            accepted=counts["accepted"],
            checked=counts["checked"],
            precision=_share(counts["true"], counts["checked"]),
            base_rate=_share(counts["scored_true"], counts["scored_checked"]),
            score_histogram=self._histogram(group),
        )

    def _histogram(self, group: int) -> Histogram:
        """The histograms of the scores of a group; empty if none of its pairs was scored."""
        if not self.counts["scored"][group]:
            return Histogram(edges=(), scored=(), accepted=())
        scored, accepted = (self.histograms[name][group].tolist() for name in ("scored", "accepted"))
        return Histogram(edges=tuple(self.edges.tolist()), scored=tuple(scored), accepted=tuple(accepted))

    def state_dict(self) -> dict[str, Tensor]:
        """The counts, histograms and seconds as tensors, for a checkpoint."""
        parts: Mapping[str, Mapping[str, Array]] = {"counts": self.counts, "histograms": self.histograms}
        state = {
            f"{part}.{name}": torch.from_numpy(values)
            for part, named in parts.items()
            for name, values in named.items()
        }
        seconds = torch.tensor(list(self.seconds.values()), dtype=torch.float64)
        return state | {"edges": torch.from_numpy(self.edges), "seconds": seconds}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        self.counts = {name: state[f"counts.{name}"].numpy() for name in self.counts}
        self.histograms = {name: state[f"histograms.{name}"].numpy() for name in self.histograms}
        self.edges = state["edges"].numpy()
        self.seconds = dict(zip(self.seconds, state["seconds"].tolist(), strict=True))


def _share(count: int, total: int) -> float | None:
    return count / total if total else None
