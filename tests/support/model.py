"""A double of an OpenAI-compatible API on loopback, strict about what it is asked.

It can show what Portiere makes of an answer, of none, and of a bad one, and what it says to such
an API. It can't show that a real model answers well, how long one takes, nor what a particular
server makes of our parameters: it refuses what the API's reference doesn't have, no more.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from app.conversation.model import Model, make_model
from app.settings_llm import ModelSettings
from tests.support.scripted import Answer, Asked, Scripted, scripted

KEY: Final = "invented-model-key"
NAME: Final = "invented-model"
PATH: Final = "/v1/chat/completions"
USAGE: Final = {"prompt_tokens": 120, "completion_tokens": 12, "total_tokens": 132}
_FIELDS: Final = {"model", "messages", "temperature", "max_tokens", "stream"}


@dataclass
class ModelDouble:
    """``intent`` and ``wording`` make its answers; each is given the material, and may return an
    :class:`Answer` of its own to be what no good server is. ``slow`` is slept before answering."""

    intent: Callable[[str], str | Answer] = lambda _material: "other"
    wording: Callable[[dict[str, str]], str | Answer] = lambda material: material["answer"]
    slow: float = 0
    refused: list[str] = field(default_factory=list)
    server: Scripted | None = None

    @property
    def url(self) -> str:
        """What `llm_base_url` is set to."""
        assert self.server
        return f"{self.server.url}/v1"

    @property
    def asked(self) -> list[Asked]:
        """All that came in."""
        assert self.server
        return self.server.asked

    def answer(self, asked: Asked) -> Answer:
        """The answer to one request; 4xx with its reason to what the API would refuse."""
        if reason := _objection(asked):
            self.refused.append(reason)
            return Answer(400, {"error": {"message": reason, "type": "invalid_request_error"}})
        time.sleep(self.slow)
        _system, user = asked.body["messages"]
        material = user["content"]
        is_wording = '"answer"' in material and material.startswith("{")
        made = self.wording(json.loads(material)) if is_wording else self.intent(material)
        return made if isinstance(made, Answer) else completion(made)


def model_at(url: str, key: str, seconds: float) -> Model:
    """A model as the settings make it."""
    found = make_model(
        ModelSettings.model_validate(
            {
                "llm_base_url": url,
                "llm_api_key": key,
                "llm_model": NAME,
                "llm_timeout": timedelta(seconds=seconds),
            }
        )
    )
    assert found is not None
    return found


def completion(text: Any, **differing: Any) -> Answer:
    """A good answer with ``text``; ``differing``: other values of the object's fields."""
    return Answer(
        200,
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1_764_000_000,
            "model": NAME,
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": text, "refusal": None},
                    "finish_reason": "stop",
                }
            ],
            "usage": USAGE,
            **differing,
        },
    )


@contextmanager
def model_double(**answers: Any) -> Iterator[ModelDouble]:
    """The double until the end of the block."""
    found = ModelDouble(**answers)
    with scripted(found.answer) as server:
        found.server = server
        yield found


def _objection(asked: Asked) -> str | None:
    """What the API would refuse about a request, or None."""
    if asked.path != PATH:
        return f"there is nothing at {asked.path}"
    if unknown := set(asked.body) ^ _FIELDS:
        return f"unknown or missing parameters: {sorted(unknown)}"
    body, messages = asked.body, asked.body["messages"]
    checks = {
        "the key": asked.headers.get("authorization") == f"Bearer {KEY}",
        "the content type": asked.headers.get("content-type") == "application/json",
        "the model": body["model"] == NAME,
        "stream": body["stream"] is False,
        "temperature": 0 <= body["temperature"] <= 2,
        "max_tokens": isinstance(body["max_tokens"], int) and body["max_tokens"] > 0,
        "the messages": [one["role"] for one in messages] == ["system", "user"]
        and all(one.keys() == {"role", "content"} for one in messages),
    }
    return next((f"{name}: wrong" for name, is_good in checks.items() if not is_good), None)
