"""What the interface tests share: what the page is given, the page served, a real browser.

Pages may neither log errors nor phone home.
"""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Route, expect, sync_playwright
from ui.driving import opened

from robustaudio.ui.launch import launch, load_services
from robustaudio.ui.services import Services
from robustaudio.ui.sources import Source

CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]

expect.set_options(timeout=20_000)  # a machine may be busy; what is there is seen at once


def find_chromium() -> str | None:
    """Path of the browser: `CHROMIUM` if set, else the first of the usual names on the PATH."""
    candidates = (os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome")
    return next((path for name in candidates if name and (path := shutil.which(name))), None)


@pytest.fixture(scope="session")
def services() -> Services:
    return load_services()


@pytest.fixture(scope="session")
def source(services) -> Source:
    name = "7 · flite slt"
    return Source(name, services.clips["digits"][name], "digits")


@pytest.fixture(scope="session")
def app(browser, tmp_path_factory) -> Iterator[str]:
    """The page, served for every test that wants nothing special of its server."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROBUSTAUDIO_LISTENING", str(tmp_path_factory.mktemp("answers")))
        page = launch(block=False, quiet=True)
    yield str(page.local_url)
    page.close()


@pytest.fixture
def page(app, page_at) -> Page:
    return opened(page_at, app)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One headless Chromium for all browser tests; without one they are skipped."""
    path = find_chromium()
    if path is None:
        pytest.skip("no chromium found: install one, or name it in the environment as CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGS)
        yield browser
        browser.close()


@contextmanager
def pages(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open a URL in a browser session of its own; `width`, `dark` and `touch` say on what.

    A console error, an uncaught exception or a request to another host is a failure when the block
    ends; `expected` names parts of console errors that the test provokes.
    """
    contexts, problems = [], []

    def open_page(
        url: str, *, width: int = 1280, dark: bool = False, touch: bool = False,
        expected: tuple[str, ...] = (),
    ) -> Page:  # fmt: skip
        context = browser.new_context(
            viewport={"width": width, "height": 800},
            has_touch=touch,
            is_mobile=touch,
            color_scheme="dark" if dark else "light",
            permissions=["microphone"],
        )
        contexts.append(context)

        def on_console(message: ConsoleMessage) -> None:
            # Gradio 6's own: to cancel a job that ends at that moment is an internal error there
            cancelled = urlsplit(message.location["url"]).path.endswith("/cancel")
            known = cancelled or any(part in message.text for part in expected)
            if message.type == "error" and not known:
                problems.append(f"console: {message.text}")

        def refuse(route: Route) -> None:
            problems.append(f"outside request: {route.request.url}")
            route.abort()

        # the driver looks at each address itself, and asks here of those that match alone
        here = re.escape(urlsplit(url).netloc)
        context.route(re.compile(rf"^https?://(?!{here}(?:[/?#]|$))"), refuse)
        page = context.new_page()
        page.on("console", on_console)
        page.on("pageerror", lambda error: problems.append(f"uncaught: {error}"))
        page.goto(url, wait_until="domcontentloaded")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not problems, "\n".join(problems)


@pytest.fixture
def page_at(browser: Browser) -> Iterator[Callable[..., Page]]:
    with pages(browser) as open_page:
        yield open_page
