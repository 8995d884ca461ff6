"""Commands on models and runs: models, train, evaluate, report."""

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from adi.cli.options import AsJson, Device, ExcludeSeen, MetricPaths, Mlflow, ModelPath, Prepared, Processes, Verify
from adi.cli.processes import in_processes, is_first, told_to_resume
from adi.cli.progress import epochs, progress_bar
from adi.cli.show import (
    metrics_table,
    other_data,
    plain_table,
    say,
    say_json,
    seen_items,
    small_domains,
)
from adi.cli.tracking import log_evaluation, log_training, mlflow_result, tracked_run, tracked_training, tracking

if TYPE_CHECKING:
    from adi.runs.self_training import Audit

Run = Annotated[Path, typer.Argument(help="The folder of a run that is complete.")]


def models(
    prepared: Annotated[
        Path | None, typer.Argument(help="A prepared dataset, for which to count the parameters of each model.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the models that adi train knows; for a dataset, with the parameters that each would have by its defaults.

    Parameters are those of the networks of both towers, and those of the embedding tables.

    Example: [bold]adi models prepared[/]
    """
    from adi.models.catalog import MODELS

    if prepared is None:
        if as_json:
            say_json([{"model": name, "summary": model.summary} for name, model in MODELS.items()])
            return
        table = plain_table(None, "model", "what it is")
        for name, model in MODELS.items():
            table.add_row(name, model.summary)
        say(table)
        return
    from adi.data.dataset import Dataset
    from adi.errors import AdiError
    from adi.models.model import TrainedModel
    from adi.training.settings import settings_for

    dataset = Dataset(prepared)
    table = plain_table(None, "model")
    table.add_column("networks", justify="right")
    table.add_column("embeddings", justify="right")
    table.add_column("what it is")
    remarks: dict[str, list[str]] = {}
    listed: list[dict[str, object]] = []
    for name, model in MODELS.items():
        networks = tables = None
        if isinstance(model, TrainedModel):
            settings = settings_for(model).for_data(dataset.manifest).model
            try:
                networks, tables = model.count_parameters(dataset, settings)
                for note in model.notes(dataset, settings):
                    remarks.setdefault(note, []).append(name)
            except AdiError as error:
                remarks.setdefault(str(error), []).append(name)
        table.add_row(name, *("–" if count is None else f"{count:,}" for count in (networks, tables)), model.summary)
        notes = [note for note, names in remarks.items() if name in names]
        listed.append(
            {"model": name, "summary": model.summary, "networks": networks, "embeddings": tables, "notes": notes}
        )
    if as_json:
        say_json(listed)
        return
    say(table)
    for remark, names in remarks.items():
        say(f"{', '.join(names)}: {remark}")


def train(
    prepared: Annotated[Path, typer.Argument(help="The folder that adi prepare wrote.")],
    model: Annotated[str, typer.Option(help="A name from adi models, or package.module:NAME of your own.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="The run's folder, new or empty. Needed, but for --show-config.")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="YAML file of settings, as --show-config prints them, or by model (docs/reproduce.md)."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="One setting, as in epochs=3 or training.lr=0.002; wins over --config; repeatable."),
    ] = None,
    self_training: Annotated[
        bool,
        typer.Option(
            "--self-training",
            help="After a warm-up, also learn from what users took in other domains (--set self_training=true).",
        ),
    ] = False,
    seed: Annotated[int, typer.Option(help="Of weights, order, negatives and dropout.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an unfinished run.")] = False,
    device: Device = "cpu",
    baselines: Annotated[
        bool,
        typer.Option(
            "--baselines/--no-baselines",
            help="Compare the model with quick baselines on the validation rows, or leave them out.",
            show_default=False,
        ),
    ] = True,
    show_config: Annotated[
        bool,
        typer.Option("--show-config", help="Print all settings as YAML, those of the data with the reason, and exit."),
    ] = False,
    verify: Verify = True,
    nproc: Processes = 1,
    sharding: Annotated[
        Literal["auto", "row_wise", "table_wise"],
        typer.Option(help="How processes divide embedding tables: each by its rows, whole tables, or as planned."),
    ] = "auto",
    timeout: Annotated[
        float, typer.Option(min=1, help="Seconds after which a process that waits for another gives up.")
    ] = 600,
    mlflow: Mlflow = None,
    as_json: AsJson = False,
) -> None:
    """Train a model on a prepared dataset; its best epoch on the validation rows is kept.

    Example: [bold]adi train prepared --model adi-se --out run --set epochs=5[/]
    """
    from adi.cli.settings import given_settings, show_settings
    from adi.errors import AdiError

    given = given_settings(config, settings or [], [model])
    if self_training:
        given["training.self_training"] = True
    if show_config:
        show_settings(model, given, prepared, as_json=as_json)
        return
    if out is None:
        raise AdiError("--out is missing: the folder of the run.")
    if in_processes(nproc, run=out):
        return
    first = is_first()
    from adi.runs.baselines import read_baselines
    from adi.runs.self_training import read_audit
    from adi.training.train import train as run

    tracked = tracked_run(mlflow, out) if first else None
    with told_to_resume(out), tracking(tracked), epochs() if first else nullcontext() as observer:
        info = run(
            prepared,
            model,
            out,
            settings=given,
            seed=seed,
            resume=resume,
            device=device,
            baselines=baselines,
            verify=verify,
            progress=False,
            observer=tracked_training(tracked, out, observer),
            sharding=sharding,
            timeout=timeout,
        )
    if not first:
        return
    log_training(tracked, out, info)
    compared, audit = read_baselines(out), read_audit(out)
    if as_json:
        content = info.model_dump(mode="json", exclude={"files"})
        for name, extra in (("baselines", compared), ("self_training", audit)):
            content[name] = None if extra is None else extra.model_dump(mode="json", by_alias=True)
        say_json({"run": str(out), **content, **mlflow_result(tracked)})
        return
    size = "" if info.parameters is None else f" ({info.parameters:,} parameters)"
    kept = "" if info.kept is None else f"; {_kept(info.kept)}{', trained again on all rows' if info.refit else ''}"
    if info.by_data:
        say(f"By the data: {info.decided()}.")
    for note in info.notes:
        say(note)
    for line in [] if compared is None else compared.sentences():
        say(line)
    if audit is not None:
        say(_self_training(audit))
    say(f"Trained {info.model}{size}{kept}: {out}. Next: adi evaluate {out}")


def _self_training(audit: "Audit") -> str:
    """The pseudo-positives of a training and the time they took, in a sentence."""
    accepted, scored = sum(pair.accepted for pair in audit.pairs), sum(pair.scored for pair in audit.pairs)
    seconds = audit.seconds
    return (
        f"Self-training, from step {audit.start_step:,} of {audit.steps:,}: {accepted:,} pseudo-positives of "
        f"{scored:,} pairs. Of {seconds['total']:,.0f} s, {seconds['scoring']:,.0f} s went into scoring and "
        f"{seconds['training_extra']:,.0f} s into training on them; self_training.json has them by domain."
    )


def _kept(epochs: dict[str, int]) -> str:
    """The epoch that is kept, or the epoch of each domain where they differ."""
    if len(set(epochs.values())) == 1:
        return f"epoch {next(iter(epochs.values()))} is kept"
    return f"epochs kept: {', '.join(f'{name} {epoch}' for name, epoch in epochs.items())}"


def evaluate(
    run: Run,
    ks: Annotated[str, typer.Option("--k", help="List lengths, as in 10,50,100.")] = "10,50,100",
    against: Annotated[
        Literal["corpus", "candidates"] | None,
        typer.Option(
            help="Rank among the domain's whole corpus, or among each test row's candidates.",
            show_default="candidates where the split gives them, else corpus",
        ),
    ] = None,
    all_history: Annotated[
        bool, typer.Option("--all-history", help="Queries see later training rows of the user too.")
    ] = False,
    exclude_seen: ExcludeSeen = None,
    leave_out_small: Annotated[
        bool,
        typer.Option(
            "--leave-out-small",
            help="Leave domains with fewer than 100 test rows, or no more items than the shortest list, out of the "
            "mean over the domains.",
        ),
    ] = False,
    metrics: MetricPaths = None,
    model: ModelPath = None,
    prepared: Prepared = None,
    verify: Verify = True,
    mlflow: Mlflow = None,
    as_json: AsJson = False,
    nproc: Processes = 1,
) -> None:
    """Evaluate a run on the test rows of its dataset, by exact ranks; also written to metrics.json in the run.

    With --prepared, on the test rows of another dataset, such as one with the rows of a later day.

    Example: [bold]adi evaluate run --json[/]
    """
    if in_processes(nproc):
        return
    from adi.cli.settings import list_lengths
    from adi.extensions import import_object
    from adi.metrics import METRICS, RECALL, Metric
    from adi.training.evaluation import evaluate_run

    lengths = list_lengths(ks)
    own_metrics = [import_object(path, (Metric,), parameter="metrics") for path in metrics or ()]
    first = is_first()
    tracked = tracked_run(mlflow, run) if first else None
    with progress_bar() if first else nullcontext(False) as report:
        measured = evaluate_run(
            run,
            ks=lengths,
            against=against,
            causal=not all_history,
            exclude_seen=exclude_seen,
            leave_out_small=leave_out_small,
            metrics=own_metrics,
            model=model,
            prepared=prepared,
            verify=verify,
            progress=report,
        )
    if not first:
        return
    log_evaluation(tracked, run, measured)
    if as_json:
        say_json({**measured.model_dump(mode="json"), **mlflow_result(tracked)})
        return
    names = [f"recall@{value}" for value in measured.ks]
    others = [metric.name for metric in (*METRICS.values(), *own_metrics) if metric is not RECALL]
    names += [f"{name}@{measured.ks[0]}" for name in others]
    title = f"{measured.model} on {measured.part}, against the {measured.against}, history: {measured.history}"
    title += ", left out of the lists" if measured.exclude_seen else ""
    if measured.frozen is not None:
        frozen = measured.model_copy(update=dict(measured.frozen))
        say(metrics_table(frozen, names, f"{title}, frozen: nothing of the test is known"))
        title += ", live: known up to each row's moment"
    say(metrics_table(measured, names, title))
    for line in (*small_domains(measured), *seen_items(measured)):
        say(line)
    for line in other_data(measured.unknown, prepared, str(measured.model)):
        say(line)
    say(f"Wrote {run / 'metrics.json'}, ranks.parquet and lists.parquet.")


def report(
    runs: Annotated[list[Path], typer.Argument(help="Folders of evaluated runs, to be compared.")],
    out: Annotated[Path, typer.Option("--out", help="The HTML file to write.")] = Path("report.html"),
    baseline: Annotated[
        str | None,
        typer.Option(
            help="The model that differences are to.", show_default="dnn-single, else the best that is not trained"
        ),
    ] = None,
    examples: Annotated[
        int, typer.Option(min=0, help="Test queries of each domain whose lists are shown; 0 for none.")
    ] = 2,
    pair: Annotated[
        tuple[str, str] | None,
        typer.Option(
            help="Two models to show side by side, by their names in the report.",
            show_default="the best, and the best that is not trained",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write one HTML page that compares runs; it opens offline.

    Example: [bold]adi report runs/* --out report.html[/]
    """
    from adi.report.page import write_report

    write_report(runs, out, baseline=baseline, examples=examples, pair=pair)
    if as_json:
        say_json({"report": str(out)})
    else:
        say(f"Wrote {out}.")
