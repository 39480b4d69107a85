"""Cloudflare Access: who came in through the tunnel has passed its door, where there is one."""

from typing import Final

import jwt
import structlog
from starlette.concurrency import run_in_threadpool

from app.settings_api import ApiSettings
from app.web.problems import ProblemError

log = structlog.get_logger()
HEADER: Final = "cf-access-jwt-assertion"
_TIMEOUT_SECONDS: Final = 5
# Cloudflare rotates its keys every six weeks and shows the next one long before.
_KEYS_LIFESPAN_SECONDS: Final = 3600
_LEEWAY_SECONDS: Final = 30


class Access:
    """Checks the assertions of one team's door for one application."""

    def __init__(self, team_domain: str, audience: str) -> None:
        self._issuer = team_domain.rstrip("/")
        self._audience = audience
        self._keys = jwt.PyJWKClient(
            f"{self._issuer}/cdn-cgi/access/certs",
            lifespan=_KEYS_LIFESPAN_SECONDS,
            timeout=_TIMEOUT_SECONDS,
        )

    async def check(self, assertion: str | None) -> None:
        """Raises ProblemError: 403 unless ``assertion`` is good, 503 if the keys can't be had."""
        if not assertion:
            raise ProblemError(403, "access-refused", "Come in through Cloudflare Access.")
        try:
            await run_in_threadpool(self._decode, assertion)
        except jwt.PyJWKClientConnectionError:
            log.error("access_keys_unavailable")
            raise ProblemError(
                503,
                "access-unavailable",
                "Cloudflare Access's keys can't be had; ask again.",
                {"Retry-After": "30"},
            ) from None
        except jwt.PyJWTError as error:
            log.warning("access_refused", reason=type(error).__name__)
            raise ProblemError(
                403, "access-refused", "The Access assertion is not good: sign in again."
            ) from None

    def _decode(self, assertion: str) -> None:
        key = self._keys.get_signing_key_from_jwt(assertion)
        jwt.decode(
            assertion,
            key,
            algorithms=["RS256"],
            audience=self._audience,
            issuer=self._issuer,
            leeway=_LEEWAY_SECONDS,
            options={"require": ["exp", "iat", "iss", "aud"]},
        )


def access_of(settings: ApiSettings) -> Access | None:
    """The check that is configured, if one is."""
    if settings.access_team_domain is None:
        return None
    return Access(str(settings.access_team_domain), settings.access_audience)
