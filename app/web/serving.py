"""How uvicorn serves here, whatever it serves: the sockets, and its settings."""

import socket
from typing import Any, Final

from app.web.patience import PatientProtocol

# More waiting connections than a burst of webhooks has.
LISTEN_BACKLOG: Final = 512
UVICORN: Final[dict[str, Any]] = {
    "http": PatientProtocol,
    "log_config": None,
    "access_log": False,
    "proxy_headers": False,
    "server_header": False,
    # The tunnel is the only peer, and it keeps its connections: longer than its 90 s.
    "timeout_keep_alive": 120,
    "timeout_graceful_shutdown": 10,
}


def listen(addresses: list[tuple[str, int]]) -> list[socket.socket]:
    """Bind each address. Raises OSError naming the one that can't be had."""
    sockets = []
    for host, port in addresses:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            raise OSError(error.errno, f"{host}:{port}: {error.strerror}") from None
        listener.listen(LISTEN_BACKLOG)
        sockets.append(listener)
    return sockets
