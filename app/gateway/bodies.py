"""Reading a request's body, with a limit."""

from starlette.requests import Request

# Spoki's largest event is some tens of kilobytes: media come as links.
MAX_BODY_BYTES = 1024 * 1024


class BodyTooLargeError(Exception):
    """The body is larger than :data:`MAX_BODY_BYTES`."""


async def read_body(request: Request) -> bytes:
    """The whole body. Raises :class:`BodyTooLargeError` without reading past the limit."""
    declared = request.headers.get("content-length", "0")
    if declared.isascii() and declared.isdigit() and int(declared[:12]) > MAX_BODY_BYTES:
        raise BodyTooLargeError
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise BodyTooLargeError
    return bytes(body)
