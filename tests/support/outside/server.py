"""The server that the three services share."""

import json
import sys
import threading
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.outside.aeroapi import AeroApi
from tests.support.outside.control import PREFIX, control
from tests.support.outside.openweather import OpenWeather
from tests.support.outside.smoobu import Smoobu
from tests.support.outside.wire import Answer, Asked, OutageError, Service


class Outside:
    """The three services on one port (0: any). ``requests`` counts all, those that fail too."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self.smoobu = Smoobu()
        self.aeroapi = AeroApi()
        self.openweather = OpenWeather()
        self.services: tuple[Service, ...] = (self.smoobu, self.aeroapi, self.openweather)
        self.requests: dict[str, int] = defaultdict(int)
        self._faults: dict[str, list[Answer]] = defaultdict(list)
        self._lock = threading.Lock()
        self._server = _Server((host, port), self)
        # Its end is looked for each hundredth of a second: a test waits for it.
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        )

    @property
    def url(self) -> str:
        """Where it is found."""
        return f"http://{self._server.server_address[0]!s}:{self._server.server_address[1]}"

    def __enter__(self) -> "Outside":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def serve(self) -> None:
        """Serve until the process ends."""
        self._server.serve_forever()

    def fail(
        self, name: str, status: int, *, times: int = 1, headers: dict[str, str] | None = None
    ) -> None:
        """The next ``times`` requests of a service are answered so; 0 cuts the connection."""
        self._faults[name] += [Answer(status, headers=headers or {})] * times

    def answer(self, asked: Asked) -> Answer:
        """Whose request it is, and what they answer. Raises :class:`OutageError`."""
        with self._lock:
            if asked.path.startswith(PREFIX):
                return control(self, asked)
            for service in self.services:
                if asked.path.startswith(service.prefix):
                    return self._of(service, asked)
        return Answer(404, {"detail": "nobody's"})

    def _of(self, service: Service, asked: Asked) -> Answer:
        self.requests[service.name] += 1
        if not (faults := self._faults[service.name]):
            return service.answer(asked)
        fault = faults.pop(0)
        if fault.status == 0:
            raise OutageError
        return fault


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], outside: Outside) -> None:
        self.outside = outside
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who asked may go away in the middle; anything else is a mistake of ours."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def log_message(self, *_: Any) -> None:
        """Nothing: an address may have a key in it."""

    def _serve(self) -> None:
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            answer = self.server.outside.answer(
                Asked(self.command, path, query, self.headers, body)
            )
        except OutageError:
            self.close_connection = True
            return
        content = b"" if answer.body is None else json.dumps(answer.body).encode()
        self.send_response(answer.status)
        for name, value in {"Content-Type": "application/json", **answer.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
