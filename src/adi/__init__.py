"""adi: multi-domain retrieval. One model for all domains, and each domain's top-K from it.

The steps of the command line as functions:

    adi.quickstart     all of it in one call, from tables to a report and a bundle
    adi.simulate       a simulated marketplace with known truth (adi.Marketplace)
    adi.convert        a public data set as tables and a schema
    adi.prepare        tables and a schema as a prepared dataset
    adi.train          a model on a prepared dataset, as a run
    adi.tune           the settings of a model, on the validation rows
    adi.evaluate       the metrics of a run on the held-out part
    adi.compare        evaluated runs, domain by domain, with intervals
    adi.backtest       models on a log with time, window by window
    adi.write_report   evaluated runs as one HTML page
    adi.export         a run as a bundle, which is served
    adi.copy_items     the items of a run into a vector store
    adi.retrieve_all   the top-K of many users, to a file
    adi.serve          a bundle over HTTP
    adi.route          a router before several servers
    adi.verify         every byte of a dataset, a run or a bundle against its digests

    adi.Dataset        a prepared dataset, opened
    adi.Retriever      the top-K of a user in a domain, from a run or a bundle

And to extend it (docs/extending.md):

    adi.MODELS         the models by name; TrainedModel, FittedModel and TowerSettings make others
    adi.Metric         a metric of a ranking
    adi.nn, adi.losses, adi.metrics

Everything is imported when it is first used: `import adi` alone takes no torch, and next to no time.
"""

from importlib import import_module

TYPE_CHECKING = False  # as type checkers understand it; an import of `typing` takes longer than all else here
if TYPE_CHECKING:
    from typing import Any

    from adi import losses, metrics, nn
    from adi.backtesting.backtest import backtest
    from adi.comparison.compare import compare
    from adi.data.dataset import Dataset
    from adi.errors import AdiError
    from adi.exporting.export import export
    from adi.marketplace.simulation import Marketplace, simulate
    from adi.metrics import Metric
    from adi.models.catalog import MODELS
    from adi.models.model import FittedModel, TrainedModel
    from adi.models.settings import TowerSettings
    from adi.preparation.prepare import prepare
    from adi.report.page import write_report
    from adi.retrieval.retrieve_all import retrieve_all
    from adi.retrieval.retriever import Retriever
    from adi.router.server import route
    from adi.serving.server import serve
    from adi.sources.catalog import convert
    from adi.steps.quickstart import quickstart
    from adi.stores.copy import copy_items
    from adi.training.evaluation import evaluate_run as evaluate
    from adi.training.train import train
    from adi.tuning.tune import tune
    from adi.verification import verify

    __version__: str

_HOMES = {
    "AdiError": "adi.errors:AdiError",
    "Dataset": "adi.data.dataset:Dataset",
    "FittedModel": "adi.models.model:FittedModel",
    "MODELS": "adi.models.catalog:MODELS",
    "Marketplace": "adi.marketplace.simulation:Marketplace",
    "Metric": "adi.metrics:Metric",
    "Retriever": "adi.retrieval.retriever:Retriever",
    "TowerSettings": "adi.models.settings:TowerSettings",
    "TrainedModel": "adi.models.model:TrainedModel",
    "backtest": "adi.backtesting.backtest:backtest",
    "compare": "adi.comparison.compare:compare",
    "convert": "adi.sources.catalog:convert",
    "copy_items": "adi.stores.copy:copy_items",
    "evaluate": "adi.training.evaluation:evaluate_run",
    "export": "adi.exporting.export:export",
    "losses": "adi.losses",
    "metrics": "adi.metrics",
    "nn": "adi.nn",
    "prepare": "adi.preparation.prepare:prepare",
    "quickstart": "adi.steps.quickstart:quickstart",
    "retrieve_all": "adi.retrieval.retrieve_all:retrieve_all",
    "route": "adi.router.server:route",
    "serve": "adi.serving.server:serve",
    "simulate": "adi.marketplace.simulation:simulate",
    "train": "adi.training.train:train",
    "tune": "adi.tuning.tune:tune",
    "verify": "adi.verification:verify",
    "write_report": "adi.report.page:write_report",
}
"""The module of each public name, and the name there; a module by itself is the value."""

__all__ = [
    "MODELS",
    "AdiError",
    "Dataset",
    "FittedModel",
    "Marketplace",
    "Metric",
    "Retriever",
    "TowerSettings",
    "TrainedModel",
    "__version__",
    "backtest",
    "compare",
    "convert",
    "copy_items",
    "evaluate",
    "export",
    "losses",
    "metrics",
    "nn",
    "prepare",
    "quickstart",
    "retrieve_all",
    "route",
    "serve",
    "simulate",
    "train",
    "tune",
    "verify",
    "write_report",
]


def __getattr__(name: str) -> "Any":
    """Import a public name when it is first used."""
    if name == "__version__":
        from importlib.metadata import version

        return version("adi-retrieval")
    if name not in _HOMES:
        raise AttributeError(f"module 'adi' has no attribute '{name}'")
    module_name, _, attribute = _HOMES[name].partition(":")
    module = import_module(module_name)
    return getattr(module, attribute) if attribute else module


def __dir__() -> list[str]:
    return sorted(__all__)
