"""The command route: a router before several servers."""

from pathlib import Path
from typing import Annotated

import typer

from adi.cli.log import LOG


def route(
    table: Annotated[
        Path, typer.Argument(help="YAML file that names the servers of each domain, and of each shard of its items.")
    ],
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all of this machine.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 for any free port.")] = 8080,
    timeout: Annotated[float, typer.Option(help="Seconds after which the router gives up on a request.")] = 5.0,
    try_timeout: Annotated[float, typer.Option(help="Seconds after which another server is asked.")] = 2.0,
    in_flight: Annotated[int, typer.Option(help="Requests answered at once; more are rejected.")] = 256,
    client_rate: Annotated[
        float | None,
        typer.Option(help="Requests per second of one client, by its address; more are rejected.", show_default="any"),
    ] = None,
) -> None:
    """Route requests to the servers of each domain, several of which adi serve runs, and merge their answers.

    A server that does not answer is replaced by another of the same list.

    Example: [bold]adi route routing.yaml --port 8080[/]
    """
    from adi.router import server

    server.route(
        table,
        host=host,
        port=port,
        timeout=timeout,
        try_timeout=try_timeout,
        in_flight=in_flight,
        client_rate=client_rate,
        report=LOG.report,
    )
