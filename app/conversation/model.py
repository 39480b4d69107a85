"""A client of any OpenAI-compatible API (platform.openai.com/docs/api-reference/chat): one question
in, one text out, within a time that is kept whatever the other side does.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Final, Literal

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.conversation.model_calls import Outcome
from app.settings_llm import ModelSettings

# One that failed is left alone so long, so that not every guest waits for it.
REST: Final = timedelta(seconds=30)
_LARGEST_ANSWER: Final = 64 * 1024  # bytes; what is asked for has at most a few thousand letters
_CONNECTIONS: Final = 16


class ModelError(Exception):
    """There is no answer; ``outcome`` says why. Nothing of question or answer is in it."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(f"the language model gave no answer: {outcome}")
        self.outcome = outcome


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


class Model:
    """One model behind one URL; for all threads of a worker."""

    def __init__(self, base_url: str, name: str, api_key: str, timeout: timedelta) -> None:
        self.name = name
        self.timeout = timeout
        self._rests_until = 0.0
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._client = httpx.Client(
            base_url=base_url.rstrip("/"),
            # Uncompressed: what is read is bounded, and a small answer may unfold into a huge one.
            headers={**headers, "Accept-Encoding": "identity"},
            timeout=timeout.total_seconds(),
            limits=httpx.Limits(max_connections=_CONNECTIONS),
        )
        # httpx's timeouts are for each step, and looking a name up has none: a thread can be left.
        self._threads = ThreadPoolExecutor(_CONNECTIONS, thread_name_prefix="model")

    def close(self) -> None:
        """Let go of the connections; a call under way ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._client.close()

    @property
    def rests(self) -> bool:
        """Whether it failed a moment ago and isn't asked now."""
        return time.monotonic() < self._rests_until

    def ask(self, question: Question, until: float) -> Answer:
        """What the model answers, by the moment ``until`` of :func:`time.monotonic`.

        Raises :class:`ModelError`.
        """
        future = self._threads.submit(self._post, question, until)
        try:
            return future.result(max(0.0, until - time.monotonic()))
        except TimeoutError:
            future.cancel()
            self._rest()
            raise ModelError(Outcome.TIMEOUT) from None
        except ModelError as error:
            if error.outcome in {Outcome.TIMEOUT, Outcome.UNREACHABLE, Outcome.FAILED}:
                self._rest()
            raise

    def _rest(self) -> None:
        self._rests_until = time.monotonic() + REST.total_seconds()

    def _post(self, question: Question, until: float) -> Answer:
        body = {
            "model": self.name,
            "messages": [
                {"role": "system", "content": question.instruction},
                {"role": "user", "content": question.material},
            ],
            "temperature": 0,
            "max_tokens": question.most_tokens,
            "stream": False,
        }
        try:
            with self._client.stream("POST", "/chat/completions", json=body) as response:
                _refuse_errors(response.status_code)
                return _read(_bounded(response, until))
        except httpx.TimeoutException:
            raise ModelError(Outcome.TIMEOUT) from None
        except httpx.HTTPError:
            raise ModelError(Outcome.UNREACHABLE) from None


def make_model(settings: ModelSettings) -> Model | None:
    """The model of these settings; None if there is none."""
    if settings.llm_base_url is None:
        return None
    return Model(
        str(settings.llm_base_url),
        settings.llm_model,
        settings.llm_api_key.get_secret_value(),
        settings.llm_timeout,
    )


def _refuse_errors(status: int) -> None:
    if status == httpx.codes.OK:
        return
    raise ModelError(Outcome.FAILED if status >= 500 else Outcome.REFUSED)


def _bounded(response: httpx.Response, until: float) -> bytes:
    """The body, unless it is too large or drips in."""
    body = bytearray()
    for part in response.iter_raw():
        body += part
        if len(body) > _LARGEST_ANSWER:
            raise ModelError(Outcome.TOO_LARGE)
        if time.monotonic() > until:
            raise ModelError(Outcome.TIMEOUT)
    return bytes(body)


def _read(body: bytes) -> Answer:
    try:
        completion = _Completion.model_validate_json(body)
    except ValidationError:
        raise ModelError(Outcome.MALFORMED) from None
    (choice,) = completion.choices
    if choice.finish_reason == "length":
        raise ModelError(Outcome.CUT_OFF)
    usage = completion.usage
    return Answer(choice.message.content, usage.prompt_tokens, usage.completion_tokens)
