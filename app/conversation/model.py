"""The language model for all threads of a worker: asked within a time, and left alone after it
failed. What goes over the wire is `app.completions`'.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Final

import httpx

from app.completions import Answer, Fault, NoCompletionError, Question, ask, make_client
from app.conversation.model_calls import Outcome
from app.settings_llm import ModelSettings

# One that failed is left alone so long, so that not every guest waits for it.
REST: Final = timedelta(seconds=30)
_CONNECTIONS: Final = 16
_WORTH_A_REST: Final = frozenset({Fault.TIMEOUT, Fault.UNREACHABLE, Fault.FAILED})


class ModelError(Exception):
    """There is no answer; ``outcome`` says why. Nothing of question or answer is in it."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(f"the language model gave no answer: {outcome}")
        self.outcome = outcome


class Model:
    """One model behind one API."""

    def __init__(self, client: httpx.Client, name: str, timeout: timedelta) -> None:
        self.name = name
        self.timeout = timeout
        self._rests_until = 0.0
        self._client = client
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
        future = self._threads.submit(ask, self._client, self.name, question, until)
        try:
            return future.result(max(0.0, until - time.monotonic()))
        except TimeoutError:
            future.cancel()
            self._rest()
            raise ModelError(Outcome.TIMEOUT) from None
        except NoCompletionError as error:
            if error.fault in _WORTH_A_REST:
                self._rest()
            raise ModelError(Outcome(error.fault)) from None

    def _rest(self) -> None:
        self._rests_until = time.monotonic() + REST.total_seconds()


def make_model(settings: ModelSettings) -> Model | None:
    """The model of these settings; None if there is none."""
    client = make_client(settings, _CONNECTIONS)
    if client is None:
        return None
    return Model(client, settings.llm_model, settings.llm_timeout)
