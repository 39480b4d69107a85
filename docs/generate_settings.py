"""Writes docs/settings.md from both classes of settings: ``python docs/generate_settings.py``."""

from collections.abc import Container
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from app.settings import NEEDED, Settings
from app.settings_backup import BackupSettings
from app.settings_ha import HaSettings
from cloud_jobs.settings import CloudSettings

PAGE = Path(__file__).with_name("settings.md")
HEAD = """\
# Settings

Every program of Portiere (`portiere serve`, `portiere work` …) reads these from the environment, or
from the file that `PORTIERE_ENV_FILE` names (`NAME=value` a line; keep it 0600). Durations are in
seconds. `portiere check` says whether they are good; `portiere keys` makes the two keys.
Made by `docs/generate_settings.py` from `app/settings.py` and `cloud_jobs/settings.py`.

## The desk

"""
HA_HEAD = """
### Of two machines

[failover.md](failover.md) says what they are for. Without the first, none of them is asked.

"""
BACKUP_HEAD = """
### Of backups

[backup.md](backup.md) says what they are for.

"""
CLOUD_HEAD = """
## The cloud layer

`portiere cloud api`, `schedule` and `work` have an environment file of their own, one for all of
them; `portiere cloud check` says whether it is good. A name that stands above as well means the
same, but `PORTIERE_REDIS_URL` and `PORTIERE_SEAL_KEYS`: the cloud layer has its own. A source is
off until its first setting is set.

"""
TABLE = """\
| variable | what it is | default |
|---|---|---|
"""


def _default(name: str, field: FieldInfo) -> str:
    for provider, names in NEEDED.items():
        if name in names:
            return f"must be set for `{provider}`"
    value = field.default
    if value is PydanticUndefined:
        return "must be set"
    if value is None:
        return "none"
    if isinstance(value, timedelta):
        return f"`{value.total_seconds():g}`"
    if isinstance(value, list):
        value = ",".join(value)
    if isinstance(value, StrEnum):
        value = value.value
    plain = value.get_secret_value() if hasattr(value, "get_secret_value") else value
    return f"`{plain}`" if plain or plain == 0 else "empty"


def _table(settings: type[BaseSettings], but: Container[str] = ()) -> str:
    rows = [
        f"| `PORTIERE_{name.upper()}` | {field.description} | {_default(name, field)} |"
        for name, field in settings.model_fields.items()
        if name not in but
    ]
    return TABLE + "\n".join(rows) + "\n"


def page() -> str:
    """The whole page."""
    apart = {*HaSettings.model_fields, *BackupSettings.model_fields}
    desk = HEAD + _table(Settings, but=apart) + HA_HEAD + _table(HaSettings)
    desk += BACKUP_HEAD + _table(BackupSettings)
    return desk + CLOUD_HEAD + _table(CloudSettings)


if __name__ == "__main__":
    PAGE.write_text(page())
