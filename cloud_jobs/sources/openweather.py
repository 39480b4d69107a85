"""OpenWeather's One Call 3.0, for its warnings alone. It needs a subscription of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from cloud_jobs.settings import CloudSettings
from cloud_jobs.sources.http import Service

NAME: Final = "OpenWeather"
# What one call is called in costs.yml, and among the calls of a day.
CALL: Final = "openweather.call"
SERVICE: Final = "openweather"
# Seconds of the year 2100: a moment beyond is none.
_LATEST: Final = 4_102_444_800
_LONGEST: Final = 300


def _text(value: object) -> str:
    return value[:_LONGEST] if isinstance(value, str) else ""


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(_text, value)) if isinstance(value, list) else ()


def _or_none(value: object) -> object:
    """``alerts`` isn't there when there are none; a null would say the same."""
    return [] if value is None else value


class _Read(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Alert(_Read):
    """A warning, as the weather service of the place words it; times in seconds since 1970."""

    sender_name: Annotated[str, BeforeValidator(_text)] = ""
    event: Annotated[str, BeforeValidator(_text)] = ""
    start: int = Field(ge=0, lt=_LATEST)
    end: int = Field(ge=0, lt=_LATEST)
    tags: Annotated[tuple[str, ...], BeforeValidator(_texts)] = ()

    @property
    def starts_at(self) -> datetime:
        """Aware."""
        return datetime.fromtimestamp(self.start, UTC)

    @property
    def ends_at(self) -> datetime:
        """Aware."""
        return datetime.fromtimestamp(self.end, UTC)


class OneCall(_Read):
    """An answer."""

    alerts: Annotated[tuple[Alert, ...], BeforeValidator(_or_none)] = ()


def is_configured(settings: CloudSettings) -> bool:
    """Whether OpenWeather can be asked; then the settings know where the property is."""
    return bool(settings.openweather_key.get_secret_value())


@contextmanager
def opened(settings: CloudSettings) -> Iterator[Service]:
    """OpenWeather. A question is asked once: each counts against the day's."""
    with Service(NAME, f"{settings.openweather_url}", attempts=1) as service:
        yield service


def alerts(service: Service, settings: CloudSettings) -> tuple[Alert, ...]:
    """The warnings for where the property is. Raises as `Service.get`.

    The key is in the address, as they want it: neither logs nor errors of `Service` have that.
    """
    params = {
        "lat": f"{settings.latitude}",
        "lon": f"{settings.longitude}",
        "exclude": "current,minutely,hourly,daily",
        "lang": settings.default_language,
        "appid": settings.openweather_key.get_secret_value(),
    }
    return service.get("/data/3.0/onecall", params, OneCall).alerts
