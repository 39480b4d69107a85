"""Spoki's send API.

``POST /api/1/messages/send/`` with ``X-Spoki-Api-Key``. Accepted means 2xx *and* an id or uuid in
the answer. Spoki has no idempotency key: an answer that was lost proves nothing, so what may have
arrived is in doubt until its report comes back with our key in its ``metadata``.
"""

from datetime import timedelta
from typing import Any

import httpx

from app.messages.catalogue import Catalogue
from app.messages.outgoing import Choice, Outgoing, Template, Text
from app.messages.provider import (
    InDoubtError,
    LastLook,
    NotSentError,
    RefusedError,
    SlowDownError,
    nobody_looks,
)
from app.providers.sending import (
    KEY_WAIT,
    LIST_LABEL,
    MOST_BUTTONS,
    json_object,
    make_client,
    post,
    spelled_out,
)
from app.providers.spoki_events import METADATA_KEY, provider_id
from app.providers.whatsapp_codes import send_error
from app.retry_after import retry_after

NO_CREDIT = "spoki::1029"
# Somebody has to pay first, and the guest's answer should survive that.
CREDIT_WAIT = timedelta(minutes=5)
# Before WhatsApp's own codes.
WHATSAPP = "whatsapp::"


class Spoki:
    """A :class:`app.messages.provider.Provider`. ``timeout`` is what one answer may take.

    ``catalogue`` knows Spoki's numbers of our templates.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        timeout: timedelta,
        connections: int,
        catalogue: Catalogue,
    ) -> None:
        self._client = make_client(base_url, {"X-Spoki-Api-Key": api_key}, timeout, connections)
        self._catalogue = catalogue

    def send(
        self,
        phone: str,
        message: Outgoing,
        idempotency_key: str,
        last_look: LastLook = nobody_looks,
    ) -> str:
        """See :class:`app.messages.provider.Provider`."""
        if isinstance(message, Template):
            content = self._template(message)
        else:
            content = _text(spelled_out(message))
        body = content | {"phone": phone, "metadata": {METADATA_KEY: idempotency_key}}
        return _accepted(post(self._client, "/api/1/messages/send/", body, "Spoki", last_look))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _template(self, message: Template) -> dict[str, Any]:
        reference = self._catalogue.reference(message.name, message.language)
        if reference.spoki_id is None:
            raise RefusedError(
                f"the template {message.name} has no number of Spoki's for {message.language}"
            )
        values = {name.upper(): message.variables[name] for name in reference.parameters}
        return {
            "type": "Template",
            "template": reference.spoki_id,
            "language": message.language,
            "custom_fields": values,
        }


def _text(message: Text) -> dict[str, Any]:
    content = {"type": "Message", "content_type": "Text", "text": message.text}
    if not message.choices:
        return content
    if len(message.choices) <= MOST_BUTTONS:
        buttons = [_button(order, choice) for order, choice in enumerate(message.choices)]
        return content | {"content_type": "Interactive", "buttons": buttons}
    rows = [
        {"title": choice.title, "description": "", "payload": choice.choice_id}
        for choice in message.choices
    ]
    shown = {"title": LIST_LABEL, "sections": [{"title": LIST_LABEL, "rows": rows}]}
    return content | {"content_type": "List", "list": shown}


def _button(order: int, choice: Choice) -> dict[str, Any]:
    return {
        "button_type": "quick_reply",
        "text": choice.title,
        "order": order,
        "payload": choice.choice_id,
    }


def _accepted(response: httpx.Response) -> str:
    status, answer = response.status_code, json_object(response)
    if error := _coded(answer.get("error_code"), retry_after(response.headers)):
        raise error
    if status == httpx.codes.TOO_MANY_REQUESTS:
        raise SlowDownError("Spoki asks to slow down (429)", retry_after(response.headers))
    if status >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise InDoubtError(f"Spoki answered {status}")
    if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        raise NotSentError(f"Spoki refuses the API key ({status})", KEY_WAIT)
    if response.is_success:
        identifier = answer.get("uuid") or answer.get("id")
        if not identifier:
            raise InDoubtError(f"Spoki answered {status} without an id")
        return provider_id(str(identifier))
    code = answer.get("error_code")
    raise RefusedError(
        f"Spoki refused it: {status} {code or ', '.join(answer) or 'without a reason'}"
    )


def _coded(code: object, after: timedelta | None) -> Exception | None:
    """The error that a code in the answer stands for; None if it is none that we know."""
    if code == NO_CREDIT:
        return NotSentError("the Spoki account has no credit left: top it up", CREDIT_WAIT)
    if not isinstance(code, str) or not code.startswith(WHATSAPP):
        return None
    number = code.removeprefix(WHATSAPP)[:9]
    return send_error(int(number), after) if number.isascii() and number.isdigit() else None
