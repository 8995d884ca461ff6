"""The command tune: a search for settings, with a table of the best trials at the end."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from adi.cli.log import LOG
from adi.cli.options import AsJson, Device, Mlflow, Verify
from adi.cli.progress import trials as watched
from adi.cli.show import number, plain_table, say, say_json
from adi.cli.tracking import mlflow_result, tracked_run, tracked_tuning, tracking

if TYPE_CHECKING:
    from adi.tuning.study import Study

BEST = 5
"""Trials that the table at the end shows."""


def tune(
    prepared: Annotated[Path, typer.Argument(help="The folder that adi prepare wrote.")],
    model: Annotated[str, typer.Option(help="A name from adi models, or package.module:NAME of your own.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="The study's folder: new, or one to go on with. Needed, but for --show-space."),
    ] = None,
    trials: Annotated[int, typer.Option(help="Trials in all: those done before and the base settings count.")] = 20,
    objective: Annotated[
        Literal["mean", "worst"],
        typer.Option(help="The mean over domains of recall, or the worst domain's, relative to the base settings."),
    ] = "mean",
    space: Annotated[Path | None, typer.Option(help="YAML file of what to search, as --show-space prints it.")] = None,
    config: Annotated[Path | None, typer.Option(help="YAML file of base settings, as for adi train.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="One base setting, as in epochs=3; wins over --config; repeatable."),
    ] = None,
    k: Annotated[
        int | None, typer.Option("-k", help="List length of the recall.", show_default="training.k, else 50")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the search and of every training.")] = 0,
    timeout: Annotated[float | None, typer.Option(help="Seconds after which no further trial begins.")] = None,
    device: Device = "cpu",
    verify: Verify = True,
    show_space: Annotated[bool, typer.Option("--show-space", help="Print what is searched as YAML and exit.")] = False,
    mlflow: Mlflow = None,
    as_json: AsJson = False,
) -> None:
    """Search for better settings of a model, on the validation rows alone; the same command goes on where it stopped.

    Example: [bold]adi tune prepared --model adi-se --out tuning --trials 30[/]
    """
    from adi.cli.settings import given_settings, read_mapping
    from adi.errors import AdiError

    given, wanted = given_settings(config, settings or [], [model]), None
    if space is not None:
        meaning = "a space is a mapping of settings, as --show-space prints it."
        wanted = read_mapping(space, option="--space", meaning=meaning)
    if show_space:
        searched = _space(prepared, model, given, wanted)
        if as_json:
            say_json(searched)
        else:
            say(_space_text(searched))
        return
    if out is None:
        raise AdiError("--out is missing: the folder of the study.")
    from adi.tuning.tune import tune as run

    tracked = tracked_run(mlflow, out)
    try:
        with tracking(tracked), watched(trials) as observer:
            study = run(
                prepared,
                model,
                out,
                trials=trials,
                objective=objective,
                space=wanted,
                settings=given,
                k=k,
                seed=seed,
                timeout=timeout,
                device=device,
                verify=verify,
                progress=False,
                observer=tracked_tuning(tracked, out, observer),
            )
    except KeyboardInterrupt:
        LOG.message(f"{out}: not finished; the same command goes on.", level="error")
        raise
    if tracked is not None:
        tracked.end()
    if as_json:
        best = study.ranked()[0]
        trials_done = [trial.model_dump(mode="json") for trial in study.trials]
        chosen = {"config": f"{out}/best.yaml", "best": best.number, "objective": study.value(best)}
        say_json({"study": str(out), **chosen, "trials": trials_done, **mlflow_result(tracked)})
        return
    _show(study, trials)
    command = f"adi train {prepared} --model {model} --config {out}/best.yaml --out run"
    say(f"Wrote {out}/best.yaml and trials.csv. Next: {command}")


def _space(prepared: Path, model: str, given: Mapping[str, Any], wanted: Mapping[str, Any] | None) -> dict[str, Any]:
    """The space of the prepared dataset, or of the model alone where there is none yet."""
    from adi.data.dataset import Dataset
    from adi.models.catalog import model_of
    from adi.training.row_weights import half_lives
    from adi.training.settings import settings_for
    from adi.tuning.space import as_mapping, search_space

    kind = model_of(model)
    settings, choices = settings_for(kind, given), []
    if prepared.exists():
        dataset = Dataset(prepared)
        settings, choices = settings.for_data(dataset.manifest), half_lives(dataset)
    return as_mapping(search_space(kind, settings, wanted, choices))


def _space_text(space: Mapping[str, Any]) -> str:
    """The space as YAML, a setting on each line."""
    import yaml

    lines = (yaml.safe_dump({name: values}, sort_keys=False, default_flow_style=True) for name, values in space.items())
    return "\n".join(line.strip()[1:-1] for line in lines)


def _show(study: "Study", trials: int) -> None:
    """The best trials with the standard errors of the first, what its settings change, and how sure that is."""
    from adi.tuning.objective import mean, standard_error_of_mean, standard_errors
    from adi.tuning.progress import rounded

    ranked, names = study.ranked(), list(study.queries)
    best, base = ranked[0], study.trials[0]
    states = [trial.state for trial in study.trials]
    counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
    columns = ["mean", *names] if study.objective == "mean" else ["worst", "mean", *names]
    table = plain_table(f"validation recall@{study.k}, best of {len(states)} trials ({counts})", "trial")
    for column in (*columns, "epochs", "seconds"):
        table.add_column(column, justify="right")
    for trial in ranked[:BEST]:
        recalls = trial.validations[-1]
        values = [mean(recalls), *recalls.values()]
        if study.objective == "worst":
            values.insert(0, study.value(trial))
        epochs = str(len(trial.validations)) if "training" in study.config else "–"
        table.add_row(str(trial.number), *map(number, values), epochs, f"{trial.seconds:.1f}")
    recalls = best.validations[-1]
    error = standard_error_of_mean(recalls, study.queries)
    errors = [error, *standard_errors(recalls, study.queries).values()]
    table.add_section()
    table.add_row("± s.e.", *[""] * (len(columns) - len(errors)), *map(number, errors))
    say(table)
    if len(states) < trials:
        say(f"Stopped by --timeout after {len(states)} of {trials} trials; the same command goes on.")
    if best.number == 0:
        say("No trial was better than the base settings, which best.yaml holds.")
        return
    before, after = rounded(base.settings), rounded(best.settings)
    changes = [f"{name} {before[name]} → {after[name]}" for name in before if before[name] != after[name]]
    say(f"Trial {best.number} changes {', '.join(changes)}.")
    gain = mean(recalls) - mean(base.validations[-1])
    if gain < 2 * error:
        say(
            f"Its mean is {gain:+.4f} from the base settings', no statistically significant difference: the standard "
            f"error is {error:.4f}."
        )
