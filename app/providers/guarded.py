"""An HTTP client whose calls go through a breaker."""

from itertools import count

import httpx

from app.providers.breaker import Breaker


class LeftAloneError(httpx.ConnectError):
    """The breaker is open: nothing was sent. To the caller it is as though nobody were there."""


class GuardedTransport(httpx.BaseTransport):
    """Goes before ``inner``: a failure is no connection, no answer in time, or a 5xx."""

    def __init__(self, inner: httpx.BaseTransport, breaker: Breaker, whose: str) -> None:
        self._inner = inner
        self._breaker = breaker
        self._whose = whose
        self._calls = count(1)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Called by the client for each request. Raises :class:`LeftAloneError`."""
        call = f"{self._whose}-{next(self._calls)}"
        if self._breaker.room() == 0 or not self._breaker.admit(call):
            raise LeftAloneError(f"{self._whose} fails too often and is left alone for a while")
        try:
            response = self._inner.handle_request(request)
        except httpx.TransportError as error:
            self._breaker.failed(call, type(error).__name__)
            raise
        except BaseException:
            self._breaker.told_nothing(call)
            raise
        if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
            self._breaker.failed(call, f"answered {response.status_code}")
        else:
            self._breaker.succeeded(call)
        return response

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()
