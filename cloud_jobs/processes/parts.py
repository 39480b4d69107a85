"""What each process of the cloud layer is put together from."""

from collections.abc import Iterable
from dataclasses import dataclass

from dramatiq.middleware import Middleware

from app.queueing import WokenBroker
from app.sealing import Seal
from cloud_jobs.exchange.bell import Bell
from cloud_jobs.runtime.broker import Dispatcher, make_broker
from cloud_jobs.runtime.job import Jobs
from cloud_jobs.settings import CloudSettings
from cloud_jobs.store.database import Store


@dataclass(frozen=True)
class Parts:
    """The parts of one process; nothing of them runs yet."""

    settings: CloudSettings
    store: Store
    seal: Seal
    jobs: Jobs
    broker: WokenBroker
    dispatcher: Dispatcher


def assemble(
    settings: CloudSettings, store: Store, jobs: Jobs, middleware: Iterable[Middleware] = ()
) -> Parts:
    """The parts over a store that has its tables. Commands that are issued ring the API's bell."""
    redis_url = settings.redis_url.get_secret_value()
    Bell(redis_url).attend(store)
    broker = make_broker(redis_url, middleware)
    seal = Seal(settings.seal_key_bytes, b"")  # of guests the cloud has only the index
    return Parts(settings, store, seal, jobs, broker, Dispatcher(broker))


def say_alive(settings: CloudSettings, process: str) -> None:
    """Touch the file by which others see that this process works."""
    if settings.alive_directory is not None:
        settings.alive_directory.joinpath(f"{process}.alive").touch()
