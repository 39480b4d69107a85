"""The cloud layer on the store that PORTIERE_TEST_STORE names: `sqlite` or `postgres`."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cloud_jobs.runtime.job import Job
from tests.support.cloud_layer import Layer, NewUrl, SqliteFiles
from tests.support.postgres import cluster

MakeLayer = Callable[..., Layer]


@pytest.fixture(scope="session")
def new_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NewUrl]:
    """Makes empty stores; each call is the URL of another one."""
    if os.environ.get("PORTIERE_TEST_STORE", "sqlite") == "sqlite":
        yield SqliteFiles(tmp_path_factory.mktemp("stores")).fresh
        return
    with cluster() as server:
        yield server.fresh


@pytest.fixture
def layer(new_url: NewUrl) -> Iterator[MakeLayer]:
    """``layer(job, …, **settings)`` makes a cloud layer that has these jobs."""
    made: list[Layer] = []

    def make(*jobs: Job[Any], **overrides: Any) -> Layer:
        made.append(Layer.make(new_url, jobs, **overrides))
        return made[-1]

    yield make
    for one in made:
        one.close()
