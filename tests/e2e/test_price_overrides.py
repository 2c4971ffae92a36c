"""Prices by the admin API: set at one ingress, in force with the workers and at the other."""

import httpx

from schemas.costs import NANO
from tests.e2e.log import outcome_of, tail
from tests.gateway import KEY, Gateway
from tests.stack import until

PRICES = "/admin/api/v1/model-pricing-overrides"
HELLO = [{"role": "user", "content": "Hello"}]
WORDS = 37


async def test_from_put_to_delete(gateway: Gateway) -> None:
    """What is asked from then on costs so much, and what was asked before stays as it was."""
    model = f"sim-lorem-{WORDS}"  # which no other test asks for
    headers = {"authorization": f"Bearer {KEY}"}
    async with (
        httpx.AsyncClient(base_url=gateway.url, headers=headers, timeout=60) as admin,
        httpx.AsyncClient(base_url=gateway.second, headers=headers, timeout=60) as other,
        tail(gateway.stack.bootstrap, gateway.stack.topics.exchanges) as log,
    ):
        place = f"{PRICES}/sim%2F{model}"

        async def cost() -> tuple[str, int | None]:
            body = {"model": f"sim/{model}", "messages": HELLO}
            found = await other.post("/v1/chat/completions", json=body)
            assert found.status_code == 200, found.text
            exchange = await outcome_of(
                log, gateway.stack.topics, found.headers["sluice-request-id"]
            )
            return exchange.request_id, None if exchange.cost is None else exchange.cost.total

        async def costs(expected: int | None) -> str:
            seen: list[str] = []

            async def so() -> bool:
                request_id, found = await cost()
                seen.append(request_id)
                return found == expected

            await until(so)
            return seen[-1]

        def price(dollars: float) -> dict[str, object]:
            return {"pricing": {"input_per_mtok": 0, "output_per_mtok": dollars}}

        made = await admin.put(place, json=price(1000))
        assert made.status_code == 200, made.text
        assert made.json()["scope_kind"] == "provider_model"
        first = await costs(WORDS * 1000 * NANO // 1_000_000)
        listed = (await other.get(PRICES)).json()
        assert made.json() in listed

        etag = {"if-match": made.headers["etag"]}
        assert (await admin.put(place, json=price(2000), headers=etag)).status_code == 200
        assert (await admin.put(place, json=price(3000), headers=etag)).status_code == 409
        await costs(WORDS * 2000 * NANO // 1_000_000)
        before = await outcome_of(log, gateway.stack.topics, first)
        assert before.cost is not None
        assert before.cost.total == WORDS * 1000 * NANO // 1_000_000

        assert (await admin.delete(place)).status_code == 204
        assert (await admin.get(place)).status_code == 404
        for wrong in ({}, {"pricing": {}}, price(-1), {"pricing": {"currency": "EUR"}}):
            refused = await admin.put(place, json=wrong)
            assert refused.status_code == 400, wrong
            assert refused.headers["content-type"] == "application/problem+json"
