"""Backups that are known to restore (docs/backup.md, docs/restore.md)."""
