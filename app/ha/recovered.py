"""That a damaged database was replaced: written down until the desk is told, and counted."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from app.conversation import alerting, wording
from app.conversation.alerting import Alert
from app.conversation.phrases import bundled
from app.ha.asides import write_down
from app.ha.good_copies import Source
from app.store.database import to_ms
from app.work.desk import Desk

# A disk that damages more than that goes on doing so: a person shall see to it.
MOST: Final = 3
WITHIN: Final = timedelta(days=1)
_FILE: Final = "recovered.json"


class Recovered(BaseModel):
    """Once. ``copied_at``: from when the copy is; ``until``: the last that was written. What came
    between is lost unless ``is_whole``, or taken in again."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    at: AwareDatetime
    source: Source
    copied_at: AwareDatetime | None
    until: AwareDatetime
    is_whole: bool


class History(BaseModel):
    """The last ones, oldest first; ``told``: whether the desk is told of the newest."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    recoveries: tuple[Recovered, ...] = ()
    told: bool = True

    def of_late(self) -> int:
        """How many there were within a day."""
        since = datetime.now(UTC) - WITHIN
        return sum(one.at > since for one in self.recoveries)


def read(directory: Path) -> History:
    """What is written down."""
    try:
        return History.model_validate_json((directory / _FILE).read_bytes())
    except (FileNotFoundError, ValidationError):
        return History()


def add(directory: Path, recovered: Recovered) -> None:
    """Write down one more, to be told of."""
    last = read(directory).recoveries[-MOST:]
    _keep(directory, History(recoveries=(*last, recovered), told=False))


def tell(directory: Path, node: str, desk: Desk) -> None:
    """Tell the desk of the newest, once: in its language, with what was lost."""
    history = read(directory)
    if history.told:
        return
    newest = history.recoveries[-1]
    language = desk.facts.default_language
    text = alerting.text(Alert.DATABASE_DAMAGED, language, who=node, lost=_lost(newest, desk))
    with desk.database.transaction() as connection:
        desk.alerts.raise_alert(
            connection,
            key=f"{Alert.DATABASE_DAMAGED}:{to_ms(newest.at)}",
            kind=Alert.DATABASE_DAMAGED,
            guest=None,
            text=text,
            urgent=not newest.is_whole,
        )
    _keep(directory, history.model_copy(update={"told": True}))


def _lost(recovered: Recovered, desk: Desk) -> str:
    language, zone = desk.facts.default_language, desk.facts.time_zone
    phrases = bundled()[language]
    if recovered.is_whole:
        return phrases.say("lead_nothing_lost")
    since = recovered.copied_at or recovered.at
    return phrases.say(
        f"damaged_lost_{recovered.source}",
        day=wording.day(since.astimezone(zone).date(), language),
        since=wording.clock(since.astimezone(zone).time(), language),
        until=wording.clock(recovered.until.astimezone(zone).time(), language),
    )


def _keep(directory: Path, history: History) -> None:
    write_down(directory / _FILE, history.model_dump(mode="json"), durable=True)
