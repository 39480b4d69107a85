"""Errors as RFC 9457 problem details, with a stable ``type``; docs/api.md lists them."""

from collections.abc import Mapping
from typing import Any

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match

log = structlog.get_logger()
MEDIA_TYPE = "application/problem+json"


class Problem(BaseModel):
    """What every error of the API looks like (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str


class ProblemError(Exception):
    """Answer the caller with a problem; ``kind`` is the end of its type."""

    def __init__(
        self, status: int, kind: str, detail: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(kind)
        self.status = status
        self.kind = kind
        self.detail = detail
        self.headers = dict(headers or {})

    def response(self) -> JSONResponse:
        """The answer."""
        return problem(self.status, self.kind, self.detail, self.headers)


def problem(
    status: int, kind: str, detail: str, headers: dict[str, str] | None = None
) -> JSONResponse:
    """``{type, title, status, detail}``; ``detail`` says what to do where something can be done."""
    return JSONResponse(
        {
            "type": f"urn:portiere:problem:{kind}",
            "title": kind.replace("-", " ").capitalize(),
            "status": status,
            "detail": detail,
        },
        status_code=status,
        headers=headers,
        media_type=MEDIA_TYPE,
    )


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For ``responses=``: these, and those that any request to the API may be answered with."""
    found = {400, 401, 403, 408, 413, 415, 422, 429, 500, 503, *statuses}
    content = {MEDIA_TYPE: {"schema": Problem.model_json_schema()}}
    return {
        status: {"description": _MEANING[status], "content": content} for status in sorted(found)
    }


def answer_with_problems(app: FastAPI, store_error: type[Exception]) -> None:
    """Make ``app`` answer every error as a problem; ``store_error`` is what its store raises."""
    app.add_exception_handler(ProblemError, _problem_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(store_error, _store)


async def _problem_error(_request: Request, error: Exception) -> Response:
    if not isinstance(error, ProblemError):
        raise error
    return error.response()


async def _invalid(_request: Request, error: Exception) -> Response:
    """Which fields and why, without their values."""
    if not isinstance(error, RequestValidationError):
        raise error
    found = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
    return problem(422, "invalid-request", "; ".join(found))


async def _http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    headers = dict(error.headers or {})
    match error.status_code:
        case 404:
            return problem(404, "not-found", "There is nothing at this address.", headers)
        case 405:
            allowed = headers["Allow"] = _allowed(request)
            return problem(405, "method-not-allowed", f"Use {allowed} here.", headers)
    return problem(error.status_code, "bad-request", str(error.detail), headers)


def _allowed(request: Request) -> str:
    """By all routes of this path: the router names only the methods of the first."""

    def is_there(method: str) -> bool:
        scope = {**request.scope, "method": method}
        return any(route.matches(scope)[0] is Match.FULL for route in request.app.routes)

    return ", ".join(filter(is_there, _METHODS))


async def _store(_request: Request, error: Exception) -> Response:
    """Locked for longer than we wait, or the disk is full: the log of the database's user says."""
    log.error("store_failed", error=type(error).__name__)
    detail = "The database didn't take it; ask again."
    return problem(503, "store-unavailable", detail, {"Retry-After": "5"})


_METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
_MEANING: Mapping[int, str] = {
    400: "Not a request that can be read",
    401: "Not signed, or not as it must be",
    403: "Not for this client",
    404: "There is no such thing",
    405: "Another method is allowed here",
    408: "The body took too long",
    409: "It contradicts what is there",
    410: "It is gone",
    413: "The body is too large",
    415: "The body is not JSON",
    422: "A field is missing, wrong or unknown",
    429: "Over the limit: see Retry-After",
    500: "An error of ours; the request id finds it in the log",
    503: "Not now: see Retry-After",
}
