"""Evaluation of a fitted model on a part of a dataset: by domain, averaged over the domains, and by query group."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, get_args

import numpy as np

from adi.data.arrays import Array
from adi.data.dataset import Dataset, Known, Part
from adi.errors import AdiError, ArgumentError
from adi.evaluation.breakdown import group_numbers, labels
from adi.evaluation.ranking import Rankings, rank
from adi.metrics import COVERAGE, RECALL, Metric, metrics_by_name
from adi.models.scorer import Scorer
from adi.processes.group import ALONE, Processes
from adi.runs.metrics import Measures, Metrics, QueryGroup

Against = Literal["corpus", "candidates"]

FEW_QUERIES = 100
"""With fewer queries the standard error of a recall of a half is above .05."""


def evaluate(
    scorer: Scorer,
    dataset: Dataset,
    *,
    part: Part = "test",
    against: Against = "corpus",
    ks: Sequence[int] = (10, 50, 100),
    metrics: Sequence[Metric] = (),
    causal: bool = True,
    exclude_seen: bool | None = None,
    leave_out_small: bool = False,
    known: Known = "frozen",
    between: tuple[float, float] | None = None,
    rows_per_domain: int | None = None,
    num_lists: int = 0,
    done: Callable[[str, Rankings], None] | None = None,
    processes: Processes = ALONE,
) -> Metrics:
    """Rank the item of every row of a part exactly, and average the metrics by domain.

    Args:
        against: ``corpus`` ranks among the domain's whole corpus, ``candidates`` among those that the split gives for
            each test row.
        ks: list lengths.
        metrics: of your own, in addition to `adi.metrics.METRICS`.
        causal: queries see what the user did earlier; False: everything in the training part by the user, as in some
            published results.
        exclude_seen: whether lists leave out the items of the query's history, so that a query for one of them is a
            miss; None: as in serving, unless the data has repeats, and never among candidates.
        leave_out_small: leave small domains out of the mean over the domains (`is_small`).
        known: what queries know: ``frozen``, the rows of training and validation; ``live``, also those of the test
            before the query's moment, in histories and counters.
        between: only the rows from the first of two moments on and before the second, in the unit of the log's time.
        rows_per_domain: the largest number of rows of each domain, evenly spread over the users; None: all rows.
        num_lists: the number of queries of each domain whose lists are kept (`Rankings.lists`).
        done: called with each domain's name and rankings when they are complete.
        processes: that divide the rows of each domain among them; all return the same.

    Returns:
        The measures by domain, their mean over the domains, and that over the queries of all domains. ``corpus`` counts
        the items that were ranked, or that were a candidate of any row. A measure of a domain without rows is None and
        is left out of the means.

    Raises `AdiError` for candidates where a row has none, for a model whose scores are not finite, and for a metric
    whose gains are not finite (`adi.metrics.Metric.gains`).
    """
    if against not in get_args(Against):
        raise ArgumentError("against", f"'{against}' is not one of {', '.join(get_args(Against))}.")
    if exclude_seen is None:
        exclude_seen = against == "corpus" and not dataset.manifest.repeats
    elif exclude_seen and against == "candidates":
        raise ArgumentError("exclude_seen", "candidates are all ranked. Evaluate against the corpus.")
    rows = dataset.rows(part)
    if between is not None:
        times = dataset.times(part)[rows]
        rows = rows[(between[0] <= times) & (times < between[1])]
    domains_of_rows = dataset.targets(part, rows)[2]
    lengths, all_metrics = tuple(sorted(set(ks))), tuple(metrics_by_name(metrics).values())
    rankings: dict[str, Rankings] = {}
    for domain, name in enumerate(dataset.domains):
        domain_rows = rows[domains_of_rows == domain]
        if rows_per_domain is not None and len(domain_rows) > rows_per_domain:
            domain_rows = spread(domain_rows, rows_per_domain)
        candidates = _candidates(dataset, part, domain_rows) if against == "candidates" else None
        rankings[name] = rank(
            scorer,
            dataset,
            part,
            domain,
            domain_rows,
            candidates=candidates,
            causal=causal,
            exclude_seen=exclude_seen,
            ks=lengths,
            known=known,
            num_lists=num_lists,
            processes=processes,
        )
        if done is not None:
            done(name, rankings[name])
    return measured(
        rankings,
        dataset,
        part=part,
        against=against,
        ks=lengths,
        metrics=all_metrics,
        causal=causal,
        exclude_seen=exclude_seen,
        leave_out_small=leave_out_small,
        known=known,
    )


def known_in_validation(dataset: Dataset) -> Known:
    """Validation rows know all earlier rows where the data has trends, but never a test row.

    Where a test row may be earlier than they are, they are ``frozen``: counters are those without the test, and
    histories have training rows alone.
    """
    counters_without_test = dataset.folder / "trends" / "known"
    return "frozen" if dataset.manifest.trend is None or counters_without_test.is_dir() else "live"


def spread(rows: Array, number: int) -> Array:
    """So many of the rows, evenly spread over them."""
    return rows[np.linspace(0, len(rows) - 1, number).astype(np.int64)]


def measured(
    rankings: Mapping[str, Rankings],
    dataset: Dataset,
    *,
    part: Part = "test",
    against: Against = "corpus",
    ks: tuple[int, ...],
    metrics: Sequence[Metric],
    causal: bool = True,
    exclude_seen: bool,
    leave_out_small: bool = False,
    known: Known = "frozen",
) -> Metrics:
    """The metrics of the rankings of each domain; the arguments are those of `evaluate` by which they were ranked."""
    by_domain = {name: _measures(of_domain, ks, metrics) for name, of_domain in rankings.items()}
    breakdown: dict[str, dict[str, tuple[QueryGroup, ...]]] = {}
    for name, of_domain in rankings.items():
        for by, values in of_domain.by.items():
            breakdown.setdefault(by, {})[name] = _groups(of_domain.ranks, by, values, ks)
    names = [name for name in next(iter(by_domain.values())) if "@" in name]
    small = tuple(name for name, measures in by_domain.items() if is_small(measures, ks))
    averaged = [measures for name, measures in by_domain.items() if not (leave_out_small and name in small)]
    return Metrics(
        part=part,
        against=against,
        history="earlier" if causal and dataset.manifest.time is not None else "all others",
        ks=ks,
        known=known,
        domains=by_domain,
        mean={name: _mean([measures[name] for measures in averaged]) for name in names},
        mean_over_queries=_over_queries(list(by_domain.values()), [name for name in names if COVERAGE not in name]),
        exclude_seen=exclude_seen,
        small=small,
        left_out=small if leave_out_small else (),
        breakdown=breakdown,
        fingerprint=dataset.manifest.fingerprint,
    )


def is_small(measures: Measures, ks: Sequence[int]) -> bool:
    """Whether a domain says little of a model: few queries, or a corpus that fits into the shortest list."""
    queries, corpus = measures["queries"], measures["corpus"]
    assert queries is not None
    assert corpus is not None
    return queries < FEW_QUERIES or corpus <= min(ks)


def _candidates(dataset: Dataset, part: Part, rows: Array) -> tuple[Array, Array]:
    """The candidates of rows as items and offsets; raises `AdiError` unless each row has some."""
    if part != "test":
        raise ArgumentError("against", f"the split has candidates of test rows only; evaluate {part} against corpus.")
    candidates = dataset.candidates(rows)
    if candidates is None:
        raise AdiError(f"{dataset.folder}: the split has no candidates (split.candidates in schema.yaml).")
    without = rows[np.diff(candidates[1]) == 0]
    if len(without):
        users, _, domains = dataset.targets(part, without[:1])
        raise AdiError(
            f"{dataset.folder}: {len(without)} of the {len(rows)} test rows of domain '{dataset.domains[domains[0]]}' "
            f"have no candidates, such as a row of user '{dataset.users.key(int(users[0]))}'. Add them to "
            "split.candidates and prepare again, or evaluate against the corpus."
        )
    return candidates


def _measures(rankings: Rankings, ks: tuple[int, ...], metrics: Sequence[Metric]) -> Measures:
    measures: Measures = {"queries": len(rankings.ranks), "corpus": rankings.num_items}
    for k in ks:
        measures |= {f"{metric.name}@{k}": _defined(metric.mean(rankings.ranks, k)) for metric in metrics}
        measures[f"{COVERAGE}@{k}"] = rankings.covered[k] / rankings.num_items if len(rankings.ranks) else None
    return measures


def _groups(ranks: Array, by: str, values: Array, ks: tuple[int, ...]) -> tuple[QueryGroup, ...]:
    """Recall of the queries in each group of a breakdown; empty groups are left out."""
    numbers = group_numbers(by, values)
    groups = []
    for number, label in enumerate(labels(by)):
        group_ranks = ranks[numbers == number]
        if len(group_ranks):
            recalls = {f"recall@{k}": RECALL.mean(group_ranks, k) for k in ks}
            groups.append(QueryGroup(group=label, queries=len(group_ranks), **recalls))
    return tuple(groups)


def _defined(value: float) -> float | None:
    return None if math.isnan(value) else value


def _mean(values: Sequence[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return float(np.mean(defined)) if defined else None


def _over_queries(by_domain: Sequence[Measures], names: Sequence[str]) -> Measures:
    """The mean of measures over the queries of all domains."""
    tested = [measures for measures in by_domain if measures["queries"]]
    if not tested:
        return dict.fromkeys(names)
    weights = np.array([measures["queries"] for measures in tested], dtype=np.float64)
    return {name: float(np.average([measures[name] for measures in tested], weights=weights)) for name in names}
