"""What the sandbox tells whoever counts after a failure."""

from tests.support.processes import eventually
from tests.unit.providers.sandbox.conftest import Api


def test_a_message_is_told_with_the_moment_of_its_acceptance(api: Api) -> None:
    api.receiver.answers = [503, 200]
    uuid = api.write()["uuid"]
    api.receiver.wait_for(2)

    def accepted() -> bool:
        (written,) = api.http.get("/sandbox/ledger").json()["written"]
        assert written["uuid"] == uuid
        return written["accepted_at"] is not None and written["attempts"] == 2

    eventually(accepted, "the second attempt is told")


def test_a_message_that_nobody_takes_has_no_such_moment(api: Api) -> None:
    api.receiver.answers = [503] * 100
    api.write()
    api.receiver.wait_for(1)
    (written,) = api.http.get("/sandbox/ledger").json()["written"]
    assert (written["state"], written["accepted_at"]) == ("waiting", None)


def test_a_send_is_told_by_its_key_and_where_it_came_from(api: Api) -> None:
    api.text(metadata={"correlation_id": "reply-1"})
    api.fault("server_error", count=1)
    api.text(metadata={"correlation_id": "reply-2"})
    (handed,) = api.http.get("/sandbox/ledger").json()["handed"]
    assert (handed["correlation_id"], handed["source"]) == ("reply-1", "127.0.0.1")


def test_what_was_before_is_left_out(api: Api) -> None:
    api.text()
    api.write()
    since = api.http.get("/sandbox/ledger").json()["now"] + 1
    told = api.http.get("/sandbox/ledger", params={"since": since}).json()
    assert (told["written"], told["handed"]) == ([], [])
