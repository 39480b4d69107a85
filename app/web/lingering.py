"""Ending a process without dropping a request that is on its way.

uvicorn closes each idle connection at once when it ends; a request that its client has just begun
to send is then reset. Here such a connection is closed with its next answer, which says so, or
when no request has come for a moment.
"""

from datetime import timedelta
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# Longer than a request is on its way, shorter than whoever restarts us cares for.
LINGER: Final = timedelta(seconds=2)


class LingeringProtocol(HttpToolsProtocol):
    """One connection."""

    _is_ending = False

    def shutdown(self) -> None:
        """Called by the server when it ends; it then waits until its connections are closed."""
        self._is_ending = True
        if self.cycle is None or self.cycle.response_complete:
            self.loop.call_later(LINGER.total_seconds(), self._close_if_idle)
        else:
            self.cycle.keep_alive = False

    def on_headers_complete(self) -> None:
        """Called by the parser when a request has begun."""
        super().on_headers_complete()
        if self._is_ending and self.cycle is not None:
            self.cycle.keep_alive = False  # uvicorn tells the client so with the answer

    def _close_if_idle(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()
