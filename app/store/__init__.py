"""The SQLite file: connection, migrations, sealed columns, group commit."""
