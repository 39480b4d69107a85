"""Extras at a price: what is offered, and what becomes of a yes or a no."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from app.conversation.agents.scene import Part, Scene, for_a_person
from app.conversation.intent import Intent
from app.conversation.property import Extras, Property
from app.conversation.property_fields import LocalText
from app.conversation.said import yes_or_no
from app.conversation.turn import CloseOffer, MakeRequest
from app.conversation.wording import clock, lines, local_if_any, money
from app.guests.request import RequestKind
from app.messages.outgoing import Choice

ACCEPT: Final = "accept"
DECLINE: Final = "decline"
"""The ids of the choices that come with every offer."""

INTENTS: Final = {
    RequestKind.EARLY_CHECKIN: Intent.EARLY_CHECKIN,
    RequestKind.LATE_CHECKOUT: Intent.LATE_CHECKOUT,
    RequestKind.EXTRA_GUEST: Intent.BOOKING_CHANGE,
    RequestKind.TRANSFER: Intent.TRANSPORT,
}
"""What can be offered, and the intent that it is an answer to."""


@dataclass(frozen=True)
class _Extra:
    """One extra of the property, with its phrase's own values beside the terms."""

    price: Decimal
    details: LocalText | None
    times: dict[str, str]


def price_of(kind: RequestKind, facts: Property) -> Decimal | None:
    """An extra's price in the property's currency; None where the host set none."""
    extra = getattr(facts.extras, kind, None) if kind in INTENTS else None
    return None if extra is None else extra.price


def offer(kind: RequestKind, scene: Scene) -> Part | None:
    """State an extra's price and ask; None if it has none, or the reply has an offer already.

    What is open already is only said again: one wish, one request.
    """
    extra, currency = _extra(kind, scene), scene.facts.currency
    if extra is None or currency is None or not scene.may_offer:
        return None
    standing = scene.turn.offer
    if standing is not None and standing.kind is kind:
        return Part(
            _text(kind, extra, standing.price, standing.currency, scene), choices=_choices(scene)
        )
    request = MakeRequest(kind, scene.turn.text, scene.booking_id, extra.price, currency)
    return Part(_text(kind, extra, extra.price, currency, scene), (request,), _choices(scene))


def request(kind: RequestKind, scene: Scene) -> Part:
    """Pass a wish without a price of ours to the desk, which decides."""
    text = scene.phrases.say("request", topic=scene.phrases.say(f"topic_{kind}"))
    return Part(text, (MakeRequest(kind, scene.turn.text, scene.booking_id),))


def settle(scene: Scene) -> tuple[Intent, Part] | None:
    """What a yes or a no does to the offer that stands; None if the message is neither."""
    turn, phrases = scene.turn, scene.phrases
    tapped = {ACCEPT: True, DECLINE: False}.get(turn.choice_id or "")
    if turn.offer is None:
        # A button may be tapped days later; words without an offer are an ordinary message.
        return (Intent.OTHER, _too_late(scene, tapped)) if tapped is not None else None
    accepted = yes_or_no(turn.text) if tapped is None else tapped
    if accepted is None:
        return None
    topic = phrases.say(f"topic_{turn.offer.kind}")
    text = phrases.say("offer_accepted", topic=topic) if accepted else phrases.say("offer_declined")
    closed = CloseOffer(turn.offer.request_id, accepted=accepted)
    return INTENTS[turn.offer.kind], Part(text, (closed,))


def _too_late(scene: Scene, accepted: bool) -> Part:
    if accepted:
        return for_a_person(scene.phrases.say("offer_gone"), Intent.OTHER)
    return Part(scene.phrases.say("offer_declined"))


def _extra(kind: RequestKind, scene: Scene) -> _Extra | None:
    extras, language = scene.facts.extras or Extras(), scene.phrases.language
    if kind is RequestKind.EARLY_CHECKIN and (early := extras.early_checkin):
        return _Extra(early.price, early.details, {"start": clock(early.from_, language)})
    if kind is RequestKind.LATE_CHECKOUT and (late := extras.late_checkout):
        return _Extra(late.price, late.details, {"end": clock(late.until, language)})
    if kind is RequestKind.EXTRA_GUEST and (guest := extras.extra_guest):
        return _Extra(guest.price, guest.details, {})
    if kind is RequestKind.TRANSFER and (transfer := extras.transfer):
        return _Extra(transfer.price, transfer.details, {})
    return None


def _text(kind: RequestKind, extra: _Extra, price: Decimal, currency: str, scene: Scene) -> str:
    phrases = scene.phrases
    if price:
        terms = "terms_night" if kind is RequestKind.EXTRA_GUEST else "terms"
        at_what_price = phrases.say(terms, price=money(price, currency, phrases.language))
    else:
        at_what_price = phrases.say("terms_free")
    return lines(
        phrases.say(f"{kind}_offer", terms=at_what_price, **extra.times),
        local_if_any(extra.details, scene.facts, phrases),
        phrases.say("offer_question"),
    )


def _choices(scene: Scene) -> tuple[Choice, ...]:
    return (
        Choice(ACCEPT, scene.phrases.say("offer_yes")),
        Choice(DECLINE, scene.phrases.say("offer_no")),
    )
