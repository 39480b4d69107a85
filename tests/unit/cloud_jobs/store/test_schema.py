"""The migrations make the tables that the code has, on either store, and can be undone."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from cloud_jobs.store import schema
from cloud_jobs.store.database import Store
from cloud_jobs.store.schema import SchemaError
from cloud_jobs.store.tables import METADATA
from tests.support.cloud_layer import NewUrl

SOON = timedelta(milliseconds=500)


@pytest.fixture
def empty(new_url: NewUrl) -> Iterator[Store]:
    """A store without tables."""
    store = Store(new_url())
    METADATA.drop_all(store.engine)
    yield store
    store.close()


def tables(store: Store) -> set[str]:
    return set(inspect(store.engine).get_table_names())


def set_revision(store: Store, revision: str) -> None:
    with store.writing() as session:
        session.execute(text("UPDATE alembic_version SET version_num = :new"), {"new": revision})


def test_the_migrations_make_what_the_code_has(empty: Store) -> None:
    schema.migrate(empty)
    with empty.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []
    assert tables(empty) == {*METADATA.tables, "alembic_version"}
    schema.verify(empty)
    schema.wait_until_current(empty, SOON)


def test_what_was_migrated_can_be_undone_and_done_again(empty: Store) -> None:
    schema.migrate(empty)
    schema.migrate(empty, "base")
    assert tables(empty) == {"alembic_version"}
    assert schema.current(empty) is None
    schema.migrate(empty)
    assert schema.current(empty) == schema.needed()


def test_the_needed_revision_is_the_last_of_alembics() -> None:
    config = Config()
    config.set_main_option("script_location", "cloud_jobs:store/migrations")
    assert ScriptDirectory.from_config(config).get_current_head() == schema.needed()


@pytest.mark.thorough
def test_two_who_migrate_at_once_do_it_once(empty: Store) -> None:
    with ThreadPoolExecutor() as pool:
        list(pool.map(schema.migrate, [empty] * 4))
    assert schema.current(empty) == schema.needed()


def test_a_migration_that_fails_leaves_nothing_behind(empty: Store) -> None:
    with empty.writing() as session:
        session.execute(text("CREATE TABLE steps (mine INTEGER)"))
    with pytest.raises(Exception, match="steps"):
        schema.migrate(empty)
    assert tables(empty) - {"alembic_version"} == {"steps"}
    assert schema.current(empty) is None


@pytest.mark.thorough
def test_who_finds_no_tables_waits_and_then_says_what_to_do(empty: Store) -> None:
    with pytest.raises(SchemaError, match="portiere cloud migrate"):
        schema.wait_until_current(empty, SOON)


def test_a_store_of_a_newer_release_is_left_alone(empty: Store) -> None:
    schema.migrate(empty)
    set_revision(empty, "9999")
    for refuse in (schema.verify, schema.migrate, schema.wait_until_current):
        with pytest.raises(SchemaError, match="newer release"):
            refuse(empty)


def test_a_revision_that_there_is_not_is_refused(empty: Store) -> None:
    with pytest.raises(SchemaError, match=f"there are 0001, .*{schema.needed()}"):
        schema.migrate(empty, "0815")
