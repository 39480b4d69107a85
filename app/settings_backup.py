"""The settings of backups; part of `app.settings.Settings`."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings

from app.settings_values import is_placeholder

# What restic calls the ways to a repository; a path is one, too.
_WAYS = ("rclone:", "s3:", "/")


def read_repositories(text: str) -> tuple[str, ...]:
    """Addresses of repositories, comma-separated."""
    return tuple(one.strip() for one in text.split(",") if one.strip())


def _known_ways(value: str) -> str:
    for one in read_repositories(value):
        if not one.startswith(_WAYS):
            raise ValueError(
                f"{one!r} is no repository: write rclone:NAME for the one behind "
                "PORTIERE_BACKUP_SSH, s3:https://HOST/BUCKET/PATH, or an absolute path"
            )
    return value


class BackupSettings(BaseSettings):
    """See :class:`app.settings.Settings`, which has them all."""

    backup_repositories: Annotated[str, AfterValidator(_known_ways)] = Field(
        "",
        description="restic's repositories, comma-separated, each of which gets every backup: "
        "rclone:NAME (by PORTIERE_BACKUP_SSH), s3:https://HOST/BUCKET/PATH, or an absolute path. "
        "Without it nothing is backed up.",
    )
    backup_key: SecretStr = Field(
        SecretStr(""),
        description="The repositories' password. Without it no backup can ever be read: keep it on "
        "paper, too.",
    )
    backup_ssh: str = Field(
        "",
        description="The command that reaches the server of rclone:NAME, such as ssh -i KEY "
        "USER@HOST; the account there can add to the repository, and delete nothing.",
    )
    backup_s3_key_id: SecretStr = Field(SecretStr(""), description="Who may write to s3:….")
    backup_s3_secret: SecretStr = Field(SecretStr(""), description="And with which secret.")
    backup_s3_region: str = Field("", description="The bucket's region.")
    backup_keeps: bool = Field(
        False,
        description="Whether this machine forgets what is too old, checks the repositories and "
        "restores every night to see that it can: the VPS does.",
    )
    backup_configuration: str = Field(
        "",
        description="Files and directories of settings that are backed up daily, comma-separated.",
    )
    backup_cloud_snapshot: Path | None = Field(
        None, description="Where the cloud layer leaves a snapshot of its store, to be backed up."
    )
    backup_least_free: int = Field(
        2_000_000_000,
        ge=0,
        description="Bytes that must be free where the database is; less is an alert, before a "
        "backup or the desk itself fails for it.",
    )

    @model_validator(mode="after")
    def _backup_is_whole(self) -> Self:
        repositories = read_repositories(self.backup_repositories)
        if repositories and is_placeholder(self.backup_key):
            raise ValueError("PORTIERE_BACKUP_REPOSITORIES needs PORTIERE_BACKUP_KEY")
        if any(one.startswith("rclone:") for one in repositories) and not self.backup_ssh:
            raise ValueError("a repository rclone:… needs PORTIERE_BACKUP_SSH")
        if any(one.startswith("s3:") for one in repositories) and (
            is_placeholder(self.backup_s3_key_id) or is_placeholder(self.backup_s3_secret)
        ):
            raise ValueError(
                "a repository s3:… needs PORTIERE_BACKUP_S3_KEY_ID and PORTIERE_BACKUP_S3_SECRET"
            )
        return self

    @property
    def repositories(self) -> tuple[str, ...]:
        """``backup_repositories``, the first first."""
        return read_repositories(self.backup_repositories)
