"""The witness, on an S3 server: of two who claim at once one wins, and what is lost is told so."""

import base64
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from app.ha.witness import KEY, LostError, Seen, Witness, WitnessError, make_witness
from app.settings import Settings
from tests.support.processes import free_port
from tests.support.s3 import s3_client, s3_server

pytestmark = pytest.mark.thorough

BUCKET = "of-the-desk"
MAC, VPS = "mac", "vps"
ROUNDS = 50


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """One request at a time: this server looks and writes in two steps, which S3 does in one."""
    with s3_server() as found:
        yield found


@pytest.fixture(scope="module")
def service(endpoint: str) -> Iterator[Any]:
    """Another client of the service, with a bucket."""
    made = s3_client(endpoint)
    made.create_bucket(Bucket=BUCKET)
    yield made
    made.close()


@pytest.fixture(scope="module")
def lasting_witness(endpoint: str) -> Witness:
    """As a node makes it."""
    return over(endpoint)


@pytest.fixture
def client(service: Any) -> Any:
    """The other client, the bucket being empty."""
    service.delete_object(Bucket=BUCKET, Key=KEY)
    return service


@pytest.fixture
def witness(lasting_witness: Witness, client: Any) -> Witness:
    """With nothing in its bucket."""
    return lasting_witness


def over(endpoint: str, bucket: str = BUCKET) -> Witness:
    found = make_witness(settings(ha_witness_endpoint=endpoint, ha_witness_bucket=bucket))
    assert found is not None
    return found


def settings(**more: Any) -> Settings:
    key = base64.b64encode(b"k" * 32).decode()
    return Settings(
        _env_file=None,
        **{
            "spoki_api_key": "invented-key",
            "spoki_webhook_secret": "invented-secret",
            "seal_keys": f"k1:{key}",
            "index_key": key,
            "ha_witness_key_id": "an-id",
            "ha_witness_secret": "a-secret",
            **more,
        },
    )


def test_without_a_bucket_there_is_none() -> None:
    assert make_witness(settings()) is None


def test_the_first_claim_makes_the_object(witness: Witness) -> None:
    assert witness.read() is None
    claimed = witness.claim(1, MAC, None)
    assert (claimed.term, claimed.holder) == (1, MAC)
    assert witness.read() == claimed


def test_each_claim_is_another_also_in_the_same_term(witness: Witness) -> None:
    first = witness.claim(1, MAC, None)
    second = witness.claim(1, MAC, first)
    assert second.etag != first.etag
    assert witness.read() == second


def test_who_expected_something_else_has_lost(witness: Witness) -> None:
    first = witness.claim(1, MAC, None)
    second = witness.claim(1, MAC, first)
    for outdated in (None, first):
        with pytest.raises(LostError):
            witness.claim(2, VPS, outdated)
    assert witness.claim(2, VPS, second).term == 2
    with pytest.raises(LostError):
        witness.claim(1, MAC, second)


def test_a_claim_whose_answer_was_lost_is_made_anew(witness: Witness) -> None:
    first = witness.claim(1, MAC, None)
    unheard = witness.claim(1, MAC, first)
    again = witness.claim(1, MAC, first)
    # The other has counted since it saw the unheard one: it must see that there is a newer one.
    assert again.etag != unheard.etag
    assert witness.read() == again


def test_the_object_is_gone(witness: Witness, client: Any) -> None:
    first = witness.claim(1, MAC, None)
    client.delete_object(Bucket=BUCKET, Key=KEY)
    with pytest.raises(LostError):
        witness.claim(1, MAC, first)
    assert witness.claim(1, MAC, None).term == 1


def test_what_is_not_ours_says_what_to_do(witness: Witness, client: Any) -> None:
    client.put_object(Bucket=BUCKET, Key=KEY, Body=b"{}")
    with pytest.raises(WitnessError, match="delete it"):
        witness.read()


def test_a_bucket_that_is_not_there_says_what_to_do(endpoint: str) -> None:
    nowhere = over(endpoint, "no-such-bucket")
    for ask in (nowhere.read, lambda: nowhere.claim(1, MAC, None)):
        with pytest.raises(WitnessError, match="make it"):
            ask()


def test_a_service_that_is_not_reached_is_no_answer() -> None:
    away = over(f"http://127.0.0.1:{free_port()}")
    for ask in (away.read, lambda: away.claim(1, MAC, None)):
        with pytest.raises(WitnessError, match="EndpointConnectionError"):
            ask()


@pytest.mark.thorough
@pytest.mark.parametrize("is_first", [True, False])
def test_of_two_who_claim_at_once_one_wins(endpoint: str, client: Any, is_first: bool) -> None:
    claimers = {MAC: over(endpoint), VPS: over(endpoint)}
    start = threading.Barrier(2)

    def claim(name: str, term: int, expected: Seen | None) -> Seen | None:
        start.wait()
        try:
            return claimers[name].claim(term, name, expected)
        except LostError:
            return None

    seen: Seen | None = None
    won = Counter[str]()
    with ThreadPoolExecutor(2) as pool:
        for term in range(1, ROUNDS + 1):
            if is_first:
                client.delete_object(Bucket=BUCKET, Key=KEY)
                seen = None
            asked = [pool.submit(claim, name, term, seen) for name in claimers]
            winners = [found for one in asked if (found := one.result())]
            assert len(winners) == 1
            seen = winners[0]
            assert claimers[MAC].read() == seen
            won[seen.holder] += 1
    assert won.total() == ROUNDS
