"""Telling the desk what lasts: no authority, a standby that is behind, events nobody takes."""

from collections.abc import Iterator
from datetime import UTC, datetime

from app.conversation.alerting import Alert
from app.ha import reporting
from app.ha.alerts import Troubles, tell_trouble
from app.ha.backups import alerts_of, faults_here
from app.ha.machine import Machine
from app.leading import Role
from app.settings import Settings
from app.work.desk import Desk


def tell_troubles(machine: Machine, desk: Desk) -> None:
    """Each second, while leading: tell each trouble once it has lasted."""
    _tell(machine.troubles, _found(machine), desk)


def tell_troubles_alone(settings: Settings, troubles: Troubles, desk: Desk) -> None:
    """The same on a machine without another: of its backups and its disk."""
    here, _ = alerts_of(faults_here(settings), None)
    _tell(troubles, ((alert, settings.node_name, 0) for alert in here), desk)


def _tell(troubles: Troubles, found: Iterator[tuple[Alert, str, int]], desk: Desk) -> None:
    due = troubles.due(found, datetime.now(UTC))
    if not due:
        return
    facts = desk.facts
    with desk.database.transaction() as connection:
        for trouble in due:
            tell_trouble(desk.alerts, connection, facts.default_language, facts.time_zone, trouble)


def _found(machine: Machine) -> Iterator[tuple[Alert, str, int]]:
    settings, seen = machine.settings, machine.peer_seen()
    if machine.lease.unreached is not None:
        yield Alert.AUTHORITY_UNREACHABLE, settings.node_name, 0
    standing = machine.standing.now
    if standing.role is Role.LEADER and machine.leadership.term() is None:
        yield Alert.HOLDING, settings.node_name, 0
    if machine.watch.given_up is not None:
        yield Alert.DISK_FAILS, settings.node_name, 0
    # Of one that isn't heard of at all the watch over the peers tells.
    if seen is not None and not seen.report.is_ready:
        yield Alert.STANDBY_BEHIND, settings.ha_peer, 0
    if seen is not None and seen.report.spooled:
        yield Alert.SPOOLED_TOO_LONG, settings.ha_peer, seen.report.spooled
    led_since = reporting.led_since(machine)
    here, there = alerts_of(faults_here(settings, led_since), seen.report if seen else None)
    yield from ((alert, settings.node_name, 0) for alert in here)
    yield from ((alert, settings.ha_peer, 0) for alert in there)
