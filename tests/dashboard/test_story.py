"""What an operator does at the dashboard, from the first key to a dead letter."""

import re
import uuid
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Page

from schemas import headers as h
from schemas.headers import Headers
from tests.dashboard.conftest import Visit
from tests.e2e.log import chat, outcome_of, producing, tail
from tests.gateway import Gateway

pytestmark = [pytest.mark.xdist_group("dashboard"), pytest.mark.asyncio(loop_scope="session")]

TRIES = 40


class Caller:
    """Somebody with a key, who asks the gateway."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def ask(self, text: str, model: str = "sim-echo") -> httpx.Response:
        messages = [{"role": "user", "content": text}]
        body = {"model": model, "messages": messages, "max_tokens": 20}
        return await self._client.post("/v1/chat/completions", json=body)

    async def until(self, status: int, text: str, model: str = "sim-echo") -> httpx.Response:
        """Ask until the answer has this status: what is set is in force a moment later."""
        for _ in range(TRIES):
            if (found := await self.ask(text, model)).status_code == status:
                return found
        raise AssertionError(
            f"no {status} after {TRIES} requests: {found.status_code} {found.text}"
        )


async def made_key(page: Page, visit: Visit, name: str, path: str) -> str:
    """A key from the form; its value, as it is shown this once."""
    await visit.open("keys")
    await page.get_by_role("button", name="New key").click()
    form = page.locator("dialog form")
    await form.get_by_label("Name").fill(name)
    await form.get_by_label("User path").fill(path)
    assert await visit.barriers() == []
    await form.get_by_role("button", name="Make the key").click()
    value = await page.locator(".secret").inner_text()
    await page.keyboard.press("Escape")
    return value


async def test_from_a_key_to_its_budget(visit: Visit, gateway: Gateway, pictures: Path) -> None:
    """A key from the form works at once; its call appears on the live page as it ends, and opens with both
    bodies and with where its time went; under a budget from the form it is refused when that is used up, which
    the live page and the budget show; deactivated, the key is refused."""
    page = visit.page
    value = await made_key(page, visit, "a browser's", "/browser")
    assert value.startswith("sk-sluice-")
    headers = {"authorization": f"Bearer {value}"}
    async with httpx.AsyncClient(base_url=gateway.url, headers=headers, timeout=60) as client:
        caller = Caller(client)
        await visit.open("live")
        await page.locator(".state[data-state=connected]").wait_for()
        await page.get_by_label("Filter").fill("/browser")
        row = page.locator("tbody tr", has_text="/browser").first
        # Until the page follows the log nothing is shown of what has passed.
        for _ in range(TRIES):
            await caller.until(200, "Seen in a browser?")
            if await row.count():
                break
            await page.wait_for_timeout(500)
        await page.screenshot(path=pictures / "live-now.png")
        await row.get_by_role("button").click()
        dialog = page.locator("dialog")
        for step in ("Ingress", "Queue", "Cache and rules", "Provider", "Exchange"):
            await dialog.get_by_role("cell", name=step, exact=True).wait_for()
        assert await dialog.locator("pre", has_text="Seen in a browser?").count() == 2
        place = re.compile(rf"{re.escape(gateway.topic('exchanges'))} \d+:\d+")
        await dialog.get_by_text(place).wait_for()
        assert await visit.barriers() == []
        await page.screenshot(path=pictures / "exchange.png")
        await page.keyboard.press("Escape")

        await visit.open("budgets")
        await page.get_by_role("button", name="New budget").click()
        form = page.locator("dialog form")
        await form.get_by_label("User path").fill("/browser")
        await form.get_by_label("Tokens").fill("150")
        assert await visit.barriers() == []
        await form.get_by_role("button", name="Save").click()
        budget = page.locator("tbody tr", has_text="/browser")
        await budget.wait_for()
        await visit.open("live")
        await page.locator(".state[data-state=connected]").wait_for()
        refusal = page.locator("tbody tr", has_text="429").filter(has_text="/browser").first
        for _ in range(TRIES):
            refused = await caller.until(429, "One more?")
            if await refusal.count():
                break
            await page.wait_for_timeout(500)
        assert refused.json()["error"]["code"] == "budget_exceeded"
        await refusal.wait_for()
        await visit.open("budgets")
        await budget.wait_for()
        await page.screenshot(path=pictures / "budget.png")

        await visit.open("keys")
        await page.locator("tbody tr", has_text="a browser's").first.get_by_role("button").click()
        page.on("dialog", lambda asked: asked.accept())
        await page.get_by_role("button", name="Deactivate").click()
        await page.locator("tbody tr", has_text="deactivated").first.wait_for()
        await caller.until(401, "Still there?")
    assert visit.complaints == []


async def test_a_dead_letter_is_redriven(visit: Visit, gateway: Gateway, pictures: Path) -> None:
    """A request that a worker gave up stands among the dead letters with the reason; from its dialog it is
    produced again, and this time answered."""
    page, topics = visit.page, gateway.stack.topics
    name, source = f"letter-{uuid.uuid4()}", "/browser-tests"
    headers: Headers = [
        (h.CE_SOURCE, source.encode()),
        (h.CE_ID, name.encode()),
        (h.DLT_EXCEPTION_FQCN, b"Malformed"),
        (h.DLT_EXCEPTION_MESSAGE, f"made for {name}".encode()),
        (h.DLT_ORIGINAL_TOPIC, topics.requests.encode()),
        (h.DLT_ORIGINAL_PARTITION, (1).to_bytes(4, "big")),
        (h.DLT_ORIGINAL_OFFSET, (0).to_bytes(8, "big")),
    ]
    bootstrap = gateway.stack.bootstrap
    async with tail(bootstrap, topics.exchanges) as reading:
        async with producing(bootstrap) as producer:
            letter = chat("sim-echo", "Heard at last")
            await producer.send_and_wait(topics.dead_letters, letter, headers=headers)
        await visit.open("dead-letters")
        await page.get_by_label("Reason").fill(name)
        await page.get_by_label("Reason").press("Enter")
        row = page.locator("tbody tr", has_text=name)
        await row.get_by_role("button").first.click()
        await page.locator("dialog pre", has_text="Heard at last").wait_for()
        assert await visit.barriers() == []
        await page.screenshot(path=pictures / "dead-letter.png")
        await page.get_by_role("button", name="Produce it again").click()
        await page.locator(".notice.good", has_text="Produced again").wait_for()

        exchange = await outcome_of(reading, topics, f"{source}/{name}")
    assert exchange.outcome == "completed"
    assert visit.complaints == []


async def test_rules_are_set(visit: Visit, gateway: Gateway, pictures: Path) -> None:
    """A guardrail and a workflow from their forms refuse what they should of the scope that they are for, and
    nothing once the workflow is deactivated; its version can be activated again. An alias answers for its
    model. What the API refuses is said in the dialog."""
    page = visit.page
    value = await made_key(page, visit, "a ruled one's", "/ruled")
    await visit.open("guardrails")
    await page.get_by_role("button", name="New guardrail").click()
    form = page.locator("dialog form")
    await form.get_by_label("Name").fill("no-falcon")
    await form.get_by_label("Type").select_option("regex")
    await form.get_by_label("patterns").fill("project (")
    assert await visit.barriers() == []
    await form.get_by_role("button", name="Save").click()
    await page.get_by_role("alert").filter(has_text="cannot be used").wait_for()
    await form.get_by_label("patterns").fill("project (falcon|hawk)\nmerger")
    await page.screenshot(path=pictures / "guardrail.png")
    await form.get_by_role("button", name="Save").click()
    await page.locator("tbody tr", has_text="no-falcon").wait_for()

    await visit.open("workflows")
    await page.get_by_role("button", name="New workflow").click()
    await form.get_by_label("Name").fill("The ruled")
    await form.get_by_label("User path").fill("/ruled")
    await form.get_by_label("no-falcon", exact=True).check()
    assert await visit.barriers() == []
    await page.screenshot(path=pictures / "workflow.png")
    await form.get_by_role("button", name="Make it active").click()
    scope = page.get_by_role("button", name="/ruled", exact=True)
    await scope.wait_for()
    headers = {"authorization": f"Bearer {value}"}
    async with httpx.AsyncClient(base_url=gateway.url, headers=headers, timeout=60) as client:
        caller = Caller(client)
        await caller.until(400, "What is project hawk?")
        assert (await caller.ask("What is a hawk?")).status_code == 200
        await scope.click()
        await page.get_by_role("button", name="Deactivate").click()
        await page.get_by_role("heading", name="Deactivated").wait_for()
        await caller.until(200, "What is project hawk?")
        await scope.click()
        await page.get_by_role("button", name="Activate as a new version").click()
        await page.get_by_role("heading", name="Deactivated").wait_for(state="detached")
        await caller.until(400, "What is project hawk?")

        await visit.open("models")
        await page.get_by_role("button", name="New alias").click()
        await form.get_by_label("Name").fill("falcon-free")
        await form.get_by_label("Model", exact=True).fill("sim/sim-echo")
        assert await visit.barriers() == []
        await page.screenshot(path=pictures / "alias.png")
        await form.get_by_role("button", name="Save").click()
        await page.get_by_role("button", name="falcon-free").wait_for()
        await caller.until(200, "Who answers?", "falcon-free")
    # Of the shared gateway nothing is left that others would meet.
    page.on("dialog", lambda asked: asked.accept())
    await page.get_by_role("button", name="falcon-free").click()
    await page.locator("dialog").get_by_role("button", name="Delete").click()
    await page.get_by_role("button", name="falcon-free").wait_for(state="detached")
    refused = [text for text in visit.complaints if "400 (Bad Request)" not in text]
    assert refused == []
