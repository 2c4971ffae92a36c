"""No secret leaves where it belongs: a canary is looked for in everything that the gateway writes."""

from typing import Any

import httpx

from tests.e2e.test_keys import KEYS
from tests.gateway import KEY, Gateway
from tests.stack import until

CHAT = {"model": "sim-echo", "messages": [{"role": "user", "content": "Look for the canary"}]}


async def asked(gateway: Gateway, key: str) -> list[str]:
    """Bodies of answers: one that works, one that its provider refuses, some that we refuse."""
    found = []
    async with httpx.AsyncClient(base_url=gateway.url, timeout=60) as client:
        for headers, body in (
            ({"authorization": f"Bearer {key}"}, CHAT),
            ({"x-api-key": key}, CHAT | {"model": "sim-500"}),
            ({"authorization": f"Bearer {key}"}, CHAT | {"model": "no-such-model"}),
            ({"authorization": f"Bearer {key}"}, CHAT | {"messages": []}),
            ({"authorization": f"Bearer {key}x"}, CHAT),
        ):
            answer = await client.post("/v1/chat/completions", json=body, headers=headers)
            found.append(answer.text + str(answer.headers))
        query = await client.post(f"/v1/models/sim-echo:generateContent?key={key}", json={})
        found.append(query.text + str(query.headers))
        found.append((await client.get("/metrics")).text)
    return found


async def test_no_secret_is_written_anywhere(gateway: Gateway) -> None:
    """Values of the master key, of a managed key and of every provider's key are in no answer, metric, log
    line, record of any topic, or file of the store, whatever became of the requests that carried them."""
    async with httpx.AsyncClient(base_url=gateway.url, timeout=60) as admin:
        admin.headers["authorization"] = f"Bearer {KEY}"
        made: dict[str, Any] = (await admin.post(KEYS, json={"name": "canary"})).json()
    stack = gateway.stack
    providers = {value for name, value in stack.env.items() if name.endswith("_API_KEY")}
    secrets = {KEY, made["value"], *providers}
    assert len(secrets) > 5

    async def in_force() -> bool:
        async with httpx.AsyncClient(base_url=gateway.url, timeout=60) as client:
            headers = {"authorization": f"Bearer {made['value']}"}
            return (await client.get("/v1/models", headers=headers)).status_code == 200

    await until(in_force)
    places = {f"answer {n}": text for n, text in enumerate(await asked(gateway, made["value"]))}
    places |= {f"log of {each.pid}": each.text() for each in stack.processes}
    topics = stack.topics
    for topic in (
        *topics.lanes,
        topics.exchanges,
        topics.control,
        topics.config,
        topics.dead_letters,
    ):
        for partition, offset, headers, key, value in await stack.read(topic):
            places[f"{topic} {partition}:{offset}"] = f"{headers} {key!r} {value!r}"
    for file in stack.database.parent.glob("sluice.db*"):
        places[file.name] = file.read_bytes().decode("latin-1")

    assert "Look for the canary" in "".join(places.values())
    leaks = [(place, s[:12]) for place, text in places.items() for s in secrets if s in text]
    assert leaks == []
