"""The commands serve (a bundle or an experiment over HTTP) and rollback (to an earlier bundle of a folder)."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from adi.cli.show import say
from adi.errors import AdiError

if TYPE_CHECKING:
    from adi.serving.limits import Limits
    from adi.serving.service import Service


def serve(
    bundle: Annotated[
        Path,
        typer.Argument(help="Folder that adi export wrote, or YAML file of an experiment between several."),
    ],
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all of this machine.")] = ("127.0.0.1"),
    port: Annotated[int, typer.Option(help="Port to listen on; 0 for any free port.")] = 8000,
    watch: Annotated[
        Path | None, typer.Option(help="Folder of bundles to watch: its newest goes live once it is checked.")
    ] = None,
    events: Annotated[
        str | None,
        typer.Option(
            envvar="ADI_EVENTS",
            help="Where to keep users' events: a file, or redis://HOST:PORT/DB, which several servers may share.",
            show_default="in memory",
        ),
    ] = None,
    exposures: Annotated[
        Path | None, typer.Option(help="Folder for a log of the served lists, in Parquet files.", show_default="no log")
    ] = None,
    workers: Annotated[int, typer.Option(help="Requests answered at once.")] = 2,
    waiting: Annotated[int, typer.Option(help="Requests that may wait in the queue; more are rejected.")] = 64,
    timeout: Annotated[float, typer.Option(help="Seconds after which the server gives up on a request.")] = 5.0,
    token: Annotated[
        str | None, typer.Option(envvar="ADI_TOKEN", help="Bearer token that requests must then send.")
    ] = None,
) -> None:
    """Serve a bundle, or several in an experiment, over HTTP: each domain's top-K for known and new users.

    Example: [bold]adi serve bundle --port 8000[/]

    An experiment: [bold]adi serve ranker-2.yaml --exposures exposures[/]
    """
    import uvicorn

    from adi.serving.app import create_app
    from adi.serving.events import EventStore, SqliteEventStore
    from adi.serving.experiment import load_experiment
    from adi.serving.exposures import ExposureLog
    from adi.serving.metrics import Metrics
    from adi.serving.service import Service
    from adi.serving.watch import Watcher

    limits = _limits(workers=workers, waiting=waiting, timeout=timeout, token=token)
    store: EventStore
    if events is not None and "://" in events:
        from adi.serving.redis_events import RedisEventStore  # imports a package that files do not need

        store = RedisEventStore(events, say)
    else:
        store = SqliteEventStore(None if events is None else Path(events))
    source = load_experiment(bundle) if bundle.is_file() else bundle
    metrics = Metrics()
    log = None if exposures is None else ExposureLog(exposures, metrics, say)
    service = Service(source, metrics, store, log)
    watcher = None if watch is None else Watcher(service, watch, say)
    config = uvicorn.Config(
        create_app(service, limits),
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=int(timeout) + 1,
    )
    socket = config.bind_socket()
    socket.listen(config.backlog)  # before the address is printed: early requests wait and are not refused
    say(f"Serving {bundle}, {_versions(service)}, on http://{host}:{socket.getsockname()[1]}. Ctrl-C ends it.")
    if watcher is not None:
        watcher.start()
    uvicorn.Server(config).run(sockets=[socket])


def _limits(**options: object) -> "Limits":
    """The server's limits; raises `AdiError` naming the option that is out of range."""
    from pydantic import ValidationError

    from adi.schema import describe
    from adi.serving.limits import Limits

    try:
        return Limits.model_validate(options)
    except ValidationError as error:
        raise AdiError(f"--{describe(error, Limits).strip()}.") from None


def _versions(service: "Service") -> str:
    """The live version, or of an experiment each arm with its share of the users and its version."""
    if service.experiment is None:
        return f"version {service.bundle().version}"
    shares = service.experiment.shares
    return ", ".join(
        f"{arm} {100 * share:.3g}% (version {service.bundle(arm).version})" for arm, share in shares.items()
    )


def rollback(
    folder: Annotated[Path, typer.Argument(help="Folder of bundles that adi serve --watch watches.")],
    to: Annotated[str | None, typer.Option(help="Bundle to choose.", show_default="the one before")] = None,
    newest: Annotated[bool, typer.Option("--newest", help="Undo the choice: the newest bundle goes live.")] = False,
) -> None:
    """Go back to the bundle before the live one, or to one by name, until --newest.

    Example: [bold]adi rollback bundles[/]
    """
    from adi.serving.watch import follow_newest, roll_back

    if newest:
        follow_newest(folder)
        say(f"{folder}: the newest bundle goes live.")
    else:
        say(f"{folder}: {roll_back(folder, to).name} goes live, and stays until adi rollback {folder} --newest.")
