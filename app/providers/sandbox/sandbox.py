"""The sandbox itself: takes sends and guests' messages, and reports on both."""

import asyncio
import uuid
from dataclasses import dataclass, field
from typing import Any

from app.providers.sandbox.config import SandboxConfig, SandboxSettings
from app.providers.sandbox.dispatch import Delivery, Dispatcher
from app.providers.sandbox.envelope import body, encode
from app.providers.sandbox.faults import FaultBoard, NoEcho, Undeliverable
from app.providers.sandbox.feed import Feed
from app.providers.sandbox.rate_limits import RateLimits
from app.providers.sandbox.requests import Send, TemplateSend
from app.providers.sandbox.state import Message, Report, SendCall, State, now_ms
from app.providers.sandbox.subscriptions import Hook, Hooks

# The parts of a send that the phone page draws around the text.
DRAWN = {"header", "footer", "buttons", "list", "media", "header_media"}
# Who of the account writes from Spoki's inbox; any number will do.
DESK_SENDER_ID = 4101


@dataclass(slots=True)
class Sandbox:
    """Everything one running sandbox holds. Needs a running event loop."""

    config: SandboxConfig
    settings: SandboxSettings = field(init=False)
    state: State = field(default_factory=State)
    faults: FaultBoard = field(default_factory=FaultBoard)
    feed: Feed = field(default_factory=Feed)
    limits: RateLimits = field(default_factory=RateLimits)
    contacts: dict[str, dict[str, Any]] = field(default_factory=dict)
    hooks: Hooks = field(init=False)
    dispatcher: Dispatcher = field(init=False)
    _timers: set[asyncio.TimerHandle] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.settings = self._initial_settings()
        self.hooks = Hooks(self.config)
        self.dispatcher = Dispatcher(self.config, self.faults)

    async def reset(self) -> None:
        """Go back to the state after the start."""
        self._cancel_timers()
        await self.dispatcher.forget()
        self.state.clear()
        self.faults.clear()
        self.contacts.clear()
        self.hooks.reset()
        self.limits = RateLimits()
        self.settings = self._initial_settings()
        self.feed.publish("reload", {})

    async def close(self) -> None:
        """Drop what is on its way and close the connections."""
        self._cancel_timers()
        await self.dispatcher.close()

    def write(self, phone: str, text: str, name: str | None, payload: str | None) -> Message:
        """A guest writes ``text``; ``payload`` is that of the quick reply that was tapped."""
        message = self.state.add_inbound(phone, text)
        message.payload = payload
        return self._arrived(message, name)

    def send_photos(self, phone: str, count: int, caption: str, name: str | None) -> list[Message]:
        """A guest sends photos: each is a message of its own, and the first has the caption."""
        photos = []
        for number in range(1, count + 1):
            message = self.state.add_inbound(phone, caption if number == 1 else "", "Image")
            url = f"https://files.example.invalid/{message.uuid}.jpg"
            message.parts = {"media": {"url": url, "filename": f"photo-{number}.jpg"}}
            photos.append(self._arrived(message, name))
        return photos

    def write_by_person(self, phone: str, text: str) -> Message:
        """Somebody at the desk writes to a guest from Spoki's own inbox."""
        message = self.state.add_by_person(phone, text, DESK_SENDER_ID)
        self.show(message)
        self._schedule_statuses(message)
        return message

    def accept(self, send: Send, call: SendCall) -> Message:
        """Take a send that passed every check, and report on it as the phone would."""
        message = self.state.add_outbound(
            send.phone, send.content_type, send.shown(), call.received_at
        )
        message.metadata = send.metadata
        message.parts = send.model_dump(include=DRAWN, exclude_none=True)
        if isinstance(send, TemplateSend):
            message.template = send.template
        call.accepted, call.message_uuid = True, message.uuid
        self.show(message)
        self._schedule_statuses(message)
        return message

    def show(self, message: Message) -> None:
        """Give ``message`` as it stands now to the open pages."""
        if self.feed.listened:
            self.feed.publish("message", message.as_json())

    def show_faults(self) -> None:
        """Give what is switched on to the open pages."""
        if self.feed.listened:
            self.feed.publish("faults", self.faults.snapshot().model_dump())

    def test_hook(self, hook: Hook) -> str:
        """Send a made-up event to one subscription. Returns its event_uuid."""
        report = Report(str(uuid.uuid4()), hook.event, "---", now_ms())
        content = encode(hook.event, report.event_uuid, report.at, {"test": True})
        self.dispatcher.put(Delivery(f"test-{hook.id}", hook, content, report, lambda: None))
        return report.event_uuid

    def _arrived(self, message: Message, name: str | None) -> Message:
        message.name = name
        self._report(message, "message.inbound", "---")
        self.show(message)
        return message

    def _initial_settings(self) -> SandboxSettings:
        return SandboxSettings(status_gap_ms=round(self.config.status_gap * 1000))

    def _schedule_statuses(self, message: Message) -> None:
        failure = self.faults.take(Undeliverable)
        silent = self.faults.take(NoEcho) is not None
        statuses = ("Sent", "Error") if failure else ("Sent", "Delivered", "Read")
        message.error_code = failure.error_code if failure else None
        gap = self.settings.status_gap_ms / 1000
        for nth, status in enumerate(statuses, start=1):
            self._later(gap * nth, message, status, silent)

    def _later(self, seconds: float, message: Message, status: str, silent: bool) -> None:
        if seconds == 0:
            self._advance(message, status, silent)
            return

        def fire() -> None:
            self._timers.discard(timer)
            self._advance(message, status, silent)

        timer = asyncio.get_running_loop().call_later(seconds, fire)
        self._timers.add(timer)

    def _advance(self, message: Message, status: str, silent: bool) -> None:
        message.status = status
        if not silent and self.settings.outbound_webhooks == "on":
            self._report(message, "message.outbound", status)
        self.show(message)

    def _report(self, message: Message, event: str, send_status: str) -> None:
        report = Report(str(uuid.uuid4()), event, send_status, now_ms())
        message.reports.append(report)
        hooks = self.hooks.matching(event)
        if not hooks:
            report.state = "nowhere"
            self._settle(message)
            return
        content = body(message, report, self.config.account_phone)

        def changed() -> None:
            self._settle(message)
            self.show(message)

        for hook in hooks:
            self.dispatcher.put(Delivery(message.phone, hook, content, report, changed))

    def _settle(self, message: Message) -> None:
        """An inbound message is as far as its webhook is."""
        if message.direction == "Inbound":
            states = {"delivered": "Accepted", "gave_up": "Lost", "nowhere": "Unsent"}
            message.status = states.get(message.reports[0].state, "Queued")

    def _cancel_timers(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
