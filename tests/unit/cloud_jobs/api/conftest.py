"""The cloud's API over the store under test, with a Redis of its own."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from cloud_jobs.store.base import Base
from tests.support.cloud_api import CloudApi, settings_for
from tests.support.cloud_layer import NewUrl
from tests.support.processes import redis_server

MakeApi = Callable[..., CloudApi]


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_server(tmp_path_factory.mktemp("redis")) as (_, url):
        yield url


@pytest.fixture
def make_api(new_url: NewUrl, redis_url: str) -> Iterator[MakeApi]:
    """``make_api(**settings)`` starts an API over an empty store and an empty Redis."""
    redis.Redis.from_url(redis_url).flushall()
    made: list[CloudApi] = []

    def make(**more: Any) -> CloudApi:
        made.append(CloudApi(settings_for(new_url(), more.pop("redis_url", redis_url), **more)))
        made[-1].start()
        return made[-1]

    yield make
    for one in made:
        one.stop()


@pytest.fixture(scope="session")
def lasting_api(new_url: NewUrl, redis_url: str) -> Iterator[CloudApi]:
    """One for all tests that ask no more of it than its routes."""
    api = CloudApi(settings_for(new_url(), redis_url))
    api.start()
    yield api
    api.stop()


@pytest.fixture
def api(lasting_api: CloudApi) -> CloudApi:
    """The same, with nothing in its store."""
    with lasting_api.store.writing() as session:
        for table in reversed(Base.metadata.sorted_tables):
            session.execute(table.delete())
    return lasting_api
