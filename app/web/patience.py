"""A connection that asks too slowly is closed: uvicorn itself waits for ever (slowloris)."""

import asyncio
from typing import Final

from app.web.lingering import LingeringProtocol

# The tunnel and the link hand over whole requests; headers are a few hundred bytes.
HEADERS_SECONDS: Final = 10
# A proxy may connect before it has anything to ask; who then says nothing only takes up room.
SILENT_SECONDS: Final = 30


class PatientProtocol(LingeringProtocol):
    """uvicorn's protocol, with an end to waiting for a request's headers."""

    headers_seconds: float = HEADERS_SECONDS
    _deadline: asyncio.TimerHandle | None = None
    _has_begun = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request."""
        super().connection_made(transport)
        self._wait(SILENT_SECONDS)

    def data_received(self, data: bytes) -> None:
        """Wait for a request's headers from its first byte on; between two, keep-alive counts."""
        if not self._has_begun and (self.cycle is None or self.cycle.response_complete):
            self._has_begun = True
            self._wait(self.headers_seconds)
        super().data_received(data)

    def on_headers_complete(self) -> None:
        """The headers are here; `app.web.bodies` waits for the body."""
        self._has_begun = False
        self._stop_waiting()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing to wait for."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self, seconds: float) -> None:
        self._stop_waiting()
        self._deadline = self.loop.call_later(seconds, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
