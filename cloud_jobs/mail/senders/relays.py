"""The addresses through which guests write: whatever comes from there is a guest's message."""

import re

from cloud_jobs.mail.message import Mail
from cloud_jobs.mail.notices import guest_message
from cloud_jobs.mail.results import AIRBNB, BOOKING_COM, EXPEDIA, NotAReservation

CHANNELS = {
    "mchat.booking.com": BOOKING_COM,
    "guest.booking.com": BOOKING_COM,
    "reply.airbnb.com": AIRBNB,
    "guest.airbnb.com": AIRBNB,
    "m.expediapartnercentral.com": EXPEDIA,
    "guest.expediapartnercentral.com": EXPEDIA,
}
# Booking.com's chat: 5592650002-AAAA.BBBB@mchat.booking.com.
_NUMBER = re.compile(r"(\d{6,12})-")


def read(mail: Mail) -> NotAReservation:
    number = _NUMBER.match(mail.address)
    return guest_message(mail, CHANNELS[mail.domain], number[1] if number else None)
