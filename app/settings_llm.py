"""The settings of the optional language model; part of `app.settings.Settings`."""

from datetime import timedelta
from typing import Self

from pydantic import AnyHttpUrl, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.settings_values import Duration, is_placeholder


class ModelSettings(BaseSettings):
    """See :class:`app.settings.Settings`, which has them all; these do without the others."""

    model_config = SettingsConfigDict(env_prefix="PORTIERE_", extra="ignore", frozen=True)

    llm_base_url: AnyHttpUrl | None = Field(
        None,
        description="An OpenAI-compatible API, up to /v1; without it no language model is asked.",
    )
    llm_api_key: SecretStr = Field(
        SecretStr(""), description="Sent to it as Bearer; empty if it asks for none."
    )
    llm_model: str = Field("", description="The model's name there; must be set with the URL.")
    llm_timeout: Duration = Field(
        timedelta(seconds=3),
        gt=timedelta(0),
        le=timedelta(seconds=30),
        description="How long a guest's answer may wait for the model, all calls together.",
    )

    @field_validator("llm_base_url", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return value or None

    @model_validator(mode="after")
    def _model_is_named(self) -> Self:
        if self.llm_base_url is not None and is_placeholder(self.llm_model):
            raise ValueError("PORTIERE_LLM_BASE_URL needs PORTIERE_LLM_MODEL, the model's name")
        if self.llm_api_key.get_secret_value() and is_placeholder(self.llm_api_key):
            raise ValueError("PORTIERE_LLM_API_KEY still holds a placeholder: put the key there")
        return self
