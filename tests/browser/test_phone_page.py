"""The whole way in a browser: `portiere demo`, a guest types, the desk answers."""

import contextlib
import re
import subprocess
import sys
import threading
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PATIENCE_MS, Watched
from tests.support.processes import PORTIERE, free_port

# A first start on a busy machine; each part has a minute of its own in the demo itself.
START_SECONDS = 120
STOP_SECONDS = 60

expect.set_options(timeout=PATIENCE_MS)


@contextlib.contextmanager
def _demo() -> Iterator[str]:
    """`portiere demo` on free ports; yields the phone page's address, ends it by SIGTERM."""
    port, gateway_port = free_port(), free_port()
    process = subprocess.Popen(
        [PORTIERE, "demo", "--port", str(port), "--gateway-port", str(gateway_port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    said: list[str] = []
    ready = threading.Event()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            if "Ctrl-C ends it all" in line:
                ready.set()
        ready.set()

    reader = threading.Thread(target=read)
    reader.start()
    try:
        assert ready.wait(START_SECONDS), "".join(said)
        assert process.poll() is None, "".join(said)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        code = process.wait(STOP_SECONDS)
        reader.join()
        sys.stdout.writelines(said)
    assert code == 0, "".join(said)


@pytest.fixture(scope="module")
def demo() -> Iterator[str]:
    """One demo for all tests here."""
    with _demo() as url:
        yield url


@pytest.fixture
def page(watched: Watched, demo: str) -> Page:
    """The phone page, live, with nothing said yet."""
    httpx.post(f"{demo}/sandbox/reset").raise_for_status()
    watched.page.goto(demo)
    expect(watched.page.locator("#link")).to_have_attribute("data-state", "live")
    return watched.page


def _say(page: Page, text: str) -> None:
    box = page.get_by_role("textbox", name="Message")
    box.fill(text)
    box.press("Enter")


@pytest.mark.parametrize(
    ("language", "question", "answer"),
    [
        ("Italiano", "A che ora è il check-in?", r"15[:.]00"),
        ("English", "What time is check-in?", r"15:00|3(:00)? ?pm"),
        ("Deutsch", "Ab wann kann ich einchecken?", r"15[:.]00"),
    ],
)
def test_a_guest_types_and_reads_the_answer(
    page: Page, watched: Watched, language: str, question: str, answer: str
) -> None:
    page.get_by_role("radio", name=re.compile(language)).check(force=True)
    _say(page, question)
    expect(page.locator(".mine .bubble-text")).to_have_text(question)
    expect(page.locator(".theirs .bubble-text")).to_have_text(re.compile(answer, re.IGNORECASE))
    expect(page.locator(".theirs [data-status=Read]")).to_be_visible()
    expect(page.locator(".mine [data-status=Accepted]")).to_be_visible()
    expect(page.locator("#figure")).to_have_text(re.compile(r"^[\d.]+ m?s$"))
    assert watched.overflow() == []


def test_a_suggestion_is_one_tap(page: Page) -> None:
    page.get_by_role("button", name="Qual è la password del Wi-Fi?").click()
    expect(page.locator(".theirs")).to_have_count(1)


def test_a_lost_answer_makes_no_second_reply(page: Page, demo: str) -> None:
    page.get_by_role("switch", name=re.compile("Lost answer")).check()
    expect(page.get_by_role("button", name="All off")).to_be_enabled()
    _say(page, "Dove posso parcheggiare?")
    expect(page.locator(".theirs [data-status=Read]")).to_have_count(1)
    page.get_by_role("button", name="All off").click()
    expect(page.get_by_role("switch", name=re.compile("Lost answer"))).not_to_be_checked()
    # Answers of one guest keep their order, so this one comes after any second one would.
    _say(page, "A che ora è la colazione?")
    expect(page.locator(".theirs")).to_have_count(2, timeout=60_000)
    accepted = httpx.get(f"{demo}/sandbox/sends?accepted=true").json()
    assert accepted["count"] == 2


def test_another_guest_has_an_unread_mark_and_a_conversation_of_their_own(
    page: Page, demo: str
) -> None:
    written = {"phone": "+390000000002", "text": "Where can I park?"}
    httpx.post(f"{demo}/sandbox/inbound", json=written).raise_for_status()
    expect(page.locator(".badge[data-phone='+390000000002']")).to_have_text("1")
    expect(page.locator(".message")).to_have_count(0)
    page.get_by_role("radio", name=re.compile("English")).check(force=True)
    expect(page.locator(".message")).to_have_count(2)
    expect(page.locator(".badge[data-phone='+390000000002']")).to_be_hidden()


def test_what_a_guest_writes_is_text_and_never_markup(page: Page, watched: Watched) -> None:
    wild = "<img src=x onerror=alert(1)> " + "lungo" * 60
    _say(page, wild)
    expect(page.locator(".mine .bubble-text")).to_have_text(wild)
    assert page.locator(".messages img").count() == 0
    assert watched.overflow() == []


def test_the_keyboard_is_enough(page: Page) -> None:
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the message box")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("textbox", name="Message")).to_be_focused()
    page.keyboard.type("Ciao")
    page.keyboard.press("Enter")
    expect(page.locator(".mine .bubble-text")).to_have_text("Ciao")
    expect(page.get_by_role("log")).to_have_attribute("aria-live", "polite")


def test_every_fault_can_be_switched_on_and_fits(page: Page, watched: Watched, demo: str) -> None:
    switches = page.get_by_role("switch")
    for number in range(switches.count()):
        switches.nth(number).check()
    expect(page.locator(".fault.on")).to_have_count(switches.count())
    on = httpx.get(f"{demo}/sandbox/faults").json()
    assert all(fault is not None for fault in on.values()), on
    assert watched.overflow() == []
    page.get_by_role("button", name="Start over").click()
    expect(page.locator(".fault.on")).to_have_count(0)


def test_a_button_is_tapped_and_comes_back_as_a_choice(
    page: Page, watched: Watched, demo: str
) -> None:
    _say(page, "Possiamo fare il check-out più tardi?")
    buttons = page.locator(".theirs .choice")
    expect(buttons).to_have_count(2)
    title = buttons.first.inner_text()
    assert watched.overflow() == []
    buttons.first.click()
    expect(page.locator(".mine .bubble-text")).to_have_text(
        ["Possiamo fare il check-out più tardi?", title]
    )
    expect(page.locator(".theirs")).to_have_count(2)
    results = httpx.get(f"{demo}/sandbox/messages?phone=%2B390000000001").json()["results"]
    (offer,) = (message for message in results if message["content_type"] == "Interactive")
    tapped = [message["payload"] for message in results if message["direction"] == "Inbound"]
    assert tapped == [None, offer["parts"]["buttons"][0]["payload"]]


def test_an_album_is_ten_messages(page: Page, watched: Watched) -> None:
    page.get_by_role("button", name="Ten photos").click()
    expect(page.locator(".mine .bubble-file")).to_have_count(10)
    expect(page.locator(".mine .bubble-file").last).to_have_text("photo-10.jpg")
    expect(page.locator(".theirs").first).to_be_visible()
    assert watched.overflow() == []


def test_a_person_at_the_desk_writes_from_spokis_inbox(page: Page, demo: str) -> None:
    box = page.get_by_role("textbox", name="As a person at the desk")
    box.fill("Ci penso io, un momento.")
    box.press("Enter")
    expect(page.locator(".theirs .bubble-text")).to_have_text("Ci penso io, un momento.")
    expect(page.locator(".theirs .bubble-foot")).to_have_text("Written by a person")
    expect(page.locator(".theirs [data-status=Read]")).to_be_visible()
    assert httpx.get(f"{demo}/sandbox/sends").json()["count"] == 0
