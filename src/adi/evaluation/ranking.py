"""Exact ranks of held-out items, among the whole corpus of their domain or among given candidates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from adi.data.arrays import Array
from adi.data.dataset import Dataset, Known, Part
from adi.data.histories import Histories
from adi.data.queries import Queries
from adi.evaluation.breakdown import BREAKDOWNS
from adi.evaluation.coverage import Coverage, top_k
from adi.models.scorer import Scorer, finite
from adi.processes.group import ALONE, Processes
from adi.runs.lists import QueryLists
from adi.runs.ranks import QueryRanks

QUERIES_AT_ONCE = 1 << 10
LOGITS_AT_ONCE = 1 << 25
"""Queries and scores in memory at a time; more queries make a matrix product no faster."""
CACHED_AT_ONCE = 1 << 20
"""Scores that are counted at a time: few enough to stay in the processor's cache from one pass to the next."""
OF_HISTORY = ("history_length", "history_in_domain", "item_in_history")
"""The numbers of `adi.evaluation.breakdown.BREAKDOWNS` that depend on the query's history."""


@dataclass(frozen=True)
class Rankings(QueryRanks):
    """The ranks of a domain's queries, the number of items that were ranked, and of those the number of distinct items
    in the top-k lists, by k. `lists` are those of a sample of the queries."""

    covered: dict[int, int]
    num_items: int
    lists: QueryLists


def rank(
    scorer: Scorer,
    dataset: Dataset,
    part: Part,
    domain: int,
    rows: Array,
    *,
    candidates: tuple[Array, Array] | None,
    causal: bool,
    exclude_seen: bool,
    ks: tuple[int, ...],
    known: Known = "frozen",
    num_lists: int = 0,
    processes: Processes = ALONE,
) -> Rankings:
    """Rank the item of each row among all items that can be retrieved in the domain, or among the row's candidates.

    With `exclude_seen`, the items of the query's history are not ranked. Candidates are given as items and offsets. The
    rank of an item that is not among those ranked is infinite. The lists of `num_lists` queries, drawn at random and
    alike for every model, are kept. Several processes each rank a part of the rows, and all return the rankings of all
    rows.

    Raises `AdiError` when the model's scores are not finite.
    """
    items = dataset.corpora.retrievable(domain) if candidates is None else np.unique(candidates[0])
    all_rows, (users, all_targets, _) = rows, dataset.targets(part, rows)
    share = processes.shares(len(rows)) if len(rows) else np.arange(0)
    rows, targets = rows[share], all_targets[share]
    ranks = np.full(len(rows), np.inf)
    histories = {name: np.zeros(len(rows), dtype=np.int64) for name in OF_HISTORY}
    coverage = Coverage(num_items=len(items), ks=ks)
    sample = sampled(len(all_rows), num_lists)
    length = min(list_length(ks), len(items))
    listed = np.zeros((len(sample), length), dtype=np.int64)  # item + 1, so that processes can add up their parts

    def rankings() -> Rankings:
        numbers = {"rank": ranks, **histories}
        of_all = {
            name: processes.rejoined(torch.from_numpy(values), len(all_rows)).numpy()
            for name, values in numbers.items()
        }
        by = grouping_numbers(dataset, domain, all_targets, of_all)
        of_sample = processes.total(torch.from_numpy(listed)).numpy() if len(sample) else listed
        lists = QueryLists(all_rows[sample], of_sample - 1)
        return Rankings(all_rows, users, of_all["rank"], by, coverage.counts(processes), len(items), lists)

    if not len(rows):
        return rankings()
    if candidates is not None and processes.several:
        candidates = _of_queries(candidates, share)
    own, score = processes.part(len(all_rows)), scorer.against(domain, items)
    own_sample = np.where((own.start <= sample) & (sample < own.stop), sample, -1)
    queries_at_once = max(1, min(QUERIES_AT_ONCE, LOGITS_AT_ONCE // len(items)))
    cached_at_once = max(1, CACHED_AT_ONCE // len(items))
    for first in range(0, len(rows), queries_at_once):
        chunk = slice(first, first + queries_at_once)
        queries = dataset.queries(part, rows[chunk], causal=causal, known=known)
        scores = finite(score(queries))  # (n, m)
        if candidates is not None:
            offsets = candidates[1][first : first + queries_at_once + 1]
            _keep_candidates(scores, items, candidates[0][offsets[0] : offsets[-1]], np.diff(offsets))
        if exclude_seen:
            _leave_out_history(scores, items, queries.histories)
        if num_lists:
            _, in_sample, positions = np.intersect1d(own_sample, share[chunk], return_indices=True)
            listed[in_sample] = _lists(scores[positions], items, length) + 1
        columns, in_items = positions_in(items, targets[chunk])
        target_scores = scores.gather(1, torch.from_numpy(columns)[:, None])  # (n, 1)
        block_ranks = []
        blocks = zip(torch.split(scores, cached_at_once), torch.split(target_scores, cached_at_once), strict=True)
        for block, block_targets in blocks:
            block_ranks.append(_ranks(block, block_targets))
            coverage.add(block)
        is_ranked = in_items & (target_scores[:, 0] > -torch.inf).numpy()
        ranks[chunk] = np.where(is_ranked, torch.cat(block_ranks).numpy(), np.inf)
        for name, values in history_numbers(queries, targets[chunk]).items():
            histories[name][chunk] = values
        del scores, block  # or the next scores get newly allocated memory, which takes as long as the product
    return rankings()


def sampled(size: int, number: int) -> Array:
    """The positions of at most `number` of `size` queries, ascending, drawn with a fixed seed."""
    drawn: Array = np.sort(np.random.default_rng(0).permutation(size)[:number])
    return drawn


def list_length(ks: Sequence[int]) -> int:
    """The length of the lists that are kept: the middle one of `ks`, by which a report is headed."""
    return sorted(ks)[len(ks) // 2]


def history_numbers(queries: Queries, targets: Array) -> dict[str, Array]:
    """The numbers `OF_HISTORY` (n,) of queries for the items `targets` (n,)."""
    histories = queries.histories
    return {
        "history_length": histories.lengths,
        "history_in_domain": histories.lengths_in(queries.domains),
        "item_in_history": histories.counts_of(targets),
    }


def grouping_numbers(
    dataset: Dataset, domain: int, targets: Array, of_history: Mapping[str, Array]
) -> dict[str, Array]:
    """All numbers (n,) by which queries of a domain are grouped, in the order of `BREAKDOWNS`."""
    numbers = {**of_history, "item_popularity": dataset.corpora.counts_of(domain, targets)}
    return {name: numbers[name] for name in BREAKDOWNS}


def _lists(scores: Tensor, items: Array, length: int) -> Array:
    """The items of the highest scores of each row (n, m), best first (n, length); -1 where a list is shorter."""
    values, columns = top_k(scores, (length,))
    return np.where((values > -torch.inf).numpy(), items[columns.numpy()], -1)


def _of_queries(candidates: tuple[Array, Array], queries: Array) -> tuple[Array, Array]:
    """The candidates of some of the queries, as items and offsets."""
    items, offsets = candidates
    parts = [items[offsets[query] : offsets[query + 1]] for query in queries]
    return np.concatenate(parts), np.cumsum([0, *map(len, parts)])


def positions_in(items: Array, wanted: Array) -> tuple[Array, Array]:
    """The index in the ascending `items` of each of the items `wanted` (n,), and whether it is there, both (n,)."""
    positions = np.minimum(np.searchsorted(items, wanted), len(items) - 1)
    return positions, items[positions] == wanted


def _leave_out_history(scores: Tensor, items: Array, histories: Histories) -> None:
    """Set the scores (n, m) of the items in each history to -inf."""
    columns, inside = positions_in(items, histories.items)
    rows = np.repeat(np.arange(len(histories)), histories.lengths)
    scores[torch.from_numpy(rows[inside]), torch.from_numpy(columns[inside])] = -torch.inf


def _keep_candidates(scores: Tensor, items: Array, candidates: Array, lengths: Array) -> None:
    """Set all scores (n, m) to -inf except those of the candidates: all queries' in a row, `lengths` (n,) of each."""
    rows = torch.from_numpy(np.repeat(np.arange(len(scores)), lengths))
    columns = torch.from_numpy(np.searchsorted(items, candidates))
    kept = scores[rows, columns]
    scores.fill_(-torch.inf)
    scores[rows, columns] = kept


def _ranks(scores: Tensor, target_scores: Tensor) -> Tensor:
    """The number of scores (n, m) above each target's (n, 1), plus half of the others that equal it, (n,)."""
    # Whole numbers up to 2^24 are exact in fp32 too, which is summed in a fraction of the time.
    dtype = torch.float32 if scores.shape[1] <= 1 << 24 else torch.float64
    above_less_below = (scores - target_scores).sign_().sum(dim=1, dtype=dtype)
    return (above_less_below.double() + scores.shape[1] - 1) / 2
