"""By which ways an alert of the cloud layer goes."""

from enum import StrEnum
from typing import Final

from cloud_jobs.settings import ByDesk, CloudSettings

DESK_DOWN: Final = "desk_down"


class Channel(StrEnum):
    """How the people at the desk are reached."""

    SLACK = "slack"
    EMAIL = "email"
    WHATSAPP = "whatsapp"  # by the desk itself: a command to it


def channels_of(settings: CloudSettings, kind: str, *, urgent: bool) -> list[Channel]:
    """The ways that are configured for an alert of ``kind``.

    A WhatsApp message costs and wakes, so that way is the urgent ones' unless the host wants all;
    that the desk is down can't be told by the desk.
    """
    by_desk = settings.alert_by_desk is ByDesk.ALL or (
        settings.alert_by_desk is ByDesk.URGENT and urgent
    )
    found = {
        Channel.WHATSAPP: by_desk and kind != DESK_DOWN,
        Channel.SLACK: bool(settings.alert_slack_url.get_secret_value()),
        Channel.EMAIL: bool(settings.alert_email_to),
    }
    return [channel for channel, is_there in found.items() if is_there]
