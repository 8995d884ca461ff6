"""The evaluation of a run on the test rows, written into its folder."""

import os
from collections.abc import Sequence
from pathlib import Path

import torch

from adi.data.dataset import Known
from adi.errors import ArgumentError
from adi.evaluation.evaluate import Against, evaluate
from adi.evaluation.list_measures import list_measures, overlaps
from adi.evaluation.ranking import Rankings, list_length
from adi.features.unknown import unknown_values
from adi.machine import tune_allocator
from adi.metrics import Metric, metrics_by_name
from adi.models.interest import interests
from adi.models.model import Model
from adi.processes.group import Processes
from adi.processes.start import check_same, joined
from adi.progress import Report, reporting
from adi.runs.by_feature import INTEREST, ByFeature, write_by_feature
from adi.runs.lists import write_lists
from adi.runs.metrics import Lists, Measured, Metrics, write_metrics
from adi.runs.ranks import write_ranks
from adi.training.fitted import FittedRun, open_run

NUM_LISTS = 500
"""Queries of each domain whose lists are kept: the standard error of a share of their items is below .01."""


def evaluate_run(
    run: str | Path,
    *,
    ks: Sequence[int] = (10, 50, 100),
    against: Against | None = None,
    causal: bool = True,
    exclude_seen: bool | None = None,
    leave_out_small: bool = False,
    metrics: Sequence[Metric] = (),
    model: str | Model | None = None,
    prepared: str | Path | None = None,
    verify: bool = True,
    progress: bool | Report = True,
) -> Metrics:
    """Evaluate a complete run on test rows, into ``<run>/metrics.json``, ``ranks.parquet`` and ``lists.parquet``.

    Where the data has trends, the test is done twice: frozen, when queries know the rows of training and validation
    alone, and live, when they know those of the test before their moment, too (`adi.runs.metrics.Metrics`).

    The weights of a model that weighs its features by domain go into ``<run>/interest.json``.

    Args:
        run: the folder that `adi.train` wrote.
        ks: list lengths, each at least 1.
        against: ``corpus`` ranks each item among its domain's whole corpus, ``candidates`` among those that the split
            gives; None: the candidates where there are any.
        causal: queries see what the user did earlier; False: all that the training part holds of the user.
        exclude_seen, leave_out_small: as in `adi.evaluation.evaluate.evaluate`.
        metrics: of your own, beside recall, NDCG and MRR.
        model: the model, where it is not one of adi's own.
        prepared: another dataset than the run's, on whose test rows it is evaluated (`adi.training.fitted.open_run`).
        verify: compare every file of the run and of the dataset with its digest first.
        progress: show a bar on standard error, in a terminal or a notebook; or a function to report to.

    Where torchrun has started several processes on a machine, each ranks a part of the rows, and the first writes.

    Returns what ``metrics.json`` holds.
    """
    if not ks or min(ks) < 1:
        raise ArgumentError("ks", f"{list(ks)}; give one or more list lengths of at least 1.")
    metrics_by_name(metrics)  # fails before any work
    tune_allocator()
    with joined(torch.device("cpu")) as processes:
        with processes.agreeing():
            fitted = open_run(Path(run), model, prepared=prepared, verify=verify, processes=processes)
        known = {"run": fitted.info.fingerprint, "data": fitted.dataset.manifest.fingerprint}
        check_same(processes, known | {"settings": (list(ks), against, causal, exclude_seen)})
        return _evaluated(
            Path(run), fitted, processes, ks=ks, against=against, causal=causal,
            exclude_seen=exclude_seen, leave_out_small=leave_out_small, metrics=metrics, prepared=prepared,
            progress=progress and processes.first,
        )  # fmt: skip


def _evaluated(
    folder: Path,
    fitted: FittedRun,
    processes: Processes,
    *,
    ks: Sequence[int],
    against: Against | None,
    causal: bool,
    exclude_seen: bool | None,
    leave_out_small: bool,
    metrics: Sequence[Metric],
    prepared: str | Path | None,
    progress: bool | Report,
) -> Metrics:
    info, dataset, scorer = fitted
    ranked: dict[str, Rankings] = {}
    with reporting(progress) as report:
        report("evaluating", 0, len(dataset.domains))

        def done(domain: str, rankings: Rankings) -> None:
            ranked[domain] = rankings
            report("evaluating", len(ranked), len(dataset.domains))

        def measure(known: Known) -> Metrics:
            ranked.clear()
            return evaluate(
                scorer,
                dataset,
                part="test",
                against=against or ("candidates" if dataset.manifest.candidates else "corpus"),
                ks=ks,
                metrics=metrics,
                causal=causal,
                exclude_seen=exclude_seen,
                leave_out_small=leave_out_small,
                known=known,
                num_lists=NUM_LISTS,
                done=done,
                processes=processes,
            )

        if dataset.manifest.trend is None:
            measured = measure("frozen")
        else:
            frozen, measured = measure("frozen"), measure("live")
            both = {
                name: Measured(domains=m.domains, mean=m.mean, mean_over_queries=m.mean_over_queries)
                for name, m in (("frozen", frozen), ("live", measured))
            }
            measured = measured.model_copy(update=both)
    other = None if prepared is None else os.path.relpath(dataset.folder.resolve(), folder.resolve())
    measured = measured.model_copy(update={"model": info.model, "prepared": other, "unknown": unknown_values(dataset)})
    weights = interests(scorer, dataset, causal=causal)
    if not processes.first:
        return measured
    lists = {name: rankings.lists for name, rankings in ranked.items()}
    of_lists = Lists(
        digest=write_lists(folder, lists),
        k=list_length(ks),
        domains=list_measures(lists, dataset),
        overlap=overlaps(lists),
    )
    measured = measured.model_copy(update={"ranks": write_ranks(folder, ranked), "lists": of_lists})
    if weights:
        sides = {str(side): ByFeature.of(one.features, one.weights, dataset.domains) for side, one in weights.items()}
        write_by_feature(folder / INTEREST, sides)
    write_metrics(folder, measured)
    return measured
