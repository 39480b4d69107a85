"""The list of the sealed columns is whole."""

from pathlib import Path

from app.store.database import open_database
from app.store.sealed import SEALED_COLUMNS


def test_every_sealed_column_of_the_schema_is_listed(tmp_path: Path) -> None:
    database = open_database(tmp_path / "p.db")
    in_schema = {
        (row["tbl"], row["col"])
        for row in database.all(
            "SELECT m.name AS tbl, c.name AS col FROM sqlite_master AS m, "
            "pragma_table_info(m.name) AS c WHERE m.type = 'table' AND c.name GLOB 'sealed_*'"
        )
    }
    database.close()
    assert in_schema == {(column.table, column.column) for column in SEALED_COLUMNS}
