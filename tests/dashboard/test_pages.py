"""Each page of the dashboard in a browser, over 100,000 exchanges: it loads, alone, for everybody."""

from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser

from tests.dashboard.conftest import EXCHANGES, Visit, visiting
from tests.gateway import KEY, Gateway

pytestmark = [pytest.mark.xdist_group("dashboard"), pytest.mark.asyncio(loop_scope="session")]

# What each page shows when its data are there.
STANDS = {
    "overview": ".calendar .l4",
    "live": "main tbody tr",
    "flow": "main tbody .pill",
    "usage": "main tbody .link",
    "keys": "main .toolbar + div > *",
    "budgets": "main .toolbar + div > *",
    "models": "main h2 ~ div table",
    "workflows": "main .toolbar + div > *",
    "guardrails": "main .toolbar + div > *",
    "cache": ".cards .figure",
    "dead-letters": "main .toolbar + div > *",
    "settings": "main code",
    "api": ".operation",
}
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1400, "height": 900}


@pytest.mark.parametrize("name", STANDS)
async def test_a_page_loads(visit: Visit, pictures: Path, name: str) -> None:
    """Without an error on the console, without a request to anywhere else; axe finds no serious barrier on
    it, in light and in dark; on a phone nothing is wider than the screen: what is wide scrolls in its own
    frame."""
    shown = visit.page.locator(STANDS[name]).first
    await visit.open(name)
    await shown.wait_for()
    await visit.page.screenshot(path=pictures / f"{name}-light.png")
    assert await visit.barriers() == []
    await visit.page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    await visit.page.screenshot(path=pictures / f"{name}-phone.png")
    assert await visit.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]

    await visit.page.set_viewport_size(DESK)  # type: ignore[arg-type]
    await visit.page.emulate_media(color_scheme="dark")
    await visit.open(name)
    await shown.wait_for()
    await visit.page.screenshot(path=pictures / f"{name}-dark.png")
    assert await visit.barriers("color-contrast") == []

    assert visit.complaints == []


async def test_the_overview_counts_all_of_them(visit: Visit) -> None:
    """A year shows every exchange; the overview asks for sums alone, never for exchanges."""
    await visit.open("overview")
    await visit.page.get_by_label("Time").select_option("365")
    figure = visit.page.locator(".card", has_text="Requests").locator(".figure").first
    await figure.filter(has_text=f"{EXCHANGES:,}"[:-4]).wait_for()

    assert set(visit.asked) == {"usage/summary", "usage/daily", "usage/providers"}
    assert visit.complaints == []


async def test_a_wrong_key_is_asked_for_again(browser: Browser, desk: str) -> None:
    """Who may not see is told so, and can say another key without leaving the page."""
    visit = await visiting(browser, desk, "sk-wrong")
    await visit.page.goto(f"{desk}/admin/dashboard/keys")
    dialog = visit.page.locator("dialog")
    await dialog.wait_for()
    await dialog.get_by_label("API key").fill(KEY)
    await dialog.get_by_role("button", name="Use this key").click()

    await visit.page.get_by_role("button", name="New key").wait_for()
    assert await visit.page.evaluate("sessionStorage.getItem('sluice-key')") == KEY
    await visit.page.context.close()


async def test_pages_are_walked_by_links_and_back(visit: Visit) -> None:
    """A link changes the page without loading the document again, and the browser's button goes back."""
    await visit.open("overview")
    await visit.page.evaluate("window.same = true")
    await visit.page.get_by_role("link", name="Models").click()
    await visit.page.get_by_role("heading", name="Models", level=1).wait_for()
    await visit.page.go_back()
    await visit.page.get_by_role("heading", name="Overview", level=1).wait_for()

    assert await visit.page.evaluate("window.same") is True


async def test_settings_are_an_admins(gateway: Gateway, desk: str) -> None:
    """An analyst, who may see all that was asked and answered, is not told how the gateway is configured; an
    admin is told no secret."""
    master = {"authorization": f"Bearer {KEY}"}
    made = {"name": "an analyst's", "role": "analyst"}
    async with httpx.AsyncClient(base_url=f"{desk}/admin/api/v1/", timeout=60) as client:
        key = (await client.post("auth-keys", json=made, headers=master)).json()["value"]
        analyst = {"authorization": f"Bearer {key}"}
        refused = await client.get("settings", headers=analyst)
        allowed = await client.get("usage/summary", headers=analyst)
        told = await client.get("settings", headers=master)

    assert (refused.status_code, allowed.status_code, told.status_code) == (403, 200, 200)
    assert KEY not in told.text
    assert gateway.stack.env["OPENAI_API_KEY"] not in told.text


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
