"""The cloud's API keeps to its own document, whatever it is asked: schemathesis, all its checks.

More cases by ``PORTIERE_API_CASES``, of each operation.
"""

import base64
import json
import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import load_all_checks

from app.settings_api import Scope
from cloud_jobs.api.openapi import document
from tests.support.cloud_processes import cloud
from tests.support.openapi import CLIENT, KEY, Signing, guarded, routes_of, without_signatures
from tests.support.processes import PORTIERE, Process, eventually, free_port

DOCUMENT = document()
METHODS = routes_of(DOCUMENT)
GUARDED = guarded(METHODS)
CASES = int(os.environ.get("PORTIERE_API_CASES", "40"))
COMMANDS = "/api/commands"
WAITS = {str(seconds) for seconds in range(26)}


load_all_checks()
schema = schemathesis.openapi.from_dict(without_signatures(DOCUMENT))


@pytest.fixture(scope="module")
def answers() -> Iterator[Counter[int]]:
    """How often the API gave which answer."""
    counted: Counter[int] = Counter()
    yield counted
    print(f"\n{sum(counted.values())} cases: {dict(sorted(counted.items()))}")


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The real program, with a client that may do everything; its address."""
    directory, bind = tmp_path_factory.mktemp("openapi"), f"127.0.0.1:{free_port()}"
    clients = {CLIENT: {"keys": [base64.b64encode(KEY).decode()], "scopes": list(Scope)}}
    overrides = {
        "PORTIERE_CLOUD_BIND": bind,
        "PORTIERE_API_CLIENTS": json.dumps(clients),
        "PORTIERE_REQUESTS_PER_MINUTE": "1000000",
    }
    with cloud(directory, **overrides) as made:
        process = Process([PORTIERE, "cloud", "api"], made.env, directory / "api.log")
        process.start()
        eventually(lambda: answers_health(process, bind), "the API answers")
        try:
            yield f"http://{bind}"
            assert process.alive()
            assert "request_failed" not in process.log.read_text()
        finally:
            process.stop()


def answers_health(process: Process, bind: str) -> bool:
    try:
        return requests.get(f"http://{bind}/health", timeout=5).ok
    except requests.RequestException:
        return not process.alive()


@schema.parametrize()
@settings(max_examples=CASES, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_is_documented_and_none_is_an_error_of_ours(
    case: Any, api: str, answers: Counter[int]
) -> None:
    # No poll waits: they would take their time, and answer the same.
    if case.path == COMMANDS and str((case.query or {}).get("wait")) in WAITS:
        case.query["wait"] = 0
    signing = {"base_url": api, "auth": Signing()}
    response = case.call(**signing)
    answers[response.status_code] += 1
    case.validate_response(response, transport_kwargs=signing)


def test_only_health_and_readiness_are_for_everybody() -> None:
    assert {path for path, _ in set(METHODS) - set(GUARDED)} == {"/health", "/ready"}


@pytest.mark.parametrize(("path", "method"), GUARDED)
def test_nothing_is_had_unsigned(path: str, method: str, api: str) -> None:
    answer = requests.request(method, f"{api}{path}", json={}, timeout=10)
    assert answer.status_code == 401
    assert answer.json()["type"] == "urn:portiere:problem:signature-missing"
