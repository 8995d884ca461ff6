"""An HTTP server that listens before its address is reported."""

import os
from errno import EADDRINUSE
from functools import partial
from socket import AF_INET, AF_INET6, create_server, gaierror, socket
from typing import Any

import uvicorn

from adi.errors import ArgumentError
from adi.serving.guarded_protocol import GuardedProtocol, most_connections


def listening(app: Any, host: str, port: int, timeout: float) -> tuple[uvicorn.Server, socket]:
    """A server of an ASGI app, and its socket, which listens: early requests wait and are not refused.

    While `app.state.refusal`, if it has one, returns a problem, that is the answer to every POST (`GuardedProtocol`).
    On SIGTERM it takes `timeout` seconds, and one more, to end what it has begun. Raises `ArgumentError` for an address
    that it cannot listen on.
    """
    GuardedProtocol.most = most_connections()
    config = uvicorn.Config(
        app,
        http=partial(GuardedProtocol, refusal=getattr(app.state, "refusal", None)),  # type: ignore[arg-type]
        host=host,
        port=port,
        log_level="warning",
        log_config=None,  # Python's own: to standard error, or to where the program that serves has its log
        access_log=False,
        timeout_graceful_shutdown=int(timeout) + 1,
    )
    return uvicorn.Server(config), _bound(host, port, config.backlog)


def _bound(host: str, port: int, backlog: int) -> socket:
    family = AF_INET6 if ":" in host else AF_INET
    try:
        return create_server((host, port), family=family, backlog=backlog)
    except OSError as error:
        fault = error.strerror if isinstance(error, gaierror) else os.strerror(error.errno or 0)
        reason = f"cannot listen on {host}:{port} ({str(fault).lower()})"
        if error.errno == EADDRINUSE:
            raise ArgumentError("port", f"{reason}. Give another port, or 0 for any free one.") from None
        raise ArgumentError("host", f"{reason}. Give an address of this machine and a port that is allowed.") from None
