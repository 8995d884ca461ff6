"""adi: multi-domain retrieval. One model for all domains, and each domain's top-K from it.

The steps of the command line as functions, loaded when first used:

    adi.simulate    a simulated marketplace with known truth
    adi.convert     a public data set as tables and a schema
    adi.prepare     tables and a schema as a prepared dataset
    adi.train       a model on a prepared dataset
    adi.tune        the settings of a model, on the validation rows
    adi.evaluate    a run on the held-out part
    adi.compare     evaluated runs, domain by domain, with intervals
    adi.Retriever   top-K of a user in a domain
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from adi.errors import AdiError

if TYPE_CHECKING:
    from adi.evaluation.comparison import compare
    from adi.marketplace.simulation import Marketplace, simulate
    from adi.preparation.prepare import prepare
    from adi.report.page import write_report
    from adi.retrieval.retriever import Retriever
    from adi.sources.catalog import convert
    from adi.training.evaluation import evaluate_run as evaluate
    from adi.training.train import train
    from adi.tuning.tune import tune

__all__ = [
    "AdiError",
    "Marketplace",
    "Retriever",
    "compare",
    "convert",
    "evaluate",
    "prepare",
    "simulate",
    "train",
    "tune",
    "write_report",
]

_PLACES = {
    "Marketplace": "adi.marketplace.simulation:Marketplace",
    "Retriever": "adi.retrieval.retriever:Retriever",
    "compare": "adi.evaluation.comparison:compare",
    "convert": "adi.sources.catalog:convert",
    "evaluate": "adi.training.evaluation:evaluate_run",
    "prepare": "adi.preparation.prepare:prepare",
    "simulate": "adi.marketplace.simulation:simulate",
    "train": "adi.training.train:train",
    "tune": "adi.tuning.tune:tune",
    "write_report": "adi.report.page:write_report",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for, and no more: `import adi` alone takes no torch."""
    if name not in _PLACES:
        raise AttributeError(f"module 'adi' has no attribute '{name}'")
    module, _, attribute = _PLACES[name].partition(":")
    return getattr(import_module(module), attribute)
