"""A release can be gone back from: what its steps add to the schema harms no release before it."""

import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database as MigratedDatabase
from sqlite_utils import Migrations

from app.store import migrations as schema
from app.store.database import StoreError, check_database, connect, open_database
from app.store.migrations import additive_steps, migrations
from app.store.sketch import check_schema, sketch

NOTE = "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES (?, ?, '2030')"
Step = Callable[[MigratedDatabase], None]


def harm(before: Step, step: Step) -> list[str]:
    """What of a step would harm a release that doesn't know it; empty: it only adds."""
    database = MigratedDatabase(memory=True)
    before(database)
    old = {table.name: shape(database, table.name) for table in database.tables}
    triggers = set(database.triggers_dict)
    step(database)
    new = {table.name: shape(database, table.name) for table in database.tables}
    found = [f"{name} is gone" for name in old.keys() - new.keys()]
    found += [f"a trigger: {name}" for name in set(database.triggers_dict) - triggers]
    for name in old.keys() & new.keys():
        found += [f"{name}: {what}" for what in harmed(old[name], new[name])]
    return found


def shape(database: MigratedDatabase, name: str) -> dict[str, Any]:
    """A table's columns by name, its unique indexes, and the rest of what it demands."""
    table = database.table(name)
    columns = {column.name: tuple(column)[2:] for column in table.columns}
    unique = {tuple(index.columns) for index in table.indexes if index.unique}
    return {"columns": columns, "unique": unique, "demands": demands(table.schema)}


def demands(sql: str) -> list[str]:
    """The checks and references of a table, as they are written."""
    text = " ".join(re.sub(r"--.*", "", sql).split())
    return sorted(re.findall(r"CHECK \(.*?\)\)|CHECK \(.*?\)|REFERENCES \w+ \(\w+\)", text))


def harmed(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    found = [
        f"{name} was {column}, is {new['columns'].get(name)}"
        for name, column in old["columns"].items()
        if new["columns"].get(name) != column
    ]
    for name in new["columns"].keys() - old["columns"].keys():
        _type, not_null, default, _key = new["columns"][name]
        if not_null and default is None:
            found.append(f"{name} may not be left out")
    found += [f"unique now: {columns}" for columns in new["unique"] - old["unique"]]
    found += [f"demanded no more: {one}" for one in old["demands"] if one not in new["demands"]]
    return found


def apply_until(name: str) -> Step:
    return lambda database: migrations.apply(database, stop_before=name)


def all_steps() -> dict[str, Step]:
    return {one.name: one.fn for one in migrations.pending(MigratedDatabase(memory=True))}


@pytest.mark.parametrize("name", all_steps())
def test_every_step_so_far_only_adds(name: str) -> None:
    """One that can't is made with `@migrations()`, and named here with what it says to hosts."""
    assert harm(apply_until(name), all_steps()[name]) == []


def test_what_is_additive_is_one_of_our_steps() -> None:
    noted = {one.name for one in additive_steps.pending(MigratedDatabase(memory=True))}
    assert noted <= all_steps().keys()


def base(database: MigratedDatabase) -> None:
    database.execute(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL, b TEXT CHECK (b IN ('x', 'y')))"
    )


def says(*statements: str) -> Step:
    def step(database: MigratedDatabase) -> None:
        for statement in statements:
            database.execute(statement)

    return step


@pytest.mark.parametrize(
    "statements",
    [
        ("ALTER TABLE t ADD COLUMN c TEXT",),
        ("ALTER TABLE t ADD COLUMN c TEXT NOT NULL DEFAULT ''",),
        ("CREATE TABLE u (id INTEGER PRIMARY KEY)",),
        ("CREATE INDEX t_a ON t (a)",),
    ],
)
def test_what_only_adds_is_no_harm(statements: tuple[str, ...]) -> None:
    assert harm(base, says(*statements)) == []


@pytest.mark.parametrize(
    "statements",
    [
        ("DROP TABLE t",),
        ("ALTER TABLE t RENAME TO u",),
        ("ALTER TABLE t RENAME COLUMN a TO c",),
        ("ALTER TABLE t DROP COLUMN a",),
        ("CREATE UNIQUE INDEX t_a ON t (a)",),
        ("CREATE TRIGGER g AFTER INSERT ON t BEGIN DELETE FROM t; END",),
        (
            "DROP TABLE t",
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b TEXT, c TEXT NOT NULL)",
        ),
        (
            "DROP TABLE t",
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL, "
            "b TEXT CHECK (b IN ('x', 'y', 'z')))",
        ),
    ],
)
def test_what_changes_what_was_there_is_seen(statements: tuple[str, ...]) -> None:
    assert harm(base, says(*statements)) != []


@pytest.fixture
def newer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, bool], Path]:
    """A file that a release with one step more has worked with."""

    def make(name: str, is_additive: bool) -> Path:
        path = tmp_path / f"{name}.db"
        with monkeypatch.context() as patch:
            steps, notes = Migrations("portiere"), Migrations("portiere: additive")
            for known, fn in all_steps().items():
                steps(name=known)(fn)
            patch.setattr(schema, "migrations", steps)
            patch.setattr(schema, "additive_steps", notes)
            patch.setattr("app.store.database.migrations", steps)
            patch.setattr("app.store.database.additive_steps", notes)

            def add(database: MigratedDatabase) -> None:
                database.execute("ALTER TABLE inbox ADD COLUMN later TEXT")

            add.__name__ = name
            (schema.additive if is_additive else steps())(add)
            open_database(path).close_all()
        return path

    return make


def test_a_release_works_with_a_schema_that_only_grew(
    newer: Callable[[str, bool], Path], tmp_path: Path
) -> None:
    path = newer("grown", True)
    check_database(path)
    check_schema(path)
    open_database(path).close_all()
    sketch(path, tmp_path / "sketch.db")
    check_database(tmp_path / "sketch.db")


def test_a_release_refuses_a_schema_that_changed(
    newer: Callable[[str, bool], Path], tmp_path: Path
) -> None:
    path = newer("changed", False)
    for look in (check_database, check_schema, open_database):
        with pytest.raises(StoreError, match=r"newer release.*changed"):
            look(path)
    sketch(path, tmp_path / "sketch.db")
    with pytest.raises(StoreError, match=r"newer release.*changed"):
        check_database(tmp_path / "sketch.db")


def test_a_sketch_has_no_rows_and_is_made_anew(tmp_path: Path) -> None:
    present, place = tmp_path / "p.db", tmp_path / "s.db"
    open_database(present).close_all()
    with connect(present) as connection:
        connection.execute(NOTE, ("portiere", "gone_by_then"))
        connection.execute("INSERT INTO provider_pause (id, asked_at, until) VALUES (1, 1, 1)")
    sketch(present, place)
    sketch(None, place)
    check_database(place)
    with sqlite3.connect(place) as made:
        assert made.execute("SELECT count(*) FROM provider_pause").fetchone() == (0,)


def test_a_sketch_of_what_is_no_database_says_so(tmp_path: Path) -> None:
    present = tmp_path / "p.db"
    present.write_text("this is a letter" * 999)
    with pytest.raises(StoreError, match="can't be looked at"):
        sketch(present, tmp_path / "s.db")
