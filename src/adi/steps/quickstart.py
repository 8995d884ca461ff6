"""`adi.quickstart`: from tables to a report and a bundle in one call, with the defaults of every step."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adi.comparison.compare import compare
from adi.comparison.result import Comparison
from adi.data.dataset import Dataset
from adi.data.manifest import Manifest
from adi.exporting.export import export
from adi.models.catalog import model_of
from adi.report.page import write_report
from adi.runs.info import FILE as RUN
from adi.runs.info import read_info
from adi.runs.metrics import FILE as METRICS
from adi.steps.tables import BUNDLE, PREPARED, RUNS, SCHEMA, prepare_tables, remove
from adi.training.baselines import quick_models
from adi.training.evaluation import evaluate_run
from adi.training.settings import as_config, settings_for
from adi.training.train import train

REPORT = "report.html"


@dataclass(frozen=True)
class Quickstart:
    """The results of a quick start.

    `report` compares the runs on their tests; so does `comparison`, against the best baseline. `bundle` is that of the
    model; None, and no comparison, where there are no validation rows to train it on.
    """

    schema: Path
    prepared: Path
    runs: tuple[Path, ...]
    report: Path
    bundle: Path | None
    comparison: Comparison | None


def quickstart(
    tables: Sequence[str | Path],
    out: str | Path,
    *,
    user: str | None = None,
    item: str | None = None,
    domain: str | None = None,
    time: str | None = None,
    positive: str | None = None,
    model: str = "adi-se",
    settings: Mapping[str, Any] | None = None,
    seed: int = 0,
    device: str = "cpu",
    memory: str = "2GB",
    say: Callable[[str], None] = print,
    progress: bool = True,
) -> Quickstart:
    """Guess a schema for tables, prepare them, train baselines and a model, compare them, and export the model.

        adi.quickstart(["clicks.csv", "users.csv"], "first")

    The same call goes on after an interruption. It keeps ``<out>/schema.yaml``, so that a corrected one is used; what
    was made by another schema is made anew.

    Args:
        tables: the log, and tables of users and items.
        out: the folder to write: new, or of an earlier call.
        user, item, domain, time: the log's columns, where the guess fails or is wrong.
        positive: an SQL expression over the log's columns, true for the rows that count.
        model: the model to train beside the baselines.
        settings: of the model, where they are not its defaults and what the data decides.
        seed: of the model.
        device: where the model is trained.
        memory: a bound for preparing.
        say: called with a sentence on each step.
        progress: show bars on standard error, in a terminal or a notebook.

    Raises:
        ArgumentError: if the log or one of its columns is not found; the parameter is the column's role.
        AdiError: for tables that cannot be read or used.
    """
    check_settings(model, settings)
    columns = {"user": user, "item": item, "domain": domain, "time": time, "positive": positive}
    dataset = prepare_tables(tables, Path(out), columns, memory=memory, say=say, progress=progress)
    return compare_models(
        dataset, out, model=model, settings=settings, seed=seed, device=device, say=say, progress=progress
    )


def check_settings(model: str, settings: Mapping[str, Any] | None) -> None:
    """Raise `AdiError` for a model that does not exist, or does not take the settings."""
    settings_for(model_of(model), settings)


def compare_models(
    dataset: Dataset,
    out: str | Path,
    *,
    model: str,
    settings: Mapping[str, Any] | None,
    seed: int,
    device: str,
    say: Callable[[str], None],
    progress: bool,
) -> Quickstart:
    """Train baselines and a model on the prepared tables of a quick start, compare them, and export the model."""
    steps = _Steps(Path(out), progress, say)
    runs = [steps.train(name) for name in baselines_for(dataset.manifest)]
    bundle = comparison = None
    if any(counts.validation for counts in dataset.manifest.by_domain.values()):
        runs.append(steps.train(model, settings or {}, seed, device))
        comparison = compare(runs)
        bundle = steps.export(runs[-1])
    else:
        say(f"Model: none, since no user has rows enough for validation; {model} needs them.")
    write_report(runs, steps.folder / REPORT)
    return Quickstart(steps.schema, steps.prepared, tuple(runs), steps.folder / REPORT, bundle, comparison)


def baselines_for(manifest: Manifest) -> list[str]:
    """The models that are worth a look before any other, and quick: by the size of the data, and whether it has trends.

    They are those that a training is compared with (`adi.training.baselines`).
    """
    if manifest.trend is not None:
        return ["popularity", *(["co-clicks"] if manifest.trend.co_clicks is not None else [])]
    return ["popularity", *quick_models(manifest)]


@dataclass(frozen=True)
class _Steps:
    """The steps in a folder; each leaves what an earlier call has done."""

    folder: Path
    progress: bool
    say: Callable[[str], None]

    @property
    def schema(self) -> Path:
        return self.folder / SCHEMA

    @property
    def prepared(self) -> Path:
        return self.folder / PREPARED

    def train(self, model: str, settings: Mapping[str, Any] | None = None, seed: int = 0, device: str = "cpu") -> Path:
        """Train and evaluate a model; the run goes on where an earlier call stopped."""
        run = self.folder / RUNS / model.rpartition(":")[-1]
        before = read_info(run) if (run / RUN).exists() else None
        config = as_config(settings_for(model_of(model), settings).for_data(Dataset(self.prepared).manifest))
        if before is not None and (before.config, before.seed) != (config, seed):
            self.say(f"{run} is of other settings, and is made anew.")
            remove(run, self.folder / BUNDLE)
            before = None
        if before is None or before.status != "complete":
            info = train(
                self.prepared,
                model,
                run,
                settings=settings,
                seed=seed,
                device=device,
                resume=before is not None,
                progress=self.progress,
            )
            self.say(f"Trained: {model}{f'. By the data: {info.decided()}' if info.by_data else ''}.")
        if not (run / METRICS).exists():
            evaluate_run(run, progress=self.progress)
        return run

    def export(self, run: Path) -> Path:
        """Make the bundle of a run."""
        bundle = self.folder / BUNDLE
        if not bundle.exists():
            export(run, bundle, progress=self.progress)
        return bundle
