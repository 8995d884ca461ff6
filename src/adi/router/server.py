"""`adi.route`: runs a router over HTTP."""

from collections.abc import Callable
from pathlib import Path

import uvicorn
from pydantic import ValidationError

from adi.errors import ArgumentError
from adi.router.app import RouterLimits, create_app
from adi.router.table import load_table


def route(
    table: str | Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    timeout: float = 5.0,
    try_timeout: float = 2.0,
    in_flight: int = 256,
    report: Callable[[str], None] = print,
) -> None:
    """Route requests to the servers of a routing file until SIGINT or SIGTERM; requests at work are answered first.

    Args:
        table: the YAML file (`adi.router.table`).
        port: 0 for any free port.
        timeout, try_timeout, in_flight: see `adi.router.app.RouterLimits`.
        report: called with a message when the router listens.

    Raises `AdiError` for invalid arguments and for a file that is not a routing table, before the router listens.
    """
    try:
        limits = RouterLimits(timeout=timeout, try_timeout=try_timeout, in_flight=in_flight)
    except ValidationError as error:
        fault = error.errors()[0]
        raise ArgumentError(str(fault["loc"][0]), f"{fault['msg']} (got {fault['input']!r}).") from None
    path = Path(table)
    if not path.is_file():
        raise ArgumentError("table", f"{path}: no such file. Write one that names the servers of each domain.")
    routes = load_table(path)
    config = uvicorn.Config(
        create_app(routes, limits),
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=int(timeout) + 1,
    )
    socket = config.bind_socket()
    socket.listen(config.backlog)  # before the address is reported: early requests wait and are not refused
    report(f"Routing {', '.join(routes.domains)} on http://{host}:{socket.getsockname()[1]}. Ctrl-C ends it.")
    uvicorn.Server(config).run(sockets=[socket])
