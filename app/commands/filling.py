"""A template's variables, as the guest's language writes them.

What a command leaves out is filled in from what the desk knows: the cloud knows no names, no codes
of doors, and not how much is left to pay.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from app.commands.office import Office, RefusedError
from app.commands.schemas import (
    DateValue,
    LocalValue,
    MomentValue,
    MoneyValue,
    TemplateCall,
)
from app.conversation.language import Language
from app.conversation.phrases import bundled
from app.conversation.wording import clock, day, local_if_any, money
from app.guests.booking import Booking
from app.guests.guest import Guest
from app.messages.outgoing import Template

_DEPARTURE: Final = "departure_instructions"
Value = str | DateValue | MomentValue | MoneyValue | LocalValue


@dataclass(frozen=True)
class Scene:
    """What there is to fill in from. ``booking`` is the stay that the message is about, if any."""

    office: Office
    guest: Guest
    booking: Booking | None
    language: Language
    template: str


def fill(
    office: Office, call: TemplateCall, guest: Guest, booking: Booking | None, language: Language
) -> Template:
    """Fill a template in. Raises :class:`RefusedError` if it can't be filled so."""
    scene = Scene(office, guest, booking, language, call.name)
    given = {name: written(office, value, language) for name, value in call.variables.items()}
    try:
        wanted = office.catalogue.variables(call.name)
        return office.catalogue.render(
            call.name, language, {**_known(scene, wanted, given), **given}
        )
    except ValueError as error:
        # Names of templates and variables, never a value.
        raise RefusedError("template_not_usable", str(error)) from None


def written(office: Office, value: Value, language: Language) -> str:
    """One value in words."""
    match value:
        case DateValue():
            return day(value.date, language)
        case MoneyValue():
            return money(value.money, value.currency, language)
        case LocalValue():
            return value.by_language[language]
        case MomentValue():
            return _moment(office, value.moment, language)
    return value


def _moment(office: Office, moment: datetime, language: Language) -> str:
    zone = office.facts.time_zone
    local = moment.astimezone(zone)
    if local.date() == datetime.now(zone).date():
        return clock(local.time(), language)
    return f"{clock(local.time(), language)} ({day(local.date(), language)})"


def _known(scene: Scene, wanted: tuple[str, ...], given: Mapping[str, str]) -> dict[str, str]:
    """Those of the missing that the desk knows."""
    missing = [name for name in wanted if name not in given and name in _FROM_DESK]
    found = {name: _FROM_DESK[name](scene) for name in missing}
    return {name: value for name, value in found.items() if value is not None}


def _guest(scene: Scene) -> str:
    return scene.guest.name or bundled()[scene.language].say("guest_without_name")


def _arrival(scene: Scene) -> str | None:
    booking = scene.booking
    return day(booking.arrival, scene.language) if booking and booking.arrival else None


def _departure(scene: Scene) -> str | None:
    booking = scene.booking
    return day(booking.departure, scene.language) if booking and booking.departure else None


def _start(scene: Scene) -> str | None:
    check_in = scene.office.facts.check_in
    return clock(check_in.from_, scene.language) if check_in else None


def _end(scene: Scene) -> str | None:
    check_out = scene.office.facts.check_out
    return clock(check_out.until, scene.language) if check_out else None


def _how(scene: Scene) -> str | None:
    facts, phrases = scene.office.facts, bundled()[scene.language]
    if scene.template == _DEPARTURE:
        text = facts.check_out.how if facts.check_out else None
        return local_if_any(text, facts, phrases) or phrases.say("departing")
    text = facts.check_in.how if facts.check_in else None
    return local_if_any(text, facts, phrases) or phrases.say("arriving")


def _booking(scene: Scene) -> str | None:
    return scene.booking.code if scene.booking else None


def _amount(scene: Scene) -> str | None:
    booking = scene.booking
    if booking is None or booking.balance is None or booking.currency is None:
        raise RefusedError("balance_unknown", "it isn't known what is left to pay")
    if not booking.balance:
        raise RefusedError("nothing_to_pay", "nothing is left to pay")
    return money(booking.balance, booking.currency, scene.language)


_FROM_DESK: Final[Mapping[str, Callable[[Scene], str | None]]] = {
    "guest": _guest,
    "arrival": _arrival,
    "day": _departure,
    "start": _start,
    "end": _end,
    "how": _how,
    "booking": _booking,
    "amount": _amount,
}
