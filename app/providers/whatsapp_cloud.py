"""WhatsApp's Cloud API, without anybody between.

``POST /{phone number id}/messages`` with a Bearer token; accepted means 2xx and an id in
``messages[0]``. There is no idempotency key here either: ours travels in
``biz_opaque_callback_data`` and comes back in the statuses, which end a doubt. Facts from Meta's
reference of the Cloud API.
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
from app.providers.whatsapp_cloud_statuses import CALLBACK_DATA
from app.providers.whatsapp_codes import send_error
from app.retry_after import retry_after


class WhatsAppCloud:
    """A :class:`app.messages.provider.Provider`. ``timeout`` is what one answer may take.

    ``number_url`` is the API's address with its version and the id of the property's number;
    ``catalogue`` knows Meta's names of our templates.
    """

    def __init__(
        self,
        number_url: str,
        access_token: str,
        timeout: timedelta,
        connections: int,
        catalogue: Catalogue,
    ) -> None:
        headers = {"Authorization": f"Bearer {access_token}"}
        self._client = make_client(number_url, headers, timeout, connections)
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
        body = content | {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "to": phone,
            CALLBACK_DATA: idempotency_key,
        }
        return _accepted(post(self._client, "/messages", body, "WhatsApp", last_look))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _template(self, message: Template) -> dict[str, Any]:
        reference = self._catalogue.reference(message.name, message.language)
        if reference.cloud_name is None:
            raise RefusedError(f"the template {message.name} has no name of WhatsApp's")
        template: dict[str, Any] = {
            "name": reference.cloud_name,
            "language": {"code": message.language},
        }
        values = [message.variables[name] for name in reference.parameters]
        if values:
            parameters = [{"type": "text", "text": value} for value in values]
            template["components"] = [{"type": "body", "parameters": parameters}]
        return {"type": "template", "template": template}


def _text(message: Text) -> dict[str, Any]:
    if not message.choices:
        return {"type": "text", "text": {"body": message.text}}
    interactive: dict[str, Any] = {"body": {"text": message.text}}
    if len(message.choices) <= MOST_BUTTONS:
        buttons = [{"type": "reply", "reply": _reply(choice)} for choice in message.choices]
        interactive |= {"type": "button", "action": {"buttons": buttons}}
    else:
        rows = [_reply(choice) for choice in message.choices]
        action = {"button": LIST_LABEL, "sections": [{"rows": rows}]}
        interactive |= {"type": "list", "action": action}
    return {"type": "interactive", "interactive": interactive}


def _reply(choice: Choice) -> dict[str, str]:
    return {"id": choice.choice_id, "title": choice.title}


def _accepted(response: httpx.Response) -> str:
    status, answer = response.status_code, json_object(response)
    if response.is_success:
        return _message_id(answer, status)
    after = retry_after(response.headers)
    code = _code(answer)
    if code is not None and (error := send_error(code, after)):
        raise error
    if status == httpx.codes.TOO_MANY_REQUESTS:
        raise SlowDownError("WhatsApp asks to slow down (429)", after)
    if status >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise InDoubtError(f"WhatsApp answered {status}")
    if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        raise NotSentError(f"WhatsApp refuses the access token ({status})", KEY_WAIT)
    raise RefusedError(f"WhatsApp refused it: {status} {code or 'without a code'}")


def _message_id(answer: dict[str, Any], status: int) -> str:
    match answer:
        case {"messages": [{"id": str(identifier)}, *_]} if identifier:
            return identifier
    raise InDoubtError(f"WhatsApp answered {status} without an id")


def _code(answer: dict[str, Any]) -> int | None:
    match answer:
        case {"error": {"code": int(code)}}:
            return code
    return None
