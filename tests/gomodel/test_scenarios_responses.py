"""Responses: S27 to S31 and S80 to S83; embeddings: S32 to S34."""

import base64
import struct

import pytest

from tests.gomodel.world import World, error_of, events, output_text

PICTURE = "https://images.example/s30.png"


def test_gm_s27_responses(world: World) -> None:
    """A response of OpenAI's is one, with output and usage."""
    answer = world.respond("openai/gpt-4o-mini", "Say s27")
    found = answer.json()

    assert answer.status_code == 200
    assert (found["object"], found["status"]) == ("response", "completed")
    assert output_text(found) == "Say s27"
    assert found["usage"]["input_tokens"] == 2
    assert found["usage"]["total_tokens"] == 4


@pytest.mark.parametrize(
    "model", ["openai/gpt-4o-mini", "anthropic/claude-sonnet-4-6", "gemini/gemini-2.5-flash"]
)
def test_gm_s28_responses_stream(world: World, model: str) -> None:
    """A stream is begun by `response.created`, numbered, and ended by `response.completed`."""
    found = events(world.respond(model, f"Say s28 {model}", stream=True))
    named = [event for event in found if event != "[DONE]"]

    assert named[0]["type"] == "response.created"
    assert named[-1]["type"] == "response.completed"
    assert [event["sequence_number"] for event in named] == list(range(len(named)))
    deltas = [each["delta"] for each in named if each["type"] == "response.output_text.delta"]
    assert "".join(deltas) == f"Say s28 {model}"
    assert output_text(named[-1]["response"]) == f"Say s28 {model}"
    assert named[-1]["response"]["usage"]["output_tokens"] == 3


def test_gm_s29_reasoning_by_responses(world: World) -> None:
    """`reasoning` reaches OpenAI as it is, and its tokens are counted."""
    answer = world.respond(
        "openai/gpt-5-nano", "Say s29", reasoning={"effort": "low"}, max_output_tokens=256
    )

    assert answer.json()["status"] == "completed"
    assert answer.json()["usage"]["output_tokens_details"]["reasoning_tokens"] > 0
    assert world.sent("Say s29")["reasoning"] == {"effort": "low"}


@pytest.mark.parametrize("model", ["openai/gpt-4o-mini", "anthropic/claude-sonnet-4-6"])
def test_gm_s30_a_picture(world: World, model: str) -> None:
    """An `input_image` is seen."""
    parts = [
        {"type": "input_text", "text": f"Look s30 {model}"},
        {"type": "input_image", "image_url": PICTURE},
    ]
    answer = world.respond(model, [{"role": "user", "content": parts}])

    assert output_text(answer.json()) == f"Look s30 {model} [image {PICTURE}]"


@pytest.mark.parametrize(
    ("alias", "model"), [("smart", "gpt-4o-mini"), ("careful", "claude-sonnet-4-6")]
)
def test_gm_s31_by_an_alias(world: World, alias: str, model: str) -> None:
    """An alias calls its target."""
    answer = world.respond(alias, f"Respond {alias}")

    assert output_text(answer.json()) == f"Respond {alias}"
    assert world.sent(f"Respond {alias}")["model"] == model


def test_gm_s32_one_embedding(world: World) -> None:
    """A text has one vector; in base64 it is the same one."""
    asked = {"model": "openai/text-embedding-3-small", "input": "Embed s32"}
    answer = world.post("/v1/embeddings", asked)
    found = answer.json()

    assert answer.status_code == 200
    assert found["object"] == "list"
    assert [(one["object"], one["index"]) for one in found["data"]] == [("embedding", 0)]
    assert found["usage"] == {"prompt_tokens": 2, "total_tokens": 2}
    packed = world.post("/v1/embeddings", asked | {"encoding_format": "base64"}).json()
    data = base64.b64decode(packed["data"][0]["embedding"])
    assert list(struct.unpack(f"<{len(data) // 4}f", data)) == found["data"][0]["embedding"]


@pytest.mark.parametrize(
    "model",
    [
        pytest.param("openai/text-embedding-3-small", id="s33"),
        pytest.param("gemini/gemini-embedding-001", id="s34"),
    ],
)
def test_gm_s33_gm_s34_many_embeddings(world: World, model: str) -> None:
    """Several texts have as many vectors, in their order; of OpenAI and of Gemini alike."""
    texts = ["one", "two", "one"]
    answer = world.post("/v1/embeddings", {"model": model, "input": texts})
    data = answer.json()["data"]

    assert answer.status_code == 200
    assert [one["index"] for one in data] == [0, 1, 2]
    assert data[0]["embedding"] == data[2]["embedding"] != data[1]["embedding"]


def test_gm_s80_gm_s81_a_stored_response(world: World) -> None:
    """A response is found again by its id, as it was; one that was not to be stored is not."""
    made = world.respond("openai/gpt-4o-mini", "Keep s80").json()
    kept = world.get(f"/v1/responses/{made['id']}")
    secret = world.respond("openai/gpt-4o-mini", "Forget s80", store=False).json()

    assert kept.status_code == 200
    assert kept.json() == made
    assert error_of(world.get(f"/v1/responses/{secret['id']}"))["code"] == "response_not_found"


@pytest.mark.parametrize("model", ["openai/gpt-4o-mini", "anthropic/claude-sonnet-4-6"])
def test_gm_s80_gm_s81_a_streamed_response_is_stored(world: World, model: str) -> None:
    """A streamed response is found again, too, whoever made it."""
    stream = events(world.respond(model, "Keep a stream", stream=True))
    (made,) = [
        event["response"]
        for event in stream
        if event != "[DONE]" and event["type"] == "response.completed"
    ]

    assert world.get(f"/v1/responses/{made['id']}").json() == made


def test_gm_s82_input_items(world: World) -> None:
    """What was asked is listed as items: a text is a message of one `input_text`."""
    made = world.respond("openai/gpt-4o-mini", "Keep s82").json()

    listed = world.get(f"/v1/responses/{made['id']}/input_items").json()

    assert (listed["object"], listed["has_more"]) == ("list", False)
    (item,) = listed["data"]
    assert (item["type"], item["role"]) == ("message", "user")
    assert item["content"] == [{"type": "input_text", "text": "Keep s82"}]
    assert listed["first_id"] == listed["last_id"] == item["id"]


def test_gm_s83_a_response_is_deleted(world: World) -> None:
    """A deleted response is told so, as `response`, and is gone."""
    made = world.respond("openai/gpt-4o-mini", "Keep s83").json()
    assert world.get(f"/v1/responses/{made['id']}").status_code == 200

    deleted = world.client.delete(f"/v1/responses/{made['id']}")

    assert deleted.json() == {"id": made["id"], "object": "response", "deleted": True}
    assert world.get(f"/v1/responses/{made['id']}").status_code == 404
