"""Smoobu's API, as far as bookings go. Its limit, 1,000 requests a minute, is never near."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cloud_jobs.settings import CloudSettings
from cloud_jobs.settings_sources import SmoobuAuth
from cloud_jobs.sources.http import Params, Service
from cloud_jobs.sources.smoobu_auth import ApiKeyAuth, HmacAuth
from cloud_jobs.sources.smoobu_booking import Booking

NAME: Final = "Smoobu"
PAGE_SIZE: Final = 100


class Page(BaseModel):
    """One page of reservations; ``unreadable`` counts what on it is none."""

    model_config = ConfigDict(frozen=True)

    page_count: int
    bookings: tuple[Booking, ...]
    unreadable: int = 0


class _Page(BaseModel):
    """As it comes: one booking that is wrong must not cost the others."""

    model_config = ConfigDict(hide_input_in_errors=True)

    page_count: int = Field(ge=0)
    bookings: list[Any]


def is_configured(settings: CloudSettings) -> bool:
    """Whether Smoobu can be asked. Its webhook works without."""
    return bool(settings.smoobu_key.get_secret_value())


@contextmanager
def opened(settings: CloudSettings) -> Iterator[Service]:
    """Smoobu, signed as the settings say."""
    key = settings.smoobu_key.get_secret_value()
    secret = settings.smoobu_secret.get_secret_value()
    is_hmac = settings.smoobu_auth is SmoobuAuth.HMAC
    auth = HmacAuth(key, secret) if is_hmac else ApiKeyAuth(key)
    with Service(NAME, f"{settings.smoobu_url}", auth=auth) as service:
        yield service


def modified_since(service: Service, since: date, page: int) -> Page:
    """A page of what changed on ``since`` or later, cancelled ones too. Raises as `Service.get`."""
    return _page(service, {"modifiedFrom": since.isoformat()}, page)


def not_over(service: Service, today: date, page: int) -> Page:
    """A page of the stays that haven't ended before ``today``. Raises as `Service.get`."""
    return _page(service, {"departureFrom": today.isoformat()}, page)


def one(service: Service, smoobu_id: int) -> Booking:
    """One reservation. Raises as `Service.get`."""
    return service.get(f"/api/reservations/{smoobu_id}", {}, Booking)


def read(body: object) -> Booking | None:
    """A booking as a webhook has it; None if it is none."""
    try:
        return Booking.model_validate(body)
    except ValidationError:
        return None


def _page(service: Service, those: Params, page: int) -> Page:
    params = {
        **those,
        "showCancellation": "true",
        "excludeBlocked": "true",
        "page": page,
        "pageSize": PAGE_SIZE,
    }
    found = service.get("/api/reservations", params, _Page)
    bookings = [booking for body in found.bookings if (booking := read(body)) is not None]
    return Page(
        page_count=found.page_count,
        bookings=tuple(bookings),
        unreadable=len(found.bookings) - len(bookings),
    )
