"""Limits of a server on requests, and authentication."""

import asyncio
import hmac
from urllib.parse import urlsplit

from fastapi import Request
from fastapi.security import HTTPBearer
from pydantic import Field
from starlette.requests import HTTPConnection

from adi.serving.problems import BODY_TOO_LARGE, OTHER_SITE, SLOW_BODY, UNAUTHORIZED, ProblemError
from adi.strict import Strict


class Limits(Strict):
    """Limits of a server, and its token.

    A server answers `workers` requests at once and queues `waiting` more, as far as it can answer them in time
    (`adi.serving.admission`); it rejects the rest, and bodies of more than `body_bytes`. It gives up on a request after
    `timeout` seconds. If there is a `token`, all routes but the open ones (`adi.serving.routes.open_router`) require it
    as the bearer token. With a `client_rate`, a client may send so many requests a second (`adi.serving.client_rates`).
    """

    workers: int = Field(2, ge=1)
    waiting: int = Field(64, ge=0)
    timeout: float = Field(5.0, gt=0.0)
    body_bytes: int = Field(1 << 20, ge=1)
    token: str | None = Field(None, min_length=1)
    client_rate: float | None = Field(None, gt=0.0, allow_inf_nan=False)


class BearerToken(HTTPBearer):
    """A FastAPI dependency that raises `ProblemError` for requests without the server's token."""

    def __init__(self, token: str) -> None:
        super().__init__(scheme_name="token", description="The token that the server was started with.")
        self._header = f"Bearer {token}".encode()
        """The bytes of the header, which the framework shows as latin-1."""

    async def __call__(self, request: HTTPConnection) -> None:
        if not hmac.compare_digest(request.headers.get("authorization", "").encode("latin-1"), self._header):
            raise ProblemError(UNAUTHORIZED, "Send the server's token: Authorization: Bearer TOKEN.")


def refuse_other_sites(request: Request) -> None:
    """Raise `ProblemError` for a request that a browser sends for a page of another site.

    A page can make the browser of somebody who reaches this server send it anything that needs no answer.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    is_other = site not in ("same-origin", "none")
    if site is None:
        is_other = origin is not None and urlsplit(origin).netloc != request.headers.get("host")
    if is_other:
        raise ProblemError(OTHER_SITE, f"A page of {origin or 'another site'} sent this. Send it from a server.")


async def read_body(request: Request, most: int, timeout: float) -> bytes:
    """Read the body of a request; raises `ProblemError` once it exceeds `most` bytes, or `timeout` seconds."""
    content = bytearray()
    try:
        async with asyncio.timeout(timeout):
            async for chunk in request.stream():
                content += chunk
                if len(content) > most:
                    raise ProblemError(
                        BODY_TOO_LARGE, f"The body has more than {most:,} bytes. Send fewer requests in one body."
                    )
    except TimeoutError:
        raise ProblemError(SLOW_BODY, f"The body took more than {timeout:g} seconds.") from None
    return bytes(content)
