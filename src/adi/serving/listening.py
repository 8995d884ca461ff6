"""An HTTP server that listens before its address is reported."""

from functools import partial
from socket import socket
from typing import Any

import uvicorn

from adi.serving.guarded_protocol import GuardedProtocol, most_connections


def listening(app: Any, host: str, port: int, timeout: float) -> tuple[uvicorn.Server, socket]:
    """A server of an ASGI app, and its socket, which listens: early requests wait and are not refused.

    While `app.state.refusal`, if it has one, returns a problem, that is the answer to every POST (`GuardedProtocol`).
    On SIGTERM it takes `timeout` seconds, and one more, to end what it has begun.
    """
    GuardedProtocol.most = most_connections()
    config = uvicorn.Config(
        app,
        http=partial(GuardedProtocol, refusal=getattr(app.state, "refusal", None)),  # type: ignore[arg-type]
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=int(timeout) + 1,
    )
    bound = config.bind_socket()
    bound.listen(config.backlog)
    return uvicorn.Server(config), bound
