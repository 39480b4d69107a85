"""OpenWeather's One Call 3.0, the warnings alone.

It can't show which warnings the real one has for a place, in which language, or how a service
rewrites one that goes on. Its calls beyond the day's limit it answers with 429, as documented.
"""

import os
from typing import Any

from tests.support.outside.wire import Answer, Asked, unknown

KEY = os.environ.get("OUTSIDE_OPENWEATHER_KEY", "openweather-key")
KNOWN = {"lat", "lon", "appid", "exclude", "units", "lang"}
PARTS = {"current", "minutely", "hourly", "daily", "alerts"}
PATH = "/data/3.0/onecall"


class OpenWeather:
    """The weather of one place; ``alerts`` as OpenWeather writes them."""

    name = "openweather"
    prefix = "/data/"

    def __init__(self) -> None:
        self.calls = 0
        self.daily = 2000
        self.alerts: list[dict[str, Any]] = []

    def answer(self, asked: Asked) -> Answer:
        """Answer a request."""
        params = asked.params
        if params.get("appid") != KEY:
            return Answer(401, {"cod": 401, "message": "Invalid API key."})
        if asked.method != "GET" or asked.path != PATH:
            return Answer(404, {"cod": "404", "message": "Internal error"})
        excluded = set(filter(None, params.get("exclude", "").split(",")))
        if refused := unknown(asked, KNOWN) + sorted(excluded - PARTS) + _no_place(params):
            return Answer(400, {"cod": "400", "message": "wrong", "parameters": refused})
        if self.calls >= self.daily:
            return Answer(429, {"cod": 429, "message": "Your account is temporarily blocked."})
        self.calls += 1
        found: dict[str, Any] = {
            "lat": float(params["lat"]),
            "lon": float(params["lon"]),
            "timezone": "Europe/Rome",
            "timezone_offset": 3600,
        }
        # Without a warning the key isn't there.
        if self.alerts and "alerts" not in excluded:
            found["alerts"] = self.alerts
        return Answer(200, found)


def _no_place(params: dict[str, str]) -> list[str]:
    try:
        is_place = abs(float(params["lat"])) <= 90 and abs(float(params["lon"])) <= 180
    except (KeyError, ValueError):
        is_place = False
    return [] if is_place else ["lat", "lon"]
