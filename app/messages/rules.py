"""May this message go now, and how? One function holds every rule.

Pure: what the rules go by is read by `app.messages.standing`, in the transaction that then marks
the message ``sending``.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import TypeAlias
from zoneinfo import ZoneInfo

from app.guests.guest import Consent
from app.messages.outgoing import Kind

# WhatsApp: free text may follow a guest's message for 24 hours; after that only templates.
WINDOW = timedelta(hours=24)
# Who wrote so lately is awake, whatever the clock says.
AWAKE = timedelta(minutes=30)
# While a person speaks with the guest, the system's own messages ask again so often.
TAKEN_OVER_RECHECK = timedelta(minutes=15)
FALLBACK_LANGUAGE = "en"


class Rule(StrEnum):
    """What held a message back; stands on its row."""

    DUPLICATE = "duplicate"
    OPTED_OUT = "opted_out"
    CONSENT = "consent"
    TAKEN_OVER = "taken_over"
    WINDOW = "window"
    TEMPLATE = "template_not_approved"
    QUIET_HOURS = "quiet_hours"
    DAILY_CAP = "daily_cap"
    RETRY_AFTER = "retry_after"
    PROVIDER_LIMIT = "provider_limit"


class SentAs(StrEnum):
    """What the provider is handed: the two are limited, allowed and paid for differently."""

    TEXT = "text"
    TEMPLATE = "template"


@dataclass(frozen=True)
class QuietHours:
    """When guests are left in peace, by their own clock; ``start`` may be later than ``end``."""

    start: time
    end: time

    def end_if_quiet(self, now: datetime, zone: ZoneInfo) -> datetime | None:
        """When the quiet that reigns at ``now`` (aware) ends; None if none does."""
        local = now.astimezone(zone)
        clock, today = local.time(), local.date()
        if self.start <= self.end:
            return _next(today, self.end, zone, now) if self.start <= clock < self.end else None
        if clock < self.end:
            return _next(today, self.end, zone, now)
        tomorrow = today + timedelta(days=1)
        return _next(tomorrow, self.end, zone, now) if clock >= self.start else None


def _next(day: date, clock: time, zone: ZoneInfo, now: datetime) -> datetime:
    """That time of that day; where the clock goes back past it, the second one if ``now`` is later
    than the first. (Compared in UTC: two times of one zone are compared by the clock alone.)"""
    first = datetime.combine(day, clock, tzinfo=zone)
    return first if first.astimezone(UTC) > now.astimezone(UTC) else first.replace(fold=1)


@dataclass(frozen=True)
class RuleBook:
    """What a host may set. ``daily_cap``: of the system's own messages, for each guest."""

    quiet: QuietHours
    daily_cap: int


@dataclass(frozen=True)
class Proposal:
    """A message that wants to go. ``marketing`` and ``approved`` are its template's, if it is one:
    whether it needs consent, and in which languages the provider has approved it.
    ``window_closed``: the provider has said so."""

    kind: Kind
    created_at: datetime
    language: str = FALLBACK_LANGUAGE
    template: bool = False
    marketing: bool = False
    approved: frozenset[str] = frozenset()
    fallback_approved: frozenset[str] = frozenset()
    window_closed: bool = False


@dataclass(frozen=True)
class Standing:
    """What is known at the moment of sending; times are aware.

    ``wrote_at``: when the guest last wrote. ``held_since``: since when a person is to speak, and
    ``taken`` whether one has taken over. ``notices_today``: how many of the system's own messages
    went out since the guest's midnight. ``paused_until``: the provider's Retry-After. ``room_at``:
    when the provider's limits have room again, by what it would be sent as.
    """

    now: datetime
    zone: ZoneInfo
    consent: Consent = Consent.UNKNOWN
    duplicate: bool = False
    wrote_at: datetime | None = None
    held_since: datetime | None = None
    taken: bool = False
    notices_today: int = 0
    paused_until: datetime | None = None
    text_room_at: datetime | None = None
    template_room_at: datetime | None = None


@dataclass(frozen=True)
class Send:
    """It may go. ``fallback``: not itself, but the template that says that a person will answer."""

    sent_as: SentAs
    language: str
    fallback: bool = False


@dataclass(frozen=True)
class Wait:
    """Not before ``until``."""

    until: datetime
    rule: Rule
    why: str


@dataclass(frozen=True)
class Refuse:
    """Never."""

    rule: Rule
    why: str


Verdict: TypeAlias = Send | Wait | Refuse


def can_send(proposal: Proposal, standing: Standing, book: RuleBook) -> Verdict:
    """Decide about ``proposal``: refusals first, then its form, then what it must wait for."""
    if refused := _refused(proposal, standing):
        return refused
    form = _form(proposal, standing)
    if isinstance(form, Refuse):
        return form
    return _held(proposal, standing, book) or _provider_has_no_room(form, standing) or form


def _refused(proposal: Proposal, standing: Standing) -> Refuse | None:
    kind = proposal.kind
    if standing.duplicate:
        return Refuse(Rule.DUPLICATE, "the guest has had this message")
    if standing.consent is Consent.WITHDRAWN and kind in (Kind.REPLY, Kind.NOTICE):
        return Refuse(Rule.OPTED_OUT, "the guest wants no messages")
    if proposal.marketing and standing.consent is not Consent.GIVEN:
        return Refuse(Rule.CONSENT, "an offer needs the guest's consent")
    if kind is Kind.REPLY and _bot_is_silent(proposal, standing):
        return Refuse(Rule.TAKEN_OVER, "a person speaks with the guest")
    return None


def _bot_is_silent(proposal: Proposal, standing: Standing) -> bool:
    """Once a person has taken over; before that only for what came after the bot's last word."""
    if standing.held_since is None:
        return False
    return standing.taken or proposal.created_at > standing.held_since


def _form(proposal: Proposal, standing: Standing) -> Send | Refuse:
    wrote_at = standing.wrote_at
    is_open = wrote_at is not None and standing.now < wrote_at + WINDOW
    if is_open and not proposal.window_closed:
        return Send(SentAs.TEXT, proposal.language)
    if proposal.template:
        return _as_template(proposal.language, proposal.approved, fallback=False)
    if proposal.kind is Kind.PERSON:
        return Refuse(Rule.WINDOW, "the guest wrote more than 24 hours ago: send a template")
    return _as_template(proposal.language, proposal.fallback_approved, fallback=True)


def _as_template(language: str, approved: frozenset[str], *, fallback: bool) -> Send | Refuse:
    for choice in (language, FALLBACK_LANGUAGE, *sorted(approved)):
        if choice in approved:
            return Send(SentAs.TEMPLATE, choice, fallback)
    return Refuse(
        Rule.TEMPLATE,
        "the guest wrote more than 24 hours ago, and the template it takes is not approved",
    )


def _held(proposal: Proposal, standing: Standing, book: RuleBook) -> Wait | None:
    kind, now = proposal.kind, standing.now
    if kind in (Kind.EMERGENCY, Kind.PERSON, Kind.DESK):
        return None
    if kind is Kind.NOTICE and standing.held_since is not None:
        return Wait(now + TAKEN_OVER_RECHECK, Rule.TAKEN_OVER, "a person speaks with the guest")
    quiet_until = book.quiet.end_if_quiet(now, standing.zone)
    if quiet_until and not _is_awake(proposal, standing):
        return Wait(quiet_until, Rule.QUIET_HOURS, "it is night where the guest is")
    if kind is Kind.NOTICE and standing.notices_today >= book.daily_cap:
        return Wait(_tomorrow(standing, book), Rule.DAILY_CAP, "enough messages for one day")
    return None


def _is_awake(proposal: Proposal, standing: Standing) -> bool:
    """A guest who has just written is awake for the answer; not for what nobody asked for."""
    wrote_at = standing.wrote_at
    return (
        proposal.kind is not Kind.NOTICE
        and wrote_at is not None
        and standing.now < wrote_at + AWAKE
    )


def _tomorrow(standing: Standing, book: RuleBook) -> datetime:
    local = standing.now.astimezone(standing.zone)
    midnight = _next(local.date() + timedelta(days=1), time(), standing.zone, standing.now)
    return book.quiet.end_if_quiet(midnight, standing.zone) or midnight


def _provider_has_no_room(form: Send, standing: Standing) -> Wait | None:
    if standing.paused_until is not None and standing.now < standing.paused_until:
        return Wait(standing.paused_until, Rule.RETRY_AFTER, "the provider asked to wait")
    is_text = form.sent_as is SentAs.TEXT
    room_at = standing.text_room_at if is_text else standing.template_room_at
    if room_at is not None and standing.now < room_at:
        return Wait(room_at, Rule.PROVIDER_LIMIT, f"the provider's {form.sent_as}s of this minute")
    return None
