"""The sandbox as a web application, and the server that runs it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from app.providers.sandbox import control_api, spoki_api
from app.providers.sandbox.config import SandboxConfig, SandboxSettings
from app.providers.sandbox.drop import DroppingProtocol
from app.providers.sandbox.errors import ApiError
from app.providers.sandbox.sandbox import Sandbox

__all__ = ["SandboxConfig", "SandboxSettings", "create_app", "run"]

STATIC = Path(__file__).parent / "static"
PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def create_app(config: SandboxConfig) -> FastAPI:
    """Build the application; its :class:`Sandbox` lives as long as its lifespan."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.sandbox = Sandbox(config)
        try:
            yield
        finally:
            await app.state.sandbox.close()

    app = FastAPI(
        title="Portiere's Spoki sandbox",
        lifespan=lifespan,
        redirect_slashes=False,  # Spoki answers 404 where the slash at the end is missing
        docs_url=None,
        redoc_url=None,
    )
    app.include_router(spoki_api.router)
    app.include_router(control_api.router)
    app.add_exception_handler(ApiError, _refuse)
    app.add_exception_handler(HTTPException, _as_django)
    app.add_api_route("/", _page, include_in_schema=False)
    app.mount("/static", _Static(directory=STATIC))
    return app


def run(config: SandboxConfig, host: str, port: int) -> None:
    """Serve the sandbox until SIGINT or SIGTERM."""
    app = create_app(config)
    server = _Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            http=DroppingProtocol,
            access_log=False,  # the control API has phone numbers in its query
            log_level="warning",
        )
    )
    server.run()


class _Server(uvicorn.Server):
    """Ends the phone pages' streams first: uvicorn would wait for them."""

    async def shutdown(self, *args: object, **kwargs: object) -> None:
        self.config.app.state.sandbox.feed.close()  # type: ignore[union-attr]  # it is our FastAPI
        await super().shutdown(*args, **kwargs)  # type: ignore[arg-type]  # passed on as they are


class _Static(StaticFiles):
    """Static files with the page's headers."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]  # passed on
        response.headers.update(PAGE_HEADERS)
        return response


async def _page() -> Response:
    return FileResponse(STATIC / "index.html", headers=PAGE_HEADERS)


async def _refuse(request: Request, error: Exception) -> Response:
    if not isinstance(error, ApiError):
        raise error
    return JSONResponse(error.body, status_code=error.status, headers=error.headers)


async def _as_django(request: Request, error: Exception) -> Response:
    """Say 404 and 405 in the words of Spoki's framework."""
    if not isinstance(error, HTTPException):
        raise error
    details = {404: "Not found.", 405: f'Method "{request.method}" not allowed.'}
    detail = details.get(error.status_code, error.detail)
    return JSONResponse({"detail": detail}, status_code=error.status_code, headers=error.headers)
