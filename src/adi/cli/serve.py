"""The command serve: a bundle over HTTP."""

from pathlib import Path
from typing import Annotated

import typer

from adi.cli.show import say


def serve(
    bundle: Annotated[Path, typer.Argument(help="The folder that adi export wrote.")],
    host: Annotated[str, typer.Option(help="The address to listen on; 0.0.0.0 for every one of this machine.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(help="The port to listen on; 0 for any that is free.")] = 8000,
    workers: Annotated[int, typer.Option(help="Requests at work at once.")] = 2,
    waiting: Annotated[int, typer.Option(help="Requests that may wait behind them; more are turned away.")] = 64,
    timeout: Annotated[float, typer.Option(help="Seconds after which a request is given up.")] = 5.0,
    token: Annotated[
        str | None, typer.Option(envvar="ADI_TOKEN", help="A bearer token that requests then need.")
    ] = None,
) -> None:
    """Serve a bundle over HTTP: every domain's top-K for users known and new.

    Example: [bold]adi serve bundle --port 8000[/]
    """
    import uvicorn

    from adi.serving.app import Limits, create_app
    from adi.serving.metrics import Metrics
    from adi.serving.service import Service

    limits = Limits(workers=workers, waiting=waiting, timeout=timeout, token=token)
    service = Service(bundle, Metrics())
    config = uvicorn.Config(
        create_app(service, limits),
        host=host,
        port=port,
        log_level="warning",
        timeout_graceful_shutdown=int(timeout) + 1,
    )
    listening = config.bind_socket()
    where = f"http://{host}:{listening.getsockname()[1]}"
    say(f"Serving {bundle}, version {service.live.version}, on {where}. Ctrl-C ends it.")
    uvicorn.Server(config).run(sockets=[listening])
