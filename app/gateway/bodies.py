"""Reading a request's body, with a limit."""

from starlette.requests import Request


class BodyTooLargeError(Exception):
    """The body is larger than its limit."""


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body, of ``limit`` bytes at most.

    Raises :class:`BodyTooLargeError` without reading past the limit.
    """
    declared = request.headers.get("content-length", "0")
    if declared.isascii() and declared.isdigit() and int(declared[:12]) > limit:
        raise BodyTooLargeError
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise BodyTooLargeError
    return bytes(body)
