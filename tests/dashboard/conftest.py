"""The system's Chromium over the dashboard of the shared gateway: one browser, one ingress with a long past."""

import shutil
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, async_playwright

from bench.history import fill
from deploy.services.install import program
from deploy.services.terminal import ServiceError
from tests.gateway import KEY, Background, Gateway
from tests.services import ROOT, free_port, missing

PICTURES = ROOT / ".artifacts" / "dashboard"
# The first that is there; the last is what apt-get installs.
BROWSERS = ("google-chrome", "chromium-browser", "chromium")
EXCHANGES = 100_000
SLOT = "3"  # of the ingress with the past
SERIOUS = {"serious", "critical"}
ALIKE = "tbody tr:nth-child(n+5), details.operation:nth-of-type(n+6)"


@pytest.fixture(scope="session")
def gateway(embedded_gateway: Gateway) -> Gateway:
    """On one broker: what differs between two is seen without a browser."""
    return embedded_gateway


@pytest.fixture(scope="session")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with many exchanges of a year."""
    path = tmp_path_factory.mktemp("history") / "history.db"
    fill(path, EXCHANGES, time.time())
    return path


@pytest.fixture(scope="session")
def desk(gateway: Gateway, history: Path) -> Iterator[str]:
    """The URL of an ingress of the shared gateway that looks back into `history`. What happens now is the
    gateway's; it has what the cache page wants, too."""
    background, port = Background(), free_port()
    process = background.run(
        gateway.stack.start(
            "ingress",
            SLUICE_SLOT=SLOT,
            PORT=str(port),
            SQLITE_PATH=str(history),
            RESPONSE_CACHE_SIMPLE_ENABLED="true",
        )
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        background.run(process.stop())
        background.close()


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


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(chromium: str) -> AsyncIterator[Browser]:
    async with AsyncExitStack() as stack:
        play = await stack.enter_async_context(async_playwright())
        # Tests run as root in containers, where Chromium's sandbox cannot.
        found = await play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        stack.push_async_callback(found.close)
        yield found


class Visit:
    """A page, what it asked for, and what went wrong on it."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.asked: list[str] = []  # paths below the admin API
        self.complaints: list[str] = []
        page.on("console", lambda said: self._note(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self._note(str(error)))
        page.on("request", lambda asked: self._asked(asked.url))

    def _note(self, text: str) -> None:
        self.complaints.append(text)

    def _asked(self, url: str) -> None:
        if not url.startswith((self.url, "data:", "blob:")):
            self._note(f"asked elsewhere: {url}")
        _, api, path = url.partition("/admin/api/v1/")
        if api:
            self.asked.append(path.partition("?")[0])

    async def open(self, name: str) -> None:
        """Show a page and wait until it stands."""
        await self.page.goto(f"{self.url}/admin/dashboard/{name}")
        await self.page.locator("main h1").wait_for()

    async def barriers(self, *rules: str) -> list[tuple[str, list[str]]]:
        """What axe finds that is serious, by all its rules or by these. Rows of a table are alike: some of
        each are looked at."""
        await self.page.evaluate(
            f"document.querySelectorAll('{ALIKE}').forEach((each) => each.remove())"
        )
        options = {"runOnly": {"type": "rule", "values": list(rules)}} if rules else None
        found = await Axe().run(self.page, options=options)
        return [
            (each["id"], [node["html"][:120] for node in each["nodes"]])
            for each in found.response["violations"]
            if each["impact"] in SERIOUS
        ]


@pytest_asyncio.fixture(loop_scope="session")
async def visit(browser: Browser, desk: str) -> AsyncIterator[Visit]:
    """With the master key."""
    found = await visiting(browser, desk, KEY)
    yield found
    await found.page.context.close()


async def visiting(browser: Browser, url: str, key: str) -> Visit:
    context = await browser.new_context(viewport={"width": 1400, "height": 900})
    page = await context.new_page()
    page.set_default_timeout(60_000)
    await page.add_init_script(f"sessionStorage.setItem('sluice-key', '{key}')")
    return Visit(page, url)
