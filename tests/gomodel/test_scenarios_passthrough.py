"""Passthrough, S49 to S53 and S62; what is stored of requests, S10, S54 and S55."""

import pytest

from schemas.clock import SystemClock
from sinks.config import SinkConfig
from sinks.stores import SINKS
from tests.gomodel.world import KEY, World, error_of, events, output_text, said, words
from tests.postgres import fetch
from tests.sinks.samples import documents

MESSAGE = {"max_tokens": 64, "model": "claude-sonnet-4-6"}


@pytest.mark.parametrize(
    "path", [pytest.param("/p/openai/v1", id="s49"), pytest.param("/p/openai", id="s50")]
)
def test_gm_s49_gm_s50_openai_passthrough(world: World, path: str) -> None:
    """A request is handed to OpenAI as it is, with and without `v1/`: with OpenAI's key, not the caller's."""
    mark = f"Pass {path} on"
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": mark}], "seed": 7}

    answer = world.post(f"{path}/chat/completions", body, x_gomodel_user_path="/team")

    assert said(answer) == mark
    (request,) = world.received(mark)
    assert request["path"] == "/v1/chat/completions"
    assert request["headers"]["authorization"] == "Bearer sk-openai"
    assert "x-gomodel-user-path" not in request["headers"]
    assert world.sent(mark) == body


def test_gm_s51_anthropic_passthrough(world: World) -> None:
    """Anthropic's Messages go through, with its key and the caller's version."""
    answer = world.post(
        "/p/anthropic/v1/messages",
        MESSAGE | {"messages": [{"role": "user", "content": "Pass s51"}]},
        anthropic_version="2023-01-01",
        x_request_id="gm-s51",
    )

    assert answer.json()["type"] == "message"
    assert answer.json()["content"] == [{"type": "text", "text": "Pass s51"}]
    (request,) = world.received("Pass s51")
    assert request["headers"]["x-api-key"] == "sk-anthropic"
    assert request["headers"]["anthropic-version"] == "2023-01-01"
    assert "authorization" not in request["headers"]
    assert world.stored("gm-s51")["usage"]["input_tokens"] == 2


@pytest.mark.parametrize("path", ["openai/v1/chat/completions", "anthropic/v1/messages"])
def test_gm_s52_an_error_is_the_providers_own(world: World, path: str) -> None:
    """A provider's refusal is what it said, byte for byte, so that its own SDK can read it."""
    body = MESSAGE | {"messages": [{"role": "user", "content": "[sim-status-429-retry-7]"}]}

    answer = world.post(f"/p/{path}", body)

    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "7"
    # Anthropic's errors have a type beside the error, OpenAI's have not.
    assert answer.json().get("type") == ("error" if path.startswith("anthropic") else None)
    assert answer.json()["error"]["message"] == "The simulated provider was asked for status 429."


def test_gm_s53_passthrough_of_a_stream(world: World) -> None:
    """A stream goes through as it comes, and its usage is accounted for."""
    messages = [{"role": "user", "content": "Pass s53"}]
    answer = world.post(
        "/p/openai/v1/chat/completions",
        {
            "model": "gpt-4o-mini",
            "messages": messages,
            "stream": True,
            "stream_options": {"include_usage": True},
        },
        x_request_id="gm-s53",
    )

    assert words(answer) == "Pass s53"
    assert events(answer)[-1] == "[DONE]"
    found = world.stored("gm-s53")
    assert (found["operation"], found["provider"]) == ("relay", "openai")
    assert found["usage"]["total_tokens"] == 4


def test_gm_s62_passthrough_to_a_provider_that_is_not_enabled(world: World) -> None:
    """It is refused, and nobody is asked; the refusal is stored with its reason."""
    answer = world.post("/p/groq/v1/chat/completions", {"mark": "Pass s62"}, x_request_id="gm-s62")

    assert answer.status_code == 400
    assert "not enabled" in error_of(answer)["message"]
    found = world.stored("gm-s62")
    assert (found["outcome"], found["status"], found["attempts"]) == ("rejected", 400, [])
    assert "not enabled" in found["error"]["message"]
    assert world.received("Pass s62") == []


@pytest.mark.parametrize("stream", [False, True])
def test_gm_s10_gm_s55_what_is_stored(world: World, stream: bool) -> None:
    """Every request is a document: who asked what of whom, what came of it, and what it took. In SQLite
    and in MongoDB it is the same."""
    name, text = f"gm-s10-{stream}", f"Store s10-{stream}"
    asked = {
        "model": "smart",
        "messages": [{"role": "user", "content": text}],
        "stream": stream,
    }
    answer = world.post(
        "/v1/chat/completions", asked, x_request_id=name, x_gomodel_user_path="team//alpha/"
    )

    found = world.stored(name)

    assert answer.headers["x-request-id"] == name
    assert (found["outcome"], found["status"], found["stream"]) == ("completed", 200, stream)
    assert (found["operation"], found["dialect"]) == ("chat", "openai_chat")
    assert (found["client"], found["client_ip"]) == ("master", "127.0.0.1")
    assert found["user_path"] == "/team/alpha"
    assert (found["request_model"], found["provider"]) == ("smart", "openai")
    assert found["usage"]["input_tokens"] == found["usage"]["output_tokens"] == 2
    assert found["request"]["body"] == asked
    choice = found["response"]["body"]["choices"][0]
    assert choice["message"]["content"] == text
    assert found["finish_reason"] == choice["finish_reason"] == "stop"
    assert found["timings"]["total"] >= found["timings"]["upstream"] > 0
    (attempt,) = found["attempts"]
    assert (attempt["model"], attempt["status"]) == ("gpt-4o-mini", 200)
    assert KEY not in str(found)
    assert "sk-openai" not in str(found)


def test_gm_s55_responses_and_failures_are_stored(world: World) -> None:
    """A response, and a provider's failure with what was told of it."""
    for name, content in (("gm-s55-good", "Store s55"), ("gm-s55-bad", "[sim-status-500]")):
        body = {"model": "openai/gpt-4o-mini", "input": content}
        world.post("/v1/responses", body, x_request_id=name)

    good, bad = world.stored("gm-s55-good"), world.stored("gm-s55-bad")

    assert (good["dialect"], good["outcome"]) == ("openai_responses", "completed")
    assert output_text(good["response"]["body"]) == "Store s55"
    assert (bad["outcome"], bad["status"]) == ("failed", 500)
    assert bad["error"]["type"] == "provider_error"
    assert bad["attempts"][0]["status"] == 500


def test_what_is_no_request_of_a_model_is_not_stored(world: World) -> None:
    """Health, lists, a wrong method and a wrong key; a body that is no JSON is, as what was refused."""
    world.get("/health", x_request_id="gm-no-1")
    world.get("/v1/models", x_request_id="gm-no-2")
    world.get("/v1/chat/completions", x_request_id="gm-no-3")
    world.client.post("/v1/chat/completions", content=b"{", headers={"x-request-id": "gm-no-4"})
    world.post("/v1/chat/completions", {}, x_request_id="gm-no-5", authorization="Bearer no")
    world.post(
        "/v1/chat/completions",
        {"model": "smart", "messages": [{"role": "user", "content": "Last"}]},
        x_request_id="gm-yes",
    )
    assert world.stored("gm-yes")

    assert world.stored("gm-no-4")["outcome"] == "rejected"
    assert [n for n in (1, 2, 3, 5) if world.find("client_request_id", f"gm-no-{n}")] == []


def test_gm_s54_postgresql_without_an_address_stops_the_start(world: World) -> None:
    """PostgreSQL needs POSTGRES_URL, and nobody is left to believe it: exit code 2, with the reason."""
    told = world.refused("sinks", STORAGE_TYPE="postgresql", POSTGRES_URL="")

    assert "STORAGE_TYPE" in told
    assert "POSTGRES_URL" in told


async def test_gm_s54_with_postgresql(postgres_schema: str) -> None:
    """What a sink stores in PostgreSQL by GoModel's settings is found there."""
    config = SinkConfig(storage_type="postgresql", postgres_url=postgres_schema)
    sink = SINKS[config.storage_type](config, SystemClock())
    await sink.open()
    await sink.write(documents(1, 2))
    await sink.close()

    found = fetch(postgres_schema, "SELECT user_path FROM exchanges")
    assert [row[0] for row in found] == ["/team/ann", "/team/ann"]
