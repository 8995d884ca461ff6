"""The evaluation of a run on the test, written into its folder."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from adi.errors import AdiError
from adi.evaluation.evaluate import Against, Metrics, evaluate
from adi.machine import tune_allocator
from adi.training.run import open_run, write_json


def evaluate_run(
    run: Path,
    *,
    ks: Sequence[int] = (10, 50, 100),
    against: Against | None = None,
    causal: bool = True,
    advance: Callable[[str], None] | None = None,
) -> Metrics:
    """Evaluate a complete run on its dataset's test rows; the metrics are also written to ``<run>/metrics.json``.

    `against` is the candidates where the split gives them, else the whole corpus; see `adi.evaluation.evaluate`.
    """
    if not ks or min(ks) < 1:
        raise AdiError(f"k: {list(ks)}; give one or more numbers of at least 1.")
    tune_allocator()
    info, dataset, scorer = open_run(run)
    chosen: Against = against or ("candidates" if dataset.manifest.candidates else "corpus")
    metrics = {"model": info.model} | evaluate(
        scorer, dataset, part="test", against=chosen, ks=ks, causal=causal, advance=advance
    )
    write_json(run / "metrics.json", json.dumps(metrics, indent=1))
    return metrics
