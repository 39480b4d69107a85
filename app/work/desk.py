"""The desk: everything the work needs, put together from the settings."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from app.commands.store import Commands
from app.conversation import alerting
from app.conversation import property as facts
from app.conversation.alerting import Alert
from app.conversation.model import Model, make_model
from app.conversation.property import Property
from app.events.hearing import tell_conversation, tell_history, tell_message
from app.events.outgoing import Events
from app.guests.bookings import Bookings
from app.guests.guests import Guests
from app.guests.requests import Requests
from app.leading import Leadership, leadership_of
from app.messages import catalogue
from app.messages.alerts import Alerts, configured
from app.messages.catalogue import Catalogue
from app.messages.conversations import Conversations
from app.messages.deciding import Rules
from app.messages.delivery import Delivering
from app.messages.inbox import Inbox
from app.messages.outbox import Outbox, OutboxRow
from app.messages.rules import QuietHours, RuleBook
from app.messages.standing import Limits, Surroundings
from app.providers.registry import make_provider
from app.sealing import Seal
from app.settings import Settings
from app.store.database import Connection, Database, open_database
from app.work.breaking import make_breaker


@dataclass(frozen=True)
class Desk:
    """Everything the work needs."""

    leadership: Leadership
    database: Database
    seal: Seal
    inbox: Inbox
    outbox: Outbox
    guests: Guests
    bookings: Bookings
    requests: Requests
    conversations: Conversations
    alerts: Alerts
    events: Events
    commands: Commands
    catalogue: Catalogue
    delivering: Delivering
    facts: Property
    model: Model | None

    def close(self) -> None:
        """Let go of the database and of all connections, once nothing works with them."""
        self.delivering.provider.close()
        if self.model is not None:
            self.model.close()
        self.database.close_all()


def make_desk(settings: Settings) -> Desk:
    """The desk of these settings.

    Raises :class:`app.store.database.StoreError`, `app.conversation.property.PropertyError` and
    `app.messages.catalogue.CatalogueError`.
    """
    leadership = leadership_of(settings)
    database = open_database(settings.database)
    seal = Seal(settings.seal_key_bytes, settings.index_key_bytes)
    property_ = facts.load(settings.property_file)
    templates = catalogue.load(settings.templates, property_.name, settings.provider)
    events = Events(database, seal, enabled=settings.cloud_url is not None)
    heard = partial(tell_history, events)
    guests = Guests(database, seal, heard)
    alerts = Alerts(database, seal, configured(settings))
    rules = Rules(
        RuleBook(QuietHours(settings.quiet_from, settings.quiet_until), settings.notices_per_day),
        Surroundings(
            Limits(settings.texts_per_minute, settings.templates_per_minute), property_.time_zone
        ),
        templates,
    )
    language = property_.default_language
    breaker = make_breaker(settings, settings.provider, database, alerts, language)
    outbox = Outbox(
        database,
        seal,
        rules,
        breaker,
        leadership=leadership,
        grace=settings.relay_grace,
        # Half as long again as an answer may take: then nobody waits for that answer any more.
        claim_time=settings.send_timeout * 1.5,
        on_instead=_call_for_late_answer(guests, alerts, property_),
        on_moved=partial(tell_message, events),
    )
    return Desk(
        leadership=leadership,
        database=database,
        seal=seal,
        inbox=Inbox(database, seal, settings.relay_grace),
        outbox=outbox,
        guests=guests,
        bookings=Bookings(database, seal, heard),
        requests=Requests(database, seal, heard),
        conversations=Conversations(database, partial(tell_conversation, events)),
        alerts=alerts,
        events=events,
        commands=Commands(database, seal, settings.relay_grace),
        catalogue=templates,
        delivering=Delivering(
            outbox,
            make_provider(settings, templates),
            breaker,
            leadership,
            settings.send_echo_wait,
        ),
        facts=property_,
        model=make_model(settings),
    )


def _call_for_late_answer(
    guests: Guests, alerts: Alerts, property_: Property
) -> Callable[[Connection, OutboxRow], None]:
    """Calls the desk where a guest was only told that a person will answer."""

    def call(connection: Connection, row: OutboxRow) -> None:
        known = guests.find(row.phone)
        who = alerting.who(known.name if known else None, row.phone)
        alerts.raise_alert(
            connection,
            key=f"{Alert.TOO_LATE}:{row.row_id}",
            kind=Alert.TOO_LATE,
            guest=row.guest,
            text=alerting.text(Alert.TOO_LATE, property_.default_language, who=who),
        )

    return call
