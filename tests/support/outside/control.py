"""``/control``: what a test or the rehearsal sets and reads. All by POST with JSON, but the counts.

``GET  /control/calls``    → ``{"smoobu": 1, "aeroapi": 2, "openweather": 0}``
``POST /control/booking``  ``{"booking": {"id": 1, …}, "action": "newReservation", "webhook": URL}``
``POST /control/flight``   ``{"ident": "AZ1572", "arrives": "2026-12-01T11:40:00Z"}``
``POST /control/delay``    ``{"ident": "AZ1572", "minutes": 180}``
``POST /control/land``, ``/control/cancel``  ``{"ident": "AZ1572"}``
``POST /control/alerts``   ``{"alerts": [{"sender_name": …, "event": …, "start": …, "end": …}]}``
``POST /control/fail``     ``{"service": "aeroapi", "status": 503, "times": 2, "headers": {}}``;
status 0 cuts the connection
"""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

from tests.support.outside.wire import Answer, Asked

if TYPE_CHECKING:
    from tests.support.outside.server import Outside

PREFIX = "/control/"


def control(outside: "Outside", asked: Asked) -> Answer:
    """Do what is asked."""
    name = asked.path.removeprefix(PREFIX)
    if asked.method == "GET" and name == "calls":
        return Answer(200, {service.name: service.calls for service in outside.services})
    act = _ACTS.get(name)
    if act is None or asked.method != "POST":
        return Answer(404, {"detail": f"there is no {asked.method} {asked.path}"})
    return Answer(200, act(outside, asked.json))


def _booking(outside: "Outside", body: dict[str, Any]) -> dict[str, Any]:
    booking = outside.smoobu.put(body["booking"])
    webhook = body.get("webhook")
    if webhook is None:
        return {"booking": booking}
    told = {"action": body.get("action", "newReservation"), "user": 1, "data": booking}
    return {"booking": booking, "status": fire(webhook, told)}


def _flight(outside: "Outside", body: dict[str, Any]) -> dict[str, Any]:
    arrives = datetime.fromisoformat(body["arrives"])
    return outside.aeroapi.put(body["ident"], arrives, **body.get("fields", {}))


def _delay(outside: "Outside", body: dict[str, Any]) -> dict[str, Any]:
    outside.aeroapi.delay(body["ident"], timedelta(minutes=body["minutes"]))
    return {}


def _land(outside: "Outside", body: dict[str, Any]) -> dict[str, Any]:
    outside.aeroapi.land(body["ident"])
    return {}


def _cancel(outside: "Outside", body: dict[str, Any]) -> dict[str, Any]:
    outside.aeroapi.cancel(body["ident"])
    return {}


def _alerts(outside: "Outside", body: dict[str, Any]) -> dict[str, Any]:
    outside.openweather.alerts = list(body["alerts"])
    return {}


def _fail(outside: "Outside", body: dict[str, Any]) -> dict[str, Any]:
    outside.fail(
        body["service"], body["status"], times=body.get("times", 1), headers=body.get("headers")
    )
    return {}


def fire(url: str, body: dict[str, Any]) -> int:
    """Post a webhook, as Smoobu does: without a signature. The status that came back."""
    request = Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}, method="POST"
    )
    with urlopen(request, timeout=10) as answer:
        return int(answer.status)


_ACTS: dict[str, Callable[["Outside", dict[str, Any]], dict[str, Any]]] = {
    "booking": _booking,
    "flight": _flight,
    "delay": _delay,
    "land": _land,
    "cancel": _cancel,
    "alerts": _alerts,
    "fail": _fail,
}
