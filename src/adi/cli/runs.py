"""Commands on models and runs: models, train, evaluate, retrieve, report."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adi.cli.show import bars, metrics_table, number, plain_table, progress_bar, say

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

Run = Annotated[Path, typer.Argument(help="The folder of a run that is complete.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def models() -> None:
    """List the models."""
    from adi.models.catalog import MODELS

    table = plain_table("", "model", "what it is")
    for name, model in MODELS.items():
        table.add_row(name, model.summary)
    say(table)


def train(
    prepared: Annotated[Path, typer.Argument(help="The folder that adi prepare wrote.")],
    model: Annotated[str, typer.Option(help="A name from adi models.")],
    out: Annotated[Path | None, typer.Option("--out", help="The run's folder, new or empty.")] = None,
    config: Annotated[Path | None, typer.Option(help="YAML file of settings.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="One setting, as in epochs=3 or training.lr=0.002; repeatable.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of weights, order, negatives and dropout.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an unfinished run.")] = False,
    show_config: Annotated[bool, typer.Option("--show-config", help="Print all settings as YAML and exit.")] = False,
) -> None:
    """Train a model on a prepared dataset; its best epoch on the validation rows is kept.

    Example: [bold]adi train prepared --model adi-se --out run --set epochs=5[/]
    """
    from adi.cli.settings import given_settings, settings_text
    from adi.errors import AdiError

    given = given_settings(config, settings or [])
    if show_config:
        say(settings_text(model, given))
        return
    if out is None:
        raise AdiError("--out is missing: the folder of the run.")
    from adi.training.loop import train as run

    with bars("speed", "loss") as progress:
        info = run(prepared, model, out, settings=given, seed=seed, resume=resume, observer=_Bars(progress))
    size = "" if info.parameters is None else f" ({info.parameters:,} parameters)"
    say(f"Trained {model}{size}: {out}. Next: adi evaluate {out}")


class _Bars:
    """Shows a training: one bar for each epoch, then its validation."""

    def __init__(self, progress: "Progress") -> None:
        self.progress = progress
        self.tasks: dict[int, TaskID] = {}

    def step(self, *, epoch: int, step: int, steps: int, loss: float, samples_per_second: float) -> None:
        if epoch not in self.tasks:
            self.tasks[epoch] = self.progress.add_task(f"epoch {epoch}", total=steps, loss="", speed="")
        speed = f"{samples_per_second:,.0f} samples/s"
        self.progress.update(self.tasks[epoch], completed=step, loss=f"loss {loss:.4f}", speed=speed)

    def validated(self, *, epoch: int, metrics: dict[str, Any], best: bool) -> None:
        key = next(iter(metrics["mean"]))
        domains = "  ".join(f"{name} {number(values[key])}" for name, values in metrics["domains"].items())
        mark = "  best so far" if best else ""
        self.progress.console.print(
            f"epoch {epoch}  validation {key}  {domains}  mean {number(metrics['mean'][key])}{mark}"
        )


def evaluate(
    run: Run,
    k: Annotated[str, typer.Option(help="List lengths, as in 10,50,100.")] = "10,50,100",
    against: Annotated[
        str | None,
        typer.Option(help="corpus or candidates.", show_default="candidates where the split gives them, else corpus"),
    ] = None,
    all_history: Annotated[
        bool, typer.Option("--all-history", help="Queries see later training rows of the user too.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Evaluate a run on the test rows of its dataset: exact ranks, each domain's whole corpus.

    Example: [bold]adi evaluate run --json[/]
    """
    from adi.cli.settings import list_lengths
    from adi.errors import AdiError
    from adi.training.evaluation import evaluate_run

    ks = list_lengths(k)
    if against not in (None, "corpus", "candidates"):
        raise AdiError(f"--against: '{against}' is neither corpus nor candidates.")
    with progress_bar() as bar:
        done: list[str] = []

        def advance(domain: str) -> None:
            done.append(domain)
            bar("evaluating", len(done), total)

        from adi.training.run import read_run

        total = len(read_run(run).domains)
        metrics = evaluate_run(run, ks=ks, against=against, causal=not all_history, advance=advance)  # type: ignore[arg-type]
    if as_json:
        print(json.dumps(metrics))
        return
    keys = [f"recall@{value}" for value in metrics["ks"]]
    keys += [f"{name}@{metrics['ks'][0]}" for name in ("ndcg", "mrr")]
    title = f"{metrics['model']} on {metrics['part']}, against the {metrics['against']}, history: {metrics['history']}"
    say(metrics_table(metrics, keys, title))
    say(f"Wrote {run / 'metrics.json'}.")


def retrieve(
    run: Run,
    domain: Annotated[str, typer.Option(help="The domain whose corpus is searched.")],
    user: Annotated[str | None, typer.Option(help="A user's id.")] = None,
    history: Annotated[
        str | None,
        typer.Option(help="Items of a user never seen, oldest first, as in i3,i99; or replaces a known one's."),
    ] = None,
    context: Annotated[
        list[str] | None, typer.Option(help="A context feature, as in device=mobile; repeatable.")
    ] = None,
    k: Annotated[int, typer.Option("-k", help="How many items.")] = 10,
    as_json: AsJson = False,
) -> None:
    """The top-K of a user in a domain.

    Example: [bold]adi retrieve run --domain search --user u1 -k 5[/]
    """
    from adi.cli.settings import pairs
    from adi.retriever import Retriever

    items = None if history is None else [item for item in history.split(",") if item]
    top = Retriever(run).retrieve(domain, user=user, history=items, context=pairs(context or [], "--context"), k=k)
    if as_json:
        found = [{"item": one.item, "score": one.score} for one in top.items]
        print(json.dumps({"domain": top.domain, "user": user, "items": found, "ignored": list(top.ignored)}))
        return
    table = plain_table(f"{domain}: {user or 'a new user'}", "rank", "item", "score")
    for rank, one in enumerate(top.items, 1):
        table.add_row(str(rank), one.item, f"{one.score:.4f}")
    say(table)
    if top.ignored:
        say(f"Not in the data, ignored: {', '.join(top.ignored)}")


def report(
    runs: Annotated[list[Path], typer.Argument(help="Folders of evaluated runs, to be compared.")],
    out: Annotated[Path, typer.Option("--out", help="The HTML file to write.")] = Path("report.html"),
) -> None:
    """Write one HTML page that compares runs; it opens offline.

    Example: [bold]adi report runs/* --out report.html[/]
    """
    from adi.report.page import write_report

    write_report(runs, out)
    say(f"Wrote {out}.")
