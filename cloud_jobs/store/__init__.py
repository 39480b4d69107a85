"""The cloud layer's store: SQLite by default, Postgres by one URL."""
