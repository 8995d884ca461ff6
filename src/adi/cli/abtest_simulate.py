"""The command abtest simulate: an experiment on a simulated marketplace that is live."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adi.cli.options import AsJson
from adi.cli.progress import progress_bar
from adi.cli.show import plain_table, say, say_json

if TYPE_CHECKING:
    from adi.online.retraining import Retrain


def simulate(
    market: Annotated[Path, typer.Argument(help="Folder that adi simulate wrote; its truth is what users follow.")],
    experiment: Annotated[Path, typer.Argument(help="The experiment's file, as for adi serve.")],
    out: Annotated[Path, typer.Option("--out", help="Folder to write; it must be empty or not exist.")],
    days: Annotated[int, typer.Option(help="Days to simulate.")] = 14,
    requests: Annotated[int, typer.Option(help="Requests of all arms on a day.")] = 20_000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same logs.")] = 0,
    candidates: Annotated[int, typer.Option(help="Items that an arm retrieves for a request.")] = 50,
    slots: Annotated[int, typer.Option(help="Items that a list shows.")] = 4,
    budgets: Annotated[
        float, typer.Option(help="Budgets of advertisers, as a multiple of what they are expected to spend.")
    ] = 2.0,
    bounds: Annotated[
        bool, typer.Option("--bounds", help="Add two arms: oracle, which knows the truth, and random.")
    ] = False,
    planted: Annotated[
        list[str] | None,
        typer.Option(
            "--plant",
            help="Add an uplift to the clicks of an arm, as in treatment=0.05; repeatable.",
            show_default=False,
        ),
    ] = None,
    bid_weights: Annotated[
        list[str] | None,
        typer.Option(
            "--bid-weight",
            help="Rank an arm's items with their bids, as in treatment=0.5: a multiple of the weight at which bids "
            "spread scores as widely as the model does; repeatable. Needs a bundle with bids.",
            show_default=False,
        ),
    ] = None,
    explore: Annotated[
        float | None,
        typer.Option(
            help="Temperature of a random choice of the shown item, for adi abtest estimate; needs --slots 1.",
            show_default="the best are shown",
        ),
    ] = None,
    others: Annotated[
        list[str] | None,
        typer.Option(
            "--other",
            help="With --explore, write into an arm's log the probabilities of another arm, as in control=treatment; "
            "repeatable.",
            show_default=False,
        ),
    ] = None,
    retrain: Annotated[
        str | None,
        typer.Option(
            help="After each day, train this model anew for each arm, on the log and the arm's clicks.",
            show_default="bundles stay as they are",
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="A setting of --retrain, as in epochs=3; repeatable.", show_default=False),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(help="Processes.", show_default="one for each arm, at most one for each core")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Simulate an experiment: users of a marketplace with known truth, real bundles, an auction, clicks and charges.

    Example: [bold]adi abtest simulate tables ranker-2.yaml --out live --bounds[/]
    """
    from adi.online.settings import Online
    from adi.online.simulate import simulate_experiment

    online = Online(
        days=days,
        requests=requests,
        seed=seed,
        candidates=candidates,
        slots=slots,
        budgets=budgets,
        planted=_by_arm("planted", planted or []),
        bid_weights=_by_arm("bid_weights", bid_weights or []),
        explore=explore,
        others=_pairs("others", others or [], "an arm and another one, as in control=treatment"),
    )
    with progress_bar() as bar:
        summary = simulate_experiment(
            market,
            experiment,
            out,
            online,
            bounds=bounds,
            retrain=_retrain(retrain, settings or []),
            jobs=jobs,
            progress=bar,
        )
    if as_json:
        say_json(summary)
        return
    say(_table(summary))
    say(
        f"{summary['requests_per_second']:,.0f} requests per second. Wrote {out}. Next: adi abtest {out}/exposures "
        f"--clicks {out}/clicks --charge charge --experiment {out}/experiment.yaml"
    )
    for arm, other in online.others.items():
        say(f"Off-policy estimates of {other} from the log of {arm}: adi abtest estimate {out}/shown/{arm}")


def _retrain(model: str | None, given: list[str]) -> "Retrain | None":
    """A function that trains the model with its settings, both checked; None without a model."""
    from adi.errors import ArgumentError

    if model is None:
        if given:
            raise ArgumentError("settings", "there is nothing to train. Give --retrain, or leave --set out.")
        return None
    from functools import partial

    from adi.cli.settings import given_settings
    from adi.models.catalog import model_of
    from adi.steps.retrain import retrain
    from adi.training.settings import settings_for

    settings = given_settings(None, given, [model])
    settings_for(model_of(model), settings)
    return partial(retrain, model=model, settings=settings)


def _by_arm(option: str, given: list[str]) -> dict[str, float]:
    """The numbers of ``ARM=NUMBER``."""
    from adi.errors import ArgumentError

    wanted, numbers = "an arm and a number, as in treatment=0.5", {}
    for arm, number in _pairs(option, given, wanted).items():
        try:
            numbers[arm] = float(number)
        except ValueError:
            raise ArgumentError(option, f"'{arm}={number}': give {wanted}.") from None
    return numbers


def _pairs(option: str, given: list[str], wanted: str) -> dict[str, str]:
    """The words of ``ARM=WORD``."""
    from adi.errors import ArgumentError

    pairs = {}
    for text in given:
        arm, _, word = text.partition("=")
        if not word:
            raise ArgumentError(option, f"'{text}': give {wanted}.")
        pairs[arm] = word
    return pairs


def _table(summary: dict[str, Any]) -> Any:
    """The rates of each arm."""
    from adi.online.simulate import rates_of

    table = plain_table(f"{summary['experiment']}, {summary['settings']['days']} days", "arm")
    for column in ("requests", "clicks", "CTR", "RPM", "PPC", "budgets spent"):
        table.add_column(column, justify="right")
    for name, rates in rates_of(summary).items():
        arm = summary["arms"][name]
        table.add_row(
            name,
            f"{arm['requests']:,}",
            f"{arm['clicks']:,}",
            f"{rates['ctr']:.2%}",
            f"{rates['rpm']:,.2f}",
            f"{rates['ppc']:.3f}",
            f"{arm['exhausted']:.0%}",
        )
    return table
