"""Handlers of an application's errors, which answer each failed request with its problem."""

from typing import Protocol

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from prometheus_client import Counter
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from adi.serving.problems import INTERNAL_ERROR, PROBLEM_JSON, Failure, ProblemError, validation_problem

CLIENT_GONE = 499
"""Counted for a client that went away before it had sent its request; the number is that of nginx."""


class CountsRequests(Protocol):
    """Metrics with a counter of requests by status."""

    requests: Counter


def answer_problems(app: FastAPI, metrics: CountsRequests) -> None:
    """Let an application answer each failed request with its problem, and count it."""

    async def answer(request: Request, error: Exception) -> Response:
        problem = _problem(request, error)
        metrics.requests.labels(str(problem.failure.status)).inc()
        return Response(
            orjson.dumps(problem.body()), problem.failure.status, dict(problem.failure.headers), PROBLEM_JSON
        )

    for kind in (ProblemError, HTTPException, RequestValidationError):
        app.add_exception_handler(kind, answer)

    async def gone(request: Request, error: Exception) -> Response:
        metrics.requests.labels(str(CLIENT_GONE)).inc()
        return Response(status_code=CLIENT_GONE)  # which nobody gets

    app.add_exception_handler(ClientDisconnect, gone)
    app.add_exception_handler(Exception, answer)  # after which the framework raises it again, so that it is logged


def _problem(request: Request, error: Exception) -> ProblemError:
    """The problem of a request that failed with an error of the service or of FastAPI."""
    if isinstance(error, HTTPException):
        failure = Failure(error.status_code, str(error.detail), error.headers or {})
        return ProblemError(failure, f"{request.method} {request.url.path}")
    if isinstance(error, RequestValidationError):  # whose locations begin with the part of the request: query.limit
        return validation_problem([{**fault, "loc": fault["loc"][1:]} for fault in error.errors()])
    if isinstance(error, ProblemError):
        return error
    return ProblemError(INTERNAL_ERROR, f"{type(error).__name__}: a fault of the server, whose log has it.")
