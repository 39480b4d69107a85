"""The account's external webhooks: which event goes where, and what signs it."""

import secrets
from dataclasses import dataclass
from typing import Any

from app.providers.sandbox.config import SandboxConfig


@dataclass(slots=True)
class Hook:
    """One subscription. The secret is shown when it is made and when it is rotated, only."""

    id: int
    event: str
    url: str
    secret: str
    is_active: bool = True

    def as_json(self, *, with_secret: bool = False) -> dict[str, Any]:
        """The subscription as the API shows it."""
        shown = {
            "id": self.id,
            "event": self.event,
            "version": 2,
            "url": self.url,
            "is_active": self.is_active,
        }
        return shown | {"secret": self.secret} if with_secret else shown


class Hooks:
    """All subscriptions; those of the configuration are there from the start."""

    def __init__(self, config: SandboxConfig) -> None:
        self._config = config
        self._hooks: dict[int, Hook] = {}
        self.reset()

    def reset(self) -> None:
        """Go back to the configured ones."""
        self._hooks = {}
        if self._config.webhook_url is None:
            return
        secret = self._config.webhook_secret.get_secret_value()
        for event in ("message.inbound", "message.outbound"):
            self._add(event, self._config.webhook_url, secret, active=True)

    def create(self, event: str, url: str, *, active: bool) -> Hook:
        """Add one, with a secret of its own."""
        return self._add(event, url, secrets.token_hex(32), active=active)

    def get(self, hook_id: int) -> Hook | None:
        """The subscription with this id."""
        return self._hooks.get(hook_id)

    def all(self) -> list[Hook]:
        """Every subscription, oldest first."""
        return list(self._hooks.values())

    def matching(self, event: str) -> list[Hook]:
        """The active ones for ``event``."""
        return [hook for hook in self._hooks.values() if hook.is_active and hook.event == event]

    def rotate(self, hook: Hook) -> None:
        """Give ``hook`` a new secret; the old one signs nothing more."""
        hook.secret = secrets.token_hex(32)

    def _add(self, event: str, url: str, secret: str, *, active: bool) -> Hook:
        hook = Hook(len(self._hooks) + 1, event, url, secret, active)
        self._hooks[hook.id] = hook
        return hook
