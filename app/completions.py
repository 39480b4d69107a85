"""One question to any OpenAI-compatible API (platform.openai.com/docs/api-reference/chat): one text
out, within a time that is kept whatever the other side does.
"""

import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final, Literal

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.settings_llm import ModelSettings

_LARGEST_ANSWER: Final = 64 * 1024  # bytes; what is asked for has at most a few thousand letters


class Fault(StrEnum):
    """Why there is no answer to read."""

    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"  # 4xx: the key, the model's name
    FAILED = "failed"  # 5xx
    MALFORMED = "malformed"  # not what the API promises
    TOO_LARGE = "too_large"
    CUT_OFF = "cut_off"  # it ran out of tokens


class NoCompletionError(Exception):
    """There is no answer; ``fault`` says why. Nothing of question or answer is in it."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(f"the language model gave no answer: {fault}")
        self.fault = fault


@dataclass(frozen=True)
class Question:
    """What the model is to do, what it is to do it with, and how long the answer may be."""

    instruction: str
    material: str
    most_tokens: int


@dataclass(frozen=True)
class Answer:
    """What it wrote, and the tokens that it counted; 0 if it counted none."""

    text: str
    prompt_tokens: int
    completion_tokens: int


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, hide_input_in_errors=True)


class _Message(_Strict):
    role: Literal["assistant"]
    content: str


class _Choice(_Strict):
    message: _Message
    finish_reason: Literal["stop", "length"]


class _Usage(_Strict):
    prompt_tokens: Annotated[int, Field(ge=0, le=10**9)] = 0
    completion_tokens: Annotated[int, Field(ge=0, le=10**9)] = 0


class _Completion(_Strict):
    choices: Annotated[list[_Choice], Field(min_length=1, max_length=1)]
    usage: _Usage = _Usage()


def make_client(settings: ModelSettings, connections: int = 1) -> httpx.Client | None:
    """A client of the API of these settings, for so many threads; None if there is none."""
    if settings.llm_base_url is None:
        return None
    key = settings.llm_api_key.get_secret_value()
    return httpx.Client(
        base_url=str(settings.llm_base_url).rstrip("/"),
        # Uncompressed: what is read is bounded, and a small answer may unfold into a huge one.
        headers={"Accept-Encoding": "identity"}
        | ({"Authorization": f"Bearer {key}"} if key else {}),
        timeout=settings.llm_timeout.total_seconds(),
        limits=httpx.Limits(max_connections=connections),
    )


def ask(client: httpx.Client, model: str, question: Question, until: float) -> Answer:
    """What the model answers, by the moment ``until`` of :func:`time.monotonic`, give or take one
    step of the connection. Raises :class:`NoCompletionError`.
    """
    body = {
        "model": model,
        "messages": [
            {"role": "system", "content": question.instruction},
            {"role": "user", "content": question.material},
        ],
        "temperature": 0,
        "max_tokens": question.most_tokens,
        "stream": False,
    }
    try:
        with client.stream("POST", "/chat/completions", json=body) as response:
            _refuse_errors(response.status_code)
            return read(_bounded(response, until))
    except httpx.TimeoutException:
        raise NoCompletionError(Fault.TIMEOUT) from None
    except httpx.HTTPError:
        raise NoCompletionError(Fault.UNREACHABLE) from None


def read(body: bytes) -> Answer:
    """The answer in a body. Raises :class:`NoCompletionError`."""
    try:
        completion = _Completion.model_validate_json(body)
    except ValidationError:
        raise NoCompletionError(Fault.MALFORMED) from None
    (choice,) = completion.choices
    if choice.finish_reason == "length":
        raise NoCompletionError(Fault.CUT_OFF)
    usage = completion.usage
    return Answer(choice.message.content, usage.prompt_tokens, usage.completion_tokens)


def _refuse_errors(status: int) -> None:
    if status == httpx.codes.OK:
        return
    raise NoCompletionError(Fault.FAILED if status >= 500 else Fault.REFUSED)


def _bounded(response: httpx.Response, until: float) -> bytes:
    """The body, unless it is too large or drips in."""
    body = bytearray()
    for part in response.iter_raw():
        body += part
        if len(body) > _LARGEST_ANSWER:
            raise NoCompletionError(Fault.TOO_LARGE)
        if time.monotonic() > until:
            raise NoCompletionError(Fault.TIMEOUT)
    return bytes(body)
