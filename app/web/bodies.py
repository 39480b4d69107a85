"""Reading a request's body, with a limit and an end to waiting."""

import asyncio
from datetime import timedelta
from typing import Final

from starlette.requests import Request

# Far more than a megabyte takes over a hotel's line; a sender that drips is cut off.
BODY_TIMEOUT: Final = timedelta(seconds=10)


class BodyTooLargeError(Exception):
    """The body is larger than its limit."""


class BodyTooSlowError(Exception):
    """The body was not there in time."""


async def read_body(request: Request, limit: int, patience: timedelta = BODY_TIMEOUT) -> bytes:
    """The whole body, of ``limit`` bytes at most.

    Raises :class:`BodyTooLargeError` without reading past the limit, and :class:`BodyTooSlowError`.
    """
    declared = request.headers.get("content-length", "0")
    if declared.isascii() and declared.isdigit() and int(declared[:12]) > limit:
        raise BodyTooLargeError
    body = bytearray()
    try:
        async with asyncio.timeout(patience.total_seconds()):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit:
                    raise BodyTooLargeError
    except TimeoutError:
        raise BodyTooSlowError from None
    return bytes(body)
