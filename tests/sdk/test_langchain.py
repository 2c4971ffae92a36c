"""`langchain-openai`: one conversation with a tool, over chat completions and over Responses."""

from typing import Any, Literal

import pytest
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from tests.sdk.world import KEY, MODELS, World

pytestmark = pytest.mark.xdist_group("sdk")


@tool
def get_weather(city: Literal["Oslo", "Rome"]) -> str:
    """The weather of a city."""
    return f"mild in {city}"


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("responses", [False, True], ids=["chat", "responses"])
def test_conversation(
    world: World, upstream: str, mark: str, responses: bool, streamed: bool
) -> None:
    """The model asks for the tool, gets its result, and tells it."""
    model = ChatOpenAI(
        model=MODELS[upstream],
        base_url=f"{world.url}/v1",
        api_key=SecretStr(KEY),
        max_retries=0,
        use_responses_api=responses,
        stream_usage=True,
    ).bind_tools([get_weather])

    def ask(messages: list[Any]) -> Any:
        if not streamed:
            return model.invoke(messages)
        first, *rest = model.stream(messages)
        for chunk in rest:
            first = first + chunk
        return first

    messages: list[Any] = [HumanMessage(f"How is it {mark}? [sim-tool]")]
    asked = ask(messages)
    (call,) = asked.tool_calls
    assert (call["name"], call["args"]) == ("get_weather", {"city": "Oslo"})
    result = get_weather.invoke(call)
    assert isinstance(result, ToolMessage)
    answer = ask([*messages, asked, result])

    assert answer.text == "The tools said: mild in Oslo"
    assert answer.usage_metadata["output_tokens"] == 6
    first, second = world.seen(mark, 2)
    assert first.dialect == second.dialect == upstream
    assert first.tools["get_weather"]["properties"]["city"]["enum"] == ["Oslo", "Rome"]
    assert [one[1:] for one in second.calls] == [("get_weather", {"city": "Oslo"})]
    assert [text for _, text in second.results] == ["mild in Oslo"]
