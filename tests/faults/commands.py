"""The commands of adi that write, on a small marketplace, each with the digests of what it wrote."""

import csv
import json
import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from adi.data.sealed import file_info, files_in
from adi.errors import AdiError
from adi.exporting.export import export
from adi.marketplace.simulation import Marketplace, simulate
from adi.preparation.prepare import prepare
from adi.retrieval.retrieve_all import retrieve_all
from adi.runs.info import read_info
from adi.serving.events import Clicked, EventStoreError, SqliteEventStore
from adi.training.evaluation import evaluate_run
from adi.training.train import train
from adi.tuning.tune import tune
from trending import clicks, trending_schema

MARKET = Marketplace(users=100, items=60, interactions=900, groups=4, clusters=4)
SETTINGS: Mapping[str, Any] = {
    "epochs": 2, "embedding_dim": 4, "dim": 4, "networks": (4,), "embedding_sets": 1, "uniform": 20, "batch_size": 256,
    "checkpoint_steps": 3,
}  # fmt: skip

Digests = Mapping[str, str]


class Command(NamedTuple):
    """A command: `run` reads the folders of `made` and writes `out`; `digests` are those of the files written.

    After a kill, `run` goes on or starts anew, unless the result `is_complete`. `begin` makes what is there before.
    """

    run: Callable[[Path, Path], Any]
    digests: Callable[[Path], Digests]
    is_complete: Callable[[Path], bool] = Path.exists
    begin: Callable[[Path, Path], Any] = lambda made, out: None


def make_tables(made: Path) -> None:
    """Folders that commands read: tables, a prepared dataset of three domains, and one with trends."""
    simulate(made / "market", MARKET, progress=False)
    prepare(made / "market", made / "prepared", progress=False)
    schema = trending_schema(audience={"half_lives": [1800]})
    prepare(schema, made / "trending", tables={"interactions": clicks()}, progress=False)


def make_models(made: Path) -> None:
    """Folders that commands read: a run, and a bundle."""
    train(made / "prepared", "adi-se", made / "run", settings=SETTINGS, progress=False)
    export(made / "run", made / "bundle", progress=False, queries=20)


def _train(prepared: Path, model: str, out: Path) -> None:
    """Go on where the run is, as `adi train --resume`; start it if it was killed before it had a record."""
    begun = (out / "run.json").is_file()
    train(prepared, model, out, settings=SETTINGS, progress=False, resume=begun)


def _is_trained(out: Path) -> bool:
    return (out / "run.json").is_file() and read_info(out).status == "complete"


def _copy_run(made: Path, out: Path) -> None:
    shutil.copytree(made / "run", out)
    evaluate_run(out, prepared=made / "prepared", progress=False)


def _tune(made: Path, out: Path) -> None:
    space = {"lr": {"low": 0.001, "high": 0.01}}
    tune(made / "prepared", "dnn", out, trials=2, settings={**SETTINGS, "epochs": 1}, space=space, progress=False)


def _digests_of_study(out: Path) -> Digests:
    with (out / "trials.csv").open(newline="") as file:
        trials = list(csv.DictReader(file))
    return {
        row["trial"]: json.dumps({name: value for name, value in row.items() if name != "seconds"}) for row in trials
    }


def _digests_of_folder(out: Path, *, leave_out: tuple[str, ...] = ()) -> Digests:
    return {name: info.digest for name, info in files_in(out).items() if Path(name).name not in leave_out}


def _digests_of_run(out: Path) -> Digests:
    """The weights, and what the validation measured; the times differ."""
    log = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    measured = json.dumps([[row["epoch"], row["loss"], row.get("validation")] for row in log])
    return {path.name: file_info(path).digest for path in out.glob("*.safetensors")} | {"log": measured}


def _digests_of_evaluation(out: Path) -> Digests:
    metrics = json.loads((out / "metrics.json").read_text())
    return {"metrics": json.dumps([metrics["domains"], metrics["ranks"]])} | _digests_of_run(out)


EVENTS = [(f"item{number}", "search") for number in range(12)]


def _add_events(out: Path) -> None:
    """Add the events that the store lacks: all, or those after the last that it has."""
    store = SqliteEventStore(out)
    (kept,) = store.of(["user"])
    try:
        for event in EVENTS[len(kept) :]:
            store.add("user", [event], [Clicked(1.0)])
    except EventStoreError as error:  # the server answers with 503 and this reason
        raise AdiError(f"{out}: {error}") from None
    store.close()


def _digests_of_events(out: Path) -> Digests:
    store = SqliteEventStore(out)
    kept, clicks = store.of(["user"]), store.clicks(None)
    store.close()
    return {"events": json.dumps(kept), "clicks": json.dumps([(click.user, click.item) for click in clicks])}


def _table(out: Path) -> Path:
    return out.with_name("lists.parquet")


COMMANDS = {
    "simulate": Command(lambda made, out: simulate(out, MARKET, progress=False), _digests_of_folder),
    "prepare": Command(
        lambda made, out: prepare(made / "market", out, progress=False),
        partial(_digests_of_folder, leave_out=("manifest.json",)),
    ),
    "train": Command(
        lambda made, out: _train(made / "prepared", "adi-se", out),
        _digests_of_run,
        _is_trained,
    ),
    "train on trends": Command(
        lambda made, out: _train(made / "trending", "dnn", out),
        _digests_of_run,
        _is_trained,
    ),
    "tune": Command(_tune, _digests_of_study, lambda out: False),
    "evaluate": Command(
        lambda made, out: evaluate_run(out, prepared=made / "prepared", progress=False),
        _digests_of_evaluation,
        lambda out: False,
        _copy_run,
    ),
    "export": Command(
        lambda made, out: export(made / "run", out, progress=False, queries=20),
        partial(_digests_of_folder, leave_out=("bundle.json", "index.json")),
    ),
    "retrieve-all": Command(
        lambda made, out: retrieve_all(made / "bundle", _table(out), progress=False),
        lambda out: {"parquet": file_info(_table(out)).digest},
        lambda out: _table(out).exists(),
    ),
    "retrieve-all in parts": Command(
        lambda made, out: retrieve_all(made / "bundle", out, progress=False),
        _digests_of_folder,
        lambda out: False,
    ),
    "events": Command(lambda made, out: _add_events(out), _digests_of_events, lambda out: False),
}
