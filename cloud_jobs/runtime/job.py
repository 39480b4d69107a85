"""How a job is declared: a typed function with its trigger beside it.

@job("weather-alert", Every(timedelta(hours=1)), queue=Queue.WATCH)
def weather_alert(run: RunContext, _: Nothing) -> None: …
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final, Generic, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict
from sqlalchemy.orm import Session

from app.sealing import Seal
from cloud_jobs.settings import CloudSettings
from cloud_jobs.store.database import Store

P = TypeVar("P", bound="Payload")
T = TypeVar("T")
P_contra = TypeVar("P_contra", bound="Payload", contravariant=True)


class Queue(StrEnum):
    """What can be paused by itself. Upkeep never is: it is what resumes the others."""

    INTAKE = "intake"  # reservations that come in
    WATCH = "watch"  # flights and weather
    NOTICES = "notices"  # what guests are told
    REPORTS = "reports"  # agents, analytics
    UPKEEP = "upkeep"


PAUSABLE: Final = tuple(queue for queue in Queue if queue is not Queue.UPKEEP)


class Payload(BaseModel):
    """What a job is given."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)


class Nothing(Payload):
    """Of a job that the clock starts."""


@dataclass(frozen=True)
class On:
    """At each event of these names; its payload is the job's."""

    names: tuple[str, ...]

    def __init__(self, *names: str) -> None:
        object.__setattr__(self, "names", names)


@dataclass(frozen=True)
class Cron:
    """By the property's clock: minute, hour, day, month, day of the week."""

    expression: str


@dataclass(frozen=True)
class Every:
    """At an interval, counted from midnight UTC, so that two clocks agree."""

    interval: timedelta


Trigger = On | Cron | Every


class RetryableError(Exception):
    """Something failed that may work later; ``after``: not before that."""

    def __init__(self, reason: str, after: timedelta | None = None) -> None:
        super().__init__(reason)
        self.after = after


class FatalError(Exception):
    """Something failed that will fail again: the run isn't tried again."""


class RunContext(Protocol):
    """What a job works with. Keys and names are unique within the run.

    A step, a command, an event or a child of a run that is tried again is not done again if it was
    finished: give each the same name each time.
    """

    settings: CloudSettings
    store: Store
    seal: Seal
    jobs: "Jobs"
    """All that there are."""
    run_id: str
    job: str
    attempt: int
    event_id: str | None
    """Of the event that started it."""
    guest: str | None
    """Whom that event is about, by the blind index in hex."""

    def step(
        self, name: str, what: Callable[[], T], returns: type[T], *, also: "Also | None" = None
    ) -> T:
        """Do ``what`` once; its result (anything pydantic can write as JSON) is remembered.

        ``also`` is run in the transaction that remembers it: rows written there and the step are
        both there, or neither.
        """

    def decide(self, name: str, what: Callable[[], T], returns: type[T]) -> T:
        """The same, where ``what`` only looks (at the time, at rows), or may well be done twice.

        It is remembered with the next thing that the run does, so that all that it does follows
        from one decision. A run that is cut short before that decides anew.
        """

    def command(self, key: str, name: str, payload: dict[str, Any]) -> str:
        """Have the desk do something, once; the command's id."""

    def emit(
        self, key: str, name: str, payload: dict[str, Any], *, guest: str | None = None
    ) -> str:
        """Tell of something, once: the jobs that wait for it are started. The event's id."""

    def start(
        self, key: str, job: str, payload: dict[str, Any], *, delay: timedelta = timedelta(0)
    ) -> str:
        """Start another job, once; the child's run id."""

    def meter(self, key: str, item: str, quantity: int = 1) -> None:
        """Count the use of something that costs, once: an item of costs.yml."""

    def log(self, message: str, **fields: Any) -> None:
        """Write a line to the run's log. Nothing of a guest."""


class Also(Protocol):
    """Writes rows beside a step's result."""

    def __call__(self, session: Session, result: Any, /) -> None: ...


class Handler(Protocol[P_contra]):
    """A job's function. What it returns, if anything, is the run's output."""

    def __call__(
        self, run: RunContext, payload: P_contra, /
    ) -> BaseModel | dict[str, Any] | None: ...


@dataclass(frozen=True)
class Job(Generic[P]):
    """One job. ``attempts`` in all; each may take ``time_limit``, what takes longer is tried again.

    Of one ``concurrency_key`` (a function of the payload) one run of the job works at a time.
    ``optional`` jobs are paused when the month's budget is used up. ``once`` (a function of the
    payload, and how long its key counts) starts at most one run of a key in that time.
    """

    name: str
    trigger: Trigger | None
    queue: Queue
    handler: Handler[P]
    payload: type[P]
    attempts: int = 5
    time_limit: timedelta = timedelta(minutes=2)
    concurrency_key: Callable[[P], str] | None = None
    once: tuple[Callable[[P], str], timedelta] | None = None
    optional: bool = False


@dataclass
class Jobs:
    """Jobs by their names."""

    by_name: dict[str, Job[Any]] = field(default_factory=dict)

    def add(self, declared: Job[Any]) -> None:
        """One more. Raises ValueError for a name that is taken."""
        if declared.name in self.by_name:
            raise ValueError(f"two jobs are called {declared.name}")
        self.by_name[declared.name] = declared

    def on(self, event: str) -> list[Job[Any]]:
        """The jobs that an event starts."""
        return [
            declared
            for declared in self.by_name.values()
            if isinstance(declared.trigger, On) and event in declared.trigger.names
        ]


def job(
    name: str,
    trigger: Trigger | None = None,
    *,
    queue: Queue,
    payload: type[P],
    **options: Any,
) -> Callable[[Handler[P]], Job[P]]:
    """Declare a job; ``options`` are those of :class:`Job`. A list of all is in `cloud_jobs.jobs`.

    The decorated name is the :class:`Job`; a test calls its ``handler``.
    """

    def declare(handler: Handler[P]) -> Job[P]:
        return Job(name, trigger, queue, handler, payload, **options)

    return declare
