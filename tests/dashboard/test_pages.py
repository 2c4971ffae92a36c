"""Each page of the dashboard in a browser: it loads, alone, for everybody."""

from pathlib import Path

import httpx
import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser

from tests.dashboard.conftest import Visit, visiting
from tests.gateway import KEY, Gateway

pytestmark = pytest.mark.xdist_group("dashboard")

PAGES = ("overview", "live", "flow", "usage", "keys", "budgets", "models", "dead-letters", "api")
# What a page shows when its data are there.
STANDS = {
    "overview": ".cards .figure",
    "live": "main tbody tr",
    "flow": ".picture .box",
    "usage": "main h2",
    "keys": "main button",
    "budgets": "main .scroll, main .empty",
    "models": "main tbody tr",
    "dead-letters": "main .scroll, main .empty",
    "api": ".operation",
}
SERIOUS = {"serious", "critical"}


async def some_traffic(gateway: Gateway) -> None:
    headers = {"authorization": f"Bearer {KEY}", "x-gomodel-user-path": "/dashboard"}
    async with httpx.AsyncClient(base_url=gateway.url, headers=headers, timeout=60) as client:
        for number in range(3):
            body = {"model": "sim-echo", "messages": [{"role": "user", "content": f"No. {number}"}]}
            assert (await client.post("/v1/chat/completions", json=body)).status_code == 200


@pytest.mark.parametrize("name", PAGES)
async def test_a_page_loads(visit: Visit, gateway: Gateway, pictures: Path, name: str) -> None:
    """Without an error on the console, without a request to anywhere else, and axe finds no serious
    barrier on it, in light and in dark."""
    await some_traffic(gateway)
    for scheme in ("light", "dark"):
        await visit.page.emulate_media(color_scheme=scheme)
        await visit.open(name)
        await visit.page.locator(STANDS[name]).first.wait_for()
        await visit.page.screenshot(path=pictures / f"{name}-{scheme}.png")
        found = await Axe().run(visit.page)
        barriers = [
            (each["id"], [node["html"][:120] for node in each["nodes"]])
            for each in found.response["violations"]
            if each["impact"] in SERIOUS
        ]
        assert barriers == []

    assert visit.complaints == []


async def test_on_a_phone(browser: Browser, gateway: Gateway, pictures: Path) -> None:
    """No page is wider than the screen: what is wide scrolls in its own frame."""
    size = {"width": 390, "height": 844}
    visit = await visiting(browser, gateway.url, KEY, viewport=size)
    for name in PAGES:
        await visit.open(name)
        await visit.page.locator(STANDS[name]).first.wait_for()
        await visit.page.screenshot(path=pictures / f"{name}-phone.png")
        width = await visit.page.evaluate("document.documentElement.scrollWidth")
        assert width <= size["width"], name


async def test_a_wrong_key_is_asked_for_again(browser: Browser, gateway: Gateway) -> None:
    """Who may not see is told so, and can say another key without leaving the page."""
    visit = await visiting(browser, gateway.url, "sk-wrong")
    await visit.page.goto(f"{gateway.url}/admin/dashboard/keys")
    dialog = visit.page.locator("dialog")
    await dialog.wait_for()
    await dialog.get_by_label("API key").fill(KEY)
    await dialog.get_by_role("button", name="Use this key").click()

    await visit.page.get_by_role("button", name="New key").wait_for()
    assert await visit.page.evaluate("sessionStorage.getItem('sluice-key')") == KEY


async def test_pages_are_walked_by_links_and_back(visit: Visit) -> None:
    """A link changes the page without loading the document again, and the browser's button goes back."""
    await visit.open("overview")
    await visit.page.evaluate("window.same = true")
    await visit.page.get_by_role("link", name="Models").click()
    await visit.page.get_by_role("heading", name="Models", level=1).wait_for()
    await visit.page.go_back()
    await visit.page.get_by_role("heading", name="Overview", level=1).wait_for()

    assert await visit.page.evaluate("window.same") is True


async def test_an_operation_is_read_and_tried(visit: Visit) -> None:
    """What `/openapi.json` says of one is opened by its address or the keyboard, with the structs that it
    names, and asked from there with the key of the tab."""
    page = visit.page
    await page.goto(f"{visit.url}/docs#listModels")
    operation = page.locator("#listModels")
    await operation.get_by_role("button", name="ModelList", exact=True).first.click()
    await page.locator("dialog code", has_text="data").wait_for()
    await page.keyboard.press("Escape")
    await operation.get_by_role("button", name="Send").click()
    await operation.locator("pre", has_text="sim-echo").wait_for()
    await page.get_by_label("Filter").fill("put budgets")
    await page.locator("#setBudget summary").focus()
    await page.keyboard.press("Enter")
    await page.locator("#setBudget .inside code", has_text="user_path").wait_for()
    await page.locator("#topic-control summary").click()
    await page.locator("#topic-control").get_by_role("button", name="Heartbeat").click()
    await page.locator("dialog code", has_text="boot_id").wait_for()

    assert await page.locator("#listModels").count() == 0
    assert visit.complaints == []
