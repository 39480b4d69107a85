"""The connector's other side: handing a request to the origin that its ingress rule names."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from .config import Rule, route
from .wire import Head, Headers, Request, end_to_end

# Shorter than uvicorn's 5 s: a connection that the origin is just closing is not used again.
KEEP_ALIVE_SECONDS = 4.0
CONNECT_SECONDS = 30.0  # cloudflared's connectTimeout
OUR_HEADERS = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


@dataclass(frozen=True)
class Answer:
    """What goes back to the edge."""

    head: Head
    body: AsyncIterator[bytes]


class Origins:
    """The origins behind the ingress rules, with their kept connections."""

    def __init__(self, rules: list[Rule]) -> None:
        self._rules = rules
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def close(self) -> None:
        """Close what is kept open."""
        await self._session.close()

    @asynccontextmanager
    async def ask(self, request: Request, body: bytes) -> AsyncIterator[Answer]:
        """The origin's answer; 502 where it can't be reached, 503 where no rule is."""
        host = next((value for name, value in request.headers if name.lower() == "host"), "")
        found = route(self._rules, host, request.target.partition("?")[0])
        if found is None:
            yield _short(503, "no ingress rule")
            return
        _, rule = found
        if rule.service.startswith("http_status:"):
            yield _short(int(rule.service.removeprefix("http_status:")), "")
            return
        if urlsplit(rule.service).scheme not in ("http", "https"):
            yield _short(502, "the stand-in has origins by HTTP only")
            return
        try:
            answer = await self._send(rule, request, body)
        except (aiohttp.ClientError, TimeoutError, OSError):
            yield _short(502, "Bad Gateway: unable to reach the origin service")
            return
        async with answer:
            headers = end_to_end(list(answer.headers.items()))
            yield Answer(Head(answer.status, headers), answer.content.iter_any())

    async def _send(self, rule: Rule, request: Request, body: bytes) -> aiohttp.ClientResponse:
        headers = [(name, value) for name, value in request.headers if name.lower() != "host"]
        host = rule.origin.get("httpHostHeader") or next(
            value for name, value in request.headers if name.lower() == "host"
        )
        secure: ssl.SSLContext | bool = not rule.origin.get("noTLSVerify", False)
        return await self._session.request(
            request.method,
            URL(rule.service + request.target, encoded=True),
            headers=[("Host", host), *headers],
            data=body or None,
            allow_redirects=False,
            skip_auto_headers=OUR_HEADERS,
            ssl=secure,
        )


def _short(status: int, text: str) -> Answer:
    headers: Headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(text)))]
    return Answer(Head(status, headers), _once(text.encode()))


async def _once(data: bytes) -> AsyncIterator[bytes]:
    await asyncio.sleep(0)
    yield data
