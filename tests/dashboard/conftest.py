"""The system's Chromium over the dashboard of the shared gateway."""

import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, async_playwright

from deploy.services.install import program
from deploy.services.terminal import ServiceError
from tests.gateway import KEY, Gateway
from tests.services import ROOT, missing

PICTURES = ROOT / ".artifacts" / "dashboard"
# The first that is there; the last is what apt-get installs.
BROWSERS = ("google-chrome", "chromium-browser", "chromium")


@pytest.fixture(scope="module")
def gateway(embedded_gateway: Gateway) -> Gateway:
    """On one broker: what differs between two is seen without a browser."""
    return embedded_gateway


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's path; missing, it is installed where that is possible."""
    for name in BROWSERS:
        if (found := shutil.which(name)) is not None:
            return found
    try:
        return program(BROWSERS[-1], "chromium")
    except ServiceError as error:
        missing(f"no Chromium: {error}")


@pytest.fixture(scope="session")
def pictures() -> Path:
    """Where screenshots are kept, for people and for the README."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    return PICTURES


@pytest.fixture
async def browser(chromium: str) -> AsyncIterator[Browser]:
    async with AsyncExitStack() as stack:
        play = await stack.enter_async_context(async_playwright())
        # Tests run as root in containers, where Chromium's sandbox cannot.
        found = await play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        stack.push_async_callback(found.close)
        yield found


class Visit:
    """A page, and what went wrong on it."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.complaints: list[str] = []
        page.on("console", lambda said: self._note(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self._note(str(error)))
        page.on("request", lambda asked: self._asked(asked.url))

    def _note(self, text: str) -> None:
        self.complaints.append(text)

    def _asked(self, url: str) -> None:
        if not url.startswith((self.url, "data:", "blob:")):
            self._note(f"asked elsewhere: {url}")

    async def open(self, name: str) -> None:
        """Show a page and wait until it stands."""
        await self.page.goto(f"{self.url}/admin/dashboard/{name}")
        await self.page.locator("main h1").wait_for()


@pytest.fixture
async def visit(browser: Browser, gateway: Gateway) -> Visit:
    """With the master key, at the first ingress."""
    return await visiting(browser, gateway.url, KEY)


async def visiting(browser: Browser, url: str, key: str, **options: object) -> Visit:
    context = await browser.new_context(**{"viewport": {"width": 1400, "height": 900}, **options})  # type: ignore[arg-type]
    page = await context.new_page()
    page.set_default_timeout(60_000)
    await page.add_init_script(f"sessionStorage.setItem('sluice-key', '{key}')")
    return Visit(page, url)
