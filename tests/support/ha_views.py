"""What a node sees of two machines, mac and vps, of which mac leads in term 7."""

from datetime import UTC, datetime, timedelta
from typing import Any

from app import steady
from app.ha.view import View
from app.leading import Role, Standing
from app.lease import Answer, Report, Seen

TTL = 30.0


def report(role: Role, **given: Any) -> Report:
    """What the other one tells, with ``given`` parts."""
    redis = "primary" if role is Role.LEADER else "replica"
    parts = {"term": 7, "version": "1", "redis": redis, "is_ready": role is Role.STANDBY}
    return Report.model_validate({"role": role, **parts, **given})


def lease(peer: str, told: Report, *, age: float = 1.0, **given: Any) -> Answer:
    """The authority's answer, in which mac leads."""
    parts = {"held": peer != "mac", "holder": "mac", "term": 7, "ttl": TTL, "free_in": 27.0}
    nodes = {peer: Seen(report=told, age=age)}
    return Answer.model_validate({**parts, **given, "nodes": nodes})


def of_leader(**given: Any) -> View:
    """What mac sees, which leads, while all is well."""
    parts = {
        "at": datetime.now(UTC),
        "node": "mac",
        "peer": "vps",
        "standing": Standing(Role.LEADER, 7, "mac", steady.now() + 27),
        "began_at": datetime.now(UTC) - timedelta(days=3),
        "how": "switchover",
        "lease": lease("vps", report(Role.STANDBY)),
        "authority_by": "link",
        "lag": 0.3,
        "lag_rows": 2,
        "redis": "primary",
        "replication": "7/4711",
    }
    return View.model_validate({**parts, **given})


def of_standby(**given: Any) -> View:
    """What vps sees, which stands by, while all is well."""
    parts = {
        "at": datetime.now(UTC),
        "node": "vps",
        "peer": "mac",
        "standing": Standing(Role.STANDBY, 7, "mac"),
        "lease": lease("mac", report(Role.LEADER)),
        "authority_by": "link",
        "lag": 0.3,
        "redis": "replica",
        "follows": True,
        "is_ready": True,
    }
    return View.model_validate({**parts, **given})
