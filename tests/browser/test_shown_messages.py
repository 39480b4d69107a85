"""What a send looks like on the phone: a list that can be tapped, a template that is filled in."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Watched
from tests.support.events import GUEST
from tests.support.processes import API_KEY, PORTIERE, Process, free_port, wait_for_http

SEND = "/api/1/messages/send/"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A sandbox alone, whose webhooks go nowhere."""
    port = free_port()
    env = {
        "PORTIERE_SANDBOX_API_KEY": API_KEY,
        "PORTIERE_SANDBOX_WEBHOOK_SECRET": "invented-webhook-secret",
    }
    log: Path = tmp_path_factory.mktemp("sandbox") / "sandbox.log"
    process = Process([PORTIERE, "sandbox", "--host", "127.0.0.1", "--port", str(port)], env, log)
    process.start()
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for_http(process, url)
        with httpx.Client(base_url=url, headers={"X-Spoki-Api-Key": API_KEY}) as client:
            yield client
    finally:
        process.stop()


@pytest.fixture
def page(watched: Watched, sandbox: httpx.Client) -> Page:
    """The phone page, live, with nothing said yet."""
    sandbox.post("/sandbox/reset").raise_for_status()
    watched.page.goto(str(sandbox.base_url))
    expect(watched.page.locator("#link")).to_have_attribute("data-state", "live")
    return watched.page


def send(sandbox: httpx.Client, **body: Any) -> None:
    sandbox.post(SEND, json={"phone": GUEST} | body).raise_for_status()


def test_a_row_of_a_list_is_tapped(page: Page, watched: Watched, sandbox: httpx.Client) -> None:
    rows = [{"title": f"Scelta numero {n}", "payload": f"choice-{n}"} for n in range(10)]
    send(
        sandbox,
        type="Message",
        content_type="List",
        text="Di che cosa ha bisogno?",
        list={"title": "☰", "sections": [{"title": "☰", "rows": rows}]},
    )
    expect(page.locator(".theirs .choice")).to_have_count(10)
    assert watched.overflow() == []
    page.get_by_role("button", name="Scelta numero 7").click()
    expect(page.locator(".mine .bubble-text")).to_have_text("Scelta numero 7")
    found = sandbox.get("/sandbox/messages", params={"phone": GUEST}).json()["results"]
    assert (found[1]["text"], found[1]["payload"]) == ("Scelta numero 7", "choice-7")


def test_a_template_is_shown_filled_in(page: Page, sandbox: httpx.Client) -> None:
    fields = {"FIRST_NAME": "Giulia", "CHECKIN_DATE": "1 dicembre"}
    send(sandbox, type="Template", template=7002, language="it", custom_fields=fields)
    shown = "Giulia, la aspettiamo il 1 dicembre. A che ora pensa di arrivare?"
    expect(page.locator(".theirs .bubble-text")).to_have_text(shown)
