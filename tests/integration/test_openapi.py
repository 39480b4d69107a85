"""The API keeps to its own document, whatever it is asked: schemathesis with all of its checks.

More cases by ``PORTIERE_API_CASES``, of each operation; 5,000 in all are the issue's own measure.
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
from schemathesis import CheckFunction
from schemathesis.checks import load_all_checks, positive_data_acceptance

from app.gateway.openapi import document
from app.settings_api import Scope
from tests.support.openapi import CLIENT, KEY, Signing, guarded, routes_of, without_signatures
from tests.support.processes import Stack, stack

DOCUMENT = document()
METHODS = routes_of(DOCUMENT)
GUARDED = guarded(METHODS)
# With those that schemathesis makes by rule they are over 5,000; the fixture says how many.
CASES = int(os.environ.get("PORTIERE_API_CASES", "450"))


load_all_checks()
schema = schemathesis.openapi.from_dict(without_signatures(DOCUMENT))


@pytest.fixture(scope="module")
def answers() -> Iterator[Counter[int]]:
    """How often the API gave which answer."""
    counted: Counter[int] = Counter()
    yield counted
    print(f"\n{sum(counted.values())} cases: {dict(sorted(counted.items()))}")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A gateway over a real Redis, with a client that may do everything."""
    clients = {CLIENT: {"keys": [base64.b64encode(KEY).decode()], "scopes": list(Scope)}}
    overrides = {
        "PORTIERE_API_CLIENTS": json.dumps(clients),
        "PORTIERE_REQUESTS_PER_MINUTE": "1000000",
    }
    with stack(tmp_path_factory.mktemp("openapi"), **overrides) as found:
        found.start_gateway()
        yield found


def _beyond(case: Any) -> list[CheckFunction] | None:
    """What a schema can't say of a command: rules between fields (a departure after its arrival, a
    text or a template), variables that are a template's, phones that exist. Valid by the schema,
    such a one is refused all the same; docs/commands.md is tested to have valid ones."""
    return [positive_data_acceptance] if case.path == "/api/commands" else None


@schema.parametrize()
@settings(max_examples=CASES, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_is_documented_and_none_is_an_error_of_ours(
    case: Any, gateway: Stack, answers: Counter[int]
) -> None:
    signing = {"base_url": gateway.gateway_url, "auth": Signing()}
    response = case.call(**signing)
    answers[response.status_code] += 1
    case.validate_response(response, transport_kwargs=signing, excluded_checks=_beyond(case))
    assert gateway.gateway.alive()


def test_only_health_and_readiness_are_for_everybody() -> None:
    assert {path for path, _ in set(METHODS) - set(GUARDED)} == {"/health", "/ready"}


@pytest.mark.parametrize(("path", "method"), GUARDED)
def test_nothing_is_had_unsigned(path: str, method: str, gateway: Stack) -> None:
    answer = requests.request(method, f"{gateway.gateway_url}{path}", json={}, timeout=10)
    assert answer.status_code == 401
    assert answer.json()["type"] == "urn:portiere:problem:signature-missing"
