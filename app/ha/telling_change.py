"""Telling the desk that the lead changed, with what the takeover found."""

import json
from datetime import UTC, datetime, timedelta

from app import steady
from app.ha.alerts import Change, tell_lead_changed
from app.ha.machine import Machine
from app.messages import leading
from app.store.database import Connection, from_ms
from app.work.desk import Desk


def tell_change(machine: Machine, desk: Desk, connection: Connection) -> None:
    """Tell of the newest term, in the caller's transaction; once."""
    term = leading.terms(connection, 1)[0]
    found = json.loads(term.note or "{}")
    heard = machine.lease.heard
    other = heard.answer.nodes.get(machine.settings.ha_peer) if heard else None
    unseen = alone = None
    if heard is not None and other is not None:
        age = other.age + steady.now() - heard.at
        unseen, alone = datetime.now(UTC) - timedelta(seconds=age), other.report.alone
    change = Change(
        leader=machine.settings.node_name,
        other=machine.settings.ha_peer,
        term=term.term,
        how=term.how,
        unseen_since=unseen,
        made_at=from_ms(found["beat_at"]) if found.get("beat_at") else None,
        in_doubt=found.get("in_doubt", 0),
        alone=alone or 0,
    )
    facts = desk.facts
    tell_lead_changed(desk.alerts, connection, facts.default_language, facts.time_zone, change)
