"""The commands serve, a bundle or an experiment over HTTP, and rollback, for the folder of bundles that it follows."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from adi.cli.show import say

if TYPE_CHECKING:
    from adi.serving.service import Service


def serve(
    bundle: Annotated[
        Path,
        typer.Argument(help="The folder that adi export wrote, or the YAML file of an experiment between several."),
    ],
    host: Annotated[str, typer.Option(help="The address to listen on; 0.0.0.0 for every one of this machine.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(help="The port to listen on; 0 for any that is free.")] = 8000,
    watch: Annotated[
        Path | None, typer.Option(help="A folder of bundles to follow: its newest goes live once it is checked.")
    ] = None,
    events: Annotated[
        str | None,
        typer.Option(
            envvar="ADI_EVENTS",
            help="Where to keep what users do: a file, or redis://HOST:PORT/DB, which several servers may share.",
            show_default="in memory",
        ),
    ] = None,
    exposures: Annotated[
        Path | None, typer.Option(help="Folder to log what is served in, as Parquet files.", show_default="no log")
    ] = None,
    workers: Annotated[int, typer.Option(help="Requests at work at once.")] = 2,
    waiting: Annotated[int, typer.Option(help="Requests that may wait behind them; more are turned away.")] = 64,
    timeout: Annotated[float, typer.Option(help="Seconds after which a request is given up.")] = 5.0,
    token: Annotated[
        str | None, typer.Option(envvar="ADI_TOKEN", help="A bearer token that requests then need.")
    ] = None,
) -> None:
    """Serve a bundle over HTTP: every domain's top-K for users known and new. Or several bundles, in an experiment.

    Example: [bold]adi serve bundle --port 8000[/]

    Of an experiment: [bold]adi serve ranker-2.yaml --exposures exposures[/]
    """
    import uvicorn

    from adi.serving.app import create_app
    from adi.serving.experiment import load_experiment
    from adi.serving.exposures import ExposureLog
    from adi.serving.limits import Limits
    from adi.serving.metrics import Metrics
    from adi.serving.recent import Recent, SqliteRecent
    from adi.serving.service import Service
    from adi.serving.watch import Follower

    limits = Limits(workers=workers, waiting=waiting, timeout=timeout, token=token)
    recent: Recent
    if events is not None and "://" in events:
        from adi.serving.recent_redis import RedisRecent  # imports a package that files do not need

        recent = RedisRecent(events, say)
    else:
        recent = SqliteRecent(None if events is None else Path(events))
    source = load_experiment(bundle) if bundle.is_file() else bundle
    metrics = Metrics()
    log = None if exposures is None else ExposureLog(exposures, metrics, say)
    service = Service(source, metrics, recent, log)
    follower = None if watch is None else Follower(service, watch, say)
    config = uvicorn.Config(
        create_app(service, limits),
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=int(timeout) + 1,
    )
    listening = config.bind_socket()
    listening.listen(config.backlog)  # before the address is told: who asks now has to wait, and is not refused
    where = f"http://{host}:{listening.getsockname()[1]}"
    say(f"Serving {bundle}, {_versions(service)}, on {where}. Ctrl-C ends it.")
    if follower is not None:
        follower.start()
    uvicorn.Server(config).run(sockets=[listening])


def _versions(service: "Service") -> str:
    """What is live, in words; of an experiment each arm with its share of the users."""
    if service.experiment is None:
        return f"version {service.live.version}"
    shares = service.experiment.shares
    return ", ".join(
        f"{arm} {100 * share:.3g}% (version {service.live_in(arm).version})" for arm, share in shares.items()
    )


def rollback(
    folder: Annotated[Path, typer.Argument(help="The folder of bundles that adi serve --watch follows.")],
    to: Annotated[str | None, typer.Option(help="The bundle to choose.", show_default="the one before")] = None,
    newest: Annotated[bool, typer.Option("--newest", help="Follow the newest again.")] = False,
) -> None:
    """Choose the bundle that is live: the one before, or one by name; it stays until --newest.

    Example: [bold]adi rollback bundles[/]
    """
    from adi.serving.watch import follow_newest, roll_back

    if newest:
        follow_newest(folder)
        say(f"{folder}: the newest bundle goes live.")
    else:
        say(f"{folder}: {roll_back(folder, to).name} goes live, and stays until adi rollback {folder} --newest.")
