"""The evaluation of a run on the test, written into its folder."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from adi.errors import AdiError
from adi.evaluation.by_feature import INTEREST, ByFeature, write_by_feature
from adi.evaluation.evaluate import Against, Metrics, evaluate
from adi.evaluation.ranking import Rankings
from adi.evaluation.ranks import write_ranks
from adi.machine import tune_allocator
from adi.models.interest import interests
from adi.training.run import open_run, write_json


def evaluate_run(
    run: Path,
    *,
    ks: Sequence[int] = (10, 50, 100),
    against: Against | None = None,
    causal: bool = True,
    advance: Callable[[str], None] | None = None,
) -> Metrics:
    """Evaluate a complete run on its dataset's test rows, into ``<run>/ranks.parquet`` and ``<run>/metrics.json``.

    The weights of a model that weighs its features by domain go into ``<run>/interest.json``. `against` is the
    candidates where the split gives them, else the whole corpus; see `adi.evaluation.evaluate`. `advance` is called
    with each domain's name when it is done. Returns what metrics.json holds.
    """
    if not ks or min(ks) < 1:
        raise AdiError(f"k: {list(ks)}; give one or more numbers of at least 1.")
    tune_allocator()
    info, dataset, scorer = open_run(run)
    chosen: Against = against or ("candidates" if dataset.manifest.candidates else "corpus")
    ranked: dict[str, Rankings] = {}

    def done(domain: str, rankings: Rankings) -> None:
        ranked[domain] = rankings
        if advance is not None:
            advance(domain)

    found = evaluate(scorer, dataset, part="test", against=chosen, ks=ks, causal=causal, done=done)
    metrics = {"model": info.model} | found | {"ranks": write_ranks(run, ranked)}
    if looked := interests(scorer, dataset, causal=causal):
        write_by_feature(
            run / INTEREST,
            {side: ByFeature.of(own.features, own.weights, dataset.domains) for side, own in looked.items()},
        )
    write_json(run / "metrics.json", json.dumps(metrics, indent=1))
    return metrics
