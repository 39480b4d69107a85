"""Meta's question before it sends webhooks: whether this address is ours."""

import hmac

import structlog
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from app.providers.incoming import Webhook
from app.web.problems import problem

log = structlog.get_logger()


def verification_route(webhook: Webhook, verify_token: str) -> Route:
    """``GET ?hub.mode=subscribe&hub.verify_token=…&hub.challenge=…``: says the challenge back.

    403 unless the token is ours. Fact from Meta's guide to webhooks.
    """

    async def answer(request: Request) -> Response:
        asked = request.query_params
        challenge = asked.get("hub.challenge")
        # As bytes: compare_digest takes no text outside ASCII, and a query may hold anything.
        given = asked.get("hub.verify_token", "").encode(errors="replace")
        ours = hmac.compare_digest(given, verify_token.encode())
        if not ours or asked.get("hub.mode") != "subscribe" or not challenge:
            log.warning("verification_refused")
            detail = "The verify token is not that of PORTIERE_WHATSAPP_VERIFY_TOKEN."
            return problem(403, "not-verified", detail)
        log.info("webhook_verified")
        return PlainTextResponse(challenge, headers={"X-Content-Type-Options": "nosniff"})

    return Route(webhook.path, answer, methods=["GET"])
