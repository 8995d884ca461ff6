"""`adi.quickstart`: from tables to a report and a bundle in one call, with the defaults of every step."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adi.comparison.compare import compare
from adi.comparison.result import Comparison
from adi.data.dataset import Dataset
from adi.exporting.export import export
from adi.guessing.draft import guess_schema
from adi.models.catalog import model_of
from adi.preparation.prepare import prepare
from adi.report.page import write_report
from adi.runs.info import FILE as RUN
from adi.runs.info import read_info
from adi.runs.metrics import FILE as METRICS
from adi.training.evaluation import evaluate_run
from adi.training.settings import as_config, settings_for
from adi.training.train import train

SCHEMA, PREPARED, RUNS, REPORT, BUNDLE = "schema.yaml", "prepared", "runs", "report.html", "bundle"
"""What is in the folder of a quick start."""

EASE_ITEMS = 5000
"""EASE is left out where there are more items: solving takes minutes."""


@dataclass(frozen=True)
class Quickstart:
    """What a quick start made.

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
    folder = Path(out)
    schema = folder / SCHEMA
    if schema.exists():
        say(f"Schema: {schema}, which is there already.")
    else:
        draft = guess_schema(tables, folder, user=user, item=item, domain=domain, time=time, positive=positive)
        folder.mkdir(parents=True, exist_ok=True)
        schema.write_text(draft.text, encoding="utf-8")
        for note in draft.notes:
            say(note)
        say(f"Schema: {schema}, guessed; correct it and run the same command again if it is wrong.")
    dataset = _prepared(folder, memory, progress, say)
    runs = [_trained(folder, name, {}, 0, "cpu", progress, say) for name in baselines_for(dataset)]
    has_validation = any(counts.validation for counts in dataset.manifest.by_domain.values())
    if has_validation:
        runs.append(_trained(folder, model, settings or {}, seed, device, progress, say))
    else:
        say(f"Model: none, since no user has rows enough for validation; {model} needs them.")
    write_report(runs, folder / REPORT)
    comparison = compare(runs) if has_validation else None
    return Quickstart(
        schema=schema,
        prepared=folder / PREPARED,
        runs=tuple(runs),
        report=folder / REPORT,
        bundle=_exported(folder, runs[-1], progress) if has_validation else None,
        comparison=comparison,
    )


def baselines_for(dataset: Dataset) -> list[str]:
    """The models that are worth a look before any other, by the size of the data and by whether it has trends."""
    if dataset.manifest.trend is not None:
        return ["popularity", "co-clicks"]
    return ["popularity", "item-knn", *(["ease"] if dataset.manifest.items <= EASE_ITEMS else [])]


def _prepared(folder: Path, memory: str, progress: bool, say: Callable[[str], None]) -> Dataset:
    """The prepared dataset of the schema; what was made by another schema is removed."""
    prepared, schema = folder / PREPARED, folder / SCHEMA
    if prepared.exists() and (prepared / SCHEMA).read_bytes() == schema.read_bytes():
        say(f"Data: {prepared}, which is there already; its tables are not read again.")
        return Dataset(prepared)
    if prepared.exists():
        say(f"Data: {schema} is another than before, so all is made anew.")
        for made in (prepared, folder / RUNS, folder / BUNDLE):
            shutil.rmtree(made, ignore_errors=True)
    manifest = prepare(schema, prepared, memory=memory, progress=progress)
    rows, domains = manifest.rows, len(manifest.domains)
    aside = ", ".join(f"{count:,} {reason}" for reason, count in rows.set_aside.items())
    say(
        f"Data: {rows.kept:,} rows of {manifest.users:,} users and {manifest.items:,} items in {domains} domains"
        f"{f'; set aside: {aside}' if aside else ''}."
    )
    return Dataset(prepared)


def _trained(
    folder: Path,
    model: str,
    settings: Mapping[str, Any],
    seed: int,
    device: str,
    progress: bool,
    say: Callable[[str], None],
) -> Path:
    """The evaluated run of a model, which goes on where an earlier call stopped."""
    prepared, run = folder / PREPARED, folder / RUNS / model.rpartition(":")[-1]
    before = read_info(run) if (run / RUN).exists() else None
    config = as_config(settings_for(model_of(model), settings).for_data(Dataset(prepared).manifest))
    if before is not None and (before.config, before.seed) != (config, seed):
        say(f"{run} is of other settings, and is made anew.")
        for made in (run, folder / BUNDLE):
            shutil.rmtree(made, ignore_errors=True)
        before = None
    if before is None or before.status != "complete":
        resume = before is not None
        info = train(
            prepared, model, run, settings=settings, seed=seed, device=device, resume=resume, progress=progress
        )
        values = {name: value for section in info.config.values() for name, value in section.items()}
        decided = "; ".join(f"{name} {values[name]} ({why})" for name, why in info.by_data.items())
        say(f"Trained: {model}{f'. By the data: {decided}' if decided else ''}.")
    if not (run / METRICS).exists():
        evaluate_run(run, progress=progress)
    return run


def _exported(folder: Path, run: Path, progress: bool) -> Path:
    bundle = folder / BUNDLE
    if not bundle.exists():
        export(run, bundle, progress=progress)
    return bundle
