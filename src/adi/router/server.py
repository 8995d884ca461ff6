"""`adi.route`: runs a router over HTTP."""

from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from adi.errors import ArgumentError
from adi.router.app import RouterLimits, create_app
from adi.router.table import load_table
from adi.serving.listening import listening
from adi.strict import plain_message


def route(
    table: str | Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    timeout: float = 5.0,
    try_timeout: float = 2.0,
    in_flight: int = 256,
    client_rate: float | None = None,
    report: Callable[[str], None] = print,
) -> None:
    """Route requests to the servers of a routing file until SIGINT or SIGTERM; requests at work are answered first.

    Args:
        table: the YAML file (`adi.router.table`).
        port: 0 for any free port.
        timeout, try_timeout, in_flight, client_rate: see `adi.router.app.RouterLimits`.
        report: called with a message when the router listens.

    Raises `AdiError` for invalid arguments and for a file that is not a routing table, before the router listens.
    """
    try:
        limits = RouterLimits(timeout=timeout, try_timeout=try_timeout, in_flight=in_flight, client_rate=client_rate)
    except ValidationError as error:
        fault = error.errors()[0]
        raise ArgumentError(str(fault["loc"][0]), f"{plain_message(fault)} (got {fault['input']!r}).") from None
    path = Path(table)
    if not path.exists():
        raise ArgumentError("table", f"{path}: no such file. Write one that names the servers of each domain.")
    routes = load_table(path)
    server, socket = listening(create_app(routes, limits), host, port, timeout)
    report(f"Routing {', '.join(routes.domains)} on http://{host}:{socket.getsockname()[1]}. Ctrl-C ends it.")
    server.run(sockets=[socket])
