"""What an operator does at the dashboard, from the first key to a dead letter."""

import re
from pathlib import Path

import httpx
import pytest
from aiokafka import AIOKafkaProducer

from tests.dashboard.conftest import Visit
from tests.gateway import Gateway

pytestmark = pytest.mark.xdist_group("dashboard")


async def test_a_key_is_made_and_its_call_is_seen(
    visit: Visit, gateway: Gateway, pictures: Path
) -> None:
    """A key from the form works at once; its call appears on the live page as it ends and opens with both
    bodies; deactivated, the key is refused."""
    page = visit.page
    await visit.open("keys")
    await page.get_by_role("button", name="New key").click()
    form = page.locator("dialog form")
    await form.get_by_label("Name").fill("a browser's")
    await form.get_by_label("User path").fill("/browser")
    await form.get_by_role("button", name="Make the key").click()
    value = await page.locator(".secret").inner_text()
    assert value.startswith("sk-sluice-")
    await page.keyboard.press("Escape")

    await visit.open("live")
    await page.locator(".state[data-state=connected]").wait_for()
    await page.get_by_label("Filter").fill("/browser")
    body = {"model": "sim-echo", "messages": [{"role": "user", "content": "Seen in a browser?"}]}
    headers = {"authorization": f"Bearer {value}"}
    async with httpx.AsyncClient(base_url=gateway.url, headers=headers, timeout=60) as client:
        # Until the page follows the log nothing is shown of what has passed.
        row = page.locator("tbody tr", has_text="/browser").first
        for _ in range(30):
            assert (await client.post("/v1/chat/completions", json=body)).status_code == 200
            if await row.count():
                break
            await page.wait_for_timeout(500)
        await row.get_by_role("button").click()
        dialog = page.locator("dialog")
        await dialog.get_by_text("Where the time went").wait_for()
        assert await dialog.locator("pre", has_text="Seen in a browser?").count() == 2
        await page.screenshot(path=pictures / "exchange.png")
        await page.keyboard.press("Escape")

        await visit.open("keys")
        await page.locator("tbody tr", has_text="a browser's").first.get_by_role("button").click()
        page.on("dialog", lambda asked: asked.accept())
        await page.get_by_role("button", name="Deactivate").click()
        await page.locator("tbody tr", has_text="deactivated").first.wait_for()
        assert (await client.post("/v1/chat/completions", json=body)).status_code == 401
    assert visit.complaints == []


async def test_a_dead_letter_is_looked_at(visit: Visit, gateway: Gateway, pictures: Path) -> None:
    """Bytes that are no request lie among the dead letters with the reason; what came to an end is not
    produced again, and the page says why."""
    producer = AIOKafkaProducer(bootstrap_servers=gateway.stack.bootstrap)
    await producer.start()
    try:
        sent = await producer.send_and_wait(gateway.topic("requests"), b"of a browser's test")
    finally:
        await producer.stop()
    page = visit.page
    await visit.open("dead-letters")
    place = re.compile(rf"{sent.partition}:{sent.offset}$")
    row = page.locator("tbody tr", has_text=place).first
    for _ in range(60):
        if await row.count():
            break
        await page.get_by_role("button", name="Look again").click()
        await page.wait_for_timeout(500)
    await row.get_by_role("button").first.click()
    await page.locator("dialog pre", has_text="of a browser's test").wait_for()
    await page.screenshot(path=pictures / "dead-letter.png")
    await page.get_by_role("button", name="Produce it again").click()

    await page.locator(".notice").wait_for()
    assert visit.complaints == []
