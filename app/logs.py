"""Logs: one JSON object a line, to standard error or to a file that rotates by itself.

launchd's own log files grow for ever, so the programs write and rotate theirs. Nothing of a guest
is ever passed to a logger: events carry row ids.
"""

import logging
import sys
from collections.abc import Callable
from logging.handlers import RotatingFileHandler
from pathlib import Path

import structlog

# Thirty days of a small hotel are a few megabytes; ten files of ten are ample.
FILE_BYTES = 10_000_000
FILES = 10


def configure(process: str, level: str, log_dir: Path | None, *, several: bool = False) -> None:
    """Send the logs of ``process`` (gateway, worker …) to ``<log_dir>/<process>.log`` or stderr.

    ``several``: several processes write and rotate that file together.
    """
    handler: logging.Handler = logging.StreamHandler(sys.stderr)
    if log_dir is not None:
        log_dir.mkdir(parents=True, exist_ok=True)
        rotating: Callable[..., logging.Handler] = RotatingFileHandler
        if several:
            rotating = _shared_handler()
        handler = rotating(
            log_dir / f"{process}.log", maxBytes=FILE_BYTES, backupCount=FILES, encoding="utf-8"
        )
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # httpx logs every URL, dramatiq every message, asyncssh every connection: none says more than
    # our own events.
    for noisy in ("asyncssh", "httpx", "httpcore", "dramatiq", "uvicorn.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process)


def _shared_handler() -> Callable[..., logging.Handler]:
    from concurrent_log_handler import (  # noqa: PLC0415 - a lock for each line: only who shares
        ConcurrentRotatingFileHandler,
    )

    return ConcurrentRotatingFileHandler
