"""Debian's chromium, driven by playwright; every page is watched for errors in its console."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

# Quiet ones: the browser must ask nothing of the world on its own.
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# A busy machine may take a while to draw; an answer itself takes milliseconds.
PATIENCE_MS = 15_000


@dataclass
class Watched:
    """A page and what went wrong in it."""

    page: Page
    errors: list[str] = field(default_factory=list)

    def hear(self, message: ConsoleMessage) -> None:
        """Keep warnings and errors of the console."""
        if message.type in {"error", "warning"}:
            self.errors.append(message.text)

    def overflow(self) -> list[str]:
        """The elements that stick out of the window at a side, and the window itself."""
        found: list[str] = self.page.evaluate(
            """() => {
              const width = document.documentElement.clientWidth;
              const out = [];
              if (document.documentElement.scrollWidth > width) out.push("the page itself");
              for (const element of document.body.querySelectorAll("*")) {
                if (element.closest(".sr-only, .skip, .ideas, svg")) continue;
                const box = element.getBoundingClientRect();
                if (box.width && (box.left < -1 || box.right > width + 1))
                  out.push(`${element.tagName} ${element.className}`);
                if (element.scrollWidth > element.clientWidth + 1
                    && getComputedStyle(element).overflowX === "visible"
                    && getComputedStyle(element).display !== "inline")
                  out.push(`inside ${element.tagName} ${element.className}`);
              }
              return out;
            }"""
        )
        return found


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One chromium for all tests. Its absence is a failure, not a reason to skip."""
    path = shutil.which("chromium")
    if path is None:
        pytest.fail("chromium is missing: `apt-get install chromium` (the Makefile does)", False)
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield found
        found.close()


@pytest.fixture(params=[(390, 844, "light"), (1360, 900, "dark")], ids=["phone", "desktop"])
def watched(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Watched]:
    """A fresh page, once as small as a phone and once on a desktop; it must end without errors."""
    width, height, scheme = request.param
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, locale="en-GB"
    )
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    found = Watched(page)
    page.on("console", found.hear)
    page.on("pageerror", lambda error: found.errors.append(str(error)))
    yield found
    context.close()
    assert found.errors == []
