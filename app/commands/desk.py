"""ALERT_DESK: what the cloud found out reaches the people at the desk by the desk's own ways."""

from app.commands.office import Done, Office, Order
from app.commands.schemas import AlertDesk
from app.store.database import Connection


def alert_desk(office: Office, connection: Connection, order: Order, payload: AlertDesk) -> Done:
    """Raise an alert, once for its key."""
    alert_id = office.alerts.raise_alert(
        connection,
        key=f"{order.client}:{payload.key}",
        kind=payload.kind,
        guest=None,
        text=payload.text,
        urgent=payload.urgent,
        only=payload.channels,
    )
    return Done({"raised": alert_id is not None})
