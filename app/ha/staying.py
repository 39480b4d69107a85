"""What a leader may do that doesn't reach the authority: lead on, or not.

It can't tell a VPS that died from a line that was cut. With a witness (an object in a bucket) it
asks that. Without, `ha_when_authority_unreachable` decides, and `stay` holds only as long as the
provider is reached: a Mac without internet can send nothing anyway, and by the time that it can
again, the VPS leads. And only while the authority is gone: one that refuses this node (its clock is
off) is there, and gives the lease to the other.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

import httpx
import structlog

from app import steady
from app.ha.witness import LostError, Seen, Witness, WitnessError
from app.settings import Settings
from app.settings_ha import Unreachable

log = structlog.get_logger()
PROVIDER_TIMEOUT: Final = httpx.Timeout(3, connect=1.5)
# Until the authority says what its is.
FIRST_TTL: Final = timedelta(seconds=30)
# How often somebody who stands by looks whether the provider is reached: it is the provider's door.
GLANCE: Final = timedelta(seconds=30)
# One look may fall into the moment in which a line comes back.
LOOKS: Final = 2


def provider_reachable(url: str) -> bool:
    """Whether anything answers at ``url``, whatever it says."""
    try:
        httpx.head(url, timeout=PROVIDER_TIMEOUT)
    except httpx.HTTPError:
        return False
    return True


class Staying:
    """Whether to lead on without the authority. ``online`` says whether the provider is reached.

    Not for several threads at once: the lease's lock guards it.
    """

    def __init__(
        self, settings: Settings, witness: Witness | None, online: Callable[[], bool]
    ) -> None:
        self._settings = settings
        self._witness = witness
        self._online = online
        self._ttl = FIRST_TTL.total_seconds()
        self._looks = 0
        self._online_since: float | None = steady.now()
        self._was_offline = False
        self._forced = False
        self._seen: Seen | None = None
        self._seen_at = steady.now()
        self._glance_at = 0.0
        self.is_alone = False
        self.reaches_provider = True

    @property
    def lasts(self) -> float:
        """How many seconds one look lets a lease last that nobody renews."""
        return self._ttl / 2  # a look may take 8 s: each way's timeouts, and the provider's

    def force(self) -> None:
        """A person said that nobody else leads: until the authority is heard, that holds."""
        self._forced = self.is_alone = True

    def glance(self) -> None:
        """Look now and then whether the provider is reached: who isn't there can't lead."""
        now = steady.now()
        if now >= self._glance_at:
            self._glance_at = now + GLANCE.total_seconds()
            self.reaches_provider = self._online()

    def heard(self, ttl: float) -> None:
        """The authority answered: what it says holds."""
        self._ttl = ttl
        self._looks = 0
        self._online_since = steady.now()
        self._was_offline = self._forced = self.is_alone = False

    def until(self, term: int, asked_at: float, *, is_refused: bool = False) -> float | None:
        """The lease wasn't renewed: until when to lead on in ``term``; None: no longer.

        ``is_refused``: the authority answered, and not by a lease.
        """
        if self._forced:
            return asked_at + self.lasts
        if self._witness is not None:
            return self._witnessed(self._witness, term, asked_at)
        if self._settings.ha_when_authority_unreachable is Unreachable.STEP_DOWN:
            return None
        self.is_alone = not is_refused and self._stays()
        return asked_at + self.lasts if self.is_alone else None

    def may_take(self, node: str, known_term: int) -> bool:
        """Whether the witness lets ``node`` take the lead: nobody has proved there to be alive for
        a whole ttl. Claims it there first. Without a witness: the authority alone decides."""
        if self._witness is None:
            return True
        self.observe()
        seen = self._seen
        if seen is not None and seen.holder != node and steady.now() - self._seen_at < self._ttl:
            return False
        term = max(known_term, seen.term if seen else 0) + 1
        try:
            self._seen = self._witness.claim(term, node, seen)
        except LostError:
            return False
        except WitnessError as error:
            # The other one may have reached it, and lead on by it.
            log.warning("witness_unreachable", reason=str(error))
            return False
        return True

    def observe(self) -> None:
        """Look whether somebody proves to be alive at the witness; to be done now and then, for a
        taker must have seen that nobody did."""
        if self._witness is None:
            return
        try:
            seen = self._witness.read()
        except WitnessError as error:
            log.warning("witness_unreachable", reason=str(error))
            return
        if seen != self._seen:
            self._seen, self._seen_at = seen, steady.now()

    def _stays(self) -> bool:
        """The provider was reached after each look at the authority, since that was last heard or
        for a whole ttl: then it is the VPS that is gone, not the line."""
        now = steady.now()
        self.reaches_provider = self._online()
        if not self.reaches_provider:
            self._online_since, self._was_offline, self._looks = None, True, 0
            return False
        self._looks += 1
        if self._online_since is None:
            self._online_since = now
        if self._looks < LOOKS:
            return False
        return not self._was_offline or now - self._online_since >= self._ttl

    def _witnessed(self, witness: Witness, term: int, asked_at: float) -> float | None:
        node = self._settings.node_name
        try:
            seen = witness.read()
            if seen is not None and seen.holder != node and seen.term > term:
                log.warning("witness_names_another", holder=seen.holder, term=seen.term)
                return None
            self._seen = witness.claim(max(term, seen.term if seen else 0), node, seen)
        except (LostError, WitnessError) as error:
            log.warning("witness_not_claimed", reason=str(error))
            return None
        self.is_alone = True
        return asked_at + self._ttl - self._settings.ha_margin.total_seconds()
