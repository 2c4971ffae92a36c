"""`pydantic-ai`: one agent with a tool and a shape of answers, over chat completions and Responses."""

from collections.abc import AsyncIterator
from typing import Literal

import pytest
from openai import AsyncOpenAI
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider

from tests.sdk.world import KEY, MODELS, World

pytestmark = pytest.mark.xdist_group("sdk")


@pytest.fixture
async def client(world: World) -> AsyncIterator[AsyncOpenAI]:
    """Of the agent's: one of its own would be left open."""
    async with AsyncOpenAI(base_url=f"{world.url}/v1", api_key=KEY, max_retries=0) as found:
        yield found


def agent_of(client: AsyncOpenAI, upstream: str, kind: str, asked: list[str]) -> Agent[None, str]:
    provider = OpenAIProvider(openai_client=client)
    made = OpenAIResponsesModel if kind == "responses" else OpenAIChatModel
    agent = Agent(made(MODELS[upstream], provider=provider), instructions="Be brief.")

    @agent.tool_plain
    def get_weather(city: Literal["Oslo", "Rome"]) -> str:
        """The weather of a city."""
        asked.append(city)
        return f"mild in {city}"

    return agent


@pytest.mark.parametrize("kind", ["chat", "responses"])
async def test_conversation(
    world: World, client: AsyncOpenAI, upstream: str, mark: str, kind: str
) -> None:
    """The agent calls the tool for the model, and ends with what the model says of it."""
    asked: list[str] = []
    found = await agent_of(client, upstream, kind, asked).run(f"How is it {mark}? [sim-tool]")

    assert asked == ["Oslo"]
    assert found.output == "The tools said: mild in Oslo"
    assert found.usage.requests == 2
    assert found.usage.tool_calls == 1
    first, second = world.seen(mark, 2)
    assert first.dialect == second.dialect == upstream
    assert first.system == "Be brief."
    assert list(first.tools) == ["get_weather"]
    assert [one[1:] for one in second.calls] == [("get_weather", {"city": "Oslo"})]
    assert [text for _, text in second.results] == ["mild in Oslo"]


@pytest.mark.parametrize("kind", ["chat", "responses"])
async def test_streamed_conversation(
    client: AsyncOpenAI, upstream: str, mark: str, kind: str
) -> None:
    """The same in pieces."""
    asked: list[str] = []
    agent = agent_of(client, upstream, kind, asked)
    async with agent.run_stream(f"How is it {mark}? [sim-tool]") as found:
        pieces = [piece async for piece in found.stream_text(delta=True, debounce_by=None)]

    assert asked == ["Oslo"]
    assert "".join(pieces) == "The tools said: mild in Oslo"
