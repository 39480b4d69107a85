"""How this node stands: for the other one, and for people."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import Final

from app import steady
from app.ha import backups, view
from app.ha.machine import Machine
from app.ha.paused import paused
from app.ha.redis_roles import RedisRole
from app.ha.view import View
from app.leading import Role
from app.lease import Report
from app.messages import leading, peers
from app.messages.peers import PeerState
from app.store.database import DatabaseError, to_ms

WAYS: Final = ("link", "public")
VERSION: Final = version("portiere")
_SINCE: Final = """
SELECT (SELECT count(*) FROM inbox WHERE received_at > :at)
     + (SELECT count(*) FROM commands WHERE received_at > :at) AS n
"""


def report(machine: Machine, role: Role | None = None, term: int | None = None) -> Report:
    """What is told with each question; ``role`` and ``term`` where they are about to change."""
    standing = machine.standing.now
    leads = machine.parts is not None
    copied = None if leads else machine.following.beat()
    return Report(
        role=role or standing.role,
        term=standing.term if term is None else term,
        version=VERSION,
        beat=_beat(machine) if leads else copied and copied.beat,
        lag=None if leads else machine.lag(),
        txid=machine.txid(),
        alone=alone(machine),
        spooled=machine.spool.count(),
        redis=machine.redis_state.role,
        provider_reachable=machine.reaches_provider,
        is_ready=is_ready(machine),
        wants_lead=wants_lead(machine),
        doing=machine.doing,
        paused=paused(machine.directory) is not None,
        backup_faults=machine.backup_faults,
        drilled_at=machine.drilled_at,
    )


def alone(machine: Machine) -> int:
    """How many events are on this machine alone: what it accepted since the other was last in step.

    While the other is, each event is on both before it is accepted.
    """
    if machine.parts is None or machine.copied_beat() is not None:
        return 0
    # One that is damaged is seen to elsewhere: what can be said is said.
    with suppress(DatabaseError):
        row = machine.parts.desk.database.one(_SINCE, {"at": to_ms(machine.copied_at)})
        return int(row["n"]) if row else 0
    return 0


def is_ready(machine: Machine) -> bool:
    """Whether this node, which stands by, could lead at once and lose nothing."""
    lag = machine.lag()
    return (
        machine.parts is None
        and machine.standing.now.role is Role.STANDBY
        and machine.follows is not None
        and machine.known.copied == machine.follows
        and lag is not None
        and lag <= machine.settings.ha_most_lag.total_seconds()
        and machine.asides_to_hand_over == 0
        and machine.redis_state.role is RedisRole.REPLICA
        and (machine.redis_state.link_up or _leader_has_no_redis(machine))
        and machine.reaches_provider
        and not machine.presence.gone
    )


def _leader_has_no_redis(machine: Machine) -> bool:
    """Whether there is nothing to copy from: what is queued is queued again from the rows, then."""
    seen = machine.peer_seen()
    return seen is not None and seen.report.redis == RedisRole.AWAY


def wants_lead(machine: Machine) -> bool:
    """Whether the lead shall come here: all has been well for long enough, or a person asks."""
    if not is_ready(machine):
        return False
    if machine.lead_asked_for:
        return True
    now = steady.now()
    calm = now - machine.calm_since >= machine.settings.ha_calm.total_seconds()
    may = calm and now >= machine.no_wish_until
    return machine.settings.ha_preferred and may and not is_paused(machine)


def other_may_lead(machine: Machine) -> bool:
    """Whether the other node could lead at once, and shall: a person asked here or there, it is the
    preferred one and well again, or what a leader needs is lost here."""
    seen = machine.peer_seen()
    if seen is None or not seen.report.is_ready or seen.report.role is not Role.STANDBY:
        return False
    if steady.now() < machine.no_switch_until:
        return False
    if machine.lead_given_away or seen.report.wants_lead:
        return True
    is_lost = redis_is_lost(machine) or programs_are_lost(machine)
    return is_lost and not is_paused(machine)


def redis_is_lost(machine: Machine) -> bool:
    """Whether the leader's Redis has been away for longer than it may."""
    since = machine.redis_away_since
    patience = machine.settings.ha_redis_patience.total_seconds()
    return since is not None and steady.now() - since >= patience


def programs_are_lost(machine: Machine) -> bool:
    """Whether the gateway or the worker here has been away for longer than it may."""
    presence = machine.presence
    return bool(presence.gone) and presence.gone_for >= machine.settings.ha_programs_patience


def write_view(machine: Machine) -> None:
    """Write down what this node sees."""
    standing, heard = machine.standing.now, machine.lease.heard
    seen = machine.peer_seen()
    began_at, how = _term(machine)
    look_at_backups(machine, began_at)
    leads = machine.parts is not None
    txid = machine.txid()
    reached = heard is not None and machine.lease.unreached is None
    view.write(
        machine.directory,
        View(
            at=datetime.now(UTC),
            node=machine.settings.node_name,
            peer=machine.settings.ha_peer,
            standing=standing,
            began_at=began_at,
            how=how,
            lease=heard.answer if heard else None,
            authority_by=WAYS[min(heard.way, 1)] if heard and reached else None,
            authority_since=_ago(steady.now() - heard.at) if heard and not reached else None,
            authority_said=machine.lease.unreached,
            peer_by=_peer_by(machine),
            lag=_peer_lag(machine) if leads else machine.lag(),
            lag_rows=_transactions_behind(machine, txid),
            alone=alone(machine),
            provider_reachable=machine.reaches_provider,
            gone=machine.presence.gone,
            spooled=machine.spool.count(),
            redis=machine.redis_state.role,
            replication=f"{standing.term}/{txid}" if leads and txid is not None else None,
            follows=machine.follows is not None or bool(seen and seen.report.is_ready),
            is_ready=is_ready(machine),
            doing=machine.doing,
            damage=machine.watch.damage,
        ),
    )


def look_at_backups(machine: Machine, led_since: datetime | None) -> None:
    """See how this machine's backups are, for :func:`report`; ``led_since``: if it leads."""
    # What can't be read changes nothing about leading.
    with suppress(OSError):
        found = backups.faults_here(machine.settings, led_since)
        machine.backup_faults = tuple(sorted({one.wrong.value for one in found}))
        machine.drilled_at = backups.drilled_at(machine.settings)


def _beat(machine: Machine) -> int | None:
    return machine.parts.newest_beat if machine.parts else None


def led_since(machine: Machine) -> datetime | None:
    """Since when this machine leads, if it does."""
    return _term(machine)[0]


def is_paused(machine: Machine) -> bool:
    """Whether a person wants no change of leader, here or at the other node."""
    seen = machine.peer_seen()
    return paused(machine.directory) is not None or bool(seen and seen.report.paused)


def _peer_lag(machine: Machine) -> float | None:
    """How far behind the standby said it is, if it said so just now."""
    seen = machine.peer_seen()
    return seen.report.lag if seen else None


def _peer_by(machine: Machine) -> str | None:
    """By which path the other's gateway is up, as the leader's watch has it."""
    if machine.parts is None:
        return None
    connection, peer = machine.parts.desk.database.connection, machine.settings.ha_peer
    with suppress(DatabaseError):
        found = (peers.find(connection, peer, way) for way in WAYS)
        return next((one.path for one in found if one and one.state is PeerState.UP), None)
    return None


def _transactions_behind(machine: Machine, txid: int | None) -> int | None:
    """How many transactions the standby's copy lacks; ``txid`` is the newest here."""
    seen = machine.peer_seen()
    if seen is None or seen.report.txid is None or txid is None:
        return None
    return abs(txid - seen.report.txid)


def _term(machine: Machine) -> tuple[datetime | None, str | None]:
    """Since when the leader leads and how it came to; known where the database is."""
    if machine.parts is None:
        return None, None
    with suppress(DatabaseError):
        terms = leading.terms(machine.parts.desk.database.connection, 1)
        return (terms[0].began_at, terms[0].how) if terms else (None, None)
    return None, None


def _ago(seconds: float) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)
